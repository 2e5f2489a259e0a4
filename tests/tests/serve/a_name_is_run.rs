//! Names, settings, members and reasons are anybody's words: the page shows them, and no browser runs them.

use super::world::{PAGES, SCRIPT, Served, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_is() {
    let db = world("names").await;
    let served = Served::start(&db.url(&db.roles.admin), &["--allow-actions"]);
    for (path, shown) in
        PAGES.map(|(path, _)| (path, ["/tenants", "/tenant?id=acme", "/findings", "/jobs", "/journal"].contains(&path)))
    {
        let body = served.get(path).await.body;
        assert!(!body.contains("<script") && !body.contains("<img"), "{path}: {body}");
        assert_eq!(body.contains("document.title="), shown, "{path}: {body}");
    }
    let asked = [
        "/tenants?q=",
        "/tenants?status=",
        "/tenant?id=",
        "/tenant?id=acme&said=",
        "/journal?tenant=",
        "/journal?before=",
    ];
    for path in asked {
        let escaped: String = SCRIPT.bytes().map(|b| format!("%{b:02X}")).collect();
        let body = served.get(&format!("{path}{escaped}")).await.body;
        assert!(!body.contains("<script") && !body.contains("<img"), "{path}: {body}");
    }
}
