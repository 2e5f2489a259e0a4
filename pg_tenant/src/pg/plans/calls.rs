//! Calls, in a finished plan, of functions that show something of other tenants. Each becomes a call of our own
//! function, which gets the name and the arguments of the original, has its result type, and decides at run time. So
//! the planner works with what it knows of the original function, and one cached plan serves all callers.
//!
//! Calls that are not found here (in checks and defaults, partition keys, arguments of EXECUTE) stay as they are, and
//! are judged when they are initialised.

use super::nodes::walk_all;
use crate::pg::list::length;
use crate::pg::raw;
use pgrx::pg_sys::{self, Datum, FuncExpr, Node, NodeTag, Oid, Plan, PlannedStmt, RangeTblFunction};
use std::ffi::c_void;

/// `tenant_internal.hidden` and `tenant_internal.hidden_set`, which answer for functions with one result and for those
/// that return sets.
#[derive(Clone, Copy)]
pub struct Answering {
    pub one: Oid,
    pub set: Oid,
}

struct Pass {
    tells: fn(Oid) -> bool,
    answering: fn() -> Option<Answering>,
    /// Looked up at the first call that tells.
    found: Option<Option<Answering>>,
}

/// PostgreSQL's `FUNC_MAX_ARGS`.
const MOST_ARGUMENTS: usize = 100;

/// Makes each call of a function that `tells` one of `answering`, where there is such.
///
/// # Safety
/// `planned` was made a moment ago and nobody else has seen it. Nothing to drop in the caller's frame.
pub unsafe fn hide_calls(planned: *mut PlannedStmt, tells: fn(Oid) -> bool, answering: fn() -> Option<Answering>) {
    let mut pass = Pass { tells, answering, found: None };
    let context: *mut c_void = (&raw mut pass).cast();
    // SAFETY: the plan's nodes are valid and ours to change; the context is used during the walk only.
    unsafe {
        walk_all(planned, |plan| {
            for expression in expressions(plan) {
                visit(expression, context);
            }
        });
        if let Some(Some(used)) = pass.found {
            depends_on(planned, used.one);
            depends_on(planned, used.set);
        }
    }
}

/// What a node of a plan evaluates. Not the keys by which partitions are pruned.
///
/// # Safety
/// The node is valid, and one of this plan.
unsafe fn expressions(plan: *mut Plan) -> [*mut Node; 8] {
    use pg_sys::NodeTag::*;
    let mut all = [std::ptr::null_mut::<Node>(); 8];
    macro_rules! of {
        ($node:ident: $($field:ident),+) => {{
            let node = plan.cast::<pg_sys::$node>();
            for (place, field) in all.iter_mut().zip([$((*node).$field.cast::<Node>()),+]) {
                *place = field;
            }
        }};
    }
    // SAFETY: each cast follows the node's tag.
    unsafe {
        match (*plan).type_ {
            T_Result => of!(Result: resconstantqual),
            T_ModifyTable => {
                #[cfg(any(feature = "pg15", feature = "pg16"))]
                of!(ModifyTable: withCheckOptionLists, returningLists, onConflictSet, onConflictWhere, mergeActionLists);
                #[cfg(not(any(feature = "pg15", feature = "pg16")))]
                of!(ModifyTable: withCheckOptionLists, returningLists, onConflictSet, onConflictWhere, mergeActionLists,
                    mergeJoinConditions);
            }
            T_SampleScan => of!(SampleScan: tablesample),
            T_IndexScan => of!(IndexScan: indexqual, indexqualorig, indexorderby, indexorderbyorig),
            T_IndexOnlyScan => of!(IndexOnlyScan: indexqual, recheckqual, indexorderby),
            T_BitmapIndexScan => of!(BitmapIndexScan: indexqual, indexqualorig),
            T_BitmapHeapScan => of!(BitmapHeapScan: bitmapqualorig),
            T_TidScan => of!(TidScan: tidquals),
            T_TidRangeScan => of!(TidRangeScan: tidrangequals),
            T_FunctionScan => of!(FunctionScan: functions),
            T_ValuesScan => of!(ValuesScan: values_lists),
            T_TableFuncScan => of!(TableFuncScan: tablefunc),
            T_ForeignScan => of!(ForeignScan: fdw_exprs, fdw_recheck_quals),
            T_CustomScan => of!(CustomScan: custom_exprs),
            T_NestLoop => of!(Join: joinqual),
            T_MergeJoin => {
                of!(MergeJoin: mergeclauses);
                all[1] = (*plan.cast::<pg_sys::Join>()).joinqual.cast();
            }
            T_HashJoin => {
                of!(HashJoin: hashclauses, hashkeys);
                all[2] = (*plan.cast::<pg_sys::Join>()).joinqual.cast();
            }
            T_Hash => of!(Hash: hashkeys),
            T_Memoize => of!(Memoize: param_exprs),
            T_WindowAgg => of!(WindowAgg: startOffset, endOffset, runCondition, runConditionOrig),
            T_Limit => of!(Limit: limitOffset, limitCount),
            _ => {}
        }
        all[6] = (*plan).targetlist.cast();
        all[7] = (*plan).qual.cast();
    }
    all
}

unsafe extern "C-unwind" fn visit(node: *mut Node, context: *mut c_void) -> bool {
    // SAFETY: casts follow tags; the context is what `hide_calls` passes. Nothing to drop in this frame.
    unsafe {
        if node.is_null() {
            return false;
        }
        let pass = &mut *context.cast::<Pass>();
        match (*node).type_ {
            NodeTag::T_RangeTblFunction => {
                let function = node.cast::<RangeTblFunction>();
                let call = (*function).funcexpr;
                if !call.is_null() && (*call).type_ == NodeTag::T_FuncExpr && pass.is_to_answer(call.cast()) {
                    pass.answer(call.cast(), Some(function));
                }
            }
            // A record outside of FROM has its columns from the function in the catalog, where ours has none.
            NodeTag::T_FuncExpr
                if (*node.cast::<FuncExpr>()).funcresulttype != pg_sys::RECORDOID && pass.is_to_answer(node.cast()) =>
            {
                pass.answer(node.cast(), None);
            }
            _ => {}
        }
        raw::expression_tree_walker(node, Some(visit), context)
    }
}

impl Pass {
    /// # Safety
    /// The node is one of a plan that was made a moment ago, and ours to change.
    unsafe fn is_to_answer(&mut self, call: *mut FuncExpr) -> bool {
        // SAFETY: the caller's node is such a call.
        let tells = unsafe { (self.tells)((*call).funcid) && length((*call).args) < MOST_ARGUMENTS };
        tells && self.found.get_or_insert_with(self.answering).is_some()
    }

    /// # Safety
    /// The node is one of a plan that was made a moment ago, and ours to change.
    unsafe fn answer(&mut self, call: *mut FuncExpr, from: Option<*mut RangeTblFunction>) {
        let Some(Some(answering)) = self.found else { return };
        // SAFETY: the nodes are of this plan and ours to change; what is put in is fresh. The list of arguments may be
        // another node's as well, so it is copied.
        unsafe {
            if let Some(function) = from
                && (*call).funcresulttype == pg_sys::RECORDOID
                && (*function).funccolnames.is_null()
                && !name_columns(function)
            {
                return;
            }
            let original = Datum::from((*call).funcid);
            let size = size_of::<Oid>() as i32;
            let original = pg_sys::makeConst(pg_sys::REGPROCEDUREOID, -1, Oid::INVALID, size, original, false, true);
            (*call).args = pg_sys::lcons(original.cast(), pg_sys::list_copy((*call).args));
            (*call).funcid = if (*call).funcretset { answering.set } else { answering.one };
            (*call).funcvariadic = false;
            (*call).funcformat = pg_sys::CoercionForm::COERCE_EXPLICIT_CALL;
        }
    }
}

/// Gives a function in FROM the list of columns with which it would be called if it had none in the catalog.
///
/// # Safety
/// The node is one of a plan that was made a moment ago, and ours to change.
unsafe fn name_columns(function: *mut RangeTblFunction) -> bool {
    let mut columns = std::ptr::null_mut();
    // SAFETY: the call is a node of this plan; the descriptor is a fresh one, of as many columns as it says.
    unsafe {
        let class = pg_sys::get_expr_result_type((*function).funcexpr, std::ptr::null_mut(), &mut columns);
        if class != pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE || columns.is_null() {
            return false;
        }
        for at in 1..=(*columns).natts {
            let (name, of_type) = (pg_sys::SPI_fname(columns, at), pg_sys::SPI_gettypeid(columns, at));
            let collation = pg_sys::get_typcollation(of_type);
            (*function).funccolnames = pg_sys::lappend((*function).funccolnames, pg_sys::makeString(name).cast());
            (*function).funccoltypes = pg_sys::lappend_oid((*function).funccoltypes, of_type);
            (*function).funccoltypmods = pg_sys::lappend_int((*function).funccoltypmods, -1);
            (*function).funccolcollations = pg_sys::lappend_oid((*function).funccolcollations, collation);
        }
    }
    true
}

/// The plan is made anew where this function changes or goes.
///
/// # Safety
/// The plan is valid, and ours to change.
unsafe fn depends_on(planned: *mut PlannedStmt, function: Oid) {
    let cache = pg_sys::SysCacheIdentifier::PROCOID as i32;
    let none = Datum::null();
    // SAFETY: a fresh node of this kind.
    unsafe {
        let item = pg_sys::palloc0(size_of::<pg_sys::PlanInvalItem>()).cast::<pg_sys::PlanInvalItem>();
        (*item).type_ = NodeTag::T_PlanInvalItem;
        (*item).cacheId = cache;
        (*item).hashValue = pg_sys::GetSysCacheHashValue(cache, function.into(), none, none, none);
        (*planned).invalItems = pg_sys::lappend((*planned).invalItems, item.cast());
    }
}
