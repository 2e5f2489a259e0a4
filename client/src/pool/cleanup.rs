//! Asking the server to stop what a dropped call left running.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::pool::admission::Permit;
use crate::pool::connection::Connection;
use crate::wire::cancel_request::Canceller;

/// How long a cancel request may take. Given up before it was carried out, it ends PgBouncer 1.18.
const CANCELLING: Duration = Duration::from_secs(15);

/// Ends a connection that has left the pool with a call in flight.
///
/// Closing the socket is not enough: a backend notices only when its statement ends, and holds the transaction until
/// then. So a ROLLBACK is queued behind whatever was sent, and where it is not answered soon, cancel requests go out
/// until it is: one alone may arrive between two statements and hit none. The connection stays open meanwhile, so the
/// process id in the request cannot have become somebody else's. Without a runtime the connection is only closed.
///
/// The permit stays until then: what a tenant has left running counts against it, though others have the slot.
pub(crate) fn cancel_and_rollback(connection: Box<Connection>, canceller: Canceller, mut permit: Option<Permit>) {
    if let Some(permit) = &mut permit {
        permit.release_slot();
    }
    if connection.client.is_closed() {
        return;
    }
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move {
        let token = connection.client.cancel_token();
        let mut rolled_back = pin!(connection.client.batch_execute(roll_back(connection.statements.deallocates())));
        let mut ended = timeout(Duration::from_millis(10), &mut rolled_back).await.is_ok();
        for patience in [50, 100, 250, 500, 1000, 2000, 4000, 8000] {
            if ended {
                break;
            }
            let _ = timeout(CANCELLING, canceller(token.clone(), connection.client.reached().cloned())).await;
            ended = timeout(Duration::from_millis(patience), &mut rolled_back).await.is_ok();
        }
        drop(permit);
    });
}

/// Queues a ROLLBACK without waiting for it. Whatever is sent on this connection next is behind it.
///
/// tokio-postgres hands a simple query to its connection task on the first poll and only then waits.
pub(crate) fn queue_rollback(connection: &Connection) {
    let _ = pin!(connection.client.batch_execute(roll_back(connection.statements.deallocates())))
        .poll(&mut Context::from_waker(Waker::noop()));
}

/// `named`: a statement may have a name in a session that goes to somebody else. It is taken away in the same message,
/// before the session can go.
pub(crate) fn roll_back(named: bool) -> &'static str {
    if named { "rollback; deallocate all" } else { "rollback" }
}
