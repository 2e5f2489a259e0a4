//! Puts the fence in front of every other condition that a scan evaluates for a row.
//!
//! PostgreSQL orders leakproof conditions by cost only, and counts a call without columns among them: it could run for
//! rows of other tenants. Some conditions are not in the filter of a scan: index conditions that are checked again on
//! the row, and distances. A scan of a table under policies that has no fence is reported.

use super::front::{put_first, readers_first};
use super::nodes::{Does, does, walk};
use super::range::Range;
use crate::pg::list::{length, nodes};
use crate::pg::oids;
use crate::pg::policy::Fence;
use pgrx::pg_sys::{self, CmdType, List, NodeTag, Oid, Plan, PlannedStmt};

/// What a plan does to a fenced table that is read under its policies.
#[derive(Clone, Copy)]
pub enum Unfenced {
    /// It scans the table without the fence.
    Scan(Oid),
    /// It merges into the table and reads no column of it: PostgreSQL then asks no policy which rows to join.
    BlindMerge(Oid),
    /// It samples the table by this method, which an extension brings.
    Sampled(Oid, Oid),
}

/// Puts the fences first in every scan of a table for which `fences` returns some (it gets the table and the user as
/// whom it is read), and returns a scan that lacks one.
///
/// # Safety
/// `planned` was made a moment ago and nobody else has seen it.
pub unsafe fn fences_first(planned: *mut PlannedStmt, fences: impl Fn(Oid, Oid) -> Vec<Fence>) -> Option<Unfenced> {
    let mut found = None;
    // SAFETY: the plan's nodes are valid and ours to change; each cast follows the node's tag.
    unsafe {
        let range = Range::of(planned);
        let mut pass = Pass {
            range: &range,
            fences: &fences,
            subplans: (*planned).subplans,
            arrays: Vec::new(),
            blindly_merged: Vec::new(),
            written: locked(planned, &range),
        };
        walk(planned, |plan| {
            pass.note_arrays(plan);
            let unfenced = match does((*plan).type_) {
                Does::Scans => pass.scan(plan),
                Does::Computes => {
                    if (*plan).type_ == NodeTag::T_ModifyTable {
                        pass.note_target(plan.cast());
                    }
                    None
                }
                Does::Unknown => pass.any_of(1..=range.len()),
            };
            // A sample may be allowed, so it must not hide a worse one that follows.
            found = match found {
                None | Some(Unfenced::Sampled(..)) => unfenced.or(found),
                first => first,
            };
        });
    }
    found
}

pub(super) struct Pass<'a, F> {
    pub(super) range: &'a Range,
    pub(super) fences: &'a F,
    pub(super) subplans: *mut List,
    /// The parameters that are arrays, and the subplans that fill them, of the nodes seen up to now.
    pub(super) arrays: Vec<(i32, i32)>,
    /// The places of tables that are merged into while no column of them is read.
    blindly_merged: Vec<u32>,
    /// The range table places of tables whose rows the scan finds in order to change, delete or lock them. For MERGE
    /// PostgreSQL checks the joined row itself.
    written: Vec<u32>,
}

/// The places, of roots, of the tables that the statement locks rows of.
///
/// # Safety
/// The plan is valid.
unsafe fn locked(planned: *mut PlannedStmt, range: &Range) -> Vec<u32> {
    // SAFETY: a list of PlanRowMark.
    let marks = unsafe { nodes((*planned).rowMarks).map(|mark| &*mark.cast::<pg_sys::PlanRowMark>()) };
    marks
        .filter(|mark| mark.markType <= pg_sys::RowMarkType::ROW_MARK_KEYSHARE)
        .map(|mark| range.root(mark.rti))
        .collect()
}

impl<F: Fn(Oid, Oid) -> Vec<Fence>> Pass<'_, F> {
    /// # Safety
    /// The node is valid, and one of this plan.
    unsafe fn scan(&self, plan: *mut Plan) -> Option<Unfenced> {
        // SAFETY: every node that scans begins with a Scan.
        let at = unsafe { (*plan.cast::<pg_sys::Scan>()).scanrelid };
        if at == 0 {
            // SAFETY: as above.
            return unsafe { self.pushed_down(plan) };
        }
        let relation = self.range.relation(at)?;
        let root = self.range.root(at);
        let table = if root == at { relation } else { self.range.relation(root)? };
        let fences = (self.fences)(table, self.range.user(root));
        if fences.is_empty() || !self.range.under_policies(root) {
            // A view with conditions on the current tenant over a table without policies. We promise nothing there; its
            // conditions come first all the same.
            // SAFETY: a node of this plan.
            unsafe { readers_first(plan) };
            return None;
        }
        let blindly = self.blindly_merged.contains(&root);
        let writes = self.written.contains(&root);
        for fence in strictest(fences) {
            let column = self.range.column(at, root, fence.column);
            // SAFETY: the plan is ours to change.
            let stands = column.is_some_and(|column| unsafe {
                match fence.membership() {
                    Some(member) => self.put_member_first(plan, at, column, member),
                    None => put_first(plan, at, column, fence, writes),
                }
            });
            if !stands && (blindly || !fence.is_former()) {
                return Some(if blindly { Unfenced::BlindMerge(table) } else { Unfenced::Scan(table) });
            }
        }
        // SAFETY: a node of this plan.
        unsafe { foreign_method(plan) }.map(|method| Unfenced::Sampled(table, method))
    }

    /// A join or an aggregate that another server or a custom scan computes: its conditions cannot be seen.
    ///
    /// # Safety
    /// The node is valid, and one of this plan.
    unsafe fn pushed_down(&self, plan: *mut Plan) -> Option<Unfenced> {
        // SAFETY: each cast follows the node's tag.
        unsafe {
            let relations = match (*plan).type_ {
                NodeTag::T_ForeignScan => (*plan.cast::<pg_sys::ForeignScan>()).fs_relids,
                // A node with child plans works on their rows; the children are checked themselves.
                NodeTag::T_CustomScan if length((*plan.cast::<pg_sys::CustomScan>()).custom_plans) == 0 => {
                    (*plan.cast::<pg_sys::CustomScan>()).custom_relids
                }
                _ => return None,
            };
            let mut last = -1;
            let members = std::iter::from_fn(|| {
                last = pg_sys::bms_next_member(relations, last);
                u32::try_from(last).ok()
            });
            self.any_of(members)
        }
    }

    fn any_of(&self, places: impl Iterator<Item = u32>) -> Option<Unfenced> {
        let mut roots = places.filter(|&at| self.range.relation(at).is_some()).map(|at| self.range.root(at));
        let unfenced = roots.find(|&root| {
            let fences =
                self.range.relation(root).map(|table| (self.fences)(table, self.range.user(root))).unwrap_or_default();
            fences.iter().any(|fence| !fence.is_former()) && self.range.under_policies(root)
        })?;
        self.range.relation(unfenced).map(Unfenced::Scan)
    }

    /// The plan below the node, which is walked after it, scans the table that it merges into; no policy is in it where
    /// no column is read.
    ///
    /// # Safety
    /// The node is valid, and one of this plan.
    unsafe fn note_target(&mut self, modify: *mut pg_sys::ModifyTable) {
        // SAFETY: the caller's node is a ModifyTable.
        let (operation, root) = unsafe { ((*modify).operation, (*modify).nominalRelation) };
        match operation {
            CmdType::CMD_MERGE if self.range.is_blind(root) => self.blindly_merged.push(root),
            CmdType::CMD_UPDATE | CmdType::CMD_DELETE => self.written.push(root),
            _ => {}
        }
    }
}

/// Of several fences on one column, the strictest: it implies the others, and an index may have been chosen for it.
fn strictest(fences: Vec<Fence>) -> Vec<Fence> {
    let mut kept: Vec<Fence> = Vec::with_capacity(fences.len());
    for fence in fences {
        let same = |other: &&mut Fence| {
            other.column == fence.column && other.membership().is_none() && fence.membership().is_none()
        };
        match kept.iter_mut().find(same) {
            Some(other) if fence.form.is_weaker(other.form) => *other = fence,
            Some(_) => {}
            None => kept.push(fence),
        }
    }
    kept
}

/// The method of TABLESAMPLE, if an extension brings it: it sees rows before the fence does, and could count them. The
/// methods of PostgreSQL choose rows by their place only.
///
/// # Safety
/// The node is valid, and one of this plan.
unsafe fn foreign_method(plan: *mut Plan) -> Option<Oid> {
    // SAFETY: the caller's node; the cast follows its tag.
    unsafe {
        if (*plan).type_ != NodeTag::T_SampleScan {
            return None;
        }
        let method = (*(*plan.cast::<pg_sys::SampleScan>()).tablesample).tsmhandler;
        oids::is_of_users(method).then_some(method)
    }
}
