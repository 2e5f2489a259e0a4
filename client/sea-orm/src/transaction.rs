//! A transaction inside a tenant, and those nested in it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use pg_tenant_client::sqlx::TenantTx;
use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, Statement, StreamTrait,
    TransactionError, TransactionOptions, TransactionSession, TransactionTrait,
};

use crate::error::conn;
use crate::session::{OUTERMOST, Session};
use crate::statement;

/// A transaction inside one tenant. Made by [`TenantConnection`](crate::TenantConnection), or from a `TenantTx` of the
/// client's.
///
/// Dropping it rolls back. `begin` and `transaction` nest by savepoints; a nested one that is dropped is undone before
/// the next statement of the transaction runs, and so is one whose closure returned an error. Statements that fail,
/// fail the transaction as in PostgreSQL; `commit` is an error then, and nothing was committed.
pub struct TenantTransaction {
    session: Arc<Session>,
    /// Which of the session's it is.
    number: u64,
    open: bool,
}

impl TenantTransaction {
    fn nested(&self, number: u64) -> TenantTransaction {
        TenantTransaction { session: Arc::clone(&self.session), number, open: true }
    }
}

/// A transaction that the client has begun.
impl From<TenantTx> for TenantTransaction {
    fn from(tx: TenantTx) -> TenantTransaction {
        TenantTransaction { session: Arc::new(Session::new(tx)), number: OUTERMOST, open: true }
    }
}

#[async_trait]
impl ConnectionTrait for TenantTransaction {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        statement::execute(self.session.hold(self.number).await?.tx(), stmt).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        statement::execute_text(self.session.hold(self.number).await?.tx(), sql).await
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        statement::first(self.session.hold(self.number).await?.tx(), stmt).await
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        statement::all(self.session.hold(self.number).await?.tx(), stmt).await
    }
}

impl StreamTrait for TenantTransaction {
    type Stream<'a> = BoxStream<'a, Result<QueryResult, DbErr>>;

    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    /// No other statement of the transaction runs until the stream has ended or is dropped.
    fn stream_raw<'a>(
        &'a self,
        stmt: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        Box::pin(async move {
            let mut held = self.session.hold(self.number).await?;
            let rows = async_stream::try_stream! {
                let mut rows = statement::stream(held.tx(), stmt);
                while let Some(row) = rows.try_next().await? {
                    yield row;
                }
            };
            Ok(Box::pin(rows) as Self::Stream<'a>)
        })
    }
}

#[async_trait]
impl TransactionTrait for TenantTransaction {
    type Transaction = TenantTransaction;

    async fn begin(&self) -> Result<TenantTransaction, DbErr> {
        let number = self.session.hold(self.number).await?.nest().await?;
        Ok(self.nested(number))
    }

    /// As sea-orm does it: `SET TRANSACTION` inside the savepoint, of which PostgreSQL refuses what is not possible
    /// there.
    async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<TenantTransaction, DbErr> {
        let tx = self.begin().await?;
        let settings =
            [isolation_level.map(|level| format!("isolation level {level}")), access_mode.map(|m| m.to_string())];
        for setting in settings.into_iter().flatten() {
            tx.execute_unprepared(&format!("set transaction {setting}")).await?;
        }
        Ok(tx)
    }

    async fn begin_with_options(&self, options: TransactionOptions) -> Result<TenantTransaction, DbErr> {
        self.begin_with_config(options.isolation_level, options.access_mode).await
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
        let tx = self.begin_with_config(isolation_level, access_mode).await;
        tx.map_err(TransactionError::Connection)?.run(callback).await
    }
}

impl TenantTransaction {
    /// Commits where the closure returns `Ok`, rolls back where it returns `Err`.
    pub(crate) async fn run<F, T, E>(self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c TenantTransaction) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        match callback(&self).await {
            Ok(value) => self.commit().await.map(|()| value).map_err(TransactionError::Connection),
            Err(error) => match self.rollback().await {
                Ok(()) => Err(TransactionError::Transaction(error)),
                Err(error) => Err(TransactionError::Connection(error)),
            },
        }
    }
}

#[async_trait]
impl TransactionSession for TenantTransaction {
    /// Commits, with the client's probe: a transaction that failed, or lost its tenant, is an error. Nested, keeps what
    /// it did until the outermost commits.
    async fn commit(mut self) -> Result<(), DbErr> {
        let mut held = self.session.hold(self.number).await?;
        match self.number {
            OUTERMOST => held.take().commit().await.map_err(conn)?,
            number => held.release(number).await?,
        }
        self.open = false;
        Ok(())
    }

    async fn rollback(mut self) -> Result<(), DbErr> {
        let mut held = self.session.hold(self.number).await?;
        match self.number {
            OUTERMOST => held.take().rollback().await.map_err(conn)?,
            number => held.undo(number).await?,
        }
        self.open = false;
        Ok(())
    }
}

impl Drop for TenantTransaction {
    fn drop(&mut self) {
        if self.open {
            self.session.note_dropped(self.number);
        }
    }
}

impl fmt::Debug for TenantTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantTransaction").field("number", &self.number).finish_non_exhaustive()
    }
}
