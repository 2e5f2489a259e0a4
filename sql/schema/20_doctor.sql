-- The doctor: what it looks at, and what is waived. Each finding is a view of its own, in 21_ to 28_; 29_ joins them.
--
-- The views read catalogs only and run nothing that they find there. tenant.doctor() gives them its owner's rights, so
-- that tenant_admin sees what PostgreSQL shows to superusers only.

create table tenant.waivers (
    code text collate "C" not null,
    object text not null,
    reason text not null,
    until timestamptz not null check (until < 'infinity'),
    waived_at timestamptz not null default now(),
    waived_by name not null default current_user,
    primary key (code, object)
);
comment on table tenant.waivers is 'Findings that are accepted for a time, and why.';
grant select, delete on tenant.waivers to tenant_admin;
grant insert (code, object, reason, until), update (reason, until, waived_at, waived_by) on tenant.waivers to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.waivers', '');

-- Weaknesses of PostgreSQL's row-level security, and the minor version that mends each.
create table tenant.row_security_cves (
    cve text collate "C",
    major integer,
    fixed_in integer not null,
    what text not null,
    primary key (cve, major)
);
comment on table tenant.row_security_cves is 'Known weaknesses of row-level security, and the minor version of each major that mends it.';
insert into tenant.row_security_cves (cve, major, fixed_in, what) values
    ('CVE-2023-2455', 15, 3, 'a policy of another role applies where a function is inlined'),
    ('CVE-2023-39418', 15, 4, 'MERGE passes over UPDATE and SELECT policies'),
    ('CVE-2024-4317', 15, 7, 'statistics of expressions are shown to who may not read the table'),
    ('CVE-2024-4317', 16, 3, 'statistics of expressions are shown to who may not read the table'),
    ('CVE-2024-10976', 15, 9, 'a policy of another role applies below a subquery'),
    ('CVE-2024-10976', 16, 5, 'a policy of another role applies below a subquery'),
    ('CVE-2024-10976', 17, 1, 'a policy of another role applies below a subquery'),
    ('CVE-2025-8713', 15, 14, 'operators see sampled values of rows that a policy hides'),
    ('CVE-2025-8713', 16, 10, 'operators see sampled values of rows that a policy hides'),
    ('CVE-2025-8713', 17, 6, 'operators see sampled values of rows that a policy hides'),
    ('CVE-2026-6469', 15, 19, 'rebuilt statistics belong to who altered the table'),
    ('CVE-2026-6469', 16, 15, 'rebuilt statistics belong to who altered the table'),
    ('CVE-2026-6469', 17, 11, 'rebuilt statistics belong to who altered the table'),
    ('CVE-2026-6469', 18, 6, 'rebuilt statistics belong to who altered the table'),
    ('CVE-2026-14666', 15, 19, 'cached plans keep policies of a membership that has been revoked'),
    ('CVE-2026-14666', 16, 15, 'cached plans keep policies of a membership that has been revoked'),
    ('CVE-2026-14666', 17, 11, 'cached plans keep policies of a membership that has been revoked'),
    ('CVE-2026-14666', 18, 6, 'cached plans keep policies of a membership that has been revoked');
grant select on tenant.row_security_cves to tenant_admin;

-- Memberships that are of use: from 16, one without INHERIT, SET and ADMIN gives nothing. With ADMIN alone a role can
-- grant itself the rest.
create view tenant.doctor_memberships as
    select m.member, m.roleid as role, coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)
            or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) as at_once,
        format('revoke %s from %s%s;', m.roleid::regrole, m.member::regrole,
            case when current_setting('server_version_num')::int >= 160000
                then format(' granted by %s', m.grantor::regrole) end) as revoke
    from pg_catalog.pg_auth_members m
    where m.admin_option
        or coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)
        or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true);

-- The application's roles: tenant_user and whoever can become it or use its rights.
create view tenant.doctor_applications as
    with recursive application (role) as (
        select oid from pg_catalog.pg_roles where rolname = 'tenant_user'
        union
        select m.member from application a join tenant.doctor_memberships m on m.role = a.role and m.at_once
    )
    select role from application;

-- What the application's roles reach through memberships, themselves included, and one that does.
create view tenant.doctor_reached as
    with recursive reach (role, application) as (
        select role, role from tenant.doctor_applications
        union
        select m.role, r.application from reach r join tenant.doctor_memberships m on m.member = r.role
    )
    select role, min(application::regrole::text) as application from reach group by role;

-- Rights on relations that the application has by a grant: to it, to a role it reaches, or to everybody.
create view tenant.doctor_grants as
    select c.oid as relation, c.relkind, g.privilege_type as privilege, g.grantee,
        case g.grantee when 0 then 'public' else g.grantee::regrole::text end as grantee_name
    from pg_catalog.pg_class c
    cross join lateral aclexplode(c.relacl) g
    where c.oid >= 16384 and g.grantee <> c.relowner
        and (g.grantee = 0 or g.grantee in (select role from tenant.doctor_reached));

-- Protected tables, gaps or not, and their tenant column.
create view tenant.doctor_tables as
    select c.oid as relation, c.oid::regclass::text as name, c.relkind, c.relowner as owner, c.relispartition as is_partition,
        c.relrowsecurity as enabled, c.relforcerowsecurity as forced, c.relhastriggers, a.attnum as tenant_column,
        a.attname as tenant_column_name, a.attnotnull as tenant_not_null, a.attcollation as tenant_collation
    from (select distinct polrelid from pg_catalog.pg_policy where not polpermissive) p
    join pg_catalog.pg_class c on c.oid = p.polrelid
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = tenant.fence_column(c.oid::regclass);

-- Tables of users: not of PostgreSQL, not of extensions, not temporary.
create view tenant.doctor_user_tables as
    select c.oid as relation, c.oid::regclass::text as name, c.relkind, c.relowner as owner
    from pg_catalog.pg_class c
    where c.relkind in ('r', 'p') and c.relpersistence <> 't' and c.oid >= 16384
        and not exists (select from pg_catalog.pg_depend d
            where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e');

-- Views and materialized views that read a protected table, directly or through others.
create view tenant.doctor_readers as
    with recursive reader (relation, reads) as (
        select relation, relation from tenant.doctor_tables
        union
        select r.ev_class, reader.reads from reader
            join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = reader.relation
                and d.classid = 'pg_catalog.pg_rewrite'::regclass and d.deptype = 'n'
            join pg_catalog.pg_rewrite r on r.oid = d.objid and r.rulename = '_RETURN'
    )
    select c.oid as relation, c.oid::regclass::text as name, c.relkind, c.relowner as owner, c.reloptions,
        min(reader.reads::regclass::text) as reads
    from reader join pg_catalog.pg_class c on c.oid = reader.relation
    where c.relkind in ('v', 'm') group by c.oid;

-- Roles to which policies do not apply.
create view tenant.doctor_exempt as
    select oid as role, rolname, case when rolsuper then 'a superuser' else 'BYPASSRLS' end as how
    from pg_catalog.pg_roles where (rolsuper or rolbypassrls) and rolname <> 'tenant_system';

-- Policies of users' tables, as text, and whether the table is protected.
create view tenant.doctor_policies as
    select p.oid as policy, p.polname, p.polrelid as relation, p.polrelid::regclass::text as name, p.polcmd, p.polpermissive,
        p.polroles, pg_catalog.pg_get_expr(p.polqual, p.polrelid) as using_text,
        pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) as check_text,
        concat_ws(' ', pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) as both_texts,
        tenant.fence_policy(p.polrelid::regclass) is not null as protected,
        p.oid = tenant.fence_policy(p.polrelid::regclass) as is_fence,
        format('drop policy %I on %s;', p.polname, p.polrelid::regclass) as drop_it,
        exists (select from pg_catalog.pg_depend d join pg_catalog.pg_proc f on f.oid = d.refobjid
            where d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.oid
                and d.refclassid = 'pg_catalog.pg_proc'::regclass and f.pronamespace = 'tenant'::regnamespace
                and f.proname in ('current_id', 'current_uuid', 'current_bigint')) as reads_tenant,
        k.attname is not null as has_tenant_column,
        coalesce(k.attname, (select a.attname from pg_catalog.pg_depend d
            join pg_catalog.pg_attribute a on a.attrelid = p.polrelid and a.attnum = d.refobjsubid
            where d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.oid
                and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = p.polrelid and d.refobjsubid > 0
            order by a.attnum limit 1), 'tenant_id') as column_name
    from pg_catalog.pg_policy p
    left join lateral (
        select attname from pg_catalog.pg_attribute
        where attrelid = p.polrelid and attnum > 0 and not attisdropped
            and (attname = 'tenant_id' or attname in (select tenant_column_name from tenant.doctor_tables))
        order by attname <> 'tenant_id', attnum limit 1
    ) k on true;

-- Settings as sessions begin with them: of the server, and of roles and databases.
create view tenant.doctor_settings as
    select s.name, s.reset_val as value, s.name as object,
        format(E'alter system reset %s;\nselect pg_reload_conf();', s.name) as reset
    from pg_catalog.pg_settings s
    union all
    select lower(split_part(c.setting, '=', 1)), substr(c.setting, strpos(c.setting, '=') + 1),
        format('%s of %s', lower(split_part(c.setting, '=', 1)), w.whose),
        format('alter %s reset %s;', w.whose, split_part(c.setting, '=', 1))
    from pg_catalog.pg_db_role_setting s
    left join pg_catalog.pg_database d on d.oid = s.setdatabase
    cross join lateral (select case
        when s.setrole = 0 and s.setdatabase = 0 then 'role all'
        when s.setrole = 0 then format('database %I', d.datname)
        when s.setdatabase = 0 then format('role %s', s.setrole::regrole)
        else format('role %s in database %I', s.setrole::regrole, d.datname) end as whose) w
    cross join lateral unnest(s.setconfig) c (setting)
    where s.setdatabase = 0 or d.datname = current_database();
