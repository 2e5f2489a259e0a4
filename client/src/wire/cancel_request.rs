//! How a CancelRequest goes out: the connection it went on is closed by the other side first.
//!
//! libpq waits in the same way. tokio-postgres closes at once, and PgBouncer 1.18 ends with a fatal error of its own
//! where a client goes before its request was carried out.

use std::any::TypeId;
use std::pin::Pin;
use std::sync::Arc;

use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{CancelToken, NoTls, Socket};

use crate::wire::endpoint::Endpoint;
use crate::wire::patient::Patient;

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
