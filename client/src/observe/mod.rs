//! Spans and metrics. The text of a statement and its parameters are in neither.

#[cfg(feature = "jobs")]
mod job;
#[cfg(feature = "metrics")]
mod labels;
mod meter;
mod span;
#[cfg(feature = "onboarding")]
mod step;

#[cfg(feature = "jobs")]
pub(crate) use job::JobOutcome;
#[cfg(feature = "metrics")]
pub use labels::MetricLabels;
pub(crate) use meter::Meter;
pub(crate) use span::{Call, Whose};
#[cfg(feature = "onboarding")]
pub(crate) use step::StepOutcome;
