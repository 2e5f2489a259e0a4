//! How a transaction begins: the text that is sent, for both drivers.

use std::time::Duration;

use pg_tenant_core::{SystemContext, TenantId};

use crate::pool::admission::Permit;
use crate::wire::sql::ENTER_SIGNED;

/// The isolation level of a transaction. PostgreSQL treats `READ UNCOMMITTED` as `READ COMMITTED`, so it is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IsolationLevel {
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// Every statement sees what was committed before the first one began.
    RepeatableRead,
    /// As if transactions ran one after the other; expect `40001` and run again
    /// (see [`Error::is_retryable`](crate::Error::is_retryable)).
    Serializable,
}

/// What the builders collect. What is not set is the server's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BeginOptions {
    pub isolation_level: Option<IsolationLevel>,
    pub read_only: Option<bool>,
    pub deferrable: Option<bool>,
    /// From the tenant's limits.
    pub statement_timeout: Option<Duration>,
}

impl BeginOptions {
    pub(crate) fn begin(&self) -> String {
        let mut sql = String::from("begin");
        match self.isolation_level {
            Some(IsolationLevel::ReadCommitted) => sql.push_str(" isolation level read committed"),
            Some(IsolationLevel::RepeatableRead) => sql.push_str(" isolation level repeatable read"),
            Some(IsolationLevel::Serializable) => sql.push_str(" isolation level serializable"),
            None => {}
        }
        match self.read_only {
            Some(true) => sql.push_str(" read only"),
            Some(false) => sql.push_str(" read write"),
            None => {}
        }
        match self.deferrable {
            Some(true) => sql.push_str(" deferrable"),
            Some(false) => sql.push_str(" not deferrable"),
            None => {}
        }
        sql
    }

    /// `BEGIN` and `enter` as one message. `and` adds columns to what enter returns.
    pub(crate) fn enter(&self, id: &TenantId, and: &str) -> String {
        let time = self.time_limit();
        format!("{}; select tenant.enter_pristine({}){and}{time}", self.begin(), quote(id.as_str()))
    }

    /// With what the holder of the connection may.
    pub(crate) fn within(mut self, permit: Option<&Permit>) -> BeginOptions {
        self.statement_timeout = permit.and_then(Permit::statement_timeout);
        self
    }

    /// `BEGIN` and entering the system context as one message.
    pub(crate) fn enter_system(&self, reason: &str, context: SystemContext, and: &str) -> String {
        let write = context == SystemContext::Write;
        let (begin, time) = (self.begin(), self.time_limit());
        format!("{begin}; select tenant.enter_system_pristine({}, {write}){and}{time}", quote(reason))
    }

    /// `BEGIN`, and where the token goes.
    pub(crate) fn enter_signed(&self) -> String {
        match self.time_limit().strip_prefix(", ") {
            Some(time) => format!("{}; {ENTER_SIGNED}; select {time}", self.begin()),
            None => format!("{}; {ENTER_SIGNED}", self.begin()),
        }
    }

    /// A column that lowers `statement_timeout` for the transaction, after the tenant's limits in the registry came
    /// into force with entering, and never raises it. 0 is no timeout.
    pub(crate) fn time_limit(&self) -> String {
        let Some(timeout) = self.statement_timeout else { return String::new() };
        let ms = timeout.as_millis().clamp(1, i32::MAX as u128);
        let now = "pg_catalog.current_setting('statement_timeout')::pg_catalog.interval";
        format!(
            ", case when {now} operator(pg_catalog.=) '0' or {now} operator(pg_catalog.>) '{ms}ms' \
             then pg_catalog.set_config('statement_timeout', '{ms}', true) end"
        )
    }
}

/// A literal that reads the same with and without `standard_conforming_strings`. The grammar of an id has neither
/// quotes nor backslashes; this does not rely on it.
fn quote(text: &str) -> String {
    if text.contains('\\') {
        format!(" E'{}'", text.replace('\\', r"\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_chosen_is_not_said() {
        let id = "acme".parse().unwrap();
        let all = BeginOptions {
            isolation_level: Some(IsolationLevel::Serializable),
            read_only: Some(true),
            deferrable: Some(true),
            statement_timeout: None,
        };
        assert_eq!(BeginOptions::default().enter(&id, ""), "begin; select tenant.enter_pristine('acme')");
        assert_eq!(
            all.enter(&id, ", 1"),
            "begin isolation level serializable read only deferrable; select tenant.enter_pristine('acme'), 1"
        );
    }

    #[test]
    fn a_time_limit_comes_after_entering() {
        let options = BeginOptions { statement_timeout: Some(Duration::from_micros(1)), ..Default::default() };
        let sql = options.enter(&"acme".parse().unwrap(), ", 1");
        assert!(sql.starts_with("begin; select tenant.enter_pristine('acme'), 1, case when"), "{sql}");
        assert!(sql.ends_with("set_config('statement_timeout', '1', true) end"), "{sql}");
        assert!(options.enter_signed().contains(&format!("{ENTER_SIGNED}; select case when")));
    }

    #[test]
    fn a_reason_is_quoted() {
        let begin = BeginOptions { read_only: Some(true), ..BeginOptions::default() };
        assert_eq!(
            begin.enter_system("the month's end", SystemContext::Read, ""),
            "begin read only; select tenant.enter_system_pristine('the month''s end', false)"
        );
        assert!(begin.enter_system("x", SystemContext::Write, ", 1").ends_with("_pristine('x', true), 1"));
    }

    #[test]
    fn a_quoted_text_stays_one_literal() {
        assert_eq!(quote("a"), "'a'");
        assert_eq!(quote("a'b"), "'a''b'");
        assert_eq!(quote(r"a\'b"), r" E'a\\''b'");
    }
}
