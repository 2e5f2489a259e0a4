-- What the catalog says of a table's policies, and the commands that change them, in the library.

create function tenant_internal.fence_policy(rel regclass) returns oid
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_fence_policy';
comment on function tenant_internal.fence_policy(regclass) is 'The table''s tenant policy, recognised by what it does; null where it has none.';
revoke all on function tenant_internal.fence_policy(regclass) from public;
grant execute on function tenant_internal.fence_policy(regclass) to tenant_admin;

create function tenant_internal.fence_column(rel regclass) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_fence_column';
comment on function tenant_internal.fence_column(regclass) is 'The number of the table''s tenant column; null where it is not protected.';
revoke all on function tenant_internal.fence_column(regclass) from public;
grant execute on function tenant_internal.fence_column(regclass) to tenant_admin;

create function tenant_internal.former_column(policy oid) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_former_column';
comment on function tenant_internal.former_column(oid) is 'The number of the tenant column where the policy is one that pg_tenant 0.1.0 made, which the planner can take out of a plan; else null.';
revoke all on function tenant_internal.former_column(oid) from public;
grant execute on function tenant_internal.former_column(oid) to tenant_admin;

create function tenant_internal.has_shared_rows(rel regclass) returns boolean
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_has_shared_rows';
comment on function tenant_internal.has_shared_rows(regclass) is 'Whether rows without a tenant are every tenant''s to read; null where the table is not protected.';
revoke all on function tenant_internal.has_shared_rows(regclass) from public;
grant execute on function tenant_internal.has_shared_rows(regclass) to tenant_admin;

-- Which rows a policy lets through, whichever command it is for: the tenant's ('own'), those and rows without a tenant
-- ('shared'), the tenant's as 0.1.0 said it ('former'); null where it says anything else.
create function tenant_internal.policy_form(policy oid) returns text
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_policy_form';
revoke all on function tenant_internal.policy_form(oid) from public;
grant execute on function tenant_internal.policy_form(oid) to tenant_admin;

create function tenant.protect(rel regclass, tenant_column name default 'tenant_id', harden tenant.key_form default 'false',
    keep_old_keys boolean default false, shared_rows boolean default false) returns void
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_protect';
comment on function tenant.protect is 'Lets every statement on the table see and write the current tenant''s rows only; partitions and children included. With shared_rows every tenant reads the rows without a tenant too. Can be repeated. TN020 to TN027 say what is in the way; TN085 to TN087 what is in the way of harden => true.';
revoke all on function tenant.protect(regclass, name, tenant.key_form, boolean, boolean) from public;
grant execute on function tenant.protect(regclass, name, tenant.key_form, boolean, boolean) to tenant_admin;

create function tenant_internal.membership_through(rel regclass) returns regclass
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_membership_through';
comment on function tenant_internal.membership_through(regclass) is 'The join table through which the table is reached by membership; null where it is not.';
revoke all on function tenant_internal.membership_through(regclass) from public;
grant execute on function tenant_internal.membership_through(regclass) to tenant_admin;

create function tenant_internal.membership_key(rel regclass) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_membership_key';
comment on function tenant_internal.membership_key(regclass) is 'The number of the column by which the table is reached by membership.';
revoke all on function tenant_internal.membership_key(regclass) from public;
grant execute on function tenant_internal.membership_key(regclass) to tenant_admin;

create function tenant_internal.membership_member(rel regclass) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_membership_member';
comment on function tenant_internal.membership_member(regclass) is 'The number of the join table''s column that has the keys of the table.';
revoke all on function tenant_internal.membership_member(regclass) from public;
grant execute on function tenant_internal.membership_member(regclass) to tenant_admin;

create function tenant.protect_by_membership(rel regclass, through regclass, member_column name default null,
    key_column name default null, tenants_add_members boolean default false) returns void
    language c volatile as 'MODULE_PATHNAME', 'pg_tenant_protect_by_membership';
comment on function tenant.protect_by_membership is 'Lets a tenant see those rows of the table to which its part of the join table refers, and change none. Can be repeated. TN072 where a tenant would add members, TN074 where it would write; TN020 to TN028 say what is in the way.';
revoke all on function tenant.protect_by_membership(regclass, regclass, name, name, boolean) from public;
grant execute on function tenant.protect_by_membership(regclass, regclass, name, name, boolean) to tenant_admin;

create function tenant.unprotect(rel regclass, reason text) returns void
    language c volatile as 'MODULE_PATHNAME', 'pg_tenant_unprotect';
comment on function tenant.unprotect is 'Takes the protection away and records why. The index and the not-null constraint stay.';
revoke all on function tenant.unprotect(regclass, text) from public;
grant execute on function tenant.unprotect(regclass, text) to tenant_admin;
