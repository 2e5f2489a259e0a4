//! The pages can be used by keyboard and with a screen reader, and no browser runs what stands in them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pg_tenant_tests::{Database, skipped, workshop};

use super::world::{PAGES, Served, world};

/// Each tag of this name, up to its end.
fn tags<'a>(body: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!("<{name}");
    let of = |rest: &'a str| rest.split('>').next().unwrap_or_default();
    body.split(&*begin).skip(1).filter(|rest| rest.starts_with([' ', '>'])).map(of).collect()
}

fn value<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_has_a_name() {
    let db = world("names_of").await;
    let served = Served::start(&db.url(&db.roles.admin), &["--allow-actions"]);
    for (path, _) in PAGES {
        let body = served.get(path).await.body;
        for landmark in
            ["<html lang=\"en\">", "<a class=\"skip\" href=\"#main\">", "<main id=\"main\"", "<nav aria-label="]
        {
            assert_eq!(body.matches(landmark).count(), 1, "{path}: {landmark}");
        }
        assert_eq!(tags(&body, "h1").len(), 1, "{path}");
        assert!(tags(&body, "table").len() == tags(&body, "caption").len(), "{path}");
        assert!(tags(&body, "th").iter().all(|th| value(th, "scope").is_some()), "{path}");
        for svg in tags(&body, "svg") {
            assert!(
                svg.contains("aria-hidden") || value(svg, "aria-label").is_some_and(|said| !said.is_empty()),
                "{path}: {svg}"
            );
        }
        let ids: Vec<_> = body.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let mut single = ids.clone();
        single.sort_unstable();
        single.dedup();
        assert_eq!(single.len(), ids.len(), "{path}: an id stands twice in {ids:?}");
        for field in tags(&body, "input").into_iter().chain(tags(&body, "select")) {
            let labelled = value(field, "id").is_some_and(|id| body.contains(&format!("<label for=\"{id}\">")));
            let hidden = field.contains("type=\"hidden\"");
            assert!(hidden || labelled || value(field, "aria-label").is_some(), "{path}: {field}");
        }
    }
}

fn chromium() -> Option<&'static str> {
    let known = ["chromium", "chromium-browser", "google-chrome"];
    known.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success()))
}

/// Of each page, light and dark, after half a minute of work, to be looked at.
async fn take_pictures(chromium: &str, served: &Served, db: &Database<'_>, into: &Path) {
    let app = db.app().await;
    for round in 0..60_i32 {
        for (tenant, rows) in [("acme", 2000 * (round % 13)), ("globex", 300 * (round % 7))] {
            app.run(&format!(
                "begin; select tenant.enter('{tenant}'); select count(*) from generate_series(1, {rows}); commit"
            ))
            .await;
        }
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    let profile = workshop("serve_pictures");
    for ((path, title), (ground, scheme)) in
        PAGES.into_iter().flat_map(|page| [(page, ("light", 1)), (page, ("dark", 0))])
    {
        let mut browser = Command::new(chromium);
        browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,900"]);
        browser.arg(format!("--blink-settings=preferredColorScheme={scheme}"));
        let name = format!("{}-{ground}.png", title.to_lowercase().replace(' ', "-"));
        browser.arg(format!("--screenshot={}", into.join(name).display()));
        browser.arg(format!("--user-data-dir={}", profile.display())).arg(format!("{}{path}", served.base));
        assert!(tokio::task::block_in_place(|| browser.output().expect("it runs")).status.success(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_browser() {
    let Some(chromium) = chromium() else { return skipped("no chromium is installed") };
    let db = world("browser").await;
    let served = Served::start(&db.url(&db.roles.admin), &["--allow-actions"]);
    let profile = workshop("serve_chromium");
    for (path, title) in PAGES {
        let mut browser = Command::new(chromium);
        browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]);
        browser.arg(format!("--user-data-dir={}", profile.display())).arg(format!("{}{path}", served.base));
        let out = tokio::task::block_in_place(|| browser.output().expect("it runs"));
        let dom = String::from_utf8_lossy(&out.stdout);
        // A script in it would have changed the title.
        assert!(dom.contains(&format!("<title>{title} – pg_tenant</title>")), "{path}: {dom}");
        assert!(tags(&dom, "script").is_empty() && tags(&dom, "img").is_empty(), "{path}: {dom}");
    }
    if let Some(pictures) = std::env::var_os("PICTURES") {
        take_pictures(chromium, &served, &db, &PathBuf::from(pictures)).await;
    }
    let _ = std::fs::remove_dir_all(&profile);
}
