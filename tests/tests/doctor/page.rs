//! `pg_tenant/doctor/`: one page a finding, in the words of the finding.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::case::Finding;

/// Every page by its code: its text, with line ends taken for spaces.
pub fn pages() -> BTreeMap<String, String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pg_tenant/doctor");
    let list = fs::read_to_string(dir.join("README.md")).expect("the list of the pages");
    let entries = fs::read_dir(dir).expect("read the pages").map(|entry| entry.expect("an entry").path());
    let mut pages = BTreeMap::new();
    for path in entries.filter(|path| path.file_name().is_some_and(|name| name != "README.md")) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        assert!(list.contains(&format!("]({name})")), "README.md does not list {name}");
        let text = fs::read_to_string(&path).expect("read a page").replace('\n', " ");
        let code = name.split('-').next().unwrap_or_default().to_owned();
        assert!(pages.insert(code, text).is_none(), "two pages for the finding of {name}");
    }
    pages
}

/// Fails where the page of a finding does not give its level and its reason.
pub fn must_tell_of(code: &str, finding: &Finding) {
    let page = pages().remove(code).unwrap_or_else(|| panic!("no page pg_tenant/doctor/{code}-….md"));
    assert!(page.contains(&finding.why), "the page of {code} does not say: {}", finding.why);
    let level = page.split("Level: ").nth(1).and_then(|rest| rest.split("  ##").next()).expect("a level");
    assert!(
        level.contains(&format!("`{}`", finding.level)),
        "the page of {code} does not know level {}",
        finding.level
    );
}
