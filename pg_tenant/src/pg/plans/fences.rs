//! The tenant's fence, in front of whatever else a scan evaluates for a row.
//!
//! PostgreSQL orders conditions that cannot leak by their cost alone, and counts a call without columns among them: it
//! would run, or not, for another tenant's rows. Some conditions stand outside of the filter: those of an index that are
//! asked again of the row, and distances. A scan that has no fence, though its table is read under policies, is told.

use super::nodes::{Does, does, is_false, walk};
use super::quiet::is_quiet;
use super::range::Range;
use crate::pg::list::{length, nodes};
use crate::pg::policy::{self, Fence, Form};
use pgrx::pg_sys::{self, CmdType, List, Node, NodeTag, Oid, Plan, PlannedStmt, Var};

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

/// Puts the fences first in every scan of a table for which `fences`, asked with whom it is read as, gives some, and tells of a scan that lacks one.
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
            // A sample may be allowed, so nothing else hides behind it.
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
    /// The places of tables whose rows the scan finds to change, to delete or to lock. What MERGE may change PostgreSQL
    /// asks of the row it has joined.
    written: Vec<u32>,
}

/// The places, of roots, of the tables that the statement locks rows of.
unsafe fn locked(planned: *mut PlannedStmt, range: &Range) -> Vec<u32> {
    // SAFETY: a list of PlanRowMark.
    let marks = unsafe { nodes((*planned).rowMarks).map(|mark| &*mark.cast::<pg_sys::PlanRowMark>()) };
    marks
        .filter(|mark| mark.markType <= pg_sys::RowMarkType::ROW_MARK_KEYSHARE)
        .map(|mark| range.root(mark.rti))
        .collect()
}

/// What a scan evaluates for a row, beside its filter.
pub(super) struct Beside {
    /// Conditions of an index, asked again of the row.
    pub(super) rechecked: *mut *mut List,
    /// Distances, by which the index gives its rows and which are computed again from the row.
    distances: *mut List,
    /// What a Var of the index, or of what a foreign or custom scan gives, stands for.
    pub(super) target: *mut List,
}

impl<F: Fn(Oid, Oid) -> Vec<Fence>> Pass<'_, F> {
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
            // A view that compares with the current tenant, over a table without policies: no promise, but no worse.
            // SAFETY: as above.
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

    /// A join or an aggregate that is computed elsewhere: its conditions are not to be seen.
    unsafe fn pushed_down(&self, plan: *mut Plan) -> Option<Unfenced> {
        // SAFETY: each cast follows the node's tag.
        unsafe {
            let relations = match (*plan).type_ {
                NodeTag::T_ForeignScan => (*plan.cast::<pg_sys::ForeignScan>()).fs_relids,
                // One that has plans below it works on what they give, and they are looked at for themselves.
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

    /// The plan below the node, which is walked after it, scans the table that it merges into; no policy is in it where no
    /// column is read.
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

/// Of the fences on one column the one that says most: it says what the others do, and an index may have been asked for it.
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

/// Puts conditions on the current tenant, whichever column they compare, in front of the scan's other ones.
unsafe fn readers_first(plan: *mut Plan) {
    // SAFETY: the list's cells are changed in place.
    unsafe {
        let quals = (*plan).qual;
        let reads = |node: &*mut Node| {
            policy::tenant_equality(*node).is_some()
                || policy::is_current(*node).is_some()
                || policy::is_current_or_shared(*node).is_some()
        };
        if length(quals) < 2 || !nodes(quals).any(|node| reads(&node)) {
            return;
        }
        let (first, rest): (Vec<_>, Vec<_>) = nodes(quals).partition(reads);
        for (place, node) in first.into_iter().chain(rest).enumerate() {
            (*(*quals).elements.add(place)).ptr_value = node.cast();
        }
    }
}

/// Puts the fence on this column in front of the scan's filter and of what is evaluated beside it. Whether there is one:
/// where rows of nobody may be read, one for the tenant's own is asked of a scan for rows that are written.
unsafe fn put_first(plan: *mut Plan, at: u32, column: i16, fence: Fence, writes: bool) -> bool {
    // SAFETY: the plan's nodes are valid and ours to change.
    unsafe {
        let beside = beside(plan);
        let is_column = |var: *const Var| stands_for(var, at, column, beside.target);
        let is_own = |node: *mut Node| policy::is_current(node).is_some_and(|(var, _)| is_column(var));
        let is_shared = |node: *mut Node| policy::is_current_or_shared(node).is_some_and(|(var, _)| is_column(var));
        let is_either = |node: *mut Node| {
            policy::tenant_equality_or_null(node).is_some_and(|it| it.reader == fence.reader && is_column(it.column))
        };
        let equality = |node: *mut Node| {
            policy::tenant_equality(node).filter(|it| it.reader == fence.reader && is_column(it.column))
        };
        let is_equality = |node: *mut Node| equality(node).is_some();
        let quals = (*plan).qual;
        let says = |node: *mut Node| match fence.form {
            Form::Former => is_equality(node),
            Form::Own => is_own(node),
            Form::OrShared | Form::Torn => is_own(node) || !writes && is_shared(node),
            Form::Membership(_) => false,
        };
        let of_fence = |node: &*mut Node| says(*node) || is_false(*node);
        let (mut first, mut rest): (Vec<_>, Vec<_>) = nodes(quals).partition(of_fence);
        first.sort_by_key(|&node| is_shared(node));
        let Some(&stands) = first.first() else { return false };
        first.truncate(1);
        // The fence has said already what these say.
        let own = !is_shared(stands);
        rest.retain(|&node| !is_either(node) && !(own && (is_equality(node) || is_shared(node))));
        // So has an index that is asked for the current tenant: it gives no other's rows, or they are asked again.
        let asked = !beside.rechecked.is_null()
            && nodes(*beside.rechecked).any(|condition| equality(condition).is_some_and(|it| it.exact));
        if asked && !fence.is_former() && !is_false(stands) {
            first.clear();
        }
        put(plan, &beside, stands, first.iter().chain(&rest));
        true
    }
}

/// Puts these conditions, in this order, in place of the scan's filter, which has no fewer; and the fence in front of what
/// is evaluated beside it.
pub(super) unsafe fn put<'a>(
    plan: *mut Plan,
    beside: &Beside,
    stands: *mut Node,
    filter: impl Iterator<Item = &'a *mut Node>,
) {
    // SAFETY: the plan's nodes are valid and ours to change.
    unsafe {
        let quals = (*plan).qual;
        let mut count = 0;
        for (place, node) in filter.enumerate() {
            (*(*quals).elements.add(place)).ptr_value = node.cast();
            count += 1;
        }
        (*plan).qual = pg_sys::list_truncate(quals, count);
        if !beside.rechecked.is_null() && !nodes(*beside.rechecked).all(|condition| is_quiet(condition)) {
            *beside.rechecked = pg_sys::lcons(pg_sys::copyObjectImpl(stands.cast()), *beside.rechecked);
        }
        for place in 0..length(beside.distances) {
            let cell = (*beside.distances).elements.add(place);
            (*cell).ptr_value = where_stands(stands, (*cell).ptr_value.cast()).cast();
        }
    }
}

pub(super) unsafe fn beside(plan: *mut Plan) -> Beside {
    let none = std::ptr::null_mut();
    // SAFETY: each cast follows the node's tag.
    unsafe {
        match (*plan).type_ {
            NodeTag::T_IndexScan => {
                let scan = plan.cast::<pg_sys::IndexScan>();
                Beside { rechecked: &raw mut (*scan).indexqualorig, distances: (*scan).indexorderbyorig, target: none }
            }
            NodeTag::T_IndexOnlyScan => {
                let scan = plan.cast::<pg_sys::IndexOnlyScan>();
                Beside { rechecked: &raw mut (*scan).recheckqual, distances: none, target: (*scan).indextlist }
            }
            NodeTag::T_BitmapHeapScan => {
                let scan = plan.cast::<pg_sys::BitmapHeapScan>();
                Beside { rechecked: &raw mut (*scan).bitmapqualorig, distances: none, target: none }
            }
            NodeTag::T_ForeignScan => {
                let target = (*plan.cast::<pg_sys::ForeignScan>()).fdw_scan_tlist;
                Beside { rechecked: std::ptr::null_mut(), distances: none, target }
            }
            NodeTag::T_CustomScan => {
                let target = (*plan.cast::<pg_sys::CustomScan>()).custom_scan_tlist;
                Beside { rechecked: std::ptr::null_mut(), distances: none, target }
            }
            _ => Beside { rechecked: std::ptr::null_mut(), distances: none, target: none },
        }
    }
}

/// Whether this is the column of the scanned relation. `varattnosyn` is not asked: in a child it is the parent's.
pub(super) unsafe fn stands_for(var: *const Var, at: u32, column: i16, target: *mut List) -> bool {
    // SAFETY: the callers' nodes are of this plan; the cast follows the tag.
    unsafe {
        let mut var = &*var;
        if var.varno as i64 == i64::from(pg_sys::INDEX_VAR) {
            let entries = || nodes(target).map(|node| &*node.cast::<pg_sys::TargetEntry>());
            let Some(entry) = entries().find(|entry| entry.resno == var.varattno) else { return false };
            if entry.expr.is_null() || (*entry.expr).type_ != NodeTag::T_Var {
                return false;
            }
            var = &*entry.expr.cast::<Var>();
        }
        var.varno as i64 == i64::from(at) && var.varattno == column && var.varlevelsup == 0
    }
}

/// `case when fence then value end`: a row that is not the tenant's has no distance, and stands behind those that have.
unsafe fn where_stands(fence: *mut Node, value: *mut Node) -> *mut Node {
    // SAFETY: fresh nodes, filled as the parser fills them.
    unsafe {
        let when = pg_sys::palloc0(size_of::<pg_sys::CaseWhen>()).cast::<pg_sys::CaseWhen>();
        (*when).xpr.type_ = NodeTag::T_CaseWhen;
        (*when).expr = pg_sys::copyObjectImpl(fence.cast()).cast();
        (*when).result = value.cast();
        let (of_type, collation) = (pg_sys::exprType(value), pg_sys::exprCollation(value));
        let case = pg_sys::palloc0(size_of::<pg_sys::CaseExpr>()).cast::<pg_sys::CaseExpr>();
        (*case).xpr.type_ = NodeTag::T_CaseExpr;
        (*case).casetype = of_type;
        (*case).casecollid = collation;
        (*case).args = pg_sys::lappend(std::ptr::null_mut(), when.cast());
        (*case).defresult = pg_sys::makeNullConst(of_type, -1, collation).cast();
        case.cast()
    }
}

/// The method of TABLESAMPLE, where it is none of PostgreSQL's own: it sees rows before the fence does, and may count them.
/// Those of PostgreSQL choose by the place of each row.
unsafe fn foreign_method(plan: *mut Plan) -> Option<Oid> {
    const FIRST_NORMAL_OID: u32 = 16_384;
    // SAFETY: the caller's node; the cast follows its tag.
    unsafe {
        if (*plan).type_ != NodeTag::T_SampleScan {
            return None;
        }
        let method = (*(*plan.cast::<pg_sys::SampleScan>()).tablesample).tsmhandler;
        (method.to_u32() >= FIRST_NORMAL_OID).then_some(method)
    }
}
