//! Whether a command has weakened a protected table. This is checked after the command, by comparing the table with
//! what it was before, and not by reading the command: each major version brings new syntax for the same change. The
//! table is noted when the command names it, and at each change that the object-access hook sees.

use crate::guard::in_tenant;
use crate::gucs;
use crate::pg::policy::{self, Fence, Form};
use crate::pg::report::Outcome;
use crate::pg::{hierarchy, relation, role, transaction, trigger};
use pgrx::pg_sys::Oid;
use std::cell::RefCell;

/// What protects a table.
#[derive(Clone, PartialEq, Eq)]
struct Strength {
    enabled: bool,
    forced: bool,
    /// Each fence, whether its column is NOT NULL, and its form.
    fences: Vec<(Oid, i16, bool, Form)>,
    /// How many triggers keep tenants from adding members; a partition that is detached loses its copies.
    refusers: usize,
    /// Whether a parent table has more of them: with INHERIT rows of this table become rows of the parent, without its
    /// triggers.
    is_beside: bool,
    is_partition: bool,
}

/// A table as it was when the running command, in this savepoint, began to change it.
struct Noted {
    table: Oid,
    savepoint: u32,
    before: Strength,
}

thread_local! {
    static NOTED: RefCell<Vec<Noted>> = const { RefCell::new(Vec::new()) };
}

/// Makes room for the notes, before the first session: see pg/memory.rs.
pub fn init() {
    NOTED.take();
}

/// The table is about to change, or a part of it has changed a moment ago, which catalog scans do not see yet.
pub fn note(table: Oid) {
    // The flag is read first, since most tables have no policies, and a table without the flag is not protected.
    if !gucs::guards() || relation::class(table).is_none_or(|class| !class.row_security || class.temporary) {
        return;
    }
    if NOTED.with_borrow(|noted| noted.iter().any(|noted| noted.table == table)) {
        return;
    }
    let Some(before) = strength(table).filter(|strength| !strength.fences.is_empty()) else { return };
    let noted = Noted { table, savepoint: transaction::savepoint(), before };
    NOTED.with_borrow_mut(|all| all.push(noted));
}

/// The command is through.
pub fn check() -> Outcome<()> {
    for Noted { table, before, .. } in NOTED.take() {
        let Some(after) = strength(table).filter(|_| gucs::guards()) else { continue };
        if let Some(what) = lost(&before, &after) {
            return Err(in_tenant::protection_guarded(table, what));
        }
        // Not for a superuser: restoring data disables all triggers for a while.
        let left = before.is_partition && !after.is_partition;
        let fewer = after.refusers < before.refusers && !left || after.is_beside && !before.is_beside;
        if fewer && !role::is_superuser_session() {
            return Err(in_tenant::protection_guarded(table, "let tenants add members to it").hint(
                "Where they may: select tenant.protect_by_membership('<table>', through => '<this one>', tenants_add_members => true);",
            ));
        }
    }
    Ok(())
}

/// The savepoint, or with none the transaction, is undone, and with it what was noted.
pub fn forget(savepoint: Option<u32>) {
    NOTED.with_borrow_mut(|noted| noted.retain(|noted| savepoint.is_some_and(|undone| noted.savepoint < undone)));
}

fn lost(before: &Strength, after: &Strength) -> Option<&'static str> {
    if before.enabled && !after.enabled {
        return Some("disable its row-level security");
    }
    if before.forced && !after.forced {
        return Some("exempt its owner from row-level security");
    }
    for &(policy, column, not_null, form) in &before.fences {
        match after.fences.iter().find(|fence| (fence.0, fence.1) == (policy, column)) {
            None => return Some("take its tenant policy"),
            Some(&(_, _, still, now)) if not_null && !still && now != Form::OrShared => {
                return Some("let its tenant column be null");
            }
            Some(&(.., now)) if form.is_weaker(now) => {
                return Some("take the fence from its tenant policy");
            }
            Some(_) => {}
        }
    }
    None
}

fn strength(table: Oid) -> Option<Strength> {
    let class = relation::class(table)?;
    let fences = policy::guarded_fences(table);
    let fences = fences.iter().map(|fence| (fence.policy, fence.column, is_held(fence, table), fence.form));
    let refusers = trigger::refusing_members(table);
    Some(Strength {
        enabled: class.row_security,
        forced: class.forced,
        fences: fences.collect(),
        refusers,
        is_beside: hierarchy::ancestors(table).into_iter().any(|above| trigger::refusing_members(above) > refusers),
        is_partition: relation::is_partition(table),
    })
}

/// Whether the tenant column is NOT NULL. A row whose key is null belongs to no tenant.
fn is_held(fence: &Fence, table: Oid) -> bool {
    fence.membership().is_none() && relation::is_not_null(table, fence.column)
}
