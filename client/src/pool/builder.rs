//! The settings of a pool.

use std::sync::Arc;
use std::time::Duration;

use deadpool::{Runtime, managed};
use tokio_postgres::{Config, NoTls, Socket, tls::MakeTlsConnect, tls::TlsConnect};

use crate::error::{Error, Kind};
use crate::pool::credentials::{CredentialSource, Credentials};
use crate::pool::limits::LimitPolicy;
use crate::pool::manager::Manager;
use crate::pool::pooler::Pooler;
use crate::pool::replicas;
use crate::pool::replicas::Replicas;
use crate::pool::tenant_pool::TenantPool;
use crate::pool::upkeep::{Lifetimes, Upkeep};
use crate::wire::cancel_request;
use crate::wire::cancel_request::Canceller;
use crate::wire::link::{Connect, Tls};

/// How long a call waits for a connection, where nothing else was said. As sqlx.
const WAIT: Duration = Duration::from_secs(30);

/// Builds a [`TenantPool`].
///
/// Give settings of the session in the [`Config`]'s `options` (`-c statement_timeout=5s`), not by a `SET` after
/// connecting: that would make every connection dirty, and a dirty connection is not lent. (Behind PgBouncer: with
/// `ALTER ROLE … SET`.)
#[must_use = "a builder does nothing until build()"]
pub struct TenantPoolBuilder {
    config: Config,
    connect: Arc<dyn Connect>,
    canceller: Canceller,
    max_size: usize,
    timeouts: managed::Timeouts,
    statement_cache: usize,
    lifetimes: Lifetimes,
    pooler: Pooler,
    limits: Option<Arc<dyn LimitPolicy>>,
    credentials: Option<CredentialSource>,
    replicas: Vec<Config>,
    max_replica_lag: Duration,
    #[cfg(feature = "metrics")]
    labels: Option<crate::observe::MetricLabels>,
    #[cfg(feature = "sign")]
    signer: Option<crate::tenant::signer::TokenSigner>,
}

impl TenantPool {
    /// A builder for a pool that connects with this configuration.
    pub fn builder(config: Config) -> TenantPoolBuilder {
        TenantPoolBuilder::new(config)
    }
}

impl TenantPoolBuilder {
    pub(crate) fn new(config: Config) -> TenantPoolBuilder {
        TenantPoolBuilder {
            canceller: cancel_request::plain(),
            config,
            connect: Arc::new(Tls(NoTls)),
            max_size: 16,
            timeouts: managed::Timeouts { wait: Some(WAIT), ..managed::Timeouts::default() },
            credentials: None,
            replicas: Vec::new(),
            max_replica_lag: replicas::LAG,
            statement_cache: 256,
            lifetimes: Lifetimes::default(),
            pooler: Pooler::default(),
            limits: None,
            #[cfg(feature = "metrics")]
            labels: None,
            #[cfg(feature = "sign")]
            signer: None,
        }
    }

    /// How many connections the pool may hold; 16 by default. A connection that was given up is closed outside the
    /// pool, so the server may see a few more for a moment.
    pub fn max_size(mut self, max_size: usize) -> Self {
        self.max_size = max_size;
        self
    }

    /// How connections, and requests to cancel, are encrypted; not at all by default.
    pub fn tls<T>(mut self, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + Sync,
        T::TlsConnect: Send + Sync,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        self.canceller = cancel_request::encrypted(tls.clone());
        self.connect = Arc::new(Tls(tls));
        self
    }

    /// How long a call waits for a connection; 30 seconds by default, for ever with [`Duration::MAX`]. A tenant's own
    /// [`acquire_timeout`](crate::Limits::acquire_timeout) takes precedence.
    ///
    /// The time covers both waits: for one of the pool's connections, and for the server to accept a new one. A server
    /// that is full (`53300`), starts or stops (`57P03`, `57P01`), is not the one that was asked for
    /// (`target_session_attrs`) or refuses to connect is asked again until then, after growing pauses of up to a
    /// second. If no connection becomes free in time, the error names the transactions that hold them: for how long,
    /// and where in the program they began.
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.wait = Some(timeout);
        self
    }

    /// How long one attempt to connect and to check the extension may take; as long as the call waits by default.
    pub fn create_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.create = Some(timeout);
        self
    }

    /// How long the check of a returned connection may take; for ever by default. The check sends nothing over the
    /// network.
    pub fn recycle_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.recycle = Some(timeout);
        self
    }

    /// A closure that gives the credentials of each new connection, instead of the password in the configuration: a
    /// token that expires (of a cloud's IAM), a secret that is rotated. It runs whenever a connection is made, within
    /// the wait timeout, so it should cache what it has until that expires.
    ///
    /// An error that it returns fails the call that needed the connection; nothing was sent then.
    ///
    /// ```no_run
    /// # async fn token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// use pg_tenant_client::{Credentials, TenantPool};
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = TenantPool::builder("host=db user=app dbname=shop".parse()?)
    ///     .credentials(|| async { token().await.map(Credentials::password) })
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn credentials<F, A, E>(mut self, ask: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.credentials = Some(CredentialSource::new(ask));
        self
    }

    /// A replica (hot standby) that serves what only reads: single statements and transactions of a
    /// [`tenant`](TenantPool::tenant) with [`read_only(true)`](crate::TenantHandle::read_only). May be said several
    /// times; they take turns, each with as many connections as the pool.
    ///
    /// A read goes to a replica only if that has replayed what the tenant has written through this pool, and what
    /// [`read_after`](crate::TenantHandle::read_after) says; it looks for itself in the flight that enters, so a read
    /// costs no round trip more. Where it has not, where it is older than [`max_replica_lag`](Self::max_replica_lag),
    /// where it is away, promoted, or refuses the tenant, the same goes to the primary, as long as the caller has seen
    /// nothing of it. So a new tenant is there at once. One that was suspended on the primary is refused by the replica
    /// once that has replayed it, and may be read there until then: for as long as the lag at most.
    ///
    /// Serializable and deferrable transactions, and those that may write, go to the primary. What each server lends is
    /// limited by itself. [`check`](TenantPool::check) and [`status`](TenantPool::status) are about the primary.
    pub fn replica(mut self, config: Config) -> Self {
        self.replicas.push(config);
        self
    }

    /// How old what a replica answers may be; 10 seconds by default, as old as it is with [`Duration::MAX`]. A replica
    /// that has all that the primary has sent it is as new as can be told: a primary that it can no longer hear is
    /// noticed after `wal_receiver_timeout`.
    pub fn max_replica_lag(mut self, lag: Duration) -> Self {
        self.max_replica_lag = lag;
        self
    }

    /// How long a connection lives; 30 minutes by default, for ever with [`Duration::MAX`]. After that it is closed as
    /// soon as it is idle, and the next call gets a new one. Each connection lives for a random time between nine
    /// tenths of this and all of it, so that they do not all end together.
    ///
    /// So the pool returns to the first of several hosts after a failover, spreads over the hosts that are back
    /// (`load_balance_hosts=random`), and frees the memory that server processes have gathered. [`TenantPool::renew`]
    /// does it at once.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetimes.max = Some(lifetime);
        self
    }

    /// How long a connection may be idle before it is closed; 10 minutes by default, for ever with [`Duration::MAX`].
    /// [`min_idle`](Self::min_idle) of them stay.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.lifetimes.idle = Some(timeout);
        self
    }

    /// How many idle connections are kept ready, as far as [`max_size`](Self::max_size) leaves room; none by default.
    /// They are made in the background, from the first call on (such as [`TenantPool::check`]), on the runtime of that
    /// call, and checked about once a second.
    pub fn min_idle(mut self, connections: usize) -> Self {
        self.lifetimes.min_idle = connections;
        self
    }

    /// How many prepared statements each connection keeps; 256 by default. The least recently used is closed.
    pub fn statement_cache(mut self, statements: usize) -> Self {
        self.statement_cache = statements;
        self
    }

    /// Which pooler, such as PgBouncer, is between this pool and PostgreSQL; detected by default.
    pub fn pooler(mut self, pooler: Pooler) -> Self {
        self.pooler = pooler;
        self
    }

    /// What each tenant may take of the pool: the same [`Limits`](crate::Limits) for all, a closure, or
    /// [`Plans`](crate::Plans). None by default.
    ///
    /// With and without limits, a connection that becomes free goes to the waiting tenant that has the fewest, in turn.
    pub fn limits(mut self, policy: impl LimitPolicy) -> Self {
        self.limits = Some(Arc::new(policy));
        self
    }

    /// Which label the metrics have for each tenant; `other` for all by default. With the feature `metrics`.
    #[cfg(feature = "metrics")]
    pub fn metric_labels(mut self, labels: crate::observe::MetricLabels) -> Self {
        self.labels = Some(labels);
        self
    }

    /// Signs a token for each transaction, so that `tenant(…)` enters with it: for roles that must
    /// (`pg_tenant.require_signed`). Whoever holds the key may enter every tenant; where tokens come from elsewhere,
    /// such as a login service, forward them with `signed(…)` instead.
    #[cfg(feature = "sign")]
    pub fn signer(mut self, signer: crate::tenant::signer::TokenSigner) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Builds the pool. No connection is made until one is needed; [`TenantPool::check`] makes one.
    ///
    /// # Errors
    /// `max_size` is 0.
    pub fn build(self) -> Result<TenantPool, Error> {
        if self.max_size == 0 {
            return Err(Error::new(Kind::Config, "a pool needs room for at least one connection"));
        }
        let replicas: Vec<_> =
            self.replicas.iter().map(|config| self.server(config, true)).collect::<Result<_, _>>()?;
        let mut pool = self.server(&self.config, false)?;
        if !replicas.is_empty() {
            pool.replicas = Some(Arc::new(Replicas::new(replicas, self.max_replica_lag)));
        }
        #[cfg(feature = "sign")]
        {
            pool.signer = self.signer;
        }
        Ok(pool)
    }

    /// The pool of one server.
    fn server(&self, config: &Config, is_replica: bool) -> Result<TenantPool, Error> {
        let lifetimes = Lifetimes { min_idle: self.lifetimes.min_idle.min(self.max_size), ..self.lifetimes };
        let manager = Manager {
            config: config.clone(),
            credentials: self.credentials.clone(),
            connect: Arc::clone(&self.connect),
            statement_cache: self.statement_cache,
            param_types: Arc::default(),
            pooler: self.pooler,
            upkeep: Upkeep::new(lifetimes),
        };
        let timeouts = match self.timeouts {
            timeouts if is_replica => managed::Timeouts { wait: Some(replicas::WAIT), ..timeouts },
            timeouts => timeouts,
        };
        let pool = managed::Pool::builder(manager)
            .max_size(self.max_size)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| Error::new(Kind::Config, error.to_string()).with_source(error))?;
        let mut pool = TenantPool::new(pool, Arc::clone(&self.canceller), self.limits.clone());
        pool.is_replica = is_replica;
        #[cfg(feature = "metrics")]
        if let Some(labels) = &self.labels {
            pool.meter().set_labels(labels.clone());
        }
        Ok(pool)
    }
}

impl std::fmt::Debug for TenantPoolBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TenantPoolBuilder").field("config", &self.config).field("max_size", &self.max_size).finish()
    }
}
