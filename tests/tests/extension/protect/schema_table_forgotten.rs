//! `tenant.protect_schema` protects what it can and says what became of each table: one that it passes over in silence
//! is one that everybody believes protected.

use super::fixture::{A, stage, table, text};

async fn results(session: &pg_tenant_tests::Session, call: &str) -> String {
    let rows = session.rows(&format!("select relation, result from {call}")).await;
    rows.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(": ")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_table_is_passed_over_in_silence() {
    let (db, owner) = stage("whole").await;
    owner.run(&(table("bills") + &table("\"Orders\"") + &table("done"))).await;
    owner
        .run(
            "create table countries (code text primary key);
             create table secrets (code text primary key);
             create table events (tenant_id uuid, at int) partition by range (at);
             create table events_0 partition of events default;
             create view look as select * from bills;
             create temp table scratch (tenant_id uuid);
             create sequence numbers;
             select tenant.share('countries', 'the same for everyone'), tenant.protect('done');",
        )
        .await;
    assert_eq!(
        results(&owner, "tenant.protect_schema('public')").await,
        "\"Orders\": protected\nbills: protected\ncountries: shared\ndone: protected already\nevents: protected\n\
         secrets: not protected: no column \"tenant_id\""
    );
    let app = db.app().await;
    for table in ["\"Orders\"", "bills", "done", "events", "events_0"] {
        app.expect_error("TN001", &format!("select * from {table}")).await;
    }
    app.run("select * from countries; select * from secrets").await;

    // Again, by another column: what is done is said to be done.
    assert_eq!(
        results(
            &owner,
            "tenant.protect_schema('public', tenant_column => 'tenant_id') where relation <> 'secrets'::regclass"
        )
        .await
        .lines()
        .filter(|line| line.ends_with("protected already"))
        .count(),
        4
    );
}

#[tokio::test]
async fn a_refusal_leaves_the_schema_half_protected() {
    let (db, owner) = stage("half_schema").await;
    owner.run(&(table("bills") + &table("orders"))).await;
    owner.run("insert into orders values (null, 3, 'of nobody')").await;
    owner.expect_error("TN024", "select * from tenant.protect_schema('public', stop_on_error => true)").await;
    assert_eq!(text(&db.app().await, "select count(*) from bills").await, "2");
    owner.run(&format!("update orders set tenant_id = '{A}' where tenant_id is null")).await;
    assert_eq!(results(&owner, "tenant.protect_schema('public')").await, "bills: protected\norders: protected");
}

#[tokio::test]
async fn another_schema_is_touched() {
    let (db, owner) = stage("other_schema").await;
    db.superuser().await.run(&format!("create schema shop authorization {}", db.roles.owner)).await;
    owner.run(&(table("shop.orders") + &table("orders"))).await;
    assert_eq!(results(&owner, "tenant.protect_schema('shop')").await, "shop.orders: protected");
    assert_eq!(text(&db.app().await, "select count(*) from orders").await, "2");
    owner.expect_error("3F000", "select tenant.protect_schema('nowhere')").await;
}

#[tokio::test]
async fn the_extensions_own_tables_are_protected() {
    let (db, _owner) = stage("own_schema").await;
    assert_eq!(results(&db.superuser().await, "tenant.protect_schema('tenant', 'id')").await, "");
}
