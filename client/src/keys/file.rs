//! Keys in files of a directory: for one machine, or a volume that is not backed up together with the database.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use pg_tenant_core::TenantId;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::service::{KeyFuture, KeyService};
use crate::error::Error;

/// A file `<tenant>.key` of 32 random bytes for each tenant, which its owner alone can read. One that was destroyed
/// leaves an empty `<tenant>.destroyed`, so that no other is made in its place.
///
/// Keep the directory out of the database's backups: with both, what was destroyed can be brought back.
#[derive(Clone, Debug)]
pub struct FileKeys {
    directory: PathBuf,
}

impl FileKeys {
    /// In this directory, which is made where there is none.
    pub fn new(directory: impl Into<PathBuf>) -> FileKeys {
        FileKeys { directory: directory.into() }
    }

    /// Does it elsewhere, since it waits for the disk.
    fn run<T: Send + 'static>(
        &self,
        tenant: &TenantId,
        what: &'static str,
        work: impl FnOnce(&Path, &TenantId) -> Result<T, String> + Send + 'static,
    ) -> KeyFuture<'static, T> {
        let (directory, tenant) = (self.directory.clone(), *tenant);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || work(&directory, &tenant)).await;
            let done = done.unwrap_or_else(|_| Err("It was cut off.".into()));
            done.map_err(|why| Error::key_service(&tenant, what, why))
        })
    }
}

impl KeyService for FileKeys {
    fn wrap<'a>(&'a self, tenant: &'a TenantId, key: &'a [u8]) -> KeyFuture<'a, Vec<u8>> {
        let key = Zeroizing::new(key.to_vec());
        self.run(tenant, "wrapped", move |directory, tenant| {
            let master = read(directory, tenant).or_else(|_| make(directory, tenant))?;
            let mut nonce = [0; NONCE_LEN];
            SystemRandom::new().fill(&mut nonce).map_err(|_| "There are no random numbers.")?;
            let mut wrapped = key.to_vec();
            sealing(&master)?
                .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(tenant), &mut wrapped)
                .map_err(|_| "It is too long.")?;
            Ok([nonce.as_slice(), &wrapped].concat())
        })
    }

    fn unwrap<'a>(&'a self, tenant: &'a TenantId, wrapped: &'a [u8]) -> KeyFuture<'a, Zeroizing<Vec<u8>>> {
        let wrapped = wrapped.to_vec();
        self.run(tenant, "unwrapped", move |directory, tenant| {
            let master = read(directory, tenant)?;
            let (nonce, rest) = wrapped.split_at_checked(NONCE_LEN).ok_or("It is too short.")?;
            let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| "It is too short.")?;
            let mut key = Zeroizing::new(rest.to_vec());
            let opened = sealing(&master)?.open_in_place(nonce, aad(tenant), &mut key);
            let length = opened.map_err(|_| "It was wrapped by another key.")?.len();
            key.truncate(length);
            Ok(key)
        })
    }

    fn destroy<'a>(&'a self, tenant: &'a TenantId) -> KeyFuture<'a, ()> {
        self.run(tenant, "destroyed", |directory, tenant| {
            let io = |error: std::io::Error| error.to_string();
            fs::create_dir_all(directory).map_err(io)?;
            private(&destroyed(directory, tenant))
                .open(destroyed(directory, tenant))
                .map_err(io)?
                .sync_all()
                .map_err(io)?;
            let file = place(directory, tenant);
            // Overwritten first, for what that is worth on this file system.
            if let Ok(mut old) = OpenOptions::new().write(true).open(&file) {
                old.write_all(&[0; 32]).and_then(|()| old.sync_all()).map_err(io)?;
                fs::remove_file(&file).map_err(io)?;
            }
            sync(directory).map_err(io)
        })
    }
}

fn place(directory: &Path, tenant: &TenantId) -> PathBuf {
    directory.join(format!("{tenant}.key"))
}

fn destroyed(directory: &Path, tenant: &TenantId) -> PathBuf {
    directory.join(format!("{tenant}.destroyed"))
}

fn read(directory: &Path, tenant: &TenantId) -> Result<Zeroizing<Vec<u8>>, String> {
    if destroyed(directory, tenant).exists() {
        return Err("It was destroyed.".into());
    }
    let mut key = Zeroizing::new(Vec::with_capacity(33));
    let file = fs::File::open(place(directory, tenant)).map_err(|error| error.to_string())?;
    file.take(33).read_to_end(&mut key).map_err(|error| error.to_string())?;
    if key.len() == 32 { Ok(key) } else { Err("The file is no key.".into()) }
}

/// Whole or not at all, and one of two that do so at once.
fn make(directory: &Path, tenant: &TenantId) -> Result<Zeroizing<Vec<u8>>, String> {
    if destroyed(directory, tenant).exists() {
        return Err("It was destroyed.".into());
    }
    let io = |error: std::io::Error| error.to_string();
    fs::create_dir_all(directory).map_err(io)?;
    let mut key = Zeroizing::new(vec![0; 32]);
    let mut name = [0; 8];
    let random = SystemRandom::new();
    random.fill(&mut key).and_then(|()| random.fill(&mut name)).map_err(|_| "There are no random numbers.")?;
    let fresh = directory.join(format!(".{tenant}.{:016x}", u64::from_be_bytes(name)));
    let mut file = private(&fresh).create_new(true).open(&fresh).map_err(io)?;
    file.write_all(&key).and_then(|()| file.sync_all()).map_err(io)?;
    // A link, unlike a rename, does not replace one that is there.
    let linked = fs::hard_link(&fresh, place(directory, tenant));
    let _ = fs::remove_file(&fresh);
    match linked {
        Ok(()) => sync(directory).map_err(io).map(|()| key),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => read(directory, tenant),
        Err(error) => Err(error.to_string()),
    }
}

/// Readable by its owner alone.
fn private(_: &Path) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

fn sync(directory: &Path) -> std::io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

fn sealing(master: &[u8]) -> Result<LessSafeKey, String> {
    let key = UnboundKey::new(&AES_256_GCM, master).map_err(|_| "The file is no key.")?;
    Ok(LessSafeKey::new(key))
}

fn aad(tenant: &TenantId) -> Aad<Vec<u8>> {
    Aad::from(format!("pg_tenant wrapped key 1 {tenant}").into_bytes())
}
