//! How many advisory locks of its own a tenant's transaction has taken: each stands in the server's lock table, which
//! has room for all sessions together.

use crate::gucs;
use crate::pg::report::{Outcome, Report};
use pg_tenant_core::Refusal;
use std::cell::{Cell, RefCell};

thread_local! {
    /// The keys of this transaction. A savepoint that is rolled back gives its locks back and leaves its keys here.
    /// How many its tenant may take.
    static MOST: Cell<usize> = const { Cell::new(usize::MAX) };
    static TAKEN: RefCell<Vec<i64>> = const { RefCell::new(Vec::new()) };
}

/// Used here once: see pg/memory.rs.
pub fn init() {
    TAKEN.take();
}

/// What the tenant was given, until the transaction ends.
pub fn limit(most: Option<u32>) {
    MOST.set(most.map_or(usize::MAX, |most| most as usize));
}

/// Counts a lock that is about to be taken, once for each key; refuses (`TN055`) one too many.
pub fn count(key: i64) -> Outcome<()> {
    let most = gucs::max_advisory_locks().min(MOST.get());
    let is_counted = TAKEN.with_borrow_mut(|taken| {
        let counted = taken.contains(&key);
        if !counted && taken.len() < most {
            taken.push(key);
            return true;
        }
        counted
    });
    if is_counted {
        return Ok(());
    }
    let of = if MOST.get() == most { "The tenant's limit advisory_locks" } else { "pg_tenant.max_advisory_locks" };
    Err(Report::new(Refusal::TooManyLocks, "the transaction has as many advisory locks as it may")
        .detail(format!("{of} is {most}; what a savepoint has given back counts too."))
        .hint("Lock one name that stands for many, or commit in between."))
}

/// The transaction has ended. No call spans the borrow above.
pub fn transaction_ended() {
    TAKEN.with(|taken| {
        if let Ok(mut taken) = taken.try_borrow_mut() {
            taken.clear();
        }
    });
}
