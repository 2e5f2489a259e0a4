//! Who am I: the tenant of this transaction, or the system context.
//!
//! - [`current`]: where the current tenant stands, the hooks of `pg_tenant.id` that write it, and the readers.
//! - [`seal`]: one tenant, or the system context, per top-level transaction.
//! - [`enter`]: the way in.
//! - [`limits`]: what the tenant was given: timeouts, memory, read only.
//! - [`locks`]: how many advisory locks its transaction has taken.
//! - [`lookup`]: asking which tenant a key belongs to, before one is known.
//! - [`bound`]: sessions whose role is bound to a tenant.
//! - [`system`]: the way into the system context, and what it allows.
//! - [`owner`]: that of a table's owner, for migrations.
//! - [`session_state`]: what a session carries from one transaction to the next.
//! - [`test_mode`]: savepoints in place of transactions, for test suites.

pub mod bound;
pub mod current;
pub mod enter;
pub mod limits;
pub mod locks;
pub mod lookup;
pub mod owner;
pub mod seal;
pub mod session_state;
pub mod system;
pub mod test_mode;
