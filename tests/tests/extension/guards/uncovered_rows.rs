//! Rows that no policy can cover are not read inside a tenant: a materialized view over protected tables, a foreign
//! table.

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::{A, shop};

#[tokio::test]
async fn in_a_materialized_view() {
    let db = shop("kept").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    // The hole.
    boss.run("create materialized view stock_kept as select * from stock_orders; grant select on stock_kept to public")
        .await;
    app.run(&format!("begin; set local app.tenant = '{A}'")).await;
    assert_eq!(app.value("select count(*) from stock_kept").await.as_deref(), Some("5"));
    app.run("rollback").await;
    // Made behind the guards' back, through a view; and one over it.
    boss.run(
        "set pg_tenant.guards = off; create view looks as select * from orders;
         create materialized view kept as select * from looks; create materialized view twice as select * from kept;
         grant select on kept, twice to public; reset pg_tenant.guards",
    )
    .await;
    for view in ["kept", "twice"] {
        for read in [
            "select * from {v}",
            "select count(*) from {v} where false",
            "copy (table {v}) to stdout",
            "do $$ begin perform * from {v}; end $$",
        ] {
            let read = read.replace("{v}", view);
            let refused = app.refused_inside("TN065", A, &read).await; // TN065
            assert!(refused.hint().is_some_and(|hint| hint.contains("tenant.share(")), "{refused:?}");
            app.expect_error("TN065", &read).await; // with no tenant as well: T0 forgets to enter
        }
    }
    assert_eq!(boss.value("select count(*) from kept").await.as_deref(), Some("5"));
    boss.run("refresh materialized view kept").await;
    // The neighbours: one over other tables, one that is shared, in sessions that were refused before.
    app.inside(A, "select * from stock_kept").await;
    boss.run("select tenant.share('kept', 'totals for everybody')").await;
    assert_eq!(app.inside_value(A, "select count(*) from kept").await.as_deref(), Some("5"));
    boss.run("select tenant.unshare('kept', 'no more')").await;
    app.refused_inside("TN065", A, "select * from kept").await;
    boss.run(&format!("alter role {} set pg_tenant.strict = log", db.roles.app)).await;
    let app = db.app().await;
    app.run("select * from kept").await;
    assert_eq!(app.notices()[0].code().code(), "TN065");
}

#[tokio::test]
async fn on_another_server() {
    if Install::current().lacks("file_fdw") {
        return;
    }
    let db = shop("foreign").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    boss.run(
        "create extension file_fdw; create server files foreign data wrapper file_fdw;
         create foreign table far (line text) server files options (filename '/dev/null'); grant select on far to public",
    )
    .await;
    // The hole: PostgreSQL has no policies for it, and reads it all the same.
    boss.expect_error("42809", "create policy p on far using (true)").await;
    app.run("select * from far").await;
    let refused = app.refused_inside("TN065", A, "select * from far").await; // TN065
    assert!(refused.detail().is_some_and(|detail| detail.contains("other server")), "{refused:?}");
    boss.run("select tenant.share('far', 'exchange rates')").await;
    app.inside(A, "select * from far").await;
}
