-- What the guards offer in place of what they refuse, and what they run for new tables.

-- The 64-bit key of an advisory lock: the beginning of a SHA-256 over tenant id and name, so that no tenant can find a
-- name that gives another tenant's key.
create function tenant_internal.lock_key(key text) returns bigint
    language plpgsql stable strict set search_path = pg_catalog, pg_temp as $$
begin
    if tenant.current_id() is null then
        raise exception using
            errcode = 'TN001',
            message = 'no tenant: the name belongs to one: begin; select tenant.enter(''<tenant id>'') first',
            detail = format('The name is "%s".', key),
            hint = 'In the same transaction, first: select tenant.enter(''<tenant id>'');';
    end if;
    return ('x' || encode(substr(sha256(convert_to(tenant.current_id() || '/' || key, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint;
end
$$;
revoke all on function tenant_internal.lock_key(text) from public;

-- The guards refuse the functions below to a tenant's transaction under names that all tenants share; under a name of
-- the tenant's own they are harmless. SECURITY DEFINER, since pg_tenant.guards is a setting of superusers.
create function tenant.advisory_lock(key text) returns void
    language plpgsql volatile strict security definer
    set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    perform pg_advisory_xact_lock(tenant_internal.count_lock(tenant_internal.lock_key(key)));
end
$$;
comment on function tenant.advisory_lock is 'Waits for a lock of this tenant''s own, held until the end of the transaction.';
revoke all on function tenant.advisory_lock(text) from public;
grant execute on function tenant.advisory_lock(text) to tenant_user;

create function tenant.try_advisory_lock(key text) returns boolean
    language plpgsql volatile strict security definer
    set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    return pg_try_advisory_xact_lock(tenant_internal.count_lock(tenant_internal.lock_key(key)));
end
$$;
comment on function tenant.try_advisory_lock is 'As advisory_lock, but says false where another transaction of the tenant holds it.';
revoke all on function tenant.try_advisory_lock(text) from public;
grant execute on function tenant.try_advisory_lock(text) to tenant_user;

create function tenant.channel(channel text, id text default tenant.current_id()) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if id <> tenant.current_id() then
        raise exception using
            errcode = 'TN063',
            message = 'the channel of another tenant is not named in a tenant''s transaction',
            detail = format('The transaction is in tenant "%s".', tenant.current_id()),
            hint = 'select tenant.channel(''<channel>''); is this tenant''s own.';
    end if;
    -- The guards know a tenant's own names by the first part.
    return 'tenant_' || substr(encode(sha256(convert_to(id, 'UTF8')), 'hex'), 1, 20) || '_'
        || substr(encode(sha256(convert_to(id || '/' || channel, 'UTF8')), 'hex'), 1, 32);
end
$$;
comment on function tenant.channel is 'The name under which tenant.notify(channel) of this tenant is heard; null where there is none.';
revoke all on function tenant.channel(text, text) from public;
grant execute on function tenant.channel(text, text) to tenant_user;

create function tenant.notify(channel text, payload text default '') returns void
    language plpgsql volatile strict security definer
    set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    perform tenant_internal.lock_key(channel);
    perform pg_notify(tenant.channel(channel), payload);
end
$$;
comment on function tenant.notify is 'NOTIFY on a channel of this tenant''s own.';
revoke all on function tenant.notify(text, text) from public;
grant execute on function tenant.notify(text, text) to tenant_user;

-- Called by the guards when a command has put a table below a protected one; nobody else may. SECURITY DEFINER: who may
-- add a partition need not be allowed to protect, and must not be able to leave it open.
create function tenant_internal.protect_newcomer(child regclass, parent regclass) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    tenant_column name := (select attname from pg_attribute where attrelid = parent and attnum = tenant_internal.fence_column(parent));
    through regclass := tenant_internal.membership_through(parent);
begin
    if through is not null then
        perform tenant_internal.fence_members(child,
            through, (select attname from pg_attribute where attrelid = through and attnum = tenant_internal.membership_member(parent)),
            (select attname from pg_attribute where attrelid = parent and attnum = tenant_internal.membership_key(parent)),
            coalesce((tenant_internal.before_protection(tenant_internal.fence_policy(parent)) ->> 'tenants_add_members')::boolean, false));
        perform tenant_internal.audit_newcomer(child, parent);
        return;
    end if;
    perform tenant_internal.fence_hierarchy(child, tenant_column, refuse_foreign => false, shared_rows => tenant_internal.has_shared_rows(parent));
    perform tenant_internal.spread_permissions(parent, child);
    perform tenant_internal.audit_newcomer(child, parent), tenant_internal.meter_newcomer(child, parent);
    insert into tenant.journal (action, object, detail, role)
        values ('protect_below', child::text, jsonb_build_object('tenant_column', tenant_column, 'parent', parent::text), session_user);
end
$$;
revoke all on function tenant_internal.protect_newcomer(regclass, regclass) from public;

-- The same for pg_tenant.new_tables = warn: a table that has the tenant column of another one, and no protection; a
-- view that shows protected tables with the rights of somebody to whom policies do not apply.
create function tenant_internal.warn_of_newcomer(rel regclass, ignored regclass) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    class pg_class;
    found_column name;
    found_table regclass;
begin
    select * into class from pg_class where oid = rel;
    if class.relkind in ('r', 'p') and class.relpersistence <> 't' then
        select a.attname into found_column from pg_attribute a
            where a.attrelid = rel and a.attnum > 0 and not a.attisdropped
                and a.attname in ('tenant_id', (select t.tenant_column from tenant.protected_tables t
                    where t.tenant_column = a.attname limit 1))
            limit 1;
        if found then
            raise warning using
                errcode = 'TN060',
                message = format('new table %s has tenant column "%s" and no protection', rel, found_column),
                detail = 'Every tenant sees all of its rows.',
                hint = format('select tenant.protect(%L, %L); or, where it is the same for all: select tenant.share(%1$L, ''<reason>'');',
                    rel, found_column);
        end if;
    elsif class.relkind = 'v' and not coalesce('security_invoker=true' = any (class.reloptions)
            or 'security_invoker=on' = any (class.reloptions), false)
        and (select rolsuper or rolbypassrls from pg_roles where oid = class.relowner) then
        select d.refobjid into found_table from pg_rewrite r
            join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
            where r.ev_class = rel and tenant_internal.fence_policy(d.refobjid::regclass) is not null limit 1;
        if found then
            raise warning using
                errcode = 'TN060',
                message = format('view %s reads protected table %s with rights to which policies do not apply', rel, found_table),
                detail = format('Its owner is %s: inside a tenant it is refused (TN011).', class.relowner::regrole),
                hint = format('alter view %s set (security_invoker = true);', rel);
        end if;
    end if;
end
$$;
revoke all on function tenant_internal.warn_of_newcomer(regclass, regclass) from public;

-- Every session hears that a materialized view or a foreign table has been shared, and may then be read.
create trigger shared_changed after insert or update or delete on tenant.shared
    for each row execute function tenant_internal.registry_changed();
alter table tenant.shared enable always trigger shared_changed;

-- The apply worker of a subscription truncates tables without calling a guard. It does fire triggers that are ENABLE
-- ALWAYS (T114).
create function tenant.refuse_truncate() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN031',
        message = format('cannot truncate protected table %s', tg_relid::regclass),
        detail = 'TRUNCATE removes the rows of every tenant; policies do not apply to it.',
        hint = format('A subscription leaves it out by: alter subscription ... skip (lsn = ...); who means it, first: alter table %s disable trigger %I;',
            tg_relid::regclass, tg_name);
end
$$;
comment on function tenant.refuse_truncate() is 'A trigger that refuses TRUNCATE (TN031), for tables that a subscription writes.';
revoke all on function tenant.refuse_truncate() from public;
grant execute on function tenant.refuse_truncate() to tenant_admin;
