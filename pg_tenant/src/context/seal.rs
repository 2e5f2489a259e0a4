//! The seal: one tenant, and one actor in one role, or the system context, per top-level transaction, also after a
//! ROLLBACK TO that undid the entry.

use pg_tenant_core::{SystemContext, TenantId};
use std::cell::Cell;

/// Who a signed token says the caller is: `pg_tenant_token::Verified::identity`.
pub type Identity = [u8; 32];

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

thread_local! {
    static SEAL: Cell<Option<(Entered, Option<Identity>)>> = const { Cell::new(None) };
}

/// What this transaction has entered, even where a savepoint has undone it.
pub fn sealed() -> Option<Entered> {
    SEAL.get().map(|(entered, _)| entered)
}

/// On whose behalf it was entered, if with a token.
pub fn identity() -> Option<Identity> {
    SEAL.get().and_then(|(_, identity)| identity)
}

/// Seals the transaction to this, and to whom a token named.
pub fn seal(entered: Entered, identity: Option<Identity>) {
    SEAL.set(Some((entered, identity)));
}

/// The transaction has ended.
pub fn clear() {
    SEAL.set(None);
}
