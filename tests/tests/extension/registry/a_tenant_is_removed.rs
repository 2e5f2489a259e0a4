//! A tenant leaves the registry or changes its id: what refers to it follows, and the triggers that it meets run with
//! the rights of whoever did it.

use pg_tenant_tests::Database;
use pg_tenant_tests::shop::{A, shop};

/// A table of the owner's that refers to `to`, with a trigger that writes down who runs it.
async fn hook(db: &Database<'_>, to: &str, action: &str, trigger: &str) {
    let owner = db.owner().await;
    owner
        .run(&format!(
            "drop table if exists hooks, ran; create table ran (role text);
             create or replace function spy() returns trigger language plpgsql as $$
                begin insert into ran values (current_user); return null; end $$;
             create table hooks (t text collate \"C\" default 'kept' references {to} {action});
             create {trigger} on hooks {} execute function spy();
             insert into hooks values ('leaver')",
            if trigger.starts_with("constraint") { "deferrable initially deferred for each row" } else { "" }
        ))
        .await;
}

/// The ways in which an action starts, what it starts from, and what refuses it.
const WAYS: &[(&str, &str, &str, &str)] = &[
    ("TN052", "on delete cascade", "trigger p after delete", "delete from {r} where id = 'leaver'"),
    ("TN052", "on delete cascade", "constraint trigger p after delete", "delete from {r} where id = 'leaver'"),
    ("TN052", "on delete set default", "trigger p after update", "delete from {r} where id = 'leaver'"),
    ("TN052", "on update cascade", "trigger p after update", "update {r} set id = 'other' where id = 'leaver'"),
    (
        "TN052",
        "on delete cascade",
        "trigger p after delete",
        "with l (id) as (values ('leaver')) merge into {r} t using l on t.id = l.id when matched then delete",
    ),
    ("TN052", "", "trigger p after truncate", "truncate {r} cascade"),
];

#[tokio::test]
async fn by_a_superuser() {
    let db = shop("removed").await;
    let (boss, owner) = (db.superuser().await, db.roles.owner.as_str());
    boss.run(&format!(
        "create table plain (id text collate \"C\" primary key); grant usage on schema tenant to {owner};
         grant references on plain, tenant.tenants to {owner};
         insert into tenant.tenants (id) values ('leaver'), ('kept')"
    ))
    .await;
    for (verdict, action, trigger, way) in WAYS {
        // The hole, on a table like the registry.
        boss.run("delete from plain; insert into plain values ('leaver'), ('kept')").await;
        hook(&db, "plain", action, trigger).await;
        boss.run(&way.replace("{r}", "plain")).await;
        // From 18 PostgreSQL runs AFTER triggers as who queued them; those of TRUNCATE still as who said it.
        let as_owner = db.cluster().install().major >= 18 && !way.starts_with("truncate");
        let runs = if as_owner { owner } else { "postgres" };
        assert_eq!(boss.value("select distinct role from ran").await.as_deref(), Some(runs), "{way}");
        boss.run("drop table hooks").await;

        hook(&db, "tenant.tenants", action, trigger).await;
        let way = way.replace("{r}", "tenant.tenants");
        for way in [way.clone(), format!("set session_replication_role = replica; {way}")] {
            boss.expect_error(verdict, &way).await; // TN052
            boss.run("reset session_replication_role").await;
        }
        assert_eq!(boss.value("select count(*) from ran").await.as_deref(), Some("0"), "{way}");
    }
}

/// A slug changes. So nothing follows it: the right to refer to it is not given, and where it is, the key is refused.
#[tokio::test]
async fn by_its_slug() {
    let db = shop("slug").await;
    let (boss, admin) = (db.superuser().await, db.protector().await);
    let key = "create table by_slug (slug text collate \"C\" references tenant.tenants (slug) on update cascade)";
    admin.expect_error("42501", key).await;
    boss.run(&format!("grant references on tenant.tenants to {}", db.roles.owner)).await;
    for action in ["cascade", "set null", "set default"] {
        admin.expect_error("TN037", &key.replace("cascade", action)).await; // TN037
    }
    admin.run(&key.replace("on update cascade", "on delete cascade")).await;
    admin.run("insert into by_slug values ('a')").await;
    boss.expect_error("23503", &format!("update tenant.tenants set slug = 'z' where id = '{A}'")).await;
    boss.run("update tenant.tenants set slug = 'z' where slug = 'b'").await;
}
