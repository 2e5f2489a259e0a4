//! `pgtenant` on the command line does what it says. (Its `leak-probe` is tested with PgBouncer.)

mod a_command_changes;
mod a_connection_breaks;
mod a_dry_run_changes;
mod a_password_is_shown;
mod a_setting_is_missed;
mod doctor_passes_a_defect;
mod harden_stops_half_way;
mod json_has_other_names;
mod support_is_let_in;
mod the_readme_leads_astray;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program, built once.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "build",
            "--quiet",
            "--locked",
            "-p",
            "pg-tenant-cli",
            "--bin",
            "pgtenant",
            "--message-format",
            "json",
        ]);
        let out = tokio::task::block_in_place(|| cargo.output().expect("run cargo"));
        let built = String::from_utf8_lossy(&out.stdout).lines().find_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            message["executable"].as_str().map(PathBuf::from)
        });
        built.unwrap_or_else(|| panic!("cargo did not build it: {}", String::from_utf8_lossy(&out.stderr)))
    })
}

/// The exit status, and what was printed.
fn pgtenant(args: &[&str]) -> (Option<i32>, String) {
    let out = tokio::task::block_in_place(|| Command::new(program()).args(args).output().expect("run pgtenant"));
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code(), said)
}
