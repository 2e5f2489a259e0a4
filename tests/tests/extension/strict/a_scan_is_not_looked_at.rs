//! A plan that scans a protected table without its fence, or in a node that nobody has looked at. (What the refusal
//! covers: `faults/a_planner_loses_the_fence`.)

use std::collections::BTreeSet;
use std::fs;

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::{A, shop};

/// A plan made with no tenant may be run in one.
#[tokio::test]
async fn because_it_was_planned_with_no_tenant() {
    let db = shop("planned_before").await;
    let app = db.app().await;
    app.run("set plan_cache_mode = force_generic_plan; prepare m as merge into orders using (values (1)) v on true when matched then delete")
        .await;
    app.expect_error("TN001", "execute m").await;
    app.refused_inside("TN011", A, "execute m").await;
}

/// Whatever scans is in one of the two lists of `pg/plans/nodes.rs`.
#[test]
fn because_its_node_is_new() {
    let header = Install::current().includedir_server.join("nodes/plannodes.h");
    let header = fs::read_to_string(&header).unwrap_or_else(|e| panic!("{}: {e}", header.display()));
    let known = include_str!("../../../../pg_tenant/src/pg/plans/nodes.rs");
    let known: BTreeSet<&str> =
        known.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter_map(|word| word.strip_prefix("T_")).collect();
    let mut nodes = BTreeSet::new();
    for definition in header.split("typedef struct ").skip(1) {
        let Some((name, body)) = definition.split_once('{') else { continue };
        let Some(first) = body.split(';').next().and_then(|field| field.lines().last()) else { continue };
        let kind = first.split_whitespace().next().unwrap_or_default();
        if ["Plan", "Scan", "Join", "Sort"].contains(&kind) {
            nodes.insert(name.trim());
        }
    }
    // What no plan has: the common beginnings of others.
    let nodes: BTreeSet<&str> = nodes.into_iter().filter(|name| !["Scan", "Join"].contains(name)).collect();
    assert!(nodes.len() > 35, "{nodes:?}");
    let unknown: Vec<_> = nodes.difference(&known).collect();
    assert!(unknown.is_empty(), "nobody has looked at {unknown:?}: does it scan? say so in pg/plans/nodes.rs");
}
