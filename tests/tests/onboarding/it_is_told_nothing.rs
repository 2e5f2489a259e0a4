//! What a program asks of onboardings, and what it is refused.

use std::time::Duration;

use pg_tenant_client::TenantPool;
use pg_tenant_client::admin::NewTenant;
use pg_tenant_client::onboarding::{Onboarding, ReadyTenant, Runner, Step, TenantStep};
use serde_json::json;

use super::world::World;

fn with_steps(onboarding: Onboarding) -> Onboarding {
    onboarding
        .step(Step::in_tenant("rows", async |mut step: TenantStep| {
            step.tx().execute("insert into made (step) values ('rows')", &[]).await?;
            Ok(())
        }))
        .step(Step::in_tenant("owner", async |step: TenantStep| step.input::<String>("owner")).after("rows").at_claim())
}

/// A pool is kept filled by whoever runs, and each of its tenants is given once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ready_tenants() {
    let world = World::new("o_ready").await;
    let onboarding = with_steps(world.onboarding(6));
    let wanted = |n: u32| ReadyTenant::new().name(format!("T {n}")).slug(format!("t-{n}")).plan("free").settings("{}");
    let none = onboarding.claim_ready("default", wanted(0), &json!({})).await.unwrap();
    assert_eq!(none, None);
    onboarding.keep_ready("default", 3).await.unwrap();
    let runner = Runner::new(onboarding.clone()).concurrency(2).poll(Duration::from_millis(5)).start();
    world.until("select count(*) from tenant.ready_tenants", "3").await;
    let owner = json!({"owner": "ann"});
    let (a, b, c) = tokio::join!(
        onboarding.claim_ready("default", wanted(1), &owner),
        onboarding.claim_ready("default", wanted(2), &owner),
        onboarding.claim_ready("default", wanted(3), &owner),
    );
    let ids = [a.unwrap().expect("one"), b.unwrap().expect("one"), c.unwrap().expect("one")];
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    world.until("select count(*) from tenant.tenants where status = 'active' and slug like 't-_'", "3").await;
    assert_eq!(world.value("select count(*) from tenant.onboarding where result = '\"ann\"'").await, "3");
    runner.drain().await;
    let taken = onboarding.claim_ready("other", wanted(1), &owner).await.unwrap();
    assert_eq!(taken, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_who_may_not() {
    let world = World::new("o_refused").await;
    let pool = TenantPool::builder(world.db.config(&world.db.roles.app)).max_size(2).build().unwrap();
    let app = with_steps(Onboarding::new(pool));
    let refused = app.begin(NewTenant::new("acme"), &json!({})).await.unwrap_err();
    assert_eq!((refused.code(), refused.hint().is_some()), (Some("42501"), true));
    assert_eq!(Runner::new(app.clone()).run_idle().await.unwrap_err().code(), Some("42501"));
    // A runner goes on asking, and ends when it is told to.
    Runner::new(app).start().drain().await;

    let onboarding = with_steps(world.onboarding(2));
    onboarding
        .begin(NewTenant::new("acme").slug("acme").plan("free").name("Acme"), &json!({"owner": "ann"}))
        .await
        .unwrap();
    assert_eq!(world.value("select concat_ws(' ', name, slug, plan) from tenant.tenants").await, "Acme acme free");
    for (refused, code) in [
        (onboarding.begin(NewTenant::new("acme"), &json!({})).await.unwrap_err(), "TN050"),
        (onboarding.begin(NewTenant::new("a b"), &json!({})).await.unwrap_err(), "TN004"),
        (onboarding.begin(NewTenant::new("b"), &json!([1])).await.unwrap_err(), "TN153"),
        (world.onboarding(2).begin(NewTenant::new("b"), &json!({})).await.unwrap_err(), "TN153"),
        (onboarding.abandon("acme", "").await.unwrap_err(), "TN029"),
        (onboarding.abandon("nobody", "why").await.unwrap_err(), "TN002"),
        (onboarding.retry("nobody", "why").await.unwrap_err(), "TN002"),
        (onboarding.keep_ready("A", 1).await.unwrap_err(), "TN153"),
        (onboarding.claim_ready("A", ReadyTenant::new(), &json!({})).await.unwrap_err(), "TN153"),
    ] {
        assert_eq!(refused.code(), Some(code), "{refused:?}");
    }
    // A worker takes what it knows.
    assert_eq!(Runner::new(world.onboarding(2)).run_idle().await.unwrap(), 0);
    assert_eq!(Runner::new(onboarding).name("known").run_idle().await.unwrap(), 2);
    assert_eq!(world.value("select distinct claimed_by from tenant.onboarding").await, "known");
    assert_eq!(world.status("acme").await, "active");
}

/// A call that is dropped at any await has begun an onboarding with all its steps, or none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_one() {
    let world = World::new("o_half").await;
    let onboarding = with_steps(world.onboarding(2));
    let input = json!({});
    for n in 0.. {
        let tenant = format!("t{n}");
        let mut begin = Box::pin(onboarding.begin(NewTenant::new(tenant.as_str()), &input));
        let mut finished = false;
        for _ in 0..n {
            if tokio::time::timeout(Duration::from_millis(2), &mut begin).await.is_ok() {
                finished = true;
                break;
            }
        }
        drop(begin);
        let halves = "select count(*) from tenant.tenants t where (select count(*) from tenant.onboarding s where s.tenant_id = t.id) <> 2";
        assert_eq!(world.value(halves).await, "0");
        if finished {
            break;
        }
    }
}
