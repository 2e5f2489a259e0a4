//! Replacing connections that have lived for long enough, and keeping some ready.

use std::sync::atomic::Ordering;
use std::time::Duration;

use deadpool::managed::{Pool, WeakPool};

use crate::pool::manager::Manager;
use crate::pool::tenant_pool::TenantPool;
use crate::pool::upkeep::Lifetimes;

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
