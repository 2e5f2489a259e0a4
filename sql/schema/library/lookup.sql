-- Lookups, in the library.

-- Counts a lookup; refuses one inside a tenant (TN110) and one too many (TN058). Gives what the journal is to say, as JSON.
create function tenant_internal.count_lookup(rel regclass, key_number smallint) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_count_lookup';
revoke all on function tenant_internal.count_lookup(regclass, smallint) from public;

-- Runs the statement as the owner of the table, past its policies, with the value as $1, in our own search path.
create function tenant_internal.run_lookup(rel regclass, statement text, value text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_lookup';
revoke all on function tenant_internal.run_lookup(regclass, text, text) from public;
