//! A copy of the PostgreSQL under test that has no extension yet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use pg_tenant_tests::{Install, skipped, workshop};

/// A copy of the fetched PostgreSQL, without pg_tenant. Dropping it deletes it.
pub struct Elsewhere {
    /// Where `tests/setup/postgres` would have unpacked it.
    pub root: PathBuf,
    pg_config: PathBuf,
}

impl Elsewhere {
    /// None where the PostgreSQL under test is the system's own, which is not copied.
    pub fn new(name: &str) -> Option<Elsewhere> {
        let install = Install::current();
        let major = install.major.to_string();
        let Some(fetched) = install.bindir.ancestors().find(|dir| dir.ends_with(Path::new("pg").join(&major))) else {
            skipped(&format!("{} is not of tests/setup/postgres", install.bindir.display()));
            return None;
        };
        let root = workshop("elsewhere").join(format!("{name}-{major}"));
        let _ = fs::remove_dir_all(&root);
        // Links: nobody writes into these files, and what is installed over one is a file of its own.
        succeed(Command::new("cp").args(["-a", "--link"]).arg(fetched).arg(&root));
        succeed(Command::new("find").arg(&root).args(["-name", "pg_tenant*", "-type", "f", "-delete"]));
        let bindir = install.bindir.strip_prefix(fetched).expect("an ancestor");
        Some(Elsewhere { pg_config: root.join(bindir).join("pg_config"), root })
    }

    pub fn pg_config(&self) -> &Path {
        &self.pg_config
    }

    pub fn install(&self) -> &'static Install {
        Install::at(&self.pg_config)
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// The file that this script of `packaging/` makes for the PostgreSQL under test. One is made at a time.
pub fn made_by(script: &str) -> PathBuf {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(repository().join("packaging").join(script));
    // What cargo tells this test of its own crate would make it build the extension's dependencies again.
    for (key, _) in std::env::vars_os() {
        let key = key.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"].iter().any(|of| key.starts_with(of)) {
            command.env_remove(&*key);
        }
    }
    let said = succeed(command.arg(Install::current().bindir.join("pg_config")));
    said.trim().into()
}

/// What the command prints; panics where it fails.
pub fn succeed(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|e| panic!("run {command:?}: {e}"));
    let (said, complained) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}: {}\n{said}{complained}", out.status);
    said.into_owned()
}
