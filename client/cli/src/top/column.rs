//! What is shown of a tenant, and sorted by.

use super::sample::Line;
use crate::serve::chart::short;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Column {
    /// Its id.
    Tenant,
    /// Transactions a second.
    Tx,
    /// Statements a second.
    Statements,
    /// Rows read a second.
    Read,
    /// Rows written a second.
    Written,
    /// Time of execution, in per cent of one process.
    Exec,
    /// Time on processors, in per cent of one.
    Cpu,
    /// Sessions in it.
    Sessions,
    /// Sessions in it that wait for a lock.
    Lock,
    /// Dead jobs.
    Dead,
    /// Refused statements since counting began.
    Refused,
    /// State, or its limit on statements.
    Limit,
}

use Column::{Cpu, Dead, Exec, Limit, Lock, Read, Refused, Sessions, Statements, Tenant, Tx, Written};

/// On 80 columns, and where there is more room.
const NARROW: [Column; 10] = [Tenant, Tx, Statements, Read, Written, Exec, Sessions, Lock, Dead, Limit];
const WIDE: [Column; 12] = [Tenant, Tx, Statements, Read, Written, Exec, Cpu, Sessions, Lock, Dead, Refused, Limit];

impl Column {
    pub fn of(width: u16) -> &'static [Column] {
        if width >= 100 { &WIDE } else { &NARROW }
    }

    pub fn heading(self) -> &'static str {
        match self {
            Tenant => "tenant",
            Tx => "tx/s",
            Statements => "stmt/s",
            Read => "read/s",
            Written => "writ/s",
            Exec => "exec%",
            Cpu => "cpu%",
            Sessions => "sess",
            Lock => "lock",
            Dead => "dead",
            Refused => "refused",
            Limit => "limit",
        }
    }

    /// In characters; the tenant has what is left.
    pub fn width(self) -> usize {
        match self {
            Tenant => 0,
            Refused => 7,
            Limit => 5,
            Sessions | Lock | Dead => 4,
            _ => 6,
        }
    }

    pub fn text(self, line: &Line) -> String {
        match self {
            Tenant => line.name(),
            Limit => line.limit(),
            _ => short(self.value(line)),
        }
    }

    /// What it is sorted by.
    pub fn value(self, line: &Line) -> f64 {
        match self {
            Tenant => 0.0,
            Tx => line.now(0),
            Statements => line.now(1),
            Read => line.now(2),
            Written => line.now(3),
            Exec => line.now(4) / 10.0,
            Cpu => line.now(5) / 10.0,
            Sessions => line.sessions,
            Lock => line.waiting,
            Dead => line.dead,
            Refused => line.refused,
            Limit => f64::from(u8::from(!line.limit().is_empty())),
        }
    }

    /// The next one, or the one before it.
    pub fn beside(self, forward: bool) -> Column {
        let at = WIDE.iter().position(|column| *column == self).unwrap_or_default();
        WIDE[(at + if forward { 1 } else { WIDE.len() - 1 }) % WIDE.len()]
    }
}
