-- Findings on billing.

create view tenant_internal.finding_t152 as
    select 'T152' as code, 'warn' as level,
        e.provider || '/' || e.customer_id as object,
        format('%s billing events of customer %s are nobody''s, the first since %s', count(*), quote_literal(left(e.customer_id, 80)), min(e.received_at)) as problem,
        'Whoever pays as this customer is given nothing for it, and who does not pay goes on.' as why,
        null::text as fix
    from tenant.billing_events e where e.outcome = 'unmatched'
    group by e.provider, e.customer_id having min(e.received_at) < now() - interval '1 day';
comment on view tenant_internal.finding_t152 is 'Billing events are nobody''s';

create view tenant_internal.finding_t153 as
    select 'T153' as code, 'warn' as level,
        s.tenant_id as object,
        case when s.problem is null then format('tenant "%s" should have been looked at on %s, and tenant.billing_tick() has not', s.tenant_id, s.next_at)
            else format('tenant.billing_tick() has failed for tenant "%s" on %s: %s', s.tenant_id, s.problem_at, s.problem) end as problem,
        'What it has not paid for goes on, or what it has is still withheld.' as why,
        'select tenant.billing_tick(10000);' as fix
    from tenant.subscriptions s join tenant.tenants t on t.id = s.tenant_id
    where s.next_at < now() - interval '15 min' or s.problem is not null;
comment on view tenant_internal.finding_t153 is 'A billing policy was not carried out';

create view tenant_internal.finding_t154 as
    select 'T154' as code, 'info' as level,
        t.id as object,
        format('tenant "%s" has plan "%s", which is billed, and no subscription', t.id, t.plan) as problem,
        'Nobody pays for it, and no event of a provider will change that.' as why,
        null::text as fix
    from tenant.tenants t join tenant.billing_policies p on p.plan = t.plan
    left join tenant.subscriptions s on s.tenant_id = t.id
    where t.status in ('active', 'read_only') and coalesce(s.status, 'none') in ('none', 'ended');
comment on view tenant_internal.finding_t154 is 'A tenant has a plan that is billed, and no subscription';

create view tenant_internal.finding_t157 as
    select 'T157' as code, 'warn' as level,
        s.missing_plan as object,
        format('payment providers name plan "%s" for %s tenants, as for "%s", and there is no such plan', s.missing_plan, count(*), min(s.tenant_id)) as problem,
        'They have paid for it and keep the plan that they had.' as why,
        format('select tenant.define_plan(%L); select tenant.billing_tick(10000);', s.missing_plan) as fix
    from tenant.subscriptions s
    where not exists (select from tenant.plans p where p.plan = s.missing_plan)
    group by s.missing_plan having s.missing_plan is not null;
comment on view tenant_internal.finding_t157 is 'A provider names a plan that is not there';
