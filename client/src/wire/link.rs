//! An open connection: the driver's client, the task that reads and writes, and what the server said at its end.
//!
//! tokio-postgres ends a connection's task with an error that nobody waits for. Where the server closed the connection
//! while nothing was asked of it (`25P03`, `57P01`, …), that error alone says why; whoever asks next only hears that
//! the connection is closed.

use std::future::poll_fn;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::error::DbError;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Connection, Socket};

use crate::error::{Error, Kind};
use crate::wire::endpoint::{Endpoint, candidates};

pub(crate) struct Link {
    client: Client,
    task: JoinHandle<()>,
    end: Arc<End>,
    /// The address that it has reached.
    reached: Option<Endpoint>,
}

/// Locked while the connection's task is polled, so that who sees the connection closed also sees why.
#[derive(Default)]
struct End(Mutex<Option<DbError>>);

impl Link {
    fn new<S, T>(client: Client, connection: Connection<S, T>, reached: Option<Endpoint>) -> Link
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let end = Arc::<End>::default();
        let task = tokio::spawn(carry(connection, Arc::clone(&end)));
        Link { client, task, end, reached }
    }

    pub(crate) fn reached(&self) -> Option<&Endpoint> {
        self.reached.as_ref()
    }

    /// What the server said when it closed the connection **while it owed no answer**: whatever was sent afterwards, it
    /// has not read.
    pub(crate) fn ended_by(&self) -> Option<DbError> {
        if self.client.is_closed() { self.end.lock().clone() } else { None }
    }
}

impl End {
    fn lock(&self) -> MutexGuard<'_, Option<DbError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads and writes until the connection ends.
///
/// An error response comes out here only where it answers nothing that was sent. The driver keeps it in order: what it
/// had written before is answered, or would take the error as its own.
async fn carry<S, T>(connection: Connection<S, T>, end: Arc<End>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = pin!(connection);
    poll_fn(|cx| {
        let mut said = end.lock();
        match connection.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(error)) => {
                tracing::warn!(target: "pg_tenant_client", "a connection ended: {error}");
                *said = error.as_db_error().cloned();
                Poll::Ready(())
            }
        }
    })
    .await;
}

impl Deref for Link {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Opening<'a> = Pin<Box<dyn Future<Output = Result<Link, Error>> + Send + 'a>>;

/// Opens connections, with or without encryption.
pub(crate) trait Connect: Send + Sync {
    fn connect<'a>(&'a self, config: &'a Config) -> Opening<'a>;
}

/// With this TLS connector, whose type ends here.
pub(crate) struct Tls<T>(pub(crate) T);

impl<T> Connect for Tls<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + Sync,
    T::TlsConnect: Send + Sync,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect<'a>(&'a self, config: &'a Config) -> Opening<'a> {
        Box::pin(async move {
            let Some(candidates) = candidates(config) else {
                let (client, connection) = config.connect(self.0.clone()).await?;
                return Ok(Link::new(client, connection, None));
            };
            let mut last = None;
            for candidate in candidates {
                let endpoints = match candidate.endpoints(config).await {
                    Ok(endpoints) => endpoints,
                    Err(error) => {
                        last = Some(Error::no_address(error));
                        continue;
                    }
                };
                for endpoint in endpoints {
                    match endpoint.only(config).connect(self.0.clone()).await {
                        Ok((client, connection)) => return Ok(Link::new(client, connection, Some(endpoint))),
                        Err(error) => last = Some(error.into()),
                    }
                }
            }
            Err(last.unwrap_or_else(|| Error::new(Kind::Config, "the name of the server has no address")))
        })
    }
}
