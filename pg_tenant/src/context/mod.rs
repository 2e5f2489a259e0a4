//! Who am I: the tenant of this transaction, or the system context.
//!
//! - [`current`]: where the current tenant stands: the setting `pg_tenant.id` and its parsed value.
//! - [`readers`]: what policies call.
//! - [`identity`]: on whose behalf the transaction runs.
//! - [`acting`]: who acts in the tenant, and as what member of it.
//! - [`member`]: what policies ask of that.
//! - [`impersonation`]: the grant by which support works in the tenant.
//! - [`lifetime`]: how what was entered ends.
//! - [`previous`]: what the session's last transaction has left.
//! - [`seal`]: one tenant, or the system context, per top-level transaction.
//! - [`limits`]: what the tenant was given (timeouts, memory, read only), in force.
//! - [`settings`]: the settings and features of its tenant.
//! - [`locks`]: how many advisory locks its transaction has taken.
//! - [`bound`]: sessions whose role is bound to a tenant.
//! - [`refusals`]: what is said where something else was entered, or nothing may be.
//! - [`system`]: the system context, and what it allows.
//! - [`owner`]: that of a table's owner, for migrations.
//! - [`session_state`]: what a session carries from one transaction to the next.
//! - [`test_mode`]: savepoints in place of transactions, for test suites.

pub mod acting;
pub mod bound;
pub mod current;
pub mod identity;
pub mod impersonation;
pub mod lifetime;
pub mod limits;
pub mod locks;
pub mod member;
pub mod owner;
pub mod previous;
pub mod readers;
pub mod refusals;
pub mod seal;
pub mod session_state;
pub mod settings;
pub mod system;
pub mod test_mode;
