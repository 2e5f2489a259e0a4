//! What came out of a row, judged: nothing here depends on the golden.

use pg_tenant_tests::attack::Seen;

use crate::row::{Play, Row, Stock};

pub const HEAD: &str = "-- V leaks on stock PostgreSQL, F is closed there, S from its source. B refused, P prevented, R reported, D admitted.
-- In the last column but one, the findings that report it.
";

/// What a row printed, and what is wrong with it.
pub struct Verdict {
    stock: String,
    ours: String,
    found: String,
    pub problems: Vec<String>,
}

impl Verdict {
    pub fn of(row: &Row, seen: Option<&Seen>) -> Verdict {
        let Some(seen) = seen else {
            let why = match row.play {
                Play::Test(file, _) => file.to_owned(),
                Play::Unrun(why) => why.to_owned(),
                Play::Listed(_) | Play::Steps(_) => match row.needs {
                    Some(extension) => format!("{extension} is not here"),
                    None => format!("from {} on", row.since),
                },
            };
            return Verdict { stock: "-".into(), ours: why, found: row.finds.join(" "), problems: Vec::new() };
        };
        let mut problems = Vec::new();
        match row.stock {
            Stock::V if !seen.stock.leaked() => problems.push("does not leak on stock PostgreSQL".to_owned()),
            Stock::F if seen.stock.leaked() => problems.push("leaks on stock PostgreSQL".to_owned()),
            _ => {}
        }
        let caused = row.finds.iter().any(|code| seen.found.contains(*code));
        let answered = if !seen.ours.leaked() {
            match seen.ours.code() {
                Some(code) if !is_a_refusal(row, code) => {
                    problems.push(format!("fails with {code}, which is no defence"))
                }
                None if row.act.contains('B') && row.because.is_none() => {
                    problems.push("no SQLSTATE refuses it, and no reason is given".to_owned());
                }
                _ => {}
            }
            "closed"
        } else if caused {
            "reported"
        } else if row.admitted.is_some() {
            "admitted"
        } else {
            problems.push("leaks, and nothing answers it".to_owned());
            "OPEN"
        };
        let ours = match answered {
            "closed" => seen.ours.to_string(),
            _ => format!("{}, {answered}", seen.ours),
        };
        Verdict { stock: seen.stock.to_string(), ours, found: row.finds.join(" "), problems }
    }

    pub fn line(&self, row: &Row) -> String {
        let (id, threat, act) = (row.id, row.threat, row.act);
        let (stock, ours, found) = (&self.stock, &self.ours, &self.found);
        let line = format!("{id:5}{threat} {:?} {act:4}{stock:24} {ours:32} {found:13} {}", row.stock, row.leak);
        line.trim_end().to_owned() + "\n"
    }
}

/// A refusal of ours, of PostgreSQL's rights, or one that the row names: never an attack that is written wrongly.
fn is_a_refusal(row: &Row, code: &str) -> bool {
    code.starts_with("TN") || code == "42501" || row.refuses.contains(&code)
}
