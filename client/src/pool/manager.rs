//! What a connection must be before it is lent: new and checked, or alive.
//!
//! Whether it is pristine is the server's question (`tenant.enter_pristine`), asked in the first flight of each
//! transaction, so returning a connection costs no round trip.

use std::sync::Arc;

use deadpool::managed::{self, Metrics, RecycleResult};
use tokio_postgres::Config;

use crate::error::{Error, Kind};
use crate::pool::connection::Connection;
use crate::pool::credentials::CredentialSource;
use crate::pool::pooler;
use crate::pool::pooler::Pooler;
use crate::pool::upkeep::Upkeep;
use crate::pool::version;
use crate::wire::link::Connect;
use crate::wire::param_types::ParamTypes;
use crate::wire::statement_cache::Statements;

pub(crate) struct Manager {
    pub(crate) config: Config,
    pub(crate) credentials: Option<CredentialSource>,
    pub(crate) connect: Arc<dyn Connect>,
    pub(crate) statement_cache: usize,
    pub(crate) param_types: Arc<ParamTypes>,
    pub(crate) pooler: Pooler,
    pub(crate) upkeep: Upkeep,
}

impl managed::Manager for Manager {
    /// Boxed: it is moved about with each loan.
    type Type = Box<Connection>;
    type Error = Error;

    async fn create(&self) -> Result<Box<Connection>, Error> {
        let connection = match self.upkeep.take_ahead() {
            Some(connection) => connection,
            None => Box::pin(self.open()).await?,
        };
        Ok(Box::new(connection))
    }

    /// A connection that the server has closed meanwhile is replaced here, before anything is sent on it.
    async fn recycle(&self, connection: &mut Box<Connection>, _: &Metrics) -> RecycleResult<Error> {
        if connection.client.is_closed() {
            return Err(managed::RecycleError::message("the connection is closed"));
        }
        if self.upkeep.is_over(&connection.age) {
            return Err(managed::RecycleError::message("the connection has lived for as long as it may"));
        }
        Ok(())
    }
}

impl Manager {
    /// A new connection, checked.
    pub(crate) async fn open(&self) -> Result<Connection, Error> {
        let client = match &self.credentials {
            None => self.connect.connect(&self.config).await?,
            Some(credentials) => {
                let mut config = self.config.clone();
                credentials.put_into(&mut config).await?;
                self.connect.connect(&config).await?
            }
        };
        let (extension, pooler) = pooler::detect(&client, self.pooler).await?;
        check_extension(extension.as_deref())?;
        let statements = Statements::new(self.statement_cache, Arc::clone(&self.param_types), pooler.names());
        Ok(Connection { client, statements, pooler, age: self.upkeep.born() })
    }
}

fn check_extension(version: Option<&str>) -> Result<(), Error> {
    match version {
        Some(version) => version::check(version),
        None => Err(Error::new(Kind::VersionMismatch, "tenant.version() returned nothing")),
    }
}
