-- What the doctor asks the library.

create function tenant_internal.doctor_is_equality(policy oid) returns boolean
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_is_equality';
revoke all on function tenant_internal.doctor_is_equality(oid) from public;

-- Why no token can be verified by a session that begins now, and who else could put other keys in the place of ours; null
-- where nothing is wrong. They say what the server's user sees of the file, never what is in it.
create function tenant_internal.doctor_keys_missing() returns text
    language c stable as 'MODULE_PATHNAME', 'pg_tenant_keys_missing';
revoke all on function tenant_internal.doctor_keys_missing() from public;
create function tenant_internal.doctor_keys_replaceable() returns text
    language c stable as 'MODULE_PATHNAME', 'pg_tenant_keys_replaceable';
revoke all on function tenant_internal.doctor_keys_replaceable() from public;
