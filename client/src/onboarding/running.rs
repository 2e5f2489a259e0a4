//! A worker in a task of its own.

use std::fmt;

use super::runner::Runner;
use crate::worker::Running;

/// A [`Runner`] that works in a task of its own. Dropping it ends the task at once: what runs is rolled back, and
/// others take it when its lease is over.
#[must_use = "it stops working when dropped"]
pub struct RunningRunner(Running);

impl Runner {
    /// Starts it in a task of its own.
    pub fn start(self) -> RunningRunner {
        RunningRunner(Running::start(|stop| self.run_until(stop)))
    }
}

impl RunningRunner {
    /// Lets it take no more steps, and waits until those it has are done, as long as
    /// [`drain_timeout`](Runner::drain_timeout) lets them.
    pub async fn drain(self) {
        self.0.drain().await;
    }

    /// Whether it has ended: only by a panic, before it was told to.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl fmt::Debug for RunningRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningRunner").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}
