-- Findings on meters.

create view tenant_internal.finding_t148 as
    select 'T148' as code, 'info' as level,
        m.meter as object,
        format('meter "%s" has no limit, of its own, of a plan or of a tenant', m.meter) as problem,
        'Whatever a tenant uses is counted, and nothing is refused.' as why,
        null::text as fix
    from tenant.meters m
    where m.hard_limit is null and m.soft_limit is null
        and not exists (select from tenant.plans p where p.quotas ? m.meter and jsonb_typeof(p.quotas -> m.meter) <> 'null')
        and not exists (select from tenant.quotas q where q.meter = m.meter);
comment on view tenant_internal.finding_t148 is 'A meter has no limit';

create view tenant_internal.finding_t149 as
    select 'T149' as code, 'error' as level,
        coalesce(p.part::text, m.meter) as object,
        case when p.part is null then format('meter "%s" counts the rows of a table that is not there', m.meter)
            else format('rows of %s are not counted, though meter "%s" counts those of %s', p.part, m.meter, m.relation) end as problem,
        'Rows come and go without being counted: tenants pass their limits, or are refused below them.' as why,
        case when p.part is null then format('select tenant.unmeter_rows(%L, ''<reason>'');', m.meter)
            else format('select tenant.meter_rows(%L, %L%s);', m.meter, m.relation, ', ' || quote_literal(m.unless)) end as fix
    from tenant.meters m
    left join lateral (select h as part from tenant_internal.hierarchy(m.relation) h join pg_class c on c.oid = h where c.relkind in ('r', 'p')) p on true
    where m.relation is not null and (p.part is null or (select count(*) from pg_trigger t
        where t.tgrelid = p.part and t.tgfoid = 'tenant_internal.count_rows()'::regprocedure and t.tgenabled = 'A'
            and convert_from(substr(t.tgargs, 1, length(m.meter)), 'UTF8') = m.meter) < 4);
comment on view tenant_internal.finding_t149 is 'A metered table''s triggers are gone or disabled';

create view tenant_internal.finding_t150 as
    select 'T150' as code, 'warn' as level,
        s.tenant_id || '/' || s.meter as object,
        format('tenant "%s" has used %s of meter "%s", and its limit is %s', s.tenant_id, s.used, s.meter, s.hard_limit) as problem,
        'The limit was lowered since, or rows were there before they were counted: what is more is refused until it is less.' as why,
        null::text as fix
    from tenant.usage_state s where s.used > s.hard_limit;
comment on view tenant_internal.finding_t150 is 'A tenant has used more than its limit';

create view tenant_internal.finding_t151 as
    select 'T151' as code, 'warn' as level,
        m.meter as object,
        format('usage of meter "%s" since %s is not rolled up', m.meter, to_char(o.since, 'YYYY-MM-DD')) as problem,
        'Each period keeps 16 rows for each tenant, and reports add them up; of meters that count rows, days are missing.' as why,
        'select tenant.roll_up_usage();' as fix
    from tenant.meters m
    cross join lateral (select min(b.at) as since from (
        select u.period_start from tenant.usage u where u.meter = m.meter and m.relation is null
            and tenant_internal.period_end(m.period, u.period_start) < now() - interval '2 days'
        union all
        select d.day from tenant.usage_days d where d.meter = m.meter and d.stripe >= 0 and d.day < (now() - interval '4 days')::date
        union all
        select (select max(d.at) from tenant.usage_days d where d.meter = m.meter) where m.relation is not null
            and coalesce((select max(d.at) from tenant.usage_days d where d.meter = m.meter), m.changed_at) < now() - interval '2 days') b (at)) o
    where o.since is not null;
comment on view tenant_internal.finding_t151 is 'Usage is not rolled up';
