//! A transaction inside one tenant.

use std::fmt;

use pg_tenant_core::TenantId;
use tokio_postgres::{Row, types::ToSql};

use crate::error::Error;
use crate::pool::lease::{Lease, Wire};
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::token::Token;
use crate::tx::entered::Entered;
use crate::tx::entry::Way;
use crate::tx::options::BeginOptions;
use crate::wire::step;
use crate::wire::step::{Step, Then};

/// A transaction inside one tenant, on a connection it owns. Made by [`begin`](crate::TxBuilder::begin).
///
/// Dropping it rolls back; [`commit`](Self::commit) and [`rollback`](Self::rollback) consume it. It gives no access to
/// the connection beneath (see [`danger`](crate::danger) for that).
///
/// A call whose future is dropped before it finished leaves the transaction refusing every further call
/// ([`Error::is_interrupted`]): drop it, and the server is told to stop and roll back.
///
/// The first statement's errors include those of entering the tenant: `TN002` unknown, `TN003` not active, `TN006`
/// bound to another tenant. After an error of the server the transaction has failed: everything but rolling back, or
/// returning from the savepoint around it, fails with `25P02`.
pub struct TenantTx {
    pub(crate) pool: TenantPool,
    pub(crate) lease: Lease,
    pub(crate) entered: Entered,
    /// What is to be sent before the next statement: begin and enter, savepoints.
    pub(crate) lead: String,
    /// What the lead enters with, until it has.
    pub(crate) token: Option<Token>,
    /// The lead that held begin and enter has been sent and answered.
    pub(crate) begun: bool,
    /// How often a lead has been sent.
    pub(crate) flights: u64,
    /// No call may follow.
    pub(crate) refuses: Option<Refuses>,
    pub(crate) first_error: Option<String>,
    /// A statement failed with `40001` or `40P01`.
    pub(crate) lost_a_conflict: bool,
    pub(crate) savepoints: u32,
    /// How many more connections may be tried for the first flight.
    pub(crate) spare: usize,
    /// The session's statements are to be taken away before the next flight.
    pub(crate) clears: bool,
}

/// Why no call may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refuses {
    /// A call was dropped half-way.
    Interrupted,
    /// It could not begin, or a savepoint could not be undone.
    Failed,
}

impl TenantTx {
    pub(crate) fn new(pool: TenantPool, lease: Lease, way: Way, options: &BeginOptions) -> TenantTx {
        let entered = Entered::by(&way);
        let (token, lead) = match way {
            Way::In(id) => (None, options.enter(&id, "")),
            Way::Signed(_, token) => (Some(token), options.enter_signed()),
            Way::System(context, reason) => (None, options.enter_system(&reason, context, "")),
        };
        let spare = pool.max_size + lease.sessions_to_end();
        let (refuses, first_error) = (None, None);
        TenantTx {
            pool,
            lease,
            entered,
            lead,
            token,
            begun: false,
            flights: 0,
            refuses,
            first_error,
            lost_a_conflict: false,
            savepoints: 0,
            spare,
            clears: false,
        }
    }

    /// The tenant. `None` where a token names it and nothing was sent yet.
    pub fn tenant_id(&self) -> Option<&TenantId> {
        self.entered.tenant()
    }

    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// The server's; those of entering with the first statement (see [`TenantTx`]).
    pub async fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        Ok(self.send(Step::rows(sql, params), Then::Stay).await?.rows)
    }

    /// Runs a statement that returns exactly one row.
    ///
    /// # Errors
    /// As [`query`](Self::query), and where it returns another number of rows; that does not fail the transaction.
    pub async fn query_one(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        step::one(self.send(Step::rows(sql, params), Then::Stay).await?.rows)
    }

    /// Runs a statement that returns one row or none.
    ///
    /// # Errors
    /// As [`query_one`](Self::query_one), where it returns more than one row.
    pub async fn query_opt(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Error> {
        step::opt(self.send(Step::rows(sql, params), Then::Stay).await?.rows)
    }

    /// Runs a statement and returns how many rows it affected.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        Ok(self.send(Step::count(sql, params), Then::Stay).await?.affected)
    }

    /// Runs several statements, separated by semicolons, in one round trip and without parameters.
    ///
    /// Never build the text from input: there is nothing here that quotes.
    ///
    /// # Errors
    /// As [`query`](Self::query), of the first statement that fails; those after it did not run.
    pub async fn batch_execute(&mut self, sql: &str) -> Result<(), Error> {
        self.send_batch(sql).await
    }

    /// Something in it failed so that the whole may be run again.
    pub(crate) fn lost_a_conflict(&self) -> bool {
        self.lost_a_conflict
    }

    /// Whether a call may follow.
    pub(crate) fn usable(&self) -> Result<(), Error> {
        match (self.lease.wire(), self.refuses) {
            (Wire::Awaiting, _) | (_, Some(Refuses::Interrupted)) => Err(Error::interrupted()),
            (_, Some(Refuses::Failed)) => Err(Error::failed(self.first_error.as_deref())),
            (Wire::Quiet | Wire::Streaming, None) => Ok(()),
        }
    }
}

impl fmt::Debug for TenantTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("TenantTx");
        out.field("entered", &self.entered).field("begun", &self.begun).field("wire", &self.lease.wire());
        out.field("savepoints", &self.savepoints).finish()
    }
}
