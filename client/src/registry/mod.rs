//! Which tenant a slug or an id is, with the feature `directory`: a bounded cache over the registry.
//!
//! ```text
//!  by_slug, by_id ──► cache ──miss──► Registry (the pool: select … from tenant.find(…)), one call for all who wait
//!                       ▲
//!    Listener ──────────┘ the registry has changed: everything is forgotten
//! ```

mod directory;
mod listener;
pub(crate) mod lookup;
mod record;

pub use directory::{Directory, DirectoryBuilder};
pub use listener::Listener;
pub use lookup::{Answer, Find, Registry};
pub use record::TenantRecord;
