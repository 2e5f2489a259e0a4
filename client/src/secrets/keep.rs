//! Sources by the beginning of the reference, and a cache over them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pg_tenant_core::TenantId;
use secrecy::SecretString;

use super::env::EnvSecrets;
use super::file::FileSecrets;
use super::source::SecretSource;
use crate::error::Error;

/// Of a tenant and a reference: since when, and the secret.
type Kept = HashMap<(TenantId, Box<str>), (Instant, SecretString)>;

/// How many secrets are kept.
const CAPACITY: usize = 10_000;

/// Resolves references to secrets, and keeps each for a time: 60 seconds, unless [`ttl`](Self::ttl) says otherwise.
///
/// A reference of a kind without a source is refused. What is kept is overwritten in memory when its time is over, as
/// soon as another secret is kept, and with [`forget`](Self::forget). Cloning shares the cache.
///
/// ```no_run
/// # async fn example(pool: pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
/// use pg_tenant_client::secrets::{ExposeSecret, FileSecrets, Secrets};
///
/// // An operator: select tenant.declare_setting('smtp.password', secret => true, changed_by => 'tenant');
/// let secrets = Secrets::new().file(FileSecrets::new("/run/secrets"));
/// if let Some(password) = pool.tenant("acme").secret(&secrets, "smtp.password").await? {
///     send_mail_with(password.expose_secret());
/// }
/// # Ok(()) }
/// # fn send_mail_with(_: &str) {}
/// ```
#[derive(Clone)]
pub struct Secrets {
    sources: HashMap<String, Arc<dyn SecretSource>>,
    ttl: Duration,
    kept: Arc<Mutex<Kept>>,
}

impl Secrets {
    /// Without a source.
    pub fn new() -> Secrets {
        Secrets { sources: HashMap::new(), ttl: Duration::from_secs(60), kept: Arc::default() }
    }

    /// Resolves references `env:…`.
    pub fn env(self, source: EnvSecrets) -> Self {
        self.source("env", source)
    }

    /// Resolves references `file:…`.
    pub fn file(self, source: FileSecrets) -> Self {
        self.source("file", source)
    }

    /// Resolves references of this kind, `vault` for `vault:…`.
    pub fn source(mut self, kind: &str, source: impl SecretSource) -> Self {
        self.sources.insert(kind.to_owned(), Arc::new(source));
        self
    }

    /// How long a secret is kept; not at all with zero.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The secret that this reference is to this tenant. It waits for its source, and holds no connection.
    ///
    /// # Errors
    /// The source's; where there is none for this kind, an [`Error`] without a SQLSTATE.
    pub async fn resolve(&self, tenant: &TenantId, reference: &str) -> Result<SecretString, Error> {
        let key = (*tenant, Box::from(reference));
        if let Some((since, secret)) = self.kept().get(&key)
            && since.elapsed() < self.ttl
        {
            return Ok(secret.clone());
        }
        let (kind, place) = reference.split_once(':').unwrap_or_default();
        let source = self.sources.get(kind).map(Arc::clone);
        let source = source.ok_or_else(|| Error::no_secret(tenant, reference, "there is no source for this kind"))?;
        let since = Instant::now();
        let secret = source.resolve(tenant, place).await?;
        if !self.ttl.is_zero() {
            let mut kept = self.kept();
            kept.retain(|_, (since, _)| since.elapsed() < self.ttl);
            if kept.len() >= CAPACITY {
                kept.clear();
            }
            kept.insert(key, (since, secret.clone()));
        }
        Ok(secret)
    }

    /// Overwrites all that is kept.
    pub fn forget(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Secrets {
    fn default() -> Secrets {
        Secrets::new()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds: Vec<&String> = self.sources.keys().collect();
        kinds.sort();
        f.debug_struct("Secrets").field("kinds", &kinds).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}
