//! How a transaction begins: the text that is sent, for both drivers.

use std::time::Duration;

use pg_tenant_core::{SystemContext, TenantId};

use crate::pool::admission::Permit;
use crate::tenant::ambient;
use crate::tenant::impersonation::Impersonation;
use crate::tenant::request_id::RequestId;
use crate::wire::sql::push_literal;

/// The isolation level of a transaction. `READ UNCOMMITTED` is missing, since PostgreSQL treats it as `READ COMMITTED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IsolationLevel {
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// Every statement sees what was committed before the first one began.
    RepeatableRead,
    /// As if transactions ran one after the other. Expect `40001`, and run the transaction again (see
    /// [`Error::is_retryable`](crate::Error::is_retryable)).
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
    /// Named to the server before anything is entered, so that the lines of entering tell it, too.
    pub request_id: Option<RequestId>,
}

impl BeginOptions {
    /// What the running task brings along.
    pub(crate) fn ambient() -> BeginOptions {
        BeginOptions { request_id: ambient::request_id(), ..BeginOptions::default() }
    }

    pub(crate) fn begin(&self) -> String {
        self.begin_with_room(0)
    }

    /// With room for so much behind it.
    fn begin_with_room(&self, room: usize) -> String {
        // The longest of what may follow below.
        let mut sql =
            String::with_capacity("begin isolation level repeatable read read write not deferrable".len() + room);
        sql.push_str("begin");
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
        if let Some(request) = &self.request_id {
            sql.push_str("; set local pg_tenant.request_id = ");
            push_literal(&mut sql, request.as_str());
        }
        sql
    }

    /// A hot standby can run it: it was said to read only, and asks for nothing that only a primary has.
    pub(crate) fn may_be_on_replica(&self) -> bool {
        self.read_only == Some(true)
            && self.isolation_level != Some(IsolationLevel::Serializable)
            && self.deferrable != Some(true)
    }

    /// `BEGIN` and `enter` as one message. `and` adds columns to what enter returns.
    pub(crate) fn enter(&self, id: &TenantId, actor: Option<&str>, and: &str) -> String {
        let mut sql = self.begin_with_room(id.as_str().len() + actor.map_or(0, str::len) + and.len() + 48);
        sql.push_str("; select tenant.enter_pristine(");
        push_literal(&mut sql, id.as_str());
        if let Some(actor) = actor {
            sql.push_str(", ");
            push_literal(&mut sql, actor);
        }
        sql.extend([")", and]);
        self.push_time_limit(sql)
    }

    /// `BEGIN` and entering by a grant as one message.
    pub(crate) fn enter_by(&self, grant: &Impersonation, and: &str) -> String {
        let mut sql = self.begin_with_room(and.len() + 96);
        sql.push_str("; select tenant.enter_as_pristine('");
        sql.push_str(&grant.id().to_string());
        sql.extend(["')", and]);
        self.push_time_limit(sql)
    }

    /// With the limits of the tenant that the connection is lent to.
    pub(crate) fn within(mut self, permit: Option<&Permit>) -> BeginOptions {
        self.statement_timeout = permit.and_then(Permit::statement_timeout);
        self
    }

    /// `BEGIN` and entering the system context as one message.
    pub(crate) fn enter_system(&self, reason: &str, context: SystemContext, and: &str) -> String {
        let write = if context == SystemContext::Write { ", true)" } else { ", false)" };
        let mut sql = self.begin_with_room(reason.len() + and.len() + 64);
        sql.push_str("; select tenant.enter_system_pristine(");
        push_literal(&mut sql, reason);
        sql.extend([write, and]);
        self.push_time_limit(sql)
    }

    fn push_time_limit(&self, mut sql: String) -> String {
        if let Some(column) = self.time_limit() {
            sql.extend([", ", &column]);
        }
        sql
    }

    /// A column that lowers `statement_timeout` for the transaction, after the tenant's limits in the registry came
    /// into force with entering, and never raises it. 0 is no timeout.
    pub(crate) fn time_limit(&self) -> Option<String> {
        let timeout = self.statement_timeout?;
        let ms = timeout.as_millis().clamp(1, i32::MAX as u128);
        let now = "pg_catalog.current_setting('statement_timeout')::pg_catalog.interval";
        Some(format!(
            "case when {now} operator(pg_catalog.=) '0' or {now} operator(pg_catalog.>) '{ms}ms' \
             then pg_catalog.set_config('statement_timeout', '{ms}', true) end"
        ))
    }
}

/// The public methods by which `$handle` collects its options. What is said of each differs where its context is
/// read-only by itself.
macro_rules! begin_options {
    ($handle:ty, read_only: $read_only:literal, deferrable: $deferrable:literal) => {
        impl $handle {
            /// Sets the isolation level; the server's `default_transaction_isolation` where it is not set.
            pub fn isolation_level(mut self, level: $crate::IsolationLevel) -> Self {
                self.options.isolation_level = Some(level);
                self
            }

            #[doc = $read_only]
            pub fn read_only(mut self, read_only: bool) -> Self {
                self.options.read_only = Some(read_only);
                self
            }

            /// Names the request that the transaction works on, for its lines in `tenant.journal`; in place of the
            /// running task's (see [`ambient::scope_request`]($crate::ambient::scope_request)). It is sent in the same
            /// round trip.
            pub fn request_id(mut self, request: $crate::RequestId) -> Self {
                self.options.request_id = Some(request);
                self
            }

            #[doc = $deferrable]
            pub fn deferrable(mut self, deferrable: bool) -> Self {
                self.options.deferrable = Some(deferrable);
                self
            }
        }
    };
    (tenant $handle:ty) => {
        $crate::tx::options::begin_options!(
            $handle,
            read_only: "Sets whether the transaction may write; a write in a read-only one is refused with `25006`. With `true` \
                a replica may serve it, where the pool has one.",
            deferrable: "Lets a serializable read-only transaction wait at its beginning so that it cannot fail with \
                `40001` later."
        );
    };
    (system $handle:ty) => {
        $crate::tx::options::begin_options!(
            $handle,
            read_only: "Sets how the transaction begins. The context is read-only in any case unless \
                [`write`](Self::write) was said, and with `true` even its line in the journal is left to the server's log. \
                `false` is for writing where `default_transaction_read_only` is on.",
            deferrable: "Lets a serializable transaction that begins read-only wait at its beginning so that it cannot \
                fail with `40001` later: for long reports."
        );
    };
}

pub(crate) use begin_options;

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
            ..Default::default()
        };
        assert_eq!(BeginOptions::default().enter(&id, None, ""), "begin; select tenant.enter_pristine('acme')");
        assert_eq!(
            all.enter(&id, None, ", 1"),
            "begin isolation level serializable read only deferrable; select tenant.enter_pristine('acme'), 1"
        );
    }

    #[test]
    fn a_request_is_named_before_entering() {
        let options = BeginOptions { request_id: "it's".parse().ok(), ..Default::default() };
        let begin = "begin; set local pg_tenant.request_id = 'it''s'";
        let sql = options.enter(&"acme".parse().unwrap(), None, "");
        assert_eq!(sql, format!("{begin}; select tenant.enter_pristine('acme')"));
        assert!(options.enter_system("x", SystemContext::Read, "").starts_with(begin));
        assert_eq!(options.begin(), begin);
    }

    #[test]
    fn an_actor_is_quoted() {
        let sql = BeginOptions::default().enter(&"acme".parse().unwrap(), Some("o'hara"), "");
        assert_eq!(sql, "begin; select tenant.enter_pristine('acme', 'o''hara')");
    }

    #[test]
    fn a_time_limit_comes_after_entering() {
        let options = BeginOptions { statement_timeout: Some(Duration::from_micros(1)), ..Default::default() };
        let sql = options.enter(&"acme".parse().unwrap(), None, ", 1");
        assert!(sql.starts_with("begin; select tenant.enter_pristine('acme'), 1, case when"), "{sql}");
        assert!(sql.ends_with("set_config('statement_timeout', '1', true) end"), "{sql}");
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
}
