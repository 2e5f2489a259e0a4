//! One connection: what is sent on it, and how answers are read.

pub(crate) mod backend_key;
pub(crate) mod backoff;
pub(crate) mod cancel_request;
pub(crate) mod endpoint;
pub(crate) mod flight;
pub(crate) mod form;
pub(crate) mod link;
pub(crate) mod lsn;
pub(crate) mod outcome;
pub(crate) mod param_types;
pub(crate) mod patient;
pub(crate) mod pipelined_flight;
pub(crate) mod preamble;
pub(crate) mod reads;
pub(crate) mod schema_changes;
pub(crate) mod sql;
pub(crate) mod statement_cache;
pub(crate) mod step;
