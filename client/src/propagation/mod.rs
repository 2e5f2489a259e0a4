//! The tenant in what leaves the program: requests, jobs, objects, cache keys.

#[cfg(feature = "opentelemetry")]
pub mod baggage;
pub(crate) mod cache_key;
#[cfg(feature = "envelope")]
pub(crate) mod envelope;
#[cfg(feature = "object_store")]
pub mod objects;
#[cfg(feature = "outbound")]
pub mod outbound;
