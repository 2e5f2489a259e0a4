//! One SVG for each workload: a panel for each distance, a line for each peer, transactions a second by tasks.

use std::path::Path;

use plotters::prelude::*;

use super::record::{Cell, Record};

const PANEL: (u32, u32) = (400, 360);
/// The width of the column of names.
const NAMES: u32 = 190;

/// Draws every workload of the record into `directory`.
pub(super) fn draw(record: &Record, directory: &Path) -> anyhow::Result<()> {
    for workload in workloads(record) {
        std::fs::write(directory.join(file(record, workload)), svg(record, workload)?)?;
    }
    Ok(())
}

/// The workloads, in the order in which they were run.
pub(super) fn workloads(record: &Record) -> Vec<&str> {
    once_each(record.cells.iter().map(|cell| cell.workload.as_str()))
}

/// The peers of a workload, in the order in which they were run.
pub(super) fn peers<'r>(record: &'r Record, workload: &str) -> Vec<&'r str> {
    once_each(record.cells.iter().filter(|cell| cell.workload == workload).map(|cell| cell.peer.as_str()))
}

/// The name of its file.
pub(super) fn file(record: &Record, workload: &str) -> String {
    format!("{}_{workload}.svg", record.suite)
}

fn once_each<'r>(names: impl Iterator<Item = &'r str>) -> Vec<&'r str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

fn svg(record: &Record, workload: &str) -> anyhow::Result<String> {
    let cells: Vec<&Cell> = record.cells.iter().filter(|cell| cell.workload == workload).collect();
    let mut distances: Vec<f64> = cells.iter().map(|cell| cell.rtt_ms).collect();
    distances.dedup();
    let mut text = String::new();
    {
        let width = PANEL.0 * distances.len() as u32;
        let root = SVGBackend::with_string(&mut text, (width + NAMES, PANEL.1)).into_drawing_area();
        root.fill(&WHITE)?;
        let (panels, names) = root.split_horizontally(width);
        draw_names(&names, &peers(record, workload)).map_err(|error| anyhow::anyhow!("drawing names: {error}"))?;
        for (panel, ms) in panels.split_evenly((1, distances.len())).iter().zip(&distances) {
            let here: Vec<&Cell> = cells.iter().copied().filter(|cell| cell.rtt_ms == *ms).collect();
            let title = format!("{workload}, +{ms} ms");
            draw_panel(panel, &title, &here, &peers(record, workload))
                .map_err(|error| anyhow::anyhow!("drawing {title}: {error}"))?;
        }
        root.present()?;
    }
    Ok(text)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_panel(area: &Area<'_>, title: &str, cells: &[&Cell], peers: &[&str]) -> Result<(), Box<dyn std::error::Error>> {
    let tasks = || cells.iter().map(|cell| cell.tasks as f64);
    let (fewest, most) = (tasks().fold(f64::INFINITY, f64::min), tasks().fold(1.0, f64::max));
    let highest = cells.iter().map(|cell| cell.per_second).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(58)
        .build_cartesian_2d((fewest..most.max(fewest + 1.0)).log_scale().base(4.0), 0.0..highest * 1.05)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_desc("tasks")
        .y_desc("transactions a second")
        .x_labels(5)
        .x_label_formatter(&|tasks| format!("{tasks:.0}"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (nth, peer) in peers.iter().enumerate() {
        let points: Vec<(f64, f64)> =
            cells.iter().filter(|cell| cell.peer == *peer).map(|cell| (cell.tasks as f64, cell.per_second)).collect();
        chart.draw_series(LineSeries::new(points, line(nth)).point_size(3))?;
    }
    Ok(())
}

/// Whose line is whose.
fn draw_names(area: &Area<'_>, peers: &[&str]) -> Result<(), Box<dyn std::error::Error>> {
    for (nth, peer) in peers.iter().enumerate() {
        let y = 50 + 22 * nth as i32;
        area.draw(&PathElement::new([(4, y), (24, y)], line(nth)))?;
        area.draw(&Text::new(*peer, (32, y - 6), ("sans-serif", 13)))?;
    }
    Ok(())
}

fn line(nth: usize) -> ShapeStyle {
    Palette99::pick(nth).to_rgba().stroke_width(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::tests::sample;

    #[test]
    fn the_drawings_are_those_of_the_committed_figures() {
        for suite in crate::SUITES {
            let Some(record) = Record::read(suite).unwrap() else { continue };
            for workload in workloads(&record) {
                let name = file(&record, workload);
                let drawn = std::fs::read_to_string(super::super::record::results().join(&name)).unwrap();
                assert!(drawn == svg(&record, workload).unwrap(), "{name} is not what the JSON makes it");
            }
        }
    }

    #[test]
    fn every_peer_is_in_the_drawing() {
        let record = sample();
        let drawing = svg(&record, "one_statement").unwrap();
        for text in ["one_statement, +0.5 ms", "pg_tenant", "deadpool", "tasks", "transactions a second"] {
            assert!(drawing.contains(text), "{text} is missing from\n{drawing}");
        }
        assert!(drawing.matches("<polyline").count() >= 2, "{drawing}");
    }
}
