-- For the part of an application that receives requests: the tenant of a slug, and notifications that the registry
-- changed.

-- SECURITY DEFINER: an application may ask for one tenant, whose slug or id it was told, and cannot list them.
create function tenant.find(by_slug text default null, by_id text default null, by_domain text default null)
    returns table (id text, slug text, plan text, status text)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    wanted text;
    named text;
begin
    if tenant.current_id() is not null then
        raise exception using
            errcode = 'TN110',
            message = 'tenants are not looked up from inside a tenant',
            detail = format('The transaction is inside tenant "%s".', tenant.current_id()),
            hint = 'Look the tenant up before entering one, in a transaction of its own.';
    end if;
    if by_id is not null then
        wanted := tenant.canonical_id(by_id);
    end if;
    if by_slug is not null then
        select t.id into named from tenant.tenants t where t.slug = by_slug;
        if not found then
            select f.tenant_id into named from tenant.former_slugs f where f.slug = by_slug;
        end if;
        wanted := case when wanted is null or wanted = named then coalesce(named, '') else '' end;
    end if;
    if by_domain is not null then
        named := null;
        select d.tenant_id into named from tenant.domains d
            where d.domain = lower(rtrim(by_domain, '.')) and d.verified_at is not null;
        wanted := case when wanted is null or wanted = named then coalesce(named, '') else '' end;
    end if;
    return query select t.id, t.slug, t.plan, t.status from tenant.tenants t where t.id = wanted;
end
$$;
comment on function tenant.find is 'The tenant with this slug, id and domain, as far as they are given; no row where there is none. A slug that it had before leads to it, and the row has the present one. TN110 inside a tenant, TN004 malformed.';
revoke all on function tenant.find(text, text, text) from public;
grant execute on function tenant.find(text, text, text) to tenant_user, tenant_admin;

-- Directories that listen look again. Guards are off, since an administrator may be inside a tenant, where a NOTIFY is
-- refused.
create function tenant_internal.tell_change() returns void
    language sql volatile security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
    select pg_notify('tenant_registry', '')
$$;
revoke all on function tenant_internal.tell_change() from public;

-- A row of the registry announces itself (tenant_internal.registry_changed). TRUNCATE is refused; where that was
-- switched off, it is announced too. Guards are off, since an administrator may be inside a tenant, where a NOTIFY is
-- refused.
create function tenant_internal.announce_change() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    perform pg_notify('tenant_registry', '');
    return null;
end
$$;
revoke all on function tenant_internal.announce_change() from public;
create trigger announce_plans after insert or update or delete or truncate on tenant.plans
    for each statement execute function tenant_internal.announce_change();
create trigger announce_definitions after insert or update or delete or truncate on tenant.setting_definitions
    for each statement execute function tenant_internal.announce_change();
create trigger announce_truncate after truncate on tenant.tenants
    for each statement execute function tenant_internal.announce_change();
alter table tenant.tenants enable always trigger announce_truncate;
