-- Findings on references between tables.

-- Foreign keys between protected tables.
create view tenant_internal.doctor_foreign_keys as
    select f.oid as con, f.conname, t.name, r.name as other, t.tenant_column_name, f.convalidated,
        coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true) as enforced, f.confdeltype, f.confupdtype,
        exists (select from unnest(f.conkey, f.confkey) k (here, there) where k.here = t.tenant_column and k.there = r.tenant_column) as by_tenant,
        r.tenant_column is null as by_membership, tenant_internal.has_shared_rows(r.relation::regclass) as to_shared
    from pg_catalog.pg_constraint f
    join tenant_internal.doctor_tables t on t.relation = f.conrelid
    join tenant_internal.doctor_tables r on r.relation = f.confrelid
    where f.contype = 'f' and f.conparentid = 0;

create view tenant_internal.finding_t052 as
    select 'T052' as code, case when f.by_membership or f.to_shared then 'info' else 'warn' end as level,
        format('%s.%I', f.name, f.conname) as object,
        case when f.by_membership then format('foreign key %I of %s refers to %s, whose rows are of several tenants', f.conname, f.name, f.other)
            else format('foreign key %I of %s refers to rows of every tenant in %s%s', f.conname, f.name, f.other,
            case when f.confdeltype in ('c', 'n', 'd') or f.confupdtype in ('c', 'n', 'd') then ', and its actions reach them' end) end as problem,
        case when f.by_membership
            then 'Referential checks run outside the policies: a tenant that writes the column learns which keys there are, and may refer to them. It reads none of their rows.'
            else 'Referential checks run outside the policies: a tenant refers to another''s rows, learns that they exist, and blocks or cascades their deletion.' end as why,
        case when not f.by_membership and not f.to_shared and tenant_internal.obstacle_of_reference(f.con) is null then tenant_internal.doctor_harden(f.name, f.tenant_column_name) end as fix
    from tenant_internal.doctor_foreign_keys f where not f.by_tenant;
comment on view tenant_internal.finding_t052 is 'A foreign key reaches across tenants';

create view tenant_internal.finding_t053 as
    select 'T053' as code, 'warn' as level,
        format('%s.%I', f.name, f.conname) as object,
        format('foreign key %I of %s is not %s', f.conname, f.name, case when f.enforced then 'validated' else 'enforced' end) as problem,
        'Rows that were there before, or all of them, may refer to another tenant''s rows or to none.' as why,
        case when f.enforced then format('alter table %s validate constraint %I;', f.name, f.conname)
            else format('alter table %s alter constraint %I enforced;', f.name, f.conname) end as fix
    from tenant_internal.doctor_foreign_keys f where not (f.convalidated and f.enforced);
comment on view tenant_internal.finding_t053 is 'A foreign key between protected tables is not validated or not enforced';

create view tenant_internal.finding_t054 as
    select 'T054' as code, 'info' as level,
        format('%s.%I', t.name, a.attname) as object,
        format('rows of protected table %s are numbered by one sequence for all tenants', t.name) as problem,
        'The gaps in a tenant''s numbers show how much the others write, and other tenants'' numbers can be guessed.' as why,
        null::text as fix
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where not t.is_partition and (a.attidentity <> '' or pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '^nextval\(');
comment on view tenant_internal.finding_t054 is 'Rows are numbered across tenants';

create view tenant_internal.finding_t055 as
    select 'T055' as code, 'info' as level,
        t.name as object,
        format('tenant column %I of protected table %s does not take the current tenant as its default', t.tenant_column_name, t.name) as problem,
        'Statements that leave the column out fail, or write what the default says and are refused.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', t.name, t.tenant_column_name) as fix
    from tenant_internal.doctor_tables t
    left join pg_catalog.pg_attrdef d on d.adrelid = t.relation and d.adnum = t.tenant_column
    where t.tenant_column is not null
        and coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') !~ '\mcurrent_(id|uuid|bigint)\(\)'
        and not tenant_internal.is_root(t.relation::regclass, t.tenant_column_name);
comment on view tenant_internal.finding_t055 is 'The tenant column has another default';

create view tenant_internal.finding_t112 as
    with recursive closed as materialized (
        select relation from tenant_internal.doctor_tables
        union select relation from tenant.shared
    ), reach (relation, target, by_way) as (
        select c.conrelid, t.name, false
        from pg_catalog.pg_constraint c join tenant_internal.doctor_tables t on t.relation = c.confrelid
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
    join tenant_internal.doctor_user_tables t on t.relation = r.relation
    -- T031 tells of those with a tenant column, T033 of partitions.
    where t.relation not in (select relation from tenant_internal.doctor_tenant_columns)
        and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = t.relation)
        -- A policy of its own that asks the protected table holds it.
        and not exists (
            select from pg_catalog.pg_class c
            join pg_catalog.pg_policy p on p.polrelid = c.oid
            join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.oid
                and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid in (select relation from tenant_internal.doctor_tables)
            where c.oid = t.relation and c.relrowsecurity)
    group by t.name;
comment on view tenant_internal.finding_t112 is 'A table refers to a protected one and is open';

create view tenant_internal.finding_t113 as
    select 'T113' as code, 'warn' as level,
        r.name as object,
        format('%s, to which the tenant column of protected table %s refers, is neither protected nor shared', r.name, min(t.name)) as problem,
        'It is the table of the tenants themselves: each reads and changes the others'' rows in it.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', r.name, min(a.attname)) as fix
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_constraint c on c.conrelid = t.relation and c.contype = 'f' and c.conkey = array[t.tenant_column]
    join tenant_internal.doctor_user_tables r on r.relation = c.confrelid
    join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = c.confkey[1]
    where r.relation not in (select relation from tenant_internal.doctor_tables)
        and r.relation not in (select relation from tenant.shared)
        and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = r.relation)
    group by r.name;
comment on view tenant_internal.finding_t113 is 'The table of the tenants themselves is open';

create view tenant_internal.finding_t120 as
    select 'T120' as code, 'error' as level,
        format('%s.%I', t.name, f.conname) as object,
        format('foreign key %I of table %s takes the tenant from rows, which makes them every tenant''s', f.conname, t.name) as problem,
        'Its action is PostgreSQL''s own, outside of policies: where the row it refers to goes or changes, it sets the tenant column to null, and the table''s rows of no tenant are shared.' as why,
        null::text as fix
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_constraint f on f.conrelid = t.relation and f.contype = 'f' and t.tenant_column = any (f.conkey)
    where tenant_internal.has_shared_rows(t.relation::regclass) and not t.tenant_not_null
        and (f.confupdtype in ('n', 'd')
            or f.confdeltype in ('n', 'd') and t.tenant_column = any (coalesce(f.confdelsetcols, f.conkey)));
comment on view tenant_internal.finding_t120 is 'A foreign key makes rows of one tenant everybody''s';

-- Tables that are reached by membership, and the join table that says whose their rows are.
create view tenant_internal.doctor_by_membership as
    select t.relation, t.name, j.through, j.through::regclass::text as through_name,
        r.open, a.attname as member_column
    from tenant_internal.doctor_tables t
    cross join lateral (select tenant_internal.membership_through(t.relation::regclass) as through) j
    join tenant_internal.reached_through(j.through) r on r.relation = t.relation
    join pg_catalog.pg_attribute a on a.attrelid = j.through and a.attnum = r.member
    where t.tenant_column is null and not t.is_partition;

create view tenant_internal.finding_t121 as
    select 'T121' as code, 'error' as level,
        m.name as object,
        format('no trigger keeps tenants from adding members to %s, through which %s is reached', k.part, m.name) as problem,
        'A tenant that refers to any row of the table in its part of the join table sees that row.' as why,
        format('select tenant.protect_by_membership(%L, through => %L, member_column => %L);', m.name, m.through_name, m.member_column) as fix
    from tenant_internal.doctor_by_membership m
    cross join lateral (select min(part::text) as part from tenant_internal.missing_member_triggers(m.through)) k
    where not m.open and k.part is not null;
comment on view tenant_internal.finding_t121 is 'Tenants can make themselves members of rows';

create view tenant_internal.finding_t122 as
    select 'T122' as code, 'warn' as level,
        m.name as object,
        format('tenants may add members to %s, and so see any row of %s', m.through_name, m.name) as problem,
        'It was protected with tenants_add_members: whoever writes the join table in a tenant refers to a key of any row, and reads it.' as why,
        format('select tenant.protect_by_membership(%L, through => %L, member_column => %L);', m.name, m.through_name, m.member_column) as fix
    from tenant_internal.doctor_by_membership m where m.open;
comment on view tenant_internal.finding_t122 is 'Tenants may make themselves members of rows';
