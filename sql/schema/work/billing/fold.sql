-- What follows from the events. It is a function of which there are and of the time, and not of the order in which they
-- came: they are gone through anew, by (occurred_at, rank, provider, event_id), whenever one has come.

-- The subscriptions of a tenant, as its events have left them, and what came of each event.
create function tenant_internal.fold_billing(id text, out subscriptions jsonb, out as_of timestamptz)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    e record;
    s jsonb;
    key text;
    status text;
    since jsonb;
    because text;
    result text;
    -- A plan that is not there cannot be given: the one that was named before stays.
    missing text;
begin
    subscriptions := '{}';
    for e in select v.*, v.payload ->> 'status' as says, to_jsonb(v.occurred_at) as at from tenant.billing_events v
            where v.tenant_id = id
            order by v.occurred_at, tenant_internal.billing_rank(v.type, v.payload ->> 'status'), v.provider, v.event_id loop
        key := e.provider || '/' || coalesce(e.payload ->> 'subscription', '');
        s := coalesce(subscriptions -> key, jsonb_build_object('provider', e.provider, 'subscription', e.payload ->> 'subscription',
            'status', 'incomplete'));
        because := case
            when e.type not in ('subscription', 'subscription_ended', 'invoice_paid', 'payment_failed') then
                format('events of type %s change nothing', quote_literal(left(e.type, 80)))
            when e.payload ->> 'subscription' is null then 'it is of no subscription'
            when s ->> 'status' = 'ended' then format('the subscription ended on %s', s ->> 'ended_at')
            when e.type = 'payment_failed' and s ->> 'status' = 'incomplete' and not s ? 'plan' then
                'the subscription has not begun' end;
        missing := null;
        result := case when because is null then 'applied' else 'ignored' end;
        if because is null then
            missing := e.payload ->> 'plan';
            if exists (select from tenant.plans p where p.plan = missing) then
                missing := null;
            end if;
            as_of := e.occurred_at;
            status := case e.type when 'subscription' then e.says when 'subscription_ended' then 'ended'
                when 'invoice_paid' then 'active' when 'payment_failed' then 'past_due' end;
            -- A trial's invoice over nothing does not end the trial.
            if e.type = 'invoice_paid' and s ->> 'status' in ('trialing', 'paused') then
                status := s ->> 'status';
            end if;
            since := case when status = 'past_due' then coalesce(s -> 'past_due_since', e.at) end;
            s := s || jsonb_strip_nulls(jsonb_build_object('status', status, 'plan', case when missing is null then e.payload ->> 'plan' end,
                'ended_at', case when status = 'ended' then coalesce(to_jsonb(tenant_internal.billing_time(e.payload -> 'ended_at')), e.at) end));
            s := case when since is null then s - 'past_due_since' else jsonb_set(s, '{past_due_since}', since) end;
            if e.payload ->> 'plan' is not null then
                s := s - 'missing' || jsonb_strip_nulls(jsonb_build_object('missing', missing));
            end if;
            if e.type = 'subscription' then
                s := s - 'cancel_at' || jsonb_strip_nulls(jsonb_build_object('cancel_at', tenant_internal.billing_time(e.payload -> 'cancel_at')));
            end if;
            if status in ('active', 'trialing') and tenant_internal.billing_time(e.payload -> 'paid_until') is not null then
                s := s || jsonb_build_object('paid_until', case e.type
                    when 'subscription' then tenant_internal.billing_time(e.payload -> 'paid_until')
                    else greatest((s ->> 'paid_until')::timestamptz, tenant_internal.billing_time(e.payload -> 'paid_until')) end);
            end if;
            subscriptions := subscriptions || jsonb_build_object(key, s);
        end if;
        because := coalesce(because, format('there is no plan "%s": the tenant keeps the one before', left(missing, 80)));
        update tenant.billing_events v set outcome = result, why = because,
                applied_at = coalesce(v.applied_at, clock_timestamp())
            where (v.provider, v.event_id) = (e.provider, e.event_id)
                and (v.outcome, v.why) is distinct from (result, because);
    end loop;
end
$$;
revoke all on function tenant_internal.fold_billing(text) from public;

-- One subscription at a time: what the tenant may do by it, and when that changes.
create function tenant_internal.billing_access(s jsonb, moment timestamptz, out access text, out state text, out since timestamptz,
    out ended timestamptz, out next_at timestamptz)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    p tenant.billing_policies;
    paid_until constant timestamptz := (s ->> 'paid_until')::timestamptz;
    cancel_at constant timestamptz := (s ->> 'cancel_at')::timestamptz;
begin
    select * into p from tenant.billing_policies b where b.plan in (s ->> 'plan', '') order by b.plan desc limit 1;
    if not found then
        p.grace := interval '7 days'; p.read_only_for := interval '14 days'; p.after_end := 'suspended';
    end if;
    state := s ->> 'status';
    ended := least((s ->> 'ended_at')::timestamptz, cancel_at);
    if state = 'incomplete' then
        access := 'none';
    elsif ended <= moment then
        state := 'ended';
        access := case when p.end_plan is not null then 'full' else p.after_end end;
    elsif state = 'ended' then
        -- It was said that it ends, at a time to come.
        state := 'active';
        access := 'full';
    elsif state = 'paused' then
        access := 'read_only';
    else
        -- What was not renewed is past due, whether or not the provider has said so.
        since := least((s ->> 'past_due_since')::timestamptz, case when paid_until <= moment then paid_until end);
        if since is null then
            access := 'full';
            next_at := paid_until;
        else
            state := 'past_due';
            access := case when moment < since + p.grace then 'full' when moment < since + p.grace + p.read_only_for then 'read_only' else 'suspended' end;
            next_at := case when moment < since + p.grace then since + p.grace
                when moment < since + p.grace + p.read_only_for then since + p.grace + p.read_only_for end;
        end if;
    end if;
    if ended > moment then
        next_at := least(next_at, ended);
    else
        ended := case when state = 'ended' then ended end;
    end if;
end
$$;
revoke all on function tenant_internal.billing_access(jsonb, timestamptz) from public;

-- Puts the tenant into the state that follows at this time, and gives it the plan. Whoever calls it holds no other
-- tenant's row: the tenant's is locked first, as by whoever changes its state.
create function tenant_internal.bill(id text, moment timestamptz) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    t tenant.tenants;
    s tenant.subscriptions;
    f record;
    best record;
    wanted_plan text;
    wanted text;
begin
    select * into t from tenant.tenants n where n.id = bill.id for no key update;
    if not found or t.status = 'purged' then
        update tenant.billing_events e set outcome = 'ignored', why = 'the tenant was purged', payload = '{}' where e.tenant_id = bill.id;
        return;
    end if;
    perform tenant_internal.lock_billing();
    insert into tenant.subscriptions (tenant_id, plan_before, given_plan) values (bill.id, t.plan, t.plan) on conflict do nothing;
    select * into s from tenant.subscriptions c where c.tenant_id = bill.id for update;
    select * into f from tenant_internal.fold_billing(bill.id);
    -- The one that lets it do most; of those, the one of the higher plan.
    select c.value as s, a.* into best from jsonb_each(f.subscriptions) c cross join lateral tenant_internal.billing_access(c.value, moment) a
        left join tenant.plans p on p.plan = c.value ->> 'plan'
        order by a.access = 'none', a.state = 'ended', array_position(array['full', 'read_only', 'suspended'], a.access),
            a.state = 'past_due', p.rank desc nulls last, a.ended desc nulls first, c.key limit 1;
    update tenant.subscriptions c set provider = best.s ->> 'provider', subscription_id = best.s ->> 'subscription', plan = best.s ->> 'plan',
            status = coalesce(best.state, 'none'), paid_until = (best.s ->> 'paid_until')::timestamptz, past_due_since = best.since,
            cancel_at = (best.s ->> 'cancel_at')::timestamptz, ended_at = best.ended,
            access = case when c.grace_until > moment then 'full' else replace(coalesce(best.access, 'full'), 'none', 'full') end,
            next_at = (select min(n) from (select a.next_at from jsonb_each(f.subscriptions) v cross join lateral tenant_internal.billing_access(v.value, moment) a
                union all select c.grace_until where c.grace_until > moment) m (n)),
            missing_plan = (select min(v.value ->> 'missing') from jsonb_each(f.subscriptions) v where v.value ->> 'status' <> 'ended'),
            as_of = f.as_of, problem = null, problem_at = null, changed_at = now()
        where c.tenant_id = bill.id returning * into s;
    wanted_plan := case when s.status in ('none', 'incomplete') then s.plan_before
        when s.status = 'ended' then coalesce((select b.end_plan from tenant.billing_policies b where b.plan in (s.plan, '')
            order by b.plan desc limit 1), s.plan, s.plan_before)
        -- Of what was paid before anything was said of a subscription nobody knows the plan.
        else coalesce(s.plan, s.plan_before) end;
    if wanted_plan is distinct from s.given_plan then
        perform tenant_internal.give_reason('billing: the subscription''s plan');
        update tenant.tenants n set plan = wanted_plan where n.id = bill.id and n.plan is distinct from wanted_plan;
        update tenant.subscriptions c set given_plan = wanted_plan where c.tenant_id = bill.id;
    end if;
    -- What an operator has put it in stays: only what billing holds is given back.
    wanted := case
        when t.status not in ('active', 'read_only', 'suspended') then t.status
        when s.access = 'full' then case when s.held is not null then s.held_from else t.status end
        when s.held is null and (t.status = 'suspended' or t.status = 'read_only' and s.access = 'read_only') then t.status
        when s.held_from = 'read_only' and s.access = 'read_only' then 'read_only'
        else s.access end;
    if wanted <> t.status then
        perform tenant_internal.give_reason(format('billing: %s', case when s.access = 'full' then 'paid' when s.status = 'past_due'
            then format('past due since %s', s.past_due_since) else s.status end));
        update tenant.tenants n set status = wanted where n.id = bill.id;
        -- The trigger has let go of it.
        if s.access <> 'full' and wanted <> coalesce(s.held_from, t.status) then
            update tenant.subscriptions c set held = wanted, held_from = coalesce(s.held_from, t.status) where c.tenant_id = bill.id;
        end if;
    end if;
end
$$;
revoke all on function tenant_internal.bill(text, timestamptz) from public;
