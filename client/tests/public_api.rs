//! The public API is not what was reviewed, or a change of it is more than the version says.
//!
//! `client/api/current.txt` lists it, one item a line, with all features, and behind it that of pg-tenant-testing,
//! which the client re-exports; `make api` writes it anew, and the diff is reviewed. A release copies it to
//! `client/api/<version>.txt`, against which later versions are judged.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// rustdoc's JSON differs between compilers, and the list is made with this one.
const RUST: &str = "rustc 1.95.";

#[test]
fn it_is_another() {
    let rustc = Command::new("rustc").arg("--version").output().expect("run rustc");
    if !rustc.stdout.starts_with(RUST.as_bytes()) {
        writeln!(std::io::stderr(), "skipped: it_is_another: the list is that of {RUST}*").expect("write to stderr"); // past the capture
        return;
    }
    let path = Path::new(CRATE).join("api/current.txt");
    let found = current();
    if writes() {
        std::fs::write(&path, &found).expect("write the list");
    }
    let listed = std::fs::read_to_string(&path).unwrap_or_default();
    let (listed, found) = (lines(&listed), lines(&found));
    let gone: Vec<&str> = listed.difference(&found).copied().collect();
    let new: Vec<&str> = found.difference(&listed).copied().collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "the public API is not the one in client/api/current.txt; `make api` writes it anew\n- {}\n+ {}",
        gone.join("\n- "),
        new.join("\n+ ")
    );
}

#[test]
fn it_breaks_a_release() {
    if writes() {
        return;
    }
    let listed = std::fs::read_to_string(Path::new(CRATE).join("api/current.txt")).expect("the list");
    for (version, released) in releases() {
        if let Err(why) = judge(&lines(&released), &lines(&listed), &version, VERSION) {
            panic!("{why}");
        }
    }
}

#[test]
fn a_breaking_change_is_told() {
    let before = BTreeSet::from(["pub fn a()", "pub fn b()"]);
    let (more, less) = (BTreeSet::from(["pub fn a()", "pub fn b()", "pub fn c()"]), BTreeSet::from(["pub fn a()"]));
    for (after, from, to, allowed) in [
        (&before, "1.2.3", "1.2.4", true),
        (&more, "1.2.3", "1.2.4", false),
        (&more, "1.2.3", "1.3.0", true),
        (&less, "1.2.3", "1.3.0", false),
        (&less, "1.2.3", "2.0.0", true),
        (&more, "0.1.0", "0.1.1", true),
        (&less, "0.1.0", "0.1.1", false),
        (&less, "0.1.0", "0.2.0", true),
        (&less, "0.9.0", "1.0.0", true),
        // A later release does not bind a branch of an earlier one.
        (&less, "2.0.0", "1.9.0", true),
    ] {
        assert_eq!(judge(&before, after, from, to).is_ok(), allowed, "{from} to {to}: {after:?}");
    }
}

/// Whoever goes from one tenant to the system context finds the same calls there.
#[test]
fn the_system_context_lacks_a_call() {
    if writes() {
        return;
    }
    let listed = std::fs::read_to_string(Path::new(CRATE).join("api/current.txt")).expect("the list");
    let calls = |of: &str| -> BTreeSet<String> {
        let marker = format!("fn pg_tenant_client::{of}::");
        let names = listed.lines().filter_map(|line| line.split_once(&marker));
        names.map(|(_, rest)| rest.split(['<', '(']).next().unwrap_or(rest).to_owned()).collect()
    };
    for (tenant, system, of_a_tenant_alone) in [
        // As a TenantExecutor a transaction has `run`, which is its savepoint. Generations are a tenant's, and
        // permissions those of a member of one. Jobs of the system have a reason: `enqueue_system`.
        (
            "TenantTx",
            "danger::SystemTx",
            &[
                "tenant_id",
                "run",
                "generation",
                "can",
                "has_role",
                "require",
                "enqueue",
                "enqueue_many",
                "enqueue_with",
                "consume",
            ][..],
        ),
        // What crosses tenants is rare and long: its author decides whether all of it may run again. Replicas are asked
        // for a tenant's reads: what it has written last is remembered for each tenant. Secrets are tenants'.
        (
            "TenantHandle",
            "danger::SystemTxBuilder",
            &["tenant_id", "actor", "role", "retry", "from_request_parts", "last_write", "read_after", "secret"],
        ),
        (
            "sqlx::TenantTx",
            "sqlx::danger::SystemTx",
            &[
                "tenant_id",
                "run",
                "executor",
                "generation",
                "can",
                "has_role",
                "require",
                "enqueue",
                "enqueue_many",
                "enqueue_with",
                "consume",
            ],
        ),
        (
            "sqlx::TenantHandle",
            "sqlx::danger::SystemTxBuilder",
            &["tenant_id", "actor", "role", "retry", "from_request_parts", "executor", "secret"],
        ),
    ] {
        let there = calls(system);
        assert!(there.len() > 3, "{system} was not found");
        let lacking: Vec<String> = calls(tenant).difference(&there).cloned().collect();
        let lacking: Vec<&String> = lacking.iter().filter(|call| !of_a_tenant_alone.contains(&call.as_str())).collect();
        assert!(lacking.is_empty(), "{tenant} has {lacking:?} and {system} has not: add it, or say here why not");
    }
}

/// Cargo's rules for a change between two versions: before 1.0 the minor number is what the major one is later.
fn judge(before: &BTreeSet<&str>, after: &BTreeSet<&str>, from: &str, to: &str) -> Result<(), String> {
    let number = |version: &str| -> Vec<u64> { version.split('.').map(|part| part.parse().unwrap_or(0)).collect() };
    let (old, new) = (number(from), number(to));
    if new < old {
        return Ok(());
    }
    let breaking = old[0] != new[0] || (old[0] == 0 && old[1] != new[1]);
    let feature = breaking || old[0] == 0 || old[1] != new[1];
    if let (Some(gone), false) = (before.difference(after).next(), breaking) {
        return Err(format!("{to} has no longer what {from} had, which breaks its users: {gone}"));
    }
    match (after.difference(before).next(), feature) {
        (Some(new), false) => Err(format!("{to} has what {from} had not, and is no minor release: {new}")),
        _ => Ok(()),
    }
}

/// The API as it is, of both crates.
fn current() -> String {
    ["pg-tenant-client", "pg-tenant-testing"].map(api).concat()
}

fn api(package: &str) -> String {
    let api = public_api::Builder::from_rustdoc_json(rustdoc_json(package))
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .expect("read what rustdoc wrote");
    api.items().map(|item| format!("{item}\n")).collect()
}

/// rustdoc alone is told to pass for a nightly one, which writes JSON: what was compiled of the dependencies serves
/// here too.
fn rustdoc_json(package: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(CRATE).args([
        "doc",
        "--locked",
        "--lib",
        "--no-deps",
        "--all-features",
        "--quiet",
        "-p",
        package,
    ]);
    cargo.arg("--target-dir").arg(target).env("RUSTDOC", Path::new(CRATE).join("../tests/setup/nightly_rustdoc"));
    cargo.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json");
    assert!(cargo.status().expect("run cargo doc").success(), "cargo doc failed");
    target.join("doc").join(package.replace('-', "_")).with_extension("json")
}

fn writes() -> bool {
    std::env::var("PUBLIC_API").is_ok_and(|mode| mode == "write")
}

fn releases() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(Path::new(CRATE).join("api")).expect("client/api");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let release = |path: PathBuf| {
        let version = path.file_stem()?.to_str().filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))?;
        Some((version.to_owned(), std::fs::read_to_string(&path).expect("a list")))
    };
    paths.filter_map(release).collect()
}

fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().collect()
}
