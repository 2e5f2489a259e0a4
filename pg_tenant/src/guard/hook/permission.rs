//! The relations of a statement, when PostgreSQL asks for its rights on them.

use crate::guard::executor::{self, Touched, Verdict};
use crate::pg::backend_cell::BackendCell;
use crate::pg::boundary::{decide_or_raise, warn};
use crate::pg::list;
use pgrx::pg_sys::{self, List};

static PREVIOUS: BackendCell<pg_sys::ExecutorCheckPerms_hook_type> = BackendCell::new(None);

pub(super) fn init() {
    // SAFETY: called once, from _PG_init, in the postmaster's one thread.
    unsafe {
        PREVIOUS.set(pg_sys::ExecutorCheckPerms_hook);
        pg_sys::ExecutorCheckPerms_hook = Some(check_perms);
    }
}

/// The signature is `(range table, raise)` on 15 and `(range table, permission infos, raise)` from 16.
#[cfg(feature = "pg15")]
unsafe extern "C-unwind" fn check_perms(range_table: *mut List, may_raise: bool) -> bool {
    // SAFETY: PostgreSQL's own arguments. Nothing to drop in this frame.
    unsafe {
        judge(range_table, may_raise)
            && match PREVIOUS.get() {
                Some(previous) => previous(range_table, may_raise),
                None => true,
            }
    }
}

#[cfg(not(feature = "pg15"))]
unsafe extern "C-unwind" fn check_perms(range_table: *mut List, infos: *mut List, may_raise: bool) -> bool {
    // SAFETY: PostgreSQL's own arguments. Nothing to drop in this frame.
    unsafe {
        judge(infos, may_raise)
            && match PREVIOUS.get() {
                Some(previous) => previous(range_table, infos, may_raise),
                None => true,
            }
    }
}

/// # Safety
/// The argument is PostgreSQL's own, valid during the call; nothing to drop in the caller's frame.
unsafe fn judge(entries: *mut List, may_raise: bool) -> bool {
    // SAFETY: the entries are a list of the major's kind, valid during the call; a verdict is Copy.
    unsafe {
        let count = list::length(entries);
        match decide_or_raise(|| executor::judge((0..count).filter_map(|at| touched(entries, at)), may_raise)) {
            Verdict::Pass => true,
            Verdict::No => false,
            Verdict::Warn(report) => {
                warn(report);
                true
            }
        }
    }
}

/// The relation of an entry, where the statement needs a right on it.
///
/// # Safety
/// The argument is PostgreSQL's own, valid during the call; nothing to drop in the caller's frame.
unsafe fn touched(entries: *mut List, at: usize) -> Option<Touched> {
    // SAFETY: `at` is within the list; on 15 the entries are range table entries, from 16 permission infos.
    unsafe {
        let entry = (*(*entries).elements.add(at)).ptr_value;
        #[cfg(feature = "pg15")]
        {
            let entry = &*entry.cast::<pg_sys::RangeTblEntry>();
            let relation = entry.rtekind == pg_sys::RTEKind::RTE_RELATION && entry.requiredPerms != 0;
            relation.then_some(Touched {
                relation: entry.relid,
                as_user: entry.checkAsUser,
                rights: entry.requiredPerms.into(),
            })
        }
        #[cfg(not(feature = "pg15"))]
        {
            let entry = &*entry.cast::<pg_sys::RTEPermissionInfo>();
            (entry.requiredPerms != 0).then_some(Touched {
                relation: entry.relid,
                as_user: entry.checkAsUser,
                rights: entry.requiredPerms,
            })
        }
    }
}
