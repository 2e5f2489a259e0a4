//! The types of a statement's parameters, which one connection of a pool has learned, for the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_postgres::{Statement, types::Type};

use crate::wire::schema_changes::{SchemaChanges, form_of};
use crate::wire::step::Step;

/// How many texts are remembered.
const CAPACITY: usize = 4096;

/// Texts and the types of their parameters, bounded: a full one starts over, and what is in use comes back. Asked only
/// where a connection has not prepared a statement itself.
#[derive(Default)]
pub(crate) struct ParamTypes {
    texts: Mutex<HashMap<String, Text>>,
    changes: SchemaChanges,
}

#[derive(Clone)]
struct Text {
    params: Arc<[Type]>,
    /// The driver knows all types in it, of parameters and of columns, without asking the server.
    plain: bool,
}

impl ParamTypes {
    /// The types to send a statement with.
    pub(crate) fn types(&self, step: &Step<'_>) -> Option<Arc<[Type]>> {
        if step.params.is_empty() && !step.sql.contains('$') {
            return Some(Arc::default());
        }
        // A wrong number of parameters is for the driver to report.
        self.types_of(step.sql).filter(|types| types.len() == step.params.len())
    }

    pub(crate) fn types_of(&self, sql: &str) -> Option<Arc<[Type]>> {
        self.text(sql).map(|text| text.params)
    }

    /// As [`types`](Self::types), where the driver will not have to ask the server about the answer either.
    pub(crate) fn plain_types(&self, step: &Step<'_>) -> Option<Arc<[Type]>> {
        let text = self.text(step.sql).filter(|text| text.plain)?;
        Some(text.params).filter(|types| types.len() == step.params.len())
    }

    fn text(&self, sql: &str) -> Option<Text> {
        self.texts().get(sql).cloned()
    }

    pub(crate) fn remember(&self, sql: &str, statement: &Statement) {
        self.changes.see(sql, || form_of(statement));
        let mut texts = self.texts();
        if texts.contains_key(sql) {
            return;
        }
        if texts.len() >= CAPACITY {
            texts.clear();
        }
        let plain = is_plain(statement);
        texts.insert(sql.to_owned(), Text { params: statement.params().into(), plain });
    }

    pub(crate) fn forget(&self, sql: &str) {
        self.texts().remove(sql);
    }

    pub(crate) fn changes(&self) -> &SchemaChanges {
        &self.changes
    }

    /// A plan of `sql` was stale on a connection that knew of `known` changes.
    pub(crate) fn meet_change(&self, sql: &str, stale: &Statement, known: u64) {
        if self.changes.meet(sql, form_of(stale), known) {
            self.texts().clear();
        }
    }

    /// A panic elsewhere leaves a map that is whole.
    fn texts(&self) -> MutexGuard<'_, HashMap<String, Text>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the driver knows all its types without asking the server.
pub(crate) fn is_plain(statement: &Statement) -> bool {
    let columns = statement.columns().iter().map(|column| column.type_());
    statement.params().iter().chain(columns).all(|of| Type::from_oid(of.oid()).is_some())
}
