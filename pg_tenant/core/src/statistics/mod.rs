//! What each tenant has cost, in memory that many processes add to at once and none locks.
//!
//! - [`Counters`]: what is counted, as one process sums it up before it adds it.
//! - [`Slot`]: the same, shared.
//! - [`Table`]: which slot is whose, and who leaves when there is none left.
//! - [`Steps`]: the last minutes and the last hour, in steps.
//! - [`Samples`]: which statements a tenant's time goes into.
//! - [`Codes`]: refusals by tenant and SQLSTATE.
//!
//! A tenant is a number here, [`Key`]: a hash with a secret, so that nobody chooses two tenants that share one.

mod codes;
mod counters;
mod samples;
mod steps;
mod table;

pub use codes::Codes;
pub use counters::{Counters, LARGE, Large, SMALL, Slot, Small};
pub use samples::{ONE_IN, Sampled, Samples};
pub use steps::{Step, Stepped, Steps};
pub use table::{Place, Table};

use std::hash::Hasher;
use std::num::NonZeroU64;

/// Who is counted.
pub type Key = NonZeroU64;

/// The key of what is called `name`, of this kind, in this database.
///
/// # Examples
/// ```
/// use pg_tenant_core::statistics::key;
/// assert_eq!(key([1, 2], 5, 0, b"acme"), key([1, 2], 5, 0, b"acme"));
/// assert_ne!(key([1, 2], 5, 0, b"acme"), key([1, 2], 6, 0, b"acme"));
/// ```
pub fn key(secret: [u64; 2], database: u32, kind: u8, name: &[u8]) -> Key {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write_u64(secret[0]);
    hasher.write_u64(secret[1]);
    hasher.write_u32(database);
    hasher.write_u8(kind);
    hasher.write(name);
    Key::new(hasher.finish()).unwrap_or(Key::MAX)
}
