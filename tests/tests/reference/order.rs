//! Each entry of the SQL reference says what it is for, shows it, and lists what it refuses, in this order; and the
//! table of contents leads to each.
//!
//! `GOLDENS=write cargo test -p pg-tenant-tests --test reference contents` writes the table of contents anew.

use std::collections::BTreeSet;
use std::path::Path;

use pg_tenant_core::Refusal;

use super::README;

/// PostgreSQL's own SQLSTATEs that entries name.
const OF_POSTGRESQL: [&str; 5] = ["22023", "25006", "2D000", "42501", "42P01"];

/// A heading of the reference: how deep it is, its words, and the text below it up to the next heading.
struct Section<'a> {
    depth: usize,
    heading: &'a str,
    text: &'a str,
}

fn sections() -> Vec<Section<'static>> {
    let starts: Vec<usize> = README.match_indices("\n##").map(|(at, _)| at + 1).collect();
    let ends = starts.iter().skip(1).copied().chain([README.len()]);
    let section = |(start, end): (usize, usize)| {
        let (line, text) = README[start..end].split_once('\n').expect("a line");
        let heading = line.trim_start_matches('#').trim_start();
        Section { depth: line.len() - line.trim_start_matches('#').len(), heading, text }
    };
    starts.iter().copied().zip(ends).map(section).collect()
}

/// A paragraph, or a block as a whole with the kind of its code.
fn parts(text: &str) -> Vec<(&str, Option<&str>)> {
    let mut parts = Vec::new();
    for (n, piece) in text.split("\n```").enumerate() {
        if n % 2 == 1 {
            let (kind, code) = piece.split_once('\n').unwrap_or((piece, ""));
            parts.push((code, Some(kind)));
        } else {
            parts.extend(piece.split("\n\n").map(str::trim).filter(|p| !p.is_empty()).map(|p| (p, None)));
        }
    }
    parts
}

#[test]
fn an_entry_lacks_a_part_or_has_another_order() {
    let codes: BTreeSet<&str> = Refusal::ALL.iter().map(|r| r.code()).chain(OF_POSTGRESQL).collect();
    let entries = sections().into_iter().filter(|section| section.heading.starts_with('`'));
    let mut seen = 0;
    for Section { heading, text, .. } in entries {
        let parts = parts(text);
        let example = parts.iter().position(|(_, kind)| *kind == Some("sql"));
        let example = example.unwrap_or_else(|| panic!("{heading}: no example that is run"));
        assert!(example > 0, "{heading}: what it is for stands before its example");
        let is_list = |part: &(&str, Option<&str>)| part.1.is_none() && part.0.starts_with("Refusals: ");
        let lists: Vec<usize> = (0..parts.len()).filter(|n| is_list(&parts[*n])).collect();
        assert_eq!(lists, [parts.len() - 1], "{heading}: one list `Refusals: …`, behind everything else");
        let list = parts[parts.len() - 1].0;
        let words = list.split(|c: char| !c.is_ascii_alphanumeric());
        let named: Vec<&str> = words.filter(|w| w.len() == 5 && w.chars().any(|c| c.is_ascii_digit())).collect();
        for code in &named {
            assert!(codes.contains(code), "{heading}: {code} is no SQLSTATE of the extension");
        }
        let refers = list.starts_with("Refusals: none") || list.contains("those of ") || list.contains("those under ");
        assert!(!named.is_empty() || refers, "{heading}: no SQLSTATE in: {list}");
        seen += 1;
    }
    assert!(seen > 80, "the reference has entries: {seen}");
}

/// What GitHub makes of a heading, so that a link leads to it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A heading without arguments and result.
fn name(heading: &str) -> String {
    match heading.strip_prefix('`').map(|rest| rest.split(['(', '`']).next().unwrap_or(rest)) {
        Some(name) => format!("`{name}`"),
        None => heading.to_owned(),
    }
}

fn contents() -> String {
    let mut contents = String::from("## Contents\n\n");
    for Section { depth, heading, .. } in sections().iter().filter(|section| section.heading != "Contents") {
        contents += &format!("{}- [{}](#{})\n", "  ".repeat(depth - 2), name(heading), anchor(heading));
    }
    contents + "\n"
}

#[test]
fn the_table_of_contents_is_another() {
    let made = contents();
    if std::env::var("GOLDENS").is_ok_and(|mode| mode == "write") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pg_tenant/README.md");
        let (head, rest) = README.split_once("## Contents\n").expect("a place for it");
        let (_, rest) = rest.split_once("\n## ").expect("a section behind it");
        std::fs::write(path, format!("{head}{made}## {rest}")).expect("write the reference");
        return;
    }
    assert!(README.contains(&made), "the contents are out of date: run it with GOLDENS=write\n{made}");
    let anchors: Vec<String> = sections().iter().map(|section| anchor(section.heading)).collect();
    let once: BTreeSet<&String> = anchors.iter().collect();
    assert_eq!(once.len(), anchors.len(), "two headings with one anchor");
    for link in README.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap_or_default()) {
        assert!(anchors.iter().any(|anchor| anchor == link), "#{link} leads nowhere");
    }
}
