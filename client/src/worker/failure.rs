//! Why an attempt at some work went wrong.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::error::Error;

/// Why an attempt at a step or a job went wrong, and when it is tried again. Every error becomes one by `?`.
///
/// Its text, with that of its sources, is kept: of a step in `tenant.onboarding.last_error`, where members of
/// `tenant_admin` read it; of a job where its tenant reads it, in `tenant.my_jobs`.
pub struct WorkError {
    pub(crate) message: String,
    pub(crate) retry_in: Option<Duration>,
    pub(crate) give_up: bool,
}

impl WorkError {
    /// With a text of one's own. It is tried again after a pause that doubles each time: of a step from a second to
    /// five minutes, of a job as its kind says.
    pub fn new(message: impl Into<String>) -> WorkError {
        WorkError { message: message.into(), retry_in: None, give_up: false }
    }

    /// It is tried again after this time.
    pub fn retry_in(mut self, pause: Duration) -> Self {
        self.retry_in = Some(pause);
        self
    }

    /// It is not tried again, until an operator says so: by `Onboarding::retry`, or `tenant.retry_job`.
    pub fn give_up(mut self) -> Self {
        self.give_up = true;
        self
    }

    /// The text as the database can keep it.
    pub(crate) fn text(&self) -> String {
        self.message.chars().filter(|c| *c != '\0').take(2000).collect()
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for WorkError {
    fn from(error: E) -> WorkError {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(deeper) = source {
            let text = deeper.to_string();
            // Some errors have their source in their own text.
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = deeper.source();
        }
        WorkError::new(message)
    }
}

impl fmt::Display for WorkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for WorkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WorkError").field(&self.message).finish()
    }
}

/// The server has answered, and would say the same again.
pub(crate) fn is_lasting(error: &Error) -> bool {
    error.code().is_some() && !error.is_closed() && !error.is_retryable()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_is_kept_as_it_can_be() {
        let error = WorkError::from(std::io::Error::other("no\0 answer"));
        assert_eq!((&*error.text(), error.give_up), ("no answer", false));
        assert_eq!(WorkError::new("x".repeat(3000)).give_up().text().len(), 2000);
    }
}
