//! What is sent before a statement, in the same flight.

use std::borrow::Cow;
use std::mem::take;

use crate::tenant::token::Token;

/// The steps before the next statement, in order. Empty where the statement goes alone.
#[derive(Default)]
pub(crate) struct Preamble(Vec<Part>);

/// One step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Undoes what an attempt before this one has left.
    Rollback,
    /// A text of ours: `BEGIN`, entering without a token, what is set afterwards.
    Text(String),
    /// Entering with a token, which is a parameter and so a message of its own.
    EnterSigned,
    /// Fails where the transaction before, which this one is in place of, has not only read.
    BeginAnew,
    /// A savepoint: how deep it is nested, from 1.
    Savepoint(u32),
}

/// Fails, with a conflict, where more was lost with the transaction before than what it has read.
pub(crate) const BEGIN_ANEW: &str = "select tenant.begin_anew()";

/// What a savepoint is called on the server.
pub(crate) fn savepoint_name(depth: u32) -> String {
    format!("pg_tenant_{depth}")
}

impl Preamble {
    pub(crate) fn new(parts: Vec<Part>) -> Preamble {
        Preamble(parts)
    }

    /// A statement of ours goes after the text's beginning.
    pub(crate) fn insert_after(&mut self, beginning: &str, statement: &str) {
        if let Some(Part::Text(text)) = self.0.first_mut()
            && text.starts_with(beginning)
        {
            text.insert_str(beginning.len(), &format!("; {statement}"));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Another behind it.
    pub(crate) fn append(&mut self, other: Preamble) {
        self.0.extend(other.0);
    }

    /// Begins with undoing what an attempt before has left.
    pub(crate) fn roll_back_first(&mut self) {
        if self.0.first() != Some(&Part::Rollback) {
            self.0.insert(0, Part::Rollback);
        }
    }

    /// It begins a transaction in place of one that has read.
    pub(crate) fn begin_anew(&mut self) {
        if !self.0.contains(&Part::BeginAnew) {
            self.0.push(Part::BeginAnew);
        }
    }

    /// Those in it.
    pub(crate) fn savepoints(&self) -> Preamble {
        let savepoint =
            |part: &Part| if let Part::Savepoint(depth) = part { Some(Part::Savepoint(*depth)) } else { None };
        Preamble(self.0.iter().filter_map(savepoint).collect())
    }

    /// A savepoint goes before the next statement.
    pub(crate) fn push_savepoint(&mut self, depth: u32) {
        self.0.push(Part::Savepoint(depth));
    }

    /// A text of ours goes before the next statement.
    pub(crate) fn push_text(&mut self, text: String) {
        self.0.push(Part::Text(text));
    }

    /// Takes a savepoint back, with all that stands behind it. Whether it was still here: otherwise it was sent.
    pub(crate) fn withdraw_savepoint(&mut self, depth: u32) -> bool {
        let at = self.0.iter().position(|part| *part == Part::Savepoint(depth));
        at.inspect(|at| self.0.truncate(*at)).is_some()
    }

    /// As it is sent: the texts before the token as one message, the token, the texts after it as another.
    pub(crate) fn messages<'a>(&'a self, token: Option<&'a Token>) -> Messages<'a> {
        // Nearly always it is one text.
        if let [Part::Text(only)] = &self.0[..] {
            return Messages { before: Cow::Borrowed(only), token: None, after: String::new() };
        }
        let (mut text, mut before, mut signed) = (String::new(), String::new(), false);
        for part in &self.0 {
            if *part == Part::EnterSigned {
                (before, signed) = (take(&mut text), true);
                continue;
            }
            if !text.is_empty() {
                text.push_str("; ");
            }
            match part {
                Part::Rollback => text.push_str("rollback"),
                Part::BeginAnew => text.push_str(BEGIN_ANEW),
                Part::Text(sql) => text.push_str(sql),
                Part::Savepoint(depth) => text.extend(["savepoint ", &savepoint_name(*depth)]),
                Part::EnterSigned => {}
            }
        }
        if signed {
            Messages { before: before.into(), token, after: text }
        } else {
            Messages { before: text.into(), token: None, after: String::new() }
        }
    }
}

/// A preamble as it is sent. An empty text is not sent.
pub(crate) struct Messages<'a> {
    pub(crate) before: Cow<'a, str>,
    pub(crate) token: Option<&'a Token>,
    pub(crate) after: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin() -> Part {
        Part::Text("begin".to_owned())
    }

    #[test]
    fn texts_side_by_side_are_one_message() {
        let mut preamble = Preamble::new(vec![begin()]);
        assert_eq!(preamble.messages(None).before, "begin");
        preamble.push_savepoint(1);
        preamble.roll_back_first();
        preamble.roll_back_first();
        let messages = preamble.messages(None);
        assert_eq!(messages.before, "rollback; begin; savepoint pg_tenant_1");
        assert!(messages.token.is_none() && messages.after.is_empty());
    }

    #[test]
    fn a_token_is_a_message_of_its_own() {
        let token = Token::new("a.b.c");
        let mut preamble = Preamble::new(vec![begin(), Part::EnterSigned]);
        let messages = preamble.messages(Some(&token));
        assert!(messages.before == "begin" && messages.token.is_some() && messages.after.is_empty());
        preamble.push_savepoint(1);
        assert_eq!(preamble.messages(Some(&token)).after, "savepoint pg_tenant_1");
    }

    #[test]
    fn a_savepoint_that_was_not_sent_is_taken_back() {
        let mut preamble = Preamble::new(vec![begin()]);
        preamble.push_savepoint(1);
        preamble.push_savepoint(2);
        assert!(preamble.withdraw_savepoint(2) && !preamble.withdraw_savepoint(2));
        preamble.append(Preamble::new(vec![begin()]));
        assert_eq!(preamble.messages(None).before, "begin; savepoint pg_tenant_1; begin");
        preamble = Preamble::default();
        assert!(!preamble.withdraw_savepoint(1) && preamble.is_empty());
    }
}
