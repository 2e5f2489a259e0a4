//! Objects, as they are made, altered, dropped and used: what commands and expressions come down to, however spelled.

use crate::context::current;
use crate::context::session_state;
use crate::guard::changed::{self, Done};
use crate::guard::executor::Verdict;
use crate::guard::{folded, function, lost_fence, role_change, temporary, truncate};
use crate::pg::backend_cell::BackendCell;
use crate::pg::boundary::{decide, decide_or_raise, warn};
use crate::pg::folding;
use crate::pg::foreign_key::CONSTRAINT;
use crate::pg::oids;
use crate::pg::policy::POLICY;
use crate::pg::trigger::CATALOG as TRIGGER;
use pgrx::pg_sys::{self, ObjectAccessType, Oid};
use std::ffi::{c_char, c_int, c_void};

/// The catalog `pg_parameter_acl`.
const PARAMETER: Oid = oids::ParameterAclRelationId;

static PREVIOUS_OBJECT: BackendCell<pg_sys::object_access_hook_type> = BackendCell::new(None);
static PREVIOUS_PARAMETER: BackendCell<pg_sys::object_access_hook_type_str> = BackendCell::new(None);

pub(super) fn init() {
    // SAFETY: called once, from _PG_init, in the postmaster's one thread.
    unsafe {
        PREVIOUS_OBJECT.set(pg_sys::object_access_hook);
        pg_sys::object_access_hook = Some(object_access);
        PREVIOUS_PARAMETER.set(pg_sys::object_access_hook_str);
        pg_sys::object_access_hook_str = Some(parameter_access);
    }
}

unsafe extern "C-unwind" fn object_access(
    access: ObjectAccessType::Type,
    class: Oid,
    object: Oid,
    column: c_int,
    argument: *mut c_void,
) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    unsafe {
        let is_column = class == pg_sys::RelationRelationId && column != 0;
        if access == ObjectAccessType::OAT_POST_CREATE && !is_column && temporary::may_be_made() {
            decide(|| temporary::made(class, object));
        }
        match (access, class) {
            (ObjectAccessType::OAT_FUNCTION_EXECUTE, _) if u32::from(object) == pg_sys::F_SET_CONFIG => {
                session_state::touch_settings();
            }
            (ObjectAccessType::OAT_FUNCTION_EXECUTE, _) if function::is_random(object) => session_state::touch_seed(),
            (ObjectAccessType::OAT_FUNCTION_EXECUTE, _) if folding::is_running() && folded::reads_settings(object) => {
                folding::touch()
            }
            (ObjectAccessType::OAT_FUNCTION_EXECUTE, pg_sys::ProcedureRelationId) if !function::passes(object) => {
                decide_or_raise(|| {
                    folded::called(object);
                    function::judge(object)
                })
            }
            (ObjectAccessType::OAT_TRUNCATE, pg_sys::RelationRelationId) => {
                if let Verdict::Warn(report) = decide_or_raise(|| truncate::judge(object)) {
                    warn(report);
                }
            }
            // The row that it was is still the one that catalog scans see.
            (ObjectAccessType::OAT_POST_ALTER, POLICY) => decide_or_raise(|| lost_fence::judge(object)),
            (
                ObjectAccessType::OAT_POST_CREATE | ObjectAccessType::OAT_POST_ALTER | ObjectAccessType::OAT_DROP,
                class,
            ) if let Some(what) = role_change::what(class) => decide_or_raise(|| role_change::judge(what)),
            (ObjectAccessType::OAT_DROP, POLICY) => decide_or_raise(|| lost_fence::judge(object)),
            (ObjectAccessType::OAT_DROP, class) if current::is_set() => {
                decide_or_raise(|| changed::judge(Done::Dropped, class, object))
            }
            (ObjectAccessType::OAT_POST_CREATE, class) if current::is_set() || class == CONSTRAINT => {
                decide_or_raise(|| changed::judge(Done::Created, class, object))
            }
            (ObjectAccessType::OAT_POST_ALTER, class) if current::is_set() => {
                decide_or_raise(|| changed::judge(Done::Altered, class, object))
            }
            // A trigger that CREATE OR REPLACE made is one that it was.
            (ObjectAccessType::OAT_POST_ALTER, pg_sys::RelationRelationId)
            | (ObjectAccessType::OAT_POST_CREATE, TRIGGER)
            | (ObjectAccessType::OAT_DROP, CONSTRAINT | TRIGGER) => decide_or_raise(|| changed::note(class, object)),
            _ => {}
        }
        if let Some(previous) = PREVIOUS_OBJECT.get() {
            previous(access, class, object, column, argument);
        }
    }
}

/// ALTER SYSTEM, before it writes its file.
unsafe extern "C-unwind" fn parameter_access(
    access: ObjectAccessType::Type,
    class: Oid,
    name: *const c_char,
    right: c_int,
    argument: *mut c_void,
) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    unsafe {
        if class == PARAMETER && right == pg_sys::ACL_ALTER_SYSTEM as c_int {
            decide_or_raise(|| role_change::judge("ALTER SYSTEM"));
        }
        if let Some(previous) = PREVIOUS_PARAMETER.get() {
            previous(access, class, name, right, argument);
        }
    }
}
