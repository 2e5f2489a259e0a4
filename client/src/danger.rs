//! Ways around the crate's promise, each with a loud name.
//!
//! The server still isolates: a connection without a tenant is refused protected tables (`TN001`). What is lost here is
//! the client's part: knowing that no state and no transaction outlives a checkout. So a connection that was handed out
//! raw is never lent again.

use std::fmt;
use std::ops::Deref;

use tokio_postgres::Client;

use crate::error::Error;
use crate::pool::TenantPool;
use crate::recycle::Connection;
use crate::tx::TenantTx;

/// A connection outside any tenant and outside the pool. Closed when dropped.
pub struct UnscopedConnection(Connection);

impl Deref for UnscopedConnection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0.client
    }
}

impl fmt::Debug for UnscopedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnscopedConnection").finish_non_exhaustive()
    }
}

/// Takes a connection out of the pool for good, without a tenant. Its slot is free at once.
///
/// For what has no tenant: `LISTEN`, session settings, administration.
///
/// # Errors
/// Those of [`TenantPool::check`].
pub async fn connection_without_tenant(pool: &TenantPool) -> Result<UnscopedConnection, Error> {
    Ok(UnscopedConnection(pool.take().await?))
}

/// The driver's client beneath a transaction, inside its tenant; begins and enters first where nothing was sent yet.
///
/// Whatever is done to the session ends with the transaction: its connection is closed instead of going back. Statements
/// run here are not watched: one whose future is dropped may still be running when the transaction's next call begins.
///
/// # Errors
/// Those of the transaction's first statement (see [`TenantTx`]).
pub async fn raw_client(tx: &mut TenantTx) -> Result<&Client, Error> {
    tx.send_lead().await?;
    tx.lease.discard();
    Ok(&tx.lease.connection().client)
}
