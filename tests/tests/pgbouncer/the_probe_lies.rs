//! `pgtenant leak-probe` calls a path safe exactly if it is, and leaves nothing behind.

use std::process::Command;
use std::time::{Duration, Instant};

use pg_tenant_tests::{Cluster, Line, PgBouncer, Session};

/// The exit status, and what was printed.
fn probe(args: &[&str]) -> (Option<i32>, String) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--locked", "-p", "pg-tenant-cli", "--bin", "pgtenant"]);
    let out = cargo.args(["--", "leak-probe"]).args(args).output().expect("run cargo");
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code(), said)
}

/// Settings of PgBouncer, the exit status, and words of each line that matters.
type Case<'a> = (&'a str, Line, &'a [(&'a str, &'a str)], i32, &'a [&'a str]);

const CASES: &[Case<'_>] = &[
    (
        "session mode",
        Line::Old,
        &[("pool_mode", "session")],
        0,
        &["pooler        yes", "each connection has its own", "verdict       safe\n", "Pooler::Session"],
    ),
    (
        "session mode that cleans nothing",
        Line::New,
        &[("pool_mode", "session"), ("server_reset_query", "")],
        0,
        &[
            "handed on: the next connection found settings",
            "not safe for what is kept",
            "server_reset_query = DISCARD ALL",
        ],
    ),
    (
        "transaction mode",
        Line::Old,
        &[("pool_mode", "transaction")],
        0,
        &[
            "mixed",
            "settings, advisory locks, temporary tables",
            "lost between",
            "safe for pg_tenant",
            "Pooler::Transaction)",
        ],
    ),
    (
        "transaction mode with one server connection",
        Line::New,
        &[("pool_mode", "transaction"), ("default_pool_size", "1"), ("max_prepared_statements", "0")],
        0,
        &["stay on one backend", "mixed", "safe for pg_tenant"],
    ),
    (
        "transaction mode with prepared statements",
        Line::New,
        &[("pool_mode", "transaction"), ("max_prepared_statements", "100")],
        0,
        &["mixed", "statements are carried", "Pooler::TransactionPrepared"],
    ),
    (
        "statement mode",
        Line::New,
        &[("pool_mode", "statement")],
        1,
        &["do not stay on one backend", "statement pooling is not supported"],
    ),
    (
        "session mode with one server connection",
        Line::Old,
        &[("pool_mode", "session"), ("default_pool_size", "1")],
        2,
        &["could not tell", "at least 3 connections"],
    ),
];

async fn nothing_is_left(superuser: &Session, role: &str, after: &str) {
    // Those of this database: other tests take some in theirs.
    let locks = "select count(*) from pg_locks l join pg_database d on d.oid = l.database
                 where l.locktype = 'advisory' and d.datname = current_database()";
    assert_eq!(superuser.value(locks).await.as_deref(), Some("0"), "{after}");
    let tables = "select count(*) from pg_class where relname like 'pgtenant_probe%'";
    assert_eq!(superuser.value(tables).await.as_deref(), Some("0"), "{after}");
    // Who has gone may not have been noticed yet.
    let open = format!("select from pg_stat_activity where usename = '{role}' and xact_start is not null");
    let since = Instant::now();
    while !superuser.rows(&open).await.is_empty() {
        assert!(since.elapsed() < Duration::from_secs(60), "{after}: a transaction is open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn about_a_pool_mode() {
    let cluster = Cluster::shared();
    let db = cluster.database("probe").await;
    db.admin().await.run("select tenant.create('acme')").await;
    let superuser = db.superuser().await;
    let role = &db.roles.app;
    let (status, said) = tokio::task::block_in_place(|| probe(&[&db.url(role), "--tenant", "acme"]));
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("none was seen") && said.contains("gone after its transaction"), "{said}");
    for (name, line, settings, expected, words) in CASES {
        let bouncer = PgBouncer::start(cluster, *line, settings);
        let url = bouncer.url(&db.name, role);
        let (status, said) = tokio::task::block_in_place(|| probe(&[&url, "--tenant", "acme"]));
        assert_eq!(status, Some(*expected), "{name}: {said}");
        for word in *words {
            assert!(said.contains(word), "{name}: no {word:?} in\n{said}");
        }
        nothing_is_left(&superuser, role, name).await;
        if *expected == 0 {
            // Whatever session comes next is pristine.
            for _ in 0..4 {
                let app = Session::connect(&bouncer.config(&db.name, role)).await;
                app.run("begin; select tenant.enter_pristine('acme')").await;
                app.run("rollback").await;
                // What PgBouncer carries it keeps for a while.
                let kept = app.rows("select name from pg_prepared_statements where statement ~ 'probe'").await;
                assert!(kept.is_empty() || *line == Line::New, "{name}: {kept:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn about_the_database() {
    let cluster = Cluster::shared();
    let plain = cluster.plain_database("probe_plain").await;
    let ours = cluster.database("probe_ours").await;
    let bouncer = PgBouncer::start(cluster, Line::Old, &[("pool_mode", "transaction")]);
    let cases = [
        (plain.url(&plain.roles.app), 0, "not in this database"),
        (bouncer.url(&plain.name, &plain.roles.app), 1, "another client's tenant next"),
        (ours.url(&ours.roles.bystander), 2, "grant tenant_user"),
        ("postgres://nobody@127.0.0.1:1/none".to_owned(), 2, "could not tell"),
    ];
    for (url, expected, words) in cases {
        let (status, said) = tokio::task::block_in_place(|| probe(&[&url]));
        assert_eq!(status, Some(expected), "{url}: {said}");
        assert!(said.contains(words), "{url}: {said}");
    }
    // What every session begins with is not clean.
    let hook = format!("alter role {} set pgtenant.hook = 'x'", ours.roles.app);
    ours.superuser().await.run(&hook).await;
    let (status, said) = tokio::task::block_in_place(|| probe(&[&ours.url(&ours.roles.app)]));
    assert_eq!(status, Some(0), "a role's own settings are no dirt: {said}");
}
