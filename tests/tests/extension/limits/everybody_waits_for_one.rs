//! Where the server is full, tenants are let in by weight: one that has many transactions keeps nobody out.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pg_tenant_tests::{Cluster, Database, Options};

async fn work(db: &Database<'_>, tenant: &str, stop: &AtomicBool, done: &AtomicUsize) {
    let session = db.app().await;
    while !stop.load(Ordering::Relaxed) {
        let sql = format!("begin; select tenant.enter('{tenant}'); select pg_sleep(0.02); commit");
        if session.batch_execute(&sql).await.is_ok() {
            done.fetch_add(1, Ordering::Relaxed);
        } else {
            session.run("rollback").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_many_beside_who_has_few() {
    let options = Options::default().set("pg_tenant.max_active", "2").set("pg_tenant.admission_timeout", "10s");
    let cluster = Cluster::start(options);
    let db = cluster.database("fair").await;
    db.superuser().await.run("select tenant.create('many'), tenant.create('few')").await;
    let (stop, many, few) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let crowd: Vec<_> = (0..12).map(|_| work(&db, "many", &stop, &many)).collect();
    let end = async {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(
        futures_util::future::join_all(crowd),
        work(&db, "few", &stop, &few),
        work(&db, "few", &stop, &few),
        end
    );
    let (many, few) = (many.into_inner(), few.into_inner());
    // By arrival two in fourteen would be theirs.
    assert!(few * 2 > many, "few {few}, many {many}");
    assert!(many > 10, "and the other works on: few {few}, many {many}");
}

#[tokio::test]
async fn but_for_a_superuser_and_the_system() {
    let options = Options::default().set("pg_tenant.max_active", "1").set("pg_tenant.admission_timeout", "30ms");
    let cluster = Cluster::start(options);
    let db = cluster.database("full").await;
    let (boss, operator) = (db.superuser().await, format!("regress_{}_operator", db.name));
    boss.run(&format!("select tenant.create('acme'); create role {operator} login in role tenant_system")).await;
    let (one, two) = (db.app().await, db.app().await);
    one.run("begin; select tenant.enter('acme')").await;
    let error = two.expect_error("TN182", "begin; select tenant.enter('acme')").await;
    assert!(error.detail().is_some_and(|detail| detail.contains("Limit 1 (pg_tenant.max_active)")), "{error:?}");
    boss.run("begin; select tenant.enter('acme'); rollback").await;
    db.connect(&operator).await.run("begin; select tenant.enter_system('a look at a full server'); rollback").await;
    one.run("commit").await;
    two.run("rollback; begin; select tenant.enter('acme'); commit").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_let_in_keeps_nobody_out() {
    let options = Options::default().set("pg_tenant.max_active", "3").set("pg_tenant.admission_timeout", "20s");
    let cluster = Cluster::start(options);
    let db = cluster.database("kept_out").await;
    db.superuser()
        .await
        .run(
            "select tenant.create('heavy'), tenant.create('light'), tenant.create('other');
             select tenant.set_limit('heavy', 'concurrent_transactions', 1), tenant.set_limit('heavy', 'weight', 10000)",
        )
        .await;
    let enter = |tenant: &str| format!("begin; select tenant.enter('{tenant}')");
    let (heavy, light, other) = (db.app().await, db.app().await, db.app().await);
    heavy.run(&enter("heavy")).await;
    light.run(&enter("light")).await;
    other.run(&enter("other")).await;
    // Its share is by far the smallest, but it has as many as it may: it waits for its own.
    let second = db.app().await;
    let waits = tokio::spawn(async move { second.batch_execute("begin; select tenant.enter('heavy')").await });
    db.superuser().await.run(&format!("alter role {} set pg_tenant.admission_timeout = '5s'", db.roles.app)).await;
    let patient = db.app().await;
    let sql = enter("light");
    let let_in = tokio::spawn(async move { patient.batch_execute(&sql).await.map(|()| patient) });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    other.run("commit").await;
    let_in.await.expect("no panic").expect("the place that is free");
    drop(waits);
}
