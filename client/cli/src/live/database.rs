//! Connections that come back by themselves, and a transaction for each look: what a page shows is of one moment.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Transaction};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, Socket};

use super::fault::Fault;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Database {
    pool: Pool,
}

/// What the transaction is for.
#[derive(Clone, Copy)]
pub enum Look {
    /// Reads, for seconds.
    Page,
    /// Reads, for as long as the doctor takes.
    Doctor,
    /// Changes something.
    Change,
}

impl Look {
    fn begin(self) -> &'static str {
        // Names in what follows are PostgreSQL's own, or qualified.
        match self {
            Look::Page => {
                "set transaction read only; set local statement_timeout = '5s'; set local search_path = pg_catalog, pg_temp"
            }
            Look::Doctor => {
                "set transaction read only; set local statement_timeout = '60s'; set local search_path = pg_catalog, pg_temp"
            }
            Look::Change => {
                "set local lock_timeout = '3s'; set local statement_timeout = '10s'; set local search_path = pg_catalog, pg_temp"
            }
        }
    }
}

impl Database {
    /// At most `connections`, made when they are needed and made again when they are lost.
    ///
    /// # Errors
    /// None that an address could cause: connections are made later.
    pub fn new<T>(mut config: Config, tls: T, name: &str, connections: usize) -> Result<Database, String>
    where
        T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
        T::Stream: Sync + Send,
        T::TlsConnect: Sync + Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        config.application_name(name).connect_timeout(PATIENCE);
        let manager = Manager::from_config(config, tls, ManagerConfig { recycling_method: RecyclingMethod::Verified });
        let pool = Pool::builder(manager).max_size(connections).runtime(Runtime::Tokio1);
        let pool = pool.wait_timeout(Some(PATIENCE)).create_timeout(Some(PATIENCE)).recycle_timeout(Some(PATIENCE));
        Ok(Database { pool: pool.build().map_err(|error| error.to_string())? })
    }

    /// A connection, to begin a transaction on.
    pub async fn connection(&self) -> Result<Object, Fault> {
        Ok(self.pool.get().await?)
    }

    /// A transaction. Dropped, it is rolled back.
    pub async fn begin(connection: &mut Object, look: Look) -> Result<Transaction<'_>, Fault> {
        let tx = connection.transaction().await?;
        tx.batch_execute(look.begin()).await?;
        Ok(tx)
    }
}
