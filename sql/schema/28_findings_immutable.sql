-- Findings on functions whose result PostgreSQL computes once and keeps, and that depend on the tenant.
--
-- What a function calls and reads is read from its text: a call is a name before a parenthesis, a table a name after FROM
-- or JOIN. Names that are put together at run time are not seen.

create function tenant.doctor_body(function oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select regexp_replace(lower(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)), '--[^\n]*', '', 'g') from pg_proc p where p.oid = function
$$;
revoke all on function tenant.doctor_body(oid) from public;

-- Functions that are IMMUTABLE, or that something stored is computed with, and that depend on the tenant; how they do.
create function tenant.doctor_folded_now() returns table (function oid, name text, immutable boolean, reads_context boolean, how text)
    language sql stable rows 20 set search_path = pg_catalog, pg_temp as $$
    with recursive source as (
        select p.oid, lower(p.proname) as name, p.provolatile = 'i' as immutable
        from pg_proc p
        where p.oid >= 16384 and p.prolang not in (12, 13) and p.pronamespace <> 'tenant'::regnamespace
            and not exists (select from pg_depend e
                where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')
    ), asked (function) as (
        select oid from source
        where immutable or oid in (select refobjid from pg_depend d
            where refclassid = 'pg_proc'::regclass and classid in ('pg_class'::regclass, 'pg_attrdef'::regclass, 'pg_statistic_ext'::regclass))
        union
        select s.oid from asked a
        cross join lateral regexp_matches(tenant.doctor_body(a.function), '([[:alnum:]_]+)"?\s*\(', 'g') c (call)
        join source s on s.name = c.call[1]
    ), body as materialized (
        select a.function, tenant.doctor_body(a.function) as body from asked a
    ), call as materialized (
        select distinct b.function as caller, s.oid as callee
        from body b
        cross join lateral regexp_matches(b.body, '([[:alnum:]_]+)"?\s*\(', 'g') c (call)
        join source s on s.name = c.call[1] and s.oid <> b.function
    ), tables as (
        select lower(c.relname) as name, t.relation from tenant.doctor_tables t join pg_class c on c.oid = t.relation
        union all
        select lower(c.relname), r.relation from tenant.doctor_readers r join pg_class c on c.oid = r.relation
    ), direct as materialized (
        select b.function,
            b.body ~ '\m(current_setting|current_id|current_uuid|current_bigint|is_current|current_actor)"?\s*\(|\m(current_user|session_user|current_role)\M' as context,
            (select min(t.relation::regclass::text)
                from regexp_matches(b.body, '\m(?:from|join|table|only)\s+((?:[[:alnum:]_."]+(?:\s+(?:as\s+)?[[:alnum:]_"]+)?\s*,\s*)*[[:alnum:]_."]+)', 'g') f (list)
                cross join lateral regexp_split_to_table(f.list[1], '[^[:alnum:]_]+') w (word)
                join tables t on t.name = w.word) as reads
        from body b
    ), reaches (function) as (
        select function from direct where context or reads is not null
        union
        select c.caller from reaches r join call c on c.callee = r.function
    )
    select d.function, d.function::regprocedure::text, s.immutable, d.context,
        case when d.reads is not null then 'reads protected table ' || d.reads
            when d.context then 'reads the session''s context'
            else 'calls ' || (select min(c.callee::regprocedure::text) from call c
                where c.caller = d.function and c.callee in (select function from reaches)) end
    from reaches r join direct d on d.function = r.function join source s on s.oid = d.function
$$;
revoke all on function tenant.doctor_folded_now() from public;

-- T045 has those that read the context themselves.
create view tenant.finding_t104 as
    select 'T104' as code, 'warn' as level,
        f.name as object,
        format('function %s is IMMUTABLE and %s', f.name, f.how) as problem,
        'PostgreSQL computes it once and keeps the result: statements that call it are planned anew in every transaction, so that no tenant gets another''s value.' as why,
        format('alter function %s stable;', f.name) as fix
    from tenant.doctor_folded_now() f where f.immutable and (not f.reads_context or f.how like 'reads protected table %');
comment on view tenant.finding_t104 is 'An IMMUTABLE function reaches tenants'' rows';

create view tenant.finding_t105 as
    select 'T105' as code, 'error' as level,
        format('%s %s', o.type, o.identity) as object,
        format('%s %s is computed with %s, which %s', o.type, o.identity, min(f.name), min(f.how)) as problem,
        'One tenant''s value decides over, or is stored in, rows of the others; and what is stored is not computed anew when the tenant changes it.' as why,
        case
            when c.relkind in ('i', 'I') then format('drop index %s;', c.oid::regclass)
            when o.type = 'statistics object' then format('drop statistics %s;', o.identity)
            when a.attgenerated = 's' then format('alter table %s alter column %I drop expression;', a.attrelid::regclass, a.attname)
            when not u.stored then string_agg(distinct format('alter function %s stable;', f.name), E'\n')
        end as fix
    from (
        select d.classid, d.objid, d.objsubid, coalesce(p.oprcode::oid, d.refobjid) as function
        from pg_catalog.pg_depend d
        left join pg_catalog.pg_operator p on d.refclassid = 'pg_catalog.pg_operator'::regclass and p.oid = d.refobjid
        where d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
            and d.classid in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_attrdef'::regclass, 'pg_catalog.pg_constraint'::regclass,
                'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_statistic_ext'::regclass, 'pg_catalog.pg_type'::regclass)
    ) d
    join tenant.doctor_folded_now() f on f.function = d.function
    left join pg_catalog.pg_class c on d.classid = 'pg_catalog.pg_class'::regclass and c.oid = d.objid
    left join pg_catalog.pg_attrdef e on d.classid = 'pg_catalog.pg_attrdef'::regclass and e.oid = d.objid
    left join pg_catalog.pg_attribute a on a.attrelid = e.adrelid and a.attnum = e.adnum
    cross join lateral (select c.oid is not null or a.attgenerated <> '' and a.attgenerated is not null
        or d.classid = 'pg_catalog.pg_statistic_ext'::regclass as stored) u
    cross join lateral pg_catalog.pg_identify_object(d.classid, d.objid, 0) o
    where f.immutable or u.stored
    group by o.type, o.identity, c.relkind, c.oid, a.attgenerated, a.attrelid, a.attname, u.stored;
comment on view tenant.finding_t105 is 'Something is computed with an IMMUTABLE function that depends on the tenant';
