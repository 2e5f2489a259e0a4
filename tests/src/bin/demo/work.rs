//! What a reader or writer does for one tenant, over either pool. No statement names a tenant.

use pg_tenant_client::{Error, TenantPool, sqlx as client_sqlx};
use sqlx::Row;
use uuid::Uuid;

/// Either pool.
#[derive(Clone)]
pub enum Pool {
    Deadpool(TenantPool),
    Sqlx(client_sqlx::TenantPool),
}

/// What one request did.
#[derive(Default)]
pub struct Done {
    /// Whose rows were read.
    pub read: Vec<Uuid>,
    /// How many were written.
    pub written: u64,
}

/// One request.
#[derive(Clone, Copy)]
pub enum Request {
    Read,
    Join,
    Write,
    /// Reads, writes, and rolls back.
    ChangesItsMind,
}

const READ: &str = "select tenant_id from orders where o_orderkey > $1 order by o_orderkey limit 100";
const JOIN: &str = "select l.tenant_id from orders o join lineitem l on l.l_orderkey = o.o_orderkey
    join customer c on c.c_custkey = o.o_custkey where o.o_orderkey between $1 and $1 + 400";
/// Leaves the writer's name on the row: afterwards it is compared with the row's tenant.
const WRITE: &str = "update orders set o_clerk = tenant.current_id(), o_shippriority = o_shippriority + 1
    where o_orderkey = $1";
const INSERT: &str = "insert into orders (o_orderkey, o_custkey, o_clerk, o_comment)
    select (random() * 1e15)::bigint + 1000000000, min(c_custkey), tenant.current_id(), 'demo' from customer";

impl Pool {
    pub async fn serve(&self, tenant: Uuid, request: Request, key: i64) -> Result<Done, Error> {
        match self {
            Pool::Deadpool(pool) => deadpool(pool, tenant, request, key).await,
            Pool::Sqlx(pool) => sqlx(pool, tenant, request, key).await,
        }
    }
}

async fn deadpool(pool: &TenantPool, tenant: Uuid, request: Request, key: i64) -> Result<Done, Error> {
    let tenant = pool.tenant(tenant);
    let owners = |rows: Vec<tokio_postgres::Row>| rows.iter().map(|row| row.get(0)).collect();
    match request {
        Request::Read => Ok(Done { read: owners(tenant.query(READ, &[&key]).await?), written: 0 }),
        Request::Join => Ok(Done { read: owners(tenant.query(JOIN, &[&key]).await?), written: 0 }),
        Request::Write => {
            tenant
                .run(async |tx| {
                    let written = tx.execute(WRITE, &[&key]).await? + tx.execute(INSERT, &[]).await?;
                    Ok(Done { read: owners(tx.query(READ, &[&key]).await?), written })
                })
                .await
        }
        Request::ChangesItsMind => {
            let mut tx = tenant.begin().await?;
            let read = owners(tx.query(READ, &[&key]).await?);
            tx.execute(WRITE, &[&key]).await?;
            tx.rollback().await?;
            Ok(Done { read, written: 0 })
        }
    }
}

async fn sqlx(pool: &client_sqlx::TenantPool, tenant: Uuid, request: Request, key: i64) -> Result<Done, Error> {
    let tenant = pool.tenant(tenant);
    let owners = |rows: Vec<sqlx::postgres::PgRow>| -> Result<Vec<Uuid>, Error> {
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    };
    match request {
        Request::Read => Ok(Done { read: owners(tenant.query(sqlx::query(READ).bind(key)).await?)?, written: 0 }),
        Request::Join => Ok(Done { read: owners(tenant.query(sqlx::query(JOIN).bind(key)).await?)?, written: 0 }),
        Request::Write => {
            tenant
                .run(async |tx| {
                    let written = sqlx::query(WRITE).bind(key).execute(&mut *tx).await?.rows_affected()
                        + sqlx::query(INSERT).execute(&mut *tx).await?.rows_affected();
                    let read = sqlx::query(READ).bind(key).fetch_all(&mut *tx).await?;
                    Ok(Done { read: owners(read)?, written })
                })
                .await
        }
        Request::ChangesItsMind => {
            let mut tx = tenant.begin().await?;
            let read = owners(sqlx::query(READ).bind(key).fetch_all(&mut tx).await?)?;
            sqlx::query(WRITE).bind(key).execute(&mut tx).await?;
            tx.rollback().await?;
            Ok(Done { read, written: 0 })
        }
    }
}
