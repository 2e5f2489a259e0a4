-- What a tenant is given: applied by enter, gone with the transaction, not to be raised.
\set SHOW_CONTEXT never
create role regress_limits_app;
grant tenant_user to regress_limits_app;
create table orders (tenant_id text not null, id int);
grant all on orders to regress_limits_app;
select tenant.protect('orders');
select tenant.create('acme');
select tenant.set_limits('acme', statement_timeout => '30s', lock_timeout => '2s',
    idle_in_transaction_session_timeout => '1min', work_mem => '2MB');
select tenant.set_limits('acme', statement_timeout => '0s');
select tenant.set_limits('acme', work_mem => '1kB');
select tenant.set_limits('nobody');

set session authorization regress_limits_app;
show statement_timeout;
begin;
select tenant.enter('acme');
show statement_timeout;
show lock_timeout;
show idle_in_transaction_session_timeout;
show work_mem;
set local statement_timeout = '5s';
select * from orders;
set local statement_timeout = '1h';
rollback;
show statement_timeout;
begin;
select tenant.enter('acme');
select set_config('work_mem', '1GB', true);
rollback;

reset session authorization;
select tenant.set_limits('acme', read_only => true);
set session authorization regress_limits_app;
begin;
select tenant.enter('acme');
show statement_timeout;
insert into orders (id) values (1);
rollback;
reset session authorization;
drop owned by regress_limits_app;
drop role regress_limits_app;
