//! One error type for both drivers.

use std::fmt;

use pg_tenant_core::{MalformedTenantId, Refusal, TenantId};

type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why a call failed.
///
/// Opaque: ask [`code`](Error::code) for the SQLSTATE, [`refusal`](Error::refusal) for pg_tenant's own, and the `is_…`
/// predicates for what to do next. [`source`](std::error::Error::source) is the driver's error where there is one.
/// `Display` prints the message with its SQLSTATE, then the server's DETAIL and HINT on lines of their own.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    code: Option<String>,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    source: Option<Source>,
}

/// In the order in which a call meets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The id is no tenant id; nothing was sent.
    Malformed,
    /// The pool cannot be built, or runs outside a runtime.
    Config,
    /// No connection within the time given.
    Timeout,
    /// The pool or the connection is closed.
    Closed,
    /// The database has no pg_tenant.
    ExtensionMissing,
    /// The extension speaks another version.
    VersionMismatch,
    /// The role was not granted `tenant_user`.
    NotGranted,
    /// A connection that was never lent is dirty already.
    NotPristine,
    /// The server refused or failed the statement.
    Server,
    /// The driver could not encode, decode or count.
    Driver,
    /// An earlier call on the transaction was dropped before it finished.
    Interrupted,
    /// An earlier statement had failed, so commit rolled back.
    Failed,
    /// The transaction no longer has the tenant it entered.
    TenantLost,
}

impl Error {
    /// The SQLSTATE, where the server gave one or the client stands in for it.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// pg_tenant's own SQLSTATE (class `TN`) as an enum.
    pub fn refusal(&self) -> Option<Refusal> {
        self.code().and_then(Refusal::from_code)
    }

    /// What happened, in one line.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The server's DETAIL: the values that explain the message.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The server's HINT: what to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// A statement touched a protected table without a tenant (`TN001`).
    pub fn is_no_tenant(&self) -> bool {
        self.refusal() == Some(Refusal::NoTenant)
    }

    /// The tenant is not in the registry (`TN002`).
    pub fn is_unknown_tenant(&self) -> bool {
        self.refusal() == Some(Refusal::UnknownTenant)
    }

    /// The tenant is registered but not active (`TN003`).
    pub fn is_suspended(&self) -> bool {
        self.refusal() == Some(Refusal::TenantNotActive)
    }

    /// The id is no tenant id (`TN004`). From the client it means that nothing was sent.
    pub fn is_malformed_id(&self) -> bool {
        self.refusal() == Some(Refusal::MalformedTenantId)
    }

    /// The transaction had entered another tenant (`TN005`).
    pub fn is_already_entered(&self) -> bool {
        self.refusal() == Some(Refusal::AlreadyEntered)
    }

    /// The whole transaction may be run again: exactly `40001` (serialization failure) and `40P01` (deadlock), from a
    /// statement or from the commit. A closed connection is not among them: its commit may have happened.
    pub fn is_retryable(&self) -> bool {
        matches!(self.code(), Some("40001" | "40P01"))
    }

    /// The connection or the pool is closed. If a commit was under way, its outcome is unknown.
    pub fn is_closed(&self) -> bool {
        self.0.kind == Kind::Closed
    }

    /// No connection became available, or could be made, within the pool's timeouts. Nothing was executed.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == Kind::Timeout
    }

    /// The database has no pg_tenant (SQLSTATE `3F000` or `42883` at the first call).
    pub fn is_extension_missing(&self) -> bool {
        self.0.kind == Kind::ExtensionMissing
    }

    /// The extension's version and the client's do not work together.
    pub fn is_version_mismatch(&self) -> bool {
        self.0.kind == Kind::VersionMismatch
    }

    /// The transaction refused because a call on it was dropped before it finished.
    pub fn is_interrupted(&self) -> bool {
        self.0.kind == Kind::Interrupted
    }

    /// The commit found the transaction without the tenant it had entered: a statement ended it.
    pub fn is_tenant_lost(&self) -> bool {
        self.0.kind == Kind::TenantLost
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Error {
        let message = message.into();
        Error(Box::new(Inner { kind, code: None, message, detail: None, hint: None, source: None }))
    }

    pub(crate) fn with_code(mut self, code: impl Into<String>) -> Error {
        self.0.code = Some(code.into());
        self
    }

    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Error {
        self.0.detail = Some(detail.into());
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Source>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn malformed(why: MalformedTenantId) -> Error {
        Error::new(Kind::Malformed, "malformed tenant id")
            .with_code(Refusal::MalformedTenantId.code())
            .with_detail(why.to_string())
            .with_source(why)
    }

    pub(crate) fn interrupted() -> Error {
        Error::new(
            Kind::Interrupted,
            "a call on this transaction was dropped before it finished, so its state is unknown",
        )
        .with_hint("drop the transaction, it is rolled back, and run it again")
    }

    /// `first` is what failed earlier, where this transaction saw it.
    pub(crate) fn failed(first: Option<&str>) -> Error {
        let error = Error::new(Kind::Failed, "the transaction had failed, so it was rolled back and not committed")
            .with_code("25P02");
        match first {
            Some(first) => error.with_detail(format!("its first error was: {first}")),
            None => error,
        }
    }

    /// A savepoint whose closure passed over an error.
    pub(crate) fn undone(first: Option<&str>) -> Error {
        let mut error = Error::failed(first);
        error.0.message = "a statement in the savepoint had failed, so the savepoint was undone".to_owned();
        error
    }

    pub(crate) fn tenant_lost(entered: &TenantId, found: Option<&str>) -> Error {
        let found = found.filter(|id| !id.is_empty()).map_or("no tenant".to_owned(), |id| format!("tenant {id}"));
        Error::new(Kind::TenantLost, "the transaction lost its tenant before it was committed")
            .with_detail(format!(
                "it entered tenant {entered} and ended with {found}; statements after that ran outside it"
            ))
            .with_hint("do not run commit, rollback or begin as statements: use commit(), rollback() and savepoint()")
    }

    pub(crate) fn count(expected: &str, found: usize) -> Error {
        Error::new(Kind::Driver, format!("the query returned {found} rows where {expected} was expected"))
    }

    /// What an error of entering means on a connection that was never lent before: something is set up wrongly.
    pub(crate) fn at_entry(mut self) -> Error {
        let (kind, message, hint) = match self.code() {
            Some("3F000" | "42883" | "42P01") => (
                Kind::ExtensionMissing,
                "this database has no pg_tenant, or one too old for this client",
                "run create extension pg_tenant in this database",
            ),
            Some("42501") => (
                Kind::NotGranted,
                "the role may not enter tenants",
                "grant tenant_user to the role this pool connects as",
            ),
            Some("TN008") => (
                Kind::NotPristine,
                "a new connection is not pristine, so the pool cannot lend it",
                "remove what changes the session on connect (a hook, a set command); give settings in the connection options",
            ),
            _ => return self,
        };
        let said = std::mem::replace(&mut self.0.message, message.to_owned());
        self.0.detail = Some(match self.0.detail.take() {
            Some(detail) => format!("{said}: {detail}"),
            None => said,
        });
        self.0.kind = kind;
        self.with_hint(hint)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        if let Some(code) = self.code() {
            write!(f, " ({code})")?;
        }
        if let Some(detail) = self.detail() {
            write!(f, "\nDETAIL: {detail}")?;
        }
        if let Some(hint) = self.hint() {
            write!(f, "\nHINT: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, code, message, detail, hint, source } = &*self.0;
        let mut out = f.debug_struct("Error");
        out.field("kind", kind).field("code", code).field("message", message);
        out.field("detail", detail).field("hint", hint).field("source", source).finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
