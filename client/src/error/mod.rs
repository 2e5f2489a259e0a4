//! One error type for both drivers.

mod client;
pub(crate) mod driver;
mod execution;
mod fields;
pub(crate) mod limit;
pub(crate) mod usage;

use std::fmt;
use std::time::Duration;

use pg_tenant_core::Refusal;

use execution::Execution;
use limit::Limit;

pub(crate) type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why a call failed.
///
/// Opaque: ask [`code`](Error::code) for the SQLSTATE, [`refusal`](Error::refusal) for pg_tenant's own, and the `is_…`
/// predicates for what to do next. [`source`](std::error::Error::source) is the driver's error where there is one.
/// `Display` prints the message with its SQLSTATE, then the server's DETAIL and HINT on lines of their own.
///
/// # What to do next
///
/// From top to bottom, the first that is true:
///
/// | the error | what happened | what to do next |
/// |---|---|---|
/// | [`is_limited`](Error::is_limited) | the tenant has met a limit of this pool or of the server; nothing was done | HTTP: 429 with [`retry_after`](Error::retry_after) |
/// | [`is_busy`](Error::is_busy) | the server admits no more transactions at this moment; nothing was executed | HTTP: 503 with [`retry_after`](Error::retry_after) |
/// | [`is_retryable`](Error::is_retryable) | it lost a conflict (`40001`, `40P01`), or the schema changed under it, and it was rolled back | run the transaction again: [`retry`](crate::TenantHandle::retry) does |
/// | [`outcome_unknown`](Error::outcome_unknown) | COMMIT was sent, its answer never came | look whether it is there before it is run again; write so that twice is once (a key of the request, `on conflict`) |
/// | [`is_timeout`](Error::is_timeout), [`is_closed`](Error::is_closed) and [`was_not_executed`](Error::was_not_executed) | no connection, a server that stops or starts; nothing was executed | make the call again after a while. HTTP: 503 |
/// | [`is_closed`](Error::is_closed) | the connection broke; the transaction was not committed | run the transaction again |
/// | [`is_not_ready`](Error::is_not_ready) | the tenant is being set up | try again in a moment. HTTP: 503 |
/// | [`is_leaving`](Error::is_leaving), [`is_purged`](Error::is_purged) | the tenant was not entered | tell the caller. HTTP: 423, 404 |
/// | [`is_unknown_tenant`](Error::is_unknown_tenant), [`is_suspended`](Error::is_suspended), [`is_malformed_id`](Error::is_malformed_id), [`is_bad_token`](Error::is_bad_token) | the tenant was not entered | tell the caller. HTTP: 404, 403, 400, 401 |
/// | [`is_not_member`](Error::is_not_member), [`is_not_permitted`](Error::is_not_permitted) | the actor is no member of the tenant; or may not do this | tell the caller. HTTP: 404, 403 |
/// | [`is_over_quota`](Error::is_over_quota) | the tenant has used as much of a meter as it may: [`usage`](Error::usage) | tell the caller. HTTP: 429 |
/// | [`is_no_row`](Error::is_no_row) | `query_one` found none | tell the caller. HTTP: 404 |
/// | [`is_unique_violation`](Error::is_unique_violation), another of class 23 | a constraint does not allow it: [`constraint`](Error::constraint), [`column`](Error::column) | tell the caller. HTTP: 409, 422 |
/// | `57014` | the statement ran for too long, or was cancelled | make it faster, or raise `statement_timeout` |
/// | [`is_extension_missing`](Error::is_extension_missing), [`is_version_mismatch`](Error::is_version_mismatch), `42501` | something is set up wrongly | stop; the [`hint`](Error::hint) names the next command |
/// | [`is_interrupted`](Error::is_interrupted), `25P02` | an earlier call on this transaction was dropped, or had failed | drop the transaction and run it again; what failed first is in the [`detail`](Error::detail) |
/// | another | a mistake in the program: a statement ([`position`](Error::position)), a parameter, a type | mend it |
pub struct Error(pub(crate) Box<Inner>);

pub(crate) struct Inner {
    pub(crate) kind: Kind,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) source: Option<Source>,
    /// The limit that refused the call.
    pub(crate) limit: Option<Limit>,
    pub(crate) retry_after: Option<Duration>,
    /// Which statement of how many.
    pub(crate) statement: Option<(usize, usize)>,
    pub(crate) execution: Execution,
    /// Where in the statement's text: a character, from 1.
    pub(crate) position: Option<usize>,
}

/// In the order in which a call meets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The id is no tenant id; nothing was sent.
    Malformed,
    /// The task, or an envelope, has no tenant; nothing was sent.
    NoTenant,
    /// The application refused a token.
    #[cfg(feature = "verify")]
    BadToken,
    /// The system context was asked for without a reason; nothing was sent.
    NoReason,
    /// The pool cannot be built, or runs outside a runtime.
    Config,
    /// The tenant has met a limit of this pool.
    Limited,
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
    /// The role was not granted `tenant_system`.
    SystemNotGranted,
    /// A connection that was never lent is dirty already.
    NotPristine,
    /// The server refused or failed the statement.
    Server,
    /// The schema has changed under a prepared statement.
    StalePlan,
    /// The driver could not encode or decode.
    Driver,
    /// There was no row where one was expected.
    NoRow,
    /// There were more rows than expected.
    ManyRows,
    /// An earlier call on the transaction was dropped before it finished.
    Interrupted,
    /// An earlier statement had failed, so commit rolled back.
    Failed,
    /// The transaction is no longer inside of what it entered.
    TenantLost,
}

impl Error {
    /// The SQLSTATE: the server's, or that of an error which the client reports before anything is sent. `None` for
    /// errors without one, such as a lost connection.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// pg_tenant's own SQLSTATE (class `TN`) as an enum; `None` for another.
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

    /// Which statement of a pipeline failed: its position, from 0. Those after it did not run. `None` where the call
    /// had one statement, or what failed was entering or committing.
    pub fn statement(&self) -> Option<usize> {
        self.0.statement.filter(|(_, of)| *of > 1).map(|(at, _)| at)
    }

    /// A statement touched a protected table without a tenant (`TN001`). From the client it means that the task has no
    /// [ambient](crate::ambient) tenant or an envelope none, and that nothing was sent.
    pub fn is_no_tenant(&self) -> bool {
        self.refusal() == Some(Refusal::NoTenant)
    }

    /// The tenant is not in the registry (`TN002`).
    pub fn is_unknown_tenant(&self) -> bool {
        self.refusal() == Some(Refusal::UnknownTenant)
    }

    /// The tenant is being set up, and only administrators enter it (`TN130`): try again in a moment.
    pub fn is_not_ready(&self) -> bool {
        self.refusal() == Some(Refusal::TenantNotReady)
    }

    /// The tenant is leaving, and only administrators enter it (`TN131`).
    pub fn is_leaving(&self) -> bool {
        self.refusal() == Some(Refusal::TenantLeaving)
    }

    /// The impersonation has ended (`TN159`), or opens nothing to this login (`TN158`): it was not approved, or its
    /// user is no member any more. Ask for another one.
    pub fn is_impersonation_over(&self) -> bool {
        matches!(self.refusal(), Some(Refusal::ImpersonationRefused | Refusal::ImpersonationEnded))
    }

    /// The tenant was purged (`TN132`).
    pub fn is_purged(&self) -> bool {
        self.refusal() == Some(Refusal::TenantPurged)
    }

    /// The tenant is registered but not active (`TN003`).
    pub fn is_suspended(&self) -> bool {
        self.refusal() == Some(Refusal::TenantNotActive)
    }

    /// The id is no tenant id (`TN004`). From the client it means that nothing was sent.
    pub fn is_malformed_id(&self) -> bool {
        self.refusal() == Some(Refusal::MalformedTenantId)
    }

    /// A token was refused, by the application or by the server (`TN092` to `TN097`).
    pub fn is_bad_token(&self) -> bool {
        matches!(self.code(), Some("TN092" | "TN093" | "TN094" | "TN095" | "TN096" | "TN097"))
    }

    /// The transaction had entered another tenant (`TN005`).
    pub fn is_already_entered(&self) -> bool {
        self.refusal() == Some(Refusal::AlreadyEntered)
    }

    /// The role may not enter the system context (`TN013`; `42501` where it was granted neither `tenant_user` nor
    /// `tenant_system`).
    pub fn is_system_refused(&self) -> bool {
        self.refusal() == Some(Refusal::SystemRefused) || self.0.kind == Kind::SystemNotGranted
    }

    /// A write in a system context that was entered for reading (`TN015`, or PostgreSQL's own `25006`), or one asked
    /// for where the transaction or the server is read-only.
    pub fn is_read_only(&self) -> bool {
        self.refusal() == Some(Refusal::SystemReadOnly) || self.code() == Some("25006")
    }

    /// The actor is no active member of the tenant, where members alone may enter (`TN140`); or none was named.
    pub fn is_not_member(&self) -> bool {
        self.refusal() == Some(Refusal::MemberRequired)
    }

    /// The actor has not got the permission that was required (`TN142`).
    pub fn is_not_permitted(&self) -> bool {
        self.refusal() == Some(Refusal::PermissionRequired)
    }

    /// No reason was given where one is required (`TN029`). From the client it means that nothing was sent.
    pub fn is_reason_missing(&self) -> bool {
        self.refusal() == Some(Refusal::ReasonRequired)
    }

    /// The transaction failed by a conflict with another, and should be run again as a whole: exactly `40001`
    /// (serialization failure) and `40P01` (deadlock), from a statement or from the commit. So should one in the middle
    /// of which a migration has changed the schema under a prepared statement (`0A000` "cached plan must not change
    /// result type", and what such a statement fails of where a column or a type is gone). A closed connection is not
    /// among them: its commit may have happened ([`outcome_unknown`](Self::outcome_unknown)).
    pub fn is_retryable(&self) -> bool {
        self.0.kind == Kind::StalePlan || self.code().is_some_and(driver::is_serialization_failure)
    }

    /// The connection or the pool is closed. [`outcome_unknown`](Self::outcome_unknown) says whether a commit was under
    /// way.
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

    /// The commit found the transaction outside of the tenant, or the system context, that it had entered: a statement
    /// ended it.
    pub fn is_tenant_lost(&self) -> bool {
        self.0.kind == Kind::TenantLost
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        if let Some(code) = self.code() {
            write!(f, " ({code})")?;
        }
        if let Some((at, of)) = self.0.statement.filter(|(_, of)| *of > 1) {
            write!(f, "\nSTATEMENT: {} of {of}", at + 1)?;
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
        let Inner { kind, code, message, detail, hint, source, limit, retry_after, statement, execution, position } =
            &*self.0;
        let mut out = f.debug_struct("Error");
        out.field("kind", kind).field("code", code).field("message", message);
        if limit.is_some() || retry_after.is_some() {
            out.field("limit", limit).field("retry_after", retry_after);
        }
        if statement.is_some() || position.is_some() {
            out.field("statement", statement).field("position", position);
        }
        out.field("execution", execution);
        out.field("detail", detail).field("hint", hint).field("source", source).finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests;
