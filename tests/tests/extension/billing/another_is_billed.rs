//! A tenant reads its own subscription, and nobody's events; a webhook's login hands in events, and nothing else.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{billed, day, event, snapshot, state};

#[tokio::test]
async fn or_reads_of_it() {
    let (db, admin, hook) = billed("billing_another").await;
    let app = db.app().await;
    hook.run(&snapshot("e1", day(-1), "active", "pro", day(20))).await;
    let own = "select plan || ' ' || status || ' ' || access from tenant.own_subscription()";
    assert_eq!(app.inside_value(A, own).await.as_deref(), Some("pro active full"));
    assert_eq!(app.inside_value(B, "select count(*) from tenant.own_subscription()").await.as_deref(), Some("0"));
    assert!(app.rows(own).await.is_empty());
    let changes = [
        "select * from tenant.billing_events".to_owned(),
        "select * from tenant.subscriptions".to_owned(),
        "select * from tenant.billing_customers".to_owned(),
        "select * from tenant.billing_policies".to_owned(),
        "delete from tenant.billing_events".to_owned(),
        "update tenant.subscriptions set access = 'full'".to_owned(),
        format!("select tenant.link_billing_customer('{A}', 'stripe', 'cus_b')"),
        "select tenant.unlink_billing_customer('stripe', 'cus_a', 'mine')".to_owned(),
        format!("select tenant.give_billing_grace('{A}', 'infinity', 'mine')"),
        "select tenant.set_billing_policy('', '9 years')".to_owned(),
    ];
    for sql in changes
        .iter()
        .chain([&snapshot("e2", day(0), "active", "pro", day(900)), &"select tenant.billing_tick()".to_owned()])
    {
        app.refused_inside("42501", A, sql).await;
    }
    for sql in &changes {
        hook.expect_error("42501", sql).await;
    }
    admin.expect_error("TN176", &format!("select tenant.link_billing_customer('{B}', 'stripe', 'cus_a')")).await;
    assert_eq!(state(&admin, B).await, "active");
}

#[tokio::test]
async fn or_was_purged() {
    let (db, admin, hook) = billed("billing_purged").await;
    hook.run(&snapshot("e1", day(-1), "active", "pro", day(20))).await;
    let boss = db.superuser().await;
    admin.run(&format!("select tenant.offboard('{A}', 'leaves', now())")).await;
    boss.run(&format!("update tenant.tenants set purge_after = now() - interval '1 s' where id = '{A}'")).await;
    admin.run(&format!("select tenant.mark_purged('{A}', 'left')")).await;
    for table in ["billing_events", "subscriptions"] {
        assert_eq!(boss.value(&format!("select count(*) from tenant.{table}")).await.as_deref(), Some("0"), "{table}");
    }
    let late = event("e2", day(0), "invoice_paid", r#""customer": "cus_a", "subscription": "sub_a""#);
    assert_eq!(hook.value(&late).await.as_deref(), Some("ignored"));
    let kept = "select payload::text || why from tenant.billing_events";
    assert_eq!(boss.value(kept).await.as_deref(), Some("{}the tenant was purged"));
}
