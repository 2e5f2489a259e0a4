//! A grant by which support works in a tenant.

use std::sync::Arc;

use pg_tenant_core::TenantId;
use uuid::Uuid;

/// A grant by which a login of support works in a tenant for a time, in the place of a user or without one. Made by
/// [`Support`](crate::admin::Support), and of use to pools with that login alone.
///
/// [`pool.impersonate(&grant)`](crate::TenantPool::impersonate) takes it. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Impersonation(Arc<Parts>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Parts {
    id: Uuid,
    tenant: TenantId,
    as_user: Option<String>,
    impersonator: String,
}

impl Impersonation {
    pub(crate) fn new(id: Uuid, tenant: TenantId, as_user: Option<String>, impersonator: String) -> Impersonation {
        Impersonation(Arc::new(Parts { id, tenant, as_user, impersonator }))
    }

    /// Its id, for [`Support::find`](crate::admin::Support::find), which finds it again. It is no secret of its own: to
    /// another login it opens nothing.
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// The tenant.
    pub fn tenant_id(&self) -> &TenantId {
        &self.0.tenant
    }

    /// In whose place: `tenant.current_actor()`. `None` for support without a user.
    pub fn as_user(&self) -> Option<&str> {
        self.0.as_user.as_deref()
    }

    /// Who works in that place: `tenant.current_impersonator()`, the login or `login:actor`.
    pub fn impersonator(&self) -> &str {
        &self.0.impersonator
    }
}
