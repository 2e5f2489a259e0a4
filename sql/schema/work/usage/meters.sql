-- Meters: what tenants use is counted by, and the limits on it: a tenant's own, its plan's, the meter's.

create table tenant.meters (
    meter text collate "C" primary key check (meter ~ '^[a-z][a-z0-9_]{0,62}$'),
    unit text not null check (unit <> ''),
    period text collate "C" not null check (period in ('minute', 'hour', 'day', 'month', 'year', 'forever')),
    aggregation text collate "C" not null check (aggregation in ('sum', 'max', 'last')),
    -- Of tenants whose plan does not say. Null is none.
    hard_limit numeric check (hard_limit >= 0),
    soft_limit numeric check (soft_limit >= 0),
    -- Of a meter that counts rows: of which table, and the column that says which rows do not count.
    relation regclass unique,
    unless name,
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now()
);
comment on table tenant.meters is 'The meters: unit, period, aggregation, the limits of tenants whose plan says nothing, and the table whose rows are counted.';
grant select on tenant.meters to tenant_admin, tenant_system, tenant_reader;
select pg_catalog.pg_extension_config_dump('tenant.meters', '');
create trigger stamp_change before update on tenant.meters for each row execute function tenant_internal.stamp_change();

create table tenant.quotas (
    tenant_id text collate "C",
    meter text collate "C" references tenant.meters on delete cascade,
    hard_limit numeric check (hard_limit >= 0),
    soft_limit numeric check (soft_limit >= 0),
    changed_at timestamptz not null default now(),
    primary key (tenant_id, meter)
);
comment on table tenant.quotas is 'Limits that a tenant has of its own, in place of its plan''s. Null is no limit.';
create index on tenant.quotas (meter);
grant select on tenant.quotas to tenant_admin, tenant_system, tenant_reader;
select pg_catalog.pg_extension_config_dump('tenant.quotas', '');

create function tenant_internal.refuse_meter(message text, detail text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using errcode = 'TN170', message = message, detail = detail, hint = hint;
end
$$;
revoke all on function tenant_internal.refuse_meter(text, text, text) from public;
grant execute on function tenant_internal.refuse_meter(text, text, text) to tenant_admin;

create function tenant_internal.require_meter(meter text) returns tenant.meters
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    m tenant.meters;
begin
    select * into m from tenant.meters n where n.meter = require_meter.meter;
    if not found then
        perform tenant_internal.refuse_meter(format('there is no meter %s', coalesce(quote_literal(left(require_meter.meter, 80)), 'null')),
            'tenant.meters has no such line.', 'An operator declares it: select tenant.define_meter(''<meter>'', ''<unit>'');');
    end if;
    return m;
end
$$;
revoke all on function tenant_internal.require_meter(text) from public;

-- Whether a limit in a plan's quotas can be read: a number, null for none, or {"hard": ..., "soft": ...} of these.
create function tenant_internal.is_quota(quota jsonb) returns boolean
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case jsonb_typeof(quota)
        when 'null' then true
        when 'number' then quota::numeric >= 0
        when 'object' then quota - '{hard,soft}'::text[] = '{}' and (select bool_and(case jsonb_typeof(e.value)
            when 'null' then true when 'number' then e.value::numeric >= 0 else false end) from jsonb_each(quota) e) is not false
        else false end
$$;
revoke all on function tenant_internal.is_quota(jsonb) from public;

create function tenant_internal.check_quotas() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    wrong text;
begin
    select e.key into wrong from jsonb_each(new.quotas) e join tenant.meters m on m.meter = e.key
        where not tenant_internal.is_quota(e.value) order by 1 limit 1;
    if found and not tenant_internal.is_restoring() then
        raise exception using
            errcode = 'TN136',
            message = format('plan "%s" cannot have such a quota of meter "%s"', new.plan, wrong),
            detail = format('It is %s.', left((new.quotas -> wrong)::text, 200)),
            hint = 'A quota is a number, null for no limit, or {"hard": number, "soft": number}.';
    end if;
    return new;
end
$$;
revoke all on function tenant_internal.check_quotas() from public;
create trigger check_quotas before insert or update on tenant.plans for each row
    when (new.quotas <> '{}') execute function tenant_internal.check_quotas();

-- The limits that are in force; Infinity where there is none. In PL/pgSQL, which keeps the plan.
create function tenant_internal.quota_of(id text, meter text, out hard numeric, out soft numeric)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    select coalesce(case when q.tenant_id is not null then q.hard_limit
            when p.quotas ? m.meter then case jsonb_typeof(p.quotas -> m.meter) when 'object' then p.quotas -> m.meter ->> 'hard'
                else p.quotas ->> m.meter end::numeric
            else m.hard_limit end, 'Infinity'),
        coalesce(case when q.tenant_id is not null then q.soft_limit
            when p.quotas ? m.meter then case jsonb_typeof(p.quotas -> m.meter) when 'object' then p.quotas -> m.meter ->> 'soft' end::numeric
            else m.soft_limit end, 'Infinity')
    into hard, soft from tenant.meters m
    left join tenant.tenants t on t.id = quota_of.id
    left join tenant.plans p on p.plan = t.plan
    left join tenant.quotas q on (q.tenant_id, q.meter) = (quota_of.id, m.meter)
    where m.meter = quota_of.meter;
end
$$;
revoke all on function tenant_internal.quota_of(text, text) from public;
grant execute on function tenant_internal.quota_of(text, text) to tenant_admin, tenant_system, tenant_reader;

create function tenant.define_meter(meter text, unit text, period text default 'month', aggregation text default 'sum',
    hard_limit numeric default null, soft_limit numeric default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    why text;
    was tenant.meters;
begin
    why := case
        when define_meter.meter is null or define_meter.meter !~ '^[a-z][a-z0-9_]{0,62}$' then 'A meter''s name has 1 to 63 characters a-z 0-9 _ and begins with a letter.'
        when coalesce(btrim(unit), '') = '' then 'Its unit is empty.'
        when coalesce(period not in ('minute', 'hour', 'day', 'month', 'year', 'forever'), true) then 'Its period is none of minute, hour, day, month, year, forever.'
        when coalesce(aggregation not in ('sum', 'max', 'last'), true) then 'Its aggregation is none of sum, max, last.'
        when hard_limit < 0 or soft_limit < 0 or hard_limit in ('NaN', 'Infinity') or soft_limit in ('NaN', 'Infinity') then 'A limit is a number from 0 on, or null.'
        when soft_limit > hard_limit then 'Its soft limit is above the hard one.' end;
    select * into was from tenant.meters m where m.meter = define_meter.meter for update;
    if why is null and (was.period, was.aggregation) <> (define_meter.period, define_meter.aggregation)
            and exists (select from tenant.usage u where u.meter = was.meter) then
        why := 'Its period and aggregation stay as they are while there is usage: it was counted by them.';
    elsif why is null then
        select format('Plan "%s" has a quota of it that is none: %s.', p.plan, left((p.quotas -> define_meter.meter)::text, 200)) into why
            from tenant.plans p where p.quotas ? define_meter.meter and not tenant_internal.is_quota(p.quotas -> define_meter.meter)
            order by p.plan limit 1;
    end if;
    if why is not null then
        perform tenant_internal.refuse_meter(format('meter %s cannot be like this', coalesce(quote_literal(left(define_meter.meter, 80)), 'null')),
            why, 'select tenant.define_meter(''api_calls'', ''calls'', ''month'', hard_limit => 10000);');
    end if;
    perform tenant_internal.require_plain('a unit', unit);
    insert into tenant.meters as m (meter, unit, period, aggregation, hard_limit, soft_limit)
        values (define_meter.meter, define_meter.unit, define_meter.period, define_meter.aggregation, define_meter.hard_limit, define_meter.soft_limit)
        on conflict on constraint meters_pkey do update set unit = excluded.unit, period = excluded.period,
            aggregation = excluded.aggregation, hard_limit = excluded.hard_limit, soft_limit = excluded.soft_limit;
    perform tenant_internal.write_journal('define_meter', define_meter.meter, null, jsonb_strip_nulls(jsonb_build_object('unit', unit,
        'period', period, 'aggregation', aggregation, 'hard_limit', hard_limit, 'soft_limit', soft_limit)));
end
$$;
comment on function tenant.define_meter is 'Declares a meter, or changes it to this. The limits are those of tenants whose plan says nothing of the meter; null is none. Periods begin in UTC. TN170 malformed, TN100 a unit with control characters.';
revoke all on function tenant.define_meter(text, text, text, text, numeric, numeric) from public;
grant execute on function tenant.define_meter(text, text, text, text, numeric, numeric) to tenant_admin;

create function tenant.drop_meter(meter text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant tenant.meters := tenant_internal.require_meter(meter);
begin
    perform tenant_internal.require_reason(reason);
    if m.relation is not null then
        perform tenant_internal.refuse_meter(format('meter "%s" cannot be dropped', m.meter), format('It counts the rows of %s.', m.relation),
            format('select tenant.unmeter_rows(%L, ''<reason>'');', m.meter));
    end if;
    delete from tenant.usage u where u.meter = m.meter;
    delete from tenant.usage_days d where d.meter = m.meter;
    delete from tenant.usage_warnings w where w.meter = m.meter;
    delete from tenant.meters n where n.meter = m.meter;
    perform tenant_internal.write_journal('drop_meter', m.meter, reason);
end
$$;
comment on function tenant.drop_meter is 'Removes a meter with what was counted by it, and the tenants'' own quotas of it; usage records stay. TN170 where there is none or it counts rows, TN029 without a reason.';
revoke all on function tenant.drop_meter(text, text) from public;
grant execute on function tenant.drop_meter(text, text) to tenant_admin;

create function tenant.set_quota(id text, meter text, hard_limit numeric, soft_limit numeric default null, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    m constant tenant.meters := tenant_internal.require_meter(meter);
begin
    perform tenant_internal.require_known(canonical);
    if reason is not null then
        perform tenant_internal.require_reason(reason);
    end if;
    if hard_limit < 0 or soft_limit < 0 or soft_limit > hard_limit or hard_limit in ('NaN', 'Infinity') or soft_limit in ('NaN', 'Infinity') then
        perform tenant_internal.refuse_meter(format('tenant "%s" cannot have such a quota of meter "%s"', canonical, m.meter),
            format('The hard limit is %s, the soft one %s.', coalesce(hard_limit::text, 'none'), coalesce(soft_limit::text, 'none')),
            'Limits are numbers from 0 on, the soft one not above the hard one; null is none.');
    end if;
    insert into tenant.quotas as q (tenant_id, meter, hard_limit, soft_limit)
        values (canonical, m.meter, set_quota.hard_limit, set_quota.soft_limit)
        on conflict on constraint quotas_pkey do update set hard_limit = excluded.hard_limit, soft_limit = excluded.soft_limit, changed_at = now();
    perform tenant_internal.write_journal('set_quota', m.meter, reason, jsonb_build_object('hard_limit', hard_limit, 'soft_limit', soft_limit), canonical);
end
$$;
comment on function tenant.set_quota(text, text, numeric, numeric, text) is 'Gives the tenant limits of its own, in place of its plan''s; null is no limit. In force from the next consumption on. TN170 no such meter or limits, TN002 no such tenant.';
revoke all on function tenant.set_quota(text, text, numeric, numeric, text) from public;
grant execute on function tenant.set_quota(text, text, numeric, numeric, text) to tenant_admin;

create function tenant.set_quota(id uuid, meter text, hard_limit numeric, soft_limit numeric default null, reason text default null) returns void language sql
    begin atomic select tenant.set_quota(id::text, meter, hard_limit, soft_limit, reason); end;
revoke all on function tenant.set_quota(uuid, text, numeric, numeric, text) from public;
grant execute on function tenant.set_quota(uuid, text, numeric, numeric, text) to tenant_admin;

create function tenant.set_quota(id bigint, meter text, hard_limit numeric, soft_limit numeric default null, reason text default null) returns void language sql
    begin atomic select tenant.set_quota(id::text, meter, hard_limit, soft_limit, reason); end;
revoke all on function tenant.set_quota(bigint, text, numeric, numeric, text) from public;
grant execute on function tenant.set_quota(bigint, text, numeric, numeric, text) to tenant_admin;

create function tenant.clear_quota(id text, meter text, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    m constant tenant.meters := tenant_internal.require_meter(meter);
begin
    perform tenant_internal.require_known(canonical);
    if reason is not null then
        perform tenant_internal.require_reason(reason);
    end if;
    delete from tenant.quotas q where (q.tenant_id, q.meter) = (canonical, m.meter);
    if found then
        perform tenant_internal.write_journal('clear_quota', m.meter, reason, null, canonical);
    end if;
end
$$;
comment on function tenant.clear_quota(text, text, text) is 'The tenant has the limits of its plan again. TN170 no such meter, TN002 no such tenant.';
revoke all on function tenant.clear_quota(text, text, text) from public;
grant execute on function tenant.clear_quota(text, text, text) to tenant_admin;

create function tenant.clear_quota(id uuid, meter text, reason text default null) returns void language sql
    begin atomic select tenant.clear_quota(id::text, meter, reason); end;
revoke all on function tenant.clear_quota(uuid, text, text) from public;
grant execute on function tenant.clear_quota(uuid, text, text) to tenant_admin;

create function tenant.clear_quota(id bigint, meter text, reason text default null) returns void language sql
    begin atomic select tenant.clear_quota(id::text, meter, reason); end;
revoke all on function tenant.clear_quota(bigint, text, text) from public;
grant execute on function tenant.clear_quota(bigint, text, text) to tenant_admin;
