-- What the doctor asks the library.

create function tenant_internal.doctor_is_equality(policy oid) returns boolean
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_is_equality';
revoke all on function tenant_internal.doctor_is_equality(oid) from public;

-- Why a session that begins now could verify no token, and who else could replace the key file; null where nothing is
-- wrong. They report what the server's operating-system user can see of the file, never its contents.
create function tenant_internal.doctor_keys_missing() returns text
    language c stable as 'MODULE_PATHNAME', 'pg_tenant_keys_missing';
revoke all on function tenant_internal.doctor_keys_missing() from public;
create function tenant_internal.doctor_keys_replaceable() returns text
    language c stable as 'MODULE_PATHNAME', 'pg_tenant_keys_replaceable';
revoke all on function tenant_internal.doctor_keys_replaceable() from public;
