//! How many transactions of a tenant run at once and how fast they come, in memory that all sessions share and none
//! locks.
//!
//! - [`Given`]: what a tenant was given.
//! - [`Gate`]: what it takes of it at this moment.
//! - [`Gates`]: which gate is whose. Only tenants that work at this moment need one.

mod gate;
mod given;
mod table;

pub use gate::{Gate, PACES, Pace};
pub use given::{Given, MalformedLimit, Rate};
pub use table::Gates;
