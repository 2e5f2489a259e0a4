-- Protecting a table.
--
-- tenant.protect and tenant.unprotect are C functions that run the functions apply_protection and remove_protection
-- below with the guards off (setting pg_tenant.guards) until they return or fail. All run with the caller's rights: who
-- protects a table must own it. What they do to the table they do as its owner, by tenant_internal.run_as_owner.

-- The table and every partition and child below it, the table first. Each step looks its few rows up by index, whatever
-- the planner thinks of their number: what protect costs must not grow with the database.
create function tenant_internal.hierarchy(rel regclass) returns setof regclass
    language sql stable rows 1 set search_path = pg_catalog, pg_temp as $$
    with recursive tree (relation, depth) as (
        select rel::oid, 0
        union all
        select i.inhrelid, depth + 1 from tree
            cross join lateral (select inhrelid from pg_inherits where inhparent = tree.relation offset 0) i
    )
    select relation::regclass from tree group by relation order by min(depth), relation
$$;
revoke all on function tenant_internal.hierarchy(regclass) from public;
grant execute on function tenant_internal.hierarchy(regclass) to tenant_admin;

-- The table of the tenants themselves: its tenant column is a key by itself and has a value of its own for a new row,
-- so the current tenant is none of its defaults. (A table with at most one row a tenant has no such default.)
create function tenant_internal.is_root(rel regclass, tenant_column name) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = rel and a.attname = tenant_column and a.attgenerated = ''
            and (a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) !~ '^tenant\.current_(id|uuid|bigint)\(\)')
            and exists (select from pg_index i where i.indrelid = rel and i.indisunique and i.indisvalid and i.indpred is null
                and i.indnkeyatts = 1 and i.indkey[0] = a.attnum))
$$;
revoke all on function tenant_internal.is_root(regclass, name) from public;
grant execute on function tenant_internal.is_root(regclass, name) to tenant_admin;

-- Refuses an owner that lacks CREATE on the table's schema, which an index needs, and names the missing right.
create function tenant_internal.require_create(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    class pg_class;
begin
    select * into class from pg_class where oid = rel;
    if not has_schema_privilege(class.relowner, class.relnamespace, 'create')
        and not has_schema_privilege(current_user, class.relnamespace, 'create') then
        raise exception using
            errcode = '42501',
            message = format('permission denied for schema %s: protecting table %s makes an index in it',
                class.relnamespace::regnamespace, rel),
            detail = format('The owner of the table, role %s, may not create in the schema, and no index of the table leads with the tenant column.',
                class.relowner::regrole),
            hint = format('grant create on schema %s to %s;', class.relnamespace::regnamespace, class.relowner::regrole);
    end if;
end
$$;
revoke all on function tenant_internal.require_create(regclass) from public;
grant execute on function tenant_internal.require_create(regclass) to tenant_admin;

-- The tenant column of a table: as a mapping says, {"table": "column", ...}, else as it is for all.
create function tenant_internal.column_of(rel regclass, tenant_column name, columns jsonb) returns name
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce((columns ->> (select relname::text from pg_class where oid = rel))::name, tenant_column)
$$;
revoke all on function tenant_internal.column_of(regclass, name, jsonb) from public;
grant execute on function tenant_internal.column_of(regclass, name, jsonb) to tenant_admin;

-- What a table that is not protected has to do with those that are, or are about to be: by a foreign key, at any
-- distance.
create function tenant_internal.said_of_open_table(rel regclass, tenant_column name, columns jsonb) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    reached regclass;
    keyed name;
begin
    with recursive reach (relation, depth) as (
        select rel::oid, 0
        union
        select c.confrelid, r.depth + 1 from reach r join pg_constraint c on c.conrelid = r.relation and c.contype = 'f'
        where r.depth < 100 and (r.depth = 0 or not (
            tenant_internal.fence_policy(r.relation::regclass) is not null
            or exists (select from tenant.shared s where s.relation = r.relation)
            or exists (select from pg_attribute a where a.attrelid = r.relation
                and a.attname = tenant_internal.column_of(r.relation::regclass, tenant_column, columns) and not a.attisdropped)))
    )
    select r.relation into reached from reach r
        where r.depth > 0 and (tenant_internal.fence_policy(r.relation::regclass) is not null
            or exists (select from pg_attribute a where a.attrelid = r.relation
                and a.attname = tenant_internal.column_of(r.relation::regclass, tenant_column, columns) and not a.attisdropped))
            and r.relation not in (select s.relation from tenant.shared s)
        order by r.depth, r.relation limit 1;
    if found then
        return format(', and it refers to %s: every tenant reads and writes all of it', reached);
    end if;
    select f.attname into keyed from pg_constraint c
        join pg_attribute a on a.attrelid = c.conrelid
            and a.attname = tenant_internal.column_of(c.conrelid::regclass, tenant_column, columns) and c.conkey = array[a.attnum]
        join pg_attribute f on f.attrelid = c.confrelid and f.attnum = c.confkey[1]
        where c.contype = 'f' and c.confrelid = rel limit 1;
    if found then
        return format(', and it is the table of the tenants: select tenant.protect(%L, %L);', rel, keyed);
    end if;
    return '';
end
$$;
revoke all on function tenant_internal.said_of_open_table(regclass, name, jsonb) from public;
grant execute on function tenant_internal.said_of_open_table(regclass, name, jsonb) to tenant_admin;
