//! Values that only their own tenant opens, with the feature `keys`: sealed columns, and keys that can be destroyed.
//!
//! ```no_run
//! # async fn example(pool: pg_tenant_client::TenantPool) -> Result<(), Box<dyn std::error::Error>> {
//! use pg_tenant_client::keys::{Column, FileKeys, Sealed, TenantKeys};
//!
//! // An operator, once: alter table customers add iban bytea, add iban_index bytea;
//! // select tenant.declare_sealed('customers', 'iban');
//! const IBAN: Column = Column::new("customers", "iban");
//!
//! let keys = TenantKeys::new(FileKeys::new("/var/lib/shop/keys"));
//! let mut tx = pool.tenant("acme").begin().await?;
//! let acme = keys.enter(&mut tx, "pii").await?;
//! let (iban, index) = (acme.seal(&IBAN, "CH93 0076 2011")?, acme.blind_index(&IBAN, b"CH9300762011"));
//! tx.execute("insert into customers (iban, iban_index) values ($1, $2)", &[&iban, &index]).await?;
//! let row = tx.query_one("select iban from customers where iban_index = $1", &[&index]).await?;
//! let iban: Sealed<String> = row.get(0);
//! assert_eq!(acme.open(&IBAN, &iban)?, "CH93 0076 2011");
//! tx.commit().await?;
//! # Ok(()) }
//! ```
//!
//! Each tenant has a key that a [`KeyService`] holds and the database never sees. Under it each purpose has a data key,
//! which seals values by AES-256-GCM with tenant, purpose, table and column as associated data: a value that is copied
//! into another tenant's row, or another column, does not open. Data keys stand in `tenant.data_keys`, wrapped by the
//! tenant's key. [`TenantKeys::destroy`] destroys that key when a tenant has left: what it has sealed opens nowhere any
//! more, in no backup either, since no backup has the key.
//!
//! What this keeps: a stolen database or backup shows lengths, which rows are of which tenant, and by a blind index
//! which rows of one tenant have the same value. Who may run the application's code, or asks the key service in its
//! place, reads what the application reads.

mod cache;
mod column;
mod command;
mod data_key;
mod destroy;
mod file;
mod opened;
mod rotation;
mod sealed;
mod service;
mod store;
#[cfg(feature = "keys-vault")]
mod vault;

pub use cache::TenantKeys;
pub use column::Column;
pub use command::CommandKeys;
pub use file::FileKeys;
pub use opened::{BlindIndex, OpenKeys};
pub use rotation::Resealed;
pub use sealed::Sealed;
pub use service::{KeyFuture, KeyService, Zeroizing};
#[cfg(feature = "sqlx")]
pub(crate) use store::{ADD, STORED, Stored, StoredKey};
#[cfg(feature = "keys-vault")]
pub use vault::VaultKeys;
