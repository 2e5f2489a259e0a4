//! The README's figures: written from the JSON between two markers, so that no number is typed by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::plot;
use super::record::{Cell, Figure, Record};
use super::targets;
use crate::SUITES;

const BEGIN: &str = "<!-- figures: written by `make bench` -->\n";
const END: &str = "<!-- end of figures -->\n";

/// Writes the figures into the README.
pub(super) fn renew() -> anyhow::Result<()> {
    let page = fs::read_to_string(readme())?;
    fs::write(readme(), with_figures(&page)?)?;
    Ok(())
}

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

fn with_figures(page: &str) -> anyhow::Result<String> {
    let (before, rest) = page.split_once(BEGIN).context("the README has no place for figures")?;
    let (_, after) = rest.split_once(END).context("the README's figures have no end")?;
    let mut figures = String::new();
    for suite in SUITES {
        if let Some(record) = Record::read(suite)? {
            figures += &section(&record);
        }
    }
    Ok(format!("{before}{BEGIN}{figures}{END}{after}"))
}

fn section(record: &Record) -> String {
    let about = &record.about;
    let versions: Vec<String> = about.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let mut text = format!(
        "\n### {}\n\n{}, {} × {}, load {:.1} before the run; PostgreSQL {}, {}.\n",
        record.suite,
        about.date,
        about.cores,
        about.cpu,
        about.load_before,
        about.postgresql,
        versions.join(", ")
    );
    let pings: Vec<String> = record.figures.iter().filter(|f| f.workload == "ping").map(ping).collect();
    if !pings.is_empty() {
        let _ = write!(text, "\nAn empty query and its answer took {}.\n", pings.join(", "));
    }
    text += &judged(record);
    if record.suite == "costs" {
        text += &costs(record);
    } else if record.cells.is_empty() {
        text += &listed(&record.figures);
    } else {
        text += &drawn(record);
    }
    text
}

/// What a call costs the program that makes it.
fn costs(record: &Record) -> String {
    let mut text = String::new();
    for workload in ["one_statement", "five_statements"] {
        let is = |kind: &'static str| move |f: &&Figure| f.kind == kind && f.workload == workload;
        let mut rows = String::new();
        for processor in record.figures.iter().filter(is("processor_us")) {
            let peer = &processor.peer;
            let value = |kind: &str| record.value(kind, workload, peer).unwrap_or(f64::NAN);
            let (allocations, bytes) = (value("allocations"), value("allocated_bytes"));
            let _ = writeln!(rows, "| {peer} | {:.1} us | {allocations:.1} | {:.1} kB |", processor.value, bytes / 1e3);
        }
        if !rows.is_empty() {
            let _ = write!(text, "\n`{workload}`, a call, straight to the server, one after the other:\n");
            text += &table("| | processor time | allocations | allocated |\n|---|---|---|---|\n", rows);
        }
    }
    text
}

/// How far away the server really was.
fn ping(figure: &Figure) -> String {
    format!("{:.2} ms ({})", figure.value / 1e3, figure.peer)
}

fn judged(record: &Record) -> String {
    let mut rows = String::new();
    for target in targets::of(&record.suite) {
        let value = record.value(target.kind, target.workload, target.peer);
        let verdict = match target.holds(record) {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "not measured",
        };
        let value = value.map_or("–".to_owned(), |value| format!("{value:.2}"));
        let (kind, workload, peer) = (target.kind, target.workload, target.peer);
        let _ = writeln!(rows, "| {kind} | {workload} | {peer} | {} | {value} | {verdict} |", target.should_be());
    }
    table("| kind | workload | peer | target | figure | holds |\n|---|---|---|---|---|---|\n", rows)
}

fn listed(figures: &[Figure]) -> String {
    let row = |f: &Figure| format!("| {} | {} | {} | {:.2} |\n", f.kind, f.workload, f.peer, f.value);
    table("| kind | workload | peer | figure |\n|---|---|---|---|\n", figures.iter().map(row).collect())
}

/// Transactions a second with as many tasks as connections, and the drawing.
fn drawn(record: &Record) -> String {
    let mut text = String::new();
    for workload in plot::workloads(record) {
        let cells: Vec<&Cell> = record.cells.iter().filter(|c| c.workload == workload).collect();
        let mut distances: Vec<f64> = cells.iter().map(|cell| cell.rtt_ms).collect();
        distances.dedup();
        let tasks = cells.iter().map(|cell| cell.tasks).filter(|tasks| *tasks <= 16).max().unwrap_or(0);
        let heads: String = distances.iter().map(|ms| format!(" +{ms} ms |")).collect();
        let rules: String = distances.iter().map(|_| "---|").collect();
        let mut rows = String::new();
        for peer in plot::peers(record, workload) {
            let _ = write!(rows, "| {peer} |");
            for ms in &distances {
                let cell = cells.iter().find(|c| c.peer == peer && c.rtt_ms == *ms && c.tasks == tasks);
                let _ = match cell {
                    Some(c) => write!(
                        rows,
                        " {:.0}/s, p50 {:.2} ms, p99 {:.2} ms |",
                        c.per_second,
                        c.p50_us / 1e3,
                        c.p99_us / 1e3
                    ),
                    None => write!(rows, " – |"),
                };
            }
            rows.push('\n');
        }
        let _ = write!(text, "\n`{workload}`, {tasks} tasks:\n");
        text += &table(&format!("| |{heads}\n|---|{rules}\n"), rows);
        let _ = write!(text, "\n![{workload}](results/{})\n", plot::file(record, workload));
    }
    text
}

fn table(head: &str, rows: String) -> String {
    if rows.is_empty() { rows } else { format!("\n{head}{rows}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::tests::sample;

    #[test]
    fn the_readme_shows_the_committed_figures() {
        let page = fs::read_to_string(readme()).unwrap();
        assert!(with_figures(&page).unwrap() == page, "benches/README.md is not what the JSON in results/ makes it");
    }

    #[test]
    fn a_section_has_each_peer_once_in_each_table() {
        let text = section(&sample());
        assert_eq!(text.matches("\n| deadpool |").count(), 1, "{text}");
        assert!(text.contains("`one_statement`, 4 tasks:"), "{text}");
        assert!(text.contains(" 1600/s, p50 2.50 ms, p99 0.00 ms |"), "{text}");
    }
}
