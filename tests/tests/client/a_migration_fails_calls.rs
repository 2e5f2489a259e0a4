//! A migration in the middle of live traffic: plans that were prepared before it fail, once or for ever.
//!
//! PostgreSQL refuses a prepared statement that returns other columns than before (`0A000`), and parses it again with
//! the types that its parameters had. Neither is anything the caller did.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use futures_util::TryStreamExt;
use pg_tenant_client::pipeline::{execute, query};
use pg_tenant_client::tokio_postgres::types::ToSql;
use pg_tenant_client::{Error, Retry, TenantPool, TenantTx};
use pg_tenant_tests::{Route, Session};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::ROUTE;
use super::fixture::{Fixture, INSERT};

/// A connection has one session, where statements keep their names and so may be stale.
fn names_are_kept() -> bool {
    matches!(ROUTE, Route::Direct | Route::Session)
}

const ALL: &str = "select * from notes";
const ONE: &str = "select * from notes where a = $1";
const NEW: &str = "insert into notes (a) values ($1)";
/// The same with a parameter that stays a text.
const AS_TEXT: &str = "select * from notes where a::text = $1";
const OF_TEXT: &str = "insert into notes (a) values ($1::text::int)";

/// What a migration does to `notes`, and whether a kept statement fails of it.
const MIGRATIONS: [&str; 6] = [
    "alter table notes add b int",
    "alter table notes alter a type text",
    "alter table notes add c text; alter table notes drop b",
    "drop table notes; create table notes (a text, z timestamptz default now()); grant all on notes to public",
    "alter table notes alter a type int using a::int; alter table notes rename z to y",
    "drop table notes; create table notes (y int, a bigint); grant all on notes to public",
];

async fn notes(name: &str) -> Fixture {
    let fixture = Fixture::new(name).await;
    fixture.superuser.run("create table notes (a int); grant all on notes to public").await;
    fixture
}

/// Puts back what the migrations begin with.
async fn afresh(superuser: &Session) {
    superuser.run("drop table notes; create table notes (a int); grant all on notes to public").await;
}

/// The hole: what the bare drivers do. The statement fails for as long as it is kept.
#[tokio::test]
async fn with_the_bare_drivers() {
    let fixture = notes("m_bare").await;
    let bare = fixture.db.app().await.into_client();
    let kept = [bare.prepare(ALL).await.unwrap(), bare.prepare(ONE).await.unwrap()];
    let url = format!("postgres://{}@127.0.0.1:{}/{}", fixture.db.roles.app, fixture.port(), fixture.db.name);
    let mut sqlx = PgConnection::connect(&url).await.unwrap();
    sqlx::query(ALL).fetch_all(&mut sqlx).await.unwrap();
    fixture.superuser.run(MIGRATIONS[0]).await;
    for _ in 0..2 {
        let error = Error::from(bare.query(&kept[0], &[]).await.unwrap_err());
        assert_eq!(error.code(), Some("0A000"), "{error}");
        let error = Error::from(sqlx::query(ALL).fetch_all(&mut sqlx).await.unwrap_err());
        assert_eq!(error.code(), Some("0A000"), "{error}");
    }
    fixture.superuser.run(MIGRATIONS[1]).await;
    for _ in 0..2 {
        let error = Error::from(bare.query(&kept[1], &[&1i32]).await.unwrap_err());
        assert_eq!(error.code(), Some("42883"), "text = integer: {error}");
    }
}

/// A parameter of the type that `a` has by now.
async fn has_text(superuser: &Session) -> bool {
    let ty = "select atttypid = 'text'::regtype from pg_attribute where attrelid = 'notes'::regclass and attname = 'a'";
    superuser.value(ty).await.as_deref() == Some("t")
}

async fn is_wide(superuser: &Session) -> bool {
    let ty = "select atttypid = 'int8'::regtype from pg_attribute where attrelid = 'notes'::regclass and attname = 'a'";
    superuser.value(ty).await.as_deref() == Some("t")
}

/// Every shape of a call whose statement is the first: no migration fails any of them.
#[tokio::test]
async fn of_a_first_statement() {
    let fixture = notes("m_first").await;
    for shape in 0..6 {
        let pool = fixture.pool(1);
        let acme = pool.tenant("acme");
        afresh(&fixture.superuser).await;
        for migration in [""].into_iter().chain(MIGRATIONS) {
            fixture.superuser.run(migration).await;
            let (text, wide) = (has_text(&fixture.superuser).await, is_wide(&fixture.superuser).await);
            let value: &(dyn ToSql + Sync) = match (text, wide) {
                (true, _) => &"1",
                (_, true) => &1i64,
                _ => &1i32,
            };
            let done: Result<(), Error> = async {
                match shape {
                    0 => drop(acme.query(ALL, &[]).await?),
                    1 => drop(acme.query(ONE, &[value]).await?),
                    2 => drop(acme.execute(NEW, &[value]).await?),
                    3 => {
                        let mut tx = acme.begin().await?;
                        tx.query(ALL, &[]).await?;
                        if names_are_kept() {
                            tx.query(ONE, &[value]).await?; // prepared before as well, and as stale
                        }
                        tx.query(AS_TEXT, &[&"1"]).await?;
                        tx.execute(OF_TEXT, &[&"1"]).await?;
                        tx.commit().await?;
                    }
                    4 => {
                        let mut tx = acme.begin().await?;
                        let rows: Vec<_> = tx.query_stream(ALL, &[]).await?.try_collect().await?;
                        drop(rows);
                        tx.savepoint(async |tx| tx.query(AS_TEXT, &[&"1"]).await).await?;
                        tx.commit().await?;
                    }
                    _ => {
                        let text: [&(dyn ToSql + Sync); 1] = [&"1"];
                        let batch =
                            (execute(INSERT, &[]), query(ALL, &[]), query(AS_TEXT, &text), execute(OF_TEXT, &text));
                        drop(acme.pipeline(batch).await?);
                    }
                }
                Ok(())
            }
            .await;
            done.unwrap_or_else(|error| panic!("shape {shape} after {migration:?}: {error}"));
        }
        assert_eq!(pool.status().size, 1);
    }
    assert_eq!(fixture.orders("acme").await, 2 + 7, "what was sent again was rolled back before");
    fixture.nothing_is_left("migrations").await;
}

#[tokio::test]
async fn of_a_first_statement_over_sqlx() {
    let fixture = notes("m_sqlx").await;
    let pool = fixture.sqlx(1);
    let acme = pool.tenant("acme");
    for shape in 0..5 {
        afresh(&fixture.superuser).await;
        for migration in [""].into_iter().chain(MIGRATIONS) {
            fixture.superuser.run(migration).await;
            let with = |sql: &'static str| sqlx::query(sql).bind("1");
            let done: Result<(), Error> = async {
                match shape {
                    0 => drop(acme.query(sqlx::query(ALL)).await?),
                    1 => drop(acme.query_opt(with(AS_TEXT)).await?),
                    2 => {
                        acme.execute(with(OF_TEXT)).await?;
                    }
                    3 => {
                        let mut tx = acme.begin().await?;
                        sqlx::query("select * from notes order by a").fetch_all(&mut tx).await?;
                        // All that the connection had prepared was taken away with the first.
                        with("select * from notes where a::text = $1 limit 1").fetch_optional(&mut tx).await?;
                        with("insert into notes (a) values ($1::text::int + 1)").execute(&mut tx).await?;
                        tx.commit().await?;
                    }
                    _ => drop(acme.query_one(sqlx::query("select count(notes) from notes")).await?),
                }
                Ok(())
            }
            .await;
            done.unwrap_or_else(|error| panic!("shape {shape} after {migration:?}: {error}"));
        }
    }
    fixture.nothing_is_left("migrations").await;
    assert_eq!(pool.size(), 1);
}

/// A later statement fails where the transaction has written. But once only, and `retry` runs it again.
#[tokio::test]
async fn of_a_later_statement() {
    let fixture = notes("m_later").await;
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    let (acme, over_sqlx) = (pool.tenant("acme"), sqlx.tenant("acme"));
    for (at, migration) in MIGRATIONS.into_iter().enumerate() {
        // A text that changes again and again is prepared each time, and then it does not fail.
        let all = &*format!("{ALL} -- {at}");
        let over = || sqlx::query(AssertSqlSafe(all.to_owned()));
        acme.query(all, &[]).await.unwrap();
        over_sqlx.query(over()).await.unwrap();
        let mut tx = acme.begin().await.unwrap();
        tx.execute(INSERT, &[]).await.unwrap();
        let mut by_sqlx = over_sqlx.begin().await.unwrap();
        sqlx::query(INSERT).execute(&mut by_sqlx).await.unwrap();
        fixture.superuser.run(migration).await;
        let stale = tx.query(all, &[]).await.map(drop);
        let over_sqlx_too = over().fetch_all(&mut by_sqlx).await.map(drop).map_err(Error::from);
        for (which, answer) in [stale, over_sqlx_too].into_iter().enumerate() {
            match answer {
                // For a while after the first, a pool over tokio-postgres sends such statements without a name.
                Ok(()) => assert!(!names_are_kept() || at > 0 && which == 0, "after {migration}: nothing was stale"),
                Err(error) => {
                    assert!(error.is_retryable() && error.code() == Some("0A000"), "after {migration}: {error}");
                    assert!(error.hint().is_some(), "{error}");
                }
            }
        }
        drop((tx, by_sqlx));
        // The next gets neither of the two back as it was.
        let mut tx = acme.begin().await.unwrap();
        tx.execute(INSERT, &[]).await.unwrap();
        tx.query(all, &[]).await.unwrap();
        let mut by_sqlx = over_sqlx.begin().await.unwrap();
        sqlx::query(INSERT).execute(&mut by_sqlx).await.unwrap();
        over().fetch_all(&mut by_sqlx).await.unwrap();
    }
    fixture.nothing_is_left("migrations").await;
    assert_eq!(fixture.orders("acme").await, 2);
}

#[tokio::test]
async fn of_a_transaction_that_may_be_retried() {
    let fixture = notes("m_retry").await;
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    pool.tenant("acme").query(ALL, &[]).await.unwrap();
    sqlx.tenant("acme").query(sqlx::query(ALL)).await.unwrap();
    let (fixture, migrations, done) = (&fixture, AtomicUsize::new(0), AtomicUsize::new(0));
    let migrate = async || {
        // In the middle of the first attempt.
        if migrations.fetch_add(1, SeqCst) == 0 {
            fixture.superuser.run(&format!("alter table notes add d{} int", done.fetch_add(1, SeqCst))).await;
        }
    };
    let work = async |tx: &mut TenantTx| {
        tx.execute(INSERT, &[]).await?;
        migrate().await;
        Ok::<_, Error>(tx.query(ALL, &[]).await?.len())
    };
    pool.tenant("acme").retry(Retry::default()).run(work).await.unwrap();
    let attempts = migrations.swap(0, SeqCst);
    assert!(attempts > 1 || !names_are_kept(), "there was nothing to run again");
    let work = async |tx: &mut pg_tenant_client::sqlx::TenantTx| {
        sqlx::query(INSERT).execute(&mut *tx).await?;
        migrate().await;
        Ok::<_, Error>(sqlx::query(ALL).fetch_all(&mut *tx).await?.len())
    };
    sqlx.tenant("acme").retry(Retry::default()).run(work).await.unwrap();
    let attempts = migrations.into_inner();
    assert!(attempts > 1 || !names_are_kept(), "there was nothing to run again");
    assert_eq!(fixture.orders("acme").await, 2 + 2, "and took effect once");
}

/// One text means one thing under one `search_path` and another under the next: after a few times it does not fail any
/// more, wherever it stands.
#[tokio::test]
async fn of_a_text_under_two_search_paths() {
    let fixture = notes("m_path").await;
    fixture
        .superuser
        .run(
            "create schema other; create table other.notes (a text, b int); grant usage on schema other to public;
              grant all on other.notes to public",
        )
        .await;
    let pool = fixture.pool(1);
    let mut failed = 0;
    for round in 0..12 {
        let mut tx = pool.tenant("acme").begin().await.unwrap();
        let path = if round % 2 == 0 { "public" } else { "other" };
        tx.batch_execute(&format!("set local search_path = {path}, public")).await.unwrap();
        match tx.query(ALL, &[]).await {
            Ok(_) => tx.commit().await.unwrap(),
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                failed += 1;
            }
        }
    }
    assert!(failed <= 2, "{failed} of 12 failed");
    // As a first statement it never fails: a role's, after it was changed for the sessions that come.
    let app = &fixture.db.roles.app;
    let named = "select a from notes where a::text = $1";
    let pool = fixture.pool(2);
    for path in ["public", "other", "public"] {
        fixture.superuser.run(&format!("alter role {app} set search_path = {path}, public")).await;
        pool.renew();
        pool.tenant("acme").query(named, &[&"1"]).await.unwrap();
        pool.tenant("acme").query(ALL, &[]).await.unwrap();
    }
    fixture.superuser.run(&format!("alter role {app} reset search_path")).await;
}

/// Traffic of both drivers from several tasks, and one migration after another in the middle of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_live_traffic() {
    let fixture = notes("m_live").await;
    let (pool, sqlx) = (fixture.pool(4), fixture.sqlx(3));
    let over = std::sync::Arc::new(AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..6 {
        let (pool, sqlx, over): (TenantPool, _, _) = (pool.clone(), sqlx.clone(), over.clone());
        tasks.spawn(async move {
            let mut calls = 0;
            while !over.load(SeqCst) {
                let acme = pool.tenant("acme");
                match task {
                    0 => drop(acme.query(ALL, &[]).await?),
                    1 => drop(acme.pipeline((query("select 1", &[]), query(ALL, &[]), query(ALL, &[]))).await?),
                    2 => {
                        let work = async |tx: &mut TenantTx| {
                            tx.query("select tenant.current_id()", &[]).await?;
                            tx.query(ALL, &[]).await.map(drop)
                        };
                        acme.retry(Retry::default()).run(work).await?;
                    }
                    3 => {
                        let mut tx = acme.begin().await?;
                        tx.query(ALL, &[]).await?;
                        tx.commit().await?;
                    }
                    4 => drop(sqlx.tenant("acme").query(sqlx::query(ALL)).await?),
                    _ => {
                        let mut tx = sqlx.tenant("acme").begin().await?;
                        sqlx::query(ALL).fetch_optional(&mut tx).await?;
                        tx.commit().await?;
                    }
                }
                calls += 1;
            }
            Ok::<usize, Error>(calls)
        });
    }
    for round in 0..24 {
        let column = format!("c{round}");
        fixture.superuser.run(&format!("alter table notes add {column} int")).await;
        if round % 3 == 2 {
            afresh(&fixture.superuser).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(15)).await;
    }
    over.store(true, SeqCst);
    while let Some(done) = tasks.join_next().await {
        let calls = done.unwrap().unwrap_or_else(|error| panic!("a call failed: {error}"));
        assert!(calls > 0);
    }
    let row = pool.tenant("acme").query_one("select count(*) from notes", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
    let counted = sqlx.tenant("acme").query_one(sqlx::query(AssertSqlSafe("select 1".to_owned()))).await.unwrap();
    assert_eq!(counted.get::<i32, _>(0), 1);
    fixture.nothing_is_left("live traffic").await;
}
