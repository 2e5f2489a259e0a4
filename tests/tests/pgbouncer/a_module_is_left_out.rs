//! Every module of the client's tests runs through PgBouncer as well, or says in its first lines why not:
//! `//! Not through PgBouncer: <reason>`.
//!
//! The list that is compiled is made of the files: `GOLDENS=write cargo test -p pg-tenant-tests --test pgbouncer
//! left_out`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client");
const MARK: &str = "//! Not through PgBouncer:";

/// The modules of the client's tests, each with the reason why it does not run through PgBouncer, if it has one.
fn modules() -> BTreeMap<String, Option<String>> {
    let entries = fs::read_dir(CLIENT).expect("the client's tests").map(|entry| entry.expect("an entry").path());
    let sources = entries.filter(|path| path.extension().is_some_and(|ext| ext == "rs"));
    let reason = |path: &Path| {
        let text = fs::read_to_string(path).expect("a source");
        text.lines().find_map(|line| line.strip_prefix(MARK).map(|reason| reason.trim().to_owned()))
    };
    let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    sources.map(|path| (name(&path), reason(&path))).filter(|(name, _)| name != "main").collect()
}

#[test]
fn without_a_reason() {
    let modules = modules();
    for (name, reason) in &modules {
        assert!(reason.as_ref().is_none_or(|reason| reason.len() > 10), "client/{name}.rs: `{MARK}` and no reason");
    }
    let runs = modules.iter().filter(|(_, reason)| reason.is_none());
    let made = runs.map(|(name, _)| format!("mod {name};\n")).collect::<String>();
    let path = Path::new(CLIENT).join("through_pgbouncer.list");
    if std::env::var("GOLDENS").is_ok_and(|mode| mode == "write") {
        fs::write(&path, &made).expect("write the list");
    }
    let listed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(listed, made, "{} is not of these files: `make goldens`, or `{MARK} …` in a file", path.display());
}

/// One that the binary `client` does not compile is no test at all.
#[test]
fn of_the_client_itself() {
    let main = fs::read_to_string(Path::new(CLIENT).join("main.rs")).expect("main.rs");
    for name in modules().keys() {
        let declared = format!("mod {name};");
        assert!(main.lines().any(|line| line.starts_with(&declared)), "client/main.rs has no `{declared}`");
    }
}
