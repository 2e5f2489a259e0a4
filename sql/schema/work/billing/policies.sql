-- What follows from time: ticks and policies; grace, old payloads, and what the tenant itself sees.

create function tenant.billing_tick(batch integer default 100) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    moment constant timestamptz := clock_timestamp();
    pause constant interval := '5 min';
    one text;
    done bigint := 0;
begin
    for one in select s.tenant_id from tenant.subscriptions s join tenant.tenants t on t.id = s.tenant_id
            where (s.next_at <= moment or s.missing_plan in (select p.plan from tenant.plans p))
                and (s.problem_at is null or s.problem_at <= moment - pause)
            order by s.next_at, s.tenant_id limit greatest(batch, 1) for no key update of t skip locked loop
        -- One of which nothing can be done now keeps the others from nothing, and is tried again after the pause.
        begin
            perform tenant_internal.bill(one, clock_timestamp());
        exception when others then
            if sqlstate in ('40001', '40P01', '55P03') then
                raise;
            end if;
            raise warning using message = format('billing tenant "%s" has failed: %s', one, sqlerrm), errcode = sqlstate;
            perform tenant_internal.lock_billing();
            update tenant.subscriptions s set problem = left(sqlstate || ': ' || sqlerrm, 1000), problem_at = clock_timestamp() where s.tenant_id = one;
        end;
        done := done + 1;
    end loop;
    return done;
end
$$;
comment on function tenant.billing_tick is 'Does what follows from time alone: what was not paid in time becomes past due, then read-only, then suspended; what was cancelled ends. Gives how many tenants it has looked at; to be called until that is 0, every few minutes. Any number of sessions may.';
revoke all on function tenant.billing_tick(integer) from public;
grant execute on function tenant.billing_tick(integer) to tenant_billing, tenant_admin;

create function tenant.set_billing_policy(plan text, grace interval default '7 days', read_only_for interval default '14 days',
    after_end text default 'suspended', end_plan text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    why text;
begin
    why := case when coalesce(grace < interval '0' or read_only_for < interval '0', true) then 'A time is below 0, or null.'
        when coalesce(after_end not in ('full', 'read_only', 'suspended'), true) then 'What is left after the end is none of full, read_only, suspended.'
        when set_billing_policy.plan is null then 'It is of no plan; '''' is for all that have none.'
        when set_billing_policy.plan <> '' and not exists (select from tenant.plans p where p.plan = set_billing_policy.plan) then 'There is no such plan.'
        when end_plan is not null and not exists (select from tenant.plans p where p.plan = set_billing_policy.end_plan) then 'There is no such plan to fall back to.' end;
    if why is not null then
        perform tenant_internal.refuse_billing('TN178', 'there can be no such billing policy', why, 'select tenant.set_billing_policy(''<plan>'', ''7 days'', ''14 days'');');
    end if;
    perform tenant_internal.lock_billing(alone => true);
    insert into tenant.billing_policies as p values (set_billing_policy.plan, set_billing_policy.grace, set_billing_policy.read_only_for,
            set_billing_policy.after_end, set_billing_policy.end_plan, now())
        on conflict on constraint billing_policies_pkey do update set grace = excluded.grace, read_only_for = excluded.read_only_for,
            after_end = excluded.after_end, end_plan = excluded.end_plan, changed_at = excluded.changed_at;
    -- The next tick goes through its tenants.
    update tenant.subscriptions s set next_at = now() where s.plan = set_billing_policy.plan or set_billing_policy.plan = '';
    perform tenant_internal.write_journal('set_billing_policy', set_billing_policy.plan, null,
        jsonb_build_object('grace', grace, 'read_only_for', read_only_for, 'after_end', after_end, 'end_plan', end_plan));
end
$$;
comment on function tenant.set_billing_policy is 'What happens to tenants of the plan that do not pay: they go on for the grace, are read-only for a time, and suspended then; and after their subscription''s end, unless there is a plan they fall back to. In force with the next tenant.billing_tick(). TN178 malformed.';
revoke all on function tenant.set_billing_policy(text, interval, interval, text, text) from public;
grant execute on function tenant.set_billing_policy(text, interval, interval, text, text) to tenant_admin;

create function tenant.give_billing_grace(id text, until timestamptz, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_known(canonical), tenant_internal.require_reason(reason);
    perform from tenant.tenants t where t.id = canonical for no key update;
    perform tenant_internal.lock_billing();
    insert into tenant.subscriptions as s (tenant_id, grace_until, plan_before, given_plan)
        select t.id, until, t.plan, t.plan from tenant.tenants t where t.id = canonical
        on conflict on constraint subscriptions_pkey do update set grace_until = excluded.grace_until;
    perform tenant_internal.bill(canonical, clock_timestamp());
    perform tenant_internal.write_journal('give_billing_grace', coalesce(until::text, 'none'), reason, null, canonical);
end
$$;
comment on function tenant.give_billing_grace(text, timestamptz, text) is 'The tenant goes on until then, whatever was paid; null takes that back. TN002 no such tenant, TN029 without a reason.';
revoke all on function tenant.give_billing_grace(text, timestamptz, text) from public;
grant execute on function tenant.give_billing_grace(text, timestamptz, text) to tenant_admin;

create function tenant.give_billing_grace(id uuid, until timestamptz, reason text) returns void language sql
    begin atomic select tenant.give_billing_grace(id::text, until, reason); end;
revoke all on function tenant.give_billing_grace(uuid, timestamptz, text) from public;
grant execute on function tenant.give_billing_grace(uuid, timestamptz, text) to tenant_admin;

create function tenant.give_billing_grace(id bigint, until timestamptz, reason text) returns void language sql
    begin atomic select tenant.give_billing_grace(id::text, until, reason); end;
revoke all on function tenant.give_billing_grace(bigint, timestamptz, text) from public;
grant execute on function tenant.give_billing_grace(bigint, timestamptz, text) to tenant_admin;

create function tenant.prune_billing_events(older_than interval default '2 years', batch integer default 10000) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    pruned bigint;
begin
    if coalesce(older_than < interval '1 day', true) then
        perform tenant_internal.refuse_billing('TN178', 'billing events cannot be pruned so early',
            'Providers send again for days what was not answered, and it is compared with what came first.', 'Keep them for a day at least.');
    end if;
    update tenant.billing_events e set payload = tenant_internal.billing_facts(e.payload), pruned_at = now()
        -- An array, which is made once: a join might run the limit anew for each row.
        where e.ctid = any (array(select o.ctid from tenant.billing_events o
            where o.pruned_at is null and o.received_at < now() - older_than
            order by o.received_at limit greatest(batch, 1) for update skip locked));
    get diagnostics pruned = row_count;
    return pruned;
end
$$;
comment on function tenant.prune_billing_events is 'Drops the payloads of events that came before that, but for what the state follows from; the events stay, so that none is applied twice. Gives how many; to be called until that is 0. TN178 for less than a day.';
revoke all on function tenant.prune_billing_events(interval, integer) from public;
grant execute on function tenant.prune_billing_events(interval, integer) to tenant_billing, tenant_admin;

-- The tenant is that of the transaction, never a parameter.
create function tenant.own_subscription() returns table (plan text, status text, paid_until timestamptz, past_due_since timestamptz,
    cancel_at timestamptz, ended_at timestamptz, access text, next_at timestamptz)
    language sql stable security definer rows 1 set search_path = pg_catalog, pg_temp as $$
    select s.plan, s.status, s.paid_until, s.past_due_since, s.cancel_at, s.ended_at, s.access, s.next_at
    from tenant.subscriptions s where s.tenant_id = tenant.current_id()
$$;
comment on function tenant.own_subscription is 'What the transaction''s tenant has subscribed to, until when it is paid, what it may do, and when that changes with time alone; no row with no tenant.';
revoke all on function tenant.own_subscription() from public;
grant execute on function tenant.own_subscription() to tenant_user;
