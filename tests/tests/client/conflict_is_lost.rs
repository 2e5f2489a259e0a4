//! `retry` runs a transaction again that failed by a conflict, not for ever, and never one that may have been
//! committed.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use pg_tenant_client::{Error, IsolationLevel, Retry, TenantPool, TenantTx};
use sqlx::Executor;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::fixture::{Fixture, PATIENCE};

const READ: &str = "select total from orders where id = 1";
const WRITE: &str = "update orders set total = $1 where id = 1";

/// Many times, and with pauses too short to matter to the test.
fn patient() -> Retry {
    Retry::default().attempts(1000).pause(Duration::from_millis(1)).max_pause(Duration::from_millis(20))
}

/// What a handler does: reads, thinks, writes what it thought.
async fn add_ten(tx: &mut TenantTx) -> Result<(), Error> {
    let total: i64 = tx.query_one(READ, &[]).await?.get(0);
    tx.execute(WRITE, &[&(total + 10)]).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_serializable_transactions() {
    let fixture = Fixture::new("r_serial").await;
    let pool = fixture.pool(8);
    let serializable = |pool: &TenantPool| pool.tenant("acme").isolation_level(IsolationLevel::Serializable);

    // The hole: two that have read the same, and one of them is told to run again.
    let mut both = [serializable(&pool).begin().await.unwrap(), serializable(&pool).begin().await.unwrap()];
    for tx in &mut both {
        tx.query_one(READ, &[]).await.unwrap();
    }
    let [mut one, mut two] = both;
    add_ten(&mut one).await.unwrap();
    one.commit().await.unwrap();
    assert!(add_ten(&mut two).await.unwrap_err().is_retryable());
    drop(two);

    // From tasks of their own, as in an application; the first two meet, so that there is something to run again.
    let (attempts, meet) = (AtomicU32::new(0), Barrier::new(2));
    let shared = std::sync::Arc::new((attempts, meet));
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let (pool, shared) = (pool.clone(), shared.clone());
        tasks.spawn(async move {
            let (attempts, meet) = &*shared;
            let work = async |tx: &mut TenantTx| {
                let first = attempts.fetch_add(1, SeqCst) < 2;
                tx.query_one(READ, &[]).await?;
                if first {
                    meet.wait().await;
                }
                add_ten(tx).await
            };
            serializable(&pool).retry(patient()).run(work).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    assert!(shared.0.load(SeqCst) > 16, "nothing was run again");
    let total = pool.tenant("acme").query_one(READ, &[]).await.unwrap();
    assert_eq!(total.get::<_, i64>(0), 1 + 10 + 160, "each took effect once");

    let sqlx = fixture.sqlx(4);
    let (attempts, meet) = (AtomicU32::new(0), Barrier::new(2));
    let add = async |n: i64| {
        let serializable = sqlx.tenant("acme").isolation_level(IsolationLevel::Serializable);
        let work = async |tx: &mut pg_tenant_client::sqlx::TenantTx| {
            let first = attempts.fetch_add(1, SeqCst) < 2;
            let total: i64 = sqlx::query_scalar(READ).fetch_one(&mut *tx).await?;
            if first {
                meet.wait().await;
            }
            sqlx::query(WRITE).bind(total + n).execute(&mut *tx).await?;
            Ok::<_, Error>(())
        };
        serializable.retry(patient()).run(work).await
    };
    let (one, two, three) = tokio::join!(add(100), add(100), add(100));
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert!(attempts.load(SeqCst) > 3, "nothing was run again");
    let total = pool.tenant("acme").query_one(READ, &[]).await.unwrap();
    assert_eq!(total.get::<_, i64>(0), 171 + 300);
    fixture.nothing_is_left("conflicts").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_deadlock() {
    let fixture = Fixture::new("r_dead").await;
    let app = &fixture.db.roles.app;
    fixture.superuser.run(&format!("alter role {app} set deadlock_timeout = '20ms'")).await;
    let pool = fixture.pool(2);
    let (attempts, meet) = (AtomicU32::new(0), Barrier::new(2));
    let lock = "update orders set total = total + 10 where id = $1";
    let both = async |first: i64, second: i64| {
        let acme = pool.tenant("acme");
        let work = async |tx: &mut TenantTx| {
            let meets = attempts.fetch_add(1, SeqCst) < 2;
            tx.execute(lock, &[&first]).await?;
            if meets {
                meet.wait().await;
            }
            tx.execute(lock, &[&second]).await.map(drop)
        };
        acme.retry(patient()).run(work).await
    };
    let (one, two) = tokio::join!(both(1, 2), both(2, 1));
    assert!(one.is_ok() && two.is_ok(), "{one:?}, {two:?}");
    // More than once where the one that was run again was faster than the one that had waited.
    assert!(attempts.load(SeqCst) > 2, "neither was run again");
    let rows = pool.tenant("acme").query("select total from orders order by id", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>(), [21, 22]);
}

/// An error of the application's own goes through, whatever it is.
#[derive(Debug)]
enum Handler {
    Database(Error),
    Refused,
}

impl From<Error> for Handler {
    fn from(error: Error) -> Handler {
        Handler::Database(error)
    }
}

#[tokio::test]
async fn more_often_than_it_may_be() {
    let fixture = Fixture::new("r_bound").await;
    let db = &fixture.superuser;
    for (name, code) in [("conflict", "40001"), ("deadlock", "40P01"), ("other", "40002")] {
        let raise = format!("raise sqlstate '{code}'");
        db.run(&format!("create function {name}() returns int language plpgsql as $$ begin {raise}; end $$")).await;
    }
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    let quick = patient().attempts(3);
    for (sql, expected) in [("select conflict()", 3), ("select deadlock()", 3), ("select other()", 1)] {
        let attempts = AtomicU32::new(0);
        let work = async |tx: &mut TenantTx| {
            attempts.fetch_add(1, SeqCst);
            Ok::<_, Handler>(tx.query(sql, &[]).await?)
        };
        let error = pool.tenant("acme").retry(quick).run(work).await.unwrap_err();
        assert!(matches!(error, Handler::Database(error) if error.is_retryable() == (expected == 3)));
        assert_eq!(attempts.swap(0, SeqCst), expected, "{sql}");

        // The closure's own error, from a transaction that had lost; and one that says Ok although it had.
        let work = async |tx: &mut TenantTx| {
            attempts.fetch_add(1, SeqCst);
            tx.query(sql, &[]).await.map_err(|_| Handler::Refused).map(drop)
        };
        assert!(matches!(pool.tenant("acme").retry(quick).run(work).await, Err(Handler::Refused)));
        assert_eq!(attempts.swap(0, SeqCst), expected, "{sql}, hidden");
        let work = async |tx: &mut TenantTx| {
            attempts.fetch_add(1, SeqCst);
            let _ = tx.pipeline(pg_tenant_client::pipeline::query(sql, &[])).await;
            Ok::<_, Error>(())
        };
        assert_eq!(pool.tenant("acme").retry(quick).run(work).await.unwrap_err().code(), Some("25P02"));
        assert_eq!(attempts.swap(0, SeqCst), expected, "{sql}, passed over");

        let work = async |tx: &mut pg_tenant_client::sqlx::TenantTx| {
            attempts.fetch_add(1, SeqCst);
            tx.execute(sql).await.map_err(|_| Handler::Refused).map(drop)
        };
        assert!(matches!(sqlx.tenant("acme").retry(quick).run(work).await, Err(Handler::Refused)));
        assert_eq!(attempts.swap(0, SeqCst), expected, "{sql}, over sqlx");
    }
    let attempts = AtomicU32::new(0);
    let work = async |_: &mut TenantTx| {
        attempts.fetch_add(1, SeqCst);
        Err::<(), _>(Handler::Refused)
    };
    assert!(matches!(pool.tenant("acme").retry(quick).run(work).await, Err(Handler::Refused)));
    assert_eq!(attempts.load(SeqCst), 1, "nothing was lost");
    fixture.nothing_is_left("attempts").await;
}

/// A commit whose answer did not come may have happened.
#[tokio::test]
async fn after_a_commit_that_may_have_happened() {
    let fixture = Fixture::new("r_unknown").await;
    fixture
        .superuser
        .run(
            "create function lingers() returns trigger language plpgsql as $$ begin
                 perform pg_sleep(60); return null; end $$;
             create constraint trigger lingers after insert on orders deferrable initially deferred
                 for each row execute function lingers()",
        )
        .await;
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    // Ends the session that is in the middle of its commit.
    let app = &fixture.db.roles.app;
    let commits = "state = 'active' and wait_event = 'PgSleep' and query like '%commit'";
    let end = format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{app}' and {commits}");
    let ended = async || while fixture.superuser.rows(&end).await.is_empty() {};
    let attempts = AtomicU32::new(0);
    let work = async |tx: &mut TenantTx| {
        attempts.fetch_add(1, SeqCst);
        tx.execute("insert into orders (total) values (99)", &[]).await
    };
    let acme = pool.tenant("acme").retry(patient());
    let (outcome, ()) = tokio::join!(acme.run(work), ended());
    assert!(outcome.as_ref().is_err_and(|error| error.is_closed()), "{outcome:?}");
    let work = async |tx: &mut pg_tenant_client::sqlx::TenantTx| {
        attempts.fetch_add(1, SeqCst);
        Ok::<_, Error>(tx.execute("insert into orders (total) values (99)").await?)
    };
    let acme = sqlx.tenant("acme").retry(patient());
    let (outcome, ()) = tokio::join!(acme.run(work), ended());
    assert!(outcome.as_ref().is_err_and(|error| error.is_closed()), "{outcome:?}");
    assert_eq!(attempts.load(SeqCst), 2, "neither was run again");
}

/// A pause holds no connection, and dropping it leaves nothing.
#[tokio::test]
async fn while_it_pauses() {
    let fixture = Fixture::new("r_pause").await;
    let raise = "raise sqlstate '40001'";
    fixture
        .superuser
        .run(&format!("create function conflict() returns int language plpgsql as $$ begin {raise}; end $$"))
        .await;
    let pool = fixture.pool(1);
    let attempts = AtomicU32::new(0);
    let work = async |tx: &mut TenantTx| {
        attempts.fetch_add(1, SeqCst);
        tx.query("select conflict()", &[]).await
    };
    let long = Retry::default().attempts(u32::MAX).pause(Duration::from_secs(600)).max_pause(Duration::from_secs(900));
    let acme = pool.tenant("acme");
    let retrying = acme.retry(long);
    let mut pausing = Box::pin(retrying.run(work));
    let gave_back = async {
        while attempts.load(SeqCst) == 0 || pool.status().available == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        done = &mut pausing => panic!("it did not pause: {done:?}"),
        gave_back = timeout(PATIENCE, gave_back) => gave_back.expect("a pause that holds no connection"),
    }
    assert_eq!(attempts.load(SeqCst), 1);
    pool.tenant("acme").query("select 1", &[]).await.unwrap();
    fixture.nothing_is_left("a pause").await;
}
