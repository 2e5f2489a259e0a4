//! Types that an application may pass as a tenant id.

use pg_tenant_core::{MalformedTenantId, TenantId};
use uuid::Uuid;

use crate::tenant::identity::Tenant;

/// A value that names a tenant: a [`Tenant`], a parsed [`TenantId`], its text, or the UUID or number the application
/// keys by.
///
/// A text that is no tenant id does not panic and is not sent: the call that would have used it fails with SQLSTATE
/// `TN004` before any I/O.
pub trait IntoTenantId {
    /// The tenant id.
    ///
    /// # Errors
    /// [`MalformedTenantId`], the reason the text is outside the grammar.
    fn into_tenant_id(self) -> Result<TenantId, MalformedTenantId>;

    /// The tenant, with actor and role where the value has them.
    ///
    /// # Errors
    /// [`MalformedTenantId`], likewise.
    fn into_tenant(self) -> Result<Tenant, MalformedTenantId>
    where
        Self: Sized,
    {
        self.into_tenant_id().map(Tenant::new)
    }
}

impl IntoTenantId for Tenant {
    fn into_tenant_id(self) -> Result<TenantId, MalformedTenantId> {
        Ok(self.id)
    }

    fn into_tenant(self) -> Result<Tenant, MalformedTenantId> {
        Ok(self)
    }
}

impl IntoTenantId for TenantId {
    fn into_tenant_id(self) -> Result<TenantId, MalformedTenantId> {
        Ok(self)
    }
}

impl IntoTenantId for &str {
    fn into_tenant_id(self) -> Result<TenantId, MalformedTenantId> {
        self.parse()
    }
}

impl IntoTenantId for String {
    fn into_tenant_id(self) -> Result<TenantId, MalformedTenantId> {
        self.parse()
    }
}

impl IntoTenantId for Uuid {
    fn into_tenant_id(self) -> Result<TenantId, MalformedTenantId> {
        self.hyphenated().encode_lower(&mut Uuid::encode_buffer()).parse()
    }
}

/// A negative number is malformed: the grammar begins with a letter or a digit.
impl IntoTenantId for i64 {
    fn into_tenant_id(self) -> Result<TenantId, MalformedTenantId> {
        self.to_string().parse()
    }
}

impl<T: IntoTenantId + Clone> IntoTenantId for &T {
    fn into_tenant_id(self) -> Result<TenantId, MalformedTenantId> {
        self.clone().into_tenant_id()
    }

    fn into_tenant(self) -> Result<Tenant, MalformedTenantId> {
        self.clone().into_tenant()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_kind_name_the_same_tenant() {
        let uuid = Uuid::from_bytes([7; 16]);
        let text = uuid.to_string().to_uppercase();
        assert_eq!(uuid.into_tenant_id(), text.as_str().into_tenant_id());
        assert_eq!(42i64.into_tenant_id(), "42".into_tenant_id());
        assert_eq!((&String::from("acme")).into_tenant_id(), "acme".into_tenant_id());
        assert!((-1i64).into_tenant_id().is_err());
        assert!("acme'; drop table orders".into_tenant_id().is_err());
    }
}
