-- Each refusal of a guard: its text and its SQLSTATE.
\set SHOW_CONTEXT never
create role regress_guard_owner;
grant tenant_admin, tenant_user to regress_guard_owner;
grant create on schema public to regress_guard_owner;
set session authorization regress_guard_owner;
create table orders (tenant_id text not null, id int);
select tenant.create('acme');
select tenant.protect('orders');

alter table orders disable row level security;
\echo :SQLSTATE
drop policy tenant_isolation on orders;
\echo :SQLSTATE
alter table orders drop column tenant_id;
\echo :SQLSTATE
truncate orders;
\echo :SQLSTATE
create materialized view totals as select count(*) from orders;
\echo :SQLSTATE
begin;
select tenant.enter('acme');
alter table orders add note text;
\echo :SQLSTATE
rollback;
begin;
select tenant.enter('acme');
lock table orders;
\echo :SQLSTATE
rollback;
begin;
select tenant.enter('acme');
create table copy as select * from orders;
\echo :SQLSTATE
rollback;
begin;
select tenant.enter('acme');
declare c cursor with hold for select * from orders;
\echo :SQLSTATE
rollback;

reset session authorization;
grant set on parameter pg_tenant.id to regress_guard_owner;
\echo :SQLSTATE
alter role all set pg_tenant.id = 'acme';
\echo :SQLSTATE
set pg_tenant.guards = off;
alter table orders disable row level security;
set session authorization regress_guard_owner;
select * from orders;
\echo :SQLSTATE
reset session authorization;
drop owned by regress_guard_owner;
drop role regress_guard_owner;
