-- Tables that are the same for every tenant: a deliberate decision, with a reason.

create table tenant.shared (
    relation regclass primary key,
    reason text not null,
    shared_at timestamptz not null default now(),
    shared_by name not null default current_user
);
comment on table tenant.shared is 'Tables that are the same for every tenant, and why.';
grant select, delete on tenant.shared to tenant_admin;
grant insert (relation, reason), update (reason) on tenant.shared to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.shared', '');

-- Deletes the entries of dropped tables: PostgreSQL may give their oids to other tables later.
create function tenant_internal.forget_dropped() returns void
    language sql volatile set search_path = pg_catalog, pg_temp as $$
    delete from tenant.shared where not exists (select from pg_class where oid = relation);
    delete from tenant.lookups where not exists (select from pg_class where oid = relation)
$$;
revoke all on function tenant_internal.forget_dropped() from public;
grant execute on function tenant_internal.forget_dropped() to tenant_admin;

create function tenant_internal.require_reason(reason text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(btrim(reason), '') = '' then
        raise exception using
            errcode = 'TN029',
            message = 'a reason is required',
            detail = 'The journal keeps it.',
            hint = 'Say in a few words why, for whoever reads the journal.';
    end if;
    perform tenant_internal.require_plain('a reason', reason);
end
$$;
revoke all on function tenant_internal.require_reason(text) from public;
grant execute on function tenant_internal.require_reason(text) to tenant_admin;

-- Keeps the reason of the change that a function makes next, for tenant_internal.journal_change. The calling function's
-- SET clause resets it.
create function tenant_internal.give_reason(reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_reason(reason);
    perform set_config('tenant.reason', reason, true);
end
$$;
revoke all on function tenant_internal.give_reason(text) from public;
grant execute on function tenant_internal.give_reason(text) to tenant_admin;

create function tenant_internal.require_owner(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if not pg_has_role((select relowner from pg_class where oid = rel), 'usage') then
        raise exception using
            errcode = '42501',
            message = format('must be owner of table %s', rel),
            hint = 'Only its owner decides how a table is protected.';
    end if;
end
$$;
revoke all on function tenant_internal.require_owner(regclass) from public;
grant execute on function tenant_internal.require_owner(regclass) to tenant_admin;
