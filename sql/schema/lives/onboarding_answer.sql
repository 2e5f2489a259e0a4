-- What a worker calls when it has worked: the step is done, or it went wrong.

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
