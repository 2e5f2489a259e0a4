-- Consuming: an amount is counted once with its transaction, and never beyond the limit, without one row that all
-- transactions of a tenant wait for.
--
-- A meter's amount in a period is the sum of 16 stripes. Each has been granted a part of what is left, and
--   (1) in each stripe used <= granted, which is a CHECK;
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

-- With all rows of the tenant's period in hand: refuses, or consumes and makes parts of what is left. It turns the
-- guards off for an advisory lock. Its key is none of tenant.advisory_lock(), which are made of a tenant id: none has a
-- space.
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
    perform pg_advisory_xact_lock(('x' || left(encode(sha256(convert_to('pg_tenant usage/' || m.meter || '/' || id, 'UTF8')), 'hex'), 16))::bit(64)::bigint);
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
    -- Beyond the limit a part is what is used, and that becomes less when rows are deleted: it is a part of no limit.
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
