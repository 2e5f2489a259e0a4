//! The tenant on its way out of the program.

#[cfg(feature = "opentelemetry")]
pub mod baggage;
pub(crate) mod cache_key;
#[cfg(feature = "envelope")]
pub(crate) mod envelope;
#[cfg(feature = "object_store")]
pub mod objects;
#[cfg(feature = "outbound")]
pub mod outbound;
