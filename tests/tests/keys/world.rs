//! A table with a sealed column, and keys in a directory of the test's own.

use std::path::PathBuf;

use pg_tenant_client::TenantPool;
use pg_tenant_client::keys::{Column, FileKeys, TenantKeys};
use pg_tenant_tests::{Database, Session, database};

pub const IBAN: Column = Column::new("customers", "iban");
pub const NAME: Column = Column::new("customers", "name");

pub struct World {
    pub db: Database<'static>,
    pub superuser: Session,
    pub directory: PathBuf,
}

impl World {
    /// `customers (id, iban, name, iban_index)`, protected, `iban` declared sealed; tenants `acme` and `globex`.
    pub async fn new(name: &str) -> World {
        let db = database(&format!("keys_{name}")).await;
        let superuser = db.superuser().await;
        db.protector()
            .await
            .run(
                "create table customers (tenant_id text, id bigint generated always as identity, iban bytea, name bytea, iban_index bytea);
                 select tenant.protect('customers'), tenant.declare_sealed('customers', 'iban')",
            )
            .await;
        superuser
            .run(&format!(
                "grant select, insert, update on customers to {}; select tenant.create('acme'), tenant.create('globex')",
                db.roles.app
            ))
            .await;
        let directory = std::env::temp_dir().join(format!("{}_{}", db.name, std::process::id()));
        World { db, superuser, directory }
    }

    pub fn pool(&self) -> TenantPool {
        TenantPool::builder(self.db.config(&self.db.roles.app)).max_size(4).build().expect("a pool")
    }

    pub fn keys(&self) -> TenantKeys {
        TenantKeys::new(FileKeys::new(&self.directory))
    }

    /// A customer with this IBAN; its id.
    pub async fn customer(&self, pool: &TenantPool, keys: &TenantKeys, tenant: &str, iban: &str) -> i64 {
        let mut tx = pool.tenant(tenant).begin().await.expect("a transaction");
        let own = keys.enter(&mut tx, "pii").await.expect("keys");
        let (sealed, index) = (own.seal(&IBAN, iban).expect("sealed"), own.blind_index(&IBAN, iban.as_bytes()));
        let insert = "insert into customers (iban, iban_index) values ($1, $2) returning id";
        let id = tx.query_one(insert, &[&sealed, &index]).await.expect("inserted").get(0);
        tx.commit().await.expect("committed");
        id
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
