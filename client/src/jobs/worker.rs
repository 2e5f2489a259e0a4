//! The worker: what it does for which kinds, how many at once, and how it waits.

use std::time::Duration;

use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, NoTls, Socket};

use super::claim::Wanted;
use super::connect::Connector;
use super::context::{JobTx, OutsideJob, SystemJobTx};
use super::handlers::{Handler, Handlers, handle};
use super::job::Job;
use super::pools::Pools;
use crate::pool::tenant_pool::TenantPool;
use crate::worker::{WorkError, host};

/// Does jobs of the kinds that it has a handler for. Any number of processes may have one; each attempt is one
/// worker's.
///
/// With the feature `metrics` it counts jobs and tells how many are open (see the crate's README).
#[must_use = "nothing is done until start(), run_until() or run_idle()"]
pub struct Worker {
    pub(super) pools: Pools,
    pub(super) handlers: Handlers,
    pub(super) wanted: Wanted,
    pub(super) concurrency: usize,
    pub(super) poll: Duration,
    pub(super) drain: Duration,
    pub(super) wake: Option<Connector>,
}

impl Worker {
    /// One job at a time, with leases of a minute, asking every second whether there is one. The pool's login was
    /// granted `tenant_worker` and `tenant_user`, and rights on the tables that jobs write.
    pub fn new(pool: TenantPool) -> Worker {
        let worker = format!("{}:{}", host(), std::process::id());
        let wanted = Wanted { worker, lanes: None, kinds: Vec::new(), lease: Duration::from_secs(60) };
        let (poll, drain) = (Duration::from_secs(1), Duration::from_secs(30));
        let pools = Pools { operators: pool.clone(), pool };
        Worker { pools, handlers: Handlers::new(), wanted, concurrency: 1, poll, drain, wake: None }
    }

    /// How jobs of this kind are done: in a transaction inside the job's tenant, which is committed together with the
    /// job's end.
    pub fn on<J: Job, F, Fut>(self, handler: F) -> Self
    where
        F: Fn(JobTx, J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), WorkError>> + Send + 'static,
    {
        self.with(J::KIND, Handler::Tenant(handle(handler)))
    }

    /// How jobs of this kind are done that do not write the database: at least once, each time with the same
    /// [key](super::JobContext::idempotency_key), and no connection is held meanwhile.
    pub fn on_outside<J: Job, F, Fut>(self, handler: F) -> Self
    where
        F: Fn(OutsideJob, J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), WorkError>> + Send + 'static,
    {
        self.with(J::KIND, Handler::Outside(handle(handler)))
    }

    /// How jobs of the system are done (`tenant.enqueue_system`): **across tenants**, in the system context.
    pub fn on_system<J: Job, F, Fut>(self, handler: F) -> Self
    where
        F: Fn(SystemJobTx, J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), WorkError>> + Send + 'static,
    {
        self.with(J::KIND, Handler::System(handle(handler)))
    }

    fn with(mut self, kind: &'static str, handler: Handler) -> Self {
        self.handlers.insert(kind, handler);
        self.wanted.kinds = self.handlers.keys().map(|kind| (*kind).to_owned()).collect();
        self
    }

    /// The pool of jobs of the system: its login was granted `tenant_user`, `tenant_system` and `tenant_worker`. By
    /// default they take the same pool.
    pub fn operators(mut self, pool: TenantPool) -> Self {
        self.pools.operators = pool;
        self
    }

    /// What it is called beside the jobs that it has claimed: by default the machine's name and the process's number.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.wanted.worker = name.into();
        self
    }

    /// Only jobs of these lanes, those of the first before those of the next; all by default.
    pub fn lanes<L: Into<String>>(mut self, lanes: impl IntoIterator<Item = L>) -> Self {
        self.wanted.lanes = Some(lanes.into_iter().map(Into::into).collect());
        self
    }

    /// How many jobs it works on at once; 1 by default. The pool needs one connection more: at most one less than it
    /// has are worked on, and one at least.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = jobs;
        self
    }

    /// For how long a worker that is silent keeps its jobs, from 1 second to 1 day; a minute by default. It says every
    /// third of that that it still works, so a job may take longer.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.wanted.lease = lease.clamp(Duration::from_secs(1), Duration::from_secs(86_400));
        self
    }

    /// How often it asks whether there is something to do, where there was nothing; a second by default.
    pub fn poll(mut self, pause: Duration) -> Self {
        self.poll = pause;
        self
    }

    /// How long jobs may go on once it was told to stop; 30 seconds by default. Those that do are rolled back then, and
    /// given back.
    pub fn drain_timeout(mut self, longest: Duration) -> Self {
        self.drain = longest;
        self
    }

    /// Also a connection of its own that waits for jobs that are queued, so that they need not wait for the next
    /// [`poll`](Self::poll): to the server itself, not through a pooler in transaction mode.
    pub fn listen(self, config: Config) -> Self {
        self.listen_tls(config, NoTls)
    }

    /// As [`listen`](Self::listen), encrypted.
    pub fn listen_tls<T>(mut self, config: Config, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        self.wake = Some(Connector::new(config, tls));
        self
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("kinds", &self.wanted.kinds).finish_non_exhaustive()
    }
}
