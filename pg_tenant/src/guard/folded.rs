//! What PostgreSQL computes once and keeps must not be one tenant's: [`crate::pg::folding`] says what that is. Here is
//! which functions it is asked of, and what counts as a tenant's.
//!
//! Nothing is refused: a function that says IMMUTABLE and reads a protected table answers rightly in every transaction,
//! and only what was computed from it is computed again in the next.

use crate::guard::function;
use crate::pg::oids;
use crate::pg::{folding, registry_row, relation};
use crate::policy::protection::{self, Protection};
use pgrx::pg_sys::{self, Oid};

/// A function of users is looked up, to be called.
pub fn called(function: Oid) {
    if !oids::is_of_users(function) || !folding::is_asked_for() {
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

/// A query of these tables runs while a value is computed.
pub fn runs(tables: impl Iterator<Item = Oid>) {
    for table in tables {
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

/// Before anything is planned or run.
pub fn begin_statement() {
    if folding::is_held() {
        folding::forget_holders();
    }
}
