//! Attacks on tenant isolation, each run twice with the same steps on the same rows: on a stock row-level security
//! policy over a custom setting, and on a table that pg_tenant protects.
//!
//! An [`Attack`] is data: who runs which statement. [`Stage`] holds the two databases, and a fresh copy of one for each
//! run. What came out is measured, never assumed: rows of another tenant that the attacker read, rows of another tenant
//! that are not what they were, and the first SQLSTATE that stood in the way.

mod list; // the attacks
mod measure; // what came out
mod perform; // one attack, step by step
mod script; // what a statement says on either side
mod stage; // two databases with the same rows

pub use list::{all, named};
pub use measure::Outcome;
pub use stage::{Seen, Stage, rows_for_test};

/// One way to reach another tenant's rows.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// What is done, in a few words.
    pub name: &'static str,
    /// What stock PostgreSQL is known to do about it; [`Outcome`] is measured and compared with this.
    pub stock: Stock,
    /// Who does what, in order.
    pub steps: &'static [Step],
}

/// What a stock policy over a custom setting does about an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stock {
    /// Rows of another tenant are read or changed.
    Leaks,
    /// PostgreSQL stops it by itself: listed so that the comparison is honest.
    Holds,
}

/// One step. Tenant A is the attacker, or the one whose request goes wrong; tenant B is somebody else.
///
/// A refused step does not end the attack: the attacker goes on. Texts hold the placeholders of `script`.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Statements, sent as one text.
    Run(Who, &'static str),
    /// The same, and each row that comes back says in a column `tenant_id` whose it is.
    Read(Who, &'static str),
    /// Statements that answer by this SQLSTATE: the attacker learns of a row that belongs to another tenant.
    Tells(Who, &'static str, &'static str),
    /// A COPY … TO STDOUT, and each line is a tenant id.
    Copy(Who, &'static str),
    /// A new session with these startup options.
    Connect(Who, &'static str),
    /// A transaction on behalf of a tenant from a pool with one connection: the usual way over deadpool-postgres, or
    /// over this project's client.
    Lend(Tenant, &'static str),
    /// The same, and the text ends with a query whose first column is the text of a tenant id.
    LendRead(Tenant, &'static str),
}

/// Whose session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The application: an ordinary login with rights on the table.
    App,
    /// Owns the table.
    Owner,
    /// A superuser who means well.
    Dba,
}

/// Whose request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenant {
    /// The attacker.
    A,
    /// The victim.
    B,
}
