//! `/metrics` has as many series as it was told, however many tenants there are; Grafana's file names no other metric.

use std::collections::BTreeSet;

use super::world::{Served, world};

fn series<'a>(body: &'a str, of: &str) -> Vec<&'a str> {
    body.lines().filter(|line| line.starts_with(of)).collect()
}

async fn metrics(served: &Served) -> String {
    let page = served.get("/metrics").await;
    assert!(page.body.ends_with("# EOF\n") && page.body.contains("pg_tenant_up 1"), "{}", page.body);
    page.body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_no_more_than_it_was_told() {
    let db = world("metrics").await;
    let served = Served::start(&db.url(&db.roles.admin), &["--metrics-tenants", "3"]);
    let few = metrics(&served).await;
    db.admin().await.run("select tenant.create('m' || n) from generate_series(1, 40) n").await;
    let app = db.app().await;
    for n in 1..=40 {
        app.run(&format!("begin; select tenant.enter('m{n}'); select 1; commit")).await;
    }
    let body = metrics(&served).await;
    assert_eq!(series(&body, "pg_tenant_tenants{state=\"active\"}"), ["pg_tenant_tenants{state=\"active\"} 42"]);
    assert_eq!(series(&body, "pg_tenant_jobs{state=\"dead\"}"), ["pg_tenant_jobs{state=\"dead\"} 1"]);
    assert_eq!(series(&body, "pg_tenant_findings{").len(), 3, "{body}");
    if !body.contains("pg_tenant_statistics 1") {
        pg_tenant_tests::skipped("this server keeps no statistics");
        return;
    }
    let listed = series(&body, "pg_tenant_tenant_transactions_total{");
    assert!(listed.len() <= 4, "{listed:?}");
    assert_eq!(listed.iter().filter(|line| line.contains("scope=\"other\"")).count(), 1, "{listed:?}");
    assert!(body.lines().count() < few.lines().count() + 40, "{body}");
}

/// A tenant that overtakes others is listed in their place: the rest's counter does not fall, or Prometheus would count
/// it once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_never_falls() {
    let db = world("rest").await;
    let served = Served::start(&db.url(&db.roles.admin), &["--metrics-tenants", "1"]);
    let app = db.app().await;
    let rest = |body: &str| -> Option<f64> {
        let line = body.lines().find(|line| line.starts_with("pg_tenant_tenant_transactions_total{scope=\"other\""))?;
        line.rsplit_once(' ')?.1.parse().ok()
    };
    let mut last = 0.0;
    for (round, tenant) in ["acme", "globex", "acme", "globex"].into_iter().enumerate() {
        for _ in 0..10 * (round + 1) {
            app.run(&format!("begin; select tenant.enter('{tenant}'); select 1; commit")).await;
        }
        let Some(now) = rest(&metrics(&served).await) else {
            return pg_tenant_tests::skipped("this server keeps no statistics");
        };
        assert!(now >= last, "round {round}: {now} after {last}");
        last = now;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grafana_asks_for_what_is_there() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../client/cli/grafana/pg_tenant.json");
    let text = std::fs::read_to_string(file).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let asked: Vec<&str> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
        .filter_map(|target| target["expr"].as_str())
        .collect();
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let names: BTreeSet<&str> =
        asked.iter().flat_map(|expr| expr.split(word)).filter(|name| name.starts_with("pg_tenant_")).collect();
    assert!(names.len() >= 10, "{names:?}");
    let db = world("grafana").await;
    let body = metrics(&Served::start(&db.url(&db.roles.admin), &[])).await;
    let there: BTreeSet<&str> = body.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    let missing: Vec<_> = names.difference(&there).collect();
    if !body.contains("pg_tenant_statistics 1") {
        pg_tenant_tests::skipped("this server keeps no statistics");
        return;
    }
    assert!(missing.is_empty(), "{missing:?} are not in {body}");
}
