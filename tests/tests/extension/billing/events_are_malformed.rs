//! An event, a customer or a policy that cannot be is refused.

use pg_tenant_tests::shop::A;

use super::fixture::{billed, day, event, snapshot};

#[tokio::test]
async fn and_applied_all_the_same() {
    let (db, admin, hook) = billed("billing_wrong").await;
    for (kind, payload) in [
        ("subscription", r#""subscription": "s", "status": "active""#),
        ("subscription", r#""customer": "c", "status": "active""#),
        ("subscription", r#""customer": "c", "subscription": "s", "status": "rich""#),
        ("subscription", r#""customer": "c", "subscription": "s", "status": "active", "paid_until": "soon""#),
        ("subscription", r#""customer": "c", "subscription": "s", "status": "active", "cancel_at": "infinity""#),
        ("subscription", r#""customer": "c", "subscription": "s", "status": "active", "paid_until": true"#),
        ("invoice_paid", r#""subscription": "s""#),
        ("", r#""customer": "c""#),
    ] {
        hook.expect_error("TN175", &event("e", day(0), kind, payload)).await;
    }
    hook.expect_error("TN175", &event("", day(0), "other", "")).await;
    hook.expect_error("TN175", "select tenant.apply_billing_event('Stripe', 'e', now(), 'other', '{}')").await;
    hook.expect_error("TN175", "select tenant.apply_billing_event('stripe', 'e', 'infinity', 'other', '{}')").await;
    hook.expect_error("TN175", "select tenant.apply_billing_event('stripe', 'e', now(), 'other', '[]')").await;
    hook.run("begin isolation level repeatable read").await;
    hook.expect_error("TN175", &snapshot("e", day(0), "active", "pro", day(1))).await;
    hook.run("rollback").await;
    // Nor is what a snapshot does not show taken to be all.
    let link = format!("select tenant.link_billing_customer('{A}', 'stripe', 'cus_b')");
    for sql in [link.as_str(), "select tenant.unlink_billing_customer('stripe', 'cus_a', 'a mistake')"] {
        admin.run("begin isolation level repeatable read").await;
        admin.expect_error("TN175", sql).await;
        admin.run("rollback").await;
    }
    let both = format!("regress_{}_both", db.name);
    db.superuser().await.run(&format!("create role {both} login in role tenant_user, tenant_billing")).await;
    db.connect(&both).await.refused_inside("TN175", A, &snapshot("e", day(0), "active", "pro", day(1))).await;
    for (code, call) in [
        ("TN002", "link_billing_customer('nobody', 'stripe', 'c')".to_owned()),
        ("TN175", format!("link_billing_customer('{A}', 'Stripe', 'c')")),
        ("TN175", "unlink_billing_customer('stripe', 'nobody', 'gone')".to_owned()),
        ("TN029", "unlink_billing_customer('stripe', 'cus_a', '')".to_owned()),
        ("TN029", format!("give_billing_grace('{A}', now(), '')")),
        ("TN178", "set_billing_policy('nothing')".to_owned()),
        ("TN178", "prune_billing_events('1 hour')".to_owned()),
        ("TN178", "set_billing_policy('pro', '-1 day')".to_owned()),
        ("TN178", "set_billing_policy('pro', after_end => 'gone')".to_owned()),
        ("TN178", "set_billing_policy('pro', end_plan => 'nothing')".to_owned()),
    ] {
        admin.expect_error(code, &format!("select tenant.{call}")).await;
    }
}
