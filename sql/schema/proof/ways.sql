-- The same by other ways: prepared, through functions and views, by COPY, by writing.

-- A statement that was planned with no tenant by a role to whom policies do not apply, and is run by the role in the
-- tenant.
create function tenant_internal.attack_prepared(as_role name, tenant_id text, statement text) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    got text;
    strict_mode constant text := current_setting('pg_tenant.strict');
begin
    execute 'prepare tenant_prove as ' || statement;
    -- Planned as a role to whom policies do not apply; with strict mode on it would be refused before there is a plan.
    perform set_config('pg_tenant.strict', 'off', true);
    perform tenant_internal.run_as((select oid from pg_roles where rolname = tenant_internal.bypassing()), 'explain execute tenant_prove');
    perform set_config('pg_tenant.strict', strict_mode, true);
    got := tenant_internal.attack(as_role, tenant_id, 'execute tenant_prove', true);
    execute 'deallocate tenant_prove';
    return got;
exception when others then
    if exists (select from pg_prepared_statements where name = 'tenant_prove') then
        execute 'deallocate tenant_prove';
    end if;
    return sqlstate;
end
$$;
revoke all on function tenant_internal.attack_prepared(name, text, text) from public;

-- As attack, through a function or a view of the table's owner, or of a role to whom policies do not apply, made for
-- it.
create function tenant_internal.attack_through(as_role name, tenant_id text, rel regclass, mine boolean, what text, rights text, statement text)
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    schema regnamespace := (select relnamespace from pg_class where oid = rel);
    name text := format('%s.tenant_prove_through', schema);
    got text;
begin
    perform set_config('client_min_messages', 'error', true);
    execute case what
        when 'view' then format('create view %s %s as %s', name, rights, replace(statement, 'count(*)', 'count(*) as n'))
        else format('create function %s() returns bigint language sql volatile %s as %L', name, rights, statement) end;
    execute format('alter %s %s owner to %s', what, name, case when mine then quote_ident(tenant_internal.bypassing())
        else (select relowner::regrole::text from pg_class where oid = rel) end);
    execute case what when 'view' then format('grant select on %s to %I', name, as_role) else format('grant execute on function %s() to %I', name, as_role) end;
    got := tenant_internal.attack(as_role, tenant_id, case what when 'view' then format('select n from %s', name) else format('select %s()', name) end, true);
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return got;
    when others then return sqlstate;
end
$$;
revoke all on function tenant_internal.attack_through(name, text, regclass, boolean, text, text, text) from public;

-- As attack, by COPY with a file of the server, the only COPY that a function can run. It needs a right that the
-- application should not have, and the guards would refuse it inside a tenant: both are lifted, to try the policy
-- behind them.
create function tenant_internal.attack_copy(as_role name, tenant_id text, statement text) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    got text;
begin
    execute format('grant pg_read_server_files, pg_write_server_files to %I', as_role);
    perform set_config('pg_tenant.guards', 'off', true);
    got := tenant_internal.attack(as_role, tenant_id, statement, false);
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return got;
    when others then return sqlstate;
end
$$;
revoke all on function tenant_internal.attack_copy(name, text, text) from public;

-- The views that read the table, directly or through other views.
create function tenant_internal.views_over(rel regclass) returns setof regclass
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive over (relation) as (
        select rel::oid
        union
        select r.ev_class from over
            cross join lateral (
                select objid from pg_depend
                where refclassid = 'pg_class'::regclass and refobjid = over.relation and classid = 'pg_rewrite'::regclass offset 0
            ) d
            cross join lateral (select ev_class from pg_rewrite where oid = d.objid offset 0) r
    )
    select c.oid::regclass from over
        cross join lateral (select oid, relkind, relnamespace from pg_class where oid = over.relation offset 0) c
        where c.relkind = 'v' and c.oid <> rel and c.relnamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace) order by c.oid::regclass::text
$$;
revoke all on function tenant_internal.views_over(regclass) from public;

-- A digest of all that the role sees in the view; where root is given, after the other tenant's rows were deleted from
-- it.
create function tenant_internal.attack_view(as_role name, tenant_id text, view regclass, root regclass, tenant_column name, other text)
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    got text;
begin
    if root is not null then
        perform set_config('session_replication_role', 'replica', true);
        perform tenant_internal.run_past_policies(root, format('delete from %s where %I::text = %L', root, tenant_column, other));
    end if;
    got := tenant_internal.attack(as_role, tenant_id, format(
        'select md5(string_agg(to_jsonb(v)::text, '','' order by to_jsonb(v)::text)) from %s v', view), true);
    raise exception using errcode = 'TN089';
exception when sqlstate 'TN089' then return got;
end
$$;
revoke all on function tenant_internal.attack_view(name, text, regclass, regclass, name, text) from public;

-- The paths on which the proof of the table fails, or is refused for its broken protection, once it is weakened; null
-- where nothing shows.
create function tenant_internal.prove_mutation(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb, commands text[])
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    fence record;
    command text;
    noticed text;
begin
    perform set_config('pg_tenant.guards', 'off', true);
    select polname, pg_get_expr(polqual, polrelid) as condition into fence from pg_policy where oid = tenant_internal.fence_policy(rel);
    foreach command in array commands loop
        -- The fourth argument is the condition without the call that the planner cannot drop.
        perform tenant_internal.run_as_owner(rel, format(command, rel, fence.polname, fence.condition,
            regexp_replace(fence.condition, ' AND tenant\.is_current(_or_shared)?\(.*$', ')')));
    end loop;
    select string_agg(p.path || ' ' || p.got, ', ') into noticed
        from tenant_internal.prove_table(rel, as_role, a, b, mine, theirs) p where p.passed is false or p.got = 'TN012';
    raise exception using errcode = 'TN089';
exception when sqlstate 'TN089' then return noticed;
end
$$;
revoke all on function tenant_internal.prove_mutation(regclass, name, text, text, jsonb, jsonb, text[]) from public;
