//! Rows of text: each column is cast by the query, null is empty.

use deadpool_postgres::Transaction;
use tokio_postgres::types::Type;

use super::fault::Fault;

pub type Rows = Vec<Vec<String>>;

/// The rows of a query whose columns and parameters are text. Through poolers, too: nothing is prepared by name.
pub async fn text(tx: &Transaction<'_>, sql: &str, params: &[&str]) -> Result<Rows, Fault> {
    let typed: Vec<_> = params.iter().map(|param| (param as _, Type::TEXT)).collect();
    let rows = tx.query_typed(sql, &typed).await?;
    rows.iter()
        .map(|row| (0..row.len()).map(|i| Ok(row.try_get::<_, Option<String>>(i)?.unwrap_or_default())).collect())
        .collect()
}

/// A number that the server has written.
pub fn number(text: &str) -> f64 {
    text.parse().unwrap_or_default()
}
