//! Hears what tenants' transactions have notified.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Error as PgError, NoTls, Notification, Socket};

use super::connection::{Ear, LONGEST, Next, PAUSE, connect};
use crate::error::Error;
use crate::tenant::into_id::IntoTenantId;
use pg_tenant_core::TenantId;

/// Notifications that wait for [`TenantListener::next`]; of more, the oldest go, which is told.
const CAPACITY: usize = 1_024;

/// Listens to what transactions send with `tenant.notify`, on the channels that it is given: of one tenant
/// ([`listen`](Self::listen)), or of all tenants together ([`listen_shared`](Self::listen_shared)).
///
/// It has a connection of its own, as a member of `tenant_user` that enters no tenant: a direct one, to the primary,
/// since a pooler in transaction mode does not pass notifications on and a standby takes no LISTEN. One that breaks is
/// made again, for as long as it takes. It stops when this is dropped.
///
/// Notifications can be lost. Take one as a hint that something has happened, and read the rows inside the tenant.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use pg_tenant_client::{Heard, TenantListener};
///
/// let mut listener = TenantListener::connect("host=localhost user=app dbname=shop".parse()?).await?;
/// listener.listen("acme", "orders").await?;
/// loop {
///     match listener.next().await {
///         Heard::Notification(heard) => println!("{:?} {} {}", heard.tenant, heard.channel, heard.payload),
///         // Look at everything that is waited for.
///         _ => {}
///     }
/// }
/// # }
/// ```
#[must_use = "it stops listening when dropped"]
pub struct TenantListener {
    wishes: mpsc::UnboundedSender<Wish>,
    heard: broadcast::Receiver<Heard>,
    task: JoinHandle<()>,
}

/// What [`TenantListener::next`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// A transaction that sent a notification has committed.
    Notification(TenantNotification),
    /// Some may have been missed: the connection broke and was made again, or more came than were fetched.
    Missed,
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantNotification {
    /// The tenant whose channel it is; `None` for a channel that all tenants share, whose payload may name the tenant.
    pub tenant: Option<TenantId>,
    /// The channel's name, as it was given to `listen`.
    pub channel: String,
    /// The payload, as it was sent.
    pub payload: String,
}

/// A channel, and the tenant whose it is.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Channel {
    tenant: Option<TenantId>,
    name: String,
}

struct Wish {
    channel: Channel,
    listen: bool,
    granted: oneshot::Sender<Result<(), Error>>,
}

impl TenantListener {
    /// Connects, without encryption.
    ///
    /// # Errors
    /// Those of connecting. A connection that breaks later is made again, see [`Heard::Missed`].
    pub async fn connect(config: Config) -> Result<TenantListener, Error> {
        TenantListener::connect_tls(config, NoTls).await
    }

    /// As [`connect`](Self::connect), encrypted.
    ///
    /// # Errors
    /// Likewise.
    pub async fn connect_tls<T>(config: Config, tls: T) -> Result<TenantListener, Error>
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let connected = connect(&config, tls.clone()).await?;
        let ((wishes, wished), (says, heard)) = (mpsc::unbounded_channel(), broadcast::channel(CAPACITY));
        let task = tokio::spawn(async move {
            let mut state = State { names: HashMap::new(), due: VecDeque::new(), wished, says };
            let (mut connected, mut pause) = (connected, PAUSE);
            loop {
                if let Some((client, ear)) = connected {
                    // Why it ended shows in the server's log; there is nobody here to tell.
                    let _ = state.serve(&client, ear, &mut pause).await;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST);
                connected = connect(&config, tls.clone()).await.ok().flatten();
            }
        });
        Ok(TenantListener { wishes, heard, task })
    }

    /// Starts to listen to `tenant.notify(channel)` of this tenant; in force once this returns. If the future is
    /// dropped, it may be in force or not.
    ///
    /// # Errors
    /// `TN004` for a malformed id; those of the server, such as `42501` for a role that is no member of `tenant_user`.
    /// While the connection is broken this waits.
    pub async fn listen(&self, tenant: impl IntoTenantId, channel: &str) -> Result<(), Error> {
        let tenant = tenant.into_tenant_id().map_err(Error::malformed)?;
        self.wish(Some(tenant), channel, true).await
    }

    /// Starts to listen to a channel that all tenants share (`tenant.allow_channel`). The payload is empty or the
    /// tenant's id.
    ///
    /// # Errors
    /// Those of the server. While the connection is broken this waits.
    pub async fn listen_shared(&self, channel: &str) -> Result<(), Error> {
        self.wish(None, channel, true).await
    }

    /// Stops listening to this tenant's channel.
    ///
    /// # Errors
    /// As of [`listen`](Self::listen).
    pub async fn unlisten(&self, tenant: impl IntoTenantId, channel: &str) -> Result<(), Error> {
        let tenant = tenant.into_tenant_id().map_err(Error::malformed)?;
        self.wish(Some(tenant), channel, false).await
    }

    /// Stops listening to the channel that all tenants share.
    ///
    /// # Errors
    /// As of [`listen_shared`](Self::listen_shared).
    pub async fn unlisten_shared(&self, channel: &str) -> Result<(), Error> {
        self.wish(None, channel, false).await
    }

    async fn wish(&self, tenant: Option<TenantId>, name: &str, listen: bool) -> Result<(), Error> {
        let (granted, answer) = oneshot::channel();
        let channel = Channel { tenant, name: name.to_owned() };
        let _ = self.wishes.send(Wish { channel, listen, granted });
        // The task lives as long as this.
        answer.await.unwrap_or(Ok(()))
    }

    /// Waits for the next notification. Dropping the future loses none.
    pub async fn next(&mut self) -> Heard {
        match self.heard.recv().await {
            Ok(heard) => heard,
            Err(broadcast::error::RecvError::Lagged(_)) => Heard::Missed,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// What outlives a connection.
struct State {
    /// By the name that the server has for it.
    names: HashMap<String, Channel>,
    /// Wishes that a connection ended before it could grant them.
    due: VecDeque<Wish>,
    wished: mpsc::UnboundedReceiver<Wish>,
    says: broadcast::Sender<Heard>,
}

impl State {
    /// Until the connection ends, or carries nothing any more.
    async fn serve(&mut self, client: &Client, mut ear: Ear, pause: &mut std::time::Duration) -> Result<(), PgError> {
        let again: Vec<String> = self.names.keys().map(|name| format!("listen {}", quoted(name))).collect();
        if !again.is_empty() {
            let Some(listens) = ear.during(client.batch_execute(&again.join(";")), |_| {}).await? else {
                return Ok(());
            };
            listens?;
            let _ = self.says.send(Heard::Missed);
        }
        *pause = PAUSE;
        loop {
            while let Some(wish) = self.due.pop_front() {
                match self.grant(client, &mut ear, &wish).await? {
                    Some(answer) => drop(wish.granted.send(answer)),
                    None => {
                        self.due.push_front(wish);
                        return Ok(());
                    }
                }
            }
            tokio::select! {
                wish = self.wished.recv() => match wish {
                    Some(wish) => self.due.push_back(wish),
                    None => std::future::pending().await,
                },
                next = ear.next() => match next? {
                    Next::Heard(notification) => say(&self.says, &self.names, &notification),
                    Next::End => return Ok(()),
                    // A way that carries nothing any more looks like tenants that have nothing to say.
                    Next::Silence => {
                        let (says, names) = (&self.says, &self.names);
                        let heard = |notification: &Notification| say(says, names, notification);
                        let Some(answer) = ear.during(client.batch_execute(""), heard).await? else { return Ok(()) };
                        answer?;
                    }
                },
            }
        }
    }

    /// The server's answer; none where the connection has ended.
    async fn grant(
        &mut self,
        client: &Client,
        ear: &mut Ear,
        wish: &Wish,
    ) -> Result<Option<Result<(), Error>>, PgError> {
        let Wish { channel, listen, .. } = wish;
        let granting = async {
            let name = match &channel.tenant {
                Some(tenant) => {
                    client.query_one("select tenant.channel($1, $2)", &[&channel.name, &tenant.as_str()]).await?.get(0)
                }
                None => channel.name.clone(),
            };
            let verb = if *listen { "listen" } else { "unlisten" };
            client.batch_execute(&format!("{verb} {}", quoted(&name))).await?;
            Ok::<_, PgError>(name)
        };
        let (says, names) = (&self.says, &self.names);
        let granted = ear.during(granting, |notification| say(says, names, notification)).await?;
        Ok(match granted {
            None => None,
            Some(Err(error)) if error.as_db_error().is_none() => return Err(error),
            Some(Err(error)) => Some(Err(Error::from(error))),
            Some(Ok(name)) if *listen => {
                self.names.insert(name, channel.clone());
                Some(Ok(()))
            }
            Some(Ok(name)) => {
                self.names.remove(&name);
                Some(Ok(()))
            }
        })
    }
}

fn say(says: &broadcast::Sender<Heard>, names: &HashMap<String, Channel>, notification: &Notification) {
    let Some(Channel { tenant, name }) = names.get(notification.channel()) else { return };
    let (tenant, channel, payload) = (*tenant, name.clone(), notification.payload().to_owned());
    // Nobody hears it where the listener is being dropped.
    let _ = says.send(Heard::Notification(TenantNotification { tenant, channel, payload }));
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Drop for TenantListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for TenantListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantListener").finish_non_exhaustive()
    }
}
