-- Keys that contain the tenant: uniqueness and references hold within a tenant, and tell nothing of others.
--
-- A unique key without the tenant column says whether another tenant has a value; a foreign key without it refers,
-- cascades and locks across tenants. plan_hardening says which statements put
-- the tenant first in each: tenant.hardening gives them to whoever runs them one by one, apply_hardening runs them.
--
-- A surrogate key says nothing of its row, and applications lean on it alone (group by id, references t (id), on conflict
-- (id)): it stays, unless all keys are asked for, and foreign keys use one with the tenant that is made beside it.

-- Why a key stays without the tenant: its SQLSTATE, what cannot be, and the reason.
create type tenant.obstacle as (code text, problem text, reason text);

-- The tenant column of a table that is protected, or is about to be: of those the plan says which column it will be.
create function tenant.key_column(rel regclass) returns smallint
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(tenant.fence_column(rel), (select attnum from pg_attribute
        where attrelid = rel and attname = current_setting('tenant.foreseen_column', true) and attnum > 0 and not attisdropped
            and attnotnull and not exists (select from tenant.shared where relation = rel)))
$$;
revoke all on function tenant.key_column(regclass) from public;
grant execute on function tenant.key_column(regclass) to tenant_admin;

-- A name for what stands beside the object until it takes its place.
create function tenant.name_beside(name text, suffix text) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case when octet_length(name) + octet_length(suffix) < 64 then name || suffix
        else left(name, 8) || '_' || left(md5(name), 20) || suffix end
$$;
revoke all on function tenant.name_beside(text, text) from public;
grant execute on function tenant.name_beside(text, text) to tenant_admin;

-- The columns of a key by name, comma between.
create function tenant.column_list(rel oid, columns smallint[]) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select string_agg(quote_ident(attname), ', ' order by at)
        from unnest(columns) with ordinality as key (attnum, at) join pg_attribute a on a.attrelid = rel and a.attnum = key.attnum
$$;
revoke all on function tenant.column_list(oid, smallint[]) from public;
grant execute on function tenant.column_list(oid, smallint[]) to tenant_admin;

-- A list of columns that is INCLUDEd, without the tenant column.
create function tenant.without_included(definition text, index oid, tenant_column smallint) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    i pg_index;
    included smallint[];
    rest text;
begin
    select * into i from pg_index where indexrelid = index;
    included := array(select unnest((i.indkey::smallint[])[i.indnkeyatts:]));
    if not tenant_column = any (included) then
        return definition;
    end if;
    rest := tenant.column_list(i.indrelid, array_remove(included, tenant_column));
    return replace(definition, format(') INCLUDE (%s)', tenant.column_list(i.indrelid, included)),
        ')' || coalesce(format(' INCLUDE (%s)', rest), ''));
end
$$;
revoke all on function tenant.without_included(text, oid, smallint) from public;
grant execute on function tenant.without_included(text, oid, smallint) to tenant_admin;

-- Keys of tables with shared rows: those without a tenant are unique among each other only where nulls are not distinct.
create function tenant.with_equal_nulls(rest text, rel oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when tenant.has_shared_rows(rel) and rest !~ 'NULLS NOT DISTINCT'
        then regexp_replace(rest, '^([^()"]|"[^"()]*")*\)( INCLUDE \(([^()"]|"[^"()]*")*\))?', '\& NULLS NOT DISTINCT') else rest end
$$;
revoke all on function tenant.with_equal_nulls(text, oid) from public;
grant execute on function tenant.with_equal_nulls(text, oid) to tenant_admin;

-- Why a key of a table with shared rows stays without the tenant; null where it can have it, or the table has none.
create function tenant.said_of_shared_key(index oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when tenant.has_shared_rows(i.indrelid) is not true then null
            when i.indisprimary then 'the tenant column may be null, and a primary key has no such column'
            when i.indisexclusion then 'an exclusion constraint does not look at rows without a tenant'
            when exists (select from pg_constraint f where f.contype = 'f' and f.conindid = i.indexrelid) then
                'a foreign key refers to it, to rows without a tenant too'
            when i.indpred is not null or i.indexprs is not null or exists (
                select from unnest(i.indkey::smallint[]) with ordinality k (attnum, nth) join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                where nth <= i.indnkeyatts and not a.attnotnull) then
                'with the tenant in it, it would not hold for rows without one, or for more than it does now'
        end
    from pg_index i where i.indexrelid = index
$$;
revoke all on function tenant.said_of_shared_key(oid) from public;
grant execute on function tenant.said_of_shared_key(oid) to tenant_admin;

-- The unique index with the tenant column first: else the same.
create function tenant.index_with_tenant(index oid, name text, tenant_column smallint, concurrent boolean) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    i pg_index;
    old pg_class;
    method text;
    prefix text;
begin
    select * into i from pg_index where indexrelid = index;
    select * into old from pg_class where oid = index;
    method := (select quote_ident(amname) from pg_am where oid = old.relam);
    prefix := format('CREATE UNIQUE INDEX %I ON %s%s USING %s (', old.relname,
        case old.relkind when 'I' then 'ONLY ' else '' end, i.indrelid::regclass, method);
    return format('CREATE UNIQUE INDEX %s%I ON %s USING %s (%s, ', case when concurrent then 'CONCURRENTLY ' else '' end,
            name, i.indrelid::regclass, method, tenant.column_list(i.indrelid, array[tenant_column]))
        || tenant.with_equal_nulls(substr(tenant.without_included(pg_get_indexdef(index), index, tenant_column), length(prefix) + 1), i.indrelid);
end
$$;
revoke all on function tenant.index_with_tenant(oid, text, smallint, boolean) from public;
grant execute on function tenant.index_with_tenant(oid, text, smallint, boolean) to tenant_admin;

-- The constraint with the tenant column first: else the same.
create function tenant.constraint_with_tenant(con oid, tenant_column smallint) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when contype = 'u' and tenant.has_shared_rows(conrelid) and old not like 'UNIQUE NULLS NOT DISTINCT (%'
                then 'UNIQUE NULLS NOT DISTINCT (' else left(old, strpos(old, '(')) end || tenant.column_list(conrelid, array[tenant_column])
            || case contype when 'x' then ' WITH OPERATOR(pg_catalog.=)' else '' end || ', ' || substr(old, strpos(old, '(') + 1)
        from (select contype, conrelid, tenant.without_included(pg_get_constraintdef(oid), conindid, tenant_column) as old
            from pg_constraint where oid = con) c
$$;
revoke all on function tenant.constraint_with_tenant(oid, smallint) from public;
grant execute on function tenant.constraint_with_tenant(oid, smallint) to tenant_admin;

-- The foreign key with the tenant columns of both tables first, and what it does restricted to the other columns.
create function tenant.reference_with_tenant(fk oid) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    f pg_constraint;
    period boolean;
    columns smallint[];
    referenced smallint[];
    full_match boolean;
    own smallint;
begin
    select * into f from pg_constraint where oid = fk;
    own := tenant.key_column(f.conrelid);
    period := coalesce((to_jsonb(f) ->> 'conperiod')::boolean, false);
    columns := case when period then trim_array(f.conkey, 1) else f.conkey end;
    referenced := case when period then trim_array(f.confkey, 1) else f.confkey end;
    -- MATCH FULL is all or none: none is not to be had with a tenant column that is never null, nor all with one that may be.
    full_match := f.confmatchtype = 'f' and not exists (
        select from pg_attribute where attrelid = f.conrelid and attnum = any (f.conkey) and not attnotnull)
        and tenant.has_shared_rows(f.conrelid) is not true;
    return format('foreign key (%s%s) references %s (%s%s)',
            tenant.column_list(f.conrelid, own || columns),
            case when period then ', period ' || tenant.column_list(f.conrelid, f.conkey[cardinality(f.conkey):]) else '' end,
            f.confrelid::regclass,
            tenant.column_list(f.confrelid, tenant.key_column(f.confrelid) || referenced),
            case when period then ', period ' || tenant.column_list(f.confrelid, f.confkey[cardinality(f.confkey):]) else '' end)
        || case when full_match then ' match full' else '' end
        || case f.confupdtype when 'c' then ' on update cascade' when 'r' then ' on update restrict' else '' end
        || case f.confdeltype when 'c' then ' on delete cascade' when 'r' then ' on delete restrict'
            when 'n' then ' on delete set null' when 'd' then ' on delete set default' else '' end
        || case when f.confdeltype in ('n', 'd') then
            format(' (%s)', tenant.column_list(f.conrelid, coalesce(f.confdelsetcols, f.conkey))) else '' end
        || case when f.condeferrable then ' deferrable' else '' end
        || case when f.condeferred then ' initially deferred' else '' end
        || case when (to_jsonb(f) ->> 'conenforced')::boolean is false then ' not enforced' else '' end;
end
$$;
revoke all on function tenant.reference_with_tenant(oid) from public;
grant execute on function tenant.reference_with_tenant(oid) to tenant_admin;

-- What MATCH FULL over several columns says beyond the reference itself; null where there is nothing.
create function tenant.match_full_check(fk oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('alter table %s add constraint %I check (num_nulls(%s) in (0, %s))%s', f.conrelid::regclass,
            tenant.name_beside(f.conname, '_match'), tenant.column_list(f.conrelid, f.conkey), cardinality(f.conkey),
            case c.relkind when 'r' then ' no inherit' else '' end)
        from pg_constraint f join pg_class c on c.oid = f.conrelid
        where f.oid = fk and f.confmatchtype = 'f' and cardinality(f.conkey) > 1 and exists (
            select from pg_attribute where attrelid = f.conrelid and attnum = any (f.conkey) and not attnotnull)
$$;
revoke all on function tenant.match_full_check(oid) from public;
grant execute on function tenant.match_full_check(oid) to tenant_admin;

-- The rows whose reference is to a row of another tenant.
create function tenant.references_across(fk oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('select child.* from %s child join %s parent on %s where child.%s <> parent.%s',
            f.conrelid::regclass, f.confrelid::regclass,
            (select string_agg(format('parent.%s operator(%I.%s) child.%s', tenant.column_list(f.confrelid, array[f.confkey[n]]),
                    nspname, oprname, tenant.column_list(f.conrelid, array[f.conkey[n]])), ' and ' order by n)
                from generate_subscripts(f.conkey, 1) n
                join pg_operator o on o.oid = f.conpfeqop[n] join pg_namespace on pg_namespace.oid = oprnamespace),
            tenant.column_list(f.conrelid, array[tenant.key_column(f.conrelid)]),
            tenant.column_list(f.confrelid, array[tenant.key_column(f.confrelid)]))
        from pg_constraint f where f.oid = fk
$$;
revoke all on function tenant.references_across(oid) from public;
grant execute on function tenant.references_across(oid) to tenant_admin;

-- How many they are. The owner does not see them: the fences are lifted, and back whatever happens. Null where the
-- caller may not lift one.
create function tenant.count_across(fk oid) returns bigint
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    query text := tenant.references_across(fk);
    part regclass;
    fence name;
    found_rows bigint;
begin
    for part in
        select distinct h from pg_constraint f, lateral (
            select tenant.hierarchy(f.conrelid) union select tenant.hierarchy(f.confrelid)) both_sides (h)
        where f.oid = fk
    loop
        select polname into fence from pg_policy where oid = tenant.fence_policy(part);
        if found then
            perform tenant.run_as_owner(part, format('drop policy %I on %s', fence, part));
            perform tenant.run_as_owner(part, format('alter table %s disable row level security', part));
        end if;
    end loop;
    found_rows := tenant.run_as_owner((select conrelid::regclass from pg_constraint where oid = fk),
        format('select count(*) from (%s) across', query))::bigint;
    raise exception using errcode = 'TN087', message = found_rows::text;
exception
    when sqlstate 'TN087' then return sqlerrm::bigint;
    when others then return null;
end
$$;
revoke all on function tenant.count_across(oid) from public;
grant execute on function tenant.count_across(oid) to tenant_admin;

-- Why the tenant column cannot be part of this key; null where it can.
create function tenant.obstacle_of_key(index oid, tenant_column smallint) returns tenant.obstacle
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
            when not pg_indexam_has_property(am.oid, 'can_multi_col') then
                row('TN086', format('%s cannot contain the tenant', c.relname),
                    format('its index method %s takes one column only.', am.amname))::tenant.obstacle
            when not exists (select from pg_opclass o where o.opcmethod = am.oid and o.opcdefault
                    and o.opcintype = case a.atttypid when 'varchar'::regtype then 'text'::regtype else a.atttypid end) then
                row('TN085', format('%s cannot contain the tenant', c.relname),
                    format('index method %s has no operator class for %s.', am.amname, format_type(a.atttypid, null)))::tenant.obstacle
        end
        from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am am on am.oid = c.relam
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = tenant_column
        where i.indexrelid = index
$$;
revoke all on function tenant.obstacle_of_key(oid, smallint) from public;
grant execute on function tenant.obstacle_of_key(oid, smallint) to tenant_admin;

-- Why the tenant columns cannot be part of this foreign key; null where they can.
create function tenant.obstacle_of_reference(fk oid) returns tenant.obstacle
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
            when tenant.has_shared_rows(f.confrelid) then null -- it stays, for what it refers to may be without one
            when f.confupdtype in ('n', 'd') then
                row('TN086', format('%s of %s cannot contain the tenant', f.conname, f.conrelid::regclass),
                    'on update set null or set default would reach the tenant column; use cascade or no action.')::tenant.obstacle
            when case when child.atttypid in ('smallint'::regtype, 'integer'::regtype) then 'bigint'::regtype
                    when child.atttypid = 'varchar'::regtype then 'text'::regtype else child.atttypid end
                <> case when parent.atttypid in ('smallint'::regtype, 'integer'::regtype) then 'bigint'::regtype
                    when parent.atttypid = 'varchar'::regtype then 'text'::regtype else parent.atttypid end then
                row('TN086', format('%s of %s cannot contain the tenant', f.conname, f.conrelid::regclass),
                    format('the tenant columns differ in type: %s and %s.',
                        format_type(child.atttypid, null), format_type(parent.atttypid, null)))::tenant.obstacle
        end
        from pg_constraint f
        join pg_attribute child on child.attrelid = f.conrelid and child.attnum = tenant.key_column(f.conrelid)
        join pg_attribute parent on parent.attrelid = f.confrelid and parent.attnum = tenant.key_column(f.confrelid)
        where f.oid = fk
$$;
revoke all on function tenant.obstacle_of_reference(oid) from public;
grant execute on function tenant.obstacle_of_reference(oid) to tenant_admin;

-- The keys of these tables, and those that their foreign keys refer to, that do not contain the tenant.
create function tenant.keys_without_tenant(parts oid[])
    returns table (relation oid, index oid, constraint_oid oid, name text, columns smallint[], is_reference boolean, online boolean)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select i.indrelid, i.indexrelid, con.oid, c.relname, key.columns, i.indisunique and i.indexprs is null and i.indpred is null,
        -- Else there is no way but to drop the constraint and add the other.
        t.relkind = 'r' and con.contype is distinct from 'x' and not i.indisexclusion
    from (select unnest(parts)
            union select confrelid from pg_constraint where contype = 'f' and conparentid = 0 and conrelid = any (parts)) touched (oid)
    join pg_class t on t.oid = touched.oid
    join pg_index i on i.indrelid = t.oid and (i.indisunique or i.indisexclusion) and i.indisvalid
    join pg_class c on c.oid = i.indexrelid and not c.relispartition
    left join pg_constraint con on con.conindid = i.indexrelid and con.conrelid = i.indrelid and con.contype in ('p', 'u', 'x')
    cross join lateral (select array(select unnest((i.indkey::smallint[])[0:i.indnkeyatts - 1])) as columns,
        tenant.key_column(t.oid::regclass) as tenant) key
    where key.tenant is not null
        and not key.tenant = any (key.columns)
        and (t.oid = any (parts) or exists (select from pg_constraint f where f.contype = 'f' and f.conparentid = 0
            and f.conrelid = any (parts) and f.confrelid = t.oid and f.confkey <@ key.columns and f.confkey @> key.columns))
    order by t.oid::regclass::text, c.relname
$$;
revoke all on function tenant.keys_without_tenant(oid[]) from public;
grant execute on function tenant.keys_without_tenant(oid[]) to tenant_admin;

-- How the database fills a key of one column by itself: numbered, or at random; null where the key says something.
create function tenant.surrogate_kind(index oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
            when a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) ~ '^nextval\(' then 'numbered'
            when pg_get_expr(d.adbin, d.adrelid)
                ~ '^\(?([^()]+\.)?(gen_random_uuid|uuidv[47]|uuid_generate_v[47])\([^()]*\)\)?(::(text|character varying))?$' then 'random'
        end
    from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where i.indexrelid = index and i.indisunique and not i.indisexclusion and i.indnkeyatts = 1
        and i.indexprs is null and i.indpred is null and a.attgenerated = ''
$$;
revoke all on function tenant.surrogate_kind(oid) from public;
grant execute on function tenant.surrogate_kind(oid) to tenant_admin;

-- Whether a foreign key can refer to these columns of the table.
create function tenant.is_referable(rel oid, columns smallint[]) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_index i where i.indrelid = rel and i.indisunique and i.indisvalid and i.indimmediate
            and i.indpred is null and i.indexprs is null and i.indnkeyatts = cardinality(columns)
            and (i.indkey::smallint[])[0:i.indnkeyatts - 1] @> columns)
$$;
revoke all on function tenant.is_referable(oid, smallint[]) from public;
grant execute on function tenant.is_referable(oid, smallint[]) to tenant_admin;

-- Whether the constraint of this name is what the foreign key becomes; null where there is none.
create function tenant.is_prepared(fk oid, name text) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select n.contype = 'f' and n.confrelid = f.confrelid
            and array(select format('%s=%s', here, there) from unnest(n.conkey, n.confkey) k (here, there) order by 1)
                = array(select format('%s=%s', here, there) from unnest(tenant.key_column(f.conrelid) || f.conkey,
                    tenant.key_column(f.confrelid) || f.confkey) k (here, there) order by 1)
            and n.confupdtype = f.confupdtype and n.confdeltype = f.confdeltype
            and (f.confdeltype not in ('n', 'd') or coalesce(n.confdelsetcols, n.conkey) <@ coalesce(f.confdelsetcols, f.conkey)
                and coalesce(n.confdelsetcols, n.conkey) @> coalesce(f.confdelsetcols, f.conkey))
            and (n.condeferrable, n.condeferred) = (f.condeferrable, f.condeferred)
            and (to_jsonb(n) -> 'conenforced') is not distinct from (to_jsonb(f) -> 'conenforced')
            and (to_jsonb(n) -> 'conperiod') is not distinct from (to_jsonb(f) -> 'conperiod')
            -- MATCH FULL with a tenant that is never null refuses every null.
            and (n.confmatchtype = 's' or n.confmatchtype = 'f' and not exists (
                select from pg_attribute where attrelid = f.conrelid and attnum = any (f.conkey) and not attnotnull))
        from pg_constraint f join pg_constraint n on n.conrelid = f.conrelid and n.conname = name where f.oid = fk
$$;
revoke all on function tenant.is_prepared(oid, text) from public;
grant execute on function tenant.is_prepared(oid, text) to tenant_admin;

-- The constraint that is what the foreign key becomes: of our name, else of any. Of several foreign keys that are alike
-- the first gets it.
create function tenant.prepared_reference(fk oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select n.conname
        from pg_constraint f join pg_constraint n on n.conrelid = f.conrelid and n.contype = 'f' and n.conparentid = 0 and n.oid <> fk
        where f.oid = fk and tenant.is_prepared(fk, n.conname) and (n.conname = tenant.name_beside(f.conname, '_tenant') or not exists (
            select from pg_constraint other where other.conrelid = f.conrelid and other.contype = 'f' and other.oid <> fk
                and (other.conname < f.conname or n.conname = tenant.name_beside(other.conname, '_tenant'))
                and tenant.is_prepared(other.oid, n.conname)))
        order by n.conname <> tenant.name_beside(f.conname, '_tenant'), not n.convalidated, n.conname limit 1
$$;
revoke all on function tenant.prepared_reference(oid) from public;
grant execute on function tenant.prepared_reference(oid) to tenant_admin;

-- The index that is what this key becomes, under whatever name but its own; not one of another constraint, unless
-- that can be renamed.
create function tenant.prepared_key(index oid, tenant_column smallint) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select c.relname
        from pg_index key
        join pg_index i on i.indrelid = key.indrelid and i.indexrelid <> key.indexrelid and i.indisvalid
        join pg_class c on c.oid = i.indexrelid
        left join pg_constraint old on old.conindid = key.indexrelid and old.conrelid = key.indrelid and old.contype in ('p', 'u', 'x')
        left join pg_constraint new on new.conindid = i.indexrelid and new.conrelid = i.indrelid and new.contype in ('p', 'u', 'x')
        where key.indexrelid = index
            and pg_get_indexdef(i.indexrelid) = tenant.index_with_tenant(index, c.relname, tenant_column, false)
            and (new.oid is null or old.contype = 'u' and new.contype = 'u'
                and (new.condeferrable, new.condeferred) = (old.condeferrable, old.condeferred))
        order by new.oid is not null, c.relname limit 1
$$;
revoke all on function tenant.prepared_key(oid, smallint) from public;
grant execute on function tenant.prepared_key(oid, smallint) to tenant_admin;

-- What applications write otherwise once the key has the tenant.
create function tenant.change_of_key(index oid, tenant_column smallint) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when i.indisexclusion or i.indexprs is not null
                then format('Conflict targets that mean %s begin with %s.', c.relname, t.name)
            else format('on conflict (%1$s) becomes on conflict (%2$s, %1$s)', k.names, t.name)
                || case when i.indisprimary then format('; group by %1$s alone (42803) becomes group by %2$s, %1$s; '
                        'a new foreign key refers to (%2$s, %1$s), not to (%1$s) (42830)', k.names, t.name) else '' end || '.' end
        from pg_index i join pg_class c on c.oid = i.indexrelid,
        lateral (select tenant.column_list(i.indrelid, array[tenant_column]) as name) t,
        lateral (select tenant.column_list(i.indrelid, (i.indkey::smallint[])[0:i.indnkeyatts - 1]) as names) k
        where i.indexrelid = index
$$;
revoke all on function tenant.change_of_key(oid, smallint) from public;
grant execute on function tenant.change_of_key(oid, smallint) to tenant_admin;

-- What puts the tenant first in every key of the table and in every foreign key between it and a protected table, in an
-- order in which each statement can run alone. Keys stay where a foreign key from an unprotected table needs them; the
-- call for that table completes them. An obstacle is a row without statement.
create function tenant.plan_hardening(rel regclass, concurrent boolean, form tenant.key_form, keep_old_keys boolean, foreseen name)
    returns table (relation regclass, statement text, why text, changes text, foreign_keys oid[], obstacle tenant.obstacle)
    language plpgsql stable set search_path = pg_catalog, pg_temp set tenant.foreseen_column = '' as $$
#variable_conflict use_column
declare
    parts constant oid[] := array(select h::oid from tenant.hierarchy(rel) h);
    key record;
    fk record;
    own smallint;
    beside text;     -- the name of what stands beside the key until it takes its place, or for as long as the key stays
    schema_name text;
    stays boolean;   -- a surrogate key, which all may go on using alone
    held boolean;    -- by that, by who asks for it, or by a foreign key of a table that is not protected
    said_of_key text;
    change text;
    occupied boolean; -- the name is that of something else
    waiting oid[];   -- foreign keys that can contain the tenant and do not yet
    done oid[] := '{}';
    reusable boolean;
    swap text;
    cell text;
    after text;
    prepared text;   -- what is there already under a name that is not ours
    renamed boolean; -- it is a constraint
begin
    perform set_config('tenant.foreseen_column', coalesce(foreseen, ''), true);
    for key in select * from tenant.keys_without_tenant(parts) loop
        relation := key.relation;
        own := tenant.key_column(relation);
        foreign_keys := '{}';
        stays := form <> 'all' and tenant.surrogate_kind(key.index) is not null;
        said_of_key := case when stays then format('%s of %s stays as it is; foreign keys use one with the tenant beside it.', key.name, relation)
            else format('%s of %s is one for all tenants: it tells that another has a value.', key.name, relation) end;
        statement := null;
        changes := null;
        obstacle := null;
        why := format('%s of %s stays without the tenant: ', key.name, relation) || tenant.said_of_shared_key(key.index) || '.';
        if why is not null then
            continue when stays or not relation = any (parts);
            return next;
            continue;
        end if;
        obstacle := tenant.obstacle_of_key(key.index, own);
        if obstacle is not null then
            continue when stays;
            why := format('%s: %s: %s', obstacle.code, obstacle.problem, obstacle.reason);
            return next;
            continue;
        end if;
        beside := tenant.name_beside(key.name, '_tenant');
        schema_name := (select quote_ident(nspname) from pg_class c join pg_namespace n on n.oid = relnamespace where c.oid = key.index);
        select coalesce(bool_or(not usable), false), coalesce(array_agg(oid order by child, conname) filter (where usable), '{}')
            into held, waiting
            from (select f.oid, f.conrelid::regclass::text as child, f.conname,
                    coalesce(not tenant.key_column(f.conrelid) = any (f.conkey), false) as usable
                from pg_constraint f
                where key.is_reference and f.contype = 'f' and f.conparentid = 0 and f.confrelid = key.relation
                    and f.confkey <@ key.columns and f.confkey @> key.columns and not f.oid = any (done)) f;
        for fk in select oid, conrelid, coalesce(tenant.prepared_reference(oid), tenant.name_beside(conname, '_tenant')) as beside,
                tenant.obstacle_of_reference(oid) as obstacle
            from pg_constraint where oid = any (waiting)
        loop
            obstacle := fk.obstacle;
            if obstacle is null and key.online and not tenant.is_prepared(fk.oid, fk.beside) then
                obstacle := row('TN086', format('constraint %I of %s has a name that is needed', fk.beside, fk.conrelid::regclass),
                    'it is not the foreign key that is to stand there; rename or drop it.');
            end if;
            continue when obstacle is null;
            why := format('%s: %s: %s', obstacle.code, obstacle.problem, obstacle.reason);
            return next;
            held := true;
            waiting := array_remove(waiting, fk.oid);
        end loop;
        obstacle := null;
        done := done || waiting;
        change := case when stays then format('Nothing: group by %1$s, references %2$s (%1$s) and on conflict (%1$s) go on working.',
                tenant.column_list(key.relation, key.columns), relation)
            when held or keep_old_keys then 'Nothing yet: the old key stays. Later: ' || tenant.change_of_key(key.index, own)
            else tenant.change_of_key(key.index, own) end;
        why := said_of_key;
        changes := change;
        -- Nothing waits for a key with the tenant, but those that are to come.
        continue when (held or stays and not coalesce((select contype = 'p' from pg_constraint where oid = key.constraint_oid), false))
            and not (keep_old_keys and not stays) and waiting = '{}';
        held := held or stays or keep_old_keys;

        -- What else stands on the index, when another takes its name.
        select concat(
                case when i.indisreplident then format('; alter table %s replica identity using index %I', relation, key.name) end,
                case when i.indisclustered then format('; alter table %s cluster on %I', relation, key.name) end,
                '; comment on constraint ' || quote_ident(key.name) || ' on ' || relation || ' is '
                    || quote_literal(obj_description(key.constraint_oid, 'pg_constraint')),
                '; comment on index ' || schema_name || '.' || quote_ident(key.name) || ' is '
                    || quote_literal(obj_description(key.index, 'pg_class')))
            into after from pg_index i where i.indexrelid = key.index;

        if key.online then
            if not exists (select from pg_class c join pg_class k on k.relnamespace = c.relnamespace where k.oid = key.index and c.relname = beside) then
                prepared := tenant.prepared_key(key.index, own);
                beside := coalesce(prepared, beside);
            end if;
            renamed := exists (select from pg_constraint where conrelid = key.relation and conname = beside and contype = 'u');
            reusable := coalesce((select i.indisvalid and pg_get_indexdef(i.indexrelid) = tenant.index_with_tenant(key.index, beside, own, false)
                from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = relation and c.relname = beside), false);
            reusable := reusable or held and key.is_reference and tenant.is_referable(key.relation, own || key.columns);
            if not reusable then
                select not exists (select from pg_index i where i.indexrelid = c.oid and i.indrelid = key.relation and not i.indisvalid)
                    into occupied from pg_class c
                    where c.relname = beside and c.relnamespace = (select relnamespace from pg_class where oid = key.index);
                if occupied then
                    obstacle := row('TN086', format('%s.%I has a name that is needed', schema_name, beside),
                        'it is not the key that is to stand there; rename or drop it.');
                    why := format('%s: %s: %s', obstacle.code, obstacle.problem, obstacle.reason);
                    changes := null;
                    return next;
                    obstacle := null;
                    continue;
                end if;
                if occupied is false then
                    statement := format('drop index %s.%I', schema_name, beside);
                    return next;
                end if;
                statement := tenant.index_with_tenant(key.index, beside, own, concurrent);
                return next;
                statement := (select format('alter index %s.%I set tablespace %I', schema_name, beside, spcname)
                    from pg_class c join pg_tablespace s on s.oid = c.reltablespace where c.oid = key.index);
                if statement is not null then
                    return next;
                end if;
            end if;
            for fk in select f.oid, f.conname::text as name, f.conrelid::regclass as child,
                    coalesce(tenant.prepared_reference(f.oid), tenant.name_beside(f.conname, '_tenant')) as beside, f.conrelid, c.relkind,
                    f.convalidated or (to_jsonb(f) ->> 'conenforced')::boolean is false as validated,
                    coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true) as enforced,
                    obj_description(f.oid, 'pg_constraint') as said
                from pg_constraint f join pg_class c on c.oid = f.conrelid where f.oid = any (waiting) order by 3::text, 2
            loop
                relation := fk.child;
                foreign_keys := array[fk.oid];
                why := format('%s of %s refers, cascades and locks across tenants.', fk.name, fk.child);
                changes := 'A reference to another tenant''s row is refused (23503), whether it is there or not.';
                cell := coalesce(format('; comment on constraint %I on %s is ', fk.name, fk.child) || quote_literal(fk.said), '');
                if fk.relkind = 'p' and not coalesce((
                        select convalidated from pg_constraint where conrelid = fk.conrelid and conname = fk.beside), false) then
                    statement := concat(format('alter table %1$s drop constraint %2$I; alter table %1$s add constraint %2$I ', fk.child, fk.name),
                        tenant.reference_with_tenant(fk.oid), '; ' || tenant.match_full_check(fk.oid), cell);
                    return next;
                    continue;
                end if;
                if not exists (select from pg_constraint where conrelid = fk.conrelid and conname = fk.beside) then
                    statement := concat(format('alter table %s add constraint %I ', fk.child, fk.beside),
                        tenant.reference_with_tenant(fk.oid), case when fk.enforced then ' not valid' end,
                        '; ' || tenant.match_full_check(fk.oid) || ' not valid');
                    return next;
                elsif not exists (select from pg_constraint where conrelid = fk.conrelid and conname = tenant.name_beside(fk.name, '_match')) then
                    statement := tenant.match_full_check(fk.oid) || ' not valid';
                    if statement is not null then
                        return next;
                    end if;
                end if;
                if fk.validated and fk.enforced and not (exists (select from pg_constraint
                            where conrelid = fk.conrelid and conname = fk.beside and convalidated)
                        and (tenant.match_full_check(fk.oid) is null or exists (select from pg_constraint
                            where conrelid = fk.conrelid and conname = tenant.name_beside(fk.name, '_match') and convalidated))) then
                    statement := concat(format('alter table %s validate constraint %I', fk.child, fk.beside),
                        case when tenant.match_full_check(fk.oid) is not null then
                            format(', validate constraint %I', tenant.name_beside(fk.name, '_match')) end);
                    return next;
                end if;
                statement := format('alter table %1$s drop constraint %2$I; alter table %1$s rename constraint %3$I to %2$I%4$s',
                    fk.child, fk.name, fk.beside, cell);
                return next;
            end loop;
            relation := key.relation;
            foreign_keys := '{}';
            why := said_of_key;
            changes := change;
            continue when held;
            statement := coalesce(
                case when renamed then
                    format('alter table %1$s drop constraint %2$I; alter table %1$s rename constraint %3$I to %2$I', relation, key.name, beside) end,
                (select format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s using index %4$I%5$s%6$s', relation, key.name,
                        case contype when 'p' then 'primary key' else 'unique' end, beside,
                        case when condeferrable then ' deferrable' else '' end, case when condeferred then ' initially deferred' else '' end)
                    from pg_constraint where oid = key.constraint_oid),
                format('drop index %1$s.%2$I; alter index %1$s.%3$I rename to %2$I', schema_name, key.name, beside)) || after;
            return next;
        else
            foreign_keys := waiting;
            -- An index with a predicate or expressions is nothing that a constraint could be.
            cell := case when key.constraint_oid is not null or key.is_reference then coalesce(
                (select regexp_replace(tenant.constraint_with_tenant(oid, own), '^PRIMARY KEY', 'UNIQUE')
                    from pg_constraint where oid = key.constraint_oid),
                format('UNIQUE (%s)', tenant.column_list(key.relation, own || key.columns))) end;
            reusable := case when cell is not null
                then exists (select from pg_constraint where conrelid = key.relation and conname = beside and pg_get_constraintdef(oid) = cell)
                else exists (select from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = key.relation and c.relname = beside
                    and i.indisunique and i.indisvalid and i.indkey[0] = own) end;
            if held then
                reusable := reusable or key.is_reference and tenant.is_referable(key.relation, own || key.columns);
                if not reusable then
                    statement := coalesce(format('alter table %s add constraint %I ', relation, beside) || cell,
                        tenant.index_with_tenant(key.index, beside, own, false));
                    return next;
                end if;
                swap := null;
                continue when waiting = '{}';
            else
                swap := coalesce(
                    (select format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s', relation, key.name,
                        tenant.constraint_with_tenant(key.constraint_oid, own)) where key.constraint_oid is not null),
                    format('%1$s; drop index %2$s.%3$I; alter index %2$s.%4$I rename to %3$I',
                        tenant.index_with_tenant(key.index, beside || '_', own, false), schema_name, key.name, beside || '_')) || after;
                if reusable then
                    swap := case when cell is not null then format('alter table %s drop constraint %I; ', relation, beside)
                        else format('drop index %s.%I; ', schema_name, beside) end || swap;
                end if;
            end if;
            -- Those that wait, and those that stand on what stood beside the key: all are taken off and put back.
            select concat_ws('; ',
                    string_agg(format('alter table %s drop constraint %I', conrelid::regclass, conname), '; '
                        order by conrelid::regclass::text, conname),
                    swap,
                    string_agg(concat(definition,
                        format('; comment on constraint %I on %s is ', conname, conrelid::regclass) || quote_literal(said)),
                        '; ' order by conrelid::regclass::text, conname))
                into statement
                from (select f.conrelid, f.conname, concat(coalesce(
                            (select format('alter table %s rename constraint %I to %I', f.conrelid::regclass, n.conname, f.conname)
                                from pg_constraint n
                                where n.conrelid = f.conrelid and n.conname = tenant.prepared_reference(f.oid)
                                    and (n.convalidated or not f.convalidated) and (held or not exists (select from pg_constraint stand
                                        where stand.conindid = n.conindid and stand.conname = beside and stand.contype = 'u'))),
                            format('alter table %s add constraint %I ', f.conrelid::regclass, f.conname)
                                || tenant.reference_with_tenant(f.oid) || case when not f.convalidated
                                and (to_jsonb(f) ->> 'conenforced')::boolean is distinct from false then ' not valid' else '' end),
                            '; ' || tenant.match_full_check(f.oid)) as definition,
                            obj_description(f.oid, 'pg_constraint') as said
                        from pg_constraint f where f.oid = any (waiting)
                    union all
                    select f.conrelid, f.conname, format('alter table %s add constraint %I ', f.conrelid::regclass, f.conname)
                            || pg_get_constraintdef(f.oid), obj_description(f.oid, 'pg_constraint')
                        from pg_constraint f join pg_constraint stand on stand.conindid = f.conindid and stand.conname = beside
                            and stand.conrelid = key.relation and stand.contype = 'u'
                        where not held and f.contype = 'f' and f.conparentid = 0) f;
            return next;
        end if;
    end loop;

    -- What stays, since another table is not protected yet, or for reasons of its own.
    foreign_keys := '{}';
    statement := null;
    changes := null;
    for fk in
        select f.conname, f.conrelid::regclass as child, f.confrelid::regclass as parent, tenant.key_column(f.conrelid) as own
        from pg_constraint f
        where f.contype = 'f' and f.conparentid = 0 and (f.conrelid = any (parts) or f.confrelid = any (parts))
            and not f.oid = any (done) and tenant.key_column(f.confrelid) is not null
            and tenant.obstacle_of_reference(f.oid) is null
            and (tenant.key_column(f.conrelid) is null or not exists (
                select from generate_subscripts(f.conkey, 1) n
                where f.conkey[n] = tenant.key_column(f.conrelid) and f.confkey[n] = tenant.key_column(f.confrelid)))
        order by f.conrelid::regclass::text, f.conname
    loop
        relation := fk.child;
        why := format('%s of %s stays without the tenant, and so does the key of %s that it refers to: %s', fk.conname, fk.child, fk.parent,
            case when tenant.has_shared_rows(fk.parent) then format('rows of %s may be every tenant''s.', fk.parent)
                when fk.own is null then format('%s is not protected.', fk.child)
                else 'it refers by the tenant column already, or to a partition.' end);
        return next;
    end loop;
end
$$;
revoke all on function tenant.plan_hardening(regclass, boolean, tenant.key_form, boolean, name) from public;
grant execute on function tenant.plan_hardening(regclass, boolean, tenant.key_form, boolean, name) to tenant_admin;

create function tenant.hardening(rel regclass, harden tenant.key_form default 'true', keep_old_keys boolean default false,
        tenant_column name default null)
    returns table (step bigint, relation regclass, statement text, why text, changes text)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    col pg_attribute;
begin
    -- Its keys are no tenant's.
    if tenant.membership_through(rel) is not null then
        return;
    end if;
    if tenant.fence_policy(rel) is null then
        if tenant_column is null then
            raise exception using
                errcode = 'TN028',
                message = format('table %s is not protected', rel),
                detail = 'Its keys can contain the tenant once it says which column that is.',
                hint = format('First: select tenant.protect(%L); or, before that: select * from tenant.hardening(%1$L, tenant_column => ''...'');', rel);
        end if;
        select * into col from pg_attribute a where a.attrelid = rel and a.attname = tenant_column and a.attnum > 0 and not a.attisdropped;
        if not found then
            raise exception using
                errcode = 'TN021',
                message = format('table %s has no column "%s"', rel, tenant_column),
                detail = 'Keys get the column that says which tenant a row belongs to.',
                hint = 'Name the column that does.';
        elsif not col.attnotnull then
            raise exception using
                errcode = 'TN024',
                message = format('column "%s" of table %s may be null', tenant_column, rel),
                detail = 'A foreign key does not look at a row whose tenant is null.',
                hint = format('First: alter table %s alter column %I set not null;', rel, tenant_column);
        end if;
    end if;
    return query select row_number() over (), p.relation, p.statement, p.why, p.changes
        from tenant.plan_hardening(rel, true, harden, keep_old_keys, tenant_column) p where harden <> 'false';
end
$$;
comment on function tenant.hardening is 'The statements that put the tenant first in the keys of the table, in order, each to be run alone, and what applications write otherwise then; none where nothing is to do. No statement: what stays as it is, and why.';
revoke all on function tenant.hardening(regclass, tenant.key_form, boolean, name) from public;
grant execute on function tenant.hardening(regclass, tenant.key_form, boolean, name) to tenant_admin;

-- As tenant.run_as_owner, so that a foreign key is validated in one query over all tenants' rows, and not row by row under a
-- lock on each row that is referred to. Within tenant.protect only.
create function tenant.run_validation(rel regclass, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_validation';
revoke all on function tenant.run_validation(regclass, text) from public;
grant execute on function tenant.run_validation(regclass, text) to tenant_admin;

-- Called by tenant.protect, which has turned the guards off.
create function tenant.apply_hardening(rel regclass, form tenant.key_form, keep_old_keys boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    step record;
    fk oid;
    across bigint;
    done jsonb := '[]';
    messages constant text := current_setting('client_min_messages');
begin
    perform tenant.require_owner(rel);
    for step in select * from tenant.plan_hardening(rel, false, form, keep_old_keys, null) loop
        if step.statement is null then
            if step.obstacle is not null then
                raise exception using
                    errcode = (step.obstacle).code,
                    message = format('cannot harden %s: %s', rel, (step.obstacle).problem),
                    detail = (step.obstacle).reason,
                    hint = case (step.obstacle).code when 'TN085' then 'create extension btree_gist;'
                        else 'Change that key first, or protect without harden => true.' end;
            end if;
            raise notice using message = step.why, hint = case when step.why like '% is not protected.'
                then 'Protect the other table with harden => true: that completes both.' else 'Nothing is to be done.' end;
            continue;
        end if;
        begin
            if messages not in ('warning', 'error') then
                perform set_config('client_min_messages', 'warning', true); -- that an index takes its name is no news
            end if;
            if step.foreign_keys = '{}' then
                perform tenant.run_as_owner(step.relation, step.statement);
            else
                perform tenant.run_validation(step.relation, step.statement);
            end if;
            perform set_config('client_min_messages', messages, true);
        exception when foreign_key_violation then
            foreach fk in array step.foreign_keys loop
                across := tenant.count_across(fk);
                if across > 0 or array_length(step.foreign_keys, 1) = 1 then
                    raise exception using
                        errcode = 'TN087',
                        message = format('cannot harden %s: %s rows of table %s refer to rows of another tenant', rel,
                            coalesce(across::text, 'some'), (select conrelid::regclass from pg_constraint where oid = fk)),
                        detail = format('The foreign key is %I.', (select conname from pg_constraint where oid = fk)),
                        hint = format('As a superuser: %s;', tenant.references_across(fk));
                end if;
            end loop;
            raise;
        end;
        done := done || to_jsonb(step.statement);
    end loop;
    if done <> '[]' then
        insert into tenant.journal (action, object, detail) values ('harden', rel::text, jsonb_build_object('statements', done));
    end if;
end
$$;
revoke all on function tenant.apply_hardening(regclass, tenant.key_form, boolean) from public;
grant execute on function tenant.apply_hardening(regclass, tenant.key_form, boolean) to tenant_admin;
