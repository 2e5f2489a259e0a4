//! Hears that the registry has changed.

use std::fmt;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, Error as PgError, NoTls, Notification, Socket};

use super::directory::Directory;
use crate::listener::connection::{LONGEST, Next, PAUSE, connect};

/// What `tenant_internal.announce_change` notifies. The notification says nothing more: anybody may listen.
const LISTEN: &str = "listen tenant_registry";

/// The connection on which a [`Directory`] hears of changes. It stops when this is dropped.
#[must_use = "it stops listening when dropped"]
pub struct Listener {
    task: JoinHandle<()>,
    listens: watch::Receiver<bool>,
}

impl Directory {
    /// Empties the cache as soon as the registry changes, which the server notifies on a connection of its own. This
    /// must be a direct connection to the primary: a pooler in transaction mode does not pass notifications on, and a
    /// standby takes no LISTEN. Any role that may connect and is bound to no tenant will do.
    ///
    /// A connection that breaks is made again, however long that takes. Meanwhile entries expire as usual, and once it
    /// is back the cache is emptied. After 30 seconds of silence, or the config's `keepalives_idle` where that is less,
    /// the server is asked whether it is still there, because an unreachable server is silent too.
    pub fn listen(&self, config: Config) -> Listener {
        self.listen_tls(config, NoTls)
    }

    /// As [`listen`](Self::listen), encrypted.
    pub fn listen_tls<T>(&self, config: Config, tls: T) -> Listener
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let (directory, (says, listens)) = (self.clone(), watch::channel(false));
        let task = tokio::spawn(async move {
            let mut pause = PAUSE;
            loop {
                // Why it ended, if not by itself, shows in the server's log; there is nobody here to tell.
                let _ = hear(&directory, &config, tls.clone(), &says).await;
                pause = if says.send_replace(false) { PAUSE } else { (pause * 2).min(LONGEST) };
                tokio::time::sleep(pause).await;
            }
        });
        Listener { task, listens }
    }
}

/// Until the connection ends, or carries nothing any more.
async fn hear<T>(directory: &Directory, config: &Config, tls: T, says: &watch::Sender<bool>) -> Result<(), PgError>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let Some((client, mut ear)) = connect(config, tls).await? else { return Ok(()) };
    let forget = |_: &Notification| directory.forget();
    let Some(listens) = ear.during(client.batch_execute(LISTEN), forget).await? else { return Ok(()) };
    listens?;
    directory.forget();
    says.send_replace(true);
    loop {
        match ear.next().await? {
            Next::Heard(_) => directory.forget(),
            Next::End => return Ok(()),
            // A way that carries nothing any more looks like a registry in which nothing changes.
            Next::Silence => {
                let Some(answer) = ear.during(client.batch_execute(""), forget).await? else { return Ok(()) };
                answer?;
            }
        }
    }
}

impl Listener {
    /// Whether it hears of changes at this moment.
    pub fn is_listening(&self) -> bool {
        *self.listens.borrow()
    }

    /// Waits until it does.
    pub async fn listening(&mut self) {
        // The task, which holds the other end, lives as long as this.
        let _ = self.listens.wait_for(|listens| *listens).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("is_listening", &self.is_listening()).finish_non_exhaustive()
    }
}
