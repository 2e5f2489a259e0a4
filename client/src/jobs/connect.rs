//! A connection of a worker's or a scheduler's own, encrypted or not.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Socket};

use crate::listener::connection::{Ear, connect};

type Connecting = Pin<Box<dyn Future<Output = Option<(Client, Ear)>> + Send>>;

/// Connects, as often as it is asked to.
#[derive(Clone)]
pub(super) struct Connector(Arc<dyn Fn() -> Connecting + Send + Sync>);

impl Connector {
    pub(super) fn new<T>(config: Config, tls: T) -> Connector
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        Connector(Arc::new(move || {
            let (config, tls) = (config.clone(), tls.clone());
            Box::pin(async move { connect(&config, tls).await.ok().flatten() })
        }))
    }

    #[cfg(test)]
    pub(super) fn of(connecting: impl Fn() -> Connecting + Send + Sync + 'static) -> Connector {
        Connector(Arc::new(connecting))
    }

    /// None where the server is away, or refuses.
    pub(super) async fn connect(&self) -> Option<(Client, Ear)> {
        (self.0)().await
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector(..)")
    }
}
