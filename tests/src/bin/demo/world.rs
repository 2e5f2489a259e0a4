//! A private server, TPC-H on it, and protection with one call.

use std::time::Instant;

use anyhow::Context;
use pg_tenant_tests::{Cluster, Options, Session};

use crate::data::{self, SHARED, TENANTS};
use crate::{heading, table};

/// The running server.
pub struct World {
    pub cluster: Cluster,
}

/// The database, and who works in it.
pub const DATABASE: &str = "shop";
/// An ordinary login: member of `tenant_user`.
pub const APP: &str = "demo_app";
/// Owns the tables, protects them: member of `tenant_admin`.
pub const ADMIN: &str = "demo_admin";
/// A login that lives inside one tenant.
pub const BOUND: &str = "demo_bi";

impl World {
    pub async fn build(scale: f64) -> anyhow::Result<World> {
        let world = World { cluster: Cluster::start(Options::default().named("demo")) };
        let version = world.cluster.superuser().await.value("show server_version").await;
        heading(&format!(
            "A private server: PostgreSQL {}, shared_preload_libraries = 'pg_tenant'",
            version.unwrap_or_default()
        ));
        world.cluster.superuser().await.run(&format!("create database {DATABASE}")).await;
        let dba = world.session("postgres").await;
        dba.run(&format!(
            "create role {APP} login; create role {ADMIN} login; create role {BOUND} login;
             create extension pg_tenant;
             grant tenant_user to {APP}, {BOUND}; grant tenant_admin to {ADMIN};
             grant create on schema public to {ADMIN};"
        ))
        .await;
        let admin = world.session(ADMIN).await;
        let start = Instant::now();
        admin.run(include_str!("schema.sql")).await;
        let rows = data::load(&admin, scale).await.context("load TPC-H")?;
        admin.run(include_str!("keys.sql")).await;
        dba.run(include_str!("stock.sql")).await;
        println!("TPC-H at scale {scale}: {rows} rows in {:.1} s", start.elapsed().as_secs_f64());
        protect(&admin).await?;
        Ok(world)
    }

    pub fn config(&self, role: &str) -> tokio_postgres::Config {
        self.cluster.config(DATABASE, role)
    }

    pub fn url(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{DATABASE}", self.cluster.port())
    }

    pub async fn session(&self, role: &str) -> Session {
        Session::connect(&self.config(role)).await
    }
}

/// Registers the tenants, protects the schema with one call and prints what came of it.
async fn protect(admin: &Session) -> anyhow::Result<()> {
    admin.run(&format!("grant select, insert, update, delete on all tables in schema public to {APP}, {BOUND}")).await;
    let mut sizes = table(&["tenant", "id", "customers", "orders", "lineitems"]);
    for (tenant, slug) in TENANTS.iter().enumerate() {
        let id = data::id(tenant);
        admin.execute("select tenant.create($1::uuid, slug => $2)", &[&id, slug]).await?;
        let count = "select (select count(*) from customer where tenant_id = $1)::text,
                (select count(*) from orders where tenant_id = $1)::text,
                (select count(*) from lineitem where tenant_id = $1)::text";
        let row = admin.query_one(count, &[&id]).await?;
        sizes.add_row([slug.to_string(), id.to_string(), row.get(0), row.get(1), row.get(2)]);
    }
    println!("{sizes}");
    for shared in SHARED {
        admin.execute("select tenant.share($1::text::regclass, 'TPC-H: the same for everyone')", &[&shared]).await?;
    }
    let start = Instant::now();
    let called = admin.query("select relation::text, result from tenant.protect_schema('public')", &[]).await?;
    println!("\nselect * from tenant.protect_schema('public');   {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let mut what = table(&["relation", "result", "tenant column", "policy", "index"]);
    for row in called {
        let relation: String = row.get(0);
        let detail = "select tenant_column::text || ' ' || tenant_type, policy::text, index::text
            from tenant.protected_tables where relation::text = $1";
        let detail = admin.query_opt(detail, &[&relation]).await?;
        let column = |n: usize| detail.as_ref().map_or(String::new(), |detail| detail.get(n));
        what.add_row([relation.clone(), row.get(1), column(0), column(1), column(2)]);
    }
    println!("{what}");
    Ok(())
}
