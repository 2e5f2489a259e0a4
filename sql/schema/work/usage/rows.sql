-- Meters that count a table's rows: what an INSERT adds is consumed, what a DELETE takes away is given back, whoever
-- runs it, with the statement. Triggers run once for each statement, on the table, its partitions and its children:
-- those of the table that is named in the statement.

create function tenant_internal.refuse_rows(rel regclass, detail text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN174',
        message = format('rows of %s cannot be counted', rel),
        detail = detail,
        hint = hint;
end
$$;
revoke all on function tenant_internal.refuse_rows(regclass, text, text) from public;

-- A row counts as long as the column that says otherwise is null, or false.
create function tenant_internal.rows_that_count(rel regclass, unless name) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce((select format(case a.atttypid when 'bool'::regtype then '"the row".%I is not true' else '"the row".%I is null' end, a.attname)
        from pg_attribute a where a.attrelid = rel and a.attname = unless and a.attnum > 0 and not a.attisdropped), 'true')
$$;
revoke all on function tenant_internal.rows_that_count(regclass, name) from public;

-- How many rows each tenant has in the table itself, or in all of its hierarchy, whoever's statement is counted.
create function tenant_internal.rows_of_tenants(rel regclass, unless name, alone boolean) returns jsonb
    language sql volatile set search_path = pg_catalog, pg_temp set pg_tenant.strict = off as $$
    select coalesce(tenant_internal.run_past_policies(rel, format(
        'select pg_catalog.jsonb_object_agg(c.tenant_id, c.rows) from (select "the row".%I::pg_catalog.text as tenant_id, pg_catalog.count(*) as rows
            from %s %s as "the row" where %s and "the row".%1$I is not null group by 1) c',
        (select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.fence_column(rel)),
        case when alone then 'only' else '' end, rel, tenant_internal.rows_that_count(rel, unless)))::jsonb, '{}')
$$;
revoke all on function tenant_internal.rows_of_tenants(regclass, name, boolean) from public;

-- Arguments: the meter, the tenant column, the condition by which a row counts. SECURITY DEFINER: nobody whose
-- statements are counted may write the counts. Each row counts for the tenant that it names: a cascade may reach those
-- of another one.
create function tenant_internal.count_rows() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    m tenant.meters;
    change record;
    of_old constant text := format('select "the row".%I::text as tenant_id, -count(*) as rows from old_rows "the row" where %s group by 1', tg_argv[1], tg_argv[2]);
    of_new constant text := format('select "the row".%I::text as tenant_id, count(*) as rows from new_rows "the row" where %s group by 1', tg_argv[1], tg_argv[2]);
begin
    select * into m from tenant.meters n where n.meter = tg_argv[0];
    if not found then
        return null;
    elsif tg_op = 'TRUNCATE' then
        perform tenant_internal.require_latest('TN174', 'the number of rows that are counted');
        for change in select e.key as tenant_id, e.value::bigint as rows
                from jsonb_each_text(tenant_internal.rows_of_tenants(tg_relid, m.unless, true)) e order by 1 loop
            perform tenant_internal.count(change.tenant_id, m, -change.rows);
        end loop;
        return null;
    end if;
    for change in execute format('select c.tenant_id, sum(c.rows) as rows from (%s) c where c.tenant_id is not null
            group by 1 having sum(c.rows) <> 0 order by 1',
            case tg_op when 'INSERT' then of_new when 'DELETE' then of_old else of_old || ' union all ' || of_new end) loop
        perform tenant_internal.count(change.tenant_id, m, change.rows);
    end loop;
    return null;
end
$$;
revoke all on function tenant_internal.count_rows() from public;

create function tenant_internal.drop_row_triggers(rel regclass, meter text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
    trigger name;
begin
    for trigger in select t.tgname from pg_trigger t where t.tgrelid = rel and t.tgfoid = 'tenant_internal.count_rows()'::regprocedure
            and convert_from(substr(t.tgargs, 1, length(meter)), 'UTF8') = meter loop
        execute format('drop trigger %I on %s', trigger, rel);
    end loop;
end
$$;
revoke all on function tenant_internal.drop_row_triggers(regclass, text) from public;

create function tenant_internal.make_row_triggers(rel regclass, meter text, unless name) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    arguments constant text := format('%L, %L, %L', meter, (select attname from pg_attribute where attrelid = rel
        and attnum = tenant_internal.fence_column(rel)), tenant_internal.rows_that_count(rel, unless));
    of record;
begin
    perform tenant_internal.drop_row_triggers(rel, meter);
    for of in values ('insert', 'after', 'referencing new table as new_rows'), ('delete', 'after', 'referencing old table as old_rows'),
            ('update', 'after', 'referencing old table as old_rows new table as new_rows'), ('truncate', 'before', '') loop
        execute format('create trigger %I %s %s on %s %s for each statement execute function tenant_internal.count_rows(%s)',
            'tenant_meter_' || left(meter, 40) || '_' || of.column1, of.column2, of.column1, rel, of.column3, arguments);
        -- Also where a session has turned triggers off, as those that load data do.
        execute format('alter table %s enable always trigger %I', rel, 'tenant_meter_' || left(meter, 40) || '_' || of.column1);
    end loop;
end
$$;
revoke all on function tenant_internal.make_row_triggers(regclass, text, name) from public;

-- The caller's rights on the table: the functions below run as the extension's owner.
create function tenant_internal.require_countable(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    class pg_class;
    why text;
begin
    select * into class from pg_class where oid = rel;
    if class.relowner is null or not pg_has_role(tenant_internal.caller(), class.relowner, 'usage') then
        raise exception using
            errcode = '42501',
            message = format('must be owner of table %s', rel),
            hint = 'Only its owner decides what of it is counted.';
    end if;
    why := case when tenant.current_id() is not null then 'A tenant is entered.'
        when class.relkind not in ('r', 'p') then 'Only tables have the triggers that it takes.'
        when class.relpersistence = 't' then 'It is temporary.'
        when tenant_internal.fence_column(rel) is null then 'It is not protected by a tenant column.' end;
    if why is not null then
        perform tenant_internal.refuse_rows(rel, why, 'select tenant.meter_rows(''<meter>'', ''<table>''); outside of a tenant, by the owner of a protected table.');
    end if;
    perform tenant_internal.require_latest('TN174', 'what is counted');
end
$$;
revoke all on function tenant_internal.require_countable(regclass) from public;

create function tenant.meter_rows(meter text, rel regclass, unless name default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    m tenant.meters := tenant_internal.require_meter(meter);
    why text;
    part regclass;
begin
    perform tenant_internal.require_countable(rel);
    why := case when m.aggregation <> 'sum' or m.period <> 'forever' then format('Meter "%s" is not the sum of what was used ever.', m.meter)
        when m.relation is null and exists (select from tenant.usage u where u.meter = m.meter) then format('Of meter "%s" something was consumed.', m.meter)
        when m.relation <> rel and exists (select from pg_class c where c.oid = m.relation) then format('Meter "%s" counts rows of %s.', m.meter, m.relation)
        when exists (select from tenant.meters n where n.relation = rel and n.meter <> m.meter) then format('Meter "%s" counts them.', (select n.meter from tenant.meters n where n.relation = rel))
        when unless is not null and not exists (select from pg_attribute a where a.attrelid = rel and a.attname = unless and a.attnum > 0 and not a.attisdropped)
            then format('It has no column "%s".', unless) end;
    if why is not null then
        perform tenant_internal.refuse_rows(rel, why, format('select tenant.define_meter(%L, ''rows'', ''forever'');', m.meter));
    end if;
    execute format('lock table %s in share row exclusive mode', rel);
    for part in select p from tenant_internal.hierarchy(rel) p join pg_class c on c.oid = p where c.relkind in ('r', 'p') loop
        perform tenant_internal.make_row_triggers(part, m.meter, unless);
    end loop;
    update tenant.meters n set relation = rel, unless = meter_rows.unless where n.meter = m.meter returning * into m;
    -- As they are now: nobody has the table, so nobody has a part of what is counted.
    delete from tenant.usage u where u.meter = m.meter;
    insert into tenant.usage (tenant_id, meter, period_start, stripe, used, granted, hard, soft, day, at)
        select e.key, m.meter, '-infinity', 0, e.value::bigint, e.value::bigint, -1, -1, (clock_timestamp() at time zone 'UTC')::date, clock_timestamp()
        from jsonb_each_text(tenant_internal.rows_of_tenants(rel, unless, false)) e;
    perform tenant_internal.write_journal('meter_rows', rel::text, null, jsonb_strip_nulls(jsonb_build_object('meter', m.meter, 'unless', unless)));
end
$$;
comment on function tenant.meter_rows is 'From now on the meter, which is one without a period, says how many rows each tenant has in the table, its partitions and its children: inserts over the limit are refused (TN171), deletes give back. Rows whose column "unless" is not null, or true, do not count. Counts what is there; called again it counts anew, while nobody writes. TN174 where that cannot be, TN170 no such meter.';
revoke all on function tenant.meter_rows(text, regclass, name) from public;
grant execute on function tenant.meter_rows(text, regclass, name) to tenant_admin;

create function tenant.unmeter_rows(meter text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    m constant tenant.meters := tenant_internal.require_meter(meter);
    part regclass;
begin
    perform tenant_internal.require_reason(reason);
    if m.relation is null then
        perform tenant_internal.refuse_meter(format('meter "%s" counts no rows', m.meter), 'It was never given a table.',
            format('select tenant.drop_meter(%L, ''<reason>'');', m.meter));
    end if;
    if exists (select from pg_class c where c.oid = m.relation) then
        perform tenant_internal.require_countable(m.relation);
        execute format('lock table %s in share row exclusive mode', m.relation);
        for part in select tenant_internal.hierarchy(m.relation) loop
            perform tenant_internal.drop_row_triggers(part, m.meter);
        end loop;
    end if;
    delete from tenant.usage u where u.meter = m.meter;
    update tenant.meters n set relation = null, unless = null where n.meter = m.meter;
    perform tenant_internal.write_journal('unmeter_rows', m.relation::text, reason, jsonb_build_object('meter', m.meter));
end
$$;
comment on function tenant.unmeter_rows is 'The meter no longer counts rows, and forgets what it has counted. TN029 without a reason, TN170 where it counts none, TN174 where that cannot be.';
revoke all on function tenant.unmeter_rows(text, text) from public;
grant execute on function tenant.unmeter_rows(text, text) to tenant_admin;

-- Called by the guards for a table that was put below another one: its rows are counted as well, beyond a limit too.
create function tenant_internal.meter_newcomer(child regclass, parent regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    m tenant.meters;
    part regclass;
    change record;
begin
    for m in select n.* from tenant.meters n where n.relation in (select parent union select tenant_internal.ancestors_of(parent)) order by n.meter loop
        for part in select p from tenant_internal.hierarchy(child) p join pg_class c on c.oid = p where c.relkind in ('r', 'p') loop
            perform tenant_internal.make_row_triggers(part, m.meter, m.unless);
        end loop;
        for change in select e.key as tenant_id, e.value::bigint as rows
                from jsonb_each_text(tenant_internal.rows_of_tenants(child, m.unless, false)) e order by 1 loop
            perform tenant_internal.count(change.tenant_id, m, change.rows, enforce => false);
        end loop;
    end loop;
end
$$;
revoke all on function tenant_internal.meter_newcomer(regclass, regclass) from public;
