//! How a transaction ends: commit with a probe, rollback.

use tokio_postgres::error::SqlState;

use crate::error::Error;
use crate::observe::{Call, Meter};
use crate::pool::cleanup::roll_back;
use crate::tx::open_tx::OpenTx;
use crate::wire::flight::{self, Committed};
use crate::wire::outcome::{is_answered, is_fatal};
use crate::wire::step::Then;

impl OpenTx {
    /// Commits, with a probe before it, because PostgreSQL answers COMMIT of a failed transaction with success and
    /// rolls back. Sends nothing where nothing was sent.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.usable()?;
        if !self.opening.has_begun() {
            if let Some(riding) = &self.riding {
                riding.withdraw();
            }
            return Ok(());
        }
        let then = self.then(Then::Commit);
        let call = Call::of("commit", self.whose());
        let committed = call.watch(flight::finish(&self.lease.start_call().client, then)).await;
        self.lease.finish_call(!committed.ended());
        let done = self.check_commit(committed);
        call.ended(&done);
        done
    }

    /// Reads the answer to a commit.
    pub(super) fn check_commit(&mut self, committed: Committed) -> Result<(), Error> {
        let done = self.read_commit(committed);
        self.note_commit(&done);
        done
    }

    fn read_commit(&mut self, committed: Committed) -> Result<(), Error> {
        self.note_write(&committed);
        let Committed { probed, found, done, .. } = committed;
        if self.pool.is_replica() && done.as_ref().is_err_and(|error| !is_answered(error) || is_fatal(error)) {
            // It has only read, and was answered.
            self.lease.discard();
            return Ok(());
        }
        match done {
            Err(error) if !probed => {
                if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION) {
                    self.lease.count(Meter::probe_failure);
                    return Err(self.health.failed().with_source(error));
                }
                self.lease.discard();
                let unknown = error.as_db_error().is_none();
                let error = Error::from(error);
                Err(self.record_error(if unknown { error.maybe_committed() } else { error }))
            }
            _ if !self.scope.is(found.as_deref()) => {
                self.lease.discard();
                self.lease.count(Meter::probe_failure);
                Err(Error::tenant_lost(&self.scope, found.as_deref()))
            }
            done => done.map_err(|error| {
                let unknown = error.as_db_error().is_none() || is_fatal(&error);
                let error = Error::from(error);
                self.record_error(if unknown { error.maybe_committed() } else { error })
            }),
        }
    }

    /// Rolls back and waits for it.
    pub(crate) async fn rollback(mut self) -> Result<(), Error> {
        match self.usable() {
            Err(error) if error.is_interrupted() => return Err(error),
            _ if !self.lease.may_be_open() => return Ok(()),
            _ => {}
        }
        let call = Call::of("rollback", self.whose());
        let connection = self.lease.start_call();
        let deallocates = connection.statements.deallocates();
        let roll_back = roll_back(deallocates);
        let rolled_back = call.watch(connection.client.batch_execute(roll_back)).await;
        // Once it is answered, with whatever, no transaction is open.
        self.lease.finish_call(rolled_back.as_ref().is_err_and(|error| error.as_db_error().is_none()));
        if deallocates && rolled_back.is_ok() {
            self.lease.forget_all_statements();
        }
        let done = rolled_back.map_err(|error| self.record_error(error.into()));
        call.ended(&done);
        done
    }
}
