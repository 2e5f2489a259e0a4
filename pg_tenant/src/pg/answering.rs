//! `tenant_internal.hidden` and `tenant_internal.hidden_set`: in a plan they are called instead of another function
//! ([`crate::pg::plans::hide_calls`]), and decide at run time whether that function is called.
//!
//! They cannot be called by SQL: their first parameter has the type `internal`, of which there are no values. In a plan
//! a constant of another type stands there, and they check that.

use crate::pg::notify::Sent;
use crate::pg::report::Outcome;
use crate::pg::{boundary, raw, text};
use pgrx::pg_sys::{self, Datum, ExprDoneCond, FmgrInfo, FuncExpr, FunctionCallInfo, NodeTag, Oid};

/// What the caller gets.
#[derive(Clone, Copy)]
pub enum Answer {
    /// The result of the function.
    Called,
    /// Null, or an empty set.
    Nothing,
    /// From the function that lists sessions, the row of this session.
    OwnSession,
    /// From the function that lists locks, the rows of this session.
    OwnLocks,
    /// For `pg_notify`: the declaration of the channel says what is sent.
    Notify(fn(&str) -> Outcome<Sent>),
}

/// What an expression keeps between its calls.
struct Kept {
    original: Oid,
    function: FmgrInfo,
    call: FunctionCallInfo,
    may_execute: bool,
    is_announced: bool,
}

/// Answers instead of the function that the plan names.
///
/// # Safety
/// Called by PostgreSQL's function manager with its own `fcinfo`.
pub unsafe fn answer(fcinfo: FunctionCallInfo, decides: fn(Oid) -> Outcome<Answer>) -> Datum {
    // SAFETY: the frame holds only Copy data; fcinfo is valid during the call. Calls are bare: users' errors pass
    // through as they are.
    unsafe {
        let kept = (*(*fcinfo).flinfo).fn_extra.cast::<Kept>();
        let kept = if kept.is_null() { boundary::decide(|| keep(fcinfo)) } else { kept };
        if kept.is_null() {
            return nothing(fcinfo);
        }
        let original = (*kept).original;
        let answer = boundary::decide_or_raise(|| decides(original));
        if matches!(answer, Answer::Nothing) {
            return nothing(fcinfo);
        }
        // No privilege is checked where the answer is empty: whether a plan reaches the call may depend on rows of
        // other tenants, and an error would show it.
        if !(*kept).may_execute {
            refuse_without_right(original);
            (*kept).may_execute = true;
        }
        if matches!(answer, Answer::Called) && !(*kept).is_announced {
            raw::RunFunctionExecuteHook(original);
            (*kept).is_announced = true;
        }
        let call = (*kept).call;
        let count = (*call).nargs as usize;
        let arguments = (*call).args.as_mut_slice(count);
        arguments.copy_from_slice(&(*fcinfo).args.as_slice(count + 1)[1..]);
        (*call).resultinfo = (*fcinfo).resultinfo;
        if matches!(answer, Answer::OwnSession) {
            let own = Datum::from(pg_sys::MyProcPid);
            match arguments.first_mut() {
                Some(pid) if pid.isnull || pid.value.value() as i32 == pg_sys::MyProcPid => {
                    *pid = pg_sys::NullableDatum { value: own, isnull: false }
                }
                _ => return nothing(fcinfo),
            }
        }
        if let Answer::Notify(judge) = answer
            && let [channel, payload] = arguments
            && !channel.isnull
        {
            let name = channel.value;
            let sent = boundary::decide_or_raise(|| {
                judge(&text::owned(pg_sys::text_to_cstring(name.cast_mut_ptr()))).map(Sent::payload)
            });
            if let Some(value) = sent {
                *payload = pg_sys::NullableDatum { value, isnull: false };
            }
        }
        if (*kept).function.fn_strict && arguments.iter().any(|argument| argument.isnull) {
            return nothing(fcinfo);
        }
        let Some(body) = (*kept).function.fn_addr else { return nothing(fcinfo) };
        loop {
            (*call).isnull = false;
            let result = body(call);
            (*fcinfo).isnull = (*call).isnull;
            if !matches!(answer, Answer::OwnLocks) || is_at_end(fcinfo) || (*call).isnull {
                return result;
            }
            if let Some(own) = boundary::decide(|| own_lock(result)) {
                return own;
            }
            is_to_go_on(fcinfo);
        }
    }
}

/// # Safety
/// `fcinfo` is that of the running call; nothing to drop in the caller's frame.
unsafe fn result_info(fcinfo: FunctionCallInfo) -> Option<*mut pg_sys::ReturnSetInfo> {
    // SAFETY: the cast follows the tag.
    unsafe {
        let info = (*fcinfo).resultinfo;
        let is_set = !info.is_null() && (*info).type_ == NodeTag::T_ReturnSetInfo && (*(*fcinfo).flinfo).fn_retset;
        is_set.then(|| info.cast())
    }
}

/// Returns null, or the end of a set.
///
/// # Safety
/// `fcinfo` is that of the running call; nothing to drop in the caller's frame.
unsafe fn nothing(fcinfo: FunctionCallInfo) -> Datum {
    // SAFETY: the caller's call.
    unsafe {
        if let Some(info) = result_info(fcinfo) {
            (*info).isDone = ExprDoneCond::ExprEndResult;
        }
        (*fcinfo).isnull = true;
    }
    Datum::null()
}

/// # Safety
/// `fcinfo` is that of the running call; nothing to drop in the caller's frame.
unsafe fn is_at_end(fcinfo: FunctionCallInfo) -> bool {
    // SAFETY: the caller's call.
    unsafe { result_info(fcinfo).is_none_or(|info| (*info).isDone == ExprDoneCond::ExprEndResult) }
}

/// # Safety
/// `fcinfo` is that of the running call; nothing to drop in the caller's frame.
unsafe fn is_to_go_on(fcinfo: FunctionCallInfo) {
    // SAFETY: the caller's call.
    if let Some(info) = unsafe { result_info(fcinfo) } {
        // SAFETY: likewise.
        unsafe { (*info).isDone = ExprDoneCond::ExprSingleResult };
    }
}

/// Looks up the function that the call stands for; null if the call is not in a plan that we have changed.
///
/// # Safety
/// `fcinfo` is that of the running call; nothing to drop in the caller's frame.
unsafe fn keep(fcinfo: FunctionCallInfo) -> *mut Kept {
    // SAFETY: casts follow tags; the memory lives as long as the calling expression.
    unsafe {
        let info = (*fcinfo).flinfo;
        let Some(original) = named_in_plan((*info).fn_expr.cast()) else { return std::ptr::null_mut() };
        let count = usize::try_from((*fcinfo).nargs).unwrap_or(0).saturating_sub(1);
        let context = (*info).fn_mcxt;
        let kept = pg_sys::MemoryContextAllocZero(context, size_of::<Kept>()).cast::<Kept>();
        let size = size_of::<pg_sys::FunctionCallInfoBaseData>() + count * size_of::<pg_sys::NullableDatum>();
        (*kept).original = original;
        (*kept).call = pg_sys::MemoryContextAllocZero(context, size).cast();
        pg_sys::fmgr_info_cxt(original, &raw mut (*kept).function, context);
        (*(*kept).call).flinfo = &raw mut (*kept).function;
        (*(*kept).call).fncollation = (*fcinfo).fncollation;
        (*(*kept).call).nargs = count as i16;
        (*info).fn_extra = kept.cast();
        kept
    }
}

/// The function that a call of ours in a plan names.
///
/// # Safety
/// `call` is a valid node.
unsafe fn named_in_plan(call: *mut FuncExpr) -> Option<Oid> {
    // SAFETY: casts follow tags.
    unsafe {
        if call.is_null() || (*call).xpr.type_ != NodeTag::T_FuncExpr {
            return None;
        }
        let first = super::list::node((*call).args, 0).filter(|node| (**node).type_ == NodeTag::T_Const)?;
        let named = &*first.cast::<pg_sys::Const>();
        let is_ours = named.consttype == pg_sys::REGPROCEDUREOID && !named.constisnull;
        is_ours.then(|| Oid::from(named.constvalue.value() as u32))
    }
}

/// Checks the privilege EXECUTE, as PostgreSQL does before it calls a function.
///
/// # Safety
/// Nothing to drop in the caller's frame.
unsafe fn refuse_without_right(function: Oid) {
    // SAFETY: bare calls, with nothing to drop in any frame.
    unsafe {
        let (user, right) = (raw::GetUserId(), pg_sys::ACL_EXECUTE.into());
        #[cfg(feature = "pg15")]
        let may = raw::pg_proc_aclcheck(function, user, right);
        #[cfg(not(feature = "pg15"))]
        let may = raw::object_aclcheck(pg_sys::ProcedureRelationId, function, user, right);
        if may != pg_sys::AclResult::ACLCHECK_OK {
            raw::aclcheck_error(may, pg_sys::ObjectType::OBJECT_FUNCTION, raw::get_func_name(function));
        }
    }
}

/// The row of `pg_locks`, if the lock is held by this session. `fastpath` is left out, since it depends on the locks of
/// others, and so are predicate locks, which a serializable transaction has on rows of all tenants that it has passed.
///
/// # Safety
/// `row` is one that `pg_lock_status` gave.
unsafe fn own_lock(row: Datum) -> Option<Datum> {
    // SAFETY: the function of locks returns a row of the type that its header names; the descriptor is given back.
    unsafe {
        let header = pg_sys::pg_detoast_datum(row.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
        let of_row = (*header).t_choice.t_datum;
        let columns = pg_sys::lookup_rowtype_tupdesc(of_row.datum_typeid, of_row.datum_typmod);
        let length = (of_row.datum_len_ as u32) >> 2; // VARSIZE
        let mut tuple = pg_sys::HeapTupleData { t_len: length, t_data: header, ..Default::default() };
        let mut isnull = false;
        let pid = pg_sys::SPI_fnumber(columns, c"pid".as_ptr());
        let pid = pg_sys::heap_getattr(&raw mut tuple, pid, columns, &mut isnull);
        let mode = pg_sys::SPI_fnumber(columns, c"mode".as_ptr());
        let mut has_no_mode = false;
        let mode = pg_sys::heap_getattr(&raw mut tuple, mode, columns, &mut has_no_mode);
        let is_passed_by = has_no_mode || text::bytes_of(mode) == b"SIReadLock";
        let own = (!isnull && pid.value() as i32 == pg_sys::MyProcPid && !is_passed_by).then(|| {
            // They are read only; 15 says otherwise of its parameters.
            let column = pg_sys::SPI_fnumber(columns, c"fastpath".as_ptr());
            let (value, null) = (Datum::null(), true);
            let left = pg_sys::heap_modify_tuple_by_cols(
                &raw mut tuple,
                columns,
                1,
                (&raw const column).cast_mut(),
                (&raw const value).cast_mut(),
                (&raw const null).cast_mut(),
            );
            pg_sys::heap_copy_tuple_as_datum(left, columns)
        });
        if (*columns).tdrefcount >= 0 {
            pg_sys::DecrTupleDescRefCount(columns);
        }
        own
    }
}
