//! The states of a tenant.

use std::fmt;
use std::str::FromStr;

/// The state of a tenant in the registry. Only an active tenant can be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TenantStatus {
    /// May be entered.
    Active,
    /// Refused until it is resumed; its rows stay.
    Suspended,
}

impl TenantStatus {
    /// Every state, as the registry's check constraint lists them.
    pub const ALL: &'static [TenantStatus] = &[TenantStatus::Active, TenantStatus::Suspended];

    /// The state as the registry stores it.
    pub const fn as_str(self) -> &'static str {
        match self {
            TenantStatus::Active => "active",
            TenantStatus::Suspended => "suspended",
        }
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
