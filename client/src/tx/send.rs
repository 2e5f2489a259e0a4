//! How a transaction's statements are sent, and when the first flight is flown again on another connection.

use tokio_postgres::{Error as PgError, Statement, types::ToSql};

use crate::error::Error;
use crate::pool::pooler::end_dirty_session;
use crate::tx::tenant_tx::{Refuses, TenantTx};
use crate::tx::verdict::Next;
use crate::wire::flight;
use crate::wire::flight::{Failed, Flight, Lead};
use crate::wire::form::Form;
use crate::wire::outcome::{Stale, is_answered, makes_no_sense};
use crate::wire::pipelined_flight;
use crate::wire::step::{Answer, Step, Then};

impl TenantTx {
    /// Sends one statement, with the lead before it and perhaps commit behind it.
    pub(crate) async fn send_one(&mut self, step: Step<'_>, then: Then) -> Result<Answer, Error> {
        self.usable()?;
        Error::check_parameters(step.params.len())?;
        loop {
            self.board().await?;
            let form = match self.lease.form(&step) {
                Some(form) => form,
                None => {
                    let prepared = self.prepare(step.sql).await?;
                    self.lease.form_of(&step, prepared)
                }
            };
            let then = self.then(then);
            let lead = Lead::new(&self.lead, &self.token);
            let (flight, ride) = flight::fly(&self.lease.depart().client, lead, &form, step, then).await;
            let flight = self.land(flight, [ride], &[step]);
            match self.judge(flight, &[step]) {
                Next::Done(done) => return done,
                Next::Elsewhere => self.replace().await?,
                Next::Afresh => {}
            }
        }
    }

    /// Sends statements that do not wait for each other, in one flight once they are known to the connection.
    pub(crate) async fn send_many(&mut self, steps: &[Step<'_>], then: Then) -> Result<Vec<Answer>, Error> {
        self.usable()?;
        for (at, step) in steps.iter().enumerate() {
            Error::check_parameters(step.params.len()).map_err(|error| error.at_statement(at, steps.len()))?;
        }
        loop {
            self.board().await?;
            let forms = self.forms(steps).await?;
            let then = self.then(then);
            let lead = Lead::new(&self.lead, &self.token);
            let (flight, rides) =
                pipelined_flight::fly_all(&self.lease.depart().client, lead, &forms, steps, then).await;
            let flight = self.land(flight, rides, steps);
            match self.judge(flight, steps) {
                Next::Done(done) => return done,
                Next::Elsewhere => self.replace().await?,
                Next::Afresh => {}
            }
        }
    }

    /// How each of several statements is sent. What is not known to the connection is prepared first.
    async fn forms(&mut self, steps: &[Step<'_>]) -> Result<Vec<Form>, Error> {
        let mut prepared: Vec<(&str, Statement)> = Vec::new();
        loop {
            // Looked up again after preparing: that may have taken another connection, on which none of these is known.
            // It has begun the transaction then, so that what it prepared stays.
            let (mut forms, mut missing) = (Vec::with_capacity(steps.len()), Vec::new());
            for step in steps {
                match prepared.iter().find(|(sql, _)| *sql == step.sql) {
                    Some((_, statement)) => forms.push(self.lease.form_of(step, statement.clone())),
                    None => match self.lease.form(step) {
                        Some(form) => forms.push(form),
                        None if missing.contains(&step.sql) => {}
                        None => missing.push(step.sql),
                    },
                }
            }
            if missing.is_empty() {
                return Ok(forms);
            }
            let statements = self.prepare_all(&missing).await.map_err(|error| {
                let text = error.0.statement.and_then(|(at, _)| missing.get(at));
                match steps.iter().position(|step| Some(&step.sql) == text) {
                    Some(at) => error.at_statement(at, steps.len()),
                    None => error,
                }
            })?;
            prepared.extend(missing.into_iter().zip(statements));
        }
    }

    /// How a flight ends here that is to end so.
    pub(crate) fn then(&self, then: Then) -> Then {
        if then == Then::Stay { then } else { self.lease.commit() }
    }

    /// A flight was answered. Keeps what was prepared on the way; where that failed, it is what the flight failed of.
    fn land<T>(
        &mut self,
        mut flight: Flight<T>,
        rides: impl IntoIterator<Item = Option<Result<Statement, PgError>>>,
        steps: &[Step<'_>],
    ) -> Flight<T> {
        self.lease.arrive(!flight.committed.as_ref().is_some_and(|committed| committed.ended()));
        let mut failed = None;
        for (at, (ride, step)) in rides.into_iter().zip(steps).enumerate() {
            match ride {
                Some(Ok(statement)) => self.lease.keep_statement(step.sql, statement),
                Some(Err(error)) if failed.is_none() && is_answered(&error) => failed = Some((at, error)),
                _ => {}
            }
        }
        if let Some((at, error)) = failed
            && flight.entered.is_ok()
            && flight.answer.is_err()
        {
            // What another connection remembers of the types may be out of date.
            let typed = steps.get(at).is_some_and(|step| !step.params.is_empty());
            let stale = (typed && makes_no_sense(&error)).then_some(Stale::Changed);
            flight.answer = Err(Failed { at, error, ran: false, stale });
        }
        flight
    }

    pub(crate) async fn open_stream(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<tokio_postgres::RowStream, Error> {
        self.usable()?;
        Error::check_parameters(params.len())?;
        let step = Step::rows(sql, params);
        loop {
            self.board().await?;
            let form = match self.lease.form(&step) {
                Some(form @ (Form::Prepared(_) | Form::Unnamed(_))) => form,
                _ => {
                    let prepared = self.prepare(sql).await?;
                    self.lease.form_of(&step, prepared)
                }
            };
            let lead = Lead::new(&self.lead, &self.token);
            let flight = flight::stream(&self.lease.depart().client, lead, sql, &form, params).await;
            self.lease.arrive(true);
            match self.judge(flight, &[step]) {
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

    pub(crate) async fn send_text(&mut self, sql: &str) -> Result<(), Error> {
        self.usable()?;
        loop {
            self.board().await?;
            let lead = Lead::new(&self.lead, &self.token);
            let flight = flight::batch(&self.lease.depart().client, lead, sql).await;
            self.lease.arrive(true);
            match self.judge(flight, &[Step::count(sql, &[])]) {
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

    pub(crate) async fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        let prepared = self.prepare_all(&[sql]).await?;
        prepared.into_iter().next().ok_or_else(Error::interrupted)
    }

    /// Prepares inside the transaction, so that a text that does not parse fails it as PostgreSQL does, and so that the
    /// flight also begins: preparing first would cost no less.
    async fn prepare_all(&mut self, texts: &[&str]) -> Result<Vec<Statement>, Error> {
        let steps: Vec<_> = texts.iter().map(|sql| Step::rows(sql, &[])).collect();
        loop {
            self.board().await?;
            let lead = Lead::new(&self.lead, &self.token);
            let flight = pipelined_flight::prepare_all(&self.lease.depart().client, lead, texts).await;
            self.lease.arrive(true);
            let next = match flight.entered {
                // Parsing executes nothing, so a connection that broke under it is replaced as well.
                Err(error) if !self.begun && self.spare > 0 && error.as_db_error().is_none() => Next::Elsewhere,
                Err(error) => self.judge_entry(error, true, false),
                entered @ Ok(_) => self.judge(Flight { entered, ..flight }, &steps),
            };
            match next {
                Next::Done(done) => {
                    let prepared = done?;
                    for (sql, statement) in texts.iter().zip(&prepared) {
                        self.lease.keep_statement(sql, statement.clone());
                    }
                    return Ok(prepared);
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
        if std::mem::take(&mut self.clears) {
            // In a message of its own: what is sent behind it the pooler would take for gone as well.
            let cleared = self.lease.depart().client.batch_execute("rollback; deallocate all").await;
            self.lease.arrive(false);
            self.lease.forget_all_statements();
            cleared?;
        }
        Ok(())
    }

    /// Gives this connection up and takes another for the first flight. The old one goes first: it may hold the pool's
    /// only slot. Without a connection no call may follow.
    async fn replace(&mut self) -> Result<(), Error> {
        self.spare -= 1;
        if self.lease.has_lent_session() && !self.lease.connection().client.is_closed() {
            end_dirty_session(&self.lease.depart().client).await;
            self.lease.arrive(false);
        }
        let permit = self.lease.give_up();
        self.refuses = Some(Refuses::Interrupted);
        let lease = self.pool.lease_with(permit).await;
        self.refuses = lease.is_err().then_some(Refuses::Failed);
        self.lease = lease?;
        Ok(())
    }
}
