//! The prepared statements of one connection, bounded.
//!
//! A statement that falls out is closed on the server: dropping the last handle of a `tokio_postgres::Statement` sends
//! its Close without waiting.

use std::collections::HashMap;

use tokio_postgres::Statement;

/// Least recently used falls out first. Looking one up costs a hash; only inserting into a full cache scans it.
pub(crate) struct Statements {
    capacity: usize,
    clock: u64,
    by_text: HashMap<String, Entry>,
}

struct Entry {
    statement: Statement,
    used: u64,
}

impl Statements {
    pub(crate) fn new(capacity: usize) -> Statements {
        Statements { capacity, clock: 0, by_text: HashMap::new() }
    }

    pub(crate) fn find(&mut self, sql: &str) -> Option<Statement> {
        let entry = self.by_text.get_mut(sql)?;
        self.clock += 1;
        entry.used = self.clock;
        Some(entry.statement.clone())
    }

    pub(crate) fn insert(&mut self, sql: &str, statement: Statement) {
        if self.capacity == 0 {
            return;
        }
        if self.by_text.len() >= self.capacity {
            let oldest = self.by_text.iter().min_by_key(|(_, entry)| entry.used).map(|(text, _)| text.clone());
            oldest.and_then(|text| self.by_text.remove(&text));
        }
        self.clock += 1;
        self.by_text.insert(sql.to_owned(), Entry { statement, used: self.clock });
    }

    /// The server no longer has it as it was prepared.
    pub(crate) fn evict(&mut self, sql: &str) {
        self.by_text.remove(sql);
    }
}
