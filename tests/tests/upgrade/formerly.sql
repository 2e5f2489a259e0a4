select tenant.create('acme', name => 'Acme Inc', slug => 'acme', plan => 'free'), tenant.create('globex', settings => '{"a": 1}'),
    tenant.create('gone'), tenant.create('11111111-1111-4111-8111-111111111111'::uuid), tenant.create(42::bigint);
select tenant.suspend('gone', 'unpaid');
select tenant.set_limits('acme', statement_timeout => '1 h', work_mem => '64MB');
update tenant.tenants set name = 'Globex' where id = 'globex';
create role {x} login in role tenant_user;
set role {owner};
create table by_text (tenant_id text, id int, note text);
insert into by_text values ('acme', 1, 'a'), ('globex', 2, 'b'), ('globex', 3, 'c');
create table by_varchar (tenant_id varchar(40), id int); insert into by_varchar values ('acme', 1), ('globex', 2);
create table by_uuid (company uuid, id int); insert into by_uuid values ('11111111-1111-4111-8111-111111111111', 1);
create table by_int (tenant_id int, id int); insert into by_int values (42, 1), (43, 2);
create table by_smallint (tenant_id smallint, id int); insert into by_smallint values (42, 1), (43, 2);
create table by_bigint (tenant_id bigint, id int); insert into by_bigint values (42, 1), (43, 2);
create table parted (tenant_id text, id int) partition by range (id);
create table parted_1 partition of parted for values from (0) to (2);
insert into parted values ('acme', 1), ('globex', 1);
create table base (tenant_id text, id int); create table child (more int) inherits (base);
insert into base values ('acme', 1); insert into child values ('globex', 2, 0), ('acme', 3, 0);
create table hard (tenant_id text, id int primary key, email text unique);
insert into hard values ('acme', 1, 'a@example.com'), ('globex', 2, 'b@example.com');
create table own_policies (tenant_id text, id int); insert into own_policies values ('acme', 1), ('acme', 200), ('globex', 2);
create policy small on own_policies as restrictive using (id < 100);
create policy all_of_it on own_policies using (true);
create table countries (code text); insert into countries values ('de');
create table was (tenant_id text);
create view over_it with (security_invoker) as select * from by_text;
reset role;
select tenant.protect('by_text'), tenant.protect('by_varchar'), tenant.protect('by_uuid', 'company'), tenant.protect('by_int'),
    tenant.protect('by_smallint'), tenant.protect('by_bigint'), tenant.protect('parted'), tenant.protect('base'),
    tenant.protect('hard', harden => true), tenant.protect('own_policies'), tenant.protect('was'), tenant.share('countries', 'the same for all');
create table parted_2 partition of parted for values from (2) to (4); alter table parted_2 owner to {owner};
set pg_tenant.guards = off; alter policy tenant_isolation on own_policies rename to other_name; reset pg_tenant.guards;
select tenant.unprotect('was', 'no more');
select tenant.waive('T031', 'public.was', 'empty', now() + interval '30 days');
select tenant.bind_role('{x}', 'acme');
grant select on by_text, over_it to {x};
