//! Where jobs are done.

use crate::pool::tenant_pool::TenantPool;

/// The pool of tenants' jobs, and that of the system's.
#[derive(Clone)]
pub(super) struct Pools {
    pub(super) pool: TenantPool,
    pub(super) operators: TenantPool,
}
