//! Reading `tenant.journal` without SQL, as the catalog's own tables are read: as last committed.
//!
//! The columns' numbers and the index are those of `sql/schema/core/journal.sql`.

use crate::pg::{catalog, journal_part, text};
use pgrx::pg_sys::{self, AttrNumber, Oid};

const ID: AttrNumber = 1;
const ACTION: AttrNumber = 3;
const OBJECT: AttrNumber = 4;

/// The journal's last word on the protection of a table of this name, qualified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LastWord {
    None,
    Protected,
    Unprotected,
}

/// What the journal says of it.
pub fn last_word(name: &str) -> LastWord {
    let (table, index) = journal_part::on_protection();
    if table == Oid::INVALID || index == Oid::INVALID {
        return LastWord::None;
    }
    let mut last = (i64::MIN, LastWord::None);
    catalog::scan_text(table, index, (OBJECT, name), |row| {
        let (Some(id), Some(action)) = (row.get(ID), row.get(ACTION)) else { return };
        // SAFETY: id is a bigint and action a text; neither is ever null, and the row stands while it is read.
        let action = unsafe { text::owned(pg_sys::text_to_cstring(action.cast_mut_ptr())) };
        let id = id.value() as i64;
        let word = match &*action {
            "protect" => LastWord::Protected,
            "unprotect" => LastWord::Unprotected,
            _ => return,
        };
        if id > last.0 {
            last = (id, word);
        }
    });
    last.1
}
