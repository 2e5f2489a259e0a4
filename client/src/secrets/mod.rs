//! Secrets of tenants, with the feature `secrets`: settings hold references to them, which are resolved here.
//!
//! ```text
//!  pool.tenant(…).secret(&secrets, name) ──► tenant.secret_reference(name): "file:smtp", declared secret?
//!                                        ──► the transaction ends ──► Secrets: cached? ──► SecretSource of the scheme
//! ```
//!
//! A tenant may be let change its own references (`declare_setting(…, changed_by => 'tenant')`), and then it names what
//! is read. So [`EnvSecrets`] and [`FileSecrets`] read, for each tenant, only what lies under its own name: `acme` gets
//! neither `file:/etc/shadow` nor `env:DATABASE_URL`, nor what is `globex`'s. Whoever writes a source of their own
//! decides likewise by the tenant that is asked for.

mod env;
mod file;
mod handle;
mod keep;
mod source;

pub use env::EnvSecrets;
pub use file::FileSecrets;
#[cfg(feature = "sqlx")]
pub(crate) use handle::REFERENCE;
pub use keep::Secrets;
pub use secrecy::{ExposeSecret, SecretString};
pub use source::{SecretFuture, SecretSource};
