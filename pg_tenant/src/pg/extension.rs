//! Whether the extension is installed in this database.

use pgrx::pg_sys::{self, Oid};

/// Whether this database has the extension.
pub fn is_installed() -> bool {
    // SAFETY: with missing_ok the lookup returns InvalidOid.
    unsafe { pg_sys::get_extension_oid(c"pg_tenant".as_ptr(), true) != Oid::INVALID }
}
