//! Nobody waits for a proof that runs because of a lock on roles, which belong to the whole cluster.

use std::time::Duration;

use pg_tenant_tests::{Session, database};

/// Planting its row waits until the test has looked.
const WAITS: &str = "
    create function waits() returns integer language plpgsql as $$ begin
        perform pg_catalog.pg_advisory_xact_lock(4242); return 1; end $$;
    create table slow (tenant_id uuid, id int primary key, n int not null default waits());";

/// A group is locked, from 16 on, while somebody in an open transaction becomes its member.
#[tokio::test]
async fn who_make_roles() {
    let db = database("roles").await;
    let (owner, boss, other) = (db.protector().await, db.superuser().await, db.superuser().await);
    owner.run(WAITS).await;
    owner.run("select tenant.protect('slow')").await;
    let (made, app) = (format!("{}_made", db.roles.app), &db.roles.app);
    other.run("set lock_timeout = '10s'").await;
    let group = "create role regress_of_the_group in role tenant_user";
    for call in ["".to_owned(), format!("as_role => '{app}'"), "tables => array['slow'::regclass]".into()] {
        other.run("select pg_advisory_lock(4242)").await;
        let prove = format!("select * from tenant.prove({call})");
        let meanwhile = async {
            until_it_waits(&other).await;
            for command in [
                format!("create role {made} in role tenant_user"),
                format!("grant pg_read_server_files, tenant_admin, tenant_system to {made}"),
                format!("alter role {made} login"),
                format!("drop role {made}"),
            ] {
                other.run(&command).await;
            }
            other.run("select pg_advisory_unlock(4242)").await;
        };
        tokio::join!(boss.run(&prove), meanwhile);
    }
    // What made them wait: a role in the group, made in a transaction that is open.
    if pg_tenant_tests::Install::current().major >= 16 {
        boss.run(&format!("begin; {group}")).await;
        other.run("set lock_timeout = '200ms'").await;
        other.expect_error("55P03", &format!("create role {made} in role tenant_user")).await;
        boss.run("rollback").await;
    }
}

async fn until_it_waits(other: &Session) {
    let waiting = "select count(*) from pg_locks where locktype = 'advisory' and objid = 4242 and not granted";
    while other.value(waiting).await.as_deref() == Some("0") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
