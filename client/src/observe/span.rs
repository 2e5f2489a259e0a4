//! A span around each call: whose it is and, where support works in its place, whose and by whom, what kind of
//! statement, how many rows and retries, and how it failed.
//!
//! Kinds are words of a fixed list. The text of a statement holds literals, and parameters hold everything else, so
//! neither is ever in a span.

use pg_tenant_core::TenantId;
use tracing::field::{Empty, display};
use tracing::level_filters::LevelFilter;
use tracing::{Instrument, Level, Span, info_span};

use crate::error::Error;
use crate::tenant::impersonation::Impersonation;
use crate::wire::sql::first_word;

/// One call, while it runs.
pub(crate) struct Call(pub(super) Span);

/// Whose call it is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Whose<'a> {
    pub tenant: Option<&'a TenantId>,
    /// By which grant, where support works in the tenant.
    pub by: Option<&'a Impersonation>,
}

impl<'a> From<Option<&'a TenantId>> for Whose<'a> {
    fn from(tenant: Option<&'a TenantId>) -> Whose<'a> {
        Whose { tenant, by: None }
    }
}

macro_rules! kinds {
    ($($kind:literal)+) => {
        fn span(kind: &str, tenant: Option<&TenantId>) -> Span {
            let tenant = tenant.map(display);
            $(if kind.eq_ignore_ascii_case($kind) {
                return info_span!(target: "pg_tenant_client", $kind, tenant, rows = Empty, retries = Empty, code = Empty, actor = Empty, impersonator = Empty);
            })+
            info_span!(target: "pg_tenant_client", "statement", tenant, rows = Empty, retries = Empty, code = Empty, actor = Empty, impersonator = Empty)
        }
    };
}

// The span's name is the kind. What occurs most is first.
kinds! {
    "select" "begin" "commit" "insert" "update" "delete" "transaction" "pipeline" "rollback" "savepoint" "release" "with"
    "merge" "copy" "values" "call" "do" "set" "show" "explain" "lock" "declare" "fetch" "close" "table" "create" "alter"
    "drop" "truncate" "notify" "listen"
}

impl Call {
    /// Of a kind that is in the list.
    pub(crate) fn of<'a>(kind: &str, whose: impl Into<Whose<'a>>) -> Call {
        // Where nobody listens, no word is compared.
        if LevelFilter::current() < Level::INFO {
            return Call(Span::none());
        }
        let Whose { tenant, by } = whose.into();
        let span = span(kind, tenant);
        if let Some(by) = by {
            span.record("impersonator", by.impersonator());
            by.as_user().map(|actor| span.record("actor", actor));
        }
        Call(span)
    }

    /// Of a statement. A text of several is called by its first.
    pub(crate) fn statement<'a>(sql: &str, whose: impl Into<Whose<'a>>) -> Call {
        if LevelFilter::current() < Level::INFO { Call(Span::none()) } else { Call::of(first_word(sql), whose) }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.0
    }

    /// Runs it inside the span.
    pub(crate) fn watch<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.instrument(self.0.clone())
    }

    pub(crate) fn rows(&self, rows: u64) {
        self.0.record("rows", rows);
    }

    /// How many connections turned out to be of no use, or how often it was sent again.
    pub(crate) fn retries(&self, retries: usize) {
        if retries > 0 {
            self.0.record("retries", retries);
        }
    }

    /// Whom a token has named.
    pub(crate) fn tenant(&self, tenant: Option<&TenantId>) {
        if let Some(tenant) = tenant {
            self.0.record("tenant", display(tenant));
        }
    }

    /// It failed: with an SQLSTATE, or `client` where the server did not say one.
    pub(crate) fn failed(&self, error: &Error) {
        self.failed_with(error.code());
    }

    pub(crate) fn failed_with(&self, code: Option<impl AsRef<str>>) {
        self.0.record("code", code.as_ref().map_or("client", AsRef::as_ref));
    }

    pub(crate) fn ended<T>(&self, answer: &Result<T, Error>) {
        if let Err(error) = answer {
            self.failed(error);
        }
    }
}
