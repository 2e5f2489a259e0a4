-- Protecting a schema: in one transaction, or a table in each.

create function tenant.protect_schema(schema regnamespace, tenant_column name default 'tenant_id',
    harden tenant.key_form default 'false', columns jsonb default null, dry_run boolean default false,
    stop_on_error boolean default false, keep_old_keys boolean default false, shared_rows text[] default null)
    returns table (relation regclass, result text, sqlstate text, hint text, statements text[])
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    all_tables regclass[];
    results text[];
    states text[];
    hints text[];
    hardened record;
begin
    perform tenant_internal.require_columns(schema, columns);
    perform tenant_internal.require_tables(schema, shared_rows);
    if not dry_run then
        perform tenant_internal.forget_dropped();
    end if;
    all_tables := array(select tenant_internal.tables_of(schema));
    for i in 1 .. cardinality(all_tables) loop
        select * into result, sqlstate, hint, statements
            from tenant_internal.protect_listed(all_tables[i], tenant_column, columns, dry_run, stop_on_error, shared_rows);
        if dry_run then
            relation := all_tables[i];
            return next;
        end if;
        results[i] := result;
        states[i] := sqlstate;
        hints[i] := hint;
    end loop;
    if dry_run then
        return;
    end if;
    -- Hardening starts when all are protected: a foreign key of an unprotected table keeps the key that it refers to as
    -- it is.
    if harden <> 'false' then
        for i in 1 .. cardinality(all_tables) loop
            if results[i] like 'protected%' then
                select * into hardened from tenant_internal.harden_listed(all_tables[i], tenant_column, harden, keep_old_keys, columns, stop_on_error);
                if hardened.sqlstate is not null then
                    results[i] := hardened.result;
                    states[i] := hardened.sqlstate;
                    hints[i] := hardened.hint;
                end if;
            end if;
        end loop;
    end if;
    perform tenant_internal.warn_of_left(schema, (select count(*) from unnest(states) state where state is not null));
    return query select u.*, null::text[] from unnest(all_tables, results, states, hints) u;
end
$$;
comment on function tenant.protect_schema is 'Protects every table of the schema that has the tenant column, and says what became of each. It goes on past a table that cannot be protected, unless stop_on_error; dry_run changes nothing and says what would be done. Of the tables in shared_rows, rows without a tenant are every tenant''s to read.';
revoke all on function tenant.protect_schema(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) from public;
grant execute on function tenant.protect_schema(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) to tenant_admin;

-- One table of protect_schema_stepwise; null where another session holds it for longer than lock_timeout.
create function tenant_internal.protect_step(rel regclass, tenant_column name, harden tenant.key_form, keep_old_keys boolean,
    columns jsonb, dry_run boolean, stop_on_error boolean, last_try boolean, shared_rows text[], out result text, out failed boolean)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    done record;
begin
    failed := false;
    if not exists (select from pg_class where oid = rel) then
        result := 'dropped meanwhile';
        return;
    end if;
    select * into done from tenant_internal.protect_listed(rel, tenant_column, columns, dry_run, stop_on_error, shared_rows);
    if harden <> 'false' and done.result like 'protected%' then
        select coalesce(h.result, 'hardened') as result, h.sqlstate, h.hint, null::text[] as statements into done
            from tenant_internal.harden_listed(rel, tenant_column, harden, keep_old_keys, columns, stop_on_error) h;
    end if;
    if done.sqlstate = '55P03' and not last_try then
        return;
    end if;
    failed := done.sqlstate is not null;
    result := done.result || coalesce(' (' || done.sqlstate || ')', '')
        || coalesce(E':\n' || nullif(array_to_string(done.statements, E';\n'), '') || ';', '');
exception when lock_not_available then
    if last_try then
        raise;
    end if;
end
$$;
revoke all on function tenant_internal.protect_step(regclass, name, tenant.key_form, boolean, jsonb, boolean, boolean, boolean, text[]) from public;
grant execute on function tenant_internal.protect_step(regclass, name, tenant.key_form, boolean, jsonb, boolean, boolean, boolean, text[]) to tenant_admin;

-- A procedure that commits cannot have a search_path of its own: its names are qualified, and it uses no operator but
-- by its schema, so that it calls nothing of the caller's.
create procedure tenant.protect_schema_stepwise(schema regnamespace, tenant_column name default 'tenant_id',
    harden tenant.key_form default 'false', columns jsonb default null, dry_run boolean default false,
    stop_on_error boolean default false, keep_old_keys boolean default false, shared_rows text[] default null)
    language plpgsql as $$
declare
    hardens pg_catalog.bool;
    rel pg_catalog.regclass;
    said pg_catalog.text;
    failed pg_catalog.bool;
    failures pg_catalog.int8 := 0;
    left_over pg_catalog.regclass[];
    waiting pg_catalog.regclass[];
begin
    perform tenant_internal.require_columns(schema, columns);
    perform tenant_internal.require_tables(schema, shared_rows);
    if not dry_run then
        perform tenant_internal.forget_dropped();
    end if;
    commit;
    foreach hardens in array array[false, true] loop
        exit when hardens and (dry_run or harden operator(pg_catalog.=) 'false');
        left_over := array(select tenant_internal.tables_of(schema));
        for round in 1 .. 10 loop
            waiting := '{}';
            foreach rel in array left_over loop
                select s.result, s.failed into said, failed from tenant_internal.protect_step(rel, tenant_column,
                    case when hardens then harden else 'false' end, keep_old_keys, columns, dry_run,
                    stop_on_error, round operator(pg_catalog.=) 10, shared_rows) s;
                commit;
                if said is null then
                    waiting := pg_catalog.array_append(waiting, rel);
                else
                    raise notice '%: %', rel, said;
                    -- A table that cannot be protected appears in both rounds, and is counted once.
                    if failed and (not hardens or said operator(pg_catalog.~~) 'protected%') then
                        failures := failures operator(pg_catalog.+) 1;
                    end if;
                end if;
            end loop;
            left_over := waiting;
            exit when pg_catalog.cardinality(left_over) operator(pg_catalog.=) 0;
            raise notice '% tables are locked by others, and are tried again', pg_catalog.cardinality(left_over);
            perform pg_catalog.pg_sleep(1);
            commit;
        end loop;
    end loop;
    perform tenant_internal.warn_of_left(schema, failures);
end
$$;
comment on procedure tenant.protect_schema_stepwise is 'As protect_schema, each table in a transaction of its own: no lock is held for longer than one table takes.';
revoke all on procedure tenant.protect_schema_stepwise(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) from public;
grant execute on procedure tenant.protect_schema_stepwise(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) to tenant_admin;
