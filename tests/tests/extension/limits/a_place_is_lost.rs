//! A transaction that ends gives its place back, however it ends.

use std::time::Duration;

use pg_tenant_tests::database;

#[tokio::test]
async fn by_a_session_that_is_ended_or_a_wait_that_is_cancelled() {
    let kills: usize = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(12);
    let db = database("places").await;
    let (admin, boss) = (db.admin().await, db.superuser().await);
    admin.run("select tenant.create('acme'); select tenant.set_limit('acme', 'concurrent_transactions', 2)").await;
    boss.run(&format!("alter role {} set pg_tenant.admission_timeout = '300ms'", db.roles.app)).await;
    for n in 0..kills {
        let sessions = [db.app().await, db.app().await, db.app().await, db.app().await];
        let work = sessions.each_ref().map(|session| async {
            let _ = session.batch_execute("begin; select tenant.enter('acme'); select pg_sleep(0.05)").await;
            let _ = session.batch_execute("commit").await;
        });
        let how = if n % 2 == 0 { "pg_terminate_backend" } else { "pg_cancel_backend" };
        let ending = async {
            tokio::time::sleep(Duration::from_millis(10 + 7 * n as u64 % 60)).await;
            let app = &db.roles.app;
            boss.run(&format!(
                "select {how}(pid) from (select pid from pg_stat_activity where usename = '{app}' order by random() limit 2) a"
            ))
            .await;
        };
        let [a, b, c, d] = work;
        tokio::join!(a, b, c, d, ending);
    }
    while boss.value(&format!("select count(*) from pg_stat_activity where usename = '{}'", db.roles.app)).await
        != Some("0".into())
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let in_use = "select in_use from tenant.limit_state where tenant_id = 'acme'";
    assert_eq!(admin.value(in_use).await.as_deref(), Some("0"));
    let (one, two) = (db.app().await, db.app().await);
    one.run("begin; select tenant.enter('acme')").await;
    two.run("begin; select tenant.enter('acme')").await;
}
