//! Who am I: the tenant of this transaction.
//!
//! - [`slot`]: where the current tenant stands, the hooks of `pg_tenant.id` that write it, and the readers.
//! - [`seal`]: one tenant per top-level transaction.
//! - [`enter`]: the way in.
//! - [`limits`]: what the tenant was given: timeouts, memory, read only.
//! - [`bound`]: sessions whose role is bound to a tenant.

pub mod bound;
pub mod enter;
pub mod limits;
pub mod seal;
pub mod slot;
