//! The fence of a table that is reached by membership: what it asks must be the tenant's part of the join table.

use super::fences::{Pass, beside, put, stands_for};
use super::nodes::{Does, does, is_false, is_never};
use crate::pg::list::{self, nodes};
use crate::pg::membership::{self, Member};
use crate::pg::policy::Fence;
use pgrx::pg_sys::{self, Node, NodeTag, Oid, Plan, SubLinkType, SubPlan, TargetEntry, Var};

impl<F: Fn(Oid, Oid) -> Vec<Fence>> Pass<'_, F> {
    /// Puts the fence on this key in front of the scan's filter and of what is evaluated beside it. Whether there is one.
    pub(super) unsafe fn put_member_first(&self, plan: *mut Plan, at: u32, key: i16, member: Member) -> bool {
        // SAFETY: the plan's nodes are valid and ours to change.
        unsafe {
            let beside = beside(plan);
            let is_fence = |node: *mut Node| {
                membership::in_plan(node).is_some_and(|asked| {
                    stands_for(asked.key, at, key, beside.target)
                        && self.gives(self.plan((*asked.subplan).plan_id), member)
                })
            };
            let of_fence = |node: &*mut Node| is_false(*node) || is_fence(*node);
            let (first, mut rest): (Vec<_>, Vec<_>) = nodes((*plan).qual).partition(of_fence);
            let Some(&stands) = first.first() else { return false };
            // The fence has said already what the array says, and looks its rows up.
            rest.retain(|&node| {
                !membership::listed_in_plan(node).is_some_and(|(var, param)| {
                    stands_for(var, at, key, beside.target)
                        && self.arrays.iter().any(|&(of, id)| of == param && self.gives(self.plan(id), member))
                })
            });
            put(plan, &beside, stands, first.iter().take(1).chain(&rest));
            true
        }
    }

    /// Notes the arrays that are computed before the node and all below it.
    pub(super) unsafe fn note_arrays(&mut self, plan: *mut Plan) {
        // SAFETY: the caller's node, and its list of SubPlans.
        unsafe {
            for subplan in nodes((*plan).initPlan) {
                let subplan = &*subplan.cast::<SubPlan>();
                if subplan.subLinkType == SubLinkType::ARRAY_SUBLINK {
                    self.arrays.extend(list::integers(subplan.setParam).map(|param| (param, subplan.plan_id)));
                }
            }
        }
    }

    /// The plan of the subplan with this number, counted from 1.
    unsafe fn plan(&self, id: i32) -> *mut Plan {
        // SAFETY: the plan's list of its subplans' plans.
        let found = usize::try_from(id - 1).ok().and_then(|at| unsafe { list::node(self.subplans, at) });
        found.map_or(std::ptr::null_mut(), |plan| plan.cast())
    }

    /// Whether the plan gives the column of the join table, read under its own fence, and nothing else. That every scan of
    /// it has the fence is seen when the scan is looked at.
    unsafe fn gives(&self, plan: *mut Plan, member: Member) -> bool {
        if plan.is_null() {
            return false;
        }
        // SAFETY: each cast follows the node's tag.
        unsafe {
            match (*plan).type_ {
                tag if does(tag) == Does::Scans => self.scans(plan, member),
                NodeTag::T_Append => {
                    let parts = (*plan.cast::<pg_sys::Append>()).appendplans;
                    passes_on(plan) && nodes(parts).all(|part| self.gives(part.cast(), member))
                }
                NodeTag::T_Result if is_never((*plan.cast::<pg_sys::Result>()).resconstantqual.cast()) => true,
                NodeTag::T_Result | NodeTag::T_Material | NodeTag::T_Gather => {
                    passes_on(plan) && self.gives((*plan).lefttree, member)
                }
                _ => false,
            }
        }
    }

    unsafe fn scans(&self, plan: *mut Plan, member: Member) -> bool {
        // SAFETY: every node that scans begins with a Scan.
        let at = unsafe { (*plan.cast::<pg_sys::Scan>()).scanrelid };
        let root = self.range.root(at);
        if at == 0 || self.range.relation(root) != Some(member.through) || !self.range.under_policies(root) {
            return false;
        }
        let Some(column) = self.range.column(at, root, member.column) else { return false };
        // SAFETY: a scan of this plan.
        let given = unsafe { first(plan).is_some_and(|var| stands_for(var, at, column, beside(plan).target)) };
        given && !(self.fences)(member.through, self.range.user(root)).is_empty()
    }
}

/// Whether the node gives on what the one below it gives first.
unsafe fn passes_on(plan: *mut Plan) -> bool {
    // SAFETY: the caller's node.
    unsafe {
        first(plan).is_some_and(|var| (*var).varno as i64 == i64::from(pg_sys::OUTER_VAR) && (*var).varattno == 1)
    }
}

/// The column that the node gives first, if it is one as it stands.
unsafe fn first(plan: *mut Plan) -> Option<*const Var> {
    // SAFETY: a target list has entries; the cast follows the tag.
    unsafe {
        let entry = &*nodes((*plan).targetlist).next()?.cast::<TargetEntry>();
        let given = membership::under_label(entry.expr.cast());
        ((*given).type_ == NodeTag::T_Var).then_some(given.cast())
    }
}
