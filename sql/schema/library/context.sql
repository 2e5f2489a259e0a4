-- The tenant of a transaction, in the library: the way in, and the readers that policies and defaults call.

create function tenant.enter(id text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter';
comment on function tenant.enter(text) is 'Makes this the tenant of the transaction. TN002 unknown, TN003 not active, TN004 malformed or null, TN005 another entered, TN006 bound to another.';
revoke all on function tenant.enter(text) from public;
grant execute on function tenant.enter(text) to tenant_user;

create function tenant.enter_pristine(id text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_pristine';
comment on function tenant.enter_pristine(text) is 'As enter, for connection pools: refuses (TN008) a session that carries state from earlier transactions.';
revoke all on function tenant.enter_pristine(text) from public;
grant execute on function tenant.enter_pristine(text) to tenant_user;

-- Policies are TO PUBLIC, so the readers and the fence are as well: they tell a session only what it entered itself.
create function tenant.current_id() returns text
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_id';
comment on function tenant.current_id() is 'The id of the current tenant; null where there is none.';
create function tenant.current_uuid() returns uuid
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_uuid';
comment on function tenant.current_uuid() is 'The current tenant''s id where it is a uuid; else null.';
create function tenant.current_bigint() returns bigint
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_bigint';
comment on function tenant.current_bigint() is 'The current tenant''s id where it is a bigint; else null.';

-- The fence of a policy, beside the equality. PostgreSQL may take an equality out of a plan, where the statement has
-- another one on the same column; it never takes out a call with the column.
create function tenant_internal.is_current_support(internal) returns internal
    language c strict as 'MODULE_PATHNAME', 'pg_tenant_is_current_support';
revoke all on function tenant_internal.is_current_support(internal) from public;
create function tenant.is_current(tenant uuid) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_uuid';
comment on function tenant.is_current(uuid) is 'Whether this is the current tenant; false where there is none.';
create function tenant.is_current(tenant bigint) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_bigint';
comment on function tenant.is_current(bigint) is 'Whether this is the current tenant; false where there is none.';
create function tenant.is_current(tenant integer) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_integer';
comment on function tenant.is_current(integer) is 'Whether this is the current tenant; false where there is none.';
create function tenant.is_current(tenant smallint) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_smallint';
comment on function tenant.is_current(smallint) is 'Whether this is the current tenant; false where there is none.';
create function tenant.is_current(tenant text) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_text';
comment on function tenant.is_current(text) is 'Whether this is the current tenant; false where there is none.';

-- The same where rows of nobody are everybody's to read.
create function tenant.is_current_or_shared(tenant uuid) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_uuid';
comment on function tenant.is_current_or_shared(uuid) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';
create function tenant.is_current_or_shared(tenant bigint) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_bigint';
comment on function tenant.is_current_or_shared(bigint) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';
create function tenant.is_current_or_shared(tenant integer) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_integer';
comment on function tenant.is_current_or_shared(integer) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';
create function tenant.is_current_or_shared(tenant smallint) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_smallint';
comment on function tenant.is_current_or_shared(smallint) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';
create function tenant.is_current_or_shared(tenant text) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_text';
comment on function tenant.is_current_or_shared(text) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';

-- The fence of a table whose rows belong to several tenants: it is asked whether the row's key is in the current
-- tenant's part of a join table, tenant.is_member(id in (select m.user_id from members m)).
create function tenant.is_member(found boolean) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_member';
comment on function tenant.is_member(boolean) is 'Its argument while a tenant is entered; false where there is none. For the policies that tenant.protect_by_membership makes.';

create function tenant.left_nothing() returns boolean
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_left_nothing';
comment on function tenant.left_nothing() is 'Whether the session''s last transaction was rolled back and had written nothing, and it and this one see each commit (read committed).';
revoke all on function tenant.left_nothing() from public;
grant execute on function tenant.left_nothing() to tenant_user;

create function tenant.version() returns text
    language c immutable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_version';
comment on function tenant.version() is 'The version of the library that the server has loaded.';
revoke all on function tenant.version() from public;
grant execute on function tenant.version() to tenant_user, tenant_admin, tenant_reader, tenant_worker, tenant_billing;
