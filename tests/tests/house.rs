//! The order of the house: a room of the extension uses one that stands above it, or a source is longer than one reads
//! at once and nobody has said why. The client's rooms are in `client/tests/rooms.rs`.

#[path = "house/circles.rs"]
mod circles;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each room of `pg_tenant/src`, and those that it may use: only rooms before it, so no two use each other. `lib.rs` is
/// their map, and starts all of them.
const ROOMS: [(&str, &[&str]); 12] = [
    ("pg", &[]),
    ("gucs", &[]),
    ("registry", &["pg", "gucs"]),
    ("people", &["pg", "registry"]),
    ("policy", &["pg"]),
    ("signed", &["pg", "gucs"]),
    ("context", &["pg", "gucs", "registry", "people", "policy"]),
    ("stats", &["pg", "gucs", "context"]),
    ("admission", &["pg", "gucs", "registry", "context", "stats"]),
    ("guard", &["pg", "gucs", "registry", "policy", "context", "stats", "admission"]),
    ("entry", &["pg", "gucs", "registry", "people", "context", "admission", "guard"]),
    ("api", &["pg", "gucs", "policy", "signed", "context", "guard", "entry"]),
];

/// What `macro_rules!` exports stands at the root; where it is written.
const MACROS: [(&str, &str); 7] = [
    ("sql_function", "pg"),
    ("sql_function_answering", "pg"),
    ("sql_function_asking", "pg"),
    ("sql_function_in_steps", "pg"),
    ("sql_function_running", "pg"),
    ("sql_function_without_guards", "pg"),
    ("row_function", "pg"),
];

/// How many lines a source may have without a reason.
const LONG: usize = 250;

/// What is generated, or frozen as it was released.
const NOT_WRITTEN: [&str; 2] = ["sql/install/", "sql/upgrade/"];

/// Each source that is longer, and why it stays so.
const LONG_FILES: [(&str, &str); 22] = [
    (
        "client/src/danger/system_tx.rs",
        "each call of a system transaction with its documentation, as `TenantTx` has them",
    ),
    ("client/src/error/mod.rs", "`Error` with each predicate and its page in one place: who catches it looks here"),
    (
        "client/src/listener/tenant_listener.rs",
        "one state machine: connect, listen, deliver, connect again; apart, its states would be public",
    ),
    ("client/src/pool/builder.rs", "each option of a pool is a method and its paragraph of documentation"),
    ("client/src/tx/builder.rs", "each option of a transaction is a method and its paragraph of documentation"),
    (
        "pg_tenant/src/gucs.rs",
        "each setting with its reason, its accessor and its declaration: all settings stand in one file",
    ),
    (
        "client/src/wire/flight.rs",
        "each form of a flight that carries one statement, beside the others that it is compared with",
    ),
    ("pg_tenant/core/src/refusal.rs", "each SQLSTATE with its condition and its sentence, two lines each, in one list"),
    ("pg_tenant/token/src/verify_tests.rs", "one table of good and bad tokens against every check of `verify`"),
    ("tests/clients/django/check.py", "the checks that a reader of the page runs, in one script as the page has it"),
    (
        "tests/tests/client/a_later_statement_is_sent_again.rs",
        "one property over both drivers: what is healed, what is not, and that nothing is lost or doubled",
    ),
    (
        "tests/tests/client/a_replica_is_out_of_date.rs",
        "one stage with a primary and a replica, and every way in which the replica is not what it must be",
    ),
    ("tests/tests/client/bulk_write_crosses.rs", "each way in which a bulk write may go wrong, on one stage"),
    (
        "tests/tests/client/a_migration_fails_calls.rs",
        "one property over both drivers, for each form of a call that a migration makes stale",
    ),
    ("tests/tests/client/conflict_is_lost.rs", "each form of a conflict over both drivers, on one stage"),
    (
        "tests/tests/edge/the_directory_is_wrong.rs",
        "one stage with a server, a directory and a listener, and what goes wrong between them",
    ),
    ("tests/tests/extension/protect/somebodys_rows_are_everybodys.rs", "shared rows from every side, on one stage"),
    (
        "tests/tests/extension/registry/a_key_tells_too_much.rs",
        "one property of lookups, for each way to ask for more than one may",
    ),
    (
        "tests/tests/extension/sessions/residue_is_lent.rs",
        "one property for each kind of state that a session can carry",
    ),
    ("tests/tests/load/over_sqlx.rs", "each deed of the load over one driver, beside those over the other drivers"),
    (
        "tests/tests/load/over_tokio_postgres.rs",
        "each deed of the load over one driver, beside those over the other drivers",
    ),
    (
        "tests/tests/saas/a_leak_is_not_seen.rs",
        "each leak that is planted into the example service, beside how it is seen",
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// What a source names after `crate::`, in code: rooms, and macros of theirs. `use crate::{a, b}` names each.
fn named(source: &str) -> Vec<String> {
    let code: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let list = match rest.strip_prefix('{') {
            Some(list) => list.split_once('}').map_or(list, |(list, _)| list),
            None => rest,
        };
        let one = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.starts_with('{') {
            true => names.extend(list.split(',').map(one)),
            false => names.push(one(list)),
        }
    }
    names.retain(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
    names
}

#[test]
fn no_room_of_the_extension_uses_one_above_it() {
    for (place, (room, uses)) in ROOMS.iter().enumerate() {
        for used in *uses {
            assert!(ROOMS[..place].iter().any(|(below, _)| below == used), "{room} may use {used}, which stands above");
        }
    }
    let src = root().join("pg_tenant/src");
    let (mut wrong, mut read) = (Vec::new(), 0);
    for path in sources(&src) {
        let file = path.strip_prefix(&src).expect("a source").to_string_lossy().into_owned();
        let room = file.split('/').next().expect("a room").trim_end_matches(".rs");
        if room == "lib" {
            continue;
        }
        let Some((_, uses)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{file} is in a room that is not in the list"));
            continue;
        };
        read += 1;
        for name in named(&fs::read_to_string(&path).expect("a source")) {
            let used = MACROS.iter().find(|(of, _)| *of == name).map_or(name.as_str(), |(_, room)| *room);
            if used != room && !uses.contains(&used) {
                wrong.push(format!("{file} uses {name}"));
            }
        }
    }
    assert!(read > 100, "of the extension's sources {read} were read");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_arrow_is_seen() {
    let source =
        "use crate::pg::text;\n// crate::api\nuse crate::{gucs,\n  guard::hook};\n x(crate::entry::y, crate::Z)";
    assert_eq!(named(source), ["pg", "gucs", "guard", "entry"]);
}

/// The sources of the repository, written by hand; none where this is no checkout of git, which knows them.
fn written() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let listed = match listed {
        Ok(listed) if listed.status.success() => String::from_utf8(listed.stdout).expect("names in UTF-8"),
        _ => {
            println!("skipped: not a checkout of git, which says which files are the repository's");
            return Vec::new();
        }
    };
    let is_source = |file: &&str| {
        [".rs", ".sql", ".py", ".js", ".mjs", ".ts"].iter().any(|end| file.ends_with(end))
            && !NOT_WRITTEN.iter().any(|generated| file.starts_with(generated))
    };
    listed.lines().filter(is_source).map(str::to_owned).collect()
}

#[test]
fn each_long_file_has_its_reason() {
    let files = written();
    if files.is_empty() {
        return;
    }
    let lines = |file: &str| fs::read_to_string(root().join(file)).map_or(0, |text| text.lines().count());
    let long: Vec<(&str, usize)> =
        files.iter().map(|file| (file.as_str(), lines(file))).filter(|(_, lines)| *lines > LONG).collect();
    let unlisted = long.iter().filter(|(file, _)| !LONG_FILES.iter().any(|(listed, _)| listed == file));
    let unlisted: Vec<_> = unlisted.map(|(file, lines)| format!("{file}: {lines} lines")).collect();
    assert!(unlisted.is_empty(), "longer than {LONG} lines: split it by concept, or say why not: {unlisted:#?}");
    for (file, why) in LONG_FILES {
        assert!(long.iter().any(|(long, _)| *long == file), "{file} is not long any more: take it off the list");
        assert!(why.len() > 20, "{file}: {why} is no reason");
    }
}

/// A comment is read without scrolling; a table's row, and code in documentation, is as long as it is.
#[test]
fn no_line_of_a_comment_is_longer_than_120() {
    let mut long = Vec::new();
    for file in written() {
        let marker = if file.ends_with(".rs") { "//" } else { "--" };
        if !(file.ends_with(".rs") || file.starts_with("sql/schema/")) {
            continue;
        }
        for (nth, line) in fs::read_to_string(root().join(&file)).unwrap_or_default().lines().enumerate() {
            let text = line.trim_start().strip_prefix(marker).map(|text| text.trim_start_matches(['/', '!']));
            let is_prose = text.is_some_and(|text| !text.starts_with(" |") && !text.starts_with("     "));
            if is_prose && line.chars().count() > 120 {
                long.push(format!("{file}:{}", nth + 1));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// The oids that `pg/oids.rs` writes down are those of PostgreSQL's headers.
#[test]
fn an_oid_is_what_its_name_says() {
    let dir = pg_tenant_tests::Install::current().includedir_server.join("catalog");
    let headers = sources(&dir).into_iter().filter(|path| path.extension().is_some_and(|end| end == "h"));
    let headers: String = headers.map(|path| fs::read_to_string(path).expect("a header").replace(' ', "")).collect();
    let written = fs::read_to_string(root().join("pg_tenant/src/pg/oids.rs")).expect("oids.rs");
    let written = written.lines().filter_map(|line| {
        let (name, oid) = line.strip_prefix("pub const ")?.split_once(": Oid = Oid::from_u32(")?;
        Some((name, oid.strip_suffix(");")?))
    });
    let wrong: Vec<_> = written.filter(|(name, oid)| !headers.contains(&format!(",{oid},{name}"))).collect();
    assert!(wrong.is_empty(), "{} has not {wrong:?}", dir.display());
}
