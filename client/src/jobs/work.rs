//! A worker at work: it claims as many jobs as it has hands free, says that it lives, and ends when it is told to.

use std::collections::HashMap;

use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::attempt;
use super::claim::Claim;
use super::upkeep;
use super::wake::Wake;
use super::worker::Worker;
use crate::observe::{Call, JobOutcome};
use crate::wire::backoff::Backoff;

/// A job that is worked on.
struct Held {
    claim: Claim,
    task: AbortHandle,
}

impl Worker {
    /// Works until `stop` is done; then claims no more jobs, and ends when those it has are done.
    ///
    /// Where the server is away it waits until that is back. Dropping the future rolls back what runs; others take it
    /// when its lease is over.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut upkeep = std::pin::pin!(upkeep::run(self.pools.pool.clone()));
        let mut wake = Wake::new(self.wake.clone());
        let (mut tasks, mut held, mut backoff) = (JoinSet::new(), HashMap::new(), Backoff::new());
        let mut ask_at = Instant::now();
        let mut extend_at = Instant::now() + self.wanted.lease / 3;
        let mut until = Instant::now() + self.wanted.lease;
        loop {
            let free = self.most().saturating_sub(tasks.len());
            // A few hands at once: a claim costs the same for one job as for several.
            if free > 0 && Instant::now() >= ask_at {
                let asked = Instant::now();
                match self.wanted.claim(&self.pools.pool, free).await {
                    Ok(claims) => {
                        backoff = Backoff::new();
                        if claims.len() < free {
                            ask_at = Instant::now() + self.poll;
                        }
                        if held.is_empty() {
                            (extend_at, until) = (asked + self.wanted.lease / 3, asked + self.wanted.lease);
                        }
                        for claim in claims {
                            self.begin(claim, &mut tasks, &mut held);
                        }
                    }
                    Err(error) => {
                        // Its message may have values in it.
                        tracing::warn!(target: "pg_tenant_client", code = error.code(), "no job could be claimed");
                        ask_at = Instant::now() + backoff.next().max(self.poll);
                    }
                }
            }
            tokio::select! {
                () = &mut stop => break,
                Some(ended) = tasks.join_next_with_id() => {
                    let was_full = tasks.len() + 1 >= self.most();
                    forget(&mut held, ended);
                    while let Some(ended) = tasks.try_join_next_with_id() {
                        forget(&mut held, ended);
                    }
                    if was_full {
                        ask_at = Instant::now();
                    }
                }
                () = sleep_until(ask_at), if tasks.len() < self.most() => {}
                () = wake.heard(), if tasks.len() < self.most() => ask_at = Instant::now(),
                () = sleep_until(extend_at), if !held.is_empty() => {
                    let asked = Instant::now();
                    let (ids, attempts): (Vec<i64>, Vec<i32>) =
                        held.values().map(|held: &Held| (held.claim.id, held.claim.attempt)).unzip();
                    match self.wanted.extend(&self.pools.pool, &ids, &attempts).await {
                        Ok(own) => {
                            held.values().filter(|held| !own.contains(&held.claim.id)).for_each(|held| held.task.abort());
                            (extend_at, until) = (asked + self.wanted.lease / 3, asked + self.wanted.lease);
                        }
                        // Others may have them.
                        Err(_) if Instant::now() >= until => held.values().for_each(|held| held.task.abort()),
                        Err(_) => extend_at = Instant::now() + self.wanted.lease / 10,
                    }
                }
                never = &mut upkeep => match never {},
            }
        }
        self.end(tasks, held).await;
    }

    /// Does what can be done now, one job after the other, and returns how many attempts that were. For tests, and for
    /// programs that are started from time to time.
    ///
    /// # Errors
    /// Those of claiming a job: `42501` where the login was not granted `tenant_worker`; those of getting a connection.
    /// What a job's attempt fails with is recorded, and is none of them.
    pub async fn run_idle(&self) -> Result<usize, crate::Error> {
        let mut attempts = 0;
        while let Some(claim) = self.wanted.claim(&self.pools.pool, 1).await?.pop() {
            self.performed(claim).await;
            attempts += 1;
        }
        Ok(attempts)
    }

    fn most(&self) -> usize {
        let spare = self.pools.pool.max_size.saturating_sub(1).max(1);
        self.concurrency.clamp(1, spare)
    }

    fn begin(&self, claim: Claim, tasks: &mut JoinSet<JobOutcome>, held: &mut HashMap<Id, Held>) {
        let task = tasks.spawn(self.performed(claim.clone()));
        held.insert(task.id(), Held { claim, task });
    }

    /// The attempt, watched and counted.
    fn performed(&self, claim: Claim) -> impl Future<Output = JobOutcome> + Send + use<> {
        let (pools, handler) = (self.pools.clone(), self.handlers.get(&*claim.kind).cloned());
        async move {
            let began = Instant::now();
            let (tenant, kind) = (claim.tenant, claim.kind.clone());
            let call = Call::job(tenant.as_ref(), &kind, claim.id, claim.attempt, claim.trace.as_deref());
            let meter = pools.pool.clone();
            let outcome = match handler {
                Some(handler) => call.watch(attempt::perform(pools, handler, claim)).await,
                None => attempt::release(&pools.pool, &claim).await,
            };
            call.job_outcome(outcome);
            meter.meter().job(tenant.as_ref(), &kind, outcome, began.elapsed());
            outcome
        }
    }

    /// Waits for what runs, and gives back what takes too long.
    async fn end(&self, mut tasks: JoinSet<JobOutcome>, mut held: HashMap<Id, Held>) {
        let extending = async {
            loop {
                sleep(self.wanted.lease / 3).await;
                let (ids, attempts): (Vec<i64>, Vec<i32>) =
                    held.values().map(|held| (held.claim.id, held.claim.attempt)).unzip();
                let _ = self.wanted.extend(&self.pools.pool, &ids, &attempts).await;
            }
        };
        let mut over = Vec::new();
        let rest = async {
            while let Some(ended) = tasks.join_next_with_id().await {
                over.push(id_of(ended));
            }
        };
        let _ = timeout(self.drain, async {
            tokio::select! { () = rest => {} () = extending => {} }
        })
        .await;
        tasks.shutdown().await;
        held.retain(|id, _| !over.contains(id));
        for Held { claim, .. } in held.into_values() {
            attempt::release(&self.pools.pool, &claim).await;
        }
    }
}

fn id_of(ended: Result<(Id, JobOutcome), tokio::task::JoinError>) -> Id {
    ended.map_or_else(|error| error.id(), |(id, _)| id)
}

fn forget(held: &mut HashMap<Id, Held>, ended: Result<(Id, JobOutcome), tokio::task::JoinError>) {
    held.remove(&id_of(ended));
}
