//! Waiting for jobs that are queued, on a connection that listens.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Config, NoTls};

use crate::wire::backoff::Backoff;

/// Said when a queue that had no jobs has some; nothing else is.
const CHANNEL: &str = "listen pg_tenant_jobs";

pub(super) struct Wake {
    heard: std::sync::Arc<Notify>,
    task: Option<JoinHandle<()>>,
}

impl Wake {
    /// Without a configuration it never hears anything.
    pub(super) fn new(config: Option<Config>) -> Wake {
        let heard = std::sync::Arc::new(Notify::new());
        let task = config.map(|config| {
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut backoff = Backoff::new();
                loop {
                    if listen(&config, &heard).await {
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

/// Until the connection ends; whether there was one.
async fn listen(config: &Config, heard: &Notify) -> bool {
    let Ok((client, mut connection)) = config.connect(NoTls).await else { return false };
    let mut messages = std::pin::pin!(futures_util::stream::poll_fn(move |cx| connection.poll_message(cx)));
    let mut listening = std::pin::pin!(client.batch_execute(CHANNEL));
    let mut began = false;
    loop {
        use futures_util::StreamExt;
        tokio::select! {
            listens = &mut listening, if !began => {
                if listens.is_err() {
                    return false;
                }
                began = true;
                // What was queued before this is not heard.
                heard.notify_one();
            }
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(_))) => heard.notify_one(),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return began,
            },
        }
    }
}
