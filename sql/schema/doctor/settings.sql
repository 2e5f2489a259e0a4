-- Findings on plans, and on settings that functions and triggers would refuse today.

-- Every value that a tenant or a plan has, and every default.
create view tenant_internal.doctor_setting_values as
    select 'tenant' as kind, t.id as holder, e.key as name, e.value, null::boolean as as_feature
    from tenant.tenants t cross join lateral jsonb_each(t.settings) e where t.settings <> '{}'
    union all
    select 'plan', p.plan, e.key, e.value, true from tenant.plans p cross join lateral jsonb_each(p.features) e
    union all
    select 'plan', p.plan, e.key, e.value, false from tenant.plans p cross join lateral jsonb_each(p.settings) e
    union all
    select 'default', '', d.name, d.default_value, null from tenant.setting_definitions d where d.default_value is not null;

create view tenant_internal.finding_t135 as
    select 'T135' as code, 'warn' as level,
        format('plan %s', t.plan) as object,
        format('%s %s the plan "%s", which is not in tenant.plans', count(*), case count(*) when 1 then 'tenant has' else 'tenants have' end, t.plan) as problem,
        'They have the limits of no plan: none, unless each has its own. Features and settings have their defaults.' as why,
        format('select tenant.define_plan(%L);', t.plan) as fix
    from tenant.tenants t
    where t.plan is not null and exists (select from tenant.plans) and not exists (select from tenant.plans p where p.plan = t.plan)
    group by t.plan;
comment on view tenant_internal.finding_t135 is 'Tenants have a plan that is not there';

-- The problem and one who has it, of each setting.
create view tenant_internal.finding_t136 as
    select 'T136' as code, 'error' as level,
        format('setting %s', v.name) as object,
        format('%s of setting "%s" looks like a secret, and the setting is not declared secret',
            min(case v.kind when 'default' then 'the default' else format('the value that %s "%s" has', v.kind, v.holder) end), v.name)
            || case when count(*) > 1 then format('; so do %s more', count(*) - 1) else '' end as problem,
        'The registry is in every dump and on every standby, and a tenant''s statements read what it has.' as why,
        null::text as fix
    from tenant_internal.doctor_setting_values v
    where exists (select from jsonb_path_query(v.value, 'strict $.**') leaf
            where jsonb_typeof(leaf) = 'string' and tenant_internal.looks_secret(leaf #>> '{}'))
        and not exists (select from tenant.setting_definitions d where d.name = v.name and d.secret)
    group by v.name;
comment on view tenant_internal.finding_t136 is 'A setting has a value that looks like a secret';

create view tenant_internal.finding_t137 as
    select 'T137' as code, 'info' as level,
        format('setting %s', v.name) as object,
        format('%s has a value of setting "%s", which is not declared', min(format('%s "%s"', v.kind, v.holder)), v.name)
            || case when count(*) > 1 then format('; so have %s more', count(*) - 1) else '' end as problem,
        'Nothing reads it: tenant.setting() refuses the name. A declaration of this name is refused where the value does not fit it.' as why,
        null::text as fix
    from tenant_internal.doctor_setting_values v
    where not exists (select from tenant.setting_definitions d where d.name = v.name)
    group by v.name;
comment on view tenant_internal.finding_t137 is 'A setting that is not declared has a value';

create view tenant_internal.finding_t138 as
    select 'T138' as code, 'warn' as level,
        format('setting %s', v.name) as object,
        format('%s of setting "%s" does not fit its declaration',
            min(case v.kind when 'default' then 'the default' else format('the value that %s "%s" has', v.kind, v.holder) end), v.name)
            || case when count(*) > 1 then format('; nor do %s more', count(*) - 1) else '' end as problem,
        'The application reads what it was promised not to get: a value of another type, beyond its bounds, or a secret in place of a reference to one.' as why,
        null::text as fix
    from tenant_internal.doctor_setting_values v
    join tenant.setting_definitions d on d.name = v.name
    cross join lateral tenant_internal.setting_problem(d, v.value) p (problem)
    where v.as_feature <> (d.kind = 'feature') or p.problem[1] = 'TN151' or p.problem[1] = 'TN152' and d.secret
    group by v.name;
comment on view tenant_internal.finding_t138 is 'A setting has a value that does not fit its declaration';
