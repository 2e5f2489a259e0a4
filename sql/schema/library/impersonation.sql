-- Impersonation, in the library: entering a tenant by a grant.

-- A parameter cannot be called grant. In the system context the function itself refuses (TN014).
create function tenant.enter_as(id uuid) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_as';
comment on function tenant.enter_as(uuid) is 'Makes the tenant of this impersonation the transaction''s, in the place of its user, and gives its id. TN158 not allowed, TN159 ended; read-only unless it is for writing.';
revoke all on function tenant.enter_as(uuid) from public;
grant execute on function tenant.enter_as(uuid) to tenant_support, tenant_system;

create function tenant.enter_as_pristine(id uuid) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_as_pristine';
comment on function tenant.enter_as_pristine(uuid) is 'As enter_as, for connection pools: refuses (TN008) a session that carries state from earlier transactions.';
revoke all on function tenant.enter_as_pristine(uuid) from public;
grant execute on function tenant.enter_as_pristine(uuid) to tenant_support, tenant_system;

-- As current_actor(): it tells a session only what it has entered as.
create function tenant.current_impersonator() returns text
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_impersonator';
comment on function tenant.current_impersonator() is 'Who works in the tenant by an impersonation, in the place of tenant.current_actor(); null where nobody does.';
