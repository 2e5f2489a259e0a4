//! The client's examples compile, and do what they say.
//!
//! Not through PgBouncer: the examples are of the client, not of a path to the server.

use std::process::Command;

use super::fixture::Fixture;

fn run<const N: usize>(example: &str, args: [&str; N]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "run",
        "--quiet",
        "--locked",
        "-p",
        "pg-tenant-client",
        "--features",
        "sqlx",
        "--example",
        example,
        "--",
    ]);
    let out = cargo.args(args).output().expect("run cargo");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{example}: {said}{}", String::from_utf8_lossy(&out.stderr));
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_them() {
    let fixture = Fixture::new("examples").await;
    let (role, port, name) = (&fixture.db.roles.app, fixture.db.cluster().port(), &fixture.db.name);
    let config = format!("host=127.0.0.1 port={port} user={role} dbname={name}");
    let url = fixture.db.url(role);
    tokio::task::block_in_place(|| {
        let said = run("quickstart", [&config, "acme"]);
        assert!(said.contains("inside acme") && said.contains("TN004"), "{said}");
        assert!(run("retry", [&config, "acme"]).contains("at attempt 1"));
        let said = run("limits", [&config, "acme", "globex"]);
        assert!(said.contains("acme had 22 calls answered") && said.contains("the limit \"waiting\""), "{said}");
        assert!(said.contains("a limit of this pool: rate\nDETAIL: tenant acme"), "{said}");
        assert!(run("sqlx", [&url, "acme"]).contains("inside acme\n42"));
    });
}
