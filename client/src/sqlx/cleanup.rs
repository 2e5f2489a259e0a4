//! What happens to a connection whose transaction was dropped.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ::sqlx::pool::PoolConnection;
use ::sqlx::postgres::{PgConnectOptions, PgRow, PgSslMode};
use ::sqlx::{ConnectOptions, Connection, PgConnection, Postgres, Row};
use futures_util::future::join_all;
use tokio::net::lookup_host;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::pool::admission::Permit;

/// A transaction as `pg_stat_activity` shows it. The time is in it so that what is cancelled is this transaction and
/// not a later one of the same backend.
pub(crate) struct Transaction {
    pub(super) pid: i32,
    /// Seconds since the epoch, as text: exact.
    pub(super) start: String,
}

impl Transaction {
    /// As entering has returned it.
    pub(super) fn of(entered: Option<&PgRow>) -> Option<Transaction> {
        let entered = entered?;
        Some(Transaction { pid: entered.try_get(1).ok()?, start: entered.try_get(2).ok()? })
    }
}

/// Rolls back on a connection on which nothing is in flight, takes away what it has prepared where that may be `stale`,
/// then returns it to its pool.
pub(crate) fn roll_back(
    connection: PoolConnection<Postgres>,
    permit: Option<Permit>,
    sql: &'static str,
    stale: bool,
) -> impl Future<Output = ()> + Send + 'static {
    let mut returning = Returning(Some(connection), permit);
    async move {
        let Some(connection) = returning.0.as_mut() else { return };
        let rolled_back = async {
            ::sqlx::raw_sql(sql).execute(&mut **connection).await?;
            if stale { connection.clear_cached_statements().await } else { Ok(()) }
        };
        if rolled_back.await.is_err() {
            connection.close_on_drop();
        }
    }
}

/// A connection that a task is about to return. A runtime that shuts down drops the task where sqlx cannot spawn.
struct Returning(
    Option<PoolConnection<Postgres>>,
    #[expect(dead_code, reason = "ends after the connection")] Option<Permit>,
);

impl Drop for Returning {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take()
            && Handle::try_current().is_err()
        {
            drop(connection.detach());
        }
    }
}

/// Ends a connection that has left the pool, perhaps with a statement running: a backend would notice the closed socket
/// only when its statement ends, and hold the transaction until then.
///
/// The permit stays until then: what a tenant has left running counts against it, though others have the slot.
pub(crate) async fn cancel_and_rollback(
    mut connection: PgConnection,
    options: Arc<PgConnectOptions>,
    transaction: Option<Transaction>,
    roll_back: &'static str,
    _permit: Option<Permit>,
) {
    {
        let mut rolled_back = pin!(::sqlx::raw_sql(roll_back).execute(&mut connection));
        let mut ended = timeout(Duration::from_millis(10), &mut rolled_back).await.is_ok();
        for patience in [50, 100, 250, 500, 1000, 2000, 4000, 8000] {
            if ended {
                break;
            }
            if let Some(transaction) = &transaction {
                // Nobody is left to tell.
                let each = ways(&options).await;
                join_all(each.iter().map(|way| timeout(Duration::from_secs(5), cancel(way, transaction)))).await;
            }
            ended = timeout(Duration::from_millis(patience), &mut rolled_back).await.is_ok();
        }
    }
    let _ = timeout(Duration::from_secs(5), connection.close()).await;
}

/// Every address of the server's name: sqlx does not tell which of them a connection has reached, and at the others
/// there is no such transaction. With `verify-full` the certificate is for the name alone, which then has to lead to
/// the same again.
async fn ways(options: &PgConnectOptions) -> Vec<PgConnectOptions> {
    let (host, port) = (options.get_host(), options.get_port());
    let by_name = vec![options.clone()];
    if options.get_socket().is_some() || matches!(options.get_ssl_mode(), PgSslMode::VerifyFull) {
        return by_name;
    }
    match lookup_host((host, port)).await {
        Ok(addresses) => of_each(options, addresses.map(|address| address.ip())),
        Err(_) => by_name,
    }
}

fn of_each(options: &PgConnectOptions, addresses: impl Iterator<Item = IpAddr>) -> Vec<PgConnectOptions> {
    let mut seen = Vec::new();
    for address in addresses {
        if !seen.contains(&address) {
            seen.push(address);
        }
    }
    seen.into_iter().map(|address| options.clone().host(&address.to_string())).collect()
}

async fn cancel(options: &PgConnectOptions, transaction: &Transaction) -> Result<(), ::sqlx::Error> {
    let mut second = options.connect().await?;
    let sql = "select pg_catalog.pg_cancel_backend(pid) from pg_catalog.pg_stat_activity \
               where pid = $1 and extract(epoch from xact_start)::text = $2";
    ::sqlx::query(sql).bind(transaction.pid).bind(&transaction.start).persistent(false).execute(&mut second).await?;
    second.close().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_asked_once() {
        let options: PgConnectOptions = "postgres://app@db:5433/shop".parse().unwrap();
        let addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.1", "::1"].map(|ip| ip.parse().unwrap());
        let ways = of_each(&options, addresses.into_iter());
        assert_eq!(ways.iter().map(PgConnectOptions::get_host).collect::<Vec<_>>(), ["10.0.0.1", "10.0.0.2", "::1"]);
        assert!(ways.iter().all(|way| way.get_port() == 5433 && way.get_username() == "app"));
    }
}
