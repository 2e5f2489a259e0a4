//! What this backend remembers of who is a member of which tenant. Read with the tenant's row, and as that is, kept
//! until the tenant's version changes anywhere.

use super::dictionary;
use super::role::Role;
use crate::pg::{people_rows, transaction};
use crate::registry::{self, Stamp};
use pg_tenant_core::TenantId;
use rustc_hash::{FxHashMap, FxHasher};
use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// How many are remembered before the older half of them is forgotten, except those that were asked for since.
const HALF: usize = 4096;

/// What somebody is in a tenant.
#[derive(Clone)]
pub enum Standing {
    Member(Rc<Role>),
    /// An active member in a role that does not exist.
    Roleless(Rc<str>),
    Deactivated,
    Stranger,
}

#[derive(Clone)]
struct Remembered {
    id: TenantId,
    actor: Rc<str>,
    stamp: Stamp,
    standing: Standing,
}

#[derive(Default)]
struct Members {
    young: FxHashMap<u64, Remembered>,
    old: FxHashMap<u64, Remembered>,
}

thread_local! {
    static MEMBERS: RefCell<Members> = RefCell::new(Members::default());
}

pub(super) fn init() {
    MEMBERS.take();
}

impl Members {
    fn find(&mut self, key: u64, id: &TenantId, actor: &str, stamp: Stamp) -> Option<Standing> {
        if !self.young.contains_key(&key) {
            let old = self.old.remove(&key)?;
            self.keep(key, old);
        }
        let found = self.young.get(&key)?;
        (found.id == *id && *found.actor == *actor && found.stamp == stamp).then(|| found.standing.clone())
    }

    fn keep(&mut self, key: u64, member: Remembered) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, member);
    }
}

/// What the actor is in the tenant.
pub fn standing(id: &TenantId, actor: &str) -> Standing {
    // What this transaction has changed, and may undo, is looked at each time.
    let Some(stamp) = registry::stamp(id) else { return look(id, actor) };
    let key = key(id, actor);
    if let Some(known) = MEMBERS.with_borrow_mut(|members| members.find(key, id, actor, stamp)) {
        return known;
    }
    // No borrow is held here: reading takes locks, and locks deliver invalidations.
    let standing = look(id, actor);
    if registry::stamp(id) == Some(stamp) && !transaction::has_written() {
        let member = Remembered { id: *id, actor: actor.into(), stamp, standing: standing.clone() };
        MEMBERS.with_borrow_mut(|members| members.keep(key, member));
    }
    standing
}

fn look(id: &TenantId, actor: &str) -> Standing {
    match people_rows::member(id.as_str(), actor) {
        None => Standing::Stranger,
        Some(member) if !member.active => Standing::Deactivated,
        Some(member) => match dictionary::role(&member.role) {
            Some(role) => Standing::Member(role),
            None => Standing::Roleless(member.role.into()),
        },
    }
}

fn key(id: &TenantId, actor: &str) -> u64 {
    let mut hasher = FxHasher::default();
    id.hash(&mut hasher);
    actor.hash(&mut hasher);
    hasher.finish()
}
