//! How to connect: an address given or in the environment, libpq's variables, its service file and its password file.

mod address; // as an argument, and no password on the screen
mod environment; // PGHOST and its like
mod file; // addresses under names
mod pairs; // files of `key=value` lines
mod passfile; // ~/.pgpass
mod service; // pg_service.conf
mod tls; // certificates

use std::path::PathBuf;

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
    /// The database of this name in the configuration file.
    #[arg(long = "db", value_name = "NAME", global = true, env = "PGTENANT_DB", conflicts_with = "connection")]
    database: Option<String>,
    /// The configuration file, where it is not pgtenant/config.toml in the user's configuration.
    #[arg(long, value_name = "FILE", global = true, env = "PGTENANT_CONFIG")]
    config: Option<PathBuf>,
}

impl Connection {
    /// What was given, else what the environment says; what is missing is as in libpq.
    ///
    /// # Errors
    /// What cannot be read, in a sentence that shows no password.
    pub fn resolve(&self) -> Result<(tokio_postgres::Config, Tls), String> {
        match &self.url {
            Some(url) => environment::resolve(url.as_str()),
            None => {
                let address = file::address(self.config.as_deref(), self.database.as_deref())?;
                environment::resolve(address.as_deref().unwrap_or(""))
            }
        }
    }
}
