-- The roles belong to the cluster: they are made once, and stay when the extension goes.
--   tenant_user   may enter tenants: grant it to the roles of applications and tools.
--   tenant_admin  may protect tables that it owns, and manage the registry.
do $$
declare
    role_name name;
begin
    foreach role_name in array array['tenant_user', 'tenant_admin']::name[] loop
        if not exists (select from pg_catalog.pg_roles where rolname = role_name) then
            -- Another database of the cluster may be getting the extension at this moment.
            begin
                execute pg_catalog.format('create role %I nologin', role_name);
            exception when duplicate_object or unique_violation then null;
            end;
        end if;
    end loop;
end
$$;

grant usage on schema tenant to tenant_user, tenant_admin;
