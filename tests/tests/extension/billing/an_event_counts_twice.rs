//! An event that comes twice, late or before its time changes nothing that it would not have changed in its turn.

use pg_tenant_tests::shop::{A, stock_shop};

use super::fixture::{billed, day, event, snapshot, state};

#[tokio::test]
async fn where_the_last_to_arrive_wins() {
    let db = stock_shop("billing_stock").await;
    let owner = db.owner().await;
    owner.run("create table subscription (id text primary key, status text)").await;
    // What webhooks usually do: paid at three, payment failed at two; delivered the other way round.
    for status in ["active", "past_due"] {
        let sql = format!(
            "insert into subscription values ('sub', '{status}') on conflict (id) do update set status = excluded.status"
        );
        owner.run(&sql).await;
    }
    assert_eq!(owner.value("select status from subscription").await.as_deref(), Some("past_due"), "who has paid");
}

#[tokio::test]
async fn or_in_the_order_of_arrival() {
    let (_db, admin, hook) = billed("billing_order").await;
    hook.run(&snapshot("e3", day(-1), "active", "pro", day(29))).await;
    hook.run(&event("e2", day(-2), "payment_failed", r#""customer": "cus_a", "subscription": "sub_a""#)).await;
    hook.run(&snapshot("e1", day(-30), "active", "basic", day(-1))).await;
    assert_eq!(state(&admin, A).await, "active pro active");
    let again = snapshot("e3", day(-1), "active", "pro", day(29));
    assert_eq!(hook.value(&again).await.as_deref(), Some("duplicate"));
    hook.expect_error("TN177", &snapshot("e3", day(-1), "ended", "pro", day(29))).await;
    assert_eq!(state(&admin, A).await, "active pro active");
    // An end is final, whatever comes after it.
    hook.run(&event("e9", day(0), "subscription_ended", r#""customer": "cus_a", "subscription": "sub_a""#)).await;
    assert_eq!(state(&admin, A).await, "suspended pro ended");
    let late = event("e8", day(0) + 60, "invoice_paid", r#""customer": "cus_a", "subscription": "sub_a""#);
    assert_eq!(hook.value(&late).await.as_deref(), Some("ignored"));
    let why = admin.value("select why from tenant.billing_events where event_id = 'e8'").await.expect("why");
    assert!(why.starts_with("the subscription ended on"), "{why}");
    // A new subscription is one.
    let anew = r#""customer": "cus_a", "subscription": "sub_b", "status": "active", "plan": "basic""#;
    hook.run(&event("e10", day(0) + 120, "subscription", anew)).await;
    assert_eq!(state(&admin, A).await, "active basic active");
}

#[tokio::test]
async fn or_before_its_customer_is_known() {
    let (_db, admin, hook) = billed("billing_early").await;
    let early = event(
        "e1",
        day(-2),
        "subscription",
        r#""customer": "cus_x", "subscription": "sub_x", "status": "active", "plan": "pro""#,
    );
    assert_eq!(hook.value(&early).await.as_deref(), Some("unmatched"));
    assert_eq!(hook.value(&event("e2", day(0), "customer.created", "")).await.as_deref(), Some("ignored"));
    let link = format!("select tenant.link_billing_customer('{A}', 'stripe', 'cus_x')");
    assert_eq!(admin.value(&link).await.as_deref(), Some("1"));
    assert_eq!(state(&admin, A).await, "active pro active");
    admin.run("select tenant.unlink_billing_customer('stripe', 'cus_x', 'a mistake')").await;
    assert_eq!(state(&admin, A).await, "active none");
}

#[tokio::test]
async fn or_time_alone_changes_it() {
    let (db, admin, hook) = billed("billing_time").await;
    admin.run("select tenant.set_billing_policy('pro', '3 days', '4 days', end_plan => 'basic')").await;
    hook.run(&snapshot("e1", day(-31), "active", "pro", day(10))).await;
    let boss = db.superuser().await;
    for (days, expected) in [
        (0, "active pro active"),
        (11, "active pro past_due"),
        (14, "read_only pro past_due"),
        (18, "suspended pro past_due"),
        (15, "read_only pro past_due"),
        (0, "active pro active"),
    ] {
        boss.run(&format!("select tenant_internal.bill('{A}', to_timestamp({}))", day(days))).await;
        assert_eq!(state(&admin, A).await, expected, "after {days} days");
    }
    // The tick does it when it is time, once.
    boss.run("update tenant.billing_events set payload = payload - 'paid_until'; update tenant.subscriptions set next_at = now() - interval '1 h'").await;
    assert_eq!(hook.value("select tenant.billing_tick()").await.as_deref(), Some("1"));
    assert_eq!(hook.value("select tenant.billing_tick()").await.as_deref(), Some("0"));
    let cancelled = format!(
        r#""customer": "cus_a", "subscription": "sub_a", "status": "active", "plan": "pro", "cancel_at": {}"#,
        day(-1)
    );
    hook.run(&event("e2", day(-3), "subscription", &cancelled)).await;
    assert_eq!(state(&admin, A).await, "active basic ended");
}

/// What the state follows from is kept, and that the event was here.
#[tokio::test]
async fn or_its_payload_was_pruned() {
    let (db, admin, hook) = billed("billing_pruned").await;
    let said = |id: &str, raw: &str| {
        let facts = r#""customer": "cus_a", "subscription": "sub_a", "status": "active", "plan": "pro""#;
        event(
            id,
            day(-400),
            "subscription",
            &format!(r#"{facts}, "paid_until": {}, "raw": {{"mail": "{raw}"}}"#, day(20)),
        )
    };
    hook.run(&said("e1", "ada@example.com")).await;
    hook.run(&event("e2", day(-399), "customer.created", r#""mail": "ada@example.com""#)).await;
    let before = state(&admin, A).await;
    assert_eq!(
        admin.value("select tenant.prune_billing_events('90 days')").await.as_deref(),
        Some("0"),
        "they have just come"
    );
    db.superuser().await.run("update tenant.billing_events set received_at = now() - interval '100 days'").await;
    assert_eq!(admin.value("select tenant.prune_billing_events('90 days', batch => 1)").await.as_deref(), Some("1"));
    assert_eq!(hook.value("select tenant.prune_billing_events('90 days')").await.as_deref(), Some("1"));
    assert_eq!(hook.value("select tenant.prune_billing_events('90 days')").await.as_deref(), Some("0"));
    let mails = "select count(*) from tenant.billing_events where payload::text like '%ada@%'";
    assert_eq!(admin.value(mails).await.as_deref(), Some("0"));
    assert_eq!(hook.value(&said("e1", "ada@example.com")).await.as_deref(), Some("duplicate"));
    hook.expect_error("TN177", &said("e1", "").replace("pro", "basic")).await;
    // The state follows from what is left of it.
    hook.run(&event("e3", day(0), "other", r#""customer": "cus_a""#)).await;
    assert_eq!(state(&admin, A).await, before);
}
