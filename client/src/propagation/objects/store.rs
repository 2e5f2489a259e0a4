//! The store: every call of it, inside.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use pg_tenant_core::TenantId;

use super::root::{Root, STORE};
use crate::tenant::ambient;
use crate::tenant::identity::Tenant;

/// One tenant's part of an object store: reading, writing, listing, copying and renaming stay inside it, and paths in
/// and out are those inside.
///
/// The objects of `acme` are below `acme/` of the store, or of [`below`](Self::below); of an id, what is no small
/// letter, digit, `-`, `_` or inner dot is written as `=` and two hexadecimal digits.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use object_store::{ObjectStoreExt, memory::InMemory, path::Path};
/// use pg_tenant_client::{Tenant, objects::TenantStore};
/// use std::sync::Arc;
///
/// let bucket = Arc::new(InMemory::new());
/// let acme: Tenant = "acme".parse()?;
/// let files = TenantStore::new(bucket.clone(), &acme);
/// files.put(&Path::from("logo.png"), "a logo".into()).await?;
/// assert!(bucket.head(&Path::from("acme/logo.png")).await.is_ok());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TenantStore<S> {
    store: S,
    base: Path,
    whose: Whose,
}

#[derive(Clone, Debug)]
enum Whose {
    Tenant(TenantId),
    Task,
}

impl<S> TenantStore<S> {
    /// This tenant's part.
    pub fn new(store: S, tenant: &Tenant) -> TenantStore<S> {
        TenantStore { store, base: Path::default(), whose: Whose::Tenant(*tenant.id()) }
    }

    /// At each call the part of the tenant of the running task (see [`ambient`]). Where the task has none, the call
    /// fails and nothing is done.
    pub fn current(store: S) -> TenantStore<S> {
        TenantStore { store, base: Path::default(), whose: Whose::Task }
    }

    /// The directories of tenants are below this path.
    pub fn below(mut self, base: impl Into<Path>) -> Self {
        self.base = base.into();
        self
    }

    fn root(&self) -> Result<Root> {
        let id = match self.whose {
            Whose::Tenant(id) => id,
            Whose::Task => *ambient::current().map_err(|why| Error::Generic { store: STORE, source: why.into() })?.id(),
        };
        Ok(Root::new(&self.base, &id))
    }

    /// Where a path inside is in the store.
    fn locate(&self, inside: &Path) -> Result<Path> {
        self.root()?.locate(inside)
    }
}

impl<S> fmt::Display for TenantStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.whose {
            Whose::Tenant(id) => write!(f, "{STORE}({id})"),
            Whose::Task => write!(f, "{STORE}(of the task)"),
        }
    }
}

/// A list that cannot begin.
fn failed<T: Send + 'static>(error: Error) -> BoxStream<'static, Result<T>> {
    stream::once(async { Err(error) }).boxed()
}

// A method that the trait gets with a default would pass by here.
#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: ObjectStore> ObjectStore for TenantStore<S> {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.store.put_opts(&self.locate(location)?, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(&self.locate(location)?, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let root = self.root()?;
        let found = self.store.get_opts(&root.locate(location)?, options).await?;
        Ok(GetResult { meta: root.meta(found.meta)?, ..found })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.store.get_ranges(&self.locate(location)?, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let root = match self.root() {
            Ok(root) => root,
            Err(error) => return failed(error),
        };
        let outer = root.clone();
        let located = locations.map(move |location| root.locate(&location?)).boxed();
        self.store.delete_stream(located).map(move |location| outer.strip(&location?)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let found = self.root().and_then(|root| Ok((root.locate(prefix.unwrap_or(&Path::default()))?, root)));
        match found {
            Ok((prefix, root)) => self.store.list(Some(&prefix)).map(move |meta| root.meta(meta?)).boxed(),
            Err(error) => failed(error),
        }
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let found = self.root().and_then(|root| {
            let prefix = root.locate(prefix.unwrap_or(&Path::default()))?;
            Ok((prefix, root.locate(offset)?, root))
        });
        match found {
            Ok((prefix, offset, root)) => {
                self.store.list_with_offset(Some(&prefix), &offset).map(move |meta| root.meta(meta?)).boxed()
            }
            Err(error) => failed(error),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let root = self.root()?;
        let prefix = root.locate(prefix.unwrap_or(&Path::default()))?;
        let found = self.store.list_with_delimiter(Some(&prefix)).await?;
        Ok(ListResult {
            common_prefixes: found.common_prefixes.iter().map(|path| root.strip(path)).collect::<Result<_>>()?,
            objects: found.objects.into_iter().map(|meta| root.meta(meta)).collect::<Result<_>>()?,
            ..found
        })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let root = self.root()?;
        self.store.copy_opts(&root.locate(from)?, &root.locate(to)?, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let root = self.root()?;
        self.store.rename_opts(&root.locate(from)?, &root.locate(to)?, options).await
    }
}
