-- Plans: what the tenants of a plan are given, unless a tenant has its own.

-- pg_tenant/src/pg/registry_row.rs knows the numbers of the limits' columns.
create table tenant.plans (
    plan text collate "C" primary key check (plan <> ''),
    rank integer not null default 0,
    statement_timeout_ms integer check (statement_timeout_ms > 0),
    lock_timeout_ms integer check (lock_timeout_ms > 0),
    idle_in_transaction_session_timeout_ms integer check (idle_in_transaction_session_timeout_ms > 0),
    work_mem_kb integer check (work_mem_kb >= 64),
    features jsonb not null default '{}' check (jsonb_typeof(features) = 'object'),
    settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
    quotas jsonb not null default '{}' check (jsonb_typeof(quotas) = 'object'),
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    rates jsonb check (jsonb_typeof(rates) = 'object')
);
comment on table tenant.plans is 'Plans, by rank, with the limits, features, settings and quotas of their tenants.';
grant select on tenant.plans to tenant_admin, tenant_system;
select pg_catalog.pg_extension_config_dump('tenant.plans', '');

-- A plan is in what backends remember of each of its tenants, so all of that is void.
create trigger plans_changed after insert or update or delete or truncate on tenant.plans
    for each statement execute function tenant_internal.registry_changed();
alter table tenant.plans enable always trigger plans_changed;
create trigger stamp_change before update on tenant.plans for each row execute function tenant_internal.stamp_change();

create function tenant.define_plan(plan text, rank integer default 0, statement_timeout interval default null,
    lock_timeout interval default null, idle_in_transaction_session_timeout interval default null,
    work_mem text default null, features jsonb default '{}', settings jsonb default '{}', quotas jsonb default '{}')
    returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    part text;
begin
    perform tenant_internal.require_plain('the plan', define_plan.plan), tenant_internal.check_limits(
        array[statement_timeout, lock_timeout, idle_in_transaction_session_timeout], work_mem);
    if btrim(coalesce(define_plan.plan, '')) = '' then
        raise exception using
            errcode = 'TN136',
            message = 'a plan has a name',
            detail = 'The name is empty.',
            hint = 'Name it as the tenants'' column plan does.';
    end if;
    foreach part in array array['features', 'settings', 'quotas'] loop
        if jsonb_typeof(coalesce(case part when 'features' then define_plan.features when 'settings' then define_plan.settings
                else define_plan.quotas end, '{}')) <> 'object' then
            raise exception using
                errcode = 'TN136',
                message = format('cannot define plan "%s": malformed %s', define_plan.plan, part),
                detail = 'They are not an object.',
                hint = 'Pass an object: {"name": value, ...}.';
        end if;
    end loop;
    insert into tenant.plans as p (plan, rank, statement_timeout_ms, lock_timeout_ms, idle_in_transaction_session_timeout_ms,
            work_mem_kb, features, settings, quotas)
        values (define_plan.plan, coalesce(define_plan.rank, 0), extract(epoch from statement_timeout) * 1000,
            extract(epoch from lock_timeout) * 1000, extract(epoch from idle_in_transaction_session_timeout) * 1000,
            pg_size_bytes(work_mem) / 1024, coalesce(define_plan.features, '{}'), coalesce(define_plan.settings, '{}'),
            coalesce(define_plan.quotas, '{}'))
        on conflict on constraint plans_pkey do update set rank = excluded.rank,
            statement_timeout_ms = excluded.statement_timeout_ms, lock_timeout_ms = excluded.lock_timeout_ms,
            idle_in_transaction_session_timeout_ms = excluded.idle_in_transaction_session_timeout_ms,
            work_mem_kb = excluded.work_mem_kb, features = excluded.features, settings = excluded.settings,
            quotas = excluded.quotas, changed_at = now();
    perform tenant_internal.write_journal('define_plan', define_plan.plan, null,
        (select jsonb_strip_nulls(to_jsonb(p) - '{plan,created_at,changed_at}'::text[])
            from tenant.plans p where p.plan = define_plan.plan));
end
$$;
comment on function tenant.define_plan is 'Makes the plan, or changes it to this: in force for its tenants from their next transactions on. TN051 a limit out of range, TN136 malformed.';
revoke all on function tenant.define_plan(text, integer, interval, interval, interval, text, jsonb, jsonb, jsonb) from public;
grant execute on function tenant.define_plan(text, integer, interval, interval, interval, text, jsonb, jsonb, jsonb) to tenant_admin;

create function tenant.drop_plan(plan text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_reason(reason);
    delete from tenant.plans p where p.plan = drop_plan.plan;
    if not found then
        perform tenant_internal.refuse_plan(drop_plan.plan);
    end if;
    perform tenant_internal.write_journal('drop_plan', drop_plan.plan, reason);
end
$$;
comment on function tenant.drop_plan is 'Removes a plan that no tenant has. TN136 where one has it, or there is no such plan; TN029 without a reason.';
revoke all on function tenant.drop_plan(text, text) from public;
grant execute on function tenant.drop_plan(text, text) to tenant_admin;

create function tenant_internal.refuse_plan(plan text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN136',
        message = format('there is no plan "%s"', plan),
        detail = coalesce((select format('There are: %s.', string_agg(p.plan, ', ' order by p.rank, p.plan)) from tenant.plans p),
            'tenant.plans is empty.'),
        hint = format('select tenant.define_plan(%L, ...);', plan);
end
$$;
revoke all on function tenant_internal.refuse_plan(text) from public;
grant execute on function tenant_internal.refuse_plan(text) to tenant_admin;

create function tenant.set_plan(id text, plan text, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_known(canonical);
    if reason is not null then
        perform tenant_internal.give_reason(reason);
    end if;
    if set_plan.plan is not null and not tenant_internal.hold_plan(set_plan.plan) then
        perform tenant_internal.refuse_plan(set_plan.plan);
    end if;
    update tenant.tenants t set plan = set_plan.plan where t.id = canonical and t.plan is distinct from set_plan.plan;
end
$$;
comment on function tenant.set_plan(text, text, text) is 'Gives the tenant a plan, or none with null: in force from its next transaction on. TN136 where there is no such plan.';
revoke all on function tenant.set_plan(text, text, text) from public;
grant execute on function tenant.set_plan(text, text, text) to tenant_admin;

create function tenant.set_plan(id uuid, plan text, reason text default null) returns void language sql
    begin atomic select tenant.set_plan(id::text, plan, reason); end;
revoke all on function tenant.set_plan(uuid, text, text) from public;
grant execute on function tenant.set_plan(uuid, text, text) to tenant_admin;

create function tenant.set_plan(id bigint, plan text, reason text default null) returns void language sql
    begin atomic select tenant.set_plan(id::text, plan, reason); end;
revoke all on function tenant.set_plan(bigint, text, text) from public;
grant execute on function tenant.set_plan(bigint, text, text) to tenant_admin;

create view tenant.limits_in_force with (security_invoker = true) as
    select t.id, t.plan, t.status,
        coalesce(t.statement_timeout_ms, p.statement_timeout_ms) as statement_timeout_ms,
        coalesce(t.lock_timeout_ms, p.lock_timeout_ms) as lock_timeout_ms,
        coalesce(t.idle_in_transaction_session_timeout_ms, p.idle_in_transaction_session_timeout_ms)
            as idle_in_transaction_session_timeout_ms,
        coalesce(t.work_mem_kb, p.work_mem_kb) as work_mem_kb,
        t.read_only or t.status = 'read_only' as read_only
    from tenant.tenants t left join tenant.plans p using (plan);
comment on view tenant.limits_in_force is 'What enter applies for each tenant: its own limits, or its plan''s. Null is no limit.';
grant select on tenant.limits_in_force to tenant_admin, tenant_system;
