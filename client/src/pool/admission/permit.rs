//! The right to a connection. It is held as long as the lease and given back when the lease ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pg_tenant_core::TenantId;

use super::Share;
use super::loans::{Loan, Site};
use super::shared::{Shared, lock};
use crate::observe::Meter;
use crate::pool::limits::Limits;
use crate::tenant::token::Token;

pub(crate) struct Permit {
    shared: Arc<Shared>,
    share: Share,
    since: Instant,
    /// When its loan ended, where that is known before it is dropped.
    until: Option<Instant>,
    /// Whether its connection's slot in the pool is still taken.
    slot: bool,
    statement_timeout: Option<Duration>,
    /// How long its holder waits for a connection.
    patience: Option<Duration>,
    /// Its number among the loans.
    loan: usize,
}

impl Permit {
    pub(super) fn new(shared: Arc<Shared>, share: Share, site: Site, limits: &Limits, since: Instant) -> Permit {
        let loan = lock(&shared.loans).insert(Loan::new(share, site, since));
        let Limits { statement_timeout, acquire_timeout: patience, .. } = *limits;
        Permit { shared, share, since, until: None, slot: true, statement_timeout, patience, loan }
    }

    pub(super) fn or_patience(mut self, patience: Option<Duration>) -> Permit {
        self.patience = self.patience.or(patience);
        self
    }

    /// How long its holder waits for a connection; for ever where `None`.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.patience
    }

    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// The loan ended.
    pub(crate) fn end_at(&mut self, now: Instant) {
        self.until = Some(now);
    }

    /// Counts something of this loan.
    pub(crate) fn count(&self, what: impl FnOnce(&Meter, &Share)) {
        what(&self.shared.meter, &self.share);
    }

    /// Counts how a loan ended: with a transaction that nobody had ended, with a connection that is not lent again.
    pub(crate) fn count_end(&self, open: bool, discarded: bool) {
        if open {
            self.count(Meter::forced_rollback);
        }
        if discarded {
            self.count(Meter::discard);
        }
    }

    /// How long the tenant's statements may run.
    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        self.statement_timeout
    }

    /// The connection has left the pool, though the server still works for the tenant: others may have its slot, and
    /// the tenant's own share stays taken.
    pub(crate) fn release_slot(&mut self) {
        if std::mem::take(&mut self.slot) {
            self.shared.with_queue(|queue| queue.free());
            lock(&self.shared.loans).change(self.loan, |loan| loan.ending = true);
        }
    }

    /// The server has accepted the token and said whose it is: from now on, this connection counts against that tenant.
    pub(crate) fn learn(&mut self, token: &Token, tenant: TenantId) {
        let named = Share::Tenant(tenant);
        if self.share != named {
            self.shared.learn(token, tenant);
            let allowed = self.shared.limits(named).connections.unwrap_or(usize::MAX);
            let from = std::mem::replace(&mut self.share, named);
            self.shared.with_queue(|queue| queue.rename(from, named, allowed));
            lock(&self.shared.loans).change(self.loan, |loan| loan.share = named);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.note_loan(self.until.unwrap_or_else(Instant::now).saturating_duration_since(self.since));
        let (share, slot) = (self.share, self.slot);
        lock(&self.shared.loans).remove(self.loan);
        self.shared.with_queue(|queue| {
            if slot {
                queue.free();
            }
            queue.give_back(share);
        });
        self.shared.returned.notify_waiters();
    }
}
