//! Which of our functions a call in a policy or a plan calls, recognised by the address of its code: neither names nor
//! schemas count.

use crate::context::current::{self, Code};
use crate::pg::policy::Reader;
use crate::pg::{invalidation, proc};
use pgrx::pg_sys::{self, Oid};
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};

/// Oids below this belong to PostgreSQL itself.
const FIRST_NORMAL_OID: u32 = 16_384;
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
}

thread_local! {
    static KNOWN: RefCell<FxHashMap<Oid, Option<Own>>> = RefCell::new(FxHashMap::default());
    static EPOCH: Cell<u64> = const { Cell::new(0) };
    static SEEN: Cell<u64> = const { Cell::new(0) };
}

/// Listens for changes of functions.
pub fn init() {
    // Used here once: see pg/memory.rs.
    KNOWN.take();
    invalidation::on_function_change(|| EPOCH.set(EPOCH.get() + 1));
}

/// Which of our functions this is.
pub fn of(function: Oid) -> Option<Own> {
    if function.to_u32() < FIRST_NORMAL_OID {
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

/// fmgr_info loads a C function's library, so it is called only for a function whose symbol is one of ours.
fn look_up(function: Oid) -> Option<Own> {
    let symbol = proc::symbol(function)?;
    let find = |list: &'static [(&str, Reader, Code)]| list.iter().find(|(name, ..)| *name == symbol);
    let (own, address) = if let Some(&(_, reader, address)) = find(&current::READERS) {
        (Own::Reads(reader), address)
    } else if let Some(&(_, reader, address)) = find(&current::FENCES) {
        (Own::IsCurrent(reader), address)
    } else if symbol == current::MEMBER.0 {
        (Own::IsMember, current::MEMBER.1)
    } else {
        let &(_, reader, address) = find(&current::SHARED_FENCES)?;
        (Own::IsCurrentOrShared(reader), address)
    };
    let mut info = pg_sys::FmgrInfo::default();
    // SAFETY: fills the record or raises.
    unsafe { pg_sys::fmgr_info(function, &mut info) };
    info.fn_addr.is_some_and(|found| std::ptr::fn_addr_eq(found, address)).then_some(own)
}
