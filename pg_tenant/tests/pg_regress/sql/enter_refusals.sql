-- Each refusal of a statement or of entering: its text and its SQLSTATE.
\set SHOW_CONTEXT never
create role regress_enter_app;
grant tenant_user to regress_enter_app;
create table orders (tenant_id uuid not null, id int);
grant all on orders to regress_enter_app;
select tenant.protect('orders');
select tenant.create('11111111-2222-3333-4444-555555555555');
select tenant.create('acme');
select tenant.create('asleep');
select tenant.suspend('asleep', 'unpaid');
set session authorization regress_enter_app;

select * from orders;
\echo :SQLSTATE
select tenant.enter('nobody');
\echo :SQLSTATE
select tenant.enter('asleep');
\echo :SQLSTATE
select tenant.enter('no tenant id');
\echo :SQLSTATE
begin;
select tenant.enter('11111111222233334444555555555555'::uuid);
select tenant.enter('acme');
\echo :SQLSTATE
rollback;
begin;
select tenant.enter('acme');
select * from orders;
\echo :SQLSTATE
rollback;
set pg_tenant.id = 'acme';
\echo :SQLSTATE
select set_config('pg_tenant.id', 'acme', true);
\echo :SQLSTATE
set pg_tenant.idd = 'acme';
\echo :SQLSTATE

reset session authorization;
drop owned by regress_enter_app;
drop role regress_enter_app;
