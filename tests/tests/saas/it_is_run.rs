//! What those who run the example rely on: sign-up, the worker, metrics, an orderly end.

use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::example::{Example, answer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_signs_up_and_works() {
    let saas = Example::start("saas_sign_up").await;
    let sign_up = |slug: &str| {
        let body = json!({"slug": slug, "name": "Initech", "email": "ann@example.com"});
        answer(saas.request(Method::POST, "/sign-up").json(&body))
    };
    let (status, made) = sign_up("initech").await;
    assert_eq!(status, StatusCode::ACCEPTED, "{made}");
    let key = made["key"].as_str().expect("a key");
    until(&saas, "select status = 'active' from tenant.tenants where slug = 'initech'", "it is set up").await;
    // The directory has heard that it is, or looks again.
    while saas.sign_in("initech", "ann@example.com", key).await.0 == StatusCode::SERVICE_UNAVAILABLE {}
    let token = saas.token("initech", "ann@example.com", key).await;
    let me = saas.call(&token, Method::GET, "/me", None).await.1;
    assert_eq!((&me["tenant"], &me["role"]), (&json!("initech"), &json!("owner")));
    assert_eq!(saas.call(&token, Method::GET, "/projects", None).await.1, json!([]));

    // Taken or malformed: all of it or nothing.
    let before = count(&saas, "select count(*) from tenant.tenants").await;
    assert_eq!(sign_up("initech").await.0, StatusCode::CONFLICT);
    assert_eq!(sign_up("no slug").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(count(&saas, "select count(*) from tenant.tenants").await, before);
    assert_eq!(count(&saas, "select count(*) from keys where email = 'ann@example.com'").await, 4);
    assert_eq!(count(&saas, "select count(*) from tenant.members where user_id = 'ann@example.com'").await, 4);

    until(&saas, "select count(*) = 0 from tenant.jobs", "the mail is sent").await;
    // Another tenant's mails wait for nobody; a suspended one's wait for it.
    let mail = "insert into tenant.jobs (tenant_id, kind, lane, priority, max_attempts, run_at, payload)
        select tenant, 'mail', 'default', 0, 20, now(), '{\"recipient\": \"x\", \"subject\": \"y\"}'
        from unnest('{globex,asleep}'::text[]) tenant";
    saas.superuser.run(mail).await;
    until(&saas, "select count(*) = 0 from tenant.jobs where tenant_id = 'globex'", "globex's").await;
    assert_eq!(count(&saas, "select count(*) from tenant.jobs where tenant_id = 'asleep' and attempt = 0").await, 1);
    saas.superuser.run("select tenant.resume('asleep')").await;
    until(&saas, "select count(*) = 0 from tenant.jobs", "asleep's").await;
}

/// Also of a suspended tenant; with a reason that is written down; each tenant sees its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_each_tenant_has_is_kept_by_day() {
    let saas = Example::start("saas_roll_up").await;
    until(&saas, "select count(*) = 1 from daily_usage", "the roll-up").await;
    let kept = "select concat_ws(' ', tenant_id, projects, tasks, day = (now() at time zone 'UTC')::date - 1) from daily_usage";
    assert_eq!(saas.superuser.value(kept).await.as_deref(), Some("asleep 1 0 t"));
    let reasons = "select string_agg(reason, ', ' order by id) from tenant.journal where reason like 'nightly%'";
    assert_eq!(saas.superuser.value(reasons).await.as_deref(), Some("nightly roll-up: count, nightly roll-up: keep"));
    saas.superuser.run("begin; set local role tenant_user; select tenant.enter('acme')").await;
    assert_eq!(count(&saas, "select count(*) from daily_usage").await, 0);
    saas.superuser.run("rollback").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_name_no_tenant() {
    let saas = Example::start("saas_metrics").await;
    let [acme, _] = saas.tokens().await;
    saas.call(&acme, Method::GET, "/projects", None).await;
    let page = reqwest::get(&saas.metrics).await.expect("an answer").text().await.expect("a page");
    assert!(page.contains("pg_tenant_"), "{page}");
    assert!(!page.contains("acme") && !page.contains("globex"), "{page}");
    assert_eq!(answer(saas.request(Method::GET, "/metrics")).await.0, 404, "not on the public address");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_when_requests_have_ended() {
    let mut saas = Example::start("saas_end").await;
    let [acme, _] = saas.tokens().await;
    // A request waits for a lock while the program is told to stop: it is answered all the same.
    saas.superuser.run("begin; lock table projects").await;
    let create = saas.request(Method::POST, "/projects").bearer_auth(&acme).json(&json!({"name": "Last"}));
    let request = tokio::spawn(answer(create));
    let waits =
        "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    until(&saas, waits, "the request waits").await;
    saas.terminate();
    saas.superuser.run("commit").await;
    assert_eq!(request.await.expect("an answer").0, StatusCode::CREATED);
    let (status, said) = saas.ended();
    assert!(status.success() && said.ends_with("stopped\n"), "{status}: {said}");
    let base = saas.base.clone();
    assert!(reqwest::get(base).await.is_err(), "nobody listens");
}

#[test]
fn what_is_missing_is_said_at_once() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--locked", "-p", "pg-tenant-client", "--all-features", "--example", "axum_saas"]);
    let required = [
        "SAAS_DATABASE",
        "SAAS_OPERATOR_DATABASE",
        "SAAS_WORKER_DATABASE",
        "SAAS_PROVISIONING_DATABASE",
        "SAAS_REPORTS_DATABASE",
        "SAAS_KEYS",
        "SAAS_SECRET",
    ];
    for name in required {
        cargo.env_remove(name);
    }
    let out = cargo.env("SAAS_LISTEN", "here").output().expect("run cargo");
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    for name in required.into_iter().chain(["SAAS_LISTEN=here"]) {
        assert!(said.contains(name), "{said}");
    }
}

async fn count(saas: &Example, sql: &str) -> i64 {
    saas.superuser.value(sql).await.expect("a number").parse().expect("a number")
}

async fn until(saas: &Example, sql: &str, what: &str) {
    let since = Instant::now();
    while saas.superuser.value(sql).await.as_deref() != Some("t") {
        assert!(since.elapsed() < Duration::from_secs(60), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
