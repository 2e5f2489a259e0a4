//! The directory notices changes, does not ask the registry more often than it must, and stays within its size.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pg_tenant_client::directory::{Directory, LookupKey, TenantLookup, TenantRecord};
use pg_tenant_client::sqlx::TenantPool as SqlxPool;
use pg_tenant_client::{Error, TenantPool, TenantStatus};
use pg_tenant_tests::Database;
use pg_tenant_tests::shop::{A, B, shop};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

const HOUR: Duration = Duration::from_secs(3600);

/// A registry that counts, and answers only when it may.
#[derive(Clone)]
struct Counted(Arc<Inner>);

struct Inner {
    asked: Mutex<HashMap<String, usize>>,
    known: Mutex<Vec<(&'static str, &'static str)>>,
    may_answer: Semaphore,
}

impl Counted {
    fn new(answers: usize) -> Counted {
        let known = Mutex::new(vec![("acme", "1")]);
        Counted(Arc::new(Inner { asked: Mutex::default(), known, may_answer: Semaphore::new(answers) }))
    }

    fn asked(&self, what: &str) -> usize {
        self.0.asked.lock().unwrap().get(what).copied().unwrap_or_default()
    }

    fn directory(&self) -> Directory {
        Directory::builder().ttl(HOUR).negative_ttl(HOUR).build(self.clone())
    }
}

impl TenantLookup for Counted {
    fn find<'a>(
        &'a self,
        what: LookupKey<'a>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Option<TenantRecord>, Error>> + Send + 'a>> {
        let what = match what {
            LookupKey::Slug(slug) => slug.to_owned(),
            LookupKey::Id(id) => id.to_string(),
            LookupKey::Domain(domain) => domain.to_owned(),
            _ => unreachable!(),
        };
        *self.0.asked.lock().unwrap().entry(what.clone()).or_default() += 1;
        // It has read before it answers, as a database does.
        let known =
            self.0.known.lock().unwrap().iter().find(|(slug, _)| *slug == what).map(|(_, id)| id.parse().unwrap());
        Box::pin(async move {
            match self.0.may_answer.acquire().await {
                Ok(permit) => permit.forget(),
                Err(_) => return Err(any_error()),
            }
            Ok(known.map(TenantRecord::new))
        })
    }
}

fn any_error() -> Error {
    pg_tenant_client::TokenVerifier::new(b"{}").unwrap_err()
}

async fn id(directory: &Directory, slug: &str) -> Option<String> {
    directory.by_slug(slug).await.expect("an answer").map(|record| record.id.to_string())
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn asking_once_for_each_who_waits() {
    let registry = Counted::new(0);
    let directory = registry.directory();
    let waiting: Vec<_> = (0..50)
        .map(|n| {
            let directory = directory.clone();
            tokio::spawn(async move { id(&directory, if n % 2 == 0 { "acme" } else { "nobody" }).await })
        })
        .collect();
    settle().await;
    // Who asked first gives up; the others still get an answer.
    waiting[0].abort();
    waiting[1].abort();
    registry.0.may_answer.add_permits(100);
    for (n, answer) in waiting.into_iter().enumerate().skip(2) {
        assert_eq!(answer.await.unwrap().as_deref(), (n % 2 == 0).then_some("1"));
    }
    // One for each, and one more where the first had given up.
    assert_eq!((registry.asked("acme"), registry.asked("nobody")), (2, 2));
    for _ in 0..10 {
        assert_eq!(id(&directory, "acme").await.as_deref(), Some("1"));
        assert_eq!(id(&directory, "nobody").await, None);
    }
    assert_eq!((registry.asked("acme"), registry.asked("nobody")), (2, 2), "also what is not there is remembered");
    for no_slug in ["", "Acme", "a.b", "a_b", "-a", "a'; drop table orders"] {
        assert_eq!(id(&directory, no_slug).await, None);
        assert_eq!(registry.asked(no_slug), 0, "{no_slug}");
    }
}

/// What was read before a change comes in after everything was forgotten: it must not be found afterwards.
#[tokio::test]
async fn keeping_what_was_read_before_a_change() {
    let registry = Counted::new(0);
    let directory = registry.directory();
    let (slow, also) = (directory.clone(), directory.clone());
    let before = tokio::spawn(async move { id(&slow, "acme").await });
    settle().await;
    *registry.0.known.lock().unwrap() = vec![("acme", "2")];
    directory.forget();
    let after = tokio::spawn(async move { id(&also, "acme").await });
    settle().await;
    registry.0.may_answer.add_permits(100);
    assert_eq!(before.await.unwrap().as_deref(), Some("1"), "it was so when it was asked");
    assert_eq!(after.await.unwrap().as_deref(), Some("2"));
    assert_eq!(id(&directory, "acme").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn keeping_an_error() {
    let registry = Counted::new(0);
    let directory = registry.directory();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let directory = directory.clone();
            tokio::spawn(async move { directory.by_slug("acme").await })
        })
        .collect();
    settle().await;
    registry.0.may_answer.close();
    for answer in waiting {
        let error = answer.await.unwrap().unwrap_err();
        assert!(error.message().contains("key set") && std::error::Error::source(&error).is_some(), "{error:?}");
    }
    let first = registry.asked("acme");
    assert!(directory.by_slug("acme").await.is_err());
    assert_eq!(registry.asked("acme"), first + 1, "the next one asks again");
}

#[tokio::test]
async fn keeping_everything_for_ever() {
    let registry = Counted::new(usize::MAX >> 4);
    let short = Duration::from_millis(5);
    let directory = Directory::builder().ttl(short).negative_ttl(HOUR).build(registry.clone());
    let other = Directory::builder().ttl(HOUR).negative_ttl(short).build(registry.clone());
    while registry.asked("acme") < 3 || registry.asked("nobody") < 4 {
        id(&directory, "acme").await;
        id(&directory, "nobody").await;
        id(&other, "nobody").await;
        tokio::time::sleep(short).await;
    }

    let small = Directory::builder().capacity(10).ttl(HOUR).negative_ttl(HOUR).build(registry.clone());
    for _ in 0..2 {
        for n in 0..1000 {
            id(&small, &format!("n{n}")).await;
        }
    }
    let again = (0..1000).filter(|n| registry.asked(&format!("n{n}")) == 2).count();
    assert!(again > 900, "{again} of 1000 were no longer there");
}

fn pool(db: &Database<'_>, size: usize) -> TenantPool {
    TenantPool::builder(db.config(&db.roles.app)).max_size(size).build().unwrap()
}

async fn status(directory: &Directory, slug: &str) -> Option<TenantStatus> {
    directory.by_slug(slug).await.unwrap().map(|record| record.status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_the_registry_has() {
    let db = shop("d_reads").await;
    db.admin().await.run(&format!("update tenant.tenants set plan = 'gold' where id = '{A}'")).await;
    let sqlx = SqlxPool::new(Default::default(), db.url(&db.roles.app).parse().unwrap());
    for directory in [Directory::new(pool(&db, 1)), Directory::new(sqlx)] {
        let record = directory.by_slug("a").await.unwrap().expect("a record");
        assert_eq!((record.id.as_str(), record.slug.as_deref(), record.plan.as_deref()), (A, Some("a"), Some("gold")));
        assert!(record.is_active());
        assert_eq!(directory.by_id(&B.parse().unwrap()).await.unwrap().unwrap().slug.as_deref(), Some("b"));
        assert!(directory.by_slug("c").await.unwrap().is_none());
        assert!(directory.by_id(&"c".parse().unwrap()).await.unwrap().is_none());
    }
}

/// The connection it is asked on carries what somebody left on it, or is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_session_that_was_used() {
    let db = shop("d_dirty").await;
    let role = format!("regress_{}_other", db.name);
    let superuser = db.superuser().await;
    superuser.run(&format!("create role {role}; grant {role} to {}", db.roles.app)).await;
    let pool = pool(&db, 1);
    let sqlx =
        SqlxPool::new(sqlx::postgres::PgPoolOptions::new().max_connections(1), db.url(&db.roles.app).parse().unwrap());
    let (directory, other) = (Directory::new(pool.clone()), Directory::new(sqlx.clone()));
    let dirty = format!("set role {role}");
    let mut tx = pool.tenant(A).begin().await.unwrap();
    tx.batch_execute(&dirty).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(status(&directory, "a").await, Some(TenantStatus::Active));
    let mut tx = sqlx.tenant(A).begin().await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(dirty)).execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(status(&other, "a").await, Some(TenantStatus::Active));

    let kill =
        format!("select pg_terminate_backend(pid, 60000) from pg_stat_activity where usename = '{}'", db.roles.app);
    superuser.run(&kill).await;
    assert_eq!(status(&directory, "b").await, Some(TenantStatus::Active));
    assert_eq!(status(&other, "b").await, Some(TenantStatus::Active));
    // Nothing is left for the next borrower.
    pool.tenant(A).query("select 1", &[]).await.unwrap();
    assert_eq!(pool.status().size, 1);
}

async fn until(directory: &Directory, slug: &str, expected: Option<TenantStatus>, why: &str) {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(60) {
        if status(directory, slug).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{why}: {slug} is still {:?}", status(directory, slug).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_change_that_it_hears_of() {
    let db = shop("d_listens").await;
    let (admin, superuser) = (db.admin().await, db.superuser().await);
    let directory = Directory::builder().ttl(HOUR).negative_ttl(HOUR).build(pool(&db, 2));
    let deaf = Directory::builder().ttl(HOUR).negative_ttl(HOUR).build(pool(&db, 2));
    let mut listener = directory.listen(db.config(&db.roles.bystander));
    listener.listening().await;
    for directory in [&directory, &deaf] {
        assert_eq!(status(directory, "a").await, Some(TenantStatus::Active));
        assert_eq!(status(directory, "c").await, None);
    }
    admin.run(&format!("select tenant.suspend('{A}'), tenant.create('c', slug => 'c')")).await;
    until(&directory, "a", Some(TenantStatus::Suspended), "it was told").await;
    until(&directory, "c", Some(TenantStatus::Active), "it was told").await;
    assert_eq!((status(&deaf, "a").await, status(&deaf, "c").await), (Some(TenantStatus::Active), None));

    // The connection breaks, and the change comes before it is there again.
    let who = format!("usename = '{}' and datname = '{}'", db.roles.bystander, db.name);
    superuser.run(&format!("alter role {} nologin", db.roles.bystander)).await;
    superuser.run(&format!("select pg_terminate_backend(pid, 60000) from pg_stat_activity where {who}")).await;
    while listener.is_listening() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(status(&directory, "a").await, Some(TenantStatus::Suspended)); // kept from here on at the latest
    admin.run(&format!("select tenant.resume('{A}')")).await;
    assert_eq!(status(&directory, "a").await, Some(TenantStatus::Suspended), "nobody has told it");
    superuser.run(&format!("alter role {} login", db.roles.bystander)).await;
    listener.listening().await;
    assert_eq!(status(&directory, "a").await, Some(TenantStatus::Active));

    drop(listener);
    let count = format!("select count(*) from pg_stat_activity where {who}");
    while superuser.value(&count).await.as_deref() != Some("0") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A way to the server that can go silent: what is on it then neither arrives nor fails. Later connections get through.
async fn silent_way(server: u16) -> (u16, watch::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, (silence, falls)) = (listener.local_addr().unwrap().port(), watch::channel(()));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (mut server, mut falls) = (TcpStream::connect(("127.0.0.1", server)).await.unwrap(), falls.clone());
            falls.mark_unchanged();
            tokio::spawn(async move {
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
                    fallen = falls.changed() => fallen.unwrap(),
                }
                drop(server);
                std::future::pending::<()>().await;
            });
        }
    });
    (port, silence)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_change_on_a_way_that_went_silent() {
    let db = shop("d_silent").await;
    let (port, silence) = silent_way(db.cluster().port()).await;
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).dbname(&db.name).user(&db.roles.bystander);
    config.keepalives_idle(Duration::from_secs(1));
    let directory = Directory::builder().ttl(HOUR).negative_ttl(HOUR).build(pool(&db, 1));
    let mut listener = directory.listen(config);
    listener.listening().await;
    assert_eq!(status(&directory, "a").await, Some(TenantStatus::Active));
    silence.send(()).unwrap();
    db.admin().await.run(&format!("select tenant.suspend('{A}')")).await;
    until(&directory, "a", Some(TenantStatus::Suspended), "nothing came, and nobody has asked").await;
}
