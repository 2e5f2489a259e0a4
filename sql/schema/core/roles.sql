-- The roles belong to the cluster: they are created once, and stay when the extension is dropped.
--   tenant_user   may enter tenants: grant it to the roles of applications and tools.
--   tenant_admin  may protect tables that it owns, and manage the registry.
--   tenant_reader is the same for who may only read across tenants: for reports.
--   tenant_support may impersonate: it enters tenants by grants, each for a time and with a reason.
--   tenant_worker claims jobs of all tenants: which tenant and which kind, and nothing of what they say.
--   tenant_billing hands in what payment providers say, and nothing else.
--   tenant_system is the role of the system context: who may SET ROLE to it may enter that. BYPASSRLS shows it every
--                 row.
do $$
declare
    role_name name;
begin
    foreach role_name in array array['tenant_user', 'tenant_admin', 'tenant_system', 'tenant_support', 'tenant_reader', 'tenant_worker', 'tenant_billing']::name[] loop
        if not exists (select from pg_catalog.pg_roles where rolname = role_name) then
            -- The extension may be created in another database of the cluster at the same time.
            begin
                execute pg_catalog.format('create role %I nologin %s', role_name,
                    case when role_name in ('tenant_system', 'tenant_reader') then 'bypassrls' else 'nobypassrls' end);
            exception when duplicate_object or unique_violation then null;
            end;
        end if;
    end loop;
end
$$;

-- From 16, a role with CREATEROLE that created these roles before the extension can grant them to anybody.
do $$
declare
    maker record;
begin
    for maker in
        select m.roleid::pg_catalog.regrole as role, m.member::pg_catalog.regrole as member
        from pg_catalog.pg_auth_members m join pg_catalog.pg_roles r on r.oid = m.member
        where m.admin_option and not r.rolsuper
            and m.roleid in (select oid from pg_catalog.pg_roles where rolname in ('tenant_user', 'tenant_admin', 'tenant_system', 'tenant_support', 'tenant_reader', 'tenant_worker', 'tenant_billing'))
    loop
        raise warning using
            message = pg_catalog.format('role %s may grant role %s to anybody', maker.member, maker.role),
            detail = 'It has ADMIN OPTION on a role that decides about tenants.',
            hint = pg_catalog.format('revoke admin option for %s from %s;', maker.role, maker.member);
    end loop;
end
$$;

grant usage on schema tenant to tenant_user, tenant_admin, tenant_system, tenant_support, tenant_reader, tenant_worker, tenant_billing;

-- What only the extension itself calls. Closed to PUBLIC and to tenant_user: what their statements reach of it is found
-- by its oid, in plans, views and triggers, or is called by functions that are SECURITY DEFINER. tenant_admin needs
-- USAGE: tenant.protect() and its like run with the caller's rights, and look the names in their bodies up with them.
create schema tenant_internal;
comment on schema tenant_internal is 'What only pg_tenant itself calls; it may change with every version.';
grant usage on schema tenant_internal to tenant_admin;
