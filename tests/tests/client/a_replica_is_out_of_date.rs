//! A replica that serves reads shows a tenant less than it has written, or fails what the primary would answer.
//!
//! Not through PgBouncer: it has a primary and replicas of its own, each reached directly.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use pg_tenant_client::pipeline::query;
use pg_tenant_client::{Error, IsolationLevel, ReadAfter, TenantHandle, TenantPool};
use pg_tenant_tests::{Cluster, Database, Options, Session};

/// How long to wait for what must happen: far longer than it takes on a slow machine that does other things too.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
const INSERT: &str = "insert into orders (total) values (1)";
const COUNT: &str = "select count(*), pg_is_in_recovery() from orders";

pub(super) struct Pair<'c> {
    pub(super) db: Database<'c>,
    pub(super) boss: Session,
    pub(super) standby: Cluster,
    watch: Session,
}

impl<'c> Pair<'c> {
    pub(super) async fn new(cluster: &'c Cluster, name: &str) -> Pair<'c> {
        let db = cluster.database(name).await;
        db.admin().await.run("select tenant.create('acme'), tenant.create('globex')").await;
        db.owner().await.run("create table orders (tenant_id text not null, total int)").await;
        let boss = db.superuser().await;
        boss.run("select tenant.protect('orders')").await;
        let standby = cluster.standby();
        let watch = Session::connect(&standby.config(&db.name, "postgres")).await;
        let pair = Pair { db, boss, standby, watch };
        pair.boss.run("create table warm ()").await; // the first that it replays tells it how late it is
        pair.follow().await;
        pair
    }

    fn pool(&self, lag: Duration) -> TenantPool {
        let app = &self.db.roles.app;
        TenantPool::builder(self.db.config(app))
            .replica(self.standby.config(&self.db.name, app))
            .max_replica_lag(lag)
            .max_size(2)
            .wait_timeout(PATIENCE)
            .build()
            .expect("a pool")
    }

    /// Waits until the standby has replayed what the primary has written.
    pub(super) async fn follow(&self) {
        let written = self.boss.value("select pg_current_wal_insert_lsn()").await.expect("a position");
        let replayed = format!("select (pg_last_wal_replay_lsn() >= '{written}')::text");
        self.until(&self.watch, &replayed).await;
    }

    async fn until(&self, session: &Session, sql: &str) {
        let since = Instant::now();
        while session.value(sql).await.as_deref() != Some("true") {
            assert!(since.elapsed() < PATIENCE, "{sql}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What is written from now on is received and not replayed.
    async fn pause(&self) {
        self.watch.run("select pg_wal_replay_pause()").await;
        self.until(&self.watch, "select (pg_get_wal_replay_pause_state() = 'paused')::text").await;
    }

    async fn resume(&self) {
        self.watch.run("select pg_wal_replay_resume()").await;
        self.follow().await;
    }
}

/// How many orders the tenant has, and whether a replica said so.
async fn read(reads: &TenantHandle) -> (i64, bool) {
    let row = reads.query_one(COUNT, &[]).await.unwrap_or_else(|error| panic!("{error}"));
    (row.get(0), row.get(1))
}

/// As soon as that is let near again: a replica that was of no use is left alone for a moment.
async fn until_replica(reads: &TenantHandle) -> i64 {
    let since = Instant::now();
    loop {
        let (count, replica) = read(reads).await;
        if replica {
            return count;
        }
        assert!(since.elapsed() < PATIENCE, "the replica is not asked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) fn cluster() -> Cluster {
    Cluster::start(Options::default().set("synchronous_commit", "on"))
}

const FOR_EVER: Duration = Duration::MAX;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn than_what_the_tenant_has_written() {
    let cluster = cluster();
    let pair = Pair::new(&cluster, "replica_writes").await;
    let pool = pair.pool(FOR_EVER);
    let (acme, globex) = (pool.tenant("acme"), pool.tenant("globex"));
    let reads = acme.clone().read_only(true);
    assert_eq!(until_replica(&reads).await, 0);
    assert!(!read(&acme).await.1, "what may write goes to the primary");
    assert!(!read(&reads.clone().isolation_level(IsolationLevel::Serializable)).await.1);
    assert_eq!(acme.last_write(), None, "reading is no writing");

    pair.pause().await;
    // The hole: a pool that sends reads to the replica as it is.
    acme.execute(INSERT, &[]).await.unwrap();
    let bare = TenantPool::builder(pair.standby.config(&pair.db.name, &pair.db.roles.app)).build().unwrap();
    assert_eq!(read(&bare.tenant("acme")).await, (0, true), "its own order is not there");

    // Every shape of a write, and every shape of a read.
    let mut tx = acme.begin().await.unwrap();
    tx.execute(INSERT, &[]).await.unwrap();
    tx.commit().await.unwrap();
    acme.pipeline(pg_tenant_client::pipeline::execute(INSERT, &[])).await.unwrap();
    acme.insert_many("orders", &["total"], [(1,), (2,)]).await.unwrap();
    acme.run(async |tx| tx.execute(INSERT, &[]).await).await.unwrap();
    for _ in 0..3 {
        assert_eq!(read(&reads).await, (6, false));
        assert_eq!(reads.pipeline(query(COUNT, &[])).await.unwrap()[0].get::<_, i64>(0), 6);
        let mut tx = reads.begin().await.unwrap();
        let counted = tx.savepoint(async |tx| tx.query_one(COUNT, &[]).await).await.unwrap();
        assert_eq!((counted.get::<_, i64>(0), counted.get::<_, bool>(1)), (6, false));
        assert_eq!(tx.query_one(COUNT, &[]).await.unwrap().get::<_, i64>(0), 6);
        tx.commit().await.unwrap();
        let repeatable = reads.clone().isolation_level(IsolationLevel::RepeatableRead);
        assert_eq!(read(&repeatable).await, (6, false), "its snapshot may be older than the check");
    }
    // Another tenant has written nothing: the replica will do. A process that is told where acme is waits for it too.
    assert_eq!(until_replica(&globex.clone().read_only(true)).await, 0);
    let position = acme.last_write().expect("a position");
    let told: ReadAfter = position.to_string().parse().unwrap();
    let elsewhere = pair.pool(FOR_EVER);
    let there = elsewhere.tenant("acme").read_only(true);
    assert_eq!(until_replica(&there).await, 0, "who is not told sees what the replica has");
    assert_eq!(read(&there.read_after(told)).await, (6, false));

    pair.resume().await;
    assert_eq!(until_replica(&reads).await, 6);
    assert!("no/position".parse::<ReadAfter>().is_err());
}

/// What was written across tenants is every tenant's: any of them may have been written to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn than_what_the_system_context_has_written() {
    let cluster = cluster();
    let pair = Pair::new(&cluster, "replica_system").await;
    let operator = format!("regress_{}_operator", pair.db.name);
    pair.boss
        .run(&format!(
            "create role {operator} login; grant tenant_user, tenant_system to {operator};
             grant select, insert on orders to {operator}, tenant_system"
        ))
        .await;
    pair.follow().await;
    let pool = TenantPool::builder(pair.db.config(&operator))
        .replica(pair.standby.config(&pair.db.name, &operator))
        .max_replica_lag(FOR_EVER)
        .max_size(2)
        .wait_timeout(PATIENCE)
        .build()
        .expect("a pool");
    let reads = [pool.tenant("acme").read_only(true), pool.tenant("globex").read_only(true)];
    for tenant in &reads {
        assert_eq!(until_replica(tenant).await, 0);
    }
    pair.pause().await;
    let insert = "insert into orders (tenant_id, total) values ('acme', 1), ('globex', 1)";
    pg_tenant_client::danger::system(&pool, "a repair").write().execute(insert, &[]).await.unwrap();
    for tenant in &reads {
        assert_eq!(read(tenant).await, (1, false), "its own order is not there");
    }
    // Reading across tenants is no writing.
    let count = "select count(*) from orders";
    pg_tenant_client::danger::system(&pool, "a report").query(count, &[]).await.unwrap();
    pair.resume().await;
    for tenant in &reads {
        assert_eq!(until_replica(tenant).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_more_than_it_may_be() {
    let cluster = cluster();
    let pair = Pair::new(&cluster, "replica_lag").await;
    let pool = pair.pool(Duration::from_millis(200));
    let reads = pool.tenant("globex").read_only(true);
    until_replica(&reads).await;
    pair.pause().await;
    pool.tenant("acme").execute(INSERT, &[]).await.unwrap();
    let received = "select (pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()
        and clock_timestamp() - pg_last_xact_replay_timestamp() > '300ms')::text";
    pair.until(&pair.watch, received).await;
    for _ in 0..3 {
        assert!(!read(&reads).await.1, "what it has is too old");
    }
    pair.resume().await;
    until_replica(&reads).await;
    // A tenant that is new, or was suspended: the primary decides.
    pair.pause().await;
    pair.db.admin().await.run("select tenant.create('initech'), tenant.suspend('globex')").await;
    let patient = pair.pool(FOR_EVER);
    let initech = patient.tenant("initech").read_only(true);
    assert_eq!(read(&initech).await, (0, false), "the replica does not know of it yet");
    // Until the replica has replayed it, the suspended tenant may be read there. This is what max_replica_lag bounds.
    assert!(read(&patient.tenant("globex").read_only(true)).await.1);
    pair.resume().await;
    let since = Instant::now();
    loop {
        match patient.tenant("globex").read_only(true).query(COUNT, &[]).await {
            Err(error) if error.is_suspended() => break,
            other => assert!(since.elapsed() < PATIENCE, "{other:?}"),
        }
    }
    // A table that is new as well.
    pair.pause().await;
    pair.boss.run("create table notes (a int); grant select on notes to public").await;
    let acme = patient.tenant("acme").read_only(true);
    acme.query("select * from notes", &[]).await.unwrap();
    pair.resume().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn or_away() {
    let cluster = cluster();
    let pair = Pair::new(&cluster, "replica_away").await;
    let pool = pair.pool(FOR_EVER);
    let reads = pool.tenant("acme").read_only(true);
    until_replica(&reads).await;
    // Ended in the middle of traffic: no call fails.
    let over = AtomicUsize::new(0);
    let traffic = async {
        let mut calls = 0;
        while over.load(SeqCst) == 0 || calls < 10 {
            reads.query(COUNT, &[]).await?;
            reads.pipeline((query("select 1", &[]), query(COUNT, &[]))).await?;
            reads.run(async |tx| tx.query("select tenant.current_id()", &[]).await).await?;
            calls += 1;
            tokio::task::yield_now().await;
        }
        Ok::<usize, Error>(calls)
    };
    let standby = &pair.standby;
    let end = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let app = &pair.db.roles.app;
        pair.watch
            .run(&format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{app}'"))
            .await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        tokio::task::block_in_place(|| standby.crash());
        tokio::time::sleep(Duration::from_millis(50)).await;
        over.store(1, SeqCst);
    };
    let (calls, ()) = tokio::join!(traffic, end);
    assert!(calls.unwrap_or_else(|error| panic!("a read failed: {error}")) >= 10);
    assert!(!read(&reads).await.1);
    tokio::task::block_in_place(|| standby.start_again());
    until_replica(&reads).await;
    // A replica that was promoted is another database.
    tokio::task::block_in_place(|| standby.promote());
    for _ in 0..3 {
        pool.tenant("acme").execute(INSERT, &[]).await.unwrap();
        let (count, _) = read(&reads).await;
        assert!(count > 0, "the promoted server has none of it");
    }
    assert_eq!(read(&reads).await.0, 3);
    pool.drain().await;
    assert!(reads.query(COUNT, &[]).await.unwrap_err().is_closed());
}
