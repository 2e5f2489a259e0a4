//! Who holds a connection now, since when, and from which line of the program: for the error of a call that found none.

use std::fmt::Write;
use std::panic::Location;
use std::time::{Duration, Instant};

use tokio::task;

use super::Share;

/// Where in the program a transaction was asked for. `None`: by the pool itself.
pub(crate) type Site = Option<&'static Location<'static>>;

/// How many are named in one error.
const NAMED: usize = 8;

pub(super) struct Loan {
    pub(super) share: Share,
    pub(super) since: Instant,
    pub(super) site: Site,
    task: Option<task::Id>,
    /// The connection has left the pool, and the server is being told to stop.
    pub(super) ending: bool,
}

/// The loans of one pool, by a number that is free again when the loan ends.
#[derive(Default)]
pub(super) struct Loans {
    by_number: Vec<Option<Loan>>,
    free: Vec<usize>,
}

impl Loan {
    pub(super) fn new(share: Share, site: Site, since: Instant) -> Loan {
        Loan { share, since, site, task: task::try_id(), ending: false }
    }
}

impl Loans {
    pub(super) fn insert(&mut self, loan: Loan) -> usize {
        match self.free.pop() {
            Some(number) => {
                self.by_number[number] = Some(loan);
                number
            }
            None => {
                self.by_number.push(Some(loan));
                self.by_number.len() - 1
            }
        }
    }

    pub(super) fn remove(&mut self, number: usize) {
        if self.by_number.get_mut(number).is_some_and(|loan| loan.take().is_some()) {
            self.free.push(number);
        }
    }

    pub(super) fn change(&mut self, number: usize, change: impl FnOnce(&mut Loan)) {
        if let Some(Some(loan)) = self.by_number.get_mut(number) {
            change(loan);
        }
    }

    fn oldest_first(&self, which: impl Fn(&Loan) -> bool) -> Vec<&Loan> {
        let mut loans: Vec<&Loan> = self.by_number.iter().flatten().filter(|loan| which(loan)).collect();
        loans.sort_by_key(|loan| loan.since);
        loans
    }

    /// In a sentence, those that are meant; empty where there are none.
    pub(super) fn describe(&self, which: impl Fn(&Loan) -> bool) -> String {
        let loans = self.oldest_first(which);
        let mut text = String::new();
        for loan in loans.iter().take(NAMED) {
            let _ = write!(text, "{}{} for {}", if text.is_empty() { "" } else { "; " }, loan.share, age(loan.since));
            if let Some(site) = loan.site {
                let _ = write!(text, " from {site}");
            }
            if loan.ending {
                text.push_str(" (dropped, the server is still at it)");
            }
        }
        if loans.len() > NAMED {
            let _ = write!(text, "; and {} more", loans.len() - NAMED);
        }
        text
    }

    /// Where the running task asked for those that it has itself.
    pub(super) fn own(&self) -> Vec<Site> {
        let Some(task) = task::try_id() else { return Vec::new() };
        self.oldest_first(|loan| loan.task == Some(task) && !loan.ending).iter().map(|loan| loan.site).collect()
    }
}

fn age(since: Instant) -> String {
    match since.elapsed() {
        short if short < Duration::from_secs(1) => format!("{} ms", short.as_millis()),
        long => format!("{:.1} s", long.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_named_and_the_rest_counted() {
        let mut loans = Loans::default();
        let numbers: Vec<usize> = (0..NAMED + 2)
            .map(|_| loans.insert(Loan::new(Share::NoTenant, Some(Location::caller()), Instant::now())))
            .collect();
        let text = loans.describe(|_| true);
        assert_eq!(text.matches("loans.rs").count(), NAMED, "{text}");
        assert!(text.ends_with("; and 2 more"), "{text}");
        loans.change(numbers[0], |loan| loan.ending = true);
        assert!(loans.describe(|_| true).contains("the server is still at it"));
        for number in numbers {
            loans.remove(number);
            loans.remove(number);
        }
        assert_eq!(loans.describe(|_| true), "");
        assert_eq!(loans.insert(Loan::new(Share::NoTenant, None, Instant::now())), NAMED + 1, "a number is used again");
    }
}
