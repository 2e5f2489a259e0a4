//! Secrets in files.

use std::path::{Component, Path, PathBuf};

use pg_tenant_core::TenantId;
use secrecy::SecretString;
use secrecy::zeroize::Zeroize;

use super::source::{SecretFuture, SecretSource};
use crate::error::Error;

/// A file that is longer is no secret.
const LONGEST: u64 = 64 * 1024;

/// Secrets in files below a directory, for references `file:path`.
///
/// A tenant's files are those in the directory's own directory of its id: below `/run/secrets`, `file:smtp` of `acme`
/// is `/run/secrets/acme/smtp`. A path from the root is taken where it leads there as well. Links are followed, and
/// must not lead out of it. A line break at the end is left out; a file of more than 64 kB is refused.
#[derive(Clone, Debug)]
pub struct FileSecrets {
    directory: PathBuf,
    shared: bool,
}

impl FileSecrets {
    /// Below this directory, which has one for each tenant.
    pub fn new(directory: impl Into<PathBuf>) -> FileSecrets {
        FileSecrets { directory: directory.into(), shared: false }
    }

    /// The files are those of the directory itself, for every tenant. **Every tenant that changes a reference of its
    /// own reads all of them**: for settings that operators alone change.
    pub fn shared_by_all_tenants(mut self) -> FileSecrets {
        self.shared = true;
        self
    }
}

/// Reads a file that is below the directory wherever links lead. An id has neither a separator nor a dot in front.
fn read(directory: &Path, place: &str) -> Result<SecretString, &'static str> {
    let asked = Path::new(place);
    if place.contains('\0') || asked.components().any(|part| part == Component::ParentDir) {
        return Err("the path has a part that leads upwards");
    }
    let directory = directory.canonicalize().map_err(|_| "there is no directory for this tenant")?;
    let file = directory.join(asked).canonicalize().map_err(|_| "there is no such file for this tenant")?;
    if !file.starts_with(&directory) || file == directory {
        return Err("there is no such file for this tenant");
    }
    let metadata = file.metadata().map_err(|_| "the file cannot be read")?;
    if !metadata.is_file() || metadata.len() > LONGEST {
        return Err("it is no file of at most 64 kB");
    }
    let mut text = std::fs::read_to_string(&file).map_err(|_| "the file cannot be read, or is not UTF-8")?;
    let secret = SecretString::from(text.strip_suffix('\n').map_or(&*text, |line| line.trim_end_matches('\r')));
    text.zeroize();
    Ok(secret)
}

impl SecretSource for FileSecrets {
    fn resolve<'a>(&'a self, tenant: &'a TenantId, place: &'a str) -> SecretFuture<'a> {
        let directory = if self.shared { self.directory.clone() } else { self.directory.join(tenant.as_str()) };
        let asked = place.to_owned();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || read(&directory, &asked)).await;
            let done = done.unwrap_or(Err("reading it was cut off"));
            done.map_err(|why| Error::no_secret(tenant, &format!("file:{place}"), why))
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[tokio::test]
    async fn a_path_leads_nowhere_else() {
        let root = std::env::temp_dir().join(format!("pg_tenant_secrets_{}", std::process::id()));
        for tenant in ["acme", "globex"] {
            std::fs::create_dir_all(root.join(tenant).join("deep")).unwrap();
            std::fs::write(root.join(tenant).join("smtp"), format!("of {tenant}\r\n")).unwrap();
        }
        std::fs::write(root.join("acme/deep/key"), "deep").unwrap();
        std::fs::write(root.join("acme/long"), vec![b'x'; LONGEST as usize + 1]).unwrap();
        #[cfg(unix)]
        for (link, to) in [("out", "/etc/passwd"), ("beside", "../globex/smtp"), ("in", "deep/key"), ("up", "..")] {
            std::os::unix::fs::symlink(to, root.join("acme").join(link)).unwrap();
        }
        let (source, acme) = (FileSecrets::new(&root), "acme".parse().unwrap());
        let absolute = root.join("acme/smtp");
        for (place, secret) in [("smtp", "of acme"), ("deep/key", "deep"), (absolute.to_str().unwrap(), "of acme")] {
            assert_eq!(source.resolve(&acme, place).await.unwrap().expose_secret(), secret, "{place}");
        }
        #[cfg(unix)]
        assert_eq!(source.resolve(&acme, "in").await.unwrap().expose_secret(), "deep");
        let other = root.join("globex/smtp");
        for place in [
            "/etc/passwd",
            "../globex/smtp",
            "deep/../../globex/smtp",
            other.to_str().unwrap(),
            "out",
            "beside",
            "up/globex/smtp",
            "",
            ".",
            "deep",
            "long",
            "nothing",
            "smtp\0",
        ] {
            let error = source.resolve(&acme, place).await.unwrap_err();
            assert!(error.to_string().contains("of tenant acme is not there"), "{place}: {error}");
        }
        let nobody = "nobody".parse().unwrap();
        assert!(source.resolve(&nobody, "smtp").await.is_err());
        let shared = FileSecrets::new(root.join("acme")).shared_by_all_tenants();
        assert_eq!(shared.resolve(&nobody, "smtp").await.unwrap().expose_secret(), "of acme");
        std::fs::remove_dir_all(&root).unwrap();
    }
}
