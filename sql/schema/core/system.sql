-- The system context: across tenants, read-only unless asked otherwise, and never without a reason.
--
-- enter_system runs with the caller's rights: it is a SET LOCAL ROLE to tenant_system, which PostgreSQL allows to members
-- of that role. A SECURITY DEFINER function could not be one.

-- Entering a tenant from here is refused (TN014) by the function itself, which says why.
grant execute on function tenant.enter(text), tenant.enter(uuid), tenant.enter(bigint), tenant.enter_pristine(text)
    to tenant_system;

-- Called by the entries above and by nobody else. SECURITY DEFINER, so that no line can be written but by entering.
create function tenant_internal.journal_system(reason text, write boolean) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into tenant.journal (action, object, reason, detail, role, session_role)
        values ('enter_system', 'tenant_system', btrim(reason), jsonb_build_object('write', coalesce(write, false)),
            'tenant_system', session_user);
end
$$;
revoke all on function tenant_internal.journal_system(text, boolean) from public;

-- The system context can list the tenants that it works on.
grant select on tenant.tenants to tenant_system;

-- As journal_system.
create function tenant_internal.journal_system_as_owner(reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into tenant.journal (action, object, reason, detail, role, session_role)
        values ('enter_system', 'tenant_system', btrim(reason), '{"write": true, "as_owner": true}',
            case current_setting('role') when 'none' then session_user else current_setting('role') end, session_user);
end
$$;
revoke all on function tenant_internal.journal_system_as_owner(text) from public;
