//! The cache: bounded, for a time, also for what is not there; one lookup for all who wait for the same.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;
use pg_tenant_core::TenantId;

use super::lookup::{LookupKey, TenantLookup};
use super::record::{TenantRecord, is_slug};
use crate::error::Error;

/// Finds the tenant of a slug or an id, and caches it.
///
/// A tenant that was found is cached for a time, one that was not found for a shorter time, an error not at all. Calls
/// for the same key at the same time share one lookup. A change of the registry, such as a suspension, is noticed when
/// that time is over, or at once with [`listen`](Self::listen). **It decides what an edge answers, not who gets in:**
/// the server checks each transaction.
///
/// Cloning shares the cache.
///
/// ```no_run
/// # async fn example(pool: pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
/// use pg_tenant_client::directory::Directory;
///
/// let directory = Directory::new(pool);
/// if let Some(record) = directory.by_slug("acme").await? {
///     println!("{} is {}", record.id, record.status);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    registry: Box<dyn TenantLookup>,
    /// Under each key's generation, so that what was read before a change is not found after it, even where it comes in
    /// after it.
    cache: Cache<(u64, Key), Option<Arc<TenantRecord>>>,
    generation: AtomicU64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Slug(Box<str>),
    Id(TenantId),
    Domain(Box<str>),
}

/// Builds a [`Directory`].
#[derive(Debug)]
#[must_use = "a builder does nothing until build()"]
pub struct DirectoryBuilder {
    capacity: u64,
    lifetimes: Lifetimes,
}

#[derive(Clone, Copy, Debug)]
struct Lifetimes {
    found: Duration,
    missing: Duration,
}

impl DirectoryBuilder {
    /// How many slugs and ids are cached, found or not; 10,000 by default.
    pub fn capacity(mut self, entries: u64) -> Self {
        self.capacity = entries;
        self
    }

    /// How long a tenant that was found is cached; 30 seconds by default.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.lifetimes.found = ttl;
        self
    }

    /// How long it is cached that there is no such tenant; 5 seconds by default.
    pub fn negative_ttl(mut self, ttl: Duration) -> Self {
        self.lifetimes.missing = ttl;
        self
    }

    /// Looks up with this pool, or whatever else knows tenants.
    pub fn build(self, registry: impl TenantLookup) -> Directory {
        let cache = Cache::builder().max_capacity(self.capacity).expire_after(self.lifetimes).build();
        Directory(Arc::new(Inner { registry: Box::new(registry), cache, generation: AtomicU64::new(0) }))
    }
}

impl Directory {
    /// Looks up with this pool, or whatever else knows tenants.
    pub fn new(registry: impl TenantLookup) -> Directory {
        Directory::builder().build(registry)
    }

    /// A builder, for other sizes and times than the defaults.
    pub fn builder() -> DirectoryBuilder {
        let lifetimes = Lifetimes { found: Duration::from_secs(30), missing: Duration::from_secs(5) };
        DirectoryBuilder { capacity: 10_000, lifetimes }
    }

    /// The tenant with this slug, active or not; `None` where there is none. A text that cannot be a slug is not looked
    /// up.
    ///
    /// # Errors
    /// The registry's.
    pub async fn by_slug(&self, slug: &str) -> Result<Option<Arc<TenantRecord>>, Error> {
        if is_slug(slug) { self.find(Key::Slug(slug.into())).await } else { Ok(None) }
    }

    /// The tenant with this id, active or not; `None` where there is none.
    ///
    /// # Errors
    /// The registry's.
    pub async fn by_id(&self, id: &TenantId) -> Result<Option<Arc<TenantRecord>>, Error> {
        self.find(Key::Id(*id)).await
    }

    /// The tenant that this host leads to, active or not: the one that has proved the domain to be its own
    /// (`tenant.verify_domain`). A port is left out. `None` where there is none. A text that cannot be a domain is not
    /// looked up.
    ///
    /// # Errors
    /// The registry's.
    pub async fn by_domain(&self, host: &str) -> Result<Option<Arc<TenantRecord>>, Error> {
        match domain(host) {
            Some(domain) => self.find(Key::Domain(domain.into())).await,
            None => Ok(None),
        }
    }

    /// Empties the cache. The results of lookups that are running now are not cached either.
    pub fn forget(&self) {
        self.0.cache.invalidate_all();
        // After it: what is looked up from here on is kept.
        self.0.generation.fetch_add(1, Ordering::AcqRel);
    }

    async fn find(&self, key: Key) -> Result<Option<Arc<TenantRecord>>, Error> {
        let Inner { registry, cache, generation } = &*self.0;
        let lookup = async {
            let what = match &key {
                Key::Slug(slug) => LookupKey::Slug(slug),
                Key::Id(id) => LookupKey::Id(id),
                Key::Domain(domain) => LookupKey::Domain(domain),
            };
            Ok(registry.find(what).await?.map(Arc::new))
        };
        let key = (generation.load(Ordering::Acquire), key.clone());
        cache.try_get_with(key, lookup).await.map_err(Error::shared)
    }
}

/// The domain of a host, as the registry has it.
fn domain(host: &str) -> Option<String> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_end_matches('.').to_ascii_lowercase();
    let label =
        |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (name.len() <= 253 && name.contains('.') && name.split('.').all(label)).then_some(name)
}

impl Expiry<(u64, Key), Option<Arc<TenantRecord>>> for Lifetimes {
    fn expire_after_create(&self, _: &(u64, Key), found: &Option<Arc<TenantRecord>>, _: Instant) -> Option<Duration> {
        Some(if found.is_some() { self.found } else { self.missing })
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("entries", &self.0.cache.entry_count()).finish_non_exhaustive()
    }
}
