-- What a worker calls: it claims a step, and says that it still works on it.

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

create function tenant.claim_step(worker text, lease interval default '1 min', steps text[] default null)
    returns table (tenant_id text, step text, attempt integer, undo boolean, outside boolean, idempotency_key text,
        expires timestamptz, input jsonb, results jsonb)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    moment constant timestamptz := clock_timestamp();
    s tenant.onboarding;
begin
    perform tenant_internal.check_lease('TN153', 'a step', lease), tenant_internal.check_worker('TN153', worker);
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

create function tenant.extend_step(id text, step text, attempt integer, lease interval default '1 min') returns timestamptz
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    until timestamptz;
begin
    perform tenant_internal.check_lease('TN153', 'a step', lease);
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
