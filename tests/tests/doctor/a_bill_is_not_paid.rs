//! Events of nobody's customer, policies that nobody carries out, plans that nobody pays for.

use crate::case::{Case, by_hand, fixed, prove};

pub const CASES: &[Case] = &[
    by_hand(
        "T152",
        "stripe/cus_t152",
        "select tenant.apply_billing_event('stripe', 't152', now(), 'invoice_paid', '{\"customer\": \"cus_t152\", \"subscription\": \"s\"}')
         update tenant.billing_events set received_at = now() - interval '2 days' where event_id = 't152'",
        "select tenant.create('t152'); select tenant.link_billing_customer('t152', 'stripe', 'cus_t152')",
    ),
    fixed(
        "T153",
        "t153",
        "select tenant.create('t153'); select tenant.link_billing_customer('t153', 'stripe', 'cus_t153')
         update tenant.subscriptions set next_at = now() - interval '1 hour' where tenant_id = 't153'",
    ),
    by_hand(
        "T154",
        "t154",
        "select tenant.define_plan('t154'); select tenant.set_billing_policy('t154')
         select tenant.create('t154', plan => 't154')",
        "select tenant.set_plan('t154', null)",
    ),
    fixed(
        "T157",
        "t157",
        "select tenant.create('buyer'); select tenant.link_billing_customer('buyer', 'stripe', 'cus_t157')
         select tenant.apply_billing_event('stripe', 't157', now(), 'subscription', '{\"customer\": \"cus_t157\", \"subscription\": \"s\", \"status\": \"active\", \"plan\": \"t157\"}')",
    ),
];

#[tokio::test]
async fn and_nobody_notices() {
    prove("bill_not_paid", CASES).await;
}
