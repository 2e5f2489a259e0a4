-- People, in the library: entering a tenant on behalf of an actor, and what the actor may do in it.

create function tenant.enter(id text, actor text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_for';
comment on function tenant.enter(text, text) is 'As enter(id), on behalf of the actor: with the role that the actor has as a member, if it is one. TN099 entered for another, TN140 no member where that is required, TN141 malformed actor.';
revoke all on function tenant.enter(text, text) from public;
grant execute on function tenant.enter(text, text) to tenant_user;

create function tenant.enter_pristine(id text, actor text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_pristine_for';
comment on function tenant.enter_pristine(text, text) is 'As enter(id, actor), for connection pools: refuses (TN008) a session that carries state from earlier transactions.';
revoke all on function tenant.enter_pristine(text, text) from public;
grant execute on function tenant.enter_pristine(text, text) to tenant_user;

-- Policies are TO PUBLIC, so these are as well: they tell a session only as what it has entered. LEAKPROOF, since a
-- name is refused only where it is a constant or a parameter, and no value of a row.
create function tenant.can(permission text) returns boolean
    language c stable strict parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_can';
comment on function tenant.can(text) is 'Whether the actor, as a member of the tenant, has the permission; false with no actor, no tenant and in the system context. TN145 where there is no such permission.';
create function tenant.has_role(role text) returns boolean
    language c stable strict parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_has_role';
comment on function tenant.has_role(text) is 'Whether the actor is a member in this role, or in one of at least its rank; false with no actor, no tenant and in the system context. TN146 where there is no such role.';
create function tenant.current_member_role() returns text
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_member_role';
comment on function tenant.current_member_role() is 'The role in which the actor is a member of the tenant; null where it is none.';

-- Not LEAKPROOF: it says which permission is missing.
create function tenant.require(permission text) returns boolean
    language c stable strict parallel safe as 'MODULE_PATHNAME', 'pg_tenant_require';
comment on function tenant.require(text) is 'True where tenant.can() is, and else an error. TN142 where the actor has not got the permission, TN145 where there is no such.';
