//! How a transaction ends: commit with a probe, rollback, savepoints.

use futures_util::future::join;
use tokio_postgres::SimpleQueryMessage;

use crate::begin::{PROBE, is_tenant};
use crate::error::Error;
use crate::judge::ended;
use crate::tx::{Refuses, TenantTx};

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
        if !self.id.is_some_and(|id| is_tenant(found, &id)) {
            self.lease.discard();
            return Err(Error::tenant_lost(self.id.as_ref(), found));
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
        self.usable()?;
        let mark = self.lead.len();
        let flights = self.flights;
        self.savepoints += 1;
        let name = format!("pg_tenant_{}", self.savepoints);
        self.lead.push_str(if mark == 0 { "savepoint " } else { "; savepoint " });
        self.lead.push_str(&name);

        let mut inside = Inside { tx: self, finished: false };
        let result = work(inside.tx).await;
        inside.finished = true;
        drop(inside);

        self.savepoints -= 1;
        if self.usable().is_err() {
            return match result {
                Ok(_) => Err(self.usable().err().unwrap_or_else(Error::interrupted).into()),
                Err(error) => Err(error),
            };
        }
        if self.flights == flights {
            // Nothing was sent, so there is nothing to release.
            self.lead.truncate(mark);
            return result;
        }
        match result {
            Ok(value) => match self.send_batch(&format!("release {name}")).await {
                Ok(()) => Ok(value),
                Err(error) => {
                    let first = self.first_error.clone();
                    self.undo(&name).await;
                    let failed = error.code() == Some("25P02");
                    Err(if failed { Error::undone(first.as_deref()) } else { error }.into())
                }
            },
            Err(error) => {
                self.undo(&name).await;
                Err(error)
            }
        }
    }

    /// Undoes a savepoint; a transaction in which that fails refuses further calls.
    async fn undo(&mut self, name: &str) {
        let noted = self.first_error.take();
        if self.send_batch(&format!("rollback to {name}; release {name}")).await.is_err() {
            self.refuses = Some(Refuses::Failed);
            self.first_error = noted.or(self.first_error.take());
        }
    }
}

/// The closure of a savepoint is running. Dropped before it finished, it leaves the transaction refusing.
struct Inside<'tx> {
    tx: &'tx mut TenantTx,
    finished: bool,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.tx.refuses = Some(Refuses::Interrupted);
        }
    }
}
