//! How to connect, as an argument. One that cannot be read is not shown: it may hold a password.

use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};
use tokio_postgres::Config;

/// Reads a URL or key=value pairs.
#[derive(Clone)]
pub struct Address;

const UNREADABLE: &str = "the address is neither a postgres:// URL nor key=value pairs (not shown here: it may hold a \
    password)\n";

impl TypedValueParser for Address {
    type Value = Config;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<Config, clap::Error> {
        let config = value.to_str().and_then(|text| text.parse().ok());
        config.ok_or_else(|| clap::Error::raw(ErrorKind::ValueValidation, UNREADABLE).with_cmd(command))
    }
}
