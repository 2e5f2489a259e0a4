//! The seal: one tenant, and one actor in one role, per top-level transaction, also after a ROLLBACK TO that undid the
//! entry.

use pg_tenant_core::TenantId;
use std::cell::Cell;

/// Who a signed token says the caller is: `pg_tenant_token::Verified::identity`.
pub type Identity = [u8; 32];

thread_local! {
    static SEAL: Cell<Option<(TenantId, Option<Identity>)>> = const { Cell::new(None) };
}

/// The tenant that this transaction has entered, even where a savepoint has undone it.
pub fn sealed() -> Option<TenantId> {
    SEAL.get().map(|(id, _)| id)
}

/// On whose behalf it was entered, if with a token.
pub fn identity() -> Option<Identity> {
    SEAL.get().and_then(|(_, identity)| identity)
}

/// Seals the transaction to this tenant, and to whom a token named.
pub fn seal(id: TenantId, identity: Option<Identity>) {
    SEAL.set(Some((id, identity)));
}

/// The transaction has ended.
pub fn clear() {
    SEAL.set(None);
}
