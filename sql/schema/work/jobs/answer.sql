-- What a worker does with a job that it has claimed: inside the job's tenant it takes and finishes it; outside it says
-- that it failed, that it gives it back, or that it still works on it.

create function tenant_internal.refuse_attempt_at_job(id bigint, attempt integer) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    j tenant.jobs;
begin
    select * into j from tenant.jobs o where o.id = refuse_attempt_at_job.id;
    raise exception using
        errcode = 'TN160',
        message = format('attempt %s at job %s is over', coalesce(attempt::text, 'null'), coalesce(id::text, 'null')),
        -- Another tenant's job is none, for whoever asks.
        detail = case when j.id is null or j.tenant_id is distinct from tenant.current_id() and tenant.current_id() is not null
            then 'There is no such job here: it was finished, or deleted, or is not this tenant''s.'
            else format('The job is %s, and its last attempt is %s.', j.state, j.attempt) end,
        hint = 'Roll back what this attempt did; whoever has claimed the job since does it.';
end
$$;
revoke all on function tenant_internal.refuse_attempt_at_job(bigint, integer) from public;

-- The transaction may work on jobs of the system: it is in that context, for writing.
create function tenant_internal.works_on_system_jobs() returns boolean
    language sql stable set search_path = pg_catalog, pg_temp
    return coalesce(current_setting('pg_tenant.id', true) in ('*system write', '*system owner'), false);
revoke all on function tenant_internal.works_on_system_jobs() from public;

-- A job is found by its id. Its state is looked at in a CASE, since a plan that took the index of all running jobs for
-- it would step over those of every worker, and over those that were done since the last vacuum.

-- The line is not locked: who says that the worker lives must not wait for the worker's transaction. That the attempt
-- is still the last one is what finish_job proves.
create function tenant.take_job(id bigint, attempt integer)
    returns table (payload jsonb, max_attempts integer, created_at timestamptz, key text)
    language plpgsql security definer rows 1 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    here constant text := tenant.current_id();
begin
    return query select j.payload, j.max_attempts, j.created_at, j.key from tenant.jobs j
        where j.id = take_job.id and j.attempt = take_job.attempt and case j.state when 'running' then true end and j.tenant_id is not distinct from here
            and (here is not null or tenant_internal.works_on_system_jobs());
    if not found then
        perform tenant_internal.refuse_attempt_at_job(id, attempt);
    end if;
end
$$;
comment on function tenant.take_job is 'What a claimed job is to do, for who is inside its tenant, or in the system context, for one of the system''s. TN160 the attempt is over.';
revoke all on function tenant.take_job(bigint, integer) from public;
grant execute on function tenant.take_job(bigint, integer) to tenant_worker, tenant_system;

-- Enters and takes in one statement, the first of its transaction, with the caller's rights: what refuses an entry
-- refuses this one. Where a token is required, the client enters with it and calls take_job.
create function tenant.job_owner(id bigint, attempt integer) returns table (tenant_id text, reason text)
    language plpgsql stable security definer rows 1 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query select j.tenant_id, j.reason from tenant.jobs j
        where j.id = job_owner.id and j.attempt = job_owner.attempt and case j.state when 'running' then true end and tenant.current_id() is null;
    if not found then
        perform tenant_internal.refuse_attempt_at_job(id, attempt);
    end if;
end
$$;
comment on function tenant.job_owner is 'Whose a claimed job is, as its claim has told: a tenant, or null and the reason for which the system context is entered. TN160 the attempt is over, or a tenant is entered.';
revoke all on function tenant.job_owner(bigint, integer) from public;
grant execute on function tenant.job_owner(bigint, integer) to tenant_worker;

create function tenant.enter_job(id bigint, attempt integer)
    returns table (payload jsonb, max_attempts integer, created_at timestamptz, key text)
    language plpgsql rows 1 as $$
declare
    o record;
begin
    select w.tenant_id, w.reason into o from tenant.job_owner(id, attempt) w;
    if o.tenant_id is null then
        perform tenant.enter_system(o.reason, true);
    else
        perform tenant.enter(o.tenant_id);
    end if;
    return query select t.payload, t.max_attempts, t.created_at, t.key from tenant.take_job(id, attempt) t;
end
$$;
comment on function tenant.enter_job is 'Enters the job''s tenant, or the system context for the job''s reason, and takes the job. TN160 the attempt is over; and as tenant.enter or tenant.enter_system.';
revoke all on function tenant.enter_job(bigint, integer) from public;
grant execute on function tenant.enter_job(bigint, integer) to tenant_worker;

-- For the statistics: a job is done.
create function tenant_internal.count_job() returns void
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_count_job';
revoke all on function tenant_internal.count_job() from public;

create function tenant.finish_job(id bigint, attempt integer, result jsonb default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    here constant text := tenant.current_id();
begin
    -- In most cases no more than this.
    delete from tenant.jobs j where j.id = finish_job.id and j.attempt = finish_job.attempt and case j.state when 'running' then true end
        and j.tenant_id is not distinct from here and (here is not null or tenant_internal.works_on_system_jobs())
        and (select k.keep from tenant.job_kinds k where k.kind = j.kind) is null;
    if not found then
        update tenant.jobs j set state = 'done', lease_until = null, finished_at = clock_timestamp(), result = finish_job.result, last_error = null
            where j.id = finish_job.id and j.attempt = finish_job.attempt and case j.state when 'running' then true end
                and j.tenant_id is not distinct from here and (here is not null or tenant_internal.works_on_system_jobs());
        if not found then
            perform tenant_internal.refuse_attempt_at_job(id, attempt);
        end if;
    end if;
    perform tenant_internal.count_job();
end
$$;
comment on function tenant.finish_job is 'The job is done: the last statement of the transaction that did it, with which it commits. TN160 the attempt is over.';
revoke all on function tenant.finish_job(bigint, integer, jsonb) from public;
grant execute on function tenant.finish_job(bigint, integer, jsonb) to tenant_worker, tenant_system;

-- Whose job it is decides nothing here: the tenant may be suspended, and its worker says so from outside. Inside a
-- tenant it is one of that tenant.
create function tenant_internal.end_attempt(id bigint, attempt integer, wanted text, error text, retry_in interval) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    here constant text := tenant.current_id();
    moment constant timestamptz := clock_timestamp();
    j tenant.jobs;
    state text;
begin
    select * into j from tenant.jobs o where o.id = end_attempt.id and o.attempt = end_attempt.attempt and case o.state when 'running' then true end
        and (here is null or o.tenant_id = here) for no key update;
    if not found then
        perform tenant_internal.refuse_attempt_at_job(id, attempt);
    end if;
    state := case when wanted = 'failed' then tenant_internal.after_failure(j.tries, j.max_attempts) else wanted end;
    update tenant.jobs o set state = end_attempt_state.state, lease_until = null, worker = null,
            tries = case when wanted = 'ready' then greatest(o.tries - 1, 0) else o.tries end,
            last_error = coalesce(left(error, 8192), o.last_error),
            run_at = case end_attempt_state.state when 'failed' then moment + coalesce(retry_in, tenant_internal.job_pause(o.kind, o.id, o.attempt, o.tries)) else o.run_at end,
            finished_at = case end_attempt_state.state when 'dead' then moment end
        from (select state) end_attempt_state where o.id = end_attempt.id;
    if state = 'ready' then
        perform tenant_internal.wake_queue(j.lane, coalesce(j.tenant_id, ''), moment);
    end if;
    return state;
end
$$;
revoke all on function tenant_internal.end_attempt(bigint, integer, text, text, interval) from public;

create function tenant.fail_job(id bigint, attempt integer, error text, retry_in interval default null, give_up boolean default false) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if retry_in < interval '0' or retry_in > interval '1 year' then
        perform tenant_internal.refuse_job(format('a job cannot be tried again in %s', retry_in),
            'It is how long to wait before the next attempt.', 'It is at most a year; null is the kind''s own pause.');
    end if;
    return tenant_internal.end_attempt(id, attempt, case when give_up then 'dead' else 'failed' end, coalesce(error, 'failed'), retry_in);
end
$$;
comment on function tenant.fail_job is 'The attempt came to nothing: it is tried again later (failed), or was the last one, or is given up (dead). TN160 the attempt is over.';
revoke all on function tenant.fail_job(bigint, integer, text, interval, boolean) from public;
grant execute on function tenant.fail_job(bigint, integer, text, interval, boolean) to tenant_worker;

create function tenant.release_job(id bigint, attempt integer) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.end_attempt(id, attempt, 'ready', null, null);
end
$$;
comment on function tenant.release_job is 'Gives a job back that was not done: others claim it at once, and the attempt does not count. TN160 the attempt is over.';
revoke all on function tenant.release_job(bigint, integer) from public;
grant execute on function tenant.release_job(bigint, integer) to tenant_worker;

create function tenant.extend_jobs(ids bigint[], attempts integer[], lease interval default '1 min') returns setof bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.check_lease('TN161', 'a job', lease);
    -- One that is being finished is locked, and needs no more time.
    return query with held as (
        select j.id from tenant.jobs j join unnest(ids, attempts) c (id, attempt) on (j.id, j.attempt) = (c.id, c.attempt)
            where case j.state when 'running' then true end order by j.id for no key update of j skip locked
    ), extended as (
        update tenant.jobs j set lease_until = clock_timestamp() + lease from held where j.id = held.id returning j.id
    )
    select e.id from extended e
    union
    select j.id from tenant.jobs j join unnest(ids, attempts) c (id, attempt) on (j.id, j.attempt) = (c.id, c.attempt)
        where case j.state when 'running' then true end;
end
$$;
comment on function tenant.extend_jobs is 'The worker still works on these jobs: the ids of those that are still its own.';
revoke all on function tenant.extend_jobs(bigint[], integer[], interval) from public;
grant execute on function tenant.extend_jobs(bigint[], integer[], interval) to tenant_worker;
