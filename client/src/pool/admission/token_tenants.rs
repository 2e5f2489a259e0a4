//! Which tenant the server found in a token: so that a token that comes again counts against its tenant from the start.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use pg_tenant_core::TenantId;

use crate::tenant::token::Token;

/// How many tokens are remembered: at least so many, at most twice.
const KEPT: usize = 4096;

/// Tokens by a keyed 128-bit digest, never the tokens themselves. Two generations: what is used stays, and what is not
/// falls out with the older one. A wrong answer would cost fairness, not isolation: the server reads each token.
pub(super) struct TokenTenants {
    keys: [RandomState; 2],
    newer: HashMap<[u64; 2], TenantId>,
    older: HashMap<[u64; 2], TenantId>,
}

impl TokenTenants {
    pub(super) fn new() -> TokenTenants {
        TokenTenants { keys: [RandomState::new(), RandomState::new()], newer: HashMap::new(), older: HashMap::new() }
    }

    fn digest(&self, token: &Token) -> [u64; 2] {
        self.keys.each_ref().map(|key| key.hash_one(token.expose()))
    }

    pub(super) fn tenant(&mut self, token: &Token) -> Option<TenantId> {
        let digest = self.digest(token);
        if let Some(&tenant) = self.newer.get(&digest) {
            return Some(tenant);
        }
        let tenant = self.older.remove(&digest)?;
        self.keep(digest, tenant);
        Some(tenant)
    }

    pub(super) fn learn(&mut self, token: &Token, tenant: TenantId) {
        let digest = self.digest(token);
        if self.newer.get(&digest) != Some(&tenant) {
            self.older.remove(&digest);
            self.keep(digest, tenant);
        }
    }

    fn keep(&mut self, digest: [u64; 2], tenant: TenantId) {
        if self.newer.len() >= KEPT {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(digest, tenant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_bounded() {
        let mut token_tenants = TokenTenants::new();
        let (acme, globex) = ("acme".parse().unwrap(), "globex".parse().unwrap());
        let used = Token::new("used");
        token_tenants.learn(&used, acme);
        for n in 0..10 * KEPT {
            token_tenants.learn(&Token::new(n.to_string()), globex);
            if n % 1000 == 0 {
                assert_eq!(token_tenants.tenant(&used), Some(acme), "after {n}");
            }
        }
        assert!(token_tenants.newer.len() + token_tenants.older.len() <= 2 * KEPT + 1);
        assert_eq!(token_tenants.tenant(&Token::new("0")), None);
        assert_eq!(token_tenants.tenant(&Token::new("never seen")), None);
        token_tenants.learn(&used, globex);
        assert_eq!(token_tenants.tenant(&used), Some(globex));
    }
}
