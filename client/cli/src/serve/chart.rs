//! Drawings, as SVG that is made here: no script, and no colour that says something by itself.

/// A value over time, with what is said of it to who does not see it.
pub struct Chart {
    pub title: &'static str,
    pub unit: &'static str,
    pub now: String,
    pub peak: String,
    /// Points of the line, in a field of 600 by 100.
    pub line: String,
    /// The same, closed along the ground.
    pub area: String,
    /// When it begins and ends.
    pub from: String,
    pub until: String,
}

pub const WIDTH: f64 = 600.0;
pub const HEIGHT: f64 = 100.0;

impl Chart {
    /// Of values at equal distances.
    pub fn new(title: &'static str, unit: &'static str, values: &[f64], (from, until): (&str, &str)) -> Chart {
        let line = points(values, WIDTH, HEIGHT);
        Chart {
            title,
            unit,
            now: short(values.last().copied().unwrap_or_default()),
            peak: short(values.iter().copied().fold(0.0, f64::max)),
            area: format!("0,{HEIGHT} {line} {WIDTH},{HEIGHT}"),
            line,
            from: from.to_owned(),
            until: until.to_owned(),
        }
    }
}

/// The points of a line, scaled to the greatest value.
pub fn points(values: &[f64], width: f64, height: f64) -> String {
    let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let step = width / values.len().saturating_sub(1).max(1) as f64;
    let point = |(i, value): (usize, &f64)| {
        format!("{:.1},{:.1}", i as f64 * step, height - value / most * (height - 2.0) - 1.0)
    };
    values.iter().enumerate().map(point).collect::<Vec<_>>().join(" ")
}

/// A number in a few characters.
pub fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e9 => format!("{:.1}G", value / 1e9),
        v if v >= 1e6 => format!("{:.1}M", value / 1e6),
        v if v >= 1e4 => format!("{:.1}k", value / 1e3),
        v if v >= 100.0 || v.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{points, short};

    #[test]
    fn a_line_stays_in_its_field() {
        assert_eq!(points(&[0.0, 5.0, 10.0], 100.0, 20.0), "0.0,19.0 50.0,10.0 100.0,1.0");
        assert_eq!(points(&[0.0, 0.0], 100.0, 20.0), "0.0,19.0 100.0,19.0");
        assert_eq!(points(&[], 100.0, 20.0), "");
    }

    #[test]
    fn numbers_are_short() {
        let said = [0.0, 1.26, 123.4, 12_345.0, 2_500_000.0, 3e9].map(short);
        assert_eq!(said, ["0", "1.3", "123", "12.3k", "2.5M", "3.0G"]);
    }
}
