//! The seal: one tenant, and one actor in one role, or the system context, per top-level transaction, also after a
//! ROLLBACK TO that undid the entry.

use crate::pg::{role, transaction};
use pg_tenant_core::{SystemContext, TenantId};
use pgrx::pg_sys::Oid;
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// For whom a tenant was entered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Whom a signed token says: `pg_tenant_token::Verified::identity`.
    Token([u8; 32]),
    /// An actor whom the caller has named: a hash with a key that nobody knows.
    Actor(u64),
}

impl Identity {
    pub fn of_actor(actor: &str) -> Identity {
        Identity::Actor(KEY.with(|key| key.hash_one(actor)))
    }
}

/// What a transaction has entered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    Tenant(TenantId),
    System(SystemContext),
}

impl Entered {
    /// Reads a value of `pg_tenant.id`; none where it is neither.
    pub fn from_setting(text: &str) -> Option<Self> {
        let system = SystemContext::from_setting(text).map(Entered::System);
        system.or_else(|| text.parse().ok().map(Entered::Tenant))
    }

    /// As `pg_tenant.id` has it.
    pub fn as_str(&self) -> &str {
        match self {
            Entered::Tenant(id) => id.as_str(),
            Entered::System(context) => context.as_str(),
        }
    }
}

#[derive(Clone, Copy)]
struct Seal {
    entered: Entered,
    identity: Option<Identity>,
    /// The savepoint it was made in, and the role that was set before.
    savepoint: u32,
    role: Oid,
}

thread_local! {
    static KEY: RandomState = RandomState::new();
    static SEAL: Cell<Option<Seal>> = const { Cell::new(None) };
}

/// What this transaction has entered, even where a savepoint has undone it.
pub fn sealed() -> Option<Entered> {
    SEAL.get().map(|seal| seal.entered)
}

/// On whose behalf it was entered, if with a token or for an actor.
pub fn identity() -> Option<Identity> {
    SEAL.get().and_then(|seal| seal.identity)
}

/// Seals the transaction to this, and to whom it was entered for. Once: a later entry of the same is not another seal.
pub fn seal(entered: Entered, identity: Option<Identity>) {
    let first = SEAL.get().filter(|seal| seal.entered == entered);
    let (savepoint, role) =
        first.map_or_else(|| (transaction::savepoint(), role::outer_user()), |seal| (seal.savepoint, seal.role));
    SEAL.set(Some(Seal { entered, identity, savepoint, role }));
}

/// Whether the seal was made in the savepoint with this number; the transaction itself has the first one.
pub fn is_of_savepoint(number: u32) -> bool {
    SEAL.get().is_some_and(|seal| seal.savepoint == number)
}

/// Whether it was made in that savepoint or in one that has begun after it.
pub fn is_within(number: u32) -> bool {
    SEAL.get().is_some_and(|seal| seal.savepoint >= number)
}

/// The role that the session had before, where it is not that of the login.
pub fn role_before() -> Option<Oid> {
    SEAL.get().map(|seal| seal.role).filter(|&role| role != role::session_user())
}

/// The transaction has ended.
pub fn clear() {
    SEAL.set(None);
}
