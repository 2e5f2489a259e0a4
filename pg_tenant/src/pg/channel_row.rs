//! Reading `tenant.channels` without SQL, as the catalog's own tables are read: as last committed.
//!
//! The columns' numbers are those of `sql/schema/core/channels.sql`.

use crate::pg::{catalog, text};
use pgrx::pg_sys::{self, AttrNumber, Oid};

const CHANNEL: AttrNumber = 1;
const PAYLOAD: AttrNumber = 2;

/// What is sent on a channel that all tenants share.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    None,
    Tenant,
}

/// What is declared for this channel, if anything is.
pub fn find(channel: &str) -> Option<Payload> {
    // SAFETY: syscache lookups that return InvalidOid where there is nothing.
    let (table, index) = unsafe {
        let schema = pg_sys::get_namespace_oid(c"tenant".as_ptr(), true);
        (
            pg_sys::get_relname_relid(c"channels".as_ptr(), schema),
            pg_sys::get_relname_relid(c"channels_pkey".as_ptr(), schema),
        )
    };
    let mut found = None;
    if table != Oid::INVALID && index != Oid::INVALID {
        catalog::scan_text(table, index, (CHANNEL, channel), |row| {
            // SAFETY: payload is a text that is never null, and the row stands while it is read.
            let payload = row.get(PAYLOAD).map(|it| unsafe { text::owned(pg_sys::text_to_cstring(it.cast_mut_ptr())) });
            found = Some(if payload.as_deref() == Some("tenant") { Payload::Tenant } else { Payload::None });
        });
    }
    found
}
