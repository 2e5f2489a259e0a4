//! Who is let in, and how fast: limits that hold for all sessions of a tenant together.
//!
//! - [`held`]: what this transaction has taken of its tenant's limits, until it ends.
//! - [`enter`](mod@enter): a transaction is let in, waits, or is refused.
//! - [`pace`]: statements and rows of one that runs.
//! - [`read`]: what SQL sees of it.
//!
//! All of it happens where a tenant is entered, before its transaction has taken a lock on anything of the tenant's:
//! who waits here holds nothing that another one of the tenant waits for, unless it has locked that before.

mod enter;
mod held;
mod pace;
mod read;

pub use enter::{enter, enter_bound};
pub use pace::{statement, wrote};

use crate::pg::{gates, lifetime};

/// Asks for the memory and registers what happens at the end. Called from `_PG_init` only.
pub fn init() {
    gates::init();
    lifetime::at_end(|_| held::give_back());
}
