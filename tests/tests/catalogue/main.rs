//! A leak of the catalogue is not closed, not reported and not admitted; or what answers it has gone.
//!
//! Each row is run on a stock policy over a custom setting, where it leaks if it is marked V and is closed if it is
//! marked F, and with the same steps on pg_tenant. There it is refused with a SQLSTATE, shows nothing, or is reported
//! by the doctor; what is neither closed nor reported is admitted in SECURITY.md. What came out is compared with
//! `expected/catalogue.out` (`GOLDENS=write` writes it).

mod a_policy;
mod answers_are_gone; // rows, refusals, findings, SECURITY.md and tests, tied to each other
mod b_paths;
mod c_context;
mod d_keys;
mod e_side;
mod f_plans;
mod g_operations;
mod h_commands;
mod i_kept;
mod j_catalogs;
mod k_support;
mod l_jobs;
mod m_usage;
mod n_billing;
mod o_keys;
mod row;
mod verdict; // what came out, judged and printed

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::future::join_all;
use pg_tenant_tests::attack::{Stage, named, rows_for_test};
use pg_tenant_tests::golden::Goldens;
use pg_tenant_tests::{Cluster, Install, skipped};
use row::{Play, Row, Stock};
use verdict::Verdict;

/// Every row.
fn rows() -> impl Iterator<Item = &'static Row> {
    [
        a_policy::ROWS,
        b_paths::ROWS,
        c_context::ROWS,
        d_keys::ROWS,
        e_side::ROWS,
        f_plans::ROWS,
        g_operations::ROWS,
        h_commands::ROWS,
        i_kept::ROWS,
        j_catalogs::ROWS,
        k_support::ROWS,
        l_jobs::ROWS,
        m_usage::ROWS,
        n_billing::ROWS,
        o_keys::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// So many stages stand side by side.
const STAGES: usize = 3;

#[tokio::test]
async fn a_leak_is_not_answered() {
    let (orders, a, b) = rows_for_test();
    let here = extensions().await;
    let (all, mut lines) = (rows().collect::<Vec<_>>(), BTreeMap::new());
    let work = async |first: usize| {
        let stage = Stage::new(Cluster::shared(), &orders, &a, &b).await;
        let mut done = Vec::new();
        for (n, row) in all.iter().enumerate().skip(first).step_by(STAGES) {
            done.push((n, run(row, &stage, &here).await));
        }
        done
    };
    for done in join_all((0..STAGES).map(work)).await {
        lines.extend(done);
    }

    let matrix = lines.values().map(|(line, _)| line.as_str()).collect::<String>();
    let unexpected = lines.values().flat_map(|(_, problems)| problems).collect::<Vec<_>>();
    let sum = format!("{} rows, {} unexpected\n", all.len(), unexpected.len());
    let different = compare(&format!("{}{matrix}{sum}", verdict::HEAD));
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    if let Err(diff) = different {
        panic!("{diff}");
    }
}

/// The row's line, and what is wrong with it.
async fn run(row: &Row, stage: &Stage<'_>, here: &BTreeSet<String>) -> (String, Vec<String>) {
    let missing = row.needs.filter(|extension| !here.contains(*extension));
    if let Some(extension) = missing {
        skipped(&format!("{} wants the extension {extension}", row.id));
    }
    let steps = match row.play {
        _ if Install::current().is_before(row.since, &format!("{}: {}", row.id, row.leak)) => None,
        _ if missing.is_some() => None,
        Play::Listed(name) => Some(named(name).steps),
        Play::Steps(steps) => Some(steps),
        Play::Test(..) | Play::Unrun(_) => None,
    };
    let mut seen = match steps {
        Some(steps) => Some(stage.examine(steps).await),
        None => None,
    };
    // Some leak through a plan that is kept, and others' commands may have had it made anew just then.
    for _ in 0..2 {
        match (steps, &seen) {
            (Some(steps), Some(once)) if row.stock == Stock::V && !once.stock.leaked() => {
                seen = Some(stage.examine(steps).await);
            }
            _ => break,
        }
    }
    let verdict = Verdict::of(row, seen.as_ref());
    let line = verdict.line(row);
    eprint!("{line}");
    let tell = |problem| format!("{} {}: {problem}; {seen:?}", row.id, row.leak);
    (line, verdict.problems.iter().map(tell).collect())
}

/// The extensions that this server can create.
async fn extensions() -> BTreeSet<String> {
    let rows = Cluster::shared().superuser().await.rows("select name from pg_available_extensions").await;
    rows.into_iter().flatten().flatten().collect()
}

fn compare(matrix: &str) -> Result<(), String> {
    let major = Install::current().major;
    let goldens = Goldens::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/catalogue"), major);
    let result = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("catalogue.{major}.out"));
    std::fs::write(&result, matrix).expect("write the result");
    if std::env::var("GOLDENS").is_ok_and(|mode| mode == "write") {
        goldens.accept("catalogue", &result);
    }
    goldens.compare("catalogue", &result)
}
