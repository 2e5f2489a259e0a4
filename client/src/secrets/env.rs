//! Secrets in environment variables.

use std::fmt::Write;

use pg_tenant_core::TenantId;
use secrecy::SecretString;

use super::source::{SecretFuture, SecretSource};
use crate::error::Error;

/// Secrets in environment variables of this process, for references `env:NAME`.
///
/// A tenant's variables are those that begin with the prefix and its id: with the prefix `SHOP_`, `env:SMTP` of `acme`
/// is the variable `SHOP_acme_SMTP`. A character of an id that is no letter and no digit is written as `_` and its two
/// hexadecimal digits, so that no two ids have the same.
#[derive(Clone, Debug)]
pub struct EnvSecrets {
    prefix: String,
    shared: bool,
}

impl EnvSecrets {
    /// With this prefix before each tenant's id.
    pub fn new(prefix: impl Into<String>) -> EnvSecrets {
        EnvSecrets { prefix: prefix.into(), shared: false }
    }

    /// The variables are those of the prefix alone: `env:SMTP` is `SHOP_SMTP`, for every tenant. **Every tenant that
    /// changes a reference of its own reads all of them**: for settings that operators alone change.
    pub fn shared_by_all_tenants(mut self) -> EnvSecrets {
        self.shared = true;
        self
    }

    fn variable(&self, tenant: &TenantId, name: &str) -> Option<String> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.len() > 255 || !name.chars().all(is_name) {
            return None;
        }
        let mut variable = self.prefix.clone();
        if !self.shared {
            for byte in tenant.as_str().bytes() {
                match byte.is_ascii_alphanumeric() {
                    true => variable.push(char::from(byte)),
                    false => _ = write!(variable, "_{byte:02X}"),
                }
            }
            // An id has no byte that is written as "__".
            variable.push_str("__");
        }
        variable.push_str(name);
        Some(variable)
    }
}

impl SecretSource for EnvSecrets {
    fn resolve<'a>(&'a self, tenant: &'a TenantId, place: &'a str) -> SecretFuture<'a> {
        let refuse = move |why: &str| Error::no_secret(tenant, &format!("env:{place}"), why);
        let read = || {
            let variable = self.variable(tenant, place).ok_or_else(|| refuse("it is no name of a variable"))?;
            let value = std::env::var(&variable).map_err(|_| refuse("no such variable is set for this tenant"))?;
            Ok(SecretString::from(value))
        };
        let read = read();
        Box::pin(async move { read })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_tenants_have_the_same_variable() {
        let source = EnvSecrets::new("SHOP_");
        let ids = ["a", "a_5FB", "a_b", "a.b", "a-b", "aB", "a__B", "A"];
        let mut seen = HashSet::new();
        for id in ids {
            for name in ["B", "_B", "__B", "5FB", "a__B"] {
                let variable = source.variable(&id.parse().unwrap(), name).unwrap();
                assert!(variable.starts_with("SHOP_"));
                assert!(seen.insert(variable.clone()), "{variable} is another's");
            }
        }
    }

    #[tokio::test]
    async fn a_name_leads_nowhere_else() {
        let acme: TenantId = "acme".parse().unwrap();
        for place in ["PATH", "../PATH", "HOME", "", "A=B", "A B", "$PATH", "Ä"] {
            let error = EnvSecrets::new("").resolve(&acme, place).await.unwrap_err();
            assert!(error.to_string().contains("of tenant acme is not there"), "{error}");
        }
        let shared = EnvSecrets::new("CARGO_").shared_by_all_tenants();
        assert!(shared.resolve(&acme, "MANIFEST_DIR").await.is_ok());
        assert!(shared.resolve(&acme, "../PATH").await.is_err());
    }
}
