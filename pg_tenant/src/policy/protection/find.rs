//! How a table is protected, read from the catalog.

use super::memory::{self, RestsOn};
use super::{Gap, Held, Protection, Rows, Sign};
use crate::pg::journal_row::{self, LastWord};
use crate::pg::policy::{self, Form};
use crate::pg::{defaults, extension, hierarchy, relation, rewrite, shared_row};
use pgrx::pg_sys::Oid;

/// What PostgreSQL's own relations hold: pg_statistic, pg_statistic_ext_data; pg_largeobject; pg_authid,
/// pg_user_mapping; and the TOAST tables of its catalogs.
pub(super) fn of_postgres(relation: u32) -> Option<Held> {
    match relation {
        2619 | 3429 => Some(Held::Statistics),
        2613 => Some(Held::LargeObjects),
        1260 | 1418 => Some(Held::Secrets),
        2840 | 2966 | 3430 | 3439 | 4171 | 4173 | 4175 | 4183 => Some(Held::Toast),
        _ => None,
    }
}

pub(super) fn find(table: Oid) -> Protection {
    // No borrow is held here: catalog reads deliver invalidations.
    let before = memory::epoch();
    let Some(class) = relation::class(table) else { return Protection::None };
    let (verdict, rests_on) = if class.is_materialized_view() {
        (materialized(table), RestsOn::More)
    } else if let Some(held) = held(table, class) {
        (Protection::Held(held), RestsOn::Itself)
    } else if !class.has_rows_of_tables() {
        (Protection::None, RestsOn::Itself)
    } else if let Some(fence) = policy::fence(table) {
        let verdict = match (class.row_security, class.forced) {
            (false, _) => Protection::Broken(Gap::NotEnabled),
            (true, false) => Protection::Broken(Gap::NotForced),
            _ if fence.form == Form::Torn => Protection::Broken(Gap::Torn(fence)),
            (true, true) => Protection::Fenced(fence),
        };
        (verdict, RestsOn::Itself)
    } else {
        let above = hierarchy::ancestors(table);
        let below = if class.has_children { hierarchy::descendants(table) } else { Vec::new() };
        let fenced = |tables: &[Oid]| tables.iter().copied().find(|&table| policy::fence(table).is_some());
        let sign = lost(table, class);
        let verdict = match (fenced(&above), fenced(&below), sign) {
            (Some(parent), ..) => Protection::Broken(Gap::UnderProtected(parent)),
            (_, Some(child), _) => Protection::Broken(Gap::OverProtected(child)),
            _ if class.is_foreign_table() && !shared_row::is_there(table) => Protection::Uncovered(Rows::Foreign),
            (.., Some(sign)) if !shared_row::is_there(table) => Protection::Broken(Gap::Lost(sign)),
            _ => Protection::None,
        };
        let rests_on = if class.is_foreign_table() || sign.is_some() || !matches!(verdict, Protection::None) {
            RestsOn::More
        } else if above.is_empty() && below.is_empty() {
            RestsOn::Itself
        } else {
            RestsOn::Hierarchy([above, below].concat())
        };
        (verdict, rests_on)
    };
    // Not remembered: it depends on the search path.
    if class.temporary && matches!(verdict, Protection::None) {
        return shadowed(table).map_or(verdict, Protection::Shadows);
    }
    if memory::epoch() == before {
        memory::remember(table, verdict, rests_on);
    }
    verdict
}

/// A sign that this table without a fence once had one, and was restored alone, copied or renamed into place. Looked
/// for once for each unprotected table, in a database with the extension.
fn lost(table: Oid, class: relation::Class) -> Option<Sign> {
    // With row-level security enabled, PostgreSQL shows only what the remaining policies allow, or nothing.
    if class.row_security || class.temporary || !class.is_table() || !extension::is_complete() {
        return None;
    }
    match journal_row::last_word(&relation::name(table)) {
        LastWord::Protected => Some(Sign::Journal),
        _ if defaults::read_tenant(table) => Some(Sign::Default),
        // It was unprotected on purpose; FORCE was set before it was ever protected.
        LastWord::Unprotected => None,
        LastWord::None => (class.forced && !policy::has_any(table)).then_some(Sign::Forced),
    }
}

fn held(relation: Oid, class: relation::Class) -> Option<Held> {
    if class.is_toast() {
        Some(Held::Toast)
    } else if class.is_sequence() && !class.temporary {
        Some(Held::Sequence)
    } else if class.is_table() && extension::owns_table(relation) {
        Some(Held::Own)
    } else {
        None
    }
}

fn materialized(view: Oid) -> Protection {
    let held = rewrite::relations_under(view).into_iter().find(|&table| policy::fence(table).is_some());
    match held {
        Some(table) if !shared_row::is_there(view) => Protection::Uncovered(Rows::Of(table)),
        _ => Protection::None,
    }
}

/// The protected table that this temporary relation stands in front of.
fn shadowed(temporary: Oid) -> Option<Oid> {
    relation::namesakes(temporary).into_iter().find(|&table| policy::fence(table).is_some())
}
