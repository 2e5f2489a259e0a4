-- A login that lives inside one tenant.
\set SHOW_CONTEXT never
create role regress_bind_bi login;
create role regress_bind_boss superuser login;
select tenant.create('acme');
create table orders (tenant_id text not null, id int);
insert into orders values ('acme', 1), ('globex', 2);
grant select on orders to regress_bind_bi;
select tenant.protect('orders');

select tenant.bind_role('regress_bind_bi', 'acme');
grant tenant_user to regress_bind_bi;
select tenant.bind_role('regress_bind_bi', 'nobody');
select tenant.bind_role('regress_bind_boss', 'acme');
select tenant.bind_role('regress_bind_none', 'acme');
select tenant.bind_role('regress_bind_bi', 'acme');
select * from tenant.bound_roles where role like 'regress_bind%';

\set superuser :USER
\c - regress_bind_bi
select tenant.current_id();
select * from orders;
select tenant.enter('globex');
set pg_tenant.id = 'globex';
reset pg_tenant.id;
discard all;
select * from orders;

\c - :superuser
\set SHOW_CONTEXT never
select tenant.unbind_role('regress_bind_bi');
select tenant.unbind_role('regress_bind_bi');
select action, object, detail from tenant.journal where action like '%bind_role' order by id;
drop owned by regress_bind_bi;
drop role regress_bind_bi, regress_bind_boss;
