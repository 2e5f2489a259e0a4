//! How to connect, as an argument. One that cannot be read is not shown: it may hold a password.

use std::ffi::OsStr;
use std::fmt;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};

use super::environment;
use super::tls::Tls;

/// A URL or key=value pairs, which can be read.
#[derive(Clone)]
pub struct Address(String);

impl Address {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it says, and what the environment says of the rest.
    ///
    /// # Errors
    /// What cannot be read, in a sentence that shows no password.
    pub fn resolve(&self) -> Result<(tokio_postgres::Config, Tls), String> {
        environment::resolve(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(..)")
    }
}

/// Reads one.
#[derive(Clone)]
pub struct Parser;

impl TypedValueParser for Parser {
    type Value = Address;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<Address, clap::Error> {
        let read = value.to_str().filter(|text| environment::is_readable(text)).map(|text| Address(text.to_owned()));
        read.ok_or_else(|| {
            clap::Error::raw(ErrorKind::ValueValidation, format!("{}\n", environment::UNREADABLE)).with_cmd(command)
        })
    }
}
