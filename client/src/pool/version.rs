//! Which extension this client works with.

use crate::error::{Error, Kind};

/// The client's own version. It is released with the extension, under the same number.
pub(crate) const CLIENT: &str = env!("CARGO_PKG_VERSION");

/// The same major works together; before 1.0 the same minor.
fn compatible(client: &str, extension: &str) -> bool {
    let line = |version: &str| -> Option<(u64, u64)> {
        let mut parts = version.split(['.', '-', '+']).map(str::parse);
        match (parts.next()?.ok()?, parts.next()?.ok()?) {
            (0, minor) => Some((0, minor)),
            (major, _) => Some((major, 0)),
        }
    };
    line(client).is_some() && line(client) == line(extension)
}

pub(crate) fn check(extension: &str) -> Result<(), Error> {
    if compatible(CLIENT, extension) {
        return Ok(());
    }
    Err(Error::new(
        Kind::VersionMismatch,
        format!("pg_tenant {extension} in the database does not work with pg-tenant-client {CLIENT}"),
    )
    .with_hint("run alter extension pg_tenant update, or build the application with the client of that version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_one_the_minor_decides_after_it_the_major() {
        for (client, extension, works) in [
            ("0.1.0", "0.1.0", true),
            ("0.1.0", "0.1.9", true),
            ("0.1.0", "0.1", true),
            ("0.1.0", "0.1.0-dev", true),
            ("0.1.0", "0.2.0", false),
            ("0.1.0", "1.1.0", false),
            ("1.0.0", "1.7.2", true),
            ("1.0.0", "2.0.0", false),
            ("0.1.0", "", false),
            ("0.1.0", "unknown", false),
        ] {
            assert_eq!(compatible(client, extension), works, "{client} with {extension}");
        }
    }

    #[test]
    fn a_mismatch_names_both() {
        let message = check("99.0.0").unwrap_err().to_string();
        assert!(message.contains("99.0.0") && message.contains(CLIENT), "{message}");
        assert!(check(CLIENT).is_ok());
    }
}
