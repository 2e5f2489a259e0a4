-- What the webhook hands in, and whose customers they are.

-- In an older snapshot, what others have applied is not seen, and would be left out of what follows.
create function tenant_internal.check_billing_sees(message text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        perform tenant_internal.refuse_billing('TN175', message,
            'The transaction does not see what others have applied: it is not in READ COMMITTED.',
            'begin isolation level read committed;');
    end if;
end
$$;
revoke all on function tenant_internal.check_billing_sees(text) from public;

-- A payload that can be read, or why not.
create function tenant_internal.check_billing_event(provider text, event_id text, occurred_at timestamptz, type text, payload jsonb)
    returns void language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    why text;
    name text;
begin
    why := case
        when tenant.current_id() is not null then 'The transaction is inside a tenant.'
        when coalesce(provider !~ '^[a-z][a-z0-9_-]{0,62}$', true) then 'The provider''s name is not 1 to 63 characters a-z 0-9 _ - that begin with a letter.'
        when coalesce(length(event_id) not between 1 and 255, true) then 'The event''s id is not 1 to 255 characters.'
        when coalesce(not isfinite(occurred_at), true) then 'It has not occurred at any time.'
        when coalesce(length(type) not between 1 and 255, true) then 'Its type is not 1 to 255 characters.'
        when jsonb_typeof(payload) is distinct from 'object' then 'Its payload is no object.'
        when type in ('subscription', 'subscription_ended', 'invoice_paid', 'payment_failed') then case
            when coalesce(payload ->> 'customer', '') = '' then 'Its payload has no "customer".'
            when type <> 'subscription' then null
            when coalesce(payload ->> 'subscription', '') = '' then 'Its payload has no "subscription".'
            when coalesce(payload ->> 'status' not in ('incomplete', 'trialing', 'active', 'past_due', 'paused', 'ended'), true) then
                'Its "status" is none of incomplete, trialing, active, past_due, paused, ended.' end end;
    if why is null then
        foreach name in array array['paid_until', 'cancel_at', 'ended_at'] loop
            begin
                if jsonb_typeof(payload -> name) <> 'null' and not coalesce(isfinite(tenant_internal.billing_time(payload -> name)), false) then
                    why := format('Its "%s" is no time.', name);
                end if;
            exception when data_exception then
                why := format('Its "%s" is no time.', name);
            end;
        end loop;
    end if;
    if why is not null then
        perform tenant_internal.refuse_billing('TN175', 'the billing event cannot be applied', why,
            'Pass provider, id, time, type and {"customer": ..., "subscription": ..., "status": ..., "plan": ..., "paid_until": ...} in a transaction of its own.');
    end if;
end
$$;
revoke all on function tenant_internal.check_billing_event(text, text, timestamptz, text, jsonb) from public;

-- Who links a customer and who applies its events take turns.
create function tenant_internal.lock_customer(provider text, customer_id text) returns void
    language sql volatile set search_path = pg_catalog, pg_temp as $$
    select pg_advisory_xact_lock(hashtextextended('pg_tenant billing ' || provider || '/' || customer_id, 0))
$$;
revoke all on function tenant_internal.lock_customer(text, text) from public;

create function tenant.apply_billing_event(provider text, event_id text, occurred_at timestamptz, type text, payload jsonb) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    customer constant text := nullif(payload ->> 'customer', '');
    whose text;
    was tenant.billing_events;
    result text;
begin
    perform tenant_internal.check_billing_sees('the billing event cannot be applied');
    perform tenant_internal.check_billing_event(provider, event_id, occurred_at, type, payload);
    if customer is not null then
        perform tenant_internal.lock_customer(provider, customer);
        select c.tenant_id into whose from tenant.billing_customers c where (c.provider, c.customer_id) = (apply_billing_event.provider, customer);
    end if;
    insert into tenant.billing_events as e (provider, event_id, occurred_at, type, customer_id, tenant_id, payload, outcome, why)
        values (apply_billing_event.provider, apply_billing_event.event_id, apply_billing_event.occurred_at, apply_billing_event.type, customer,
            whose, apply_billing_event.payload, case when customer is null then 'ignored' else 'unmatched' end,
            case when customer is null then 'it is of no customer' else 'no tenant is this customer' end)
        on conflict on constraint billing_events_pkey do nothing;
    if not found then
        select * into was from tenant.billing_events e where (e.provider, e.event_id) = (apply_billing_event.provider, apply_billing_event.event_id);
        if (was.occurred_at, was.type, was.payload - 'raw') is distinct from (occurred_at, type,
                case when was.pruned_at is null then payload - 'raw' else tenant_internal.billing_facts(payload) end) and was.payload <> '{}' then
            perform tenant_internal.refuse_billing('TN177', format('event %s of %s was another one before', quote_literal(left(event_id, 80)), provider),
                format('It came on %s, of type %s and time %s.', was.received_at, quote_literal(left(was.type, 80)), was.occurred_at),
                'A provider sends an event as it was. Give another one an id of its own.');
        end if;
        return 'duplicate';
    end if;
    if whose is not null then
        perform tenant_internal.bill(whose, clock_timestamp());
    end if;
    select e.outcome into result from tenant.billing_events e where (e.provider, e.event_id) = (apply_billing_event.provider, apply_billing_event.event_id);
    return result;
end
$$;
comment on function tenant.apply_billing_event is 'Keeps what a payment provider has said, once, and does what follows: plan, read-only, suspended, active again. In any order, any number of times. Gives applied, ignored, unmatched (no tenant is this customer) or duplicate. TN175 malformed, TN177 another event of this id.';
revoke all on function tenant.apply_billing_event(text, text, timestamptz, text, jsonb) from public;
grant execute on function tenant.apply_billing_event(text, text, timestamptz, text, jsonb) to tenant_billing, tenant_admin;

create function tenant.link_billing_customer(id text, provider text, customer_id text) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    whose text;
    matched bigint;
begin
    perform tenant_internal.require_known(canonical), tenant_internal.check_billing_sees('the customer cannot be linked');
    if coalesce(provider !~ '^[a-z][a-z0-9_-]{0,62}$', true) or coalesce(length(customer_id) not between 1 and 255, true) then
        perform tenant_internal.refuse_billing('TN175', 'the customer cannot be linked', 'The provider''s name or the customer''s id is malformed.',
            'A provider has 1 to 63 characters a-z 0-9 _ -, an id has 1 to 255.');
    end if;
    perform tenant_internal.lock_customer(provider, customer_id);
    insert into tenant.billing_customers (provider, customer_id, tenant_id)
        values (link_billing_customer.provider, link_billing_customer.customer_id, canonical) on conflict on constraint billing_customers_pkey do nothing;
    select c.tenant_id into whose from tenant.billing_customers c
        where (c.provider, c.customer_id) = (link_billing_customer.provider, link_billing_customer.customer_id);
    if whose <> canonical then
        perform tenant_internal.refuse_billing('TN176', format('customer %s of %s is tenant "%s"', quote_literal(left(customer_id, 80)), provider, whose),
            format('It cannot be tenant "%s" as well.', canonical),
            format('If it was linked by mistake: select tenant.unlink_billing_customer(%L, %L, ''<reason>'');', provider, customer_id));
    end if;
    perform from tenant.tenants t where t.id = canonical for no key update;
    update tenant.billing_events e set tenant_id = canonical
        where (e.provider, e.customer_id) = (link_billing_customer.provider, link_billing_customer.customer_id) and e.tenant_id is null;
    get diagnostics matched = row_count;
    perform tenant_internal.bill(canonical, clock_timestamp());
    perform tenant_internal.write_journal('link_billing_customer', provider || '/' || customer_id, null, null, canonical);
    return matched;
end
$$;
comment on function tenant.link_billing_customer(text, text, text) is 'The customer of the provider is this tenant: what was said of it so far is applied; gives how many events. TN002 no such tenant, TN175 malformed, TN176 it is another tenant.';
revoke all on function tenant.link_billing_customer(text, text, text) from public;
grant execute on function tenant.link_billing_customer(text, text, text) to tenant_admin;

create function tenant.link_billing_customer(id uuid, provider text, customer_id text) returns bigint language sql
    begin atomic select tenant.link_billing_customer(id::text, provider, customer_id); end;
revoke all on function tenant.link_billing_customer(uuid, text, text) from public;
grant execute on function tenant.link_billing_customer(uuid, text, text) to tenant_admin;

create function tenant.link_billing_customer(id bigint, provider text, customer_id text) returns bigint language sql
    begin atomic select tenant.link_billing_customer(id::text, provider, customer_id); end;
revoke all on function tenant.link_billing_customer(bigint, text, text) from public;
grant execute on function tenant.link_billing_customer(bigint, text, text) to tenant_admin;

create function tenant.unlink_billing_customer(provider text, customer_id text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    whose text;
begin
    perform tenant_internal.require_reason(reason), tenant_internal.check_billing_sees('the customer cannot be unlinked');
    perform tenant_internal.lock_customer(provider, customer_id);
    delete from tenant.billing_customers c
        where (c.provider, c.customer_id) = (unlink_billing_customer.provider, unlink_billing_customer.customer_id) returning c.tenant_id into whose;
    if whose is null then
        perform tenant_internal.refuse_billing('TN175', 'the customer is linked to no tenant', 'tenant.billing_customers has no such line.',
            'select * from tenant.billing_customers;');
    end if;
    perform from tenant.tenants t where t.id = whose for no key update;
    update tenant.billing_events e set tenant_id = null, outcome = 'unmatched', why = 'no tenant is this customer', applied_at = null
        where (e.provider, e.customer_id) = (unlink_billing_customer.provider, unlink_billing_customer.customer_id);
    perform tenant_internal.bill(whose, clock_timestamp());
    perform tenant_internal.write_journal('unlink_billing_customer', provider || '/' || customer_id, reason, null, whose);
end
$$;
comment on function tenant.unlink_billing_customer is 'The customer is nobody''s again, and its events wait. The tenant goes on as if there had been none of them. TN029 without a reason, TN175 no such customer.';
revoke all on function tenant.unlink_billing_customer(text, text, text) from public;
grant execute on function tenant.unlink_billing_customer(text, text, text) to tenant_admin;
