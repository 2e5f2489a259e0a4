//! One SVG for who decides in five minutes: calls a second beside other pools, what the guards add, and what a tenant's
//! neighbours notice. Made from the committed figures of three suites.

use std::path::Path;

use plotters::prelude::*;

use super::record::Record;

/// The name of its file.
pub(super) const FILE: &str = "summary.svg";

const WIDTH: u32 = 380;
const HEIGHT: u32 = 190;
/// Where bars begin, and how long the longest is.
const LEFT: i32 = 150;
const LONGEST: f64 = 150.0;

/// Bars of one unit. Ours are drawn in another colour.
struct Panel {
    title: &'static str,
    below: &'static str,
    bars: Vec<(&'static str, f64)>,
    digits: usize,
}

/// Draws it, where the three suites have been run.
pub(super) fn draw(directory: &Path) -> anyhow::Result<()> {
    if let Some(text) = svg()? {
        std::fs::write(directory.join(FILE), text)?;
    }
    Ok(())
}

fn svg() -> anyhow::Result<Option<String>> {
    let (Some(client), Some(guard), Some(fairness)) =
        (Record::read("client")?, Record::read("guard")?, Record::read("fairness")?)
    else {
        return Ok(None);
    };
    let panels = [pools(&client), guards(&guard), neighbours(&fairness)];
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH * 3, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        for (area, panel) in root.split_evenly((1, 3)).iter().zip(&panels) {
            draw_panel(area, panel).map_err(|error| anyhow::anyhow!("drawing {}: {error}", panel.title))?;
        }
        root.present()?;
    }
    Ok(Some(text))
}

fn pools(client: &Record) -> Panel {
    let peers = [("pg_tenant", "pg_tenant"), ("deadpool", "deadpool-postgres"), ("sqlx", "sqlx")];
    let per_second = |peer: &str| {
        let cell = client.cells.iter().find(|c| {
            c.workload == "one_statement" && c.peer == peer && (c.rtt_ms - 2.0).abs() < f64::EPSILON && c.tasks == 16
        });
        cell.map_or(0.0, |cell| cell.per_second)
    };
    Panel {
        title: "Calls a second, server 2 ms away",
        below: "one statement in its tenant, 16 tasks; more is better",
        bars: peers.map(|(peer, name)| (name, per_second(peer))).to_vec(),
        digits: 0,
    }
}

fn guards(guard: &Record) -> Panel {
    let cases = [
        ("entered_pipelined", "tenant entered"),
        ("bound_role_pipelined", "bound role"),
        ("unprotected_table_pipelined", "ordinary table"),
    ];
    Panel {
        title: "What the guards add to a statement",
        below: "microseconds, reads in a pipeline; less is better",
        bars: cases.map(|(case, name)| (name, guard.value("us", "guard", case).unwrap_or(0.0))).to_vec(),
        digits: 2,
    }
}

fn neighbours(fairness: &Record) -> Panel {
    let p99 = |workload, peer| fairness.value("ms", workload, peer).unwrap_or(0.0);
    Panel {
        title: "p99 of fifty tenants",
        below: "ms, beside one with 64 tasks; less is better",
        bars: vec![
            ("pg_tenant, alone", p99("victims_p99_alone", "pg_tenant")),
            ("pg_tenant, beside it", p99("victims_p99_beside", "pg_tenant")),
            ("deadpool, alone", p99("victims_p99_alone", "deadpool")),
            ("deadpool, beside it", p99("victims_p99_beside", "deadpool")),
        ],
        digits: 1,
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_panel(area: &Area<'_>, panel: &Panel) -> Result<(), Box<dyn std::error::Error>> {
    area.draw(&Text::new(panel.title, (12, 14), ("sans-serif", 20)))?;
    area.draw(&Text::new(panel.below, (12, 36), ("sans-serif", 15).into_font().color(&RGBColor(90, 90, 90))))?;
    let highest = panel.bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    for (nth, (name, value)) in panel.bars.iter().enumerate() {
        let y = 66 + 30 * nth as i32;
        let end = LEFT + (LONGEST * value.max(0.0) / highest).round() as i32;
        let ours = !name.starts_with("deadpool") && !name.starts_with("sqlx");
        let colour = if ours { RGBColor(51, 103, 145) } else { RGBColor(170, 170, 170) };
        area.draw(&Text::new(*name, (12, y + 3), ("sans-serif", 16)))?;
        area.draw(&Rectangle::new([(LEFT, y), (end.max(LEFT + 1), y + 18)], colour.filled()))?;
        let digits = panel.digits;
        area.draw(&Text::new(format!("{value:.digits$}"), (end + 6, y + 3), ("sans-serif", 16)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::results;

    #[test]
    fn the_drawing_is_that_of_the_committed_figures() {
        let drawn = std::fs::read_to_string(results().join(FILE)).expect("results/summary.svg");
        assert!(
            svg().unwrap().as_deref() == Some(&*drawn),
            "{FILE} is not what the JSON makes it: make bench ONLY=draw"
        );
    }

    #[test]
    fn the_readme_has_the_committed_figures() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).expect("README.md");
        let read = |suite| Record::read(suite).unwrap().expect("figures");
        let (client, guard, isolation) = (read("client"), read("guard"), read("isolation"));
        let ratio = |record: &Record, workload, peer| record.value("ratio", workload, peer).expect(workload);
        let by_hand = |workload| ratio(&isolation, workload, "bypassrls_by_hand");
        let one = "one_statement_rtt2ms_tasks16";
        let added = guards(&guard).bars.into_iter().map(|(_, us)| us);
        let (least, most) = added.fold((f64::INFINITY, 0.0_f64), |(least, most), us| (least.min(us), most.max(us)));
        for said in [
            format!(" without policies | {:.2} |", by_hand("point_read_entered")),
            format!(" against the same | {:.2}, {:.2} |", by_hand("scan_count"), by_hand("scan_aggregate")),
            format!(" for each statement | {least:.2} to {most:.2} µs |"),
            format!(" against sqlx | {:.1}, {:.1} |", ratio(&client, one, "deadpool"), ratio(&client, one, "sqlx")),
        ] {
            assert!(readme.contains(&said), "README.md: the figures are{said}");
        }
    }

    #[test]
    fn no_bar_lacks_its_figure() {
        let read = |suite| Record::read(suite).unwrap().expect("figures");
        for panel in [pools(&read("client")), guards(&read("guard")), neighbours(&read("fairness"))] {
            for (name, value) in panel.bars {
                assert!(value > 0.0, "{}: {name}", panel.title);
            }
        }
    }
}
