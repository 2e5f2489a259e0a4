//! The ways in: what is asked before a transaction gets its tenant, or the system context.
//!
//! - [`tenant`]: into a tenant, by its id or by a token that names it.
//! - [`who`]: for whom.
//! - [`membership`]: whether the actor may enter as a member, and as what.
//! - [`impersonation`]: into a tenant in the place of a user, by a grant.
//! - [`pristine`]: what a session may not carry into one.
//! - [`system`], [`owner`]: into the system context, and into that of a table's owner.
//! - [`unjournalled`]: what the log says of an entry that no journal can keep.
//! - [`lookup`]: asking which tenant a key belongs to, before one is known.

pub mod impersonation;
pub mod lookup;
mod membership;
pub mod owner;
pub mod pristine;
pub mod system;
pub mod tenant;
mod unjournalled;
mod who;
