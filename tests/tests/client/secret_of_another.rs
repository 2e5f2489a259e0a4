//! A tenant's secret is resolved from what its setting refers to, after the transaction has ended; a reference of a
//! tenant's own choice leads to nothing of another tenant's, nor of the program's.
//!
//! Not through PgBouncer: one statement is sent, and the rest happens in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use pg_tenant_client::secrets::{
    EnvSecrets, ExposeSecret, FileSecrets, SecretFuture, SecretSource, SecretString, Secrets,
};
use pg_tenant_client::{TenantId, TenantPool};

use super::fixture::Fixture;

/// Asks the database while a secret is resolved: with one connection in the pool it must be free again.
#[derive(Clone)]
struct Vault(TenantPool, Arc<AtomicUsize>);

impl SecretSource for Vault {
    fn resolve<'a>(&'a self, tenant: &'a TenantId, place: &'a str) -> SecretFuture<'a> {
        Box::pin(async move {
            self.1.fetch_add(1, SeqCst);
            self.0.tenant(tenant).query("select 1", &[]).await?;
            Ok(SecretString::from(format!("{place} of {tenant}")))
        })
    }
}

#[tokio::test]
async fn by_its_setting() {
    let fixture = Fixture::new("secrets").await;
    fixture
        .superuser
        .run(
            r#"select tenant.declare_setting('key', secret => true, changed_by => 'tenant'), tenant.declare_setting('theme');
               select tenant.set_setting('acme', 'key', '"vault:smtp"'), tenant.set_setting('acme', 'theme', '"vault:smtp"')"#,
        )
        .await;
    let directory = std::env::temp_dir().join(format!("pg_tenant_client_secrets_{}", std::process::id()));
    for tenant in ["acme", "globex"] {
        std::fs::create_dir_all(directory.join(tenant)).unwrap();
        std::fs::write(directory.join(tenant).join("key"), format!("of {tenant}\n")).unwrap();
    }
    let (pool, asked) = (fixture.pool(1), Arc::default());
    let secrets = Secrets::new()
        .file(FileSecrets::new(&directory))
        .env(EnvSecrets::new("CARGO_"))
        .source("vault", Vault(pool.clone(), Arc::clone(&asked)))
        .ttl(Duration::from_secs(3600));
    assert!(!format!("{secrets:?}").contains("smtp"));
    let (acme, sqlx) = (pool.tenant("acme"), fixture.sqlx(1));
    let of = |secret: Option<SecretString>| secret.map(|secret| secret.expose_secret().to_owned());
    assert_eq!(of(acme.secret(&secrets, "key").await.unwrap()).as_deref(), Some("smtp of acme"));
    assert_eq!(of(sqlx.tenant("acme").secret(&secrets, "key").await.unwrap()).as_deref(), Some("smtp of acme"));
    assert_eq!(asked.load(SeqCst), 1, "the second one was kept");
    secrets.forget();
    acme.secret(&secrets, "key").await.unwrap();
    assert_eq!(asked.load(SeqCst), 2);
    assert!(pool.tenant("globex").secret(&secrets, "key").await.unwrap().is_none());
    assert_eq!(acme.secret(&secrets, "theme").await.unwrap_err().code(), Some("TN152"));
    assert_eq!(sqlx.tenant("acme").secret(&secrets, "nothing").await.unwrap_err().code(), Some("TN150"));

    // The tenant's own word.
    let own = async |reference: &str| {
        let set = "select tenant.set_own_setting('key', to_jsonb($1::text))";
        acme.query(set, &[&reference]).await.unwrap();
        acme.secret(&secrets, "key").await
    };
    assert_eq!(of(own("file:key").await.unwrap()).as_deref(), Some("of acme"));
    for reference in [
        "file:../globex/key",
        "file:/etc/passwd",
        &format!("file:{}/globex/key", directory.display()),
        "env:MANIFEST_DIR",
        "env:PATH",
    ] {
        let error = own(reference).await.unwrap_err();
        assert!(error.code().is_none() && error.message().contains("of tenant acme is not there"), "{error}");
    }
    let without = Secrets::new();
    assert!(acme.secret(&without, "key").await.unwrap_err().detail().unwrap().contains("no source"));
    std::fs::remove_dir_all(&directory).unwrap();
}
