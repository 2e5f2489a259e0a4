//! `pgtenant protect` and `pgtenant prove`.

use clap::Args;

use crate::ask::Common;
use crate::output::Row;
use crate::wire::Fault;

/// A table that is protected.
#[derive(Args)]
pub struct Protect {
    /// The table, with its schema unless that is in the search path. Without one, those that are protected are listed.
    table: Option<String>,
    /// The column that says whose a row is.
    #[arg(long, default_value = "tenant_id")]
    column: String,
}

/// What is proved.
#[derive(Args)]
pub struct Prove {
    /// As which role; without one, as each that may read.
    #[arg(long = "as")]
    role: Option<String>,
    /// Also try to write. What is written is rolled back.
    #[arg(long)]
    mutate: bool,
    /// Print what passed, too.
    #[arg(long)]
    all: bool,
}

const PROTECTED: &str = "select relation::text as relation, tenant_column, tenant_type, enforced, protected_at from tenant.protected_tables order by 1";

/// Protects a table, or lists those that are.
pub async fn protect(common: &Common, protect: &Protect) -> Result<(), Fault> {
    let session = common.session().await?;
    match &protect.table {
        None => session.show(PROTECTED, &[], "no table is protected").await,
        Some(table) => {
            let sql = "select tenant.protect($1::text::regclass, $2::text::name)";
            session.change(sql, &[Some(table), Some(&protect.column)], &format!("table {table} is protected")).await
        }
    }
}

/// Proves that tenants are kept apart; whether everything passed.
pub async fn prove(common: &Common, prove: &Prove) -> Result<bool, Fault> {
    let session = common.session().await?;
    let sql = "select relation::text as relation, path, expected, got, passed
        from tenant.prove(as_role => $1::text::name, mutate => $2::text::boolean)";
    let rows = session.rows(sql, &[prove.role.as_deref(), Some(if prove.mutate { "true" } else { "false" })]).await?;
    let is_passed = |row: &Row| row.get("passed") == Some(&true.into());
    let (count, failed) = (rows.len(), rows.iter().filter(|row| !is_passed(row)).count());
    let shown = rows.into_iter().filter(|row| prove.all || !is_passed(row)).collect();
    session.output.rows(&shown, &format!("{count} ways tried, none leads to another tenant"))?;
    Ok(failed == 0)
}
