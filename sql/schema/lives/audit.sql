-- Journalling of rows: what statements change in a table, by triggers that run once for each statement.
--
-- A line holds up to 1,000 rows of one tenant and statement: a line for each row would cost what the row itself does,
-- in indexes and in columns that are the same for all; tenant.audit_changes shows the rows one by one. Rows before and
-- after an UPDATE are paired by their place: PostgreSQL puts both into their transition tables at once, and where one
-- is missing, none is paired.

create table tenant.audited (
    relation regclass primary key,
    -- Null: all.
    columns name[],
    secret name[] not null,
    audited_at timestamptz not null default now(),
    audited_by name not null
);
comment on table tenant.audited is 'The tables whose changes are journalled, with the columns that are told, and those whose values are left out.';
grant select on tenant.audited to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.audited', '');

create function tenant_internal.drop_audit_triggers(rel regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
    trigger name;
begin
    for trigger in select tgname from pg_trigger where tgrelid = rel and tgfoid = 'tenant_internal.audit_change()'::regprocedure loop
        execute format('drop trigger %I on %s', trigger, rel);
    end loop;
end
$$;
revoke all on function tenant_internal.drop_audit_triggers(regclass) from public;

-- Puts the triggers on one table; a key is its primary key's columns.
create function tenant_internal.make_audit_triggers(rel regclass, columns name[], secret name[]) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    by_column constant text := coalesce((select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.fence_column(rel)), '');
    keys constant name[] := array(select a.attname from pg_index i cross join lateral unnest(i.indkey) with ordinality k (attnum, nth)
        join pg_attribute a on a.attrelid = rel and a.attnum = k.attnum where i.indrelid = rel and i.indisprimary order by k.nth);
    arguments constant text := format('%L, %L, %L, %L, %L', by_column, keys, coalesce(columns::text, ''), secret,
        (select relkind = 'p' from pg_class where oid = rel));
    of record;
begin
    perform tenant_internal.drop_audit_triggers(rel);
    for of in values ('insert', 'referencing new table as new_rows'), ('delete', 'referencing old table as old_rows'),
            ('update', 'referencing old table as old_rows new table as new_rows'), ('truncate', '') loop
        execute format('create trigger tenant_audit_%s after %1$s on %s %s for each statement execute function tenant_internal.audit_change(%s)',
            of.column1, rel, of.column2, arguments);
    end loop;
end
$$;
revoke all on function tenant_internal.make_audit_triggers(regclass, name[], name[]) from public;

-- The caller's rights on the table: the functions below run as the extension's owner.
create function tenant_internal.require_auditable(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    caller constant name := case current_setting('role') when 'none' then session_user else current_setting('role') end;
    class pg_class;
    why text;
begin
    select * into class from pg_class where oid = rel;
    if not pg_has_role(caller, class.relowner, 'usage') then
        raise exception using
            errcode = '42501',
            message = format('must be owner of table %s', rel),
            hint = 'Only its owner decides what of it is journalled.';
    end if;
    why := case when tenant.current_id() is not null then 'A tenant is entered.'
        when class.relkind not in ('r', 'p') then 'Only tables have the triggers that it takes.'
        when class.relpersistence = 't' then 'It is temporary.'
        when class.relnamespace in ('tenant'::regnamespace, 'tenant_internal'::regnamespace) then 'It is the extension''s own.' end;
    if why is not null then
        raise exception using
            errcode = 'TN157',
            message = format('changes of %s cannot be journalled', rel),
            detail = why,
            hint = 'select tenant.audit(''<table>''); outside of a tenant, by the table''s owner.';
    end if;
end
$$;
revoke all on function tenant_internal.require_auditable(regclass) from public;

create function tenant.audit(rel regclass, columns name[] default null, secret name[] default '{}') returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
#variable_conflict use_variable
declare
    caller constant name := case current_setting('role') when 'none' then session_user else current_setting('role') end;
    missing text;
    part regclass;
begin
    perform tenant_internal.require_auditable(rel);
    select string_agg(quote_ident(n), ', ') into missing from unnest(columns || coalesce(secret, '{}')) n
        where not exists (select from pg_attribute a where a.attrelid = rel and a.attname = n and a.attnum > 0 and not a.attisdropped);
    if missing is not null or columns = '{}' then
        raise exception using
            errcode = 'TN157',
            message = format('changes of %s cannot be journalled', rel),
            detail = case when missing is null then 'No column is named.' else format('It has no column %s.', missing) end,
            hint = 'Name columns that it has; null tells all.';
    end if;
    for part in select p from tenant_internal.hierarchy(rel) p join pg_class c on c.oid = p where c.relkind in ('r', 'p') loop
        perform tenant_internal.make_audit_triggers(part, columns, coalesce(secret, '{}'));
    end loop;
    insert into tenant.audited as a (relation, columns, secret, audited_by) values (rel, columns, coalesce(secret, '{}'), caller)
        on conflict (relation) do update set columns = excluded.columns, secret = excluded.secret, audited_at = now(), audited_by = excluded.audited_by;
    perform tenant_internal.write_journal('audit', rel::text, null, jsonb_build_object('columns', columns, 'secret', secret));
end
$$;
comment on function tenant.audit is 'From now on what statements change in the table, its partitions and its children is in the journal: the key, and the values before and after of the columns that changed. Values of secret columns are left out. TN157 where that cannot be.';
revoke all on function tenant.audit(regclass, name[], name[]) from public;
grant execute on function tenant.audit(regclass, name[], name[]) to tenant_admin;

create function tenant.unaudit(rel regclass, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    part regclass;
begin
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.require_auditable(rel);
    delete from tenant.audited where relation = rel;
    if not found then
        raise exception using
            errcode = 'TN157',
            message = format('changes of %s are not journalled', rel),
            detail = 'tenant.audited has no such line.',
            hint = 'select * from tenant.audited; lists what is.';
    end if;
    for part in select tenant_internal.hierarchy(rel) loop
        perform tenant_internal.drop_audit_triggers(part);
    end loop;
    perform tenant_internal.write_journal('unaudit', rel::text, reason);
end
$$;
comment on function tenant.unaudit is 'What is changed in the table from now on is no longer in the journal. TN029 no reason, TN157 where it was not audited.';
revoke all on function tenant.unaudit(regclass, text) from public;
grant execute on function tenant.unaudit(regclass, text) to tenant_admin;

-- The tables above.
create function tenant_internal.ancestors_of(rel regclass) returns setof regclass
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive above (relation) as (
        select inhparent from pg_inherits where inhrelid = rel
        union
        select i.inhparent from above a join pg_inherits i on i.inhrelid = a.relation
    )
    select relation::regclass from above
$$;
revoke all on function tenant_internal.ancestors_of(regclass) from public;

-- Called by the guards for a table that was put below another one.
create function tenant_internal.audit_newcomer(child regclass, parent regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    audited tenant.audited;
    part regclass;
begin
    select a.* into audited from tenant.audited a where a.relation in (select parent union select tenant_internal.ancestors_of(parent)) limit 1;
    if found then
        for part in select p from tenant_internal.hierarchy(child) p join pg_class c on c.oid = p where c.relkind in ('r', 'p') loop
            perform tenant_internal.make_audit_triggers(part, audited.columns, audited.secret);
        end loop;
    end if;
end
$$;
revoke all on function tenant_internal.audit_newcomer(regclass, regclass) from public;

-- The rows of the lines, for the tenant whose they are.
create view tenant.audit_changes with (security_barrier = true) as
    select l.id, l.at, l.actor, l.impersonator, l.request_id, l.object as "table", replace(l.action, '_rows', '') as change,
        c.of -> 'key' as key, c.of -> 'before' as before, c.of -> 'after' as after, c.of -> 'left_out' as left_out
    from tenant.audit_log l
    cross join lateral jsonb_array_elements(l.detail -> 'rows') c (of)
    where l.action in ('insert_rows', 'update_rows', 'delete_rows');
comment on view tenant.audit_changes is 'What was changed in the current tenant''s rows of audited tables, row by row.';
grant select on tenant.audit_changes to tenant_user;
