//! A tenant's part of an object store, with the feature `object_store`.

mod root;
mod store;

pub use store::TenantStore;
