//! The limits of a tenant, and where they come from.

use std::pin::Pin;
use std::time::Duration;

use pg_tenant_core::TenantId;

use super::Rate;

/// What one tenant may take of a pool. What is not set is not limited; `Limits::new()` limits nothing.
///
/// ```
/// use pg_tenant_client::{Limits, Rate};
/// use std::time::Duration;
///
/// let free = Limits::new()
///     .connections(2)
///     .waiting(16)
///     .acquire_timeout(Duration::from_secs(2))
///     .statement_timeout(Duration::from_secs(5))
///     .rate(Rate::per_second(50));
/// ```
///
/// Limits share a pool fairly among tenants. They hold for one pool: an application with four processes has four pools.
/// SQL that a tenant writes itself can undo a statement timeout that is set here; `tenant.set_limits` is enforced by
/// the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub(crate) connections: Option<usize>,
    pub(crate) waiting: Option<usize>,
    pub(crate) acquire_timeout: Option<Duration>,
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) rate: Option<Rate>,
}

impl Limits {
    /// No limits.
    pub fn new() -> Limits {
        Limits::default()
    }

    /// How many connections the tenant may have at once. A connection whose call was dropped counts until the server
    /// has stopped it. With 0 every call of the tenant is refused.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = Some(connections);
        self
    }

    /// How many of the tenant's calls may wait for a connection; one more is refused at once. With 0 none waits.
    #[must_use]
    pub fn waiting(mut self, calls: usize) -> Self {
        self.waiting = Some(calls);
        self
    }

    /// How long a call of the tenant waits for a connection, instead of the pool's own
    /// [`wait_timeout`](crate::TenantPoolBuilder::wait_timeout).
    #[must_use]
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = Some(timeout);
        self
    }

    /// How long a statement may run, in whole milliseconds, at least one; PostgreSQL ends it then (`57014`). Where the
    /// session's own `statement_timeout`, or the tenant's in the registry, is shorter, that one stays.
    ///
    /// It is set for the transaction, in the text that begins it: no round trip more, and the session stays pristine.
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = Some(timeout);
        self
    }

    /// How often the tenant may begin a transaction (a single statement is one); one more is refused at once.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }
}

/// What a [`LimitPolicy`] looks up before it is asked.
pub type Refresh<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Decides the limits of each tenant. A [`Limits`] is the same for all, a closure `Fn(&TenantId) -> Limits` chooses,
/// [`Plans`](super::Plans) has a table.
///
/// It is called at every checkout, so limits may change at any time. It must be fast and must not block.
pub trait LimitPolicy: Send + Sync + 'static {
    /// The limits of one tenant.
    fn limits(&self, tenant: &TenantId) -> Limits;

    /// Looks up what [`limits`](Self::limits) will be asked for, where that takes a wait: awaited before each call of
    /// the tenant, for as long as that may wait for a connection. `None`, the default, where nothing has to be looked
    /// up.
    fn refresh<'a>(&'a self, tenant: &'a TenantId) -> Option<Refresh<'a>> {
        let _ = tenant;
        None
    }

    /// The limits of all calls together whose tenant is not known yet: those of `signed(…)` with a token that this pool
    /// has not seen the server accept.
    fn unnamed(&self) -> Limits {
        Limits::new()
    }
}

impl LimitPolicy for Limits {
    fn limits(&self, _: &TenantId) -> Limits {
        self.clone()
    }
}

impl<F: Fn(&TenantId) -> Limits + Send + Sync + 'static> LimitPolicy for F {
    fn limits(&self, tenant: &TenantId) -> Limits {
        self(tenant)
    }
}
