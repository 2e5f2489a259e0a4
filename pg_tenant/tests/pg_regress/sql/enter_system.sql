-- Working across tenants: who may, why, and for how long.
\set SHOW_CONTEXT never
create role regress_system_owner;
create role regress_system_app;
create role regress_system_operator;
grant tenant_admin to regress_system_owner;
grant tenant_user to regress_system_app;
grant tenant_user, tenant_system to regress_system_operator;
grant create on schema public to regress_system_owner;

set session authorization regress_system_owner;
select tenant.create('acme');
select tenant.create('globex');
create table orders (tenant_id text, id int, note text);
insert into orders values ('acme', 1, 'anvil'), ('acme', 2, 'rocket'), ('globex', 3, 'stapler');
grant select, insert, update, delete on orders to regress_system_app, regress_system_operator;
select tenant.protect('orders');

-- The operator reads all of it, in one transaction and with a reason.
set session authorization regress_system_operator;
begin;
select tenant.enter_system('monthly report');
select tenant_id, count(*) from orders group by tenant_id order by tenant_id;
rollback;
reset session authorization;
grant select, insert, update, delete, truncate on orders to tenant_system;
set session authorization regress_system_operator;
begin;
select tenant.enter_system('monthly report');
select tenant.in_system_context(), tenant.current_id(), current_user;
select tenant_id, count(*) from orders group by tenant_id order by tenant_id;
commit;
select tenant.in_system_context(), current_user = session_user as himself;
select * from orders;

-- Read-only unless asked otherwise.
begin;
select tenant.enter_system('a look');
update orders set note = 'repaired';
rollback;
begin;
select tenant.enter_system('ticket 7', write => true);
update orders set note = 'repaired' where id > 1 returning *;
insert into orders (id) values (4);
rollback;
begin;
select tenant.enter_system('ticket 7', write => true);
update orders set note = 'repaired' where id > 1;
insert into orders (tenant_id, id) values ('globex', 4);
commit;
begin read only;
select tenant.enter_system('ticket 7', write => true);
rollback;

-- Never without a reason, never beside a tenant, never twice in two ways, never by somebody else.
select tenant.enter_system(' ');
begin;
select tenant.enter('acme');
select tenant.enter_system('and now all');
rollback;
begin;
savepoint s;
select tenant.enter_system('all first');
rollback to s;
select tenant.enter('acme');
rollback;
begin;
select tenant.enter_system('a look');
select tenant.enter_system('a look');
select tenant.enter_system('a repair', write => true);
rollback;
set session authorization regress_system_app;
select tenant.enter_system('curiosity');

-- It is the role's own rights that count.
set session authorization regress_system_operator;
begin;
select tenant.enter_system('a look');
reset role;
select tenant.in_system_context();
select * from orders;
rollback;

-- What is left of it: the entries that were committed and could write a line.
reset session authorization;
select object, reason, detail, role, session_role from tenant.journal where action = 'enter_system' order by id;
drop owned by regress_system_owner, regress_system_app, regress_system_operator;
revoke all on all tables in schema public from tenant_system;
drop role regress_system_owner, regress_system_app, regress_system_operator;
