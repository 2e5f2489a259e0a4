-- The same orders on stock PostgreSQL: a policy over a custom setting, as applications write it today.
create schema stock;
grant usage on schema stock to demo_app;
create table stock.orders as table public.orders;
alter table stock.orders add primary key (tenant_id, o_orderkey);
alter table stock.orders enable row level security, force row level security;
create policy tenant_isolation on stock.orders
    using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
grant select on stock.orders to demo_app;
analyze stock.orders;
