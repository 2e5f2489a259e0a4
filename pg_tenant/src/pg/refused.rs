//! Refusals, counted in shared memory, where the rollback of the refused transaction does not reach.
//!
//! Each is counted by SQLSTATE, whatever becomes of it. Beside that stands what the journal is to be told
//! ([`pg_tenant_core::Refusals`]), which `tenant.journal_refusals()` writes in a transaction of its own, and
//! `seal_journal` and `maintain_journal` with what they do. No background worker does it: one would hold a connection
//! to each database, which keeps it from being dropped or copied, and take the place of a worker of the user's; and the
//! server's log, which has every refusal anyway, cannot write a table. Nothing waits here: where the table is locked at
//! this moment, or full, the refusal is in the counts alone. Without preload there is no shared memory, and nothing is
//! counted.

use crate::pg::backend_cell::BackendCell;
use crate::pg::report::Outcome;
use crate::pg::shared_memory::{Shared, Zeroed};
use crate::pg::{function, function::Returned};
use pg_tenant_core::{Refusal, Refusals, RefusedKey, TenantId};
use pgrx::pg_sys;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Room for more refusals than there are.
const KINDS: usize = 256;

struct Counts([AtomicU64; KINDS]);

static COUNTS: Shared<Counts> = Shared::new(c"pg_tenant refusals");
static PENDING: Shared<Refusals> = Shared::new(c"pg_tenant refusals to be told");
/// Who knows the current tenant: a room above.
type CurrentTenant = fn() -> Option<TenantId>;
static TENANT: BackendCell<Option<CurrentTenant>> = BackendCell::new(None);
/// Who else is told of each, by its place in the list: a room above.
static ALSO: BackendCell<Option<fn(usize)>> = BackendCell::new(None);

// SAFETY: numbers only; zeros are empty counts.
unsafe impl Zeroed for Counts {}
// SAFETY: likewise.
unsafe impl Zeroed for Refusals {}

/// Asks for the memory. Called from `_PG_init` only.
pub fn init(tenant: CurrentTenant) {
    COUNTS.ask();
    PENDING.ask();
    TENANT.set(Some(tenant));
}

/// Has each told to this function, too, which neither waits nor fails. Called from `_PG_init` only.
pub fn also_tell(told: fn(usize)) {
    ALSO.set(Some(told));
}

/// Counts a refusal that is about to be raised. Neither waits nor fails.
pub fn count(refusal: Refusal) {
    let Some(counts) = COUNTS.get() else { return };
    if let Some(place) = Refusal::ALL.iter().position(|one| *one == refusal)
        && let Some(count) = counts.0.get(place)
    {
        count.fetch_add(1, Relaxed);
        if let Some(also) = ALSO.get() {
            also(place);
        }
    }
    // SAFETY: plain reads of variables of this backend.
    let (database, role) = unsafe { (pg_sys::MyDatabaseId.to_u32(), pg_sys::GetSessionUserId().to_u32()) };
    if database != 0 {
        let tenant = TENANT.get().and_then(|tenant| tenant());
        let key = RefusedKey::new(database, role, refusal, tenant.as_ref());
        PENDING.locked_at_once(|pending| pending.count(key, now()));
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    const SECONDS_TO_2000: i64 = 946_684_800;
    // SAFETY: reads a clock.
    unsafe { pg_sys::GetCurrentTimestamp() / 1_000_000 + SECONDS_TO_2000 }
}

/// `tenant_internal.refusal_counts() → text`: JSON, of each refusal that there was.
fn counts(_: function::Args) -> Outcome<Returned> {
    let mut json = String::from("[");
    if let Some(counts) = COUNTS.get() {
        for (refusal, count) in Refusal::ALL.iter().zip(&counts.0) {
            let (count, comma) = (count.load(Relaxed), if json.len() > 1 { "," } else { "" });
            if count > 0 {
                let (code, condition) = (refusal.code(), refusal.condition());
                let _ = write!(json, r#"{comma}{{"sqlstate":"{code}","condition":"{condition}","refused":{count}}}"#);
            }
        }
    }
    json.push(']');
    Ok(Returned::text(&json))
}

/// `tenant_internal.take_refusals() → text`: JSON, of what the journal of this database is due a line; it is told once.
fn take(_: function::Args) -> Outcome<Returned> {
    // SAFETY: a plain read of a variable of this backend.
    let (database, now) = (unsafe { pg_sys::MyDatabaseId.to_u32() }, now());
    let mut json = String::from("[");
    // One at a time: nothing is allocated under the lock. Tenant ids have no quotes.
    while let Some(one) = PENDING.locked(|pending| pending.take(database, now)).flatten() {
        let (refusal, comma) = (one.key.refusal(), if json.len() > 1 { "," } else { "" });
        let (code, condition) = (refusal.code(), refusal.condition());
        let tenant = one.key.tenant().map_or("null".into(), |tenant| format!(r#""{tenant}""#));
        let _ = write!(
            json,
            r#"{comma}{{"sqlstate":"{code}","condition":"{condition}","role":{},"tenant_id":{tenant},"refused":{},"since":{},"until":{}}}"#,
            one.key.role, one.count, one.since, one.until
        );
    }
    json.push(']');
    Ok(Returned::text(&json))
}

crate::sql_function!(pg_tenant_refusal_counts, pg_finfo_pg_tenant_refusal_counts, counts);
crate::sql_function!(pg_tenant_take_refusals, pg_finfo_pg_tenant_take_refusals, take);
