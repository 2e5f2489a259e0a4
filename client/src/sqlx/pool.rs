//! The pool over sqlx.

use std::fmt;

use ::sqlx::PgPool;
use ::sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::tx_builder::TxBuilder;
use crate::id::IntoTenantId;

/// A `sqlx::PgPool` whose connections are lent only inside a tenant. Cloning shares the pool.
///
/// Settings of the session belong into the connect options. What `after_connect` sets makes every connection dirty, and
/// a dirty connection is not lent.
#[derive(Clone)]
pub struct TenantPool {
    pool: PgPool,
}

impl TenantPool {
    /// Makes a pool. No connection is made until one is needed.
    ///
    /// `test_before_acquire` is turned off: beginning tests the connection in the same round trip, and takes another
    /// where it is broken.
    ///
    /// # Panics
    /// Outside a tokio runtime, as `sqlx::PgPool` does.
    pub fn new(pool: PgPoolOptions, connect: PgConnectOptions) -> TenantPool {
        TenantPool { pool: pool.test_before_acquire(false).connect_lazy_with(connect) }
    }

    /// Says on whose behalf the next statements run. Nothing is sent.
    ///
    /// A text that is no tenant id is reported by the call that would use it, with SQLSTATE `TN004` and without I/O.
    pub fn tenant(&self, id: impl IntoTenantId) -> TxBuilder {
        TxBuilder::new(self.pool.clone(), id.into_tenant_id())
    }

    /// How many connections the pool holds, lent or idle.
    pub fn size(&self) -> u32 {
        self.pool.size()
    }

    /// How many are idle.
    pub fn idle(&self) -> usize {
        self.pool.num_idle().min(self.pool.size() as usize) // sqlx's count wraps around for a moment
    }

    /// Closes the pool and waits until every connection is back.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Wraps a pool that exists. Whoever keeps the `PgPool` can still take connections from it without a tenant; the server
/// refuses them protected tables.
impl From<PgPool> for TenantPool {
    fn from(pool: PgPool) -> TenantPool {
        TenantPool { pool }
    }
}

impl fmt::Debug for TenantPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantPool").field("size", &self.size()).field("idle", &self.idle()).finish()
    }
}
