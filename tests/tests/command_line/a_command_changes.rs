//! Each command does what it says: a walk through all of them as an administrator, and what each prints, in
//! `expected/walk.txt` (`GOLDENS=write` writes it anew; what is reviewed is the diff).

use std::fmt::Write as _;
use std::path::Path;

use super::pgtenant;

/// The commands, in order.
const WALK: &[&str] = &[
    "tenant list",
    "tenant create acme --name Acme --slug acme-inc",
    "tenant create globex --dry-run",
    "tenant create globex",
    "tenant list",
    "tenant list --search INC --json",
    "tenant show acme-inc",
    "tenant show nobody",
    "tenant suspend acme --reason overdue",
    "tenant suspend acme",
    "tenant resume acme --json",
    "tenant read-only acme",
    "tenant resume acme",
    "tenant suspend nobody",
    "plan define gold --rank 2 --statement-timeout 30s --quotas {\"calls\":100}",
    "plan list",
    "plan show gold",
    "plan limits gold --set transactions_per_second=100:80:200 --set weight=200",
    "plan limits gold",
    "plan limits gold --set connections=5",
    "tenant set-plan acme gold",
    "tenant set-plan acme platinum",
    "tenant limits acme --set concurrent_transactions=8 --drop weight",
    "tenant limits acme",
    "tenant settings acme",
    "tenant settings acme nonsense",
    "tenant settings acme unknown=1",
    "tenant members acme",
    "tenant usage acme",
    "tenant journal acme --limit 3",
    "tenant offboard globex --reason gone --purge-after 1d --dry-run",
    "tenant activate globex",
    "plan drop gold --reason dear",
    "protect",
    "protect orders",
    "protect nothing",
    "jobs counts",
    "jobs dead",
    "jobs retry 1 --reason again",
    "jobs delete 1 --reason gone",
    "jobs schedules",
    "onboard status",
    "onboard begin initech --steps [{\"step\":\"schema\"}]",
    "onboard status initech",
    "onboard watch nobody",
    "onboard retry initech --reason again",
    "onboard abandon initech --reason enough",
    "stats --by transactions --limit 0",
    "stats --last 60 --limit 0",
    "stats --last 60 --by wal-bytes",
    "tenant",
    "tenant shwo acme",
];

/// What a superuser does.
const OF_SUPERUSERS: &[&str] = &["init", "init --app WALK_APP --dry-run", "init --app WALK_APP --json", "prove"];

/// Times and ids are whatever they are, and so is the width of what stands around them.
fn masked(said: &str) -> String {
    let mut out = String::new();
    for line in said.lines() {
        let words = line.split([' ', '─', '│', '┆', '═']).filter(|word| !word.is_empty()).map(|word| {
            let bytes = word.trim_matches(['"', ',']).as_bytes();
            let is_time = bytes.len() > 18 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-';
            if is_time { "<time>" } else { word }
        });
        let words: Vec<&str> = words.collect();
        if !words.is_empty() {
            let _ = writeln!(out, "    {}", words.join(" "));
        }
    }
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_says_so() {
    let db = pg_tenant_tests::database("walk").await;
    db.owner().await.run("create table orders (tenant_id text not null, n int)").await;
    db.superuser().await.run(&format!("grant {} to {}", db.roles.owner, db.roles.admin)).await;
    let url = db.url(&db.roles.admin);
    let mut told = String::new();
    let (superuser, new) = (db.url("postgres"), format!("regress_{}_new", db.name));
    let lines = WALK.iter().map(|line| (line, &url)).chain(OF_SUPERUSERS.iter().map(|line| (line, &superuser)));
    for (line, url) in lines {
        let named = line.replace("WALK_APP", &new);
        let args: Vec<&str> = named.split(' ').chain(["--url", url]).collect();
        let (status, said) = pgtenant(&args);
        let said = said.replace(&new, "<new>").replace(&db.roles.admin, "<admin>").replace(&db.name, "<database>");
        let _ = write!(told, "$ pgtenant {line}\n{}", masked(&said));
        let _ = writeln!(told, "    -> {}", status.expect("a status"));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command_line/expected/walk.txt");
    if std::env::var_os("GOLDENS").is_some_and(|it| it == "write") {
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("make it");
        std::fs::write(&file, &told).expect("write the golden");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    for (told, expected) in told.split("$ ").zip(expected.split("$ ")) {
        assert_eq!(told, expected);
    }
    assert_eq!(told.len(), expected.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn or_says_what_to_do() {
    let db = pg_tenant_tests::database("walk_wrong").await;
    let plain = pg_tenant_tests::Cluster::shared().plain_database("walk_without").await;
    for (url, status, advice) in [
        (db.url(&db.roles.bystander), 1, "grant tenant_admin"),
        (plain.url(&plain.roles.owner), 2, "pgtenant init"),
        (db.url(&db.roles.admin).replace(&format!("/{}", db.name), "/none_such"), 2, "check the name of the database"),
        ("postgres://app@127.0.0.1:1/shop".to_owned(), 2, "check host and port"),
    ] {
        let (exit, said) = pgtenant(&["tenant", "list", "--url", &url]);
        assert_eq!(exit, Some(status), "{said}");
        assert!(said.contains(advice) && !said.contains("panicked"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_shells_and_manuals_need() {
    let (status, said) = pgtenant(&["completions", "bash"]);
    assert!(status == Some(0) && said.contains("complete -F _pgtenant"), "{said}");
    let (status, said) = pgtenant(&["man"]);
    assert!(status == Some(0) && said.contains(".TH pgtenant") && said.contains("leak\\-probe"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_for_a_code_host() {
    let db = pg_tenant_tests::database("walk_sarif").await;
    db.owner().await.run("create table orders (tenant_id text not null, n int)").await;
    let (_, said) = pgtenant(&["doctor", "--sarif", "--url", &db.url(&db.roles.admin)]);
    let report: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(report["version"], "2.1.0");
    let results = report["runs"][0]["results"].as_array().expect("results");
    assert!(results.iter().any(|one| one["message"]["text"].as_str().is_some_and(|text| text.contains("orders"))));
    let (_, said) = pgtenant(&["doctor", "--json", "--url", &db.url(&db.roles.admin)]);
    let findings: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(findings.as_array().map(Vec::len), Some(results.len()));
    // What can be mended by a statement is.
    let (_, said) = pgtenant(&["doctor", "--fix", "--url", &db.url(&db.roles.admin)]);
    assert!(said.contains("nobody to ask"), "{said}");
}
