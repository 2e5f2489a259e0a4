//! Sends a transaction's flights, and sends them again (on another connection, or with statements prepared anew) as
//! long as nothing has taken effect.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{CopyOutStream, RowStream, Statement};

use crate::error::Error;
use crate::pool::pooler::end_dirty_session;
use crate::pool::replicas::Outcome;
use crate::tx::flights::{Attempt, CopiedOut, Deallocate, Many, One, Prepared, Streamed, Text};
use crate::tx::open_tx::OpenTx;
use crate::tx::verdict::Next;
use crate::wire::step::{Answer, Step, Then};

impl OpenTx {
    /// Sends the flight until its answer is final. What failed before anything took effect is sent again, on another
    /// connection or with its statements prepared anew.
    async fn fly<A: Attempt>(&mut self, flight: A) -> Result<A::Answer, Error> {
        self.usable()?;
        // A flight may have another within it, which prepares its statements.
        let outer = std::mem::take(&mut self.types_learned);
        let done = self.fly_until_final(flight).await;
        self.types_learned = outer;
        done.inspect_err(|error| self.note_refusal(error))
    }

    async fn fly_until_final<A: Attempt>(&mut self, flight: A) -> Result<A::Answer, Error> {
        loop {
            // What is rare is boxed: its futures would be a part of each call's, which is moved about.
            if self.opening.may_retry() && self.lease.connection().client.is_closed() {
                Box::pin(self.ensure_connection()).await?;
            }
            if self.opening.take_deallocate_first() {
                match Box::pin(Deallocate.fly(self)).await? {
                    Next::Done(done) => done?,
                    Next::RetryElsewhere => Box::pin(self.replace_connection()).await?,
                    Next::RetryOnPrimary => Box::pin(self.go_to_primary()).await?,
                    Next::RetryReprepared => {}
                }
                continue;
            }
            match flight.fly(self).await? {
                Next::Done(done) => return done,
                Next::RetryElsewhere => Box::pin(self.replace_connection()).await?,
                Next::RetryOnPrimary => Box::pin(self.go_to_primary()).await?,
                Next::RetryReprepared => {}
            }
        }
    }

    /// Sends one statement, with the preamble before it and perhaps commit behind it.
    pub(super) async fn send_one(&mut self, step: Step<'_>, then: Then) -> Result<Answer, Error> {
        self.usable()?;
        Error::check_parameters(step.params.len())?;
        self.fly(One { step, then }).await
    }

    /// Sends statements that do not wait for each other, in one flight once they are known to the connection.
    pub(super) async fn send_many(&mut self, steps: &[Step<'_>], then: Then) -> Result<Vec<Answer>, Error> {
        self.usable()?;
        for (at, step) in steps.iter().enumerate() {
            Error::check_parameters(step.params.len()).map_err(|error| error.at_statement(at, steps.len()))?;
        }
        self.fly(Many { steps, then }).await
    }

    /// Sends a statement whose rows are read as they come.
    pub(super) async fn open_stream(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream, Error> {
        self.usable()?;
        Error::check_parameters(params.len())?;
        let rows = self.fly(Streamed(Step::rows(sql, params))).await?;
        self.lease.stream();
        Ok(rows)
    }

    /// Sends a COPY whose bytes are read as they come.
    pub(super) async fn open_copy_out(&mut self, sql: &str) -> Result<CopyOutStream, Error> {
        let bytes = self.fly(CopiedOut(sql)).await?;
        self.lease.stream();
        Ok(bytes)
    }

    /// Sends a text of several statements.
    pub(super) async fn send_text(&mut self, sql: &str) -> Result<(), Error> {
        self.fly(Text(sql)).await
    }

    /// Sends the preamble, if there is one, with nothing behind it.
    pub(super) async fn send_preamble(&mut self) -> Result<(), Error> {
        if self.opening.is_pending() { self.send_batch("").await } else { self.usable() }
    }

    pub(super) async fn prepare(&mut self, step: &Step<'_>) -> Result<Statement, Error> {
        let prepared = self.prepare_all(&[step.sql], step.types.unwrap_or_default()).await?;
        prepared.into_iter().next().ok_or_else(Error::interrupted)
    }

    /// Prepares inside the transaction, so that a text that does not parse fails it as PostgreSQL does, and so that the
    /// flight also begins: preparing first would cost no less.
    pub(super) async fn prepare_all(&mut self, texts: &[&str], types: &[Type]) -> Result<Vec<Statement>, Error> {
        let prepared = self.fly(Prepared(texts, types)).await?;
        for (sql, statement) in texts.iter().zip(&prepared) {
            self.lease.keep_statement(sql, statement.clone());
        }
        Ok(prepared)
    }

    /// How a flight ends here that is to end so.
    pub(super) fn then(&self, then: Then) -> Then {
        match then {
            Then::Stay => then,
            _ => match self.lease.commit() {
                Then::Commit if self.pool.replicas().is_some() => Then::CommitAndTell,
                then => then,
            },
        }
    }

    /// The first flight never leaves on a connection that is known to be closed.
    async fn ensure_connection(&mut self) -> Result<(), Error> {
        while self.opening.may_retry() && self.lease.connection().client.is_closed() {
            if self.is_on_replica() {
                self.note_read(Outcome::Away);
                return self.go_to_primary().await;
            }
            self.replace_connection().await?;
        }
        Ok(())
    }

    /// Gives this connection up and takes another for the first flight. The old one goes first: it may hold the pool's
    /// only slot. Without a connection no call may follow.
    async fn replace_connection(&mut self) -> Result<(), Error> {
        self.opening.use_attempt();
        if self.lease.has_lent_session() && !self.lease.connection().client.is_closed() {
            end_dirty_session(&self.lease.start_call().client).await;
            self.lease.finish_call(false);
        }
        let permit = self.lease.give_up();
        self.health.interrupt();
        match self.pool.lease_with(permit).await {
            Ok(lease) => {
                self.lease = lease;
                self.health.recover();
                Ok(())
            }
            Err(error) => {
                self.health.fail();
                Err(error)
            }
        }
    }
}
