//! libpq's service file: named sets of parameters. PGSERVICEFILE or `~/.pg_service.conf`, then
//! `pg_service.conf` in PGSYSCONFDIR.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The parameters of a service.
pub fn read(name: &str) -> Result<BTreeMap<String, String>, String> {
    for file in files() {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        if let Some(found) = section(&text, name) {
            return Ok(found);
        }
    }
    Err(format!("there is no service \"{name}\": PGSERVICEFILE, ~/.pg_service.conf and PGSYSCONFDIR were looked into"))
}

fn files() -> impl Iterator<Item = PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pg_service.conf"));
    let own = std::env::var_os("PGSERVICEFILE").map(PathBuf::from).or_else(home);
    let system = std::env::var_os("PGSYSCONFDIR").map(|folder| PathBuf::from(folder).join("pg_service.conf"));
    own.into_iter().chain(system)
}

fn section(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) == Some(name))?;
    let of_it = lines.take_while(|line| !line.starts_with('['));
    let pair = |line: &str| line.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    Some(of_it.filter(|line| !line.starts_with('#')).filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_service_ends_with_the_next() {
        let text = "# ours\n[shop]\nhost=db\n#port=1\nport=5433\n[other]\nuser=x\n";
        let found = super::section(text, "shop").unwrap();
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [("host", "db"), ("port", "5433")].map(|(k, v)| (k.into(), v.into()))
        );
        assert_eq!(super::section(text, "none"), None);
    }
}
