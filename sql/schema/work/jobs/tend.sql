-- What is done on the side by those who claim, one at a time: jobs whose workers are gone, jobs whose time has come,
-- queues that have jobs again.

-- The state of a job whose attempt came to nothing.
create function tenant_internal.after_failure(tries integer, max_attempts integer) returns text
    language sql immutable set search_path = pg_catalog, pg_temp
    return case when tries >= max_attempts then 'dead' else 'failed' end;
revoke all on function tenant_internal.after_failure(integer, integer) from public;

-- The pause before the next attempt: it doubles, and is up to a quarter shorter, by the job's id and its attempt, so
-- that jobs that failed together do not come back together.
create function tenant_internal.job_pause(kind text, id bigint, attempt integer, tries integer) returns interval
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    k tenant.job_kinds;
    least_pause constant interval := '10 s';
    most constant interval := '1 h';
begin
    select * into k from tenant.job_kinds d where d.kind = job_pause.kind;
    return least(coalesce(k.backoff, least_pause) * power(2, least(greatest(tries, 1) - 1, 30)), coalesce(k.max_backoff, most))
        * (1 - abs(hashint8extended(id, attempt) % 1000) / 4000.0);
end
$$;
revoke all on function tenant_internal.job_pause(text, bigint, integer, integer) from public;

create function tenant_internal.reap_jobs(moment timestamptz, at_most integer) returns bigint
    language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
declare
    reaped bigint;
begin
    -- Arrays, here and below, since how many there are is known to nobody who plans.
    with back as (
        update tenant.jobs j set
            state = case when j.tries >= j.max_attempts then 'dead' else 'ready' end,
            lease_until = null, worker = null,
            finished_at = case when j.tries >= j.max_attempts then moment end,
            last_error = 'The worker was gone before the job ended.'
        where j.id = any (array(select g.id from tenant.jobs g where g.state = 'running' and g.lease_until < moment
            order by g.lease_until limit at_most for update skip locked))
        returning j.lane, coalesce(j.tenant_id, '') as tenant_id, j.state
    ), woken as (
        insert into tenant_internal.job_wakes select distinct b.lane, b.tenant_id, moment from back b where b.state = 'ready'
    )
    select count(*) into reaped from back;
    return reaped;
end
$$;
revoke all on function tenant_internal.reap_jobs(timestamptz, integer) from public;

create function tenant_internal.promote_jobs(moment timestamptz, at_most integer) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
begin
    with ready as (
        update tenant.jobs j set state = 'ready'
            where j.id = any (array(select d.id from tenant.jobs d where d.state in ('scheduled', 'failed') and d.run_at <= moment
                order by d.run_at limit at_most for update skip locked))
            returning j.lane, coalesce(j.tenant_id, '') as tenant_id
    )
    insert into tenant_internal.job_wakes select distinct r.lane, r.tenant_id, moment from ready r;
end
$$;
revoke all on function tenant_internal.promote_jobs(timestamptz, integer) from public;

-- Every queue that has a job, found by going from one to the next in the index: up to at_most of them in one claim, and
-- the others in the next ones.
create function tenant_internal.look_at_jobs(moment timestamptz, at_most integer) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
begin
    with recursive queue (lane, tenant_id, nth) as (
        select l.lane, l.tenant_id, 0 from tenant_internal.job_look l
        union all
        select n.lane, n.tenant_id, q.nth + 1 from queue q cross join lateral (
            select j.lane, coalesce(j.tenant_id, '') as tenant_id from tenant.jobs j
            where j.state = 'ready' and (j.lane, coalesce(j.tenant_id, '')) > (q.lane, q.tenant_id)
            order by j.lane, coalesce(j.tenant_id, '') limit 1) n
        where q.nth < at_most
    ), woken as (
        insert into tenant_internal.job_wakes select w.lane, w.tenant_id, moment from queue w
            left join tenant.job_queues q on (q.lane, q.tenant_id) = (w.lane, w.tenant_id)
            left join tenant.tenants t on t.id = w.tenant_id
            where w.nth > 0 and (q.next_at is null or q.next_at = 'infinity') and (w.tenant_id = '' or t.status = 'active')
    ), reached as (
        select w.lane, w.tenant_id, w.nth = at_most as goes_on from queue w order by w.nth desc limit 1
    )
    update tenant_internal.job_look l set looked_at = case when r.goes_on then l.looked_at else moment end,
            lane = case when r.goes_on then r.lane else '' end, tenant_id = case when r.goes_on then r.tenant_id else '' end
        from reached r;
end
$$;
revoke all on function tenant_internal.look_at_jobs(timestamptz, integer) from public;

create function tenant_internal.tend_jobs(moment timestamptz) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    pause constant interval := '5 s';
    at_most constant integer := 1000;
begin
    if not pg_try_advisory_xact_lock(hashtext('tenant.jobs'), 0) then
        return;
    end if;
    perform tenant_internal.reap_jobs(moment, at_most), tenant_internal.promote_jobs(moment, at_most);
    if exists (select from tenant_internal.job_look l where l.looked_at < moment - pause) then
        perform tenant_internal.look_at_jobs(moment, at_most);
    end if;
    if not exists (select from tenant_internal.job_wakes) then
        return;
    end if;
    with taken as (
        delete from tenant_internal.job_wakes w where w.ctid = any (array(
            select s.ctid from tenant_internal.job_wakes s limit at_most for update skip locked))
        returning w.lane, w.tenant_id
    ), least_of as (
        -- Where all rest, time stands where the last one has left it.
        select l.lane, coalesce((select q.virtual_time from tenant.job_queues q
                where q.lane = l.lane and q.next_at < 'infinity' order by q.virtual_time limit 1),
            (select q.virtual_time from tenant.job_queues q
                where q.lane = l.lane and q.next_at = 'infinity' order by q.virtual_time desc limit 1), 0) - 1 as virtual_time
        from (select distinct lane from taken) l
    )
    -- Who had nothing to do has saved nothing for later, but is next.
    insert into tenant.job_queues as q (lane, tenant_id, virtual_time, next_at, misses)
        select distinct t.lane, t.tenant_id, l.virtual_time, moment, 0 from taken t join least_of l using (lane)
        order by t.lane, t.tenant_id
        on conflict on constraint job_queues_pkey do update set next_at = least(q.next_at, excluded.next_at), misses = 0,
            virtual_time = case when q.next_at = 'infinity' then greatest(q.virtual_time, excluded.virtual_time) else q.virtual_time end;
end
$$;
revoke all on function tenant_internal.tend_jobs(timestamptz) from public;
