-- Queueing jobs, in the transaction that wants them done: with it committed, or not at all.

-- The line that has the queue looked at, where nobody looks, and NOTIFY, which says nothing but that there is work.
-- Where the queue had jobs left when it was looked at last, neither: NOTIFY has committing transactions wait for each
-- other.
create function tenant_internal.wake_queue(lane text, tenant_id text, run_at timestamptz) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    is_looked_at boolean;
    is_busy boolean;
begin
    -- Once for a transaction: the setting lasts as long as what was done for it, up to a savepoint that is rolled back.
    if current_setting('tenant.jobs_woken', true) = lane || '/' || tenant_id then
        return;
    end if;
    select q.next_at <= wake_queue.run_at, q.misses = 0 into is_looked_at, is_busy
        from tenant.job_queues q where q.lane = wake_queue.lane and q.tenant_id = wake_queue.tenant_id;
    if is_looked_at is not true then
        insert into tenant_internal.job_wakes values (lane, tenant_id, run_at);
    end if;
    if is_looked_at is not true or is_busy is not true then
        perform pg_notify('pg_tenant_jobs', '');
        perform set_config('tenant.jobs_woken', lane || '/' || tenant_id, true);
    end if;
end
$$;
revoke all on function tenant_internal.wake_queue(text, text, timestamptz) from public;

create function tenant_internal.check_job(kind text, lane text, payload jsonb, key text, max_attempts integer, trace text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if kind is null or kind !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$' then
        perform tenant_internal.refuse_job(format('a job cannot be of kind %s', coalesce(quote_literal(left(kind, 80)), 'null')),
            'Workers claim jobs by their kind.', 'A kind has 1 to 63 characters A-Z a-z 0-9 _ . : / - as in invoice.send.');
    elsif lane !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$' then
        perform tenant_internal.refuse_job(format('a job cannot be in lane %s', quote_literal(left(lane, 80))),
            'Workers claim jobs of the lanes that they serve.', 'A lane has 1 to 63 characters A-Z a-z 0-9 _ . : / - as in batch.');
    elsif payload is null then
        perform tenant_internal.refuse_job(format('a job of kind "%s" has no payload', kind),
            'It is null: a variable or a parameter was not set.', 'Leave it out where there is nothing to say.');
    elsif length(key) > 255 then
        perform tenant_internal.refuse_job(format('a job of kind "%s" cannot have this key', kind),
            'It has more than 255 characters.', 'Use a digest of it.');
    elsif max_attempts not between 1 and 1000 then
        perform tenant_internal.refuse_job(format('a job cannot have %s attempts', max_attempts),
            'Each of them may fail.', 'It is between 1 and 1000.');
    elsif trace !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' then
        perform tenant_internal.refuse_job(format('a job of kind "%s" cannot have this trace', kind),
            'Workers read it before they are in the tenant, so nothing else may stand there.', 'It is the header traceparent of W3C Trace Context.');
    end if;
end
$$;
revoke all on function tenant_internal.check_job(text, text, jsonb, text, integer, text) from public;

-- Queues jobs for whoever `tenant_id` names; its callers know who that is.
create function tenant_internal.add_jobs(tenant_id text, kind text, payloads jsonb[], keys text[], lane text, priority integer,
    run_at timestamptz, max_attempts integer, trace text, reason text) returns setof bigint
    language plpgsql security definer rows 1 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    k tenant.job_kinds;
    moment constant timestamptz := clock_timestamp();
    due constant timestamptz := greatest(coalesce(run_at, moment), moment);
    at constant text := case when due > moment then 'scheduled' else 'ready' end;
    of constant text := coalesce(add_jobs.tenant_id, '');
    part text;
    added bigint;
    n integer;
begin
    select * into k from tenant.job_kinds d where d.kind = add_jobs.kind;
    lane := coalesce(lane, k.lane, 'default');
    priority := coalesce(priority, k.priority, 0);
    max_attempts := coalesce(max_attempts, k.max_attempts, 20);
    part := case when k.has_part then kind else '' end;
    perform tenant_internal.check_job(kind, lane, p, null, max_attempts, trace) from unnest(payloads) p;
    if keys is null then
        return query insert into tenant.jobs as j (tenant_id, kind, lane, part, priority, state, max_attempts, run_at, created_at, trace, reason, payload)
            select add_jobs.tenant_id, add_jobs.kind, add_jobs.lane, part, add_jobs.priority, at, add_jobs.max_attempts, due, moment, add_jobs.trace, add_jobs.reason, p
            from unnest(payloads) p returning j.id;
    else
        -- One after the other: of two with one key in the same call the second is the first.
        for n in 1 .. cardinality(payloads) loop
            perform tenant_internal.check_job(kind, lane, payloads[n], keys[n], max_attempts, trace);
            loop
                insert into tenant.jobs as j (tenant_id, kind, lane, part, priority, state, max_attempts, run_at, created_at, key, trace, reason, payload)
                    values (add_jobs.tenant_id, add_jobs.kind, add_jobs.lane, part, add_jobs.priority, at, add_jobs.max_attempts, due, moment, keys[n],
                        add_jobs.trace, add_jobs.reason, payloads[n])
                    on conflict ((coalesce(tenant_id, '')), kind, key)
                        where key is not null and state in ('ready', 'scheduled', 'running', 'failed') do nothing
                    returning j.id into added;
                exit when found;
                select j.id into added from tenant.jobs j
                    where coalesce(j.tenant_id, '') = of and j.kind = add_jobs.kind and j.key = keys[n]
                        and j.state in ('ready', 'scheduled', 'running', 'failed');
                exit when found;
            end loop;
            return next added;
        end loop;
    end if;
    if at = 'ready' and cardinality(payloads) > 0 then
        perform tenant_internal.wake_queue(lane, of, moment);
    end if;
end
$$;
revoke all on function tenant_internal.add_jobs(text, text, jsonb[], text[], text, integer, timestamptz, integer, text, text) from public;

-- Why the transaction has entered the system context for writing, if it has: the journal has the line, and is the only
-- one to know. Null otherwise.
create function tenant_internal.reason_of_system() returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select j.reason from tenant.journal j
        where j.at = now() and j.xid8 = pg_current_xact_id_if_assigned() and j.origin = tenant_internal.journal_origin()
            and j.action = 'enter_system' and j.detail -> 'write' = 'true' and j.session_role = session_user and tenant_internal.works_on_system_jobs()
        order by j.id desc limit 1
$$;
revoke all on function tenant_internal.reason_of_system() from public;

create function tenant_internal.require_tenant_for_jobs() returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    here constant text := tenant.current_id();
begin
    if here is null then
        raise exception using
            errcode = 'TN001',
            message = 'no tenant: a job is a tenant''s',
            detail = 'The transaction has not entered a tenant.',
            hint = 'Enter one first: select tenant.enter(''<id>''); or the system context, for writing, for a job of the system.';
    end if;
    return here;
end
$$;
revoke all on function tenant_internal.require_tenant_for_jobs() from public;

-- The same for the one job that most transactions queue: without a key and at once, a third of the time.
create function tenant.enqueue(kind text, payload jsonb default '{}', key text default null, run_at timestamptz default null,
    lane text default null, priority integer default null, max_attempts integer default null, trace text default null) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    here constant text := tenant.current_id();
    moment constant timestamptz := clock_timestamp();
    is_busy boolean;
    added bigint;
    why text;
begin
    if here is null or key is not null or run_at > moment or kind is null or payload is null or trace is not null or max_attempts is not null then
        if here is null then
            why := tenant_internal.reason_of_system();
            if why is null then
                perform tenant_internal.require_tenant_for_jobs();
            end if;
        end if;
        return tenant_internal.add_jobs(here, kind, array[payload],
            case when key is not null then array[key] end, lane, priority, run_at, max_attempts, trace, why);
    end if;
    if kind !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$' or lane !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$' then
        perform tenant_internal.check_job(kind, lane, payload, null, null, null);
    end if;
    -- One statement: what a kind says, and whether its queue is looked at, would each cost as much again.
    insert into tenant.jobs as j (tenant_id, kind, lane, part, priority, max_attempts, run_at, created_at, payload)
        select here, enqueue.kind, coalesce(enqueue.lane, k.lane, 'default'), case when k.has_part then k.kind else '' end,
            coalesce(enqueue.priority, k.priority, 0), coalesce(k.max_attempts, 20), moment, moment, enqueue.payload
        from (select) one left join tenant.job_kinds k on k.kind = enqueue.kind
        returning j.id, j.lane, exists (select from tenant.job_queues q
            where q.lane = j.lane and q.tenant_id = here and q.next_at <= moment and q.misses = 0)
        into added, lane, is_busy;
    if not is_busy then
        perform tenant_internal.wake_queue(lane, here, moment);
    end if;
    return added;
end
$$;
comment on function tenant.enqueue is 'Queues a job for the transaction''s tenant and gives its id; with a key, that of the job that has it and is not finished, if there is one. In the system context, for writing, it is a job of the system and carries the context''s reason. TN001 without a tenant, TN161 malformed.';
revoke all on function tenant.enqueue(text, jsonb, text, timestamptz, text, integer, integer, text) from public;
grant execute on function tenant.enqueue(text, jsonb, text, timestamptz, text, integer, integer, text) to tenant_user, tenant_system, tenant_support;

create function tenant.enqueue_many(kind text, payloads jsonb[], keys text[] default null, run_at timestamptz default null,
    lane text default null, priority integer default null, max_attempts integer default null, trace text default null)
    returns setof bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    here constant text := tenant.current_id();
    why text;
begin
    if cardinality(keys) <> cardinality(payloads) then
        perform tenant_internal.refuse_job(format('%s jobs cannot have %s keys', cardinality(payloads), cardinality(keys)),
            'Each job has one, in the order of the payloads.', 'Null is a job without a key.');
    end if;
    if here is null then
        why := tenant_internal.reason_of_system();
        if why is null then
            perform tenant_internal.require_tenant_for_jobs();
        end if;
    end if;
    return query select tenant_internal.add_jobs(here, kind, coalesce(payloads, '{}'), keys, lane, priority, run_at, max_attempts, trace, why);
end
$$;
comment on function tenant.enqueue_many is 'As tenant.enqueue, a job for each payload, in one statement.';
revoke all on function tenant.enqueue_many(text, jsonb[], text[], timestamptz, text, integer, integer, text) from public;
grant execute on function tenant.enqueue_many(text, jsonb[], text[], timestamptz, text, integer, integer, text) to tenant_user, tenant_system, tenant_support;

-- The system's own: it is run in the system context, for the reason that is given here.
create function tenant.enqueue_system(kind text, payload jsonb, reason text, key text default null, run_at timestamptz default null,
    lane text default null, priority integer default null, max_attempts integer default null, trace text default null) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_reason(reason);
    if tenant.current_id() is not null then
        raise exception using
            errcode = 'TN162',
            message = 'a job of the system is not queued inside a tenant',
            detail = format('The transaction has entered tenant "%s", and the job would be run across tenants.', tenant.current_id()),
            hint = 'tenant.enqueue() queues one of the tenant; the system''s is queued in a transaction of its own.';
    end if;
    return tenant_internal.add_jobs(null, kind, array[payload], case when key is not null then array[key] end, lane, priority, run_at,
        max_attempts, trace, btrim(reason));
end
$$;
comment on function tenant.enqueue_system is 'Queues a job that is run in the system context, for this reason. TN029 no reason, TN162 inside a tenant, TN161 malformed.';
revoke all on function tenant.enqueue_system(text, jsonb, text, text, timestamptz, text, integer, integer, text) from public;
grant execute on function tenant.enqueue_system(text, jsonb, text, text, timestamptz, text, integer, integer, text) to tenant_system, tenant_admin;
