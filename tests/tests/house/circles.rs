//! Two files of the extension use each other, directly or by way of others, so that neither can be read first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::{MACROS, root, sources};

/// Files that use each other and stay so, each group with its reason. A file is called by its path below `src`.
const CIRCLES: [(&[&str], &str); 1] = [(
    &["pg::boundary", "pg::function", "pg::refused", "pg::shared_memory"],
    "what raises a refusal counts it in shared memory, whose own set-up and readers go through the same boundary",
)];

/// The paths that code names behind `crate::` and `super::`, with the lists in braces spelled out.
fn paths(code: &str, module: &str) -> Vec<String> {
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let mut found = Vec::new();
    for (start, base) in [("crate::", String::new()), ("super::", format!("{parent}::"))] {
        for (at, _) in code.match_indices(start) {
            let rest = &code[at + start.len()..];
            if !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                spell_out(&base, rest, &mut found);
            }
        }
    }
    found
}

/// Adds what one path, or a list of them, names; gives what stands behind it.
fn spell_out<'c>(base: &str, rest: &'c str, found: &mut Vec<String>) -> &'c str {
    let rest = rest.trim_start();
    if let Some(mut list) = rest.strip_prefix('{') {
        loop {
            list = spell_out(base, list, found).trim_start();
            match list.strip_prefix(',') {
                Some(more) => list = more,
                None => return list.strip_prefix('}').unwrap_or(list),
            }
        }
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len());
    let (path, behind) = rest.split_at(end);
    if path.ends_with("::") && behind.starts_with('{') {
        return spell_out(&format!("{base}{path}"), behind, found);
    }
    found.push(format!("{base}{path}"));
    let behind = behind.trim_start();
    match behind.strip_prefix("as ") {
        Some(named) => named.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'),
        None => behind,
    }
}

/// Each file and those that it uses. A folder's `mod.rs` is the table of its files, and so is above them.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let src = root().join("pg_tenant/src");
    let files: BTreeMap<String, String> = sources(&src)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&src).expect("below src").with_extension("");
            let name = name.to_str().expect("a UTF-8 path").replace('/', "::");
            (name.strip_suffix("::mod").unwrap_or(&name).to_owned(), fs::read_to_string(path).expect("a source"))
        })
        .filter(|(name, _)| name != "lib")
        .collect();
    let within = |inner: &str, outer: &str| inner == outer || inner.starts_with(&format!("{outer}::"));
    let of = |name: &String, source: &String| {
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let named = paths(&code.join("\n"), name);
        let named = named.into_iter().filter(|path| !MACROS.iter().any(|(exported, _)| exported == path));
        let used =
            named.filter_map(|path| files.keys().filter(|file| within(&path, file)).max_by_key(|file| file.len()));
        used.filter(|used| !within(used, name) && !within(name, used)).cloned().collect()
    };
    files.iter().map(|(name, source)| (name.clone(), of(name, source))).collect()
}

#[test]
fn no_two_files_of_the_extension_use_each_other() {
    let uses = uses();
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 300, "of the arrows between files most were not read");
    // What is left when whatever uses nothing of the rest, or is used by nothing, is taken away, goes in circles.
    let mut left: BTreeSet<&String> = uses.keys().collect();
    loop {
        let is_end = |name: &&&String| !uses[**name].iter().any(|used| left.contains(used));
        let is_top = |name: &&&String| !left.iter().any(|other| uses[*other].contains(**name));
        let gone: Vec<&String> = left.iter().filter(|name| is_end(name) || is_top(name)).copied().collect();
        if gone.is_empty() {
            break;
        }
        left.retain(|name| !gone.contains(name));
    }
    for (circle, why) in CIRCLES {
        assert!(why.len() > 20 && circle.iter().all(|name| left.iter().any(|other| other == name)), "{circle:?}");
        left.retain(|name| !circle.contains(&name.as_str()));
    }
    let arrows =
        |name: &&String| (name.to_string(), uses[*name].iter().filter(|u| left.contains(u)).cloned().collect());
    let left: BTreeMap<String, Vec<String>> = left.iter().map(arrows).collect();
    assert!(left.is_empty(), "in circles: {left:#?}");
}

#[test]
fn a_list_in_braces_is_spelled_out() {
    let code = "use crate::pg::{self, a::{B, c::D}, e as f, g};\nuse super::h::I; x(crate::k::l(1), my_crate::m)";
    let named = paths(code, "pg::own");
    assert_eq!(named, ["pg::self", "pg::a::B", "pg::a::c::D", "pg::e", "pg::g", "k::l", "pg::h::I"]);
}
