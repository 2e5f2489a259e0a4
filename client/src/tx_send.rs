//! How a transaction's statements are sent, and when the first flight is flown again on another connection.

use pg_tenant_core::Refusal;
use tokio_postgres::{Error as PgError, Statement, types::ToSql};

use crate::error::{Error, Kind};
use crate::error_from::{Stale, did_not_run, stale_statement};
use crate::query::{self, Answer, Flight, Then};
use crate::tx::{Refuses, TenantTx};

/// What to do about a flight.
enum Next<T> {
    Done(Result<T, Error>),
    /// Nothing was executed: the same again, on another connection.
    Elsewhere,
    /// Nothing was executed: the same again, prepared afresh.
    Afresh,
}

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
            let lead = (!self.lead.is_empty()).then_some(self.lead.as_str());
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
            let lead = (!self.lead.is_empty()).then_some(self.lead.as_str());
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
            let lead = (!self.lead.is_empty()).then_some(self.lead.as_str());
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
            let lead = (!self.lead.is_empty()).then_some(self.lead.as_str());
            let flight = query::prepare(&self.lease.depart().client, lead, sql).await;
            self.lease.arrive(true);
            let next = match flight.entered {
                // Parsing executes nothing, so a connection that broke under it is replaced as well.
                Err(error) if !self.begun && self.spare > 0 && error.as_db_error().is_none() => Next::Elsewhere,
                Err(error) => self.judge_entry(error, true),
                Ok(()) => self.judge(flight, sql, Then::Stay),
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

    fn judge<T>(&mut self, flight: Flight<T>, sql: &str, then: Then) -> Next<T> {
        let Flight { entered, answer, committed } = flight;
        if let Err(error) = entered {
            return self.judge_entry(error, answer.as_ref().err().is_some_and(did_not_run));
        }
        if let Some(stale) = answer.as_ref().err().and_then(stale_statement) {
            self.lease.evict_statement(sql);
            if stale == Stale::Gone {
                self.lease.discard();
            }
            if !self.begun && self.spare > 0 {
                // It failed before it ran, and nothing ran before it.
                if stale == Stale::Gone {
                    return Next::Elsewhere;
                }
                if then == Then::Stay && !self.lead.starts_with("rollback") {
                    self.lead.insert_str(0, "rollback; ");
                }
                return Next::Afresh;
            }
        }
        self.begun = true;
        self.flights += u64::from(!std::mem::take(&mut self.lead).is_empty());
        if resets_statements(sql) {
            self.lease.discard();
        }
        match answer.and_then(|answer| committed.map(|()| answer)) {
            Ok(answer) => Next::Done(Ok(answer)),
            Err(error) => Next::Done(Err(self.note(error.into()))),
        }
    }

    /// The lead failed. Where it was begin and enter, another connection may be tried, but only if what was sent behind
    /// it provably did not run.
    fn judge_entry<T>(&mut self, error: PgError, did_not_run: bool) -> Next<T> {
        if !self.begun && did_not_run && self.spare > 0 && is_the_connections_fault(&error, self.lease.is_new()) {
            return Next::Elsewhere;
        }
        if !did_not_run {
            // There was no transaction to fail, and what followed ran outside any: lend this connection to nobody.
            self.lease.discard();
        }
        if !self.begun || !did_not_run {
            self.refuses = Some(Refuses::Failed);
        }
        let error = Error::from(error);
        Next::Done(Err(self.note(if self.begun { error } else { error.at_entry() })))
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
        self.lease.discard();
        self.lease.end();
        self.refuses = Some(Refuses::Interrupted);
        let lease = self.pool.lease().await;
        self.refuses = lease.is_err().then_some(Refuses::Failed);
        self.lease = lease?;
        Ok(())
    }

    /// Remembers the first error, for the commit that will say the transaction has failed.
    pub(crate) fn note(&mut self, error: Error) -> Error {
        if error.kind() == Kind::Closed {
            self.lease.discard();
        }
        if error.kind() != Kind::Driver && self.first_error.is_none() {
            let code = error.code().map(|code| format!(" ({code})")).unwrap_or_default();
            self.first_error = Some(format!("{}{code}", error.message()));
        }
        error
    }
}

/// COMMIT was answered, so no transaction is open: where it failed it rolled back.
pub(crate) fn ended(committed: &Result<(), PgError>) -> bool {
    committed.as_ref().err().is_none_or(|error| error.as_db_error().is_some())
}

/// Whether entering failed because of what the connection carries, rather than because of the tenant.
///
/// A dirty session may also fail in other ways before it is recognised (after `SET ROLE`, with `42501`), so on a
/// connection that was lent before only pg_tenant's other refusals are final.
fn is_the_connections_fault(error: &PgError, new: bool) -> bool {
    let Some(db) = error.as_db_error() else { return false };
    !new && matches!(Refusal::from_code(db.code().code()), None | Some(Refusal::SessionNotPristine))
}

/// The statement takes the connection's prepared statements away, and the server will not call the session dirty for it.
fn resets_statements(sql: &str) -> bool {
    let contains = |word: &str| sql.as_bytes().windows(word.len()).any(|w| w.eq_ignore_ascii_case(word.as_bytes()));
    contains("deallocate") || contains("discard")
}
