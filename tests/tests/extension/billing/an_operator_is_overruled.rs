//! Billing gives back what billing took: a tenant that an operator has suspended stays so, whoever pays.

use pg_tenant_tests::shop::A;

use super::fixture::{billed, day, event, snapshot, state};

const PAID: &str = r#""customer": "cus_a", "subscription": "sub_a""#;

#[tokio::test]
async fn who_has_suspended_it() {
    let (_db, admin, hook) = billed("billing_operator").await;
    let suspend = format!("select tenant.suspend('{A}', 'abuse')");
    // Before, after and while billing holds it.
    admin.run(&suspend).await;
    hook.run(&snapshot("e1", day(-60), "active", "pro", day(-50))).await;
    hook.run(&event("e2", day(-3), "invoice_paid", &format!("{PAID}, \"paid_until\": {}", day(5)))).await;
    assert_eq!(state(&admin, A).await, "suspended pro active");
    admin.run(&format!("select tenant.resume('{A}')")).await;
    hook.run(&event("e3", day(-2), "subscription", &format!("{PAID}, \"status\": \"paused\""))).await;
    assert_eq!(state(&admin, A).await, "read_only pro paused");
    admin.run(&suspend).await;
    hook.run(&snapshot("e4", day(-1), "active", "pro", day(9))).await;
    assert_eq!(state(&admin, A).await, "suspended pro active");
    admin.run(&format!("select tenant.resume('{A}')")).await;
    hook.run(&event("e5", day(0), "subscription_ended", PAID)).await;
    assert_eq!(state(&admin, A).await, "suspended pro ended");
    // The state is the same already, and from now on the operator's.
    admin.run(&suspend).await;
    hook.run(&event(
        "e6",
        day(0) + 9,
        "subscription",
        r#""customer": "cus_a", "subscription": "sub_b", "status": "active", "plan": "basic""#,
    ))
    .await;
    assert_eq!(state(&admin, A).await, "suspended basic active");
}

#[tokio::test]
async fn who_lets_it_go_on() {
    let (_db, admin, hook) = billed("billing_grace").await;
    hook.run(&snapshot("e1", day(-60), "active", "pro", day(-50))).await;
    assert_eq!(state(&admin, A).await, "suspended pro past_due");
    admin.run(&format!("select tenant.give_billing_grace('{A}', now() + interval '5 days', 'they will pay')")).await;
    assert_eq!(state(&admin, A).await, "active pro past_due");
    admin.run(&format!("select tenant.give_billing_grace('{A}', null, 'they did not')")).await;
    assert_eq!(state(&admin, A).await, "suspended pro past_due");
    // A plan that an operator gives stays, until the subscription has another.
    hook.run(&snapshot("e2", day(-2), "active", "pro", day(20))).await;
    admin.run(&format!("select tenant.set_plan('{A}', 'basic', 'on the house')")).await;
    hook.run(&snapshot("e3", day(-1), "active", "pro", day(20))).await;
    assert_eq!(state(&admin, A).await, "active basic active");
}
