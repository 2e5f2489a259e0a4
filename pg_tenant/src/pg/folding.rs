//! Values that PostgreSQL computes once and keeps ("constant folding"): the result of an IMMUTABLE function with
//! constant arguments, kept in a plan, in the type cache (the CHECK of a domain) or in the relation cache (index
//! expressions and predicates, partition keys). A cached plan and both caches live as long as the session, so a value
//! that depends on the tenant would be seen by the next one.
//!
//! All folding goes through `evaluate_expr` in PostgreSQL, which has no hook. It looks the function up (which calls the
//! object-access hook) in an executor state made for this one value, and deletes that state afterwards. Any other
//! executor state has an expression context before it looks up its first function. So [`begin`] notes the beginning in
//! the object-access hook, and a callback on the memory context notes the end.
//!
//! [`touch`] is called whenever something of a tenant is read; between beginning and end it means that the value
//! depends on the tenant. From then on each plan that is made in the transaction is marked, since it may contain such a
//! value. Marked plans and the CHECKs of domains are forgotten when the transaction ends or enters a tenant. Only
//! [`begin`] and [`forget_holders`] can fail.

use crate::pg::backend_cell::BackendCell;
use crate::pg::lifetime::{self, SavepointEnd};
use crate::pg::oids;
use crate::pg::{catalog, depend, list, raw};
use pgrx::pg_sys::{self, MemoryContextCallback, Oid, PlannedStmt, QueryDesc, SubTransactionId};
use std::ffi::{CStr, c_void};

/// A value is being computed.
struct Bracket {
    callback: MemoryContextCallback,
    around: *mut Bracket,
    savepoint: SubTransactionId,
}

/// At most this many tables are remembered.
const CAPACITY: usize = 64;
/// The hash value with which marked plans are invalidated. A function that has it by chance is looked up once more than
/// needed.
pub const MARK: u32 = 0x7467_6c64;

static INNERMOST: BackendCell<*mut Bracket> = BackendCell::new(std::ptr::null_mut());
/// How many values were computed in this session.
static COMPUTED: BackendCell<u64> = BackendCell::new(0);
/// One of this transaction's values is a tenant's.
static TOUCHED: BackendCell<bool> = BackendCell::new(false);
/// The relation cache may hold such a value of an earlier transaction.
static HELD: BackendCell<bool> = BackendCell::new(false);
/// Other tables that values were read from: they may be protected later.
static READ: BackendCell<([Oid; CAPACITY], usize)> = BackendCell::new(([Oid::INVALID; CAPACITY], 0));

/// Listens for savepoints that are undone.
pub fn init() {
    lifetime::at_savepoint_end(savepoint_ended);
}

/// Whether a value is being computed at this moment.
#[inline]
pub fn is_running() -> bool {
    !INNERMOST.get().is_null()
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
        (*bracket).around = INNERMOST.get();
        (*bracket).savepoint = pg_sys::GetCurrentSubTransactionId();
        pg_sys::MemoryContextRegisterResetCallback(context, &raw mut (*bracket).callback);
        INNERMOST.set(bracket);
        COMPUTED.set(COMPUTED.get() + 1);
    }
}

/// The value was computed, or an error has ended its computation.
unsafe extern "C-unwind" fn end(bracket: *mut c_void) {
    // SAFETY: every bracket in the list is in a context that is alive. One that an error has ended is not in it any
    // more.
    unsafe {
        let mut link = INNERMOST.as_ptr();
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
fn savepoint_ended(end: SavepointEnd) {
    let SavepointEnd::Undone(savepoint) = end else { return };
    // SAFETY: as above; the contexts are deleted after this.
    while let Some(bracket) = unsafe { INNERMOST.get().as_ref() }.filter(|bracket| bracket.savepoint >= savepoint) {
        INNERMOST.set(bracket.around);
    }
}

/// Something of a tenant is read. Of interest where a value is computed from it; called for every row by readers.
#[inline]
pub fn touch() {
    if is_running() {
        TOUCHED.set(true);
    }
}

/// Whether a value of this transaction is a tenant's.
pub fn is_touched() -> bool {
    TOUCHED.get()
}

/// A table that is no tenant's is read to compute a value.
pub fn note_table(table: Oid) {
    let (mut tables, count) = READ.get();
    if tables[..count].contains(&table) {
        return;
    }
    let Some(place) = tables.get_mut(count) else { return touch() };
    *place = table;
    READ.set((tables, count + 1));
}

fn is_noted(table: Oid) -> bool {
    let (tables, count) = READ.get();
    tables[..count].contains(&table)
}

/// The relations of users that a query reads or writes.
///
/// # Safety
/// `query` is valid while the iterator is used.
pub unsafe fn tables(query: *mut QueryDesc) -> impl Iterator<Item = Oid> {
    // SAFETY: the plan belongs to the query; its range table is a list of entries.
    unsafe {
        list::nodes((*(*query).plannedstmt).rtable).filter_map(|entry| {
            let entry = &*entry.cast::<pg_sys::RangeTblEntry>();
            let is_relation = entry.rtekind == pg_sys::RTEKind::RTE_RELATION;
            (is_relation && oids::is_of_users(entry.relid)).then_some(entry.relid)
        })
    }
}

/// How many values were computed so far.
pub fn computed() -> u64 {
    COMPUTED.get()
}

/// A plan was made; `before` is what [`computed`] said when that began. It does not outlive the transaction where it
/// may hold a tenant's value, nor a change of the tables that its values were read from.
///
/// # Safety
/// `plan` was made a moment ago and nobody else has seen it. Called within [`crate::pg::boundary::decide`].
pub unsafe fn planned(plan: *mut PlannedStmt, before: u64) {
    // SAFETY: the plan is ours to change; the item is a zeroed node of its size.
    unsafe {
        if TOUCHED.get() {
            let item = pg_sys::palloc0(size_of::<pg_sys::PlanInvalItem>()).cast::<pg_sys::PlanInvalItem>();
            (*item).type_ = pg_sys::NodeTag::T_PlanInvalItem;
            (*item).cacheId = pg_sys::SysCacheIdentifier::PROCOID as i32;
            (*item).hashValue = MARK;
            (*plan).invalItems = pg_sys::lappend((*plan).invalItems, item.cast());
        }
        if COMPUTED.get() != before {
            let (tables, count) = READ.get();
            for &table in &tables[..count] {
                (*plan).relationOids = pg_sys::lappend_oid((*plan).relationOids, table);
            }
        }
    }
}

/// A tenant or the system context is entered: values that were computed before must not be used in it.
pub fn let_go() {
    // SAFETY: the callbacks of caches may be called at any time; plans that are marked are made anew when next used.
    unsafe {
        if TOUCHED.get() {
            raw::CallSyscacheCallbacks(pg_sys::SysCacheIdentifier::PROCOID as i32, MARK);
            forget_others();
        }
    }
}

/// The transaction has ended, in whichever way.
pub fn transaction_ended() {
    let_go();
    TOUCHED.set(false);
    // No value is being computed any more; the contexts may still be there.
    INNERMOST.set(std::ptr::null_mut());
}

/// A relation has changed, or any: it may be protected now. Runs where invalidations do.
pub fn relation_changed(relation: Option<Oid>) {
    if relation.map_or_else(|| READ.get().1 > 0, is_noted) {
        forget_others();
    }
}

/// The checks of domains are computed anew when next used; the relation cache is looked through by [`forget_holders`].
fn forget_others() {
    // SAFETY: as in let_go. Constraints are what the checks of domains are invalidated by.
    unsafe { raw::CallSyscacheCallbacks(pg_sys::SysCacheIdentifier::CONSTROID as i32, 0) };
    HELD.set(true);
}

/// Whether [`forget_holders`] has something to do.
pub fn is_held() -> bool {
    HELD.get()
}

/// Takes what may hold a tenant's value out of the relation cache: indexes and partitioned tables that call functions
/// or operators of users. Where one is in use, its entry stays, and with it the value that this transaction has
/// computed.
pub fn forget_holders() {
    const OPERATOR: Oid = oids::OperatorRelationId;
    let mut holders = Vec::new();
    for class in [pg_sys::ProcedureRelationId, OPERATOR] {
        catalog::scan(depend::CATALOG, depend::BY_REFERENCED, &[(depend::REFCLASSID, class)], |row| {
            if row.oid(depend::CLASSID) == pg_sys::RelationRelationId {
                holders.push(row.oid(depend::OBJID));
            }
        });
    }
    // SAFETY: an entry that is not there, or in use, is left alone.
    holders.into_iter().for_each(|holder| unsafe { pg_sys::RelationCacheInvalidateEntry(holder) });
    HELD.set(false);
}
