//! What the workers of onboardings and of jobs share: work that may fail, transactions that are lent to it, tasks that
//! end with whoever waits for them, and how a worker is told to stop.

mod failure;
mod lent;
mod running;
mod task;

pub use failure::WorkError;
pub(crate) use failure::is_lasting;
pub(crate) use lent::{Lent, lent};
pub(crate) use running::Running;
pub(crate) use task::{host, in_tx, panicked};
