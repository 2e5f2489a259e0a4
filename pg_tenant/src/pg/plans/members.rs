//! The fence of a table that is reached by membership: what it asks must be the tenant's part of the join table.

use super::beside::{beside, put, stands_for};
use super::fences::Pass;
use super::nodes::{Does, does, is_false, is_never};
use crate::pg::list::{self, nodes};
use crate::pg::membership::{self, Member};
use crate::pg::node::under_label;
use crate::pg::policy::{self, Fence};
use crate::pg::relation;
use pgrx::pg_sys::{self, Node, NodeTag, Oid, Plan, SubLinkType, SubPlan, TargetEntry, Var};

impl<F: Fn(Oid, Oid) -> Vec<Fence>> Pass<'_, F> {
    /// Puts the fence on this key in front of the scan's filter and of what is evaluated beside it. Whether there is
    /// one.
    ///
    /// # Safety
    /// The node is one of a plan that was made a moment ago, and ours to change.
    pub(super) unsafe fn put_member_first(&self, plan: *mut Plan, at: u32, key: i16, member: Member) -> bool {
        // SAFETY: the plan's nodes are valid and ours to change.
        unsafe {
            let beside = beside(plan);
            let is_fence = |node: *mut Node| {
                membership::in_plan(node).is_some_and(|asked| {
                    stands_for(asked.key, at, key, beside.target)
                        && self.gives(self.plan((*asked.subplan).plan_id), member, Part::Any)
                })
            };
            let of_fence = |node: &*mut Node| is_false(*node) || is_fence(*node);
            let (first, mut rest): (Vec<_>, Vec<_>) = nodes((*plan).qual).partition(of_fence);
            let Some(&stands) = first.first() else { return false };
            // The fence implies the condition on the array of all members, and looks the members up itself.
            rest.retain(|&node| {
                !membership::listed_in_plan(node).is_some_and(|(var, param)| {
                    stands_for(var, at, key, beside.target)
                        && self
                            .arrays
                            .iter()
                            .any(|&(of, id)| of == param && self.gives(self.plan(id), member, Part::All))
                })
            });
            // The statement, or a policy of the owner's, may ask for some of the members by the same function.
            put(plan, &beside, stands, first.iter().chain(&rest));
            true
        }
    }

    /// Notes the arrays that are computed before the node and all below it.
    ///
    /// # Safety
    /// The node is valid, and one of this plan.
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
    ///
    /// # Safety
    /// The plan is valid.
    unsafe fn plan(&self, id: i32) -> *mut Plan {
        // SAFETY: the plan's list of its subplans' plans.
        let found = usize::try_from(id - 1).ok().and_then(|at| unsafe { list::node(self.subplans, at) });
        found.map_or(std::ptr::null_mut(), |plan| plan.cast())
    }

    /// Whether the plan gives the column of the join table, read under its own fence, and nothing else: of any part of
    /// the tenant's rows, or of all. That every scan of it has the fence is seen when the scan is looked at.
    ///
    /// # Safety
    /// The node is valid, and one of this plan.
    unsafe fn gives(&self, plan: *mut Plan, member: Member, part: Part) -> bool {
        if plan.is_null() {
            return false;
        }
        // SAFETY: each cast follows the node's tag.
        unsafe {
            match (*plan).type_ {
                tag if does(tag) == Does::Scans => {
                    self.scans(plan, member) && (part == Part::Any || self.skips_none(plan, member))
                }
                NodeTag::T_Append => {
                    let children = (*plan.cast::<pg_sys::Append>()).appendplans;
                    passes_on(plan) && nodes(children).all(|child| self.gives(child.cast(), member, part))
                }
                NodeTag::T_Result if is_never((*plan.cast::<pg_sys::Result>()).resconstantqual.cast()) => {
                    part == Part::Any
                }
                // A Result may ask once whether to go on.
                NodeTag::T_Result if part == Part::All => false,
                NodeTag::T_Result | NodeTag::T_Material | NodeTag::T_Gather => {
                    passes_on(plan) && self.gives((*plan).lefttree, member, part)
                }
                _ => false,
            }
        }
    }

    /// # Safety
    /// The node is valid, and one of this plan.
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

    /// Whether the scan asks nothing of the join table's rows but that they are the tenant's.
    ///
    /// # Safety
    /// The node is valid, and one of this plan.
    unsafe fn skips_none(&self, plan: *mut Plan, member: Member) -> bool {
        // SAFETY: a scan of this plan; each cast follows the node's tag.
        unsafe {
            let at = (*plan.cast::<pg_sys::Scan>()).scanrelid;
            let root = self.range.root(at);
            let fences = (self.fences)(member.through, self.range.user(root));
            let beside = beside(plan);
            let is_fences = |var: *const Var| {
                fences
                    .iter()
                    .filter_map(|fence| self.range.column(at, root, fence.column))
                    .any(|column| stands_for(var, at, column, beside.target))
            };
            let is_tenants = |node: *mut Node| {
                policy::tenant_equality(node).is_some_and(|it| it.exact && is_fences(it.column))
                    || policy::is_current(node).is_some_and(|(var, _)| is_fences(var))
            };
            // Of a partial index the plan does not say again what the index has left out.
            let index = match (*plan).type_ {
                NodeTag::T_SeqScan | NodeTag::T_BitmapHeapScan => Oid::INVALID,
                NodeTag::T_IndexScan => (*plan.cast::<pg_sys::IndexScan>()).indexid,
                NodeTag::T_IndexOnlyScan => (*plan.cast::<pg_sys::IndexOnlyScan>()).indexid,
                _ => return false,
            };
            let rechecked = if beside.rechecked.is_null() { std::ptr::null_mut() } else { *beside.rechecked };
            nodes((*plan).qual).chain(nodes(rechecked)).all(is_tenants)
                && (index == Oid::INVALID || !relation::is_partial_index(index))
        }
    }
}

/// Which of the tenant's members a plan gives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Any,
    All,
}

/// Whether the node gives on what the one below it gives first.
///
/// # Safety
/// The node is valid, and one of this plan.
unsafe fn passes_on(plan: *mut Plan) -> bool {
    // SAFETY: the caller's node.
    unsafe {
        first(plan).is_some_and(|var| (*var).varno as i64 == i64::from(pg_sys::OUTER_VAR) && (*var).varattno == 1)
    }
}

/// The column that the node gives first, if it is one as it stands.
///
/// # Safety
/// The node is valid, and one of this plan.
unsafe fn first(plan: *mut Plan) -> Option<*const Var> {
    // SAFETY: a target list has entries; the cast follows the tag.
    unsafe {
        let entry = &*nodes((*plan).targetlist).next()?.cast::<TargetEntry>();
        let given = under_label(entry.expr.cast());
        ((*given).type_ == NodeTag::T_Var).then_some(given.cast())
    }
}
