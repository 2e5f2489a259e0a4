//! A room of the client uses one that stands above it, and so there is no order any more in which to read them.
//!
//! Rooms are the folders of `client/src`. `lib.rs` is their map, and uses all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and those that it may use: only rooms before it, so no two use each other.
const ROOMS: [(&str, &[&str]); 18] = [
    ("error", &[]),
    ("tenant", &["error"]),
    ("listener", &["error", "tenant"]),
    ("propagation", &["error", "tenant"]),
    ("wire", &["error", "tenant"]),
    ("observe", &["error", "tenant", "wire"]),
    ("pool", &["error", "tenant", "wire", "observe"]),
    ("tx", &["error", "tenant", "wire", "observe", "pool"]),
    ("admin", &["error", "tenant", "wire", "pool", "tx"]),
    ("billing", &["error", "pool", "admin"]),
    ("danger", &["error", "tenant", "wire", "observe", "pool", "tx"]),
    ("worker", &["error"]),
    ("onboarding", &["error", "tenant", "wire", "observe", "pool", "tx", "admin", "danger", "worker"]),
    ("jobs", &["error", "tenant", "listener", "wire", "observe", "pool", "tx", "admin", "danger", "worker"]),
    ("keys", &["error", "tenant", "pool", "tx", "admin"]),
    ("registry", &["error", "tenant", "listener", "wire", "observe", "pool", "tx"]),
    ("secrets", &["error", "tx"]),
    (
        "sqlx",
        &[
            "error",
            "tenant",
            "propagation",
            "wire",
            "observe",
            "pool",
            "tx",
            "admin",
            "danger",
            "jobs",
            "keys",
            "registry",
            "secrets",
        ],
    ),
];
/// It stands above all others.
const TOP: (&str, &[&str]) = ("edge", &["error", "tenant", "propagation", "pool", "tx", "registry", "sqlx"]);

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// The rooms that a source names, in code.
fn named(source: &str) -> Vec<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let after = code.flat_map(|line| line.split("crate::").skip(1));
    let names =
        after.map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>());
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

#[test]
fn none_uses_what_stands_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms: Vec<_> = ROOMS.into_iter().chain([TOP]).collect();
    for (place, (room, uses)) in rooms.iter().enumerate() {
        for used in *uses {
            assert!(rooms[..place].iter().any(|(below, _)| below == used), "{room} may use {used}, which stands above");
        }
    }
    let mut wrong = Vec::new();
    let mut read = 0;
    for entry in fs::read_dir(&src).expect("client/src").map(|entry| entry.expect("an entry").path()) {
        let room = entry.file_name().expect("a name").to_string_lossy().into_owned();
        if room == "lib.rs" {
            continue;
        }
        let Some((_, uses)) = rooms.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{room} is a room that is not in the list"));
            continue;
        };
        for path in sources(&entry) {
            read += 1;
            let text = fs::read_to_string(&path).expect("a source");
            let others = named(&text).into_iter().filter(|name| *name != room && !uses.contains(&name.as_str()));
            wrong.extend(others.map(|name| format!("{} uses {name}", path.strip_prefix(&src).unwrap().display())));
        }
    }
    assert!(read > 50, "of the client's sources {read} were read");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_arrow_is_seen() {
    let source = "use crate::pool::lease::Lease;\n// crate::edge\n    Ok(crate::tx::verdict(crate::Error))";
    assert_eq!(named(source), ["pool", "tx"]);
}

/// Files that use each other and stay so, each with its reason. A file is called by its path below `src`.
const CIRCLES: [(&[&str], &str); 0] = [];

/// The sources as modules: `wire/flight.rs` is `wire::flight`, `wire/mod.rs` is `wire`.
fn modules(src: &Path) -> BTreeMap<String, String> {
    let named = |path: &PathBuf| {
        let inner = path.strip_prefix(src).expect("below src").with_extension("");
        let name = inner.to_str().expect("a UTF-8 path").replace('/', "::");
        name.strip_suffix("::mod").map(str::to_owned).unwrap_or(name)
    };
    let read = |path: &PathBuf| fs::read_to_string(path).expect("a source");
    sources(src).iter().map(|path| (named(path), read(path))).collect()
}

/// The modules that one names, in code that is no test.
fn used<'m>(module: &str, source: &str, modules: &'m BTreeMap<String, String>) -> BTreeSet<&'m str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let mut found = BTreeSet::new();
    for (start, base) in [("crate::", ""), ("super::", parent)] {
        for rest in code.iter().flat_map(|line| line.split(start).skip(1)) {
            let path: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "_:".contains(*c)).collect();
            let mut path = if base.is_empty() { path } else { format!("{base}::{path}") };
            while !path.is_empty() {
                if let Some((name, _)) = modules.get_key_value(path.trim_end_matches(':')) {
                    found.insert(name.as_str());
                    break;
                }
                path.truncate(path.rfind("::").unwrap_or(0));
            }
        }
    }
    found.remove(module);
    found
}

#[test]
fn no_two_files_use_each_other() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules = modules(&src);
    let uses: BTreeMap<&str, BTreeSet<&str>> =
        modules.iter().map(|(name, source)| (name.as_str(), used(name, source, &modules))).collect();
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 200, "of the arrows between files most were not read");
    // What is left when whatever uses nothing of the rest is taken away, again and again, goes in circles.
    let mut left: BTreeSet<&str> = uses.keys().copied().filter(|name| *name != "lib").collect();
    loop {
        let ends: Vec<&str> = left.iter().copied().filter(|name| uses[name].is_disjoint(&left)).collect();
        let tops: Vec<&str> =
            left.iter().copied().filter(|name| left.iter().all(|other| !uses[other].contains(name))).collect();
        if ends.is_empty() && tops.is_empty() {
            break;
        }
        left.retain(|name| !ends.contains(name) && !tops.contains(name));
    }
    for (circle, _) in CIRCLES {
        assert!(circle.iter().all(|name| left.contains(name)), "{circle:?} is no circle any more");
        left.retain(|name| !circle.contains(name));
    }
    assert!(left.is_empty(), "in circles: {left:#?}");
}
