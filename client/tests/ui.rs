//! What must not compile does.
//!
//! `client/tests/ui/` holds one misuse a file, and what the compiler says of it; `make api` writes that anew.

use std::io::Write;

/// Compilers differ in their words, and the answers are this one's.
const RUST: &str = "rustc 1.95.";

#[test]
fn a_misuse_compiles() {
    let rustc = std::process::Command::new("rustc").arg("--version").output().expect("run rustc");
    if !rustc.stdout.starts_with(RUST.as_bytes()) {
        writeln!(std::io::stderr(), "skipped: a_misuse_compiles: the compiler's words are those of {RUST}*")
            .expect("write to stderr"); // past the capture
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
    #[cfg(feature = "sqlx")]
    cases.compile_fail("tests/ui/sqlx/*.rs");
}
