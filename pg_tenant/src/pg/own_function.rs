//! Which of our functions a call in a policy or a plan calls, recognised by the address of its code: neither names nor
//! schemas count.

use crate::pg::backend_cell::BackendCell;
use crate::pg::oids;
use crate::pg::policy::Reader;
use crate::pg::{invalidation, proc};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, Oid};
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};

/// At most this many functions are remembered.
const CAPACITY: usize = 4_096;

/// A function of ours that policies call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// `tenant.current_…()`.
    Reads(Reader),
    /// `tenant.is_current(…)`.
    IsCurrent(Reader),
    /// `tenant.is_current_or_shared(…)`.
    IsCurrentOrShared(Reader),
    /// `tenant.is_member(boolean)`.
    IsMember,
    /// `tenant.require(text)`.
    Requires,
}

/// Code of a function that policies call.
type Code = unsafe extern "C-unwind" fn(FunctionCallInfo) -> Datum;

/// A function that policies call: its C symbol, what it is, its code.
pub struct OwnFunction {
    symbol: &'static str,
    own: Own,
    code: Code,
}

impl OwnFunction {
    pub const fn new(symbol: &'static str, own: Own, code: Code) -> Self {
        OwnFunction { symbol, own, code }
    }
}

/// What [`init`] was given.
static FUNCTIONS: BackendCell<&[OwnFunction]> = BackendCell::new(&[]);

thread_local! {
    static KNOWN: RefCell<FxHashMap<Oid, Option<Own>>> = RefCell::new(FxHashMap::default());
    static EPOCH: Cell<u64> = const { Cell::new(0) };
    static SEEN: Cell<u64> = const { Cell::new(0) };
}

/// Says which functions are ours, and listens for changes of functions.
pub fn init(functions: &'static [OwnFunction]) {
    FUNCTIONS.set(functions);
    // Used here once: see pg/memory.rs.
    KNOWN.take();
    invalidation::on_function_change(|| EPOCH.set(EPOCH.get() + 1));
}

/// Which of our functions this is.
pub fn of(function: Oid) -> Option<Own> {
    if !oids::is_of_users(function) {
        return None;
    }
    let now = EPOCH.get();
    if SEEN.replace(now) != now {
        KNOWN.take();
    }
    if let Some(known) = KNOWN.with_borrow(|known| known.get(&function).copied()) {
        return known;
    }
    // No borrow is held here: the lookup delivers invalidations.
    let own = look_up(function);
    if EPOCH.get() == now {
        KNOWN.with_borrow_mut(|known| {
            if known.len() >= CAPACITY {
                known.clear();
            }
            known.insert(function, own);
        });
    }
    own
}

/// Whether this is the C symbol of a function that reads the current tenant.
pub fn is_reader(symbol: &str) -> bool {
    with_symbol(symbol).is_some_and(|function| matches!(function.own, Own::Reads(_)))
}

fn with_symbol(symbol: &str) -> Option<&'static OwnFunction> {
    FUNCTIONS.get().iter().find(|function| function.symbol == symbol)
}

/// fmgr_info loads a C function's library, so it is called only for a function whose symbol is one of ours.
fn look_up(function: Oid) -> Option<Own> {
    let symbol = proc::symbol(function)?;
    let &OwnFunction { own, code, .. } = with_symbol(&symbol)?;
    let mut info = pg_sys::FmgrInfo::default();
    // SAFETY: fills the record or raises.
    unsafe { pg_sys::fmgr_info(function, &mut info) };
    info.fn_addr.is_some_and(|found| std::ptr::fn_addr_eq(found, code)).then_some(own)
}
