//! A page's checks, as programs that say `ok …` and `not ok …` of each (the Test Anything Protocol).

use std::ops::AddAssign;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::Subject;
use crate::packages::Need;
use crate::page::root;
use crate::world::Route;

#[derive(Default)]
pub(crate) struct Sum {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Sum) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Runs them in the page's directory. A program that ends badly and says no `not ok` has failed once.
pub(crate) fn run(subject: &Subject, route: &Route, database: &str, files: &Path, psql: &Path) -> anyhow::Result<Sum> {
    println!("==> {}, {}", subject.page, route.name);
    let (program, arguments) = subject.check.split_first().expect("a program");
    let url = |role: &str| format!("postgresql://{role}@127.0.0.1:{}/{database}", route.port);
    let mut command = Command::new(program);
    command.args(arguments).current_dir(files);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(name);
    }
    let ours = root().join("client/django/src");
    command
        .env("PYTHONPATH", format!("{}:{}", Need::Pip.home().display(), ours.display()))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("PSQL", psql).env("CLIENTS_HOME", Need::Debian.home()).env("ROUTE", route.name);
    command.env("PGHOST", "127.0.0.1").env("PGPORT", route.port.to_string());
    command.env("PGUSER", "app").env("PGDATABASE", database);
    command.env("DATABASE_URL", url("app")).env("OWNER_URL", url("app_owner"));
    let out = command.stderr(Stdio::inherit()).output().with_context(|| format!("run {program}"))?;
    let said = String::from_utf8_lossy(&out.stdout);
    print!("{said}");
    let skipped = |line: &&str| line.contains("# SKIP");
    let count = |start: &str| said.lines().filter(|line| line.starts_with(start) && !skipped(line)).count();
    for line in said.lines().filter(skipped) {
        pg_tenant_tests::skipped(&format!("{}, {}: {}", subject.page, route.name, line.trim_start_matches("ok ")));
    }
    let mut sum = Sum { passed: count("ok "), failed: count("not ok ") };
    if (!out.status.success() && sum.failed == 0) || sum.passed + sum.failed == 0 {
        println!("not ok {}: {program} ended with {}", subject.page, out.status);
        sum.failed += 1;
    }
    Ok(sum)
}
