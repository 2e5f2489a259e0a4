//! How to connect: an address given or in the environment, libpq's variables, its service file and its password file.

mod address; // as an argument, and no password on the screen
mod environment; // PGHOST and its like
mod pairs; // files of `key=value` lines
mod passfile; // ~/.pgpass
mod service; // pg_service.conf
mod tls; // certificates

use clap::Args;

pub use address::{Address, Parser};
pub use tls::Tls;

/// Where the database is.
#[derive(Args, Clone, Debug)]
pub struct Connection {
    /// How to connect: a postgres:// URL, key=value pairs, or `service=<name>`. Without it libpq's variables hold:
    /// PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD, PGSERVICE, PGSSLMODE, …
    #[arg(
        id = "connection",
        long = "url",
        value_name = "URL",
        global = true,
        env = "PGTENANT_URL",
        hide_env_values = true,
        value_parser = address::Parser
    )]
    url: Option<Address>,
}

impl Connection {
    /// What was given, else what the environment says; what is missing is as in libpq.
    ///
    /// # Errors
    /// What cannot be read, in a sentence that shows no password.
    pub fn resolve(&self) -> Result<(tokio_postgres::Config, Tls), String> {
        environment::resolve(self.url.as_ref().map_or("", Address::as_str))
    }
}
