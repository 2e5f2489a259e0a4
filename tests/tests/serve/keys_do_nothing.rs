//! `pgtenant top` on a terminal: it draws, asks before it suspends, does it, and leaves the terminal.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pg_tenant_tests::skipped;

use super::world::{program, world};

/// What has come from the terminal.
type Screen = Arc<Mutex<Vec<u8>>>;

/// Waits until the terminal, or the server, says so.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !holds().await {
        assert!(since.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn shows(screen: &Screen, text: &str) -> bool {
    String::from_utf8_lossy(&screen.lock().expect("nobody panics with it")).contains(text)
}

/// `script` runs it on a terminal of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_terminal() {
    if Command::new("script").arg("--version").output().is_err() {
        return skipped("there is no program script");
    }
    let db = world("top_keys").await;
    let admin = db.admin().await;
    let top =
        format!("stty cols 80 rows 24; {} top {} --sort dead --delay 1", program().display(), db.url(&db.roles.admin));
    let mut command = Command::new("script");
    command.args(["-qefc", &top, "/dev/null"]).env("TERM", "xterm");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script runs");
    let (mut keys, mut out) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let screen = Screen::default();
    let seen = screen.clone();
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = out.read(&mut bytes) {
            seen.lock().expect("nobody panics with it").extend_from_slice(&bytes[..n]);
        }
    });
    let mut press = |text: &str| keys.write_all(text.as_bytes()).and_then(|()| keys.flush()).expect("a key");
    until("acme is drawn", async || shows(&screen, "acme")).await;
    press("s");
    until("it asks", async || shows(&screen, "Reason")).await;
    let status = "select status from tenant.tenants where id = 'acme'";
    assert_eq!(admin.value(status).await.as_deref(), Some("active"));
    press("a bad night\r");
    until("it is done", async || admin.value(status).await.as_deref() == Some("suspended")).await;
    let told = "select reason from tenant.journal where action = 'suspend' and object = 'acme'";
    assert_eq!(admin.value(told).await.as_deref(), Some("a bad night"));
    press("q");
    let ended = tokio::task::block_in_place(|| child.wait().expect("it ends"));
    reader.join().expect("read");
    assert!(ended.success(), "{ended}");
    // The screen that was there before is there again.
    assert!(shows(&screen, "\u{1b}[?1049l"));
}
