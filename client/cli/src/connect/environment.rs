//! What libpq reads of its environment, as far as the driver does not: an address, then the service, then variables.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::tls::{self, Tls};
use super::{pairs, passfile, service};

/// Said in place of an address that cannot be read.
pub const UNREADABLE: &str = "the address is neither a postgres:// URL nor key=value pairs (not shown here: it may \
    hold a password)";

/// The variables, and what each is in an address.
const VARIABLES: [(&str, &str); 13] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGDATABASE", "dbname"),
    ("PGPASSWORD", "password"),
    ("PGOPTIONS", "options"),
    ("PGAPPNAME", "application_name"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
];

/// What the driver does not know of an address: it is taken out of it.
#[derive(Debug, Default)]
struct Apart {
    service: Option<String>,
    sslmode: Option<String>,
    sslrootcert: Option<String>,
}

/// Whether an address can be read at all.
pub fn is_readable(address: &str) -> bool {
    separate(address).is_some()
}

/// An address with what stands in the environment where it says nothing.
pub fn resolve(address: &str) -> Result<(Config, Tls), String> {
    let (mut config, apart) = separate(address).ok_or(UNREADABLE)?;
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    for (variable, key) in VARIABLES {
        if let Ok(value) = std::env::var(variable)
            && !value.is_empty()
        {
            given.insert(key.to_owned(), value);
        }
    }
    let named = apart.service.or_else(|| std::env::var("PGSERVICE").ok().filter(|name| !name.is_empty()));
    if let Some(name) = named {
        given.extend(service::read(&name)?);
    }
    for (key, value) in [("sslmode", apart.sslmode), ("sslrootcert", apart.sslrootcert)] {
        if let Some(value) = value {
            given.insert(key.to_owned(), value);
        }
    }
    let tls = tls::of(given.remove("sslmode").as_deref(), given.remove("sslrootcert").map(PathBuf::from), &mut config)?;
    // Host, address and port are one thing: those of the environment do not mix with those of an address.
    if !config.get_hosts().is_empty() || !config.get_hostaddrs().is_empty() {
        given.retain(|key, _| !matches!(key.as_str(), "host" | "hostaddr" | "port"));
    }
    let missing = Config::from_str(&pairs::written(&given)).map_err(|_| {
        let names: Vec<&str> = given.keys().map(String::as_str).collect();
        format!("a service or a variable of libpq's cannot be read: one of {}", names.join(", "))
    })?;
    complete(&mut config, missing);
    passfile::complete(&mut config);
    Ok((config, tls))
}

/// The address without what the driver does not know.
fn separate(address: &str) -> Option<(Config, Apart)> {
    let mut apart = Apart::default();
    let rest = if address.starts_with("postgres://") || address.starts_with("postgresql://") {
        let (start, query) = address.split_once('?').unwrap_or((address, ""));
        let kept: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !apart.take_encoded(pair)).collect();
        if kept.is_empty() { start.to_owned() } else { format!("{start}?{}", kept.join("&")) }
    } else {
        let mut given = pairs::read(address)?;
        given.retain(|key, value| !apart.take(key, value));
        pairs::written(&given)
    };
    let mut config = Config::from_str(&rest).ok()?;
    if let Some(mode) = &apart.sslmode {
        tls::of(Some(mode), None, &mut config).ok()?;
    }
    Some((config, apart))
}

impl Apart {
    fn take(&mut self, key: &str, value: &str) -> bool {
        let place = match key {
            "service" => &mut self.service,
            "sslmode" => &mut self.sslmode,
            "sslrootcert" => &mut self.sslrootcert,
            _ => return false,
        };
        *place = Some(value.to_owned());
        true
    }

    fn take_encoded(&mut self, pair: &str) -> bool {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
        self.take(key, &decoded)
    }
}

/// What one has and the other has not.
fn complete(config: &mut Config, missing: Config) {
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        for host in missing.get_hosts() {
            match host {
                Host::Tcp(name) => config.host(name),
                #[cfg(unix)]
                Host::Unix(path) => config.host_path(path),
            };
        }
        for address in missing.get_hostaddrs() {
            config.hostaddr(*address);
        }
        if config.get_ports().is_empty() {
            for port in missing.get_ports() {
                config.port(*port);
            }
        }
        if missing.get_hosts().is_empty() && missing.get_hostaddrs().is_empty() {
            config.host("localhost");
        }
    }
    if let (None, Some(user)) = (config.get_user(), missing.get_user()) {
        config.user(user);
    }
    if let (None, Some(name)) = (config.get_dbname(), missing.get_dbname()) {
        config.dbname(name);
    }
    if let (None, Some(password)) = (config.get_password(), missing.get_password()) {
        config.password(password);
    }
    if let (None, Some(options)) = (config.get_options(), missing.get_options()) {
        config.options(options);
    }
    if let (None, Some(timeout)) = (config.get_connect_timeout(), missing.get_connect_timeout()) {
        config.connect_timeout(*timeout);
    }
    config.application_name(
        config.get_application_name().or(missing.get_application_name()).unwrap_or("pgtenant").to_owned(),
    );
}
