//! A condition of the statement is evaluated for a row before the tenant policy is: what it does, or how it fails,
//! tells of another tenant's row.

use pg_tenant_tests::shop::{A, B, shop, stock_shop};

/// PostgreSQL orders conditions that cannot leak by cost, and takes a volatile call without columns for one of them.
const SEARCH: &str = "select count(*) from {t} where id >= 4 and id <= 4 and note < {note} and set_config('o.hit', 'x', true) is not null";

#[tokio::test]
async fn in_a_filter() {
    let (db, stock) = (shop("filter").await, stock_shop("filter_stock").await);
    let hit = "select coalesce(nullif(current_setting('o.hit', true), ''), 'none')";
    let session = stock.app().await;
    for (note, found) in [("'note 4'", "none"), ("'note 5'", "x")] {
        let sql = SEARCH.replace("{t}", "stock_orders").replace("{note}", note);
        session.run(&format!("begin; set local app.tenant = '{A}'; {sql}")).await;
        let told = session.value(hit).await;
        // The setting's policy costs more than the call: the row of b is compared first.
        assert_eq!(told.as_deref(), Some(found), "the hole: {sql}");
        session.run("rollback").await;
    }
    let app = db.app().await;
    for note in ["'note 4'", "'note 5'"] {
        let sql = SEARCH.replace("{t}", "orders").replace("{note}", note);
        let nested = [
            sql.clone(),
            format!("select * from (values (1)) v where exists ({})", sql.replace("count(*)", "1")),
            format!("with c as materialized ({sql}) select * from c"),
            sql.replace("select count(*) from orders where", "delete from orders where"),
            sql.replace("select count(*) from orders where", "update orders set note = 'x' where"),
            format!("select count(*) from ({0} union all {0}) u", sql.replace("count(*)", "id")),
        ];
        for sql in nested {
            for index in ["on", "off"] {
                app.run(&format!("begin; set local enable_indexscan = {index}; set local enable_bitmapscan = {index}"))
                    .await;
                app.run(&format!("select tenant.enter('{A}'); {sql}")).await;
                assert_eq!(app.value(hit).await.as_deref(), Some("none"), "{sql}");
                app.run("rollback").await;
            }
        }
        // It is the tenant's own row that it may find.
        app.run(&format!("begin; select tenant.enter('{B}'); {sql}")).await;
        assert_eq!(app.value(hit).await.as_deref(), Some(if note == "'note 5'" { "x" } else { "none" }));
        app.run("rollback").await;
    }
}

#[tokio::test]
async fn in_the_where_of_on_conflict() {
    let db = shop("conflict").await;
    let app = db.app().await;
    let upsert = |table: &str, condition: &str| {
        format!(
            "insert into {table} (tenant_id, id) values ('{A}', 4)
             on conflict (id) do update set note = 'taken' where {condition}"
        )
    };
    // The hole is PostgreSQL's until its minor versions of November 2026: 15.20 refuses by the policy first.
    app.run(&format!("begin; set local app.tenant = '{A}'")).await;
    let error = app.batch_execute(&upsert("stock_orders", "stock_orders.note::int > 0")).await.expect_err("refused");
    let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
    assert!(["22P02", "42501"].contains(&&*code), "{error:?}");
    let expected = if code == "22P02" { "TN068" } else { "42501" }; // TN068 where PostgreSQL does not refuse by itself
    app.run("rollback").await;

    for condition in ["orders.note::int > 0", "orders.id < 0", "length(orders::text) > 0"] {
        let refused = app.refused_inside(expected, A, &upsert("orders", condition)).await;
        assert!(expected == "42501" || refused.hint().is_some(), "{refused:?}");
        assert!(!refused.message().contains("note 4"), "{refused:?}");
        let within = format!("with i as ({} returning 1) select * from i", upsert("orders", condition));
        app.refused_inside(expected, A, &within).await;
    }
    app.refused_inside("42501", A, &upsert("orders", "true").replace(" where true", "")).await; // as ever
    // The neighbours: a row of one's own, with a condition that holds and one that does not; a superuser at work.
    let own = upsert("orders", "orders.note = 'note 4'").replace(A, B);
    app.inside(B, &own).await;
    app.inside(B, &own).await;
    assert_eq!(app.inside_value(B, "select note from orders where id = 4").await.as_deref(), Some("taken"));
    let boss = db.superuser().await;
    boss.run(&upsert("orders", "orders.note = 'taken'")).await;
    // A plan made before the table was protected, and a partitioned one.
    boss.run(
        "create table parts (tenant_id uuid, id int, note text, primary key (id)) partition by range (id);
         create table parts_1 partition of parts for values from (0) to (100)",
    )
    .await;
    boss.run(&format!("insert into parts values ('{B}', 4, 'secret'); grant all on parts to public")).await;
    let statement = app.prepare(&upsert("parts", "parts.note::int > 0")).await.expect("prepare");
    boss.run("select tenant.protect('parts')").await;
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    let error = app.execute(&statement, &[]).await.expect_err("refused");
    assert_eq!(error.code().map(|code| code.code()), Some(expected));
    app.run("rollback").await;
}
