//! What the registry tells an application of a tenant.

use pg_tenant_core::{TenantId, TenantStatus};

use crate::error::Error;

/// What the registry tells an application of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantRecord {
    /// The id. It never changes.
    pub id: TenantId,
    /// The slug: its name in addresses, if it has one. It may change.
    pub slug: Option<String>,
    /// The plan, if it has one.
    pub plan: Option<String>,
    /// Its state: whether it may be entered.
    pub status: TenantStatus,
}

impl TenantRecord {
    /// An active tenant without slug and plan; for a [`TenantLookup`](super::TenantLookup) of your own.
    pub fn new(id: TenantId) -> TenantRecord {
        TenantRecord { id, slug: None, plan: None, status: TenantStatus::Active }
    }

    /// Whether everybody who may enter tenants may enter it: it is active, or read-only.
    pub fn is_active(&self) -> bool {
        self.status.is_open()
    }

    pub(crate) fn read(
        id: &str,
        slug: Option<String>,
        plan: Option<String>,
        status: &str,
    ) -> Result<TenantRecord, Error> {
        let id = id.parse().map_err(Error::malformed)?;
        // A state of a later version is one in which nobody is let in.
        let status = status.parse().unwrap_or(TenantStatus::Unknown);
        Ok(TenantRecord { id, slug, plan, status })
    }
}

/// Whether the registry can have such a slug: what is none is not asked for.
pub(super) fn is_slug(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_a_label_of_a_domain() {
        for slug in ["a", "acme", "a-1", "7", &"x".repeat(63)] {
            assert!(is_slug(slug), "{slug}");
        }
        for other in ["", "-a", "a-", "Acme", "a.b", "a_b", "ä", "a b", "a'", &"x".repeat(64)] {
            assert!(!is_slug(other), "{other}");
        }
    }

    #[test]
    fn a_state_of_a_later_version_is_not_entered() {
        assert!(TenantRecord::read("acme", None, None, "active").unwrap().is_active());
        assert!(!TenantRecord::read("acme", None, None, "suspended").unwrap().is_active());
        assert!(TenantRecord::read("acme", None, None, "read_only").unwrap().is_active());
        let later = TenantRecord::read("acme", None, None, "archived").unwrap();
        assert_eq!((later.status, later.is_active()), (TenantStatus::Unknown, false));
    }
}
