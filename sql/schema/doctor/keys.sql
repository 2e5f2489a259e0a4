-- Findings on columns and keys: what holds for all tenants at once tells one of them of the others.

create view tenant_internal.finding_t046 as
    select 'T046' as code, 'error' as level,
        format('%s.%I', t.name, t.tenant_column_name) as object,
        format('tenant column %I of protected table %s can be null', t.tenant_column_name, t.name) as problem,
        'A row without a tenant is nobody''s: no tenant sees it, and unique keys that hold the column let it in twice. Where every tenant is to see it, the table is to be protected with shared_rows => true.' as why,
        format('alter table %s alter column %I set not null;', t.name, t.tenant_column_name) as fix
    from tenant_internal.doctor_tables t where not t.tenant_not_null and not tenant_internal.has_shared_rows(t.relation::regclass);
comment on view tenant_internal.finding_t046 is 'The tenant column can be null';

create view tenant_internal.finding_t047 as
    select 'T047' as code, 'error' as level,
        format('%s.%I', t.name, t.tenant_column_name) as object,
        format('tenant column %I of protected table %s has the nondeterministic collation %s', t.tenant_column_name, t.name, c.oid::regcollation) as problem,
        'Under this collation different ids can be equal, and one tenant would see the rows of another.' as why,
        null::text as fix
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_collation c on c.oid = t.tenant_collation and not c.collisdeterministic;
comment on view tenant_internal.finding_t047 is 'Tenant ids that differ can be equal';

create view tenant_internal.finding_t048 as
    select 'T048' as code, 'warn' as level,
        format('%s.%I', t.name, a.attname) as object,
        format('column %I of table %s is of type %s, which cannot hold a tenant', a.attname, t.name, format_type(a.atttypid, a.atttypmod)) as problem,
        'Values that are equal under the type, as 1.0 and 1.00 or ''a'' and ''A'', are not the same tenant. tenant.protect takes uuid, integers, text and varchar.' as why,
        null::text as fix
    from tenant_internal.doctor_user_tables t
    join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum > 0 and not a.attisdropped
        and a.attname in (select 'tenant_id'::name union select tenant_column_name from tenant_internal.doctor_tables)
    where t.relation not in (select relation from tenant_internal.doctor_tables)
        and t.relation not in (select relation from tenant.shared)
        and (a.atttypid not in ('uuid'::regtype, 'bigint'::regtype, 'integer'::regtype, 'smallint'::regtype, 'text'::regtype, 'varchar'::regtype)
            or exists (select from pg_catalog.pg_collation c where c.oid = a.attcollation and not c.collisdeterministic));
comment on view tenant_internal.finding_t048 is 'A tenant column has a type that cannot hold a tenant';

-- What puts the tenant into every key of the table.
create function tenant_internal.doctor_harden(name text, tenant_column name) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format('select tenant.protect(%L, %L, harden => true); -- on a busy table, one by one: select statement from tenant.hardening(%1$L) order by step;',
        name, tenant_column)
$$;
revoke all on function tenant_internal.doctor_harden(text, name) from public;

-- Unique, primary and exclusion keys of protected tables that leave the tenant column out; not those of partitions that
-- come from their parent. What mends them is tenant.protect with harden, but where it would leave the key as it is.
create view tenant_internal.doctor_loose_keys as
    select t.relation, t.name, i.indexrelid as index, i.indexrelid::regclass::text as index_name,
        i.indisprimary, i.indisexclusion or coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) as excludes, k.conname,
        (select string_agg(quote_ident(a.attname), ', ' order by n.nth)
            from unnest(i.indkey::int2[]) with ordinality n (attnum, nth)
            join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum = n.attnum
            where n.nth <= i.indnkeyatts) as columns,
        coalesce(tenant_internal.surrogate_kind(i.indexrelid) = 'numbered', false) as is_numbered,
        coalesce(tenant_internal.surrogate_kind(i.indexrelid) = 'random', false) or i.indnkeyatts = 1 and exists (select from pg_catalog.pg_attribute a
            where a.attrelid = t.relation and a.attnum = i.indkey[0] and a.atttypid = 'uuid'::regtype) as is_random,
        case when tenant_internal.said_of_shared_key(i.indexrelid) is null and (am.amname = 'btree' or tenant_internal.obstacle_of_key(i.indexrelid, t.tenant_column) is null)
            and not exists (select from pg_catalog.pg_constraint f
                where f.contype = 'f' and f.conindid = i.indexrelid and f.conparentid = 0
                    and (f.conrelid not in (select relation from tenant_internal.doctor_tables) or tenant_internal.obstacle_of_reference(f.oid) is not null))
            then tenant_internal.doctor_harden(t.name, t.tenant_column_name) end as harden,
        t.tenant_column_name, i.indkey[0] as first_column
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_index i on i.indrelid = t.relation and (i.indisunique or i.indisexclusion)
    join pg_catalog.pg_class c on c.oid = i.indexrelid and not c.relispartition
    join pg_catalog.pg_am am on am.oid = c.relam
    left join pg_catalog.pg_constraint k on k.conindid = i.indexrelid and k.conrelid = t.relation and k.contype in ('p', 'u', 'x')
    where t.tenant_column <> all ((i.indkey::int2[])[0:i.indnkeyatts - 1]);

create view tenant_internal.finding_t050 as
    select 'T050' as code, 'warn' as level,
        k.index_name as object,
        format('%s (%s) of protected table %s holds for all tenants at once',
            case when k.indisprimary then 'the primary key' else 'the unique key' end, k.columns, k.name) as problem,
        'A tenant learns from an error, from ON CONFLICT or from waiting that another has the value, and can take it first.' as why,
        k.harden as fix
    from tenant_internal.doctor_loose_keys k
    where not k.excludes and not k.is_random and not k.is_numbered;
comment on view tenant_internal.finding_t050 is 'A unique key holds for all tenants at once';

-- What numbers itself stays with harden => true; the level does not nag, for it is a choice.
create view tenant_internal.finding_t117 as
    select 'T117' as code, 'info' as level,
        k.index_name as object,
        format('%s may choose %s of protected table %s, which is numbered for all tenants at once%s', g.grantees, k.columns, k.name,
            case a.attidentity when 'a' then ': by OVERRIDING SYSTEM VALUE or COPY' else '' end) as problem,
        'A number that another tenant has is refused (23505) and so tells that it is there, deleted rows by their absence; one that is taken ahead of the sequence makes another''s insert fail.' as why,
        case when k.harden is not null then format('select tenant.protect(%L, %L, harden => ''all''); -- or grant INSERT and UPDATE on the other columns only',
            k.name, k.tenant_column_name) end as fix
    from tenant_internal.doctor_loose_keys k
    join pg_catalog.pg_attribute a on a.attrelid = k.relation and a.attnum = k.first_column
    cross join lateral (
        select string_agg(distinct w.name, ', ') as grantees
        from (select aclexplode(c.relacl) as r from pg_catalog.pg_class c where c.oid = k.relation
            union all select aclexplode(a.attacl)) acl
        cross join lateral (select case (acl.r).grantee when 0 then 'public' else (acl.r).grantee::regrole::text end as name) w
        where ((acl.r).privilege_type = 'INSERT' or (acl.r).privilege_type = 'UPDATE' and a.attidentity <> 'a')
            and ((acl.r).grantee = 0 or (acl.r).grantee in (select role from tenant_internal.doctor_reached))
    ) g
    where k.is_numbered and g.grantees is not null;
comment on view tenant_internal.finding_t117 is 'A tenant may choose a number that is one for all';

create view tenant_internal.finding_t051 as
    select 'T051' as code, 'warn' as level,
        k.index_name as object,
        format('exclusion constraint %I of protected table %s compares rows of all tenants', k.conname, k.name) as problem,
        'A tenant''s row is refused because of another tenant''s row, and the error reveals that row.' as why,
        k.harden as fix
    from tenant_internal.doctor_loose_keys k where k.excludes;
comment on view tenant_internal.finding_t051 is 'An exclusion constraint compares rows of all tenants';
