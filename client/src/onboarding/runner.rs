//! The worker: claims steps, as many at once as it may, and ends when it is told to.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::attempt::Attempt;
use super::claim::claim;
use super::steps::Onboarding;
use super::upkeep;
use crate::error::Error;
use crate::observe::{Call, StepOutcome};
use crate::wire::backoff::Backoff;
use crate::worker::host;

/// Takes steps of an [`Onboarding`] and does them. Any number of processes may have one; each step is one worker's at a
/// time.
///
/// It also [tops up](Onboarding::keep_ready) pools of ready tenants, and with the feature `metrics` counts steps and
/// tells how many are open (see the crate's README).
#[derive(Clone, Debug)]
#[must_use = "nothing is done until start(), run_until() or run_idle()"]
pub struct Runner {
    onboarding: Onboarding,
    name: String,
    concurrency: usize,
    lease: Duration,
    poll: Duration,
    drain: Duration,
}

impl Runner {
    /// One step at a time, with leases of a minute, asking every second whether there is one.
    pub fn new(onboarding: Onboarding) -> Runner {
        let name = format!("{}:{}", host(), std::process::id());
        let (lease, poll, drain) = (Duration::from_secs(60), Duration::from_secs(1), Duration::from_secs(30));
        Runner { onboarding, name, concurrency: 1, lease, poll, drain }
    }

    /// What it is called in `tenant.onboarding.claimed_by`: by default the machine's name and the process's number.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How many steps it works on at once; 1 by default. The pool needs one connection more: at most one less than it
    /// has are worked on, and one at least.
    pub fn concurrency(mut self, steps: usize) -> Self {
        self.concurrency = steps;
        self
    }

    /// For how long a worker that is silent keeps its steps, from 1 second to 1 day; a minute by default. It says every
    /// third of that that it still works, so a step may take longer.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.clamp(Duration::from_secs(1), Duration::from_secs(86_400));
        self
    }

    /// How often it asks whether there is something to do, where there was nothing; a second by default.
    pub fn poll(mut self, pause: Duration) -> Self {
        self.poll = pause;
        self
    }

    /// How long steps may go on once it was told to stop; 30 seconds by default. Those that do are rolled back then,
    /// and given to other workers.
    pub fn drain_timeout(mut self, longest: Duration) -> Self {
        self.drain = longest;
        self
    }

    /// Works until `stop` is done; then takes no more steps, and ends when those it has are done.
    ///
    /// Where the server is away it waits until that is back. Dropping the future rolls back what runs; others take it
    /// when its lease is over.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let (give_back, given_back) = watch::channel(false);
        let (mut attempts, mut backoff) = (JoinSet::new(), Backoff::new());
        let upkeep = upkeep::run(self.onboarding.clone());
        let mut upkeep = std::pin::pin!(upkeep);
        loop {
            let mut pause = self.poll;
            while attempts.len() < self.most() {
                match self.next().await {
                    Ok(Some(attempt)) => {
                        let mut given_back = given_back.clone();
                        attempts.spawn(self.performed(attempt, async move {
                            let _ = given_back.wait_for(|back| *back).await;
                        }));
                        backoff = Backoff::new();
                    }
                    Ok(None) => break,
                    Err(error) => {
                        // Its message may have values in it.
                        tracing::warn!(target: "pg_tenant_client", code = error.code(), "no step could be claimed");
                        pause = backoff.next().max(self.poll);
                        break;
                    }
                }
            }
            tokio::select! {
                () = &mut stop => break,
                Some(_) = attempts.join_next() => {}
                () = sleep(pause), if attempts.len() < self.most() => {}
                never = &mut upkeep => match never {},
            }
        }
        let rest = async |attempts: &mut JoinSet<StepOutcome>| while attempts.join_next().await.is_some() {};
        if timeout(self.drain, rest(&mut attempts)).await.is_err() {
            give_back.send_replace(true);
            let _ = timeout(self.lease, rest(&mut attempts)).await;
        }
    }

    /// Works on what can be done now, one step after the other, and returns how many attempts that were. For tests, and
    /// for programs that are started from time to time.
    ///
    /// # Errors
    /// Those of claiming a step: `42501` where the login was not granted `tenant_admin`; those of getting a connection.
    /// What a step's attempt fails with is recorded, and is none of them.
    pub async fn run_idle(&self) -> Result<usize, Error> {
        let mut attempts = 0;
        while let Some(attempt) = self.next().await? {
            self.performed(attempt, std::future::pending()).await;
            attempts += 1;
        }
        Ok(attempts)
    }

    fn most(&self) -> usize {
        let spare = self.onboarding.pool.max_size.saturating_sub(1).max(1);
        self.concurrency.clamp(1, spare)
    }

    async fn next(&self) -> Result<Option<Attempt>, Error> {
        let asked = Instant::now();
        let claimed = claim(&self.onboarding.admin, &self.name, self.lease, &self.onboarding.names()).await?;
        Ok(claimed.map(|claim| Attempt::new(self.onboarding.clone(), claim, self.lease, asked)))
    }

    /// The attempt, watched and counted.
    fn performed<S>(&self, attempt: Attempt, stop: S) -> impl Future<Output = StepOutcome> + Send + use<S>
    where
        S: Future<Output = ()> + Send,
    {
        let (pool, context) = (self.onboarding.pool.clone(), attempt.context().clone());
        async move {
            let began = Instant::now();
            let call = Call::step(context.tenant_id(), context.name(), context.attempt());
            let outcome = call.watch(attempt.perform(stop)).await;
            call.outcome(outcome);
            pool.meter().step(context.tenant_id(), outcome, began.elapsed());
            outcome
        }
    }
}
