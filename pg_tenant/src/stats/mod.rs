//! What each tenant costs.
//!
//! - [`running`]: what this backend has done since it last told the others: summed up without any atomic.
//! - [`who`]: whom it counts for: the transaction's tenant, the system context, or nobody.
//! - [`file`](mod@file): how the numbers outlive a restart.
//! - [`read`]: what SQL sees of them.

mod chance;
mod file;
mod read;
mod running;
mod who;

pub use running::{Outer, admitted_after, begins, counts, ends, is_within, ran, started};

pub use who::Who;

use crate::gucs;
use crate::pg::{lifetime, refused, server, statement, statistics};

/// Asks for the memory and registers what is told. Called from `_PG_init` only, after the settings and the rooms whose
/// end of the transaction comes later than ours: those registered earlier.
pub fn init() {
    statistics::init(gucs::max_tracked_tenants());
    crate::pg::shared_memory::keep(file::read, file::write);
    lifetime::at_end(running::transaction_ended);
    refused::also_tell(running::refused);
    statement::on_lock_wait(running::waited);
    statement::on_line(who::line);
}

/// Seconds since 1970.
fn now() -> u32 {
    u32::try_from(server::now()).unwrap_or(u32::MAX)
}
