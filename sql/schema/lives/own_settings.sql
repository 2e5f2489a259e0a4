-- Settings that a tenant changes itself, where they were declared so.

-- The tenant is that of the transaction, never a parameter. SECURITY DEFINER, since the registry is the operators'.
create function tenant.set_own_setting(name text, value jsonb, reason text default null) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    most constant integer := 8192;
    here constant text := tenant.current_id();
    d tenant.setting_definitions;
begin
    if here is null then
        raise exception using
            errcode = 'TN001',
            message = 'no tenant: settings are a tenant''s',
            detail = 'The transaction has not entered a tenant.',
            hint = 'Enter one first: select tenant.enter(''<id>'');';
    end if;
    d := tenant_internal.hold_definition(set_own_setting.name);
    if d.name is null then
        perform tenant_internal.refuse_setting(set_own_setting.name);
    elsif d.changed_by <> 'tenant' then
        raise exception using
            errcode = 'TN137',
            message = format('setting "%s" is not changed by tenants', d.name),
            detail = 'It was declared to be changed by operators.',
            hint = format('An operator sets it: select tenant.set_setting(%L, %L, <value>); or declares it with changed_by => ''tenant''.', here, d.name);
    elsif octet_length(value::text) > most then
        raise exception using
            errcode = 'TN151',
            message = format('setting "%s" cannot have this value', d.name),
            detail = format('It has more than %s bytes, which every backend would remember.', most),
            hint = 'Keep it in a table of yours.';
    end if;
    perform tenant_internal.require_known(here);
    -- Where there are people, it takes one who may.
    if exists (select from tenant.roles) and not pg_has_role(tenant_internal.caller(), 'tenant_admin', 'usage') then
        perform tenant.require('settings.manage');
    end if;
    if reason is not null then
        perform tenant_internal.give_reason(reason);
    end if;
    update tenant.tenants t set settings = case when value is null then t.settings - d.name
            else t.settings || jsonb_build_object(d.name, value) end
        where t.id = here and t.settings -> d.name is distinct from value;
end
$$;
comment on function tenant.set_own_setting is 'The transaction''s tenant changes a setting of its own, where that was declared with changed_by => ''tenant''; with null, its plan''s or the default again. In force for others from their next transaction after the commit; this transaction reads it at once. TN001 with no tenant, TN150 not declared, TN137 not the tenant''s to change, TN142 an actor without the permission settings.manage where roles are defined, TN151 a value that does not fit, TN152 a secret.';
revoke all on function tenant.set_own_setting(text, jsonb, text) from public;
grant execute on function tenant.set_own_setting(text, jsonb, text) to tenant_user;
