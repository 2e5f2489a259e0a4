//! The right to a connection: it lives with the lease and comes back when the lease ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pg_tenant_core::TenantId;

use super::Holder;
use super::shared::Shared;
use crate::observe::Meter;
use crate::tenant::token::Token;

pub(crate) struct Permit {
    shared: Arc<Shared>,
    holder: Holder,
    since: Instant,
    /// Whether its connection's place in the pool is still taken.
    place: bool,
    statement_timeout: Option<Duration>,
}

impl Permit {
    pub(super) fn new(shared: Arc<Shared>, holder: Holder, statement_timeout: Option<Duration>) -> Permit {
        Permit { shared, holder, since: Instant::now(), place: true, statement_timeout }
    }

    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Counts something of this loan.
    pub(crate) fn count(&self, what: impl FnOnce(&Meter, &Holder)) {
        what(&self.shared.meter, &self.holder);
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

    /// How long the holder's statements may run.
    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        self.statement_timeout
    }

    /// The connection has left the pool, though the server still works for the holder: others may have its place, and
    /// the holder's own share stays taken.
    pub(crate) fn free_place(&mut self) {
        if std::mem::take(&mut self.place) {
            self.shared.with_queue(|queue| queue.free());
        }
    }

    /// The server has accepted the token and said whose it is: from now on, this connection counts against that tenant.
    pub(crate) fn learn(&mut self, token: &Token, tenant: TenantId) {
        let named = Holder::Tenant(tenant);
        if self.holder != named {
            self.shared.learn(token, tenant);
            let allowed = self.shared.limits(named).connections.unwrap_or(usize::MAX);
            let from = std::mem::replace(&mut self.holder, named);
            self.shared.with_queue(|queue| queue.rename(from, named, allowed));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.note_loan(self.since.elapsed());
        let (holder, place) = (self.holder, self.place);
        self.shared.with_queue(|queue| {
            if place {
                queue.free();
            }
            queue.give_back(holder);
        });
    }
}
