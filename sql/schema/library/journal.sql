-- Lines of the journal that the library writes.

-- That a tenant was created: for each row, by C code, which writes the line without a statement. Where the journal has
-- triggers or the like, the code calls the function below.
create function tenant_internal.journal_creation() returns trigger
    language c as 'MODULE_PATHNAME', 'pg_tenant_journal_created';
revoke all on function tenant_internal.journal_creation() from public;
create function tenant_internal.journal_created(object text, reason text) returns void
    language sql set search_path = pg_catalog, pg_temp as $$
    insert into tenant.journal (action, object, reason) values ('create', object, reason)
$$;
revoke all on function tenant_internal.journal_created(text, text) from public;
