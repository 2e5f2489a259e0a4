-- What an operator decides of an onboarding: to give it up, and have undone what was done; or to try again what has
-- failed.

create function tenant.abandon_onboarding(id text, reason text) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    o tenant.onboardings;
    state text;
begin
    perform tenant_internal.require_reason(reason);
    o := tenant_internal.lock_onboarding(canonical);
    select t.status into state from tenant.tenants t where t.id = canonical;
    if o.abandoned_at is not null then
        return state;
    elsif state <> 'provisioning' then
        perform tenant_internal.refuse_transition(canonical, state, 'purged');
    end if;
    update tenant.onboardings p set abandoned_at = now(), reason = abandon_onboarding.reason where p.tenant_id = canonical;
    -- What is to be undone: what is done, and what was tried outside of the database. A transaction that was not
    -- finished never will be: its attempt is over. One outside that runs may answer still; when its lease is over it is
    -- undone as well.
    update tenant.onboarding s set abandoned = true, changed_at = clock_timestamp(),
            attempts = s.attempts + case when s.status = 'running' and not (s.outside and s.has_undo) then 1 else 0 end,
            status = case when not s.has_undo or not (s.status = 'done' or s.outside and s.attempts > 0) then 'undone'
                when s.status = 'running' then 'running' else 'waiting' end,
            tries = case when s.status = 'running' then s.tries else 0 end,
            claim_expires = case when s.status = 'running' and s.outside and s.has_undo then s.claim_expires end,
            not_before = null
        where s.tenant_id = canonical;
    perform tenant_internal.write_journal('abandon_onboarding', canonical, reason);
    return tenant_internal.advance_onboarding(canonical);
end
$$;
comment on function tenant.abandon_onboarding(text, text) is 'The tenant is not set up: steps that were done are undone, the last ones first, and then it is purged. Gives its state: purged, where there was nothing to undo. TN029 without a reason, TN133 where it is set up already, TN153 where it has no onboarding.';
revoke all on function tenant.abandon_onboarding(text, text) from public;
grant execute on function tenant.abandon_onboarding(text, text) to tenant_admin;

create function tenant.abandon_onboarding(id uuid, reason text) returns text language sql
    begin atomic select tenant.abandon_onboarding(id::text, reason); end;
revoke all on function tenant.abandon_onboarding(uuid, text) from public;
grant execute on function tenant.abandon_onboarding(uuid, text) to tenant_admin;

create function tenant.abandon_onboarding(id bigint, reason text) returns text language sql
    begin atomic select tenant.abandon_onboarding(id::text, reason); end;
revoke all on function tenant.abandon_onboarding(bigint, text) from public;
grant execute on function tenant.abandon_onboarding(bigint, text) to tenant_admin;

create function tenant.retry_onboarding(id text, reason text) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    again integer;
begin
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.lock_onboarding(canonical);
    update tenant.onboarding s set status = 'waiting', tries = 0, not_before = clock_timestamp(), changed_at = clock_timestamp()
        where s.tenant_id = canonical and s.status = 'failed';
    get diagnostics again = row_count;
    if again > 0 then
        perform tenant_internal.write_journal('retry_onboarding', canonical, reason, jsonb_build_object('steps', again));
        perform tenant_internal.advance_onboarding(canonical);
    end if;
    return again;
end
$$;
comment on function tenant.retry_onboarding(text, text) is 'Steps of the tenant that have failed are tried again, from their first attempt; gives how many. TN029 without a reason, TN153 where it has no onboarding.';
revoke all on function tenant.retry_onboarding(text, text) from public;
grant execute on function tenant.retry_onboarding(text, text) to tenant_admin;

create function tenant.retry_onboarding(id uuid, reason text) returns integer language sql
    begin atomic select tenant.retry_onboarding(id::text, reason); end;
revoke all on function tenant.retry_onboarding(uuid, text) from public;
grant execute on function tenant.retry_onboarding(uuid, text) to tenant_admin;

create function tenant.retry_onboarding(id bigint, reason text) returns integer language sql
    begin atomic select tenant.retry_onboarding(id::text, reason); end;
revoke all on function tenant.retry_onboarding(bigint, text) from public;
grant execute on function tenant.retry_onboarding(bigint, text) to tenant_admin;
