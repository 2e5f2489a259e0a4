//! A foreign key without the tenant refers to another tenant's row, tells that it is there, is held up by it, and
//! cascades into it.

use super::fixture::{A, B, each, probe, three};
use pg_tenant_tests::Database;

const DDL: &str = "create table acct (tenant_id uuid not null, id int primary key);
    create table ord (tenant_id uuid not null, id int primary key, acct int references acct on delete cascade);
    create table ref (tenant_id uuid not null, id int primary key, acct int references acct)";

async fn orders(name: &str) -> Database<'static> {
    let rows = format!("insert into acct values ('{A}', 1), ('{A}', 2), ('{A}', 3), ('{B}', 101)");
    three(name, &["acct", "ord", "ref"], DDL, &rows).await.0
}

#[tokio::test]
async fn d02_it_tells_and_refers() {
    let db = orders("d02").await;
    let hidden = each(&db, A, &format!("insert into ord values ('{A}', 1, 101)")).await;
    let absent = each(&db, A, &format!("insert into ord values ('{A}', 1, 999)")).await;
    assert_eq!(absent, ["23503"; 3]);
    assert_eq!(hidden, ["ok 1", "ok 1", "23503"]);
    // Its own, and none, it may.
    assert_eq!(each(&db, A, &format!("insert into ord values ('{A}', 1, 1), ('{A}', 2, null)")).await, ["ok 2"; 3]);
}

/// A row of `b` that refers to one of `a`, written by whoever wrote before there were tenants.
async fn refer(db: &Database<'_>, schema: &str, table: &str, acct: i32) -> bool {
    let app = db.app().await;
    app.run("begin").await;
    let sql = format!(
        "set local search_path = {schema}; select set_config('app.tenant', '{B}', true), tenant.enter('{B}');
         insert into {table} values ('{B}', {acct}, {acct})"
    );
    let done = app.batch_execute(&sql).await.is_ok();
    app.run(if done { "commit" } else { "rollback" }).await;
    done
}

#[tokio::test]
async fn d02c_it_cascades() {
    let db = orders("d02c").await;
    let (app, boss) = (db.app().await, db.superuser().await);
    for (schema, crosses) in [("stock", true), ("plain", true), ("hard", false)] {
        assert_eq!(refer(&db, schema, "ord", 1).await, crosses, "{schema}");
        boss.run(&format!("insert into {schema}.ord values ('{A}', 2, 2)")).await;
        let delete = format!(
            "begin; set local search_path = {schema}; select set_config('app.tenant', '{A}', true), tenant.enter('{A}');
             delete from acct where id in (1, 2); commit"
        );
        app.run(&delete).await;
        // b's row is gone with a's in the first two; a's own goes in all.
        assert_eq!(boss.value(&format!("select count(*) from {schema}.ord")).await.as_deref(), Some("0"), "{schema}");
    }
}

#[tokio::test]
async fn d03_it_is_held_up() {
    let db = orders("d03").await;
    let app = db.app().await;
    for (schema, came_to) in [("stock", "23503"), ("plain", "23503"), ("hard", "ok 1")] {
        refer(&db, schema, "ref", 3).await;
        assert_eq!(probe(&app, schema, A, "delete from acct where id = 3").await, came_to, "{schema}");
    }
    // Nor does another tenant's reference in flight lock it.
    let other = db.app().await;
    for (schema, came_to) in [("stock", "55P03"), ("plain", "55P03"), ("hard", "ok 1")] {
        other
            .run(&format!(
                "begin; set local search_path = {schema}; select set_config('app.tenant', '{B}', true), tenant.enter('{B}')"
            ))
            .await;
        let _ = other.batch_execute(&format!("insert into ref values ('{B}', 50, 2)")).await;
        assert_eq!(probe(&app, schema, A, "update acct set id = 20 where id = 2").await, came_to, "{schema}");
        other.run("rollback").await;
    }
}
