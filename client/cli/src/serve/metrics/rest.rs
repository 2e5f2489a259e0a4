//! The tenants that have no series of their own, as one counter that never falls when a tenant comes into the list or
//! leaves it. The plain difference, all less the listed, would: Prometheus takes a fall for a new beginning, and would
//! count everything once more.

use std::collections::HashMap;

pub const COUNTERS: usize = 10;
pub type Values = [f64; COUNTERS];

#[derive(Default)]
pub struct Rest {
    last: Option<Last>,
}

struct Last {
    all: Values,
    listed: HashMap<String, Values>,
    rest: Values,
}

impl Rest {
    /// What the rest has come to. What a tenant does between two looks is the rest's, unless it is listed in both.
    pub fn advance(&mut self, all: Values, listed: &[(String, Values)]) -> Values {
        let mut rest = match &self.last {
            // Counting has begun anew where a sum falls.
            Some(last) if all.iter().zip(&last.all).all(|(now, before)| now >= before) => {
                let listed_grew = |i: usize| -> f64 {
                    let both = listed.iter().filter_map(|(id, now)| Some((now, last.listed.get(id)?)));
                    both.map(|(now, before)| (now[i] - before[i]).max(0.0)).sum()
                };
                std::array::from_fn(|i| last.rest[i] + (all[i] - last.all[i] - listed_grew(i)).max(0.0))
            }
            _ => std::array::from_fn(|i| all[i] - listed.iter().map(|(_, now)| now[i]).sum::<f64>()),
        };
        rest.iter_mut().for_each(|value| *value = value.max(0.0));
        self.last = Some(Last { all, listed: listed.iter().cloned().collect(), rest });
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNTERS, Rest};

    fn listed(of: &[(&str, f64)]) -> Vec<(String, [f64; COUNTERS])> {
        of.iter().map(|(id, n)| ((*id).to_owned(), [*n; COUNTERS])).collect()
    }

    #[test]
    fn it_never_falls_when_the_list_changes() {
        let mut rest = Rest::default();
        assert_eq!(rest.advance([100.0; COUNTERS], &listed(&[("a", 60.0)]))[0], 40.0);
        // a grew by 5, the others by 15.
        assert_eq!(rest.advance([120.0; COUNTERS], &listed(&[("a", 65.0)]))[0], 55.0);
        // b has overtaken a: what both did meanwhile is the rest's.
        assert_eq!(rest.advance([200.0; COUNTERS], &listed(&[("b", 90.0)]))[0], 135.0);
        assert_eq!(rest.advance([210.0; COUNTERS], &listed(&[("b", 100.0)]))[0], 135.0);
    }

    #[test]
    fn counting_that_begins_anew_does_so_here() {
        let mut rest = Rest::default();
        rest.advance([100.0; COUNTERS], &listed(&[("a", 60.0)]));
        assert_eq!(rest.advance([10.0; COUNTERS], &listed(&[("a", 4.0)]))[0], 6.0);
    }
}
