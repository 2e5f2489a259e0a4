-- Attacks of tenant.prove() on how the planner treats a policy: it drops an equality that a condition of the statement
-- implies, and evaluates conditions without columns before the others.

-- As tenant_internal.attack, for a statement whose conditions call what is made for it (proof/scope.sql):
-- tenant_prove_says() and tenant_prove_slow() are declared stable and return the tenant that a setting names;
-- tenant_prove_tick() is declared to cost nothing, counts its calls, and makes the setting name the other tenant.
-- Indexes are not used, since a scan by the tenant column would not visit the other tenant's rows. sees: whether to
-- return the number of 'rows' or of 'calls'.
create function tenant_internal.attack_planned(as_role name, a text, b text, rel regclass, statement text, sees text) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reached text;
begin
    perform set_config('client_min_messages', 'error', true);
    perform set_config('enable_' || way, 'off', true)
        from unnest(array['indexscan', 'indexonlyscan', 'bitmapscan']) way;
    perform set_config('tenant_prove.own', a, true), set_config('tenant_prove.other', b, true),
        set_config('tenant_prove.is', a, true), set_config('tenant_prove.calls', '0', true);
    perform set_config('session_replication_role', 'replica', true);
    reached := tenant_internal.run_as((select oid from pg_roles where rolname = as_role), tenant_internal.entry_of_proof(a) || statement
        || case when sees = 'calls' then '; select pg_catalog.current_setting(''tenant_prove.calls'')' else '' end);
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return coalesce(reached, 'null') || ' rows';
    when others then return sqlstate;
end
$$;
revoke all on function tenant_internal.attack_planned(name, text, text, regclass, text, text) from public;

-- What the planner could be made to let through of this table: paths as in tenant_internal.prove_table.
create function tenant_internal.prove_plans(rel regclass, tenant_column name, as_role name, a text, b text)
    returns table (path text, expected text, got text)
    language sql set search_path = pg_catalog, pg_temp as $$
    -- The tenant may read rows without a tenant, where they are shared.
    select t.path, case when t.sees = 'calls' and tenant_internal.has_shared_rows(rel) then 'at most its own' else t.expected end, tenant_internal.attack_planned(as_role, a, b, rel, format(t.statement, rel, own.name, own.type, own.schema, a, b), t.sees)
    from (select quote_ident(tenant_column) as name, format_type(atttypid, atttypmod) as type, quote_ident(tenant_internal.proof_schema()) as schema
            from pg_attribute where attrelid = rel and attname = tenant_column) own,
        (values
            ('select by a setting that changes', 'nothing', 'rows', 'select count(*) filter (where %2$s::text = %6$L) from %1$s
                where %2$s = current_setting(''tenant_prove.is'')::%3$s and set_config(''tenant_prove.is'', %6$L, true) is not null'),
            ('select by a function that lies', 'nothing', 'rows', 'select count(*) filter (where %2$s::text = %6$L) from %1$s
                where %2$s = %4$s.tenant_prove_says()::%3$s and %4$s.tenant_prove_tick()'),
            ('delete by a setting that changes', 'nothing', 'rows', 'delete from %1$s
                where %2$s = current_setting(''tenant_prove.is'')::%3$s and set_config(''tenant_prove.is'', %6$L, true) is not null'),
            ('update by a setting that changes', 'nothing', 'rows', 'update %1$s set %2$s = %5$L
                where %2$s = current_setting(''tenant_prove.is'')::%3$s and set_config(''tenant_prove.is'', %6$L, true) is not null'),
            ('calls beside its own id', 'at most its own', 'calls', 'select from %1$s where %2$s = %5$L and %4$s.tenant_prove_tick()'),
            ('calls beside the other''s id', 'nothing', 'calls', 'select from %1$s where %2$s = %6$L and %4$s.tenant_prove_tick()'),
            ('calls before a slow condition', 'at most its own', 'calls', 'select from %1$s
                where %2$s = %4$s.tenant_prove_slow()::%3$s and %4$s.tenant_prove_tick()'),
            ('calls of a blind merge', 'at most its own', 'calls', 'merge into %1$s using (values (1)) one (row)
                on %4$s.tenant_prove_tick() when not matched and one.row = 2 then insert default values')
        ) t (path, expected, sees, statement)
$$;
revoke all on function tenant_internal.prove_plans(regclass, name, name, text, text) from public;
