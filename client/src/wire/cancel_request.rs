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
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{CancelToken, NoTls, Socket};

use crate::wire::endpoint::Endpoint;

/// Sends a CancelRequest to where its connection is, with the pool's TLS connector, whose type ends here.
pub(crate) type Canceller =
    Arc<dyn Fn(CancelToken, Option<Endpoint>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Without encryption.
pub(crate) fn plain() -> Canceller {
    Arc::new(|token, reached| {
        Box::pin(async move {
            match reached {
                Some(endpoint) => endpoint.cancel(token).await,
                None => drop(token.cancel_query(NoTls).await),
            }
        })
    })
}

/// With the pool's TLS connector, whose type ends here. The driver knows the address that the connection has reached.
pub(crate) fn encrypted<T>(tls: T) -> Canceller
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + Sync,
    T::TlsConnect: Send + Sync,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    if TypeId::of::<T>() == TypeId::of::<NoTls>() {
        return plain();
    }
    Arc::new(move |token, _| {
        let tls = Patient(tls.clone());
        Box::pin(async move {
            let _ = token.cancel_query(tls).await;
        })
    })
}

/// A stream that shuts down once the other side has, and a connector that makes such streams.
#[derive(Clone)]
pub(crate) struct Patient<S>(pub(crate) S);

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

pub(crate) struct Connecting<F>(Pin<Box<F>>);

impl<S, E, F: Future<Output = Result<S, E>>> Future for Connecting<F> {
    type Output = Result<Patient<S>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map_ok(Patient)
    }
}
