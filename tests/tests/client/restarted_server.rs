//! A pool works again after its server was restarted.

use std::time::Duration;

use pg_tenant_client::TenantPool;
use pg_tenant_client::sqlx::TenantPool as SqlxPool;
use pg_tenant_tests::{Cluster, Options, Session};
use sqlx::postgres::PgPoolOptions;

use super::ROUTE;
use super::fixture::PATIENCE;

const SOON: Duration = Duration::from_secs(2);

/// A server of our own, to be stopped, with the tenant `acme`, and pools of its application. The second of each
/// driver's gives up soon where it finds no connection.
pub async fn own_server() -> (&'static Cluster, Session, TenantPool, TenantPool, SqlxPool, SqlxPool) {
    let cluster = Box::leak(Box::new(Cluster::start(Options::default())));
    let db = cluster.database("broken").await;
    db.admin().await.run("select tenant.create('acme')").await;
    let (config, url) = match ROUTE.bouncer_before(cluster).map(|bouncer| &*Box::leak(Box::new(bouncer))) {
        Some(bouncer) => (bouncer.config(&db.name, &db.roles.app), bouncer.url(&db.name, &db.roles.app)),
        None => (db.config(&db.roles.app), db.url(&db.roles.app)),
    };
    let pool = |patience| {
        let builder = TenantPool::builder(config.clone()).pooler(ROUTE.pooler());
        builder.max_size(2).wait_timeout(patience).build().unwrap()
    };
    let sqlx = |patience| {
        let options = PgPoolOptions::new().acquire_timeout(patience);
        SqlxPool::new(options, url.parse().unwrap()).pooler(ROUTE.pooler_of_sqlx())
    };
    let (patient, impatient) = (sqlx(PATIENCE), sqlx(SOON));
    (cluster, db.superuser().await, pool(PATIENCE), pool(SOON), patient, impatient)
}

/// Idle connections that died meanwhile are nobody's error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarted_between_two_calls() {
    let (cluster, superuser, pool, _, sqlx, _) = own_server().await;
    usable(&pool, &sqlx).await;
    tokio::task::block_in_place(|| {
        cluster.stop();
        cluster.start_again();
    });
    // Between the two, PgBouncer may have been refused: for server_login_retry it then answers with that error itself.
    tokio::time::sleep(ROUTE.refuses_after_a_failed_login()).await;
    usable(&pool, &sqlx).await;
    drop(superuser);
    let terminate = "select pg_terminate_backend(pid, 60000) from pg_stat_activity where usename like '%_app'";
    cluster.superuser().await.run(terminate).await;
    usable(&pool, &sqlx).await;
}

/// Every slot can be lent, and works at the first call.
pub async fn usable(pool: &TenantPool, sqlx: &SqlxPool) {
    let (mut one, mut two) = (pool.tenant("acme").begin().await.unwrap(), pool.tenant("acme").begin().await.unwrap());
    one.query("select 1", &[]).await.unwrap();
    two.query("select 1", &[]).await.unwrap();
    one.commit().await.unwrap();
    two.commit().await.unwrap();
    pool.tenant("acme").query("select 1", &[]).await.unwrap();
    sqlx.tenant("acme").execute("select 1").await.unwrap();
}
