//! A request to cancel goes to the address that the connection has reached, not to the first of its configuration.
//!
//! Not through PgBouncer: a cancel request goes to PgBouncer's one address.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use super::fixture::{Fixture, PATIENCE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn though_another_has_come_up_before_it() {
    let fixture = Fixture::new("reached").await;
    // A host that is away while the pool connects, and is there afterwards.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let away = listener.local_addr().unwrap();
    drop(listener);
    for named_as_one in [false, true] {
        let mut config = tokio_postgres::Config::new();
        config.user(&fixture.db.roles.app).dbname(&fixture.db.name).host("127.0.0.1").host("127.0.0.1");
        if named_as_one {
            config.hostaddr(away.ip()).hostaddr(away.ip());
        }
        config.port(away.port()).port(fixture.port());
        let pool = fixture.pool_of(config, 2);
        pool.check().await.unwrap();

        let other = TcpListener::bind(away).await.unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let listening = tokio::spawn({
            let asked = Arc::clone(&asked);
            async move {
                while other.accept().await.is_ok() {
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let acme = pool.tenant("acme");
        let mut call = Box::pin(acme.query("select pg_sleep(600)", &[]));
        let since = Instant::now();
        let sleeps =
            "select count(*) from pg_stat_activity where query like 'select pg_sleep(600)%' and state = 'active'
            and datname = current_database()";
        while fixture.superuser.value(sleeps).await.as_deref() != Some("1") {
            assert!(since.elapsed() < PATIENCE, "it does not sleep");
            let _ = tokio::time::timeout(Duration::from_millis(5), &mut call).await;
        }
        drop(call);
        fixture.nothing_is_left("a call that was dropped").await;
        assert_eq!(asked.load(Ordering::SeqCst), 0, "the other host was asked to cancel");
        listening.abort();
        let _ = listening.await;
    }
}
