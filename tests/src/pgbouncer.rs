//! PgBouncer between a test and its server: a free port, a directory, an end with the test process.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::place::Place;

/// A release line of PgBouncer that the tests can fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// 1.18, of Debian 12: carries no prepared statement from one transaction to the next.
    Old,
    /// 1.24, of Debian 13: carries them where `max_prepared_statements` is set.
    New,
}

/// A running PgBouncer in front of a [`Cluster`]. Dropping it, or the end of the process, stops it.
pub struct PgBouncer {
    /// The port on 127.0.0.1 where it listens.
    pub port: u16,
    dir: PathBuf,
    shell: Child,
}

/// Waits for the end of its standard input, as the servers' watchdog does, and then ends PgBouncer.
const SCRIPT: &str = r#"
trap '' HUP INT
"$1" "$2/pgbouncer.ini" >"$2/log" 2>&1 &
pid=$!
read -r _
kill -KILL $pid
wait $pid
[ -n "$KEEP_CLUSTERS" ] || rm -rf "$2"
"#;

impl PgBouncer {
    /// In front of every database of `cluster`, with lines for the section `[pgbouncer]`, such as `pool_mode`.
    pub fn start(cluster: &Cluster, line: Line, settings: &[(&str, &str)]) -> PgBouncer {
        for _ in 0..5 {
            if let Some(started) = PgBouncer::try_start(cluster, line, settings) {
                return started;
            }
        }
        panic!("five free ports were taken before PgBouncer could listen");
    }

    fn try_start(cluster: &Cluster, line: Line, settings: &[(&str, &str)]) -> Option<PgBouncer> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let place = Place::here();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = place.clusters.join(format!("pgbouncer-{}-{count}", std::process::id()));
        fs::create_dir_all(&dir).unwrap_or_else(|e| panic!("create {}: {e}", dir.display()));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        fs::write(dir.join("users.txt"), "\"postgres\" \"\"\n").expect("write users.txt");
        fs::write(dir.join("pgbouncer.ini"), conf(cluster, &dir, port, settings)).expect("write pgbouncer.ini");
        place.give(&dir);
        let mut sh = Command::new("/bin/sh");
        sh.args(["-c", SCRIPT, "pgbouncer"]).arg(program(line)).arg(&dir);
        place.run_as_server(&mut sh);
        sh.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let bouncer = PgBouncer { port, dir, shell: sh.spawn().expect("start /bin/sh") };
        let since = Instant::now();
        // Whoever answers on the port may be somebody who was there first.
        while !bouncer.log().contains("listening on 127.0.0.1") {
            if bouncer.log().contains("Address already in use") {
                return None;
            }
            assert!(since.elapsed() < Duration::from_secs(60), "PgBouncer does not listen\n{}", bouncer.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(bouncer)
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.join("log")).unwrap_or_default()).into_owned()
    }

    /// How tokio-postgres finds `database` through it.
    pub fn config(&self, database: &str, role: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).dbname(database).user(role);
        config
    }

    /// How everything else finds it.
    pub fn url(&self, database: &str, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// Roles come and go with the tests' databases, so PgBouncer asks the server for them.
fn conf(cluster: &Cluster, dir: &Path, port: u16, settings: &[(&str, &str)]) -> String {
    let (socket, server, users) = (cluster.socket_dir().display(), cluster.port(), dir.join("users.txt"));
    let mut conf = format!(
        "[databases]\n* = host={socket} port={server}\n[pgbouncer]\n\
         listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n\
         auth_file = {}\nauth_user = postgres\nlogfile =\npidfile =\nserver_idle_timeout = 3\n\
         server_login_retry = 1\nmax_client_conn = 500\nmax_db_connections = 60\n\
         ignore_startup_parameters = extra_float_digits\n",
        users.display()
    );
    for (name, value) in settings {
        conf += &format!("{name} = {value}\n");
    }
    conf
}

fn program(line: Line) -> &'static Path {
    static PROGRAMS: [OnceLock<PathBuf>; 2] = [OnceLock::new(), OnceLock::new()];
    let (slot, version) = match line {
        Line::Old => (0, "1.18"),
        Line::New => (1, "1.24"),
    };
    PROGRAMS[slot].get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("setup/pgbouncer");
        let out = Command::new(&script).arg(version).stderr(Stdio::inherit()).output();
        let out = out.unwrap_or_else(|e| panic!("run {}: {e}", script.display()));
        assert!(out.status.success(), "{} {version} failed: set PGBOUNCER", script.display());
        let program = PathBuf::from(String::from_utf8(out.stdout).expect("a UTF-8 path").trim());
        Place::here().require_reachable(program.parent().expect("a directory"));
        program
    })
}
