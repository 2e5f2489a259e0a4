//! Which tenant a slug or an id is, with the feature `directory`: a bounded cache over the registry.
//!
//! ```text
//!  by_slug, by_id ──► cache ──miss──► Registry (the pool: select … from tenant.find(…)), one call for all who wait
//!                       ▲
//!    Listener ──────────┘ the registry has changed: everything is forgotten
//! ```

mod cache;
mod listener;
mod record;
mod registry;

pub use cache::{Directory, DirectoryBuilder};
pub use listener::Listener;
pub use record::TenantRecord;
pub use registry::{Answer, Find, Registry};
