-- The plans of a protected table, in the form of 0.1.0 (an equality alone) and in this version's: the same nodes, conditions
-- of indexes, order, joins and partitions. The call of is_current stands first and says what the equality said.
\set SHOW_CONTEXT never
create role regress_planned;
select tenant.create('t' || n) from generate_series(1, 3) n;
create table items (tenant_id text collate "C", id int, amount int, note text, spot point, primary key (tenant_id, id));
create table parts (tenant_id text collate "C", id int, day int) partition by range (day);
create table parts_1 partition of parts for values from (0) to (2);
create table parts_2 partition of parts for values from (2) to (4);
create index items_amount on items (amount);
create index items_spot on items using gist (spot);
insert into items select 't' || n % 3 + 1, n, n % 50, 'n' || n, point(n, n) from generate_series(1, 3000) n;
insert into parts select 't' || n % 3 + 1, n, n % 4 from generate_series(1, 3000) n;
select tenant.protect('items'), tenant.protect('parts');
vacuum analyze items;
vacuum analyze parts;
grant tenant_user to regress_planned;
grant select, update, delete on items, parts to regress_planned;
set max_parallel_workers_per_gather = 0;
create procedure former() language plpgsql as $$
declare
    policy record;
begin
    set pg_tenant.guards = off;
    for policy in select polname, polrelid::regclass as rel from pg_policy where polrelid::regclass::text ~ '^(items|parts)' loop
        execute format('alter policy %I on %s using (tenant_id = tenant.current_id()) with check (tenant_id = tenant.current_id())',
            policy.polname, policy.rel);
    end loop;
    reset pg_tenant.guards;
end $$;
create function plans() returns setof text language plpgsql as $$
declare
    query text;
begin
    foreach query in array array[
        'select * from items',
        'select * from items where id = 7',
        'select id from items where id < 20 order by id',
        'select * from items order by tenant_id, id limit 3',
        $q$select id from items where tenant_id = 't1'$q$,
        $q$select * from items where amount = 3 and note > 'n5'$q$,
        'select * from items where amount in (3, 4) and id < 900',
        'select id from items order by spot <-> point(5, 5) limit 2',
        'select i.id from items i join parts p using (tenant_id, id) where i.amount = 3',
        'select * from parts',
        'select * from parts where day = 2',
        $q$select * from items where ctid = '(0,1)'$q$,
        $q$update items set note = 'x' where id = 7$q$,
        'delete from parts where day = 2 and id = 9'
    ] loop
        return next query;
        return query execute 'explain (costs off) ' || query;
    end loop;
end $$;
alter role regress_planned set pg_tenant.side_channels = allow;
set pg_tenant.side_channels = allow;
\t on
\a

-- 0.1.0
call former();
begin;
set local role regress_planned;
select tenant.enter('t1');
select plans();
commit;

-- Now
call tenant.upgrade_fences();
begin;
set local role regress_planned;
select tenant.enter('t1');
select plans();
commit;
drop owned by regress_planned;
drop role regress_planned;
