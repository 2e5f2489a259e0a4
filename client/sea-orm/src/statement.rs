//! sea-orm's statements as sqlx's queries, on a transaction of the client's.

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use pg_tenant_client::sqlx::TenantTx;
use sea_orm::sea_query::Values;
use sea_orm::{DbErr, ExecResult, QueryResult, Statement};
use sea_query_sqlx::SqlxValues;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor, Postgres};

use crate::error::{exec, query};

fn bound(statement: Statement) -> Query<'static, Postgres, SqlxValues> {
    let values = statement.values.unwrap_or_else(|| Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}

pub(crate) async fn execute(tx: &mut TenantTx, statement: Statement) -> Result<ExecResult, DbErr> {
    bound(statement).execute(tx).await.map(ExecResult::from).map_err(exec)
}

/// A text, which may hold several statements.
pub(crate) async fn execute_text(tx: &mut TenantTx, sql: &str) -> Result<ExecResult, DbErr> {
    tx.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.map(ExecResult::from).map_err(exec)
}

pub(crate) async fn first(tx: &mut TenantTx, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
    Ok(bound(statement).fetch_optional(tx).await.map_err(query)?.map(QueryResult::from))
}

pub(crate) async fn all(tx: &mut TenantTx, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
    Ok(bound(statement).fetch_all(tx).await.map_err(query)?.into_iter().map(QueryResult::from).collect())
}

pub(crate) fn stream(tx: &mut TenantTx, statement: Statement) -> BoxStream<'_, Result<QueryResult, DbErr>> {
    Box::pin(bound(statement).fetch(tx).map_ok(QueryResult::from).map_err(query))
}
