//! An upgraded database equals a fresh one in every object, definition, right and comment.

use std::collections::BTreeSet;

use pg_tenant_tests::{Session, database};

use crate::formerly;

/// Everything that belongs to the extension, each with all that is said of it; nothing that counts (oids, column
/// numbers).
const OBJECTS: &str = include_str!("objects.sql");

async fn objects(boss: &Session) -> BTreeSet<String> {
    let rows = boss.rows(&format!("set search_path = pg_catalog; {OBJECTS}")).await;
    rows.into_iter().flatten().flatten().collect()
}

#[tokio::test]
async fn or_is_another_than_a_fresh_one() {
    let (fresh, upgraded) = (database("fresh").await, formerly::used("upgraded").await);
    let before = objects(&upgraded.superuser().await).await;
    formerly::upgrade(&upgraded).await;
    let (there, here) = (objects(&fresh.superuser().await).await, objects(&upgraded.superuser().await).await);
    assert!(there.len() > 500, "{}", there.len());
    assert_ne!(before, there, "0.1.0 has other objects");
    let (missing, left): (Vec<_>, Vec<_>) = (there.difference(&here).collect(), here.difference(&there).collect());
    assert!(missing.is_empty() && left.is_empty(), "fresh only: {missing:#?}\nupgraded only: {left:#?}");
}

/// Whoever loads the library of this version and waits with the schema: nothing is open meanwhile.
#[tokio::test]
async fn while_the_schema_waits() {
    let db = formerly::used("waits").await;
    let app = db.app().await;
    assert_eq!(app.inside_value("acme", "select string_agg(note, '') from by_text").await.as_deref(), Some("a"));
    app.expect_error("TN001", "select * from by_text").await;
    app.refused_inside("TN032", "acme", "alter table by_text add column x int").await;
    db.admin().await.run("select tenant.suspend('globex'); select tenant.resume('globex')").await;
    db.superuser()
        .await
        .run(
            "create table later (tenant_id text); select tenant.protect('later'); select count(*) from tenant.doctor()",
        )
        .await;
}
