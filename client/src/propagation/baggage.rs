//! The tenant in OpenTelemetry's baggage, with the feature `opentelemetry`: so that logs and traces of other services
//! can be searched by tenant.
//!
//! Outbound only. Any caller can write baggage, so it proves nothing: what is read from it is a [`ClaimedTenant`],
//! which no pool takes. A tenant comes from a token, see `TokenVerifier`.
//!
//! ```
//! use opentelemetry::Context;
//! use pg_tenant_client::{Tenant, baggage};
//!
//! let acme: Tenant = "acme".parse().unwrap();
//! let _attached = baggage::with_tenant(&Context::current(), &acme).attach();   // a propagator injects it from here
//!
//! let claimed = baggage::claimed(&Context::current()).unwrap();                // what the callee reads
//! assert!(claimed.is(&acme));
//! ```
//!
//! It cannot be made into one:
//!
//! ```compile_fail,E0277
//! # fn example(pool: pg_tenant_client::TenantPool, cx: opentelemetry::Context) {
//! let claimed = pg_tenant_client::baggage::claimed(&cx).unwrap();
//! pool.tenant(claimed);
//! # }
//! ```
//!
//! ```compile_fail,E0277
//! # fn example(cx: opentelemetry::Context) {
//! let tenant: pg_tenant_client::Tenant = pg_tenant_client::baggage::claimed(&cx).unwrap().into();
//! # }
//! ```

use std::fmt;

use opentelemetry::Context;
use opentelemetry::baggage::{BaggageExt, BaggageMetadata, KeyValueMetadata};

use crate::tenant::identity::Tenant;

/// The key in the baggage.
pub const KEY: &str = "tenant.id";

/// A context whose baggage names the tenant, and keeps what it had as far as there is room. Actor, role and token are
/// not in it.
pub fn with_tenant(cx: &Context, tenant: &Tenant) -> Context {
    // Full baggage takes nothing more, and a longer value in place of a shorter one neither: so the tenant is first.
    let ours = KeyValueMetadata::new(KEY, tenant.id().as_str().to_owned(), BaggageMetadata::default());
    let kept = cx.baggage().iter().filter(|(key, _)| key.as_str() != KEY);
    let kept = kept.map(|(key, (value, metadata))| KeyValueMetadata::new(key.clone(), value.clone(), metadata.clone()));
    cx.with_baggage(std::iter::once(ours).chain(kept))
}

/// The tenant that the caller claims to work for; `None` where the baggage names none.
pub fn claimed(cx: &Context) -> Option<ClaimedTenant> {
    cx.baggage().get(KEY).map(|value| ClaimedTenant(value.as_str().to_owned()))
}

/// A tenant that somebody wrote into a header. Use it in log lines (`Debug`) and to notice mistakes early; it cannot be
/// turned into a [`Tenant`].
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimedTenant(String);

impl ClaimedTenant {
    /// Whether the claim is about this tenant.
    pub fn is(&self, tenant: &Tenant) -> bool {
        self.0.parse() == Ok(*tenant.id())
    }
}

impl fmt::Debug for ClaimedTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Somebody else wrote it, at any length.
        let shown: String = self.0.chars().take(80).collect();
        f.debug_tuple("ClaimedTenant").field(&shown).finish()
    }
}
