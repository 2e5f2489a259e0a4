//! libpq's password file: `host:port:database:user:password` lines, of which the first that fits holds. PGPASSFILE or
//! `~/.pgpass`; one that others may read is not used.

use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// Gives the configuration its password, if it has none and the file has.
pub fn complete(config: &mut Config) {
    if config.get_password().is_some() {
        return;
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
    let Some(file) = std::env::var_os("PGPASSFILE").map(PathBuf::from).or_else(home) else { return };
    if !is_private(&file) {
        return;
    }
    let Ok(text) = std::fs::read_to_string(&file) else { return };
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        _ => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let user = config.get_user().unwrap_or_default().to_owned();
    let name = config.get_dbname().unwrap_or(&user).to_owned();
    if let Some(password) = find(&text, [&host, &port, &name, &user]) {
        config.password(password);
    }
}

#[cfg(unix)]
fn is_private(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let Ok(about) = std::fs::metadata(file) else { return false };
    if about.permissions().mode() & 0o077 != 0 {
        eprintln!("warning: {} can be read by others, so it is not used", file.display());
        return false;
    }
    about.is_file()
}

#[cfg(not(unix))]
fn is_private(file: &Path) -> bool {
    file.is_file()
}

fn find(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let (password, keys) = fields.split_last()?;
        let fits = keys.len() == 4 && keys.iter().zip(wanted).all(|(key, wanted)| key == "*" || key == wanted);
        fits.then(|| password.clone())
    })
}

/// The five fields of a line; a backslash takes the next character as it is.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut characters) = (Vec::new(), String::new(), line.chars());
    while let Some(character) = characters.next() {
        match character {
            '\\' => field.extend(characters.next()),
            ':' if fields.len() < 4 => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_line_that_fits_holds() {
        let text = "# theirs\ndb:5432:shop:ann:no\\:1\n*:*:*:bea:two\n";
        assert_eq!(super::find(text, ["db", "5432", "shop", "ann"]).as_deref(), Some("no:1"));
        assert_eq!(super::find(text, ["x", "1", "y", "bea"]).as_deref(), Some("two"));
        assert_eq!(super::find(text, ["db", "5433", "shop", "ann"]), None);
    }
}
