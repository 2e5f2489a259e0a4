//! What PostgreSQL computes once and keeps must not be one tenant's: [`crate::pg::folding`] says what that is. Here is
//! which functions it is asked of, and what counts as a tenant's.
//!
//! Nothing is refused: a function that says IMMUTABLE and reads a protected table answers rightly in every transaction, and
//! only what was computed from it is computed again in the next.

use crate::guard::function;
use crate::pg::{folding, registry_row, relation};
use crate::policy::protection::{self, Protection};
use pgrx::pg_sys::{self, Oid, PlannedStmt, QueryDesc};

/// A function of users is looked up, to be called.
pub fn called(function: Oid) {
    if u32::from(function) < 16_384 || !folding::is_asked_for() {
        return;
    }
    let facts = function::facts(function);
    if facts.immutable && registry_row::table().is_some() {
        folding::begin();
        // Its settings may be those of this transaction. A setting that is read by a plan made before is not seen.
        if facts.reads_settings || folding::is_touched() {
            folding::touch();
        }
    }
}

/// Whether the function of PostgreSQL's own reads settings, which may be those of this transaction.
pub fn reads_settings(function: Oid) -> bool {
    use pg_sys::{F_CURRENT_SETTING_TEXT, F_CURRENT_SETTING_TEXT_BOOL, F_PG_SHOW_ALL_SETTINGS};
    matches!(u32::from(function), F_CURRENT_SETTING_TEXT | F_CURRENT_SETTING_TEXT_BOOL | F_PG_SHOW_ALL_SETTINGS)
}

/// A query runs while a value is computed.
///
/// # Safety
/// `query` is valid during the call.
pub unsafe fn runs(query: *mut QueryDesc) {
    // SAFETY: the caller's promise.
    for table in unsafe { folding::tables(query) } {
        if is_tenants(table) {
            folding::touch();
        } else {
            folding::note_table(table);
        }
    }
}

/// Whether the relation's rows depend on who reads them, and in which transaction.
fn is_tenants(table: Oid) -> bool {
    !matches!(protection::of(table), Protection::None)
        || relation::class(table).is_some_and(|class| class.row_security || class.temporary)
}

/// A plan was made.
///
/// # Safety
/// As [`folding::planned`].
pub unsafe fn planned(plan: *mut PlannedStmt, before: u64) {
    // SAFETY: the caller's promise.
    unsafe { folding::planned(plan, before) }
}

/// Before anything is planned or run.
pub fn begin_statement() {
    if folding::is_held() {
        folding::forget_holders();
    }
}
