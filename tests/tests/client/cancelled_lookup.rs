//! A dropped look-up of a tenant leaves nothing on its connection, and the others who wait for it get their answer.

use pg_tenant_client::directory::Directory;

use super::sweep::{sweep, sweep_sqlx};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tokio_postgres() {
    sweep("c_lookup", |pool| {
        Box::pin(async {
            let directory = Directory::new(pool.clone());
            assert!(directory.by_slug("nobody").await.unwrap().is_none());
            assert!(directory.by_id(&"acme".parse().unwrap()).await.unwrap().is_some());
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sqlx() {
    sweep_sqlx("s_lookup", |pool| {
        Box::pin(async {
            let directory = Directory::new(pool.clone());
            assert!(directory.by_slug("nobody").await.unwrap().is_none());
            assert!(directory.by_id(&"acme".parse().unwrap()).await.unwrap().is_some());
        })
    })
    .await;
}

/// Of a column that is not declared: refused by the server, as far as it gets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lookup_of_a_value() {
    sweep("c_lookup_value", |pool| {
        Box::pin(async { assert_eq!(pool.lookup("orders", "total", "1").await.unwrap_err().code(), Some("TN056")) })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lookup_of_a_value_over_sqlx() {
    sweep_sqlx("s_lookup_value", |pool| {
        Box::pin(async { assert_eq!(pool.lookup("orders", "total", "1").await.unwrap_err().code(), Some("TN056")) })
    })
    .await;
}
