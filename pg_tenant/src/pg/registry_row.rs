//! Reading `tenant.tenants` without SQL: one index scan under the newest snapshot.
//!
//! Not SPI and not the transaction's snapshot: a REPEATABLE READ transaction would see, and cache, the state of its
//! start. The columns' numbers are those of `sql/schema/core/registry.sql`.

use crate::pg::{extension, keyed_row, row_digest, text};
use pg_tenant_core::TenantId;
use pgrx::pg_sys::{self, AttrNumber, Oid};
use std::ffi::CStr;

pub const ID: AttrNumber = 1;
const STATUS: AttrNumber = 2;
const STATEMENT_TIMEOUT: AttrNumber = 3;
const LOCK_TIMEOUT: AttrNumber = 4;
const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: AttrNumber = 5;
const WORK_MEM: AttrNumber = 6;
const READ_ONLY: AttrNumber = 7;
pub const SLUG: AttrNumber = 8;
const PLAN: AttrNumber = 10;
/// These stand at the end, where 0.1.0's table has none.
const STATUS_SINCE: AttrNumber = 16;
const PURGE_AFTER: AttrNumber = 17;
const STATUS_DETAIL: AttrNumber = 18;
const RATES: AttrNumber = 19;
const PLAN_RATES: AttrNumber = 12;

/// A tenant as the registry has it.
pub struct RegistryRow {
    pub status: String,
    pub statement_timeout: Option<i32>,
    pub lock_timeout: Option<i32>,
    pub idle_in_transaction_session_timeout: Option<i32>,
    pub work_mem: Option<i32>,
    pub read_only: bool,
    pub plan: Option<String>,
    /// JSON.
    pub rates: Option<String>,
    /// Another after every change of the row.
    pub digest: u64,
}

/// The limits of a plan (`sql/schema/lives/plans.sql`).
#[derive(Default)]
pub struct PlanRow {
    pub statement_timeout: Option<i32>,
    pub lock_timeout: Option<i32>,
    pub idle_in_transaction_session_timeout: Option<i32>,
    pub work_mem: Option<i32>,
    /// JSON.
    pub rates: Option<String>,
    /// Another after every change of the row.
    pub digest: u64,
}

/// What the registry says beside a state in which a tenant is not entered. Times as text, in the session's DateStyle.
#[derive(Default)]
pub struct StatusDetail {
    pub since: Option<String>,
    pub purge_after: Option<String>,
    pub detail: Option<String>,
}

/// The registry's table in this database, if the extension is installed.
pub fn table() -> Option<Oid> {
    relation(c"tenants")
}

/// The table of plans, if the schema has it: 0.1.0's has not.
pub fn plans() -> Option<Oid> {
    relation(c"plans")
}

/// The table of what settings there are, if the schema has it.
pub fn definitions() -> Option<Oid> {
    relation(c"setting_definitions")
}

/// The empty table whose invalidation stands for a change of the registry's rows, if the schema has it: 0.1.0's has
/// not.
pub fn mark() -> Option<Oid> {
    relation_in(extension::internal_schema(), c"registry_epoch")
}

/// A table of the schema `tenant` by its name, if the schema has it.
pub(super) fn relation(name: &CStr) -> Option<Oid> {
    // SAFETY: a syscache lookup that returns InvalidOid where there is nothing.
    relation_in(unsafe { pg_sys::get_namespace_oid(c"tenant".as_ptr(), true) }, name)
}

fn relation_in(schema: Oid, name: &CStr) -> Option<Oid> {
    // SAFETY: likewise.
    let relation = unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) };
    (schema != Oid::INVALID && relation != Oid::INVALID).then_some(relation)
}

/// The tenant's row as last committed, or none.
pub fn read(table: Oid, id: &TenantId) -> Option<RegistryRow> {
    // SAFETY: a tuple of the table, with its descriptor.
    with_tuple(table, id.as_str(), |tuple, desc| unsafe { RegistryRow::new(tuple, desc) })
}

/// What the row says beside its state, for a refusal.
pub fn status_detail(table: Oid, id: &TenantId) -> StatusDetail {
    // SAFETY: a tuple of the table, with its descriptor.
    with_tuple(table, id.as_str(), |tuple, desc| unsafe { StatusDetail::new(tuple, desc) }).unwrap_or_default()
}

/// The plan's row as last committed; no limits where there is no such plan.
pub fn plan(name: &str) -> PlanRow {
    let row = plans().and_then(|table| {
        // SAFETY: a tuple of the table, with its descriptor.
        with_tuple(table, name, |tuple, desc| unsafe { PlanRow::new(tuple, desc) })
    });
    row.unwrap_or_default()
}

/// All definitions of settings as last committed, as one number, which changes whenever they do; 0 where the schema has
/// none.
pub fn definitions_digest() -> u64 {
    let stamp = relation_in(extension::internal_schema(), c"definitions_stamp");
    definitions().map_or(0, |table| row_digest::together([sum_of(table), stamp.map_or(0, sum_of), 0]))
}

/// The rows of a small table, whichever order they stand in.
fn sum_of(table: Oid) -> u64 {
    // SAFETY: as in `with_tuple`; tuples are read while the scan holds them.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as i32);
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let scan = pg_sys::systable_beginscan(relation, Oid::INVALID, false, snapshot, 0, std::ptr::null_mut());
        let mut sum = 0_u64;
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            sum = sum.wrapping_add(row_digest::of(tuple));
        }
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
        sum
    }
}

/// Reads the row with this key, which is a text and the table's first column.
fn with_tuple<T>(table: Oid, key: &str, read: impl FnOnce(pg_sys::HeapTuple, pg_sys::TupleDesc) -> T) -> Option<T> {
    keyed_row::with_key(table, [key], read)
}

impl RegistryRow {
    /// # Safety
    /// A tuple of `tenant.tenants` with its descriptor.
    unsafe fn new(tuple: pg_sys::HeapTuple, desc: pg_sys::TupleDesc) -> Self {
        let get = |column: AttrNumber| {
            let mut isnull = false;
            // SAFETY: the caller's promise.
            let datum = unsafe { pg_sys::heap_getattr(tuple, column.into(), desc, &mut isnull) };
            (!isnull).then_some(datum)
        };
        let number = |column| get(column).map(|datum| datum.value() as i32);
        RegistryRow {
            // SAFETY: status is a text, never null.
            status: get(STATUS).map_or_else(String::new, |datum| unsafe {
                text::owned(pg_sys::text_to_cstring(datum.cast_mut_ptr()))
            }),
            statement_timeout: number(STATEMENT_TIMEOUT),
            lock_timeout: number(LOCK_TIMEOUT),
            idle_in_transaction_session_timeout: number(IDLE_IN_TRANSACTION_SESSION_TIMEOUT),
            work_mem: number(WORK_MEM),
            read_only: get(READ_ONLY).is_some_and(|datum| datum.value() != 0),
            // SAFETY: plan is a text.
            plan: get(PLAN).map(|datum| unsafe { text::owned(pg_sys::text_to_cstring(datum.cast_mut_ptr())) }),
            // SAFETY: the caller's promise.
            rates: unsafe { json(tuple, desc, RATES) },
            // SAFETY: the caller's promise.
            digest: unsafe { row_digest::of(tuple) },
        }
    }
}

/// A column of type jsonb, where the table has it.
///
/// # Safety
/// A tuple with its descriptor.
unsafe fn json(tuple: pg_sys::HeapTuple, desc: pg_sys::TupleDesc, column: AttrNumber) -> Option<String> {
    // SAFETY: the caller's promise; the column has the type that the output function takes.
    unsafe {
        let mut isnull = i32::from(column) > (*desc).natts;
        let datum =
            if isnull { pg_sys::Datum::null() } else { pg_sys::heap_getattr(tuple, column.into(), desc, &mut isnull) };
        (!isnull).then(|| text::owned(pg_sys::OidOutputFunctionCall(Oid::from(pg_sys::F_JSONB_OUT), datum)))
    }
}

impl PlanRow {
    /// # Safety
    /// A tuple of `tenant.plans` with its descriptor: the limits stand in the order of those of `tenant.tenants`,
    /// behind the plan's name and rank.
    unsafe fn new(tuple: pg_sys::HeapTuple, desc: pg_sys::TupleDesc) -> Self {
        let number = |column: i32| {
            let mut isnull = false;
            // SAFETY: the caller's promise.
            let datum = unsafe { pg_sys::heap_getattr(tuple, column, desc, &mut isnull) };
            (!isnull).then(|| datum.value() as i32)
        };
        PlanRow {
            statement_timeout: number(3),
            lock_timeout: number(4),
            idle_in_transaction_session_timeout: number(5),
            work_mem: number(6),
            // SAFETY: the caller's promise.
            rates: unsafe { json(tuple, desc, PLAN_RATES) },
            // SAFETY: the caller's promise.
            digest: unsafe { row_digest::of(tuple) },
        }
    }
}

impl StatusDetail {
    /// # Safety
    /// A tuple of `tenant.tenants` with its descriptor.
    unsafe fn new(tuple: pg_sys::HeapTuple, desc: pg_sys::TupleDesc) -> Self {
        let get = |column: AttrNumber, output: u32| {
            // SAFETY: the caller's promise; the columns have the types that the output functions take, where they
            // exist.
            unsafe {
                let mut isnull = i32::from(column) > (*desc).natts;
                let datum = if isnull {
                    pg_sys::Datum::null()
                } else {
                    pg_sys::heap_getattr(tuple, column.into(), desc, &mut isnull)
                };
                (!isnull).then(|| text::owned(pg_sys::OidOutputFunctionCall(Oid::from(output), datum)))
            }
        };
        StatusDetail {
            since: get(STATUS_SINCE, pg_sys::F_TIMESTAMPTZ_OUT),
            purge_after: get(PURGE_AFTER, pg_sys::F_TIMESTAMPTZ_OUT),
            detail: get(STATUS_DETAIL, pg_sys::F_TEXTOUT),
        }
    }
}
