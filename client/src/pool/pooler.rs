//! The pooler between this pool and PostgreSQL, and what that means for statements and sessions.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::error::{Error, Kind};
use crate::wire::backend_key::process_id;
use crate::wire::statement_cache::Names;

/// The pooler between a pool and PostgreSQL. `docs/pgbouncer.md` has the settings that go with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pooler {
    /// Detects a pooler when a connection is made, without an extra round trip: PostgreSQL names the process that
    /// serves the connection, which a pooler cannot know. A pooler is then used as in
    /// [`Transaction`](Self::Transaction), which is right for every mode except statement pooling.
    ///
    /// sqlx does not tell a connection's process id, so its pools cannot find out and take this for
    /// [`Direct`](Self::Direct).
    #[default]
    Detect,
    /// No pooler: a direct connection, or a proxy that only passes bytes on. A pool over tokio-postgres fails where it
    /// notices a pooler, by the id of the server's process.
    Direct,
    /// Each connection has a server's session of its own until it closes, and then the session is cleaned: PgBouncer's
    /// `pool_mode = session` with its `server_reset_query`. Statements are prepared and kept.
    Session,
    /// Each transaction may get another session, and prepared statements do not follow: PgBouncer's `pool_mode =
    /// transaction` before 1.21, or with `max_prepared_statements = 0`. Statements are sent whole. Over tokio-postgres
    /// a statement still takes one round trip, after the first use of its text by the pool; over sqlx it takes two.
    Transaction,
    /// As [`Transaction`](Self::Transaction), but prepared statements follow: PgBouncer 1.21 or later with
    /// `max_prepared_statements` above 0.
    TransactionPrepared,
}

impl Pooler {
    /// Statements have no names that last longer than a transaction.
    #[cfg(feature = "sqlx")]
    pub(crate) fn forgets_names(self) -> bool {
        self == Pooler::Transaction
    }

    /// How long the names of statements last.
    pub(crate) fn names(self) -> Names {
        match self {
            Pooler::Transaction => Names::Forgotten,
            Pooler::TransactionPrepared => Names::Carried,
            Pooler::Detect | Pooler::Direct | Pooler::Session => Names::Kept,
        }
    }

    /// A session may have been somebody else's before, also on a connection that is new.
    pub(crate) fn lends_sessions(self) -> bool {
        !matches!(self, Pooler::Detect | Pooler::Direct)
    }

    /// A transaction may run in another session than the one before it.
    #[cfg(feature = "sqlx")]
    pub(crate) fn changes_sessions(self) -> bool {
        matches!(self, Pooler::Transaction | Pooler::TransactionPrepared)
    }

    /// The setting in force, by the process id that the connection was told when it was made and that of the backend
    /// which answers: they differ behind a pooler.
    fn resolve(self, told: Option<i32>, backend: Option<i32>) -> Result<Pooler, Error> {
        let there = told.zip(backend).is_some_and(|(told, backend)| told != backend);
        match (self, there) {
            (Pooler::Detect, true) => Ok(Pooler::Transaction),
            (Pooler::Detect, false) => Ok(Pooler::Direct),
            (Pooler::Direct, true) => Err(Error::new(
                Kind::Config,
                "a pooler stands between this pool and PostgreSQL, and the pool was told that there is none",
            )
            .with_hint(
                "say which on the pool's builder: pooler(Pooler::Detect), Session, Transaction or TransactionPrepared",
            )),
            (said, _) => Ok(said),
        }
    }
}

/// Puts right what keeps a session from being looked at: it went on as another role.
const AS_ITSELF: &str = "rollback; reset session authorization; reset role";

/// Asks a new connection which extension it has, and what stands before it: one flight.
pub(crate) async fn detect(client: &Client, said: Pooler) -> Result<(Option<String>, Pooler), Error> {
    let told = process_id(&client.cancel_token()).await;
    let ask = "select tenant.version(), pg_catalog.pg_backend_pid()";
    let answer = match client.simple_query(ask).await {
        // A session that a pooler lends may still have the role of whoever had it before.
        Err(error) if said != Pooler::Direct && error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            client.simple_query(&format!("{AS_ITSELF}; {ask}")).await
        }
        answer => answer,
    };
    let answer = answer.map_err(|error| Error::from(error).at_entry())?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let version = row.and_then(|row| row.get(0)).map(str::to_owned);
    let backend = row.and_then(|row| row.get(1)).and_then(|pid| pid.parse().ok());
    Ok((version, said.resolve(told, backend)?))
}

/// How many dirty sessions are ended for one transaction, beyond the connections of the pool.
pub(crate) const MOST_ENDED: usize = 32;

/// Looks at the session before it looks for a tenant of that name, and there is none.
pub(crate) const PRISTINE_PROBE: &str = "rollback; begin; select tenant.enter_pristine('')";

/// What [`PRISTINE_PROBE`] says where the session is clean: no id, or (to a role that must sign) no token.
pub(crate) fn is_clean(code: &str) -> bool {
    matches!(code, "TN004" | "TN090")
}

/// Ends the session, in one message while a transaction is open: the pooler would lend it to the next.
pub(crate) fn end_session() -> String {
    format!("{AS_ITSELF}; select pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())")
}

/// Ends the session that a pooler lends, where it is dirty: closing the connection would leave it to the next borrower.
pub(crate) async fn end_dirty_session(client: &Client) {
    let looked = client.batch_execute(PRISTINE_PROBE).await;
    let dirty = looked.is_err_and(|error| error.code().is_some_and(|code| !is_clean(code.code())));
    let text = if dirty { end_session() } else { "rollback".to_owned() };
    // What could not be ended is refused to the next borrower as well, who comes here too.
    let _ = client.batch_execute(&text).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pooler_goes_unseen_where_ids_differ() {
        assert_eq!(Pooler::Detect.resolve(Some(1), Some(1)).unwrap(), Pooler::Direct);
        assert_eq!(Pooler::Detect.resolve(Some(1), Some(2)).unwrap(), Pooler::Transaction);
        assert_eq!(Pooler::Direct.resolve(Some(1), Some(1)).unwrap(), Pooler::Direct);
        assert!(Pooler::Direct.resolve(Some(1), Some(2)).unwrap_err().hint().is_some());
        for said in [Pooler::Session, Pooler::Transaction, Pooler::TransactionPrepared] {
            assert_eq!(said.resolve(Some(1), Some(2)).unwrap(), said);
            assert_eq!(said.resolve(Some(1), Some(1)).unwrap(), said);
        }
    }
}
