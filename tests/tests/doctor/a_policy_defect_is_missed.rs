//! Protection and policies: lost, weakened, wider than they look, resting on what the application can change.

use crate::case::{Case, fixed, prove};

pub const CASES: &[Case] = &[
    fixed(
        "T030",
        "public.lost",
        "create table lost (tenant_id text)
         select tenant.protect('lost')
         drop table lost; create table lost (tenant_id text)",
    ),
    fixed("T031", "public.forgotten", "create table forgotten (tenant_id text); grant select on forgotten to {app}"),
    fixed("T032", "public.orders", "set pg_tenant.guards = off; alter table orders disable row level security"),
    fixed("T032", "public.orders", "set pg_tenant.guards = off; alter table orders no force row level security"),
    fixed(
        "T033",
        "public.bills_1",
        "create table bills (tenant_id text, id int) partition by range (id)
         select tenant.protect('bills')
         set pg_tenant.guards = off; create table bills_1 partition of bills for values from (0) to (10)",
    ),
    fixed(
        "T034",
        "public.t34.one",
        "create table t34 (tenant_id text); alter table t34 enable row level security
         create policy one on t34 as restrictive for select using (tenant_id = tenant.current_id())",
    ),
    fixed(
        "T035",
        "public.t35.one",
        "create table t35 (tenant_id text); alter table t35 enable row level security
         create policy one on t35 as restrictive to {app} using (tenant_id = tenant.current_id())",
    ),
    fixed(
        "T036",
        "public.t36.one",
        "create table t36 (tenant_id text); alter table t36 enable row level security
         create policy one on t36 as restrictive using (tenant_id = tenant.current_id()) with check (true)",
    ),
    fixed(
        "T037",
        "public.t37.one",
        "create table t37 (tenant_id text); alter table t37 enable row level security
         create policy one on t37 using (tenant_id = tenant.current_id())",
    ),
    fixed(
        "T037",
        "public.t37b.one",
        "create table t37b (tenant_id text, shared bool); alter table t37b enable row level security
         create policy one on t37b as restrictive using (tenant_id = tenant.current_id() or shared)",
    ),
    fixed(
        "T119",
        "public.t119",
        "create table t119 (tenant_id text); select tenant.protect('t119', shared_rows => true)
         set pg_tenant.guards = off; drop policy tenant_isolation_delete on t119",
    ),
    fixed(
        "T119",
        "public.t119b",
        "create table t119b (tenant_id text); select tenant.protect('t119b', shared_rows => true)
         set pg_tenant.guards = off; drop policy tenant_isolation on t119b; drop policy tenant_isolation_update on t119b",
    ),
    fixed("T038", "public.orders.open", "create policy open on orders using (true)"),
    fixed(
        "T039",
        "public.t39.one",
        "create table t39 (tenant_id text); alter table t39 enable row level security
         create policy one on t39 using (tenant_id = current_setting('app.tenant', true))",
    ),
    fixed(
        "T040",
        "public.t40.one",
        "create table t40 (tenant_id text); alter table t40 enable row level security
         create policy one on t40 using (current_setting('app.t', true) is null or tenant_id = current_setting('app.t', true))",
    ),
    fixed(
        "T040",
        "public.t40b.one",
        "create table t40b (tenant_id text); alter table t40b enable row level security
         create policy one on t40b using (tenant_id is not distinct from current_setting('app.t', true))",
    ),
    fixed(
        "T040",
        "public.t40c.one",
        "create table t40c (tenant_id text); alter table t40c enable row level security
         create policy one on t40c using (tenant_id = coalesce(current_setting('app.t', true), tenant_id))",
    ),
    fixed(
        "T041",
        "public.t41.one",
        "create table t41 (tenant_id text); alter table t41 enable row level security
         create policy one on t41 using (tenant_id = (select application_name from pg_stat_activity where pid = pg_backend_pid()))",
    ),
    fixed(
        "T042",
        "public.t42.one reads public.members",
        "create table members (who name, company text); grant insert on members to {app}
         create table t42 (tenant_id text); alter table t42 enable row level security
         create policy one on t42 using (tenant_id in (select company from members where who = current_user))",
    ),
    fixed(
        "T043",
        "public.theirs()",
        "create function theirs() returns text language sql return 'acme'; alter function theirs() owner to {app}
         create table t43 (tenant_id text); alter table t43 enable row level security
         create policy one on t43 using (tenant_id = theirs())",
    ),
    fixed(
        "T044",
        "public.loose()",
        "create function loose() returns text language sql stable as 'select company from members limit 1'
         create table t44 (tenant_id text); alter table t44 enable row level security
         create policy one on t44 using (tenant_id = loose())",
    ),
    fixed(
        "T045",
        "public.frozen()",
        "create function frozen() returns text language sql immutable as $$select current_setting('app.t', true)$$",
    ),
    fixed("T100", "public.orders.tenant_isolation", FORMER),
];

/// What 0.1.0 made.
const FORMER: &str = "set pg_tenant.guards = off; \
    alter policy tenant_isolation on orders using (tenant_id = tenant.current_id()) with check (tenant_id = tenant.current_id()); \
    alter policy tenant_access on orders using (tenant_id = tenant.current_id()) with check (tenant_id = tenant.current_id())";

#[tokio::test]
async fn a_policy() {
    prove("policies", CASES).await;
}
