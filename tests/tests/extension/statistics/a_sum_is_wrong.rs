//! The sum over all is what was done: with more tenants than places, and with sessions that are ended at any moment.
//! `KILLS=100 SEED=…` ends as many (`make fuzz`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pg_tenant_tests::{Cluster, Database, Options, database};

const TENANTS: usize = 12;

async fn work(db: &Database<'_>, worker: usize, stop: &AtomicBool) {
    let mut session = db.app().await;
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let tenant = (n * 7 + worker) % TENANTS;
        let end = if n % 5 == 4 { "rollback" } else { "commit" };
        let sql = format!(
            "begin; select tenant.enter('t{tenant}'); insert into work (n) values ({n}); insert into work (n) values ({n}); {end}"
        );
        if session.batch_execute(&sql).await.is_err() {
            session = db.app().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_storm() {
    let kills: usize = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8);
    let db = database("sums").await;
    let boss = db.superuser().await;
    boss.run(&format!("select tenant.create('t' || n) from generate_series(0, {}) n", TENANTS - 1)).await;
    let table = "create table work (tenant_id text not null default tenant.current_id(), n bigint)";
    db.protector().await.run(&format!("{table}; select tenant.protect('work')")).await;
    let stop = AtomicBool::new(false);
    let killer = async {
        for _ in 0..kills {
            tokio::time::sleep(Duration::from_millis(60)).await;
            let app = &db.roles.app;
            boss.run(&format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = '{app}' order by random() limit 1"
            ))
            .await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(killer, work(&db, 0, &stop), work(&db, 1, &stop), work(&db, 2, &stop), work(&db, 3, &stop));
    // A session that was ended counts when it ends.
    while boss.value(&format!("select count(*) from pg_stat_activity where usename = '{}'", db.roles.app)).await
        != Some("0".into())
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let wrong = boss
        .rows(
            "select t.tenant_id, t.commits, w.n from tenant.stat_tenants t
             left join (select tenant_id, count(*) / 2 as n from work group by 1) w using (tenant_id)
             where t.context = 'tenant' and t.commits is distinct from coalesce(w.n, 0)",
        )
        .await;
    assert_eq!(wrong, [] as [Vec<Option<String>>; 0], "commits are what was committed");
    let rows = "select sum(commits) > 10, sum(rows_written) >= sum(inserts) - 12 from tenant.stat_tenants where context = 'tenant'";
    assert_eq!(boss.rows(rows).await[0], [Some("t".into()), Some("t".into())]);
}

#[tokio::test]
async fn of_more_tenants_than_there_are_places() {
    let cluster = Cluster::start(Options::default().set("pg_tenant.max_tracked_tenants", "64"));
    let db = cluster.database("crowded").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    boss.run("select tenant.create('t' || n) from generate_series(1, 300) n").await;
    for n in 1..=300 {
        app.run(&format!("begin; select tenant.enter('t{n}'); commit")).await;
    }
    let row = boss
        .rows(
            "select sum(commits) filter (where context in ('tenant', 'others')) >= 300,
                count(*) filter (where context = 'tenant') between 40 and 64,
                max(commits) filter (where context = 'others') > 200
             from tenant.stat_tenants",
        )
        .await;
    assert_eq!(row[0], [Some("t".into()), Some("t".into()), Some("t".into())]);
    assert_eq!(boss.value("show pg_tenant.max_tracked_tenants").await.as_deref(), Some("64"));
}

#[tokio::test]
async fn where_nothing_is_counted() {
    let cluster = Cluster::start(Options::default().set("pg_tenant.max_tracked_tenants", "0"));
    let db = cluster.database("uncounted").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    boss.run("select tenant.create('acme')").await;
    app.run("begin; select tenant.enter('acme'); commit").await;
    assert_eq!(boss.value("select count(*) from tenant.stat_tenants").await.as_deref(), Some("0"));
    assert_eq!(boss.value("select count(*) from tenant.stat_tenants_recent").await.as_deref(), Some("0"));
    let cluster = Cluster::start(Options::default().set("pg_tenant.statistics", "off"));
    let db = cluster.database("off").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    boss.run("select tenant.create('acme')").await;
    app.run("begin; select tenant.enter('acme'); commit").await;
    assert_eq!(
        boss.value("select count(*) from tenant.stat_tenants where context = 'tenant'").await.as_deref(),
        Some("0")
    );
}
