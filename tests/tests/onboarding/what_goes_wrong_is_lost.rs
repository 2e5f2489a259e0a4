//! A step goes wrong, and nobody is told, or something of it stays.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pg_tenant_client::admin::NewTenant;
use pg_tenant_client::onboarding::{OutsideStep, Runner, Step, StepError, TenantStep};
use serde_json::json;

use super::world::World;

/// Whatever it is: an error of the server, of one's own, a panic, a transaction that is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt() {
    let world = World::new("o_wrong").await;
    let (attempt, kept) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(None)));
    let (counted, keeps) = (attempt.clone(), kept.clone());
    let onboarding = world.onboarding(3).step(Step::in_tenant("only", move |mut step: TenantStep| {
        let (nth, keeps) = (counted.fetch_add(1, Ordering::SeqCst), keeps.clone());
        async move {
            step.tx().execute("insert into made (step) values ('only')", &[]).await?;
            match nth {
                0 => step.tx().execute("select 1 / 0", &[]).await.map(drop)?,
                1 => return Err(StepError::new("not yet").retry_in(Duration::from_secs(3600))),
                2 => panic!("out of order"),
                3 => return Err(StepError::new("never").give_up()),
                4 => *keeps.lock().unwrap() = Some(step),
                _ => {}
            }
            Ok(())
        }
    }));
    onboarding.begin(NewTenant::new("acme"), &json!({})).await.unwrap();
    let runner = Runner::new(onboarding.clone());
    let told = "select status || ': ' || last_error from tenant.onboarding";
    for (nth, expected) in
        ["waiting: division by zero", "waiting: not yet", "waiting: the step panicked: out of order"].iter().enumerate()
    {
        assert_eq!(runner.run_idle().await.unwrap(), 1, "{nth}");
        let found = world.value(told).await;
        assert!(found.starts_with(expected) || found.contains("division by zero"), "{nth}: {found}");
        if nth == 1 {
            assert_eq!(world.value("select not_before > now() + interval '50 min' from tenant.onboarding").await, "t");
        }
        world.let_time_pass().await;
    }
    for expected in ["failed: never", "failed: the transaction was kept beyond the end of the work"] {
        assert_eq!(runner.run_idle().await.unwrap(), 1);
        assert_eq!(world.value(told).await, expected);
        assert_eq!(runner.run_idle().await.unwrap(), 0);
        onboarding.retry("acme", "mended").await.unwrap();
    }
    kept.lock().unwrap().take();
    assert_eq!(world.value("select count(*) from made").await, "0");
    runner.run_idle().await.unwrap();
    assert_eq!((&*world.value("select count(*) from made").await, &*world.status("acme").await), ("1", "active"));
}

/// What is undone is given what it had returned; what nobody knows of is undone as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done() {
    let world = World::new("o_undo").await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (of_account, of_mail) = (heard.clone(), heard.clone());
    let onboarding = world
        .onboarding(3)
        .step(
            Step::in_tenant("rows", async |mut step: TenantStep| {
                let owner: String = step.input("owner")?;
                step.tx().execute("insert into made (step) values ($1)", &[&owner]).await?;
                Ok(owner)
            })
            .undo(async |mut step, owner: Option<String>| {
                step.tx().execute("delete from made where step = $1", &[&owner]).await?;
                Ok(())
            }),
        )
        .step(
            Step::outside("account", async |step: OutsideStep| Ok((step.result_of::<String>("rows")?, step.attempt())))
                .after("rows")
                .undo(move |step, account: Option<(String, i32)>| {
                    of_account.lock().unwrap().push(format!("{} {account:?}", step.idempotency_key()));
                    async { Ok(()) }
                }),
        )
        .step(
            Step::outside("mail", async |_| Err::<(), _>(StepError::new("no answer").give_up())).after("account").undo(
                move |step, sent| {
                    of_mail.lock().unwrap().push(format!("{} {sent:?}", step.idempotency_key()));
                    async { Ok(()) }
                },
            ),
        )
        .step(Step::in_tenant("never", async |_| Ok(())).after("mail"));
    onboarding.begin(NewTenant::new("acme"), &json!({"owner": "ann"})).await.unwrap();
    let runner = Runner::new(onboarding.clone());
    assert_eq!(runner.run_idle().await.unwrap(), 3);
    assert_eq!(world.value("select step from made").await, "ann");
    onboarding.abandon("acme", "no mail").await.unwrap();
    assert_eq!(runner.run_idle().await.unwrap(), 3);
    assert_eq!(*heard.lock().unwrap(), ["acme/mail/undo None", "acme/account/undo Some((\"ann\", 1))"]);
    assert_eq!((&*world.value("select count(*) from made").await, &*world.status("acme").await), ("0", "purged"));
}

/// What was not given, or does not come before, is said, and not tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there() {
    let world = World::new("o_missing").await;
    let onboarding = world
        .onboarding(3)
        .step(Step::in_tenant("a", async |step: TenantStep| step.input::<String>("email")))
        .step(Step::in_tenant("b", async |step: TenantStep| step.result_of::<String>("a")))
        .step(Step::in_tenant("c", async |step: TenantStep| step.input::<u64>("owner")));
    onboarding.begin(NewTenant::new("acme"), &json!({"owner": "ann"})).await.unwrap();
    assert_eq!(Runner::new(onboarding).run_idle().await.unwrap(), 3);
    let told = "select string_agg(status || ' ' || last_error, E'\\n' order by nth) from tenant.onboarding";
    let told = world.value(told).await;
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "failed the onboarding was begun without an input \"email\"");
    assert_eq!(lines[1], "failed step \"b\" does not come after step \"a\"");
    assert!(lines[2].starts_with("failed invalid type: string"), "{}", lines[2]);
}

/// The session ends while the step works, or while it is committed: it is not known whether it was, and not done again
/// if so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection() {
    let world = World::new("o_broken").await;
    let begun = Arc::new(tokio::sync::Notify::new());
    let tells = begun.clone();
    let onboarding = world.onboarding(3).step(Step::in_tenant("only", move |mut step: TenantStep| {
        let tells = tells.clone();
        async move {
            step.tx().execute("insert into made (step) values ('only')", &[]).await?;
            if step.attempt() == 1 {
                tells.notify_one();
                step.tx().execute("select pg_sleep(3600)", &[]).await?;
            }
            Ok(())
        }
    }));
    onboarding.begin(NewTenant::new("acme"), &json!({})).await.unwrap();
    let end = format!(
        "select count(pg_terminate_backend(pid)) > 0 from pg_stat_activity where usename = '{}' and state <> 'idle'",
        world.worker
    );
    let runner = Runner::new(onboarding).poll(Duration::from_millis(5)).start();
    begun.notified().await;
    world.until(&end, "t").await;
    let again = "select attempts || ' ' || status from tenant.onboarding";
    world.until(again, "1 waiting").await;

    let gate = world.db.superuser().await;
    gate.run("begin; select from gate for update").await;
    world.let_time_pass().await;
    let waits = format!(
        "select count(*) from pg_stat_activity where usename = '{}' and wait_event_type = 'Lock'",
        world.worker
    );
    world.until(&waits, "1").await;
    world.until(&end, "t").await;
    world.until(again, "2 waiting").await;
    gate.run("commit").await;
    assert_eq!(world.value("select count(*) from made").await, "0");
    world.let_time_pass().await;
    world.until("select status from tenant.tenants", "active").await;
    runner.drain().await;
    assert_eq!(
        world.value("select count(*) || ' ' || (select attempts from tenant.onboarding) from made").await,
        "1 3"
    );
}
