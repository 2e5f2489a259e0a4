//! Hears that the registry has changed.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, Config, Error as PgError, NoTls, Socket};

use super::directory::Directory;

/// What `tenant.announce_change` notifies. The notification says nothing more: anybody may listen.
const LISTEN: &str = "listen tenant_registry";

/// The connection on which a [`Directory`] hears of changes. It stops when this is dropped.
#[must_use = "it stops listening when dropped"]
pub struct Listener {
    task: JoinHandle<()>,
    listens: watch::Receiver<bool>,
}

impl Directory {
    /// Forgets everything as soon as the registry has changed, which this hears on a connection of its own. It must be a
    /// direct one, to the primary: a pooler in transaction mode does not pass notifications on, a standby takes no
    /// LISTEN. Any role that may connect and is bound to no tenant will do.
    ///
    /// A connection that breaks is made again, for as long as it takes; meanwhile entries live for their time, and when
    /// it is there again everything is forgotten. After 30 seconds without a word, or the config's `keepalives_idle`
    /// where that is less, the server is asked whether it is still there: one that cannot be reached does not say so.
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

/// Between two attempts to connect, doubled up to the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// How long nothing may be heard before the server is asked whether it is still there, and how long its answer, or
/// connecting, may take.
const SILENCE: Duration = Duration::from_secs(30);

/// Until the connection ends, or carries nothing any more.
async fn hear<T>(directory: &Directory, config: &Config, tls: T, says: &watch::Sender<bool>) -> Result<(), PgError>
where
    T: MakeTlsConnect<Socket>,
{
    let Ok(connected) = timeout(SILENCE, config.connect(tls)).await else { return Ok(()) };
    let (client, mut connection) = connected?;
    let mut messages = stream::poll_fn(move |cx| connection.poll_message(cx));
    if !ask(&client, LISTEN, SILENCE, &mut messages, directory).await? {
        return Ok(());
    }
    directory.forget();
    says.send_replace(true);
    let silence = config.get_keepalives_idle().min(SILENCE);
    loop {
        match timeout(silence, messages.next()).await {
            Ok(Some(message)) => note(&message?, directory),
            Ok(None) => return Ok(()),
            // A way that carries nothing any more looks like a registry in which nothing changes.
            Err(_) if ask(&client, "", SILENCE.min(silence * 3), &mut messages, directory).await? => {}
            Err(_) => return Ok(()),
        }
    }
}

/// Whether it was answered in time. What comes meanwhile is heard.
async fn ask(
    client: &Client,
    sql: &str,
    within: Duration,
    messages: &mut (impl Stream<Item = Result<AsyncMessage, PgError>> + Unpin),
    directory: &Directory,
) -> Result<bool, PgError> {
    let mut answer = pin!(timeout(within, client.batch_execute(sql)));
    loop {
        match select(answer.as_mut(), messages.next()).await {
            Either::Left((Ok(answer), _)) => return answer.map(|()| true),
            Either::Left((Err(_), _)) | Either::Right((None, _)) => return Ok(false),
            Either::Right((Some(message), _)) => note(&message?, directory),
        }
    }
}

fn note(message: &AsyncMessage, directory: &Directory) {
    if let AsyncMessage::Notification(_) = message {
        directory.forget();
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
