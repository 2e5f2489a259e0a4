-- Findings on roles: who escapes the policies, and how the application could become one who does.

create view tenant_internal.finding_t001 as
    select 'T001' as code,
        case when r.oid in (select role from tenant_internal.doctor_applications) then 'error' when r.oid = 10 then 'info' else 'warn' end as level,
        r.rolname::text as object,
        format('login %I is a superuser', r.rolname) as problem,
        'Policies do not apply to superusers, and they can turn every guard off.' as why,
        case when r.oid <> 10 then format('alter role %I nosuperuser;', r.rolname) end as fix
    from pg_catalog.pg_roles r where r.rolsuper and r.rolcanlogin;
comment on view tenant_internal.finding_t001 is 'A login is a superuser';

create view tenant_internal.finding_t002 as
    select 'T002' as code,
        case when r.oid in (select role from tenant_internal.doctor_applications) or r.rolname in ('tenant_system', 'tenant_reader') then 'error' else 'warn' end as level,
        r.rolname::text as object,
        format('login %I has BYPASSRLS', r.rolname) as problem,
        'Policies do not apply to it. With row_security = off it reads and writes every tenant''s rows with no tenant entered.' as why,
        case when r.rolname in ('tenant_system', 'tenant_reader') then format('alter role %I nologin;', r.rolname)
            else format('alter role %I nobypassrls;', r.rolname) end as fix
    from pg_catalog.pg_roles r
    where r.rolbypassrls and not r.rolsuper and r.rolcanlogin;
comment on view tenant_internal.finding_t002 is 'A login has BYPASSRLS';

create view tenant_internal.finding_t003 as
    select 'T003' as code, 'error' as level,
        format('%s in %s', m.member::regrole, m.role::regrole) as object,
        format('application role %s reaches %s, which is %s', r.application, m.role::regrole, x.how) as problem,
        'SET ROLE takes the attributes of a role: policies then no longer apply.' as why,
        m.revoke as fix
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    join tenant_internal.doctor_exempt x on x.role = m.role;
comment on view tenant_internal.finding_t003 is 'An application role can become one that bypasses policies';

create view tenant_internal.finding_t004 as
    with owner as (select owner as role, min(name) as example from tenant_internal.doctor_tables group by owner)
    select 'T004' as code, 'error' as level,
        format('%s in %s', m.member::regrole, m.role::regrole) as object,
        format('application role %s reaches %s, the owner of protected table %s', r.application, m.role::regrole, o.example) as problem,
        'Whoever has the rights of an owner alters the table, its policies, its triggers and its grants.' as why,
        m.revoke as fix
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    join owner o on o.role = m.role
    union all
    select 'T004', 'error', a.role::regrole::text,
        format('application role %s owns protected table %s', a.role::regrole, o.example),
        'Whoever has the rights of an owner alters the table, its policies, its triggers and its grants.',
        null
    from tenant_internal.doctor_applications a join owner o on o.role = a.role;
comment on view tenant_internal.finding_t004 is 'An application role has the rights of a protected table''s owner';

create view tenant_internal.finding_t005 as
    select 'T005' as code, 'error' as level,
        format('%s in %s', m.member::regrole, m.role::regrole) as object,
        format('application role %s reaches tenant_admin', r.application) as problem,
        'It could register and suspend tenants, set their limits, bind roles and write the journal.' as why,
        m.revoke as fix
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    where m.role = (select oid from pg_catalog.pg_roles where rolname = 'tenant_admin');
comment on view tenant_internal.finding_t005 is 'An application role manages tenants';

create view tenant_internal.finding_t006 as
    select 'T006' as code, k.level,
        format('%s in %s', m.member::regrole, m.role::regrole) as object,
        format('application role %s reaches %s, which %s', r.application, k.role, k.what) as problem,
        'Predefined roles reach past tables and policies: to files, programs, other sessions and every relation.' as why,
        m.revoke as fix
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    join (values
        ('pg_execute_server_program', 'error', 'runs programs on the server'),
        ('pg_read_server_files', 'error', 'reads the files of the server, those of tables included'),
        ('pg_write_server_files', 'error', 'writes the files of the server'),
        ('pg_write_all_data', 'warn', 'writes every table that nobody protected and, with no tenant entered, the registry, the journal and the waivers'),
        ('pg_read_all_data', 'warn', 'reads every table that nobody protected and, with no tenant entered, large objects, sequences, password hashes, the registry and the journal'),
        ('pg_monitor', 'warn', 'reads other sessions'' statements'),
        ('pg_read_all_stats', 'warn', 'reads other sessions'' statements'),
        ('pg_read_all_settings', 'warn', 'reads every setting'),
        ('pg_stat_scan_tables', 'warn', 'counts the rows of every table'),
        ('pg_maintain', 'warn', 'locks, rewrites and analyses every table'),
        ('pg_create_subscription', 'warn', 'lets the server connect to others'),
        ('pg_signal_backend', 'warn', 'ends other sessions'),
        ('pg_database_owner', 'warn', 'owns the schema public')) k (role, level, what)
        on k.role = m.role::regrole::text
    where m.member::regrole::text !~ '^pg_';
comment on view tenant_internal.finding_t006 is 'An application role is a member of a predefined role that reaches further';

create view tenant_internal.finding_t007 as
    select 'T007' as code, k.level,
        r.rolname || ' ' || k.attribute as object,
        format('role %I has %s and application role %s reaches it', r.rolname, k.attribute, a.application) as problem,
        'CREATEROLE grants itself roles, REPLICATION reads every tenant''s changes, CREATEDB makes databases without policies.' as why,
        format('alter role %I no%s;', r.rolname, lower(k.attribute)) as fix
    from tenant_internal.doctor_reached a
    join pg_catalog.pg_roles r on r.oid = a.role and not r.rolsuper
    cross join lateral (values ('CREATEROLE', r.rolcreaterole, 'error'), ('REPLICATION', r.rolreplication, 'error'),
        ('CREATEDB', r.rolcreatedb, 'info')) k (attribute, has, level)
    where k.has;
comment on view tenant_internal.finding_t007 is 'An application role makes roles, replicates or creates databases';

create view tenant_internal.finding_t008 as
    select 'T008' as code,
        case when bool_or(g.privilege = 'TRIGGER') then 'error' else 'warn' end as level,
        format('%s to %s', t.name, g.grantee_name) as object,
        format('%s on protected table %s is granted to %s', string_agg(distinct g.privilege, ', '), t.name, g.grantee_name) as problem,
        'TRIGGER puts code into other tenants'' sessions; TRUNCATE and REFERENCES pass over policies; MAINTAIN locks and rewrites the table.' as why,
        format('revoke %s on %s from %s;', lower(string_agg(distinct g.privilege, ', ')), t.name, g.grantee_name) as fix
    from tenant_internal.doctor_tables t
    join tenant_internal.doctor_grants g on g.relation = t.relation
    where g.privilege in ('TRUNCATE', 'TRIGGER', 'REFERENCES', 'MAINTAIN')
    group by t.name, g.grantee_name;
comment on view tenant_internal.finding_t008 is 'A right on a protected table passes over its policies';

create view tenant_internal.finding_t009 as
    select 'T009' as code, 'warn' as level,
        format('%I to %s', n.nspname, w.name) as object,
        format('%s may create objects in schema %I', w.name, n.nspname) as problem,
        'Functions, operators and tables that the application makes can stand in for those that others mean, and new tables have no policy.' as why,
        format('revoke create on schema %I from %s;', n.nspname, w.name) as fix
    from pg_catalog.pg_namespace n
    cross join lateral aclexplode(n.nspacl) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where g.privilege_type = 'CREATE' and g.grantee <> n.nspowner and n.nspname !~ '^pg_'
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by n.nspname, w.name;
comment on view tenant_internal.finding_t009 is 'The application may create objects in a schema';

create view tenant_internal.finding_t010 as
    select 'T010' as code, 'warn' as level,
        w.name as object,
        format('%s may create schemas in this database', w.name) as problem,
        'Who creates schemas also creates trusted extensions, procedural languages among them, and tables without a policy.' as why,
        format('revoke create on database %I from %s;', d.datname, w.name) as fix
    from pg_catalog.pg_database d
    cross join lateral aclexplode(d.datacl) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where d.datname = current_database() and g.privilege_type = 'CREATE' and g.grantee <> d.datdba
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by d.datname, w.name;
comment on view tenant_internal.finding_t010 is 'The application may create schemas and trusted extensions';

create view tenant_internal.finding_t011 as
    select 'T011' as code, 'info' as level,
        w.name as object,
        format('%s may create temporary objects in this database', w.name) as problem,
        'Temporary tables outlive the transaction on a pooled connection, and stand in for tables in functions without a fixed search_path.' as why,
        format('revoke temporary on database %I from %s;', d.datname, w.name) as fix
    from pg_catalog.pg_database d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where d.datname = current_database() and g.privilege_type = 'TEMPORARY' and g.grantee <> d.datdba
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by d.datname, w.name;
comment on view tenant_internal.finding_t011 is 'The application may create temporary objects';
