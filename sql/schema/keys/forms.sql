-- Hardening puts the tenant column first in keys, so that they hold within a tenant and reveal nothing of others.
--
-- A unique key without the tenant column reveals whether another tenant has a value; a foreign key without it refers,
-- cascades and locks across tenants. plan_hardening finds the statements that put the tenant column first in each:
-- tenant.hardening shows them, to be run one by one, and apply_hardening runs them.
--
-- A surrogate key reveals nothing of its row, and applications rely on it alone (group by id, references t (id), on
-- conflict (id)). So it stays, unless all keys are asked for; foreign keys then use a key with the tenant column that
-- is made beside it.

-- The tenant column of a protected table, or of one that is planned to be protected (tenant.foreseen_column).
create function tenant_internal.key_column(rel regclass) returns smallint
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(tenant_internal.fence_column(rel), (select attnum from pg_attribute
        where attrelid = rel and attname = current_setting('tenant.foreseen_column', true) and attnum > 0 and not attisdropped
            and attnotnull and not exists (select from tenant.shared where relation = rel)))
$$;
revoke all on function tenant_internal.key_column(regclass) from public;
grant execute on function tenant_internal.key_column(regclass) to tenant_admin;

-- The name of the new object that stands beside the old one until it replaces it.
create function tenant_internal.name_beside(name text, suffix text) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case when octet_length(name) + octet_length(suffix) < 64 then name || suffix
        else left(name, 8) || '_' || left(md5(name), 20) || suffix end
$$;
revoke all on function tenant_internal.name_beside(text, text) from public;
grant execute on function tenant_internal.name_beside(text, text) to tenant_admin;

-- The names of a key's columns, separated by commas.
create function tenant_internal.column_list(rel oid, columns smallint[]) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select string_agg(quote_ident(attname), ', ' order by at)
        from unnest(columns) with ordinality as key (attnum, at) join pg_attribute a on a.attrelid = rel and a.attnum = key.attnum
$$;
revoke all on function tenant_internal.column_list(oid, smallint[]) from public;
grant execute on function tenant_internal.column_list(oid, smallint[]) to tenant_admin;

-- A list of columns that is INCLUDEd, without the tenant column.
create function tenant_internal.without_included(definition text, index oid, tenant_column smallint) returns text
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
    rest := tenant_internal.column_list(i.indrelid, array_remove(included, tenant_column));
    return replace(definition, format(') INCLUDE (%s)', tenant_internal.column_list(i.indrelid, included)),
        ')' || coalesce(format(' INCLUDE (%s)', rest), ''));
end
$$;
revoke all on function tenant_internal.without_included(text, oid, smallint) from public;
grant execute on function tenant_internal.without_included(text, oid, smallint) to tenant_admin;

-- Keys of tables with shared rows: those without a tenant are unique among each other only where nulls are not
-- distinct.
create function tenant_internal.with_equal_nulls(rest text, rel oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when tenant_internal.has_shared_rows(rel) and rest !~ 'NULLS NOT DISTINCT'
        then regexp_replace(rest, '^([^()"]|"[^"()]*")*\)( INCLUDE \(([^()"]|"[^"()]*")*\))?', '\& NULLS NOT DISTINCT') else rest end
$$;
revoke all on function tenant_internal.with_equal_nulls(text, oid) from public;
grant execute on function tenant_internal.with_equal_nulls(text, oid) to tenant_admin;

-- Why a key of a table with shared rows stays without the tenant; null where it can have it, or the table has none.
create function tenant_internal.said_of_shared_key(index oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when tenant_internal.has_shared_rows(i.indrelid) is not true then null
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
revoke all on function tenant_internal.said_of_shared_key(oid) from public;
grant execute on function tenant_internal.said_of_shared_key(oid) to tenant_admin;

-- The definition of the same unique index with the tenant column in front.
create function tenant_internal.index_with_tenant(index oid, name text, tenant_column smallint, concurrent boolean) returns text
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
            name, i.indrelid::regclass, method, tenant_internal.column_list(i.indrelid, array[tenant_column]))
        || tenant_internal.with_equal_nulls(substr(tenant_internal.without_included(pg_get_indexdef(index), index, tenant_column), length(prefix) + 1), i.indrelid);
end
$$;
revoke all on function tenant_internal.index_with_tenant(oid, text, smallint, boolean) from public;
grant execute on function tenant_internal.index_with_tenant(oid, text, smallint, boolean) to tenant_admin;

-- The definition of the same constraint with the tenant column in front.
create function tenant_internal.constraint_with_tenant(con oid, tenant_column smallint) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when contype = 'u' and tenant_internal.has_shared_rows(conrelid) and old not like 'UNIQUE NULLS NOT DISTINCT (%'
                then 'UNIQUE NULLS NOT DISTINCT (' else left(old, strpos(old, '(')) end || tenant_internal.column_list(conrelid, array[tenant_column])
            || case contype when 'x' then ' WITH OPERATOR(pg_catalog.=)' else '' end || ', ' || substr(old, strpos(old, '(') + 1)
        from (select contype, conrelid, tenant_internal.without_included(pg_get_constraintdef(oid), conindid, tenant_column) as old
            from pg_constraint where oid = con) c
$$;
revoke all on function tenant_internal.constraint_with_tenant(oid, smallint) from public;
grant execute on function tenant_internal.constraint_with_tenant(oid, smallint) to tenant_admin;

-- The definition of the foreign key with the tenant columns of both tables in front. ON DELETE SET NULL and SET DEFAULT
-- are restricted to the other columns.
create function tenant_internal.reference_with_tenant(fk oid) returns text
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
    own := tenant_internal.key_column(f.conrelid);
    period := coalesce((to_jsonb(f) ->> 'conperiod')::boolean, false);
    columns := case when period then trim_array(f.conkey, 1) else f.conkey end;
    referenced := case when period then trim_array(f.confkey, 1) else f.confkey end;
    -- MATCH FULL wants all columns null, or none. It is kept only where no column can be null: the tenant column is not
    -- null, so all of them null would be refused.
    full_match := f.confmatchtype = 'f' and not exists (
        select from pg_attribute where attrelid = f.conrelid and attnum = any (f.conkey) and not attnotnull)
        and tenant_internal.has_shared_rows(f.conrelid) is not true;
    return format('foreign key (%s%s) references %s (%s%s)',
            tenant_internal.column_list(f.conrelid, own || columns),
            case when period then ', period ' || tenant_internal.column_list(f.conrelid, f.conkey[cardinality(f.conkey):]) else '' end,
            f.confrelid::regclass,
            tenant_internal.column_list(f.confrelid, tenant_internal.key_column(f.confrelid) || referenced),
            case when period then ', period ' || tenant_internal.column_list(f.confrelid, f.confkey[cardinality(f.confkey):]) else '' end)
        || case when full_match then ' match full' else '' end
        || case f.confupdtype when 'c' then ' on update cascade' when 'r' then ' on update restrict' else '' end
        || case f.confdeltype when 'c' then ' on delete cascade' when 'r' then ' on delete restrict'
            when 'n' then ' on delete set null' when 'd' then ' on delete set default' else '' end
        || case when f.confdeltype in ('n', 'd') then
            format(' (%s)', tenant_internal.column_list(f.conrelid, coalesce(f.confdelsetcols, f.conkey))) else '' end
        || case when f.condeferrable then ' deferrable' else '' end
        || case when f.condeferred then ' initially deferred' else '' end
        || case when (to_jsonb(f) ->> 'conenforced')::boolean is false then ' not enforced' else '' end;
end
$$;
revoke all on function tenant_internal.reference_with_tenant(oid) from public;
grant execute on function tenant_internal.reference_with_tenant(oid) to tenant_admin;

-- The CHECK that replaces MATCH FULL over several columns, where these may be null; null where none is needed.
create function tenant_internal.match_full_check(fk oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('alter table %s add constraint %I check (num_nulls(%s) in (0, %s))%s', f.conrelid::regclass,
            tenant_internal.name_beside(f.conname, '_match'), tenant_internal.column_list(f.conrelid, f.conkey), cardinality(f.conkey),
            case c.relkind when 'r' then ' no inherit' else '' end)
        from pg_constraint f join pg_class c on c.oid = f.conrelid
        where f.oid = fk and f.confmatchtype = 'f' and cardinality(f.conkey) > 1 and exists (
            select from pg_attribute where attrelid = f.conrelid and attnum = any (f.conkey) and not attnotnull)
$$;
revoke all on function tenant_internal.match_full_check(oid) from public;
grant execute on function tenant_internal.match_full_check(oid) to tenant_admin;
