//! What a run found: printed as it is found, written as JSON, drawn, and shown in the README.

mod machine; // where, when, and with what
mod page; // the README's figures
mod plot; // one SVG for each workload
mod record; // figures and cells, as JSON
mod stats; // medians and percentiles
mod summary; // three suites in one SVG
mod targets; // what the figures should be

pub(crate) use machine::About;
pub(crate) use record::{Cell, Record};
pub(crate) use stats::{median, percentile};
