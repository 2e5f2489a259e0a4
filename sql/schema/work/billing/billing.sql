-- Billing: what payment providers have said, of whose customer, and what follows from it for the tenant.

create table tenant.billing_customers (
    provider text collate "C" check (provider ~ '^[a-z][a-z0-9_-]{0,62}$'),
    customer_id text collate "C" check (customer_id <> ''),
    tenant_id text collate "C" not null,
    linked_at timestamptz not null default now(),
    primary key (provider, customer_id)
);
comment on table tenant.billing_customers is 'Which tenant a customer of a payment provider is. Only operators link them.';
create index on tenant.billing_customers (tenant_id);
grant select on tenant.billing_customers to tenant_admin, tenant_system;
select pg_catalog.pg_extension_config_dump('tenant.billing_customers', '');

create table tenant.billing_events (
    provider text collate "C",
    event_id text collate "C",
    occurred_at timestamptz not null,
    type text collate "C" not null,
    customer_id text collate "C",
    -- Null: the customer is nobody's so far.
    tenant_id text collate "C",
    payload jsonb not null,
    received_at timestamptz not null default now(),
    applied_at timestamptz,
    outcome text collate "C" not null check (outcome in ('applied', 'ignored', 'unmatched')),
    why text,
    -- Since when nothing is kept of the payload but what the state follows from.
    pruned_at timestamptz,
    primary key (provider, event_id)
);
comment on table tenant.billing_events is 'What payment providers have said, each event once, and what came of it.';
create index billing_events_of_tenant on tenant.billing_events (tenant_id, occurred_at);
create index billing_events_unmatched on tenant.billing_events (provider, customer_id) where outcome = 'unmatched';
create index billing_events_not_pruned on tenant.billing_events (received_at) where pruned_at is null;
grant select on tenant.billing_events to tenant_admin, tenant_system;
select pg_catalog.pg_extension_config_dump('tenant.billing_events', '');

create table tenant.subscriptions (
    tenant_id text collate "C" primary key,
    provider text collate "C",
    subscription_id text collate "C",
    plan text collate "C",
    status text collate "C" not null default 'none'
        check (status in ('none', 'incomplete', 'trialing', 'active', 'past_due', 'paused', 'ended')),
    paid_until timestamptz,
    past_due_since timestamptz,
    cancel_at timestamptz,
    ended_at timestamptz,
    -- What the tenant may do by what was paid.
    access text collate "C" not null default 'full' check (access in ('full', 'read_only', 'suspended')),
    -- When that changes with time alone.
    next_at timestamptz,
    as_of timestamptz,
    -- An operator lets it go on until then, whatever was paid.
    grace_until timestamptz,
    -- The state that billing has put the tenant in, and the one before. Null where it has not, or an operator has
    -- since.
    held text collate "C" check (held in ('read_only', 'suspended')),
    held_from text collate "C" check (held_from in ('active', 'read_only')),
    -- The plan that billing gave it last: it gives another when the subscription has another.
    given_plan text collate "C",
    -- The plan that it had before there was any event.
    plan_before text collate "C",
    -- What the provider says of it names this plan, and there is none.
    missing_plan text collate "C",
    -- Why the last tick could do nothing for it, and when that was.
    problem text,
    problem_at timestamptz,
    changed_at timestamptz not null default now()
);
comment on table tenant.subscriptions is 'What follows from all events of a tenant''s customers: plan, paid until, past due since, what it may do.';
create index subscriptions_next on tenant.subscriptions (next_at);
create index subscriptions_missing_plan on tenant.subscriptions (missing_plan) where missing_plan is not null;
grant select on tenant.subscriptions to tenant_admin, tenant_system;
select pg_catalog.pg_extension_config_dump('tenant.subscriptions', '');

create table tenant.billing_policies (
    -- '': of plans that have none.
    plan text collate "C" primary key,
    grace interval not null check (grace >= interval '0'),
    read_only_for interval not null check (read_only_for >= interval '0'),
    after_end text collate "C" not null check (after_end in ('full', 'read_only', 'suspended')),
    end_plan text collate "C",
    changed_at timestamptz not null default now()
);
comment on table tenant.billing_policies is 'How long a tenant of the plan goes on when it is past due, how long it is read-only then before it is suspended, and what is left when its subscription has ended.';
grant select on tenant.billing_policies to tenant_admin, tenant_system;
select pg_catalog.pg_extension_config_dump('tenant.billing_policies', '');

create function tenant_internal.refuse_billing(code text, message text, detail text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using errcode = code, message = message, detail = detail, hint = hint;
end
$$;
revoke all on function tenant_internal.refuse_billing(text, text, text, text) from public;

-- A time in a payload: seconds since 1970, or ISO 8601; in UTC where it names no zone.
create function tenant_internal.billing_time(value jsonb) returns timestamptz
    language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' as $$
    select case jsonb_typeof(value) when 'number' then to_timestamp(value::double precision)
        when 'string' then (value #>> '{}')::timestamptz end
$$;
revoke all on function tenant_internal.billing_time(jsonb) from public;

-- Among events of one moment: providers count in seconds. Who has paid in that second has paid, and an end is the end.
create function tenant_internal.billing_rank(type text, status text) returns integer
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case when type = 'subscription_ended' or status = 'ended' then 9
        when type = 'invoice_paid' then 8 when status = 'active' then 7 when status = 'trialing' then 6
        when type = 'payment_failed' then 5 when status = 'past_due' then 4 when status = 'paused' then 3 else 1 end
$$;
revoke all on function tenant_internal.billing_rank(text, text) from public;

-- Before any line of tenant.subscriptions is changed. Who changes lines of one tenant after the other shares it; who
-- changes those of many at once has it alone, and so waits for nobody who waits for one of those lines. The guards are
-- off for it, since an onboarding's last step changes its tenant's state inside the tenant.
create function tenant_internal.lock_billing(alone boolean default false) returns void
    language sql volatile set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
    select case when alone then pg_advisory_xact_lock(hashtextextended('pg_tenant billing', 0))
        else pg_advisory_xact_lock_shared(hashtextextended('pg_tenant billing', 0)) end
$$;
revoke all on function tenant_internal.lock_billing(boolean) from public;

-- What of a payload the state follows from.
create function tenant_internal.billing_facts(payload jsonb) returns jsonb
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select coalesce(jsonb_object_agg(f.key, f.value), '{}') from jsonb_each(payload) f
        where f.key in ('customer', 'subscription', 'status', 'plan', 'paid_until', 'cancel_at', 'ended_at')
$$;
revoke all on function tenant_internal.billing_facts(jsonb) from public;

-- An operator has changed the tenant's state, or said that it stays: it is no longer billing's to change back.
create function tenant_internal.billing_lets_go(id text) returns void
    language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select tenant_internal.lock_billing() from tenant.subscriptions s where s.tenant_id = id and s.held is not null;
    update tenant.subscriptions s set held = null, held_from = null where s.tenant_id = id and s.held is not null
$$;
revoke all on function tenant_internal.billing_lets_go(text) from public;
grant execute on function tenant_internal.billing_lets_go(text) to tenant_admin;

-- Of a tenant that was purged only its customers' ids are left, so that what comes later is known to be its.
create function tenant_internal.tenant_was_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.billing_lets_go(new.id);
    if new.status = 'purged' then
        perform tenant_internal.lock_billing();
        delete from tenant.billing_events e where e.tenant_id = new.id;
        delete from tenant.subscriptions s where s.tenant_id = new.id;
    end if;
    return null;
end
$$;
revoke all on function tenant_internal.tenant_was_changed() from public;
create trigger billing_lets_go after update on tenant.tenants for each row
    when (new.status <> old.status) execute function tenant_internal.tenant_was_changed();
