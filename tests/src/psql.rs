//! Programs beside the server: psql, pg_dump, pg_restore, pgbench.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use crate::cluster::Cluster;
use crate::database::Database;

/// What a program left.
#[derive(Debug)]
pub struct Output {
    /// Whether it ended with status 0.
    pub ok: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output; panics with standard error where the program failed.
    #[track_caller]
    pub fn expect(self, what: &str) -> String {
        assert!(self.ok, "{what} failed\n{}\n{}", self.stdout, self.stderr);
        self.stdout
    }
}

impl Cluster {
    /// A program of this server's installation, which finds the server by itself; the superuser unless `-U` says more.
    pub fn program(&self, name: &str) -> Command {
        let mut command = self.install().program(name);
        command.env("PGHOST", self.socket_dir()).env("PGPORT", self.port().to_string());
        command.env("PGUSER", "postgres").env("PGDATABASE", "postgres");
        command
    }
}

impl Database<'_> {
    /// A program that works on this database as `role`.
    pub fn program(&self, name: &str, role: &str) -> Command {
        let mut command = self.cluster().program(name);
        command.env("PGUSER", role).env("PGDATABASE", &self.name);
        command
    }

    /// Run a script with psql as `role`, up to its first error.
    pub fn psql(&self, role: &str, script: &str) -> Output {
        let mut psql = self.program("psql", role);
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        run(&mut psql, script)
    }

    /// `pg_dump` as `role`.
    pub fn dump(&self, role: &str) -> Output {
        run(&mut self.program("pg_dump", role), "")
    }
}

/// Run a program to its end, with `input` on its standard input.
pub fn run(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("run {command:?}: {e}"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_owned();
    let writer = thread::spawn(move || {
        let _ = stdin.write_all(input.as_bytes()); // a program that stops early closes its end
    });
    let out = child.wait_with_output().expect("wait for a program");
    writer.join().expect("the writer does not panic");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { ok: out.status.success(), stdout: text(out.stdout), stderr: text(out.stderr) }
}
