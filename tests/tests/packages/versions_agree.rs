//! A version stands in several files, and each is read by another tool.

use std::fs;

use crate::elsewhere::repository;

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|e| panic!("read {path}: {e}"))
}

#[test]
fn of_the_extension_its_crates_and_its_description() {
    let version = env!("CARGO_PKG_VERSION");
    let control = read("pg_tenant/pg_tenant.control");
    assert!(control.contains(&format!("default_version = '{version}'")), "{control}");

    let meta: serde_json::Value = serde_json::from_str(&read("META.json")).expect("META.json is JSON");
    assert_eq!(meta["version"], version);
    let provided = &meta["provides"]["pg_tenant"];
    assert_eq!(provided["version"], version);
    for file in ["file", "docfile"] {
        read(provided[file].as_str().expect("a path"));
    }
    for required in ["name", "abstract", "maintainer", "license", "meta-spec"] {
        assert!(!meta[required].is_null(), "META.json has no {required}, which PGXN requires");
    }

    let newest = read("CHANGELOG.md").lines().find_map(|line| line.strip_prefix("## ").map(str::to_owned));
    assert!(newest.as_deref().is_some_and(|newest| newest.starts_with(version)), "{newest:?}");
}
