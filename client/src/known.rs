//! What one connection of a pool learned of a statement, for the others: the types of its parameters.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_postgres::{Statement, types::Type};

use crate::query::Step;

/// How many texts are remembered.
const CAPACITY: usize = 4096;

/// Texts and the types of their parameters, bounded: a full one starts over, and what is in use comes back. Asked only
/// where a connection has not prepared a statement itself.
#[derive(Default)]
pub(crate) struct Known(Mutex<HashMap<String, Arc<[Type]>>>);

impl Known {
    /// The types to send a statement with.
    pub(crate) fn types(&self, step: &Step<'_>) -> Option<Arc<[Type]>> {
        if step.params.is_empty() && !step.sql.contains('$') {
            return Some(Arc::default());
        }
        // A wrong number of parameters is for the driver to report.
        self.types_of(step.sql).filter(|types| types.len() == step.params.len())
    }

    pub(crate) fn types_of(&self, sql: &str) -> Option<Arc<[Type]>> {
        self.texts().get(sql).cloned()
    }

    pub(crate) fn remember(&self, sql: &str, statement: &Statement) {
        let mut texts = self.texts();
        if texts.contains_key(sql) {
            return;
        }
        if texts.len() >= CAPACITY {
            texts.clear();
        }
        texts.insert(sql.to_owned(), statement.params().into());
    }

    pub(crate) fn forget(&self, sql: &str) {
        self.texts().remove(sql);
    }

    /// A panic elsewhere leaves a map that is whole.
    fn texts(&self) -> MutexGuard<'_, HashMap<String, Arc<[Type]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
