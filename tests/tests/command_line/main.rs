//! `pgtenant` on the command line does what it says. (Its `leak-probe` is tested with PgBouncer.)

mod a_password_is_shown;
mod doctor_passes_a_defect;
mod harden_stops_half_way;
mod support_is_let_in;

use std::process::Command;

/// The exit status, and what was printed.
fn pgtenant(args: &[&str]) -> (Option<i32>, String) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--locked", "-p", "pg-tenant-cli", "--bin", "pgtenant", "--"]);
    let out = tokio::task::block_in_place(|| cargo.args(args).output().expect("run cargo"));
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code(), said)
}
