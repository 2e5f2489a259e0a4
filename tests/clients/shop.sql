-- What every page finds: two tenants, and a protected table with a row of each.
create extension pg_tenant;
grant create on schema public to app_owner;
set session authorization app_owner;
select tenant.create('acme');
select tenant.create('globex');
create table orders (tenant_id text, id bigint generated always as identity primary key, note text not null);
insert into orders (tenant_id, note) values ('acme', 'anvil'), ('globex', 'stapler');
grant select, insert, update, delete on orders to app;
select tenant.protect('orders');
