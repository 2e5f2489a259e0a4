//! Keys of caches, which cannot be built without a tenant.

use std::fmt::{self, Display, Write};

use crate::error::Error;
use crate::tenant::ambient;
use crate::tenant::generation::Generation;
use crate::tenant::identity::Tenant;

/// A key in a cache that several tenants share, such as Redis: `tenant/acme/order/7`. There is none without a tenant,
/// and no two tenants, and no two lists of parts, have the same.
///
/// ```
/// use pg_tenant_client::{CacheKey, Tenant};
///
/// let acme: Tenant = "acme".parse().unwrap();
/// let key = CacheKey::new(&acme, "order").and(7);
/// assert_eq!(key.as_str(), "tenant/acme/order/7");
/// assert!(key.as_str().starts_with(&CacheKey::prefix(&acme)));
/// assert_eq!(CacheKey::new(&acme, "a/b").as_str(), "tenant/acme/a%2Fb");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(String);

impl CacheKey {
    /// The tenant's key of this name.
    pub fn new(tenant: &Tenant, name: impl Display) -> CacheKey {
        CacheKey(CacheKey::prefix(tenant)).part(name)
    }

    /// The key of this name of the running task's tenant (see [`ambient`]).
    ///
    /// # Errors
    /// `TN001` where the task has none.
    pub fn current(name: impl Display) -> Result<CacheKey, Error> {
        Ok(CacheKey::new(&ambient::current()?, name))
    }

    /// Appends a part, and so makes a key below this one.
    pub fn and(mut self, part: impl Display) -> CacheKey {
        self.0.push('/');
        self.part(part)
    }

    /// The key of what was read in this generation of the tenant: after a change of its plan or settings it is another
    /// key, and what was kept before is not found any more. No part has such a key's last one.
    pub fn at(mut self, generation: Generation) -> CacheKey {
        // The per cent sign is followed by no hexadecimal digit.
        let _ = write!(self.0, "/%g{generation}");
        self
    }

    /// The prefix of all keys of the tenant, and of no other tenant's, for deleting them together. It has no character
    /// that means something in a glob pattern.
    pub fn prefix(tenant: &Tenant) -> String {
        format!("tenant/{}/", tenant.id())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn part(mut self, part: impl Display) -> CacheKey {
        // Writing to a String does not fail; a Display that does leaves out what it does not want to say.
        let _ = write!(Escaped(&mut self.0), "{part}");
        self
    }
}

/// Takes visible ASCII as it is and the rest in hexadecimal, so that a part holds no separator, no space and no line
/// end.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            match byte {
                b'/' | b'%' => write!(self.0, "%{byte:02X}")?,
                _ if byte.is_ascii_graphic() => self.0.push(char::from(byte)),
                _ => write!(self.0, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

impl AsRef<str> for CacheKey {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<CacheKey> for String {
    fn from(key: CacheKey) -> String {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn of(tenant: &str, parts: &[&str]) -> CacheKey {
        let mut parts = parts.iter();
        let key = CacheKey::new(&tenant.parse().unwrap(), parts.next().unwrap());
        parts.fold(key, CacheKey::and)
    }

    #[test]
    fn no_two_tenants_and_no_two_lists_of_parts_have_the_same() {
        let tenants = ["acme", "acme2", "acme:a", "acme.a", "acme-a", "a"];
        let lists: [&[&str]; 12] = [
            &["a"],
            &["a", "b"],
            &["a/b"],
            &["a%2Fb"],
            &["a", ""],
            &["a", "", "b"],
            &["", "a"],
            &["a b"],
            &["ä"],
            &["\n"],
            &["%"],
            &["../globex/a"],
        ];
        let keys: HashSet<String> =
            tenants.iter().flat_map(|tenant| lists.iter().map(|parts| of(tenant, parts).into())).collect();
        assert_eq!(keys.len(), tenants.len() * lists.len());
        for key in &keys {
            assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "{key:?}");
            let whose = tenants.iter().filter(|tenant| key.starts_with(&CacheKey::prefix(&tenant.parse().unwrap())));
            assert_eq!(whose.count(), 1, "{key}");
        }
    }

    #[test]
    fn a_generation_has_keys_of_its_own() {
        let [one, other] = [7, -7].map(Generation::new);
        let keys = [
            of("acme", &["order"]),
            of("acme", &["order"]).at(one),
            of("acme", &["order"]).at(other),
            of("acme", &["order"]).and(one),
            of("acme", &["order"]).and(format!("%g{one}")),
            of("acme", &["order", "g"]).at(one),
        ];
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
        assert_eq!(keys[1].as_str(), "tenant/acme/order/%g0000000000000007");
        assert_eq!(keys[2].as_str(), "tenant/acme/order/%gfffffffffffffff9");
        assert!(keys.iter().all(|key| key.as_str().starts_with(&CacheKey::prefix(&"acme".parse().unwrap()))));
    }

    #[tokio::test]
    async fn a_task_without_a_tenant_has_no_key() {
        assert!(CacheKey::current("order").unwrap_err().is_no_tenant());
        let inside = ambient::scope("acme".parse().unwrap(), async { CacheKey::current("order") }).await;
        assert_eq!(inside.unwrap(), of("acme", &["order"]));
    }
}
