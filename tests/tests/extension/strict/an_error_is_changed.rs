//! Errors of the application pass through our hooks and lose something on the way: the SQLSTATE that is not
//! PostgreSQL's, DETAIL, HINT, CONTEXT, the names of schema, table, column and constraint.

use pg_tenant_tests::shop::{A, shop};
use tokio_postgres::error::DbError;

#[tokio::test]
async fn of_a_constraint() {
    let db = shop("constraints").await;
    db.owner()
        .await
        .run("alter table orders add constraint short check (length(note) < 20), alter note set not null")
        .await;
    let app = db.app().await;
    let names = |e: &DbError| {
        format!(
            "{} {} {}",
            e.schema().unwrap_or("-"),
            e.table().unwrap_or("-"),
            e.constraint().or(e.column()).unwrap_or("-")
        )
    };

    let unique = app.refused_inside("23505", A, "insert into orders (id, note) values (1, 'n')").await;
    assert_eq!(names(&unique), "public orders orders_pkey");
    assert_eq!(unique.detail(), None, "PostgreSQL tells no values of a table with policies");
    let check = app.refused_inside("23514", A, "update orders set note = repeat('x', 30) where id = 1").await;
    assert_eq!(names(&check), "public orders short");
    let null = app.refused_inside("23502", A, "insert into orders (id) values (50)").await;
    assert_eq!(names(&null), "public orders note");
    let typed = app.refused_inside("22P02", A, "select id from orders where tenant_id = 'x'").await;
    assert_eq!(typed.position(), Some(&tokio_postgres::error::ErrorPosition::Original(typed_position())));
}

/// Where the literal stands in the script that `refused_inside` sends.
fn typed_position() -> u32 {
    let script = format!("begin; select tenant.enter('{A}'); select id from orders where tenant_id = 'x'");
    u32::try_from(script.find("'x'").expect("it is there")).expect("small") + 1
}

#[tokio::test]
async fn of_the_applications_own() {
    let db = shop("own").await;
    db.superuser()
        .await
        .run(
            "create function fail() returns trigger language plpgsql as $$ begin
                raise 'no: %', new.id using errcode = 'AB123', detail = 'd', hint = 'h', column = 'c', constraint = 'k',
                    table = 't', schema = 's', datatype = 'y';
             end $$;
             create trigger fail before insert on orders for each row when (new.note = 'fail') execute function fail();
             create function outer_one() returns void language plpgsql as $$ begin
                insert into orders (id, note) values (60, 'fail'); end $$",
        )
        .await;
    let app = db.app().await;
    for (sql, through) in [
        ("insert into orders (id, note) values (60, 'fail')", 1),
        ("select outer_one()", 3),
        ("do $$ begin perform outer_one(); end $$", 5),
    ] {
        let e = app.refused_inside("AB123", A, sql).await;
        assert_eq!((e.message(), e.detail(), e.hint()), ("no: 60", Some("d"), Some("h")), "{sql}");
        assert_eq!((e.schema(), e.table(), e.column()), (Some("s"), Some("t"), Some("c")), "{sql}");
        assert_eq!((e.constraint(), e.datatype()), (Some("k"), Some("y")), "{sql}");
        let context = e.where_().unwrap_or_default();
        assert!(context.starts_with("PL/pgSQL function fail() line 2 at RAISE"), "{sql}: {context}");
        assert_eq!(context.lines().count(), through, "{sql}: {context}");
    }
    // Inside the server the SQLSTATE is what an exception block catches; ours as well.
    let caught = "do $$ begin perform outer_one(); exception when sqlstate 'AB123' then null; end $$; select 'caught'";
    assert_eq!(app.inside_value(A, caught).await.as_deref(), Some("caught"));
    app.run("do $$ begin perform from orders; raise 'not refused'; exception when sqlstate 'TN001' then null; end $$")
        .await;
    let e = app.refused_inside("22012", A, "do $$ begin perform 1/0; end $$").await;
    assert_eq!(e.where_().map(|w| w.lines().count()), Some(2), "{e:?}");
}

#[tokio::test]
async fn of_a_command() {
    let db = shop("commands").await;
    let (app, owner) = (db.app().await, db.owner().await);
    app.expect_error("42P01", "select * from nowhere").await;
    app.expect_error("42P01", "begin; lock table nowhere").await;
    app.run("rollback").await;
    app.expect_error("42703", "select nothing from orders").await;
    app.expect_error("42501", "alter table orders add x int").await;
    owner.expect_error("42P01", "alter table nowhere add x int").await;
    owner.expect_error("42701", "alter table orders add note text").await;
    owner.expect_error("42704", "drop policy nothing on orders").await;
    owner.expect_error("42P01", "drop policy nothing on nowhere").await;
    owner.expect_error("42710", "create policy tenant_isolation on orders").await;
    app.expect_error("26000", "execute nothing").await;
    app.expect_error("34000", "fetch nothing").await;
    app.refused_inside("25001", A, "vacuum").await;
    let procedure = "create procedure pg_temp.p() language plpgsql as $$ begin commit; raise 'late' using errcode = 'AB123'; end $$";
    app.run(procedure).await;
    app.expect_error("AB123", "call pg_temp.p()").await;
    assert_eq!(app.value("select 'alive'").await.as_deref(), Some("alive"));
}
