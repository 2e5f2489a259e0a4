//! Transactions inside one tenant.

pub(crate) mod builder;
pub(crate) mod bulk;
mod commit;
pub(crate) mod copy_out;
pub(crate) mod entry;
pub(crate) mod executor;
mod flights;
pub(crate) mod health;
pub(crate) mod open_tx;
mod opening;
pub(crate) mod options;
pub(crate) mod permission;
pub mod pipeline;
pub(crate) mod place;
mod primary;
mod reading;
mod replica;
pub(crate) mod retry;
pub(crate) mod run;
pub(crate) mod savepoint;
pub(crate) mod scope;
mod send;
mod spans;
pub(crate) mod stream;
pub(crate) mod tenant_tx;
pub(crate) mod usage;
mod verdict;
