//! `&TenantHandle` and `&SystemTxBuilder` as sqlx executors: each call in a transaction of its own.

use ::sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use ::sqlx::{Describe, Either, Error, Execute, Executor, Postgres, SqlStr};
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt};

use super::builder::TenantHandle;
use super::danger::SystemTxBuilder;
use super::error::into_sqlx;
use super::generator::generator;
use super::open_tx::{Handle, OpenTx};
use super::statement::Watched;
use crate::tx::run::Begin;

type Step = Result<Either<PgQueryResult, PgRow>, Error>;

async fn begin<B: Begin<Tx: Handle>>(handle: &B) -> Result<OpenTx, Error> {
    handle.begin().await.map(Handle::into_open).map_err(into_sqlx)
}

/// What a statement returns, while it comes; then it is committed.
fn steps<B>(handle: B, query: Watched) -> BoxStream<'static, Step>
where
    B: Begin<Tx: Handle> + Send + 'static,
{
    let run = generator(|slot| async move {
        let mut open = begin(&handle).await?;
        let mut steps = open.steps(query);
        while let Some(step) = steps.try_next().await? {
            slot.put(step).await;
        }
        drop(steps);
        open.commit().await.map_err(into_sqlx)
    });
    run.boxed()
}

/// Its first row, if there is one.
async fn first<B: Begin<Tx: Handle>>(handle: &B, query: Watched) -> Result<Option<PgRow>, Error> {
    let mut open = begin(handle).await?;
    let row = open.first(query).await?;
    open.commit().await.map_err(into_sqlx)?;
    Ok(row)
}

macro_rules! executor {
    ($(#[$doc:meta])* $handle:ty) => {
        $(#[$doc])*
        impl<'c> Executor<'c> for &'c $handle {
            type Database = Postgres;

            fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Step>
            where
                'c: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                steps(self.clone(), Watched::new(query))
            }

            fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                Box::pin(first(self, Watched::new(query)))
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [PgTypeInfo],
            ) -> BoxFuture<'e, Result<PgStatement, Error>>
            where
                'c: 'e,
            {
                Box::pin(async move {
                    let mut tx = self.begin().await.map_err(into_sqlx)?;
                    let prepared = (&mut tx).prepare_with(sql, parameters).await?;
                    tx.commit().await.map_err(into_sqlx)?;
                    Ok(prepared)
                })
            }

            fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
            where
                'c: 'e,
            {
                Box::pin(async move {
                    let mut tx = self.begin().await.map_err(into_sqlx)?;
                    let described = (&mut tx).describe(sql).await?;
                    tx.commit().await.map_err(into_sqlx)?;
                    Ok(described)
                })
            }
        }
    };
}

executor! {
    /// Each call runs in a transaction of its own. A function that takes an executor takes `&handle` as well as `&mut
    /// tx`:
    ///
    /// ```no_run
    /// # async fn example(pool: pg_tenant_client::sqlx::TenantPool) -> Result<(), sqlx::Error> {
    /// async fn open(db: impl sqlx::PgExecutor<'_>) -> Result<Vec<(i64,)>, sqlx::Error> {
    ///     sqlx::query_as("select id from orders where open").fetch_all(db).await
    /// }
    ///
    /// let acme = pool.tenant("acme");
    /// let orders = open(&acme).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// `fetch_one` and `fetch_all` decode rows after the commit. A stream (`fetch`) commits at its end; if it is
    /// dropped before, it rolls back and the statement is cancelled.
    TenantHandle
}
executor! {
    /// Each call in a transaction of its own, as with [`TenantHandle`].
    SystemTxBuilder
}
