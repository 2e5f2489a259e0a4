//! An error says whether the call was executed, and whether it may have been committed.
//!
//! Not through PgBouncer: what a server says as it ends a session comes from PgBouncer, in its own words.

use std::time::{Duration, Instant};

use pg_tenant_client::pipeline::execute;
use pg_tenant_client::{Error, TenantPool};

use super::farewell::farewell;
use super::fixture::{Fixture, INSERT, PATIENCE};

/// Certain that nothing was executed.
fn not_executed(error: &Error) -> bool {
    error.was_not_executed() && !error.outcome_unknown()
}

#[tokio::test]
async fn a_server_that_is_not_there_executes_nothing() {
    let config = "host=127.0.0.1 port=1 user=app dbname=shop connect_timeout=1";
    let pool = TenantPool::builder(config.parse().unwrap()).wait_timeout(Duration::from_millis(200)).build().unwrap();
    let error = pool.tenant("acme").execute(INSERT, &[]).await.unwrap_err();
    assert!(not_executed(&error), "{error:?}");
    let options = sqlx::postgres::PgPoolOptions::new().acquire_timeout(Duration::from_millis(200));
    let sqlx = pg_tenant_client::sqlx::TenantPool::new(options, "postgres://app@127.0.0.1:1/shop".parse().unwrap());
    let error = sqlx.tenant("acme").execute(INSERT).await.unwrap_err();
    assert!(not_executed(&error), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_leaves_at_the_beginning_executes_nothing() {
    let fixture = Fixture::new("farewell").await;
    for code in ["57P01", "57P03"] {
        // One such answer is nobody's error: nothing was executed, so another connection is taken.
        let port = farewell(fixture.port(), code, 1).await;
        let pool = fixture.pool_of(fixture.config_at(port, &fixture.db.roles.app), 2);
        pool.tenant("acme").execute(INSERT, &[]).await.unwrap();
        let sqlx = fixture.sqlx_at(farewell(fixture.port(), code, 1).await, &fixture.db.roles.app, 2);
        sqlx.tenant("acme").execute(INSERT).await.unwrap();
        assert_eq!(fixture.orders("acme").await, 4);

        let port = farewell(fixture.port(), code, usize::MAX).await;
        let pool = fixture.pool_of(fixture.config_at(port, &fixture.db.roles.app), 2);
        let sqlx = fixture.sqlx_at(port, &fixture.db.roles.app, 2);
        let acme = pool.tenant("acme");
        for error in [
            acme.execute(INSERT, &[]).await.unwrap_err(),
            acme.query("select 1", &[]).await.unwrap_err(),
            acme.pipeline((execute(INSERT, &[]), execute(INSERT, &[]))).await.unwrap_err(),
            acme.run(async |tx| tx.execute(INSERT, &[]).await).await.unwrap_err(),
            sqlx.tenant("acme").execute(INSERT).await.unwrap_err(),
        ] {
            assert!(not_executed(&error) && error.is_closed() && error.code() == Some(code), "{error:?}");
        }
        assert_eq!(fixture.orders("acme").await, 4);
        fixture.superuser.run("delete from orders where total > 2").await;
    }
}

#[tokio::test]
async fn a_session_that_was_ended_between_two_statements_executes_no_more() {
    let fixture = Fixture::new("ended").await;
    let pool = fixture.pool(1);
    let superuser = fixture.superuser.value("select current_user").await.unwrap();
    let terminate = format!(
        "select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = '{}' and usename = '{}'",
        fixture.db.name, fixture.db.roles.app
    );
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    tx.execute(INSERT, &[]).await.unwrap();
    fixture.db.psql(&superuser, &terminate).expect("sessions are ended");
    tokio::time::sleep(Duration::from_millis(1)).await; // what has arrived is read
    let error = tx.execute_then_commit(INSERT, &[]).await.unwrap_err();
    assert!(error.is_closed() && error.code() == Some("57P01") && not_executed(&error), "{error:?}");
    assert_eq!(fixture.orders("acme").await, 2);
}

/// The call that finds the connection closed says why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_was_idle_for_too_long_says_so() {
    let fixture = Fixture::new("idle_tx").await;
    let app = &fixture.db.roles.app;
    fixture.superuser.run(&format!("alter role {app} set idle_in_transaction_session_timeout = '20ms'")).await;
    let (pool, sqlx) = (fixture.pool(4), fixture.sqlx(2));
    let acme = pool.tenant("acme");
    let mut transactions = Vec::new();
    for _ in 0..4 {
        let mut tx = acme.begin().await.unwrap();
        tx.execute(INSERT, &[]).await.unwrap();
        transactions.push(tx);
    }
    let mut over_sqlx = sqlx.tenant("acme").begin().await.unwrap();
    let also = sqlx.tenant("acme").begin().await.unwrap();
    let since = Instant::now();
    let open =
        format!("select count(*) from pg_stat_activity where usename = '{app}' and datname = current_database()");
    while fixture.superuser.value(&open).await.as_deref() != Some("0") {
        assert!(since.elapsed() < PATIENCE, "idle transactions go on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let [mut a, mut b, c, d] = <[_; 4]>::try_from(transactions).unwrap();
    let with_commit = also.rollback();
    for (case, error) in [
        ("statement", a.query("select 1", &[]).await.unwrap_err()),
        ("pipeline", b.pipeline([execute(INSERT, &[])]).await.unwrap_err()),
        ("with commit", c.execute_then_commit(INSERT, &[]).await.unwrap_err()),
        ("commit", d.commit().await.unwrap_err()),
        ("sqlx", sqlx::query("select 1").execute(&mut over_sqlx).await.unwrap_err().into()),
        ("sqlx, rollback", with_commit.await.unwrap_err()),
    ] {
        assert!(error.is_closed() && error.code() == Some("25P03"), "{case}: {error:?}");
        assert!(not_executed(&error) && error.hint().is_some(), "{case}: {error:?}");
    }
    assert_eq!(fixture.orders("acme").await, 2);
}

#[tokio::test]
async fn a_refusal_of_the_server_is_known() {
    let fixture = Fixture::new("known").await;
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    let unknown = pool.tenant("nobody").execute(INSERT, &[]).await.unwrap_err();
    assert!(not_executed(&unknown), "{unknown:?}");
    assert!(not_executed(&sqlx.tenant("nobody").execute(INSERT).await.unwrap_err()));
    let twice = "insert into orders (total) values (1)";
    for error in [
        pool.tenant("acme").execute(twice, &[]).await.unwrap_err(),
        sqlx.tenant("acme").execute(twice).await.unwrap_err(),
    ] {
        assert!(!error.was_not_executed() && !error.outcome_unknown(), "it failed as it was committed: {error:?}");
    }
    // A text that commits by itself is not vouched for.
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    let error = tx.batch_execute(&format!("{INSERT}; commit; select 1/0")).await.unwrap_err();
    assert!(error.outcome_unknown(), "{error:?}");
    drop(tx);
    assert_eq!(fixture.orders("acme").await, 3);
}
