-- The tenant of a transaction: the way in, and the readers that policies call.

create function tenant.enter(id text) returns text
    language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter';
comment on function tenant.enter(text) is 'Makes this the tenant of the transaction. TN002 unknown, TN003 not active, TN004 malformed, TN005 another entered, TN006 bound to another.';
revoke all on function tenant.enter(text) from public;
grant execute on function tenant.enter(text) to tenant_user;

create function tenant.enter(id uuid) returns text language sql volatile strict parallel unsafe
    begin atomic select tenant.enter(id::text); end;
revoke all on function tenant.enter(uuid) from public;
grant execute on function tenant.enter(uuid) to tenant_user;

create function tenant.enter(id bigint) returns text language sql volatile strict parallel unsafe
    begin atomic select tenant.enter(id::text); end;
revoke all on function tenant.enter(bigint) from public;
grant execute on function tenant.enter(bigint) to tenant_user;

create function tenant.enter_pristine(id text) returns text
    language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_pristine';
comment on function tenant.enter_pristine(text) is 'As enter, for connection pools: refuses (TN008) a session that carries state from earlier transactions.';
revoke all on function tenant.enter_pristine(text) from public;
grant execute on function tenant.enter_pristine(text) to tenant_user;

-- Policies are TO PUBLIC, so the readers are as well: they tell a session only what it entered itself.
create function tenant.current_id() returns text
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_id';
comment on function tenant.current_id() is 'The id of the current tenant; null where there is none.';
create function tenant.current_uuid() returns uuid
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_uuid';
comment on function tenant.current_uuid() is 'The current tenant''s id where it is a uuid; else null.';
create function tenant.current_bigint() returns bigint
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_bigint';
comment on function tenant.current_bigint() is 'The current tenant''s id where it is a bigint; else null.';

create function tenant.version() returns text
    language c immutable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_version';
comment on function tenant.version() is 'The version of the library that the server has loaded.';
revoke all on function tenant.version() from public;
grant execute on function tenant.version() to tenant_user, tenant_admin;
