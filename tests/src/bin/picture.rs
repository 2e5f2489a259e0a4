//! `picture TEXT SVG`: draws what the demo has printed, as a terminal shows it: its first three chapters. `make
//! pictures` keeps the run beside the picture, so that the same text makes the same picture.

use std::fmt::Write as _;

/// A cell of the terminal, in pixels.
const CELL: (usize, usize) = (8, 17);
const MARGIN: usize = 16;
/// The bar with the three buttons.
const BAR: usize = 28;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [text, picture] = arguments.as_slice() else { anyhow::bail!("usage: picture TEXT SVG") };
    std::fs::write(picture, svg(&chapters(&std::fs::read_to_string(text)?)))?;
    Ok(())
}

/// The command, and what stands between the first chapter and the fourth.
fn chapters(text: &str) -> String {
    let (command, rest) = text.split_once('\n').unwrap_or((text, ""));
    let from = rest.find("\n1. ").map_or(0, |at| at + 1);
    let to = rest.find("\n4. ").unwrap_or(rest.len());
    format!("{command}\n…\n\n{}\n…\n", rest[from..to].trim_end())
}

fn svg(text: &str) -> String {
    let lines: Vec<&str> = text.trim_matches('\n').lines().map(str::trim_end).collect();
    let columns = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let (width, height) = (columns * CELL.0 + 2 * MARGIN, lines.len() * CELL.1 + BAR + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#1b1f27\"/>\n"
    );
    for (n, colour) in ["#ff5f57", "#febc2e", "#28c840"].into_iter().enumerate() {
        let _ = writeln!(
            svg,
            "<circle cx=\"{}\" cy=\"{}\" r=\"5.5\" fill=\"{colour}\"/>",
            MARGIN + 4 + 18 * n,
            BAR / 2 + 4
        );
    }
    svg += "<g font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"13\" \
            fill=\"#d7dae0\" xml:space=\"preserve\">\n";
    for (n, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let y = BAR + MARGIN + n * CELL.1 + 12;
        let underlined = lines.get(n + 1).is_some_and(|next| next.starts_with('─'));
        let plain = if underlined { " fill=\"#7cc7ff\" font-weight=\"bold\"" } else { colour(line) };
        let mut column = 0;
        for (run, verdict) in runs(line) {
            let style = verdict.map_or(plain.to_owned(), |fill| format!(" fill=\"{fill}\""));
            let (x, long) = (MARGIN + column * CELL.0, run.chars().count() * CELL.0);
            column += run.chars().count();
            let escaped = run.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(' ', "\u{a0}");
            // The length keeps columns straight, whatever font is there.
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{y}\" textLength=\"{long}\" lengthAdjust=\"spacingAndGlyphs\"{style}>{escaped}</text>"
            );
        }
    }
    svg + "</g>\n</svg>\n"
}

/// A command is bright, what went wrong red.
fn colour(line: &str) -> &'static str {
    if line.starts_with("$ ") {
        " fill=\"#ffffff\" font-weight=\"bold\""
    } else if line.starts_with("WRONG") {
        " fill=\"#ff7b72\""
    } else {
        ""
    }
}

/// A line in pieces: a verdict of the attacks is red where it leaked and green where it was stopped.
fn runs(line: &str) -> Vec<(&str, Option<&'static str>)> {
    let (mut runs, mut plain, mut at) = (Vec::new(), 0, 0);
    for cell in line.split("   ") {
        let word = cell.trim_matches([' ', '│']);
        let fill = match word {
            _ if word.starts_with("LEAK ") => Some("#ff7b72"),
            _ if word.starts_with("refused ") || word == "0 rows" => Some("#7ee787"),
            _ => None,
        };
        if fill.is_some() {
            let from = at + cell.find(word).unwrap_or(0);
            runs.push((&line[plain..from], None));
            runs.push((&line[from..from + word.len()], fill));
            plain = from + word.len();
        }
        at += cell.len() + 3;
    }
    runs.push((&line[plain..], None));
    runs.retain(|(run, _)| !run.is_empty());
    runs
}

#[cfg(test)]
mod tests {
    use super::{chapters, svg};

    #[test]
    fn the_picture_is_of_the_run_beside_it() {
        let pictures = concat!(env!("CARGO_MANIFEST_DIR"), "/pictures");
        let read = |name: &str| std::fs::read_to_string(format!("{pictures}/{name}")).expect(name);
        let (run, drawn) = (read("demo.txt"), read("demo.svg"));
        assert!(svg(&chapters(&run)) == drawn, "tests/pictures/demo.svg is not of demo.txt: make pictures");
        assert!(!run.contains("WRONG"), "the run went wrong: {run}");
        assert!(run.contains(" 0 got through pg_tenant."), "the run is one of the whole demo");
    }

    #[test]
    fn a_verdict_has_its_colour() {
        let drawing = svg("│ an attack   LEAK 3 rows read   refused TN001 │");
        assert!(drawing.contains(" fill=\"#ff7b72\">LEAK\u{a0}3\u{a0}rows\u{a0}read</text>"), "{drawing}");
        assert!(drawing.contains(" fill=\"#7ee787\">refused\u{a0}TN001</text>"), "{drawing}");
    }

    #[test]
    fn text_is_shown_as_it_is() {
        let drawing = svg("$ make demo\n\na < b & c\n");
        assert!(drawing.contains(">a\u{a0}&lt;\u{a0}b\u{a0}&amp;\u{a0}c</text>"), "{drawing}");
        assert_eq!(drawing.matches("<text ").count(), 2, "{drawing}");
    }
}
