//! How long a connection has lived, and been idle.

use std::time::Instant;

/// What decides whether a connection is still good.
pub(crate) struct Age {
    /// The generation of the pool that it belongs to.
    pub(super) generation: u64,
    /// When it is replaced.
    pub(super) until: Option<Instant>,
    pub(super) idle_since: Instant,
}

impl Age {
    /// It goes back to the pool.
    pub(crate) fn rest(&mut self, now: Instant) {
        self.idle_since = now;
    }
}
