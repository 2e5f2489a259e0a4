//! A database per test: nothing that one test leaves is seen by another.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::roles::Roles;
use crate::sql::Session;

/// A database of a running server, with five roles of its own.
pub struct Database<'c> {
    /// Its name: what was asked for, and a number.
    pub name: String,
    /// Who works in it.
    pub roles: Roles,
    cluster: &'c Cluster,
}

/// The database with the extension that others are copied from.
const TEMPLATE: &str = "with_tenant";

impl Cluster {
    /// A fresh database in which the extension is created. `name`: lower-case letters, digits and `_`.
    pub async fn database(&self, name: &str) -> Database<'_> {
        let create = async {
            self.superuser().await.run(&format!("create database {TEMPLATE}")).await;
            self.superuser_of(TEMPLATE).await.run("create extension pg_tenant").await;
            self.until_left(TEMPLATE).await;
        };
        self.template.get_or_init(|| create).await;
        self.create(name, TEMPLATE).await
    }

    /// A fresh database without the extension.
    pub async fn plain_database(&self, name: &str) -> Database<'_> {
        self.create(name, "template1").await
    }

    /// Waits until nobody is in a database: then it can be copied.
    pub async fn until_left(&self, database: &str) {
        let (superuser, since) = (self.superuser().await, Instant::now());
        let sessions = format!(
            "select count(*) from pg_stat_activity where datname = '{database}' and backend_type = 'client backend'"
        );
        while superuser.value(&sessions).await.as_deref() != Some("0") {
            assert!(since.elapsed() < Duration::from_secs(60), "somebody stays in the database {database}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// A superuser's session in the database `postgres`: settings, roles, other databases.
    pub async fn superuser(&self) -> Session {
        self.superuser_of("postgres").await
    }

    async fn superuser_of(&self, database: &str) -> Session {
        Session::connect(&self.config(database, "postgres")).await
    }

    /// How tokio-postgres finds `database` of this server, through its socket.
    pub fn config(&self, database: &str, role: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.socket_dir()).port(self.port()).dbname(database).user(role);
        config
    }

    async fn create(&self, name: &str, template: &str) -> Database<'_> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(
            name.len() <= 36 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
            "{name:?} is no name for a database: at most 36 lower-case letters, digits and `_`"
        );
        let name = format!("{name}_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let roles = Roles::of(&name);
        let superuser = self.superuser().await;
        self.drop_done(&superuser).await;
        superuser.run(&format!("create database {name} template {template}")).await;
        let database = Database { name, roles, cluster: self };
        database.superuser().await.run(&database.roles.sql(template == TEMPLATE)).await;
        database
    }

    /// Drops what tests have done with: hundreds of databases would fill a small disk. One that is held, by a prepared
    /// transaction or a slot, stays until the server ends.
    async fn drop_done(&self, superuser: &Session) {
        let done = std::mem::take(&mut *self.done.lock().expect("nobody panics with the list"));
        for name in done {
            let _ = superuser.batch_execute(&format!("drop database if exists {name} with (force)")).await;
        }
    }
}

impl Drop for Database<'_> {
    /// Dropped on the server when the next one is made: here nothing can be awaited.
    fn drop(&mut self) {
        if let Ok(mut done) = self.cluster.done.lock() {
            done.push(std::mem::take(&mut self.name));
        }
    }
}

impl<'c> Database<'c> {
    /// The application's session.
    pub async fn app(&self) -> Session {
        self.connect(&self.roles.app).await
    }

    /// A session of the tables' owner.
    pub async fn owner(&self) -> Session {
        self.connect(&self.roles.owner).await
    }

    /// A session of the one who protects and manages.
    pub async fn admin(&self) -> Session {
        self.connect(&self.roles.admin).await
    }

    /// A session of the BYPASSRLS role.
    pub async fn backup(&self) -> Session {
        self.connect(&self.roles.backup).await
    }

    /// A session of the one without membership.
    pub async fn bystander(&self) -> Session {
        self.connect(&self.roles.bystander).await
    }

    /// A superuser's session, for what only a superuser can prepare.
    pub async fn superuser(&self) -> Session {
        self.connect("postgres").await
    }

    /// A session of any role.
    pub async fn connect(&self, role: &str) -> Session {
        Session::connect(&self.config(role)).await
    }

    /// How tokio-postgres and deadpool find this database, through the socket.
    pub fn config(&self, role: &str) -> tokio_postgres::Config {
        self.cluster.config(&self.name, role)
    }

    /// How everything else finds it, over TCP.
    pub fn url(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{}", self.cluster.port(), self.name)
    }

    /// The server it is on.
    pub fn cluster(&self) -> &'c Cluster {
        self.cluster
    }
}
