-- Functions of the library that the guards use, or offer in place of what they refuse.

-- All tenants share the server's lock table, so a transaction may take at most pg_tenant.max_advisory_locks locks;
-- those that a rollback to a savepoint has released still count. Refuses one more (TN055).
create function tenant_internal.count_lock(key bigint) returns bigint
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_count_lock';
revoke all on function tenant_internal.count_lock(bigint) from public;

-- Asked by each scan of pg_statistic, pg_statistic_ext_data, pg_db_role_setting and pg_largeobject_metadata, for its
-- row.
create function tenant_internal.is_shown(catalog oid, key oid) returns boolean
    language c stable strict parallel safe as 'MODULE_PATHNAME', 'pg_tenant_is_shown';
comment on function tenant_internal.is_shown(oid, oid) is 'Whether this row of a catalog is shown, or tells of other tenants.';
-- Granted to PUBLIC, since it runs in scans of catalogs that everybody may read.
grant execute on function tenant_internal.is_shown(oid, oid) to public;

-- Plans call these in the place of a function that would tell of other tenants. SQL cannot call them: there are no
-- values of type internal.
create function tenant_internal.hidden(original internal, argument anyelement) returns anyelement
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_hidden';
comment on function tenant_internal.hidden(internal, anyelement) is 'Calls the function, or returns null where its result would tell of other tenants.';
create function tenant_internal.hidden_set(original internal, argument anyelement) returns setof anyelement
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_hidden_set';
comment on function tenant_internal.hidden_set(internal, anyelement) is 'Calls a function that returns a set, or returns only the session''s own rows, or none.';
-- Granted to PUBLIC: when they run they check the right to execute the original function.
grant execute on function tenant_internal.hidden(internal, anyelement), tenant_internal.hidden_set(internal, anyelement) to public;

-- Asked in the plan of INSERT ... ON CONFLICT DO UPDATE ... WHERE, before that WHERE.
create function tenant_internal.own_row(is_own boolean) returns boolean
    language c stable parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_own_row';
comment on function tenant_internal.own_row(boolean) is 'Refuses (TN068) a row that is not the current tenant''s.';
-- To PUBLIC, as policies are: it tells nobody anything.
grant execute on function tenant_internal.own_row(boolean) to public;
