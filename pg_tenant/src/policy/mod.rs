//! Which rows are mine: how far the tenant policy of a table reaches.
//!
//! - [`protection`]: what the catalog says of a table, remembered until it changes.

pub mod protection;
