//! A connection on loan from the pool: the one mechanism that makes every call cancel-safe.
//!
//! A call marks the lease before it awaits the connection and unmarks it after. Dropping the call's future runs neither
//! line, so the mark stays, and whoever drops the lease sees it: the connection leaves the pool (its slot is free at
//! once), what runs on it is cancelled, and it is rolled back and closed. A lease dropped unmarked with an open
//! transaction queues a ROLLBACK and goes back.

use std::sync::Arc;
use std::time::Instant;

use deadpool::managed::Object;
use pg_tenant_core::TenantId;
use tokio_postgres::{Statement, error::DbError, types::Type};

use crate::observe::Meter;
use crate::pool::admission::Permit;
use crate::pool::cleanup::{cancel_and_rollback, queue_rollback};
use crate::pool::connection::Connection;
use crate::pool::manager::Manager;
use crate::pool::pooler::{MOST_ENDED, Pooler};
use crate::tenant::share::Share;
use crate::tenant::token::Token;
use crate::wire::cancel_request::Canceller;
use crate::wire::form::Form;
use crate::wire::step::{Step, Then};

/// What may still arrive from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Everything that was sent was answered.
    Quiet,
    /// A call awaits its answer, or was dropped awaiting it.
    Awaiting,
    /// A row stream is open, or was dropped before its end. The driver reads past the rest.
    Streaming,
}

pub(crate) struct Lease {
    /// `None` once the loan has ended.
    object: Option<Object<Manager>>,
    canceller: Canceller,
    /// Ends after the loan.
    permit: Option<Permit>,
    wire: Wire,
    /// A BEGIN was sent and its end was not confirmed.
    open: bool,
    /// Never lend it again.
    discard: bool,
}

impl Lease {
    pub(crate) fn new(object: Object<Manager>, canceller: Canceller, permit: Permit) -> Lease {
        let (object, permit) = (Some(object), Some(permit));
        Lease { object, canceller, permit, wire: Wire::Quiet, open: false, discard: false }
    }

    pub(crate) fn connection(&self) -> &Connection {
        self.object.as_ref().expect("the loan has not ended")
    }

    fn connection_mut(&mut self) -> &mut Connection {
        self.object.as_mut().expect("the loan has not ended")
    }

    /// Marks the lease and lends the connection to one call.
    pub(crate) fn start_call(&mut self) -> &Connection {
        self.wire = Wire::Awaiting;
        self.connection()
    }

    /// The call was answered. `open` says whether a transaction may be open now.
    pub(crate) fn finish_call(&mut self, open: bool) {
        self.wire = Wire::Quiet;
        self.open = open;
    }

    /// Rows are still coming.
    pub(crate) fn stream(&mut self) {
        self.wire = Wire::Streaming;
        self.open = true;
    }

    /// What the server said when it closed the connection, where it owed no answer then.
    pub(crate) fn ended_by(&self) -> Option<DbError> {
        self.object.as_ref().and_then(|object| object.client.ended_by())
    }

    pub(crate) fn wire(&self) -> Wire {
        self.wire
    }

    /// Whether nobody had it before.
    pub(crate) fn is_new(&self) -> bool {
        self.object.as_ref().is_some_and(|object| Object::metrics(object).recycle_count == 0)
    }

    /// A pooler lends its session, which somebody may have had before.
    pub(crate) fn has_lent_session(&self) -> bool {
        self.object.as_ref().is_some_and(|object| object.pooler.lends_sessions())
    }

    /// A pooler carries prepared statements from session to session.
    pub(crate) fn carries_statements(&self) -> bool {
        self.object.as_ref().is_some_and(|object| object.pooler == Pooler::TransactionPrepared)
    }

    pub(crate) fn forget_all_statements(&mut self) {
        self.connection_mut().statements.clear();
    }

    /// How many dirty sessions that a pooler lends may be ended for one transaction: it has more than this pool knows
    /// of.
    pub(crate) fn sessions_to_end(&self) -> usize {
        if self.has_lent_session() { MOST_ENDED } else { 0 }
    }

    pub(crate) fn may_be_open(&self) -> bool {
        self.open
    }

    pub(crate) fn discard(&mut self) {
        self.discard = true;
    }

    /// `lasting`: in a transaction that cannot be begun anew.
    pub(crate) fn form(&mut self, step: &Step<'_>, lasting: bool) -> Option<Form> {
        self.connection_mut().statements.form(step, lasting)
    }

    pub(crate) fn types_of(&self, sql: &str) -> Option<Arc<[Type]>> {
        self.connection().statements.types(sql)
    }

    pub(crate) fn keep_statement(&mut self, sql: &str, statement: Statement) {
        self.connection_mut().statements.insert(sql, statement);
        // The driver has prepared statements of its own to learn of types, and would use them in other sessions.
        self.discard |= self.connection().statements.has_borrowed_names();
    }

    /// The text to ask with what types the parameters of this one have.
    pub(crate) fn description(&self, sql: String) -> String {
        self.connection().statements.description(sql)
    }

    /// The answer to a [`description`](Self::description) is no longer true. A call that failed may have ended the
    /// loan.
    pub(crate) fn forget_description(&mut self, sql: &str) {
        if let Some(connection) = &mut self.object {
            connection.statements.forget_description(sql);
        }
    }

    pub(crate) fn form_of(&self, step: &Step<'_>, statement: Statement) -> Form {
        self.connection().statements.form_of(step, statement)
    }

    /// How a transaction ends here.
    pub(crate) fn commit(&self) -> Then {
        if self.connection().statements.has_borrowed_names() { Then::CommitAndForget } else { Then::Commit }
    }

    /// The plan of a statement was stale. A call that failed may have ended the loan.
    pub(crate) fn meet_change(&mut self, sql: &str) {
        if let Some(connection) = &mut self.object {
            connection.statements.meet_change(sql);
        }
    }

    pub(crate) fn evict_statement(&mut self, sql: &str) {
        self.connection_mut().statements.evict(sql);
    }

    /// A call that failed may have ended the loan.
    pub(crate) fn forget_statement(&mut self, sql: &str) {
        if let Some(connection) = &mut self.object {
            connection.statements.forget(sql);
        }
    }
}

impl Lease {
    pub(crate) fn permit(&self) -> Option<&Permit> {
        self.permit.as_ref()
    }

    /// The server has accepted the token, and this is its tenant.
    pub(crate) fn learn(&mut self, token: &Token, tenant: TenantId) {
        if let Some(permit) = &mut self.permit {
            permit.learn(token, tenant);
        }
    }

    /// Ends the loan: the connection goes back, or is closed outside the pool. Its slot is free afterwards. No call may
    /// follow but dropping.
    pub(crate) fn end(&mut self) {
        let mut permit = self.permit.take();
        let Some(mut object) = self.object.take() else { return };
        let now = Instant::now();
        object.age.rest(now);
        if let Some(permit) = &mut permit {
            permit.end_at(now);
            permit.count_end(self.open, self.discard || self.wire != Wire::Quiet);
        }
        // What followed at once would be sent to a session that has lost its names by then.
        self.discard |= self.open && object.statements.lets_nothing_follow();
        if self.discard || self.wire != Wire::Quiet {
            let connection = Object::take(object);
            if self.open || self.wire != Wire::Quiet {
                cancel_and_rollback(connection, self.canceller.clone(), permit);
            }
        } else if self.open {
            queue_rollback(&object);
        }
        (self.wire, self.open) = (Wire::Quiet, false);
    }

    /// Gives up the connection for another: its slot is free afterwards, and the permit stays for the other.
    pub(crate) fn give_up(&mut self) -> Option<Permit> {
        let permit = self.permit.take();
        if let Some(permit) = &permit {
            permit.count_end(false, true);
        }
        self.discard = true;
        self.end();
        permit
    }

    /// Counts something of this loan.
    pub(crate) fn count(&self, what: impl FnOnce(&Meter, &Share)) {
        if let Some(permit) = &self.permit {
            permit.count(what);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end();
    }
}
