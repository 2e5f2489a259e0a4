//! What one tenant may take of a pool that all of them share.

mod plans;
mod policy;
mod rate;

pub use plans::Plans;
pub use policy::{LimitPolicy, Limits, Refresh};
pub use rate::Rate;
