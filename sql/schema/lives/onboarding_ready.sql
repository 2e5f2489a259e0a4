-- Tenants that are set up before anybody asks for them, so that who signs up has one at once.

create table tenant.ready_pools (
    pool text collate "C" primary key,
    target integer not null check (target between 0 and 10000),
    steps jsonb not null,
    changed_at timestamptz not null default now(),
    topped_up_at timestamptz
);
comment on table tenant.ready_pools is 'How many tenants of each pool are kept ready, and with which steps they are set up.';
grant select on tenant.ready_pools to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.ready_pools', '');

create view tenant.ready_tenants with (security_invoker = true) as
    select o.pool, o.tenant_id, o.begun_at, o.ready_at
    from tenant.onboardings o where o.pool is not null and o.ready_at is not null and o.claimed_at is null and o.abandoned_at is null;
comment on view tenant.ready_tenants is 'Tenants that are set up and wait, in their pools, for tenant.claim_ready_tenant().';
grant select on tenant.ready_tenants to tenant_admin;

create function tenant.set_ready_pool(pool text, target integer, steps jsonb) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_pool(pool), tenant_internal.check_steps(steps);
    if target is null or target not between 0 and 10000 then
        perform tenant_internal.refuse_onboarding(format('pool "%s" cannot have %s tenants ready', pool, coalesce(target::text, 'null')),
            'So many are set up before anybody asks for them.', 'A target stands between 0 and 10000.');
    end if;
    insert into tenant.ready_pools as p (pool, target, steps) values (set_ready_pool.pool, set_ready_pool.target, set_ready_pool.steps)
        on conflict on constraint ready_pools_pkey do update set target = excluded.target, steps = excluded.steps, changed_at = now();
    perform tenant_internal.write_journal('set_ready_pool', pool, null, jsonb_build_object('target', target));
end
$$;
comment on function tenant.set_ready_pool is 'Makes the pool, or changes how many tenants it keeps ready and how new ones are set up. TN153 a malformed name, target or steps.';
revoke all on function tenant.set_ready_pool(text, integer, jsonb) from public;
grant execute on function tenant.set_ready_pool(text, integer, jsonb) to tenant_admin;

create function tenant.top_up_ready_tenants(at_most integer default 10) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    p tenant.ready_pools;
    missing integer;
    begun integer := 0;
begin
    -- Another that tops the same pool up counts what this one begins.
    for p in select * from tenant.ready_pools r order by r.pool for no key update skip locked loop
        -- Those that have failed count: a step that never succeeds must not make tenants without end.
        select p.target - count(*) into missing from tenant.onboardings o
            where o.pool = p.pool and o.claimed_at is null and o.abandoned_at is null;
        missing := least(greatest(missing, 0), at_most - begun);
        perform tenant.begin_onboarding(gen_random_uuid()::text, p.steps, pool => p.pool) from generate_series(1, missing);
        begun := begun + missing;
        update tenant.ready_pools r set topped_up_at = now() where r.pool = p.pool;
        exit when begun >= at_most;
    end loop;
    return begun;
end
$$;
comment on function tenant.top_up_ready_tenants is 'Begins to set up as many tenants, with random uuids, as the pools lack, up to at_most; gives how many. Workers do this from time to time.';
revoke all on function tenant.top_up_ready_tenants(integer) from public;
grant execute on function tenant.top_up_ready_tenants(integer) to tenant_admin;

create function tenant.claim_ready_tenant(name text default null, slug text default null, plan text default null,
    settings jsonb default '{}', input jsonb default '{}', pool text default 'default') returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    claimed text;
begin
    perform tenant_internal.require_pool(pool), tenant_internal.check_new_tenant(left(coalesce(slug, pool), 80), slug, settings);
    if jsonb_typeof(coalesce(input, '{}')) <> 'object' then
        perform tenant_internal.refuse_onboarding('cannot claim a ready tenant: malformed input',
            format('It is of type %s.', jsonb_typeof(input)), 'The input is an object: {"name": value, ...}.');
    end if;
    select o.tenant_id into claimed from tenant.onboardings o
        where o.pool = claim_ready_tenant.pool and o.ready_at is not null and o.claimed_at is null and o.abandoned_at is null
        order by o.ready_at limit 1 for update skip locked;
    if not found then
        return null;
    end if;
    begin
        update tenant.tenants t set name = claim_ready_tenant.name, slug = claim_ready_tenant.slug, plan = claim_ready_tenant.plan,
            settings = coalesce(claim_ready_tenant.settings, '{}') where t.id = claimed;
    exception when unique_violation then
        raise exception using
            errcode = 'TN050',
            message = format('a tenant with slug "%s" exists already', slug),
            detail = format('The registry has a tenant with slug "%s".', slug),
            hint = 'Choose another.';
    end;
    update tenant.onboardings o set claimed_at = clock_timestamp(), changed_at = clock_timestamp(),
        input = o.input || coalesce(claim_ready_tenant.input, '{}') where o.tenant_id = claimed;
    perform tenant_internal.write_journal('claim_ready_tenant', claimed, null, jsonb_build_object('pool', pool));
    perform tenant_internal.advance_onboarding(claimed);
    return claimed;
end
$$;
comment on function tenant.claim_ready_tenant is 'Gives a tenant that is set up and waits in the pool its name, slug, plan and settings, and its id to the caller; null where none is ready. It is active at once, unless steps were kept for this moment (at_claim). TN050 a slug that is taken, TN053 malformed slug or settings.';
revoke all on function tenant.claim_ready_tenant(text, text, text, jsonb, jsonb, text) from public;
grant execute on function tenant.claim_ready_tenant(text, text, text, jsonb, jsonb, text) to tenant_admin;
