//! Statistics outlive a restart, and after a crash they say since when they count.

use pg_tenant_tests::{Cluster, Options, Session};

async fn acme(boss: &Session) -> Vec<Option<String>> {
    let sql = "select commits, selects, rows_read, since from tenant.stat_tenants where tenant_id = 'acme'";
    boss.rows(sql).await.pop().unwrap_or_default()
}

#[tokio::test]
async fn by_a_restart_or_a_crash() {
    let cluster = Cluster::start(Options::default());
    let db = cluster.database("kept").await;
    db.superuser().await.run("select tenant.create('acme')").await;
    for _ in 0..3 {
        db.app().await.run("begin; select tenant.enter('acme'); select 1; commit").await;
    }
    let before = acme(&db.superuser().await).await;
    assert_eq!(before[..3], [Some("3".into()), Some("6".into()), Some("6".into())]);
    cluster.stop();
    cluster.start_again();
    let boss = db.superuser().await;
    assert_eq!(acme(&boss).await, before, "a restart keeps all of it");
    db.app().await.run("begin; select tenant.enter('acme'); commit").await;
    let after = acme(&boss).await;
    assert_eq!(after[..2], [Some("4".into()), Some("7".into())], "and it goes on from there");
    let pid = boss.value("select pg_backend_pid()").await.expect("a number");
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().expect("run kill").success());
    while boss.batch_execute("select 1").await.is_ok() {}
    let boss = loop {
        match Session::try_connect(&db.config("postgres")).await {
            Ok(boss) => break boss,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    };
    assert_eq!(acme(&boss).await, [] as [Option<String>; 0], "a crash leaves nothing");
    db.app().await.run("begin; select tenant.enter('acme'); commit").await;
    let since =
        "select since >= pg_postmaster_start_time() - interval '1 s' from tenant.stat_tenants where tenant_id = 'acme'";
    assert_eq!(boss.value(since).await.as_deref(), Some("t"), "and it says since when it counts");
}

#[tokio::test]
async fn by_a_file_that_is_not_whole() {
    let cluster = Cluster::start(Options::default());
    let db = cluster.database("broken").await;
    db.superuser().await.run("select tenant.create('acme')").await;
    db.app().await.run("begin; select tenant.enter('acme'); commit").await;
    let file = cluster.data().join("pg_stat/pg_tenant.stat");
    assert!(!file.exists(), "a running server has none");
    cluster.stop();
    let bytes = std::fs::read(&file).expect("the file");
    std::fs::write(&file, &bytes[..bytes.len() - 9]).expect("write it");
    cluster.start_again();
    assert!(!file.exists());
    db.app().await.run("begin; select tenant.enter('acme'); commit").await;
    let read = acme(&db.superuser().await).await;
    assert_eq!(read[0].as_deref(), Some("1"), "no part of it is believed, and it counts on: {read:?}");
}

#[tokio::test]
async fn of_a_transaction_that_lasts() {
    let cluster = Cluster::shared();
    let db = cluster.database("lasting").await;
    db.superuser().await.run("select tenant.create('acme')").await;
    let app = db.app().await;
    app.run("begin; select tenant.enter('acme'); select pg_sleep(1.1)").await;
    app.run("select 1").await;
    let read = acme(&db.superuser().await).await;
    assert_eq!(read[0].as_deref(), Some("0"), "it has not ended, and is seen: {read:?}");
    app.run("commit").await;
    let read = acme(&db.superuser().await).await;
    assert_eq!((read[0].as_deref(), read[1].as_deref()), (Some("1"), Some("3")), "nothing counts twice");
}

#[tokio::test]
async fn of_a_wait_for_a_lock() {
    let cluster = Cluster::start(Options::default().set("log_lock_waits", "on").set("deadlock_timeout", "50ms"));
    let db = cluster.database("locked").await;
    db.superuser().await.run("select tenant.create('acme'); create table l (n int)").await;
    db.superuser().await.run(&format!("grant select on l to {}", db.roles.app)).await;
    let (holder, app) = (db.superuser().await, db.app().await);
    holder.run("begin; lock table l").await;
    let waiting = app.batch_execute("begin; select tenant.enter('acme'); select * from l; commit");
    let letting_go = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        holder.run("commit").await;
    };
    let (waited, ()) = tokio::join!(waiting, letting_go);
    waited.expect("the lock");
    let sql = "select lock_waits, lock_wait_ms > 100 from tenant.stat_tenants where tenant_id = 'acme'";
    assert_eq!(db.superuser().await.rows(sql).await, [[Some("1".to_owned()), Some("t".to_owned())]]);
}
