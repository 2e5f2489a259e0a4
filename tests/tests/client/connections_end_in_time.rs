//! Connections end at their lifetime, idle ones at theirs, as many as are wanted are kept ready, and hosts that are
//! back are used.
//!
//! Not through PgBouncer: it holds the server's sessions, and how long they live is its own setting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pg_tenant_client::{TenantPool, TenantPoolBuilder};
use tokio::net::{TcpListener, TcpStream};

use super::fixture::{Fixture, PATIENCE};

/// For ever, as far as a test goes.
const LONG: Duration = Duration::MAX;
const SHORT: Duration = Duration::from_millis(100);

fn builder(fixture: &Fixture) -> TenantPoolBuilder {
    let builder = TenantPool::builder(fixture.config(&fixture.db.roles.app)).max_size(4).wait_timeout(PATIENCE);
    builder.max_lifetime(LONG).idle_timeout(LONG)
}

async fn pid(pool: &TenantPool) -> i32 {
    pool.tenant("acme").query_one("select pg_backend_pid()", &[]).await.unwrap().get(0)
}

async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !is().await {
        assert!(since.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_their_lifetime() {
    let fixture = Fixture::new("lifetime").await;
    let lasting = builder(&fixture).max_size(1).build().unwrap();
    let first = pid(&lasting).await;
    let pool = builder(&fixture).max_size(1).max_lifetime(SHORT).build().unwrap();
    let mut pids = std::collections::BTreeSet::new();
    until("a connection lives on", async || {
        pids.insert(pid(&pool).await);
        pids.len() > 2
    })
    .await;
    // One that is lent lives on until it comes back.
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    tx.query("select pg_sleep(0.2)", &[]).await.unwrap();
    tx.query("select 1", &[]).await.unwrap();
    tx.commit().await.unwrap();
    until("an idle connection lives on", async || pool.status().size == 0).await;
    assert_eq!(pid(&lasting).await, first, "nothing was said of this one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_they_are_idle() {
    let fixture = Fixture::new("idle").await;
    for min_idle in [0, 2] {
        let pool = builder(&fixture).idle_timeout(SHORT).min_idle(min_idle).build().unwrap();
        let acme = pool.tenant("acme");
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(acme.begin().await.unwrap());
        }
        assert_eq!(pool.status().size, 4);
        drop(held);
        until("idle connections stay", async || pool.status().size == min_idle).await;
        acme.query("select 1", &[]).await.unwrap();
        pool.drain().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_some_are_ready() {
    let fixture = Fixture::new("ready").await;
    let sessions = format!("select count(*) from pg_stat_activity where usename = '{}'", fixture.db.roles.app);
    let count = async |superuser: &pg_tenant_tests::Session| -> usize {
        superuser.value(&sessions).await.unwrap().parse().unwrap()
    };
    let pool = builder(&fixture).min_idle(2).build().unwrap();
    pool.check().await.unwrap();
    until("none is made ahead", async || pool.status().available >= 2).await;
    // The check has made one too, for itself, unless one was there already.
    let made = count(&fixture.superuser).await;
    assert!((2..=3).contains(&made), "{made}");
    // Lent ones are made up for, and never more than the pool may hold.
    let acme = pool.tenant("acme");
    let mut held = vec![acme.begin().await.unwrap(), acme.begin().await.unwrap()];
    until("lent ones are not made up for", async || pool.status().available == 2).await;
    held.push(acme.begin().await.unwrap());
    held.push(acme.begin().await.unwrap());
    assert_eq!((pool.status().size, pool.status().available), (4, 0));
    assert_eq!(count(&fixture.superuser).await, 4);
    for tx in &mut held {
        tx.query("select 1", &[]).await.unwrap();
    }
    drop(held);
    pool.renew();
    until("they are not renewed", async || pool.status().available >= 2).await;
    pool.drain().await;
    until("they stay when the pool is closed", async || count(&fixture.superuser).await == 0).await;
    // More than the pool may hold is as many as it may hold.
    let small = builder(&fixture).max_size(1).min_idle(9).build().unwrap();
    small.check().await.unwrap();
    until("it holds none", async || small.status().available == 1).await;
    small.tenant("acme").query("select 1", &[]).await.unwrap();
}

/// A host, that can be away.
async fn host(address: std::net::SocketAddr, server: u16) -> (Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
    let (listener, reached) = (TcpListener::bind(address).await.unwrap(), Arc::new(AtomicUsize::new(0)));
    let counts = Arc::clone(&reached);
    let listening = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            counts.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (reached, listening)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_return_to_a_host_that_is_back() {
    let fixture = Fixture::new("failback").await;
    for at_once in [true, false] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let first = listener.local_addr().unwrap();
        drop(listener);
        let mut config = tokio_postgres::Config::new();
        config.user(&fixture.db.roles.app).dbname(&fixture.db.name).host("127.0.0.1").host("127.0.0.1");
        config.port(first.port()).port(fixture.port());
        let builder = TenantPool::builder(config).max_size(2).wait_timeout(PATIENCE);
        let pool = builder.max_lifetime(if at_once { LONG } else { SHORT }).build().unwrap();
        let before = pid(&pool).await;
        if at_once {
            assert_eq!(pid(&pool).await, before);
        }
        let (reached, listening) = host(first, fixture.port()).await;
        let mut open = pool.tenant("acme").begin().await.unwrap();
        open.query("select 1", &[]).await.unwrap();
        if at_once {
            pool.renew();
            assert_ne!(pid(&pool).await, before);
            assert_eq!(reached.load(Ordering::SeqCst), 1);
        } else {
            until("it stays where it is", async || {
                pid(&pool).await;
                reached.load(Ordering::SeqCst) > 0
            })
            .await;
        }
        open.query("select 1", &[]).await.unwrap();
        open.commit().await.unwrap();
        listening.abort();
    }
}
