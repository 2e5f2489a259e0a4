-- For the part of an application that receives requests: the tenant of a slug, and notifications that the registry changed.

-- SECURITY DEFINER: an application may ask for one tenant, whose slug or id it was told, and cannot list them.
create function tenant.find(by_slug text default null, by_id text default null)
    returns table (id text, slug text, plan text, status text)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tenant.current_id() is not null then
        raise exception using
            errcode = 'TN110',
            message = 'tenants are not looked up from inside a tenant',
            detail = format('The transaction is inside tenant "%s".', tenant.current_id()),
            hint = 'Look the tenant up before entering one, in a transaction of its own.';
    end if;
    if by_id is null then
        return query select t.id, t.slug, t.plan, t.status from tenant.tenants t where t.slug = by_slug;
    else
        return query select t.id, t.slug, t.plan, t.status from tenant.tenants t
            where t.id = tenant.canonical_id(by_id) and (by_slug is null or t.slug = by_slug);
    end if;
end
$$;
comment on function tenant.find is 'The tenant with this slug, or this id, or both; no row where there is none. TN110 inside a tenant, TN004 malformed.';
revoke all on function tenant.find(text, text) from public;
grant execute on function tenant.find(text, text) to tenant_user, tenant_admin;

-- A row of the registry announces itself (tenant_internal.registry_changed). TRUNCATE is refused; where that was switched off, it is
-- announced too. Guards are off, since an administrator may be inside a tenant, where a NOTIFY is refused.
create function tenant_internal.announce_change() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    perform pg_notify('tenant_registry', '');
    return null;
end
$$;
revoke all on function tenant_internal.announce_change() from public;
create trigger announce_truncate after truncate on tenant.tenants
    for each statement execute function tenant_internal.announce_change();
alter table tenant.tenants enable always trigger announce_truncate;
