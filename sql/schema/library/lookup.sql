-- Lookups, in the library.

-- Counts a lookup, and refuses it inside a tenant (TN110) or above the limit (TN058). Returns the details for the
-- journal as JSON, or null where no line is due.
create function tenant_internal.count_lookup(rel regclass, key_number smallint) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_count_lookup';
revoke all on function tenant_internal.count_lookup(regclass, smallint) from public;

-- Runs the statement as the owner of the table, past its policies, with the value as $1, in our own search path.
create function tenant_internal.run_lookup(rel regclass, statement text, value text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_lookup';
revoke all on function tenant_internal.run_lookup(regclass, text, text) from public;
