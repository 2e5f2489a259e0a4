//! Which PostgreSQL, and whether the extension is installed in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::skip::skipped;

/// A PostgreSQL installation, as its `pg_config` tells it.
#[derive(Debug)]
pub struct Install {
    /// The programs.
    pub bindir: PathBuf,
    /// The loadable libraries: `pg_tenant.so` is here.
    pub pkglibdir: PathBuf,
    /// Shared files: `extension/pg_tenant.control` is under it.
    pub sharedir: PathBuf,
    /// 15 to 18.
    pub major: u32,
    /// The headers of the server.
    pub includedir_server: PathBuf,
    libdir: PathBuf,
}

/// The modules of PostgreSQL's contrib that tests use. Some packages of PostgreSQL come without.
pub const CONTRIB: [&str; 14] = [
    "auto_explain",
    "btree_gist",
    "citext",
    "dblink",
    "file_fdw",
    "pageinspect",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_trgm",
    "pgrowlocks",
    "pgstattuple",
    "postgres_fdw",
    "tcn",
    "tsm_system_rows",
];

impl Install {
    /// The installation that `PG_CONFIG` names; without it, the embedded 18 that `make test` fetched.
    pub fn current() -> &'static Install {
        static INSTALL: OnceLock<Install> = OnceLock::new();
        INSTALL.get_or_init(|| Install::of(&pg_config()))
    }

    /// An installation of another major in which the extension is installed as well, if `make` has fetched one.
    pub fn of_major(major: u32) -> Option<&'static Install> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let fetched = root.parent()?.join(format!("target/pg/{major}"));
        if !fetched.exists() {
            return None;
        }
        let mut script = Command::new(root.join("setup/postgres"));
        let out = script.arg(major.to_string()).env_remove("PG_CONFIG").output().ok()?;
        let install = Install::of(Path::new(String::from_utf8(out.stdout).ok()?.trim()));
        install.pkglibdir.join("pg_tenant.so").exists().then(|| &*Box::leak(Box::new(install)))
    }

    /// The installation whose `pg_config` this is.
    pub fn at(pg_config: &Path) -> &'static Install {
        Box::leak(Box::new(Install::of(pg_config)))
    }

    /// Lets a program that runs those of this installation and of another find the libraries of both.
    pub(crate) fn share_libraries(&self, other: &Install, command: &mut Command) {
        let both = [&other.libdir, &self.libdir].map(|dir| dir.to_string_lossy().into_owned());
        command.env("LD_LIBRARY_PATH", both.join(":"));
    }

    fn of(pg_config: &Path) -> Install {
        let ask = |what: &str| {
            let out = Command::new(pg_config).arg(what).output();
            let out = out.unwrap_or_else(|e| panic!("run {}: {e}", pg_config.display()));
            String::from_utf8(out.stdout).expect("pg_config prints UTF-8").trim().to_owned()
        };
        let version = ask("--version"); // PostgreSQL 15.20 (Debian 15.20-0+deb12u1), PostgreSQL 19devel
        let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        Install {
            bindir: ask("--bindir").into(),
            pkglibdir: ask("--pkglibdir").into(),
            sharedir: ask("--sharedir").into(),
            major: digits[..end].parse().unwrap_or_else(|_| panic!("no major version in {version:?}")),
            includedir_server: ask("--includedir-server").into(),
            libdir: ask("--libdir").into(),
        }
    }

    /// A program of this installation, with an environment in which only what the caller sets decides.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bindir.join(name));
        for (key, _) in std::env::vars_os().filter(|(k, _)| k.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(key);
        }
        // pgrx writes a backtrace into DETAIL when these are set.
        command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
        command.env("LC_ALL", "C").env("PGCLIENTENCODING", "UTF8").env("TZ", "UTC");
        if !["/usr/lib", "/lib"].iter().any(|system| self.libdir.starts_with(system)) {
            command.env("LD_LIBRARY_PATH", &self.libdir);
        }
        command
    }

    /// Whether a module that `sql` names is missing here; where it is, what needs it is said as skipped.
    pub fn lacks(&self, sql: &str) -> bool {
        let is_there = |module: &str| {
            let files = [
                self.sharedir.join(format!("extension/{module}.control")),
                self.pkglibdir.join(format!("{module}.so")),
            ];
            files.iter().any(|file| file.exists())
        };
        let missing = CONTRIB.into_iter().find(|module| sql.contains(module) && !is_there(module));
        if let Some(module) = missing {
            skipped(&format!("this PostgreSQL {} comes without {module}", self.major));
        }
        missing.is_some()
    }

    /// Panics where the extension is not installed, saying how to install it.
    pub fn require_extension(&self) {
        for file in [self.pkglibdir.join("pg_tenant.so"), self.sharedir.join("extension/pg_tenant.control")] {
            assert!(
                file.exists(),
                "no {}: `make install PG_CONFIG={}` first",
                file.display(),
                self.bindir.join("pg_config").display()
            );
        }
    }
}

fn pg_config() -> PathBuf {
    if let Some(path) = std::env::var_os("PG_CONFIG") {
        return path.into();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("setup/postgres");
    let out = Command::new(&script).arg("18").stderr(std::process::Stdio::inherit()).output();
    let out = out.unwrap_or_else(|e| panic!("run {}: {e}", script.display()));
    assert!(out.status.success(), "{} 18 failed: set PG_CONFIG", script.display());
    String::from_utf8(out.stdout).expect("a UTF-8 path").trim().into()
}
