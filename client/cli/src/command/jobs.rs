//! `pgtenant jobs`: what waits, what runs, what is dead.

use clap::Subcommand;

use crate::ask::Common;
use crate::wire::Fault;

/// What is done with jobs.
#[derive(Subcommand)]
pub enum Jobs {
    /// How many there are, by tenant, lane and kind.
    Counts {
        /// Of this tenant.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Those that have failed as often as they may.
    Dead {
        /// Of this tenant.
        #[arg(long)]
        tenant: Option<String>,
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Try a dead one again.
    Retry {
        /// The job's id.
        id: String,
        /// Why, for the journal.
        #[arg(long)]
        reason: String,
    },
    /// Delete one.
    Delete {
        /// The job's id.
        id: String,
        /// Why, for the journal.
        #[arg(long)]
        reason: String,
    },
    /// What is done again and again.
    Schedules,
}

const COUNTS: &str =
    "select tenant_id, lane, kind, ready, scheduled, running, failed, dead, oldest_ready from tenant.job_counts
    where $1::text is null or tenant_id = tenant.canonical_id($1) order by tenant_id, lane, kind";
const DEAD: &str = "select id, tenant_id, kind, attempt, created_at, finished_at, worker from tenant.dead_jobs
    where $1::text is null or tenant_id = tenant.canonical_id($1) order by finished_at desc limit $2::text::integer";
const SCHEDULES: &str =
    "select name, cron, time_zone, scope, kind, enabled, last_due, firing from tenant.schedules order by name";

/// Does it.
pub async fn run(common: &Common, jobs: &Jobs) -> Result<(), Fault> {
    let session = common.session().await?;
    match jobs {
        Jobs::Counts { tenant } => session.show(COUNTS, &[tenant.as_deref()], "no jobs").await,
        Jobs::Dead { tenant, limit } => {
            session.show(DEAD, &[tenant.as_deref(), Some(&limit.to_string())], "no dead jobs").await
        }
        Jobs::Retry { id, reason } => {
            let sql = "select tenant.retry_job($1::text::bigint, $2)";
            session.change(sql, &[Some(id), Some(reason)], &format!("job {id} is tried again")).await
        }
        Jobs::Delete { id, reason } => {
            let sql = "select tenant.delete_job($1::text::bigint, $2)";
            session.change(sql, &[Some(id), Some(reason)], &format!("job {id} is deleted")).await
        }
        Jobs::Schedules => session.show(SCHEDULES, &[], "no schedules").await,
    }
}
