//! Whatever a row of the catalogue names (a refusal, a finding, a sentence of SECURITY.md, a test) exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pg_tenant_core::Refusal;
use pg_tenant_tests::{attack, database};

use crate::row::{Play, Row, Stock};
use crate::rows;

/// The rows of the catalogue, by number.
const IDS: &str =
    "A01 A02 A03 A04 A05 A05b A05c A06 A07 A09 A10 A11 A12 A13 A13b A14 A15 A16 A18 A19 A21 A22 A23 A25 A26
    B01 B01b B01d B03 B04 B06 B08 B10 B11 B13 B13b B13c B15 B16 B20 B21 B22 B23
    C01 C02a C02b C02d C02e C02g C02h C02i C02j C03 C04 C04b C05 C05b C06a C06b C08 C10 C11 C13 C15 C17 C19 C20 C21 C22
    C23 C26 C29 C30 C31 C32
    P01 P02 P03 P04 P05 P06 P07 P08 P09
    D01 D01b D01c D01d D02 D02d D03 D04a D04b D06 D08 D09 D10 D11 D12 D15 D16
    F00 F00i F00l F01 F02 F04 F30 H01 E02 E04 E05 E06 E07 E11 E12 E13 E14 E15 E16 G01 G03 G04 G05 G06
    K01 K02 K03 K04 K05 K06 K07 K08 K09 K10 A24 B24 B25 C33 C34 C35 C36 P10 F00c G02 G04b
    C40 C41 C42 C43 C44 C45 A28 I01 I02 I03 I04 I05 I06 I07 I08 I09 I10 J01 J02 J03 J04 J05 J06 J07 J08";

fn path(from_tests: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(from_tests)
}

fn read(from_tests: &str) -> String {
    let path = path(from_tests);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A text as one line, with one space between words.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_row_is_missing_from_the_matrix() {
    let here: BTreeSet<&str> = rows().map(|row| row.id).collect();
    let missing: Vec<&str> = IDS.split_whitespace().filter(|id| !here.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    if std::env::var("GOLDENS").is_ok_and(|mode| mode == "write") {
        return; // it is being written
    }
    let golden = read("tests/catalogue/expected/catalogue.out");
    for row in rows() {
        let printed = golden.lines().any(|line| line.starts_with(&format!("{:5}", row.id)) && line.ends_with(row.leak));
        assert!(printed, "{} {} is not in the golden", row.id, row.leak);
    }
}

#[test]
fn an_attack_of_the_demo_is_in_no_row() {
    let listed =
        |attack: &&attack::Attack| rows().any(|row| matches!(row.play, Play::Listed(name) if name == attack.name));
    let stray: Vec<_> = attack::all().filter(|attack| !listed(attack)).map(|attack| attack.name).collect();
    assert!(stray.is_empty(), "{stray:?}");
}

/// The matrix holds no SQLSTATE of ours that core does not know, and SECURITY.md explains each.
#[test]
fn a_refusal_is_unknown() {
    let (golden, security) = (read("tests/catalogue/expected/catalogue.out"), read("../pg_tenant/SECURITY.md"));
    let codes: BTreeSet<&str> = golden.split("refused ").skip(1).map(|rest| &rest[..5]).collect();
    let ours: Vec<_> = codes.iter().filter(|code| code.starts_with("TN")).collect();
    assert!(ours.len() >= 8, "{codes:?}");
    for code in ours {
        assert!(Refusal::from_code(code).is_some(), "{code} is no refusal of core");
        assert!(security.contains(*code), "SECURITY.md does not tell of {code}");
    }
}

#[tokio::test]
async fn a_finding_is_unknown() {
    let db = database("catalogue").await;
    let boss = db.superuser().await;
    let known = boss
        .rows(
            "select upper(substr(relname, 9)) from pg_class
               where relnamespace = 'tenant_internal'::regnamespace and relname like 'finding\\_%'",
        )
        .await;
    let known: BTreeSet<String> = known.into_iter().flatten().flatten().collect();
    let gone = |code: &&&str| !known.contains(**code);
    let gone: BTreeSet<_> = rows().flat_map(|row| row.finds).filter(gone).collect();
    assert!(gone.is_empty(), "the doctor has no {gone:?}");
}

/// What the demo says of stock PostgreSQL is what the catalogue says.
#[test]
fn the_demo_disagrees() {
    for row in rows() {
        if let Play::Listed(name) = row.play {
            let leaks = attack::named(name).stock == attack::Stock::Leaks;
            assert_eq!(leaks, row.stock == Stock::V, "{} {}", row.id, row.leak);
        }
    }
}

#[test]
fn an_act_has_no_answer() {
    let security = flat(&read("../pg_tenant/SECURITY.md"));
    for row in rows() {
        let Row { id, leak, act, .. } = row;
        assert!(!act.contains('R') || !row.finds.is_empty(), "{id} {leak}: reported by no finding");
        assert!(!act.contains('D') || row.admitted.is_some(), "{id} {leak}: admitted nowhere");
        if let Some(words) = row.admitted {
            assert!(security.contains(words), "{id} {leak}: SECURITY.md does not say {words:?}");
        }
        if let Play::Test(file, name) = row.play {
            assert!(
                read(&format!("tests/{file}")).contains(&format!("fn {name}(")),
                "{id} {leak}: no {name} in {file}"
            );
            assert!(!act.contains('B') || row.because.is_some(), "{id} {leak}: refused by what?");
        }
    }
}
