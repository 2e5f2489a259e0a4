//! No command takes the fence of a protected table, the tenant column under it or row-level security itself, whoever
//! owns the table; what does not touch them passes.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, shop};

/// On a stock table the owner's command is done; on the protected one it is refused with `TN030`.
async fn guarded(owner: &Session, command: &str) {
    owner
        .run(&format!("begin; {}; rollback", command.replace("TABLE", "stock_orders").replace("POLICY", "by_setting")))
        .await;
    let ours = command.replace("TABLE", "orders").replace("POLICY", "tenant_isolation");
    let refused = owner.expect_error("TN030", &ours).await;
    assert!(
        refused.detail().is_some() && refused.hint().is_some_and(|h| h.contains("tenant.unprotect('public.orders'")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_owner_takes_the_fence() {
    let db = shop("fence").await;
    let owner = db.owner().await;
    for command in [
        "alter table TABLE disable row level security",
        "alter table TABLE no force row level security",
        "alter table TABLE add more int, disable row level security",
        "alter table if exists only public.TABLE disable row level security",
        "drop policy POLICY on TABLE",
        "drop policy if exists POLICY on public.TABLE cascade",
        "alter policy POLICY on TABLE using (true)",
        "alter policy POLICY on TABLE to current_user",
        "alter policy POLICY on TABLE rename to other",
        "alter table TABLE drop column tenant_id cascade",
        "alter table TABLE drop if exists tenant_id cascade",
        "alter table TABLE alter tenant_id drop not null",
        "do $$ begin alter table TABLE disable row level security; end $$",
        "do $$ begin execute 'alter table TABLE no force row level security'; end $$",
    ] {
        guarded(&owner, command).await;
    }
    // Neither do others: the fence holds the superuser too, unless they say that they mean it.
    db.superuser().await.expect_error("TN030", "alter table orders disable row level security").await;
    db.admin().await.expect_error("TN030", "drop policy tenant_isolation on orders").await;
    let app = db.app().await;
    app.expect_error("TN001", "select * from orders").await;
    assert_eq!(app.inside_value(A, "select count(*) from orders").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn the_column_changes_its_type() {
    let db = shop("column_type").await;
    let owner = db.owner().await;
    // Stock PostgreSQL refuses too, since the policy uses the column: with the policy's own error.
    owner.expect_error("0A000", "alter table stock_orders alter tenant_id type text").await;
    owner.expect_error("TN030", "alter table orders alter tenant_id type text").await;
    owner.expect_error("TN030", "alter table orders alter column tenant_id set data type text using 'x'").await;
}

#[tokio::test]
async fn a_cascade_takes_the_fence() {
    let db = shop("cascade").await;
    let owner = db.protector().await; // who may name the readers
    db.superuser()
        .await
        .run(&format!("create schema kinds authorization {}; create schema places authorization {0}", db.roles.owner))
        .await;
    // What the fence depends on without naming it: the type of another column does not matter, the function does.
    owner
        .run(
            "create type kinds.color as enum ('red');
             alter table orders add color kinds.color;
             drop type kinds.color cascade",
        )
        .await;
    db.superuser().await.expect_error("2BP01", "drop function tenant.current_uuid() cascade").await; // the extension's own
    // The hole: a domain as the tenant's type goes by cascade, and the column and its policy with it.
    owner
        .run(
            "create domain kinds.key as uuid;
             create table stock (tenant_id kinds.key, id int);
             alter table stock enable row level security, force row level security;
             create policy stock on stock using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
             create policy rest on stock using (true);
             insert into stock values (gen_random_uuid(), 1);
             drop domain kinds.key cascade;",
        )
        .await;
    assert_eq!(db.app().await.value("select count(*) from stock").await.as_deref(), Some("1"));
    // protect refuses a domain; a fence written by hand over one is a fence all the same.
    owner
        .run(
            "create domain kinds.key as uuid;
             create table ours (tenant_id kinds.key, id int);
             alter table ours enable row level security, force row level security;
             create policy fence on ours as restrictive using (tenant_id = tenant.current_uuid());
             create policy rest on ours using (true);",
        )
        .await;
    let policies = "select count(*) from pg_policy where polrelid = 'ours'::regclass";
    let has_fence = "select count(*) from tenant.protected_tables where relation = 'ours'::regclass";
    assert_eq!(db.admin().await.value(has_fence).await.as_deref(), Some("1"));
    owner.expect_error("TN030", "drop domain kinds.key cascade").await; // TN030
    owner.expect_error("TN030", "drop schema kinds cascade").await;
    owner.expect_error("TN030", "do $$ begin drop domain kinds.key cascade; end $$").await;
    assert_eq!(owner.value(policies).await.as_deref(), Some("2")); // undone
    // Whoever means it turns the guards off.
    db.superuser().await.run("set pg_tenant.guards = off; drop domain kinds.key cascade").await;
    assert_eq!(owner.value(has_fence).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_drop_of_the_table_is_refused() {
    let db = shop("drop").await;
    let owner = db.owner().await;
    db.superuser().await.run(&format!("create schema places authorization {}", db.roles.owner)).await;
    owner.run("create table places.orders (like orders)").await;
    db.superuser().await.run("select tenant.protect('places.orders')").await;
    owner.run("drop schema places cascade").await; // the fence goes with its table
    owner.run("create view v as select * from orders; drop table orders cascade").await;
    owner.run(&format!("create table orders (tenant_id uuid not null); insert into orders values ('{A}')")).await;
}

#[tokio::test]
async fn a_migration_is_done() {
    let db = shop("migration").await;
    let owner = db.protector().await;
    for command in [
        "alter table orders add price int default 7",
        "alter table orders alter price type bigint",
        "alter table orders alter price set not null",
        "alter table orders alter tenant_id set default tenant.current_uuid()",
        "alter table orders add constraint positive check (price > 0)",
        "alter table orders drop column price",
        "alter table orders enable row level security, force row level security",
        "alter table orders alter tenant_id set not null",
        "create index on orders (note)",
        "create policy extra on orders using (true)",
        "alter policy extra on orders rename to more",
        "drop policy more on orders",
        "create function f() returns trigger language plpgsql as 'begin return new; end'",
        "create trigger t before insert on orders for each row execute function f()",
        "alter table orders disable trigger t",
        "drop trigger t on orders",
        "alter table orders rename column note to remark",
        "alter table orders rename to purchases",
        "alter table purchases rename to orders",
        "comment on table orders is 'of each tenant'",
        "grant select on orders to public",
        "analyze orders",
        "vacuum orders",
        "alter table orders replica identity full",
        "cluster orders using orders_pkey",
        "reindex table orders",
    ] {
        owner.run(command).await;
    }
    db.app().await.expect_error("TN001", "select * from orders").await;
}

#[tokio::test]
async fn maintenance_is_impossible() {
    let db = shop("maintenance").await;
    let boss = db.superuser().await;
    boss.run("set pg_tenant.guards = off; alter table orders disable row level security").await;
    boss.run("alter table orders enable row level security; reset pg_tenant.guards").await;
    boss.expect_error("TN030", "alter table orders disable row level security").await;
    boss.run("begin; set local pg_tenant.guards = off; drop policy tenant_isolation on orders; rollback").await;
    boss.expect_error("TN030", "drop policy tenant_isolation on orders").await;
    for role in [&db.roles.owner, &db.roles.admin, &db.roles.app, &db.roles.backup] {
        let session = db.connect(role).await;
        session.expect_error("42501", "set pg_tenant.guards = off").await;
        session.expect_error("42501", "set local pg_tenant.guards to off").await;
        session.expect_error("42501", "alter role current_user set pg_tenant.guards = off").await;
        session
            .expect_error(
                "42501",
                "create function f() returns int language sql set pg_tenant.guards = off as 'select 1'",
            )
            .await;
    }
}

/// ALTER POLICY waits for its lock, and the name of its table changes hands meanwhile.
#[tokio::test]
async fn under_a_name_that_changed_hands() {
    let db = shop("renamed_race").await;
    let (owner, other) = (db.owner().await, db.owner().await);
    owner
        .run(
            "create table dummy (tenant_id uuid); alter table dummy enable row level security;
             create policy tenant_isolation on dummy as restrictive using (true)",
        )
        .await;
    owner.run("begin; alter table dummy rename to dummy_; alter table orders rename to dummy").await;
    let altering = tokio::spawn(async move {
        other.expect_error("TN030", "alter policy tenant_isolation on dummy using (true) with check (true)").await
    });
    let boss = db.superuser().await;
    let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'alter policy%'
        and datname = current_database()";
    while boss.value(waits).await.as_deref() != Some("1") {
        assert!(!altering.is_finished(), "ALTER POLICY did not wait");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    owner.run("commit").await;
    altering.await.expect("refused");
    db.app().await.expect_error("TN001", "select * from dummy").await;
}
