//! One tenant on one pool, where sea-orm has a connection.

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use pg_tenant_client::IsolationLevel as ClientLevel;
use pg_tenant_client::sqlx::{TenantHandle, TenantTx};
use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, Statement, StreamTrait,
    TransactionError, TransactionOptions, TransactionTrait,
};

use crate::error::conn;
use crate::statement;
use crate::transaction::TenantTransaction;

/// One tenant on one pool: each statement runs in a transaction of its own inside the tenant; `begin` and `transaction`
/// are for several. It holds no connection, and is cheap to make and to clone.
///
/// A statement takes three round trips: beginning and entering, itself, and commit with its probe.
#[derive(Clone, Debug)]
pub struct TenantConnection {
    handle: TenantHandle,
}

impl TenantConnection {
    /// The same as [`From`].
    pub fn new(handle: TenantHandle) -> TenantConnection {
        TenantConnection { handle }
    }

    async fn open(&self) -> Result<TenantTx, DbErr> {
        self.handle.begin().await.map_err(conn)
    }

    fn with(&self, isolation_level: Option<IsolationLevel>, access_mode: Option<AccessMode>) -> TenantConnection {
        let mut handle = self.handle.clone();
        if let Some(level) = isolation_level {
            handle = handle.isolation_level(match level {
                IsolationLevel::RepeatableRead => ClientLevel::RepeatableRead,
                IsolationLevel::Serializable => ClientLevel::Serializable,
                // PostgreSQL makes no difference between them.
                IsolationLevel::ReadCommitted | IsolationLevel::ReadUncommitted => ClientLevel::ReadCommitted,
            });
        }
        if let Some(mode) = access_mode {
            handle = handle.read_only(mode == AccessMode::ReadOnly);
        }
        TenantConnection { handle }
    }
}

/// `pool.tenant("acme")`, with what was chosen on it.
impl From<TenantHandle> for TenantConnection {
    fn from(handle: TenantHandle) -> TenantConnection {
        TenantConnection { handle }
    }
}

#[async_trait]
impl ConnectionTrait for TenantConnection {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        let mut tx = self.open().await?;
        let done = statement::execute(&mut tx, stmt).await?;
        tx.commit().await.map(|()| done).map_err(conn)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut tx = self.open().await?;
        let done = statement::execute_text(&mut tx, sql).await?;
        tx.commit().await.map(|()| done).map_err(conn)
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut tx = self.open().await?;
        let row = statement::first(&mut tx, stmt).await?;
        tx.commit().await.map(|()| row).map_err(conn)
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut tx = self.open().await?;
        let rows = statement::all(&mut tx, stmt).await?;
        tx.commit().await.map(|()| rows).map_err(conn)
    }
}

impl StreamTrait for TenantConnection {
    type Stream<'a> = BoxStream<'a, Result<QueryResult, DbErr>>;

    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    /// The transaction is open until the stream has ended; dropped before, it is rolled back.
    fn stream_raw<'a>(
        &'a self,
        stmt: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        Box::pin(async move {
            let mut tx = self.open().await?;
            let rows = async_stream::try_stream! {
                {
                    let mut rows = statement::stream(&mut tx, stmt);
                    while let Some(row) = rows.try_next().await? {
                        yield row;
                    }
                }
                tx.commit().await.map_err(conn)?;
            };
            Ok(Box::pin(rows) as Self::Stream<'a>)
        })
    }
}

#[async_trait]
impl TransactionTrait for TenantConnection {
    type Transaction = TenantTransaction;

    async fn begin(&self) -> Result<TenantTransaction, DbErr> {
        Ok(self.open().await?.into())
    }

    async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<TenantTransaction, DbErr> {
        self.with(isolation_level, access_mode).begin().await
    }

    async fn begin_with_options(&self, options: TransactionOptions) -> Result<TenantTransaction, DbErr> {
        self.with(options.isolation_level, options.access_mode).begin().await
    }

    async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c TenantTransaction) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        self.begin().await.map_err(TransactionError::Connection)?.run(callback).await
    }

    async fn transaction_with_config<F, T, E>(
        &self,
        callback: F,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c TenantTransaction) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        self.with(isolation_level, access_mode).transaction(callback).await
    }
}
