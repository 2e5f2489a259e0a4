//! How long connections live, and how many idle ones are kept.
//!
//! A connection is looked at when it is lent and, while it is idle, by a task of the pool's. Idle connections that are
//! made ahead wait with the manager: the pool beneath can only make one for a call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::pool::age::Age;
use crate::pool::connection::Connection;
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

#[derive(Default)]
pub(crate) struct Upkeep {
    pub(crate) lifetimes: Lifetimes,
    pub(super) generation: AtomicU64,
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

    pub(super) fn ahead(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often idle connections are looked at.
    pub(super) fn every(&self) -> Option<Duration> {
        let Lifetimes { max, idle, min_idle } = self.lifetimes;
        let ahead = (min_idle > 0).then_some(Duration::from_secs(1));
        let shortest = [max, idle].into_iter().flatten().map(|time| time / 4).chain(ahead).min()?;
        Some(shortest.clamp(Duration::from_millis(20), Duration::from_secs(30)))
    }
}
