-- Managing tenants.

create function tenant_internal.check_new_tenant(tenant text, slug text, settings jsonb) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if slug !~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' then
        raise exception using
            errcode = 'TN053',
            message = format('cannot register tenant "%s": malformed slug', tenant),
            detail = format('The slug is %s.', quote_literal(left(slug, 80))),
            hint = 'A slug has 1 to 63 characters a-z 0-9 - and begins and ends with a letter or a digit.';
    end if;
    if jsonb_typeof(settings) <> 'object' then
        raise exception using
            errcode = 'TN053',
            message = format('cannot register tenant "%s": malformed settings', tenant),
            detail = format('They are of type %s.', jsonb_typeof(settings)),
            hint = 'Settings are an object: {"name": value, ...}.';
    end if;
end
$$;
revoke all on function tenant_internal.check_new_tenant(text, text, jsonb) from public;
grant execute on function tenant_internal.check_new_tenant(text, text, jsonb) to tenant_admin;

-- Registers a tenant in its first state.
create function tenant_internal.create_tenant(canonical text, name text, slug text, plan text, settings jsonb, status text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    made text;
begin
    perform tenant_internal.check_new_tenant(canonical, slug, settings);
    -- No exception block: it would cost a subtransaction for each tenant.
    insert into tenant.tenants as t (id, name, slug, plan, settings, status)
        values (canonical, name, slug, plan, coalesce(settings, '{}'), status)
        on conflict do nothing returning t.id into made;
    if made is null then
        raise exception using
            errcode = 'TN050',
            message = format('tenant "%s" exists already', canonical),
            detail = format('The registry has a tenant with id "%s"%s.', canonical, ' or slug "' || slug || '"'),
            hint = 'Choose another, or change the tenant that is there in tenant.tenants.';
    end if;
end
$$;
revoke all on function tenant_internal.create_tenant(text, text, text, text, jsonb, text) from public;
grant execute on function tenant_internal.create_tenant(text, text, text, text, jsonb, text) to tenant_admin;

create function tenant.create(id text, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}') returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.create_tenant(canonical, name, slug, plan, settings, 'active');
    return canonical;
end
$$;
comment on function tenant.create is 'Registers a tenant and gives its canonical id. TN004 malformed, TN050 exists already, TN053 malformed slug or settings.';
revoke all on function tenant.create(text, text, text, text, jsonb) from public;
grant execute on function tenant.create(text, text, text, text, jsonb) to tenant_admin;

create function tenant.create(id uuid, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}') returns text language sql
    begin atomic select tenant.create(id::text, name, slug, plan, settings); end;
revoke all on function tenant.create(uuid, text, text, text, jsonb) from public;
grant execute on function tenant.create(uuid, text, text, text, jsonb) to tenant_admin;

create function tenant.create(id bigint, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}') returns text language sql
    begin atomic select tenant.create(id::text, name, slug, plan, settings); end;
revoke all on function tenant.create(bigint, text, text, text, jsonb) from public;
grant execute on function tenant.create(bigint, text, text, text, jsonb) to tenant_admin;

-- Refuses an unknown tenant. The library refuses it with the same words.
create function tenant_internal.require_known(id text) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from tenant.tenants t where t.id = require_known.id) then
        raise exception using
            errcode = 'TN002',
            message = format('unknown tenant "%s"', id),
            detail = 'The registry tenant.tenants has no tenant with this id.',
            hint = format('An administrator registers it with select tenant.create(%L).', id);
    end if;
end
$$;
revoke all on function tenant_internal.require_known(text) from public;
grant execute on function tenant_internal.require_known(text) to tenant_admin;

create function tenant_internal.check_limits(timeouts interval[], work_mem text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    too_much constant text := 'TN051';
    given interval;
begin
    foreach given in array timeouts loop
        if given < interval '1 ms' or given > interval '24 days' then
            raise exception using
                errcode = too_much,
                message = format('timeout %s is out of range', given),
                detail = 'A timeout stands between 1 ms and 24 days.',
                hint = 'Pass null for no limit.';
        end if;
    end loop;
    if pg_size_bytes(work_mem) not between 64 * 1024 and 2147483647 * 1024::bigint then
        raise exception using
            errcode = too_much,
            message = format('work_mem %s is out of range', work_mem),
            detail = 'It stands between 64kB and 2TB.',
            hint = 'Pass null for no limit.';
    end if;
end
$$;
revoke all on function tenant_internal.check_limits(interval[], text) from public;
grant execute on function tenant_internal.check_limits(interval[], text) to tenant_admin;

create function tenant.set_limits(id text, statement_timeout interval default null, lock_timeout interval default null,
    idle_in_transaction_session_timeout interval default null, work_mem text default null,
    read_only boolean default false) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_known(canonical);
    perform tenant_internal.check_limits(array[statement_timeout, lock_timeout, idle_in_transaction_session_timeout], work_mem);
    update tenant.tenants t set
        statement_timeout_ms = extract(epoch from set_limits.statement_timeout) * 1000,
        lock_timeout_ms = extract(epoch from set_limits.lock_timeout) * 1000,
        idle_in_transaction_session_timeout_ms = extract(epoch from set_limits.idle_in_transaction_session_timeout) * 1000,
        work_mem_kb = pg_size_bytes(set_limits.work_mem) / 1024,
        read_only = coalesce(set_limits.read_only, false)
    where t.id = canonical;
end
$$;
comment on function tenant.set_limits(text, interval, interval, interval, text, boolean) is 'Sets the limits of the tenant''s transactions. enter applies them, and nothing in the transaction may raise them (TN009). Null is no limit; a call sets all of them.';
revoke all on function tenant.set_limits(text, interval, interval, interval, text, boolean) from public;
grant execute on function tenant.set_limits(text, interval, interval, interval, text, boolean) to tenant_admin;

create function tenant.set_limits(id uuid, statement_timeout interval default null, lock_timeout interval default null,
    idle_in_transaction_session_timeout interval default null, work_mem text default null,
    read_only boolean default false) returns void language sql
    begin atomic
        select tenant.set_limits(id::text, statement_timeout, lock_timeout, idle_in_transaction_session_timeout, work_mem, read_only);
    end;
revoke all on function tenant.set_limits(uuid, interval, interval, interval, text, boolean) from public;
grant execute on function tenant.set_limits(uuid, interval, interval, interval, text, boolean) to tenant_admin;

create function tenant.set_limits(id bigint, statement_timeout interval default null, lock_timeout interval default null,
    idle_in_transaction_session_timeout interval default null, work_mem text default null,
    read_only boolean default false) returns void language sql
    begin atomic
        select tenant.set_limits(id::text, statement_timeout, lock_timeout, idle_in_transaction_session_timeout, work_mem, read_only);
    end;
revoke all on function tenant.set_limits(bigint, interval, interval, interval, text, boolean) from public;
grant execute on function tenant.set_limits(bigint, interval, interval, interval, text, boolean) to tenant_admin;
