//! What `serve` and `top` read, again and again: rows of text, out of one transaction each time.

mod database; // connections that come back, a transaction for each look
mod fault; // why there is no answer
mod recent; // the last minutes, in steps
mod rows; // rows of text

pub use database::{Database, Look};
pub use fault::Fault;
pub use recent::steps;
pub use rows::{Rows, number, text};

/// A point in time as people read it, in UTC.
macro_rules! utc {
    ($of:literal) => {
        concat!("to_char(", $of, " at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')")
    };
}
pub(crate) use utc;
