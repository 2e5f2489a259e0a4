//! psql scripts and the output they must have: `pg_tenant/tests/pg_regress/{sql,expected}`.
//!
//! A script runs as a superuser in a fresh database with the extension and sets its roles itself (`regress_` prefix,
//! names of its own: roles belong to the whole server). `expected/NAME.out` holds what PostgreSQL 18 prints;
//! `NAME.out.15` replaces it where a major prints something else, and `NAME_1.out` is another right answer.
//! What came out is left under `target/goldens/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The scripts of one directory, and the major they run on.
pub struct Goldens {
    dir: PathBuf,
    results: PathBuf,
    major: u32,
}

/// The major whose output is the plain `NAME.out`.
const BASE: u32 = 18;

impl Goldens {
    /// The goldens in `dir`, which has `sql/` and `expected/`.
    pub fn new(dir: impl Into<PathBuf>, major: u32) -> Goldens {
        let results = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/goldens/{major}"));
        fs::create_dir_all(&results).expect("create target/goldens");
        Goldens { dir: dir.into(), results, major }
    }

    /// The scripts' names, sorted. Panics where an expected output has no script.
    pub fn names(&self) -> Vec<String> {
        let list = |sub: &str, end: &str| {
            let entries = fs::read_dir(self.dir.join(sub)).into_iter().flatten(); // none where nothing is expected yet
            let files = entries.map(|e| e.expect("read a directory").file_name().to_string_lossy().into_owned());
            files.filter_map(|f| Some(f.split_once(end)?.0.to_owned())).collect::<Vec<_>>()
        };
        let mut names = list("sql", ".sql");
        names.sort();
        let known = |out: &String| {
            names.contains(out) || out.rsplit_once('_').is_some_and(|(n, _)| names.iter().any(|s| s == n))
        };
        if let Some(stray) = list("expected", ".out").iter().find(|out| !known(out)) {
            panic!("expected/{stray}.out has no script sql/{stray}.sql");
        }
        names
    }

    /// Run one script with `psql`, a command that knows its server and database; returns the path of what it printed.
    pub fn run(&self, name: &str, psql: &mut Command) -> PathBuf {
        let result = self.results.join(format!("{name}.out"));
        let script = File::open(self.dir.join(format!("sql/{name}.sql"))).expect("open the script");
        let out = File::create(&result).expect("create the result");
        psql.args(["-X", "-a", "-q", "-v", "HIDE_TABLEAM=on", "-v", "HIDE_TOAST_COMPRESSION=on"]);
        psql.stdin(script).stdout(out.try_clone().expect("share the result")).stderr(Stdio::from(out));
        psql.status().unwrap_or_else(|e| panic!("run psql: {e}"));
        result
    }

    /// Compare a result with every output that is right; the unified diff with the nearest to the plain one, if none
    /// is.
    pub fn compare(&self, name: &str, result: &Path) -> Result<(), String> {
        let candidates = self.candidates(name);
        let Some(first) = candidates.first() else {
            return Err(format!("{name}: no expected output; `make goldens` writes it\n"));
        };
        let got = fs::read(result).expect("read the result");
        if candidates.iter().any(|c| fs::read(c).is_ok_and(|wanted| wanted == got)) {
            return Ok(());
        }
        let diff = Command::new("diff").arg("-u").args([first, result]).output().expect("run diff");
        Err(format!("{name}: not as expected\n{}", String::from_utf8_lossy(&diff.stdout)))
    }

    /// Make a result the expected one: the plain file on the base major, a variant elsewhere and only where it differs.
    pub fn accept(&self, name: &str, result: &Path) {
        let (plain, variant) = (self.expected(name, ".out"), self.expected(name, &format!(".out.{}", self.major)));
        let _ = fs::remove_file(&variant);
        if self.compare(name, result).is_err() {
            let to = if self.major == BASE || !plain.exists() { plain } else { variant };
            fs::create_dir_all(self.dir.join("expected")).expect("create expected/");
            fs::copy(result, &to).unwrap_or_else(|e| panic!("write {}: {e}", to.display()));
        }
    }

    fn candidates(&self, name: &str) -> Vec<PathBuf> {
        let variant = self.expected(name, &format!(".out.{}", self.major));
        if variant.exists() {
            return vec![variant];
        }
        let plain = std::iter::once(self.expected(name, ".out"));
        let others = (1..10).map(|n| self.expected(name, &format!("_{n}.out")));
        plain.chain(others).filter(|file| file.exists()).collect()
    }

    fn expected(&self, name: &str, end: &str) -> PathBuf {
        self.dir.join("expected").join(format!("{name}{end}"))
    }
}
