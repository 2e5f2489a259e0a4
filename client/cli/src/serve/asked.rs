//! The forms of a tenant's page: what they ask for.

use deadpool_postgres::Transaction;

use super::page::{Field, Form};
use super::table::is_there;
use crate::live::{Fault, text};

const LIMITS: [(&str, &str); 4] = [
    ("statement_timeout_ms", "Statements, at most ms"),
    ("lock_timeout_ms", "Waits for locks, at most ms"),
    ("idle_ms", "Idle in a transaction, at most ms"),
    ("work_mem_kb", "work_mem, kB"),
];

/// What all sessions of a tenant share.
const SHARED: &[&str] = &[
    "concurrent_transactions",
    "transactions_per_second",
    "statements_per_second",
    "rows_written_per_second",
    "advisory_locks",
    "temporary_bytes",
    "weight",
];

/// The forms of a tenant's page, with the limits of its own that it has.
pub async fn forms(tx: &Transaction<'_>, id: &str) -> Result<Vec<Form>, Fault> {
    let sql = "select statement_timeout_ms::text, lock_timeout_ms::text, idle_in_transaction_session_timeout_ms::text, work_mem_kb::text
        from tenant.tenants where id = $1";
    let own = text(tx, sql, &[id]).await?.into_iter().next().unwrap_or_default();
    let field = |name, label, value, choices| Field { name, label, value, choices };
    let own = LIMITS.into_iter().zip(own).map(|((name, label), value)| field(name, label, value, &[][..])).collect();
    let form = |action, title, button, fields| Form { action, title, button, id: id.to_owned(), fields };
    let mut forms = vec![
        form("/suspend", "Suspend it: nobody enters it", "Suspend", vec![]),
        form("/resume", "Resume it: it is active again", "Resume", vec![]),
        form("/read-only", "Make it read-only", "Make read-only", vec![]),
        form("/limits", "Limit each of its transactions (empty is its plan's)", "Limit transactions", own),
    ];
    if is_there(tx, "tenant.limit_state").await? {
        let mut fields = vec![field("name", "What", String::new(), SHARED)];
        let numbers = [("hard", "At most"), ("soft", "Noted above"), ("burst", "At once")];
        fields.extend(numbers.map(|(name, label)| field(name, label, String::new(), &[][..])));
        forms.push(form("/limit", "Limit all its sessions together (empty is its plan's)", "Limit sessions", fields));
    }
    Ok(forms)
}
