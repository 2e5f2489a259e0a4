//! How a transaction ends: commit with a probe, rollback; savepoints.

use tokio_postgres::{Row, error::SqlState, types::ToSql};

use crate::error::Error;
use crate::observe::{Call, Meter};
use crate::pool::cleanup::roll_back;
use crate::tx::savepoint::savepoint;
use crate::tx::tenant_tx::TenantTx;
use crate::wire::flight;
use crate::wire::flight::Committed;
use crate::wire::outcome::is_fatal;
use crate::wire::step::{Step, Then};

impl TenantTx {
    /// Commits. A transaction in which nothing was sent costs nothing.
    ///
    /// A probe travels with COMMIT, because PostgreSQL answers COMMIT of a failed transaction with success and rolls
    /// back.
    ///
    /// # Errors
    /// `25P02` where an earlier statement had failed: nothing was committed. [`Error::is_tenant_lost`] where a
    /// statement had ended the transaction: what ran after it ran without the tenant. Whatever the server finds at
    /// commit (`40001`, `23503` of a deferred constraint, …): nothing was committed. [`Error::is_closed`]: unknown.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.usable()?;
        if !self.begun {
            return Ok(());
        }
        let then = self.lease.commit();
        let call = Call::of("commit", self.tenant_id());
        let committed = call.watch(flight::finish(&self.lease.depart().client, then)).await;
        self.lease.arrive(!committed.ended());
        let done = self.settle(committed);
        call.ended(&done);
        done
    }

    /// Runs the last statement and commits, in one round trip.
    ///
    /// # Errors
    /// As [`query`](Self::query) and [`commit`](Self::commit); nothing was committed then, unless [`Error::is_closed`],
    /// which leaves it unknown.
    pub async fn query_then_commit(mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        Ok(self.send(Step::rows(sql, params), Then::Commit).await?.rows)
    }

    /// As [`query_then_commit`](Self::query_then_commit), and returns how many rows the statement affected.
    ///
    /// # Errors
    /// As [`query_then_commit`](Self::query_then_commit).
    pub async fn execute_then_commit(mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        Ok(self.send(Step::count(sql, params), Then::Commit).await?.affected)
    }

    /// What became of a commit.
    pub(crate) fn settle(&mut self, Committed { probed, found, done }: Committed) -> Result<(), Error> {
        match done {
            Err(error) if !probed => {
                if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION) {
                    self.lease.count(Meter::probe_failure);
                    return Err(Error::failed(self.first_error.as_deref()).with_source(error));
                }
                self.lease.discard();
                let unknown = error.as_db_error().is_none();
                let error = Error::from(error);
                Err(self.note(if unknown { error.maybe_committed() } else { error }))
            }
            _ if !self.entered.is(found.as_deref()) => {
                self.lease.discard();
                self.lease.count(Meter::probe_failure);
                Err(Error::tenant_lost(&self.entered, found.as_deref()))
            }
            done => done.map_err(|error| {
                let unknown = error.as_db_error().is_none() || is_fatal(&error);
                let error = Error::from(error);
                self.note(if unknown { error.maybe_committed() } else { error })
            }),
        }
    }

    /// Rolls back and waits for it. Dropping the transaction rolls back too, without waiting.
    ///
    /// # Errors
    /// [`Error::is_closed`] where the connection broke: the server rolls back then as well.
    pub async fn rollback(mut self) -> Result<(), Error> {
        match self.usable() {
            Err(error) if error.is_interrupted() => return Err(error),
            _ if !self.lease.may_be_open() => return Ok(()),
            _ => {}
        }
        let call = Call::of("rollback", self.tenant_id());
        let connection = self.lease.depart();
        let roll_back = roll_back(connection.statements.forgets_names());
        let rolled_back = call.watch(connection.client.batch_execute(roll_back)).await;
        // Answered, whatever it said, no transaction is open.
        self.lease.arrive(rolled_back.as_ref().is_err_and(|error| error.as_db_error().is_none()));
        let done = rolled_back.map_err(|error| self.note(error.into()));
        call.ended(&done);
        done
    }

    /// Runs a closure inside a savepoint: keeps what it did where it returns `Ok`, undoes it where it returns `Err`,
    /// and the transaction goes on in either case. Savepoints nest.
    ///
    /// `SAVEPOINT` travels with the closure's first statement. A future dropped half-way leaves the transaction
    /// refusing further calls: what the savepoint stood for is no longer known.
    ///
    /// # Errors
    /// The closure's. `25P02` where the closure returned `Ok` although a statement in it had failed: it was undone.
    pub async fn savepoint<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, E>,
        E: From<Error>,
    {
        Call::of("savepoint", self.tenant_id()).watch(savepoint(self, work)).await
    }
}
