-- Findings on what policies call, and on what the planner makes of them.

-- Functions that policies call, themselves or as operators; not PostgreSQL's, not of extensions.
create view tenant_internal.doctor_policy_functions as
    select distinct on (f.oid) f.oid as function, f.oid::regprocedure::text as name, f.proowner as owner, f.provolatile,
        f.proconfig, f.prosqlbody is not null or l.lanname in ('c', 'internal') as bound, p.name as table_name, p.polname
    from tenant_internal.doctor_policies p
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.policy
        and d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
    left join pg_catalog.pg_operator o on d.refclassid = 'pg_catalog.pg_operator'::regclass and o.oid = d.refobjid
    join pg_catalog.pg_proc f on f.oid = coalesce(o.oprcode, d.refobjid)
    join pg_catalog.pg_language l on l.oid = f.prolang
    where f.oid >= 16384 and not exists (select from pg_catalog.pg_depend e
        where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = f.oid and e.deptype = 'e')
    order by f.oid, p.name, p.polname;

create view tenant_internal.finding_t043 as
    select 'T043' as code, 'error' as level,
        f.name as object,
        format('policy %I on %s calls %s, which application role %s owns', f.polname, f.table_name, f.name, r.application) as problem,
        'The owner can change what the policy does, by replacing the function with CREATE OR REPLACE.' as why,
        format('alter function %s owner to %s;', f.name, (select c.relowner::regrole from pg_catalog.pg_class c
            where c.oid::regclass::text = f.table_name)) as fix
    from tenant_internal.doctor_policy_functions f join tenant_internal.doctor_reached r on r.role = f.owner;
comment on view tenant_internal.finding_t043 is 'A policy calls a function that the application can replace';

create view tenant_internal.finding_t044 as
    select 'T044' as code, 'warn' as level,
        f.name as object,
        format('policy %I on %s calls %s, which has no search_path of its own', f.polname, f.table_name, f.name) as problem,
        'Names in its body are looked up at each call, in the caller''s schemas and first among the caller''s temporary tables.' as why,
        format('alter function %s set search_path = pg_catalog, pg_temp;', f.name) as fix
    from tenant_internal.doctor_policy_functions f
    where not f.bound and not exists (select from unnest(f.proconfig) c (setting) where c.setting like 'search\_path=%');
comment on view tenant_internal.finding_t044 is 'A policy calls a function without a fixed search_path';

create view tenant_internal.finding_t045 as
    select 'T045' as code, 'error' as level,
        p.oid::regprocedure::text as object,
        format('function %s is IMMUTABLE and reads the session''s context', p.oid::regprocedure) as problem,
        'PostgreSQL computes it once and keeps the result in the plan: the next tenant on the connection gets the last one''s value.' as why,
        format('alter function %s stable;', p.oid::regprocedure) as fix
    from pg_catalog.pg_proc p
    where p.oid >= 16384 and p.provolatile = 'i' and p.pronamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace)
        and coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)
            ~* '\m(current_setting\s*\(|current_id\s*\(|current_uuid\s*\(|current_bigint\s*\(|current_actor_role\s*\(|current_user\M|session_user\M|current_role\M)'
        and not exists (select from pg_catalog.pg_depend e
            where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e');
comment on view tenant_internal.finding_t045 is 'A function that reads the context is IMMUTABLE';

-- A tenant policy of 0.1.0.
create view tenant_internal.finding_t100 as
    select 'T100' as code, 'error' as level,
        format('%s.%I', t.name, p.polname) as object,
        format('the tenant policy %I of table %s can be taken out of a plan', p.polname, t.name) as problem,
        'It is an equality alone, as pg_tenant 0.1.0 made it. A statement with another equality on the tenant column reads and writes every tenant''s rows.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', coalesce(r.root, t.name), t.tenant_column_name) as fix
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_policy p on p.polrelid = t.relation and not p.polpermissive and p.polcmd = '*' and p.polroles = '{0}'
    left join lateral (
        with recursive above (relation, depth) as (
            select t.relation, 0
            union all
            select i.inhparent, depth + 1 from above join pg_catalog.pg_inherits i on i.inhrelid = above.relation
        )
        select relation::regclass::text as root from above where depth > 0 order by depth desc limit 1
    ) r on true
    where tenant_internal.former_column(p.oid) = t.tenant_column;
comment on view tenant_internal.finding_t100 is 'A tenant policy of 0.1.0 can be taken out of a plan';

create view tenant_internal.finding_t119 as
    select 'T119' as code, 'error' as level,
        t.name as object,
        format('table %s shows rows of no tenant to every one, and lacks %s', t.name, l.lacks) as problem,
        'Three policies stand together where rows are shared. Without all of them no statement touches the table (TN012).' as why,
        format('select tenant.protect(%L, tenant_column => %L, shared_rows => true);', t.name, t.tenant_column_name) as fix
    from tenant_internal.doctor_tables t
    cross join lateral (
        select string_agg(w.what, ' and ') as lacks
        from (values ('*', 'shared', 'the policy that shows them'), ('w', 'own', 'the one that keeps them from being updated'),
            ('d', 'own', 'the one that keeps them from being deleted')) w (command, form, what)
        where not exists (select from pg_catalog.pg_policy p where p.polrelid = t.relation and not p.polpermissive
            and p.polroles = '{0}' and p.polcmd = w.command::"char" and tenant_internal.policy_form(p.oid) = w.form)
    ) l
    where tenant_internal.has_shared_rows(t.relation::regclass) and l.lacks is not null;
comment on view tenant_internal.finding_t119 is 'A policy that keeps shared rows from being changed is missing';
