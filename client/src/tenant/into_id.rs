//! Types that an application may pass as a tenant id.

use std::num::NonZero;

use pg_tenant_core::{MalformedTenantId, TenantId};
use uuid::Uuid;

use crate::tenant::identity::Tenant;

/// A value that names a tenant: a [`Tenant`], a parsed [`TenantId`], its text, or the UUID or number the application
/// keys by: `i16` to `i64`, `u16` to `u64`, and `NonZero` of them. A number is its decimal digits, so `7`, `7u64` and
/// `"7"` are the same tenant.
///
/// A text that is no tenant id does not panic and is not sent: the call that would have used it fails with SQLSTATE
/// `TN004` before any I/O. So does a negative number. One above `i64::MAX` is a tenant id, and has no
/// `tenant.current_bigint()`.
///
/// A type of the application's own, such as the key of its table of customers:
///
/// ```
/// use pg_tenant_client::{IntoTenantId, MalformedTenantId, TenantId};
///
/// #[derive(Clone, Copy)]
/// struct CustomerId(i64);
///
/// impl IntoTenantId for CustomerId {
///     fn into_tenant_id(self) -> Result<TenantId, MalformedTenantId> {
///         self.0.into_tenant_id()
///     }
/// }
/// # fn example(pool: pg_tenant_client::TenantPool, id: CustomerId) { drop((pool.tenant(id), pool.tenant(&id))) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a tenant",
    label = "not a tenant id",
    note = "a tenant is named by a `Tenant`, a `TenantId`, a text, a `Uuid` or an integer",
    note = "a value that may be missing is decided about first; a type of your own implements `IntoTenantId`"
)]
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

macro_rules! integers {
    ($($integer:ty)+) => {$(
        /// Its decimal digits. A negative number is malformed: the grammar begins with a letter or a digit.
        impl IntoTenantId for $integer {
            fn into_tenant_id(self) -> Result<TenantId, MalformedTenantId> {
                self.to_string().parse()
            }
        }

        /// Its decimal digits, likewise.
        impl IntoTenantId for NonZero<$integer> {
            fn into_tenant_id(self) -> Result<TenantId, MalformedTenantId> {
                self.get().into_tenant_id()
            }
        }
    )+};
}

integers! { i16 i32 i64 u16 u32 u64 }

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
        assert!((-1i64).into_tenant_id().is_err() && i32::MIN.into_tenant_id().is_err());
        let seven = "7".into_tenant_id();
        for id in [7.into_tenant_id(), 7i16.into_tenant_id(), 7u16.into_tenant_id(), 7u32.into_tenant_id()] {
            assert_eq!(id, seven);
        }
        assert_eq!((&7u64).into_tenant_id(), NonZero::new(7i32).unwrap().into_tenant_id());
        assert_eq!(u64::MAX.into_tenant_id(), "18446744073709551615".into_tenant_id());
        assert!("acme'; drop table orders".into_tenant_id().is_err());
    }
}
