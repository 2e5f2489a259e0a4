-- Getting started: a table, two tenants, and what each role sees.
\set SHOW_CONTEXT never
create role regress_start_owner;
create role regress_start_app;
grant tenant_admin to regress_start_owner;
grant tenant_user to regress_start_app;
grant create on schema public to regress_start_owner;

set session authorization regress_start_owner;
select tenant.create('acme', name => 'Acme Inc');
select tenant.create('Globex.EU', name => 'Globex', slug => 'globex', plan => 'gold');
create table orders (tenant_id text, id int, note text);
insert into orders values ('acme', 1, 'anvil'), ('acme', 2, 'rocket'), ('Globex.EU', 3, 'stapler');
grant select, insert, update, delete on orders to regress_start_app;
select tenant.protect('orders');

-- No statement without a tenant.
set session authorization regress_start_app;
select * from orders;
begin;
select tenant.enter('acme');
select * from orders order by id;
insert into orders (id, note) values (4, 'glue') returning *;
update orders set note = 'none of my business' where id = 3;
commit;
select tenant.current_id();
insert into orders values ('acme', 5);

-- The plan has one plain condition.
reset session authorization;
set pg_tenant.side_channels = allow;
set session authorization regress_start_app;
begin;
select tenant.enter('Globex.EU');
select * from orders;
set local enable_indexscan = off;
set local enable_bitmapscan = off;
explain (costs off) select * from orders where id = 3;
rollback;

reset session authorization;
select id, status, slug, name, plan from tenant.tenants order by id;
select action, object, role from tenant.journal order by id;
drop owned by regress_start_owner, regress_start_app;
drop role regress_start_owner, regress_start_app;
