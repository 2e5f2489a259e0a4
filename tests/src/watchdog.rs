//! No server outlives its test process, however that process ends.
//!
//! A shell waits for the end of its standard input, a pipe that only the test process holds: the kernel closes it when
//! the process exits, panics or is killed. Then the shell stops the server and deletes its directory.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::layout::Layout;
use crate::place::Place;

pub(crate) struct Watchdog(Child);

/// A signal for the whole process group (Ctrl-C) must not end the watchdog before its work.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
read -r _
"$1" stop -D "$2/data" -m immediate -w
[ -n "$KEEP_CLUSTERS" ] || rm -rf "$2" "$3"
"#;

impl Watchdog {
    /// Watch over the server of `layout`, which `pg_ctl` can stop.
    pub(crate) fn start(pg_ctl: Command, layout: &Layout) -> Watchdog {
        let mut sh = Command::new("/bin/sh");
        sh.args(["-c", SCRIPT, "watchdog"]).arg(pg_ctl.get_program()).args([&layout.dir, &layout.socket_dir]);
        for (key, value) in pg_ctl.get_envs() {
            match value {
                Some(value) => sh.env(key, value),
                None => sh.env_remove(key),
            };
        }
        Place::here().run_as_server(&mut sh);
        sh.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Watchdog(sh.spawn().expect("start the watchdog's /bin/sh"))
    }

    /// Let the server live on after this process.
    pub(crate) fn dismiss(mut self) {
        let _ = self.0.kill();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
