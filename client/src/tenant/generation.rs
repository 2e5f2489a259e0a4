//! Whether what a tenant is given is still the same.

use std::fmt;

/// A number that stands for all that a tenant is given: its row in the registry, its plan, its settings and the
/// declarations of settings. Two that are equal mean that nothing of it has changed; after a change it is another one.
/// It tells nothing of the rows of the tenant's own tables.
///
/// It comes with entering, at no cost in round trips: [`TenantTx::generation`](crate::TenantTx::generation), and
/// `tenant.generation()` in SQL. Compare it for equality only: it does not grow. It is the same for all sessions, on a
/// standby that has caught up, and after a restart; a restored dump and `VACUUM FULL` give another one.
///
/// What is read of settings in the same transaction is of this generation or a later one. So keep it under the
/// generation ([`CacheKey::at`](crate::CacheKey::at)), and look it up under that of a later transaction: nothing is
/// found that was replaced before that transaction entered. Do not keep what a transaction has read after changing
/// settings itself: it may be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Generation(i64);

impl Generation {
    /// From the number that `tenant.generation()` has returned.
    pub fn new(number: i64) -> Generation {
        Generation(number)
    }

    /// The number as `tenant.generation()` returns it.
    pub fn number(self) -> i64 {
        self.0
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
