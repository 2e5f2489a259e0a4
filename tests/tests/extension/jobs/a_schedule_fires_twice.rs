//! A due time of a schedule is fired twice, or for a part of the tenants.

use super::fixture::{claim, let_time_pass, workshop};

const FIRE: &str = "select queued || ' ' || complete from tenant.fire_schedule('s', date_trunc('minute', now()), (select last_due from tenant.schedules), ";

#[tokio::test]
async fn by_two_schedulers() {
    let (db, worker) = workshop("fire").await;
    let admin = db.admin().await;
    admin.run("select tenant.create('initech'), tenant.create('off'), tenant.suspend('off', 'unpaid')").await;
    admin.run("select tenant.define_schedule('s', '* * * * *', 'each_tenant', 'report', spread => '1 h')").await;
    let later = "update tenant.schedules set last_due = now() - interval '1 day'";
    db.superuser().await.run(later).await;
    let read = worker.value("select last_due from tenant.schedules").await.expect("a time");
    // In parts: one that was begun is gone on with, whoever does it.
    assert_eq!(worker.value(&format!("{FIRE}2)")).await.as_deref(), Some("2 false"));
    let other = db.connect(&super::fixture::worker_of(&db)).await;
    assert_eq!(other.value(&format!("{FIRE}2)")).await.as_deref(), Some("1 true"));
    let stale = format!("select queued from tenant.fire_schedule('s', date_trunc('minute', now()), '{read}')");
    assert_eq!(worker.value(&stale).await.as_deref(), Some("0"), "it has read what is not true any more");
    let counted = "select count(*) || ' ' || count(distinct tenant_id) from tenant.jobs";
    assert_eq!(db.superuser().await.value(counted).await.as_deref(), Some("3 3"));
    let_time_pass(&db).await;
    assert_eq!(claim(&worker, ", at_most => 10").await.len(), 3);
    // Tenants are apart, each where it was the last time.
    db.superuser().await.run("delete from tenant.jobs").await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        db.superuser().await.run(later).await;
        worker.run("begin").await;
        worker.run(&format!("{FIRE}9)")).await;
        worker.run("commit").await;
        seen.push(db.superuser().await.value("select string_agg(tenant_id || (run_at - (select last_due from tenant.schedules)), ' ' order by tenant_id) from tenant.jobs").await);
        db.superuser().await.run("delete from tenant.jobs").await;
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn by_two_who_lead() {
    let (db, worker) = workshop("lead").await;
    let other = db.connect(&super::fixture::worker_of(&db)).await;
    let lead = "select tenant.lead_schedules()";
    assert_eq!(worker.value(lead).await.as_deref(), Some("t"));
    assert_eq!(other.value(lead).await.as_deref(), Some("f"));
    drop(worker);
    for _ in 0..200 {
        if other.value(lead).await.as_deref() == Some("t") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("nobody leads after the session that did has ended");
}

#[tokio::test]
async fn while_it_rests() {
    let (db, worker) = workshop("rests").await;
    let admin = db.admin().await;
    admin.run("select tenant.define_schedule('s', '0 3 * * *', 'system', 'sweep', reason => 'ticket 7', time_zone => 'Europe/Zurich')").await;
    db.superuser().await.run("update tenant.schedules set last_due = now() - interval '1 day'").await;
    admin.run("select tenant.enable_schedule('s', false, 'maintenance')").await;
    assert_eq!(worker.value(&format!("{FIRE}9)")).await.as_deref(), Some("0 true"));
    admin.run("select tenant.enable_schedule('s', true, 'over')").await;
    db.superuser().await.run("update tenant.schedules set last_due = now() - interval '1 day'").await;
    let skip = "select tenant.skip_schedule('s', now() - interval '1 h', (select last_due from tenant.schedules))";
    assert_eq!(worker.value(skip).await.as_deref(), Some("t"));
    assert_eq!(worker.value(&format!("{FIRE}9)")).await.as_deref(), Some("1 true"));
    assert_eq!(claim(&worker, "").await[0].tenant, None);
    admin.run("select tenant.drop_schedule('s', 'no more')").await;
    admin.expect_error("TN161", "select tenant.drop_schedule('s', 'no more')").await;
    worker.expect_error("TN161", "select tenant.fire_schedule('s', now(), now())").await;
}
