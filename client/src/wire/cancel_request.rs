//! How a CancelRequest goes out: the connection it went on is closed by the other side first.
//!
//! libpq waits in the same way. tokio-postgres closes at once, and PgBouncer 1.18 ends with a fatal error of its own
//! where a client goes before its request was carried out.

use std::any::TypeId;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::Host;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{CancelToken, Config, NoTls, Socket};

/// Sends a CancelRequest with the pool's TLS connector, whose type ends here.
pub(crate) type Canceller = Arc<dyn Fn(CancelToken) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Without encryption.
pub(crate) fn plain(config: &Config) -> Canceller {
    let Some(address) = Address::of(config).map(Arc::new) else {
        // One of several hosts, and only the token knows which.
        return Arc::new(|token| Box::pin(async move { drop(token.cancel_query(NoTls).await) }));
    };
    Arc::new(move |token| {
        let address = Arc::clone(&address);
        Box::pin(async move {
            // Nobody is left to tell. The connection is closed afterwards in any case.
            let _ = address.send(token).await;
        })
    })
}

/// With the pool's TLS connector, whose type ends here.
pub(crate) fn encrypted<T>(config: &Config, tls: T) -> Canceller
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + Sync,
    T::TlsConnect: Send + Sync,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    if TypeId::of::<T>() == TypeId::of::<NoTls>() {
        return plain(config);
    }
    Arc::new(move |token| {
        let tls = Patient(tls.clone());
        Box::pin(async move {
            let _ = token.cancel_query(tls).await;
        })
    })
}

/// The one place where the server is.
enum Address {
    Tcp(String, u16),
    Unix(std::path::PathBuf),
}

impl Address {
    fn of(config: &Config) -> Option<Address> {
        let port = config.get_ports().first().copied().unwrap_or(5432);
        match (config.get_hosts(), config.get_hostaddrs()) {
            (_, [address]) => Some(Address::Tcp(address.to_string(), port)),
            ([Host::Tcp(host)], []) => Some(Address::Tcp(host.clone(), port)),
            ([Host::Unix(dir)], []) => Some(Address::Unix(dir.join(format!(".s.PGSQL.{port}")))),
            _ => None,
        }
    }

    async fn send(&self, token: CancelToken) -> Result<(), tokio_postgres::Error> {
        match self {
            Address::Tcp(host, port) => match TcpStream::connect((host.as_str(), *port)).await {
                Ok(stream) => token.cancel_query_raw(Patient(stream), NoTls).await,
                Err(_) => Ok(()),
            },
            Address::Unix(path) => match UnixStream::connect(path).await {
                Ok(stream) => token.cancel_query_raw(Patient(stream), NoTls).await,
                Err(_) => Ok(()),
            },
        }
    }
}

/// A stream that shuts down once the other side has, and a connector that makes such streams.
#[derive(Clone)]
struct Patient<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut bytes = [0; 16];
            let mut into = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut self.0).poll_read(cx, &mut into));
            if read.is_err() || into.filled().is_empty() {
                return Pin::new(&mut self.0).poll_shutdown(cx);
            }
        }
    }
}

impl<S: TlsStream + Unpin> TlsStream for Patient<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.0.channel_binding()
    }
}

impl<T: MakeTlsConnect<Socket>> MakeTlsConnect<Socket> for Patient<T> {
    type Stream = Patient<T::Stream>;
    type TlsConnect = Patient<T::TlsConnect>;
    type Error = T::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Self::TlsConnect, T::Error> {
        self.0.make_tls_connect(domain).map(Patient)
    }
}

impl<C: TlsConnect<Socket>> TlsConnect<Socket> for Patient<C> {
    type Stream = Patient<C::Stream>;
    type Error = C::Error;
    type Future = Connecting<C::Future>;

    fn connect(self, stream: Socket) -> Self::Future {
        Connecting(Box::pin(self.0.connect(stream)))
    }
}

struct Connecting<F>(Pin<Box<F>>);

impl<S, E, F: Future<Output = Result<S, E>>> Future for Connecting<F> {
    type Output = Result<Patient<S>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map_ok(Patient)
    }
}
