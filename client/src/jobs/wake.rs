//! Waiting for jobs that are queued, on a connection that listens.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::connect::Connector;
use crate::listener::connection::Next;
use crate::wire::backoff::Backoff;

/// Said when a queue that had no jobs has some; nothing else is.
const LISTEN: &str = "listen pg_tenant_jobs";

pub(super) struct Wake {
    heard: Arc<Notify>,
    task: Option<JoinHandle<()>>,
}

impl Wake {
    /// Without a connection it never hears anything.
    pub(super) fn new(connector: Option<Connector>) -> Wake {
        let heard = Arc::new(Notify::new());
        let task = connector.map(|connector| {
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut backoff = Backoff::new();
                loop {
                    if listen(&connector, &heard).await {
                        backoff = Backoff::new();
                    }
                    tokio::time::sleep(backoff.next().max(Duration::from_millis(100))).await;
                }
            })
        });
        Wake { heard, task }
    }

    pub(super) async fn heard(&mut self) {
        self.heard.notified().await;
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Until the connection ends; whether it has listened.
async fn listen(connector: &Connector, heard: &Notify) -> bool {
    let Some((client, mut ear)) = connector.connect().await else { return false };
    if !matches!(ear.during(client.batch_execute(LISTEN), |_| ()).await, Ok(Some(Ok(())))) {
        return false;
    }
    // What was queued before this is not heard.
    heard.notify_one();
    loop {
        match ear.next().await {
            Ok(Next::Heard(_)) => heard.notify_one(),
            Ok(Next::Silence) => {
                let asked = ear.during(client.batch_execute(""), |_| heard.notify_one()).await;
                if !matches!(asked, Ok(Some(Ok(())))) {
                    return true;
                }
            }
            Ok(Next::End) | Err(_) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Instant;

    use super::*;

    /// A server that is away is not asked all the time.
    #[tokio::test]
    async fn it_pauses_between_attempts() {
        let asked = Arc::new(AtomicU32::new(0));
        let count = asked.clone();
        let connector = Connector::of(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Box::pin(std::future::ready(None))
        });
        let began = Instant::now();
        let wake = Wake::new(Some(connector));
        while asked.load(Ordering::Relaxed) < 4 {
            tokio::task::yield_now().await;
        }
        // Three pauses lie between four attempts.
        assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
        drop(wake);
    }
}
