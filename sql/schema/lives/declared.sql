-- What is declared holds for every statement: for a value that a tenant or a plan is given, and for a declaration that
-- changes while values stand.

-- Whether a superuser restores a dump, which brings rows as they were and in any order. In a function that runs as its
-- owner it is the caller still.
create function tenant_internal.is_restoring() returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when current_setting('row_security') = 'off' then coalesce((select rolsuper from pg_roles
        where rolname = case current_setting('role') when 'none' then session_user else current_setting('role') end), false)
        else false end
$$;
revoke all on function tenant_internal.is_restoring() from public;
grant execute on function tenant_internal.is_restoring() to tenant_admin;

-- The declaration, which stays as it is until the transaction ends; null where there is none.
create function tenant_internal.hold_definition(name text) returns tenant.setting_definitions
    language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select d.* from tenant.setting_definitions d where d.name = hold_definition.name for share
$$;
revoke all on function tenant_internal.hold_definition(text) from public;
grant execute on function tenant_internal.hold_definition(text) to tenant_admin;

-- Values that are new in the row; what stood there before is looked at when its declaration changes.
create function tenant_internal.check_settings() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    is_now constant jsonb := to_jsonb(new);
    was constant jsonb := case tg_op when 'UPDATE' then to_jsonb(old) else '{}' end;
    given record;
    d tenant.setting_definitions;
begin
    if tenant_internal.is_restoring() then
        return new;
    end if;
    for given in
        select c.name as of_column, e.key, e.value from unnest(array['features', 'settings']) c (name)
        cross join lateral jsonb_each(case jsonb_typeof(is_now -> c.name) when 'object' then is_now -> c.name end) e
        where e.value is distinct from was -> c.name -> e.key order by 1, 2
    loop
        d := tenant_internal.hold_definition(given.key);
        if d.name is null then
            perform tenant_internal.refuse_setting(given.key);
        elsif tg_table_name = 'plans' and (d.kind = 'feature') <> (given.of_column = 'features') then
            raise exception using
                errcode = 'TN151',
                message = format('plan "%s" cannot have "%s" among its %s', is_now ->> 'plan', d.name, given.of_column),
                detail = format('It is of kind %s.', d.kind),
                hint = 'Features stand in a plan''s features, and what is no feature in its settings.';
        end if;
        perform tenant_internal.require_setting(d, given.value);
    end loop;
    return new;
end
$$;
revoke all on function tenant_internal.check_settings() from public;
create trigger check_settings before insert on tenant.tenants for each row
    when (new.settings <> '{}') execute function tenant_internal.check_settings();
create trigger check_new_settings before update on tenant.tenants for each row
    when (new.settings is distinct from old.settings) execute function tenant_internal.check_settings();
create trigger check_settings before insert or update on tenant.plans for each row
    execute function tenant_internal.check_settings();

-- Who has a value of the setting, in words; where a declaration is given, only values that it does not take.
create function tenant_internal.setting_holders(name text, d tenant.setting_definitions default null) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with holder as materialized (
        select 1 as nth, 'tenant' as kind, t.id, t.settings -> setting_holders.name as value, null::boolean as as_feature
        from tenant.tenants t where t.settings ? setting_holders.name
        union all
        select 2, 'plan', p.plan, p.features -> setting_holders.name, true from tenant.plans p where p.features ? setting_holders.name
        union all
        select 2, 'plan', p.plan, p.settings -> setting_holders.name, false from tenant.plans p where p.settings ? setting_holders.name
    ), told as (
        select h.*, row_number() over (order by h.nth, h.id) as place, count(*) over () as of_all from holder h
        where (d).name is null or h.as_feature <> ((d).kind = 'feature')
            or tenant_internal.setting_problem(d, h.value) is not null
    )
    select string_agg(format('%s "%s"', kind, id), ', ' order by place) filter (where place <= 5)
        || case when max(of_all) > 5 then format(', and %s more', max(of_all) - 5) else '' end
    from told
$$;
revoke all on function tenant_internal.setting_holders(text, tenant.setting_definitions) from public;

-- A transaction with an older snapshot would not see who has a value since.
create function tenant_internal.require_latest(errcode text, what text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        raise exception using
            errcode = require_latest.errcode,
            message = format('cannot change %s in a transaction that is %s', what, current_setting('transaction_isolation')),
            detail = 'It does not see what others have committed since it began.',
            hint = 'begin isolation level read committed;';
    end if;
end
$$;
revoke all on function tenant_internal.require_latest(text, text) from public;

-- Whoever sets a value holds the declaration, and the row of it is locked before this runs: nobody sets one meanwhile.
create function tenant_internal.check_definition() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    whose text;
begin
    if tenant_internal.is_restoring() then
        return coalesce(new, old);
    end if;
    if tg_op = 'DELETE' or tg_op = 'UPDATE' and new.name <> old.name then
        perform tenant_internal.require_latest('TN151', 'a declaration');
        whose := tenant_internal.setting_holders(old.name);
        if whose is not null then
            raise exception using
                errcode = 'TN151',
                message = format('cannot drop setting "%s": it is in use', old.name),
                detail = format('A value of its own has %s.', whose),
                hint = format('Take the values back: update tenant.tenants set settings = settings - %1$L where settings ? %1$L; and tenant.define_plan() without it.', old.name);
        end if;
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    if new.default_value is not null then
        perform tenant_internal.require_setting(new, new.default_value);
    end if;
    -- What is there already, and conflicts, comes here again as an update.
    if tg_op = 'INSERT' and not exists (select from tenant.setting_definitions s where s.name = new.name)
        or tg_op = 'UPDATE' and (new.name, new.kind, new.rule, new.secret) <> (old.name, old.kind, old.rule, old.secret)
    then
        perform tenant_internal.require_latest('TN151', 'a declaration');
        whose := tenant_internal.setting_holders(new.name, new);
        if whose is not null then
            raise exception using
                errcode = 'TN151',
                message = format('cannot declare setting "%s" so: a value that is set does not fit', new.name),
                detail = format('One that does not fit has %s.', whose),
                hint = 'Change these values first, so that they fit both declarations, or take them back.';
        end if;
    end if;
    return new;
end
$$;
revoke all on function tenant_internal.check_definition() from public;
create trigger check_definition before insert or update or delete on tenant.setting_definitions for each row
    execute function tenant_internal.check_definition();

-- The plan, which stays until the transaction ends; false where there is none.
create function tenant_internal.hold_plan(plan text) returns boolean
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform from tenant.plans p where p.plan = hold_plan.plan for key share;
    return found;
end
$$;
revoke all on function tenant_internal.hold_plan(text) from public;
grant execute on function tenant_internal.hold_plan(text) to tenant_admin;

-- A plan that is not in tenant.plans is a name of the application's.
create function tenant_internal.hold_new_plan() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.hold_plan(new.plan);
    return new;
end
$$;
revoke all on function tenant_internal.hold_new_plan() from public;
create trigger hold_plan before insert on tenant.tenants for each row
    when (new.plan is not null) execute function tenant_internal.hold_new_plan();
create trigger hold_new_plan before update on tenant.tenants for each row
    when (new.plan is not null and new.plan is distinct from old.plan) execute function tenant_internal.hold_new_plan();

-- Whoever gives a tenant the plan holds it, and the row of it is locked before this runs.
create function tenant_internal.keep_plan() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    tenants bigint;
begin
    if tenant_internal.is_restoring() then
        return coalesce(new, old);
    end if;
    perform tenant_internal.require_latest('TN136', 'which plans there are');
    select count(*) into tenants from tenant.tenants t where t.plan = old.plan;
    if tenants > 0 then
        raise exception using
            errcode = 'TN136',
            message = format('cannot drop plan "%s": tenants have it', old.plan),
            detail = format('There are %s of them.', tenants),
            hint = 'Give them another one first: select tenant.set_plan(id, ''<plan>'') from tenant.tenants where plan = ...;';
    end if;
    return coalesce(new, old);
end
$$;
revoke all on function tenant_internal.keep_plan() from public;
create trigger keep_plan before delete on tenant.plans for each row execute function tenant_internal.keep_plan();
create trigger keep_name before update on tenant.plans for each row when (new.plan <> old.plan)
    execute function tenant_internal.keep_plan();
