//! Waiting for a server that is full, or not there yet.

use std::future::{poll_fn, ready};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use deadpool::managed::{Object, PoolError, Timeouts};
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Kind};
use crate::pool::manager::Manager;
use crate::pool::tenant_pool::TenantPool;
use crate::wire::backoff::Backoff;

type Got = Result<Object<Manager>, PoolError<Error>>;

impl TenantPool {
    /// An idle connection, or a new one. A server that refuses for now (it starts, stops, is full, is not there) is
    /// asked again, after growing pauses, until `patience` is over; a connection that comes back meanwhile is taken.
    pub(crate) async fn connection(
        &self,
        since: Instant,
        patience: Option<Duration>,
    ) -> Result<Object<Manager>, Error> {
        self.keep_up();
        // Nearly always one is idle. What is rare is boxed: its future would be a part of each call's.
        let mut get = pin!(self.get());
        match poll_fn(|cx| Poll::Ready(get.as_mut().poll(cx))).await {
            Poll::Ready(Ok(object)) => Ok(object),
            Poll::Ready(Err(error)) => Box::pin(self.wait_for_connection(ready(Err(error)), since, patience)).await,
            Poll::Pending => Box::pin(self.wait_for_connection(get, since, patience)).await,
        }
    }

    /// Without the pool's own timeout of waiting: ours goes on while connections fail.
    async fn get(&self) -> Got {
        self.pool.timeout_get(&Timeouts { wait: None, ..self.pool.timeouts() }).await
    }

    async fn wait_for_connection(
        &self,
        first: impl Future<Output = Got>,
        since: Instant,
        patience: Option<Duration>,
    ) -> Result<Object<Manager>, Error> {
        let deadline = patience.and_then(|patience| since.checked_add(patience));
        let (mut pauses, mut attempts) = (Backoff::new(), 0u32);
        let mut last: Option<Error> = None;
        let mut first = Some(first);
        loop {
            let get = async {
                match first.take() {
                    Some(first) => first.await,
                    None => self.get().await,
                }
            };
            let got = match deadline {
                Some(deadline) => match timeout_at(deadline, get).await {
                    Ok(got) => got,
                    Err(_) => return Err(in_vain(last, attempts + 1, since)),
                },
                None => get.await,
            };
            let error = match got {
                Ok(object) => return Ok(object),
                Err(error) => Error::from(error).not_executed(),
            };
            if !error.may_pass() || self.is_replica {
                return Err(error);
            }
            attempts += 1;
            let pause = pauses.next();
            if deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) {
                return Err(in_vain(Some(error), attempts, since));
            }
            last = Some(error);
            self.admission.until_returned(pause).await;
        }
    }
}

/// What the server said last, and for how long it was asked.
fn in_vain(last: Option<Error>, attempts: u32, since: Instant) -> Error {
    let error =
        last.unwrap_or_else(|| Error::new(Kind::Timeout, "no connection could be made within the pool's wait timeout"));
    let waited = format!("waited {:.1} s for the server, in {attempts} attempts", since.elapsed().as_secs_f64());
    let detail = match error.detail() {
        Some(detail) => format!("{detail}; {waited}"),
        None => waited,
    };
    // A connection that is closed says so; one that was never there is a timeout.
    let kind = if error.kind() == Kind::Server { Kind::Timeout } else { error.kind() };
    error.of_kind(kind).with_detail(detail)
}
