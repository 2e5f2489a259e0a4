//! A worker in a task of its own.

use std::fmt;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::runner::Runner;

/// A [`Runner`] that works in a task of its own. Dropping it ends the task at once: what runs is rolled back, and
/// others take it when its lease is over.
#[must_use = "it stops working when dropped"]
pub struct RunningRunner {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Runner {
    /// Starts it in a task of its own.
    pub fn start(self) -> RunningRunner {
        let (stop, mut stopped) = watch::channel(false);
        let told = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        RunningRunner { stop, task: tokio::spawn(self.run_until(told)) }
    }
}

impl RunningRunner {
    /// Lets it take no more steps, and waits until those it has are done, as long as
    /// [`drain_timeout`](Runner::drain_timeout) lets them.
    pub async fn drain(mut self) {
        self.stop.send_replace(true);
        // A panic in it has ended it.
        let _ = (&mut self.task).await;
    }

    /// Whether it has ended: only by a panic, before it was told to.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for RunningRunner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for RunningRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningRunner").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}
