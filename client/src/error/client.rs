//! The errors the client makes itself, each with what to do about it.

use std::sync::Arc;

use pg_tenant_core::{MalformedTenantId, Refusal};

use crate::error::{Error, Execution, Inner, Kind, Source};

impl Error {
    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Error {
        let message = message.into();
        let (code, detail, hint, source) = (None, None, None, None);
        let (limit, retry_after, statement, position) = (None, None, None, None);
        let execution = Execution::of(kind);
        Error(Box::new(Inner {
            kind,
            code,
            message,
            detail,
            hint,
            source,
            limit,
            retry_after,
            statement,
            execution,
            position,
        }))
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

    /// `at`, from 0, of `of`.
    pub(crate) fn at_statement(mut self, at: usize, of: usize) -> Error {
        self.0.statement = Some((at, of));
        self
    }

    pub(crate) fn malformed(why: MalformedTenantId) -> Error {
        Error::new(Kind::Malformed, "malformed tenant id")
            .with_code(Refusal::MalformedTenantId.code())
            .with_detail(why.to_string())
            .with_source(why)
    }

    /// The error of a call that several were waiting for, for each of them.
    #[cfg(feature = "directory")]
    pub(crate) fn shared(error: std::sync::Arc<Error>) -> Error {
        let mut copy = Error::new(error.kind(), error.message());
        (copy.0.code, copy.0.detail) = (error.0.code.clone(), error.0.detail.clone());
        (copy.0.hint, copy.0.limit, copy.0.retry_after) = (error.0.hint.clone(), error.0.limit, error.0.retry_after);
        copy.0.execution = error.0.execution;
        copy.with_source(error)
    }

    #[cfg(any(feature = "tower", feature = "outbound"))]
    pub(crate) fn malformed_token(detail: &str) -> Error {
        Error::new(Kind::BadToken, "malformed token").with_code(Refusal::MalformedToken.code()).with_detail(detail)
    }

    #[cfg(feature = "envelope")]
    pub(crate) fn no_tenant_in_envelope() -> Error {
        Error::new(Kind::NoTenant, "no tenant: the envelope names none")
            .with_code(Refusal::NoTenant.code())
            .with_hint("let who orders the job make the envelope: Envelope::new(&tenant, payload)")
    }

    pub(crate) fn no_ambient_tenant() -> Error {
        Error::new(Kind::NoTenant, "no tenant: this task has none")
            .with_code(Refusal::NoTenant.code())
            .with_detail("The tenant of a task is not that of the task that spawned it, unless it is carried over.")
            .with_hint("wrap it in ambient::scope, spawn it with ambient::spawn, or pass it: pool.tenant(&tenant)")
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

    /// After it, what follows in the pipeline would run without the tenant.
    pub(crate) fn control_in_pipeline() -> Error {
        Error::new(Kind::Config, "a pipeline holds no statement that begins, ends or divides a transaction")
            .with_code("2D000")
            .with_hint("end it with pipeline_then_commit(), commit() or rollback(), divide it with savepoint()")
    }

    /// The actor, if it is one that the server takes and that can stand in a message.
    pub(crate) fn checked_actor(actor: &str) -> Result<Arc<str>, Error> {
        if !actor.is_empty() && !actor.chars().any(char::is_control) {
            return Ok(actor.into());
        }
        let error = Error::new(Kind::Server, "malformed actor").with_code(Refusal::MalformedActor.code());
        let error = error.with_detail("it is empty, or has control characters");
        Err(error.with_hint("name the user by an id such as the claim sub of its token").not_executed())
    }

    pub(crate) fn count(expected: &str, found: usize) -> Error {
        let kind = if found == 0 { Kind::NoRow } else { Kind::ManyRows };
        Error::new(kind, format!("the query returned {found} rows where {expected} was expected"))
    }

    /// A statement's plan was out of date where it could not be prepared anew unseen: the transaction had begun.
    pub(crate) fn of_a_stale_plan(self) -> Error {
        self.of_kind(Kind::StalePlan).with_hint(
            "the schema changed under a prepared statement: run the transaction again, retry() does; the statement is \
             prepared anew then",
        )
    }

    /// The statement that had an outdated plan cannot be sent again in a transaction of its own making.
    #[cfg(feature = "sqlx")]
    pub(crate) fn not_begun_anew() -> Error {
        Error::new(Kind::StalePlan, "cached plan must not change result type").with_code("0A000").of_a_stale_plan()
    }

    /// What an error of entering means on a connection that was never lent before: something is set up wrongly.
    pub(crate) fn at_entry(mut self) -> Error {
        self.0.position = None; // in a text of ours
        let (kind, message, hint) = match self.code() {
            Some("3F000" | "42883" | "42P01") => (
                Kind::ExtensionMissing,
                "this database has no pg_tenant, or one too old for this client",
                "run create extension pg_tenant in this database",
            ),
            Some("42501") => (
                Kind::NotGranted,
                "the role may not enter tenants",
                "grant tenant_user to the role this pool connects as; of support, tenant_support alone",
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

    /// What the server would answer as well, without a round trip.
    pub(crate) fn no_reason(detail: &str) -> Error {
        Error::new(Kind::NoReason, "the system context needs a reason")
            .with_code(Refusal::ReasonRequired.code())
            .with_detail(detail)
            .with_hint("say in a few words why all tenants are worked on; the server's log and the journal keep it")
    }
}
