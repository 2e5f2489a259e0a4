//! The last minutes and the last hour, in the steps in which the server counts.

use deadpool_postgres::Transaction;

use super::{Fault, number, text};

/// How many steps there are.
const COUNT: i64 = 60;

/// What is looked back at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Span {
    TenMinutes,
    Hour,
}

impl Span {
    /// Seconds of a step.
    fn step(self) -> i64 {
        match self {
            Span::TenMinutes => 10,
            Span::Hour => 60,
        }
    }

    /// Where the server shows it.
    pub fn view(self) -> &'static str {
        match self {
            Span::TenMinutes => "tenant.stat_tenants_recent",
            Span::Hour => "tenant.stat_tenants_hour",
        }
    }
}

/// The last steps that are over, by the server's clock.
pub struct Steps {
    /// When the first one began, in seconds since 1970.
    first: i64,
    /// Seconds of one.
    step: i64,
    /// The clock of the first one and of the end.
    pub from: String,
    pub until: String,
}

pub async fn steps(tx: &Transaction<'_>, span: Span) -> Result<Steps, Fault> {
    let step = span.step();
    let sql = format!(
        "select s.first::text, to_char(to_timestamp(s.first) at time zone 'UTC', 'HH24:MI:SS'),
            to_char(to_timestamp(s.first + {COUNT} * {step}) at time zone 'UTC', 'HH24:MI:SS')
        from (select (floor(extract(epoch from now()) / {step}) * {step} - {COUNT} * {step})::bigint as first) s"
    );
    let row = text(tx, &sql, &[]).await?.into_iter().next().unwrap_or_default();
    let mut row = row.into_iter();
    let mut next = || row.next().unwrap_or_default();
    Ok(Steps { first: next().parse().unwrap_or_default(), step, from: next(), until: next() })
}

impl Steps {
    /// A value per second of each step, out of pairs of a step's beginning and its sum; where there is none it is 0.
    pub fn per_second(&self, pairs: impl IntoIterator<Item = (i64, f64)>) -> Vec<f64> {
        let mut values = vec![0.0; COUNT as usize];
        for (at, sum) in pairs {
            let slot = usize::try_from((at - self.first).div_euclid(self.step)).ok();
            if let Some(value) = slot.and_then(|slot| values.get_mut(slot)) {
                *value += sum / self.step as f64;
            }
        }
        values
    }

    /// As above, of `<step>:<sum> <step>:<sum> …`.
    pub fn of_list(&self, list: &str) -> Vec<f64> {
        let pairs = list.split(' ').filter_map(|pair| pair.split_once(':'));
        self.per_second(pairs.map(|(at, sum)| (at.parse().unwrap_or_default(), number(sum))))
    }
}

#[cfg(test)]
mod tests {
    use super::Steps;

    #[test]
    fn a_step_that_is_missing_is_zero() {
        let steps = Steps { first: 1000, step: 10, from: String::new(), until: String::new() };
        let values = steps.of_list("1000:20 1020:5 1590:10 1600:7 990:7 nonsense");
        assert_eq!(values.len(), 60);
        assert_eq!((values[0], values[1], values[2], values[59]), (2.0, 0.0, 0.5, 1.0));
        assert_eq!(values.iter().sum::<f64>(), 3.5);
    }
}
