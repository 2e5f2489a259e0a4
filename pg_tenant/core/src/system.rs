//! How the system context stands in `pg_tenant.id`.

/// The system context of a transaction: it has no tenant, and reaches the rows of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SystemContext {
    /// Reads rows of all tenants.
    Read,
    /// Writes them too.
    Write,
    /// Reads and writes the rows of all tenants in the tables that the role owns, as that role.
    Owner,
}

impl SystemContext {
    /// All of them.
    pub const ALL: &'static [SystemContext] = &[SystemContext::Read, SystemContext::Write, SystemContext::Owner];

    /// The context that is entered with `write => …`.
    pub const fn new(write: bool) -> Self {
        if write { SystemContext::Write } else { SystemContext::Read }
    }

    /// As `pg_tenant.id` has it. No tenant id begins with `*`, so the two are never taken for each other.
    pub const fn as_str(self) -> &'static str {
        match self {
            SystemContext::Read => "*system read",
            SystemContext::Write => "*system write",
            SystemContext::Owner => "*system owner",
        }
    }

    /// Reads a value of `pg_tenant.id`.
    pub fn from_setting(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|context| context.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TenantId;

    #[test]
    fn it_is_no_tenant_id() {
        for context in SystemContext::ALL {
            assert!(context.as_str().parse::<TenantId>().is_err());
            assert_eq!(SystemContext::from_setting(context.as_str()), Some(*context));
        }
        assert_eq!(SystemContext::from_setting("*system"), None);
        assert_eq!(SystemContext::from_setting(""), None);
    }
}
