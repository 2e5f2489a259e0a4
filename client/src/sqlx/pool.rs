//! The pool over sqlx.

use std::fmt;
use std::sync::Arc;

use ::sqlx::PgPool;
use ::sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::error::Error;
use crate::pool::admission::Admission;
use crate::pool::limits::LimitPolicy;
use crate::pool::pooler::Pooler;

/// A `sqlx::PgPool` whose connections are lent only inside a tenant. Cloning shares the pool.
///
/// Settings of the session belong into the connect options. What `after_connect` sets makes every connection dirty, and
/// a dirty connection is not lent.
#[derive(Clone)]
pub struct TenantPool {
    pub(super) pool: PgPool,
    /// Before the pool's own queue: who may ask it for a connection.
    pub(super) admission: Admission,
    pub(super) pooler: Pooler,
    #[cfg(feature = "sign")]
    pub(super) signer: Option<crate::tenant::signer::TokenSigner>,
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
        TenantPool::from(pool.test_before_acquire(false).connect_lazy_with(connect))
    }

    /// Signs a token for each transaction, so that `tenant(…)` enters with it: for roles that must
    /// (`pg_tenant.require_signed`). Whoever holds the key may enter every tenant; where tokens come from elsewhere,
    /// such as a login service, forward them with `signed(…)` instead.
    #[cfg(feature = "sign")]
    pub fn signer(mut self, signer: crate::tenant::signer::TokenSigner) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Says what stands between this pool and PostgreSQL, such as PgBouncer. By default nothing: sqlx cannot find out.
    ///
    /// With [`Pooler::Transaction`] every statement is sent without a name, whatever its `persistent` says, in two
    /// round trips; a transaction that uses `prepare` gives its connection up when it ends.
    pub fn pooler(mut self, pooler: Pooler) -> Self {
        self.pooler = pooler;
        self
    }

    /// Says what new connections are made with from now on: a password, or a token in its place, that was changed. Those
    /// that are there stay as they are. Of effect on all clones.
    ///
    /// sqlx asks nobody when it connects, so tokens that expire are given here, by a task, before they do.
    pub fn set_connect_options(&self, connect: PgConnectOptions) {
        self.pool.set_connect_options(connect);
    }

    /// Connects, unless an idle connection is there, and so tells at start-up rather than at the first request whether
    /// the server is reachable and has the right extension. A server that is full or starting is waited for, for as long
    /// as `acquire_timeout` says.
    ///
    /// # Errors
    /// [`Error::is_timeout`] or the driver's where it cannot connect; [`Error::is_extension_missing`] (`3F000`, `42883`);
    /// [`Error::is_version_mismatch`]; `42501` where the role was not granted `tenant_user`.
    pub async fn check(&self) -> Result<(), Error> {
        super::begin::check(self).await
    }

    /// How many connections the pool holds, lent or idle.
    pub fn size(&self) -> u32 {
        self.pool.size()
    }

    /// How many are idle.
    pub fn idle(&self) -> usize {
        self.pool.num_idle().min(self.pool.size() as usize) // sqlx's count wraps around for a moment
    }

    /// Limits what each tenant may take of the pool: the same [`Limits`](crate::Limits) for all, a closure, or
    /// [`Plans`](crate::Plans). Of effect on all clones, also later.
    ///
    /// With and without limits, a connection that becomes free goes to the waiting tenant that has the fewest, in turn.
    pub fn limits(self, policy: impl LimitPolicy) -> Self {
        self.set_limits(policy);
        self
    }

    /// Limits tenants by this policy from now on: those that ask for a connection, and how many connections those that
    /// wait already may have. What is lent stays lent.
    pub fn set_limits(&self, policy: impl LimitPolicy) {
        self.admission.set_policy(Arc::new(policy));
    }

    /// What the metrics say of each tenant; of all clones. With the feature `metrics`.
    #[cfg(feature = "metrics")]
    pub fn metric_labels(self, labels: crate::observe::MetricLabels) -> Self {
        self.admission.meter().set_labels(labels);
        self
    }

    /// How many calls wait for a connection.
    pub fn waiting(&self) -> usize {
        self.admission.waiting()
    }

    /// Closes the pool and waits until every connection is back.
    pub async fn close(&self) {
        self.admission.close();
        self.pool.close().await;
    }
}

/// Wraps a pool that exists. Whoever keeps the `PgPool` can still take connections from it without a tenant; the server
/// refuses them protected tables.
impl From<PgPool> for TenantPool {
    fn from(pool: PgPool) -> TenantPool {
        let admission = Admission::new(pool.options().get_max_connections() as usize, None);
        TenantPool {
            pool,
            admission,
            pooler: Pooler::Direct,
            #[cfg(feature = "sign")]
            signer: None,
        }
    }
}

impl fmt::Debug for TenantPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantPool").field("size", &self.size()).field("idle", &self.idle()).finish()
    }
}
