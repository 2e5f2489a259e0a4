//! Every finding has a page, and a case that plants it and takes it away again.

use std::collections::BTreeSet;

use pg_tenant_tests::database;

use crate::page;

#[tokio::test]
async fn a_finding_has_no_page_or_no_case() {
    let db = database("proofs").await;
    let boss = db.superuser().await;
    let rows = boss
        .rows(
            "select upper(substr(relname, 9)), obj_description(oid, 'pg_class') from pg_class
             where relnamespace = 'tenant_internal'::regnamespace and relname like 'finding\\_%' order by 1",
        )
        .await;
    let findings: Vec<(String, String)> =
        rows.into_iter().map(|row| (row[0].clone().expect("a code"), row[1].clone().expect("a comment"))).collect();
    assert!(findings.len() > 30);
    let codes: BTreeSet<&str> = findings.iter().map(|(code, _)| &**code).collect();

    let cases: BTreeSet<&str> = crate::cases().map(|case| case.code).chain(crate::ALONE.iter().copied()).collect();
    assert_eq!(codes, cases, "findings, and cases that plant them");

    let threats = include_str!("../../../pg_tenant/SECURITY.md");
    let unlisted: Vec<_> = codes.iter().filter(|code| !threats.contains(**code)).collect();
    assert!(unlisted.is_empty(), "SECURITY.md says of no escape that {unlisted:?} reports it");

    let pages = page::pages();
    assert_eq!(codes, pages.keys().map(|code| &**code).collect(), "findings, and pages in pg_tenant/doctor/");
    for (code, title) in &findings {
        let page = &pages[code];
        assert!(page.starts_with(&format!("# {code}: {title} ")), "the page of {code} is not titled: {title}");
        for part in ["## What it means", "## Why it matters", "## Remedy", "## Source"] {
            assert!(page.contains(part), "the page of {code} lacks: {part}");
        }
    }
}

/// `create extension` collects the findings, and so does the upgrade.
#[tokio::test]
async fn a_finding_is_not_asked_for() {
    let db = database("asked_for").await;
    let boss = db.superuser().await;
    let forgotten = boss
        .rows(
            "select relname from pg_class where relnamespace = 'tenant_internal'::regnamespace and relname like 'finding\\_%'
             except select v.relname from pg_depend d join pg_rewrite r on r.oid = d.objid join pg_class v on v.oid = d.refobjid
                where r.ev_class = 'tenant_internal.doctor_findings'::regclass and d.refclassid = 'pg_class'::regclass",
        )
        .await;
    assert!(forgotten.is_empty(), "tenant_internal.doctor_findings leaves out {forgotten:?}");
}
