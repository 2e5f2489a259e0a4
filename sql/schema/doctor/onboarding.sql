-- Findings on tenants that are being set up.

create view tenant_internal.finding_t132 as
    select 'T132' as code, 'warn' as level,
        s.tenant_id || '/' || s.step as object,
        format('step "%s" of tenant "%s" %s%s', s.step, s.tenant_id,
            case s.status when 'failed' then format('has failed after %s attempts', s.tries)
                when 'running' then format('was claimed by %s, who has not been heard of since %s', s.claimed_by, s.claim_expires)
                else format('could be claimed since %s, and nobody does', s.not_before) end,
            ': ' || left(regexp_replace(s.last_error, '[[:cntrl:]]+', ' ', 'g'), 200)) as problem,
        'The tenant is not set up, or not undone, until the step is; whoever signed up for it waits.' as why,
        case s.status when 'failed' then format('select tenant.retry_onboarding(%L, ''<reason>'');', s.tenant_id) end as fix
    from tenant.onboarding s
    where s.status = 'failed'
        or s.status in ('waiting', 'running')
            and (case s.status when 'waiting' then s.not_before when 'running' then s.claim_expires end) < now() - interval '15 min';
comment on view tenant_internal.finding_t132 is 'A step of an onboarding is stuck';

create view tenant_internal.finding_t133 as
    select 'T133' as code, 'warn' as level,
        t.id as object,
        format('tenant "%s" is being set up%s, and has no steps', t.id, ' since ' || t.status_since) as problem,
        'Nothing will make it active, and members of tenant_admin alone enter it.' as why,
        null::text as fix
    from tenant.tenants t
    where t.status = 'provisioning' and coalesce(t.status_since, t.changed_at) < now() - interval '1 day'
        and not exists (select from tenant.onboarding s where s.tenant_id = t.id);
comment on view tenant_internal.finding_t133 is 'A tenant is being set up by nobody';

create view tenant_internal.finding_t134 as
    select 'T134' as code, 'warn' as level,
        p.pool as object,
        format('pool "%s" has %s of %s tenants ready or on the way, and nobody tops it up', p.pool, h.have, p.target) as problem,
        'Where no tenant is ready, who signs up waits until one is set up, or is turned away.' as why,
        'select tenant.top_up_ready_tenants();' as fix
    from tenant.ready_pools p
    cross join lateral (select count(*) as have from tenant.onboardings o
        where o.pool = p.pool and o.claimed_at is null and o.abandoned_at is null) h
    where h.have < p.target and greatest(p.topped_up_at, p.changed_at) < now() - interval '15 min';
comment on view tenant_internal.finding_t134 is 'A pool of ready tenants is not topped up';
