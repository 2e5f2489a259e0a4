-- Why a key or a foreign key cannot contain the tenant column.

-- A query for the rows that refer to a row of another tenant.
create function tenant_internal.references_across(fk oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('select child.* from %s child join %s parent on %s where child.%s <> parent.%s',
            f.conrelid::regclass, f.confrelid::regclass,
            (select string_agg(format('parent.%s operator(%I.%s) child.%s', tenant_internal.column_list(f.confrelid, array[f.confkey[n]]),
                    nspname, oprname, tenant_internal.column_list(f.conrelid, array[f.conkey[n]])), ' and ' order by n)
                from generate_subscripts(f.conkey, 1) n
                join pg_operator o on o.oid = f.conpfeqop[n] join pg_namespace on pg_namespace.oid = oprnamespace),
            tenant_internal.column_list(f.conrelid, array[tenant_internal.key_column(f.conrelid)]),
            tenant_internal.column_list(f.confrelid, array[tenant_internal.key_column(f.confrelid)]))
        from pg_constraint f where f.oid = fk
$$;
revoke all on function tenant_internal.references_across(oid) from public;
grant execute on function tenant_internal.references_across(oid) to tenant_admin;

-- Counts these rows. Policies hide them from the owner, so the tenant policies are dropped in a subtransaction that is
-- always rolled back. Null where the caller may not drop one.
create function tenant_internal.count_across(fk oid) returns bigint
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    query text := tenant_internal.references_across(fk);
    part regclass;
    fence name;
    found_rows bigint;
begin
    for part in
        select distinct h from pg_constraint f, lateral (
            select tenant_internal.hierarchy(f.conrelid) union select tenant_internal.hierarchy(f.confrelid)) both_sides (h)
        where f.oid = fk
    loop
        select polname into fence from pg_policy where oid = tenant_internal.fence_policy(part);
        if found then
            perform tenant_internal.run_as_owner(part, format('drop policy %I on %s', fence, part));
            perform tenant_internal.run_as_owner(part, format('alter table %s disable row level security', part));
        end if;
    end loop;
    found_rows := tenant_internal.run_as_owner((select conrelid::regclass from pg_constraint where oid = fk),
        format('select count(*) from (%s) across', query))::bigint;
    raise exception using errcode = 'TN087', message = found_rows::text;
exception
    when sqlstate 'TN087' then return sqlerrm::bigint;
    when others then return null;
end
$$;
revoke all on function tenant_internal.count_across(oid) from public;
grant execute on function tenant_internal.count_across(oid) to tenant_admin;

-- Why the tenant column cannot be part of this key; null where it can.
create function tenant_internal.obstacle_of_key(index oid, tenant_column smallint) returns tenant_internal.obstacle
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
            when not pg_indexam_has_property(am.oid, 'can_multi_col') then
                row('TN086', format('%s cannot contain the tenant', c.relname),
                    format('its index method %s takes one column only.', am.amname))::tenant_internal.obstacle
            when not exists (select from pg_opclass o where o.opcmethod = am.oid and o.opcdefault
                    and o.opcintype = case a.atttypid when 'varchar'::regtype then 'text'::regtype else a.atttypid end) then
                row('TN085', format('%s cannot contain the tenant', c.relname),
                    format('index method %s has no operator class for %s.', am.amname, format_type(a.atttypid, null)))::tenant_internal.obstacle
        end
        from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am am on am.oid = c.relam
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = tenant_column
        where i.indexrelid = index
$$;
revoke all on function tenant_internal.obstacle_of_key(oid, smallint) from public;
grant execute on function tenant_internal.obstacle_of_key(oid, smallint) to tenant_admin;

-- Why the tenant columns cannot be part of this foreign key; null where they can.
create function tenant_internal.obstacle_of_reference(fk oid) returns tenant_internal.obstacle
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
            when tenant_internal.has_shared_rows(f.confrelid) then null -- it stays, for what it refers to may be without one
            when f.confupdtype in ('n', 'd') then
                row('TN086', format('%s of %s cannot contain the tenant', f.conname, f.conrelid::regclass),
                    'on update set null or set default would reach the tenant column; use cascade or no action.')::tenant_internal.obstacle
            when case when child.atttypid in ('smallint'::regtype, 'integer'::regtype) then 'bigint'::regtype
                    when child.atttypid = 'varchar'::regtype then 'text'::regtype else child.atttypid end
                <> case when parent.atttypid in ('smallint'::regtype, 'integer'::regtype) then 'bigint'::regtype
                    when parent.atttypid = 'varchar'::regtype then 'text'::regtype else parent.atttypid end then
                row('TN086', format('%s of %s cannot contain the tenant', f.conname, f.conrelid::regclass),
                    format('the tenant columns differ in type: %s and %s.',
                        format_type(child.atttypid, null), format_type(parent.atttypid, null)))::tenant_internal.obstacle
        end
        from pg_constraint f
        join pg_attribute child on child.attrelid = f.conrelid and child.attnum = tenant_internal.key_column(f.conrelid)
        join pg_attribute parent on parent.attrelid = f.confrelid and parent.attnum = tenant_internal.key_column(f.confrelid)
        where f.oid = fk
$$;
revoke all on function tenant_internal.obstacle_of_reference(oid) from public;
grant execute on function tenant_internal.obstacle_of_reference(oid) to tenant_admin;
