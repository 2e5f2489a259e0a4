//! A migration by the tables' owner, inside the tool's own transaction: definitions of data, a backfill of every
//! tenant's rows and the tool's own table go together; outside of it the owner sees no row.

use pg_tenant_tests::Database;
use pg_tenant_tests::shop::{A, B, shop};

const COUNT: &str = "select count(*) from orders";
const ENTER: &str = "select tenant.enter_system_as_owner('backfill of notes')";

async fn migrating_shop(name: &str) -> Database<'static> {
    let db = shop(name).await;
    let (owner, app) = (&db.roles.owner, &db.roles.app);
    db.superuser().await.run(&format!("grant tenant_system to {owner}")).await;
    db.owner()
        .await
        .run(&format!(
            "create table versions (version int); insert into versions values (1);
             create view as_owner as select * from orders; grant select on as_owner to {app};
             create function counts() returns bigint language sql security definer as '{COUNT}';
             create function counts_itself() returns bigint language plpgsql as 'begin return ({COUNT}); end'"
        ))
        .await;
    db
}

#[tokio::test]
async fn with_its_tools_table_in_one_transaction() {
    let db = migrating_shop("migration").await;
    let owner = db.owner().await;
    // The wall: outside of it the owner's backfill is refused, and as stock PostgreSQL has it, FORCE hides every row.
    owner.expect_error("TN001", "update orders set note = upper(note)").await;
    assert_eq!(owner.value("select count(*) from stock_orders").await.as_deref(), Some("0"));

    owner.run(&format!("begin; alter table orders add column extra text; {ENTER}")).await;
    owner.run("update orders set extra = tenant_id::text || ' ' || note; update versions set version = 2").await;
    owner.run("alter table orders alter column extra set not null; create table later (id int)").await;
    for (rows, sql) in [
        ("5", COUNT),
        ("5", "with o as (select * from orders) select count(*) from o"),
        ("5", "select (select count(*) from orders)"),
        ("5", "select count(*) from as_owner"),
        ("5", "select counts_itself()"),
        ("5", "select count(*) from orders o join orders p using (id)"),
        ("1", "insert into orders select tenant_id, 9, note, extra from orders where id = 1 returning 1"),
        (
            "1",
            "insert into orders select tenant_id, 9, 'n', 'e' from orders where id = 1 on conflict (id) do update set note = 'u' where orders.id > 0 returning 1",
        ),
        ("6", "with u as (update orders set note = note returning 1) select count(*) from u"),
        ("1", "delete from orders where id = 9 returning 1"),
    ] {
        assert_eq!(owner.value(sql).await.as_deref(), Some(rows), "{sql}");
    }
    owner.run("merge into orders using (values (5)) v(id) on orders.id = v.id when matched then update set note = 'merged'").await;
    owner.run("savepoint s; update orders set note = 'undone'; rollback to s; release s; commit").await;
    assert_eq!(owner.value("select version from versions").await.as_deref(), Some("2"));
    let of_b = "select string_agg(coalesce(extra, '') || note, ',' order by id) from orders";
    let told = db.app().await.inside_value(B, of_b).await.unwrap();
    assert_eq!(told, format!("{B} note 4note 4,{B} note 5merged"));
    let owned = format!("select tableowner = '{}' from pg_tables where tablename = 'later'", db.roles.owner);
    assert_eq!(db.superuser().await.value(&owned).await.as_deref(), Some("t"));
}

/// Plans that are kept do not know in which context they were made.
#[tokio::test]
async fn and_no_plan_outlives_it() {
    let db = migrating_shop("migration_plans").await;
    db.superuser().await.run(&format!("grant tenant_user to {}", db.roles.owner)).await;
    let owner = db.owner().await;
    owner.run(&format!("set plan_cache_mode = force_generic_plan; prepare q as {COUNT}")).await;
    let in_a = format!("begin; select tenant.enter('{A}'); execute q; select counts_itself(); commit");
    let of_a = [Some("3"), Some("3")];
    let numbers =
        |rows: Vec<Vec<Option<String>>>| rows.into_iter().skip(1).map(|row| row[0].clone()).collect::<Vec<_>>();
    for ending in ["commit", "rollback"] {
        assert_eq!(numbers(owner.rows(&in_a).await), of_a.map(|n| n.map(str::to_owned)), "before: {ending}");
        let seen = owner.rows(&format!("begin; {ENTER}; execute q; select counts_itself(); {ending}")).await;
        assert_eq!(numbers(seen), [Some("5".to_owned()), Some("5".to_owned())]);
        assert_eq!(numbers(owner.rows(&in_a).await), of_a.map(|n| n.map(str::to_owned)), "after: {ending}");
        owner.expect_error("TN001", "execute q").await;
    }
    // A savepoint that is undone takes it along.
    owner.run(&format!("begin; savepoint s; {ENTER}; execute q; rollback to s")).await;
    owner.expect_error("TN001", "execute q").await;
    owner.run("rollback").await;
    // Nor does a cursor, and nobody enters a tenant beside it.
    owner.expect_error("TN036", &format!("begin; {ENTER}; declare c cursor with hold for table orders")).await;
    owner.run("rollback").await;
    owner.expect_error("TN014", &format!("begin; {ENTER}; select tenant.enter('{A}')")).await; // TN014
    owner.run("rollback").await;
    owner.expect_error("TN014", &format!("begin; select tenant.enter('{A}'); {ENTER}")).await;
    owner.run("rollback").await;
    owner.expect_error("TN014", &format!("begin; {ENTER}; select tenant.enter_system('x')")).await;
    owner.run("rollback; begin; select tenant.enter_system('x')").await;
    owner.expect_error("TN014", ENTER).await;
}

#[tokio::test]
async fn and_nobody_borrows_its_rights() {
    let db = migrating_shop("migration_rights").await;
    let (owner, superuser) = (db.owner().await, db.superuser().await);
    superuser
        .run(&format!(
            "create table theirs (tenant_id uuid, id int); insert into theirs values ('{A}', 1);
             select tenant.protect('theirs'); grant all on theirs to {owner};
             create view by_superuser as select * from orders; grant select on by_superuser to {owner};
             grant {app} to {owner}",
            owner = db.roles.owner,
            app = db.roles.app
        ))
        .await;
    owner.run(&format!("begin; {ENTER}; savepoint s")).await;
    for (sqlstate, sql) in [
        ("TN016", "select * from theirs".to_owned()), // TN016
        ("TN016", "insert into theirs values (null, 2)".to_owned()),
        ("TN016", "select * from by_superuser".to_owned()),
        ("TN016", format!("set local role {}; {COUNT}", db.roles.app)),
        ("TN016", format!("set local role {}; select counts()", db.roles.app)),
    ] {
        owner.expect_error(sqlstate, &sql).await;
        owner.run("rollback to s").await;
    }
    assert_eq!(owner.value(COUNT).await.as_deref(), Some("5"));
    owner.run("rollback").await;
    // Who may enter it: whoever may the system context, with a reason, in a transaction that writes.
    for (sqlstate, sql) in [
        ("TN029", "select tenant.enter_system_as_owner(' ')"),
        ("TN029", "select tenant.enter_system_as_owner(null)"),
        ("TN100", "select tenant.enter_system_as_owner(e'a\\nb')"),
        ("TN015", &format!("set transaction read only; {ENTER}")),
    ] {
        owner.expect_error(sqlstate, &format!("begin; {sql}")).await;
        owner.run("rollback").await;
    }
    db.app().await.expect_error("TN013", ENTER).await; // TN013
    owner.expect_error("42501", "select tenant_internal.journal_system_as_owner('without entering')").await;
    // Of itself it gives no right: an application with it owns nothing.
    superuser.run(&format!("grant tenant_system to {}", db.roles.app)).await;
    db.app().await.expect_error("TN016", &format!("begin; {ENTER}; {COUNT}")).await;
}

#[tokio::test]
async fn with_one_line_in_the_journal_for_all_batches() {
    let db = migrating_shop("migration_journal").await;
    let (owner, superuser) = (db.owner().await, db.superuser().await);
    let lines = "select count(*) from tenant.journal where action = 'enter_system'";
    owner.run(&format!("begin; {ENTER}; rollback")).await;
    owner.run(&format!("begin; savepoint s; {ENTER}; rollback to s; commit")).await;
    assert_eq!(superuser.value(lines).await.as_deref(), Some("0"));
    for batch in 1..4 {
        owner.run(&format!("begin; {ENTER}; update orders set note = note where id = {batch}; commit")).await;
    }
    assert_eq!(superuser.value(lines).await.as_deref(), Some("1"));
    owner.run("begin; select tenant.enter_system_as_owner('another one'); commit").await;
    db.owner().await.run(&format!("begin; {ENTER}; commit")).await;
    assert_eq!(superuser.value(lines).await.as_deref(), Some("3"));
    let of = format!(
        "select bool_and(role = '{0}' and session_role = '{0}' and detail ->> 'as_owner' = 'true') from tenant.journal where action = 'enter_system'",
        db.roles.owner
    );
    assert_eq!(superuser.value(&of).await.as_deref(), Some("t"));
}

/// A tool that runs files, each in a transaction that ends with a row in its own table.
#[tokio::test]
async fn by_the_files_of_a_tool() -> Result<(), Box<dyn std::error::Error>> {
    let db = migrating_shop("migration_files").await;
    let files = std::env::temp_dir().join(format!("{}_migrations", db.name));
    std::fs::create_dir_all(&files)?;
    std::fs::write(files.join("1_add.sql"), "alter table orders add column total int; create table parts (id int);")?;
    std::fs::write(
        files.join("2_backfill.sql"),
        "select tenant.enter_system_as_owner('2_backfill');
         update orders set total = id * 10;
         alter table orders alter column total set not null;",
    )?;
    let config = db.config(&db.roles.owner);
    let (host, port) = (&config.get_hosts()[0], config.get_ports()[0]);
    let options = sqlx::postgres::PgConnectOptions::new().username(&db.roles.owner).database(&db.name).port(port);
    let options = match host {
        tokio_postgres::config::Host::Tcp(host) => options.host(host),
        tokio_postgres::config::Host::Unix(socket) => options.socket(socket),
    };
    let pool = sqlx::PgPool::connect_with(options).await?;
    let migrator = sqlx::migrate::Migrator::new(files.clone()).await?;
    migrator.run(&pool).await?;
    migrator.run(&pool).await?; // it finds its own table as it left it
    assert_eq!(db.app().await.inside_value(B, "select sum(total) from orders").await.as_deref(), Some("90"));
    std::fs::remove_dir_all(files)?;
    Ok(())
}
