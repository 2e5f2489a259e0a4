-- Impersonation: a second person approves it, and anybody of support or the administrators ends it.

create function tenant_internal.lock_impersonation(id uuid) returns tenant.impersonations
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    found_row tenant.impersonations;
begin
    select * into found_row from tenant.impersonations i where i.id = lock_impersonation.id for update;
    if not found then
        perform tenant_internal.refuse_impersonation('there is no such impersonation', format('None has the id %s.', coalesce(id::text, 'null')),
            'select * from tenant.open_impersonations;');
    end if;
    return found_row;
end
$$;
revoke all on function tenant_internal.lock_impersonation(uuid) from public;

create function tenant.approve_impersonation(id uuid) returns timestamptz
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    asked tenant.impersonations;
    approver constant name := session_user;
begin
    perform tenant_internal.require_outside('approved');
    asked := tenant_internal.lock_impersonation(id);
    if not (tenant_internal.belongs_to(approver, 'tenant_support') or tenant_internal.belongs_to(approver, 'tenant_admin')
            or (select rolsuper from pg_roles where rolname = approver)) then
        perform tenant_internal.refuse_impersonation('this login approves no impersonation',
            format('Role "%s" is a member neither of tenant_support nor of tenant_admin.', approver), 'Let somebody of support approve it.');
    end if;
    if approver = asked.login or tenant_internal.belongs_to(approver, asked.login) or tenant_internal.belongs_to(asked.login, approver) then
        perform tenant_internal.refuse_impersonation('an impersonation is approved by a second person',
            format('Role "%s" has asked for it, and role "%s" is the same or can become it.', asked.login, approver),
            'Let somebody of support approve it who has a login of their own.');
    end if;
    if asked.ended_at is not null or asked.expires_at <= clock_timestamp() or asked.requested_at < clock_timestamp() - interval '1 day' then
        raise exception using
            errcode = 'TN159',
            message = format('the impersonation in tenant "%s" has ended', asked.tenant_id),
            detail = 'It was ended, has expired, or was asked for more than a day ago.',
            hint = 'Whoever needs it asks anew: select tenant.impersonate(''<tenant>'', ''<user>'', ''<reason>'');';
    end if;
    if asked.approved_at is null then
        update tenant.impersonations i set approved_at = clock_timestamp(), approved_by = approver,
            opens_at = clock_timestamp(), expires_at = clock_timestamp() + i.lasts
            where i.id = asked.id returning * into asked;
        perform tenant_internal.tell_impersonation(asked, 'approve_impersonation', asked.reason, null, asked.impersonator);
    end if;
    return asked.expires_at;
end
$$;
comment on function tenant.approve_impersonation is 'Opens an impersonation that another has asked for, and says until when. TN158 by the same person, TN159 ended.';
revoke all on function tenant.approve_impersonation(uuid) from public;
grant execute on function tenant.approve_impersonation(uuid) to tenant_support, tenant_admin;

create function tenant.end_impersonation(id uuid, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    asked tenant.impersonations;
begin
    perform tenant_internal.require_outside('ended');
    if reason is not null then
        perform tenant_internal.require_reason(reason);
    end if;
    asked := tenant_internal.lock_impersonation(id);
    if asked.ended_at is null then
        update tenant.impersonations i set ended_at = clock_timestamp(), ended_by = session_user
            where i.id = asked.id returning * into asked;
        perform tenant_internal.tell_impersonation(asked, 'end_impersonation', btrim(reason), null, asked.impersonator);
    end if;
end
$$;
comment on function tenant.end_impersonation is 'Ends an impersonation: the next statement that works by it is refused (TN159), and what it has written and not committed is undone.';
revoke all on function tenant.end_impersonation(uuid, text) from public;
grant execute on function tenant.end_impersonation(uuid, text) to tenant_support, tenant_admin;

-- What statements of the application call or read inside a tenant. It changes no members, and enters by a grant alone.
grant execute on function tenant.version(), tenant.canonical_id(text), tenant.channel(text, text), tenant.setting(text),
    tenant.setting_json(text), tenant.feature(text), tenant.generation(), tenant_internal.setting_as_json(text) to tenant_support;
grant select on tenant.audit_log, tenant.current_members, tenant.defined_roles to tenant_support;
