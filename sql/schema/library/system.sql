-- The system context, in the library.

create function tenant.enter_system(reason text, write boolean default false) returns void
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_system';
comment on function tenant.enter_system(text, boolean) is 'Lets the rest of the transaction work across tenants, as the role tenant_system. TN013 not allowed, TN014 a tenant entered, TN015 read-only, TN029 no reason.';
revoke all on function tenant.enter_system(text, boolean) from public;
grant execute on function tenant.enter_system(text, boolean) to tenant_user, tenant_system, tenant_reader;

create function tenant.enter_system_pristine(reason text, write boolean default false) returns void
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_system_pristine';
comment on function tenant.enter_system_pristine(text, boolean) is 'As enter_system, for connection pools: refuses (TN008) a session that carries state from earlier transactions.';
revoke all on function tenant.enter_system_pristine(text, boolean) from public;
grant execute on function tenant.enter_system_pristine(text, boolean) to tenant_user, tenant_system, tenant_reader;

-- Everybody may call it: it tells a session only what the session itself has entered.
create function tenant.in_system_context() returns boolean
    language c stable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_in_system_context';
comment on function tenant.in_system_context() is 'Whether statements have the rights of the system context at this moment.';

-- The system context of a table's owner, for migrations: the role does not change.
create function tenant.enter_system_as_owner(reason text) returns void
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_system_as_owner';
comment on function tenant.enter_system_as_owner(text) is 'Lets the rest of the transaction work across tenants on the protected tables that the role owns, as that role. TN013 not allowed, TN014 a tenant entered, TN015 read-only, TN029 no reason.';
revoke all on function tenant.enter_system_as_owner(text) from public;
grant execute on function tenant.enter_system_as_owner(text) to tenant_user, tenant_admin, tenant_system;
