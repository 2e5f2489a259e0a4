//! Where, when and with what a run was made. No names of hosts, no paths.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use anyhow::Context;
use pg_tenant_tests::Session;
use serde::{Deserialize, Serialize};

/// What a figure cannot be read without.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct About {
    /// Year, month, day, UTC.
    pub(crate) date: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    /// How many processes ran or wanted to, in the minute before. Above `cores`, others disturbed the run.
    pub(crate) load_before: f64,
    pub(crate) postgresql: String,
    /// Crates by name: the client, and those it is compared with.
    pub(crate) versions: BTreeMap<String, String>,
}

const CRATES: [&str; 6] = ["pg-tenant-client", "tokio-postgres", "deadpool-postgres", "sqlx", "diesel-async", "tokio"];

impl About {
    /// This machine now, and the server of this session.
    pub(crate) async fn here(session: &Session) -> anyhow::Result<About> {
        let version = "select split_part(current_setting('server_version'), ' ', 1)";
        Ok(About {
            date: session.value("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD')").await.context("a date")?,
            cpu: cpu(&fs::read_to_string("/proc/cpuinfo")?),
            cores: thread::available_parallelism()?.get(),
            load_before: load()?,
            postgresql: session.value(version).await.context("a version")?,
            versions: CRATES.iter().map(|name| (name.to_string(), locked(LOCK, name))).collect(),
        })
    }
}

const LOCK: &str = include_str!("../../../Cargo.lock");

/// The mean number of processes that ran or wanted to in the last minute.
fn load() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().context("/proc/loadavg")?.parse()?)
}

fn cpu(cpuinfo: &str) -> String {
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or("unknown", |(_, name)| name.trim()).to_owned()
}

/// The version of a crate in a Cargo.lock.
fn locked(lock: &str, name: &str) -> String {
    let package = lock.split_once(&format!("name = \"{name}\"\nversion = \""));
    package.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_read() {
        assert_eq!(cpu("processor : 0\nmodel name\t: Some CPU @ 2 GHz\nflags : a b"), "Some CPU @ 2 GHz");
        assert_eq!(cpu("processor : 0"), "unknown");
        assert_eq!(locked("name = \"ab\"\nversion = \"1.2\"\n[[package]]\nname = \"a\"\nversion = \"3\"\n", "a"), "3");
        assert!(CRATES.iter().all(|name| locked(LOCK, name) != "unknown"));
    }
}
