//! A pool works again once a server that went away is back.
//!
//! Not through PgBouncer: while a server is away, and for a second after, it keeps clients waiting and refuses them
//! itself; `restarted_server` has what the pools do then.

use std::time::Instant;

use pg_tenant_client::Error;
use pg_tenant_client::pipeline::query;
use pg_tenant_tests::Cluster;
use sqlx::Executor;

use super::fixture::PATIENCE;
use super::restarted_server::{own_server, usable};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_in_the_middle() {
    let (cluster, _superuser, pool, soon, sqlx, impatient) = own_server().await;
    for stop in [Cluster::stop, Cluster::crash] {
        let (mut one, mut two) =
            (pool.tenant("acme").begin().await.unwrap(), pool.tenant("acme").begin().await.unwrap());
        one.query("select 1", &[]).await.unwrap();
        two.query("select 1", &[]).await.unwrap();
        let mut three = sqlx.tenant("acme").begin().await.unwrap();
        tokio::task::block_in_place(|| stop(cluster));
        let error = one.query("select 1", &[]).await.unwrap_err();
        assert!(error.is_closed(), "{error}");
        assert!(one.commit().await.unwrap_err().is_closed());
        assert!(two.commit().await.unwrap_err().is_closed());
        assert!(Error::from(three.execute("select 1").await.unwrap_err()).is_closed());
        assert!(three.commit().await.unwrap_err().is_closed());
        let error = soon.tenant("acme").query("select 1", &[]).await.unwrap_err();
        assert!(error.is_closed() && error.was_not_executed(), "{error:?}");
        // sqlx goes on connecting until its acquire timeout.
        let error = impatient.tenant("acme").execute("select 1").await.unwrap_err();
        assert!(error.is_closed() || error.is_timeout(), "{error}");
        tokio::task::block_in_place(|| cluster.start_again());
        usable(&pool, &sqlx).await;
        let since = Instant::now();
        while let Err(error) = impatient.tenant("acme").execute("select 1").await {
            assert!(error.is_timeout() && since.elapsed() < PATIENCE, "it has given up for good: {error}");
        }
    }
}

/// The loan ends where no other connection is to be had, and nobody may take that for a flaw of what he sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_before_the_first_flight() {
    let (cluster, superuser, pool, soon, sqlx, _) = own_server().await;
    superuser.run("create table marks (n int); grant insert on marks to public").await;
    pool.tenant("acme").insert_many("marks", &["n"], [(1,)]).await.unwrap();
    let (mut bulk, mut pipelined) =
        (soon.tenant("acme").begin().await.unwrap(), soon.tenant("acme").begin().await.unwrap());
    tokio::task::block_in_place(|| cluster.stop());
    for _ in 0..2 {
        let error = bulk.insert_many("marks", &["n"], [(2,)]).await.unwrap_err();
        assert!(error.is_closed() || error.code() == Some("25P02"), "{error}");
        let error = pipelined.pipeline([query("select 1", &[]), query("select 2", &[])]).await.unwrap_err();
        assert!(error.is_closed() || error.code() == Some("25P02"), "{error}");
    }
    assert_eq!(bulk.commit().await.unwrap_err().code(), Some("25P02"));
    pipelined.rollback().await.unwrap();
    tokio::task::block_in_place(|| cluster.start_again());
    usable(&pool, &sqlx).await;
}
