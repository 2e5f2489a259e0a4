//! A test that cannot run here says so, in one form: `skipped: <test>: <why>`. `tests/run` counts these lines.

use std::io::Write;
use std::thread;

use crate::install::Install;

/// Says that the running test, or the rest of it, is skipped, and why. It is said past the capture of the test's
/// output, which shows that of failed tests only.
pub fn skipped(why: &str) {
    let thread = thread::current();
    let test = thread.name().filter(|name| *name != "main").map_or(String::new(), |name| format!("{name}: "));
    let _ = std::io::stderr().write_all(format!("skipped: {test}{why}\n").as_bytes());
}

impl Install {
    /// Whether this server is older than `major`, the first that has `what`; where it is, that is said as skipped.
    pub fn is_before(&self, major: u32, what: &str) -> bool {
        let older = self.major < major;
        if older {
            skipped(&format!("PostgreSQL {} has no {what}", self.major));
        }
        older
    }
}
