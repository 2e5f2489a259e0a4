//! A tenant keeps its plan where what it has paid for names none, or one that nobody has defined.

use pg_tenant_tests::shop::A;

use super::fixture::{billed, day, event, snapshot, state};

#[tokio::test]
async fn and_is_given() {
    let (_db, admin, hook) = billed("billing_no_plan").await;
    hook.run(&snapshot("e1", day(-9), "active", "basic", day(20))).await;
    assert_eq!(state(&admin, A).await, "active basic active");
    hook.run(&snapshot("e2", day(-8), "active", "gold", day(20))).await;
    assert_eq!(state(&admin, A).await, "active basic active", "nobody has defined gold");
    let why = "select outcome || ': ' || why from tenant.billing_events where event_id = 'e2'";
    assert_eq!(
        admin.value(why).await.as_deref(),
        Some("applied: there is no plan \"gold\": the tenant keeps the one before")
    );
    let finding = "select count(*) from tenant.doctor() where code = 'T157' and object = 'gold'";
    assert_eq!(admin.value(finding).await.as_deref(), Some("1"));
    // Which one that is follows from the events, not from when they came.
    hook.run(&snapshot("e3", day(-9) + 60, "active", "pro", day(20))).await;
    assert_eq!(state(&admin, A).await, "active pro active");
    // It is given when it is there.
    assert_eq!(hook.value("select tenant.billing_tick()").await.as_deref(), Some("0"));
    admin.run("select tenant.define_plan('gold', 3)").await;
    assert_eq!(hook.value("select tenant.billing_tick()").await.as_deref(), Some("1"));
    assert_eq!(hook.value("select tenant.billing_tick()").await.as_deref(), Some("0"));
    assert_eq!(state(&admin, A).await, "active gold active");
    assert_eq!(admin.value(finding).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn or_was_not_said_yet() {
    let (_db, admin, hook) = billed("billing_paid_first").await;
    admin.run("select tenant.create('early', plan => 'basic')").await;
    admin.run("select tenant.unlink_billing_customer('stripe', 'cus_a', 'anew')").await;
    admin.run("select tenant.link_billing_customer('early', 'stripe', 'cus_a')").await;
    let paid = format!(r#""customer": "cus_a", "subscription": "sub_a", "paid_until": {}"#, day(20));
    hook.run(&event("e2", day(-1), "invoice_paid", &paid)).await;
    assert_eq!(state(&admin, "early").await, "active basic active", "the plan that it had");
    hook.run(&snapshot("e1", day(-2), "active", "pro", day(20))).await;
    assert_eq!(state(&admin, "early").await, "active pro active");
}
