//! The file that `pg_tenant.jwks_file` names.
//!
//! PostgreSQL's rule for its own key file, and a little less where nothing in it is secret: a regular file of the
//! server's user or of root, which nobody else may write; one that holds a secret (HS256), nobody else may read, but
//! for a group where it is root's.

use crate::pg::server;
use pg_tenant_token::{KeySet, Zeroizing};
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;

/// The largest file that is read.
const MAX_LEN: u64 = 1 << 20;

/// Reads the keys, or says why not.
pub fn read(path: &str) -> Result<KeySet, String> {
    let failed = |error: std::io::Error| format!("{error}.");
    // Opening a pipe would wait for whoever writes it.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err("It is not a regular file.".into());
    }
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(about.len().min(MAX_LEN)).unwrap_or(0) + 1));
    file.take(MAX_LEN + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_LEN {
        return Err("It is larger than 1 MiB.".into());
    }
    let keys = KeySet::parse(&bytes).map_err(|bad| format!("It cannot be used: {bad}."))?;
    check_access(&about, keys.has_secret())?;
    Ok(keys)
}

/// A directory on the path to this file that other users may write to: they could replace the file.
pub fn way_to_replace(path: &str) -> Option<String> {
    const STICKY: u32 = 0o1000;
    let file = std::fs::canonicalize(path).ok()?;
    file.ancestors().skip(1).find_map(|directory| {
        let about = std::fs::metadata(directory).ok()?;
        let name = directory.display();
        if about.uid() != 0 && about.uid() != server::user() {
            return Some(format!("Directory {name} belongs neither to the server's user nor to root."));
        }
        let open = about.mode() & 0o022 != 0 && about.mode() & STICKY == 0;
        open.then(|| format!("Directory {name} has mode {:04o}: others may write it.", about.mode() & 0o7777))
    })
}

fn check_access(about: &Metadata, secret: bool) -> Result<(), String> {
    let (root, mode) = (about.uid() == 0, about.mode() & 0o777);
    if !root && about.uid() != server::user() {
        return Err("It belongs neither to the server's user nor to root.".into());
    }
    if mode & 0o022 != 0 {
        return Err(format!("Its mode is {mode:04o}: others may write it."));
    }
    if secret && mode & if root { 0o037 } else { 0o077 } != 0 {
        return Err(format!("Its mode is {mode:04o}, and it holds a secret that others may read: chmod 0600."));
    }
    Ok(())
}
