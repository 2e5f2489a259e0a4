//! The pool over sqlx.

use std::fmt;
use std::sync::Arc;

use ::sqlx::PgPool;
use ::sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::changes::Changes;
use crate::pool::admission::Admission;
use crate::pool::limits::LimitPolicy;
use crate::pool::pooler::Pooler;

/// A `sqlx::PgPool` whose connections are lent only inside a tenant. Cloning shares the pool.
///
/// Give settings of the session in the connect options. What `after_connect` sets makes every connection dirty, and a
/// dirty connection is not lent.
#[derive(Clone)]
pub struct TenantPool {
    pub(super) pool: PgPool,
    /// Stands before the pool's own queue, and decides whose turn it is.
    pub(super) admission: Admission,
    pub(super) pooler: Pooler,
    pub(super) changes: Arc<Changes>,
    #[cfg(feature = "sign")]
    pub(super) signer: Option<crate::tenant::signer::TokenSigner>,
}

impl TenantPool {
    /// Makes a pool. No connection is made until one is needed.
    ///
    /// `test_before_acquire` is turned off: beginning a transaction tests the connection in the same round trip, and
    /// takes another where it is broken.
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

    /// Sets which pooler, such as PgBouncer, is between this pool and PostgreSQL. By default none: it cannot be
    /// detected over sqlx.
    ///
    /// With [`Pooler::Transaction`] every statement is sent without a name, whatever its `persistent` says, in two
    /// round trips; a transaction that uses `prepare` gives its connection up when it ends.
    pub fn pooler(mut self, pooler: Pooler) -> Self {
        self.pooler = pooler;
        self
    }

    /// Replaces the options with which connections are made from now on, for a changed password or token. Open
    /// connections stay as they are. In force for all clones.
    ///
    /// sqlx has no callback that is asked for the credentials of each connection, as `credentials` of the pool over
    /// tokio-postgres is, and no call that replaces the connections that are there, as `renew()` does. So:
    ///
    /// - Let a task call this before a token expires, and again where it failed: between an expiry and the call,
    ///   connections cannot be made (`28P01`, `28000`; those that are open go on).
    /// - Give `PgPoolOptions::max_lifetime` a time that is shorter than an old password may live on: each connection is
    ///   replaced when it has come to that age and is returned.
    /// - To leave a server at once, as after a failover, make another pool and `close()` this one: what runs may end.
    ///
    /// ```no_run
    /// # async fn example(
    /// #     pool: pg_tenant_client::sqlx::TenantPool,
    /// #     fetch_token: impl AsyncFn() -> Option<String>,
    /// # ) -> Result<(), sqlx::Error> {
    /// use std::time::Duration;
    ///
    /// let connect: sqlx::postgres::PgConnectOptions = "postgres://app@db.internal/shop".parse()?;
    /// loop {
    ///     let pause = match fetch_token().await {
    ///         Some(token) => {
    ///             pool.set_connect_options(connect.clone().password(&token));
    ///             Duration::from_secs(10 * 60) // of the 15 minutes that a token lives
    ///         }
    ///         None => Duration::from_secs(5),
    ///     };
    ///     tokio::time::sleep(pause).await;
    /// }
    /// # }
    /// ```
    pub fn set_connect_options(&self, connect: PgConnectOptions) {
        self.pool.set_connect_options(connect);
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
    /// [`Plans`](crate::Plans). In force for all clones, also for later ones.
    ///
    /// With and without limits, a connection that becomes free goes to the waiting tenant that has the fewest, in turn.
    pub fn limits(self, policy: impl LimitPolicy) -> Self {
        self.set_limits(policy);
        self
    }

    /// Replaces the limits of tenants: for calls that ask for a connection from now on, and for the number of
    /// connections of calls that wait already. Connections that are lent stay lent.
    pub fn set_limits(&self, policy: impl LimitPolicy) {
        self.admission.set_policy(Arc::new(policy));
    }

    /// Which label the metrics have for each tenant; in force for all clones. With the feature `metrics`.
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

/// Wraps an existing pool. Code that keeps the `PgPool` can still take connections from it without a tenant; the server
/// refuses it protected tables.
impl From<PgPool> for TenantPool {
    fn from(pool: PgPool) -> TenantPool {
        let admission = Admission::new(pool.options().get_max_connections() as usize, None);
        TenantPool {
            pool,
            admission,
            pooler: Pooler::Direct,
            changes: Arc::default(),
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
