//! A database with three tenants and one table, and pools of its application role.

use std::time::{Duration, Instant};

use pg_tenant_client::TenantPool;
use pg_tenant_client::sqlx::TenantPool as SqlxPool;
use pg_tenant_tests::{Cluster, Database, Session};
use sqlx::postgres::PgPoolOptions;

use super::ROUTE;

/// `acme` and `globex` are active, `sleepy` is suspended. `acme` has the orders 1 and 2. The operator may enter tenants
/// and the system context.
pub struct Fixture {
    pub db: Database<'static>,
    pub superuser: Session,
    pub operator: String,
}

/// How long to wait for what must happen: far longer than it takes on a slow machine that does other things too.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const INSERT: &str = "insert into orders (total) values (nextval('totals'))";

/// The same in the system context, where there is no tenant to fill in.
pub const SYSTEM_INSERT: &str = "insert into orders (tenant_id, total) values ('globex', nextval('totals'))";

impl Fixture {
    pub async fn new(name: &str) -> Fixture {
        let db = Cluster::shared().database(name).await;
        let admin = db.admin().await;
        admin.run("select tenant.create('acme'), tenant.create('globex'), tenant.create('sleepy')").await;
        admin.run("select tenant.suspend('sleepy')").await;
        let owner = db.owner().await;
        owner
            .run(
                "create table orders (
                     id bigint generated always as identity primary key,
                     tenant_id text not null,
                     total bigint not null,
                     unique (tenant_id, total) deferrable initially deferred);
                 create sequence totals start 1000",
            )
            .await;
        let superuser = db.superuser().await;
        superuser.run("select tenant.protect('orders')").await;
        let operator = format!("regress_{}_operator", db.name);
        superuser
            .run(&format!(
                "create role {operator} login; grant tenant_user, tenant_system to {operator};
                 grant select, insert, update, delete on orders to {operator}, tenant_system;
                 grant usage on sequence totals to {operator}, tenant_system"
            ))
            .await;
        let app = db.app().await;
        app.run("begin; select tenant.enter('acme'); insert into orders (total) values (1), (2); commit").await;
        Fixture { db, superuser, operator }
    }

    /// Where the path to the server begins.
    pub fn port(&self) -> u16 {
        ROUTE.port()
    }

    /// How tokio-postgres goes that path.
    pub fn config(&self, role: &str) -> tokio_postgres::Config {
        ROUTE.config(&self.db.name, role)
    }

    pub fn pool(&self, size: usize) -> TenantPool {
        self.pool_of(self.config(&self.db.roles.app), size)
    }

    pub fn pool_of(&self, config: tokio_postgres::Config, size: usize) -> TenantPool {
        let pool = TenantPool::builder(config).pooler(ROUTE.pooler()).max_size(size).wait_timeout(PATIENCE);
        pool.build().expect("a pool")
    }

    /// The pool of the operator.
    pub fn operators(&self, size: usize) -> TenantPool {
        self.pool_of(self.config(&self.operator), size)
    }

    pub fn sqlx(&self, size: u32) -> SqlxPool {
        self.sqlx_at(self.port(), &self.db.roles.app, size)
    }

    pub fn sqlx_operators(&self, size: u32) -> SqlxPool {
        self.sqlx_at(self.port(), &self.operator, size)
    }

    pub fn sqlx_at(&self, port: u16, role: &str, size: u32) -> SqlxPool {
        let options = PgPoolOptions::new().max_connections(size).acquire_timeout(PATIENCE);
        let url = format!("postgres://{role}@127.0.0.1:{port}/{}", self.db.name);
        SqlxPool::new(options, url.parse().expect("a URL")).pooler(ROUTE.pooler_of_sqlx())
    }

    /// How tokio-postgres goes through a proxy.
    pub fn config_at(&self, port: u16, role: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(port).dbname(&self.db.name).user(role);
        config
    }

    /// Asks another connection what the application's sessions have left: a transaction, a statement, a lock. Waits for
    /// a server that is still working on it, but not for ever.
    pub async fn nothing_is_left(&self, after: &str) {
        let sql = format!(
            "select pid, state, query from pg_stat_activity a
                where usename in ('{}', '{}', 'regress_{2}_provisioning') and datname = '{2}'
                and (state <> 'idle' or xact_start is not null
                    or exists (select from pg_locks l where l.pid = a.pid and l.granted))",
            self.db.roles.app, self.operator, self.db.name
        );
        let since = Instant::now();
        loop {
            let left = self.superuser.rows(&sql).await;
            if left.is_empty() {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{after}: left behind: {left:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// How many orders a tenant has, asked around the client.
    pub async fn orders(&self, tenant: &str) -> i64 {
        let sql = format!("select count(*) from orders where tenant_id = '{tenant}'");
        self.superuser.value(&sql).await.and_then(|n| n.parse().ok()).expect("a count")
    }
}
