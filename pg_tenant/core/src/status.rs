//! The states of a tenant, and which state leads to which.

use std::fmt;
use std::str::FromStr;

/// The state of a tenant in the registry: who may enter it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TenantStatus {
    /// It is being set up. Members of `tenant_admin` enter it; others are refused with `TN130`.
    Provisioning,
    /// Whoever may, enters it.
    Active,
    /// Whoever may, enters it; each transaction is read-only.
    ReadOnly,
    /// Nobody enters it (`TN003`) until it is resumed; its rows stay.
    Suspended,
    /// It is leaving. Members of `tenant_admin` enter it, for exports; others are refused with `TN131`.
    Offboarding,
    /// It is gone, and nobody enters it (`TN132`). Its id is never given again.
    Purged,
    /// A state that this version does not know, of a later one: nobody enters it (`TN003`).
    Unknown,
}

use TenantStatus::{Active, Offboarding, Provisioning, Purged, ReadOnly, Suspended, Unknown};

impl TenantStatus {
    /// Every state, as the registry's check constraint lists them.
    pub const ALL: &'static [TenantStatus] = &[Provisioning, Active, ReadOnly, Suspended, Offboarding, Purged];

    /// The state as the registry stores it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Provisioning => "provisioning",
            Active => "active",
            ReadOnly => "read_only",
            Suspended => "suspended",
            Offboarding => "offboarding",
            Purged => "purged",
            Unknown => "unknown",
        }
    }

    /// The states that it leads to: the registry refuses every other change (`TN133`). The view
    /// `tenant.status_transitions` says the same.
    pub const fn leads_to(self) -> &'static [TenantStatus] {
        match self {
            Provisioning => &[Active, Purged],
            Active => &[ReadOnly, Suspended, Offboarding],
            ReadOnly => &[Active, Suspended, Offboarding],
            Suspended => &[Active, ReadOnly, Offboarding],
            Offboarding => &[Active, Purged],
            Purged | Unknown => &[],
        }
    }

    /// Whether everybody who may enter tenants may enter it.
    pub const fn is_open(self) -> bool {
        matches!(self, Active | ReadOnly)
    }
}

impl fmt::Display for TenantStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TenantStatus {
    type Err = ();
    /// Reads a state from the registry. A text that is no known state is an error: the caller refuses.
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|s| s.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_is_written() {
        for &status in TenantStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert!(!status.leads_to().contains(&status));
        }
        assert_eq!("unknown".parse::<TenantStatus>(), Err(()));
    }

    #[test]
    fn nothing_leads_out_of_purged_or_back_to_provisioning() {
        assert!(Purged.leads_to().is_empty());
        assert!(TenantStatus::ALL.iter().all(|status| !status.leads_to().contains(&Provisioning)));
    }
}
