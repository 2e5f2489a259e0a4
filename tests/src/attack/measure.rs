//! What came out of an attack.

use std::fmt;

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rows of other tenants that the attacker read.
    pub seen: u64,
    /// Rows of other tenants that were changed, added or removed.
    pub changed: u64,
    /// The first refusal: SQLSTATE and message.
    pub refused: Option<(String, String)>,
}

impl Outcome {
    /// Whether it got through.
    pub fn leaked(&self) -> bool {
        self.seen + self.changed > 0
    }

    /// The SQLSTATE of the first refusal.
    pub fn code(&self) -> Option<&str> {
        self.refused.as_ref().map(|(code, _)| code.as_str())
    }

    pub(super) fn refuse(&mut self, code: &str, message: &str) {
        self.refused.get_or_insert_with(|| (code.to_owned(), message.to_owned()));
    }
}

/// `LEAK 1204 rows read`, `refused 42501`, `0 rows`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.seen, self.changed, self.code()) {
            (0, 0, Some(code)) => write!(f, "refused {code}"),
            (0, 0, None) => f.write_str("0 rows"),
            (seen, 0, _) => write!(f, "LEAK {seen} rows read"),
            (0, changed, _) => write!(f, "LEAK {changed} rows changed"),
            (seen, changed, _) => write!(f, "LEAK {seen} rows read, {changed} changed"),
        }
    }
}

/// Counts the rows whose tenant is not `own`.
pub(super) fn foreign<'r>(tenants: impl Iterator<Item = Option<&'r str>>, own: &str) -> u64 {
    tenants.filter(|tenant| *tenant != Some(own)).count() as u64
}

/// Counts the rows that belong, or belonged, to a tenant other than `own` and are not as they were.
pub(super) fn changed_sql(own: &str) -> String {
    format!(
        "select count(*) from hidden.pristine p full join only public.orders o using (id)
         where (coalesce(p.tenant_id, '{own}') <> '{own}' or coalesce(o.tenant_id, '{own}') <> '{own}')
            and row(p.tenant_id, p.total, p.note) is distinct from row(o.tenant_id, o.total, o.note)"
    )
}
