//! How a transaction begins: the text that is sent, for both drivers.

use std::time::Duration;

use pg_tenant_core::{MalformedTenantId, SystemContext, TenantId};

use crate::error::Error;
use crate::pool::admission::Permit;
use crate::tenant::identity::Tenant;
use crate::tenant::into_id::IntoTenantId;
use crate::tenant::share::Holder;
use crate::tenant::token::Token;

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

    /// A column that lowers `statement_timeout` for the transaction, after the tenant's limits in the registry came into
    /// force with entering, and never raises it. 0 is no timeout.
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

/// Enters with a token, which is a parameter: in a text it would be shown and logged.
pub(crate) const ENTER_SIGNED: &str = "select tenant.enter_signed_pristine($1)";

/// Why all tenants are worked on: not empty, or nothing is sent.
#[derive(Clone, Debug)]
pub(crate) struct Reason(String);

impl Reason {
    pub(crate) fn new(reason: impl Into<String>) -> Reason {
        Reason(reason.into())
    }

    pub(crate) fn checked(&self) -> Result<&str, Error> {
        let reason = self.0.trim();
        match reason {
            "" => Err(Error::no_reason("it was empty")),
            _ if reason.contains('\0') => Err(Error::no_reason("it contained a null byte")),
            _ => Ok(reason),
        }
    }
}

/// Who enters.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// A tenant, and on whose behalf.
    Plain(Result<Tenant, MalformedTenantId>),
    /// Whom the token names.
    Signed(Token),
    /// The task had no tenant.
    Nobody,
}

impl Entry {
    pub(crate) fn tenant(tenant: impl IntoTenantId) -> Entry {
        Entry::Plain(tenant.into_tenant())
    }

    /// The tenant of the running task.
    pub(crate) fn ambient() -> Entry {
        crate::ambient::current().map_or(Entry::Nobody, |tenant| Entry::Plain(Ok(tenant)))
    }

    /// Where a tenant is named, changes on whose behalf.
    #[cfg(feature = "sign")]
    pub(crate) fn map(self, change: impl FnOnce(Tenant) -> Tenant) -> Entry {
        match self {
            Entry::Plain(Ok(tenant)) => Entry::Plain(Ok(change(tenant))),
            other => other,
        }
    }

    /// The tenant, where it is named.
    pub(crate) fn tenant_id(&self) -> Option<&TenantId> {
        match self {
            Entry::Plain(Ok(tenant)) => Some(&tenant.id),
            Entry::Plain(Err(_)) | Entry::Signed(_) | Entry::Nobody => None,
        }
    }

    /// In whose share of the pool it is: of the tenant that the application named or verified, or that the server has
    /// found in this token before (`of_token`).
    pub(crate) fn holder(&self, of_token: impl FnOnce(&Token) -> Holder) -> Holder {
        match self {
            Entry::Plain(Ok(tenant)) => Holder::Tenant(tenant.id),
            Entry::Signed(token) => of_token(token),
            Entry::Plain(Err(_)) | Entry::Nobody => Holder::NoTenant,
        }
    }

    /// How it gets in, on a pool with this signer.
    pub(crate) fn way(
        &self,
        #[cfg(feature = "sign")] signer: Option<&crate::tenant::signer::TokenSigner>,
    ) -> Result<Way, Error> {
        let tenant = match self {
            Entry::Signed(token) => return Ok(Way::Signed(None, token.clone())),
            Entry::Nobody => return Err(Error::no_ambient_tenant()),
            Entry::Plain(tenant) => tenant.as_ref().map_err(|why| Error::malformed(*why))?,
        };
        #[cfg(feature = "sign")]
        if let Some(signer) = signer {
            return Ok(Way::Signed(Some(tenant.id), signer.sign(tenant)));
        }
        Ok(match &tenant.token {
            // The server reads it for itself, and says whom it names.
            Some(token) => Way::Signed(None, token.clone()),
            None => Way::In(tenant.id),
        })
    }
}

/// How a transaction gets in: what an [`Entry`] comes to when it begins.
pub(crate) enum Way {
    In(TenantId),
    /// The id is known before the server says it where the client signed the token itself.
    Signed(Option<TenantId>, Token),
    /// With the reason.
    System(SystemContext, String),
}

/// COMMIT, and before it the probe: what the transaction is inside of, by the setting rather than `tenant.current_id()`,
/// which a transaction that has gone on in a role (`SET LOCAL ROLE`) may have no right to call. SHOW needs no plan.
///
/// PostgreSQL runs the texts of one message until one fails, so a failed transaction does not reach COMMIT.
pub(crate) const COMMIT: &str = "show pg_tenant.id; commit";

/// As [`COMMIT`], then taking the names of statements from the session.
pub(crate) const COMMIT_AND_FORGET: &str = "show pg_tenant.id; commit; deallocate all";

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
