-- Kinds, shares, and jobs as operators see them: whose, of which kind, in which state. What they say is the tenant's.

create function tenant.define_job_kind(kind text, lane text default 'default', priority integer default 0, max_attempts integer default 20,
    time_limit interval default null, backoff interval default '10 s', max_backoff interval default '1 h',
    concurrency integer default null, tenant_concurrency integer default null, keep interval default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.check_job(kind, coalesce(lane, 'default'), '{}', null, max_attempts, null);
    if priority not between -32768 and 32767 or time_limit <= interval '0' or backoff < interval '0' or max_backoff < backoff
            or concurrency < 1 or tenant_concurrency < 1 or keep <= interval '0' then
        perform tenant_internal.refuse_job(format('kind "%s" cannot be defined like this', kind),
            'Priority, time limit, pauses, numbers of jobs at once and the time that finished ones are kept have to make sense.',
            'Times and numbers are above zero, max_backoff is at least backoff; null is no limit, and for keep not at all.');
    end if;
    if (concurrency is not null or tenant_concurrency is not null)
            and not exists (select from tenant.job_kinds k where k.kind = define_job_kind.kind and k.has_part) then
        update tenant.jobs j set part = define_job_kind.kind where j.kind = define_job_kind.kind and j.state in ('ready', 'scheduled', 'running', 'failed');
    end if;
    insert into tenant.job_kinds as k (kind, lane, priority, max_attempts, time_limit, backoff, max_backoff, concurrency, tenant_concurrency, has_part, keep)
        values (define_job_kind.kind, coalesce(define_job_kind.lane, 'default'), coalesce(define_job_kind.priority, 0), coalesce(define_job_kind.max_attempts, 20),
            define_job_kind.time_limit, coalesce(define_job_kind.backoff, '10 s'), coalesce(define_job_kind.max_backoff, '1 h'),
            define_job_kind.concurrency, define_job_kind.tenant_concurrency,
            define_job_kind.concurrency is not null or define_job_kind.tenant_concurrency is not null, define_job_kind.keep)
        on conflict on constraint job_kinds_pkey do update set lane = excluded.lane, priority = excluded.priority, max_attempts = excluded.max_attempts,
            time_limit = excluded.time_limit, backoff = excluded.backoff, max_backoff = excluded.max_backoff, concurrency = excluded.concurrency,
            tenant_concurrency = excluded.tenant_concurrency,
            has_part = k.has_part or excluded.has_part, keep = excluded.keep, changed_at = now();
    perform tenant_internal.write_journal('define_job_kind', kind, null, null);
end
$$;
comment on function tenant.define_job_kind is 'Says what holds for jobs of this kind; jobs that are queued already keep their lane, priority and attempts. TN161 malformed.';
revoke all on function tenant.define_job_kind(text, text, integer, integer, interval, interval, interval, integer, integer, interval) from public;
grant execute on function tenant.define_job_kind(text, text, integer, integer, interval, interval, interval, integer, integer, interval) to tenant_admin;

create function tenant.set_job_share(id text, weight real default null, concurrency integer default null, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical constant text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_known(canonical);
    if weight not between 0.01 and 1000 or concurrency < 1 then
        perform tenant_internal.refuse_job(format('tenant "%s" cannot have this share of the workers', canonical),
            'Its weight says how many jobs of it are done for one of a tenant of weight 1.', 'A weight is between 0.01 and 1000, concurrency at least 1; null is the plan''s.');
    end if;
    if reason is not null then
        perform tenant_internal.give_reason(reason);
    end if;
    insert into tenant.job_weights as w (tenant_id, weight, concurrency) values (canonical, set_job_share.weight, set_job_share.concurrency)
        on conflict on constraint job_weights_pkey do update set weight = excluded.weight, concurrency = excluded.concurrency;
    perform tenant_internal.write_journal('set_job_share', canonical, reason, jsonb_build_object('weight', weight, 'concurrency', concurrency));
end
$$;
comment on function tenant.set_job_share(text, real, integer, text) is 'How large the tenant''s share of the workers is, and how many of its jobs run at once; null is its plan''s (quotas job_weight and job_concurrency). TN002 unknown, TN161 malformed.';
revoke all on function tenant.set_job_share(text, real, integer, text) from public;
grant execute on function tenant.set_job_share(text, real, integer, text) to tenant_admin;

create function tenant.set_job_share(id uuid, weight real default null, concurrency integer default null, reason text default null) returns void language sql
    begin atomic select tenant.set_job_share(id::text, weight, concurrency, reason); end;
revoke all on function tenant.set_job_share(uuid, real, integer, text) from public;
grant execute on function tenant.set_job_share(uuid, real, integer, text) to tenant_admin;

create function tenant.set_job_share(id bigint, weight real default null, concurrency integer default null, reason text default null) returns void language sql
    begin atomic select tenant.set_job_share(id::text, weight, concurrency, reason); end;
revoke all on function tenant.set_job_share(bigint, real, integer, text) from public;
grant execute on function tenant.set_job_share(bigint, real, integer, text) to tenant_admin;

-- Outside of a tenant; what tenants see of their jobs is tenant.my_jobs.
create view tenant.job_counts with (security_barrier) as
    select j.tenant_id, j.lane, j.kind,
        count(*) filter (where j.state = 'ready') as ready,
        count(*) filter (where j.state = 'scheduled') as scheduled,
        count(*) filter (where j.state = 'running') as running,
        count(*) filter (where j.state = 'failed') as failed,
        count(*) filter (where j.state = 'dead') as dead,
        count(*) filter (where j.state = 'done') as done,
        min(j.run_at) filter (where j.state = 'ready') as oldest_ready
    from tenant.jobs j where tenant.current_id() is null group by j.tenant_id, j.lane, j.kind;
comment on view tenant.job_counts is 'How many jobs there are, by tenant, lane and kind, and since when the oldest can be done; nothing inside a tenant.';
grant select on tenant.job_counts to tenant_admin, tenant_worker;

create view tenant.dead_jobs with (security_barrier) as
    select j.id, j.tenant_id, j.lane, j.kind, j.attempt, j.tries, j.created_at, j.finished_at, j.worker
    from tenant.jobs j where j.state = 'dead' and tenant.current_id() is null;
comment on view tenant.dead_jobs is 'Jobs whose last attempt has failed, without what they say; nothing inside a tenant.';
grant select on tenant.dead_jobs to tenant_admin, tenant_worker;

create function tenant.retry_job(id bigint, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    j tenant.jobs;
begin
    perform tenant_internal.give_reason(reason);
    begin
        update tenant.jobs o set state = 'ready', tries = 0, finished_at = null, run_at = clock_timestamp()
            where o.id = retry_job.id and o.state in ('dead', 'failed', 'scheduled') returning * into j;
    exception when unique_violation then
        -- What the key is, is the tenant's.
        perform tenant_internal.refuse_job(format('job %s cannot be tried again', id),
            'Another job of its tenant and kind has its key, and is not finished.', 'Wait until that one is done, or delete this one.');
    end;
    if j.id is null then
        perform tenant_internal.refuse_job(format('job %s cannot be tried again', coalesce(id::text, 'null')),
            coalesce((select format('It is %s.', o.state) from tenant.jobs o where o.id = retry_job.id), 'There is no such job.'),
            'One that is dead, has failed or waits for its time can.');
    end if;
    perform tenant_internal.wake_queue(j.lane, coalesce(j.tenant_id, ''), clock_timestamp());
    perform tenant_internal.write_journal('retry_job', id::text, reason, jsonb_build_object('kind', j.kind, 'tenant', j.tenant_id));
end
$$;
comment on function tenant.retry_job is 'Runs a job that is dead, has failed or waits, now, with all its attempts. TN029 no reason, TN161 another state.';
revoke all on function tenant.retry_job(bigint, text) from public;
grant execute on function tenant.retry_job(bigint, text) to tenant_admin;

create function tenant.delete_job(id bigint, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    j tenant.jobs;
begin
    perform tenant_internal.give_reason(reason);
    delete from tenant.jobs o where o.id = delete_job.id and o.state <> 'running' returning * into j;
    if not found then
        perform tenant_internal.refuse_job(format('job %s cannot be deleted', coalesce(id::text, 'null')),
            coalesce((select format('It is %s.', o.state) from tenant.jobs o where o.id = delete_job.id), 'There is no such job.'),
            'One that runs is deleted after its attempt.');
    end if;
    perform tenant_internal.write_journal('delete_job', id::text, reason, jsonb_build_object('kind', j.kind, 'tenant', j.tenant_id));
end
$$;
comment on function tenant.delete_job is 'Deletes a job that does not run. TN029 no reason, TN161 it runs, or there is none.';
revoke all on function tenant.delete_job(bigint, text) from public;
grant execute on function tenant.delete_job(bigint, text) to tenant_admin;

create function tenant.prune_jobs(at_most integer default 10000) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    pruned bigint;
begin
    with old as (
        select j.id from tenant.jobs j left join tenant.job_kinds k using (kind)
            where j.state = 'done' and j.finished_at < clock_timestamp() - coalesce(k.keep, interval '0')
            order by j.finished_at limit at_most for update of j skip locked
    )
    delete from tenant.jobs j using old where j.id = old.id;
    get diagnostics pruned = row_count;
    return pruned;
end
$$;
comment on function tenant.prune_jobs is 'Deletes finished jobs whose kind keeps them no longer, and says how many.';
revoke all on function tenant.prune_jobs(integer) from public;
grant execute on function tenant.prune_jobs(integer) to tenant_worker, tenant_admin;
