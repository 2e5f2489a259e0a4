//! What a refusal says: one SQLSTATE of class `TN`, a message that states the fact, a DETAIL with the values, a HINT
//! with the next command.

use crate::pg::text::{CText, ctext};
use pg_tenant_core::Refusal;

/// A refusal ready to be raised. Its texts live in PostgreSQL's current memory context, so it is `Copy` and has nothing
/// to drop: PostgreSQL's longjmp may cross the frame that holds it.
#[derive(Clone, Copy)]
pub struct Report {
    pub refusal: Refusal,
    pub message: CText,
    pub detail: Option<CText>,
    pub hint: Option<CText>,
    /// The server log must not show the statement, nor where in it: a token may stand there.
    pub hides_statement: bool,
}

impl Report {
    pub fn new(refusal: Refusal, message: impl AsRef<str>) -> Self {
        Report { refusal, message: ctext(message), detail: None, hint: None, hides_statement: false }
    }

    pub fn detail(self, detail: impl AsRef<str>) -> Self {
        Report { detail: Some(ctext(detail)), ..self }
    }

    pub fn hiding_statement(self) -> Self {
        Report { hides_statement: true, ..self }
    }

    pub fn hint(self, hint: impl AsRef<str>) -> Self {
        Report { hint: Some(ctext(hint)), ..self }
    }
}

/// What our code answers: a value, or a refusal that the boundary in [`crate::pg::boundary`] raises.
pub type Outcome<T> = Result<T, Report>;
