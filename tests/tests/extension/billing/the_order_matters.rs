//! Whatever the order in which a few events come, and whenever their customer is linked, the same follows.

use pg_tenant_tests::Session;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::fixture::{billed, day};

#[derive(Clone, Debug)]
struct Said {
    subscription: usize,
    day: i64,
    what: usize,
    plan: Option<&'static str>,
    until: i64,
}

const WHAT: [(&str, &str); 8] = [
    ("subscription", "incomplete"),
    ("subscription", "trialing"),
    ("subscription", "active"),
    ("subscription", "past_due"),
    ("subscription", "paused"),
    ("invoice_paid", ""),
    ("payment_failed", ""),
    ("subscription_ended", ""),
];

fn said() -> impl Strategy<Value = Said> {
    let plan = prop_oneof![Just(None), Just(Some("basic")), Just(Some("pro")), Just(Some("undefined"))];
    // Few days, so that several are of one second.
    (0..2usize, 0..4i64, 0..WHAT.len(), plan, 0..4i64).prop_map(|(subscription, day, what, plan, until)| Said {
        subscription,
        day: -40 + day * 10,
        what,
        plan,
        until: -30 + until * 20,
    })
}

impl Said {
    fn sql(&self, today: i64, provider: &str, id: &str, customer: &str) -> String {
        let (kind, status) = WHAT[self.what];
        let mut payload = serde_json::json!({"customer": customer, "subscription": format!("sub_{}", self.subscription),
            "paid_until": today + self.until * 86_400});
        if !status.is_empty() {
            payload["status"] = status.into();
        }
        if let Some(plan) = self.plan {
            payload["plan"] = plan.into();
        }
        let at = today + self.day * 86_400;
        format!("select tenant.apply_billing_event('{provider}', '{id}', to_timestamp({at}), '{kind}', '{payload}')")
    }
}

/// What is left of it: the tenant, its subscription, and each event.
async fn state(admin: &Session, tenant: &str) -> String {
    let sql = format!(
        "select jsonb_pretty(to_jsonb(t) || jsonb_build_object('events', (select jsonb_agg(jsonb_build_array(e.event_id, e.outcome, e.why)
            order by e.event_id) from tenant.billing_events e where e.tenant_id = '{tenant}'))) from (
            select n.status as tenant_status, n.plan as tenant_plan, s.plan, s.status, s.paid_until, s.past_due_since, s.ended_at, s.access,
                s.next_at, s.as_of, s.held, s.held_from, s.given_plan, s.plan_before, s.missing_plan
            from tenant.tenants n join tenant.subscriptions s on s.tenant_id = n.id where n.id = '{tenant}') t"
    );
    admin.value(&sql).await.expect("a tenant")
}

/// The events in order for a customer that is linked, and in another one for a customer that is linked meanwhile.
async fn compare(admin: &Session, hook: &Session, nth: usize, events: &[Said], order: &[usize], linked: usize) {
    let today = day(0);
    let (one, other) = (format!("n{nth}-one"), format!("n{nth}-other"));
    admin
        .run(&format!("select tenant.create('{one}', plan => 'basic'), tenant.create('{other}', plan => 'basic')"))
        .await;
    let link = async |provider: &str, tenant: &str| {
        admin.run(&format!("select tenant.link_billing_customer('{tenant}', '{provider}', '{tenant}')")).await;
    };
    link("stripe", &one).await;
    for (id, said) in events.iter().enumerate() {
        hook.run(&said.sql(today, "stripe", &format!("n{nth}-{id}"), &one)).await;
    }
    for (place, id) in order.iter().enumerate() {
        if place == linked {
            link("paddle", &other).await;
        }
        hook.run(&events[*id].sql(today, "paddle", &format!("n{nth}-{id}"), &other)).await;
    }
    if linked >= order.len() {
        link("paddle", &other).await;
    }
    assert_eq!(
        state(admin, &one).await,
        state(admin, &other).await,
        "{events:#?} in the order {order:?}, linked at {linked}"
    );
}

#[test]
fn of_what_was_said() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (_db, admin, hook) = runtime.block_on(billed("billing_permuted"));
    let config = Config { cases: 40, max_shrink_iters: 200, source_file: Some(file!()), ..Config::default() };
    let events = prop::collection::vec(said(), 1..6).prop_flat_map(|events| {
        let order: Vec<usize> = (0..events.len()).collect();
        (Just(events), Just(order).prop_shuffle(), 0..7usize)
    });
    let nth = std::cell::Cell::new(0);
    let same = TestRunner::new(config).run(&events, |(events, order, linked)| {
        nth.set(nth.get() + 1);
        runtime.block_on(compare(&admin, &hook, nth.get(), &events, &order, linked));
        Ok(())
    });
    // Within the runtime, since connections end in it.
    let _inside = runtime.enter();
    same.expect("the same in any order");
}
