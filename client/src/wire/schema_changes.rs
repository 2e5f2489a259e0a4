//! What the connections of a pool tell each other of plans that the schema has changed under.
//!
//! PostgreSQL plans a prepared statement anew when a table of it has changed, and refuses it where it returns other
//! columns then. One connection of the pool meets that; all of them prepare anew from there on.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::Statement;

use crate::wire::backoff::random;

/// A text that has been stale, and comes back in a form that it had before, was changed by no migration: it means one
/// thing under one `search_path` and another under the next. For so long it is prepared each time it is used, which is
/// a round trip more.
const UNSTEADY: Duration = Duration::from_secs(60 * 60);
/// A migration seldom comes alone. For so long after one was met, statements that could not be sent again are sent
/// without a name.
const RECENT: Duration = Duration::from_secs(60);
/// How many texts are remembered.
const CAPACITY: usize = 1024;

#[derive(Default)]
pub(crate) struct SchemaChanges {
    count: AtomicU64,
    texts: Mutex<HashMap<String, Text>>,
    /// When the last was met.
    last: Mutex<Option<Instant>>,
    /// What marks texts that a pooler must not know, other than any pool's before; 0 while none has to be.
    descriptions: AtomicU64,
    /// Nothing was ever stale, as in most programs most of the time.
    any: AtomicBool,
}

struct Text {
    since: Instant,
    /// What was stale.
    forms: Vec<u64>,
    unsteady: bool,
}

impl SchemaChanges {
    /// How many changes were met: what was prepared before the last one is prepared anew.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The plan of `sql` turned out stale on a connection that knew of `known` changes. Whether it is the first to.
    pub(crate) fn meet(&self, sql: &str, form: u64, known: u64) -> bool {
        if self.count.compare_exchange(known, known + 1, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return false;
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let mut texts = self.texts();
        if texts.len() >= CAPACITY && !texts.contains_key(sql) {
            texts.clear();
        }
        let new = || Text { since: Instant::now(), forms: Vec::new(), unsteady: false };
        let text = texts.entry(sql.to_owned()).or_insert_with(new);
        if text.since.elapsed() > UNSTEADY {
            *text = new();
        }
        if !text.forms.contains(&form) {
            text.forms.push(form);
        }
        self.any.store(true, Ordering::Relaxed);
        true
    }

    /// Whether one was met a short while ago.
    pub(crate) fn are_recent(&self) -> bool {
        let last = || *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.load(Ordering::Relaxed) && last().is_some_and(|at| at.elapsed() < RECENT)
    }

    /// It was prepared in this form.
    pub(crate) fn see(&self, sql: &str, form: impl FnOnce() -> u64) {
        if self.any.load(Ordering::Relaxed)
            && let Some(text) = self.texts().get_mut(sql)
        {
            text.unsteady |= text.forms.contains(&form());
        }
    }

    /// It is to be prepared each time.
    pub(crate) fn is_unsteady(&self, sql: &str) -> bool {
        self.any.load(Ordering::Relaxed)
            && self.texts().get(sql).is_some_and(|text| text.unsteady && text.since.elapsed() < UNSTEADY)
    }

    /// See [`descriptions`](Self::descriptions).
    pub(crate) fn descriptions(&self) -> u64 {
        self.descriptions.load(Ordering::Relaxed)
    }

    pub(crate) fn renew_descriptions(&self) {
        let first = || 1 + (random() * (1u64 << 52) as f64) as u64;
        let next = |last| Some(if last == 0 { first() } else { last + 1 });
        let _ = self.descriptions.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    fn texts(&self) -> MutexGuard<'_, HashMap<String, Text>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a statement takes and returns, in a number.
pub(crate) fn form_of(statement: &Statement) -> u64 {
    let mut hasher = DefaultHasher::new();
    statement.params().iter().for_each(|param| param.oid().hash(&mut hasher));
    statement.columns().iter().for_each(|column| (column.name(), column.type_().oid()).hash(&mut hasher));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_counts_once() {
        let changes = SchemaChanges::default();
        assert!(changes.meet("a", 1, 0) && !changes.meet("a", 1, 0), "two connections that meet the same change");
        assert!(changes.count() == 1);
    }

    #[test]
    fn what_comes_back_is_unsteady_and_what_goes_on_is_not() {
        let changes = SchemaChanges::default();
        for migration in 0..5 {
            assert!(changes.meet("migrated", migration, migration));
            changes.see("migrated", || migration + 1);
        }
        assert!(!changes.is_unsteady("migrated"));
        changes.see("migrated", || 0);
        assert!(changes.is_unsteady("migrated") && !changes.is_unsteady("another"));
    }
}
