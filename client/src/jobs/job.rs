//! A kind of jobs, and how one is queued.

use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of jobs: what one says, and the name under which workers claim it.
///
/// It is kept as JSON until it is done, and read by the version of the program that does it then: give new fields a
/// default (`#[serde(default)]`), and change a kind's meaning under a new name.
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// 1 to 63 characters `A-Z a-z 0-9 _ . : / -`, as in `invoice.send`.
    const KIND: &'static str;
}

/// How a job is queued, where that is not as its kind says (`tenant.define_job_kind`).
#[derive(Clone, Debug, Default)]
#[must_use = "give it to enqueue_with"]
pub struct JobOptions {
    pub(crate) key: Option<String>,
    pub(crate) run_at: Option<SystemTime>,
    pub(crate) lane: Option<String>,
    pub(crate) priority: Option<i32>,
    pub(crate) max_attempts: Option<i32>,
    pub(crate) trace: Option<String>,
}

impl JobOptions {
    /// As its kind says.
    pub fn new() -> JobOptions {
        JobOptions::default()
    }

    /// One at a time: while a job of this tenant, kind and key is not finished, nothing is queued.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Not before then, by the server's clock.
    pub fn run_at(mut self, time: SystemTime) -> Self {
        self.run_at = Some(time);
        self
    }

    /// Among the jobs of this lane.
    pub fn lane(mut self, lane: impl Into<String>) -> Self {
        self.lane = Some(lane.into());
        self
    }

    /// Before those of the tenant with a higher number; 0 by default.
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = Some(priority.into());
        self
    }

    /// How often it is tried.
    pub fn max_attempts(mut self, attempts: u16) -> Self {
        self.max_attempts = Some(attempts.into());
        self
    }

    /// The W3C `traceparent` that the worker's span goes on from. With the feature `opentelemetry` it is the current
    /// one by default.
    pub fn trace(mut self, traceparent: impl Into<String>) -> Self {
        self.trace = Some(traceparent.into());
        self
    }

    /// When, in seconds since 1970: either driver sends that.
    pub(crate) fn since_1970(&self) -> Option<f64> {
        self.run_at.map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64())
    }

    /// What is sent: the given trace, or the current one.
    pub(crate) fn traceparent(&self) -> Option<String> {
        self.trace.clone().or_else(current_trace)
    }
}

#[cfg(feature = "opentelemetry")]
fn current_trace() -> Option<String> {
    use opentelemetry::trace::TraceContextExt;
    let context = opentelemetry::Context::current();
    let span = context.span();
    let span = span.span_context();
    let flags = span.trace_flags().to_u8();
    span.is_valid().then(|| format!("00-{:032x}-{:016x}-{flags:02x}", span.trace_id(), span.span_id()))
}

#[cfg(not(feature = "opentelemetry"))]
fn current_trace() -> Option<String> {
    None
}
