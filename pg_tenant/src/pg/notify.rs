//! NOTIFY, and which channels belong to which tenant.

use crate::pg::function::Returned;
use pg_tenant_core::TenantId;
use pgrx::pg_sys::{self, Datum, Oid};

/// How many characters of the name of a channel identify the tenant: 80 bits.
const DIGITS: usize = 20;

/// What is sent in place of a payload that was given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    AsGiven,
    Nothing,
    Tenant(Option<TenantId>),
}

impl Sent {
    /// The payload, as `pg_notify` takes it; none for what was given.
    pub fn payload(self) -> Option<Datum> {
        let text = match &self {
            Sent::AsGiven => return None,
            Sent::Nothing => Returned::text(""),
            Sent::Tenant(id) => Returned::text(id.as_ref().map(TenantId::as_str).unwrap_or_default()),
        };
        match text {
            Returned::Datum(datum) => Some(datum),
            _ => None,
        }
    }
}

/// Notifies the channel, without a payload, when the transaction commits: once, however often it is said.
pub fn send(channel: &str) {
    if let (Returned::Datum(channel), Returned::Datum(payload)) = (Returned::text(channel), Returned::text("")) {
        // SAFETY: pg_notify takes two texts.
        unsafe { pg_sys::OidFunctionCall2Coll(Oid::from(pg_sys::F_PG_NOTIFY), Oid::INVALID, channel, payload) };
    }
}

/// Whether `tenant.channel()` of this tenant makes names like this one: `tenant_`, and the beginning of the SHA-256 of
/// its id, which no other id of those that a registry holds has.
pub fn is_own(tenant: Option<TenantId>, channel: &str) -> bool {
    let Some(digits) = channel.strip_prefix("tenant_").and_then(|rest| rest.get(..DIGITS)) else { return false };
    tenant.is_some_and(|id| digits == beginning_of_sha256(id.as_str()))
}

fn beginning_of_sha256(text: &str) -> String {
    let Returned::Datum(text) = Returned::text(text) else { return String::new() };
    // SAFETY: text and bytea are the same bytes behind the same header; sha256 returns a bytea with a header of four
    // bytes, in the current memory context.
    let hash = unsafe {
        let hash: Datum = pg_sys::OidFunctionCall1Coll(Oid::from(pg_sys::F_SHA256), Oid::INVALID, text);
        std::slice::from_raw_parts(hash.cast_mut_ptr::<u8>().add(size_of::<u32>()), DIGITS / 2)
    };
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
