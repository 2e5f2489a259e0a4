//! Plans: what a query is about to do.

mod beside; // where a scan evaluates conditions
mod calls; // of functions that tell of other tenants
mod conflict; // the WHERE of ON CONFLICT, which PostgreSQL asks before the policy
mod fences; // the tenant's fence in front of whatever else a scan evaluates
mod front; // the conditions of a scan, with the fence in front
mod members; // the fence of a table that is reached by membership
mod nodes; // the nodes of a plan, and which of them scan
mod quiet; // conditions that tell nothing of the row they see
mod range; // the relations of a plan, and as whom they are read

pub use calls::{Answering, hide_calls};
pub use conflict::ask_policy_before_conflict;
pub use fences::{Unfenced, fences_first};
pub use nodes::is_false;
