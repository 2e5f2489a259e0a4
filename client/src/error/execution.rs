//! Whether a call that failed was executed, and whether it may have been committed.

use crate::error::{Error, Kind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Execution {
    /// Nothing of the call has reached the server, or the server has executed nothing of it.
    Not,
    /// It may have been executed, and was not committed.
    Uncommitted,
    /// It may have been committed.
    Unknown,
}

impl Execution {
    /// What is known from the kind of the error alone.
    pub(crate) fn of(kind: Kind) -> Execution {
        match kind {
            Kind::Malformed | Kind::NoTenant | Kind::NoReason | Kind::Config | Kind::Limited | Kind::Timeout => {
                Execution::Not
            }
            Kind::Interrupted => Execution::Not,
            #[cfg(feature = "verify")]
            Kind::BadToken => Execution::Not,
            Kind::ExtensionMissing | Kind::VersionMismatch | Kind::NotGranted => Execution::Not,
            Kind::SystemNotGranted | Kind::NotPristine => Execution::Not,
            Kind::Closed
            | Kind::Server
            | Kind::StalePlan
            | Kind::Driver
            | Kind::NoRow
            | Kind::ManyRows
            | Kind::Failed => Execution::Uncommitted,
            Kind::TenantLost => Execution::Unknown,
        }
    }
}

impl Error {
    /// **Certain**: nothing that the failed call sent was executed, so making it again repeats nothing, whatever it
    /// does.
    ///
    /// So are all errors of getting a connection (refused, `53300`, `57P03`, [`is_timeout`](Self::is_timeout),
    /// [`is_limited`](Self::is_limited)), of entering (`TN002`, `57P01` in answer to it, …), of what could not be sent
    /// (a parameter of the wrong type), and those of a connection that the server had closed before it read the call
    /// (`25P03`, `57P05`). The call is the one that returned the error: earlier ones of the same transaction were
    /// executed and are rolled back.
    ///
    /// False means that the server may have executed it. Unless [`outcome_unknown`](Self::outcome_unknown), it was not
    /// committed then.
    pub fn was_not_executed(&self) -> bool {
        self.0.execution == Execution::Not
    }

    /// The transaction may have been committed, or may not: the connection broke after COMMIT was sent and before it
    /// was answered, or a statement ended the transaction itself ([`is_tenant_lost`](Self::is_tenant_lost), a text with
    /// `commit` in it). Look before it is run again.
    ///
    /// False means that the transaction of the failed call was not committed. Two exceptions: a single statement whose
    /// rows were counted after its commit ([`query_one`](crate::TenantHandle::query_one) with
    /// [`is_no_row`](Self::is_no_row)), and over sqlx a text that ends the transaction itself.
    pub fn outcome_unknown(&self) -> bool {
        self.0.execution == Execution::Unknown
    }

    pub(crate) fn not_executed(mut self) -> Error {
        self.0.execution = Execution::Not;
        self
    }

    /// A commit had been sent.
    pub(crate) fn maybe_committed(mut self) -> Error {
        self.0.execution = Execution::Unknown;
        self
    }
}
