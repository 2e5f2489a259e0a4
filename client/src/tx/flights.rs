//! The flights of a transaction: what each sends in one attempt, and how its answers are read.

use tokio_postgres::types::Type;
use tokio_postgres::{CopyOutStream, Error as PgError, RowStream, Statement};

use crate::error::Error;
use crate::tx::open_tx::OpenTx;
use crate::tx::verdict::Next;
use crate::wire::flight::{self, Failed, Flight};
use crate::wire::form::Form;
use crate::wire::outcome::{Stale, is_answered, makes_no_sense};
use crate::wire::pipelined_flight;
use crate::wire::step::{Answer, Step, Then};

/// A flight that may be sent more than once. (A trait of its own: the compiler does not see that the future of an
/// `AsyncFnMut` over borrowed statements is `Send`.)
pub(super) trait Attempt: Sync {
    type Answer: Send;

    fn fly(&self, tx: &mut OpenTx) -> impl Future<Output = Result<Next<Self::Answer>, Error>> + Send;
}

/// One statement, and perhaps commit behind it.
pub(super) struct One<'a> {
    pub(super) step: Step<'a>,
    pub(super) then: Then,
}

impl Attempt for One<'_> {
    type Answer = Answer;

    async fn fly(&self, tx: &mut OpenTx) -> Result<Next<Answer>, Error> {
        let One { step, then } = *self;
        let form = match tx.form(&step) {
            Some(form) => form,
            None => {
                let prepared = Box::pin(tx.prepare(&step)).await?;
                tx.lease.form_of(&step, prepared)
            }
        };
        let then = tx.then(then);
        let preamble = tx.opening.messages();
        let (flight, prepared) = flight::fly(&tx.lease.start_call().client, preamble, &form, step, then).await;
        let flight = tx.record_prepared(flight, [prepared], &[step]);
        Ok(tx.classify(flight, &[step]))
    }
}

/// Statements that do not wait for each other, and perhaps commit behind them.
pub(super) struct Many<'a> {
    pub(super) steps: &'a [Step<'a>],
    pub(super) then: Then,
}

impl Attempt for Many<'_> {
    type Answer = Vec<Answer>;

    async fn fly(&self, tx: &mut OpenTx) -> Result<Next<Vec<Answer>>, Error> {
        let forms = tx.forms(self.steps).await?;
        let then = tx.then(self.then);
        let preamble = tx.opening.messages();
        let client = &tx.lease.start_call().client;
        let (flight, prepared) = pipelined_flight::fly_all(client, preamble, &forms, self.steps, then).await;
        let flight = tx.record_prepared(flight, prepared, self.steps);
        Ok(tx.classify(flight, self.steps))
    }
}

/// A statement whose rows are read as they come.
pub(super) struct Streamed<'a>(pub(super) Step<'a>);

impl Attempt for Streamed<'_> {
    type Answer = RowStream;

    async fn fly(&self, tx: &mut OpenTx) -> Result<Next<RowStream>, Error> {
        let Streamed(step) = *self;
        let form = match tx.form(&step) {
            Some(form @ (Form::Kept(_) | Form::Prepared(_) | Form::Unnamed(_))) => form,
            _ => {
                let prepared = Box::pin(tx.prepare(&step)).await?;
                tx.lease.form_of(&step, prepared)
            }
        };
        let preamble = tx.opening.messages();
        let flight = flight::stream(&tx.lease.start_call().client, preamble, step, &form).await;
        tx.lease.finish_call(true);
        Ok(tx.classify(flight, &[step]))
    }
}

/// A COPY whose bytes are read as they come.
pub(super) struct CopiedOut<'a>(pub(super) &'a str);

impl Attempt for CopiedOut<'_> {
    type Answer = CopyOutStream;

    async fn fly(&self, tx: &mut OpenTx) -> Result<Next<CopyOutStream>, Error> {
        let step = Step::rows(self.0, &[]);
        let statement = match tx.form(&step) {
            Some(Form::Kept(statement) | Form::Prepared(statement)) => statement,
            _ => tx.prepare(&step).await?,
        };
        let preamble = tx.opening.messages();
        let flight = flight::copy_out(&tx.lease.start_call().client, preamble, &statement).await;
        tx.lease.finish_call(true);
        if let (Ok(_), Err(failed)) = (&flight.entered, &flight.answer)
            && !is_answered(&failed.error)
            && !failed.error.is_closed()
        {
            // It ran as something else, and the server may be waiting for bytes: nothing can follow here.
            tx.lease.discard();
            tx.health.fail();
            let Err(failed) = flight.answer else { return Err(Error::interrupted()) };
            return Ok(Next::Done(Err(Error::not_copied_out(failed.error))));
        }
        Ok(tx.classify(flight, &[step]))
    }
}

/// A text of several statements, or none.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Attempt for Text<'_> {
    type Answer = ();

    async fn fly(&self, tx: &mut OpenTx) -> Result<Next<()>, Error> {
        let preamble = tx.opening.messages();
        let flight = flight::batch(&tx.lease.start_call().client, preamble, self.0).await;
        tx.lease.finish_call(true);
        Ok(tx.classify(flight, &[Step::count(self.0, &[])]))
    }
}

/// Takes away, within the transaction, what its session has prepared. In a message of its own: what is sent behind it a
/// pooler would take for gone as well.
pub(super) struct Deallocate;

impl Attempt for Deallocate {
    type Answer = ();

    async fn fly(&self, tx: &mut OpenTx) -> Result<Next<()>, Error> {
        let preamble = tx.opening.messages();
        let flight = flight::batch(&tx.lease.start_call().client, preamble, "deallocate all").await;
        tx.lease.finish_call(true);
        tx.lease.forget_all_statements();
        Ok(tx.classify_as(false, flight, &[]))
    }
}

/// Texts that are prepared, all in one flight, and the types of their parameters that are said.
pub(super) struct Prepared<'a>(pub(super) &'a [&'a str], pub(super) &'a [Type]);

impl Attempt for Prepared<'_> {
    type Answer = Vec<Statement>;

    async fn fly(&self, tx: &mut OpenTx) -> Result<Next<Vec<Statement>>, Error> {
        let preamble = tx.opening.messages();
        let flight = pipelined_flight::prepare_all(&tx.lease.start_call().client, preamble, self.0, self.1).await;
        tx.lease.finish_call(true);
        if tx.leaves_replica(false, &flight) {
            return Ok(Next::RetryOnPrimary);
        }
        Ok(match flight.entered {
            // Parsing executes nothing, so a connection that broke under it is replaced as well.
            Err(error) if tx.opening.may_retry() && !is_answered(&error) => Next::RetryElsewhere,
            Err(error) => tx.classify_entry(error, true, false),
            entered @ Ok(_) => {
                let steps: Vec<_> = self.0.iter().map(|sql| Step::rows(sql, &[])).collect();
                tx.classify_as(false, Flight { entered, ..flight }, &steps)
            }
        })
    }
}

impl OpenTx {
    /// How a statement can be sent now. `None`: it must be prepared first.
    pub(super) fn form(&mut self, step: &Step<'_>) -> Option<Form> {
        let lasting = self.opening.has_begun() && !self.opening.may_begin_anew();
        self.lease.form(step, lasting)
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
                    None => match self.form(step) {
                        Some(form) => forms.push(form),
                        None if missing.contains(&step.sql) => {}
                        None => missing.push(step.sql),
                    },
                }
            }
            if missing.is_empty() {
                return Ok(forms);
            }
            let statements = self.prepare_all(&missing, &[]).await.map_err(|error| {
                let text = error.0.statement.and_then(|(at, _)| missing.get(at));
                match steps.iter().position(|step| Some(&step.sql) == text) {
                    Some(at) => error.at_statement(at, steps.len()),
                    None => error,
                }
            })?;
            prepared.extend(missing.into_iter().zip(statements));
        }
    }

    /// A flight was answered. Keeps what was prepared on the way; where that failed, it is what the flight failed of.
    fn record_prepared<T>(
        &mut self,
        mut flight: Flight<T>,
        prepared: impl IntoIterator<Item = Option<Result<Statement, PgError>>>,
        steps: &[Step<'_>],
    ) -> Flight<T> {
        self.lease.finish_call(!flight.committed.as_ref().is_some_and(|committed| committed.ended()));
        let mut failed = None;
        for (at, (prepared, step)) in prepared.into_iter().zip(steps).enumerate() {
            match prepared {
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
            let stale = (typed && makes_no_sense(&error)).then_some(Stale::Types);
            flight.answer = Err(Failed { at, error, ran: false, stale });
        }
        flight
    }
}
