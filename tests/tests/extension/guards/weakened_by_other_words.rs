//! A protected table is what it was when the command is through: asked of the table, not of the command's words.

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::shop;

#[tokio::test]
async fn the_tenant_column_becomes_null() {
    let db = shop("other_words").await;
    let owner = db.protector().await;
    owner
        .run(
            "create table base (tenant_id uuid not null, note text); create table below () inherits (base);
             create table part (tenant_id uuid not null, id int) partition by list (id);
             create table part1 partition of part for values in (1);
             select tenant.protect('base'), tenant.protect('part')",
        )
        .await;
    for table in ["orders", "base", "part"] {
        owner.expect_error("TN030", &format!("alter table {table} alter tenant_id drop not null")).await;
        owner.expect_error("TN030", &format!("alter table {table} add more int, alter tenant_id drop not null")).await;
    }
    if Install::current().is_before(18, "named NOT NULL constraints") {
        return;
    }
    for table in ["orders", "base", "part"] {
        let named = format!(
            "select conname from pg_constraint c join pg_attribute a on a.attrelid = conrelid and a.attnum = any (conkey)
             where conrelid = '{table}'::regclass and contype = 'n' and attname = 'tenant_id'"
        );
        let name = owner.value(&named).await.expect("a constraint");
        for command in [
            "alter table {t} drop constraint {c}",
            "alter table {t} drop constraint if exists {c} cascade",
            "alter table if exists {t} add more int, drop constraint {c}, add extra bigserial",
            "do $$ begin alter table {t} drop constraint {c}; end $$",
            "do $$ begin begin perform 1/0; exception when others then end; alter table {t} drop constraint {c}; end $$",
        ] {
            let command = command.replace("{t}", table).replace("{c}", &name);
            let refused = owner.expect_error("TN030", &command).await; // TN030
            assert!(refused.detail().is_some_and(|detail| detail.contains("be null")), "{refused:?}");
        }
        owner.run(&format!("alter table {table} rename constraint {name} to other")).await;
        owner.expect_error("TN030", &format!("alter table {table} drop constraint other")).await;
        // The neighbours: another column's, and one that takes its place in the same command.
        owner.run(&format!("alter table {table} add more int not null default 1")).await;
        let more = named.replace("'tenant_id'", "'more'");
        let more = owner.value(&more).await.expect("a constraint");
        owner.run(&format!("alter table {table} drop constraint {more}")).await;
        // Whoever means it turns the guards off, and is not stopped afterwards by what was noted before.
        let boss = db.superuser().await;
        boss.expect_error("TN030", &format!("alter table {table} drop constraint other")).await;
        boss.run(&format!(
            "set pg_tenant.guards = off; alter table {table} drop constraint other; reset pg_tenant.guards"
        ))
        .await;
        boss.run(&format!("alter table {table} drop more")).await; // no weaker than it was
    }
}

/// A note of a command that failed is not held against the next.
#[tokio::test]
async fn a_failed_command_is_remembered() {
    let db = shop("failed_command").await;
    let boss = db.superuser().await;
    boss.expect_error("22P02", "alter table orders alter note type int using 'x'::int").await;
    boss.run("begin; savepoint s").await;
    boss.expect_error("22P02", "alter table orders alter note type int using 'x'::int").await;
    boss.run("rollback to s; set local pg_tenant.guards = off; alter table orders no force row level security").await;
    boss.run("set local pg_tenant.guards = on; alter table orders add more int; rollback").await;
    boss.expect_error("TN030", "alter table orders no force row level security").await;
}

/// A table of a type changes with its type, a partition leaves in two steps.
#[tokio::test]
async fn the_table_is_not_named() {
    let db = shop("not_named").await;
    let owner = db.protector().await;
    owner
        .run(
            "create type row_kind as (tenant_id uuid, note text); create table typed of row_kind; select tenant.protect('typed');
             create table base (tenant_id uuid not null, id int) partition by list (id);
             create table base1 partition of base for values in (1); select tenant.protect('base')",
        )
        .await;
    owner.expect_error("TN030", "alter type row_kind drop attribute tenant_id cascade").await; // TN030
    owner.expect_error("0A000", "alter type row_kind alter attribute tenant_id type text cascade").await;
    owner.run("alter type row_kind add attribute more int cascade").await;
    // Behind the guards' back a partition has lost its fence: it stays where it is closed, also for the second step.
    let boss = db.superuser().await;
    boss.run("set pg_tenant.guards = off; drop policy tenant_isolation on base1; reset pg_tenant.guards").await;
    for detach in ["detach partition base1", "detach partition base1 concurrently", "detach partition base1 finalize"] {
        owner.expect_error("TN030", &format!("alter table base {detach}")).await; // TN030
    }
    owner.run("select tenant.protect('base'); alter table base detach partition base1").await;
    db.app().await.expect_error("TN001", "select * from base1").await;
}
