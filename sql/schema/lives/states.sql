-- The states of a tenant: which leads to which, and the functions that change them.

-- pg_tenant/core/src/status.rs says the same, where the library and the client read it.
create view tenant.status_transitions (from_status, to_status, made_by) as values
    ('provisioning', 'active', 'activate'), ('provisioning', 'purged', 'mark_purged'),
    ('active', 'read_only', 'set_read_only'), ('active', 'suspended', 'suspend'), ('active', 'offboarding', 'offboard'),
    ('read_only', 'active', 'resume'), ('read_only', 'suspended', 'suspend'), ('read_only', 'offboarding', 'offboard'),
    ('suspended', 'active', 'resume'), ('suspended', 'read_only', 'set_read_only'), ('suspended', 'offboarding', 'offboard'),
    ('offboarding', 'active', 'keep'), ('offboarding', 'purged', 'mark_purged');
comment on view tenant.status_transitions is 'Which state of a tenant leads to which, and the function that makes the change.';
grant select on tenant.status_transitions to tenant_admin;

create function tenant_internal.refuse_transition(id text, status text, wanted text, why text default null) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN133',
        message = format('tenant "%s" cannot become %s: it is %s', id, wanted, status),
        detail = coalesce(why, (select format('From %s it becomes %s.', status, string_agg(to_status, ', ' order by to_status))
            from tenant.status_transitions where from_status = status), 'Nothing leads out of this state.'),
        hint = coalesce((select format('What is possible: %s.', string_agg(format('tenant.%s()', made_by), ', ' order by made_by))
            from tenant.status_transitions where from_status = status), 'Register a new tenant with another id.');
end
$$;
revoke all on function tenant_internal.refuse_transition(text, text, text, text) from public;
grant execute on function tenant_internal.refuse_transition(text, text, text, text) to tenant_admin;

-- Whichever statement changes a state. A tenant that was purged keeps its id and its times, and nothing else.
create function tenant_internal.check_status() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from tenant.status_transitions t where (t.from_status, t.to_status) = (old.status, new.status)) then
        perform tenant_internal.refuse_transition(old.id, old.status, new.status);
    elsif new.status = 'purged' and old.purge_after > now() then
        perform tenant_internal.refuse_transition(old.id, old.status, new.status,
            format('Its rows are purged after %s.', old.purge_after));
    end if;
    new.status_since := now();
    new.status_detail := null;
    new.purge_after := case new.status when 'offboarding' then coalesce(new.purge_after, now() + interval '30 days') end;
    if new.status = 'purged' then
        new.name := null;
        new.slug := null;
        new.plan := null;
        new.settings := '{}';
    end if;
    return new;
end
$$;
revoke all on function tenant_internal.check_status() from public;
create trigger check_status before update on tenant.tenants for each row when (old.status is distinct from new.status)
    execute function tenant_internal.check_status();

-- A tenant begins active, or is being set up. Not pg_restore's: it brings tenants in any state.
create function tenant_internal.check_first_status() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not (current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user)) then
        raise exception using
            errcode = 'TN133',
            message = format('tenant "%s" cannot begin %s', new.id, new.status),
            detail = 'A tenant begins provisioning or active.',
            hint = 'Register it, then change its state.';
    end if;
    return new;
end
$$;
revoke all on function tenant_internal.check_first_status() from public;
create trigger check_first_status before insert on tenant.tenants for each row
    when (new.status not in ('provisioning', 'active')) execute function tenant_internal.check_first_status();

-- Changes the state, where it is another; the reason goes into the journal. From now on it is no longer billing's.
create function tenant_internal.change_status(id text, wanted text, made_by text, reason text, purge_after timestamptz default null)
    returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    was text;
begin
    perform tenant_internal.require_known(id);
    if reason is not null then
        perform tenant_internal.give_reason(reason);
    end if;
    select t.status into was from tenant.tenants t where t.id = change_status.id for no key update;
    if was <> wanted and not exists (select from tenant.status_transitions t
            where (t.from_status, t.to_status, t.made_by) = (was, wanted, change_status.made_by)) then
        perform tenant_internal.refuse_transition(id, was, wanted);
    end if;
    update tenant.tenants t set status = wanted, purge_after = change_status.purge_after
        where t.id = change_status.id and (was <> wanted or t.purge_after is distinct from change_status.purge_after);
    perform tenant_internal.billing_lets_go(id);
end
$$;
revoke all on function tenant_internal.change_status(text, text, text, text, timestamptz) from public;
grant execute on function tenant_internal.change_status(text, text, text, text, timestamptz) to tenant_admin;

create function tenant.suspend(id text, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.change_status(canonical, 'suspended', 'suspend', reason);
end
$$;
comment on function tenant.suspend(text, text) is 'From now on nobody enters the tenant (TN003); transactions that are in it end as they will. TN133 from a state that does not lead there.';
revoke all on function tenant.suspend(text, text) from public;
grant execute on function tenant.suspend(text, text) to tenant_admin;

create function tenant.suspend(id uuid, reason text default null) returns void language sql
    begin atomic select tenant.suspend(id::text, reason); end;
revoke all on function tenant.suspend(uuid, text) from public;
grant execute on function tenant.suspend(uuid, text) to tenant_admin;

create function tenant.suspend(id bigint, reason text default null) returns void language sql
    begin atomic select tenant.suspend(id::text, reason); end;
revoke all on function tenant.suspend(bigint, text) from public;
grant execute on function tenant.suspend(bigint, text) to tenant_admin;

create function tenant.resume(id text, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.change_status(canonical, 'active', 'resume', reason);
end
$$;
comment on function tenant.resume(text, text) is 'A tenant that was suspended or read-only is active again. TN133 from another state.';
revoke all on function tenant.resume(text, text) from public;
grant execute on function tenant.resume(text, text) to tenant_admin;

create function tenant.resume(id uuid, reason text default null) returns void language sql
    begin atomic select tenant.resume(id::text, reason); end;
revoke all on function tenant.resume(uuid, text) from public;
grant execute on function tenant.resume(uuid, text) to tenant_admin;

create function tenant.resume(id bigint, reason text default null) returns void language sql
    begin atomic select tenant.resume(id::text, reason); end;
revoke all on function tenant.resume(bigint, text) from public;
grant execute on function tenant.resume(bigint, text) to tenant_admin;

create function tenant.set_read_only(id text, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.change_status(canonical, 'read_only', 'set_read_only', reason);
end
$$;
comment on function tenant.set_read_only(text, text) is 'From now on each transaction of the tenant is read-only, whatever is set in it. TN133 from a state that does not lead there.';
revoke all on function tenant.set_read_only(text, text) from public;
grant execute on function tenant.set_read_only(text, text) to tenant_admin;

create function tenant.set_read_only(id uuid, reason text default null) returns void language sql
    begin atomic select tenant.set_read_only(id::text, reason); end;
revoke all on function tenant.set_read_only(uuid, text) from public;
grant execute on function tenant.set_read_only(uuid, text) to tenant_admin;

create function tenant.set_read_only(id bigint, reason text default null) returns void language sql
    begin atomic select tenant.set_read_only(id::text, reason); end;
revoke all on function tenant.set_read_only(bigint, text) from public;
grant execute on function tenant.set_read_only(bigint, text) to tenant_admin;

create function tenant.activate(id text, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.change_status(canonical, 'active', 'activate', reason);
end
$$;
comment on function tenant.activate(text, text) is 'A tenant that was being set up can be entered by everybody who may. TN133 from another state.';
revoke all on function tenant.activate(text, text) from public;
grant execute on function tenant.activate(text, text) to tenant_admin;

create function tenant.activate(id uuid, reason text default null) returns void language sql
    begin atomic select tenant.activate(id::text, reason); end;
revoke all on function tenant.activate(uuid, text) from public;
grant execute on function tenant.activate(uuid, text) to tenant_admin;

create function tenant.activate(id bigint, reason text default null) returns void language sql
    begin atomic select tenant.activate(id::text, reason); end;
revoke all on function tenant.activate(bigint, text) from public;
grant execute on function tenant.activate(bigint, text) to tenant_admin;

create function tenant.keep(id text, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.change_status(canonical, 'active', 'keep', reason);
end
$$;
comment on function tenant.keep(text, text) is 'A tenant that was leaving stays: it is active again. TN029 without a reason, TN133 from another state.';
revoke all on function tenant.keep(text, text) from public;
grant execute on function tenant.keep(text, text) to tenant_admin;

create function tenant.keep(id uuid, reason text) returns void language sql
    begin atomic select tenant.keep(id::text, reason); end;
revoke all on function tenant.keep(uuid, text) from public;
grant execute on function tenant.keep(uuid, text) to tenant_admin;

create function tenant.keep(id bigint, reason text) returns void language sql
    begin atomic select tenant.keep(id::text, reason); end;
revoke all on function tenant.keep(bigint, text) from public;
grant execute on function tenant.keep(bigint, text) to tenant_admin;

create function tenant.mark_purged(id text, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.change_status(canonical, 'purged', 'mark_purged', reason);
end
$$;
comment on function tenant.mark_purged(text, text) is 'What is left of a tenant whose rows are gone: its id and times; nobody enters it (TN132). TN029 without a reason, TN133 from another state, or before the date that offboard has set.';
revoke all on function tenant.mark_purged(text, text) from public;
grant execute on function tenant.mark_purged(text, text) to tenant_admin;

create function tenant.mark_purged(id uuid, reason text) returns void language sql
    begin atomic select tenant.mark_purged(id::text, reason); end;
revoke all on function tenant.mark_purged(uuid, text) from public;
grant execute on function tenant.mark_purged(uuid, text) to tenant_admin;

create function tenant.mark_purged(id bigint, reason text) returns void language sql
    begin atomic select tenant.mark_purged(id::text, reason); end;
revoke all on function tenant.mark_purged(bigint, text) from public;
grant execute on function tenant.mark_purged(bigint, text) to tenant_admin;

create function tenant.offboard(id text, reason text, purge_after timestamptz default now() + interval '30 days') returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.change_status(canonical, 'offboarding', 'offboard', reason,
        coalesce(purge_after, now() + interval '30 days'));
end
$$;
comment on function tenant.offboard(text, text, timestamptz) is 'The tenant leaves: from now on members of tenant_admin alone enter it, for exports (others: TN131), and its rows are purged after the date. A later call moves the date. TN029 without a reason, TN133 from a state that does not lead there.';
revoke all on function tenant.offboard(text, text, timestamptz) from public;
grant execute on function tenant.offboard(text, text, timestamptz) to tenant_admin;

create function tenant.offboard(id uuid, reason text, purge_after timestamptz default now() + interval '30 days') returns void language sql
    begin atomic select tenant.offboard(id::text, reason, purge_after); end;
revoke all on function tenant.offboard(uuid, text, timestamptz) from public;
grant execute on function tenant.offboard(uuid, text, timestamptz) to tenant_admin;

create function tenant.offboard(id bigint, reason text, purge_after timestamptz default now() + interval '30 days') returns void language sql
    begin atomic select tenant.offboard(id::text, reason, purge_after); end;
revoke all on function tenant.offboard(bigint, text, timestamptz) from public;
grant execute on function tenant.offboard(bigint, text, timestamptz) to tenant_admin;
