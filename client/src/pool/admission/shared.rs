//! What the calls of one pool share: the queue, the rates, the policy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use pg_tenant_core::TenantId;
use tokio::sync::{Notify, oneshot};

use super::Share;
use super::loans::Loans;
use super::queue::Queue;
use super::rates::Rates;
use super::token_tenants::TokenTenants;
use crate::error::limit::Limit;
use crate::error::{Error, Kind};
use crate::observe::Meter;
use crate::pool::limits::{LimitPolicy, Limits};
use crate::tenant::token::Token;

pub(super) struct Shared {
    /// Locked for a few instructions at a time, never across an await and never while a policy is asked.
    pub(super) queue: Mutex<Queue<Served>>,
    pub(super) rates: Mutex<Rates>,
    pub(super) token_tenants: Mutex<TokenTenants>,
    pub(super) policy: RwLock<Option<Arc<dyn LimitPolicy>>>,
    pub(super) meter: Meter,
    pub(super) loans: Mutex<Loans>,
    /// Told when a loan ends.
    pub(super) returned: Notify,
    /// How long a connection has been lent lately, on average: nanoseconds, 0 before the first.
    pub(super) loan: AtomicU64,
}

/// Tells a waiting call that it is served; dropped where the pool was closed.
pub(super) type Served = Option<oneshot::Sender<()>>;

impl Shared {
    /// Changes the queue, then lends what that freed. Those who are served are told when the lock is open again: waking
    /// a task may run code of any executor.
    pub(super) fn with_queue<T>(&self, change: impl FnOnce(&mut Queue<Served>) -> T) -> T {
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

    pub(super) fn limits(&self, share: Share) -> Limits {
        let policy = self.policy.read().unwrap_or_else(PoisonError::into_inner).clone();
        match (policy, share) {
            (Some(policy), Share::Tenant(tenant)) => policy.limits(&tenant),
            (Some(policy), Share::Unnamed) => policy.unnamed(),
            (_, Share::NoTenant | Share::Registry) | (None, _) => Limits::new(),
        }
    }

    pub(super) fn learn(&self, token: &Token, tenant: TenantId) {
        lock(&self.token_tenants).learn(token, tenant);
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

    pub(super) fn too_many_wait(&self, share: Share, limits: &Limits, waiting: usize) -> Error {
        let retry = self.retry_after(waiting, limits.connections.unwrap_or(1));
        let detail = format!("{share} already waits with {waiting} calls, as many as may wait");
        Error::limited(Limit::Waiting, detail, Some(retry))
    }

    /// The error of a call that waited in vain: its tenant has all it may have, or the pool has too little.
    pub(super) fn waited(&self, share: Share, limits: &Limits, timeout: Duration) -> Error {
        let (held, waiting) = {
            let queue = lock(&self.queue);
            (queue.held(share), queue.waiting(share))
        };
        let retry = self.retry_after(waiting, held);
        match limits.connections {
            Some(allowed) if held >= allowed => {
                let whose = lock(&self.loans).describe(|loan| loan.share == share);
                let detail =
                    format!("{share} has {held} connections, all it may have, and waited {timeout:?}. It has: {whose}");
                self.tell_own(Error::limited(Limit::Connections, detail, Some(retry)).of_kind(Kind::Timeout))
            }
            _ => {
                let whose = lock(&self.loans).describe(|loan| !loan.ending);
                let error = Error::new(Kind::Timeout, "no connection became free within the pool's wait timeout")
                    .with_detail(format!("{share} waited {timeout:?}. Connections are lent to: {whose}"))
                    .with_retry_after(retry);
                self.tell_own(error)
            }
        }
    }

    /// A task that has a connection itself may have waited for itself.
    fn tell_own(&self, error: Error) -> Error {
        let own = lock(&self.loans).own();
        let Some(first) = own.first() else { return error };
        let from = first.map(|site| format!(", from {site}")).unwrap_or_default();
        let detail = error.detail().unwrap_or_default();
        let detail = format!("{detail}. The task that waits has {} of them itself{from}", own.len());
        error.with_detail(detail).with_hint(
            "use the transaction that the task has, or end it before another is begun: it may wait for itself",
        )
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
