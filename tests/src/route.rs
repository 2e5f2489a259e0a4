//! The paths between a client and the shared server: none between them, or PgBouncer in one of its modes.

use std::sync::OnceLock;
use std::time::Duration;

use pg_tenant_client::Pooler;

use crate::cluster::Cluster;
use crate::pgbouncer::{Line, PgBouncer};

/// A path to [`Cluster::shared`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Nothing between them.
    Direct,
    /// Through PgBouncer 1.18 in session mode.
    Session,
    /// Through PgBouncer 1.18 in transaction mode. The pool over tokio-postgres finds that out.
    Transaction,
    /// Through PgBouncer 1.24 in transaction mode, which carries prepared statements.
    TransactionPrepared,
}

impl Route {
    /// The port on 127.0.0.1 where it begins.
    pub fn port(self) -> u16 {
        self.bouncer().map_or_else(|| Cluster::shared().port(), |bouncer| bouncer.port)
    }

    /// How tokio-postgres finds `database` on it.
    pub fn config(self, database: &str, role: &str) -> tokio_postgres::Config {
        match self.bouncer() {
            Some(bouncer) => bouncer.config(database, role),
            None => Cluster::shared().config(database, role),
        }
    }

    /// What a pool over tokio-postgres is told of it.
    pub fn pooler(self) -> Pooler {
        match self {
            Route::Direct | Route::Transaction => Pooler::Detect,
            Route::Session => Pooler::Session,
            Route::TransactionPrepared => Pooler::TransactionPrepared,
        }
    }

    /// What a pool over sqlx, which cannot find out, is told of it.
    pub fn pooler_of_sqlx(self) -> Pooler {
        if self == Route::Transaction { Pooler::Transaction } else { self.pooler() }
    }

    /// How long a request to cancel is on its way at most, on a machine that does other things too.
    pub fn takes_to_cancel(self) -> Duration {
        if self == Route::Direct { Duration::ZERO } else { Duration::from_millis(500) }
    }

    /// For how long it answers with the error of a failed login, whatever the server would say by then.
    pub fn refuses_after_a_failed_login(self) -> Duration {
        if self == Route::Direct { Duration::ZERO } else { Duration::from_millis(1_500) } // server_login_retry, and a bit
    }

    /// A PgBouncer as it has, in front of another server.
    pub fn bouncer_before(self, cluster: &Cluster) -> Option<PgBouncer> {
        // In transaction mode with fewer sessions than clients, so that these share them.
        let (line, settings): (_, &[_]) = match self {
            Route::Direct => return None,
            Route::Session => (Line::Old, &[("pool_mode", "session")]),
            Route::Transaction => (Line::Old, &[("pool_mode", "transaction"), ("default_pool_size", "4")]),
            Route::TransactionPrepared => (
                Line::New,
                &[("pool_mode", "transaction"), ("default_pool_size", "4"), ("max_prepared_statements", "200")],
            ),
        };
        Some(PgBouncer::start(cluster, line, settings))
    }

    fn bouncer(self) -> Option<&'static PgBouncer> {
        static STARTED: [OnceLock<Option<PgBouncer>>; 4] = [const { OnceLock::new() }; 4];
        STARTED[self as usize].get_or_init(|| self.bouncer_before(Cluster::shared())).as_ref()
    }
}
