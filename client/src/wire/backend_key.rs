//! The process id that a connection was told when it was made.
//!
//! PostgreSQL tells its own; a pooler, which has many servers to talk to, makes one up. tokio-postgres keeps it to
//! itself, but a request to cancel holds it: so one is written to nobody.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::CancelToken;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// What the connection was told. `None` where the driver would not write it down.
pub async fn process_id(token: &CancelToken) -> Option<i32> {
    let written = Arc::new(Mutex::new(Vec::new()));
    token.cancel_query_raw(Nobody(Arc::clone(&written)), Plain).await.ok()?;
    let written = written.lock().unwrap_or_else(PoisonError::into_inner);
    // A length, the code of the request, the process id, a secret; before that, perhaps, the wish to encrypt.
    let request = written.last_chunk::<16>()?;
    request[8..].first_chunk().map(|id| i32::from_be_bytes(*id))
}

/// Keeps what is written, and agrees to everything.
struct Nobody(Arc<Mutex<Vec<u8>>>);

impl AsyncRead for Nobody {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        into.put_slice(b"S");
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Nobody {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl TlsStream for Nobody {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// The encryption of what goes to nobody.
struct Plain;

impl TlsConnect<Nobody> for Plain {
    type Stream = Nobody;
    type Error = Infallible;
    type Future = Ready<Result<Nobody, Infallible>>;

    fn connect(self, stream: Nobody) -> Self::Future {
        ready(Ok(stream))
    }
}
