//! What protecting a table costs, and how long it keeps others out, does not grow with tables that it has nothing to do
//! with.

use super::fixture::{A, rows, stage, table, text};

/// Counted, not timed: reading a whole catalog for one table is what made it slow.
#[tokio::test]
async fn protect_reads_every_relation() {
    let (db, owner) = stage("constant").await;
    owner
        .run(
            "do $$ begin for i in 1 .. 800 loop execute format('create table other_%s (id uuid primary key)', i); end loop; end $$;
             create table bills (tenant_id uuid, id int) partition by range (id);
             create table bills_1 partition of bills for values from (1) to (2);
             create view bills_seen as select * from bills",
        )
        .await;
    let owner = db.protector().await; // a session that has counted nothing yet
    owner.run("begin; select tenant.protect('bills')").await;
    let whole = "select string_agg(name || ' ' || pg_stat_get_xact_numscans(name::regclass), ', ')
        from unnest('{pg_class, pg_attribute, pg_depend, pg_rewrite, pg_index}'::text[]) name where pg_stat_get_xact_numscans(name::regclass) > 0";
    assert_eq!(owner.value(whole).await, None, "each of these is read row by row");
    owner.run("commit").await;
}

#[tokio::test]
async fn every_table_is_locked_until_the_last() {
    let (db, owner) = stage("stepwise").await;
    owner.run(&(table("bills") + &table("orders") + "create table secrets (code text primary key)")).await;
    owner.run("insert into orders values (null, 3, 'of nobody')").await;
    // The first is kept when the second is refused: it was a step of its own.
    owner.expect_error("TN024", "call tenant.protect_schema_stepwise('public', stop_on_error => true)").await;
    let protected = "select string_agg(relation::text, ' ' order by relation::text) from tenant.protected_tables";
    assert_eq!(text(&owner, protected).await, "bills");
    owner.run(&format!("update orders set tenant_id = '{A}' where tenant_id is null")).await;
    let _ = owner.notices();
    owner.run("call tenant.protect_schema_stepwise('public')").await;
    let said: Vec<_> = owner.notices().into_iter().map(|notice| notice.message().to_owned()).collect();
    assert_eq!(
        said,
        ["bills: protected already", "orders: protected", "secrets: not protected: no column \"tenant_id\""]
    );
    // Within a transaction there is no step that ends.
    owner.run("begin").await;
    owner.expect_error("2D000", "call tenant.protect_schema_stepwise('public')").await;
    owner.run("rollback").await;
    db.app().await.expect_error("42501", "call tenant.protect_schema_stepwise('public')").await;
}

/// Somebody reads a table for long: the others do not wait for it.
#[tokio::test]
async fn a_busy_table_holds_up_the_others() {
    let (db, owner) = stage("busy").await;
    owner.run(&(table("bills") + &table("orders"))).await;
    let reader = db.superuser().await;
    reader.run("begin; select * from bills").await;
    owner.run("set lock_timeout = '100ms'").await;
    let (_, ()) = tokio::join!(owner.run("call tenant.protect_schema_stepwise('public', harden => true)"), async {
        let orders = "select count(*) from tenant.protected_tables where relation = 'orders'::regclass";
        while text(&reader, orders).await != "1" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        reader.run("commit").await;
    });
    assert_eq!(text(&owner, "select count(*) from tenant.protected_tables").await, "2");
}

/// A schema of the caller's in front of PostgreSQL's: nothing in it is called.
#[tokio::test]
async fn it_calls_what_the_caller_finds_first() {
    let (db, owner) = stage("in_front").await;
    owner.run("create table bills (tenant_id uuid, id int, note text)").await;
    owner.run(&rows("bills")).await;
    let admin = db.superuser().await;
    let (decoy, fails) =
        ("language plpgsql as $$ begin raise exception 'called'; end $$", "create or replace function decoy");
    admin
        .run(&format!(
            "create schema decoy; {fails}.cardinality(anyarray) returns int {decoy}; {fails}.array_append(anycompatiblearray, anycompatible)
             returns anycompatiblearray {decoy}; {fails}.pg_sleep(double precision) returns void {decoy};
             {fails}.same(int, int) returns bool {decoy}; create operator decoy.= (leftarg = int, rightarg = int, function = decoy.same);
             create domain decoy.bool as pg_catalog.bool check (false); create domain decoy.text as pg_catalog.text check (false)"
        ))
        .await;
    admin.run("set search_path = decoy, pg_catalog, public").await;
    admin.run("call tenant.protect_schema_stepwise('public')").await;
    assert_eq!(text(&owner, "select count(*) from tenant.protected_tables").await, "1");
}
