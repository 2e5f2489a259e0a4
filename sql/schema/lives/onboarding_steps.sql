-- What a worker calls: it claims a step, says that it still works on it, and that it is done or went wrong.

create function tenant_internal.require_lease(lease interval) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if lease is null or lease not between interval '1 s' and interval '1 day' then
        perform tenant_internal.refuse_onboarding(format('a step cannot be claimed for %s', coalesce(lease::text, 'null')),
            'When that is over, others may claim it.', 'A lease stands between 1 second and 1 day.');
    end if;
end
$$;
revoke all on function tenant_internal.require_lease(interval) from public;

create function tenant_internal.refuse_attempt(id text, step text, attempt integer) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    s tenant.onboarding;
begin
    select * into s from tenant.onboarding o where (o.tenant_id, o.step) = (id, refuse_attempt.step);
    raise exception using
        errcode = 'TN154',
        message = format('attempt %s at step "%s" of tenant "%s" is over', coalesce(attempt::text, 'null'), left(refuse_attempt.step, 80), id),
        detail = case when s.step is null then 'There is no such step.'
            else format('The step is %s, and its last attempt is %s.', s.status, s.attempts) end,
        hint = 'Undo what this attempt did, by a rollback; whoever has claimed the step since does it.';
end
$$;
revoke all on function tenant_internal.refuse_attempt(text, text, integer) from public;

-- The step, if this attempt at it is the last one and runs, or has given this answer before.
create function tenant_internal.claimed_step(id text, step text, attempt integer, answer text) returns tenant.onboarding
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    s tenant.onboarding;
begin
    if tenant.current_id() <> id then
        raise exception using
            errcode = 'TN154',
            message = format('a step of tenant "%s" does not end in another tenant', id),
            detail = format('The transaction is inside tenant "%s".', tenant.current_id()),
            hint = 'End it in a transaction that is inside its own tenant, or inside none.';
    end if;
    select * into s from tenant.onboarding o where (o.tenant_id, o.step) = (id, claimed_step.step) for no key update;
    if s.attempts is distinct from attempt or s.status <> 'running' and s.answer is distinct from claimed_step.answer then
        perform tenant_internal.refuse_attempt(id, claimed_step.step, attempt);
    end if;
    return s;
end
$$;
revoke all on function tenant_internal.claimed_step(text, text, integer, text) from public;

create function tenant.claim_step(worker text, lease interval default '1 min', steps text[] default null)
    returns table (tenant_id text, step text, attempt integer, undo boolean, outside boolean, idempotency_key text,
        expires timestamptz, input jsonb, results jsonb)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    moment constant timestamptz := clock_timestamp();
    s tenant.onboarding;
begin
    perform tenant_internal.require_lease(lease), tenant_internal.require_plain('the worker''s name', worker);
    if coalesce(btrim(worker), '') = '' or length(worker) > 200 then
        perform tenant_internal.refuse_onboarding('a worker has a name', 'It stands in tenant.onboarding beside what the worker has claimed.',
            'Name host and process, as in worker-3:4711; up to 200 characters.');
    end if;
    loop
        select * into s from tenant.onboarding o
            where o.status in ('waiting', 'running')
                and (case o.status when 'waiting' then o.not_before when 'running' then o.claim_expires end) <= moment
                and (claim_step.steps is null or o.step = any (claim_step.steps))
            order by (case o.status when 'waiting' then o.not_before when 'running' then o.claim_expires end), o.nth
            limit 1 for no key update skip locked;
        if not found then
            return;
        end if;
        exit when s.status = 'waiting' or s.tries < s.max_attempts or s.abandoned and not s.undoing;
        -- Whoever takes it is gone before the end: it is not tried for ever.
        update tenant.onboarding o set status = 'failed', not_before = null, answer = 'failed', changed_at = moment,
                last_error = 'The worker was gone before the step ended, each time.'
            where (o.tenant_id, o.step) = (s.tenant_id, s.step);
        perform tenant_internal.step_failed(s.tenant_id, s.step, s.attempts);
    end loop;
    update tenant.onboarding o set status = 'running', attempts = o.attempts + 1, undoing = o.abandoned, answer = null,
            tries = case when o.abandoned and not o.undoing then 1 else o.tries + 1 end,
            last_error = case s.status when 'running' then 'The worker was gone before the step ended.' else o.last_error end,
            claimed_by = worker, claim_expires = moment + lease, not_before = null, changed_at = moment
        where (o.tenant_id, o.step) = (s.tenant_id, s.step) returning * into s;
    return query
        with recursive earlier (name) as (
            select unnest(s.after)
            union
            select unnest(o.after) from earlier e join tenant.onboarding o on (o.tenant_id, o.step) = (s.tenant_id, e.name)
        )
        select s.tenant_id, s.step, s.attempts, s.undoing, s.outside,
            s.tenant_id || '/' || s.step || case when s.undoing then '/undo' else '' end, s.claim_expires, p.input,
            (select coalesce(jsonb_object_agg(o.step, coalesce(o.result, 'null')), '{}') from tenant.onboarding o
                where o.tenant_id = s.tenant_id and (o.step in (select name from earlier) and o.answer = 'finished'
                    or o.step = s.step and s.undoing and o.result is not null))
        from tenant.onboardings p where p.tenant_id = s.tenant_id;
end
$$;
comment on function tenant.claim_step is 'Claims the step that has waited longest of those that can be done, or undone, and whose lease is over or was not taken; no row where there is none. The attempt''s number goes with all that is said of it afterwards. TN153 a malformed lease or worker.';
revoke all on function tenant.claim_step(text, interval, text[]) from public;
grant execute on function tenant.claim_step(text, interval, text[]) to tenant_admin;

-- A step that is not tried again by itself.
create function tenant_internal.step_failed(id text, step text, attempt integer) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    update tenant.tenants t set status_detail = case when s.abandoned then 'undo ' else '' end || s.step || ' (failed)'
        from tenant.onboarding s where t.id = step_failed.id and (s.tenant_id, s.step) = (t.id, step_failed.step);
    perform tenant_internal.write_journal('fail_step', id, null, jsonb_build_object('step', step, 'attempt', attempt));
end
$$;
revoke all on function tenant_internal.step_failed(text, text, integer) from public;

create function tenant.extend_step(id text, step text, attempt integer, lease interval default '1 min') returns timestamptz
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    until timestamptz;
begin
    perform tenant_internal.require_lease(lease);
    update tenant.onboarding o set claim_expires = greatest(o.claim_expires, clock_timestamp() + lease)
        where (o.tenant_id, o.step, o.attempts, o.status) = (canonical, extend_step.step, attempt, 'running')
        returning o.claim_expires into until;
    if not found then
        perform tenant_internal.refuse_attempt(canonical, step, attempt);
    end if;
    return until;
end
$$;
comment on function tenant.extend_step(text, text, integer, interval) is 'Says that the attempt goes on, for so long from now. TN154 where it is over: another has the step, or it was abandoned. TN153 a malformed lease.';
revoke all on function tenant.extend_step(text, text, integer, interval) from public;
grant execute on function tenant.extend_step(text, text, integer, interval) to tenant_admin;

create function tenant.extend_step(id uuid, step text, attempt integer, lease interval default '1 min') returns timestamptz language sql
    begin atomic select tenant.extend_step(id::text, step, attempt, lease); end;
revoke all on function tenant.extend_step(uuid, text, integer, interval) from public;
grant execute on function tenant.extend_step(uuid, text, integer, interval) to tenant_admin;

create function tenant.extend_step(id bigint, step text, attempt integer, lease interval default '1 min') returns timestamptz language sql
    begin atomic select tenant.extend_step(id::text, step, attempt, lease); end;
revoke all on function tenant.extend_step(bigint, text, integer, interval) from public;
grant execute on function tenant.extend_step(bigint, text, integer, interval) to tenant_admin;

create function tenant.finish_step(id text, step text, attempt integer, result jsonb default null) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    s tenant.onboarding;
begin
    perform tenant_internal.lock_onboarding(canonical);
    s := tenant_internal.claimed_step(canonical, step, attempt, 'finished');
    if s.answer is not null then
        return (select t.status from tenant.tenants t where t.id = canonical);
    end if;
    -- A step outside that was abandoned while it ran has happened: it is undone next.
    update tenant.onboarding o set answer = 'finished', changed_at = clock_timestamp(), claim_expires = null, last_error = null,
            status = case when s.undoing then 'undone' when s.abandoned then 'waiting' else 'done' end,
            tries = case when s.abandoned and not s.undoing then 0 else o.tries end,
            result = case when s.undoing then o.result else finish_step.result end
        where (o.tenant_id, o.step) = (canonical, s.step);
    perform tenant_internal.write_journal(case when s.undoing then 'undo_step' else 'finish_step' end, canonical, null,
        jsonb_build_object('step', s.step, 'attempt', s.attempts));
    return tenant_internal.advance_onboarding(canonical);
end
$$;
comment on function tenant.finish_step(text, text, integer, jsonb) is 'The step is done, or undone, in the transaction that did it; with what it returned. Gives the tenant''s state, which the last step changes. Again by the same attempt it does nothing. TN154 where the attempt is over.';
revoke all on function tenant.finish_step(text, text, integer, jsonb) from public;
grant execute on function tenant.finish_step(text, text, integer, jsonb) to tenant_admin;

create function tenant.finish_step(id uuid, step text, attempt integer, result jsonb default null) returns text language sql
    begin atomic select tenant.finish_step(id::text, step, attempt, result); end;
revoke all on function tenant.finish_step(uuid, text, integer, jsonb) from public;
grant execute on function tenant.finish_step(uuid, text, integer, jsonb) to tenant_admin;

create function tenant.finish_step(id bigint, step text, attempt integer, result jsonb default null) returns text language sql
    begin atomic select tenant.finish_step(id::text, step, attempt, result); end;
revoke all on function tenant.finish_step(bigint, text, integer, jsonb) from public;
grant execute on function tenant.finish_step(bigint, text, integer, jsonb) to tenant_admin;

-- In the system context the role is tenant_system, which has nothing to say of onboardings: the login has.
create function tenant.finish_step_in_system(id text, step text, attempt integer, result jsonb default null) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not pg_has_role(session_user, 'tenant_admin', 'member') then
        raise exception using
            errcode = '42501',
            message = format('role %s may not end steps of an onboarding', quote_ident(session_user)),
            detail = 'It is a member of tenant_system, and not of tenant_admin.',
            hint = format('grant tenant_admin to %I;', session_user);
    end if;
    return tenant.finish_step(id, step, attempt, result);
end
$$;
comment on function tenant.finish_step_in_system(text, text, integer, jsonb) is 'As tenant.finish_step(), in the system context, by a login that is a member of tenant_admin as well.';
revoke all on function tenant.finish_step_in_system(text, text, integer, jsonb) from public;
grant execute on function tenant.finish_step_in_system(text, text, integer, jsonb) to tenant_system;

create function tenant.finish_step_in_system(id uuid, step text, attempt integer, result jsonb default null) returns text language sql
    begin atomic select tenant.finish_step_in_system(id::text, step, attempt, result); end;
revoke all on function tenant.finish_step_in_system(uuid, text, integer, jsonb) from public;
grant execute on function tenant.finish_step_in_system(uuid, text, integer, jsonb) to tenant_system;

create function tenant.finish_step_in_system(id bigint, step text, attempt integer, result jsonb default null) returns text language sql
    begin atomic select tenant.finish_step_in_system(id::text, step, attempt, result); end;
revoke all on function tenant.finish_step_in_system(bigint, text, integer, jsonb) from public;
grant execute on function tenant.finish_step_in_system(bigint, text, integer, jsonb) to tenant_system;

create function tenant.fail_step(id text, step text, attempt integer, error text, retry_in interval default null,
    give_up boolean default false) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    s tenant.onboarding;
    pause interval;
begin
    perform tenant_internal.lock_onboarding(canonical);
    s := tenant_internal.claimed_step(canonical, step, attempt, 'failed');
    if s.answer is not null then
        return s.status;
    end if;
    -- From half a second to five minutes, with a random part, so that what failed together is not tried together.
    pause := greatest(coalesce(retry_in, least(interval '1 s' * 2 ^ least(s.tries - 1, 10), interval '5 min') * (0.5 + random() / 2)),
        interval '0');
    -- A step outside that was abandoned while it ran may have happened: it is undone next.
    update tenant.onboarding o set answer = 'failed', changed_at = clock_timestamp(), claim_expires = null,
            last_error = left(coalesce(nullif(btrim(error), ''), 'no error was given'), 2000),
            status = case when s.abandoned and not s.undoing then 'waiting'
                when give_up or s.tries >= s.max_attempts then 'failed' else 'waiting' end,
            tries = case when s.abandoned and not s.undoing then 0 else o.tries end,
            not_before = case when not (s.abandoned and not s.undoing) and not (give_up or s.tries >= s.max_attempts)
                then clock_timestamp() + pause end
        where (o.tenant_id, o.step) = (canonical, s.step) returning * into s;
    if s.status = 'failed' then
        perform tenant_internal.step_failed(canonical, s.step, s.attempts);
    elsif s.not_before is null then
        perform tenant_internal.advance_onboarding(canonical);
    end if;
    return s.status;
end
$$;
comment on function tenant.fail_step(text, text, integer, text, interval, boolean) is 'The attempt went wrong. The step is tried again after retry_in, by default after a pause that doubles each time; with give_up, or after its last attempt, it has failed. Gives waiting or failed. TN154 where the attempt is over.';
revoke all on function tenant.fail_step(text, text, integer, text, interval, boolean) from public;
grant execute on function tenant.fail_step(text, text, integer, text, interval, boolean) to tenant_admin;

create function tenant.fail_step(id uuid, step text, attempt integer, error text, retry_in interval default null,
    give_up boolean default false) returns text language sql
    begin atomic select tenant.fail_step(id::text, step, attempt, error, retry_in, give_up); end;
revoke all on function tenant.fail_step(uuid, text, integer, text, interval, boolean) from public;
grant execute on function tenant.fail_step(uuid, text, integer, text, interval, boolean) to tenant_admin;

create function tenant.fail_step(id bigint, step text, attempt integer, error text, retry_in interval default null,
    give_up boolean default false) returns text language sql
    begin atomic select tenant.fail_step(id::text, step, attempt, error, retry_in, give_up); end;
revoke all on function tenant.fail_step(bigint, text, integer, text, interval, boolean) from public;
grant execute on function tenant.fail_step(bigint, text, integer, text, interval, boolean) to tenant_admin;
