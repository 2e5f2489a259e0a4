//! One row of the catalogue: a way to reach another tenant's rows, and what is said of it.

use pg_tenant_tests::attack::Step;

/// A leak, what it is worth to whom, how it is tried, and what answers it.
#[derive(Clone, Copy)]
pub struct Row {
    /// As the catalogue numbers it. A leak with more than one form has more than one row.
    pub id: &'static str,
    /// Who uses it: `T0` a buggy application, to `T5`; the README of the threat model says them all.
    pub threat: &'static str,
    /// What is done about it, of: B refused at run time, P prevented by `protect`, R reported by the doctor, D
    /// documented.
    pub act: &'static str,
    pub stock: Stock,
    /// The leak, in one line.
    pub leak: &'static str,
    pub play: Play,
    /// Findings that report it. Those that the run itself does not cause are caused by the doctor's own tests.
    pub finds: &'static [&'static str],
    /// Why no SQLSTATE of ours answers an act B, or none is needed.
    pub because: Option<&'static str>,
    /// Words of SECURITY.md that admit it.
    pub admitted: Option<&'static str>,
    /// SQLSTATEs of PostgreSQL's own that are a refusal here.
    pub refuses: &'static [&'static str],
    /// An extension that it takes: not on every server.
    pub needs: Option<&'static str>,
    /// The first major that has it.
    pub since: u32,
}

/// What stock PostgreSQL does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stock {
    /// It leaks there.
    V,
    /// It is closed there: a control.
    F,
    /// Known from source and documentation: what comes out is printed.
    S,
}

/// How it is tried.
#[derive(Clone, Copy)]
pub enum Play {
    /// An attack of the demo's list.
    Listed(&'static str),
    /// Steps of its own.
    Steps(&'static [Step]),
    /// More than SQL: a test of its own shows it, named by file and function.
    Test(&'static str, &'static str),
    /// It cannot be run here, for this reason.
    Unrun(&'static str),
}

pub const fn row(
    id: &'static str,
    threat: &'static str,
    act: &'static str,
    stock: Stock,
    leak: &'static str,
    play: Play,
) -> Row {
    let (finds, refuses): (&[&str], &[&str]) = (&[], &[]);
    Row { id, threat, act, stock, leak, play, finds, because: None, admitted: None, refuses, needs: None, since: 15 }
}

impl Row {
    pub const fn finds(self, finds: &'static [&'static str]) -> Row {
        Row { finds, ..self }
    }

    pub const fn because(self, why: &'static str) -> Row {
        Row { because: Some(why), ..self }
    }

    pub const fn admitted(self, words: &'static str) -> Row {
        Row { admitted: Some(words), ..self }
    }

    pub const fn refuses(self, refuses: &'static [&'static str]) -> Row {
        Row { refuses, ..self }
    }

    pub const fn needs(self, extension: &'static str) -> Row {
        Row { needs: Some(extension), ..self }
    }

    pub const fn since(self, major: u32) -> Row {
        Row { since: major, ..self }
    }
}
