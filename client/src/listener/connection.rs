//! What is common to connections that do nothing but listen.

use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{Stream, StreamExt, stream};
use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Error as PgError, Notification, Socket};

/// Between two attempts to connect, doubled up to the longest.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);
pub(crate) const LONGEST: Duration = Duration::from_secs(10);

/// How long nothing may be heard before the server is asked whether it is still there, and how long its answer, or
/// connecting, may take.
const SILENCE: Duration = Duration::from_secs(30);

/// What arrives, answers apart.
pub(crate) struct Ear {
    messages: Pin<Box<dyn Stream<Item = Result<AsyncMessage, PgError>> + Send>>,
    silence: Duration,
}

/// What [`Ear::next`] has waited for.
pub(crate) enum Next {
    Heard(Notification),
    /// Nothing for a while: the server is to be asked.
    Silence,
    /// The connection has ended.
    End,
}

/// A new connection; none where connecting takes too long.
pub(crate) async fn connect<T>(config: &Config, tls: T) -> Result<Option<(Client, Ear)>, PgError>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let Ok(connected) = timeout(SILENCE, config.connect(tls)).await else { return Ok(None) };
    let (client, mut connection) = connected?;
    let messages = Box::pin(stream::poll_fn(move |cx| connection.poll_message(cx)));
    Ok(Some((client, Ear { messages, silence: config.get_keepalives_idle().min(SILENCE) })))
}

impl Ear {
    /// What `work` on this connection's client comes to; none where it is not answered in time. What comes meanwhile is
    /// heard.
    pub(crate) async fn during<W: Future>(
        &mut self,
        work: W,
        mut heard: impl FnMut(&Notification),
    ) -> Result<Option<W::Output>, PgError> {
        let mut answer = pin!(timeout(SILENCE.min(self.silence * 3), work));
        loop {
            match select(answer.as_mut(), self.messages.next()).await {
                Either::Left((answer, _)) => return Ok(answer.ok()),
                Either::Right((None, _)) => return Ok(None),
                Either::Right((Some(message), _)) => {
                    if let AsyncMessage::Notification(notification) = message? {
                        heard(&notification);
                    }
                }
            }
        }
    }

    /// What is heard next.
    pub(crate) async fn next(&mut self) -> Result<Next, PgError> {
        loop {
            match timeout(self.silence, self.messages.next()).await {
                Ok(Some(message)) => {
                    if let AsyncMessage::Notification(notification) = message? {
                        return Ok(Next::Heard(notification));
                    }
                }
                Ok(None) => return Ok(Next::End),
                Err(_) => return Ok(Next::Silence),
            }
        }
    }
}
