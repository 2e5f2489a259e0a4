//! A request before sign-in: it names a tenant and proves nothing.

use std::sync::Arc;

use crate::registry::TenantRecord;

/// The tenant that a request names without a proof: for what comes before sign-in, such as a page with the tenant's
/// name. With the feature `axum` an extractor.
///
/// It is no [`Tenant`](crate::Tenant), and no pool takes it. A handler that signs somebody in takes the record's id,
/// looks the credential up in that tenant, and answers with a token or session that proves it from then on.
#[derive(Clone, Debug)]
pub struct NamedTenant(Arc<TenantRecord>);

impl NamedTenant {
    pub(super) fn new(record: Arc<TenantRecord>) -> NamedTenant {
        NamedTenant(record)
    }

    /// The registry's record of it.
    pub fn record(&self) -> &TenantRecord {
        &self.0
    }
}
