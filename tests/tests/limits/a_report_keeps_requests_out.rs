//! Work in the system context does not delay requests that look up their tenant.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use pg_tenant_client::danger;
use pg_tenant_client::directory::Directory;
use pg_tenant_client::sqlx::danger as sqlx_danger;
use tokio::time::timeout;

use crate::fixture::{Fixture, PATIENCE};

async fn waits<F: Future>(mut call: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await
}

#[tokio::test]
async fn over_tokio_postgres() {
    let fixture = Fixture::new("l_report").await;
    let pool = fixture.operators(2);
    let directory = Directory::new(pool.clone());
    let report = danger::system(&pool, "report").begin().await.unwrap();
    let held = pool.tenant("acme").begin().await.unwrap();
    let (acme, globex) = ("acme".parse().unwrap(), pool.tenant("globex"));
    let (mut lookup, mut behind) = (pin!(directory.by_id(&acme)), pin!(globex.begin()));
    assert!(waits(lookup.as_mut()).await && waits(behind.as_mut()).await);
    drop(held);
    let found = timeout(PATIENCE, lookup).await.expect("it came first, and no other lookup has a connection");
    assert!(found.unwrap().is_some());
    behind.await.unwrap();
    drop(report);
}

#[tokio::test]
async fn over_sqlx() {
    let fixture = Fixture::new("l_report_sqlx").await;
    let pool = fixture.sqlx_operators(2);
    let directory = Directory::new(pool.clone());
    let report = sqlx_danger::system(&pool, "report").begin().await.unwrap();
    let held = pool.tenant("acme").begin().await.unwrap();
    let (acme, globex) = ("acme".parse().unwrap(), pool.tenant("globex"));
    let (mut lookup, mut behind) = (pin!(directory.by_id(&acme)), pin!(globex.begin()));
    assert!(waits(lookup.as_mut()).await && waits(behind.as_mut()).await);
    held.commit().await.unwrap();
    let found = timeout(PATIENCE, lookup).await.expect("it came first, and no other lookup has a connection");
    assert!(found.unwrap().is_some());
    behind.await.unwrap();
    drop(report);
}
