-- Onboarding: the steps that set a tenant up, which any number of workers take, and which are undone if it comes to
-- nothing.
--
-- Who changes a step locks in this order: the tenant's line in onboardings, its steps, its line in tenants. Finding out
-- whether a step was the last one is right because of the first: it is updated, so that a transaction with an older
-- snapshot fails (40001) and does not count wrongly.

create table tenant.onboardings (
    tenant_id text collate "C" primary key,
    -- What the steps are given, such as the address of who signed up.
    input jsonb not null default '{}' check (jsonb_typeof(input) = 'object'),
    begun_at timestamptz not null default now(),
    begun_by name not null,
    changed_at timestamptz not null default now(),
    -- Of a tenant that is set up before anybody asks for it: where it waits, since when it can be had, since when
    -- somebody has it.
    pool text collate "C",
    ready_at timestamptz,
    claimed_at timestamptz,
    -- Since then its steps are undone, and why.
    abandoned_at timestamptz,
    reason text,
    ended_at timestamptz
);
comment on table tenant.onboardings is 'Tenants that are or were set up in steps (tenant.onboarding): with what input, and whether they wait in a pool or were abandoned.';
create index onboardings_ready on tenant.onboardings (pool, ready_at) where claimed_at is null and abandoned_at is null;
grant select on tenant.onboardings to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.onboardings', '');

create table tenant.onboarding (
    tenant_id text collate "C",
    step text collate "C",
    nth integer not null,
    after text[] not null default '{}',
    -- It works outside of the database, so it may have happened although nobody has said so.
    outside boolean not null default false,
    has_undo boolean not null default true,
    -- Of a tenant in a pool: not before somebody has it.
    at_claim boolean not null default false,
    status text collate "C" not null default 'waiting' check (status in ('waiting', 'running', 'done', 'failed', 'undone')),
    -- It is to be undone.
    abandoned boolean not null default false,
    -- The number of the last attempt, the first being 1, and how many of them since the step, or undoing it, began.
    attempts integer not null default 0,
    tries integer not null default 0,
    max_attempts integer not null check (max_attempts > 0),
    -- When a waiting step can be claimed; null while it waits for others.
    not_before timestamptz,
    -- The last attempt: who, until when, whether it undoes the step, and what it has answered.
    claimed_by text,
    claim_expires timestamptz,
    undoing boolean not null default false,
    answer text check (answer in ('finished', 'failed')),
    last_error text,
    result jsonb,
    changed_at timestamptz not null default now(),
    primary key (tenant_id, step)
);
comment on table tenant.onboarding is 'The steps of each onboarding: what they wait for, whose they are and until when, what went wrong, what they returned.';
-- In the order in which they can be claimed. Steps that are over are not in it.
create index onboarding_due on tenant.onboarding ((case status when 'waiting' then not_before when 'running' then claim_expires end), nth)
    where status in ('waiting', 'running', 'failed');
grant select on tenant.onboarding to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.onboarding', '');

create function tenant_internal.refuse_onboarding(message text, detail text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using errcode = 'TN153', message = message, detail = detail, hint = hint;
end
$$;
revoke all on function tenant_internal.refuse_onboarding(text, text, text) from public;

-- The tenant's onboarding, locked for the rest of the transaction.
create function tenant_internal.lock_onboarding(id text) returns tenant.onboardings
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    locked tenant.onboardings;
begin
    perform tenant_internal.require_known(id);
    update tenant.onboardings o set changed_at = clock_timestamp() where o.tenant_id = id returning * into locked;
    if not found then
        perform tenant_internal.refuse_onboarding(format('tenant "%s" has no onboarding', id),
            'It was registered without steps.', 'Tenants are set up in steps by tenant.begin_onboarding(id, steps).');
    end if;
    return locked;
end
$$;
revoke all on function tenant_internal.lock_onboarding(text) from public;

-- After a change of a step: which others can be claimed now, and whether the tenant is ready, set up or undone. Called
-- with the onboarding locked.
create function tenant_internal.advance_onboarding(id text) returns text
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    o tenant.onboardings;
    moment constant timestamptz := clock_timestamp();
    waits boolean;
    at_step text;
    state text;
begin
    select * into o from tenant.onboardings p where p.tenant_id = advance_onboarding.id;
    waits := o.pool is not null and o.claimed_at is null;
    update tenant.onboarding s set not_before = moment
        where s.tenant_id = id and s.status = 'waiting' and s.not_before is null and case
            when s.abandoned then not exists (select from tenant.onboarding d
                where d.tenant_id = s.tenant_id and s.step = any (d.after) and d.status <> 'undone')
            else not (s.at_claim and waits) and not exists (select from tenant.onboarding d
                where d.tenant_id = s.tenant_id and d.step = any (s.after) and d.status <> 'done') end;
    if not exists (select from tenant.onboarding s where s.tenant_id = id
            and s.status <> case when o.abandoned_at is null then 'done' else 'undone' end)
            and (o.abandoned_at is not null or not waits) then
        update tenant.onboardings p set ended_at = moment where p.tenant_id = id;
        if o.abandoned_at is null then
            perform tenant_internal.give_reason('onboarding: the last step is done');
            update tenant.tenants t set status = 'active' where t.id = advance_onboarding.id;
            return 'active';
        end if;
        perform tenant_internal.give_reason(o.reason);
        update tenant.tenants t set status = 'purged' where t.id = advance_onboarding.id;
        return 'purged';
    end if;
    if waits and o.ready_at is null and o.abandoned_at is null
            and not exists (select from tenant.onboarding s where s.tenant_id = id and s.status <> 'done' and not s.at_claim) then
        update tenant.onboardings p set ready_at = moment where p.tenant_id = id returning * into o;
    end if;
    -- What is next, or what has failed: this is what who may not enter yet is told.
    select case when s.abandoned then 'undo ' else '' end || s.step || case s.status when 'failed' then ' (failed)' else '' end
        into at_step from tenant.onboarding s
        where s.tenant_id = id and s.status in ('waiting', 'running', 'failed')
        order by s.status <> 'failed', s.status <> 'running', s.not_before is null, s.nth limit 1;
    at_step := case when waits and o.ready_at is not null and o.abandoned_at is null then 'ready' else at_step end;
    update tenant.tenants t set status_detail = at_step
        where t.id = advance_onboarding.id and t.status_detail is distinct from at_step;
    return 'provisioning';
end
$$;
revoke all on function tenant_internal.advance_onboarding(text) from public;

-- A tenant with steps is active when all of them are done, and purged when all are undone, whoever changes its state.
create function tenant_internal.check_onboarded() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    over constant text := case new.status when 'active' then 'done' else 'undone' end;
    why text;
begin
    select format('Step "%s" of its onboarding is %s.', s.step, s.status) into why
        from tenant.onboarding s where s.tenant_id = new.id and s.status <> over
        order by s.nth limit 1;
    if why is null and new.status = 'active' then
        select format('It waits in pool "%s" for tenant.claim_ready_tenant().', o.pool) into why
            from tenant.onboardings o where o.tenant_id = new.id and o.pool is not null and o.claimed_at is null;
    end if;
    if why is not null then
        raise exception using
            errcode = 'TN133',
            message = format('tenant "%s" cannot become %s: it is %s', new.id, new.status, old.status),
            detail = why,
            hint = case new.status when 'active' then 'Its last step makes it active. tenant.retry_onboarding(id, reason) tries failed ones again.'
                else format('Undo what was done: select tenant.abandon_onboarding(%L, ''<reason>'');', new.id) end;
    end if;
    return new;
end
$$;
revoke all on function tenant_internal.check_onboarded() from public;
create trigger check_onboarded before update on tenant.tenants for each row
    when (old.status = 'provisioning' and new.status in ('active', 'purged')) execute function tenant_internal.check_onboarded();

-- Of a tenant that was purged, nothing that the steps were given or have returned is left.
create function tenant_internal.forget_onboarding() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update tenant.onboardings o set input = '{}' where o.tenant_id = new.id;
    update tenant.onboarding s set result = null, last_error = null where s.tenant_id = new.id;
    return null;
end
$$;
revoke all on function tenant_internal.forget_onboarding() from public;
create trigger forget_onboarding after update on tenant.tenants for each row
    when (new.status = 'purged' and old.status <> 'purged') execute function tenant_internal.forget_onboarding();

create view tenant.onboarding_state with (security_invoker = true) as
    select s.step,
        count(*) filter (where s.status = 'waiting' and s.not_before is null) as blocked,
        count(*) filter (where s.status = 'waiting' and s.not_before is not null) as waiting,
        count(*) filter (where s.status = 'running') as running,
        count(*) filter (where s.status = 'failed') as failed,
        count(*) filter (where case s.status when 'waiting' then s.not_before when 'running' then s.claim_expires end
            < now() - interval '5 min') as overdue,
        count(*) filter (where s.abandoned) as undoing,
        coalesce(max(now() - s.changed_at) filter (where s.status <> 'waiting' or s.not_before is not null), interval '0') as oldest
    from tenant.onboarding s where s.status in ('waiting', 'running', 'failed') group by s.step;
comment on view tenant.onboarding_state is 'Steps that are not over, by name: how many wait for others, can be claimed or will be, run, have failed; how many nobody has taken for five minutes; and for how long the oldest has been so.';
grant select on tenant.onboarding_state to tenant_admin;
