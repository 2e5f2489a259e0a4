//! Statements that sqlx has prepared, and that a migration has changed the schema under.
//!
//! sqlx keeps a statement that fails, and would send it again for as long as the connection lives. Where nothing has
//! run in the transaction, or only queries, it is begun anew on the same connection, with all statements prepared
//! afresh, and the statement is sent again; elsewhere the connection is cleared before it is lent again.

use ::sqlx::postgres::{PgQueryResult, PgRow};
use ::sqlx::{Connection, Either, Error as SqlxError, Executor};
use futures_util::stream::{Stream, StreamExt};

use super::cleanup::Transaction;
use super::entering::generation;
use super::error::{code, into_sqlx, is_stale, may_be_stale};
use super::generator::{Slot, generator};
use super::lease::{Asked, Lease};
use super::open_tx::OpenTx;
use super::statement::{Named, Step, Watched};
use crate::error::Error;
use crate::observe::Call;
use crate::pool::lease::Wire;
use crate::wire::preamble::BEGIN_ANEW;

impl Lease {
    /// Takes from the connection all that it has prepared. The transaction is over then.
    pub(super) async fn clear_statements(&mut self) -> Result<(), SqlxError> {
        self.run("rollback".to_owned()).await?;
        let (connection, state) = self.parts();
        state.wire = Wire::Awaiting;
        let cleared = connection.clear_cached_statements().await;
        state.wire = Wire::Quiet;
        state.stale = cleared.is_err();
        cleared
    }
}

impl OpenTx {
    /// The transaction may be begun anew for this statement: nothing is lost with it, as far as is known here.
    pub(super) fn may_be_begun_anew(&self, query: &Watched) -> bool {
        let state = &self.lease.state;
        let lost = match state.asked {
            Asked::Nothing => false,
            // The server is asked, and it has to be the session of the transaction before.
            Asked::Reads => self.lease.changes_sessions,
            Asked::Anything => true,
        };
        !lost && !state.nameless && self.savepoints == 0 && query.is_kept()
    }

    /// Begins the transaction anew, with nothing prepared, where the one before, in which this was `asked`, is no loss.
    async fn begin_anew(&mut self, asked: Asked) -> Result<(), SqlxError> {
        let begun = self.try_begin_anew(asked).await;
        if let Err(error) = &begun {
            // There is no transaction for the calls that follow.
            self.lease.state.health.fail();
            self.lease.state.learn(error);
        }
        begun
    }

    async fn try_begin_anew(&mut self, asked: Asked) -> Result<(), SqlxError> {
        let before = self.lease.transaction.take().map(|transaction| transaction.pid);
        self.lease.clear_statements().await?;
        let Some(entering) = self.lease.entering.clone() else { return Err(SqlxError::WorkerCrashed) };
        let rows = self.lease.enter(&entering).await?;
        self.lease.transaction = Transaction::of(rows.last());
        // The first one: what was read before is of that or of a later one.
        self.lease.generation = self.lease.generation.or(generation(rows.last()));
        if asked == Asked::Reads {
            let session = self.lease.transaction.as_ref().map(|transaction| transaction.pid);
            if session != before {
                // A pooler that nobody spoke of: this session knows nothing of the transaction before.
                self.lease.state.health.record_conflict();
                return Err(into_sqlx(Error::not_begun_anew()));
            }
            self.lease.run_fixed(BEGIN_ANEW).await?;
        }
        if self.lease.lends_sessions {
            // A pooler that carries statements has them in this session as well, by their text.
            self.lease.run("deallocate all".to_owned()).await?;
        }
        Ok(())
    }

    /// The first row of a statement, if there is one.
    pub(super) async fn first_fresh(&mut self, query: Watched) -> Result<Option<PgRow>, SqlxError> {
        let (mut may_be_begun_anew, mut query) = (self.may_be_begun_anew(&query), query);
        let (before, asks) = (self.lease.state.asked, query.asks());
        loop {
            let again = if may_be_begun_anew { query.again() } else { None };
            let (connection, state) = self.executor_for(asks)?;
            let named = Named { query, never: state.nameless };
            // Its answer may be read past by the next call, so the mark is not one that refuses.
            state.wire = Wire::Streaming;
            let row = connection.fetch_optional(named).await;
            state.wire = Wire::Quiet;
            match (row, again) {
                (Err(error), Some(again)) if may_be_stale(&error) => {
                    if is_stale(&error) {
                        state.meet_change();
                    }
                    query = again;
                }
                (row, _) => {
                    if let Err(error) = &row {
                        state.learn(error);
                    }
                    return row;
                }
            }
            may_be_begun_anew = false;
            self.begin_anew(before).await?;
        }
    }

    /// What a statement returns, while it comes; sent again, where nothing of it has come, if it was stale.
    pub(super) fn steps_fresh(&mut self, query: Watched, call: Call) -> impl Stream<Item = Step> + Send + '_ {
        generator(move |slot| async move {
            let done = call.watch(self.fill(query, &call, &slot)).await;
            done.inspect_err(|error| call.failed_with(code(error)))
        })
    }

    async fn fill(
        &mut self,
        query: Watched,
        call: &Call,
        slot: &Slot<Either<PgQueryResult, PgRow>>,
    ) -> Result<(), SqlxError> {
        let (mut may_be_begun_anew, mut query, mut rows) = (self.may_be_begun_anew(&query), query, 0);
        let (before, asks) = (self.lease.state.asked, query.asks());
        loop {
            let mut again = if may_be_begun_anew { query.again() } else { None };
            let (connection, state) = self.executor_for(asks)?;
            let named = Named { query, never: state.nameless };
            state.wire = Wire::Streaming;
            let mut steps = connection.fetch_many(named);
            let mut stale = None;
            while let Some(step) = steps.next().await {
                match &step {
                    Err(error) => {
                        state.wire = Wire::Quiet;
                        stale = again.take().filter(|_| may_be_stale(error));
                        if stale.is_some() {
                            if is_stale(error) {
                                state.meet_change();
                            }
                            break;
                        }
                        state.learn(error);
                    }
                    Ok(Either::Left(done)) => {
                        rows += done.rows_affected();
                        call.rows(rows);
                    }
                    Ok(Either::Right(_)) => {}
                }
                again = None;
                slot.put(step?).await;
            }
            state.wire = Wire::Quiet;
            drop(steps);
            match stale {
                None => return Ok(()),
                Some(stale) => query = stale,
            }
            may_be_begun_anew = false;
            self.begin_anew(before).await?;
        }
    }
}
