//! A pipeline stops at its first failure, takes effect as a whole or not at all, and says which statement failed.

use pg_tenant_client::Error;
use pg_tenant_client::pipeline::{execute, query, query_one, query_opt};
use pg_tenant_client::tokio_postgres::types::ToSql;

use super::fixture::{Fixture, INSERT};

const NOTE: &str = "insert into orders (total) values ($1)";

#[tokio::test]
async fn in_the_shape_it_was_given() {
    let fixture = Fixture::new("p_shape").await;
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    let answers = acme.pipeline((
        query_one("select count(*) from orders", &[]),
        execute("update orders set total = total + $1", &[&10i64]),
        query("select total from orders order by total", &[]),
        (query_opt("select 1 where false", &[]), vec![execute(INSERT, &[]), execute(INSERT, &[])]),
    ));
    let (count, updated, rows, (none, inserted)) = answers.await.unwrap();
    let [one, two] =
        acme.pipeline([execute("select 1", &[]), execute("select generate_series(1, 2)", &[])]).await.unwrap();
    assert_eq!((one, two), (1, 2));
    assert_eq!((count.get::<_, i64>(0), updated), (2, 2));
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>(), [11, 12], "each sees what those before it did");
    assert!(none.is_none() && inserted == [1, 1]);
    assert_eq!(fixture.orders("acme").await, 4);

    // As many as there are, more than any buffer between the two holds.
    let totals: Vec<i64> = (0..500).collect();
    let params: Vec<[&(dyn ToSql + Sync); 1]> = totals.iter().map(|total| [total as _]).collect();
    let large = "select repeat('x', 20000) || $1::int8";
    let batch: Vec<_> = params.iter().map(|params| query_one(large, params)).collect();
    for (row, total) in pool.tenant("acme").pipeline(batch).await.unwrap().iter().zip(&totals) {
        assert!(row.get::<_, &str>(0).ends_with(&format!("x{total}")));
    }
}

#[tokio::test]
async fn where_one_fails() {
    let fixture = Fixture::new("p_fails").await;
    fixture.superuser.run("create sequence touched; grant usage on sequence touched to public").await;
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    let touch = "select nextval('touched')";
    for (bad, code) in [("select 1/0", "22012"), ("no such statement", "42601"), ("select * from nowhere", "42P01")] {
        let said = |error: Error, at: usize| {
            assert_eq!((error.code(), error.statement()), (Some(code), Some(at)), "{error}");
            assert!(error.to_string().contains(&format!("STATEMENT: {} of ", at + 1)), "{error}");
        };
        for _ in 0..2 {
            said(acme.pipeline((execute(INSERT, &[]), execute(bad, &[]), execute(touch, &[]))).await.unwrap_err(), 1);
            said(acme.pipeline((query(bad, &[]), query(touch, &[]))).await.unwrap_err(), 0);
            let mut tx = acme.begin().await.unwrap();
            tx.execute(INSERT, &[]).await.unwrap();
            said(tx.pipeline((execute(INSERT, &[]), query(touch, &[]), query(bad, &[]))).await.unwrap_err(), 2);
            assert_eq!(tx.commit().await.unwrap_err().code(), Some("25P02"));
        }
    }
    // Only the last one's `touch` stood before the failure, and only where that failed when it ran.
    let touched = fixture.superuser.value("select last_value from touched").await;
    assert_eq!(touched.as_deref(), Some("2"), "statements after the failed one ran");
    // Alone, its error is that of a call.
    assert_eq!(acme.pipeline(execute("select 1/0", &[])).await.unwrap_err().statement(), None);
    // Entering failed: no statement did.
    let error = pool.tenant("nobody").pipeline((execute(INSERT, &[]), execute(touch, &[]))).await.unwrap_err();
    assert!(error.is_unknown_tenant() && error.statement().is_none(), "{error}");
    fixture.nothing_is_left("pipelines that failed").await;
    assert_eq!(fixture.orders("acme").await, 2);
    assert_eq!(pool.status().size, 1);
}

/// The driver encodes each statement as it sends it: one that cannot be must keep those behind it, and the commit.
#[tokio::test]
async fn where_one_cannot_be_sent() {
    let fixture = Fixture::new("p_unsent").await;
    let pool = fixture.pool(1);
    for _ in 0..2 {
        let batch = (execute(INSERT, &[]), execute(NOTE, &[&"no number"]), execute(INSERT, &[]));
        let error = pool.tenant("acme").pipeline(batch).await.unwrap_err();
        assert_eq!((error.code(), error.statement()), (None, Some(1)), "{error}");
        let mut tx = pool.tenant("acme").begin().await.unwrap();
        tx.execute(INSERT, &[]).await.unwrap();
        let batch = (execute(INSERT, &[]), execute(NOTE, &[&1i64, &2i64]));
        assert_eq!(tx.pipeline_then_commit(batch).await.unwrap_err().statement(), Some(1));
    }
    fixture.nothing_is_left("pipelines that were not sent").await;
    assert_eq!(fixture.orders("acme").await, 2);
}

/// What follows it would run outside the transaction, and so without the tenant.
#[tokio::test]
async fn past_the_end_of_its_transaction() {
    let fixture = Fixture::new("p_past").await;
    fixture.superuser.run("create table log (id int); grant all on log to public").await;
    let pool = fixture.pool(1);
    let log = "insert into log values (1)";
    for end in ["rollback", " commit", "-- now\nabort", "begin", "savepoint a", "prepare transaction 'x'"] {
        let batch = (execute("select 1/0", &[]), execute(end, &[]), execute(log, &[]));
        let error = pool.tenant("acme").pipeline(batch).await.unwrap_err();
        assert_eq!((error.code(), error.statement()), (Some("2D000"), Some(1)), "{end}: {error}");
    }
    assert_eq!(fixture.superuser.value("select count(*) from log").await.as_deref(), Some("0"));
    // The hole: the driver's own pipelining sends what follows all the same.
    let client = fixture.db.app().await.into_client();
    let (fail, end, log) = (client.batch_execute("begin; select 1/0"), client.batch_execute("rollback"), log);
    let _ = tokio::join!(fail, end, client.batch_execute(log));
    assert_eq!(fixture.superuser.value("select count(*) from log").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn on_a_dirty_connection() {
    let fixture = Fixture::new("p_dirty").await;
    let pool = fixture.pool(1);
    pool.tenant("acme").execute("set work_mem = '65kB'", &[]).await.unwrap();
    pool.tenant("acme").pipeline((execute(INSERT, &[]), execute(INSERT, &[]))).await.unwrap();
    assert_eq!(fixture.orders("acme").await, 4, "once on a clean connection, and only there");
    // A table that changes under a prepared statement is nothing the caller did.
    fixture.superuser.run("create table notes (a int); grant select on notes to public").await;
    for column in ["b", "c"] {
        pool.tenant("acme").query("select * from notes", &[]).await.unwrap();
        fixture.superuser.run(&format!("alter table notes add {column} int")).await;
        let batch = (execute(INSERT, &[]), query("select * from notes", &[]));
        pool.tenant("acme").pipeline(batch).await.unwrap();
    }
    assert_eq!(fixture.orders("acme").await, 6, "what was flown again was rolled back before");
    assert_eq!(pool.status().size, 1);
}

/// One statement is known to the connection, one is prepared first, which takes another connection: what was known of
/// the first says nothing of that.
#[tokio::test]
async fn on_a_dirty_connection_that_knows_a_part() {
    let fixture = Fixture::new("p_part").await;
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    let pid = "select pg_backend_pid()";
    for new in ["select 1", "select 2"] {
        let before: i32 = acme.query_one(pid, &[]).await.unwrap().get(0);
        acme.execute("set work_mem = '65kB'", &[]).await.unwrap();
        let batch = (query_one(pid, &[]), query_one(new, &[]), query_one(pid, &[]));
        let (first, _, last) = acme.pipeline(batch).await.unwrap();
        assert_ne!(first.get::<_, i32>(0), before, "this test shows nothing");
        assert_eq!(first.get::<_, i32>(0), last.get::<_, i32>(0));
    }
}

/// Types that another connection of the pool remembers are out of date.
#[tokio::test]
async fn with_types_of_yesterday() {
    let fixture = Fixture::new("p_types").await;
    fixture.superuser.run("create table notes (a int); grant all on notes to public").await;
    let pool = fixture.pool(3);
    let insert = "insert into notes values ($1)";
    let mut held = vec![pool.tenant("acme").begin().await.unwrap()];
    held[0].execute(insert, &[&1i32]).await.unwrap();
    held.remove(0).commit().await.unwrap();
    held.push(pool.tenant("acme").begin().await.unwrap()); // the connection that knows it
    fixture.superuser.run("alter table notes alter a type text using a::text").await;
    pool.tenant("acme").execute(insert, &[&"x"]).await.unwrap();
    held.push(pool.tenant("acme").begin().await.unwrap());
    pool.tenant("acme").execute(insert, &[&"x"]).await.unwrap();
    // Of a function there was another then.
    drop(held);
    fixture.superuser.run("create function f(int) returns int return $1").await;
    pool.tenant("acme").execute("select f($1)", &[&1i32]).await.unwrap();
    let held = pool.tenant("acme").begin().await.unwrap();
    fixture.superuser.run("drop function f(int); create function f(text) returns text return $1").await;
    pool.tenant("acme").execute("select f($1)", &[&"x"]).await.unwrap();
    drop(held);
}

/// A dirty connection and a text that does not parse, new to both connections: what is told is the text's error.
#[tokio::test]
async fn on_a_dirty_connection_and_without_sense() {
    let fixture = Fixture::new("p_sense").await;
    let pool = fixture.pool(1);
    for sql in ["no such statement", "select * from nowhere"] {
        for one in [true, false] {
            pool.tenant("acme").execute("set work_mem = '65kB'", &[]).await.unwrap();
            let acme = pool.tenant("acme");
            let error = match one {
                true => acme.execute(sql, &[]).await.unwrap_err(),
                false => acme.pipeline((execute(INSERT, &[]), execute(sql, &[]))).await.unwrap_err(),
            };
            assert!(error.code().is_some_and(|code| code.starts_with("42")), "{sql}: {error}");
        }
    }
    assert_eq!(fixture.orders("acme").await, 2);
}
