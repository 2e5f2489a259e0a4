-- Journalling of rows: what statements change in a table, by triggers that run once for each statement.
--
-- A line holds up to 1,000 rows of one tenant and statement: a line for each row would cost what the row itself does,
-- in indexes and in columns that are the same for all; tenant.audit_changes shows the rows one by one. Rows before and
-- after an UPDATE are paired by their place: PostgreSQL puts both into their transition tables at once.

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

create function tenant_internal.row_changes_add(document internal, was record, is_now record, keys name[], told name[], secret name[])
    returns internal language c stable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_row_changes_add';
revoke all on function tenant_internal.row_changes_add(internal, record, record, name[], name[], name[]) from public;

create function tenant_internal.row_changes_end(document internal) returns jsonb
    language c stable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_row_changes_end';
revoke all on function tenant_internal.row_changes_end(internal) from public;

create aggregate tenant_internal.row_changes(was record, is_now record, keys name[], told name[], secret name[]) (
    sfunc = tenant_internal.row_changes_add, stype = internal, finalfunc = tenant_internal.row_changes_end);
revoke all on function tenant_internal.row_changes(record, record, name[], name[], name[]) from public;

-- Arguments: the tenant column, or nothing; the key's columns; the columns that are told, or nothing for all; those
-- whose values are left out. SECURITY DEFINER: nobody whose statements are journalled may write the journal. A column
-- of the table stands before the row itself in a name's lookup, hence the row's name.
create function tenant_internal.audit_change() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_variable
declare
    whose constant text := tenant.current_id();
    by_column constant text := tg_argv[0];
    keys constant name[] := tg_argv[1];
    told constant name[] := nullif(tg_argv[2], '');
    secret constant name[] := tg_argv[3];
    most constant integer := 1000;
    subject constant text := tg_relid::regclass::text;
    by_role constant name := case current_setting('role') when 'none' then session_user else current_setting('role') end;
begin
    case tg_op
        when 'INSERT' then
            insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
            select 'insert_rows', subject, c.changes, c.tenant_id, by_role, session_user
            from (select r.tenant_id, tenant_internal.row_changes(null, r.is_now, keys, told, secret) as changes
                from (select "the row" as is_now, coalesce(whose, to_jsonb("the row") ->> by_column) as tenant_id,
                        (row_number() over () - 1) / most as part from new_rows "the row") r
                group by r.tenant_id, r.part) c
            where c.changes is not null;
        when 'DELETE' then
            insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
            select 'delete_rows', subject, c.changes, c.tenant_id, by_role, session_user
            from (select r.tenant_id, tenant_internal.row_changes(r.was, null, keys, told, secret) as changes
                from (select "the row" as was, coalesce(whose, to_jsonb("the row") ->> by_column) as tenant_id,
                        (row_number() over () - 1) / most as part from old_rows "the row") r
                group by r.tenant_id, r.part) c
            where c.changes is not null;
        when 'UPDATE' then
            -- A row that went to another tenant is told to each of them as far as it was its own.
            insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
            select 'update_rows', subject, c.changes, c.tenant_id, by_role, session_user
            from (select p.tenant_id, tenant_internal.row_changes(
                        case when whose is not null or p.former is not distinct from p.tenant_id then p.was end,
                        p.is_now, keys, told, secret) as changes
                from (select o.was, n.is_now, n.nth, coalesce(whose, to_jsonb(n.is_now) ->> by_column) as tenant_id,
                        coalesce(whose, to_jsonb(o.was) ->> by_column) as former
                    from (select "the row" as is_now, row_number() over () as nth from new_rows "the row") n
                    left join (select "the row" as was, row_number() over () as nth from old_rows "the row") o on o.nth = n.nth) p
                group by p.tenant_id, (p.nth - 1) / most) c
            where c.changes is not null;
            if whose is null and by_column <> '' then
                insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
                select 'update_rows', subject, c.changes, c.tenant_id, by_role, session_user
                from (select to_jsonb(o.was) ->> by_column as tenant_id,
                        tenant_internal.row_changes(o.was, null, keys, told, secret) as changes
                    from (select "the row" as was, row_number() over () as nth from old_rows "the row") o
                    left join (select "the row" as is_now, row_number() over () as nth from new_rows "the row") n on o.nth = n.nth
                    where to_jsonb(o.was) ->> by_column is distinct from to_jsonb(n.is_now) ->> by_column
                    group by 1, (o.nth - 1) / most) c
                where c.changes is not null;
            end if;
        else
            insert into tenant.journal (action, object, tenant_id, role, session_role)
                values ('truncate_rows', subject, whose, by_role, session_user);
    end case;
    return null;
end
$$;
revoke all on function tenant_internal.audit_change() from public;

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
    arguments constant text := format('%L, %L, %L, %L', by_column, keys, coalesce(columns::text, ''), secret);
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
