-- The registry, in the library.

create function tenant.canonical_id(id text) returns text
    language c immutable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_canonical_id';
comment on function tenant.canonical_id(text) is 'The id in its one canonical form; TN004 where the text is not a tenant id, or null.';
revoke all on function tenant.canonical_id(text) from public;
grant execute on function tenant.canonical_id(text) to tenant_user, tenant_admin;

-- At commit, invalidates what every backend and every hot standby has cached of this tenant, and notifies
-- tenant_registry. Anybody who may connect can listen to that channel, so the notification does not say what has
-- changed. ENABLE ALWAYS, since session_replication_role = replica and replication skip other triggers; at row level,
-- since replication fires no others. TRUNCATE invalidates by itself.
create function tenant_internal.registry_changed() returns trigger
    language c as 'MODULE_PATHNAME', 'pg_tenant_registry_changed';
revoke all on function tenant_internal.registry_changed() from public;
