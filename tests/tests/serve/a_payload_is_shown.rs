//! What jobs say and what the journal has in its details stays in the database.

use super::world::{PAGES, PAYLOAD, Served, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nowhere() {
    let db = world("payload").await;
    let served = Served::start(&db.url(&db.roles.admin), &[]);
    for path in PAGES.map(|(path, _)| path).into_iter().chain(["/journal?tenant=acme", "/metrics"]) {
        let body = served.get(path).await.body;
        assert!(!body.contains(PAYLOAD), "{path}: {body}");
    }
    // It is there to be seen.
    let there = format!("select count(*)::text from tenant.journal where detail::text like '%{PAYLOAD}%'");
    assert_eq!(db.admin().await.value(&there).await.as_deref(), Some("1"));
}
