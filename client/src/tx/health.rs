//! Whether a transaction takes further calls, and what failed in it.

#[cfg(feature = "sqlx")]
use crate::error::driver::is_serialization_failure;
use crate::error::{Error, Kind};

#[derive(Default)]
pub(crate) struct Health {
    unusable: Option<Unusable>,
    /// What failed first, for the commit that will say that the transaction has failed.
    first_error: Option<String>,
    serialization_failed: bool,
}

/// Why no call may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unusable {
    /// A call was dropped half-way.
    Interrupted,
    /// It could not begin, or a savepoint could not be undone.
    Failed,
}

impl Health {
    /// Whether a call may follow.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.unusable {
            Some(Unusable::Interrupted) => Err(Error::interrupted()),
            Some(Unusable::Failed) => Err(self.failed()),
            None => Ok(()),
        }
    }

    /// The error of a transaction that has failed.
    pub(crate) fn failed(&self) -> Error {
        Error::failed(self.first_error())
    }

    pub(crate) fn first_error(&self) -> Option<&str> {
        self.first_error.as_deref()
    }

    /// A statement failed with `40001`, `40P01` or a stale plan, so that the whole may be run again.
    pub(crate) fn serialization_failed(&self) -> bool {
        self.serialization_failed
    }

    /// Remembers what failed.
    pub(crate) fn record(&mut self, error: &Error) {
        self.serialization_failed |= error.is_retryable();
        if error.kind() != Kind::Driver && self.first_error.is_none() {
            let code = error.code().map(|code| format!(" ({code})")).unwrap_or_default();
            self.first_error = Some(format!("{}{code}", error.message()));
        }
    }

    /// Something failed so that the whole may be run again.
    #[cfg(feature = "sqlx")]
    pub(crate) fn record_conflict(&mut self) {
        self.serialization_failed = true;
    }

    /// Remembers, of what failed, whether the whole may be run again.
    #[cfg(feature = "sqlx")]
    pub(crate) fn record_code(&mut self, code: Option<&str>) {
        self.serialization_failed |= code.is_some_and(is_serialization_failure);
    }

    /// A call is under way that must not be dropped half-way: unusable until [`recover`](Self::recover).
    pub(crate) fn interrupt(&mut self) {
        self.unusable = Some(Unusable::Interrupted);
    }

    pub(crate) fn recover(&mut self) {
        self.unusable = None;
    }

    /// No call may follow, because of what failed first.
    pub(crate) fn fail(&mut self) {
        self.unusable = Some(Unusable::Failed);
    }

    /// No call may follow, because of this where nothing failed before it.
    pub(crate) fn fail_with(&mut self, error: &Error) {
        self.fail();
        self.first_error.get_or_insert_with(|| error.message().to_owned());
    }

    /// What failed first is being undone. Returns it, should that fail.
    pub(crate) fn forget_first_error(&mut self) -> Option<String> {
        self.first_error.take()
    }

    /// It was not undone: no call may follow.
    pub(crate) fn fail_after(&mut self, first_error: Option<String>) {
        self.fail();
        self.first_error = first_error.or(self.first_error.take());
    }
}
