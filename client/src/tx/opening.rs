//! The beginning of a transaction: what is sent for it, and how many attempts are left.

use std::mem::take;

use crate::tenant::token::Token;
use crate::wire::preamble::{Messages, Preamble};

/// The preamble of the next statement, and the state of the attempts to begin.
pub(crate) struct Opening {
    preamble: Preamble,
    /// What the preamble enters with, until it has.
    token: Option<Token>,
    /// How often the first flight may still be sent again, here or on another connection.
    attempts_left: usize,
    /// Begin and enter were sent and answered.
    begun: bool,
    /// What was sent for that, as long as nothing but queries was executed behind it.
    again: Option<(Preamble, Option<Token>)>,
    /// Queries were, whose answers the caller has seen.
    has_read: bool,
    /// The session's prepared statements are to be taken away before the next flight.
    deallocate_first: bool,
}

/// What was behind a preamble.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Nothing that was executed.
    Prepared,
    /// Queries that leave nothing in the transaction, if they have written nothing, which the server knows.
    Read,
    Executed,
}

impl Opening {
    pub(crate) fn new(preamble: Preamble, token: Option<Token>, attempts_left: usize) -> Opening {
        let (begun, has_read) = (false, false);
        Opening { preamble, token, attempts_left, begun, again: None, has_read, deallocate_first: false }
    }

    /// This statement goes after `begin`, before what enters.
    pub(crate) fn create_first(&mut self, begin: &str, create: &str) {
        self.preamble.insert_after(begin, create);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Nothing has taken effect yet, so the first flight may be sent again.
    pub(crate) fn may_retry(&self) -> bool {
        !self.begun && !self.has_read && self.attempts_left > 0
    }

    /// Nothing but preparing and reading has been done, so that it may be begun anew on this connection.
    pub(crate) fn may_begin_anew(&self) -> bool {
        (!self.begun || self.again.is_some()) && self.attempts_left > 0
    }

    pub(crate) fn has_read(&self) -> bool {
        self.has_read
    }

    pub(crate) fn attempts_left(&self) -> usize {
        self.attempts_left
    }

    pub(crate) fn use_attempt(&mut self) {
        self.attempts_left = self.attempts_left.saturating_sub(1);
    }

    /// Something is to be sent, although no statement may follow.
    pub(crate) fn is_pending(&self) -> bool {
        !self.preamble.is_empty()
    }

    pub(crate) fn messages(&self) -> Messages<'_> {
        self.preamble.messages(self.token.as_ref())
    }

    /// The preamble was answered, and what was behind it. Returns the token that it entered with.
    pub(crate) fn finish(&mut self, behind: Behind) -> Option<Token> {
        let (sent, token) = (take(&mut self.preamble), self.token.take());
        self.has_read |= behind != Behind::Prepared;
        if behind == Behind::Executed {
            self.again = None;
        } else if !self.begun {
            self.again = Some((sent, token.clone()));
        } else if let Some((again, _)) = &mut self.again {
            again.append(sent);
        }
        self.begun = true;
        token
    }

    /// Queries were executed, and their answers could not be read.
    pub(crate) fn read_in_vain(&mut self) {
        self.has_read = true;
    }

    /// What is executed is not seen here.
    pub(crate) fn execute_unseen(&mut self) {
        self.again = None;
    }

    /// The same is flown again on this connection, with statements prepared anew, after a rollback where the attempt
    /// before has left a transaction `open`. `deallocate_first`: after the session's statements were taken away.
    pub(crate) fn retry_reprepared(&mut self, open: bool, deallocate_first: bool) {
        self.use_attempt();
        self.deallocate_first = deallocate_first;
        if let Some((mut again, token)) = self.again.take() {
            again.append(take(&mut self.preamble));
            (self.preamble, self.token, self.begun) = (again, token, false);
        }
        if self.has_read {
            self.preamble.begin_anew();
        }
        if open {
            self.preamble.roll_back_first();
        }
    }

    /// Whether the session's statements are to be taken away now.
    pub(crate) fn take_deallocate_first(&mut self) -> bool {
        take(&mut self.deallocate_first)
    }

    /// Takes the savepoints that another has still to send.
    pub(crate) fn take_savepoints(&mut self, of: &Opening) {
        self.preamble.append(of.preamble.savepoints());
    }

    pub(crate) fn push_savepoint(&mut self, depth: u32) {
        self.preamble.push_savepoint(depth);
    }

    /// A text of ours travels with the next statement.
    pub(crate) fn push_text(&mut self, text: String) {
        self.preamble.push_text(text);
    }

    /// Whether the savepoint was not sent yet; then it never is.
    pub(crate) fn withdraw_savepoint(&mut self, depth: u32) -> bool {
        self.preamble.withdraw_savepoint(depth)
    }
}
