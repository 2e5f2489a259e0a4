//! Two workers do the same step, or one goes on with a step that another has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pg_tenant_client::admin::NewTenant;
use pg_tenant_client::onboarding::{Onboarding, OutsideStep, Runner, Step, TenantStep};
use serde_json::json;
use tokio::sync::Notify;

use super::world::World;

async fn make(mut step: TenantStep) -> Result<(), pg_tenant_client::onboarding::StepError> {
    let name = step.name().to_owned();
    step.tx().execute("insert into made (step) values ($1)", &[&name]).await?;
    Ok(())
}

fn three(onboarding: Onboarding) -> Onboarding {
    onboarding
        .step(Step::in_tenant("a", make))
        .step(Step::in_tenant("b", make))
        .step(Step::in_tenant("c", make).after("a").after("b"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_same_tenants() {
    let world = World::new("o_two").await;
    let onboarding = three(world.onboarding(4));
    for n in 0..20 {
        onboarding.begin(NewTenant::new(format!("t{n}").as_str()), &json!({})).await.unwrap();
    }
    let runners: Vec<_> = (0..3)
        .map(|_| Runner::new(three(world.onboarding(4))).concurrency(3).poll(Duration::from_millis(5)).start())
        .collect();
    world.until("select count(*) from tenant.tenants where status = 'active'", "20").await;
    for runner in runners {
        runner.drain().await;
    }
    assert_eq!(world.value("select count(*) || ' ' || count(distinct (tenant_id, step)) from made").await, "60 60");
    assert_eq!(world.value("select max(attempts) from tenant.onboarding").await, "1");
}

/// Says when it is dropped.
struct Held(Arc<AtomicBool>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One whose step was taken by another is stopped, and what it did in the database is rolled back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_lease_is_over() {
    let world = World::new("o_late").await;
    let (begun, dropped, attempts) =
        (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let step = {
        let (begun, dropped, attempts) = (begun.clone(), dropped.clone(), attempts.clone());
        Step::in_tenant("only", move |step: TenantStep| {
            let (begun, dropped, first) =
                (begun.clone(), dropped.clone(), attempts.fetch_add(1, Ordering::SeqCst) == 0);
            async move {
                make(step).await?;
                if first {
                    let _held = Held(dropped);
                    begun.notify_one();
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        })
    };
    let onboarding = world.onboarding(3).step(step);
    onboarding.begin(NewTenant::new("acme"), &json!({})).await.unwrap();
    let late = Runner::new(onboarding.clone()).lease(Duration::from_secs(6)).start();
    begun.notified().await;
    world.let_time_pass().await;
    let claimed = "select attempt from tenant.claim_step('another', '1 hour')";
    assert_eq!(world.value(claimed).await, "2");
    // It hears of it when it says that it still works.
    while !dropped.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    late.drain().await;
    assert_eq!(world.value("select count(*) from made").await, "0");
    world.let_time_pass().await;
    assert_eq!(Runner::new(onboarding).run_idle().await.unwrap(), 1);
    assert_eq!((&*world.value("select count(*) from made").await, &*world.status("acme").await), ("1", "active"));
}

/// A step may take longer than a lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_works() {
    let world = World::new("o_long").await;
    let go_on = Arc::new(Notify::new());
    let waits = go_on.clone();
    let onboarding = world.onboarding(3).step(Step::outside("long", move |_: OutsideStep| {
        let waits = waits.clone();
        async move {
            waits.notified().await;
            Ok(())
        }
    }));
    onboarding.begin(NewTenant::new("acme"), &json!({})).await.unwrap();
    let runner = Runner::new(onboarding).lease(Duration::from_secs(6)).start();
    world.until("select status from tenant.onboarding", "running").await;
    let first = world.value("select claim_expires from tenant.onboarding").await;
    world.until(&format!("select claim_expires > '{first}' from tenant.onboarding"), "t").await;
    go_on.notify_one();
    world.until("select status from tenant.tenants", "active").await;
    runner.drain().await;
    assert_eq!(world.value("select attempts from tenant.onboarding").await, "1");
}

/// One that is told to stop ends what it has and takes no more; what goes on for too long is given to others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_one_is_told_to_stop() {
    let world = World::new("o_stop").await;
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let step = |name: &str| {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        Step::in_tenant(name, move |step: TenantStep| {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            async move {
                make(step).await?;
                begun.notify_one();
                go_on.notified().await;
                Ok(())
            }
        })
    };
    let onboarding = world.onboarding(3).step(step("a")).step(step("b").after("a"));
    onboarding.begin(NewTenant::new("acme"), &json!({})).await.unwrap();
    let runner = Runner::new(onboarding.clone()).start();
    begun.notified().await;
    let draining = tokio::spawn(runner.drain());
    go_on.notify_one();
    draining.await.unwrap();
    let states = "select string_agg(concat_ws(' ', step, status, attempts), ', ' order by nth) from tenant.onboarding";
    assert_eq!(world.value(states).await, "a done 1, b waiting 0");
    let runner = Runner::new(onboarding.clone()).drain_timeout(Duration::ZERO).start();
    begun.notified().await;
    runner.drain().await;
    assert_eq!(world.value(states).await, "a done 1, b waiting 1");
    let told = "select last_error || ' ' || (not_before <= now()) from tenant.onboarding where step = 'b'";
    assert_eq!(world.value(told).await, "the worker was stopped true");
    go_on.notify_one();
    Runner::new(onboarding).run_idle().await.unwrap();
    assert_eq!((&*world.value("select count(*) from made").await, &*world.status("acme").await), ("2", "active"));
}
