//! Asking for the right to a connection, and waiting for it.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::loans::Site;
use super::queue::Queue;
use super::shared::{Shared, lock};
use super::token_tenants::TokenTenants;
use super::waiting::Waiting;
use super::{Permit, Share};
use crate::error::Error;
use crate::error::limit::Limit;
use crate::observe::Meter;
use crate::pool::limits::{LimitPolicy, Limits};
use crate::tenant::token::Token;

/// Shares a pool's connections among its tenants. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Admission(Arc<Shared>);

impl Admission {
    /// For a pool of this many connections.
    pub(crate) fn new(connections: usize, policy: Option<Arc<dyn LimitPolicy>>) -> Admission {
        Admission(Arc::new(Shared {
            queue: Mutex::new(Queue::new(connections.max(1))),
            rates: Mutex::default(),
            token_tenants: Mutex::new(TokenTenants::new()),
            policy: RwLock::new(policy),
            meter: Meter::default(),
            loan: AtomicU64::new(0),
            loans: Mutex::default(),
            returned: Notify::new(),
        }))
    }

    /// Counts who served a read.
    pub(crate) fn count_read(&self, share: &Share, server: &'static str) {
        self.0.meter.read(share, server);
    }

    /// Limits tenants by this policy from now on, those that already wait too.
    pub(crate) fn set_policy(&self, policy: Arc<dyn LimitPolicy>) {
        let shared = &self.0;
        *shared.policy.write().unwrap_or_else(PoisonError::into_inner) = Some(policy);
        let shares = lock(&shared.queue).shares();
        for share in shares {
            let allowed = shared.limits(share).connections.unwrap_or(usize::MAX);
            shared.with_queue(|queue| {
                if queue.held(share) + queue.waiting(share) > 0 {
                    queue.allow(share, allowed);
                }
            });
        }
    }

    /// The tenant that the server has found in this token, if it has seen it before.
    pub(crate) fn share_of(&self, token: &Token) -> Share {
        lock(&self.0.token_tenants).tenant(token).map_or(Share::Unnamed, Share::Tenant)
    }

    /// Waits until the share may have a connection: as long as its limits say, or else `patience`, or else for ever.
    ///
    /// # Errors
    /// [`Error::is_limited`], [`Error::is_timeout`], [`Error::is_closed`].
    pub(crate) async fn admit(&self, share: Share, patience: Option<Duration>) -> Result<Permit, Error> {
        self.admit_from(share, patience, None).await
    }

    /// As [`admit`](Self::admit), for a transaction that is asked for there.
    pub(crate) async fn admit_from(
        &self,
        share: Share,
        patience: Option<Duration>,
        site: Site,
    ) -> Result<Permit, Error> {
        let asked = Instant::now();
        let since = if self.refresh(share, patience).await { Instant::now() } else { asked };
        let admitted = self.wait(share, patience, site, since).await.map(|permit| permit.or_patience(patience));
        match &admitted {
            Ok(permit) => self.0.meter.checkout(&share, permit.since().duration_since(asked)),
            Err(error) => self.0.meter.not_admitted(&share, error),
        }
        admitted
    }

    /// Lets the policy look up what it will be asked; whether it had to. Where that takes too long, it is asked what it
    /// knows.
    async fn refresh(&self, share: Share, patience: Option<Duration>) -> bool {
        let Share::Tenant(tenant) = share else { return false };
        let policy = self.0.policy.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(refresh) = policy.as_ref().and_then(|policy| policy.refresh(&tenant)) else { return false };
        let _ = timeout(patience.unwrap_or(Duration::MAX), refresh).await;
        true
    }

    async fn wait(
        &self,
        share: Share,
        patience: Option<Duration>,
        site: Site,
        since: Instant,
    ) -> Result<Permit, Error> {
        let limits = self.0.limits(share);
        let permit = |since| Permit::new(self.0.clone(), share, site, &limits, since);
        let Some(mut waiting) = self.ask(share, &limits)? else { return Ok(permit(since)) };
        let served = match limits.acquire_timeout.or(patience) {
            None => (&mut waiting.served).await,
            Some(timeout) => match tokio::time::timeout(timeout, &mut waiting.served).await {
                Ok(served) => served,
                Err(_) => return Err(self.0.waited(share, &limits, timeout)),
            },
        };
        match served {
            Ok(()) => {
                waiting.holds_nothing = true;
                Ok(permit(Instant::now()))
            }
            Err(_) => Err(Error::pool_closed()),
        }
    }

    /// Takes a connection at once, or gets in the queue.
    fn ask(&self, share: Share, limits: &Limits) -> Result<Option<Waiting>, Error> {
        let allowed = limits.connections.unwrap_or(usize::MAX);
        if allowed == 0 {
            return Err(Error::limited(Limit::Connections, format!("{share} may have no connection"), None));
        }
        let shared = &self.0;
        shared.with_queue(|queue| {
            if queue.is_closed() {
                return Err(Error::pool_closed());
            }
            let taken = queue.take(share, allowed);
            if !taken && limits.waiting.is_some_and(|most| queue.waiting(share) >= most) {
                return Err(shared.too_many_wait(share, limits, queue.waiting(share)));
            }
            if let Some(rate) = limits.rate
                && let Err(wait) = lock(&shared.rates).count(share, rate)
            {
                if taken {
                    queue.free();
                    queue.give_back(share);
                }
                let detail = format!("{share} has begun as many transactions as its rate allows");
                return Err(Error::limited(Limit::Rate, detail, Some(wait)));
            }
            if taken {
                return Ok(None);
            }
            let (tell, served) = oneshot::channel();
            let number = queue.wait(share, allowed, Some(tell));
            Ok(Some(Waiting { shared: shared.clone(), share, number, served, holds_nothing: false }))
        })
    }

    #[cfg(any(feature = "metrics", feature = "onboarding", feature = "jobs"))]
    pub(crate) fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// Refuses all who wait and all who will ask.
    pub(crate) fn close(&self) {
        let waiting = lock(&self.0.queue).close();
        drop(waiting);
    }

    /// Waits for so long, or until a connection comes back.
    pub(crate) async fn until_returned(&self, pause: Duration) {
        let _ = timeout(pause, self.0.returned.notified()).await;
    }

    /// Waits until no connection is lent, and what was dropped has been stopped.
    pub(crate) async fn until_all_returned(&self) {
        loop {
            let mut returned = pin!(self.0.returned.notified());
            returned.as_mut().enable();
            if lock(&self.0.queue).is_idle() {
                return;
            }
            returned.await;
        }
    }

    /// How many calls wait.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.0.queue).all_waiting()
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let queue = lock(&self.0.queue);
        (queue.lent(), queue.shares().len())
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}
