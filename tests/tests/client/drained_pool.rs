//! A pool that is drained refuses new calls and waits for the running ones.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use std::time::{Duration, Instant};

use super::fixture::{Fixture, INSERT, PATIENCE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_for_open_transactions() {
    let fixture = Fixture::new("drain").await;
    let pool = fixture.pool(2);
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    tx.execute(INSERT, &[]).await.unwrap();
    let draining = pool.clone();
    let mut drained = pin!(draining.drain());
    assert!(poll_fn(|cx| Poll::Ready(drained.as_mut().poll(cx).is_pending())).await);
    let refused = pool.tenant("acme").execute(INSERT, &[]).await.unwrap_err();
    assert!(refused.is_closed() && refused.was_not_executed(), "{refused:?}");
    tx.execute(INSERT, &[]).await.unwrap();
    assert!(poll_fn(|cx| Poll::Ready(drained.as_mut().poll(cx).is_pending())).await);
    tx.commit().await.unwrap();
    drained.await;
    assert_eq!(fixture.orders("acme").await, 4);
    // Drained, it is drained.
    pool.drain().await;
    let since = Instant::now();
    let sessions = format!("select count(*) from pg_stat_activity where usename = '{}'", fixture.db.roles.app);
    while fixture.superuser.value(&sessions).await.as_deref() != Some("0") {
        assert!(since.elapsed() < PATIENCE, "connections stay open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What was dropped half-way is stopped on the server before it returns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_for_what_was_dropped() {
    let fixture = Fixture::new("drain_drop").await;
    let pool = fixture.pool(2);
    let acme = pool.tenant("acme");
    acme.query("select pg_sleep(0)", &[]).await.unwrap();
    let dropped = tokio::time::timeout(Duration::from_millis(50), acme.query("select pg_sleep(600)", &[]));
    assert!(dropped.await.is_err());
    pool.drain().await;
    let sleeps = "select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'
        and datname = current_database()";
    assert_eq!(fixture.superuser.value(sleeps).await.as_deref(), Some("0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sqlx_closing_waits() {
    let fixture = Fixture::new("drain_sqlx").await;
    let sqlx = fixture.sqlx(2);
    let tx = sqlx.tenant("acme").begin().await.unwrap();
    let closing = sqlx.clone();
    let mut closed = pin!(closing.close());
    assert!(poll_fn(|cx| Poll::Ready(closed.as_mut().poll(cx).is_pending())).await);
    assert!(sqlx.tenant("acme").execute(INSERT).await.unwrap_err().is_closed());
    tx.commit().await.unwrap();
    closed.await;
}
