//! How a transaction's statements are sent, and when the first flight is flown again on another connection.

use tokio_postgres::{Statement, types::ToSql};

use crate::error::Error;
use crate::judge::{Next, ended};
use crate::query::{self, Answer, Flight, Lead, Then};
use crate::tx::{Refuses, TenantTx};

impl TenantTx {
    /// Sends one statement, with the lead before it and perhaps commit behind it.
    pub(crate) async fn send(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        then: Then,
    ) -> Result<Answer, Error> {
        self.usable()?;
        loop {
            self.board().await?;
            let statement = match self.lease.statement(sql) {
                Some(statement) => statement,
                None => self.prepare(sql).await?,
            };
            let lead = Lead::new(&self.lead, &self.token);
            let flight = query::fly(&self.lease.depart().client, lead, &statement, params, then).await;
            self.lease.arrive(!(then == Then::Commit && ended(&flight.committed)));
            match self.judge(flight, sql, then) {
                Next::Done(done) => return done,
                Next::Elsewhere => self.replace().await?,
                Next::Afresh => {}
            }
        }
    }

    pub(crate) async fn send_stream(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<tokio_postgres::RowStream, Error> {
        self.usable()?;
        loop {
            self.board().await?;
            let statement = match self.lease.statement(sql) {
                Some(statement) => statement,
                None => self.prepare(sql).await?,
            };
            let lead = Lead::new(&self.lead, &self.token);
            let flight = query::stream(&self.lease.depart().client, lead, &statement, params).await;
            self.lease.arrive(true);
            match self.judge(flight, sql, Then::Stay) {
                Next::Done(Ok(rows)) => {
                    self.lease.stream();
                    return Ok(rows);
                }
                Next::Done(Err(error)) => return Err(error),
                Next::Elsewhere => self.replace().await?,
                Next::Afresh => {}
            }
        }
    }

    pub(crate) async fn send_batch(&mut self, sql: &str) -> Result<(), Error> {
        self.usable()?;
        loop {
            self.board().await?;
            let lead = Lead::new(&self.lead, &self.token);
            let flight = query::batch(&self.lease.depart().client, lead, sql).await;
            self.lease.arrive(true);
            match self.judge(flight, sql, Then::Stay) {
                Next::Done(done) => return done,
                Next::Elsewhere => self.replace().await?,
                Next::Afresh => {}
            }
        }
    }

    /// Sends the lead, if there is one, with nothing behind it.
    pub(crate) async fn send_lead(&mut self) -> Result<(), Error> {
        if self.lead.is_empty() { self.usable() } else { self.send_batch("").await }
    }

    /// Prepares inside the transaction, so that a text that does not parse fails it as PostgreSQL does, and so that the
    /// flight also begins: preparing first would cost no less.
    async fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        loop {
            self.board().await?;
            let lead = Lead::new(&self.lead, &self.token);
            let flight = query::prepare(&self.lease.depart().client, lead, sql).await;
            self.lease.arrive(true);
            let next = match flight.entered {
                // Parsing executes nothing, so a connection that broke under it is replaced as well.
                Err(error) if !self.begun && self.spare > 0 && error.as_db_error().is_none() => Next::Elsewhere,
                Err(error) => self.judge_entry(error, true),
                entered @ Ok(_) => self.judge(Flight { entered, ..flight }, sql, Then::Stay),
            };
            match next {
                Next::Done(done) => {
                    let statement = done?;
                    self.lease.keep_statement(sql, statement.clone());
                    return Ok(statement);
                }
                Next::Elsewhere => self.replace().await?,
                Next::Afresh => {}
            }
        }
    }

    /// The first flight never leaves on a connection that is known to be closed.
    async fn board(&mut self) -> Result<(), Error> {
        while !self.begun && self.spare > 0 && self.lease.connection().client.is_closed() {
            self.replace().await?;
        }
        Ok(())
    }

    /// Gives this connection up and takes another for the first flight. The old one goes first: it may hold the pool's
    /// only slot. Without a connection no call may follow.
    async fn replace(&mut self) -> Result<(), Error> {
        self.spare -= 1;
        let permit = self.lease.give_up();
        self.refuses = Some(Refuses::Interrupted);
        let lease = self.pool.lease_with(permit).await;
        self.refuses = lease.is_err().then_some(Refuses::Failed);
        self.lease = lease?;
        Ok(())
    }
}
