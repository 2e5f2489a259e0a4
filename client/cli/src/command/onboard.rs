//! `pgtenant onboard`: tenants that are being set up, step by step.

use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use crate::ask::{Common, Session};
use crate::output::Row;
use crate::wire::Fault;

/// What is done with onboardings.
#[derive(Subcommand)]
pub enum Onboard {
    /// Begin one: the steps are a JSON array, as tenant.begin_onboarding takes them. Workers do them.
    Begin {
        /// The tenant's id.
        id: String,
        /// The steps.
        #[arg(long)]
        steps: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        slug: Option<String>,
        #[arg(long)]
        plan: Option<String>,
    },
    /// The steps of one tenant; without one, what waits, runs and fails of all.
    Status {
        /// The tenant's id.
        id: Option<String>,
    },
    /// Wait until it is over, and say how it goes on. It may be ended and begun again: the workers go on.
    Watch {
        /// The tenant's id.
        id: String,
    },
    /// Try its failed steps again.
    Retry {
        /// The tenant's id.
        id: String,
        /// Why, for the journal.
        #[arg(long)]
        reason: String,
    },
    /// Give it up: its steps are undone in reverse.
    Abandon {
        /// The tenant's id.
        id: String,
        /// Why, for the journal.
        #[arg(long)]
        reason: String,
    },
}

const STATE: &str = "select step, blocked, waiting, running, failed, overdue, undoing, oldest from tenant.onboarding_state order by step";
const STEPS: &str = "select step, status, attempts, max_attempts, not_before, last_error from tenant.onboarding
    where tenant_id = tenant.canonical_id($1) order by nth";
const COUNT: &str = "select count(*) as steps, count(*) filter (where status = 'done') as done,
        count(*) filter (where status = 'failed') as failed, (select t.status from tenant.tenants t where t.id = tenant.canonical_id($1)) as state
    from tenant.onboarding where tenant_id = tenant.canonical_id($1)";

/// Does it.
pub async fn run(common: &Common, onboard: &Onboard) -> Result<(), Fault> {
    let session = common.session().await?;
    match onboard {
        Onboard::Begin { id, steps, name, slug, plan } => {
            let sql = "select tenant.begin_onboarding($1, $2::text::jsonb, name => $3, slug => $4, plan => $5) as id";
            let params = [Some(&**id), Some(steps), name.as_deref(), slug.as_deref(), plan.as_deref()];
            session.change(sql, &params, &format!("tenant {id} is being set up")).await
        }
        Onboard::Status { id: None } => session.show(STATE, &[], "nothing is being set up").await,
        Onboard::Status { id: Some(id) } => session.show(STEPS, &[Some(id)], "no steps").await,
        Onboard::Watch { id } => watch(&session, id).await,
        Onboard::Retry { id, reason } => {
            let sql = "select tenant.retry_onboarding($1, $2) as steps";
            session.change(sql, &[Some(id), Some(reason)], &format!("the failed steps of {id} are tried again")).await
        }
        Onboard::Abandon { id, reason } => {
            let sql = "select tenant.abandon_onboarding($1, $2) as state";
            session.change(sql, &[Some(id), Some(reason)], &format!("the onboarding of {id} is given up")).await
        }
    }
}

async fn watch(session: &Session, id: &str) -> Result<(), Fault> {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} steps  {msg}") {
        bar.set_style(style);
    }
    loop {
        let counted = session.rows(COUNT, &[Some(id)]).await?.into_iter().next().unwrap_or_default();
        let number = |name: &str| counted.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let state = counted.get("state").and_then(serde_json::Value::as_str).unwrap_or("unknown");
        if number("steps") == 0 {
            return Err(Fault::Refused(format!("tenant \"{id}\" has no onboarding")));
        }
        bar.set_length(number("steps"));
        bar.set_position(number("done"));
        bar.set_message(state.to_owned());
        if number("failed") > 0 {
            bar.abandon();
            return Err(Fault::Refused(format!(
                "{} steps have failed: pgtenant onboard status {id}",
                number("failed")
            )));
        }
        if state != "provisioning" {
            bar.finish();
            return session.tell(&format!("tenant {id} is {state}"), Row::new());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
