//! A run's figures: printed as they are found, kept as JSON.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::machine::About;
use super::stats::median;
use super::{page, plot, summary, targets};

/// What one suite found in one run.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) suite: String,
    pub(crate) about: About,
    pub(crate) figures: Vec<Figure>,
    /// What the figures of the client suites were made from, and what is drawn.
    pub(crate) cells: Vec<Cell>,
}

/// One line of output.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// `ratio`, or the unit: `us`, `ms`, `s`, `round_trips`.
    pub(crate) kind: String,
    pub(crate) workload: String,
    pub(crate) peer: String,
    pub(crate) value: f64,
}

/// One way to make the calls of one workload, at one distance, with one number of tasks.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) workload: String,
    pub(crate) peer: String,
    /// Added to the round trip, in milliseconds.
    pub(crate) rtt_ms: f64,
    pub(crate) tasks: usize,
    /// Transactions.
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl Record {
    pub(crate) fn new(suite: &str, about: About) -> Record {
        Record { suite: suite.to_owned(), about, figures: Vec::new(), cells: Vec::new() }
    }

    /// Prints a figure and keeps it.
    pub(crate) fn add(&mut self, kind: &str, workload: &str, peer: &str, value: f64) {
        let figure = Figure { kind: kind.into(), workload: workload.into(), peer: peer.into(), value: rounded(value) };
        println!("{kind} {workload} {peer} {:.3}", figure.value);
        self.figures.push(figure);
    }

    /// The peer's time by ours, or our calls a second by the peer's: above 1, ours is faster.
    pub(crate) fn ratio(&mut self, workload: &str, peer: &str, value: f64) {
        self.add("ratio", workload, peer, value);
    }

    /// The same from rounds, each our time and the peer's.
    pub(crate) fn rounds(&mut self, workload: &str, peer: &str, rounds: Vec<(f64, f64)>) {
        self.ratio(workload, peer, median(rounds.into_iter().map(|(own, peer)| peer / own).collect()));
    }

    pub(crate) fn cell(&mut self, cell: Cell) {
        let Cell { per_second, p50_us, p99_us, .. } = cell;
        let [per_second, p50_us, p99_us] = [per_second, p50_us, p99_us].map(rounded);
        self.cells.push(Cell { per_second, p50_us, p99_us, ..cell });
    }

    /// Writes JSON and drawings, shows the figures in the README, and says which targets hold.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        for target in targets::of(&self.suite) {
            println!("{}", target.judge(self));
        }
        let results = results();
        fs::create_dir_all(&results)?;
        let json = serde_json::to_string_pretty(self)? + "\n";
        fs::write(results.join(format!("{}.json", self.suite)), json)?;
        plot::draw(self, &results)?;
        summary::draw(&results)?;
        page::renew()
    }

    /// Draws and shows again what earlier runs wrote.
    pub(crate) fn show_again(suites: &[&str]) -> anyhow::Result<()> {
        for suite in suites {
            if let Some(record) = Record::read(suite)? {
                plot::draw(&record, &results())?;
            }
        }
        summary::draw(&results())?;
        page::renew()
    }

    pub(crate) fn read(suite: &str) -> anyhow::Result<Option<Record>> {
        match fs::read_to_string(results().join(format!("{suite}.json"))) {
            Ok(json) => Ok(Some(serde_json::from_str(&json)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn value(&self, kind: &str, workload: &str, peer: &str) -> Option<f64> {
        let is_it = |f: &&Figure| f.kind == kind && f.workload == workload && f.peer == peer;
        self.figures.iter().find(is_it).map(|figure| figure.value)
    }
}

/// `benches/results/`.
pub(super) fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results")
}

/// To a thousandth.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::report) fn sample() -> Record {
        let about = About {
            date: "2001-02-03".into(),
            cpu: "Some CPU".into(),
            cores: 2,
            load_before: 0.5,
            postgresql: "18.1".into(),
            versions: [("tokio".to_owned(), "1.0".to_owned())].into(),
        };
        let mut record = Record::new("client", about);
        for (tasks, per_second) in [(1, 400.0), (4, 1600.0)] {
            for peer in ["pg_tenant", "deadpool"] {
                record.cell(Cell {
                    workload: "one_statement".into(),
                    peer: peer.into(),
                    rtt_ms: 0.5,
                    tasks,
                    per_second,
                    p50_us: 2500.0,
                    p99_us: 1.0 / 3.0,
                });
            }
        }
        record.ratio("one_statement_rtt2ms_tasks16", "deadpool", 2.0 / 3.0);
        record
    }

    #[test]
    fn what_is_written_is_read_again() {
        let record = sample();
        let again: Record = serde_json::from_str(&serde_json::to_string_pretty(&record).unwrap()).unwrap();
        assert_eq!(again, record);
        assert_eq!(again.value("ratio", "one_statement_rtt2ms_tasks16", "deadpool"), Some(0.667));
        assert_eq!(again.value("ratio", "one_statement_rtt2ms_tasks16", "sqlx"), None);
    }
}
