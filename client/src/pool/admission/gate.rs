//! Asking for the right to a connection, and waiting for it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use pg_tenant_core::TenantId;
use tokio::sync::oneshot;

use super::learned::Learned;
use super::queue::Queue;
use super::rates::Rates;
use super::waiting::Waiting;
use super::{Holder, Permit};
use crate::error::{Error, Kind};
use crate::observe::Meter;
use crate::pool::limits::{Limit, LimitPolicy, Limits};
use crate::tenant::token::Token;

/// Shares a pool's connections among its tenants. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Admission(Arc<Shared>);

pub(super) struct Shared {
    /// Locked for a few instructions at a time, never across an await and never while a policy is asked.
    queue: Mutex<Queue<Told>>,
    rates: Mutex<Rates>,
    learned: Mutex<Learned>,
    policy: RwLock<Option<Arc<dyn LimitPolicy>>>,
    pub(super) meter: Meter,
    /// How long a connection has been lent lately, on average: nanoseconds, 0 before the first.
    loan: AtomicU64,
}

/// Told that it is served; dropped where the pool was closed.
type Told = Option<oneshot::Sender<()>>;

impl Admission {
    /// For a pool of so many connections.
    pub(crate) fn new(connections: usize, policy: Option<Arc<dyn LimitPolicy>>) -> Admission {
        Admission(Arc::new(Shared {
            queue: Mutex::new(Queue::new(connections.max(1))),
            rates: Mutex::default(),
            learned: Mutex::new(Learned::new()),
            policy: RwLock::new(policy),
            meter: Meter::default(),
            loan: AtomicU64::new(0),
        }))
    }

    /// Limits tenants by this policy from now on, those that already wait too.
    pub(crate) fn set_policy(&self, policy: Arc<dyn LimitPolicy>) {
        let shared = &self.0;
        *shared.policy.write().unwrap_or_else(PoisonError::into_inner) = Some(policy);
        let holders = lock(&shared.queue).holders();
        for holder in holders {
            let allowed = shared.limits(holder).connections.unwrap_or(usize::MAX);
            shared.with_queue(|queue| {
                if queue.held(holder) + queue.waiting(holder) > 0 {
                    queue.allow(holder, allowed);
                }
            });
        }
    }

    /// Whose token this is, as far as the server has said.
    pub(crate) fn holder_of(&self, token: &Token) -> Holder {
        lock(&self.0.learned).tenant(token).map_or(Holder::Unnamed, Holder::Tenant)
    }

    /// Waits until the holder may have a connection: as long as its limits say, or else `patience`, or else for ever.
    ///
    /// # Errors
    /// [`Error::is_limited`], [`Error::is_timeout`], [`Error::is_closed`].
    pub(crate) async fn admit(&self, holder: Holder, patience: Option<Duration>) -> Result<Permit, Error> {
        let asked = Instant::now();
        let admitted = self.wait(holder, patience).await;
        match &admitted {
            Ok(permit) => self.0.meter.checkout(&holder, permit.since().duration_since(asked)),
            Err(error) => self.0.meter.not_admitted(&holder, error),
        }
        admitted
    }

    async fn wait(&self, holder: Holder, patience: Option<Duration>) -> Result<Permit, Error> {
        let limits = self.0.limits(holder);
        let permit = || Permit::new(self.0.clone(), holder, limits.statement_timeout);
        let Some(mut waiting) = self.ask(holder, &limits)? else { return Ok(permit()) };
        let told = match limits.acquire_timeout.or(patience) {
            None => (&mut waiting.told).await,
            Some(timeout) => match tokio::time::timeout(timeout, &mut waiting.told).await {
                Ok(told) => told,
                Err(_) => return Err(self.0.waited(holder, &limits, timeout)),
            },
        };
        match told {
            Ok(()) => {
                waiting.holds_nothing = true;
                Ok(permit())
            }
            Err(_) => Err(Error::pool_closed()),
        }
    }

    /// Takes a connection at once, or gets in the queue.
    fn ask(&self, holder: Holder, limits: &Limits) -> Result<Option<Waiting>, Error> {
        let allowed = limits.connections.unwrap_or(usize::MAX);
        if allowed == 0 {
            return Err(Error::limited(Limit::Connections, format!("{holder} may have no connection"), None));
        }
        let shared = &self.0;
        shared.with_queue(|queue| {
            if queue.is_closed() {
                return Err(Error::pool_closed());
            }
            let taken = queue.take(holder, allowed);
            if !taken && limits.waiting.is_some_and(|most| queue.waiting(holder) >= most) {
                return Err(shared.too_many_wait(holder, limits, queue.waiting(holder)));
            }
            if let Some(rate) = limits.rate
                && let Err(wait) = lock(&shared.rates).count(holder, rate)
            {
                if taken {
                    queue.free();
                    queue.give_back(holder);
                }
                let detail = format!("{holder} has begun as many transactions as its rate allows");
                return Err(Error::limited(Limit::Rate, detail, Some(wait)));
            }
            if taken {
                return Ok(None);
            }
            let (tell, told) = oneshot::channel();
            let number = queue.wait(holder, allowed, Some(tell));
            Ok(Some(Waiting { shared: shared.clone(), holder, number, told, holds_nothing: false }))
        })
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// Refuses all who wait and all who will ask.
    pub(crate) fn close(&self) {
        let waiting = lock(&self.0.queue).close();
        drop(waiting);
    }

    /// How many calls wait.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.0.queue).all_waiting()
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let queue = lock(&self.0.queue);
        (queue.lent(), queue.holders().len())
    }
}

impl Shared {
    /// Changes the queue, then lends what that freed. Those who are served are told when the lock is open again: waking
    /// a task may run code of any executor.
    pub(super) fn with_queue<T>(&self, change: impl FnOnce(&mut Queue<Told>) -> T) -> T {
        let mut queue = lock(&self.queue);
        let result = change(&mut queue);
        let served = queue.serve();
        drop(queue);
        for tell in served.into_iter().flatten() {
            // One that is gone finds out that it was served when it leaves the queue.
            let _ = tell.send(());
        }
        result
    }

    pub(super) fn limits(&self, holder: Holder) -> Limits {
        let policy = self.policy.read().unwrap_or_else(PoisonError::into_inner).clone();
        match (policy, holder) {
            (Some(policy), Holder::Tenant(tenant)) => policy.limits(&tenant),
            (Some(policy), Holder::Unnamed) => policy.unnamed(),
            (_, Holder::NoTenant | Holder::Registry) | (None, _) => Limits::new(),
        }
    }

    pub(super) fn learn(&self, token: &Token, tenant: TenantId) {
        lock(&self.learned).learn(token, tenant);
    }

    /// A loan ended.
    pub(super) fn note_loan(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        let before = self.loan.load(Ordering::Relaxed);
        let after = if before == 0 { took } else { before - before / 16 + took / 16 };
        self.loan.store(after.max(1), Ordering::Relaxed);
    }

    /// When it is worth asking again with so many before one, going by how long loans last: an estimate.
    fn retry_after(&self, before: usize, connections: usize) -> Duration {
        let loan = Duration::from_nanos(self.loan.load(Ordering::Relaxed));
        let rounds = u32::try_from(before / connections.max(1) + 1).unwrap_or(u32::MAX);
        loan.saturating_mul(rounds).clamp(Duration::from_millis(1), Duration::from_secs(60))
    }

    fn too_many_wait(&self, holder: Holder, limits: &Limits, waiting: usize) -> Error {
        let retry = self.retry_after(waiting, limits.connections.unwrap_or(1));
        let detail = format!("{holder} already waits with {waiting} calls, as many as may wait");
        Error::limited(Limit::Waiting, detail, Some(retry))
    }

    /// What a call that waited in vain is told: that its tenant has all it may have, or that the pool has too little.
    fn waited(&self, holder: Holder, limits: &Limits, timeout: Duration) -> Error {
        let (held, waiting) = {
            let queue = lock(&self.queue);
            (queue.held(holder), queue.waiting(holder))
        };
        let retry = self.retry_after(waiting, held);
        match limits.connections {
            Some(allowed) if held >= allowed => {
                let detail = format!("{holder} has {held} connections, all it may have, and waited {timeout:?}");
                Error::limited(Limit::Connections, detail, Some(retry)).of_kind(Kind::Timeout)
            }
            _ => Error::new(Kind::Timeout, "no connection became free within the pool's wait timeout")
                .with_detail(format!("{holder} waited {timeout:?}"))
                .with_retry_after(retry),
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
