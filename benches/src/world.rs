//! The server: a table for point reads with many tenants, one for scans in which one tenant has most rows.

use pg_tenant_tests::{Cluster, Options, Session};
use uuid::Uuid;

pub(crate) struct World {
    cluster: Cluster,
}

/// Member of `tenant_user`.
pub(crate) const APP: &str = "bench_app";
/// The same, bound to [`tenant`].
pub(crate) const BOUND: &str = "bench_bound";
/// BYPASSRLS.
pub(crate) const BYPASS: &str = "bench_bypass";

/// How many tenants, and rows of each, the table of points has.
const TENANTS: i64 = 100;
pub(crate) const ROWS: i64 = 3000;

/// Which of them is measured. It has seven tenths of the table of rows.
const TENANT: i64 = 42;

/// Its id.
pub(crate) fn tenant() -> Uuid {
    tenant_of(TENANT)
}

/// The n-th key of that tenant, in an order that jumps about.
pub(crate) fn key(n: i64) -> i64 {
    key_of(TENANT, n)
}

/// The id of one of the hundred tenants.
pub(crate) fn tenant_of(tenant: i64) -> Uuid {
    Uuid::from_u128(0x4000_8000_0000_0000_0000 + tenant as u128)
}

/// The n-th key of a tenant. Its row's amount is the key's last three digits.
pub(crate) fn key_of(tenant: i64, n: i64) -> i64 {
    (n * 1009) % ROWS * TENANTS + tenant
}

/// A server to measure on.
fn settings(options: Options) -> Options {
    options.set("shared_buffers", "512MB").set("autovacuum", "off")
}

/// The table of points, and a table `plain` of one tenant's that nobody protects.
fn points() -> String {
    format!(
        "create function id(n bigint) returns uuid language sql immutable
            as $$ select ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
         create table points (tenant_id uuid not null, id bigint, amount bigint, note text, primary key (tenant_id, id));
         insert into points select id(n % {TENANTS}), n, n % 1000, 'note ' || n
            from generate_series(0, {TENANTS} * {ROWS} - 1) n;
         create table plain (id bigint primary key, amount bigint, note text);
         insert into plain select id, amount, note from points where tenant_id = id({TENANT})"
    )
}

/// A server that does not preload the library, so that none of its hooks is armed, with policies as `tenant.protect`
/// makes them: on `points` they call the same reader, which knows no tenant there, so that the tenant is a literal
/// behind it; on `fixed` they have the literal alone.
pub(crate) async fn without_library() -> Cluster {
    let cluster = Cluster::start(settings(Options::without_preload()));
    let (points, tenant) = (points(), tenant());
    let dba = cluster.superuser().await;
    dba.run(&format!(
        "create role {APP} login; create role {BOUND} login; {points};
         create table fixed as table points; alter table fixed add primary key (tenant_id, id);
         create function reader() returns uuid stable parallel safe leakproof language c
            as '$libdir/pg_tenant', 'pg_tenant_current_uuid';
         {};
         {};
         grant select on points, fixed, plain to {APP}, {BOUND}",
        policies("points", &format!("coalesce(reader(), '{tenant}')")),
        policies("fixed", &format!("'{tenant}'"))
    ))
    .await;
    dba.run("vacuum analyze").await;
    cluster
}

fn policies(table: &str, tenant: &str) -> String {
    format!(
        "alter table {table} enable row level security, force row level security;
         create policy tenant_isolation on {table} as restrictive
            using (tenant_id = {tenant}) with check (tenant_id = {tenant});
         create policy tenant_access on {table} using (tenant_id = {tenant}) with check (tenant_id = {tenant})"
    )
}

impl World {
    pub(crate) async fn build() -> anyhow::Result<World> {
        let world = World { cluster: Cluster::start(settings(Options::default()).named("bench")) };
        let dba = world.session("postgres").await;
        let points = points();
        dba.run(&format!(
            "create role {APP} login; create role {BOUND} login; create role {BYPASS} login bypassrls;
             create extension pg_tenant; grant tenant_user to {APP}, {BOUND};
             {points};
             select count(tenant.create(id(n))) from generate_series(0, {TENANTS} - 1) n;
             create schema bare; create table bare.points as table points;
             alter table bare.points add primary key (tenant_id, id);
             create table rows (tenant_id uuid not null, id bigint, amount bigint, note text);
             insert into rows select case when n % 10 < 7 then id({TENANT}) else id(n % {TENANTS}) end,
                n, n % 1000, 'note ' || n from generate_series(1, 1000000) n;
             create schema stock; create table stock.points as table points;
             alter table stock.points add primary key (tenant_id, id), enable row level security, force row level security;
             create policy by_setting on stock.points
                using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
             grant usage on schema stock, bare to {APP};
             grant select on all tables in schema public, stock, bare to {APP};
             grant select on points, rows to {BOUND}, {BYPASS};
             select tenant.protect(t) from unnest('{{points,rows}}'::regclass[]) t; select tenant.bind_role('{BOUND}', id({TENANT})::text);"
        ))
        .await;
        dba.run("vacuum analyze").await;
        Ok(world)
    }

    pub(crate) fn config(&self, role: &str) -> tokio_postgres::Config {
        self.cluster.config("postgres", role)
    }

    pub(crate) fn port(&self) -> u16 {
        self.cluster.port()
    }

    pub(crate) async fn session(&self, role: &str) -> Session {
        Session::connect(&self.config(role)).await
    }
}
