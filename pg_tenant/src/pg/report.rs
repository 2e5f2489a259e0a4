//! What a refusal says: one SQLSTATE of class `TN`, a message that states the fact, a DETAIL with the values, a HINT
//! with the next command.

use crate::pg::text::{CText, ctext};
use pg_tenant_core::{Refusal, is_plain};
use std::borrow::Cow;

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
        Report { refusal, message: ctext(in_line(message.as_ref())), detail: None, hint: None, hides_statement: false }
    }

    pub fn detail(self, detail: impl AsRef<str>) -> Self {
        Report { detail: Some(ctext(in_line(detail.as_ref()))), ..self }
    }

    pub fn hiding_statement(self) -> Self {
        Report { hides_statement: true, ..self }
    }

    pub fn hint(self, hint: impl AsRef<str>) -> Self {
        // A command with a line break in a name would be two for whoever pastes it.
        let hint = if is_plain(hint.as_ref()) {
            hint.as_ref()
        } else {
            "A name has a line break or the like in it: mind how you quote it."
        };
        Report { hint: Some(ctext(hint)), ..self }
    }
}

/// What our code answers: a value, or a refusal that the boundary in [`crate::pg::boundary`] raises.
pub type Outcome<T> = Result<T, Report>;

/// A text in one line, whatever names are in it.
fn in_line(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return text.into();
    }
    let escaped = |c: char| match c {
        _ if is_plain(c.encode_utf8(&mut [0; 4])) => c.to_string(),
        '\n' => "\\n".into(),
        _ => format!("\\u{{{:x}}}", u32::from(c)),
    };
    text.chars().map(escaped).collect::<String>().into()
}
