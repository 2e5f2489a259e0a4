-- The system context: across tenants, read-only unless asked otherwise, and never without a reason.
--
-- enter_system runs with the caller's rights: it is a SET LOCAL ROLE to tenant_system, which PostgreSQL allows to members
-- of that role. A SECURITY DEFINER function could not be one.

create function tenant.enter_system(reason text, write boolean default false) returns void
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_system';
comment on function tenant.enter_system(text, boolean) is 'Lets the rest of the transaction work across tenants, as the role tenant_system. TN013 not allowed, TN014 a tenant entered, TN015 read-only, TN029 no reason.';
revoke all on function tenant.enter_system(text, boolean) from public;
grant execute on function tenant.enter_system(text, boolean) to tenant_user, tenant_system;

create function tenant.enter_system_pristine(reason text, write boolean default false) returns void
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_system_pristine';
comment on function tenant.enter_system_pristine(text, boolean) is 'As enter_system, for connection pools: refuses (TN008) a session that carries state from earlier transactions.';
revoke all on function tenant.enter_system_pristine(text, boolean) from public;
grant execute on function tenant.enter_system_pristine(text, boolean) to tenant_user, tenant_system;

-- Entering a tenant from here is refused (TN014) by the function itself, which says why.
grant execute on function tenant.enter(text), tenant.enter(uuid), tenant.enter(bigint), tenant.enter_pristine(text)
    to tenant_system;

-- Like the readers of the tenant, it tells a session only what it entered itself.
create function tenant.in_system_context() returns boolean
    language c stable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_in_system_context';
comment on function tenant.in_system_context() is 'Whether statements have the rights of the system context at this moment.';

-- Called by the entries above and by nobody else. SECURITY DEFINER, so that no line can be written but by entering.
create function tenant.journal_system(reason text, write boolean) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into tenant.journal (action, object, reason, detail, role, session_role)
        values ('enter_system', 'tenant_system', btrim(reason), jsonb_build_object('write', coalesce(write, false)),
            'tenant_system', session_user);
end
$$;
revoke all on function tenant.journal_system(text, boolean) from public;

-- Whose tenants they are that a system context works on.
grant select on tenant.tenants to tenant_system;

-- That of a table's owner, for migrations: it stays the role that it is.
create function tenant.enter_system_as_owner(reason text) returns void
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_system_as_owner';
comment on function tenant.enter_system_as_owner(text) is 'Lets the rest of the transaction work across tenants on the protected tables that the role owns, as that role. TN013 not allowed, TN014 a tenant entered, TN015 read-only, TN029 no reason.';
revoke all on function tenant.enter_system_as_owner(text) from public;
grant execute on function tenant.enter_system_as_owner(text) to tenant_user, tenant_admin, tenant_system;

-- As journal_system.
create function tenant.journal_system_as_owner(reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into tenant.journal (action, object, reason, detail, role, session_role)
        values ('enter_system', 'tenant_system', btrim(reason), '{"write": true, "as_owner": true}',
            case current_setting('role') when 'none' then session_user else current_setting('role') end, session_user);
end
$$;
revoke all on function tenant.journal_system_as_owner(text) from public;
