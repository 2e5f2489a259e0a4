-- The doctor: what it looks at, and what is waived. Each finding is a view of its own, in 21_ to 28_; 29_ joins them.
--
-- What several findings look at is a function that PostgreSQL runs as it is, not a view that it plans anew into each of
-- them: a hundred thousand rows of catalog make such plans slow.
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
    answered boolean not null default false, -- a guard closes it for protected tables, whatever the version
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
insert into tenant.row_security_cves (cve, major, fixed_in, what, answered)
    select 'CVE-2026-120154', major, fixed_in, 'INSERT ... ON CONFLICT DO UPDATE evaluates its WHERE on rows that a policy hides', true
    from (values (15, 20), (16, 16), (17, 12), (18, 7)) v (major, fixed_in);
grant select on tenant.row_security_cves to tenant_admin;

-- Memberships that are of use: from 16, one without INHERIT, SET and ADMIN gives nothing. With ADMIN alone a role can
-- grant itself the rest.
create view tenant_internal.doctor_memberships as
    select m.member, m.roleid as role, coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)
            or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) as at_once,
        format('revoke %s from %s%s;', m.roleid::regrole, m.member::regrole,
            case when current_setting('server_version_num')::int >= 160000
                then format(' granted by %s', m.grantor::regrole) end) as revoke
    from pg_catalog.pg_auth_members m
    where m.admin_option
        or coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)
        or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true);

-- The application's roles: tenant_user, and tenant_support, which enters tenants as well, and whoever can become one of
-- them or use its rights.
create view tenant_internal.doctor_applications as
    with recursive application (role) as (
        select oid from pg_catalog.pg_roles where rolname in ('tenant_user', 'tenant_support')
        union
        select m.member from application a join tenant_internal.doctor_memberships m on m.role = a.role and m.at_once
    )
    select role from application;

-- What the application's roles reach through memberships, themselves included, and one that does.
create function tenant_internal.doctor_reached_now() returns table (role oid, application text)
    language sql stable rows 20 set search_path = pg_catalog, pg_temp as $$
    with recursive reach (role, application) as (
        select role, role from tenant_internal.doctor_applications
        union
        select m.role, r.application from reach r join tenant_internal.doctor_memberships m on m.member = r.role
    )
    select role, min(application::regrole::text) from reach group by role
$$;
revoke all on function tenant_internal.doctor_reached_now() from public;
create view tenant_internal.doctor_reached as select * from tenant_internal.doctor_reached_now();

-- Rights on relations that the application has by a grant: to it, to a role it reaches, or to everybody.
create view tenant_internal.doctor_grants as
    select c.oid as relation, c.relkind, g.privilege_type as privilege, g.grantee,
        case g.grantee when 0 then 'public' else g.grantee::regrole::text end as grantee_name
    from pg_catalog.pg_class c
    cross join lateral aclexplode(c.relacl) g
    where c.oid >= 16384 and g.grantee <> c.relowner
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached));

-- Protected tables, gaps or not, and their tenant column: null where they are reached by membership.
create function tenant_internal.doctor_tables_now() returns table (relation oid, name text, relkind "char", owner oid, is_partition boolean,
        enabled boolean, forced boolean, relhastriggers boolean, fence oid, tenant_column smallint, tenant_column_name name,
        tenant_not_null boolean, tenant_collation oid)
    language sql stable rows 1000 set search_path = pg_catalog, pg_temp as $$
    select c.oid, c.oid::regclass::text, c.relkind, c.relowner, c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
        c.relhastriggers, p.fence, a.attnum, a.attname, a.attnotnull, a.attcollation
    from (
        select polrelid, tenant_internal.fence_policy(polrelid::regclass) as fence, tenant_internal.fence_column(polrelid::regclass) as tenant_column
        from (select distinct polrelid from pg_policy where not polpermissive) r offset 0
    ) p
    join pg_class c on c.oid = p.polrelid
    left join pg_attribute a on a.attrelid = p.polrelid and a.attnum = p.tenant_column
    where p.fence is not null
$$;
revoke all on function tenant_internal.doctor_tables_now() from public;
create view tenant_internal.doctor_tables as select * from tenant_internal.doctor_tables_now();

-- Columns that say a table is meant to be protected.
create view tenant_internal.doctor_tenant_columns as
    select a.attrelid as relation, (array_agg(a.attname order by a.attname <> 'tenant_id', a.attnum))[1] as column_name
    from pg_catalog.pg_attribute a
    where a.attrelid >= 16384 and a.attnum > 0 and not a.attisdropped
        and a.attname in (select 'tenant_id'::name union select tenant_column_name from tenant_internal.doctor_tables)
    group by a.attrelid;

-- Tables of users: not of PostgreSQL, not of extensions, not temporary.
create view tenant_internal.doctor_user_tables as
    select c.oid as relation, c.oid::regclass::text as name, c.relkind, c.relowner as owner
    from pg_catalog.pg_class c
    where c.relkind in ('r', 'p') and c.relpersistence <> 't' and c.oid >= 16384
        and c.relnamespace <> 'tenant_internal'::regnamespace -- the journal's months
        and not exists (select from pg_catalog.pg_depend d
            where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e');

-- Views and materialized views that read a protected table, directly or through others.
create view tenant_internal.doctor_readers as
    with recursive reader (relation, reads) as (
        select relation, relation from tenant_internal.doctor_tables
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

-- Roles to which policies do not apply. tenant_system and tenant_reader have BYPASSRLS and strict mode for it: T020 and
-- T142 are their findings.
create view tenant_internal.doctor_exempt as
    select oid as role, rolname, case when rolsuper then 'a superuser' else 'BYPASSRLS' end as how
    from pg_catalog.pg_roles where rolsuper or rolbypassrls and rolname not in ('tenant_system', 'tenant_reader');

-- Policies of users' tables but for those that tenant.protect makes, as text, and whether the table is protected.
create function tenant_internal.doctor_policies_now() returns table (policy oid, polname name, relation oid, name text, polcmd "char",
        polpermissive boolean, polroles oid[], using_text text, check_text text, both_texts text, protected boolean,
        reads_tenant boolean, has_tenant_column boolean, column_name name, drop_it text)
    language sql stable rows 1000 set search_path = pg_catalog, pg_temp as $$
    select p.oid, p.polname, p.polrelid, p.polrelid::regclass::text, p.polcmd, p.polpermissive, p.polroles, e.using_text, e.check_text,
        concat_ws(' ', e.using_text, e.check_text), p.protected, r.reads_tenant, k.column_name is not null,
        coalesce(k.column_name, own.column_name, 'tenant_id'), format('drop policy %I on %s;', p.polname, p.polrelid::regclass)
    from (
        select p.*, t.relation is not null as protected
        from pg_policy p left join tenant_internal.doctor_tables t on t.relation = p.polrelid
        where p.oid is distinct from t.fence and (t.relation is null or not tenant_internal.doctor_is_equality(p.oid)) offset 0
    ) p
    cross join lateral (
        select exists (
            select from pg_depend d join pg_proc f on f.oid = d.refobjid
            where d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_proc'::regclass
                and f.pronamespace = 'tenant'::regnamespace and f.proname in ('current_id', 'current_uuid', 'current_bigint')
        ) as reads_tenant offset 0
    ) r
    left join lateral (
        select a.attname as column_name from pg_attribute a
        where a.attrelid = p.polrelid and p.polrelid >= 16384 and a.attnum > 0 and not a.attisdropped
            and a.attname = any (array(select 'tenant_id'::name union select tenant_column_name from tenant_internal.doctor_tables))
        order by a.attname <> 'tenant_id', a.attnum limit 1
    ) k on true
    left join lateral (
        select a.attname as column_name from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
        order by a.attnum limit 1
    ) own on true
    cross join lateral (
        select pg_get_expr(p.polqual, p.polrelid) as using_text, pg_get_expr(p.polwithcheck, p.polrelid) as check_text offset 0
    ) e
$$;
revoke all on function tenant_internal.doctor_policies_now() from public;
create view tenant_internal.doctor_policies as select * from tenant_internal.doctor_policies_now();

-- Settings as sessions begin with them: of the server, and of roles and databases.
create view tenant_internal.doctor_settings as
    select s.name, s.reset_val as value, s.name as object,
        format(E'alter system reset %s;\nselect pg_reload_conf();', s.name) as reset, null::oid as role
    from pg_catalog.pg_settings s
    union all
    select lower(split_part(c.setting, '=', 1)), substr(c.setting, strpos(c.setting, '=') + 1),
        format('%s of %s', lower(split_part(c.setting, '=', 1)), w.whose),
        format('alter %s reset %s;', w.whose, split_part(c.setting, '=', 1)), s.setrole
    from pg_catalog.pg_db_role_setting s
    left join pg_catalog.pg_database d on d.oid = s.setdatabase
    cross join lateral (select case
        when s.setrole = 0 and s.setdatabase = 0 then 'role all'
        when s.setrole = 0 then format('database %I', d.datname)
        when s.setdatabase = 0 then format('role %s', s.setrole::regrole)
        else format('role %s in database %I', s.setrole::regrole, d.datname) end as whose) w
    cross join lateral unnest(s.setconfig) c (setting)
    where s.setdatabase = 0 or d.datname = current_database();
