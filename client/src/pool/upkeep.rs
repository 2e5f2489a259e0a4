//! How long connections live, and how many idle ones are kept.
//!
//! A connection is looked at when it is lent and, while it is idle, by a task of the pool's. Idle connections that are
//! made ahead wait with the manager: the pool beneath can only make one for a call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{Pool, WeakPool};

use crate::pool::manager::{Connection, Manager};
use crate::pool::tenant_pool::TenantPool;
use crate::wire::backoff::random;

/// The settings for a pool's connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    pub(crate) max: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) min_idle: usize,
}

impl Default for Lifetimes {
    /// As sqlx.
    fn default() -> Lifetimes {
        Lifetimes { max: Some(Duration::from_secs(30 * 60)), idle: Some(Duration::from_secs(10 * 60)), min_idle: 0 }
    }
}

/// What decides whether a connection is still good.
pub(crate) struct Age {
    /// The generation of the pool that it belongs to.
    generation: u64,
    /// When it is replaced.
    until: Option<Instant>,
    idle_since: Instant,
}

impl Age {
    /// It goes back to the pool.
    pub(crate) fn rest(&mut self) {
        self.idle_since = Instant::now();
    }
}

#[derive(Default)]
pub(crate) struct Upkeep {
    pub(crate) lifetimes: Lifetimes,
    generation: AtomicU64,
    /// Made ahead, never lent.
    ahead: Mutex<Vec<Connection>>,
}

impl Upkeep {
    pub(crate) fn new(lifetimes: Lifetimes) -> Upkeep {
        Upkeep { lifetimes, ..Upkeep::default() }
    }

    /// A new connection's. Those that were made together do not end together: each lives for a part of the time, of at
    /// least nine tenths.
    pub(crate) fn born(&self) -> Age {
        let now = Instant::now();
        let until = self.lifetimes.max.and_then(|max| {
            let shortened = if max < Duration::from_secs(1 << 32) { max.mul_f64(1.0 - random() / 10.0) } else { max };
            now.checked_add(shortened)
        });
        Age { generation: self.generation.load(Ordering::Relaxed), until, idle_since: now }
    }

    /// It is not lent again.
    pub(crate) fn is_over(&self, age: &Age) -> bool {
        age.generation != self.generation.load(Ordering::Relaxed)
            || age.until.is_some_and(|until| Instant::now() >= until)
    }

    /// One that was made ahead and is still good.
    pub(crate) fn take_ahead(&self) -> Option<Connection> {
        let mut ahead = self.ahead();
        while let Some(connection) = ahead.pop() {
            if !connection.client.is_closed() && !self.is_over(&connection.age) {
                return Some(connection);
            }
        }
        None
    }

    pub(crate) fn count_ahead(&self) -> usize {
        self.ahead().len()
    }

    pub(crate) fn clear_ahead(&self) {
        let gone = std::mem::take(&mut *self.ahead());
        drop(gone);
    }

    fn ahead(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often idle connections are looked at.
    fn every(&self) -> Option<Duration> {
        let Lifetimes { max, idle, min_idle } = self.lifetimes;
        let ahead = (min_idle > 0).then_some(Duration::from_secs(1));
        let shortest = [max, idle].into_iter().flatten().map(|time| time / 4).chain(ahead).min()?;
        Some(shortest.clamp(Duration::from_millis(20), Duration::from_secs(30)))
    }
}

impl TenantPool {
    /// Replaces every connection by a new one: idle ones at once, lent ones when they come back. Use it after a
    /// failover, to return to hosts that are back, and after credentials were changed. Running calls are not disturbed.
    pub fn renew(&self) {
        self.replica_pools().for_each(TenantPool::renew);
        if let Some(replicas) = self.replicas() {
            replicas.written.forget();
        }
        let upkeep = &self.pool.manager().upkeep;
        upkeep.generation.fetch_add(1, Ordering::Relaxed);
        upkeep.clear_ahead();
        sweep(&self.pool);
    }

    /// Begins to look after idle connections, on the runtime of the first call.
    pub(super) fn keep_up(&self) {
        if self.is_kept.load(Ordering::Relaxed) || self.is_kept.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(every) = self.pool.manager().upkeep.every() {
            tokio::spawn(keep_up(self.pool.weak(), every));
        }
    }
}

/// Until the pool is closed or gone.
async fn keep_up(pool: WeakPool<Manager>, every: Duration) {
    loop {
        let Some(pool) = pool.upgrade().filter(|pool: &Pool<Manager>| !pool.is_closed()) else { return };
        sweep(&pool);
        fill(&pool).await;
        drop(pool);
        tokio::time::sleep(every).await;
    }
}

/// Closes idle connections that are over, and those that were idle for too long, but for as many as are to be there.
fn sweep(pool: &Pool<Manager>) {
    let upkeep = &pool.manager().upkeep;
    let Lifetimes { idle, min_idle, .. } = upkeep.lifetimes;
    let mut may_go = pool.status().available.saturating_sub(min_idle);
    let gone = pool.retain(|connection, _| {
        let over = connection.client.is_closed() || upkeep.is_over(&connection.age);
        let idle = may_go > 0 && idle.is_some_and(|idle| connection.age.idle_since.elapsed() >= idle);
        may_go = may_go.saturating_sub(usize::from(over || idle));
        !(over || idle)
    });
    drop(gone); // outside the pool's lock
}

/// Makes as many idle connections as are to be there, and the pool has room for. One that cannot be made is tried again
/// the next time.
async fn fill(pool: &Pool<Manager>) {
    let upkeep = &pool.manager().upkeep;
    // `waiting` are calls for which a connection is being made.
    let room = |ahead: usize| {
        let status = pool.status();
        status.size + status.waiting + ahead < status.max_size && status.available + ahead < upkeep.lifetimes.min_idle
    };
    while room(upkeep.count_ahead()) {
        let Ok(Ok(connection)) = tokio::time::timeout(Duration::from_secs(30), pool.manager().open()).await else {
            return;
        };
        let mut ahead = upkeep.ahead();
        if pool.is_closed() || !room(ahead.len()) {
            return;
        }
        ahead.push(connection);
    }
}
