-- Functions of the library that run a statement as another role, or without a check.

-- Refuses a text with control characters (TN100), which could forge a line of the journal or the log.
create function tenant_internal.require_plain(what text, given text) returns boolean
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'pg_tenant_require_plain';
revoke all on function tenant_internal.require_plain(text, text) from public;
grant execute on function tenant_internal.require_plain(text, text) to tenant_admin;

-- Runs a command on the table as the table's owner, if the caller may SET ROLE to it, with the search path of the
-- session that called tenant.protect(). Returns the first column of the first row, or the number of rows. The command
-- must qualify its names.
create function tenant_internal.run_as_owner(rel regclass, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_as_owner';
revoke all on function tenant_internal.run_as_owner(regclass, text) from public;
grant execute on function tenant_internal.run_as_owner(regclass, text) to tenant_admin;

-- As tenant_internal.run_as_owner, so that a foreign key is validated in one query over all tenants' rows, and not row
-- by row under a lock on each row that is referred to. Within tenant.protect only.
create function tenant_internal.run_validation(rel regclass, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_validation';
revoke all on function tenant_internal.run_validation(regclass, text) from public;
grant execute on function tenant_internal.run_validation(regclass, text) to tenant_admin;

create function tenant_internal.run_past_policies(rel regclass, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_past_policies';
revoke all on function tenant_internal.run_past_policies(regclass, text) from public;

create function tenant_internal.run_as(role oid, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_as';
revoke all on function tenant_internal.run_as(oid, text) from public;
