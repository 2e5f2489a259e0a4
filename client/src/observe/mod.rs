//! What is seen from outside: spans, metrics, baggage. Never the text of a statement, nor its parameters.

#[cfg(feature = "metrics")]
mod labels;
mod meter;
mod span;

#[cfg(feature = "metrics")]
pub use labels::MetricLabels;
pub(crate) use meter::Meter;
pub(crate) use span::Call;
