//! The relations of a plan: which table a scan reads, and as whom.
//!
//! In a plan, partitions and children have no permission entries of their own: permissions belong to the table that the
//! statement names, here called the root. `AppendRelInfo` leads from a child to it.

use crate::pg::list::{self, nodes};
use pgrx::pg_sys::{self, AppendRelInfo, Oid, PlannedStmt, RTEKind, RangeTblEntry};
use rustc_hash::FxHashMap;
use std::cell::OnceCell;

/// The range table of a plan.
pub struct Range {
    planned: *mut PlannedStmt,
    parents: OnceCell<FxHashMap<u32, *mut AppendRelInfo>>,
}

impl Range {
    /// # Safety
    /// The plan is valid and its range table stays as it is while this is used.
    pub unsafe fn of(planned: *mut PlannedStmt) -> Range {
        Range { planned, parents: OnceCell::new() }
    }

    /// The entry at this place, counted from 1.
    fn entry(&self, at: u32) -> Option<*mut RangeTblEntry> {
        // SAFETY: a plan's range table is a list of entries.
        unsafe { list::node((*self.planned).rtable, (at as usize).checked_sub(1)?).map(|node| node.cast()) }
    }

    /// The relation at this place; none where it is something else.
    pub fn relation(&self, at: u32) -> Option<Oid> {
        // SAFETY: an entry of this plan.
        self.entry(at).map(|entry| unsafe { &*entry }).filter(|e| e.rtekind == RTEKind::RTE_RELATION).map(|e| e.relid)
    }

    /// How many places there are.
    pub fn len(&self) -> u32 {
        // SAFETY: reads the list's length.
        list::length(unsafe { (*self.planned).rtable }) as u32
    }

    /// The place of the table that the statement names, of which this one is a partition or child.
    pub fn root(&self, at: u32) -> u32 {
        let mut at = at;
        // The parent of what UNION ALL puts together is no relation.
        while let Some(parent) = self.parent(at).filter(|&parent| self.relation(parent).is_some()) {
            at = parent;
        }
        at
    }

    /// The column of the relation at `at` that the column of its root is there.
    pub fn column(&self, at: u32, root: u32, column: i16) -> Option<i16> {
        if at == root {
            return Some(column);
        }
        let info = self.info(at)?;
        // SAFETY: parent_colnos has an entry for each column of the child, and is not null where it has one.
        unsafe {
            let above = self.column((*info).parent_relid, root, column)?;
            (0..(*info).num_child_cols.try_into().unwrap_or(0))
                .find(|&at: &usize| *(*info).parent_colnos.add(at) == above)
                .and_then(|at| i16::try_from(at + 1).ok())
        }
    }

    fn info(&self, at: u32) -> Option<*mut AppendRelInfo> {
        // SAFETY: the plan's list of them.
        let infos = || unsafe {
            let infos = nodes((*self.planned).appendRelations).map(|node| node.cast::<AppendRelInfo>());
            infos.map(|info| ((*info).child_relid, info)).collect()
        };
        self.parents.get_or_init(infos).get(&at).copied()
    }

    fn parent(&self, at: u32) -> Option<u32> {
        // SAFETY: a node of this plan.
        self.info(at).map(|info| unsafe { (*info).parent_relid })
    }

    /// Whether the relation at this place, a root, is read under its policies.
    pub fn under_policies(&self, root: u32) -> bool {
        const RLS_ENABLED: i32 = 2;
        let Some(relation) = self.relation(root) else { return false };
        let user = self.user(root);
        // SAFETY: catalog lookups; with no_error it does not raise for row_security = off.
        unsafe { pg_sys::check_enable_rls(relation, user, true) == RLS_ENABLED }
    }

    /// Whether no column of the relation at this place, a root, is read.
    pub fn is_blind(&self, root: u32) -> bool {
        self.rights(root).1 & u64::from(pg_sys::ACL_SELECT) == 0
    }

    /// As whom the relation at this place, a root, is read: InvalidOid for the current user.
    pub fn user(&self, root: u32) -> Oid {
        self.rights(root).0
    }

    /// Whose rights are asked for it, InvalidOid for the current user, and which.
    fn rights(&self, root: u32) -> (Oid, u64) {
        let Some(entry) = self.entry(root) else { return (Oid::INVALID, 0) };
        // SAFETY: an entry of this plan; from 16 it leads to its permission info.
        unsafe {
            #[cfg(feature = "pg15")]
            return ((*entry).checkAsUser, (*entry).requiredPerms.into());
            #[cfg(not(feature = "pg15"))]
            {
                let index = ((*entry).perminfoindex as usize).checked_sub(1);
                let info = index.and_then(|at| list::node((*self.planned).permInfos, at));
                info.map_or((Oid::INVALID, 0), |info| {
                    let info = &*info.cast::<pg_sys::RTEPermissionInfo>();
                    (info.checkAsUser, info.requiredPerms)
                })
            }
        }
    }
}
