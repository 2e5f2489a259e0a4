//! The tenant stays as long as its transaction runs: in a pipeline, a parallel worker, a deferred trigger, a plan made
//! for another tenant, a session that a role is bound to.

use futures_util::future::join4;
use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Install, run};

/// `begin`, `enter`, a query and `commit` on the wire before the first answer is read.
#[tokio::test]
async fn between_joined_calls() {
    let db = shop("joined").await;
    let app = db.app().await;
    let enter = app.prepare("select tenant.enter($1)").await.expect("prepare");
    let count = app.prepare("select count(*), min(tenant_id::text) from orders").await.expect("prepare");
    for (tenant, orders) in [(A, 3i64), (B, 2), (A, 3)] {
        let args: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&tenant];
        let flight = join4(
            app.batch_execute("begin"),
            app.query(&enter, &args),
            app.query_one(&count, &[]),
            app.batch_execute("commit"),
        );
        let (begun, entered, counted, committed) = flight.await;
        begun.expect("begin");
        entered.expect("enter");
        committed.expect("commit");
        let row = counted.expect("count");
        assert_eq!((row.get::<_, i64>(0), row.get::<_, &str>(1)), (orders, tenant));
    }
    app.expect_error("TN001", "table orders").await;
}

/// No `begin`: what stands before one Sync is one transaction.
#[tokio::test]
async fn before_one_sync() {
    let db = shop("pipeline").await;
    let pipeline = |enter: &str| {
        let script = format!(
            "\\startpipeline\n{enter}insert into orders (id) select max(id) + 10 from orders;\n\\endpipeline\n"
        );
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}_{}.sql", db.name, enter.len()));
        std::fs::write(&file, script).expect("write a script");
        let mut pgbench = db.program("pgbench", &db.roles.app);
        run(pgbench.args(["-n", "-t", "2", "-M", "extended", "-f"]).arg(&file), "")
    };
    pipeline(&format!("select tenant.enter('{B}');\n")).expect("a pipeline that enters");
    let app = db.app().await;
    assert_eq!(app.inside_value(A, "select count(*) from orders").await.as_deref(), Some("3"));
    assert_eq!(
        app.inside_value(B, "select string_agg(id::text, ' ' order by id) from orders").await.as_deref(),
        Some("4 5 15 25")
    );
    let without = pipeline("");
    assert!(without.stderr.contains("no tenant"), "a pipeline of its own has no tenant: {without:?}");
}

/// Everything a worker needs to start on a table of any size.
fn force_workers() -> String {
    let force = if Install::current().major == 15 { "force_parallel_mode" } else { "debug_parallel_query" };
    format!(
        "set {force} = on; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
         set min_parallel_table_scan_size = 0; set max_parallel_workers_per_gather = 2;
         set parallel_leader_participation = off"
    )
}

#[tokio::test]
async fn in_a_parallel_worker() {
    let db = shop("workers").await;
    db.owner()
        .await
        .run(&format!(
            "create table lines (tenant_id uuid, n int);
             insert into lines select case when n % 4 = 0 then '{A}' else '{B}' end::uuid, n from generate_series(1, 20000) n;
             analyze lines"
        ))
        .await;
    db.superuser().await.run("select tenant.protect('lines')").await;
    let count = "select count(*) from lines where n + 0 > 0 and tenant.current_id() is not null";
    let login = &db.roles.app;
    for bound in [false, true] {
        if bound {
            db.admin().await.run(&format!("select tenant.bind_role('{login}', '{A}')")).await;
        }
        db.superuser().await.run(&format!("alter role {login} set pg_tenant.side_channels = allow")).await; // EXPLAIN
        let app = db.app().await;
        app.run(
            &(force_workers()
                + "; set enable_indexscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off"),
        )
        .await;
        let plan = app.inside(A, &format!("explain (analyze, costs off, timing off, summary off) {count}")).await;
        let plan: Vec<_> = plan.into_iter().filter_map(|mut row| row.remove(0)).collect();
        assert!(plan.iter().any(|line| line.contains("Workers Launched: 2")), "no workers: {plan:#?}");
        assert_eq!(app.inside_value(A, count).await.as_deref(), Some("5000"), "bound: {bound}");
        if !bound {
            assert_eq!(app.inside_value(B, count).await.as_deref(), Some("15000"));
            app.expect_error("TN001", count).await;
        }
    }
}

#[tokio::test]
async fn in_a_trigger_deferred_to_commit() {
    let db = shop("late").await;
    db.owner()
        .await
        .run(
            "create table seen (tenant text, orders bigint);
             create function look() returns trigger language plpgsql as $$
             begin insert into seen select tenant.current_id(), count(*) from orders; return null; end $$;
             create constraint trigger late after insert on orders deferrable initially deferred
                for each row execute function look()",
        )
        .await;
    let app = db.app().await;
    app.inside(A, "insert into orders (id) values (100)").await;
    app.inside(B, "insert into orders (id) values (101); savepoint s; select 1; rollback to s").await;
    let seen = app.rows("select tenant, orders from seen order by orders").await;
    assert_eq!(seen, [[Some(B.to_owned()), Some("3".into())], [Some(A.to_owned()), Some("4".into())]]);
}

#[tokio::test]
async fn in_a_plan_made_for_another() {
    let db = shop("plans").await;
    let app = db.app().await;
    for mode in ["force_generic_plan", "force_custom_plan", "auto"] {
        app.run(&format!("set plan_cache_mode = {mode}")).await;
        let statement =
            app.prepare("select min(tenant_id::text), count(*) from orders where id > $1").await.expect("prepare");
        for (tenant, orders) in [A, B].iter().cycle().zip([3i64, 2].into_iter().cycle()).take(14) {
            app.run(&format!("begin; select tenant.enter('{tenant}')")).await;
            let row = app.query_one(&statement, &[&0i32]).await.expect("query");
            assert_eq!((row.get::<_, &str>(0), row.get::<_, i64>(1)), (*tenant, orders), "{mode}");
            app.run("commit").await;
        }
        let error = app.query(&statement, &[&0i32]).await.expect_err("no tenant");
        assert_eq!(error.code().map(|c| c.code()), Some("TN001"), "{mode}");
    }
}
