//! What `--json` prints has the names that `client/cli/docs/json.md` has for the command, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::pgtenant;

/// A command that has something to list in the database of this test, and its line of the page.
const ASKED: [(&str, &str); 12] = [
    ("tenant list", "tenant list"),
    ("tenant show acme", "tenant show"),
    ("tenant settings acme", "tenant settings"),
    ("tenant limits acme", "tenant limits"),
    ("tenant journal acme", "tenant journal"),
    ("plan list", "plan list"),
    ("plan show gold", "plan show"),
    ("plan limits gold", "plan limits"),
    ("protect", "protect"),
    ("doctor", "doctor"),
    ("onboard status", "onboard status"),
    ("stats", "stats"),
];

/// The names of each command: what is in backticks, up to a semicolon, after which another form of it follows.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../client/cli/docs/json.md");
    let page = std::fs::read_to_string(file).expect("the page");
    let line = |line: &str| {
        let (command, names) = line.strip_prefix("| `")?.split_once("` | ")?;
        let names = names.split(';').next()?.split('`').skip(1).step_by(2);
        let names = names.filter(|name| !name.starts_with('-')).map(str::to_owned);
        Some((command.to_owned(), names.collect()))
    };
    page.lines().filter_map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn than_the_page_says() {
    let db = pg_tenant_tests::database("cli_json").await;
    db.owner()
        .await
        .run("create table orders (tenant_id text not null, n int); create table other (tenant_id text)")
        .await;
    db.superuser()
        .await
        .run(
            "select tenant.define_plan('gold', 1); select tenant.set_plan_limit('gold', 'weight', 200);
             select tenant.declare_setting('theme', 'text', '\"light\"');
             select tenant.create('acme', plan => 'gold'); select tenant.protect('orders');
             select tenant.begin_onboarding('initech', '[{\"step\": \"schema\"}]')",
        )
        .await;
    let url = db.url(&db.roles.admin);
    let documented = documented();
    for (command, line) in ASKED {
        let (_, said) = pgtenant(&command.split(' ').chain(["--json", "--url", &url]).collect::<Vec<_>>());
        let told: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{command}: {error}: {said}"));
        let one = if told.is_array() { &told[0] } else { &told };
        let names = one.as_object().unwrap_or_else(|| panic!("{command}: nothing is listed: {said}"));
        let names: BTreeSet<String> = names.keys().cloned().collect();
        assert_eq!(Some(&names), documented.get(line), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_address_is_an_argument() {
    let db = pg_tenant_tests::database("cli_json_address").await;
    let superuser = db.superuser().await;
    superuser.run("create table public.orders (tenant_id text not null, id bigint primary key)").await;
    superuser.run("select tenant.protect('public.orders'); select tenant.create('acme')").await;
    let (all, documented) = (db.url("postgres"), documented());
    let asked = |args: &[&str], line: &str| -> Value {
        let (_, said) = pgtenant(&[args, &["--json"]].concat());
        let told: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{args:?}: {error}: {said}"));
        let names: BTreeSet<String> = told.as_object().expect("an object").keys().cloned().collect();
        let documented = documented.get(line).unwrap_or_else(|| panic!("{line} is not on the page"));
        assert!(names.is_subset(documented), "{args:?}: {names:?} are not all among {documented:?}");
        told
    };
    let probed = asked(&["leak-probe", &all], "leak-probe");
    assert_eq!(probed["safe"], true, "{probed}");
    let none = asked(&["leak-probe", "host=127.0.0.1 port=1 user=nobody dbname=nothing"], "leak-probe");
    assert!(none["safe"].is_null() && none["verdict"].is_string(), "{none}");
    let harden = ["harden", &all, "public.orders", "--all"];
    let planned = asked(&[&harden[..], &["--dry-run"]].concat(), "harden");
    let count = |told: &Value, what: &str| {
        let steps = told[what].as_array().expect("steps").iter();
        steps.filter(|step| step["statement"].is_string()).count()
    };
    assert!(count(&planned, "done") == 0 && count(&planned, "left") > 0, "{planned}");
    let done = asked(&harden, "harden");
    assert!(count(&done, "done") > 0 && count(&done, "left") == 0, "{done}");
}
