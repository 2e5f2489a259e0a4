//! What the answers of a flight mean, and whether it may be sent again.

use pg_tenant_core::Refusal;
use tokio_postgres::Error as PgError;
use tokio_postgres::error::SqlState;

use crate::error::{Error, Kind};
use crate::pool::lease::Lease;
use crate::tx::open_tx::OpenTx;
use crate::tx::opening::Behind;
use crate::wire::flight::{Entered, Failed, Flight};
use crate::wire::outcome::{Stale, is_answered, is_fatal, is_unreadable, was_not_sent};
use crate::wire::reads::only_reads;
use crate::wire::sql::{may_commit, mentions};
use crate::wire::step::Step;

/// What to do about a flight.
pub(super) enum Next<T> {
    Done(Result<T, Error>),
    /// Nothing was executed: send the same again, on another connection.
    RetryElsewhere,
    /// A replica cannot serve it, or not as new as it must be: the same on the primary.
    RetryOnPrimary,
    /// Everything was rolled back: send the same again on this connection, with its statements prepared anew.
    RetryReprepared,
}

impl OpenTx {
    /// What the answers of a flight mean. `steps` are its statements.
    pub(super) fn classify<T>(&mut self, flight: Flight<T>, steps: &[Step<'_>]) -> Next<T> {
        self.classify_as(true, flight, steps)
    }

    /// The same. `executes`: the statements were to be executed, not only to be prepared.
    pub(super) fn classify_as<T>(&mut self, executes: bool, flight: Flight<T>, steps: &[Step<'_>]) -> Next<T> {
        if self.leaves_replica(executes, &flight) {
            return Next::RetryOnPrimary;
        }
        let Flight { entered, answer, committed } = flight;
        let Entered { named, generation } = match entered {
            Ok(entered) => entered,
            Err(error) => {
                let did_not_run = answer.as_ref().err().is_some_and(|failed| !failed.ran);
                return self.classify_entry(error, did_not_run, committed.is_some() || may_commit_in(steps));
            }
        };
        if let Err(Failed { at, error, stale, .. }) = &answer {
            let sql = steps.get(*at).map_or("", |step| step.sql);
            self.drop_stale(sql, error, *stale);
            if *stale == Some(Stale::Gone) && self.opening.may_retry() {
                return Next::RetryElsewhere;
            }
            // What was not sent is prepared in a transaction that has read as it stands, below.
            let stands = self.opening.has_read() && was_not_sent(error) && steps.len() == 1;
            if stale.is_some_and(|stale| stale != Stale::Gone) && !stands && self.opening.may_begin_anew() {
                // It failed before it ran, and what ran before it is rolled back.
                let open = committed.as_ref().is_none_or(|committed| !committed.ended());
                // A pooler that carries statements knows them by their text, and would have the old one execute again.
                self.opening.retry_reprepared(open, self.lease.carries_statements());
                return Next::RetryReprepared;
            }
        }
        if let Err(Failed { at, error, .. }) = &answer
            && self.lease.carries_statements()
            && is_unreadable(error)
        {
            // A pooler has given it a session in which it was prepared after the change.
            self.lease.meet_change(steps.get(*at).map_or("", |step| step.sql));
            if committed.is_none() && self.opening.may_begin_anew() && steps.iter().all(|step| only_reads(step.sql)) {
                self.opening.read_in_vain();
                self.opening.retry_reprepared(true, true);
                return Next::RetryReprepared;
            }
        }
        self.scope.learn(named);
        // Where it was begun anew, the first one: what was read before is of that or of a later one.
        self.generation = self.generation.or(generation);
        let behind = match executes {
            false => Behind::Prepared,
            true if committed.is_none() && steps.iter().all(|step| only_reads(step.sql)) => Behind::Read,
            true => Behind::Executed,
        };
        if let Some((token, id)) = self.opening.finish(behind).zip(self.scope.tenant()) {
            self.lease.learn(&token, *id);
        }
        if let Err(Failed { error, stale: Some(Stale::Types), .. }) = &answer
            && let [_] = steps
            && was_not_sent(error)
            && !std::mem::replace(&mut self.types_learned, true)
        {
            // Nothing of it has left, nor a commit behind it: it is prepared in the transaction as it stands. Once:
            // what does not fit the types that the server has just told does not fit.
            return Next::RetryReprepared;
        }
        if steps.iter().any(|step| resets_statements(step.sql)) {
            self.lease.discard();
        }
        Next::Done(match (answer, committed) {
            (Ok(answer), None) => Ok(answer),
            (Ok(answer), Some(committed)) => self.check_commit(committed).map(|()| answer),
            (Err(failed), committed) => Err(self.statement_error(failed, steps, committed.is_some())),
        })
    }

    /// Forgets what a statement that failed was prepared as, where that is out of date.
    fn drop_stale(&mut self, sql: &str, error: &PgError, stale: Option<Stale>) {
        match stale {
            Some(Stale::Gone) => {
                self.lease.evict_statement(sql);
                self.lease.discard();
            }
            Some(Stale::Changed) => self.lease.meet_change(sql),
            Some(Stale::Taken | Stale::Types) => self.lease.forget_statement(sql),
            None if was_not_sent(error) => self.lease.forget_statement(sql),
            None => {}
        }
    }

    /// The error of one of these statements, with which a commit was sent or not.
    fn statement_error(&mut self, failed: Failed, steps: &[Step<'_>], commits: bool) -> Error {
        let Failed { at, error, ran, stale } = failed;
        // What the server answers with an error it does not commit afterwards.
        let unknown = ran && (commits && !is_answered(&error) || may_commit_in(steps));
        // A pooler has prepared it in a session after the change: it ran, and nothing of it is committed.
        let is_misread = !commits && !unknown && self.lease.carries_statements() && is_unreadable(&error);
        let late = error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION);
        let first = self.health.first_error().filter(|_| late).map(str::to_owned);
        let mut error = Error::from(error);
        if unknown {
            error = error.maybe_committed();
        } else if !ran {
            error = error.not_executed();
        }
        if is_misread || matches!(stale, Some(Stale::Changed | Stale::Gone | Stale::Taken)) {
            error = error.of_a_stale_plan();
        }
        let error = self.record_error(error).at_statement(at, steps.len());
        match first {
            Some(first) => error.with_detail(format!("its first error was: {first}")),
            None => error,
        }
    }

    /// The preamble failed. Where it was begin and enter, another connection may be tried, but only if what was sent
    /// behind it provably did not run. `commits`: a commit was sent behind it.
    pub(super) fn classify_entry<T>(&mut self, error: PgError, did_not_run: bool, commits: bool) -> Next<T> {
        let did_not_run = did_not_run || is_fatal(&error) || self.lease.ended_by().is_some();
        if self.opening.may_retry() && did_not_run && is_the_connections_fault(&error, &self.lease) {
            return Next::RetryElsewhere;
        }
        if !did_not_run {
            // There was no transaction to fail, and what followed ran outside any: lend this connection to nobody.
            self.lease.discard();
        }
        let begun = self.opening.has_begun();
        if !begun || !did_not_run {
            self.health.fail();
        }
        // Not answered, all of it may have run; answered, what ran had no transaction around it.
        let unknown = !did_not_run && (commits || is_answered(&error));
        let error = match Error::from(error) {
            error if did_not_run => error.not_executed(),
            error if unknown => error.maybe_committed(),
            error => error,
        };
        Next::Done(Err(self.record_error(if begun { error } else { error.at_entry_of(&self.scope) })))
    }

    /// Counts an error, and remembers it for the commit that will say that the transaction has failed.
    pub(super) fn record_error(&mut self, mut error: Error) -> Error {
        if error.kind() == Kind::Closed
            && error.code().is_none()
            && let Some(said) = self.lease.ended_by()
        {
            error = error.because(&said);
        }
        if let Some(code) = error.code() {
            self.lease.count(|meter, share| meter.refused(share, code));
        }
        if error.kind() == Kind::Closed {
            self.lease.discard();
        }
        self.health.record(&error);
        error
    }
}

/// Whether entering failed because of what the connection carries, rather than because of the tenant.
///
/// A dirty session may also fail in other ways before it is recognised (after `SET ROLE`, with `42501`), so on a
/// connection that was lent before only pg_tenant's other refusals are final.
fn is_the_connections_fault(error: &PgError, lease: &Lease) -> bool {
    let Some(db) = error.as_db_error() else { return lease.ended_by().is_some() };
    if is_fatal(error) {
        return true;
    }
    match Refusal::from_code(db.code().code()) {
        Some(Refusal::SessionNotPristine) => !lease.is_new() || lease.has_lent_session(),
        None => !lease.is_new() || (lease.has_lent_session() && *db.code() == SqlState::INSUFFICIENT_PRIVILEGE),
        Some(_) => false,
    }
}

fn may_commit_in(steps: &[Step<'_>]) -> bool {
    steps.iter().any(|step| may_commit(step.sql))
}

/// The statement takes the connection's prepared statements away, and the server will not call the session dirty for
/// it.
fn resets_statements(sql: &str) -> bool {
    mentions(sql, "deallocate") || mentions(sql, "discard")
}
