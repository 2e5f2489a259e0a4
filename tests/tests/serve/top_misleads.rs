//! `pgtenant top --once` shows who causes the load, and says why where it cannot.

use std::process::Output;
use std::time::{Duration, Instant};

use super::world::{pgtenant, world};

fn told(out: &Output) -> (Option<i32>, String) {
    (out.status.code(), format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
}

/// The lines of tenants; contexts without one are in brackets.
fn tenants(screen: &str) -> Vec<&str> {
    screen.lines().skip(3).filter(|line| !line.is_empty() && !line.starts_with('(')).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_causes_the_load_stands_first() {
    let db = world("top").await;
    let url = db.url(&db.roles.admin);
    let app = db.app().await;
    db.admin().await.run("select tenant.set_limits('acme', statement_timeout => '5 s')").await;
    app.run("begin; select tenant.enter('globex'); select 1; commit").await;
    for _ in 0..20 {
        app.run("begin; select tenant.enter('acme'); select count(*) from generate_series(1, 20000); commit").await;
    }
    // A step is shown when it is over: ten seconds.
    let since = Instant::now();
    let screen = loop {
        let (status, screen) = told(&pgtenant(&["top", &url, "--once", "--sort", "exec"]));
        assert_eq!(status, Some(0), "{screen}");
        if tenants(&screen).iter().filter(|line| line.contains('█')).count() == 2 {
            break screen;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "{screen}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let [first, second] = tenants(&screen)[..] else { panic!("{screen}") };
    assert!(first.starts_with("acme") && second.starts_with("globex"), "{screen}");
    assert!(first.contains(" 5s "), "its limit: {screen}");
    assert!(first.contains(" 1 "), "its dead job: {screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said() {
    let db = world("top_wrong").await;
    let plain = db.cluster().plain_database("serve_top_plain").await;
    for (url, said) in [
        (db.url(&db.roles.bystander), "permission denied"),
        (plain.url(&plain.roles.admin), "does not keep statistics"),
        ("postgres://nobody:hidden@127.0.0.1:1/none".to_owned(), "no connection to the database"),
    ] {
        let (status, text) = told(&pgtenant(&["top", &url, "--once"]));
        assert_eq!(status, Some(2), "{text}");
        assert!(text.contains(said) && !text.contains("hidden"), "{text}");
        assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    }
    // In a pipe it is one screen or nothing.
    let (status, text) = told(&pgtenant(&["top", &db.url(&db.roles.admin)]));
    assert!(status == Some(2) && text.contains("--once"), "{text}");
}
