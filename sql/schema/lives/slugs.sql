-- Slugs: reserved ones, and those that a tenant had before, which lead to it still.

create table tenant.reserved_slugs (
    slug text collate "C" primary key check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    reason text not null,
    reserved_at timestamptz not null default now(),
    reserved_by name not null
);
comment on table tenant.reserved_slugs is 'Slugs that no tenant is given, such as www and api.';
grant select on tenant.reserved_slugs to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.reserved_slugs', '');

create table tenant.former_slugs (
    slug text collate "C" primary key,
    tenant_id text collate "C" not null,
    renamed_at timestamptz not null default now()
);
comment on table tenant.former_slugs is 'Slugs that tenants had before: they lead to the tenant until they are released.';
create index on tenant.former_slugs (tenant_id);
grant select on tenant.former_slugs to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.former_slugs', '');

create function tenant.reserve_slug(slug text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_reason(reason);
    insert into tenant.reserved_slugs as r (slug, reason, reserved_by) values (reserve_slug.slug, reserve_slug.reason, session_user)
        on conflict on constraint reserved_slugs_pkey do update set reason = excluded.reason;
    perform tenant_internal.write_journal('reserve_slug', reserve_slug.slug, reserve_slug.reason);
end
$$;
comment on function tenant.reserve_slug is 'No tenant is given this slug from now on (TN134); one that has it keeps it. TN029 without a reason.';
revoke all on function tenant.reserve_slug(text, text) from public;
grant execute on function tenant.reserve_slug(text, text) to tenant_admin;

create function tenant.release_slug(slug text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    formerly text;
    released boolean;
begin
    perform tenant_internal.require_reason(reason);
    delete from tenant.former_slugs f where f.slug = release_slug.slug returning f.tenant_id into formerly;
    released := found;
    delete from tenant.reserved_slugs r where r.slug = release_slug.slug;
    if released or found then
        perform tenant_internal.write_journal('release_slug', release_slug.slug, reason,
            jsonb_strip_nulls(jsonb_build_object('tenant', formerly)));
    end if;
end
$$;
comment on function tenant.release_slug is 'A slug that was reserved, or that a tenant had before, may be given to a tenant again. TN029 without a reason.';
revoke all on function tenant.release_slug(text, text) from public;
grant execute on function tenant.release_slug(text, text) to tenant_admin;

create function tenant_internal.check_slug() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    formerly text;
    why text;
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = session_user) then
        return new;
    end if;
    select 'It is reserved: ' || r.reason into why from tenant.reserved_slugs r where r.slug = new.slug;
    if why is null then
        select f.tenant_id into formerly from tenant.former_slugs f where f.slug = new.slug and f.tenant_id <> new.id;
        why := 'Tenant "' || formerly || '" had it before, and it leads there.';
    end if;
    if why is not null then
        raise exception using
            errcode = 'TN134',
            message = format('tenant "%s" cannot have the slug "%s"', new.id, new.slug),
            detail = why,
            hint = format('Choose another, or: select tenant.release_slug(%L, ''<reason>'');', new.slug);
    end if;
    return new;
end
$$;
revoke all on function tenant_internal.check_slug() from public;
create trigger check_slug before insert on tenant.tenants for each row when (new.slug is not null)
    execute function tenant_internal.check_slug();
create trigger check_new_slug before update on tenant.tenants for each row
    when (new.slug is not null and new.slug is distinct from old.slug) execute function tenant_internal.check_slug();

-- The slug that a tenant had leads to it; one that it takes back is its own again. One that was purged keeps none.
create function tenant_internal.keep_slug() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if new.status = 'purged' then
        delete from tenant.former_slugs f where f.tenant_id = new.id;
        delete from tenant.domains d where d.tenant_id = new.id;
        return null;
    end if;
    delete from tenant.former_slugs f where f.slug = new.slug;
    if old.slug is not null then
        insert into tenant.former_slugs (slug, tenant_id) values (old.slug, new.id)
            on conflict (slug) do update set tenant_id = excluded.tenant_id, renamed_at = now();
    end if;
    return null;
end
$$;
revoke all on function tenant_internal.keep_slug() from public;
create trigger keep_slug after update on tenant.tenants for each row
    when (old.slug is distinct from new.slug or new.status = 'purged' and old.status <> 'purged')
    execute function tenant_internal.keep_slug();
