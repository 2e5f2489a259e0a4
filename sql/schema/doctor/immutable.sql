-- Findings on functions whose result PostgreSQL computes once and keeps, and that depend on the tenant.
--
-- What a function calls and reads is read from its text: a call is a name before a parenthesis, a table a name after
-- FROM or JOIN. Names that are put together at run time are not seen.

create function tenant_internal.doctor_body(function oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select lower(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)) from pg_proc p where p.oid = function
$$;
revoke all on function tenant_internal.doctor_body(oid) from public;
create function tenant_internal.doctor_words(function oid) returns setof text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select distinct word from regexp_split_to_table(tenant_internal.doctor_body(function), '[^[:alnum:]_]+') w (word)
$$;
revoke all on function tenant_internal.doctor_words(oid) from public;

-- What is computed with a function, itself or through an operator. What is stored is so with a STABLE one too.
create view tenant_internal.doctor_computed as
    select d.classid, d.objid, d.objsubid, coalesce(p.oprcode::oid, d.refobjid) as function
    from pg_catalog.pg_depend d
    left join pg_catalog.pg_operator p on d.refclassid = 'pg_catalog.pg_operator'::regclass and p.oid = d.refobjid
    where d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
        and d.classid in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_attrdef'::regclass, 'pg_catalog.pg_constraint'::regclass,
            'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_statistic_ext'::regclass, 'pg_catalog.pg_type'::regclass);

-- Functions that depend on the tenant, and how: of those that are IMMUTABLE, or of those that something is computed
-- with. Only these and what they call is read, and by words first.
create function tenant_internal.doctor_folded_now(used boolean) returns table (function oid, name text, immutable boolean, reads_context boolean, how text)
    language sql stable rows 20 set search_path = pg_catalog, pg_temp set enable_mergejoin = off as $$
    with recursive source as materialized (
        select p.oid, lower(p.proname) as name, p.provolatile = 'i' as immutable
        from pg_proc p
        where p.oid >= 16384 and p.prolang not in (12, 13) and p.pronamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace)
            and not exists (select from pg_depend e
                where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')
    ), asked (function) as (
        select oid from source
        where case when used then oid in (select function from tenant_internal.doctor_computed) else immutable end
        union
        select s.oid from asked a
        cross join lateral tenant_internal.doctor_words(a.function) w (word)
        join source s on s.name = w.word
    ), known (word, kind, relation) as (
        select name, 'function', oid from source
        union all
        select lower(c.relname), 'table', t.relation from tenant_internal.doctor_tables t join pg_class c on c.oid = t.relation
        union all
        select lower(c.relname), 'table', r.relation from tenant_internal.doctor_readers r join pg_class c on c.oid = r.relation
        union all
        select word, 'context', null from unnest(array['current_setting', 'current_id', 'current_uuid', 'current_bigint', 'is_current',
            'current_actor', 'current_actor_role', 'current_user', 'session_user', 'current_role']) w (word)
    ), said as materialized (
        select distinct a.function, k.word, k.kind, k.relation, regexp_replace(tenant_internal.doctor_body(a.function), '--[^\n]*', '', 'g') as body
        from asked a
        cross join lateral tenant_internal.doctor_words(a.function) w (word)
        join known k on k.word = w.word and k.relation is distinct from a.function
    ), call as materialized (
        select function as caller, relation as callee from said
        where kind = 'function' and body ~ ('\m' || word || '"?\s*\(')
    ), direct as materialized (
        select function,
            bool_or(kind = 'context' and body ~ '\m(current_setting|current_id|current_uuid|current_bigint|is_current|current_actor|current_actor_role)"?\s*\(|\m(current_user|session_user|current_role)\M') as context,
            min(relation::regclass::text) filter (where kind = 'table' and word in (
                select regexp_split_to_table(f.list[1], '[^[:alnum:]_]+')
                from regexp_matches(body, '\m(?:from|join|table|only)\s+((?:[[:alnum:]_."]+(?:\s+(?:as\s+)?[[:alnum:]_"]+)?\s*,\s*)*[[:alnum:]_."]+)', 'g') f (list)
            )) as reads
        from said group by function
    ), reaches (function) as (
        select function from direct where context or reads is not null
        union
        select c.caller from reaches r join call c on c.callee = r.function
    )
    select s.oid, s.oid::regprocedure::text, s.immutable, coalesce(d.context, false),
        case when d.reads is not null then 'reads protected table ' || d.reads
            when d.context then 'reads the session''s context'
            else 'calls ' || (select min(c.callee::regprocedure::text) from call c
                where c.caller = s.oid and c.callee in (select function from reaches)) end
    from reaches r join source s on s.oid = r.function left join direct d on d.function = r.function
$$;
revoke all on function tenant_internal.doctor_folded_now(boolean) from public;

-- T045 has those that read the context themselves.
create view tenant_internal.finding_t104 as
    select 'T104' as code, 'warn' as level,
        f.name as object,
        format('function %s is IMMUTABLE and %s', f.name, f.how) as problem,
        'PostgreSQL computes it once and keeps the result: statements that call it are planned anew in every transaction, so that no tenant gets another''s value.' as why,
        format('alter function %s stable;', f.name) as fix
    from tenant_internal.doctor_folded_now(false) f where f.immutable and (not f.reads_context or f.how like 'reads protected table %');
comment on view tenant_internal.finding_t104 is 'An IMMUTABLE function reaches tenants'' rows';

create view tenant_internal.finding_t105 as
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
    from tenant_internal.doctor_computed d
    join tenant_internal.doctor_folded_now(true) f on f.function = d.function
    left join pg_catalog.pg_class c on d.classid = 'pg_catalog.pg_class'::regclass and c.oid = d.objid
    left join pg_catalog.pg_attrdef e on d.classid = 'pg_catalog.pg_attrdef'::regclass and e.oid = d.objid
    left join pg_catalog.pg_attribute a on a.attrelid = e.adrelid and a.attnum = e.adnum
    cross join lateral (select c.oid is not null or a.attgenerated <> '' and a.attgenerated is not null
        or d.classid = 'pg_catalog.pg_statistic_ext'::regclass as stored) u
    cross join lateral pg_catalog.pg_identify_object(d.classid, d.objid, 0) o
    where f.immutable or u.stored
    group by o.type, o.identity, c.relkind, c.oid, a.attgenerated, a.attrelid, a.attname, u.stored;
comment on view tenant_internal.finding_t105 is 'Something is computed with an IMMUTABLE function that depends on the tenant';
