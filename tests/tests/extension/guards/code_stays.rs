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
    // The neighbours: calling it, and a bound login, whose code is its tenant's.
    app.inside(A, "select mine.own(1)").await;
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    db.app().await.run("create function mine.helper() returns int language sql as 'select 1'").await;
}

/// What relations run: a view in front of a protected table, and a rule on it, give one tenant's values to another.
#[tokio::test]
async fn in_a_relation() {
    let db = shop("stays_in_relation").await;
    let boss = db.superuser().await;
    boss.run(&format!(
        "create schema mine authorization {0}; grant all on orders to public;
         alter role {0} in database {1} set search_path = mine, public",
        db.roles.app, db.name
    ))
    .await;
    let app = db.app().await;
    app.run(
        "create table mine.log (note text); create view mine.v as select 1 as one; create table mine.other (id int);
         create function mine.row_seen() returns trigger language plpgsql as 'begin return new; end'",
    )
    .await;
    let plant = "create view mine.orders with (security_invoker) as select * from public.orders;
        create rule r as on update to mine.orders do also insert into mine.log values (new.note)";
    // The hole, with the guards off while it is planted.
    boss.run(&format!(
        "set pg_tenant.guards = off; set role {}; begin; select tenant.enter('{A}'); {plant}; commit; reset role",
        db.roles.app
    ))
    .await;
    app.inside(B, "update orders set note = 'secret'").await;
    assert_eq!(app.inside_value(A, "select min(note) from mine.log").await.as_deref(), Some("secret"));
    app.run("drop view mine.orders").await;
    for command in [
        plant,
        "create or replace view mine.v as select 2 as one",
        "create recursive view mine.w (n) as select 1",
        "create rule r as on insert to mine.other do also insert into mine.log values ('x')",
        "create trigger t before insert on mine.other for each row execute function mine.row_seen()",
        "alter table mine.other alter id set default 7",
        "alter table mine.other add column who text default current_setting('port')",
        "alter table mine.other add check (id > length(current_setting('port')))",
        "create policy p on mine.other using (id > 0)",
    ] {
        app.run(&format!("begin; {command}; rollback")).await;
        app.refused_inside("TN036", A, command).await; // TN036
    }
    // The neighbours: what goes at the end of the transaction, and parts that run nothing.
    app.inside(
        A,
        "create temp table t (id serial check (id > 0), note text default 'x' primary key) on commit drop;
         create view v as select * from t; create rule r as on insert to t do also select 1;
         alter table mine.other add column plain int, add unique (id); create index on mine.log (note)",
    )
    .await;
}
