//! NOTIFY.

use crate::pg::function::Returned;
use pgrx::pg_sys::{self, Oid};

/// Notifies the channel, without a payload, when the transaction commits: once, however often it is said.
pub fn send(channel: &str) {
    if let (Returned::Datum(channel), Returned::Datum(payload)) = (Returned::text(channel), Returned::text("")) {
        // SAFETY: pg_notify takes two texts.
        unsafe { pg_sys::OidFunctionCall2Coll(Oid::from(pg_sys::F_PG_NOTIFY), Oid::INVALID, channel, payload) };
    }
}
