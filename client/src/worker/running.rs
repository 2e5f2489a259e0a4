//! A worker in a task of its own.

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A task that is told to stop, and ends at once when this is dropped.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    /// Starts what runs until the future that it is given is done.
    pub(crate) fn start<F>(run: impl FnOnce(std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) -> F) -> Running
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, mut stopped) = watch::channel(false);
        let told = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        Running { stop, task: tokio::spawn(run(Box::pin(told))) }
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn drain(mut self) {
        self.stop.send_replace(true);
        // A panic in it has ended it.
        let _ = (&mut self.task).await;
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
