//! A worker that the tests of onboarding kill: it does what can be done and ends, or stops where it is told to.
//!
//! `WORKER_DATABASE`: where to. `WORKER_PAUSE`: `<step>:<point>`, where a step that is undone is called `<step>!`, and
//! the points are `begun` and `worked`. There it says `paused` and waits for a line, or to be killed.

use std::io::{BufRead, Write};

use pg_tenant_client::TenantPool;
use pg_tenant_client::onboarding::{Onboarding, Runner, Step, StepContext, StepError, SystemStep, TenantStep};
use pg_tenant_client::tokio_postgres::NoTls;

/// What happens outside of the database: a call with a key, on a connection that knows no tenants.
async fn call(key: &str) -> Result<i64, StepError> {
    let config: pg_tenant_client::tokio_postgres::Config = database().parse()?;
    let (client, connection) = config.connect(NoTls).await?;
    let connection = tokio::spawn(connection);
    let row = client.query_one("insert into calls (key) values ($1) returning at", &[&key]).await?;
    drop(client);
    let _ = connection.await;
    Ok(row.get(0))
}

fn database() -> String {
    std::env::var("WORKER_DATABASE").expect("WORKER_DATABASE")
}

/// Waits here, if this is where it is told to.
async fn reach(step: &StepContext, point: &str) {
    let undo = if step.idempotency_key().ends_with("/undo") { "!" } else { "" };
    let here = format!("{}{undo}:{point}", step.name());
    if std::env::var("WORKER_PAUSE").is_ok_and(|pause| pause == here) {
        let wait = || {
            println!("paused");
            std::io::stdout().flush().expect("say so");
            std::io::stdin().lock().read_line(&mut String::new()).expect("a line");
        };
        tokio::task::spawn_blocking(wait).await.expect("a line");
    }
}

async fn made(mut step: TenantStep) -> Result<i64, StepError> {
    reach(&step, "begun").await;
    let name = step.name().to_owned();
    let row = step.tx().query_one("insert into made (step) values ($1) returning id", &[&name]).await?;
    reach(&step, "worked").await;
    Ok(row.get(0))
}

/// Takes away what it has made, and says so in a line of its own.
async fn unmade(mut step: TenantStep, id: Option<i64>) -> Result<(), StepError> {
    reach(&step, "begun").await;
    let (name, id) = (step.name().to_owned(), id.ok_or_else(|| StepError::new("undone without a result"))?);
    let gone = step.tx().execute("delete from made where step = $1 and id = $2", &[&name, &id]).await?;
    assert_eq!(gone, 1, "what it has made is gone");
    step.tx().execute("insert into undone (step) values ($1)", &[&name]).await?;
    reach(&step, "worked").await;
    Ok(())
}

async fn reported(mut step: SystemStep) -> Result<i64, StepError> {
    reach(&step, "begun").await;
    let (tenant, name) = (step.tenant_id().to_string(), step.name().to_owned());
    let sql = "insert into made (tenant_id, step) values ($1, $2) returning id";
    let row = step.tx().query_one(sql, &[&tenant, &name]).await?;
    reach(&step, "worked").await;
    Ok(row.get(0))
}

async fn unreported(mut step: SystemStep, id: Option<i64>) -> Result<(), StepError> {
    reach(&step, "begun").await;
    let (tenant, name) = (step.tenant_id().to_string(), step.name().to_owned());
    let sql = "delete from made where id = $1 and tenant_id = $2";
    assert_eq!(step.tx().execute(sql, &[&id, &tenant]).await?, 1);
    step.tx().execute("insert into undone (tenant_id, step) values ($1, $2)", &[&tenant, &name]).await?;
    reach(&step, "worked").await;
    Ok(())
}

fn steps(pool: TenantPool) -> Onboarding {
    Onboarding::new(pool)
        .step(Step::in_tenant("first", made).max_attempts(1000).undo(unmade))
        .step(
            Step::outside("call", async |step| {
                reach(&step, "begun").await;
                let at = call(step.idempotency_key()).await?;
                reach(&step, "worked").await;
                Ok(at)
            })
            .after("first")
            .max_attempts(1000)
            .undo(async |step, _: Option<i64>| {
                reach(&step, "begun").await;
                call(step.idempotency_key()).await?;
                reach(&step, "worked").await;
                Ok(())
            }),
        )
        .step(Step::in_system("report", reported).after("first").max_attempts(1000).undo(unreported))
        .step(
            Step::in_tenant("last", async |step: TenantStep| {
                // All that came before has said what it made.
                for earlier in ["first", "call", "report"] {
                    step.result_of::<i64>(earlier)?;
                }
                made(step).await
            })
            .after("call")
            .after("report")
            .max_attempts(1000)
            .undo(unmade),
        )
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = TenantPool::builder(database().parse()?).max_size(3).build()?;
    let onboarding = steps(pool);
    if let Ok(tenant) = std::env::var("WORKER_BEGIN") {
        let new = pg_tenant_client::admin::NewTenant::new(tenant.as_str());
        onboarding.begin(new, &serde_json::json!({})).await?;
        return Ok(());
    }
    let attempts = Runner::new(onboarding).name("worker").run_idle().await?;
    println!("idle {attempts}");
    Ok(())
}
