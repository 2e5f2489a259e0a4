//! Where one server lives: a directory, a port and a socket that are free.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::install::Install;
use crate::options::Options;
use crate::place::Place;

pub(crate) struct Layout {
    pub(crate) dir: PathBuf,
    pub(crate) socket_dir: PathBuf,
    pub(crate) port: u16,
}

/// `sockaddr_un` holds 108 bytes with the final zero.
const LONGEST_SOCKET: usize = 107;

impl Layout {
    pub(crate) fn new(install: &Install, options: &Options) -> Layout {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let place = Place::here();
        let dir = place.clusters.join(options.name.as_ref().unwrap_or(&unique));
        let port = free_port();
        let mut socket_dir = dir.join("s");
        if socket_dir.join(format!(".s.PGSQL.{port}")).as_os_str().len() > LONGEST_SOCKET {
            socket_dir = std::env::temp_dir().join(format!("pg_tenant-{unique}"));
        }
        let layout = Layout { dir, socket_dir, port };
        layout.clear(install, place);
        for made in [&layout.dir, &layout.socket_dir] {
            fs::create_dir_all(made).unwrap_or_else(|e| panic!("create {}: {e}", made.display()));
            place.give(made);
        }
        layout
    }

    /// A directory with a name may hold an earlier server, and that may still run.
    fn clear(&self, install: &Install, place: &Place) {
        if self.dir.exists() {
            let mut pg_ctl = install.program("pg_ctl");
            place.run_as_server(pg_ctl.args(["stop", "-m", "immediate", "-D"]).arg(self.data()));
            let _ = pg_ctl.output(); // it fails where nothing runs
            fs::remove_dir_all(&self.dir).unwrap_or_else(|e| panic!("delete {}: {e}", self.dir.display()));
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Add lines to `postgresql.conf`, where the last one for a name wins, and say where to listen.
    pub(crate) fn configure(&self, lines: &str) {
        let file = self.data().join("postgresql.conf");
        let mut conf = fs::read_to_string(&file).expect("read postgresql.conf");
        let (sockets, port) = (self.socket_dir.display(), self.port);
        conf += &format!("\n{lines}\nunix_socket_directories = '{sockets}'\nport = {port}\n");
        fs::write(&file, conf).expect("write postgresql.conf");
    }

    pub(crate) fn take_another_port(&mut self) {
        self.port = free_port();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
    listener.local_addr().expect("the address of a listener").port()
}
