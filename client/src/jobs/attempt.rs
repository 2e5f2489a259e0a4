//! One attempt: the job taken and done inside its tenant, its end in the same transaction, or why it went wrong.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use pg_tenant_core::Refusal::{TenantLeaving, TenantNotActive, TenantNotReady};
use tokio::time::{sleep, timeout};
use tokio_postgres::types::ToSql;

use super::claim::{Claim, FINISH, TAKE, is_over};
use super::context::{JobContext, JobTx, OutsideJob, SystemJobTx};
use super::handlers::Handler;
use super::pools::Pools;
use crate::danger;
use crate::error::Error;
use crate::observe::JobOutcome;
use crate::pool::tenant_pool::TenantPool;
use crate::wire::backoff::Backoff;
use crate::worker::{WorkError, in_tx, is_lasting, panicked};

/// Why a job was not done.
enum Undone {
    Failed(WorkError),
    /// Nobody enters its tenant now.
    Waits,
    /// Another has it.
    Over,
    /// The commit was sent, and nobody knows.
    Unknown(Error),
}

/// How often a worker tells the server of an end that it does not take.
const TOLD: u32 = 8;

pub(super) async fn perform(pools: Pools, handler: Handler, claim: Claim) -> JobOutcome {
    let working = AssertUnwindSafe(work(&pools, &handler, &claim)).catch_unwind();
    let limit = claim.time_limit.unwrap_or(Duration::MAX);
    let ended = match timeout(limit, working).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(panic)) => Err(Undone::Failed(panicked("the job", &*panic))),
        Err(_) => Err(Undone::Failed(WorkError::new(format!("it took longer than its kind may, {limit:?}")))),
    };
    match ended {
        Ok(()) => JobOutcome::Done,
        Err(Undone::Over) => JobOutcome::Lost,
        Err(Undone::Waits) => release(&pools.pool, &claim).await,
        Err(Undone::Failed(why)) => fail(&pools.pool, &claim, &why).await,
        // Where it was committed after all, this is refused.
        Err(Undone::Unknown(error)) => match fail(&pools.pool, &claim, &WorkError::from(error)).await {
            JobOutcome::Lost => JobOutcome::Done,
            outcome => outcome,
        },
    }
}

async fn work(pools: &Pools, handler: &Handler, claim: &Claim) -> Result<(), Undone> {
    let context = JobContext::new(claim.clone());
    let (taken, nothing): ([&(dyn ToSql + Sync); 2], Option<String>) = ([&claim.id, &claim.attempt], None);
    let finished: [&(dyn ToSql + Sync); 3] = [&claim.id, &claim.attempt, &nothing];
    match (handler, claim.tenant) {
        (Handler::Tenant(handle), Some(tenant)) => {
            let mut tx = pools.pool.tenant(tenant).begin().await.map_err(undone)?;
            let row = tx.query_one(TAKE, &taken).await.map_err(undone)?;
            let payload: &str = row.try_get(0).map_err(|why| undone(why.into()))?;
            let done = in_tx(tx, |lent| handle(JobTx { context, lent }, payload)).await;
            let ((), tx) = done.map_err(Undone::Failed)?;
            tx.query_then_commit(FINISH, &finished).await.map_err(undone)?;
        }
        (Handler::System(handle), None) => {
            let reason = claim.reason.clone().unwrap_or_default();
            let mut tx = danger::system(&pools.operators, reason).write().begin().await.map_err(undone)?;
            let row = tx.query_one(TAKE, &taken).await.map_err(undone)?;
            let payload: &str = row.try_get(0).map_err(|why| undone(why.into()))?;
            let done = in_tx(tx, |lent| handle(SystemJobTx { context, lent }, payload)).await;
            let ((), tx) = done.map_err(Undone::Failed)?;
            tx.query_then_commit(FINISH, &finished).await.map_err(undone)?;
        }
        (Handler::Outside(handle), Some(tenant)) => {
            let read = pools.pool.tenant(tenant).query_one(TAKE, &taken).await.map_err(undone)?;
            let payload: &str = read.try_get(0).map_err(|why| undone(why.into()))?;
            handle(OutsideJob { context }, payload).await.map_err(Undone::Failed)?;
            // What happened outside has happened: it is said again until it is heard.
            let (mut backoff, mut told) = (Backoff::new(), 0);
            loop {
                let Err(error) = pools.pool.tenant(tenant).execute(FINISH, &finished).await else { return Ok(()) };
                told += 1;
                if is_over(&error) && told > 1 {
                    return Ok(());
                } else if is_lasting(&error) || told > TOLD {
                    return Err(undone(error));
                }
                sleep(backoff.next()).await;
            }
        }
        _ => {
            let whose = if claim.tenant.is_some() { "a tenant's" } else { "the system's" };
            return Err(Undone::Failed(WorkError::new(format!(
                "this worker does no jobs of this kind that are {whose}"
            ))));
        }
    }
    Ok(())
}

fn undone(error: Error) -> Undone {
    if is_over(&error) {
        Undone::Over
    } else if error.outcome_unknown() {
        Undone::Unknown(error)
    } else if matches!(error.refusal(), Some(TenantNotActive | TenantNotReady | TenantLeaving)) {
        Undone::Waits
    } else {
        Undone::Failed(error.into())
    }
}

async fn fail(pool: &TenantPool, claim: &Claim, why: &WorkError) -> JobOutcome {
    let mut backoff = Backoff::new();
    for _ in 0..TOLD {
        match claim.fail(pool, why).await {
            Ok(true) => return JobOutcome::Dead,
            Ok(false) => return JobOutcome::Again,
            Err(error) if is_over(&error) || is_lasting(&error) => return JobOutcome::Lost,
            Err(_) => sleep(backoff.next()).await,
        }
    }
    // The end of the lease says it.
    JobOutcome::Lost
}

pub(super) async fn release(pool: &TenantPool, claim: &Claim) -> JobOutcome {
    match claim.release(pool).await {
        Ok(()) => JobOutcome::Released,
        Err(_) => JobOutcome::Lost,
    }
}
