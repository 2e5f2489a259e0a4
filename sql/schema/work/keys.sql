-- Data keys, by which applications seal columns. Each is wrapped by a key of its tenant that a key service has and this
-- database never sees: without that one nothing here opens anything, in this database or in any dump of it. So they may
-- stand beside what they seal, are dumped with it, and are worthless everywhere at once when the service destroys its
-- key.

create table tenant.data_keys (
    tenant_id text collate "C",
    purpose text collate "C" check (purpose ~ '^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$'),
    version integer check (version > 0),
    wrapped bytea not null check (octet_length(wrapped) between 1 and 8192),
    created_at timestamptz not null default clock_timestamp(),
    -- The transaction that has added it: what that sees of it is not committed.
    added_by xid8 not null default pg_current_xact_id(),
    primary key (tenant_id, purpose, version)
);
comment on table tenant.data_keys is 'Tenants'' data keys, each wrapped by a key that is elsewhere.';
select pg_catalog.pg_extension_config_dump('tenant.data_keys', '');

create function tenant.data_keys_for(purpose text) returns table (version integer, wrapped bytea, age interval, uncommitted boolean)
    language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select k.version, k.wrapped, clock_timestamp() - k.created_at, k.added_by is not distinct from pg_current_xact_id_if_assigned() from tenant.data_keys k
    where k.tenant_id = tenant.current_id() and tenant.is_current(k.tenant_id) and k.purpose = data_keys_for.purpose
    order by k.version desc
$$;
comment on function tenant.data_keys_for is 'The wrapped data keys of the transaction''s tenant, the newest first, for how long each is there, and whether this transaction has added it; none without a tenant.';
revoke all on function tenant.data_keys_for(text) from public;
grant execute on function tenant.data_keys_for(text) to tenant_user;

-- Of two that add the same version, both get the one that was first.
create function tenant.add_data_key(purpose text, version integer, wrapped bytea) returns bytea
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    here constant text := tenant.current_id();
    stored bytea;
begin
    if here is null then
        raise exception using
            errcode = 'TN001',
            message = 'no tenant: data keys are a tenant''s',
            detail = 'The transaction has not entered a tenant.',
            hint = 'Enter one first: select tenant.enter(''<id>'');';
    end if;
    insert into tenant.data_keys as k (tenant_id, purpose, version, wrapped)
        values (here, add_data_key.purpose, add_data_key.version, add_data_key.wrapped)
        on conflict on constraint data_keys_pkey do nothing;
    select k.wrapped into strict stored from tenant.data_keys k
        where k.tenant_id = here and k.purpose = add_data_key.purpose and k.version = add_data_key.version;
    return stored;
end
$$;
comment on function tenant.add_data_key is 'Keeps a wrapped data key of the transaction''s tenant, and gives the one that is kept. TN001 without a tenant.';
revoke all on function tenant.add_data_key(text, integer, bytea) from public;
grant execute on function tenant.add_data_key(text, integer, bytea) to tenant_user;

-- What they have sealed opens nowhere any more. Not before the tenant is purged: one that leaves may be kept after all.
create function tenant.forget_data_keys(id text, reason text) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical constant text := tenant.canonical_id(id);
    forgotten bigint;
    state text;
begin
    perform tenant_internal.give_reason(reason), tenant_internal.require_known(canonical);
    select t.status into state from tenant.tenants t where t.id = canonical for no key update;
    if state <> 'purged' then
        raise exception using
            errcode = 'TN169',
            message = format('the data keys of tenant "%s" are needed', canonical),
            detail = format('The tenant is %s, and what they have sealed could not be opened any more.', state),
            hint = 'Those of a tenant that is purged are forgotten: tenant.offboard(), and tenant.mark_purged() when its time has come.';
    end if;
    delete from tenant.data_keys k where k.tenant_id = canonical;
    get diagnostics forgotten = row_count;
    perform tenant_internal.write_journal('forget_data_keys', canonical, reason, jsonb_build_object('keys', forgotten));
    return forgotten;
end
$$;
comment on function tenant.forget_data_keys(text, text) is 'Forgets the data keys of a tenant that is purged, after its key was destroyed, and says how many there were; the journal has a line of it. TN002 unknown, TN029 no reason, TN169 the tenant is not purged.';
revoke all on function tenant.forget_data_keys(text, text) from public;
grant execute on function tenant.forget_data_keys(text, text) to tenant_admin;

create function tenant.forget_data_keys(id uuid, reason text) returns bigint language sql
    begin atomic select tenant.forget_data_keys(id::text, reason); end;
revoke all on function tenant.forget_data_keys(uuid, text) from public;
grant execute on function tenant.forget_data_keys(uuid, text) to tenant_admin;

create function tenant.forget_data_keys(id bigint, reason text) returns bigint language sql
    begin atomic select tenant.forget_data_keys(id::text, reason); end;
revoke all on function tenant.forget_data_keys(bigint, text) from public;
grant execute on function tenant.forget_data_keys(bigint, text) to tenant_admin;

create function tenant_internal.tenant_has_keys() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from tenant.data_keys k where k.tenant_id = new.id;
    return null;
end
$$;
revoke all on function tenant_internal.tenant_has_keys() from public;
create trigger tenant_has_keys after update on tenant.tenants for each row
    when (new.status = 'purged' and old.status <> 'purged') execute function tenant_internal.tenant_has_keys();

-- Columns that hold sealed values alone. What the client seals begins with these bytes (client/src/keys/sealed.rs).
create function tenant.is_sealed(value bytea) returns boolean
    language sql immutable parallel safe
    return pg_catalog.octet_length(value) >= 36 and pg_catalog.substr(value, 1, 4) operator(pg_catalog.=) '\x50545331'::bytea;
comment on function tenant.is_sealed is 'Whether a value was sealed by the client, judged by its form.';
grant execute on function tenant.is_sealed(bytea) to public;

create function tenant.declare_sealed(rel regclass, column_name name) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    kind oid;
    -- Two long names have two.
    called constant name := case when octet_length(column_name) <= 50 then column_name || '_sealed'
        else left(column_name, 30) || '_' || left(md5(column_name), 12) || '_sealed' end;
begin
    select a.atttypid into kind from pg_attribute a where a.attrelid = rel and a.attname = column_name and a.attnum > 0 and not a.attisdropped;
    if kind is distinct from 'bytea'::regtype then
        raise exception using
            errcode = '42804',
            message = format('column %I of %s cannot hold sealed values', column_name, rel),
            detail = case when kind is null then 'There is no such column.' else format('It is of type %s.', kind::regtype) end,
            hint = 'Sealed values are bytea.';
    end if;
    -- A value that is there already and is none is said by PostgreSQL: 23514. So is a constraint of another kind that
    -- has this name: 42710.
    if exists (select from pg_constraint c join pg_depend d on d.classid = 'pg_constraint'::regclass and d.objid = c.oid
            and d.refclassid = 'pg_proc'::regclass and d.refobjid = 'tenant.is_sealed(bytea)'::regprocedure
            where c.conrelid = rel and c.conname = called) then
        execute format('alter table %s drop constraint %I', rel, called);
    end if;
    execute format('alter table %s add constraint %I check (tenant.is_sealed(%I))', rel, called, column_name);
end
$$;
comment on function tenant.declare_sealed is 'Lets the column hold sealed values alone: a constraint refuses others (23514). 42804 it is no bytea.';
revoke all on function tenant.declare_sealed(regclass, name) from public;
grant execute on function tenant.declare_sealed(regclass, name) to tenant_admin;
