//! The seal: one tenant per top-level transaction, also after a ROLLBACK TO that undid its entry.

use pg_tenant_core::TenantId;
use std::cell::Cell;

thread_local! {
    static SEAL: Cell<Option<TenantId>> = const { Cell::new(None) };
}

/// The tenant that this transaction has entered, even where a savepoint has undone it.
pub fn sealed() -> Option<TenantId> {
    SEAL.get()
}

/// Seals the transaction to this tenant.
pub fn seal(id: TenantId) {
    SEAL.set(Some(id));
}

/// The transaction has ended.
pub fn clear() {
    SEAL.set(None);
}
