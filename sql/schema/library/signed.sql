-- Signed entry: the tenant, the actor and the role of the transaction are what a token says that a known key signed.

create function tenant.enter_signed(token text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_signed';
comment on function tenant.enter_signed(text) is 'Makes the tenant that the token (a JWT) names that of the transaction, with its actor and role. Pass the token as a parameter.';
revoke all on function tenant.enter_signed(text) from public;
grant execute on function tenant.enter_signed(text) to tenant_user;

create function tenant.enter_signed_pristine(token text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_signed_pristine';
comment on function tenant.enter_signed_pristine(text) is 'As enter_signed, for connection pools: refuses (TN008) a session that carries state from earlier transactions.';
revoke all on function tenant.enter_signed_pristine(text) from public;
grant execute on function tenant.enter_signed_pristine(text) to tenant_user;

-- Policies may call these, so everybody may: they tell a session only what its own token said.
create function tenant.current_actor() returns text
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_actor';
comment on function tenant.current_actor() is 'On whose behalf the transaction runs, as its token says; null where none was entered with.';
create function tenant.current_actor_role() returns text
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_actor_role';
comment on function tenant.current_actor_role() is 'In which role of the application the actor acts, as its token says; null where none was entered with.';
-- The name that 0.1.0 had, which can be mistaken for SQL's current_role.
create function tenant.current_role() returns text
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_role';
comment on function tenant.current_role() is 'Deprecated: the former name of tenant.current_actor_role().';
