//! How a transaction ends: commit with a probe, rollback; savepoints.

use futures_util::future::join;
use tokio_postgres::SimpleQueryMessage;

use crate::begin::PROBE;
use crate::error::Error;
use crate::judge::ended;
use crate::savepoint::savepoint;
use crate::tx::TenantTx;

impl TenantTx {
    /// Commits. A transaction in which nothing was sent costs nothing.
    ///
    /// A probe travels with COMMIT, because PostgreSQL answers COMMIT of a failed transaction with success and rolls
    /// back.
    ///
    /// # Errors
    /// `25P02` where an earlier statement had failed: nothing was committed. [`Error::is_tenant_lost`] where a statement
    /// had ended the transaction: what ran after it ran without the tenant. Whatever the server finds at commit
    /// (`40001`, `23503` of a deferred constraint, …): nothing was committed. [`Error::is_closed`]: unknown.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.usable()?;
        if !self.begun {
            return Ok(());
        }
        let client = &self.lease.depart().client;
        let (probe, committed) = join(client.simple_query(PROBE), client.batch_execute("commit")).await;
        self.lease.arrive(!ended(&committed));
        let messages = match probe {
            Ok(messages) => messages,
            Err(error) if error.code().is_some_and(|code| code.code() == "25P02") => {
                return Err(Error::failed(self.first_error.as_deref()).with_source(error));
            }
            Err(error) => {
                self.lease.discard();
                return Err(self.note(error.into()));
            }
        };
        let found = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        if !self.entered.is(found) {
            self.lease.discard();
            return Err(Error::tenant_lost(&self.entered, found));
        }
        committed.map_err(|error| self.note(error.into()))
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
        let rolled_back = self.lease.depart().client.batch_execute("rollback").await;
        self.lease.arrive(!ended(&rolled_back));
        rolled_back.map_err(|error| self.note(error.into()))
    }

    /// Runs a closure inside a savepoint: keeps what it did where it returns `Ok`, undoes it where it returns `Err`, and
    /// the transaction goes on in either case. Savepoints nest.
    ///
    /// `SAVEPOINT` travels with the closure's first statement. A future dropped half-way leaves the transaction refusing
    /// further calls: what the savepoint stood for is no longer known.
    ///
    /// # Errors
    /// The closure's. `25P02` where the closure returned `Ok` although a statement in it had failed: it was undone.
    pub async fn savepoint<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, E>,
        E: From<Error>,
    {
        savepoint(self, work).await
    }
}
