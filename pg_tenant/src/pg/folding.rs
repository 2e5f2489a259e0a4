//! What PostgreSQL computes once and keeps: the result of an IMMUTABLE function with constant arguments, in a plan, in the
//! type cache (the CHECK of a domain) or in the relation cache (expressions and predicates of indexes, keys of
//! partitions). A plan of the plan cache, and the other two, live as long as the session.
//!
//! All of it goes through PostgreSQL's `evaluate_expr`, which has no hook. It looks the function up (the object-access
//! hook) in an executor state that it has made for this one value, with nothing below it yet, and deletes that state when
//! it has the value. Every other state has its expression context before the first function is looked up. So a callback
//! on that memory context closes the bracket that [`begin`] opens.
//!
//! Whether the value is a tenant's is told by [`touch`], within such a bracket. From then on whatever is planned in the
//! transaction is marked, since values are folded from plans that hold folded values; what is marked, and every domain's
//! check, is let go when the transaction ends or enters a tenant. Nothing of this can fail but [`begin`] and
//! [`forget_holders`].

use crate::pg::{catalog, depend, list, raw};
use pgrx::pg_sys::{self, MemoryContextCallback, Oid, PlannedStmt, QueryDesc, SubTransactionId, SubXactEvent};
use std::ffi::{CStr, c_void};

/// A value is being computed.
struct Bracket {
    callback: MemoryContextCallback,
    around: *mut Bracket,
    savepoint: SubTransactionId,
}

/// At most this many tables are remembered.
const CAPACITY: usize = 64;
/// No function has this hash value but by chance, and then it is looked up once more than needed.
pub const MARK: u32 = 0x7467_6c64;

static mut INNERMOST: *mut Bracket = std::ptr::null_mut();
/// How many values were computed in this session.
static mut COMPUTED: u64 = 0;
/// One of this transaction's values is a tenant's.
static mut TOUCHED: bool = false;
/// The relation cache may hold such a value of an earlier transaction.
static mut HELD: bool = false;
/// Other tables that values were read from: they may be protected later.
static mut READ: [Oid; CAPACITY] = [Oid::INVALID; CAPACITY];
static mut READ_COUNT: usize = 0;

/// Listens for savepoints that are undone.
pub fn init() {
    // SAFETY: called once, from _PG_init.
    unsafe { pg_sys::RegisterSubXactCallback(Some(savepoint_ended), std::ptr::null_mut()) };
}

/// Whether a value is being computed at this moment.
pub fn is_running() -> bool {
    // SAFETY: one thread; a plain read.
    unsafe { !INNERMOST.is_null() }
}

/// Whether a function that is looked up now is looked up to compute a value.
pub fn is_asked_for() -> bool {
    // SAFETY: the current context is valid, and has a name.
    unsafe {
        let context = &*pg_sys::CurrentMemoryContext;
        context.firstchild.is_null() && CStr::from_ptr(context.name) == c"ExecutorState"
    }
}

/// An IMMUTABLE function of users is looked up to compute a value. In a transaction with a tenant's value, the function
/// may come to it by a plan that holds it: no hook sees those of PL/pgSQL's expressions.
pub fn begin() {
    // SAFETY: the bracket lives as long as the context, whose callback takes it out of the list.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let bracket = pg_sys::MemoryContextAllocZero(context, size_of::<Bracket>()).cast::<Bracket>();
        (*bracket).callback.func = Some(end);
        (*bracket).callback.arg = bracket.cast();
        (*bracket).around = INNERMOST;
        (*bracket).savepoint = pg_sys::GetCurrentSubTransactionId();
        pg_sys::MemoryContextRegisterResetCallback(context, &raw mut (*bracket).callback);
        INNERMOST = bracket;
        COMPUTED += 1;
    }
}

/// The value is there, or will never be.
unsafe extern "C-unwind" fn end(bracket: *mut c_void) {
    // SAFETY: every bracket in the list is in a context that is alive. One that an error has ended is not in it any more.
    unsafe {
        let mut link = &raw mut INNERMOST;
        while !(*link).is_null() {
            if *link == bracket.cast() {
                *link = (**link).around;
                return;
            }
            link = &raw mut (**link).around;
        }
    }
}

/// An error has ended what was computed within the savepoint.
unsafe extern "C-unwind" fn savepoint_ended(
    event: SubXactEvent::Type,
    savepoint: SubTransactionId,
    _: SubTransactionId,
    _: *mut c_void,
) {
    if event == SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        // SAFETY: as above; the contexts are deleted after this.
        unsafe {
            while !INNERMOST.is_null() && (*INNERMOST).savepoint >= savepoint {
                INNERMOST = (*INNERMOST).around;
            }
        }
    }
}

/// Something of a tenant is read. Of interest where a value is computed from it; called for every row by readers.
pub fn touch() {
    // SAFETY: one thread.
    unsafe {
        if !INNERMOST.is_null() {
            TOUCHED = true;
        }
    }
}

/// Whether a value of this transaction is a tenant's.
pub fn is_touched() -> bool {
    // SAFETY: one thread; a plain read.
    unsafe { TOUCHED }
}

/// A table that is no tenant's is read to compute a value.
pub fn note_table(table: Oid) {
    // SAFETY: one thread; within the array.
    unsafe {
        if noted().contains(&table) {
            return;
        }
        if READ_COUNT == CAPACITY {
            return touch();
        }
        READ[READ_COUNT] = table;
        READ_COUNT += 1;
    }
}

fn noted() -> &'static [Oid] {
    // SAFETY: one thread; the slice is not kept. Entries are only added, and READ_COUNT of them are there.
    unsafe { std::slice::from_raw_parts((&raw const READ).cast(), READ_COUNT) }
}

/// The relations of users that a query reads or writes.
///
/// # Safety
/// `query` is valid while the iterator is used.
pub unsafe fn tables(query: *mut QueryDesc) -> impl Iterator<Item = Oid> {
    const FIRST_NORMAL_OID: u32 = 16_384;
    // SAFETY: the plan belongs to the query; its range table is a list of entries.
    unsafe {
        list::nodes((*(*query).plannedstmt).rtable).filter_map(|entry| {
            let entry = &*entry.cast::<pg_sys::RangeTblEntry>();
            let is_relation = entry.rtekind == pg_sys::RTEKind::RTE_RELATION;
            (is_relation && entry.relid.to_u32() >= FIRST_NORMAL_OID).then_some(entry.relid)
        })
    }
}

/// How many values were computed so far.
pub fn computed() -> u64 {
    // SAFETY: one thread; a plain read.
    unsafe { COMPUTED }
}

/// A plan was made; `before` is what [`computed`] said when that began. It does not outlive the transaction where it may
/// hold a tenant's value, nor a change of the tables that its values were read from.
///
/// # Safety
/// `plan` was made a moment ago and nobody else has seen it. Called within [`crate::pg::boundary::decide`].
pub unsafe fn planned(plan: *mut PlannedStmt, before: u64) {
    // SAFETY: the plan is ours to change; the item is a zeroed node of its size.
    unsafe {
        if TOUCHED {
            let item = pg_sys::palloc0(size_of::<pg_sys::PlanInvalItem>()).cast::<pg_sys::PlanInvalItem>();
            (*item).type_ = pg_sys::NodeTag::T_PlanInvalItem;
            (*item).cacheId = pg_sys::SysCacheIdentifier::PROCOID as i32;
            (*item).hashValue = MARK;
            (*plan).invalItems = pg_sys::lappend((*plan).invalItems, item.cast());
        }
        if COMPUTED != before {
            for &table in noted() {
                (*plan).relationOids = pg_sys::lappend_oid((*plan).relationOids, table);
            }
        }
    }
}

/// A tenant or the system context is entered: what was computed before that is none of its values.
pub fn let_go() {
    // SAFETY: the callbacks of caches may be called at any time; plans that are marked are made anew when next used.
    unsafe {
        if TOUCHED {
            raw::CallSyscacheCallbacks(pg_sys::SysCacheIdentifier::PROCOID as i32, MARK);
            forget_others();
        }
    }
}

/// The transaction has ended, in whichever way.
pub fn transaction_ended() {
    let_go();
    // SAFETY: one thread. No value is being computed any more; the contexts may still be there.
    unsafe {
        TOUCHED = false;
        INNERMOST = std::ptr::null_mut();
    }
}

/// A relation has changed, or any: it may be protected now. Runs where invalidations do.
pub fn relation_changed(relation: Option<Oid>) {
    if relation.map_or(!noted().is_empty(), |relation| noted().contains(&relation)) {
        forget_others();
    }
}

/// The checks of domains are computed anew when next used; the relation cache is looked through by [`forget_holders`].
fn forget_others() {
    // SAFETY: as in let_go. Constraints are what the checks of domains are invalidated by.
    unsafe {
        raw::CallSyscacheCallbacks(pg_sys::SysCacheIdentifier::CONSTROID as i32, 0);
        HELD = true;
    }
}

/// Whether [`forget_holders`] has something to do.
pub fn is_held() -> bool {
    // SAFETY: one thread; a plain read.
    unsafe { HELD }
}

/// Takes what may hold a tenant's value out of the relation cache: indexes and partitioned tables that call functions or
/// operators of users. Where one is in use, its entry stays, and with it the value that this transaction has computed.
pub fn forget_holders() {
    const OPERATOR: Oid = Oid::from_u32(2617);
    let mut holders = Vec::new();
    for class in [pg_sys::ProcedureRelationId, OPERATOR] {
        catalog::scan(depend::CATALOG, depend::BY_REFERENCED, &[(depend::REFCLASSID, class)], |row| {
            if row.oid(depend::CLASSID) == pg_sys::RelationRelationId {
                holders.push(row.oid(depend::OBJID));
            }
        });
    }
    // SAFETY: an entry that is not there, or in use, is left alone.
    unsafe {
        holders.into_iter().for_each(|holder| pg_sys::RelationCacheInvalidateEntry(holder));
        HELD = false;
    }
}
