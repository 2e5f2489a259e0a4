-- Removing protection: with a reason, which the journal records. And tables that all tenants share.

-- Removes the tenant policies of one table of a hierarchy, and restores what protect found there.
create function tenant_internal.unfence(rel regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    col name := (select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.fence_column(rel));
    fence pg_policy;
    access pg_policy;
    further name;
    before jsonb;
begin
    select * into fence from pg_policy where oid = tenant_internal.fence_policy(rel);
    if not found then
        return;
    end if;
    before := tenant_internal.before_protection(fence.oid);
    -- The permissive policy that protect made, not another one of that name.
    select * into access from pg_policy where polrelid = rel and polname = 'tenant_access' and polpermissive
        and tenant_internal.policy_form(oid) is not null;
    if tenant_internal.has_shared_rows(rel) then
        -- The policies for rows without a tenant: one shows them, the others refuse changes. They are removed together.
        for further in
            select polname from pg_policy where polrelid = rel and oid <> fence.oid and not polpermissive and polroles = '{0}'
                and (polcmd = '*' and tenant_internal.policy_form(oid) = 'shared' or polcmd in ('w', 'd') and tenant_internal.policy_form(oid) = 'own')
        loop
            perform tenant_internal.run_as_owner(rel, format('drop policy %I on %s', further, rel));
        end loop;
    end if;
    -- Without a tenant nobody has a permission.
    perform tenant_internal.drop_permissions(rel, 'all', null);
    perform tenant_internal.run_as_owner(rel, format('drop policy %I on %s', fence.polname, rel));
    if access.oid is not null then
        perform tenant_internal.run_as_owner(rel, format('drop policy %I on %s', access.polname, rel));
    end if;
    if (select pg_get_expr(adbin, adrelid) ~ '^tenant\.current_(id|uuid|bigint)\(\)' from pg_attrdef
        join pg_attribute on attrelid = adrelid and attnum = adnum where adrelid = rel and attname = col) then
        perform tenant_internal.run_as_owner(rel, format('alter table only %s alter column %I drop default', rel, col));
        -- A former owner of the table could have written this expression, so an administrator must see it before
        -- running it.
        if before ? 'default' then
            raise warning using
                message = format('column "%s" of table %s had another default before it was protected', col, rel),
                detail = 'It is not given back by itself: whoever has owned the table could have changed what is kept of it.',
                hint = format('alter table only %s alter column %I set default %s;', rel, col, before ->> 'default');
        end if;
    end if;
    if not coalesce((before ->> 'forced')::boolean, false) then
        perform tenant_internal.run_as_owner(rel, format('alter table %s no force row level security', rel));
    end if;
    -- Row-level security stays on while the table has other policies: they would have no effect without it.
    if not coalesce((before ->> 'enabled')::boolean, false) and not exists (select from pg_policy where polrelid = rel) then
        perform tenant_internal.run_as_owner(rel, format('alter table %s disable row level security', rel));
    end if;
end
$$;
revoke all on function tenant_internal.unfence(regclass) from public;
grant execute on function tenant_internal.unfence(regclass) to tenant_admin;

-- Removes what is left of the protection of a table whose policies are gone: the default and FORCE. Returns false where
-- there is nothing to remove.
create function tenant_internal.unfence_remains(rel regclass) returns boolean
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    col name;
    had_any boolean := 'protect' = (select action from tenant.journal
        where object = rel::text and action in ('protect', 'unprotect') order by id desc limit 1);
begin
    for col in
        select attname from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
        where adrelid = rel and pg_get_expr(adbin, adrelid) ~ '^tenant\.current_(id|uuid|bigint)\(\)'
    loop
        had_any := true;
        perform tenant_internal.run_as_owner(rel, format('alter table only %s alter column %I drop default', rel, col));
    end loop;
    if (select relforcerowsecurity and not relrowsecurity from pg_class where oid = rel)
        and not exists (select from pg_policy where polrelid = rel) then
        had_any := true;
        perform tenant_internal.run_as_owner(rel, format('alter table %s no force row level security', rel));
    end if;
    return coalesce(had_any, false);
end
$$;
revoke all on function tenant_internal.unfence_remains(regclass) from public;
grant execute on function tenant_internal.unfence_remains(regclass) to tenant_admin;

create function tenant_internal.remove_protection(rel regclass, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    part regclass;
    reached regclass;
    through constant regclass := tenant_internal.membership_through(rel);
begin
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.require_owner(rel);
    if tenant_internal.fence_policy(rel) is null then
        if tenant_internal.unfence_remains(rel) then
            insert into tenant.journal (action, object, reason) values ('unprotect', rel::text, remove_protection.reason);
            return;
        end if;
        raise exception using
            errcode = 'TN028',
            message = format('table %s is not protected', rel),
            detail = 'It has no tenant policy.',
            hint = 'select * from tenant.protected_tables; lists those that are.';
    end if;
    if exists (select from pg_inherits where inhrelid = rel and tenant_internal.fence_policy(inhparent::regclass) is not null) then
        raise exception using
            errcode = 'TN030',
            message = format('cannot unprotect %s alone: it belongs to a protected table', rel),
            detail = 'It could be read around the protection of its parent.',
            hint = format('select tenant.unprotect(%L, ''<reason>'');',
                (select inhparent::regclass from pg_inherits where inhrelid = rel limit 1));
    end if;
    select r.relation into reached from tenant_internal.reached_through(rel) r limit 1;
    if found then
        raise exception using
            errcode = 'TN030',
            message = format('cannot unprotect %s: table %s is reached by membership through it', rel, reached),
            detail = 'Every tenant would see all of its rows, and so all of the other''s.',
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', reached);
    end if;
    for part in select tenant_internal.hierarchy(rel) loop
        perform tenant_internal.unfence(part);
    end loop;
    if through is not null then
        perform tenant_internal.keep_members(through);
    end if;
    delete from tenant.lookups where relation in (select tenant_internal.hierarchy(rel));
    insert into tenant.journal (action, object, reason) values ('unprotect', rel::text, remove_protection.reason);
end
$$;
revoke all on function tenant_internal.remove_protection(regclass, text) from public;

create function tenant.share(rel regclass, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason);
    perform tenant_internal.require_owner(rel);
    if tenant_internal.fence_policy(rel) is not null then
        raise exception using
            errcode = 'TN025',
            message = format('cannot share %s: it is protected', rel),
            detail = 'A table is one tenant''s row by row, or the same for all.',
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', rel);
    end if;
    perform tenant_internal.forget_dropped();
    insert into tenant.shared as s (relation, reason) values (rel, share.reason)
        on conflict (relation) do update set reason = excluded.reason;
end
$$;
comment on function tenant.share is 'Declares that the table is the same for every tenant, and why. It grants nothing.';
revoke all on function tenant.share(regclass, text) from public;
grant execute on function tenant.share(regclass, text) to tenant_admin;

create function tenant.unshare(rel regclass, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason);
    perform tenant_internal.require_owner(rel);
    delete from tenant.shared where relation = rel;
    if not found then
        raise exception using
            errcode = 'TN028',
            message = format('table %s is not shared', rel),
            detail = 'tenant.shared has no such table.',
            hint = 'select * from tenant.shared; lists those that are.';
    end if;
end
$$;
revoke all on function tenant.unshare(regclass, text) from public;
grant execute on function tenant.unshare(regclass, text) to tenant_admin;

create view tenant.protected_tables as
    select
        c.oid::regclass as relation,
        case when c.relkind = 'p' then 'partitioned table' when c.relispartition then 'partition'
            when p.inhparent is not null then 'child table' else 'table' end as kind,
        p.inhparent::regclass as parent,
        a.attname as tenant_column,
        pg_catalog.format_type(a.atttypid, a.atttypmod) as tenant_type,
        pol.polname as policy,
        c.relrowsecurity and c.relforcerowsecurity as enforced,
        (select i.indexrelid::regclass from pg_catalog.pg_index i
            where i.indrelid = c.oid and i.indisvalid and i.indpred is null and i.indkey[0] = a.attnum
            order by i.indnkeyatts desc, i.indexrelid limit 1) as index,
        j.at as protected_at,
        j.role as protected_by,
        tenant_internal.has_shared_rows(c.oid::regclass) as shared_rows,
        tenant_internal.membership_through(c.oid::regclass) as through
    from (select distinct polrelid from pg_catalog.pg_policy where not polpermissive) fenced
    join pg_catalog.pg_class c on c.oid = fenced.polrelid
    join pg_catalog.pg_policy pol on pol.oid = tenant_internal.fence_policy(c.oid::regclass)
    left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = tenant_internal.fence_column(c.oid::regclass)
    left join lateral (select inhparent from pg_catalog.pg_inherits where inhrelid = c.oid order by inhseqno limit 1) p on true
    left join (select distinct on (object) object, at, role from tenant.journal where action = 'protect' order by object, id desc) j
        on j.object = pg_catalog.format('%s.%I', c.relnamespace::regnamespace, c.relname);
comment on view tenant.protected_tables is 'What is protected, how, by which column or through which join table, with which index, since when and by whom.';
grant select on tenant.protected_tables to tenant_admin;
