//! The paths between a client and the shared server: none between them, or PgBouncer in one of its modes.

use std::sync::OnceLock;

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

    /// In transaction mode with fewer sessions than clients, so that these share them.
    fn bouncer(self) -> Option<&'static PgBouncer> {
        static STARTED: [OnceLock<PgBouncer>; 3] = [const { OnceLock::new() }; 3];
        let (slot, line, settings): (_, _, &[_]) = match self {
            Route::Direct => return None,
            Route::Session => (0, Line::Old, &[("pool_mode", "session")]),
            Route::Transaction => (1, Line::Old, &[("pool_mode", "transaction"), ("default_pool_size", "4")]),
            Route::TransactionPrepared => (
                2,
                Line::New,
                &[("pool_mode", "transaction"), ("default_pool_size", "4"), ("max_prepared_statements", "200")],
            ),
        };
        Some(STARTED[slot].get_or_init(|| PgBouncer::start(Cluster::shared(), line, settings)))
    }
}
