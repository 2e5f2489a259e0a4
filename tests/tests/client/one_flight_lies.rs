//! A statement that travels with its commit returns `Ok` only where it was committed, and `Err` only where it was not.

use pg_tenant_client::{Error, TenantPool};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::fixture::{Fixture, INSERT};

/// A statement that ends the transaction itself: begin and enter before it, our commit behind it.
#[tokio::test]
async fn where_the_statement_ends_the_transaction() {
    let fixture = Fixture::new("f_ends").await;
    let pool = fixture.pool(1);
    for end in ["commit", "rollback", "commit and chain", "rollback and chain", "/* no */ end"] {
        let error = pool.tenant("acme").execute(end, &[]).await.unwrap_err();
        assert!(error.is_tenant_lost(), "{end}: {error}");
        fixture.nothing_is_left(end).await;

        // With something to lose before it. What `commit` itself committed nobody can take back, but it is said.
        let mut tx = pool.tenant("acme").begin().await.unwrap();
        tx.execute("insert into orders (total) values (nextval('totals'))", &[]).await.unwrap();
        let error = tx.execute_then_commit(end, &[]).await.unwrap_err();
        assert!(error.is_tenant_lost(), "{end}: {error}");
        fixture.nothing_is_left(end).await;
    }
    assert_eq!(pool.tenant("acme").query("select 1", &[]).await.unwrap().len(), 1);
    // Of two texts PostgreSQL prepares none.
    let error = pool.tenant("acme").execute("rollback; select 1", &[]).await.unwrap_err();
    assert_eq!(error.code(), Some("42601"), "{error}");
}

/// Within a transaction block neither a procedure nor `DO` can end it.
#[tokio::test]
async fn where_a_procedure_commits() {
    let fixture = Fixture::new("f_call").await;
    fixture
        .superuser
        .run(
            "create procedure settles() language plpgsql as $$ begin
                 insert into orders (total) values (nextval('totals')); commit; end $$;
             create function fails() returns int language plpgsql as $$ begin
                 insert into orders (total) values (nextval('totals')); raise 'no'; end $$",
        )
        .await;
    let pool = fixture.pool(1);
    for (sql, code) in [
        ("call settles()", "2D000"),
        ("do $$ begin insert into orders (total) values (nextval('totals')); rollback; end $$", "2D000"),
        ("select fails()", "P0001"),
        ("select 1/0", "22012"),
        ("insert into orders (total) values (1)", "23505"), // deferred: found by the commit
        ("no such statement", "42601"),
    ] {
        let acme = pool.tenant("acme");
        let error = acme.execute(sql, &[]).await.unwrap_err();
        assert_eq!(error.code(), Some(code), "{sql}: {error}");
        let error = acme.query(sql, &[]).await.unwrap_err();
        assert_eq!(error.code(), Some(code), "{sql}, for its rows: {error}");
        let mut tx = acme.begin().await.unwrap();
        tx.execute(INSERT, &[]).await.unwrap();
        let error = tx.execute_then_commit(sql, &[]).await.unwrap_err();
        assert_eq!(error.code(), Some(code), "{sql}, last of a transaction: {error}");
        assert_eq!(acme.query("select from orders", &[]).await.unwrap().len(), 2, "{sql}");
    }
    fixture.nothing_is_left("failed statements").await;
    assert_eq!(pool.status().size, 1, "the connection is as good as before");
}

#[tokio::test]
async fn where_something_had_failed_before() {
    let fixture = Fixture::new("f_before").await;
    let pool = fixture.pool(1);
    let failed = async |pool: &TenantPool| {
        let mut tx = pool.tenant("acme").begin().await.unwrap();
        tx.execute(INSERT, &[]).await.unwrap();
        tx.execute("select 1/0", &[]).await.unwrap_err();
        tx
    };
    let refused = |error: Error| {
        assert_eq!(error.code(), Some("25P02"));
        assert!(error.detail().is_some_and(|detail| detail.contains("division by zero")), "{error}");
    };
    refused(failed(&pool).await.execute_then_commit(INSERT, &[]).await.unwrap_err());
    refused(failed(&pool).await.query_then_commit("select 1", &[]).await.unwrap_err());
    assert_eq!(fixture.orders("acme").await, 2);
    assert_eq!(pool.status().size, 1);
}

/// A parameter that cannot be encoded is noticed before anything is sent: the commit behind it must stay as well.
#[tokio::test]
async fn where_the_last_statement_cannot_be_sent() {
    let fixture = Fixture::new("f_unsent").await;
    let pool = fixture.pool(1);
    for sql in ["select $1::int8", "insert into orders (total) values ($1)"] {
        for _ in 0..2 {
            let mut tx = pool.tenant("acme").begin().await.unwrap();
            tx.execute(INSERT, &[]).await.unwrap();
            let error = tx.execute_then_commit(sql, &[&"no number"]).await.unwrap_err();
            assert_eq!(error.code(), None, "{error}");
            let mut tx = pool.tenant("acme").begin().await.unwrap();
            tx.execute(INSERT, &[]).await.unwrap();
            tx.query_then_commit(sql, &[]).await.unwrap_err();
            pool.tenant("acme").execute(sql, &[&"no number"]).await.unwrap_err();
            pool.tenant("acme").query(sql, &[&1i64, &2i64]).await.unwrap_err();
        }
    }
    fixture.nothing_is_left("statements that were not sent").await;
    assert_eq!(fixture.orders("acme").await, 2);
}

/// Over sqlx a text without arguments may hold several statements.
#[tokio::test]
async fn where_the_text_is_odd() {
    let fixture = Fixture::new("f_text").await;
    fixture.superuser.run("create table log (id int); grant all on log to public").await;
    let pool = fixture.sqlx(1);
    let acme = pool.tenant("acme");
    for (sql, code) in [
        ("select 1/0", Some("22012")),
        ("insert into orders (total) values (1)", Some("23505")), // deferred: found by the commit
        ("insert into log values (1) /*", Some("42601")),
        ("insert into log values (1); select '", Some("42601")),
        ("insert into log values (1); select $a$", Some("42601")),
        ("insert into log values (1); select 1/0", Some("22012")),
    ] {
        let error = acme.execute(sql).await.unwrap_err();
        assert_eq!(error.code(), code, "{sql}: {error}");
        let error = acme.query(sql).await.unwrap_err();
        assert_eq!(error.code(), code, "{sql}: {error}");
    }
    for sql in ["commit", "rollback", "select 1; commit -- and more", "commit and chain"] {
        let error = acme.query(sql).await.unwrap_err();
        assert!(error.is_tenant_lost(), "{sql}: {error}");
        fixture.nothing_is_left(sql).await;
    }
    assert_eq!(fixture.superuser.value("select count(*) from log").await.as_deref(), Some("0"));
    for sql in ["select total from orders order by 1 -- all", "select total from orders;", "select 1; select 2;;"] {
        let rows = acme.query(sql).await.unwrap();
        assert_eq!(rows.len(), 2, "{sql}: the probe's row is no answer");
    }
    let done = acme.execute("insert into log values (1), (2); insert into log values (3)").await.unwrap();
    assert_eq!(done.rows_affected(), 3);
    assert_eq!(fixture.superuser.value("select count(*) from log").await.as_deref(), Some("3"));
    assert_eq!(acme.execute("").await.unwrap().rows_affected(), 0);
    assert!(acme.query_opt("select 5 where false").await.unwrap().is_none(), "the probe's row is no answer");
    let first: i32 = sqlx::Row::get(&acme.query_opt("select 5; select 6").await.unwrap().unwrap(), 0);
    assert_eq!(first, 5);
    assert_eq!(acme.query("select set_config('work_mem', '65kB', false)").await.unwrap().len(), 1);
    assert_eq!(acme.query("select 1").await.unwrap().len(), 1, "on a clean connection");
    fixture.nothing_is_left("texts").await;
    assert_eq!(fixture.orders("acme").await, 2);
}

/// sqlx gives up reading where a text copies to or from it. The server goes on, and would come to a COMMIT behind it.
#[tokio::test]
async fn where_the_driver_stops_reading() {
    let fixture = Fixture::new("f_copy").await;
    fixture.superuser.run("create table log (id int); grant all on log to public").await;
    let logged = async || fixture.superuser.value("select string_agg(id::text, ',' order by id) from log").await;
    let url = format!("postgres://{}@127.0.0.1:{}/{}", fixture.db.roles.app, fixture.port(), fixture.db.name);
    let mut bare = PgConnection::connect(&url).await.unwrap();
    bare.execute("begin; insert into log values (1); copy log to stdout; commit").await.unwrap_err();
    assert_eq!(logged().await.as_deref(), Some("1"), "bare sqlx says Err of what was committed");

    let pool = fixture.sqlx(1);
    let acme = pool.tenant("acme");
    for copy in ["copy log to stdout", "/**/COPY log from stdin"] {
        let text = format!("insert into log values (2); {copy}");
        acme.query(sqlx::raw_sql(AssertSqlSafe(text.clone()))).await.unwrap_err();
        acme.execute(sqlx::raw_sql(AssertSqlSafe(text))).await.unwrap_err();
        acme.execute("select 1").await.unwrap_or_else(|error| panic!("after {copy}: {error}"));
    }
    // And query_one must not commit without a row.
    acme.query_one("insert into log values (3); select 1 where false").await.unwrap_err();
    assert_eq!(logged().await.as_deref(), Some("1"));
}
