//! What was found, what it means for a tenant, and what to choose.

use std::fmt;
use std::process::ExitCode;

use super::Found;
use super::entry::Entry;
use super::statements::Statements;
use crate::output::Row;
use crate::wire::Fault;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Safe,
    Unsafe,
    NotTold,
}

/// Lines of a name and a text, the verdict among them.
pub struct Report {
    verdict: Verdict,
    lines: Vec<(&'static str, String)>,
}

impl Report {
    pub fn exit(&self) -> ExitCode {
        ExitCode::from(match self.verdict {
            Verdict::Safe => 0,
            Verdict::Unsafe => 1,
            Verdict::NotTold => 2,
        })
    }

    /// The lines by name, and whether the path is safe: null where that could not be told.
    pub fn row(&self) -> Row {
        let safe = match self.verdict {
            Verdict::Safe => Some(true),
            Verdict::Unsafe => Some(false),
            Verdict::NotTold => None,
        };
        let lines = self.lines.iter().map(|(name, text)| ((*name).to_owned(), text.clone().into()));
        std::iter::once(("safe".to_owned(), safe.into())).chain(lines).collect()
    }

    pub fn not_told(fault: &Fault) -> Report {
        let mut report = Report { verdict: Verdict::NotTold, lines: Vec::new() };
        report.line("verdict", format!("could not tell: {fault}"));
        report.line(
            "advice",
            match fault {
                Fault::Silent => {
                    "give the pooler at least 3 connections to the server for this database and role, and ask again"
                }
                Fault::Said(code, ..) if code == "08P01" => {
                    "the pooler refuses what the client asks for: see client/docs/pgbouncer.md for its settings"
                }
                _ => "check the address, the role and the database",
            },
        );
        report
    }

    pub fn of(found: &Found) -> Report {
        let mut report = Report { verdict: Verdict::Safe, lines: Vec::new() };
        let mixes = found.switches || !found.mixed.is_empty();
        report.line(
            "pooler",
            match found.pooler {
                Some(true) => "yes: the backend is not the one that the connection was told of",
                Some(false) => "none was seen",
                None => "not known",
            },
        );
        if let Some(why) = &found.split {
            report.line("transactions", format!("do not stay on one backend: {why}"));
            report.verdict = Verdict::Unsafe;
            report.line(
                "verdict",
                "not safe: statements of one transaction run in different sessions, so none has a tenant",
            );
            report.line("advice", "use pool_mode = transaction or session; statement pooling is not supported");
            return report;
        }
        report.line("transactions", "stay on one backend");
        report.sessions(found, mixes);
        report.line(
            "statements",
            match found.statements {
                Statements::Kept => "prepared statements stay with their connection",
                Statements::Carried => "prepared statements are carried from one backend to the next",
                Statements::Lost => "prepared statements are lost between transactions",
                Statements::Unknown => "not known whether prepared statements are carried",
            },
        );
        report.entry(&found.entry);
        if found.left > 0 {
            report.line("left", format!("marks on {} backends: end these sessions, or the pooler's", found.left));
        }
        report.verdict(found, mixes);
        report.line("advice", advice(found, mixes));
        report
    }

    fn line(&mut self, name: &'static str, text: impl Into<String>) {
        self.lines.push((name, text.into()));
    }

    fn sessions(&mut self, found: &Found, mixes: bool) {
        let list = |states: &[super::State]| states.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        self.line(
            "sessions",
            if !found.mixed.is_empty() {
                format!("mixed: another connection saw {}", list(&found.mixed))
            } else if mixes {
                "mixed: one connection's transactions run on several backends".to_owned()
            } else if !found.survived.is_empty() {
                format!("handed on: the next connection found {} of one that had closed", list(&found.survived))
            } else {
                "each connection has its own".to_owned()
            },
        );
    }

    fn entry(&mut self, entry: &Entry) {
        self.line(
            "pg_tenant",
            match entry {
                Entry::Absent => "not in this database".to_owned(),
                Entry::NotGranted => "there, but this role may not enter tenants: grant tenant_user to it".to_owned(),
                Entry::Refused(why) => format!("a pool could not enter: {why}"),
                Entry::Clean(version) => format!("{version}: sessions are taken for clean"),
                Entry::Entered(version) => format!("{version}: a tenant is entered, and gone after its transaction"),
                Entry::Stayed => "A TENANT WAS THERE AFTER ITS TRANSACTION".to_owned(),
            },
        );
    }

    fn verdict(&mut self, found: &Found, mixes: bool) {
        let (verdict, text) = match &found.entry {
            Entry::Stayed => (Verdict::Unsafe, "not safe: a tenant outlives its transaction"),
            Entry::Refused(_) => (Verdict::Unsafe, "not safe: pools cannot enter through this path"),
            Entry::Clean(_) | Entry::Entered(_) if mixes || !found.survived.is_empty() => (
                Verdict::Safe,
                "safe for pg_tenant, whose tenant ends with the transaction; not safe for what is kept in a session",
            ),
            Entry::Absent | Entry::NotGranted if mixes || !found.survived.is_empty() => {
                (Verdict::Unsafe, "not safe: a tenant that is kept in the session is another client's tenant next")
            }
            Entry::NotGranted => (Verdict::NotTold, "could not tell: this role may not enter tenants"),
            Entry::Absent | Entry::Clean(_) | Entry::Entered(_) => (Verdict::Safe, "safe"),
        };
        self.verdict = verdict;
        self.line("verdict", text);
    }
}

fn advice(found: &Found, mixes: bool) -> &'static str {
    match (mixes, found.pooler, found.statements) {
        (true, _, Statements::Carried) => ".pooler(Pooler::TransactionPrepared) on the pool",
        (true, ..) => {
            ".pooler(Pooler::Transaction) on the pool; PgBouncer 1.21 or later with max_prepared_statements is faster"
        }
        (false, Some(true), _) if !found.survived.is_empty() => "set server_reset_query = DISCARD ALL",
        (false, Some(true), _) => ".pooler(Pooler::Session) on the pool",
        (false, ..) => "nothing to choose",
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|(name, text)| writeln!(f, "{name:<13} {text}"))
    }
}
