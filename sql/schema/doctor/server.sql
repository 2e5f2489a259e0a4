-- Findings on the server: what its log keeps, what it loads, which version it is.

create view tenant_internal.finding_t080 as
    select 'T080' as code, case when s.value = 'all' then 'warn' else 'info' end as level,
        s.object,
        format('%s: the server logs statements (%s)', s.object, s.value) as problem,
        'Statements hold tenants'' values as literals; whoever reads the log reads them, without any policy.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s where s.name = 'log_statement' and s.value <> 'none';
comment on view tenant_internal.finding_t080 is 'The server logs statements';

create view tenant_internal.finding_t081 as
    select 'T081' as code, 'warn' as level,
        s.object,
        format('%s: statements are logged with their parameters', s.object) as problem,
        'Applications pass values and tokens as parameters: logging them shows those of every tenant to whoever reads the log.' as why,
        E'alter system set log_parameter_max_length = 0;\nselect pg_reload_conf();' as fix
    from tenant_internal.doctor_settings s
    where (s.name = 'log_statement' and s.value = 'all'
            or s.name in ('log_min_duration_statement', 'log_min_duration_sample') and s.value <> '-1'
            or s.name = 'log_transaction_sample_rate' and s.value::float8 > 0)
        and current_setting('log_parameter_max_length') <> '0';
comment on view tenant_internal.finding_t081 is 'The server logs parameters';

create view tenant_internal.finding_t082 as
    select 'T082' as code, 'warn' as level,
        s.object,
        format('%s: errors are logged with parameters', s.object) as problem,
        'A refused entry or a violated constraint puts the token or the values into the log.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s where s.name = 'log_parameter_max_length_on_error' and s.value <> '0';
comment on view tenant_internal.finding_t082 is 'The server logs the parameters of failed statements';

create view tenant_internal.finding_t083 as
    select 'T083' as code, 'warn' as level,
        s.object,
        format('%s: auto_explain writes plans into the log', s.object) as problem,
        'Plans hold literals and, with them, parameters of every tenant; with log_level they reach the client as well.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s where s.name = 'auto_explain.log_min_duration' and s.value <> '-1';
comment on view tenant_internal.finding_t083 is 'auto_explain logs statements';

create view tenant_internal.finding_t084 as
    select 'T084' as code, 'warn' as level,
        format('%s to %s', o.object, w.name) as object,
        format('%s may read %s', w.name, o.object) as problem,
        'All tenants of an application share its role, and a role sees the texts of all its own statements.' as why,
        format('revoke all on %s from %s;', o.object, w.name) as fix
    from pg_catalog.pg_extension e
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
    cross join lateral (
        select c.oid::regclass::text as object, c.relacl as acl, c.relowner as owner from pg_catalog.pg_class c
        where d.classid = 'pg_catalog.pg_class'::regclass and c.oid = d.objid
        union all
        select 'function ' || p.oid::regprocedure, coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner
        from pg_catalog.pg_proc p where d.classid = 'pg_catalog.pg_proc'::regclass and p.oid = d.objid
    ) o
    cross join lateral aclexplode(o.acl) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where e.extname in ('pg_stat_statements', 'pg_stat_monitor', 'pg_qualstats', 'pg_buffercache', 'pageinspect', 'pg_walinspect')
        and o.object !~ '_info' and g.grantee <> o.owner and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by o.object, w.name;
comment on view tenant_internal.finding_t084 is 'The application reads other sessions'' statements';

create view tenant_internal.finding_t085 as
    select 'T085' as code, 'warn' as level,
        'shared_preload_libraries' as object,
        format('pg_tenant is not the last of shared_preload_libraries (%s)', s.reset_val) as problem,
        'Hooks of the library that is loaded last are called first. They may run a statement without calling the hooks of pg_tenant.' as why,
        format('alter system set shared_preload_libraries = %s; -- and restart the server', (
            select string_agg(quote_literal(l.library), ', ' order by l.library ~ '(^|/)pg_tenant(\.so)?$', l.nth)
            from unnest(p.libraries) with ordinality l (library, nth))) as fix
    from pg_catalog.pg_settings s
    cross join lateral (select array_agg(btrim(library, ' "') order by nth) as libraries
        from regexp_split_to_table(s.reset_val, ',') with ordinality x (library, nth)) p
    where s.name = 'shared_preload_libraries' and p.libraries[cardinality(p.libraries)] !~ '(^|/)pg_tenant(\.so)?$';
comment on view tenant_internal.finding_t085 is 'Another library is loaded after pg_tenant';

create view tenant_internal.finding_t086 as
    select 'T086' as code, 'info' as level,
        s.object,
        format('%s: %s is loaded into sessions, after pg_tenant', s.object, s.value) as problem,
        'Hooks of the library that is loaded last are called first. They may run a statement without calling the hooks of pg_tenant.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s
    where s.name in ('session_preload_libraries', 'local_preload_libraries') and s.value <> '';
comment on view tenant_internal.finding_t086 is 'Libraries are loaded into each session';

create view tenant_internal.finding_t087 as
    select 'T087' as code, case when c.answered then 'info' else 'warn' end as level,
        c.cve as object,
        format('PostgreSQL %s has %s: %s%s', current_setting('server_version'), c.cve, c.what,
            case when c.answered then '; on protected tables pg_tenant asks the policy first' end) as problem,
        'This minor version of PostgreSQL does not apply policies in the case that the release notes of the version named describe.' as why,
        null::text as fix
    from tenant.row_security_cves c
    where c.major = current_setting('server_version_num')::int / 10000
        and c.fixed_in > current_setting('server_version_num')::int % 10000;
comment on view tenant_internal.finding_t087 is 'The minor version has a known weakness of row-level security';

create view tenant_internal.finding_t088 as
    select 'T088' as code, 'error' as level,
        v.oid::regclass::text as object,
        format('view %s still has CVE-2024-4317', v.oid::regclass) as problem,
        'Everybody can read sampled values of expressions of every table. The minor version fixes the views in new clusters only.' as why,
        null::text as fix
    from pg_catalog.pg_class v
    where v.oid = 'pg_catalog.pg_stats_ext_exprs'::regclass and pg_catalog.pg_get_viewdef(v.oid) !~ 'pg_has_role';
comment on view tenant_internal.finding_t088 is 'Statistics views are those of before CVE-2024-4317';

create view tenant_internal.finding_t089 as
    select 'T089' as code, 'error' as level,
        s.object,
        format('%s is %s', s.object, s.value) as problem,
        'Triggers and foreign keys are skipped, catalogs can be written, or large objects lose their permissions, in every session that begins so.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s
    where s.name = 'session_replication_role' and s.value <> 'origin'
        or s.name in ('allow_system_table_mods', 'lo_compat_privileges') and lower(s.value) in ('on', 'true', 'yes', '1');
comment on view tenant_internal.finding_t089 is 'Sessions begin with a setting that takes guarantees away';

create view tenant_internal.finding_t090 as
    select 'T090' as code,
        case when s.name = 'pg_tenant.require_registered' or lower(s.value) = 'log' then 'warn' else 'error' end as level,
        s.object,
        format('%s is %s', s.object, s.value) as problem,
        'Off, strict lets statements run with no tenant, guards let protection be weakened, and require_registered lets unknown tenants be entered.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s
    where s.name in ('pg_tenant.strict', 'pg_tenant.guards', 'pg_tenant.require_registered')
        and lower(s.value) not in ('on', 'true', 'yes', '1');
comment on view tenant_internal.finding_t090 is 'A setting of pg_tenant is not on';

create view tenant_internal.finding_t091 as
    select 'T091' as code, 'warn' as level,
        'pg_tenant' as object,
        format('the library is of version %s, the schema of version %s', tenant.version(), e.extversion) as problem,
        'The guards of one version do not fit the functions and tables of another.' as why,
        null::text as fix
    from pg_catalog.pg_extension e where e.extname = 'pg_tenant' and e.extversion <> tenant.version();
comment on view tenant_internal.finding_t091 is 'Library and schema are of different versions';

create view tenant_internal.finding_t092 as
    select 'T092' as code, 'warn' as level,
        s.object,
        format('%s is on, and no token can be verified: %s', s.object, k.missing) as problem,
        'The role can enter no tenant. Turning require_signed off to get it working lets it enter every tenant without a token.' as why,
        null::text as fix
    from tenant_internal.doctor_settings s
    cross join (select tenant_internal.doctor_keys_missing() as missing) k
    where s.name = 'pg_tenant.require_signed' and lower(s.value) in ('on', 'true', 'yes', '1') and k.missing is not null;
comment on view tenant_internal.finding_t092 is 'A role must sign and no token can be verified';

create view tenant_internal.finding_t093 as
    select 'T093' as code, case when k.missing is null then 'error' else 'warn' end as level,
        'pg_tenant.jwks_file' as object,
        format('the key file is not as it should be: %s', coalesce(k.missing, k.replaceable)) as problem,
        'Whoever can put keys in it, or read a secret in it, makes tokens for every tenant; and a file that cannot be used lets nobody in.' as why,
        null::text as fix
    from (select tenant_internal.doctor_keys_missing() as missing, tenant_internal.doctor_keys_replaceable() as replaceable) k
    where current_setting('pg_tenant.jwks_file') <> '' and coalesce(k.missing, k.replaceable) is not null;
comment on view tenant_internal.finding_t093 is 'The key file cannot be used, or others can reach it';

-- Stored for roles that enter tenants, or for everybody. A search_path does harm where an application can put something
-- into one of its schemas, or where one stands before pg_catalog.
create view tenant_internal.finding_t102 as
    select 'T102' as code, 'warn' as level,
        s.object,
        format('%s is %s', s.object, s.value) as problem,
        'Every session of the role begins with this setting, whichever tenant it enters: it changes which objects names refer to, how literals are read, or which rights the session has.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s
    where s.role is not null and (s.role = 0 or s.role in (select role from tenant_internal.doctor_applications))
        and (s.name = 'role'
            or s.name = 'row_security' and lower(s.value) in ('off', 'false', 'no', '0')
            or s.name = 'standard_conforming_strings' and lower(s.value) in ('off', 'false', 'no', '0')
            or s.name = 'transform_null_equals' and lower(s.value) in ('on', 'true', 'yes', '1')
            or s.name = 'search_path' and exists (
                select from regexp_split_to_table(s.value, '\s*,\s*') with ordinality e (entry, nth)
                cross join lateral (select btrim(e.entry, '" ') as schema) x
                left join pg_catalog.pg_namespace n on n.nspname = x.schema
                where x.schema = 'pg_catalog' and e.nth > 1
                    or n.nspname !~ '^pg_' and exists (
                        select from tenant_internal.doctor_applications a where has_schema_privilege(a.role, n.oid, 'create'))));
comment on view tenant_internal.finding_t102 is 'A stored setting steers what the application''s sessions run';

create view tenant_internal.finding_t103 as
    select 'T103' as code, 'info' as level,
        o.object,
        o.problem,
        'Whoever stores settings or passwords for a role decides what its sessions run and who logs in as it, whichever tenant they enter.' as why,
        o.fix
    from (
        select format('%s over %s', r.oid::regrole, a.role::regrole),
            format('role %s may change role %s: its settings and its password', r.oid::regrole, a.role::regrole),
            case when current_setting('server_version_num')::int < 160000 then format('alter role %s nocreaterole;', r.oid::regrole)
                else format('revoke admin option for %s from %s;', a.role::regrole, r.oid::regrole) end,
            r.oid
        from tenant_internal.doctor_applications a
        join pg_catalog.pg_roles application on application.oid = a.role and application.rolcanlogin
        join pg_catalog.pg_roles r on r.rolcreaterole and r.oid <> a.role
            and (current_setting('server_version_num')::int < 160000 or exists (
                select from pg_catalog.pg_auth_members m where m.roleid = a.role and m.member = r.oid and m.admin_option))
        union all
        select format('database %I', d.datname),
            format('role %s owns database %I and may store settings for all its sessions', d.datdba::regrole, d.datname),
            null, d.datdba
        from pg_catalog.pg_database d where d.datname = current_database()
    ) o (object, problem, fix, role)
    join pg_catalog.pg_roles r on r.oid = o.role
    where not r.rolsuper and not pg_has_role(r.oid, 'tenant_admin', 'member')
        and r.oid not in (select role from tenant_internal.doctor_applications);
comment on view tenant_internal.finding_t103 is 'Somebody else may store settings for the application''s roles';

create view tenant_internal.finding_t116 as
    select 'T116' as code, 'error' as level,
        s.object,
        format('%s is %s', s.object, s.value) as problem,
        'A tenant entered in a savepoint ends with the savepoint, so one transaction can enter several tenants; and owners may TRUNCATE protected tables.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s
    where s.name = 'pg_tenant.test_mode' and lower(s.value) in ('on', 'true', 'yes', '1');
comment on view tenant_internal.finding_t116 is 'The server or the database is in test mode';
