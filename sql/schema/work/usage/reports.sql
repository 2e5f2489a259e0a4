-- What was used: now, by day, by month, and as records for whoever bills it.

create table tenant.usage_records (
    record_id text collate "C" primary key,
    tenant_id text collate "C" not null,
    meter text collate "C" not null,
    unit text not null,
    day date not null,
    version integer not null,
    -- What the day comes to, and what of it the versions before did not have.
    quantity numeric not null,
    change numeric not null,
    exported_at timestamptz not null default now(),
    unique (tenant_id, meter, day, version)
);
comment on table tenant.usage_records is 'What tenant.export_usage() has given out: a line for each tenant, meter and day, and another one, with the next version, where more has come to it since.';
create index on tenant.usage_records (day);
grant select on tenant.usage_records to tenant_admin, tenant_system, tenant_reader;
select pg_catalog.pg_extension_config_dump('tenant.usage_records', '');

create view tenant.usage_state with (security_invoker = true) as
    select t.id as tenant_id, m.meter, m.unit, m.period, p.period_start, tenant_internal.period_end(m.period, p.period_start) as resets_at,
        trim_scale(coalesce(case m.aggregation when 'sum' then c.total when 'max' then c.greatest else c.latest end, 0)) as used,
        nullif(q.hard, 'Infinity') as hard_limit, nullif(q.soft, 'Infinity') as soft_limit
    from tenant.meters m
    cross join tenant.tenants t
    cross join lateral (select tenant_internal.period_start(m.period, now()) as period_start) p
    cross join lateral tenant_internal.quota_of(t.id, m.meter) q
    left join lateral (select sum(u.used) as total, max(u.used) as greatest, (array_agg(u.used order by u.at desc))[1] as latest
        from tenant.usage u where (u.tenant_id, u.meter, u.period_start) = (t.id, m.meter, p.period_start)) c on true
    where t.status <> 'purged';
comment on view tenant.usage_state is 'What each tenant has used of each meter in the period that it is, and its limits; null is none.';
grant select on tenant.usage_state to tenant_admin, tenant_system, tenant_reader;

create view tenant.usage_by_day with (security_invoker = true) as
    select d.tenant_id, d.meter, m.unit, d.day,
        trim_scale(case when m.relation is not null then (array_agg(d.used order by d.at desc))[1]
            when m.aggregation = 'sum' then sum(d.used) when m.aggregation = 'max' then max(d.used)
            else (array_agg(d.used order by d.at desc))[1] end) as used
    from (
        select a.tenant_id, a.meter, a.day, a.used, a.at from tenant.usage_days a
        union all
        select u.tenant_id, u.meter, u.day, u.on_day, u.at from tenant.usage u join tenant.meters n on n.meter = u.meter and n.relation is null
        union all
        select u.tenant_id, u.meter, (now() at time zone 'UTC')::date, sum(u.used), now()
            from tenant.usage u join tenant.meters n on n.meter = u.meter and n.relation is not null group by 1, 2
    ) d join tenant.meters m on m.meter = d.meter
    group by d.tenant_id, d.meter, d.day, m.unit, m.relation, m.aggregation;
comment on view tenant.usage_by_day is 'What each tenant has used of each meter on each day, in UTC; of a meter that counts rows, how many there were when tenant.roll_up_usage() last ran on that day.';
grant select on tenant.usage_by_day to tenant_admin, tenant_system, tenant_reader;

create view tenant.usage_by_month with (security_invoker = true) as
    select d.tenant_id, d.meter, d.unit, date_trunc('month', d.day::timestamp)::date as month,
        trim_scale(case when m.relation is not null or m.aggregation = 'last' then (array_agg(d.used order by d.day desc))[1]
            when m.aggregation = 'sum' then sum(d.used) else max(d.used) end) as used
    from tenant.usage_by_day d join tenant.meters m on m.meter = d.meter
    group by d.tenant_id, d.meter, d.unit, 4, m.relation, m.aggregation;
comment on view tenant.usage_by_month is 'What each tenant has used of each meter in each month, in UTC: the sum of its days, the greatest, or the last one.';
grant select on tenant.usage_by_month to tenant_admin, tenant_system, tenant_reader;

-- The tenant is that of the transaction, never a parameter.
create function tenant.own_usage() returns table (meter text, unit text, period text, period_start timestamptz, resets_at timestamptz,
    used numeric, hard_limit numeric, soft_limit numeric)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select s.meter, s.unit, s.period, nullif(s.period_start, '-infinity'), nullif(s.resets_at, 'infinity'), s.used, s.hard_limit, s.soft_limit
    from tenant.usage_state s where s.tenant_id = tenant.current_id() order by s.meter
$$;
comment on function tenant.own_usage is 'What the transaction''s tenant has used of each meter in the period that it is, its limits, and when it resets; no row with no tenant.';
revoke all on function tenant.own_usage() from public;
grant execute on function tenant.own_usage() to tenant_user;

create function tenant.own_usage_by_day(since date default null) returns table (meter text, unit text, day date, used numeric)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select d.meter, d.unit, d.day, d.used from tenant.usage_by_day d
    where d.tenant_id = tenant.current_id() and d.day >= coalesce(since, '-infinity') order by d.day, d.meter
$$;
comment on function tenant.own_usage_by_day is 'What the transaction''s tenant has used on each day, in UTC; no row with no tenant.';
revoke all on function tenant.own_usage_by_day(date) from public;
grant execute on function tenant.own_usage_by_day(date) to tenant_user;

create function tenant.roll_up_usage() returns table (periods bigint, days bigint) rows 1 language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    today constant date := (now() at time zone 'UTC')::date;
begin
    -- Periods that have been over for an hour, so that nobody is about to consume in them. Whose stripe is locked has
    -- one that does: later.
    with over as materialized (
        select u.* from tenant.usage u join tenant.meters m on m.meter = u.meter
            where m.relation is null and tenant_internal.period_end(m.period, u.period_start) < now() - interval '1 hour'
            for update of u skip locked
    ), gone as (
        delete from tenant.usage u using over o
            where (u.tenant_id, u.meter, u.period_start, u.stripe) = (o.tenant_id, o.meter, o.period_start, o.stripe) returning u.*
    ), kept as (
        insert into tenant.usage_days as d (tenant_id, meter, day, stripe, used, at)
            select g.tenant_id, g.meter, g.day, -1, case m.aggregation when 'sum' then sum(g.on_day) when 'max' then max(g.on_day)
                else (array_agg(g.on_day order by g.at desc))[1] end, max(g.at)
            from gone g join tenant.meters m on m.meter = g.meter group by 1, 2, 3, m.aggregation
            on conflict on constraint usage_days_pkey do update set at = greatest(d.at, excluded.at),
                used = case (select m.aggregation from tenant.meters m where m.meter = excluded.meter) when 'sum' then d.used + excluded.used
                    when 'max' then greatest(d.used, excluded.used) else case when d.at > excluded.at then d.used else excluded.used end end
    )
    select count(distinct (g.tenant_id, g.meter, g.period_start)) into periods from gone g;
    -- Days of several stripes, as one line.
    with gone as (
        delete from tenant.usage_days d where d.stripe >= 0 and d.day < today - 1 returning d.*
    ), kept as (
        insert into tenant.usage_days as d (tenant_id, meter, day, stripe, used, at)
            select g.tenant_id, g.meter, g.day, -1, case m.aggregation when 'sum' then sum(g.used) when 'max' then max(g.used)
                else (array_agg(g.used order by g.at desc))[1] end, max(g.at)
            from gone g join tenant.meters m on m.meter = g.meter group by 1, 2, 3, m.aggregation
            on conflict on constraint usage_days_pkey do update set at = greatest(d.at, excluded.at),
                used = case (select m.aggregation from tenant.meters m where m.meter = excluded.meter) when 'sum' then d.used + excluded.used
                    when 'max' then greatest(d.used, excluded.used) else case when d.at > excluded.at then d.used else excluded.used end end
    )
    select count(distinct (g.tenant_id, g.meter, g.day)) into days from gone g;
    -- How many rows there are today.
    insert into tenant.usage_days as d (tenant_id, meter, day, stripe, used, at)
        select u.tenant_id, u.meter, today, -1, sum(u.used), now() from tenant.usage u join tenant.meters m on m.meter = u.meter
            where m.relation is not null group by 1, 2
        on conflict on constraint usage_days_pkey do update set used = excluded.used, at = excluded.at;
    return next;
end
$$;
comment on function tenant.roll_up_usage is 'Puts together what was used in periods and on days that are over, and notes how many rows are counted today; gives how many of each. To be called at least once a day.';
revoke all on function tenant.roll_up_usage() from public;
grant execute on function tenant.roll_up_usage() to tenant_admin;

create function tenant.export_usage(since date, until date default null) returns setof tenant.usage_records
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- Two that export give out the same.
    perform tenant_internal.require_latest('TN174', 'what is exported');
    lock table tenant.usage_records in share row exclusive mode;
    insert into tenant.usage_records (record_id, tenant_id, meter, unit, day, version, quantity, change)
        select 'usage_' || left(encode(sha256(convert_to(concat_ws('/', d.tenant_id, d.meter, d.day, coalesce(r.version, 0) + 1), 'UTF8')), 'hex'), 40),
            d.tenant_id, d.meter, d.unit, d.day, coalesce(r.version, 0) + 1, d.used, d.used - coalesce(r.quantity, 0)
        from tenant.usage_by_day d
        left join lateral (select p.version, p.quantity from tenant.usage_records p
            where (p.tenant_id, p.meter, p.day) = (d.tenant_id, d.meter, d.day) order by p.version desc limit 1) r on true
        where d.day >= since and d.day < least(until, (now() at time zone 'UTC')::date) and d.used is distinct from coalesce(r.quantity, 0);
    return query select p.* from tenant.usage_records p where p.day >= since and p.day < coalesce(until, 'infinity') order by p.day, p.tenant_id, p.meter, p.version;
end
$$;
comment on function tenant.export_usage is 'The usage records of the days from since to before until (null: today) that are over, in UTC: the same ones, with the same ids, whenever it is called, and further versions where more has come to a day. The id does for a billing provider''s idempotency key; change is what is added by it, quantity what the day comes to.';
revoke all on function tenant.export_usage(date, date) from public;
grant execute on function tenant.export_usage(date, date) to tenant_admin;

-- Of a tenant that was purged, nothing of what it used is left.
create function tenant_internal.forget_usage() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from tenant.usage u where u.tenant_id = new.id;
    delete from tenant.usage_days d where d.tenant_id = new.id;
    delete from tenant.usage_warnings w where w.tenant_id = new.id;
    delete from tenant.usage_records r where r.tenant_id = new.id;
    delete from tenant.quotas q where q.tenant_id = new.id;
    return null;
end
$$;
revoke all on function tenant_internal.forget_usage() from public;
create trigger forget_usage after update on tenant.tenants for each row
    when (new.status = 'purged' and old.status <> 'purged') execute function tenant_internal.forget_usage();
