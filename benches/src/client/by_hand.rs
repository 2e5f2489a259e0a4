//! Peers that pipeline by hand, over deadpool-postgres: what the client sends, and the same on a stock policy.

use anyhow::Context;
use deadpool_postgres::{Object, Pool};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join3, join4, try_join_all};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, Statement};
use uuid::Uuid;

use super::peer::{PROTECTED, Peer, Point, STOCK};
use super::pools;

/// The client's messages, byte for byte: begin and enter, the statements, the probe and commit. Nothing is asked of the
/// connection, nothing is told to the server where a call is dropped, and nobody is kept from taking all connections.
pub(crate) struct SameWire {
    pool: Pool,
    tenant: String,
    begin: String,
}

impl SameWire {
    pub(crate) fn new(config: &tokio_postgres::Config, tenant: Uuid) -> anyhow::Result<SameWire> {
        let tenant = tenant.to_string();
        let begin = begin(&tenant);
        Ok(SameWire { pool: pools::deadpool(config)?, tenant, begin })
    }
}

fn begin(tenant: &str) -> String {
    format!("begin; select tenant.enter_pristine('{tenant}')")
}

impl Peer for SameWire {
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>> {
        async move {
            let client = self.pool.get().await?;
            let statement = client.prepare_cached(PROTECTED).await?;
            read_in_one_flight(&client, &statement, &self.begin, &self.tenant, keys).await
        }
        .boxed()
    }
}

/// The same on one connection that is always there: no pool, no lookup of the statement.
pub(crate) struct SameWireUnpooled {
    client: Client,
    statement: Statement,
    tenant: String,
    begin: String,
}

impl SameWireUnpooled {
    pub(crate) async fn new(config: &tokio_postgres::Config, tenant: Uuid) -> anyhow::Result<SameWireUnpooled> {
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        let statement = client.prepare(PROTECTED).await?;
        let tenant = tenant.to_string();
        let begin = begin(&tenant);
        Ok(SameWireUnpooled { client, statement, tenant, begin })
    }
}

impl Peer for SameWireUnpooled {
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>> {
        read_in_one_flight(&self.client, &self.statement, &self.begin, &self.tenant, keys).boxed()
    }
}

async fn read_in_one_flight(
    client: &Client,
    statement: &Statement,
    begin: &str,
    tenant: &str,
    keys: &[i64],
) -> anyhow::Result<Vec<Point>> {
    let begun = client.batch_execute(begin);
    let committed = client.simple_query("show pg_tenant.id; commit");
    let (points, committed) = if let [key] = keys {
        let (begun, row, committed) = join3(begun, client.query_one(statement, &[key]), committed).await;
        begun?;
        (vec![row?.try_into()?], committed?)
    } else {
        let (begun, points, committed) = join3(begun, read_all(client, statement, keys), committed).await;
        begun?;
        (points?, committed?)
    };
    let probed = committed.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    anyhow::ensure!(probed.context("no probe")? == tenant, "another tenant");
    Ok(points)
}

async fn read_all(client: &Client, statement: &Statement, keys: &[i64]) -> anyhow::Result<Vec<Point>> {
    try_join_all(keys.iter().map(async |key| Ok(client.query_one(statement, &[key]).await?.try_into()?))).await
}

/// begin, `set_config`, the statements and commit in one flight, on a stock policy.
pub(crate) struct StockPipelined {
    pool: Pool,
    tenant: String,
}

impl StockPipelined {
    pub(crate) fn new(config: &tokio_postgres::Config, tenant: Uuid) -> anyhow::Result<StockPipelined> {
        Ok(StockPipelined { pool: pools::deadpool(config)?, tenant: tenant.to_string() })
    }
}

impl Peer for StockPipelined {
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>> {
        async move {
            let client: Object = self.pool.get().await?;
            let set = client.prepare_cached("select set_config('app.tenant', $1, true)").await?;
            let statement = client.prepare_cached(STOCK).await?;
            let (begun, tenant, points, committed) = join4(
                client.batch_execute("begin"),
                client.execute(&set, &[&self.tenant]),
                read_all(&client, &statement, keys),
                client.batch_execute("commit"),
            )
            .await;
            begun?;
            tenant?;
            committed?;
            points
        }
        .boxed()
    }
}
