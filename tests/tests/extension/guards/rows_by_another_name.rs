//! Ways that name no table where the guards would look, and are judged all the same: the statement inside is a
//! statement. They were closed before; they must stay so, with what newer majors add.

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::{A, B, shop};

/// Each tells, by a number or a text, how many rows there are or whose.
const WAYS: &[&str] = &[
    "select array_length(xpath('//row', query_to_xml('select id from orders', false, false, '')), 1)",
    "select array_length(xpath('//row', table_to_xml('orders', false, false, '')), 1)",
    "select array_length(xpath('//orders/row', schema_to_xml('public', false, false, '')), 1)",
    "select max(ndoc) from ts_stat('select to_tsvector(''simple'', ''x'') from orders')",
    "select count(o) from orders o",
    "select count((o.*)::text) from orders o",
    "select count(*) from (table orders) s, lateral (select s.id) l",
    "select json_array_length(json_agg(o)) from orders o",
    "with u as (update orders set note = note returning id) select count(*) from u",
    "with d as (delete from orders returning orders.*) select count(d) from d",
];

#[tokio::test]
async fn are_read() {
    let db = shop("by_name").await;
    let app = db.app().await;
    let has_xml = app.value("select count(*) from pg_proc where proname = 'query_to_xml'").await.as_deref()
        == Some("1")
        && app.batch_execute("select xml '<a/>'").await.is_ok();
    for way in WAYS.iter().filter(|way| has_xml || !way.contains("_to_xml")) {
        app.run("begin").await;
        app.expect_error("TN001", way).await;
        app.run("rollback").await;
        let mine = format!("begin; select tenant.enter('{A}')");
        app.run(&mine).await;
        assert_eq!(app.value(way).await.as_deref(), Some("3"), "{way}");
        app.run("rollback").await;
    }
}

#[tokio::test]
async fn are_returned_as_they_were() {
    let db = shop("returning").await;
    let app = db.app().await;
    if Install::current().is_before(18, "RETURNING OLD and virtual columns") {
        return;
    }
    db.owner().await.run("alter table orders add shout text generated always as (upper(note)) virtual").await;
    let rows = app.inside(A, "update orders set note = 'x' returning old.note, new.note, new.shout").await;
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row[1].as_deref() == Some("x") && row[2].as_deref() == Some("X")), "{rows:?}");
    let conflict =
        "insert into orders (id, note) values (4, 'mine') on conflict (id) do update set note = 'y' returning old.note";
    app.refused_inside("42501", A, conflict).await; // B's order 4: no row of it comes back
    assert_eq!(app.inside_value(B, "select max(shout) from orders").await.as_deref(), Some("NOTE 5"));
}

#[tokio::test]
async fn are_rewritten_by_a_rule() {
    let db = shop("rules").await;
    let (owner, boss, app) = (db.owner().await, db.superuser().await, db.app().await);
    // A rule's actions run with the rights of the owner of its table. The hole: a superuser's shows and writes it all.
    boss.run(
        "create table doors (id int); grant all on doors to public; create table stock_doors (id int); grant all on stock_doors to public;
         create rule r as on insert to doors do instead update orders set note = 'by a rule';
         create rule r as on insert to stock_doors do instead update stock_orders set note = 'by a rule'",
    )
    .await;
    app.run(&format!("begin; set local app.tenant = '{A}'; insert into stock_doors values (1); commit")).await;
    assert_eq!(boss.value("select count(*) from stock_orders where note = 'by a rule'").await.as_deref(), Some("5"));
    app.refused_inside("TN011", A, "insert into doors values (1)").await;
    app.expect_error("TN001", "insert into doors values (1)").await;
    // An owner's like any other: policies hold it.
    boss.run(&format!("alter table doors owner to {}", db.roles.owner)).await;
    app.inside(A, "insert into doors values (1)").await;
    assert_eq!(boss.value("select count(*) from orders where note = 'by a rule'").await.as_deref(), Some("3"));
    owner.run("drop table doors").await;
}

#[tokio::test]
async fn are_read_by_the_fast_path() {
    let db = shop("fast_path").await;
    let lo = db.app().await.value("select lo_from_bytea(0, 'of a')").await.expect("a large object");
    // psql's \lo_export calls lo_open and loread by their oids: no statement, no executor.
    let export = |first: &str| {
        db.psql(&db.roles.app, &format!("\\set VERBOSITY sqlstate\nbegin;\n{first}\n\\lo_export {lo} /dev/null\n"))
    };
    let stock = export("");
    assert!(stock.ok && !stock.stderr.contains("ERROR"), "the hole: {stock:?}");
    let ours = export(&format!("select tenant.enter('{B}');"));
    assert!(ours.stderr.contains("TN064"), "{ours:?}");
}
