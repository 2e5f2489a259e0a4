//! A tenant's object store reaches, lists and names its own objects only.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use pg_tenant_client::objects::TenantStore;
use pg_tenant_client::{Tenant, ambient};

fn tenant(id: &str) -> Tenant {
    id.parse().expect("a tenant id")
}

fn path(text: &str) -> Path {
    Path::parse(text).expect("a path")
}

/// Every object that the whole store has.
async fn all(store: &dyn ObjectStore) -> Vec<String> {
    paths(store.list(None)).await
}

async fn paths(list: BoxStream<'static, Result<ObjectMeta>>) -> Vec<String> {
    let mut paths: Vec<String> = list.map_ok(|meta| meta.location.to_string()).try_collect().await.expect("a list");
    paths.sort();
    paths
}

async fn text(store: &dyn ObjectStore, at: &str) -> String {
    let bytes = store.get(&path(at)).await.expect(at).bytes().await.expect("bytes");
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Ids that begin with each other, differ in case alone, or hold what paths encode.
const IDS: [&str; 9] = ["acme", "acme2", "acm", "Acme", "acme.", "a:c", "a~c", "a+c", "a@c"];

/// Each tenant writes the same names; then each does everything, and sees its own alone.
async fn everything(store: Arc<dyn ObjectStore>) {
    for id in IDS {
        let mine = TenantStore::new(Arc::clone(&store), &tenant(id)).below("files");
        for name in ["a", "dir/b", "dir/c", "dir2/d"] {
            mine.put(&path(name), format!("{id} {name}").into()).await.unwrap();
        }
        let mut upload = mine.put_multipart(&path("dir/large")).await.unwrap();
        upload.put_part(format!("{id} large").into()).await.unwrap();
        upload.complete().await.unwrap();
    }
    assert_eq!(all(&store).await.len(), IDS.len() * 5, "no two tenants have one object: {:?}", all(&store).await);

    for id in IDS {
        let mine = TenantStore::new(Arc::clone(&store), &tenant(id)).below("files");
        assert_eq!(all(&mine).await, ["a", "dir/b", "dir/c", "dir/large", "dir2/d"], "{id}");
        assert_eq!(paths(mine.list(Some(&path("dir")))).await, ["dir/b", "dir/c", "dir/large"]);
        assert_eq!(paths(mine.list_with_offset(None, &path("dir/b"))).await, ["dir/c", "dir/large", "dir2/d"]);
        assert_eq!(paths(mine.list_with_offset(Some(&path("dir")), &path("dir/c"))).await, ["dir/large"]);
        let top = mine.list_with_delimiter(None).await.unwrap();
        let top = (top.common_prefixes, top.objects.into_iter().map(|meta| meta.location).collect::<Vec<_>>());
        assert_eq!(top, (vec![path("dir"), path("dir2")], vec![path("a")]), "{id}");
        assert_eq!(text(&mine, "dir/large").await, format!("{id} large"));
        let got = mine.get(&path("dir/b")).await.unwrap();
        assert_eq!(got.meta.location, path("dir/b"));
        assert_eq!(mine.head(&path("dir/b")).await.unwrap().location, path("dir/b"));
        let end = id.len() as u64;
        let ranges = mine.get_ranges(&path("a"), &[0..end, end..end + 2]).await.unwrap();
        assert_eq!(ranges, [Bytes::from(id), Bytes::from(" a")]);
        assert_eq!(mine.get_range(&path("a"), 0..end).await.unwrap(), Bytes::from(id));

        mine.copy(&path("a"), &path("copies/a")).await.unwrap();
        assert!(mine.copy_if_not_exists(&path("a"), &path("copies/a")).await.is_err());
        mine.rename(&path("copies/a"), &path("moved")).await.unwrap();
        assert_eq!(text(&mine, "moved").await, format!("{id} a"));
        mine.delete(&path("moved")).await.unwrap();
        let doomed = stream::iter([Ok(path("dir/b")), Ok(path("dir/c"))]).boxed();
        let gone: Vec<Path> = mine.delete_stream(doomed).try_collect().await.unwrap();
        assert_eq!(gone, [path("dir/b"), path("dir/c")], "{id}");
        assert_eq!(all(&mine).await, ["a", "dir/large", "dir2/d"], "{id}");
    }
    assert_eq!(all(&store).await.len(), IDS.len() * 3, "nobody has deleted another's");
}

#[tokio::test]
async fn in_memory() {
    everything(Arc::new(InMemory::new())).await;
}

#[tokio::test]
async fn on_disk() {
    let dir = std::env::temp_dir().join(format!("pg_tenant_files_{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    everything(Arc::new(LocalFileSystem::new_with_prefix(&dir).unwrap())).await;
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn by_a_path_that_climbs() {
    let store = Arc::new(InMemory::new());
    store.put(&path("globex/secret"), "globex's".into()).await.unwrap();
    let mine = TenantStore::new(store.clone(), &tenant("acme"));
    // `Path` takes no such segment as it is, or takes it as a name like any other.
    assert!(Path::parse("../globex/secret").is_err() && Path::from_url_path("..%2Fglobex/secret").is_err());
    for climbing in [
        Path::from("../globex/secret"),
        Path::from("/globex/secret"),
        Path::from("globex/secret"),
        Path::from_iter(["..", "globex", "secret"]),
        Path::from_iter(["../globex/secret"]),
        Path::from("x/../../globex/secret"),
        Path::from("%2e%2e/globex/secret"),
    ] {
        assert!(matches!(mine.get(&climbing).await, Err(Error::NotFound { .. })), "{climbing}");
        assert!(
            mine.copy(&climbing, &path("mine")).await.is_err() && mine.rename(&climbing, &path("mine")).await.is_err()
        );
        mine.put(&climbing, "acme's".into()).await.unwrap();
        let _ = mine.delete(&climbing).await;
    }
    assert_eq!(paths(mine.list(Some(&Path::from("../globex")))).await, Vec::<String>::new());
    assert_eq!(all(&*store).await, ["globex/secret"]);
    assert_eq!(text(&*store, "globex/secret").await, "globex's");
}

#[tokio::test]
async fn of_a_task_without_a_tenant() {
    let store = Arc::new(InMemory::new());
    let files = TenantStore::current(store.clone());
    let nobody = |error: Error| matches!(error, Error::Generic { source, .. } if source.to_string().contains("TN001"));
    let at = path("a");
    assert!(nobody(files.put(&at, "x".into()).await.unwrap_err()));
    assert!(nobody(files.put_multipart(&at).await.err().unwrap()));
    assert!(nobody(files.get(&at).await.unwrap_err()));
    assert!(nobody(files.get_ranges(&at, &[0..1, 1..2]).await.unwrap_err()));
    assert!(nobody(files.delete(&at).await.unwrap_err()));
    assert!(nobody(files.list(None).next().await.unwrap().unwrap_err()));
    assert!(nobody(files.list_with_offset(None, &at).next().await.unwrap().unwrap_err()));
    assert!(nobody(files.list_with_delimiter(None).await.unwrap_err()));
    assert!(nobody(files.copy(&at, &at).await.unwrap_err()));
    assert!(nobody(files.rename(&at, &at).await.unwrap_err()));
    assert_eq!(all(&*store).await, Vec::<String>::new());

    ambient::scope(tenant("acme"), async { files.put(&at, "acme's".into()).await }).await.unwrap();
    ambient::scope(tenant("globex"), async { files.put(&at, "globex's".into()).await }).await.unwrap();
    // A list belongs to whose it was when it began, wherever it is read.
    let list = ambient::scope(tenant("acme"), async { files.list(None) }).await;
    assert_eq!(paths(list).await, ["a"]);
    assert_eq!(all(&*store).await, ["acme/a", "globex/a"]);
}

/// A store that is wrong: it lists and gives what it has, whatever it is asked for.
#[derive(Debug)]
struct Wrong(InMemory);

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wrong")
    }
}

#[async_trait]
impl ObjectStore for Wrong {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.0.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, _: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(&path("globex/secret"), options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.0.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        stream::iter([Ok(path("globex/secret"))]).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(None)
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(Some(&path("globex"))).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.0.rename_opts(from, to, options).await
    }
}

#[tokio::test]
async fn by_a_store_that_is_wrong() {
    let store = Arc::new(Wrong(InMemory::new()));
    store.put(&path("globex/secret"), "globex's".into()).await.unwrap();
    // The wrapper that comes with the crate passes it on.
    let stock = PrefixStore::new(store.clone(), "acme");
    assert_eq!(all(&stock).await, ["globex/secret"]);
    assert_eq!(stock.get(&path("a")).await.unwrap().meta.location, path("globex/secret"));

    let mine = TenantStore::new(store, &tenant("acme"));
    let refused = |error: Error| {
        let told = format!("{error} {error:?}");
        assert!(matches!(error, Error::PermissionDenied { .. }) && !told.contains("globex"), "{told}");
    };
    refused(mine.get(&path("a")).await.unwrap_err());
    refused(mine.list(None).next().await.unwrap().unwrap_err());
    refused(mine.list_with_offset(None, &path("a")).next().await.unwrap().unwrap_err());
    refused(mine.list_with_delimiter(None).await.unwrap_err());
    refused(mine.delete(&path("a")).await.unwrap_err());
}
