//! What is printed: tables for people, with `--json` what the server has answered.

use std::io::{self, Write};

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use indexmap::IndexMap;
use serde_json::Value;

/// A row: values by column, in the order of the columns.
pub type Row = IndexMap<String, Value>;
pub type Rows = Vec<Row>;

/// How to print.
#[derive(Clone, Copy, Debug)]
pub enum Output {
    Text,
    Json,
}

impl Output {
    /// Rows, as a table or an array.
    pub fn rows(self, rows: &Rows, none: &str) -> io::Result<()> {
        match self {
            Output::Json => Output::json(&rows),
            Output::Text if rows.is_empty() => line(none),
            Output::Text => line(&table(rows)),
        }
    }

    /// One row: a line for each value, or an object.
    pub fn row(self, row: &Row) -> io::Result<()> {
        match self {
            Output::Json => Output::json(row),
            Output::Text => {
                let width = row.keys().map(String::len).max().unwrap_or_default();
                let mut lines = row.iter().filter(|(_, value)| !value.is_null());
                lines.try_for_each(|(name, value)| line(&format!("{name:width$}  {}", text(value))))
            }
        }
    }

    /// What was done: a sentence, or an object.
    pub fn done(self, sentence: &str, result: &Row) -> io::Result<()> {
        match self {
            Output::Json => Output::json(result),
            Output::Text => line(sentence),
        }
    }

    /// A value as JSON.
    pub fn json(value: &impl serde::Serialize) -> io::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, value)?;
        writeln!(out)
    }
}

fn table(rows: &Rows) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width() {
        table.set_width(width);
    }
    if let Some(first) = rows.first() {
        table.set_header(first.keys());
    }
    for row in rows {
        table.add_row(row.values().map(text));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// The terminal's, as it is told to programs; lines in a pipe are as long as they need to be.
fn width() -> Option<u16> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|width| *width >= 20)
}

/// A value for people. Characters that steer a terminal are replaced: values are whoever's.
fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    printable(&text)
}

/// A text without characters that steer a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}
