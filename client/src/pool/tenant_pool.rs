//! The pool: every way to a connection goes through a tenant.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use deadpool::managed;
use tokio::time::Instant;

use crate::error::Error;
use crate::observe::{Call, Whose};
use crate::pool::admission::{Admission, Permit, Site};
use crate::pool::lease::Lease;
use crate::pool::limits::LimitPolicy;
use crate::pool::manager::Manager;
use crate::pool::replicas::{Outcome, Replicas};
use crate::tenant::impersonation::Impersonation;
use crate::tenant::share::Share;
use crate::tenant::token::Token;
use crate::wire::cancel_request::Canceller;
use crate::wire::lsn::Lsn;

/// A pool of connections that are lent only inside a tenant.
///
/// Cloning shares the pool.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use pg_tenant_client::TenantPool;
///
/// let pool = TenantPool::builder("host=localhost user=app dbname=shop".parse()?).max_size(16).build()?;
/// let rows = pool.tenant("acme").query("select id from orders where total > $1", &[&100i64]).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TenantPool {
    pub(super) pool: managed::Pool<Manager>,
    canceller: Canceller,
    /// Stands before the pool's own queue, and decides whose turn it is.
    pub(super) admission: Admission,
    wait_timeout: Option<Duration>,
    /// Idle connections are looked after.
    pub(super) is_kept: Arc<AtomicBool>,
    /// How many connections may turn out to be of no use before one must be new.
    pub(crate) max_size: usize,
    /// What serves reads beside it.
    pub(super) replicas: Option<Arc<Replicas<TenantPool>>>,
    /// It is one of them, so that who asks it does not wait for a server that is away.
    pub(super) is_replica: bool,
    /// Signs a token for each transaction.
    #[cfg(feature = "sign")]
    pub(crate) signer: Option<crate::tenant::signer::TokenSigner>,
}

/// The number of connections and of waiting calls, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// How many connections it may hold.
    pub max_size: usize,
    /// How many it holds, lent or idle.
    pub size: usize,
    /// How many are idle.
    pub available: usize,
    /// How many calls wait for a connection.
    pub waiting: usize,
}

impl TenantPool {
    pub(crate) fn new(
        pool: managed::Pool<Manager>,
        canceller: Canceller,
        limits: Option<Arc<dyn LimitPolicy>>,
    ) -> TenantPool {
        let max_size = pool.status().max_size;
        let wait_timeout = pool.timeouts().wait;
        TenantPool {
            pool,
            canceller,
            admission: Admission::new(max_size, limits),
            wait_timeout,
            is_kept: Arc::default(),
            max_size,
            replicas: None,
            is_replica: false,
            #[cfg(feature = "sign")]
            signer: None,
        }
    }

    /// Checks that the server is reachable and has the right extension: connects, unless an idle connection is there.
    /// Call it at start-up, so that a mistake shows before the first request. A server that is starting is waited for,
    /// as by every call.
    ///
    /// # Errors
    /// The driver's where it cannot connect within the wait timeout; [`Error::is_extension_missing`] (`3F000`,
    /// `42883`); [`Error::is_version_mismatch`]; `42501` where the role was not granted `tenant_user`;
    /// [`Error::is_timeout`].
    pub async fn check(&self) -> Result<(), Error> {
        self.lease().await.map(drop)
    }

    /// The number of connections and of waiting calls, now.
    pub fn status(&self) -> Status {
        let managed::Status { max_size, size, available, waiting, .. } = self.pool.status();
        let ahead = self.pool.manager().upkeep.count_ahead();
        let (size, available) = (size + ahead, available + ahead);
        Status { max_size, size, available, waiting: waiting + self.admission.waiting() }
    }

    /// Replaces the limits of tenants: for calls that ask for a connection from now on, and for the number of
    /// connections of calls that wait already. Connections that are lent stay lent.
    pub fn set_limits(&self, policy: impl LimitPolicy) {
        let policy: Arc<dyn LimitPolicy> = Arc::new(policy);
        for replica in self.replica_pools() {
            replica.admission.set_policy(Arc::clone(&policy));
        }
        self.admission.set_policy(policy);
    }

    /// Closes the idle connections and refuses further calls; lent ones close when they come back.
    pub fn close(&self) {
        self.replica_pools().for_each(TenantPool::close);
        self.admission.close();
        self.pool.close();
        self.pool.manager().upkeep.clear_ahead();
    }

    /// [Closes](Self::close) the pool and waits until every connection is back: open transactions may finish, and calls
    /// that were dropped have been stopped on the server. For an orderly shutdown. It has no time limit of its own: put
    /// `tokio::time::timeout` around it. If the future is dropped, the pool stays closed.
    pub async fn drain(&self) {
        self.close();
        for replica in self.replica_pools() {
            replica.admission.until_all_returned().await;
        }
        self.admission.until_all_returned().await;
    }

    pub(crate) fn replicas(&self) -> Option<&Replicas<TenantPool>> {
        self.replicas.as_deref()
    }

    /// It is the pool of a replica, which only reads.
    pub(crate) fn is_replica(&self) -> bool {
        self.is_replica
    }

    pub(super) fn replica_pools(&self) -> impl Iterator<Item = &TenantPool> {
        self.replicas().into_iter().flat_map(Replicas::pools)
    }

    /// Counts what came of a read that a replica was to serve.
    pub(crate) fn note_read(&self, at: usize, outcome: Outcome, needs: Lsn, share: &Share) {
        if let Some(replicas) = self.replicas() {
            replicas.note(at, outcome, needs);
        }
        self.admission.count_read(share, outcome.name());
    }

    /// Lends a connection for no tenant.
    pub(crate) async fn lease(&self) -> Result<Lease, Error> {
        self.lease_for(Share::NoTenant, None).await
    }

    /// Lends a connection that counts against this account.
    pub(crate) async fn lease_for(&self, share: Share, site: Site) -> Result<Lease, Error> {
        self.lease_by(share, site, None).await
    }

    /// The same, for a transaction by this grant.
    pub(crate) async fn lease_by(&self, share: Share, site: Site, by: Option<&Impersonation>) -> Result<Lease, Error> {
        let call = Call::of("begin", Whose { tenant: share.tenant(), by });
        let lease = async {
            let asked = Instant::now();
            let permit = self.admission.admit_from(share, self.wait_timeout, site).await?;
            let object = self.connection(asked, permit.patience()).await?;
            Ok(Lease::new(object, self.canceller.clone(), permit))
        };
        let lease = call.watch(lease).await;
        call.ended(&lease);
        lease
    }

    /// Lends a connection to whoever has been admitted already.
    pub(crate) async fn lease_with(&self, permit: Option<Permit>) -> Result<Lease, Error> {
        match permit {
            Some(permit) => {
                let object = self.connection(Instant::now(), permit.patience()).await?;
                Ok(Lease::new(object, self.canceller.clone(), permit))
            }
            None => Err(Error::interrupted()),
        }
    }

    #[cfg(any(feature = "metrics", feature = "onboarding", feature = "jobs"))]
    pub(crate) fn meter(&self) -> &crate::observe::Meter {
        self.admission.meter()
    }

    /// The account that a call with this token counts against.
    pub(crate) fn share_of(&self, token: &Token) -> Share {
        self.admission.share_of(token)
    }

    pub(crate) async fn take(&self) -> Result<Box<crate::pool::connection::Connection>, Error> {
        let asked = Instant::now();
        let permit = self.admission.admit(Share::NoTenant, self.wait_timeout).await?;
        let object = self.connection(asked, permit.patience()).await?;
        Ok(managed::Object::take(object))
    }
}

impl fmt::Debug for TenantPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantPool").field("status", &self.status()).finish()
    }
}
