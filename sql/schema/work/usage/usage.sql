-- What was used: the stripes of periods that are not over, days that are, and what is told of a limit.

create table tenant.usage (
    tenant_id text collate "C",
    meter text collate "C" references tenant.meters,
    period_start timestamptz,
    stripe smallint check (stripe between 0 and 15),
    used numeric not null,
    granted numeric not null,
    -- The limits that the part was made of.
    hard numeric not null,
    soft numeric not null,
    -- What was used on the last day on which there was something. Days before are in tenant.usage_days.
    day date not null,
    on_day numeric not null default 0,
    at timestamptz not null,
    primary key (tenant_id, meter, period_start, stripe),
    check (used <= granted)
) with (fillfactor = 40);
comment on table tenant.usage is 'What tenants have used in the periods that are not over, by meter, in 16 stripes.';
create index on tenant.usage (meter, period_start);
grant select on tenant.usage to tenant_admin, tenant_system, tenant_reader;
select pg_catalog.pg_extension_config_dump('tenant.usage', '');

create table tenant.usage_days (
    tenant_id text collate "C",
    meter text collate "C",
    day date,
    -- -1: all of them, put together by tenant.roll_up_usage().
    stripe smallint,
    used numeric not null,
    at timestamptz not null,
    primary key (tenant_id, meter, day, stripe)
);
comment on table tenant.usage_days is 'What tenants have used on days before the last one of each stripe.';
create index on tenant.usage_days (day) where stripe >= 0;
grant select on tenant.usage_days to tenant_admin, tenant_system, tenant_reader;
select pg_catalog.pg_extension_config_dump('tenant.usage_days', '');

create table tenant.usage_warnings (
    tenant_id text collate "C",
    meter text collate "C",
    period_start timestamptz,
    at timestamptz not null default now(),
    primary key (tenant_id, meter, period_start)
);
comment on table tenant.usage_warnings is 'Who has passed a soft limit in which period: it is told once. Of meters without a period, once a day.';
grant select on tenant.usage_warnings to tenant_admin, tenant_system, tenant_reader;
select pg_catalog.pg_extension_config_dump('tenant.usage_warnings', '');

-- In UTC, whatever the session's time zone. Each stands in the statements that call it, where it is planned once.
create function tenant_internal.period_start(period text, at timestamptz) returns timestamptz
    language sql immutable parallel safe
    begin atomic
        select (case period when 'forever' then timestamptz '-infinity' else date_trunc(period, at at time zone 'UTC') at time zone 'UTC' end);
    end;
revoke all on function tenant_internal.period_start(text, timestamptz) from public;
grant execute on function tenant_internal.period_start(text, timestamptz) to tenant_admin, tenant_system, tenant_reader;

create function tenant_internal.period_end(period text, begins timestamptz) returns timestamptz
    language sql immutable parallel safe
    begin atomic
        select (case period when 'forever' then timestamptz 'infinity'
            else (begins at time zone 'UTC' + ('1 ' || period)::interval) at time zone 'UTC' end);
    end;
revoke all on function tenant_internal.period_end(text, timestamptz) from public;
grant execute on function tenant_internal.period_end(text, timestamptz) to tenant_admin, tenant_system, tenant_reader;

create function tenant_internal.refuse_usage(id text, m tenant.meters, hard numeric, used numeric, amount numeric) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    resets constant timestamptz := tenant_internal.period_end(m.period, tenant_internal.period_start(m.period, clock_timestamp()));
begin
    raise exception using
        errcode = 'TN171',
        message = format('tenant "%s" is over its limit of meter "%s"', id, m.meter),
        detail = format('The limit is %s %s%s; %s used, and %s more asked for. ', trim_scale(hard), m.unit,
                case m.period when 'forever' then '' else ' per ' || m.period end, trim_scale(used), trim_scale(amount))
            || case m.period when 'forever' then 'It does not reset.' else format('It resets in %s s, at %s.',
                ceil(extract(epoch from resets - clock_timestamp()))::bigint, to_char(resets at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) end
            || coalesce((select format(' Plan "%s" has %s.', p.plan, coalesce(q.hard::text, 'no limit'))
                from tenant.plans p
                cross join lateral (select case jsonb_typeof(p.quotas -> m.meter) when 'object' then p.quotas -> m.meter ->> 'hard'
                    else p.quotas ->> m.meter end::numeric as hard) q
                where p.quotas ? m.meter and coalesce(q.hard, 'Infinity') >= used + amount and coalesce(q.hard, 'Infinity') > refuse_usage.hard
                order by p.rank, p.plan limit 1), ' No plan has more.'),
        hint = case m.period when 'forever' then 'Give something back, or have an operator raise the limit: '
            else 'Try again after that, or have an operator raise the limit: ' end
            || format('tenant.set_plan(), tenant.set_quota(%L, %L, <limit>).', id, m.meter);
end
$$;
revoke all on function tenant_internal.refuse_usage(text, tenant.meters, numeric, numeric, numeric) from public;

-- Once in a period: a warning, and a line in the journal that is the tenant's own.
create function tenant_internal.warn_of_usage(id text, m tenant.meters, begins timestamptz, soft numeric, used numeric) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    insert into tenant.usage_warnings (tenant_id, meter, period_start) values (id, m.meter,
        case m.period when 'forever' then tenant_internal.period_start('day', clock_timestamp()) else begins end)
        on conflict on constraint usage_warnings_pkey do nothing;
    if found then
        perform tenant_internal.write_journal('soft_limit', m.meter, null,
            jsonb_build_object('soft_limit', soft, 'used', used, 'period_start', begins), id);
        raise warning using
            errcode = 'TN173',
            message = format('tenant "%s" has passed its soft limit of meter "%s"', id, m.meter),
            detail = format('The soft limit is %s %s%s; %s used.', trim_scale(soft), m.unit,
                case m.period when 'forever' then '' else ' per ' || m.period end, trim_scale(used)),
            hint = 'Nothing is refused before the hard limit.';
    end if;
end
$$;
revoke all on function tenant_internal.warn_of_usage(text, tenant.meters, timestamptz, numeric, numeric) from public;

-- Adds what a stripe has counted on a day that is over.
create function tenant_internal.add_day(id text, m tenant.meters, day date, stripe smallint, used numeric, at timestamptz) returns void
    language sql set search_path = pg_catalog, pg_temp as $$
    insert into tenant.usage_days as d (tenant_id, meter, day, stripe, used, at)
        select add_day.id, (add_day.m).meter, add_day.day, add_day.stripe, add_day.used, add_day.at
        where (add_day.m).relation is null
        on conflict on constraint usage_days_pkey do update set at = greatest(d.at, excluded.at),
            used = case (add_day.m).aggregation when 'sum' then d.used + excluded.used when 'max' then greatest(d.used, excluded.used)
                else case when d.at > excluded.at then d.used else excluded.used end end
$$;
revoke all on function tenant_internal.add_day(text, tenant.meters, date, smallint, numeric, timestamptz) from public;
