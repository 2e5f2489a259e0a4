-- What a worker calls first: it claims jobs, fairly between tenants, and learns no more than where they are to be done.

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

create function tenant.claim_jobs(worker text, lanes text[] default null, kinds text[] default null, at_most integer default 1,
    lease interval default '1 min')
    returns table (id bigint, tenant_id text, kind text, attempt integer, lane text, time_limit interval, trace text, reason text)
    language plpgsql security definer set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    moment constant timestamptz := clock_timestamp();
    rest integer := at_most;
    l text;
    q record;
    share integer;
    round integer;
    taken integer;
    of_part integer;
    room integer;
    room_of_part integer;
    queues text[];
    tried text[];
    part text;
    parts text[];
    limited_kinds text[];
    full_kinds text[];
    has_more boolean;
    served double precision;
begin
    if tenant.current_id() is not null then
        raise exception using
            errcode = 'TN162',
            message = 'jobs are not claimed inside a tenant',
            detail = format('The transaction has entered tenant "%s", and a claim tells which tenants have jobs.', tenant.current_id()),
            hint = 'Claim in a transaction of its own, then enter the job''s tenant.';
    elsif coalesce(btrim(worker), '') = '' or length(worker) > 200 then
        perform tenant_internal.refuse_job('a worker has a name', 'It stands beside what the worker has claimed.',
            'Name host and process, as in worker-3:4711; up to 200 characters.');
    elsif at_most is null or at_most not between 1 and 1000 then
        perform tenant_internal.refuse_job(format('cannot claim %s jobs', coalesce(at_most::text, 'null')),
            'Others wait for what one has claimed.', 'Claim as many as there are hands free: 1 to 1000.');
    elsif lease is null or lease not between interval '1 s' and interval '1 day' then
        perform tenant_internal.refuse_job(format('jobs cannot be claimed for %s', coalesce(lease::text, 'null')),
            'When that is over, others get them.', 'A lease stands between 1 second and 1 day.');
    end if;
    perform tenant_internal.require_plain('the worker''s name', worker);
    select k.limited_kinds, k.full_kinds into limited_kinds, full_kinds from tenant_internal.lock_limited_kinds() k;
    if limited_kinds <> '{}' then
        perform tenant_internal.require_latest_snapshots('a kind with a limit');
    end if;
    perform tenant_internal.tend_jobs(moment);
    lanes := coalesce(lanes, tenant_internal.every_lane());
    foreach l in array lanes loop
        -- Whose turn it is. Where others have all of them at this moment, one is waited for.
        tried := '{}';
        loop
            queues := array(select s.tenant_id from tenant.job_queues s
                where s.lane = l and s.next_at <= moment and s.next_at < 'infinity' and not s.tenant_id = any (tried)
                order by s.virtual_time limit rest + cardinality(tried) for no key update skip locked);
            if queues = '{}' and rest = at_most and tried = '{}' then
                queues := array(select s.tenant_id from tenant.job_queues s
                    where s.lane = l and s.next_at <= moment and s.next_at < 'infinity'
                    order by s.virtual_time limit 1 for no key update);
            end if;
            exit when queues = '{}';
            tried := tried || queues;
            round := 0;
            while rest > 0 and queues <> '{}' loop
                round := round + 1;
                share := rest;
                for q in select s.*, sum(s.weight) over () as weights
                        from tenant_internal.shares_of(queues) s order by s.nth loop
                    exit when rest = 0;
                    taken := 0;
                    if q.may_work then
                        room := least(rest, greatest(1, (share * q.weight / q.weights)::integer));
                        if q.concurrency is not null then
                            perform tenant_internal.require_latest_snapshots('a tenant with a limit');
                            -- Its other lanes are counted by one claim at a time.
                            room := case when pg_try_advisory_xact_lock(hashtext('tenant.jobs'), hashtext(q.tenant_id)) then least(room, q.concurrency
                                - (select count(*) from tenant.jobs r where coalesce(r.tenant_id, '') = q.tenant_id and r.state = 'running')::integer)
                                else 0 end;
                        end if;
                        parts := case when limited_kinds = '{}' then array[''] else tenant_internal.parts_of_queue(l, q.tenant_id) end;
                        foreach part in array parts loop
                            continue when part <> '' and (part = any (full_kinds) or kinds is not null and not part = any (kinds));
                            room_of_part := least(room - taken, case when part <> '' then tenant_internal.kind_room(part, q.tenant_id) end);
                            continue when room_of_part <= 0;
                            return query select * from tenant_internal.claim_of_queue(l, q.tenant_id, part, kinds, room_of_part, worker, moment, lease);
                            get diagnostics of_part = row_count;
                            taken := taken + of_part;
                        end loop;
                    end if;
                    rest := rest - taken;
                    -- In the order of jobs_ready, or another index would be taken.
                    has_more := q.may_work and (select true from tenant.jobs r
                        where r.state = 'ready' and r.lane = l and coalesce(r.tenant_id, '') = q.tenant_id
                        order by r.part, r.priority, r.run_at, r.id limit 1) is not null;
                    if taken > 0 then
                        update tenant.job_queues s set virtual_time = s.virtual_time + taken / q.weight,
                                misses = case when has_more then 0 else 1 end
                            where s.lane = l and s.tenant_id = q.tenant_id returning s.virtual_time into served;
                    end if;
                    if taken = 0 or not has_more then
                        queues := array_remove(queues, q.tenant_id);
                    end if;
                    -- Nothing: it is looked at again, later and later, and then when a job is queued. Where its jobs
                    -- are not for this worker, or as many run as may, it does not save its turns for later.
                    if taken = 0 and has_more then
                        update tenant.job_queues s set misses = greatest(s.misses, 1), virtual_time = greatest(s.virtual_time, served)
                            where s.lane = l and s.tenant_id = q.tenant_id and (s.misses = 0 or s.virtual_time < served - 100);
                    elsif taken = 0 and round = 1 then
                        update tenant.job_queues s set misses = least(s.misses, 3) + 1,
                                next_at = case when s.misses >= 3 or not q.may_work then 'infinity' else moment + interval '100 ms' * power(2, s.misses) end
                            where s.lane = l and s.tenant_id = q.tenant_id;
                    end if;
                end loop;
            end loop;
            exit when rest = 0;
        end loop;
        exit when rest = 0;
    end loop;
end
$$;
comment on function tenant.claim_jobs is 'Claims jobs that can be done now for a worker, and tells tenant, kind and attempt of each. TN161 malformed, TN162 inside a tenant.';
revoke all on function tenant.claim_jobs(text, text[], text[], integer, interval) from public;
grant execute on function tenant.claim_jobs(text, text[], text[], integer, interval) to tenant_worker;

create function tenant.reap_jobs() returns bigint
    language sql security definer set search_path = pg_catalog, pg_temp
    return tenant_internal.reap_jobs(clock_timestamp(), 1000);
comment on function tenant.reap_jobs() is 'Gives back the jobs of workers that are gone, up to 1,000, and says how many; every claim does so, too.';
revoke all on function tenant.reap_jobs() from public;
grant execute on function tenant.reap_jobs() to tenant_worker, tenant_admin;
