//! A server that was restarted takes the pool with it.

use std::time::Duration;

use pg_tenant_client::TenantPool;
use pg_tenant_tests::{Cluster, Options, Session};
use sqlx::postgres::PgPoolOptions;

use super::ROUTE;

/// A server of our own, to be stopped, with the tenant `acme`.
pub async fn own_server() -> (&'static Cluster, TenantPool, pg_tenant_client::sqlx::TenantPool, Session) {
    let cluster = Box::leak(Box::new(Cluster::start(Options::default())));
    let db = cluster.database("broken").await;
    db.admin().await.run("select tenant.create('acme')").await;
    let (config, url) = match ROUTE.bouncer_before(cluster).map(|bouncer| &*Box::leak(Box::new(bouncer))) {
        Some(bouncer) => (bouncer.config(&db.name, &db.roles.app), bouncer.url(&db.name, &db.roles.app)),
        None => (db.config(&db.roles.app), db.url(&db.roles.app)),
    };
    let pool = TenantPool::builder(config).pooler(ROUTE.pooler()).max_size(2).wait_timeout(Duration::from_secs(5));
    let options = PgPoolOptions::new().acquire_timeout(Duration::from_secs(2));
    let sqlx = pg_tenant_client::sqlx::TenantPool::new(options, url.parse().unwrap()).pooler(ROUTE.pooler_of_sqlx());
    (cluster, pool.build().unwrap(), sqlx, db.superuser().await)
}

/// Idle connections that died meanwhile are nobody's error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarted_between_two_calls() {
    let (cluster, pool, sqlx, superuser) = own_server().await;
    usable(&pool, &sqlx).await;
    tokio::task::block_in_place(|| {
        cluster.stop();
        cluster.start_again();
    });
    usable(&pool, &sqlx).await;
    drop(superuser);
    let terminate = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename like '%_app'";
    cluster.superuser().await.run(terminate).await;
    usable(&pool, &sqlx).await;
}

/// Every slot can be lent, and works at the first call.
pub async fn usable(pool: &TenantPool, sqlx: &pg_tenant_client::sqlx::TenantPool) {
    let (mut one, mut two) = (pool.tenant("acme").begin().await.unwrap(), pool.tenant("acme").begin().await.unwrap());
    one.query("select 1", &[]).await.unwrap();
    two.query("select 1", &[]).await.unwrap();
    one.commit().await.unwrap();
    two.commit().await.unwrap();
    pool.tenant("acme").query("select 1", &[]).await.unwrap();
    sqlx.tenant("acme").execute("select 1").await.unwrap();
}
