//! A worker, and a scheduler, in tasks of their own.

use std::fmt;

use super::scheduler::Scheduler;
use super::worker::Worker;
use crate::worker::Running;

/// A [`Worker`] that works in a task of its own. Dropping it ends the task at once: what runs is rolled back, and
/// others take it when its lease is over.
#[must_use = "it stops working when dropped"]
pub struct RunningWorker(Running);

impl Worker {
    /// Starts it in a task of its own.
    pub fn start(self) -> RunningWorker {
        RunningWorker(Running::start(|stop| self.run_until(stop)))
    }
}

impl RunningWorker {
    /// Lets it claim no more jobs, and waits until those it has are done, as long as
    /// [`drain_timeout`](Worker::drain_timeout) lets them.
    pub async fn drain(self) {
        self.0.drain().await;
    }

    /// Whether it has ended: only by a panic, before it was told to.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl fmt::Debug for RunningWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningWorker").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}

/// A [`Scheduler`] in a task of its own. Dropping it ends the task, and another one takes the lead.
#[must_use = "it stops when dropped"]
pub struct RunningScheduler(Running);

impl Scheduler {
    /// Starts it in a task of its own.
    pub fn start(self) -> RunningScheduler {
        RunningScheduler(Running::start(|stop| self.run_until(stop)))
    }
}

impl RunningScheduler {
    /// Stops it, and waits until it has: another one takes the lead.
    pub async fn stop(self) {
        self.0.drain().await;
    }
}

impl fmt::Debug for RunningScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunningScheduler")
    }
}
