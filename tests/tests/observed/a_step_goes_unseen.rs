//! An attempt at a step of an onboarding has a span around its calls and is counted, and open steps are told of.

use std::time::Duration;

use pg_tenant_client::admin::NewTenant;
use pg_tenant_client::onboarding::{Onboarding, OutsideStep, Runner, Step, StepError, TenantStep};
use serde_json::json;

use crate::fixture::{Fixture, INSERT};
use crate::recorded::{Metrics, Spans};

#[tokio::test]
async fn nor_what_it_did() {
    let fixture = Fixture::new("o_steps").await;
    let role = format!("regress_{}_worker", fixture.db.name);
    let rights = "grant tenant_user, tenant_admin to {role}; grant insert on orders to {role}; grant usage on sequence totals to {role}";
    fixture.superuser.run(&format!("create role {role} login; {}", rights.replace("{role}", &role))).await;
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let onboarding = Onboarding::new(fixture.pool_of(fixture.config(&role), 2))
        .step(Step::in_tenant("order", async |mut step: TenantStep| Ok(step.tx().execute(INSERT, &[]).await?)))
        .step(
            Step::outside("mail", async |_: OutsideStep| Err::<(), _>(StepError::new("hidden")))
                .after("order")
                .max_attempts(1)
                .undo(async |_, _| Ok(())),
        );
    onboarding.begin(NewTenant::new("new"), &json!({"secret": "hidden"})).await.unwrap();
    let runner = Runner::new(onboarding.clone());

    let spans = Spans::record();
    metrics.take();
    assert_eq!(runner.run_idle().await.unwrap(), 2);
    onboarding.abandon("new", "hidden").await.unwrap();
    assert_eq!(runner.run_idle().await.unwrap(), 1);
    let seen = spans.take();
    let steps: Vec<_> = seen.iter().filter(|span| span.name == "step").collect();
    let fields = ["tenant", "step", "attempt", "outcome"];
    let told: Vec<_> = steps.iter().map(|span| fields.map(|name| span.field(name)).join(" ")).collect();
    assert_eq!(told, ["new order 1 done", "new mail 1 failed", "new mail 2 undone"]);
    let inside: Vec<_> = seen.iter().filter(|span| span.parent == Some("step")).map(|span| span.name).collect();
    // The step's transaction with its end; then what is said of those that have none.
    assert_eq!(inside, ["begin", "insert", "select", "begin", "begin"]);
    assert!(!format!("{seen:?}").contains("hidden"), "{seen:?}");
    let counted = metrics.take();
    for outcome in ["done", "failed", "undone"] {
        for series in ["onboarding_steps_total", "onboarding_step_seconds"] {
            let name = format!("pg_tenant_{series}{{tenant=other,outcome={outcome}}}");
            assert_eq!(counted.get(&name), Some(&1), "{name} of {counted:?}");
        }
    }
}

#[tokio::test]
async fn nor_that_it_is_open() {
    let fixture = Fixture::new("o_open_steps").await;
    let role = format!("regress_{}_worker", fixture.db.name);
    fixture.superuser.run(&format!("create role {role} login; grant tenant_user, tenant_admin to {role}")).await;
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let onboarding = Onboarding::new(fixture.pool_of(fixture.config(&role), 2));
    let never = async |_: OutsideStep| Ok(());
    let begun = onboarding.clone().step(Step::outside("a", never)).step(Step::outside("b", never).after("a"));
    begun.begin(NewTenant::new("new"), &json!({})).await.unwrap();
    // One that knows no steps tells of all.
    let runner = Runner::new(onboarding).poll(Duration::from_millis(5)).start();
    let mut told = metrics.take();
    while !told.contains_key("pg_tenant_onboarding_oldest_seconds{}") {
        tokio::time::sleep(Duration::from_millis(5)).await;
        told.extend(metrics.take());
    }
    for (state, steps) in [("blocked", 1), ("waiting", 1), ("running", 0), ("failed", 0), ("overdue", 0)] {
        assert_eq!(
            told.get(&format!("pg_tenant_onboarding_open_steps{{state={state}}}")),
            Some(&steps),
            "{state}: {told:?}"
        );
    }
    runner.drain().await;
}
