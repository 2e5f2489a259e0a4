//! Who is a member of which tenant, in which role, and what that role may do.
//!
//! - [`role`]: a role: its rank, and its permissions as bits.
//! - [`dictionary`]: the roles and permissions of this database, as this backend remembers them.
//! - [`members`]: what this backend remembers of who is a member, each until the tenant's version changes.

mod dictionary;
mod members;
mod role;

pub use dictionary::{epoch, has_roles, permission, rank, role};
pub use members::{Standing, standing};
pub use role::{Bits, MAX_NAME, Role};

/// Makes room for what is remembered, before the first session: see pg/memory.rs.
pub fn init() {
    dictionary::init();
    members::init();
}
