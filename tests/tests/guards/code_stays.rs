//! Code made in a tenant's transaction would run in the next tenant's: a better match in front of PostgreSQL's own
//! function, a cast, an operator.

use pg_tenant_tests::shop::{A, B, shop};

#[tokio::test]
async fn for_the_next_tenant() {
    let db = shop("stays").await;
    let boss = db.superuser().await;
    boss.run(&format!(
        "create schema mine authorization {0}; alter role {0} in database {1} set search_path = mine, public",
        db.roles.app, db.name
    ))
    .await;
    let app = db.app().await;
    app.run("create function mine.own(int) returns int language sql as 'select 1'; create type mine.kind as (n int)")
        .await;
    let plant =
        "create function mine.lower(varchar) returns text language sql as $$ select note from stock_orders limit 1 $$";
    // The hole: planted by one tenant, run by the next.
    app.run(&format!("begin; set local app.tenant = '{A}'; {plant}; commit")).await;
    app.run(&format!("begin; set local app.tenant = '{B}'")).await;
    assert_eq!(app.value("select lower('X'::varchar)").await.as_deref(), Some("note 4"));
    app.run("rollback; drop function mine.lower(varchar)").await;
    for command in [
        plant,
        "create or replace function mine.own(int) returns int language sql as 'select 2'",
        "create procedure mine.proc() language sql as 'select 1'",
        "alter function mine.own(int) security definer",
        "alter function mine.own(int) rename to lower",
        "create aggregate mine.agg(int) (sfunc = int4pl, stype = int)",
        "create operator mine.= (leftarg = int, rightarg = int, function = int4eq)",
        "create cast (mine.kind as text) with inout",
        "alter default privileges in schema mine grant execute on functions to public",
        "do $$ begin create function mine.again() returns int language sql as 'select 1'; end $$",
    ] {
        app.run(&format!("begin; {command}; rollback")).await;
        let refused = app.refused_inside("TN036", A, command).await; // TN036
        assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
    }
    // The neighbours: calling it, a view, and a bound login, whose code is its tenant's.
    app.inside(A, "select mine.own(1); create view mine.v as select 1 as one; drop view mine.v").await;
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    db.app().await.run("create function mine.helper() returns int language sql as 'select 1'").await;
}
