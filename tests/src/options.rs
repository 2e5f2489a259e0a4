//! What is asked of a server.

use crate::install::Install;

/// Settings of a server, on top of those that make it a fast and quiet one for tests.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) preload: bool,
    pub(crate) name: Option<String>,
    settings: Vec<(String, String)>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) install: Option<&'static Install>,
    pub(crate) initdb: Vec<String>,
}

impl Default for Options {
    /// `pg_tenant` is preloaded, fsync is off, two-phase commit and physical standbys are possible.
    fn default() -> Self {
        let settings = [
            ("listen_addresses", "127.0.0.1"),
            ("fsync", "off"),
            ("synchronous_commit", "off"),
            ("full_page_writes", "off"),
            ("max_connections", "200"),
            ("max_prepared_transactions", "20"),
            ("wal_level", "replica"),
            ("jit", "off"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("lc_messages", "C"),
            ("log_line_prefix", "%m [%p] %u@%d "),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Options { preload: true, name: None, settings, environment: Vec::new(), install: None, initdb: Vec::new() }
    }
}

impl Options {
    /// A server that does not load `pg_tenant`.
    pub fn without_preload() -> Self {
        Options { preload: false, ..Options::default() }
    }

    /// One more line for `postgresql.conf`: the last one for a name wins.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another installation than the current one.
    pub fn on(mut self, install: &'static Install) -> Self {
        self.install = Some(install);
        self
    }

    /// One more argument for `initdb`.
    pub fn initdb(mut self, argument: &str) -> Self {
        self.initdb.push(argument.to_owned());
        self
    }

    /// A variable in the environment of the server's processes.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A directory of this name under `target/clusters/`, for a server that people look for by name. What is there is
    /// replaced.
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The lines for `postgresql.conf`.
    pub(crate) fn conf(&self) -> String {
        let preload = if self.preload { "shared_preload_libraries = 'pg_tenant'\n" } else { "" };
        let line = |(name, value): &(String, String)| format!("{name} = '{}'\n", value.replace('\'', "''"));
        preload.chars().chain(self.settings.iter().map(line).collect::<String>().chars()).collect()
    }
}
