//! A temporary object that stands in front of another name is left for the next tenant, however its command spells it.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, B, shop};

/// What a tenant's transaction makes, so that it stands in the temporary schema. `{d}` is the database.
const MADE: &[&str] = &[
    "create domain {d}.pg_temp.date as pg_catalog.date",
    "create domain \"{d}\".\"pg_temp\".date as pg_catalog.date",
    "create type {d}.pg_temp.note as enum ('a')",
    "create type {d}.pg_temp.note as (a int)",
    "create type {d}.pg_temp.span as range (subtype = int)",
    "create table {d}.pg_temp.t (id int)",
    "create table {d}.pg_temp.t as select * from orders",
    "select * into {d}.pg_temp.t from orders",
    "create view {d}.pg_temp.v as select 1 as id",
    "create sequence {d}.pg_temp.s",
    "create view v as select * from free",
    "create or replace view old_view as select id, 'of a' as note from free",
    "create recursive view r (n) as select id from free",
    "create operator pg_temp.=== (function = int4eq, leftarg = int, rightarg = int)",
    "create operator {d}.pg_temp.=== (function = int4eq, leftarg = int, rightarg = int)",
    "create collation pg_temp.c from \"C\"",
    "create conversion pg_temp.c for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8",
    "create text search configuration pg_temp.c (copy = simple)",
    "create text search dictionary pg_temp.d (template = simple)",
    "create statistics pg_temp.s on id, note from free",
    "create rule r as on insert to free do also select 1",
    "create trigger t before insert on free for each row execute function suppress_redundant_updates_trigger()",
    "alter table free alter id set default 7",
    "alter table free add check (id > 0)",
    "set local search_path = pg_temp, public; create operator === (function = int4eq, leftarg = int, rightarg = int)",
    "do $$ begin execute 'create domain ' || current_database() || '.pg_temp.date as pg_catalog.date'; end $$",
];

async fn app(db: &pg_tenant_tests::Database<'_>) -> Session {
    let app = db.app().await;
    app.run("create temp table free (id int, note text); create temp view old_view as select id, note from free").await;
    app
}

#[tokio::test]
async fn made_by_a_tenant_in_any_words() {
    let db = shop("in_front").await;
    // The hole: the next tenant's literal is the last one's domain, and runs its function.
    let app = db.app().await;
    app.run(&format!("create domain {}.pg_temp.date as pg_catalog.date check (length(value::text) < 0)", db.name))
        .await;
    app.expect_error("23514", "select '2026-01-01'::date").await;
    app.run("discard temp").await;

    let app = self::app(&db).await;
    for make in MADE {
        let make = make.replace("{d}", &db.name);
        let refused = app.refused_inside("TN036", A, &make).await; // TN036
        let hint = refused.hint().unwrap_or_default();
        assert!(hint.contains("on commit drop") || hint.contains("as a migration does"), "{make}: {refused:?}");
    }
}

#[tokio::test]
async fn but_what_ends_with_the_transaction_may() {
    let db = shop("ending").await;
    let app = app(&db).await;
    let table = "create temp table t (id serial primary key, note text unique) on commit drop";
    for passes in [
        table.to_owned(),
        format!("{table}; create view v as select * from t; create view w as select * from v"),
        format!("{table}; create temp sequence s owned by t.id; alter table t add more bigserial"),
        format!("{table}; create index on t (note); create statistics pg_temp.s on id, note from t; analyze t"),
        format!("{table}; create function pg_temp.f(t) returns int language sql as 'select 1'"),
        format!("{table}; create rule r as on insert to t do also select 1; alter table t add check (id > 0)"),
        "create temp table t on commit drop as select * from orders; create index on t (id)".to_owned(),
        "create temp table t partition of p default".replace(" partition of p default", " (id int) on commit drop"),
        "create index on free (id)".to_owned(),
        "create or replace function pg_temp.f() returns int language sql as 'select 1'; select pg_temp.f()".to_owned(),
        "select * from free; insert into free values (1); create temp table if not exists free (id int) on commit drop"
            .to_owned(),
    ] {
        app.inside(A, &passes).await;
    }
    let left = "select count(*) from pg_class where relnamespace = pg_my_temp_schema() and relkind <> 'i'";
    assert_eq!(app.value(left).await.as_deref(), Some("2"), "free and its view");
    // A savepoint takes what it made; one that failed left nothing.
    app.inside(A, &format!("savepoint s; {table}; rollback to s; {table}")).await;
    // A session of one tenant makes what it likes.
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    let bound = self::app(&db).await;
    for make in MADE {
        bound.run(&format!("begin; {}; rollback", make.replace("{d}", &db.name))).await;
    }
}

#[tokio::test]
async fn found_when_the_next_tenant_enters() {
    let db = shop("entering").await;
    db.superuser().await.run(&format!("create schema scratch authorization {}", db.roles.app)).await;
    for (make, name) in [
        (
            "create domain pg_temp.date as pg_catalog.date",
            "temporary domain pg_temp.date stands in front of type pg_catalog.date",
        ),
        ("create domain {d}.pg_temp.uuid as text", "type pg_catalog.uuid"),
        ("create type pg_temp.orders as enum ('a')", "type public.orders"),
        ("create table pg_temp.numeric (id int)", "type pg_catalog.\"numeric\""),
        ("create temp table orders (id int)", "table pg_temp.orders stands in front of relation public.orders"),
        ("create temp view pg_class as select 1 as oid", "relation pg_catalog.pg_class"),
        ("create temp sequence stock_orders", "sequence pg_temp.stock_orders"),
        (
            "create type scratch.span as range (subtype = int, multirange_type_name = pg_temp.interval)",
            "type pg_catalog.\"interval\"",
        ),
        ("create temp table mine (id int); alter table mine rename to orders", "relation public.orders"),
    ] {
        let app = db.app().await;
        app.run(&make.replace("{d}", &db.name)).await;
        for enter in ["tenant.enter", "tenant.enter_pristine"] {
            let code = if enter == "tenant.enter" { "TN066" } else { "TN008" };
            let refused = app.expect_error(code, &format!("begin; select {enter}('{B}')")).await; // TN066 TN008
            app.run("rollback").await;
            assert!(code == "TN008" || refused.message().contains(name), "{make}: {refused:?}");
            assert!(refused.detail().is_some() && refused.hint().is_some(), "{make}: {refused:?}");
        }
        // In the same transaction, too.
        app.run("discard temp; drop type if exists scratch.span").await;
        let same = format!("begin; {}; select tenant.enter('{B}')", make.replace("{d}", &db.name));
        app.expect_error("TN066", &same).await;
        app.run("rollback").await;
        app.inside(B, "select * from orders").await;
    }
    // The neighbours: names that nothing else has, and what is never looked for in the temporary schema.
    let app = app(&db).await;
    app.run("create function pg_temp.lower(text) returns text language sql as 'select $1'; create type pg_temp.own as enum ('a')").await;
    app.run("create operator pg_temp.= (function = int4eq, leftarg = int, rightarg = int)").await;
    assert_eq!(app.inside_value(B, "select min(lower(upper(note))) from orders").await.as_deref(), Some("note 4"));
    // A bound session stays its tenant's, and is told where it matters (TN066).
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    let bound = db.app().await;
    bound.run("create temp table orders (id int); create domain pg_temp.date as pg_catalog.date").await;
    bound.run(&format!("select tenant.enter('{A}')")).await;
    bound.expect_error("TN066", "select * from orders").await;
}

#[tokio::test]
async fn and_when_the_system_context_is() {
    let db = shop("in_front_of_system").await;
    db.superuser().await.run(&format!("grant tenant_system to {}", db.roles.app)).await;
    let app = db.app().await;
    app.run("create domain pg_temp.date as pg_catalog.date").await;
    app.expect_error("TN066", "begin; select tenant.enter_system('to look')").await;
    app.run("rollback; discard temp; create temp table orders (id int)").await;
    app.run("begin; select tenant.enter_system('to look'); commit").await;
}
