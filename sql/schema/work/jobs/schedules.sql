-- Schedules: jobs that are queued again and again. Who reads a cron expression is the client's scheduler; which due
-- time was the last one stands here, and moves once however many schedulers there are.

create table tenant.schedules (
    name text collate "C" primary key check (name ~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$'),
    cron text not null,
    time_zone text not null default 'UTC',
    scope text not null check (scope in ('each_tenant', 'system')),
    kind text collate "C" not null,
    lane text collate "C",
    payload jsonb not null default '{}',
    -- The system's: why its context is entered.
    reason text,
    -- What is done about due times that passed while nobody was there: one of them, all, or none.
    catch_up text not null default 'once' check (catch_up in ('once', 'all', 'none')),
    -- Tenants' jobs are spread over it, each always at the same place.
    spread interval not null default '0' check (spread >= interval '0'),
    enabled boolean not null default true,
    -- The last due time for which jobs were queued, or from which on it counts; and how far the one that is being fired
    -- has come.
    last_due timestamptz not null default now(),
    firing timestamptz,
    fired_after text collate "C",
    changed_at timestamptz not null default now()
);
comment on table tenant.schedules is 'Which jobs are queued when, for each active tenant or for the system, and for which due time last.';
grant select on tenant.schedules to tenant_admin, tenant_worker;
select pg_catalog.pg_extension_config_dump('tenant.schedules', '');

create function tenant.define_schedule(name text, cron text, scope text, kind text, payload jsonb default '{}', time_zone text default 'UTC',
    lane text default null, catch_up text default 'once', spread interval default '0', reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.check_job(kind, lane, payload, null, null, null);
    if name is null or name !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$' or coalesce(array_length(regexp_split_to_array(btrim(cron), '\s+'), 1), 0) not in (5, 6)
            or scope is null or scope not in ('each_tenant', 'system') or catch_up is null or catch_up not in ('once', 'all', 'none')
            or spread is null or spread < interval '0' or not exists (select from pg_timezone_names z where z.name = time_zone) then
        perform tenant_internal.refuse_job(format('schedule %s cannot be defined like this', coalesce(quote_literal(left(name, 80)), 'without a name')),
            'It has a name, a cron expression, a time zone that the server knows, a scope and a rule for what was missed.',
            'As in: select tenant.define_schedule(''nightly'', ''0 3 * * *'', ''each_tenant'', ''report'', time_zone => ''Europe/Zurich'');');
    end if;
    if scope = 'system' then
        perform tenant_internal.require_reason(reason);
    end if;
    insert into tenant.schedules as s (name, cron, time_zone, scope, kind, lane, payload, reason, catch_up, spread)
        values (define_schedule.name, btrim(define_schedule.cron), define_schedule.time_zone, define_schedule.scope, define_schedule.kind,
            define_schedule.lane, define_schedule.payload, btrim(define_schedule.reason), define_schedule.catch_up, define_schedule.spread)
        on conflict on constraint schedules_pkey do update set cron = excluded.cron, time_zone = excluded.time_zone, scope = excluded.scope,
            kind = excluded.kind, lane = excluded.lane, payload = excluded.payload, reason = excluded.reason, catch_up = excluded.catch_up,
            spread = excluded.spread, changed_at = now(),
            -- Another rhythm counts from now on.
            last_due = case when (s.cron, s.time_zone) = (excluded.cron, excluded.time_zone) then s.last_due else now() end;
    perform tenant_internal.write_journal('define_schedule', name, reason, jsonb_build_object('cron', cron, 'time_zone', time_zone, 'scope', scope, 'kind', kind));
end
$$;
comment on function tenant.define_schedule is 'Queues a job of this kind at each time of the cron expression: of every active tenant, or one of the system. TN161 malformed, TN029 no reason for one of the system.';
revoke all on function tenant.define_schedule(text, text, text, text, jsonb, text, text, text, interval, text) from public;
grant execute on function tenant.define_schedule(text, text, text, text, jsonb, text, text, text, interval, text) to tenant_admin;

create function tenant_internal.hold_schedule(name text) returns tenant.schedules
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    s tenant.schedules;
begin
    select * into s from tenant.schedules o where o.name = hold_schedule.name for update;
    if not found then
        perform tenant_internal.refuse_job(format('there is no schedule %s', coalesce(quote_literal(left(name, 80)), 'without a name')),
            coalesce((select format('There are: %s.', string_agg(o.name, ', ' order by o.name)) from tenant.schedules o), 'tenant.schedules is empty.'),
            'Define it with tenant.define_schedule().');
    end if;
    return s;
end
$$;
revoke all on function tenant_internal.hold_schedule(text) from public;

-- What passed while it was disabled is not caught up.
create function tenant.enable_schedule(name text, enabled boolean, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason), tenant_internal.hold_schedule(name);
    update tenant.schedules s set enabled = coalesce(enable_schedule.enabled, true), changed_at = now(),
            last_due = case when s.enabled then s.last_due else now() end
        where s.name = enable_schedule.name and s.enabled <> coalesce(enable_schedule.enabled, true);
    if found then
        perform tenant_internal.write_journal(case when enabled then 'enable_schedule' else 'disable_schedule' end, name, reason, null);
    end if;
end
$$;
comment on function tenant.enable_schedule is 'Lets the schedule rest, or go on from now. TN029 no reason, TN161 unknown.';
revoke all on function tenant.enable_schedule(text, boolean, text) from public;
grant execute on function tenant.enable_schedule(text, boolean, text) to tenant_admin;

create function tenant.drop_schedule(name text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason), tenant_internal.hold_schedule(name);
    delete from tenant.schedules s where s.name = drop_schedule.name;
    perform tenant_internal.write_journal('drop_schedule', name, reason, null);
end
$$;
comment on function tenant.drop_schedule is 'Ends the schedule; jobs that it has queued stay. TN029 no reason, TN161 unknown.';
revoke all on function tenant.drop_schedule(text, text) from public;
grant execute on function tenant.drop_schedule(text, text) to tenant_admin;

-- One scheduler at a time has the lead, for as long as its session lasts.
create function tenant.lead_schedules() returns boolean
    language sql security definer set search_path = pg_catalog, pg_temp
    return pg_try_advisory_lock(hashtext('tenant.schedules'), 0);
comment on function tenant.lead_schedules() is 'Whether this session is the scheduler: the first that asks, until it ends.';
revoke all on function tenant.lead_schedules() from public;
grant execute on function tenant.lead_schedules() to tenant_worker;

-- Queues the jobs of a due time, for the system or for up to at_most tenants, and gives how many; `complete` says
-- whether that was all. `previous` is the last due time that the caller has read: where it is another by now, somebody
-- else has fired, and nothing is done. A due time that was begun is completed before another one.
create function tenant.fire_schedule(name text, due timestamptz, previous timestamptz, at_most integer default 1000)
    returns table (queued bigint, complete boolean)
    language plpgsql security definer rows 1 set search_path = pg_catalog, pg_temp as $$
declare
    s tenant.schedules := tenant_internal.hold_schedule(name);
    at timestamptz;
    ids text[];
begin
    if not s.enabled or s.last_due is distinct from previous or due is null or due <= previous or due > clock_timestamp() then
        return query select 0::bigint, true;
        return;
    end if;
    at := coalesce(s.firing, due);
    if s.scope = 'system' then
        perform tenant_internal.add_jobs(null, s.kind, array[s.payload], array[format('%s@%s', s.name, extract(epoch from at)::bigint)], s.lane, null, null, null, null, s.reason);
        update tenant.schedules o set last_due = at, firing = null, fired_after = null where o.name = fire_schedule.name;
        return query select 1::bigint, true;
        return;
    end if;
    ids := array(select t.id from tenant.tenants t where t.status = 'active' and (s.fired_after is null or t.id > s.fired_after)
        order by t.id limit greatest(coalesce(at_most, 1000), 1));
    -- Where a tenant stands in the spread is its own, and does not change.
    perform tenant_internal.add_jobs(i, s.kind, array[s.payload], array[format('%s@%s', s.name, extract(epoch from at)::bigint)], s.lane, null,
            at + s.spread * ((hashtextextended(i, 0) & 65535) / 65536.0), null, null, null)
        from unnest(ids) i;
    if cardinality(ids) < greatest(coalesce(at_most, 1000), 1) then
        update tenant.schedules o set last_due = at, firing = null, fired_after = null where o.name = fire_schedule.name;
        return query select cardinality(ids)::bigint, true;
    else
        update tenant.schedules o set firing = at, fired_after = ids[cardinality(ids)] where o.name = fire_schedule.name;
        return query select cardinality(ids)::bigint, false;
    end if;
end
$$;
comment on function tenant.fire_schedule is 'Queues the jobs of one due time of a schedule, in parts of at_most tenants, each part once. TN161 unknown.';
revoke all on function tenant.fire_schedule(text, timestamptz, timestamptz, integer) from public;
grant execute on function tenant.fire_schedule(text, timestamptz, timestamptz, integer) to tenant_worker;

-- Due times that are passed over, by the schedule's rule for what was missed.
create function tenant.skip_schedule(name text, due timestamptz, previous timestamptz) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    s tenant.schedules := tenant_internal.hold_schedule(name);
begin
    if s.last_due is distinct from previous or s.firing is not null or due is null or due <= previous or due > clock_timestamp() then
        return false;
    end if;
    update tenant.schedules o set last_due = due where o.name = skip_schedule.name;
    return true;
end
$$;
comment on function tenant.skip_schedule is 'Passes over the due times up to this one: nothing is queued for them. TN161 unknown.';
revoke all on function tenant.skip_schedule(text, timestamptz, timestamptz) from public;
grant execute on function tenant.skip_schedule(text, timestamptz, timestamptz) to tenant_worker;
