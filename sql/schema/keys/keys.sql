-- The keys of a table, as they are and as they would be.

-- The keys of these tables, and those that their foreign keys refer to, that do not contain the tenant.
create function tenant_internal.keys_without_tenant(parts oid[])
    returns table (relation oid, index oid, constraint_oid oid, name text, columns smallint[], is_reference boolean, online boolean)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select i.indrelid, i.indexrelid, con.oid, c.relname, key.columns, i.indisunique and i.indexprs is null and i.indpred is null,
        -- Otherwise the constraint can only be dropped and added again.
        t.relkind = 'r' and con.contype is distinct from 'x' and not i.indisexclusion
    from (select unnest(parts)
            union select confrelid from pg_constraint where contype = 'f' and conparentid = 0 and conrelid = any (parts)) touched (oid)
    join pg_class t on t.oid = touched.oid
    join pg_index i on i.indrelid = t.oid and (i.indisunique or i.indisexclusion) and i.indisvalid
    join pg_class c on c.oid = i.indexrelid and not c.relispartition
    left join pg_constraint con on con.conindid = i.indexrelid and con.conrelid = i.indrelid and con.contype in ('p', 'u', 'x')
    cross join lateral (select array(select unnest((i.indkey::smallint[])[0:i.indnkeyatts - 1])) as columns,
        tenant_internal.key_column(t.oid::regclass) as tenant) key
    where key.tenant is not null
        and not key.tenant = any (key.columns)
        and (t.oid = any (parts) or exists (select from pg_constraint f where f.contype = 'f' and f.conparentid = 0
            and f.conrelid = any (parts) and f.confrelid = t.oid and f.confkey <@ key.columns and f.confkey @> key.columns))
    order by t.oid::regclass::text, c.relname
$$;
revoke all on function tenant_internal.keys_without_tenant(oid[]) from public;
grant execute on function tenant_internal.keys_without_tenant(oid[]) to tenant_admin;

-- How the database itself generates the values of a single-column key: 'numbered' or 'random'. Null where it does not:
-- then the values have a meaning.
create function tenant_internal.surrogate_kind(index oid) returns text
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
revoke all on function tenant_internal.surrogate_kind(oid) from public;
grant execute on function tenant_internal.surrogate_kind(oid) to tenant_admin;

-- Whether a foreign key can refer to these columns of the table.
create function tenant_internal.is_referable(rel oid, columns smallint[]) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_index i where i.indrelid = rel and i.indisunique and i.indisvalid and i.indimmediate
            and i.indpred is null and i.indexprs is null and i.indnkeyatts = cardinality(columns)
            and (i.indkey::smallint[])[0:i.indnkeyatts - 1] @> columns)
$$;
revoke all on function tenant_internal.is_referable(oid, smallint[]) from public;
grant execute on function tenant_internal.is_referable(oid, smallint[]) to tenant_admin;

-- Whether the constraint of this name is the foreign key that is to replace this one; null where there is no such
-- constraint.
create function tenant_internal.is_prepared(fk oid, name text) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select n.contype = 'f' and n.confrelid = f.confrelid
            and array(select format('%s=%s', here, there) from unnest(n.conkey, n.confkey) k (here, there) order by 1)
                = array(select format('%s=%s', here, there) from unnest(tenant_internal.key_column(f.conrelid) || f.conkey,
                    tenant_internal.key_column(f.confrelid) || f.confkey) k (here, there) order by 1)
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
revoke all on function tenant_internal.is_prepared(oid, text) from public;
grant execute on function tenant_internal.is_prepared(oid, text) to tenant_admin;

-- The name of an existing constraint that can replace the foreign key: preferably of the name that hardening uses. Of
-- several equal foreign keys only the first gets it.
create function tenant_internal.prepared_reference(fk oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select n.conname
        from pg_constraint f join pg_constraint n on n.conrelid = f.conrelid and n.contype = 'f' and n.conparentid = 0 and n.oid <> fk
        where f.oid = fk and tenant_internal.is_prepared(fk, n.conname) and (n.conname = tenant_internal.name_beside(f.conname, '_tenant') or not exists (
            select from pg_constraint other where other.conrelid = f.conrelid and other.contype = 'f' and other.oid <> fk
                and (other.conname < f.conname or n.conname = tenant_internal.name_beside(other.conname, '_tenant'))
                and tenant_internal.is_prepared(other.oid, n.conname)))
        order by n.conname <> tenant_internal.name_beside(f.conname, '_tenant'), not n.convalidated, n.conname limit 1
$$;
revoke all on function tenant_internal.prepared_reference(oid) from public;
grant execute on function tenant_internal.prepared_reference(oid) to tenant_admin;

-- The name of an existing index that can replace this key. Not one of another constraint, unless that can be renamed.
create function tenant_internal.prepared_key(index oid, tenant_column smallint) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select c.relname
        from pg_index key
        join pg_index i on i.indrelid = key.indrelid and i.indexrelid <> key.indexrelid and i.indisvalid
        join pg_class c on c.oid = i.indexrelid
        left join pg_constraint old on old.conindid = key.indexrelid and old.conrelid = key.indrelid and old.contype in ('p', 'u', 'x')
        left join pg_constraint new on new.conindid = i.indexrelid and new.conrelid = i.indrelid and new.contype in ('p', 'u', 'x')
        where key.indexrelid = index
            and pg_get_indexdef(i.indexrelid) = tenant_internal.index_with_tenant(index, c.relname, tenant_column, false)
            and (new.oid is null or old.contype = 'u' and new.contype = 'u'
                and (new.condeferrable, new.condeferred) = (old.condeferrable, old.condeferred))
        order by new.oid is not null, c.relname limit 1
$$;
revoke all on function tenant_internal.prepared_key(oid, smallint) from public;
grant execute on function tenant_internal.prepared_key(oid, smallint) to tenant_admin;

-- What applications have to write differently once the key contains the tenant column.
create function tenant_internal.change_of_key(index oid, tenant_column smallint) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when i.indisexclusion or i.indexprs is not null
                then format('Conflict targets that mean %s begin with %s.', c.relname, t.name)
            else format('on conflict (%1$s) becomes on conflict (%2$s, %1$s)', k.names, t.name)
                || case when i.indisprimary then format('; group by %1$s alone (42803) becomes group by %2$s, %1$s; '
                        'a new foreign key refers to (%2$s, %1$s), not to (%1$s) (42830)', k.names, t.name) else '' end || '.' end
        from pg_index i join pg_class c on c.oid = i.indexrelid,
        lateral (select tenant_internal.column_list(i.indrelid, array[tenant_column]) as name) t,
        lateral (select tenant_internal.column_list(i.indrelid, (i.indkey::smallint[])[0:i.indnkeyatts - 1]) as names) k
        where i.indexrelid = index
$$;
revoke all on function tenant_internal.change_of_key(oid, smallint) from public;
grant execute on function tenant_internal.change_of_key(oid, smallint) to tenant_admin;
