-- Lines of the journal that the library writes.

-- What tenant_internal.journal_origin says, read once in a session.
create function tenant_internal.journal_origin() returns bigint
    language c stable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_journal_origin';
revoke all on function tenant_internal.journal_origin() from public;
grant execute on function tenant_internal.journal_origin() to tenant_admin;

-- Writes the line that a tenant was created, in C and without running a statement. Where the journal has triggers,
-- rules or policies, or the transaction has entered a tenant, it calls the function below instead.
create function tenant_internal.journal_creation() returns trigger
    language c as 'MODULE_PATHNAME', 'pg_tenant_journal_created';
revoke all on function tenant_internal.journal_creation() from public;
create function tenant_internal.journal_created(object text, reason text) returns void
    language sql set search_path = pg_catalog, pg_temp as $$
    insert into tenant.journal (action, object, reason) values ('create', object, reason)
$$;
revoke all on function tenant_internal.journal_created(text, text) from public;
