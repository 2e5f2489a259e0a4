//! The roles and permissions of this database, all at once: they are few, and change with the application's releases.

use super::role::{Bits, Role};
use crate::pg::{people_rows, transaction};
use crate::registry;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::Rc;

struct Dictionary {
    /// The registry's state that it was read in.
    of: Option<u64>,
    permissions: FxHashMap<String, u16>,
    roles: FxHashMap<String, Rc<Role>>,
}

thread_local! {
    static REMEMBERED: RefCell<Option<Dictionary>> = const { RefCell::new(None) };
}

pub(super) fn init() {
    REMEMBERED.take();
}

/// Changes whenever a role or a permission does that was asked for. Reads no catalog.
#[inline]
pub fn epoch() -> u64 {
    registry::heard()
}

/// The number of a permission, if there is one of this name.
pub fn permission(name: &str) -> Option<u16> {
    ask(|dictionary| dictionary.permissions.get(name).copied())
}

/// The rank of a role, if there is one of this name.
pub fn rank(name: &str) -> Option<i32> {
    role(name).map(|role| role.rank)
}

/// The role of this name, if there is one.
pub fn role(name: &str) -> Option<Rc<Role>> {
    ask(|dictionary| dictionary.roles.get(name).cloned())
}

/// Whether there is any role: else members are kept somewhere else, or not at all.
pub fn has_roles() -> bool {
    ask(|dictionary| !dictionary.roles.is_empty())
}

fn ask<T>(answer: impl Fn(&Dictionary) -> T) -> T {
    let of = registry::epoch();
    let known = REMEMBERED.with_borrow(|remembered| {
        remembered.as_ref().filter(|dictionary| of.is_some() && dictionary.of == of).map(&answer)
    });
    known.unwrap_or_else(|| {
        // No borrow is held here: reading takes locks, and locks deliver invalidations.
        let dictionary = read(of);
        let answer = answer(&dictionary);
        // The transaction may still undo what it has written; what a parallel query sees may be old.
        let is_latest = registry::epoch() == of && !transaction::has_written() && !transaction::is_parallel();
        if is_latest {
            REMEMBERED.set(Some(dictionary));
        }
        answer
    })
}

fn read(of: Option<u64>) -> Dictionary {
    let permissions = people_rows::permissions().into_iter();
    let permissions = permissions.filter_map(|(name, number)| Some((name, u16::try_from(number).ok()?)));
    let permissions: FxHashMap<String, u16> = permissions.collect();
    let roles = people_rows::roles().into_iter().map(|row| {
        let mut bits = Bits::NONE;
        // One that is in no line of tenant.permissions was written past define_role: nobody has it.
        row.permissions.iter().filter_map(|name| permissions.get(name)).for_each(|&number| bits.set(number));
        (row.role.clone(), Rc::new(Role::new(row.role, row.rank, bits)))
    });
    let roles = roles.collect();
    Dictionary { of, permissions, roles }
}
