//! A connection on loan from `sqlx::PgPool`, cancel-safe by the same state as in `crate::pool::lease`.
//!
//! sqlx 0.9 counts a transaction only once BEGIN was answered, so a `begin` dropped before that returns a connection
//! with an open transaction to the pool. Here BEGIN is a call like any other: dropped half-way, its connection leaves
//! the pool.

use std::sync::Arc;

use ::sqlx::pool::PoolConnection;
use ::sqlx::postgres::{PgConnectOptions, PgRow};
use ::sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Postgres};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::changes::{Changes, Known};
use super::cleanup::{Transaction, cancel_and_rollback, roll_back};
use super::entering::Entering;
use crate::error::driver::is_passing;
use crate::pool::admission::Permit;
use crate::pool::cleanup;
use crate::pool::lease::Wire;
use crate::pool::pooler::Pooler;
use crate::tenant::generation::Generation;
use crate::tenant::token::Token;
use crate::tx::health::Health;
use crate::wire::backoff::Backoff;

pub(crate) struct Lease {
    /// `None` once the loan has ended.
    pub(super) connection: Option<PoolConnection<Postgres>>,
    options: Arc<PgConnectOptions>,
    pub(super) state: CallState,
    /// What the server calls the transaction, once it is known.
    pub(super) transaction: Option<Transaction>,
    /// What it was begun with.
    pub(super) entering: Option<Arc<Entering>>,
    /// What entering has told.
    pub(super) generation: Option<Generation>,
    /// A pooler lends sessions behind this connection.
    pub(super) lends_sessions: bool,
    /// Each transaction may run in another of them.
    pub(super) changes_sessions: bool,
}

/// Apart from the connection, so that a stream can borrow both.
pub(crate) struct CallState {
    pub(super) wire: Wire,
    /// A BEGIN was sent and its end was not confirmed.
    pub(super) open: bool,
    /// Never lend it again.
    pub(super) discard: bool,
    /// Ends after the loan.
    pub(super) permit: Option<Permit>,
    pub(super) health: Health,
    /// Statements have no name that lasts longer than the transaction.
    pub(super) nameless: bool,
    /// A statement has a name although names do not last: to be taken from the session before that goes to somebody
    /// else.
    pub(super) borrowed_name: bool,
    /// What the connection has prepared may be out of date: it is taken away before the connection is lent again.
    pub(super) stale: bool,
    /// The changes of the schema that the connection knows of, where it has a session of its own.
    pub(super) changes: Option<Known>,
    /// What was asked in the transaction beyond entering.
    pub(super) asked: Asked,
}

/// What was asked in a transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    Nothing,
    /// Queries that leave nothing in the transaction, if they have written nothing, which the server knows.
    Reads,
    Anything,
}

impl Lease {
    pub(crate) async fn new(pool: &PgPool, pooler: Pooler, permit: Option<Permit>) -> Result<Lease, ::sqlx::Error> {
        let connection = Some(acquire(pool).await?);
        let state = CallState {
            wire: Wire::Quiet,
            open: false,
            discard: false,
            permit,
            health: Health::default(),
            nameless: pooler.forgets_names(),
            borrowed_name: false,
            stale: false,
            changes: None,
            asked: Asked::Nothing,
        };
        let (options, lends_sessions) = (pool.connect_options(), pooler.lends_sessions());
        let changes_sessions = pooler.changes_sessions();
        Ok(Lease {
            connection,
            options,
            state,
            transaction: None,
            entering: None,
            generation: None,
            lends_sessions,
            changes_sessions,
        })
    }

    /// Gives up the connection for another. The permit stays for the other.
    pub(crate) fn give_up(mut self) -> Option<Permit> {
        self.state.discard = true;
        let permit = self.state.permit.take();
        if let Some(permit) = &permit {
            permit.count_end(false, true);
        }
        permit
    }

    /// The connection and its state, for one call.
    pub(crate) fn parts(&mut self) -> (&mut PgConnection, &mut CallState) {
        let connection = self.connection.as_mut().expect("the loan has not ended");
        (connection, &mut self.state)
    }

    /// Runs a text of our own and returns its rows. `sql` holds nothing that is not ours or quoted.
    pub(crate) async fn run(&mut self, sql: String) -> Result<Vec<PgRow>, ::sqlx::Error> {
        let (connection, state) = self.parts();
        state.wire = Wire::Awaiting;
        let rows = ::sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await;
        state.wire = Wire::Quiet;
        rows
    }

    /// As [`run`](Self::run), of a text that is always the same.
    pub(crate) async fn run_fixed(&mut self, sql: &'static str) -> Result<Vec<PgRow>, ::sqlx::Error> {
        let (connection, state) = self.parts();
        state.wire = Wire::Awaiting;
        let rows = ::sqlx::raw_sql(sql).fetch_all(connection).await;
        state.wire = Wire::Quiet;
        rows
    }

    /// As [`run`](Self::run), with a token as its parameter.
    pub(crate) async fn run_with(&mut self, sql: String, token: &Token) -> Result<Vec<PgRow>, ::sqlx::Error> {
        let (connection, state) = self.parts();
        state.wire = Wire::Awaiting;
        let query = ::sqlx::query(AssertSqlSafe(sql)).bind(token.expose()).persistent(!state.nameless);
        let rows = query.fetch_all(connection).await;
        state.wire = Wire::Quiet;
        rows
    }

    /// The connection has entered as this. What it has prepared before a change that another has met is taken away.
    pub(super) async fn learn_of_changes(&mut self, pid: i32, changes: &Arc<Changes>) -> Result<(), ::sqlx::Error> {
        if self.changes_sessions {
            return Ok(());
        }
        let known = changes.lend(pid);
        if known.is_behind {
            let (connection, state) = self.parts();
            state.wire = Wire::Awaiting;
            connection.clear_cached_statements().await?;
            state.wire = Wire::Quiet;
        }
        self.state.changes = Some(known);
        Ok(())
    }

    /// Begins and enters.
    pub(super) async fn enter(&mut self, entering: &Entering) -> Result<Vec<PgRow>, ::sqlx::Error> {
        let entered = self.run(entering.begin.clone()).await;
        match (&entering.signed, entered) {
            (Some((enter, token)), Ok(_)) => self.run_with(enter.clone(), token).await,
            (_, entered) => entered,
        }
    }

    /// Ends the loan: the connection goes back, or is closed outside the pool.
    fn end(&mut self) {
        let mut permit = self.state.permit.take();
        let Some(connection) = self.connection.take() else { return };
        let CallState { wire, open, discard, borrowed_name, stale, .. } = self.state;
        if let Some(permit) = &permit {
            permit.count_end(open, discard || wire != Wire::Quiet);
        }
        let Ok(runtime) = Handle::try_current() else {
            // sqlx needs a runtime to take it back, and closing it rolls back.
            drop(connection.detach());
            return;
        };
        if discard || wire != Wire::Quiet {
            if let Some(permit) = &mut permit {
                permit.release_slot();
            }
            runtime.spawn(cancel_and_rollback(
                connection.detach(),
                self.options.clone(),
                self.transaction.take(),
                cleanup::roll_back(borrowed_name),
                permit,
            ));
        } else if open || stale {
            let names = stale && self.lends_sessions;
            runtime.spawn(roll_back(connection, permit, cleanup::roll_back(names), stale));
        }
    }
}

/// A connection of the pool. sqlx waits for a server that refuses to be connected to, and not for one whose name cannot
/// be looked up, or that cannot be reached, for a moment.
async fn acquire(pool: &PgPool) -> Result<PoolConnection<Postgres>, ::sqlx::Error> {
    let deadline = Instant::now().checked_add(pool.options().get_acquire_timeout());
    let mut pauses = Backoff::new();
    loop {
        let error = match pool.acquire().await {
            Err(::sqlx::Error::Io(error)) if is_passing(&error) => error,
            acquired => return acquired,
        };
        let pause = pauses.next();
        if deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) {
            return Err(::sqlx::Error::Io(error));
        }
        tokio::time::sleep(pause).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end();
    }
}
