-- Replaces the policies that an earlier version made.

-- The tables whose tenant policy 0.1.0 made, without those below them.
create function tenant_internal.former_tables() returns table (relation regclass, tenant_column name)
    language sql stable rows 10 set search_path = pg_catalog, pg_temp as $$
    select p.polrelid::regclass, a.attname
    from pg_policy p join pg_attribute a on a.attrelid = p.polrelid and a.attnum = tenant_internal.former_column(p.oid)
    where not p.polpermissive and p.polcmd = '*' and p.polroles = '{0}'
        and not exists (select from pg_inherits i where i.inhrelid = p.polrelid and tenant_internal.fence_policy(i.inhparent::regclass) is not null)
    order by 1
$$;
revoke all on function tenant_internal.former_tables() from public;
grant execute on function tenant_internal.former_tables() to tenant_admin;

-- A procedure that commits may pin no search_path: everything in it is qualified.
create procedure tenant.upgrade_fences(stepwise boolean default true) language plpgsql as $$
declare
    relations pg_catalog.regclass[];
    columns pg_catalog.name[];
    why pg_catalog.text;
begin
    select pg_catalog.array_agg(f.relation), pg_catalog.array_agg(f.tenant_column) into relations, columns
        from tenant_internal.former_tables() f;
    for i in 1 .. coalesce(pg_catalog.cardinality(relations), 0) loop
        begin
            if stepwise then
                perform pg_catalog.set_config('lock_timeout', '2s', true);
            end if;
            perform tenant.protect(relations[i], columns[i]);
        exception when lock_not_available or insufficient_privilege then
            get stacked diagnostics why = message_text;
            raise warning using
                message = pg_catalog.format('the tenant policy of table %s is as it was: %s', relations[i], why),
                hint = 'Call tenant.upgrade_fences() again, as the owner of the table and when it is less busy.';
        end;
        if stepwise then
            commit;
        end if;
    end loop;
end
$$;
comment on procedure tenant.upgrade_fences is 'Gives every table that pg_tenant 0.1.0 has protected the fence of this version, each in a transaction of its own.';
revoke all on procedure tenant.upgrade_fences(boolean) from public;
grant execute on procedure tenant.upgrade_fences(boolean) to tenant_admin;
