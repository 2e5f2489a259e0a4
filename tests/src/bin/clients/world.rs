//! The server, PgBouncer before it, and a database for each page with two tenants in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::ensure;
use pg_tenant_tests::{Cluster, Line, Options, PgBouncer, run, skipped};

use crate::page::{self, root};

/// How a page's checks reach their database.
pub(crate) struct Route {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
}

pub(crate) struct World {
    cluster: Cluster,
    bouncer: Option<PgBouncer>,
}

impl World {
    pub(crate) async fn build() -> anyhow::Result<World> {
        let index = page::unfold("README")?;
        let roles = fs::read_to_string(index.join("roles.sql"))?;
        let cluster = Cluster::start(Options::default());
        cluster.superuser().await.run(&format!("create extension pg_tenant; {roles}")).await;
        let fetched = Command::new(root().join("tests/setup/pgbouncer")).arg("1.24").output();
        let bouncer = fetched.is_ok_and(|out| out.status.success()).then(|| {
            let transaction =
                [("pool_mode", "transaction"), ("max_prepared_statements", "100"), ("default_pool_size", "4")];
            PgBouncer::start(&cluster, Line::New, &transaction)
        });
        if bouncer.is_none() {
            skipped("the pages' checks through PgBouncer, which cannot be had");
        }
        let world = World { cluster, bouncer };
        world.database("README", &index).await?; // what the index page says of migrations
        Ok(world)
    }

    pub(crate) fn routes(&self) -> Vec<Route> {
        let direct = Route { name: "direct", port: self.cluster.port() };
        let bouncer = self.bouncer.as_ref().map(|b| Route { name: "PgBouncer", port: b.port });
        [Some(direct), bouncer].into_iter().flatten().collect()
    }

    /// A fresh database with the tables of `tests/clients/shop.sql` and what the page, or the directory of its checks,
    /// has in `server.sql` (once), `superuser.sql` and `owner.sql`.
    pub(crate) async fn database(&self, page: &str, files: &Path) -> anyhow::Result<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}_{}", page.to_lowercase().replace('-', "_"), COUNT.fetch_add(1, Ordering::Relaxed));
        self.cluster.superuser().await.run(&format!("create database {name}")).await;
        self.psql(&name, "postgres", &root().join("tests/clients/shop.sql"))?;
        for (role, file) in [("postgres", "server.sql"), ("postgres", "superuser.sql"), ("app_owner", "owner.sql")] {
            let path = files.join(file);
            if path.exists() {
                self.psql(&name, role, &path)?;
            }
            if file == "server.sql" {
                let _ = fs::remove_file(path); // what it made is there for the page's next route too
            }
        }
        Ok(name)
    }

    /// This server's psql.
    pub(crate) fn psql_program(&self) -> PathBuf {
        self.cluster.install().bindir.join("psql")
    }

    fn psql(&self, database: &str, role: &str, file: &Path) -> anyhow::Result<()> {
        let mut psql = self.cluster.program("psql");
        psql.env("PGUSER", role).env("PGDATABASE", database);
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(file);
        let out = run(&mut psql, "");
        ensure!(out.ok, "{}: {}", file.display(), out.stderr);
        Ok(())
    }
}
