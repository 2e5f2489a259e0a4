-- Findings on columns and keys: what holds for all tenants at once tells one of them of the others.

create view tenant.finding_t046 as
    select 'T046' as code, 'error' as level,
        format('%s.%I', t.name, t.tenant_column_name) as object,
        format('tenant column %I of protected table %s can be null', t.tenant_column_name, t.name) as problem,
        'A row without a tenant is nobody''s: no tenant sees it, and unique keys that hold the column let it in twice. Where every tenant is to see it, the table is to be protected with shared_rows => true.' as why,
        format('alter table %s alter column %I set not null;', t.name, t.tenant_column_name) as fix
    from tenant.doctor_tables t where not t.tenant_not_null and not tenant.has_shared_rows(t.relation::regclass);
comment on view tenant.finding_t046 is 'The tenant column can be null';

create view tenant.finding_t047 as
    select 'T047' as code, 'error' as level,
        format('%s.%I', t.name, t.tenant_column_name) as object,
        format('tenant column %I of protected table %s has the nondeterministic collation %s', t.tenant_column_name, t.name, c.oid::regcollation) as problem,
        'Under it, ids that differ can be equal: one tenant sees the rows of another.' as why,
        null::text as fix
    from tenant.doctor_tables t
    join pg_catalog.pg_collation c on c.oid = t.tenant_collation and not c.collisdeterministic;
comment on view tenant.finding_t047 is 'Tenant ids that differ can be equal';

create view tenant.finding_t048 as
    select 'T048' as code, 'warn' as level,
        format('%s.%I', t.name, a.attname) as object,
        format('column %I of table %s is of type %s, which cannot hold a tenant', a.attname, t.name, format_type(a.atttypid, a.atttypmod)) as problem,
        'Values that are equal under the type, as 1.0 and 1.00 or ''a'' and ''A'', are not the same tenant. tenant.protect takes uuid, integers, text and varchar.' as why,
        null::text as fix
    from tenant.doctor_user_tables t
    join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum > 0 and not a.attisdropped
        and a.attname in (select 'tenant_id'::name union select tenant_column_name from tenant.doctor_tables)
    where t.relation not in (select relation from tenant.doctor_tables)
        and t.relation not in (select relation from tenant.shared)
        and (a.atttypid not in ('uuid'::regtype, 'bigint'::regtype, 'integer'::regtype, 'smallint'::regtype, 'text'::regtype, 'varchar'::regtype)
            or exists (select from pg_catalog.pg_collation c where c.oid = a.attcollation and not c.collisdeterministic));
comment on view tenant.finding_t048 is 'A tenant column has a type that cannot hold a tenant';

-- What puts the tenant into every key of the table.
create function tenant.doctor_harden(name text, tenant_column name) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format('select tenant.protect(%L, %L, harden => true); -- on a busy table, one by one: select statement from tenant.hardening(%1$L) order by step;',
        name, tenant_column)
$$;
revoke all on function tenant.doctor_harden(text, name) from public;

-- Unique, primary and exclusion keys of protected tables that leave the tenant column out; not those of partitions that
-- come from their parent. What mends them is tenant.protect with harden, but where it would leave the key as it is.
create view tenant.doctor_loose_keys as
    select t.relation, t.name, i.indexrelid as index, i.indexrelid::regclass::text as index_name,
        i.indisprimary, i.indisexclusion or coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) as excludes, k.conname,
        (select string_agg(quote_ident(a.attname), ', ' order by n.nth)
            from unnest(i.indkey::int2[]) with ordinality n (attnum, nth)
            join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum = n.attnum
            where n.nth <= i.indnkeyatts) as columns,
        coalesce(tenant.surrogate_kind(i.indexrelid) = 'numbered', false) as is_numbered,
        coalesce(tenant.surrogate_kind(i.indexrelid) = 'random', false) or i.indnkeyatts = 1 and exists (select from pg_catalog.pg_attribute a
            where a.attrelid = t.relation and a.attnum = i.indkey[0] and a.atttypid = 'uuid'::regtype) as is_random,
        case when tenant.said_of_shared_key(i.indexrelid) is null and (am.amname = 'btree' or tenant.obstacle_of_key(i.indexrelid, t.tenant_column) is null)
            and not exists (select from pg_catalog.pg_constraint f
                where f.contype = 'f' and f.conindid = i.indexrelid and f.conparentid = 0
                    and (f.conrelid not in (select relation from tenant.doctor_tables) or tenant.obstacle_of_reference(f.oid) is not null))
            then tenant.doctor_harden(t.name, t.tenant_column_name) end as harden,
        t.tenant_column_name, i.indkey[0] as first_column
    from tenant.doctor_tables t
    join pg_catalog.pg_index i on i.indrelid = t.relation and (i.indisunique or i.indisexclusion)
    join pg_catalog.pg_class c on c.oid = i.indexrelid and not c.relispartition
    join pg_catalog.pg_am am on am.oid = c.relam
    left join pg_catalog.pg_constraint k on k.conindid = i.indexrelid and k.conrelid = t.relation and k.contype in ('p', 'u', 'x')
    where t.tenant_column <> all ((i.indkey::int2[])[0:i.indnkeyatts - 1]);

create view tenant.finding_t050 as
    select 'T050' as code, 'warn' as level,
        k.index_name as object,
        format('%s (%s) of protected table %s holds for all tenants at once',
            case when k.indisprimary then 'the primary key' else 'the unique key' end, k.columns, k.name) as problem,
        'A tenant learns from an error, from ON CONFLICT or from waiting that another has the value, and can take it first.' as why,
        k.harden as fix
    from tenant.doctor_loose_keys k
    where not k.excludes and not k.is_random and not k.is_numbered;
comment on view tenant.finding_t050 is 'A unique key holds for all tenants at once';

-- What numbers itself stays with harden => true; the level does not nag, for it is a choice.
create view tenant.finding_t117 as
    select 'T117' as code, 'info' as level,
        k.index_name as object,
        format('%s may choose %s of protected table %s, which is numbered for all tenants at once%s', g.grantees, k.columns, k.name,
            case a.attidentity when 'a' then ': by OVERRIDING SYSTEM VALUE or COPY' else '' end) as problem,
        'A number that another tenant has is refused (23505) and so tells that it is there, deleted rows by their absence; one that is taken ahead of the sequence makes another''s insert fail.' as why,
        case when k.harden is not null then format('select tenant.protect(%L, %L, harden => ''all''); -- or grant INSERT and UPDATE on the other columns only',
            k.name, k.tenant_column_name) end as fix
    from tenant.doctor_loose_keys k
    join pg_catalog.pg_attribute a on a.attrelid = k.relation and a.attnum = k.first_column
    cross join lateral (
        select string_agg(distinct w.name, ', ') as grantees
        from (select aclexplode(c.relacl) as r from pg_catalog.pg_class c where c.oid = k.relation
            union all select aclexplode(a.attacl)) acl
        cross join lateral (select case (acl.r).grantee when 0 then 'public' else (acl.r).grantee::regrole::text end as name) w
        where ((acl.r).privilege_type = 'INSERT' or (acl.r).privilege_type = 'UPDATE' and a.attidentity <> 'a')
            and ((acl.r).grantee = 0 or (acl.r).grantee in (select role from tenant.doctor_reached))
    ) g
    where k.is_numbered and g.grantees is not null;
comment on view tenant.finding_t117 is 'A tenant may choose a number that is one for all';

create view tenant.finding_t051 as
    select 'T051' as code, 'warn' as level,
        k.index_name as object,
        format('exclusion constraint %I of protected table %s compares rows of all tenants', k.conname, k.name) as problem,
        'A tenant''s row is refused for what another tenant has, and the refusal says so.' as why,
        k.harden as fix
    from tenant.doctor_loose_keys k where k.excludes;
comment on view tenant.finding_t051 is 'An exclusion constraint compares rows of all tenants';

-- Foreign keys between protected tables.
create view tenant.doctor_foreign_keys as
    select f.oid as con, f.conname, t.name, r.name as other, t.tenant_column_name, f.convalidated,
        coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true) as enforced, f.confdeltype, f.confupdtype,
        exists (select from unnest(f.conkey, f.confkey) k (here, there) where k.here = t.tenant_column and k.there = r.tenant_column) as by_tenant,
        r.tenant_column is null as by_membership, tenant.has_shared_rows(r.relation::regclass) as to_shared
    from pg_catalog.pg_constraint f
    join tenant.doctor_tables t on t.relation = f.conrelid
    join tenant.doctor_tables r on r.relation = f.confrelid
    where f.contype = 'f' and f.conparentid = 0;

create view tenant.finding_t052 as
    select 'T052' as code, case when f.by_membership or f.to_shared then 'info' else 'warn' end as level,
        format('%s.%I', f.name, f.conname) as object,
        case when f.by_membership then format('foreign key %I of %s refers to %s, whose rows are of several tenants', f.conname, f.name, f.other)
            else format('foreign key %I of %s refers to rows of every tenant in %s%s', f.conname, f.name, f.other,
            case when f.confdeltype in ('c', 'n', 'd') or f.confupdtype in ('c', 'n', 'd') then ', and its actions reach them' end) end as problem,
        case when f.by_membership
            then 'Referential checks run outside the policies: a tenant that writes the column learns which keys there are, and may refer to them. It reads none of their rows.'
            else 'Referential checks run outside the policies: a tenant refers to another''s rows, learns that they exist, and blocks or cascades their deletion.' end as why,
        case when not f.by_membership and not f.to_shared and tenant.obstacle_of_reference(f.con) is null then tenant.doctor_harden(f.name, f.tenant_column_name) end as fix
    from tenant.doctor_foreign_keys f where not f.by_tenant;
comment on view tenant.finding_t052 is 'A foreign key reaches across tenants';

create view tenant.finding_t053 as
    select 'T053' as code, 'warn' as level,
        format('%s.%I', f.name, f.conname) as object,
        format('foreign key %I of %s is not %s', f.conname, f.name, case when f.enforced then 'validated' else 'enforced' end) as problem,
        'Rows that were there before, or all of them, may refer to another tenant''s rows or to none.' as why,
        case when f.enforced then format('alter table %s validate constraint %I;', f.name, f.conname)
            else format('alter table %s alter constraint %I enforced;', f.name, f.conname) end as fix
    from tenant.doctor_foreign_keys f where not (f.convalidated and f.enforced);
comment on view tenant.finding_t053 is 'A foreign key between protected tables is not validated or not enforced';

create view tenant.finding_t054 as
    select 'T054' as code, 'info' as level,
        format('%s.%I', t.name, a.attname) as object,
        format('rows of protected table %s are numbered by one sequence for all tenants', t.name) as problem,
        'A tenant sees from the gaps in its numbers how much the others write, and guesses theirs.' as why,
        null::text as fix
    from tenant.doctor_tables t
    join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where not t.is_partition and (a.attidentity <> '' or pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '^nextval\(');
comment on view tenant.finding_t054 is 'Rows are numbered across tenants';

create view tenant.finding_t055 as
    select 'T055' as code, 'info' as level,
        t.name as object,
        format('tenant column %I of protected table %s does not take the current tenant as its default', t.tenant_column_name, t.name) as problem,
        'Statements that leave the column out fail, or write what the default says and are refused.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', t.name, t.tenant_column_name) as fix
    from tenant.doctor_tables t
    left join pg_catalog.pg_attrdef d on d.adrelid = t.relation and d.adnum = t.tenant_column
    where t.tenant_column is not null
        and coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') !~ '\mcurrent_(id|uuid|bigint)\(\)'
        and not tenant.is_root(t.relation::regclass, t.tenant_column_name);
comment on view tenant.finding_t055 is 'The tenant column has another default';

create view tenant.finding_t112 as
    with recursive closed as materialized (
        select relation from tenant.doctor_tables
        union select relation from tenant.shared
    ), reach (relation, target, by_way) as (
        select c.conrelid, t.name, false
        from pg_catalog.pg_constraint c join tenant.doctor_tables t on t.relation = c.confrelid
        where c.contype = 'f' and c.conrelid not in (select relation from closed)
        union
        select c.conrelid, r.target, true
        from reach r join pg_catalog.pg_constraint c on c.confrelid = r.relation
        where c.contype = 'f' and c.conrelid not in (select relation from closed)
    )
    select 'T112' as code, 'warn' as level,
        t.name as object,
        format('table %s refers to protected table %s%s and is neither protected nor shared', t.name, min(r.target),
            case when bool_and(r.by_way) then ' by way of others' end) as problem,
        'Every tenant reads and writes all of its rows, and they tell which rows of the protected table there are.' as why,
        null::text as fix
    from reach r
    join tenant.doctor_user_tables t on t.relation = r.relation
    -- T031 tells of those with a tenant column, T033 of partitions.
    where t.relation not in (select relation from tenant.doctor_tenant_columns)
        and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = t.relation)
        -- A policy of its own that asks the protected table holds it.
        and not exists (
            select from pg_catalog.pg_class c
            join pg_catalog.pg_policy p on p.polrelid = c.oid
            join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.oid
                and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid in (select relation from tenant.doctor_tables)
            where c.oid = t.relation and c.relrowsecurity)
    group by t.name;
comment on view tenant.finding_t112 is 'A table refers to a protected one and is open';

create view tenant.finding_t113 as
    select 'T113' as code, 'warn' as level,
        r.name as object,
        format('%s, to which the tenant column of protected table %s refers, is neither protected nor shared', r.name, min(t.name)) as problem,
        'It is the table of the tenants themselves: each reads and changes the others'' rows in it.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', r.name, min(a.attname)) as fix
    from tenant.doctor_tables t
    join pg_catalog.pg_constraint c on c.conrelid = t.relation and c.contype = 'f' and c.conkey = array[t.tenant_column]
    join tenant.doctor_user_tables r on r.relation = c.confrelid
    join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = c.confkey[1]
    where r.relation not in (select relation from tenant.doctor_tables)
        and r.relation not in (select relation from tenant.shared)
        and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = r.relation)
    group by r.name;
comment on view tenant.finding_t113 is 'The table of the tenants themselves is open';

create view tenant.finding_t120 as
    select 'T120' as code, 'error' as level,
        format('%s.%I', t.name, f.conname) as object,
        format('foreign key %I of table %s takes the tenant from rows, which makes them every tenant''s', f.conname, t.name) as problem,
        'Its action is PostgreSQL''s own, outside of policies: where the row it refers to goes or changes, it sets the tenant column to null, and the table''s rows of no tenant are shared.' as why,
        null::text as fix
    from tenant.doctor_tables t
    join pg_catalog.pg_constraint f on f.conrelid = t.relation and f.contype = 'f' and t.tenant_column = any (f.conkey)
    where tenant.has_shared_rows(t.relation::regclass) and not t.tenant_not_null
        and (f.confupdtype in ('n', 'd')
            or f.confdeltype in ('n', 'd') and t.tenant_column = any (coalesce(f.confdelsetcols, f.conkey)));
comment on view tenant.finding_t120 is 'A foreign key makes rows of one tenant everybody''s';

-- Tables that are reached by membership, and the join table that says whose their rows are.
create view tenant.doctor_by_membership as
    select t.relation, t.name, j.through, j.through::regclass::text as through_name,
        r.open, a.attname as member_column
    from tenant.doctor_tables t
    cross join lateral (select tenant.membership_through(t.relation::regclass) as through) j
    join tenant.reached_through(j.through) r on r.relation = t.relation
    join pg_catalog.pg_attribute a on a.attrelid = j.through and a.attnum = r.member
    where t.tenant_column is null and not t.is_partition;

create view tenant.finding_t121 as
    select 'T121' as code, 'error' as level,
        m.name as object,
        format('no trigger keeps tenants from adding members to %s, through which %s is reached', k.part, m.name) as problem,
        'A tenant that refers to any row of the table in its part of the join table sees that row.' as why,
        format('select tenant.protect_by_membership(%L, through => %L, member_column => %L);', m.name, m.through_name, m.member_column) as fix
    from tenant.doctor_by_membership m
    cross join lateral (select min(part::text) as part from tenant.missing_member_triggers(m.through)) k
    where not m.open and k.part is not null;
comment on view tenant.finding_t121 is 'Tenants can make themselves members of rows';

create view tenant.finding_t122 as
    select 'T122' as code, 'warn' as level,
        m.name as object,
        format('tenants may add members to %s, and so see any row of %s', m.through_name, m.name) as problem,
        'It was protected with tenants_add_members: whoever writes the join table in a tenant refers to a key of any row, and reads it.' as why,
        format('select tenant.protect_by_membership(%L, through => %L, member_column => %L);', m.name, m.through_name, m.member_column) as fix
    from tenant.doctor_by_membership m where m.open;
comment on view tenant.finding_t122 is 'Tenants may make themselves members of rows';
