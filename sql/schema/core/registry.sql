-- The registry: which tenants exist, in which state, with which limits.

-- The numbers of the columns are known to pg_tenant/src/pg/registry_row.rs: new ones stand at the end.
create table tenant.tenants (
    id text collate "C" primary key check (id = tenant.canonical_id(id)),
    status text collate "C" not null default 'active' check (status in ('provisioning', 'active', 'read_only', 'suspended', 'offboarding', 'purged')),
    statement_timeout_ms integer check (statement_timeout_ms > 0),
    lock_timeout_ms integer check (lock_timeout_ms > 0),
    idle_in_transaction_session_timeout_ms integer check (idle_in_transaction_session_timeout_ms > 0),
    work_mem_kb integer check (work_mem_kb >= 64),
    read_only boolean not null default false,
    slug text collate "C" unique check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    name text,
    plan text,
    settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    -- For foreign keys from tables whose tenant column is a uuid or a bigint.
    uuid_id uuid unique generated always as (
        case when id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then id::uuid end) stored,
    bigint_id bigint unique generated always as (
        case when id ~ '^(0|[1-9][0-9]{0,18})$' and lpad(id, 19, '0') <= '9223372036854775807' then id::bigint end) stored,
    status_since timestamptz default now(),
    -- Of a tenant that is leaving: its rows are purged after that.
    purge_after timestamptz,
    -- Of one that is being set up: the step it is at.
    status_detail text,
    -- Limits that all sessions share: {"transactions_per_second": {"hard": 100, "soft": 80, "burst": 200}, ...}.
    rates jsonb check (jsonb_typeof(rates) = 'object')
);
comment on table tenant.tenants is 'The registry of tenants.';
-- No REFERENCES on slug: it can change, and then triggers of the referencing tables would run, through ON UPDATE, with
-- the rights of whoever changes it.
grant select, references (id, uuid_id, bigint_id) on tenant.tenants to tenant_admin;
grant insert (id, status, slug, name, plan, settings) on tenant.tenants to tenant_admin;
grant update (status, statement_timeout_ms, lock_timeout_ms, idle_in_transaction_session_timeout_ms, work_mem_kb,
    read_only, slug, name, plan, settings, purge_after, status_detail, rates) on tenant.tenants to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.tenants', '');

-- An empty table, whose relation cache entry is invalidated when a row of the registry changes: that message reaches
-- hot standbys, too. Backends of the primary are told by other means and ignore it.
create table tenant_internal.registry_epoch ();
comment on table tenant_internal.registry_epoch is 'Stands for the rows of tenant.tenants where caches are invalidated; it has none.';

create trigger registry_changed after insert or update or delete on tenant.tenants
    for each row execute function tenant_internal.registry_changed();
alter table tenant.tenants enable always trigger registry_changed;

-- Tenants are never deleted, and their ids never change. Otherwise actions of foreign keys that refer to the registry
-- would start here, and triggers of users' tables would run with the rights of whoever changes the registry. ENABLE
-- ALWAYS, as above.
create function tenant_internal.keep_tenant() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN052',
        message = case tg_op when 'DELETE' then format('cannot delete tenant "%s"', old.id)
            when 'UPDATE' then format('cannot change the id of tenant "%s"', old.id)
            else 'cannot truncate tenant.tenants' end,
        detail = 'Tables refer to tenants: their triggers would run with the rights of whoever removes or renames one.',
        hint = case when tg_op = 'TRUNCATE' then 'select tenant.suspend(id) from tenant.tenants; closes all of them.'
            else format('select tenant.suspend(%L); closes it.', old.id) end;
end
$$;
revoke all on function tenant_internal.keep_tenant() from public;
create trigger keep_tenant before delete on tenant.tenants for each row execute function tenant_internal.keep_tenant();
create trigger keep_id before update on tenant.tenants for each row when (old.id is distinct from new.id)
    execute function tenant_internal.keep_tenant();
create trigger keep_tenants before truncate on tenant.tenants for each statement execute function tenant_internal.keep_tenant();
alter table tenant.tenants enable always trigger keep_tenant;
alter table tenant.tenants enable always trigger keep_id;
alter table tenant.tenants enable always trigger keep_tenants;

create function tenant_internal.stamp_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.changed_at := now();
    return new;
end
$$;
revoke all on function tenant_internal.stamp_change() from public;
create trigger stamp_change before update on tenant.tenants for each row execute function tenant_internal.stamp_change();
