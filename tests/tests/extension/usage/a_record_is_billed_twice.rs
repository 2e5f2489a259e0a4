//! What is exported has the same ids each time, and what comes to a day later is a version of its own; roll-ups lose
//! nothing.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{consume, metered, used};

const RECORDS: &str = "select record_id, version, quantity, change from tenant.export_usage('2020-01-01') order by tenant_id, day, version";

#[tokio::test]
async fn or_lost() {
    let (db, admin, app) = metered("usage_records").await;
    let boss = db.superuser().await;
    app.inside(A, &consume(7)).await;
    app.inside(B, &consume(2)).await;
    assert!(admin.rows(RECORDS).await.is_empty(), "today is not over");
    // It was yesterday.
    boss.run("update tenant.usage set day = day - 1").await;
    let first = admin.rows(RECORDS).await;
    assert_eq!(first.len(), 2);
    assert_eq!(first, admin.rows(RECORDS).await);
    assert_eq!(first[0][1..], [Some("1".to_owned()), Some("7".to_owned()), Some("7".to_owned())]);
    // Something more comes to that day, and something to this one.
    app.inside(A, &consume(3)).await;
    boss.run(&format!("update tenant.usage_days set used = used + 1 where tenant_id = '{A}'")).await;
    let second = admin.rows(RECORDS).await;
    assert_eq!((second.len(), &second[0]), (3, &first[0]));
    assert_eq!(second[1][1..], [Some("2".to_owned()), Some("8".to_owned()), Some("1".to_owned())]);
    assert_ne!(second[0][0], second[1][0]);
    // By day, by month, and rolled up.
    let by_day =
        format!("select string_agg(used::text, ' ' order by day) from tenant.usage_by_day where tenant_id = '{A}'");
    let by_month = format!("select sum(used) from tenant.usage_by_month where tenant_id = '{A}'");
    for _ in 0..2 {
        assert_eq!(admin.value(&by_day).await.as_deref(), Some("8 3"));
        assert_eq!(admin.value(&by_month).await.as_deref(), Some("11"));
        admin.run("select * from tenant.roll_up_usage()").await;
    }
    assert_eq!(used(&admin, "api_calls").await, "10", "the period goes on");
    // The period is over, and so are its days.
    boss.run(
        "update tenant.usage set period_start = period_start - interval '2 months', day = day - 40;
        update tenant.usage_days set day = day - 40",
    )
    .await;
    assert_eq!(admin.value("select periods from tenant.roll_up_usage()").await.as_deref(), Some("2"));
    assert_eq!(boss.value("select count(*) from tenant.usage").await.as_deref(), Some("0"));
    assert_eq!(admin.value(&by_day).await.as_deref(), Some("8 3"));
    admin.run("select tenant.roll_up_usage()").await;
    assert_eq!(boss.value("select count(*) from tenant.usage_days where stripe >= 0").await.as_deref(), Some("0"));
    assert_eq!(admin.value(&by_day).await.as_deref(), Some("8 3"));
    assert_eq!(used(&admin, "api_calls").await, "0");
}

/// A day is counted by itself, whichever stripe it is in; the export is CSV by COPY.
#[tokio::test]
async fn over_days() {
    let (db, admin, app) = metered("usage_days").await;
    let boss = db.superuser().await;
    for _ in 0..3 {
        for amount in [1, 2] {
            app.inside(A, &consume(amount)).await;
            db.app().await.inside(A, &consume(amount)).await;
        }
        boss.run("update tenant.usage set day = day - 1; update tenant.usage_days set day = day - 1").await;
    }
    assert_eq!(used(&admin, "api_calls").await, "18");
    let by_day = format!(
        "select string_agg(used::text, ' ' order by day) from tenant.usage_by_day where tenant_id = '{A}' and used > 0"
    );
    assert_eq!(admin.value(&by_day).await.as_deref(), Some("6 6 6"));
    admin.run("create temp table out (line text)").await;
    let rows = admin
        .rows("select tenant_id, meter, unit, day, quantity from tenant.export_usage('2020-01-01', 'tomorrow')")
        .await;
    assert_eq!(rows.len(), 3);
    admin.run("begin isolation level repeatable read; select 1").await;
    admin.expect_error("TN174", RECORDS).await;
    admin.run("rollback").await;
}
