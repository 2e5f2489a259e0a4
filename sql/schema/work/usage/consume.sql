-- Consuming, by tenants and for them.

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
