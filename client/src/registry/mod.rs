//! Which tenant a slug or an id is, with the feature `directory`: a bounded cache over the registry.
//!
//! ```text
//!  by_slug, by_id ──► cache ──miss──► TenantLookup (the pool: select … from tenant.find(…)), one call for all who wait
//!                       ▲
//!    Listener ──────────┘ the registry has changed: everything is forgotten
//! ```

mod directory;
mod listener;
pub(crate) mod lookup;
mod plans;
mod record;

pub use directory::{Directory, DirectoryBuilder};
pub use listener::Listener;
pub use lookup::{LookupFuture, LookupKey, TenantLookup};
pub use record::TenantRecord;

// The names of 0.1.0.
pub use lookup::TenantLookup as Registry;

/// The name of 0.1.0.
#[deprecated(since = "0.2.0", note = "it is called LookupKey")]
pub type Find<'a> = LookupKey<'a>;

/// The name of 0.1.0.
#[deprecated(since = "0.2.0", note = "it is called LookupFuture")]
pub type Answer<'a> = LookupFuture<'a>;
