-- Consuming: an amount is counted once with its transaction, and never beyond the limit, without one row that all
-- transactions of a tenant wait for.
--
-- A meter's amount in a period is the sum of 16 stripes. Each has been granted a part of what is left, and it holds that
--   (1) used <= granted in each stripe, which is a CHECK;
--   (2) the parts that were granted under a limit sum up to no more than that limit, or than what was used already.
-- A transaction consumes in one stripe whose row it locks until it ends, of which it therefore knows everything, and
-- needs to know nothing of what others have in flight: (1) holds in each, so by (2) the sum stays below the limit,
-- whoever commits or rolls back. Parts are made anew, where no stripe has room, by who holds the rows of all 16, and so
-- has waited for whatever was in flight. This is rare far from the limit, since each time a sixteenth or less is left;
-- near it, where parts are smaller than what is consumed, each consumption does so, and is exact. Who makes parts anew
-- takes the meter's advisory lock first, so that two of them never hold some rows each and wait for the other's.
-- A stripe remembers the limits that its part was made of: others are in force at once, since the parts do not count.
-- Where more was used than the limit, that is -1, which is nobody's limit.
--
-- Transactions that consume twice near the limit can deadlock like others that lock rows (40P01), and repeatable read
-- fails where another has used the same stripe since (40001).

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

-- In UTC, whatever the session's time zone.
create function tenant_internal.period_start(period text, at timestamptz) returns timestamptz
    language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select case period when 'forever' then '-infinity' else date_trunc(period, at at time zone 'UTC') at time zone 'UTC' end
$$;
revoke all on function tenant_internal.period_start(text, timestamptz) from public;
grant execute on function tenant_internal.period_start(text, timestamptz) to tenant_admin, tenant_system, tenant_reader;

create function tenant_internal.period_end(period text, begins timestamptz) returns timestamptz
    language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select case period when 'forever' then 'infinity' else (begins at time zone 'UTC' + ('1 ' || period)::interval) at time zone 'UTC' end
$$;
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

-- With all rows of the tenant's period in hand: refuses, or consumes and makes parts of what is left. It turns the
-- guards off for an advisory lock under a key of our own: a SHA-256 that begins unlike those of tenant.advisory_lock().
create function tenant_internal.consume_exactly(id text, m tenant.meters, amount numeric, here smallint, enforce boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    moment timestamptz := clock_timestamp();
    begins timestamptz := tenant_internal.period_start(m.period, moment);
    q record;
    total numeric;
    rest numeric;
    part numeric;
begin
    select * into q from tenant_internal.quota_of(id, m.meter);
    select sum(u.used) into total from tenant.usage u where (u.tenant_id, u.meter, u.period_start) = (id, m.meter, begins);
    -- What is committed does not become less, but by rows that others are deleting: nobody waits to be refused.
    if enforce and amount > 0 and coalesce(total, 0) + amount > q.hard then
        perform tenant_internal.refuse_usage(id, m, q.hard, coalesce(total, 0), amount);
    end if;
    perform pg_advisory_xact_lock(('x' || encode(substr(sha256(convert_to('pg_tenant usage/' || m.meter || '/' || id, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint);
    -- Another moment, after the wait, and what is in force then.
    moment := clock_timestamp();
    begins := tenant_internal.period_start(m.period, moment);
    select * into q from tenant_internal.quota_of(id, m.meter);
    insert into tenant.usage (tenant_id, meter, period_start, stripe, used, granted, hard, soft, day, at)
        select id, m.meter, begins, s, 0, 0, q.hard, q.soft, (moment at time zone 'UTC')::date, moment from generate_series(0, 15) s
        on conflict do nothing;
    select sum(l.used) into total from (select u.used from tenant.usage u
        where (u.tenant_id, u.meter, u.period_start) = (id, m.meter, begins) order by u.stripe for no key update) l;
    if enforce and amount > 0 and total + amount > q.hard then
        perform tenant_internal.refuse_usage(id, m, q.hard, total, amount);
    end if;
    -- Below the soft limit there is only so much to grant as leads to it: who passes it comes through here.
    if total + amount > q.soft then
        perform tenant_internal.warn_of_usage(id, m, begins, q.soft, total + amount);
        rest := q.hard - total - amount;
    else
        rest := least(q.hard, q.soft) - total - amount;
    end if;
    part := case when rest > 0 then trunc(rest / 16) else 0 end;
    rest := case when rest > 0 and rest <> 'Infinity' then rest - 16 * part else 0 end;
    perform tenant_internal.add_day(id, m, u.day, u.stripe, u.on_day, u.at) from tenant.usage u
        where (u.tenant_id, u.meter, u.period_start) = (id, m.meter, begins) and u.day <> (moment at time zone 'UTC')::date and u.on_day <> 0;
    -- Of more than the limit, a part is what is used, which becomes less when rows are deleted: it is a part of no limit.
    update tenant.usage u set hard = case when total + consume_exactly.amount > q.hard then -1 else q.hard end, soft = q.soft, day = (moment at time zone 'UTC')::date,
            used = u.used + n.amount, granted = u.used + n.amount + part + case u.stripe when here then rest else 0 end,
            on_day = case u.day when (moment at time zone 'UTC')::date then u.on_day else 0 end + n.amount,
            at = case u.stripe when here then moment else u.at end
        from (select s::smallint as stripe, case s when here then consume_exactly.amount else 0 end as amount from generate_series(0, 15) s) n
        where (u.tenant_id, u.meter, u.period_start) = (id, m.meter, begins) and u.stripe = n.stripe;
end
$$;
revoke all on function tenant_internal.consume_exactly(text, tenant.meters, numeric, smallint, boolean) from public;

-- Counts an amount of a meter that sums up; less than nothing gives back, and is never refused.
create function tenant_internal.count(id text, m tenant.meters, amount numeric, enforce boolean default true) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    moment constant timestamptz := clock_timestamp();
    today constant date := (moment at time zone 'UTC')::date;
    begins constant timestamptz := tenant_internal.period_start(m.period, moment);
    here constant smallint := pg_backend_pid() % 16;
    q record;
    mine tenant.usage;
begin
    select * into q from tenant_internal.quota_of(id, m.meter);
    -- A stripe that nobody has locked, this session's usual one first.
    update tenant.usage u set used = u.used + count.amount, on_day = u.on_day + count.amount, at = moment
        where (u.tenant_id, u.meter, u.period_start) = (id, m.meter, begins) and u.stripe = (select v.stripe from tenant.usage v
            where (v.tenant_id, v.meter, v.period_start) = (id, m.meter, begins) and v.day = today
                and (count.amount <= 0 or (v.hard, v.soft) = (q.hard, q.soft) and v.used + count.amount <= v.granted)
            order by v.stripe <> here limit 1 for no key update skip locked);
    if found then
        return;
    end if;
    -- They are locked, or the day is another: the usual one, when it is free. Where it has no room then, its lock is
    -- given back before the meter's is waited for: whoever has that may wait for this.
    if exists (select from tenant.usage v where (v.tenant_id, v.meter, v.period_start, v.stripe) = (id, m.meter, begins, here)
            and (count.amount <= 0 or (v.hard, v.soft) = (q.hard, q.soft) and v.used + count.amount <= v.granted)) then
        begin
            select * into mine from tenant.usage u
                where (u.tenant_id, u.meter, u.period_start, u.stripe) = (id, m.meter, begins, here) for no key update;
            if mine.day < today and mine.on_day <> 0 then
                perform tenant_internal.add_day(id, m, mine.day, here, mine.on_day, mine.at);
            end if;
            update tenant.usage u set used = u.used + count.amount, day = today, at = moment,
                    on_day = case u.day when today then u.on_day else 0 end + count.amount
                where (u.tenant_id, u.meter, u.period_start, u.stripe) = (id, m.meter, begins, here)
                    and (count.amount <= 0 or (u.hard, u.soft) = (q.hard, q.soft) and u.used + count.amount <= u.granted);
            if not found then
                raise exception using errcode = 'PTN17';
            end if;
            return;
        exception when sqlstate 'PTN17' then null;
        end;
    end if;
    perform tenant_internal.consume_exactly(id, m, amount, here, enforce);
end
$$;
revoke all on function tenant_internal.count(text, tenant.meters, numeric, boolean) from public;

-- Keeps an amount of a meter whose greatest or last one counts: each is compared with the limit by itself.
create function tenant_internal.keep_amount(id text, m tenant.meters, amount numeric) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    moment constant timestamptz := clock_timestamp();
    today constant date := (moment at time zone 'UTC')::date;
    begins constant timestamptz := tenant_internal.period_start(m.period, moment);
    here constant smallint := pg_backend_pid() % 16;
    q record;
    mine tenant.usage;
begin
    select * into q from tenant_internal.quota_of(id, m.meter);
    if amount > q.hard then
        perform tenant_internal.refuse_usage(id, m, q.hard, 0, amount);
    elsif amount > q.soft then
        perform tenant_internal.warn_of_usage(id, m, begins, q.soft, amount);
    end if;
    insert into tenant.usage (tenant_id, meter, period_start, stripe, used, granted, hard, soft, day, on_day, at)
        values (id, m.meter, begins, here, amount, 'Infinity', q.hard, q.soft, today, amount, moment)
        on conflict on constraint usage_pkey do nothing;
    if found then
        return;
    end if;
    select * into mine from tenant.usage u
        where (u.tenant_id, u.meter, u.period_start, u.stripe) = (id, m.meter, begins, here) for no key update;
    if mine.day < today then
        perform tenant_internal.add_day(id, m, mine.day, here, mine.on_day, mine.at);
    elsif m.aggregation = 'max' and amount <= mine.on_day then
        return;
    end if;
    update tenant.usage u set at = moment, day = today,
            used = case m.aggregation when 'max' then greatest(u.used, amount) else amount end,
            on_day = case when m.aggregation = 'max' and mine.day = today then greatest(u.on_day, amount) else amount end
        where (u.tenant_id, u.meter, u.period_start, u.stripe) = (id, m.meter, begins, here);
end
$$;
revoke all on function tenant_internal.keep_amount(text, tenant.meters, numeric) from public;

create function tenant_internal.consume(id text, meter text, amount numeric, out used numeric, out "limit" numeric, out remaining numeric, out resets_at timestamptz)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    m constant tenant.meters := tenant_internal.require_meter(meter);
    begins timestamptz;
begin
    if m.relation is not null or amount is null or amount < 0 or amount in ('NaN', 'Infinity') then
        raise exception using
            errcode = 'TN172',
            message = format('%s of meter "%s" cannot be consumed', coalesce(amount::text, 'null'), m.meter),
            detail = case when m.relation is not null then format('It counts the rows of %s.', m.relation) else 'An amount is a number from 0 on.' end,
            hint = case when m.relation is not null then 'Insert and delete rows.' else 'What was consumed is not given back but by a rollback.' end;
    end if;
    if m.aggregation <> 'sum' then
        perform tenant_internal.keep_amount(id, m, amount);
    elsif amount > 0 then
        perform tenant_internal.count(id, m, amount);
    end if;
    begins := tenant_internal.period_start(m.period, clock_timestamp());
    select case m.aggregation when 'sum' then sum(u.used) when 'max' then max(u.used) else (array_agg(u.used order by u.at desc))[1] end
        into used from tenant.usage u where (u.tenant_id, u.meter, u.period_start) = (id, m.meter, begins);
    used := trim_scale(coalesce(used, 0));
    select nullif(q.hard, 'Infinity') into "limit" from tenant_internal.quota_of(id, m.meter) q;
    remaining := trim_scale(greatest("limit" - used, 0));
    resets_at := nullif(tenant_internal.period_end(m.period, begins), 'infinity');
end
$$;
revoke all on function tenant_internal.consume(text, text, numeric) from public;

-- The tenant is that of the transaction, never a parameter.
create function tenant.consume(meter text, amount numeric default 1)
    returns table (used numeric, "limit" numeric, remaining numeric, resets_at timestamptz)
    language plpgsql volatile security definer rows 1 set search_path = pg_catalog, pg_temp as $$
declare
    here constant text := tenant.current_id();
begin
    if here is null then
        raise exception using
            errcode = 'TN001',
            message = 'no tenant: what is consumed is a tenant''s',
            detail = 'The transaction has not entered a tenant.',
            hint = 'Enter one first: select tenant.enter(''<id>''); operators: select tenant.consume_for(''<id>'', ''<meter>'');';
    end if;
    return query select c.used, c."limit", c.remaining, c.resets_at from tenant_internal.consume(here, meter, amount) c;
end
$$;
comment on function tenant.consume is 'Counts an amount of the meter for the transaction''s tenant, if the transaction commits; gives what is used as far as this transaction sees, the limit, what remains, and when it resets (null: no limit, never). TN171 over the limit, TN170 no such meter, TN172 an amount below 0 or a meter that counts rows, TN001 with no tenant; warns (TN173) when a soft limit is passed, once in a period.';
revoke all on function tenant.consume(text, numeric) from public;
grant execute on function tenant.consume(text, numeric) to tenant_user, tenant_system;

create function tenant.consume_for(id text, meter text, amount numeric default 1)
    returns table (used numeric, "limit" numeric, remaining numeric, resets_at timestamptz)
    language plpgsql volatile security definer rows 1 set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
begin
    if tenant.current_id() <> canonical then
        raise exception using
            errcode = 'TN005',
            message = format('tenant "%s" is entered: nothing is consumed for tenant "%s"', tenant.current_id(), canonical),
            detail = 'A tenant''s transaction changes no line of another one.',
            hint = 'Call it outside of a tenant.';
    end if;
    perform tenant_internal.require_known(canonical);
    return query select c.used, c."limit", c.remaining, c.resets_at from tenant_internal.consume(canonical, meter, amount) c;
end
$$;
comment on function tenant.consume_for(text, text, numeric) is 'As tenant.consume(), for the tenant that is named: for operators and the system context. TN002 no such tenant, TN005 in another tenant''s transaction.';
revoke all on function tenant.consume_for(text, text, numeric) from public;
grant execute on function tenant.consume_for(text, text, numeric) to tenant_admin, tenant_system;

create function tenant.consume_for(id uuid, meter text, amount numeric default 1)
    returns table (used numeric, "limit" numeric, remaining numeric, resets_at timestamptz) language sql rows 1
    begin atomic select c.used, c."limit", c.remaining, c.resets_at from tenant.consume_for(id::text, meter, amount) c; end;
revoke all on function tenant.consume_for(uuid, text, numeric) from public;
grant execute on function tenant.consume_for(uuid, text, numeric) to tenant_admin, tenant_system;

create function tenant.consume_for(id bigint, meter text, amount numeric default 1)
    returns table (used numeric, "limit" numeric, remaining numeric, resets_at timestamptz) language sql rows 1
    begin atomic select c.used, c."limit", c.remaining, c.resets_at from tenant.consume_for(id::text, meter, amount) c; end;
revoke all on function tenant.consume_for(bigint, text, numeric) from public;
grant execute on function tenant.consume_for(bigint, text, numeric) to tenant_admin, tenant_system;
