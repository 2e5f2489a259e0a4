//! A migration in the middle of a transaction: where the transaction has only read, a later statement whose plan is out
//! of date is sent again in a new one, and nobody notices. Where it has done anything else, the whole is run again or
//! nothing.

use futures_util::TryStreamExt;
use pg_tenant_client::pipeline::query;
use pg_tenant_client::{Error, IsolationLevel, Retry, TenantTx};
use pg_tenant_tests::Route;
use sqlx::AssertSqlSafe;

use super::ROUTE;
use super::fixture::{Fixture, INSERT};

const ALL: &str = "select * from notes";
/// Of another table, so that the migration need not wait.
const SEEN: &str = "select count(*) from orders";

/// A connection has one session, where statements keep their names and so may be stale.
fn names_are_kept() -> bool {
    matches!(ROUTE, Route::Direct | Route::Session)
}

async fn notes(name: &str) -> Fixture {
    let fixture = Fixture::new(name).await;
    fixture.superuser.run("create table notes (a int); grant all on notes to public").await;
    fixture.superuser.run("insert into notes values (1)").await;
    fixture
}

/// A column more, each time.
async fn migrate(fixture: &Fixture, round: usize) {
    fixture.superuser.run(&format!("alter table notes add c{round} int")).await;
}

#[tokio::test]
async fn where_the_transaction_has_only_read() {
    let fixture = notes("l_read").await;
    for shape in 0..5 {
        let pool = fixture.pool(1);
        let acme = pool.tenant("acme");
        for round in 0..3 {
            acme.query(ALL, &[]).await.unwrap();
            let mut tx = acme.begin().await.unwrap();
            let before: String = tx.query_one("select tenant.current_id()", &[]).await.unwrap().get(0);
            assert!(tx.query_one(SEEN, &[]).await.unwrap().get::<_, i64>(0) > 1);
            migrate(&fixture, shape * 3 + round).await;
            let columns = 2 + shape * 3 + round;
            let rows = match shape {
                0 => tx.query(ALL, &[]).await,
                1 => tx.query_stream(ALL, &[]).await.unwrap().try_collect().await,
                2 => tx.pipeline((query(SEEN, &[]), query(ALL, &[]))).await.map(|(_, rows)| rows),
                3 => tx.savepoint(async |tx| tx.query(ALL, &[]).await).await,
                _ => tx.query_stream(SEEN, &[]).await.map(drop).and(tx.query(ALL, &[]).await),
            };
            let rows = rows.unwrap_or_else(|error| panic!("shape {shape}, round {round}: {error}"));
            assert_eq!((rows.len(), rows[0].len()), (1, columns), "shape {shape}, round {round}");
            // It is the tenant's transaction, and it writes once.
            assert_eq!(tx.query_one("select tenant.current_id()", &[]).await.unwrap().get::<_, String>(0), before);
            tx.execute(INSERT, &[]).await.unwrap();
            tx.commit().await.unwrap();
        }
        assert_eq!(pool.status().size, 1);
    }
    assert_eq!(fixture.orders("acme").await, 2 + 15);
    fixture.nothing_is_left("later statements").await;
}

#[tokio::test]
async fn where_the_transaction_has_only_read_over_sqlx() {
    let fixture = notes("l_sqlx").await;
    let pool = fixture.sqlx(1);
    let acme = pool.tenant("acme");
    for round in 0..4 {
        acme.query(sqlx::query(ALL)).await.unwrap();
        let mut tx = acme.begin().await.unwrap();
        sqlx::query(SEEN).fetch_one(&mut tx).await.unwrap();
        migrate(&fixture, round).await;
        let all = match round % 2 {
            0 => sqlx::query(ALL).fetch_all(&mut tx).await.map(|rows| rows.len()),
            _ => sqlx::query(ALL).fetch_optional(&mut tx).await.map(|row| usize::from(row.is_some())),
        };
        match all {
            Ok(rows) => assert_eq!(rows, 1),
            // A pooler may give the new transaction another session, which knows nothing of the one before.
            Err(error) => {
                let error = Error::from(error);
                assert!(ROUTE != Route::Direct && error.is_retryable(), "round {round}: {error}");
                continue;
            }
        }
        sqlx::query(INSERT).execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }
    fixture.nothing_is_left("later statements").await;
}

/// What the transaction has done beside reading would be lost: it fails, once, and says that the whole may be run
/// again.
#[tokio::test]
async fn but_not_where_something_would_be_lost() {
    let fixture = notes("l_lost").await;
    // A read that writes, which no text tells.
    fixture
        .superuser
        .run(
            "create table seen (at timestamptz default now()); grant all on seen to public;
             create function coalesce_(int) returns int language sql as 'insert into seen default values; select $1';
             create view counted as select coalesce_(1) as n",
        )
        .await;
    fixture.superuser.run("grant select on counted to public").await;
    let kinds = [
        INSERT,
        "select n from counted",
        "select tenant.advisory_lock('a')",
        "select set_config('work_mem', '65kB', true)",
        "select * from orders for update",
    ];
    for (at, first) in kinds.into_iter().chain([SEEN]).enumerate() {
        // A pool that has met no migration yet.
        let pool = fixture.pool(1);
        let acme = pool.tenant("acme");
        let repeatable = acme.clone().isolation_level(IsolationLevel::RepeatableRead);
        let handle = if at == kinds.len() { repeatable } else { acme };
        let all = &*format!("{ALL} -- {at}");
        handle.query(all, &[]).await.unwrap();
        let mut tx = handle.begin().await.unwrap();
        tx.query(first, &[]).await.unwrap();
        migrate(&fixture, at).await;
        match tx.query(all, &[]).await {
            Ok(_) => assert!(!names_are_kept(), "{first}: nothing was stale"),
            Err(error) => {
                assert!(error.is_retryable() && !error.outcome_unknown(), "{first}: {error}");
                assert!(tx.query("select 1", &[]).await.is_err(), "{first}: what failed goes on");
            }
        }
        drop(tx);
        fixture.nothing_is_left(first).await;
    }
    assert_eq!(fixture.orders("acme").await, 2);
    assert_eq!(fixture.superuser.value("select count(*) from seen").await.as_deref(), Some("0"));
}

/// A migration of several steps: the first is met, and what follows does not fail a transaction that writes.
#[tokio::test]
async fn nor_twice_in_one_migration() {
    let fixture = notes("l_steps").await;
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    let mut failed = 0;
    for round in 0..6 {
        acme.query(ALL, &[]).await.unwrap();
        let mut tx = acme.begin().await.unwrap();
        tx.execute(INSERT, &[]).await.unwrap();
        migrate(&fixture, round).await;
        match tx.query(ALL, &[]).await {
            Ok(rows) => assert_eq!(rows[0].len(), 2 + round),
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                failed += 1;
                continue;
            }
        }
        tx.commit().await.unwrap();
    }
    assert!(failed <= 1, "{failed} of 6 failed");
    assert_eq!(fixture.orders("acme").await, 2 + 6 - failed);
    fixture.nothing_is_left("steps").await;
}

/// One connection meets the migration, and the pool's others do not: over sqlx too.
#[tokio::test]
async fn nor_on_each_connection_over_sqlx() {
    if !names_are_kept() {
        return; // a pooler's sessions are shared, and each is cleared by the first that meets the change there
    }
    let fixture = notes("l_each").await;
    let pool = fixture.sqlx(3);
    let acme = pool.tenant("acme");
    let (mut failed, mut written) = (0, 0);
    for round in 0..3 {
        let mut open = Vec::new();
        for _ in 0..3 {
            let mut tx = acme.begin().await.unwrap();
            sqlx::query(INSERT).execute(&mut tx).await.unwrap();
            sqlx::query(ALL).fetch_all(&mut tx).await.unwrap();
            open.push(tx);
        }
        for tx in open {
            tx.commit().await.unwrap();
            written += 1;
        }
        migrate(&fixture, round).await;
        for _ in 0..6 {
            let mut tx = acme.begin().await.unwrap();
            sqlx::query(INSERT).execute(&mut tx).await.unwrap();
            match sqlx::query(ALL).fetch_all(&mut tx).await {
                Ok(_) => {
                    tx.commit().await.unwrap();
                    written += 1;
                }
                Err(error) => {
                    assert!(Error::from(error).is_retryable());
                    failed += 1;
                }
            }
        }
    }
    assert!(failed <= 3, "{failed} failed, in three migrations");
    assert_eq!(fixture.orders("acme").await, 2 + written);
    fixture.nothing_is_left("each connection").await;
}

/// Whatever is healed and whatever is run again, what was committed is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_writes_are_neither_lost_nor_doubled() {
    let fixture = notes("l_once").await;
    let (pool, over_sqlx) = (fixture.pool(3), fixture.sqlx(2));
    // Behind a pooler each migration may make another session's statements stale: five attempts may meet five.
    let patient = Retry::default().attempts(25);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4 {
        let (pool, over_sqlx) = (pool.clone(), over_sqlx.clone());
        tasks.spawn(async move {
            for n in 0..40i64 {
                let total = task * 1000 + n + 5000;
                let work = async |tx: &mut TenantTx| {
                    if n % 2 == 0 {
                        tx.query(SEEN, &[]).await?;
                        tx.query(ALL, &[]).await?;
                    }
                    tx.execute("insert into orders (total) values ($1)", &[&total]).await?;
                    tx.query(ALL, &[]).await.map(drop)
                };
                let over = async |tx: &mut pg_tenant_client::sqlx::TenantTx| {
                    sqlx::query(SEEN).fetch_one(&mut *tx).await?;
                    sqlx::query(ALL).fetch_all(&mut *tx).await?;
                    let insert = sqlx::query("insert into orders (total) values ($1)").bind(total);
                    insert.execute(&mut *tx).await?;
                    sqlx::query(AssertSqlSafe(ALL.to_owned())).fetch_all(&mut *tx).await?;
                    Ok(())
                };
                match task {
                    0 | 1 => pool.tenant("acme").retry(patient).run(work).await?,
                    _ => over_sqlx.tenant("acme").retry(patient).transaction(over).await?,
                }
            }
            Ok::<(), Error>(())
        });
    }
    for round in 0..20 {
        migrate(&fixture, round).await;
        tokio::time::sleep(std::time::Duration::from_millis(15)).await;
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap_or_else(|error| panic!("a transaction failed: {error}"));
    }
    let counted = "select count(*) || ' ' || count(distinct total) from orders where total >= 5000";
    assert_eq!(fixture.superuser.value(counted).await.as_deref(), Some("160 160"));
    fixture.nothing_is_left("writes").await;
}
