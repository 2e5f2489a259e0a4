//! One attempt: the step's work in a task of its own, longer leases meanwhile, its end, or why it went wrong.
//!
//! ```text
//!  work ──Ok──► finish_step in its transaction, commit ──lost answer──► fail_step: refused where it was committed
//!   │ └──Err, panic──► rollback ──► fail_step
//!   └──meanwhile: extend_step; refused, or silent for a lease ──► abort, rollback
//! ```

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_postgres::types::ToSql;
use tracing::{Instrument, Span};

use super::claim::{Claim, FINISH, FINISH_IN_SYSTEM, is_over};
use super::context::{OutsideStep, StepContext, SystemStep, TenantStep};
use super::step::{Place, Work, Works};
use super::steps::Onboarding;
use crate::admin::TenantAdmin;
use crate::danger::{self, SystemTx};
use crate::observe::StepOutcome;
use crate::tx::tenant_tx::TenantTx;
use crate::wire::backoff::Backoff;
use crate::worker::{WorkError as StepError, in_tx, is_lasting, panicked};

/// What the work left behind: its result as JSON, and the transaction that it was done in.
struct Worked {
    result: String,
    tx: Tx,
}

enum Tx {
    Tenant(TenantTx),
    System(SystemTx),
    None,
}

/// A task that ends when nobody waits for it any more.
struct Aborted<T>(JoinHandle<T>);

impl<T> Drop for Aborted<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) struct Attempt {
    onboarding: Onboarding,
    context: StepContext,
    lease: Duration,
    /// Until then nobody else takes the step, by this machine's clock.
    until: Instant,
}

impl Attempt {
    /// `claimed`: when the claim was sent.
    pub(super) fn new(onboarding: Onboarding, claim: Claim, lease: Duration, claimed: Instant) -> Attempt {
        Attempt { onboarding, context: StepContext::new(claim), lease, until: claimed + lease }
    }

    fn claim(&self) -> &Claim {
        self.context.claim()
    }

    fn admin(&self) -> &TenantAdmin {
        &self.onboarding.admin
    }

    pub(super) fn context(&self) -> &StepContext {
        &self.context
    }

    /// Does the step, unless `stop` comes first: then it is given back, for another worker to take at once.
    pub(super) async fn perform(mut self, stop: impl Future<Output = ()>) -> StepOutcome {
        let worked = tokio::select! {
            worked = self.work() => worked,
            () = stop => Err(Some(StepError::new("the worker was stopped").retry_in(Duration::ZERO))),
        };
        match worked {
            Ok(worked) => self.finish(worked).await,
            Err(Some(why)) => self.fail(why).await,
            Err(None) => StepOutcome::Lost,
        }
    }

    /// Works, and says from time to time that it does. `Err(None)` where the attempt is over.
    async fn work(&mut self) -> Result<Worked, Option<StepError>> {
        let (onboarding, context) = (self.onboarding.clone(), self.context.clone());
        let working = async move {
            let working = AssertUnwindSafe(work(onboarding, context)).catch_unwind();
            working.await.unwrap_or_else(|panic| Err(panicked("the step", &*panic)))
        };
        let mut task = Aborted(tokio::spawn(working.instrument(Span::current())));
        let mut next = Instant::now() + self.lease / 3;
        loop {
            let extended = async {
                sleep_until(next).await;
                let asked = Instant::now();
                (asked, self.claim().extend(self.admin(), self.lease).await)
            };
            tokio::select! {
                biased;
                done = &mut task.0 => {
                    // It is not aborted while this waits for it.
                    return done.unwrap_or_else(|_| Err(StepError::new("the step's task was ended"))).map_err(Some);
                }
                (asked, answer) = extended => match answer {
                    Ok(()) => {
                        self.until = asked + self.lease;
                        next = asked + self.lease / 3;
                    }
                    Err(error) if is_over(&error) => return Err(None),
                    Err(_) => next = Instant::now() + self.lease / 10,
                },
                // Others may have taken it.
                () = sleep_until(self.until) => return Err(None),
            }
        }
    }

    async fn finish(&self, Worked { result, tx }: Worked) -> StepOutcome {
        let claim = self.claim();
        let tenant = claim.tenant.as_str();
        let params: [&(dyn ToSql + Sync); 4] = [&tenant, &claim.step, &claim.attempt, &result];
        let ended = match tx {
            Tx::Tenant(tx) => tx.query_then_commit(FINISH, &params).await,
            Tx::System(tx) => tx.query_then_commit(FINISH_IN_SYSTEM, &params).await,
            Tx::None => return self.finish_outside(&result).await,
        };
        let Err(error) = ended else { return self.done() };
        if is_over(&error) {
            return StepOutcome::Lost;
        }
        // Where it is not known whether it was committed, this is refused if it was.
        let unknown = error.outcome_unknown();
        match self.fail(StepError::from(error)).await {
            StepOutcome::Lost if unknown => self.done(),
            outcome => outcome,
        }
    }

    /// What happened outside is recorded, however long the server is away, as long as nobody else has the step.
    async fn finish_outside(&self, result: &str) -> StepOutcome {
        let mut backoff = Backoff::new();
        loop {
            match self.claim().finish(self.admin(), result).await {
                Ok(()) => return self.done(),
                Err(error) if is_over(&error) => return StepOutcome::Lost,
                Err(error) if is_lasting(&error) || Instant::now() >= self.until => {
                    return self.fail(StepError::from(error)).await;
                }
                Err(_) => sleep(backoff.next()).await,
            }
        }
    }

    async fn fail(&self, why: StepError) -> StepOutcome {
        let mut backoff = Backoff::new();
        loop {
            match self.claim().fail(self.admin(), &why).await {
                Ok(true) => return StepOutcome::Failed,
                Ok(false) => return StepOutcome::Again,
                // Where nobody can be told, the lease's end says it.
                Err(error) if is_over(&error) || is_lasting(&error) || Instant::now() >= self.until => {
                    return StepOutcome::Lost;
                }
                Err(_) => sleep(backoff.next()).await,
            }
        }
    }

    fn done(&self) -> StepOutcome {
        if self.claim().undo { StepOutcome::Undone } else { StepOutcome::Done }
    }
}

async fn work(onboarding: Onboarding, context: StepContext) -> Result<Worked, StepError> {
    let claim = context.claim();
    let Some(place) = onboarding.place(&claim.step) else {
        return Err(StepError::new("this worker does not know the step"));
    };
    match &*place {
        Place::Tenant(works) => {
            let tx = onboarding.pool.tenant(claim.tenant).begin().await?;
            let lend = |lent| TenantStep { context: context.clone(), lent };
            let (result, tx) = match chosen(works, claim.undo) {
                Some(work) => in_tx(tx, |lent| work(lend(lent))).await?,
                None => (nothing(), tx),
            };
            Ok(Worked { result, tx: Tx::Tenant(tx) })
        }
        Place::System(works) => {
            let pool = onboarding.operators.as_ref().unwrap_or(&onboarding.pool);
            let reason = format!("onboarding: {}", claim.key);
            let tx = danger::system(pool, reason).write().begin().await?;
            let lend = |lent| SystemStep { context: context.clone(), lent };
            let (result, tx) = match chosen(works, claim.undo) {
                Some(work) => in_tx(tx, |lent| work(lend(lent))).await?,
                None => (nothing(), tx),
            };
            Ok(Worked { result, tx: Tx::System(tx) })
        }
        Place::Outside(works) => {
            let result = match chosen(works, claim.undo) {
                Some(work) => work(OutsideStep { context: context.clone() }).await?,
                None => nothing(),
            };
            Ok(Worked { result, tx: Tx::None })
        }
    }
}

/// What to do; none where there is nothing to undo any more.
fn chosen<S>(works: &Works<S>, undo: bool) -> Option<&Work<S>> {
    if undo { works.undo.as_ref() } else { Some(&works.run) }
}

fn nothing() -> String {
    "null".to_owned()
}
