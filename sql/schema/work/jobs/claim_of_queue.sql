-- What a claim is made of: which queues and parts there are, how much of each may run, and taking it.

-- A share of the jobs of one queue: of kinds without limits, or of the kind that is named as the part. Only the index
-- jobs_ready gives them without looking at the rest of the queue; what the planner knows of a table that fills and
-- empties would choose others, hence the settings of tenant.claim_jobs. A worker of few kinds steps over the others of
-- its lanes: lanes keep them apart.
create function tenant_internal.claim_of_queue(of_lane text, queue_of text, part text, kinds text[], at_most integer, worker text,
    moment timestamptz, lease interval)
    returns table (id bigint, tenant_id text, kind text, attempt integer, lane text, time_limit interval, trace text, reason text)
    language plpgsql rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    -- An array, since the number of those picked is known to nobody who plans.
    return query with claimed as (
        update tenant.jobs j set state = 'running', attempt = j.attempt + 1, tries = j.tries + 1, lease_until = moment + lease,
                worker = claim_of_queue.worker
            where j.id = any (array(select p.id from tenant.jobs p
                where p.state = 'ready' and p.lane = of_lane and coalesce(p.tenant_id, '') = queue_of and p.part = claim_of_queue.part
                    and (kinds is null or p.kind = any (kinds))
                order by p.priority, p.run_at, p.id limit at_most for no key update skip locked))
            returning j.id, j.tenant_id, j.kind, j.attempt, j.lane, j.trace, j.reason
    )
    select c.id, c.tenant_id, c.kind, c.attempt, c.lane, (select k.time_limit from tenant.job_kinds k where k.kind = c.kind), c.trace, c.reason
        from claimed c;
end
$$;
revoke all on function tenant_internal.claim_of_queue(text, text, text, text[], integer, text, timestamptz, interval) from public;

-- The same of several queues without limits, of each as many as its room, and what it has cost them, in one statement:
-- one for each queue takes longer than all the rest of a claim. Whether a queue has more is as the statement has found
-- it: these are still among them.
create function tenant_internal.claim_of_queues(of_lane text, queues text[], rooms integer[], weights double precision[], kinds text[],
    worker text, moment timestamptz, lease interval)
    returns table (id bigint, tenant_id text, kind text, attempt integer, lane text, time_limit interval, trace text, reason text,
        has_more boolean, served double precision)
    language plpgsql rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query with claimed as (
        update tenant.jobs j set state = 'running', attempt = j.attempt + 1, tries = j.tries + 1, lease_until = moment + lease,
                worker = claim_of_queues.worker
            where j.id = any (array(select p.id from unnest(queues, rooms) u (queue, room) cross join lateral (
                select o.id from tenant.jobs o
                    where o.state = 'ready' and o.lane = of_lane and coalesce(o.tenant_id, '') = u.queue and o.part = ''
                        and (kinds is null or o.kind = any (kinds))
                    order by o.priority, o.run_at, o.id limit u.room for no key update skip locked) p))
            returning j.id, j.tenant_id, j.kind, j.attempt, j.lane, j.trace, j.reason
    ), taken as (
        select coalesce(c.tenant_id, '') as queue, count(*) as jobs from claimed c group by 1
    ), left_of as materialized (
        select t.queue, t.jobs, u.weight, (select true from tenant.jobs r
                where r.state = 'ready' and r.lane = of_lane and coalesce(r.tenant_id, '') = t.queue
                order by r.part, r.priority, r.run_at, r.id offset t.jobs limit 1) is not null as has_more
            from taken t join unnest(queues, weights) u (queue, weight) using (queue)
    ), served as (
        update tenant.job_queues s set virtual_time = s.virtual_time + l.jobs / l.weight, misses = case when l.has_more then 0 else 1 end
            from left_of l where s.lane = of_lane and s.tenant_id = l.queue returning l.queue, l.has_more, s.virtual_time
    )
    select c.id, c.tenant_id, c.kind, c.attempt, c.lane, (select k.time_limit from tenant.job_kinds k where k.kind = c.kind), c.trace, c.reason,
            s.has_more, s.virtual_time
        from claimed c join served s on s.queue = coalesce(c.tenant_id, '');
end
$$;
revoke all on function tenant_internal.claim_of_queues(text, text[], integer[], double precision[], text[], text, timestamptz, interval) from public;

-- The lanes that there are, in any order, so that none is always the last.
create function tenant_internal.every_lane() returns text[]
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    return (with recursive l (lane) as (
        (select q.lane from tenant.job_queues q order by q.lane limit 1)
        union all
        select (select q.lane from tenant.job_queues q where q.lane > l.lane order by q.lane limit 1) from l where l.lane is not null
    )
    select coalesce(array_agg(l.lane order by random()) filter (where l.lane is not null), '{}') from l);
end
$$;
revoke all on function tenant_internal.every_lane() from public;

-- The parts of a queue that have jobs, the one with the next job first.
create function tenant_internal.parts_of_queue(lane text, queue_of text) returns text[]
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    return (with recursive p as (
        (select j.part, j.priority, j.run_at, j.id from tenant.jobs j
            where j.state = 'ready' and j.lane = parts_of_queue.lane and coalesce(j.tenant_id, '') = queue_of
            order by j.part, j.priority, j.run_at, j.id limit 1)
        union all
        select n.* from p cross join lateral (select j.part, j.priority, j.run_at, j.id from tenant.jobs j
            where j.state = 'ready' and j.lane = parts_of_queue.lane and coalesce(j.tenant_id, '') = queue_of and j.part > p.part
            order by j.part, j.priority, j.run_at, j.id limit 1) n
    )
    select coalesce(array_agg(p.part order by p.priority, p.run_at, p.id), '{}') from p);
end
$$;
revoke all on function tenant_internal.parts_of_queue(text, text) from public;

-- Locks the kinds that have limits, and gives them all, and those that another claim counts at this moment: of these
-- none is claimed.
create function tenant_internal.lock_limited_kinds(out limited_kinds text[], out full_kinds text[])
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    held text[];
begin
    limited_kinds := array(select k.kind from tenant.job_kinds k where k.has_part);
    full_kinds := '{}';
    if limited_kinds <> '{}' then
        held := array(select k.kind from tenant.job_kinds k where k.has_part for no key update skip locked);
        full_kinds := array(select k from unnest(limited_kinds) k where not k = any (held));
    end if;
end
$$;
revoke all on function tenant_internal.lock_limited_kinds() from public;

-- How many more of this kind the tenant may have.
create function tenant_internal.kind_room(kind text, queue_of text) returns integer
    language sql volatile set search_path = pg_catalog, pg_temp
    return (select least(coalesce(k.concurrency, 1000) - case when k.concurrency is null then 0 else
                (select count(*) from tenant.jobs j where j.state = 'running' and j.kind = k.kind) end,
            coalesce(k.tenant_concurrency, 1000) - case when k.tenant_concurrency is null then 0 else
                (select count(*) from tenant.jobs j where j.state = 'running' and coalesce(j.tenant_id, '') = queue_of and j.kind = k.kind) end)::integer
        from tenant.job_kinds k where k.kind = kind_room.kind);
revoke all on function tenant_internal.kind_room(text, text) from public;

-- Whether these tenants' jobs are done now, and how large their shares are: their own, or their plans'. In PL/pgSQL,
-- like all that a claim calls, since it keeps its plans.
create function tenant_internal.shares_of(queues text[])
    returns table (tenant_id text, nth bigint, may_work boolean, weight double precision, concurrency integer)
    language plpgsql volatile rows 10 set search_path = pg_catalog, pg_temp as $$
begin
    return query select s.tenant_id, s.nth, s.tenant_id = '' or coalesce(t.status = 'active', false),
        greatest(0.01, least(1000, coalesce(w.weight, case when jsonb_typeof(p.quotas -> 'job_weight') = 'number'
            then (p.quotas ->> 'job_weight')::double precision end, 1))),
        coalesce(w.concurrency, case when jsonb_typeof(p.quotas -> 'job_concurrency') = 'number'
            then greatest(0, least(1000000, (p.quotas ->> 'job_concurrency')::double precision))::integer end)
    from unnest(queues) with ordinality s (tenant_id, nth)
    left join tenant.tenants t on t.id = s.tenant_id left join tenant.plans p using (plan)
    left join tenant.job_weights w on w.tenant_id = s.tenant_id;
end
$$;
revoke all on function tenant_internal.shares_of(text[]) from public;

-- What runs is counted behind a lock; an older snapshot would count what ran before.
create function tenant_internal.require_latest_snapshots(of_what text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        perform tenant_internal.refuse_job(format('%s is not claimed in a transaction that is %s', of_what, current_setting('transaction_isolation')),
            'Only so many run at once, and it does not see how many do.', 'Claim with: begin isolation level read committed;');
    end if;
end
$$;
revoke all on function tenant_internal.require_latest_snapshots(text) from public;
