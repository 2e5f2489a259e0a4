-- What stands for what the guards refuse, in the library.

-- The server's lock table is everybody's: a transaction has as many of these locks as pg_tenant.max_advisory_locks says,
-- and those that a savepoint has given back count as well. Refuses (TN055) one more.
create function tenant_internal.count_lock(key bigint) returns bigint
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_count_lock';
revoke all on function tenant_internal.count_lock(bigint) from public;

-- Asked by each scan of pg_statistic, pg_statistic_ext_data, pg_db_role_setting and pg_largeobject_metadata, for its row.
create function tenant_internal.is_shown(catalog oid, key oid) returns boolean
    language c stable strict parallel safe as 'MODULE_PATHNAME', 'pg_tenant_is_shown';
comment on function tenant_internal.is_shown(oid, oid) is 'Whether this row of a catalog is shown, or tells of other tenants.';
-- To PUBLIC, as policies are: who may read a catalog may ask.
grant execute on function tenant_internal.is_shown(oid, oid) to public;

-- In plans, in the place of a function that tells of other tenants. No SQL calls them: nothing has the type internal.
create function tenant_internal.hidden(original internal, argument anyelement) returns anyelement
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_hidden';
comment on function tenant_internal.hidden(internal, anyelement) is 'Calls a function, or says nothing where that would tell of other tenants.';
create function tenant_internal.hidden_set(original internal, argument anyelement) returns setof anyelement
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_hidden_set';
comment on function tenant_internal.hidden_set(internal, anyelement) is 'Calls a function that returns a set, or shows what is the session''s own.';
-- To PUBLIC, as what they stand for: the right on that is asked when they run.
grant execute on function tenant_internal.hidden(internal, anyelement), tenant_internal.hidden_set(internal, anyelement) to public;

-- Asked in the plan of INSERT ... ON CONFLICT DO UPDATE ... WHERE, before that WHERE.
create function tenant_internal.own_row(is_own boolean) returns boolean
    language c stable parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_own_row';
comment on function tenant_internal.own_row(boolean) is 'Refuses (TN068) a row that is not the current tenant''s.';
-- To PUBLIC, as policies are: it tells nobody anything.
grant execute on function tenant_internal.own_row(boolean) to public;
