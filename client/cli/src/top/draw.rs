//! A screen, out of the state. Bold and reversed alone, so that it can be read on any ground.

use ratatui::backend::TestBackend;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::{Frame, Terminal};

use super::column::Column;
use super::detail::Detail;
use super::sample;
use super::state::State;
use crate::live::Rows;
use crate::serve::chart::short;

/// Lines around the list.
pub const AROUND: u16 = 5;

/// Characters of a drawing.
const SPARK: usize = 10;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub fn draw(state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut lines = vec![head(state), sums(state)];
    let room = usize::from(area.height.saturating_sub(AROUND - 1));
    match &state.detail {
        Some(detail) => lines.extend(looked_into(detail)),
        None => lines.extend(list(state, area.width, room)),
    }
    for (y, line) in (area.y..area.bottom().saturating_sub(1)).zip(&lines) {
        frame.render_widget(line, Rect::new(area.x, y, area.width, 1));
    }
    if area.height > 0 {
        frame.render_widget(foot(state, usize::from(area.width)), Rect::new(area.x, area.bottom() - 1, area.width, 1));
    }
}

fn head(state: &State) -> Line<'static> {
    let sample = &state.sample;
    let ([all, active, waiting], [ready, _, dead]) = (sample.sessions.map(short), sample.jobs.map(short));
    let (clock, tenants) = (sample.clock.get(11..).unwrap_or_default(), short(sample.tenants));
    let paused = if state.paused { "PAUSED  " } else { "" };
    let text = format!(
        "{paused}{clock}  {tenants} tenants  {all} sessions: {active} active, {waiting} waiting  jobs: {ready} ready, {dead} dead"
    );
    Line::styled(text, Modifier::BOLD)
}

fn sums(state: &State) -> Line<'static> {
    let sum = |column: Column| short(state.sample.lines.iter().map(|line| column.value(line)).sum());
    Line::raw(format!(
        "all: {} tx/s  {} statements/s  {} rows read/s  {} written/s  {}% exec",
        sum(Column::Tx),
        sum(Column::Statements),
        sum(Column::Read),
        sum(Column::Written),
        sum(Column::Exec),
    ))
}

fn list(state: &State, width: u16, room: usize) -> Vec<Line<'static>> {
    let columns = Column::of(width);
    let taken: usize = columns.iter().map(|column| column.width() + 1).sum();
    let left = usize::from(width).saturating_sub(taken + SPARK);
    let row = |of: &dyn Fn(Column) -> String, spark: &str| -> String {
        let cell = |column: &Column| match column {
            Column::Tenant => format!("{:left$.left$}", of(*column)),
            _ => format!("{:>width$.width$}", of(*column), width = column.width()),
        };
        format!("{} {spark}", columns.iter().map(cell).collect::<Vec<_>>().join(" "))
    };
    let titles = row(&|column| heading(column, state), "ten min");
    let mut lines = vec![Line::styled(format!("{titles:<width$}", width = usize::from(width)), Modifier::REVERSED)];
    // The chosen line stays on the screen.
    let from = if state.is_once { 0 } else { (state.at() + 1).saturating_sub(room) };
    for (nth, line) in state.sample.lines.iter().enumerate().skip(from).take(room) {
        let chosen = nth == state.at() && !state.is_once;
        let text = row(&|column| column.text(line), &spark(line));
        lines.push(Line::styled(
            text,
            if chosen { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() },
        ));
    }
    if state.sample.lines.is_empty() && state.said.is_empty() {
        lines.push(Line::raw("Nobody did anything in the last ten minutes."));
    }
    lines
}

/// The heading: in capitals where it is sorted by.
fn heading(column: Column, state: &State) -> String {
    let heading = column.heading();
    if column == state.sort { heading.to_uppercase() } else { heading.to_owned() }
}

/// The last ten minutes of execution, a minute a character.
fn spark(line: &sample::Line) -> String {
    let steps = &line.series[4];
    let minutes: Vec<f64> = steps.chunks(steps.len().div_ceil(SPARK).max(1)).map(|steps| steps.iter().sum()).collect();
    let most = minutes.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    minutes.iter().map(|minute| if *minute > 0.0 { BARS[(minute / most * 7.0) as usize] } else { ' ' }).collect()
}

fn looked_into(detail: &Detail) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(format!("Tenant {}", detail.tenant), Modifier::BOLD)];
    lines.extend(detail.facts.iter().map(|fact| Line::raw(format!("  {:26}{}", plain(&fact[0]), plain(&fact[1])))));
    let mut part = |heading: &'static str, rows: &Rows, widths: &[usize]| {
        lines.push(Line::styled(heading, Modifier::BOLD));
        let cells = |row: &Vec<String>| {
            row.iter().zip(widths).map(|(cell, width)| format!("{:width$.width$} ", plain(cell))).collect::<String>()
        };
        lines.extend(rows.iter().map(|row| Line::raw(format!("  {}", cells(row)))));
        if rows.is_empty() {
            lines.push(Line::raw("  none"));
        }
    };
    part("Shared limits: name, at most, in use, refused, from", &detail.limits, &[25, 12, 8, 8, 8]);
    part(
        "Sessions: process, role, actor, state, age of the transaction, wait",
        &detail.sessions,
        &[8, 16, 12, 12, 9, 16],
    );
    part("Jobs: kind, lane, ready, running, failed, dead", &detail.jobs, &[20, 12, 8, 8, 8, 8]);
    lines
}

/// Characters that steer a terminal are shown, not sent: names are anybody's words.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn foot(state: &State, width: usize) -> Line<'static> {
    match &state.question {
        Some(question) => {
            // What is being typed stays on the screen.
            let text = question.text();
            let over = text.chars().count().saturating_sub(width);
            Line::styled(text.chars().skip(over).collect::<String>(), Modifier::REVERSED)
        }
        None if !state.said.is_empty() => Line::styled(plain(&state.said), Modifier::BOLD),
        None if state.is_once => Line::raw(""),
        None if state.detail.is_some() => Line::raw("Esc back  s suspend  u resume  o read-only  l limit  q quit"),
        None => Line::raw("Up/Down </> sort r reverse Enter look | s suspend u resume o read-only l limit q"),
    }
}

/// A screen as text, without spaces at the ends of lines.
pub fn text(state: &State, width: u16, height: u16) -> String {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| draw(state, frame));
    let buffer = terminal.backend().buffer();
    let line = |row: &[ratatui::buffer::Cell]| row.iter().map(|cell| cell.symbol()).collect::<String>();
    buffer.content.chunks(usize::from(width)).map(|row| format!("{}\n", line(row).trim_end())).collect()
}
