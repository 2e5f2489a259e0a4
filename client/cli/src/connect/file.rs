//! The program's own file, `pgtenant/config.toml` in the user's configuration: an address under a name for each
//! database, and one that holds without a name.
//!
//! ```toml
//! url = "service=shop"
//!
//! [databases]
//! staging = "postgres://olga@staging.example/shop?sslmode=verify-full"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    url: Option<String>,
    #[serde(default)]
    databases: BTreeMap<String, String>,
}

/// The address of this name, or the one without; none where the file, which need not be there, has none.
///
/// # Errors
/// A file that was named and cannot be read, one that is malformed, and a name that is not in it.
pub fn address(named: Option<&Path>, database: Option<&str>) -> Result<Option<String>, String> {
    let Some(path) = named.map(Path::to_owned).or_else(usual) else { return none(database, "there is no home") };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(_) if named.is_none() => return none(database, &format!("{} is not there", path.display())),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    // An error of the reader's quotes the line, in which a password may stand.
    let file: File =
        toml::from_str(&text).map_err(|error| format!("{} cannot be read: {}", path.display(), error.message()))?;
    match database {
        None => Ok(file.url),
        Some(name) => match file.databases.get(name) {
            Some(address) => Ok(Some(address.clone())),
            None => none(database, &format!("{} has no such name", path.display())),
        },
    }
}

fn none(database: Option<&str>, why: &str) -> Result<Option<String>, String> {
    database.map_or(Ok(None), |name| Err(format!("no address is known for the database \"{name}\": {why}")))
}

fn usual() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let directory = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home)?;
    Some(directory.join("pgtenant/config.toml"))
}
