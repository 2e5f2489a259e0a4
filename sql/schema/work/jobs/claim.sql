-- What a worker calls first: it claims jobs, fairly between tenants, and learns no more than where they are to be done.

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
    at_once text[];
    rooms integer[];
    weights double precision[];
    given text[];
begin
    if tenant.current_id() is not null then
        raise exception using
            errcode = 'TN162',
            message = 'jobs are not claimed inside a tenant',
            detail = format('The transaction has entered tenant "%s", and a claim tells which tenants have jobs.', tenant.current_id()),
            hint = 'Claim in a transaction of its own, then enter the job''s tenant.';
    elsif at_most is null or at_most not between 1 and 1000 then
        perform tenant_internal.refuse_job(format('cannot claim %s jobs', coalesce(at_most::text, 'null')),
            'Others wait for what one has claimed.', 'Claim as many as there are hands free: 1 to 1000.');
    end if;
    perform tenant_internal.check_lease('TN161', 'a job', lease), tenant_internal.check_worker('TN161', worker);
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
                -- Any of those whose turn is near: not all who wait wait for the same one.
                queues := array(select s.tenant_id from tenant.job_queues s
                    where s.lane = l and s.next_at <= moment and s.next_at < 'infinity' and s.tenant_id = (select n.tenant_id
                        from (select w.tenant_id from tenant.job_queues w
                            where w.lane = l and w.next_at <= moment and w.next_at < 'infinity' order by w.virtual_time limit 16) n
                        order by random() limit 1)
                    for no key update);
            end if;
            exit when queues = '{}';
            tried := tried || queues;
            round := 0;
            given := '{}';
            -- Those without limits at once, the others one after the other.
            if limited_kinds = '{}' then
                select array_agg(g.tenant_id order by g.nth), array_agg(g.room order by g.nth), array_agg(g.weight order by g.nth)
                    into at_once, rooms, weights
                from (select s.tenant_id, s.nth, s.weight, least(s.room, rest - sum(s.room) over (order by s.nth) + s.room)::integer as room
                    from (select o.*, greatest(1, (rest * o.weight / sum(o.weight) over ())::integer) as room from tenant_internal.shares_of(queues) o) s
                    where s.may_work and s.concurrency is null) g
                where g.room > 0;
                for q in select * from tenant_internal.claim_of_queues(l, at_once, rooms, weights, kinds, worker, moment, lease) c
                        where at_once is not null loop
                    id := q.id; tenant_id := q.tenant_id; kind := q.kind; attempt := q.attempt;
                    lane := q.lane; time_limit := q.time_limit; trace := q.trace; reason := q.reason;
                    return next;
                    rest := rest - 1;
                    served := q.served;
                    given := given || coalesce(q.tenant_id, '');
                    if not q.has_more then
                        queues := array_remove(queues, coalesce(q.tenant_id, ''));
                    end if;
                end loop;
            end if;
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
                    elsif taken = 0 and round = 1 and not q.tenant_id = any (given) then
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
