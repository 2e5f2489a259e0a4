-- Protecting the tables of a schema one by one, or finding out what would happen.

-- The tables that stand by themselves: not partitions and children, nor what an extension brought.
create function tenant_internal.tables_of(schema regnamespace) returns setof regclass
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select c.oid::regclass from pg_class c
    where c.relnamespace = schema and c.relkind in ('r', 'p') and c.relpersistence <> 't'
        and not exists (select from pg_inherits where inhrelid = c.oid)
        and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by c.relname
$$;
revoke all on function tenant_internal.tables_of(regnamespace) from public;
grant execute on function tenant_internal.tables_of(regnamespace) to tenant_admin;

-- Whether an error is about the transaction or the server rather than about the table: it ends the whole call.
create function tenant_internal.is_of_all(state text) returns boolean
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select state ~ '^(08|25|40|53|57|58|XX)'
$$;
revoke all on function tenant_internal.is_of_all(text) from public;
grant execute on function tenant_internal.is_of_all(text) to tenant_admin;

-- The statements that protecting the table would run, or the error that it would end in. Nothing is changed, and
-- nothing locked but for reading.
create function tenant_internal.foresee_protection(rel regclass, tenant_column name, shared_rows boolean) returns setof text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    shares constant boolean := tenant_internal.will_share_rows(rel, shared_rows);
    part regclass;
    step record;
    has_nulls boolean;
begin
    perform tenant_internal.require_protectable(rel);
    for part in select tenant_internal.hierarchy(rel) loop
        perform tenant_internal.reader_for(part, tenant_column);
    end loop;
    if shared_rows then
        perform tenant_internal.require_shareable(rel, tenant_column);
    end if;
    if shares then
        perform tenant_internal.refuse_publishing_keys(rel, tenant_column);
    end if;
    for part in select tenant_internal.hierarchy(rel) loop
        for step in select * from tenant_internal.fence_steps(part, tenant_column, tenant_internal.reader_for(part, tenant_column),
            tenant_internal.will_share_rows(part, shares)) loop
            perform tenant_internal.require_step(part, step.what);
            if step.what = 'not null' then
                -- Skipped where policies or guards would decide: protecting the table finds it out.
                begin
                    has_nulls := tenant_internal.run_as_owner(part,
                        format('select true from %s where %I is null limit 1', part, tenant_column)) is not null;
                exception when others then
                    if tenant_internal.is_of_all(sqlstate) then
                        raise;
                    end if;
                end;
                if has_nulls then
                    perform tenant_internal.refuse_nulls(part, tenant_column);
                end if;
            end if;
            return next step.statement;
        end loop;
    end loop;
end
$$;
revoke all on function tenant_internal.foresee_protection(regclass, name, boolean) from public;
grant execute on function tenant_internal.foresee_protection(regclass, name, boolean) to tenant_admin;

-- Refuses a mapping that names something else than tables of the schema: a misspelt name would be ignored silently.
create function tenant_internal.require_columns(schema regnamespace, columns jsonb) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    unknown text;
begin
    if jsonb_typeof(columns) <> 'object' or jsonb_path_exists(columns, 'strict $.* ? (@.type() != "string")', '{}', true) then
        raise exception using
            errcode = '22023',
            message = 'columns is no mapping of tables to columns',
            detail = format('It is %s.', left(columns::text, 200)),
            hint = 'Write columns => ''{"<table>": "<column>", ...}'', each table by its name alone.';
    end if;
    if columns is null then
        return;
    end if;
    select key into unknown from jsonb_object_keys(columns) key
        where key not in (select c.relname::text from tenant_internal.tables_of(schema) t join pg_class c on c.oid = t) limit 1;
    if found then
        raise exception using
            errcode = '42P01',
            message = format('schema %s has no table "%s" to protect', schema, unknown),
            detail = 'The mapping names it. Partitions and children are protected with the table above them.',
            hint = 'Name tables as pg_class.relname has them: without schema, without quotes.';
    end if;
end
$$;
revoke all on function tenant_internal.require_columns(regnamespace, jsonb) from public;
grant execute on function tenant_internal.require_columns(regnamespace, jsonb) to tenant_admin;

-- Refuses names that are none of tables of the schema, likewise.
create function tenant_internal.require_tables(schema regnamespace, tables text[]) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    unknown text;
begin
    select coalesce(listed, 'null') into unknown from unnest(tables) listed
        where listed is null or listed not in (select c.relname::text from tenant_internal.tables_of(schema) t join pg_class c on c.oid = t) limit 1;
    if found then
        raise exception using
            errcode = '42P01',
            message = format('schema %s has no table "%s" to protect', schema, unknown),
            detail = 'shared_rows names it. Partitions and children are protected with the table above them.',
            hint = 'Name tables as pg_class.relname has them: without schema, without quotes.';
    end if;
end
$$;
revoke all on function tenant_internal.require_tables(regnamespace, text[]) from public;
grant execute on function tenant_internal.require_tables(regnamespace, text[]) to tenant_admin;

-- Protects a table of a schema, or with dry_run finds out how that would go, and says what became of it.
create function tenant_internal.protect_listed(rel regclass, tenant_column name, columns jsonb, dry_run boolean, stop_on_error boolean,
    shared_rows text[], out result text, out sqlstate text, out hint text, out statements text[])
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    was_protected constant boolean := tenant_internal.fence_policy(rel) is not null;
    col constant name := tenant_internal.column_of(rel, tenant_column, columns);
    mapped constant boolean := coalesce(columns ? (select relname::text from pg_class where oid = rel), false);
    shares constant boolean := coalesce((select relname::text from pg_class where oid = rel) = any (shared_rows), false);
    state text;
    message text;
begin
    if exists (select from tenant.shared where relation = rel) then
        result := 'shared';
    elsif tenant_internal.membership_through(rel) is not null then
        result := format('reached by membership through %s', tenant_internal.membership_through(rel));
    elsif not mapped and not exists (
        select from pg_attribute where attrelid = rel and attname = col and attnum > 0 and not attisdropped) then
        result := format('not protected: no column "%s"', col) || tenant_internal.said_of_open_table(rel, col, columns);
    elsif dry_run then
        statements := array(select tenant_internal.foresee_protection(rel, col, shares));
        result := case when was_protected then 'protected already' else format('would be protected by "%s"', col) end;
    else
        perform tenant.protect(rel, col, shared_rows => shares);
        result := case when was_protected then 'protected already' else 'protected' end;
    end if;
exception when others then
    if stop_on_error or tenant_internal.is_of_all(sqlstate) then
        raise;
    end if;
    get stacked diagnostics state = returned_sqlstate, message = message_text, hint = pg_exception_hint;
    hint := nullif(hint, '');
    protect_listed.sqlstate := state;
    result := 'not protected: ' || message;
end
$$;
revoke all on function tenant_internal.protect_listed(regclass, name, jsonb, boolean, boolean, text[]) from public;
grant execute on function tenant_internal.protect_listed(regclass, name, jsonb, boolean, boolean, text[]) to tenant_admin;

-- Hardens a table of a schema that is protected.
create function tenant_internal.harden_listed(rel regclass, tenant_column name, harden tenant.key_form, keep_old_keys boolean, columns jsonb,
    stop_on_error boolean, out result text, out sqlstate text, out hint text)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    state text;
    message text;
begin
    perform tenant.protect(rel, tenant_internal.column_of(rel, tenant_column, columns), harden, keep_old_keys);
exception when others then
    if stop_on_error or tenant_internal.is_of_all(sqlstate) then
        raise;
    end if;
    get stacked diagnostics state = returned_sqlstate, message = message_text, hint = pg_exception_hint;
    hint := nullif(hint, '');
    harden_listed.sqlstate := state;
    result := 'protected, not hardened: ' || message;
end
$$;
revoke all on function tenant_internal.harden_listed(regclass, name, tenant.key_form, boolean, jsonb, boolean) from public;
grant execute on function tenant_internal.harden_listed(regclass, name, tenant.key_form, boolean, jsonb, boolean) to tenant_admin;

-- Warns that some tables were not protected, for callers that do not read the result.
create function tenant_internal.warn_of_left(schema regnamespace, tables bigint) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if tables > 0 then
        raise warning using
            errcode = 'TN028',
            message = format('%s of the tables of schema %s could not be protected or hardened', tables, schema),
            detail = 'What is said of each says why, with an SQLSTATE.',
            hint = 'Mend them and call it again, or call it with stop_on_error => true.';
    end if;
end
$$;
revoke all on function tenant_internal.warn_of_left(regnamespace, bigint) from public;
grant execute on function tenant_internal.warn_of_left(regnamespace, bigint) to tenant_admin;
