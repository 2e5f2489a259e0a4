//! How a statement gets to the server, and the prepared statements of one connection, bounded.
//!
//! A statement that falls out is closed on the server: dropping the last handle of a `tokio_postgres::Statement` sends
//! its Close without waiting.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::{Statement, types::Type};

use crate::wire::form::Form;
use crate::wire::param_types::{ParamTypes, is_plain};
use crate::wire::step::Step;

/// Least recently used falls out first. Looking one up costs a hash; only inserting into a full cache scans it.
pub(crate) struct Statements {
    capacity: usize,
    clock: u64,
    by_text: HashMap<String, Cached>,
    param_types: Arc<ParamTypes>,
    /// A name lasts no longer than its transaction: what is kept here is gone with that.
    forgets_names: bool,
    /// A pooler carries names from session to session, and knows them by their text.
    carried: bool,
    /// Its session has a stale statement, which is taken away where the transaction ends.
    deallocates: bool,
    /// Of how many changes of the schema it knows: nothing here was prepared before the last of them.
    changes_known: u64,
}

/// How long the name of a prepared statement lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// As long as the connection.
    Kept,
    /// As long as the transaction.
    Forgotten,
    /// As long as the connection, by the work of a pooler.
    Carried,
}

struct Cached {
    statement: Statement,
    used: u64,
}

impl Statements {
    pub(crate) fn new(capacity: usize, param_types: Arc<ParamTypes>, pooler: Names) -> Statements {
        let changes_known = param_types.changes().count();
        let (forgets_names, carried) = (pooler == Names::Forgotten, pooler == Names::Carried);
        let (by_text, deallocates) = (HashMap::new(), false);
        Statements { capacity, clock: 0, by_text, param_types, forgets_names, carried, deallocates, changes_known }
    }

    /// Forgets what was prepared before a change that another connection has met.
    fn learn_of_changes(&mut self) {
        let count = self.param_types.changes().count();
        if count != self.changes_known {
            self.changes_known = count;
            // Where names are carried, the session may have it as it was, which fails, or anew: then what is known here
            // of its columns would not be true.
            self.by_text.clear();
        }
    }

    /// How it can be sent now. `None`: it must be prepared first, which takes a flight of its own. `lasting`: in a
    /// transaction that cannot be begun anew, so that a stale plan would be its end.
    pub(crate) fn form(&mut self, step: &Step<'_>, lasting: bool) -> Option<Form> {
        self.learn_of_changes();
        let fits = |types: &[Type]| step.types.is_none_or(|said| said == types);
        if self.param_types.changes().is_unsteady(step.sql) {
            // Where names are carried, what is sent without one is the only that is parsed.
            let types = self.param_types.plain_types(step).filter(|types| self.carried && fits(types));
            return types.map(Form::Unnamed);
        }
        if lasting
            && self.param_types.changes().are_recent()
            && let Some(types) = self.param_types.plain_types(step).filter(|types| fits(types))
        {
            return Some(Form::Unnamed(types)); // parsed now, so it has no plan that could be out of date
        }
        if let Some(entry) = self.by_text.get_mut(step.sql)
            && fits(entry.statement.params())
        {
            self.clock += 1;
            entry.used = self.clock;
            return Some(Form::Kept(entry.statement.clone()));
        }
        if self.forgets_names {
            let types = if step.rows { self.param_types.plain_types(step) } else { self.param_types.types(step) };
            return types.filter(|types| fits(types)).map(Form::Unnamed);
        }
        if step.rows { None } else { self.param_types.types(step).filter(|types| fits(types)).map(Form::Typed) }
    }

    /// The types of its parameters, where this connection or another of the pool has prepared it.
    pub(crate) fn types(&self, sql: &str) -> Option<Arc<[Type]>> {
        self.by_text.get(sql).map(|entry| entry.statement.params().into()).or_else(|| self.param_types.types_of(sql))
    }

    pub(crate) fn insert(&mut self, sql: &str, statement: Statement) {
        self.param_types.remember(sql, &statement);
        if if self.forgets_names { is_plain(&statement) } else { self.capacity == 0 } {
            return;
        }
        if self.by_text.len() >= self.capacity.max(1) {
            let oldest = self.by_text.iter().min_by_key(|(_, entry)| entry.used).map(|(text, _)| text.clone());
            oldest.and_then(|text| self.by_text.remove(&text));
        }
        self.clock += 1;
        self.by_text.insert(sql.to_owned(), Cached { statement, used: self.clock });
    }

    /// How a statement that has just been prepared is sent.
    pub(crate) fn form_of(&self, step: &Step<'_>, statement: Statement) -> Form {
        // A wrong number of parameters is for the driver to report.
        let fits = statement.params().len() == step.params.len();
        if self.forgets_names && fits && (!step.rows || is_plain(&statement)) {
            return Form::Unnamed(statement.params().into()); // and its name is closed before it is sent
        }
        Form::Prepared(statement)
    }

    /// A name, and what the driver has prepared to ask about types, is to be taken from the session that the
    /// transaction has: it is the last that the connection uses.
    pub(crate) fn has_borrowed_names(&self) -> bool {
        self.forgets_names && !self.by_text.is_empty()
    }

    /// A pooler must know that names are gone before anything else is sent.
    pub(crate) fn lets_nothing_follow(&self) -> bool {
        self.deallocates
    }

    /// Names are taken from the session where the transaction is rolled back.
    pub(crate) fn deallocates(&self) -> bool {
        self.forgets_names || self.deallocates
    }

    /// The server no longer has any.
    pub(crate) fn clear(&mut self) {
        self.deallocates = false;
        self.by_text.clear();
    }

    /// The server no longer has it as it was prepared.
    pub(crate) fn evict(&mut self, sql: &str) {
        self.by_text.remove(sql);
    }

    /// Its plan was stale: so may be all that were prepared before, here and on the pool's other connections.
    pub(crate) fn meet_change(&mut self, sql: &str) {
        self.deallocates |= self.carried;
        if let Some(entry) = self.by_text.get(sql) {
            self.param_types.meet_change(sql, &entry.statement, self.changes_known);
        }
        self.param_types.forget(sql);
        self.by_text.clear();
        self.changes_known = self.param_types.changes().count();
    }

    /// The types of its parameters are no longer what they were.
    pub(crate) fn forget(&mut self, sql: &str) {
        self.evict(sql);
        self.param_types.forget(sql);
    }

    /// The text to ask with what types the parameters of this one have. A pooler that carries statements has its answer
    /// to a text for as long as it has a session, so after a change it is asked with another.
    pub(crate) fn description(&self, sql: String) -> String {
        match self.param_types.changes().descriptions() {
            0 => sql,
            number => format!("{sql} /* {number:x} */"),
        }
    }

    /// The answer to a [`description`](Self::description) is no longer true.
    pub(crate) fn forget_description(&mut self, sql: &str) {
        self.forget(sql);
        if self.carried {
            self.param_types.changes().renew_descriptions();
        }
    }
}
