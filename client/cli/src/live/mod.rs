//! What `serve` and `top` read, again and again: rows of text, out of one transaction each time.

mod database; // connections that come back, a transaction for each look
mod fault; // why there is no answer
mod recent; // the last minutes and the last hour, in steps
mod rows; // rows of text

use crate::ask::Common;
use crate::connect::Address;

pub use database::{Database, Look};
pub use fault::Fault;
pub use recent::{Span, steps};
pub use rows::{Rows, number, text};

/// How many connections it has.
const CONNECTIONS: usize = 4;

/// The database at an address, or where --url and the environment say, encrypted where they say so.
///
/// # Errors
/// What cannot be read of them.
pub fn database(common: &Common, address: Option<Address>, name: &str) -> Result<Database, String> {
    let (config, tls) = address.map_or_else(|| common.connection.resolve(), |address| address.resolve())?;
    Database::new(config, tls.connector()?, name, CONNECTIONS)
}

/// A point in time as people read it, in UTC.
macro_rules! utc {
    ($of:literal) => {
        concat!("to_char(", $of, " at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')")
    };
}
pub(crate) use utc;
