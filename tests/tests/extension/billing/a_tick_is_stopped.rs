//! What fails for one tenant, or waits for another session, keeps billing from nothing else.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{billed, day, event, snapshot, state};

const OTHER: &str = r#""customer": "cus_b", "subscription": "sub_b""#;

fn link_b() -> String {
    format!("select tenant.link_billing_customer('{B}', 'stripe', 'cus_b')")
}

#[tokio::test]
async fn by_one_tenant() {
    let (db, admin, hook) = billed("billing_stopped").await;
    admin.run(&link_b()).await;
    hook.run(&snapshot("a", day(-60), "active", "pro", day(9))).await;
    let paid = format!(r#"{OTHER}, "status": "active", "plan": "pro", "paid_until": {}"#, day(9));
    hook.run(&event("b", day(-60), "subscription", &paid)).await;
    let boss = db.superuser().await;
    boss.run(&format!(
        "create function public.regress_fail() returns trigger language plpgsql as
             $$ begin raise exception 'not this one' using errcode = 'AB123'; end $$;
         create trigger regress_fail before update on tenant.tenants for each row when (new.id = '{A}') execute function public.regress_fail();
         update tenant.billing_events set payload = payload || '{{\"paid_until\": {}}}';
         update tenant.subscriptions set next_at = now() - interval '1 h'",
        day(-50)
    ))
    .await;
    assert_eq!(hook.value("select tenant.billing_tick()").await.as_deref(), Some("2"));
    assert_eq!(hook.value("select tenant.billing_tick()").await.as_deref(), Some("0"), "it is not tried again at once");
    assert_eq!(state(&admin, B).await, "suspended pro past_due");
    assert_eq!(state(&admin, A).await, "active pro active");
    assert!(hook.notices().iter().any(|notice| notice.message().contains("not this one")), "whoever ticks is told");
    let found = "select problem from tenant.doctor() where code = 'T153'";
    let found = admin.value(found).await.expect("a finding");
    assert!(found.contains("AB123: not this one"), "{found}");
    boss.run(
        "drop trigger regress_fail on tenant.tenants; update tenant.subscriptions set problem_at = problem_at - interval '10 min'",
    )
    .await;
    assert_eq!(hook.value("select tenant.billing_tick()").await.as_deref(), Some("1"));
    assert_eq!(state(&admin, A).await, "suspended pro past_due");
    assert_eq!(admin.value("select count(*) from tenant.doctor() where code = 'T153'").await.as_deref(), Some("0"));
}

/// A policy changes lines of many tenants, whoever works on some of them.
#[tokio::test]
async fn by_a_policy() {
    let (db, admin, hook) = billed("billing_turns").await;
    admin.run(&link_b()).await;
    let pair = |round: i64| {
        [
            snapshot(&format!("a{round}"), day(-9) + round, "active", "pro", day(9)),
            event(
                &format!("b{round}"),
                day(-9) + round,
                "subscription",
                &format!(r#"{OTHER}, "status": "active", "plan": "pro""#),
            ),
        ]
    };
    for sql in pair(0) {
        hook.run(&sql).await;
    }
    let other = db.admin().await;
    // Whichever of the two lines the policy comes to first.
    for round in 1..3 {
        let mut events = pair(round);
        if round == 2 {
            events.reverse();
        }
        hook.run("begin").await;
        hook.run(&events[0]).await;
        let policy = "select tenant.set_billing_policy('pro', '3 days')";
        let rest = async {
            let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'select tenant.set_billing%' and datname = current_database()";
            let boss = db.superuser().await;
            while boss.value(waits).await.as_deref() != Some("1") {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            hook.run(&events[1]).await;
            hook.run("commit").await;
        };
        futures_util::join!(other.run(policy), rest);
    }
    assert_eq!(admin.value("select grace from tenant.billing_policies").await.as_deref(), Some("3 days"));
}
