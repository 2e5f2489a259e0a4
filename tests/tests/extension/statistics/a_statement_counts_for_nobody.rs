//! A statement counts for the tenant of its transaction, whichever way it is run.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

/// The statements, rows, transactions that stand for a tenant: select, insert, update, delete, other, read, written,
/// commits, rollbacks.
async fn counted(boss: &Session, context: &str) -> [i64; 9] {
    let of = if context.len() > 10 { format!("tenant_id = '{context}'") } else { format!("context = '{context}'") };
    let rows = boss
        .rows(&format!(
            "select selects, inserts, updates, deletes, other_statements, rows_read, rows_written, commits, rollbacks
             from tenant.stat_tenants where {of}"
        ))
        .await;
    let Some(row) = rows.first() else { return [0; 9] };
    std::array::from_fn(|n| row[n].as_deref().expect("a number").parse().expect("a number"))
}

/// What has come to it by these statements.
async fn change(db: &Database<'_>, context: &str, session: &Session, sql: &[&str]) -> [i64; 9] {
    let boss = db.superuser().await;
    let before = counted(&boss, context).await;
    for sql in sql {
        let _ = session.batch_execute(sql).await;
    }
    let after = counted(&boss, context).await;
    std::array::from_fn(|n| after[n] - before[n])
}

#[tokio::test]
async fn by_its_own() {
    let db = shop("counted").await;
    let app = db.app().await;
    let entered = format!("begin; select tenant.enter('{A}')");
    let is = async |sql: &[&str], expected: [i64; 9]| {
        let sql: Vec<&str> = std::iter::once(entered.as_str()).chain(sql.iter().copied()).collect();
        assert_eq!(change(&db, A, &app, &sql).await, expected, "{sql:?}");
    };
    // Entering is a statement too, and reads a row.
    is(&["select * from orders", "commit"], [2, 0, 0, 0, 0, 4, 0, 1, 0]).await;
    is(&["select * from orders", "rollback"], [2, 0, 0, 0, 0, 4, 0, 0, 1]).await;
    is(
        &["insert into orders values (tenant.current_uuid(), 11), (tenant.current_uuid(), 12)", "commit"],
        [1, 1, 0, 0, 0, 1, 2, 1, 0],
    )
    .await;
    is(&["update orders set note = 'x' where id > 10", "commit"], [1, 0, 1, 0, 0, 1, 2, 1, 0]).await;
    is(&["delete from orders where id > 10 returning id", "commit"], [1, 0, 0, 1, 0, 1, 2, 1, 0]).await;
    is(&["select 1/(id - id) from orders", "rollback"], [2, 0, 0, 0, 0, 1, 0, 0, 1]).await;
    is(&["savepoint a", "select count(*) from orders", "rollback to a", "commit"], [2, 0, 0, 0, 0, 2, 0, 1, 0]).await;
    is(&["prepare p as select * from orders", "execute p", "execute p", "commit"], [3, 0, 0, 0, 1, 7, 0, 1, 0]).await;
    is(
        &["declare c cursor for select * from orders", "fetch 1 from c", "fetch 2 from c", "commit"],
        [2, 0, 0, 0, 2, 4, 0, 1, 0],
    )
    .await;
    is(&["create temporary table mine on commit drop as select * from orders", "commit"], [2, 0, 0, 0, 1, 4, 0, 1, 0])
        .await;
    is(&["copy (select * from orders) to stdout", "rollback"], [2, 0, 0, 0, 1, 4, 0, 0, 1]).await;
    assert_eq!(counted(&db.superuser().await, B).await, [0; 9], "nobody has entered it");
}

#[tokio::test]
async fn in_a_function_or_a_trigger() {
    let db = shop("counted_within").await;
    db.protector()
        .await
        .run(
            "create table notes (tenant_id uuid not null default tenant.current_uuid(), n int);
             create function twice() returns void language plpgsql as $$ begin
                insert into notes (n) values (1); perform * from orders; end $$;
             create function after_insert() returns trigger language plpgsql as $$ begin
                update notes set n = n + 1; return null; end $$;
             create trigger t after insert on notes for each statement execute function after_insert();
             select tenant.protect('notes')",
        )
        .await;
    let app = db.app().await;
    let sql = format!("begin; select tenant.enter('{A}'); select twice(); commit");
    // Two selects of the client's and one within; an insert and its trigger's update; three orders and two answers.
    assert_eq!(change(&db, A, &app, &[&sql]).await, [3, 1, 1, 0, 0, 5, 2, 1, 0]);
    // One message without BEGIN is one transaction.
    let sql = format!("select tenant.enter('{A}'); do $$ begin perform twice(); end $$");
    let [selects, inserts, updates, _, others, ..] = change(&db, A, &app, &[&sql]).await;
    assert_eq!((selects >= 2, inserts, updates, others), (true, 1, 1, 1));
}

#[tokio::test]
async fn though_a_savepoint_has_undone_the_entry() {
    let db = shop("counted_undone").await;
    let app = db.app().await;
    let sql = format!("begin; savepoint s; select tenant.enter('{A}'); select 1; rollback to s; commit");
    assert_eq!(change(&db, A, &app, &[&sql]).await, [2, 0, 0, 0, 0, 2, 0, 1, 0]);
}

#[tokio::test]
async fn of_a_bound_role_of_the_system_and_of_nobody() {
    let db = shop("counted_bound").await;
    let superuser = db.superuser().await;
    let (bound, operator) = (format!("regress_{}_bound", db.name), format!("regress_{}_operator", db.name));
    superuser
        .run(&format!(
            "create role {bound} login in role tenant_user; grant select on orders to {bound}, tenant_system;
             create role {operator} login in role tenant_system; select tenant.bind_role('{bound}', '{B}')"
        ))
        .await;
    let session = db.connect(&bound).await;
    assert_eq!(change(&db, B, &session, &["select * from orders"]).await, [1, 0, 0, 0, 0, 2, 0, 1, 0]);
    let operator = db.connect(&operator).await;
    let sql = "begin; select tenant.enter_system('a report on orders'); select * from orders; commit";
    let [selects, .., commits, _] = change(&db, "system", &operator, &[sql]).await;
    assert_eq!((selects >= 2, commits), (true, 1));
    // An error is told before its transaction is over; the next answer comes after that.
    let [.., rollbacks] = change(&db, "none", &db.app().await, &["select * from orders", "select 1"]).await;
    assert_eq!(rollbacks, 1, "a statement that is refused is a transaction of nobody's");
    let refused = "select count from tenant.stat_refusals where context = 'none' and sqlstate = 'TN001'";
    assert_eq!(superuser.value(refused).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn by_parallel_workers() {
    let db = shop("counted_parallel").await;
    db.owner()
        .await
        .run(&format!(
            "create table many (tenant_id uuid not null, n int);
             insert into many select '{A}', n from generate_series(1, 200000) n; alter table many set (parallel_workers = 2)"
        ))
        .await;
    db.protector().await.run("select tenant.protect('many')").await;
    db.superuser().await.run("analyze many").await;
    let app = db.app().await;
    let sql = format!(
        "begin; select tenant.enter('{A}'); set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0;
         set local min_parallel_table_scan_size = 0; set local debug_parallel_query = off; select count(*) from many; commit"
    );
    let sql = sql.replace("set local debug_parallel_query = off; ", "");
    let [selects, .., read, _, commits, _] = change(&db, A, &app, &[&sql]).await;
    assert_eq!((selects, read, commits), (2, 2, 1), "a worker's part is its leader's statement");
    let blocks = "select shared_blocks_hit + shared_blocks_read from tenant.stat_tenants where tenant_id = ";
    let blocks = db.superuser().await.value(&format!("{blocks}'{A}'")).await.expect("a number");
    assert!(blocks.parse::<i64>().expect("a number") > 1000, "{blocks} blocks, the workers' among them");
}

#[tokio::test]
async fn a_job_that_is_done() {
    let db = pg_tenant_tests::database("counted_jobs").await;
    let (superuser, worker) = (db.superuser().await, format!("regress_{}_worker", db.name));
    superuser
        .run(&format!("create role {worker} login in role tenant_user, tenant_worker; select tenant.create('acme')"))
        .await;
    db.app()
        .await
        .run("begin; select tenant.enter('acme'); select tenant.enqueue('mail'), tenant.enqueue('mail'); commit")
        .await;
    let worker = db.connect(&worker).await;
    for end in ["commit", "rollback"] {
        let id = worker.value("select id from tenant.claim_jobs('w')").await.expect("a job");
        worker.run(&format!("begin; select tenant.enter_job({id}, 1); select tenant.finish_job({id}, 1); {end}")).await;
    }
    let jobs = "select jobs from tenant.stat_tenants where tenant_id = 'acme'";
    assert_eq!(superuser.value(jobs).await.as_deref(), Some("1"), "what was rolled back is not done");
}
