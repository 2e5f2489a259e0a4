//! Connections that listen.
//!
//! ```text
//!   TenantListener ──┐ what tenants' transactions have notified
//!                    ├── connection: asked when it is silent, made again when it breaks
//!   directory's ─────┘ the registry has changed
//! ```

pub(crate) mod connection;
mod tenant_listener;

pub use tenant_listener::{Heard, TenantListener, TenantNotification};
