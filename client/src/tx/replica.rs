//! A transaction on a replica, which goes to the primary as long as its caller has seen nothing of it.

use pg_tenant_core::Refusal;
use tokio_postgres::Error as PgError;

use crate::error::Error;
use crate::pool::lease::Lease;
use crate::pool::replicas::{Outcome, outcome_of};
use crate::pool::tenant_pool::TenantPool;
use crate::pool::written::Wrote;
use crate::tx::health::Health;
use crate::tx::open_tx::{OpenTx, preamble};
use crate::tx::opening::Opening;
use crate::tx::options::BeginOptions;
use crate::tx::primary::Primary;
use crate::tx::scope::TxScope;
use crate::wire::flight::{Committed, Flight};
use crate::wire::outcome::{is_answered, is_fatal};

impl OpenTx {
    /// On a replica. `check` is an expression that fails where it will not do.
    pub(super) fn on_replica(
        pool: TenantPool,
        lease: Lease,
        check: String,
        options: &BeginOptions,
        primary: Primary,
    ) -> OpenTx {
        let (scope, by) = (TxScope::by(&primary.method), primary.method.by().cloned());
        let (preamble, token) = preamble(primary.method.clone(), options, Some(&check));
        let opening = Opening::new(preamble, token, pool.max_size + lease.sessions_to_end());
        let (health, primary) = (Health::default(), Some(Box::new(primary)));
        OpenTx {
            pool,
            lease,
            scope,
            by,
            opening,
            health,
            savepoints: 0,
            riding: None,
            primary,
            types_learned: false,
            generation: None,
        }
    }

    pub(super) fn is_on_replica(&self) -> bool {
        self.primary.is_some()
    }

    /// Counts what came of the read.
    pub(super) fn note_read(&self, outcome: Outcome) {
        if let Some(primary) = &self.primary {
            primary.pool.note_read(primary.at, outcome, primary.needs, &primary.share);
        }
    }

    /// Whether the same is to be sent to the primary: the replica is not what it must be, or refused, or has ended it.
    /// Where it has answered, the transaction stays there.
    pub(super) fn leaves_replica<T>(&mut self, executes: bool, flight: &Flight<T>) -> bool {
        if self.primary.is_none() {
            return false;
        }
        let outcome =
            match (&flight.entered, &flight.answer) {
                (Err(error), _) => said_at_entry(error),
                (Ok(_), Err(failed)) if is_the_replicas_fault(&failed.error) => {
                    if failed.error.as_db_error().is_none() { Outcome::Away } else { Outcome::Refused }
                }
                (Ok(_), Err(failed)) if failed.stale.is_some() => return false, // it is prepared anew here
                // The caller sees something of it.
                (Ok(_), _) if executes => Outcome::Served,
                _ => return false,
            };
        self.note_read(outcome);
        if outcome == Outcome::Served {
            self.primary = None;
            return false;
        }
        let error = flight.entered.as_ref().err();
        let dirty = error.and_then(PgError::code).is_some_and(|code| code.code() == Refusal::SessionNotPristine.code());
        if dirty || outcome == Outcome::Away {
            self.lease.discard();
        }
        true
    }

    /// Gives the replica's connection back and begins on the primary. Without a connection no call may follow.
    pub(super) async fn go_to_primary(&mut self) -> Result<(), Error> {
        let Some(primary) = self.primary.take() else { return Err(Error::interrupted()) };
        let Primary { pool, method, options, share, site, .. } = *primary;
        let (preamble, token) = preamble(method, &options, None);
        let mut opening = Opening::new(preamble, token, pool.max_size + self.lease.sessions_to_end());
        opening.take_savepoints(&self.opening);
        (self.opening, self.pool) = (opening, pool);
        self.lease.end();
        self.health.interrupt();
        match self.pool.lease_by(share, site, self.by.as_ref()).await {
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

    /// Remembers what was committed, for the reads that follow.
    pub(super) fn note_write(&self, committed: &Committed) {
        let Some(replicas) = self.pool.replicas() else { return };
        let wrote = match committed.lsn {
            // A statement has ended the transaction, and may have committed.
            _ if committed.probed && !self.scope.is(committed.found.as_deref()) => Wrote::Unknown,
            _ if committed.read_only => Wrote::Nothing,
            Some(lsn) => Wrote::Until(lsn),
            // Refused, it was not committed.
            None if committed.done.as_ref().is_err_and(|error| is_answered(error) && !is_fatal(error)) => {
                Wrote::Nothing
            }
            None => Wrote::Unknown,
        };
        replicas.written.note(self.scope.tenant(), wrote);
    }
}

/// What an error of entering says of the replica.
fn said_at_entry(error: &PgError) -> Outcome {
    match error.as_db_error() {
        None => Outcome::Away,
        Some(db) => outcome_of(db.message()).unwrap_or(match db.code().code() {
            "57P01" | "57P02" | "57P03" | "53300" => Outcome::Away,
            _ => Outcome::Refused,
        }),
    }
}

/// It was ended by what the replica replayed or by its end, or asked for what only a primary has, or has only so far.
fn is_the_replicas_fault(error: &PgError) -> bool {
    match error.code().map(|code| code.code()) {
        Some(code) => {
            matches!(code, "40001" | "40P01" | "55000")
                || ["42", "57P", "08"].iter().any(|class| code.starts_with(class))
        }
        None => {
            error.is_closed() || std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
        }
    }
}
