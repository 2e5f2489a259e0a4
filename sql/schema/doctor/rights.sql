-- Findings on what roles may do: schemas, sequences, servers, languages, settings.

create view tenant_internal.finding_t012 as
    select 'T012' as code,
        case when bool_or(g.privilege = 'UPDATE') then 'warn' else 'info' end as level,
        format('%s to %s', s.name, g.grantee_name) as object,
        format('%s on sequence %s of a protected table is granted to %s', string_agg(distinct g.privilege, ', '), s.name, g.grantee_name) as problem,
        'A sequence is shared by all tenants: UPDATE lets one of them set it back, SELECT shows how much the others write. USAGE is enough for nextval.' as why,
        format('revoke %s on sequence %s from %s;', lower(string_agg(distinct g.privilege, ', ')), s.name, g.grantee_name) as fix
    from (
        select c.oid as relation, c.oid::regclass::text as name from tenant_internal.doctor_tables t
        join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = t.relation
            and d.classid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
        join pg_catalog.pg_class c on c.oid = d.objid and c.relkind = 'S'
        union
        select c.oid, c.oid::regclass::text from tenant_internal.doctor_tables t
        join pg_catalog.pg_attrdef a on a.adrelid = t.relation
        join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_attrdef'::regclass and d.objid = a.oid
            and d.refclassid = 'pg_catalog.pg_class'::regclass
        join pg_catalog.pg_class c on c.oid = d.refobjid and c.relkind = 'S'
    ) s
    join tenant_internal.doctor_grants g on g.relation = s.relation
    where g.privilege in ('UPDATE', 'SELECT')
    group by s.name, g.grantee_name;
comment on view tenant_internal.finding_t012 is 'A protected table''s sequence can be read or set by the application';

create view tenant_internal.finding_t013 as
    select 'T013' as code,
        case when bool_or(g.privilege_type in ('TRUNCATE', 'TRIGGER', 'REFERENCES', 'MAINTAIN')) then 'warn' else 'info' end as level,
        format('%s%s to %s', d.defaclrole::regrole, ' in ' || n.nspname, w.name) as object,
        format('default privileges of %s give %s on new tables to %s', d.defaclrole::regrole,
            string_agg(distinct g.privilege_type, ', '), w.name) as problem,
        'A new table is open to the application before it is protected.' as why,
        format('alter default privileges for role %s%s revoke %s on tables from %s;', d.defaclrole::regrole,
            case when n.nspname is not null then format(' in schema %I', n.nspname) end,
            lower(string_agg(distinct g.privilege_type, ', ')), w.name) as fix
    from pg_catalog.pg_default_acl d
    left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
    cross join lateral aclexplode(d.defaclacl) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where d.defaclobjtype = 'r' and g.grantee <> d.defaclrole
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by d.defaclrole, n.nspname, w.name;
comment on view tenant_internal.finding_t013 is 'Default privileges open new tables to the application';

create view tenant_internal.finding_t014 as
    select 'T014' as code, 'warn' as level,
        e.extname::text as object,
        format('the application may call functions of extension %I', e.extname) as problem,
        'They open connections of their own, in which this transaction''s tenant, its rights and its rollback do not count.' as why,
        string_agg(format('revoke execute on function %s from %s;', p.oid::regprocedure,
            case g.grantee when 0 then 'public' else g.grantee::regrole::text end), E'\n' order by p.oid::regprocedure::text) as fix
    from pg_catalog.pg_extension e
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_extension'::regclass and d.refobjid = e.oid
        and d.classid = 'pg_catalog.pg_proc'::regclass and d.deptype = 'e'
    join pg_catalog.pg_proc p on p.oid = d.objid
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    where e.extname in ('dblink', 'pg_background', 'pg_cron', 'pg_net', 'http', 'plproxy', 'adminpack', 'file_fdw')
        and g.grantee <> p.proowner and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by e.extname;
comment on view tenant_internal.finding_t014 is 'The application may open connections from within the database';

create view tenant_internal.finding_t015 as
    select 'T015' as code, 'warn' as level,
        format('%s to %s', o.object, w.name) as object,
        format('%s may use %s', w.name, o.object) as problem,
        'Who uses a foreign server makes user mappings and foreign tables, which have no policies.' as why,
        format('revoke usage on %s from %s;', o.object, w.name) as fix
    from (
        select 'foreign server ' || quote_ident(srvname) as object, srvowner as owner, srvacl as acl from pg_catalog.pg_foreign_server
        union all
        select 'foreign data wrapper ' || quote_ident(fdwname), fdwowner, fdwacl from pg_catalog.pg_foreign_data_wrapper
    ) o
    cross join lateral aclexplode(o.acl) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where g.grantee <> o.owner and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by o.object, w.name;
comment on view tenant_internal.finding_t015 is 'The application may use a foreign server';

create view tenant_internal.finding_t016 as
    select 'T016' as code, 'info' as level,
        format('%I to %s', l.lanname, w.name) as object,
        format('%s may write functions in language %I', w.name, l.lanname) as problem,
        'A procedural language keeps values from call to call in the session, which the next tenant on the connection finds.' as why,
        format('revoke usage on language %I from %s;', l.lanname, w.name) as fix
    from pg_catalog.pg_language l
    cross join lateral aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where l.lanpltrusted and l.lanname not in ('sql', 'plpgsql') and g.grantee <> l.lanowner
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by l.lanname, w.name;
comment on view tenant_internal.finding_t016 is 'The application may write functions in a language that keeps state';

create view tenant_internal.finding_t017 as
    select 'T017' as code,
        case when p.parname ~ '^(pg_tenant\.|session_replication_role$|session_preload_libraries$|dynamic_library_path$)' then 'error' else 'warn' end as level,
        format('%s to %s', p.parname, w.name) as object,
        format('%s may set %s', w.name, p.parname) as problem,
        'With it a session chooses its own tenant, turns a guard off, loads a library, or skips triggers and foreign keys.' as why,
        format('revoke %s on parameter %s from %s;', lower(string_agg(distinct g.privilege_type, ', ')), p.parname, w.name) as fix
    from pg_catalog.pg_parameter_acl p
    cross join lateral aclexplode(p.paracl) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where g.grantee <> 10
        and (p.parname ~ '^pg_tenant\.' or g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by p.parname, w.name;
comment on view tenant_internal.finding_t017 is 'A role may set what only superusers should';

create view tenant_internal.finding_t018 as
    select 'T018' as code, 'error' as level,
        s.object,
        format('%s begins every session of it in a tenant', s.object) as problem,
        'Whoever connects is in that tenant without having been bound to it; only roles that tenant.bind_role has checked should be.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s
    where s.name = 'pg_tenant.id' and s.value <> '' and s.object ~ '^pg_tenant\.id of (database|role all|role .* in database)';
comment on view tenant_internal.finding_t018 is 'A tenant is stored for a database or for all roles';

create view tenant_internal.finding_t019 as
    with recursive bound as (
        select s.setrole as role from pg_catalog.pg_db_role_setting s cross join lateral unnest(s.setconfig) c (setting)
        where s.setrole <> 0 and c.setting like 'pg\_tenant.id=%'
    ), reach (bound, role) as (
        select role, role from bound
        union
        select reach.bound, m.role from reach join tenant_internal.doctor_memberships m on m.member = reach.role
    )
    select 'T019' as code, 'error' as level,
        x.bound::regrole::text as object,
        format('bound role %s %s', x.bound::regrole, min(x.way_out)) as problem,
        'A bound role is meant for users who write their own SQL, so it must have no way out of its tenant.' as why,
        format('select tenant.unbind_role(%L);', r.rolname) as fix
    from (
        select reach.bound, case
            when r.rolsuper or r.rolbypassrls then format('has the rights of %I, to which policies do not apply', r.rolname)
            when r.rolcreaterole then format('has the rights of %I, which makes roles', r.rolname)
            when r.rolreplication then format('has the rights of %I, which replicates', r.rolname)
            else format('is a member of %I, which %s', r.rolname, tenant_internal.reach_of(r.rolname)) end as way_out
        from reach join pg_catalog.pg_roles r on r.oid = reach.role
        where r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolreplication or tenant_internal.reach_of(r.rolname) is not null
        union all
        select reach.bound, format('has the rights of %s, which owns the database', reach.role::regrole)
        from reach join pg_catalog.pg_database d on d.datdba = reach.role and d.datname = current_database()
        union all
        select b.role, format('has the member %s, who may become it without its binding', m.member::regrole)
        from bound b join tenant_internal.doctor_memberships m on m.role = b.role and m.at_once
    ) x join pg_catalog.pg_roles r on r.oid = x.bound
    group by x.bound, r.rolname;
comment on view tenant_internal.finding_t019 is 'A bound role has a way out of its tenant';

create view tenant_internal.finding_t020 as
    select 'T020' as code, 'warn' as level,
        format('%s in tenant_system', m.member::regrole) as object,
        format('application role %s reaches tenant_system', r.application) as problem,
        'It may enter the system context, and so read across all tenants.' as why,
        m.revoke as fix
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    where m.role = (select oid from pg_catalog.pg_roles where rolname = 'tenant_system')
    union all
    select 'T020', 'info', format('%s in tenant_system', m.member::regrole),
        format('role %s may enter the system context', m.member::regrole),
        'It may enter the system context, and so read across all tenants.', null
    from tenant_internal.doctor_memberships m
    where m.role = (select oid from pg_catalog.pg_roles where rolname = 'tenant_system')
        and m.member not in (select role from tenant_internal.doctor_reached);
comment on view tenant_internal.finding_t020 is 'A role may work across tenants';

create view tenant_internal.finding_t021 as
    select 'T021' as code, 'warn' as level,
        format('%s to %s', c.oid::regclass, w.name) as object,
        format('%s may write %s', w.name, c.oid::regclass) as problem,
        'The registry, the journal and the waivers are what isolation is judged by: the application must not change them.' as why,
        format('revoke insert, update, delete, truncate, references, trigger on %s from %s;', c.oid::regclass, w.name) as fix
    from pg_catalog.pg_class c
    cross join lateral (
        select (aclexplode(c.relacl)).*
        union all
        select (aclexplode(a.attacl)).* from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attacl is not null
    ) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where c.relnamespace in ('tenant'::regnamespace, 'tenant_internal'::regnamespace) and c.relkind in ('r', 'p') and g.grantee <> c.relowner
        and g.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')
        and w.name <> 'tenant_admin'
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by c.oid, w.name
    union all
    select 'T021', 'warn', format('all of them to %s', m.member::regrole),
        format('application role %s reaches pg_write_all_data and, with no tenant entered, may write all of them', r.application),
        'The registry, the journal and the waivers are what isolation is judged by: the application must not change them.',
        m.revoke
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    where m.role = (select oid from pg_catalog.pg_roles where rolname = 'pg_write_all_data')
        -- A login that is bound is always in its tenant: T019 is its finding.
        and m.member not in (select setrole from pg_catalog.pg_db_role_setting, unnest(setconfig) c where c like 'pg\_tenant.id=%');
comment on view tenant_internal.finding_t021 is 'The application may write the extension''s own tables';

create view tenant_internal.finding_t022 as
    select 'T022' as code, 'warn' as level,
        o.kind || ' ' || o.name as object,
        format('application role %s owns %s %s', o.owner::regrole, o.kind, o.name) as problem,
        'An owner replaces what others rely on, without any grant: a function that a policy calls, a view, a lookup table.' as why,
        null::text as fix
    from (
        select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
            when 'S' then 'sequence' else 'table' end as kind, c.oid::regclass::text as name, c.relowner as owner
        from pg_catalog.pg_class c where c.oid >= 16384 and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relpersistence <> 't'
            and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass
                and d.objid = c.oid and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i'))
        union all
        select 'function', p.oid::regprocedure::text, p.proowner from pg_catalog.pg_proc p where p.oid >= 16384
        union all
        select 'schema', quote_ident(n.nspname), n.nspowner from pg_catalog.pg_namespace n where n.oid >= 16384 and n.nspname !~ '^pg_'
    ) o
    where o.owner in (select role from tenant_internal.doctor_applications)
        and o.owner not in (select oid from pg_catalog.pg_roles where rolsuper);
comment on view tenant_internal.finding_t022 is 'An application role owns objects';
