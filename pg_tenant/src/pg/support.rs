//! What the planner is told about `tenant.is_current`: it removes no row that the equality beside it has not removed,
//! and costs next to nothing, so that it is evaluated before every other condition.

use pgrx::pg_sys::{self, Datum, FunctionCallInfo, NodeTag};

#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tenant_is_current_support() -> &'static pg_sys::Pg_finfo_record {
    &super::function::VERSION_1
}

/// Answers for selectivity and cost; null for whatever else is asked.
///
/// # Safety
/// Called by the planner with a node as its only argument.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn pg_tenant_is_current_support(fcinfo: FunctionCallInfo) -> Datum {
    // SAFETY: the argument is a node, and ours to fill; each cast follows its tag.
    unsafe {
        let asked = (*(*fcinfo).args.as_ptr()).value.cast_mut_ptr::<pg_sys::Node>();
        match (*asked).type_ {
            NodeTag::T_SupportRequestSelectivity => {
                (*asked.cast::<pg_sys::SupportRequestSelectivity>()).selectivity = 1.0;
                Datum::from(asked)
            }
            NodeTag::T_SupportRequestCost => {
                let request = asked.cast::<pg_sys::SupportRequestCost>();
                ((*request).startup, (*request).per_tuple) = (0.0, 0.0);
                Datum::from(asked)
            }
            _ => Datum::null(),
        }
    }
}
