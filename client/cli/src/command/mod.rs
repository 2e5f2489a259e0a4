//! The commands that ask or tell the server something, in one call.

pub mod init; // makes extension and roles
pub mod jobs;
pub mod onboard;
pub mod plan;
pub mod protect; // tables, and the proof that they are
pub mod stats;
pub mod tenant;

use std::process::ExitCode;

use crate::wire::Fault;

/// The exit status of a command, whose fault is told: what, and what to do.
pub fn told(result: Result<(), Fault>) -> ExitCode {
    let Err(fault) = result else { return ExitCode::SUCCESS };
    let verb = match fault {
        Fault::Usage(_) => "error",
        _ if fault.status() == 1 => "refused",
        _ => "could not ask",
    };
    eprintln!("{verb}: {fault}");
    if let Some(advice) = fault.advice().or_else(|| fault.hint()) {
        eprintln!("{advice}");
    }
    ExitCode::from(fault.status())
}
