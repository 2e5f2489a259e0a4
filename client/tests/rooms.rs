//! A room of the client uses one that stands above it, and so there is no order any more in which to read them.
//!
//! Rooms are the folders of `client/src`. `lib.rs` is their map, and uses all of them.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and those that it may use: only rooms before it, so no two use each other.
const ROOMS: [(&str, &[&str]); 11] = [
    ("error", &[]),
    ("tenant", &["error"]),
    ("listener", &["error", "tenant"]),
    ("propagation", &["error", "tenant"]),
    ("wire", &["error", "tenant"]),
    ("observe", &["error", "tenant", "wire"]),
    ("pool", &["error", "tenant", "wire", "observe"]),
    ("tx", &["error", "tenant", "wire", "observe", "pool"]),
    ("danger", &["error", "tenant", "wire", "observe", "pool", "tx"]),
    ("registry", &["error", "tenant", "listener", "wire", "observe", "pool", "tx"]),
    ("sqlx", &["error", "tenant", "propagation", "wire", "observe", "pool", "tx", "danger", "registry"]),
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
