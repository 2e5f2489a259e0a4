//! The security context: the mark under which PostgreSQL plans and runs the queries of foreign keys outside row-level
//! security.

use crate::pg::raw;
use pgrx::pg_sys::{self, Oid};

/// A security context to come back to.
#[derive(Clone, Copy)]
pub struct Saved {
    user: Oid,
    context: i32,
}

/// Takes the mark off. Where an error leaves before [`restore`], the abort of the transaction or savepoint
/// brings back the context that it began with.
pub fn apply_policies_to_owners() -> Saved {
    let (mut user, mut context) = (Oid::INVALID, 0);
    // SAFETY: both functions only read and write variables of this backend.
    unsafe {
        raw::GetUserIdAndSecContext(&mut user, &mut context);
        raw::SetUserIdAndSecContext(user, context & !(pg_sys::SECURITY_NOFORCE_RLS as i32));
    }
    Saved { user, context }
}

/// Puts the context back.
pub fn restore(saved: Saved) {
    // SAFETY: as above.
    unsafe { raw::SetUserIdAndSecContext(saved.user, saved.context) }
}
