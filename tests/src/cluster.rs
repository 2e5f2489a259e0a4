//! A server of our own: an ordinary user's `initdb`, a free port, a socket, a watchdog.

use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::install::Install;
use crate::layout::Layout;
use crate::options::Options;
use crate::place::{Place, workshop};
use crate::watchdog::Watchdog;

/// A running server. Dropping it, or the end of the process, stops the server and deletes its directory
/// (`KEEP_CLUSTERS=1` keeps the directory, with the log in it).
pub struct Cluster {
    layout: Layout,
    install: &'static Install,
    /// The database that others are copied from, once it has the extension.
    pub(crate) template: OnceCell<()>,
    /// Databases whose tests are over.
    pub(crate) done: Mutex<Vec<String>>,
    watchdog: Option<Watchdog>,
    environment: Vec<(String, String)>,
}

impl Cluster {
    /// The server that the tests of this binary share, with `pg_tenant` preloaded.
    pub fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Cluster::start(Options::default()))
    }

    /// A server for the caller alone, who may stop and crash it.
    pub fn start(options: Options) -> Cluster {
        let cluster = Cluster::prepare(&options);
        let mut copy = Command::new("cp");
        cluster.must(copy.arg("-a").arg(cluster.initialized(&options.initdb)).arg(cluster.layout.data()));
        cluster.layout.configure(&options.conf());
        cluster.run()
    }

    /// A directory that `initdb` has made with these arguments: made once, and copied for each server.
    fn initialized(&self, arguments: &[String]) -> PathBuf {
        let place = Place::here();
        let made_of =
            (&self.install.bindir, fs::metadata(self.install.bindir.join("initdb")).and_then(|it| it.modified()).ok());
        let mut hash = std::hash::DefaultHasher::new();
        (made_of, arguments).hash(&mut hash);
        let kept = workshop("initialized").join(format!("{}-{:016x}", self.install.major, hash.finish()));
        if !kept.exists() {
            // Whoever comes first keeps theirs: several tests may find none at once.
            let ours = self.layout.dir.join("initialized");
            let mut initdb = self.install.program("initdb");
            initdb.args(["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D"]);
            self.must(initdb.arg(&ours).args(arguments));
            place.give(kept.parent().expect("a workshop"));
            if fs::rename(&ours, &kept).is_err() {
                fs::remove_dir_all(&ours).expect("delete a second one");
            }
        }
        kept
    }

    /// This server's databases taken over by one that has none yet, with `pg_upgrade`; both are stopped, and the other
    /// is started again. What `pg_upgrade` said where it failed.
    pub fn upgrade_to(&self, new: &Cluster) -> Result<(), String> {
        self.stop();
        new.stop();
        let mut upgrade = new.install.program("pg_upgrade");
        upgrade.arg("-U").arg("postgres").arg("-b").arg(&self.install.bindir).arg("-B").arg(&new.install.bindir);
        upgrade.arg("-d").arg(self.layout.data()).arg("-D").arg(new.layout.data());
        upgrade.arg("-p").arg(self.port().to_string()).arg("-P").arg(new.port().to_string());
        upgrade.arg("-s").arg(&new.layout.socket_dir);
        Place::here().run_as_server(&mut upgrade);
        self.install.share_libraries(new.install, &mut upgrade);
        let out = upgrade.current_dir(&new.layout.dir).output().expect("run pg_upgrade");
        if out.status.success() {
            new.start_again();
            return Ok(());
        }
        let mut logs = Command::new("find");
        logs.arg(&new.layout.dir).args(["-name", "*.log", "-exec", "tail", "-n", "30", "{}", ";"]);
        let logs = logs.output().expect("run find").stdout;
        Err([out.stdout, out.stderr, logs].map(|text| String::from_utf8_lossy(&text).into_owned()).concat())
    }

    /// A hot standby of this server, following it by streaming.
    pub fn standby(&self) -> Cluster {
        let standby = Cluster::prepare(&Options::default());
        let mut copy = self.program("pg_basebackup");
        copy.args(["-R", "-X", "stream", "-c", "fast", "--no-sync", "-D"]);
        standby.must(copy.arg(standby.layout.data()));
        standby.layout.configure("hot_standby = on\n");
        standby.run()
    }

    /// Stop as an administrator would: sessions end, a checkpoint is written.
    pub fn stop(&self) {
        self.must(self.pg_ctl("stop").args(["-m", "fast"]));
    }

    /// Stop as a power cut would: the next start recovers.
    pub fn crash(&self) {
        self.must(self.pg_ctl("stop").args(["-m", "immediate"]));
    }

    /// Start again after [`stop`](Self::stop) or [`crash`](Self::crash). Meanwhile somebody's connection may have got
    /// the port for its own end: then wait until it is over.
    pub fn start_again(&self) {
        let since = Instant::now();
        while let Err(why) = self.try_start() {
            let taken = why.contains("Address already in use") && since.elapsed() < Duration::from_secs(60);
            assert!(taken, "the server does not start\n{why}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Turn a standby into a server that writes.
    pub fn promote(&self) {
        self.must(&mut self.pg_ctl("promote"));
    }

    /// Let the server live on after this process, for a person to look around; returns its directory.
    pub fn leave_running(mut self) -> PathBuf {
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss();
        }
        self.layout.dir.clone()
    }

    /// The port on 127.0.0.1, and in the name of the socket.
    pub fn port(&self) -> u16 {
        self.layout.port
    }

    /// The directory of the Unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.layout.socket_dir
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.layout.data()
    }

    /// The installation that this server runs from.
    pub fn install(&self) -> &'static Install {
        self.install
    }

    /// What the server logged so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.layout.dir.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn prepare(options: &Options) -> Cluster {
        let install = options.install.unwrap_or_else(Install::current);
        Place::here().require_reachable(&install.bindir);
        if options.preload {
            install.require_extension();
        }
        let environment = options.environment.clone();
        Cluster {
            layout: Layout::new(install, options),
            install,
            template: OnceCell::new(),
            done: Mutex::default(),
            watchdog: None,
            environment,
        }
    }

    /// Another process may take the port between our look and the server's: then take another one.
    fn run(mut self) -> Cluster {
        self.watchdog = Some(Watchdog::start(self.install.program("pg_ctl"), &self.layout));
        for _ in 0..5 {
            match self.try_start() {
                Ok(()) => return self,
                Err(why) if why.contains("Address already in use") => {
                    self.layout.take_another_port();
                    self.layout.configure("");
                    let _ = fs::remove_file(self.layout.dir.join("log"));
                }
                Err(why) => panic!("the server does not start\n{why}"),
            }
        }
        panic!("five free ports were taken before the server could listen");
    }

    fn try_start(&self) -> Result<(), String> {
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        let out = self
            .pg_ctl("start")
            .envs(environment)
            .arg("-l")
            .arg(self.layout.dir.join("log"))
            .output()
            .expect("run pg_ctl");
        if out.status.success() { Ok(()) } else { Err(self.log()) }
    }

    fn pg_ctl(&self, verb: &str) -> Command {
        let mut command = self.install.program("pg_ctl");
        Place::here().run_as_server(command.args([verb, "-w", "-t", "300", "-D"]).arg(self.layout.data()));
        command
    }

    /// Run a program as the server's user; panic with what it said where it fails.
    fn must(&self, command: &mut Command) {
        Place::here().run_as_server(command);
        let out = command.output().unwrap_or_else(|e| panic!("run {command:?}: {e}"));
        let (said, log) = (String::from_utf8_lossy(&out.stderr), self.log());
        assert!(out.status.success(), "{command:?}: {}\n{said}\n{log}", out.status);
    }
}
