-- The fence of one table and of what is below it.

-- The commands that fence one table of a hierarchy, as it is now.
create function tenant_internal.fence_steps(rel regclass, tenant_column name, reader text, shared_rows boolean)
    returns table (what text, statement text)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    -- The equality lets the planner use an index, but the planner may also drop it from the plan. The function stays in
    -- the plan and decides.
    own constant text := format('%I operator(pg_catalog.=) %s and tenant.is_current(%1$I)', tenant_column, reader);
    shown constant text := case when shared_rows
        then format('(%I operator(pg_catalog.=) %s or %1$I is null) and tenant.is_current_or_shared(%1$I)', tenant_column, reader)
        else own end;
    fenced boolean := tenant_internal.fence_policy(rel) is not null;
    former pg_policy;
    command record;
begin
    -- Skipped where it is set already: the command would only need rights on partitions and children of other owners.
    if not shared_rows and (not (select attnotnull from pg_attribute where attrelid = rel and attname = tenant_column)
        or exists (select from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attname = tenant_column
            where c.conrelid = rel and c.contype = 'n' and c.conkey = array[a.attnum] and not c.convalidated)) then
        return query values ('not null', format('alter table %s alter column %I set not null', rel, tenant_column));
    end if;
    -- ONLY: each table below is fenced by itself, as its own owner.
    if not tenant_internal.is_root(rel, tenant_column) and reader is distinct from (
        select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d
        join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum where a.attrelid = rel and a.attname = tenant_column) then
        return query values ('default', format('alter table only %s alter column %I set default %s', rel, tenant_column, reader));
    end if;
    if not (select relrowsecurity and relforcerowsecurity from pg_class where oid = rel) then
        return query values ('security', format('alter table %s enable row level security, force row level security', rel));
    end if;
    -- What 0.1.0 made becomes what this version makes.
    for former in
        select p.* from pg_policy p join pg_attribute a on a.attrelid = rel and a.attname = tenant_column
        where p.polrelid = rel and tenant_internal.former_column(p.oid) = a.attnum
            and p.polcmd = '*' and p.polroles = '{0}' and (not p.polpermissive or p.polname = 'tenant_access')
    loop
        fenced := fenced or not former.polpermissive;
        return query values ('policy', format('alter policy %I on %s using (%s) with check (%3$s)', former.polname, rel, own));
    end loop;
    if shared_rows then
        -- These first: the third policy makes rows visible that these two protect from changes.
        for command in select * from (values ('w', 'update'), ('d', 'delete')) c (code, word) where not exists (
            select from pg_policy p where p.polrelid = rel and not p.polpermissive and p.polroles = '{0}'
                and p.polcmd = c.code::"char" and tenant_internal.policy_form(p.oid) = 'own')
        loop
            return query values ('policy', format(
                'create policy tenant_isolation_%1$s on %2$s as restrictive for %1$s to public using (%3$s)', command.word, rel, own));
        end loop;
        fenced := exists (select from pg_policy p where p.polrelid = rel and not p.polpermissive and p.polroles = '{0}'
            and p.polcmd = '*' and tenant_internal.policy_form(p.oid) = 'shared');
    end if;
    if not fenced then
        return query values ('policy', format(
            'create policy tenant_isolation on %s as restrictive for all to public using (%s) with check (%s)', rel, shown, own));
    end if;
    -- The permissive policy has the same condition as the restrictive one, not true: if either is lost, the other still
    -- holds.
    if not exists (select from pg_policy where polrelid = rel and polpermissive) then
        return query values ('policy', format(
            'create policy tenant_access on %s as permissive for all to public using (%s) with check (%s)', rel, shown, own));
    end if;
    if not exists (
        select from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am on pg_am.oid = c.relam
        where i.indrelid = rel and i.indisvalid and i.indpred is null and amname = 'btree'
            and i.indkey[0] = (select attnum from pg_attribute where attrelid = rel and attname = tenant_column)
    ) then
        return query values ('index', format('create index on %s (%I)', rel, tenant_column));
    end if;
end
$$;
revoke all on function tenant_internal.fence_steps(regclass, name, text, boolean) from public;
grant execute on function tenant_internal.fence_steps(regclass, name, text, boolean) to tenant_admin;

-- Refuses a step for which somebody lacks a right.
create function tenant_internal.require_step(rel regclass, what text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    case what
        when 'not null' then perform tenant_internal.require_one_owner(rel);
        when 'index' then perform tenant_internal.require_create(rel);
        else null;
    end case;
end
$$;
revoke all on function tenant_internal.require_step(regclass, text) from public;
grant execute on function tenant_internal.require_step(regclass, text) to tenant_admin;

create function tenant_internal.refuse_nulls(rel regclass, tenant_column name) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN024',
        message = format('column "%s" of table %s holds nulls', tenant_column, rel),
        detail = 'A row without a tenant would be nobody''s.',
        hint = format('Give each row its tenant first: update %s set %I = ... where %2$I is null; or, where these rows are every '
            'tenant''s to read: select tenant.protect(%L, %L, shared_rows => true);', rel, tenant_column, rel, tenant_column);
end
$$;
revoke all on function tenant_internal.refuse_nulls(regclass, name) from public;
grant execute on function tenant_internal.refuse_nulls(regclass, name) to tenant_admin;

-- Fences one table of a hierarchy.
create function tenant_internal.fence(rel regclass, tenant_column name, reader text, shared_rows boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    step record;
begin
    for step in select * from tenant_internal.fence_steps(rel, tenant_column, reader, tenant_internal.will_share_rows(rel, shared_rows)) loop
        perform tenant_internal.require_step(rel, step.what);
        if step.what = 'not null' then
            begin
                perform tenant_internal.run_as_owner(rel, step.statement);
            exception when not_null_violation then
                perform tenant_internal.refuse_nulls(rel, tenant_column);
            end;
        else
            perform tenant_internal.run_as_owner(rel, step.statement);
        end if;
    end loop;
end
$$;
revoke all on function tenant_internal.fence(regclass, name, text, boolean) from public;
grant execute on function tenant_internal.fence(regclass, name, text, boolean) to tenant_admin;

-- Fences a table and all below it. The comment of each policy keeps what unprotect gives back: it is the owner's, and
-- goes where the table goes. Foreign tables cannot be fenced: they are an error, or stay closed and are read through
-- their parent.
create function tenant_internal.fence_hierarchy(rel regclass, tenant_column name, refuse_foreign boolean, shared_rows boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    parts regclass[] := array(select h from tenant_internal.hierarchy(rel) h join pg_class c on c.oid = h
        where c.relkind <> 'f' or refuse_foreign);
    part regclass;
    reader text;
    before jsonb := '{}';
begin
    foreach part in array parts loop
        reader := tenant_internal.reader_for(part, tenant_column);
    end loop;
    if shared_rows then
        perform tenant_internal.refuse_publishing_keys(rel, tenant_column);
    end if;
    -- All tables are checked before the first is changed: a command on a table also reaches its partitions and
    -- children.
    foreach part in array parts loop
        before := before || jsonb_build_object(part::text, (
            select jsonb_build_object('enabled', relrowsecurity, 'forced', relforcerowsecurity, 'default', (
                select pg_get_expr(adbin, adrelid) from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
                where adrelid = part and attname = tenant_column
                    and pg_get_expr(adbin, adrelid) !~ '^tenant\.current_(id|uuid|bigint)\(\)'))
            from pg_class where oid = part and tenant_internal.fence_policy(part) is null));
    end loop;
    foreach part in array parts loop
        perform tenant_internal.fence(part, tenant_column, reader, shared_rows);
        if jsonb_typeof(before -> part::text) = 'object' then
            perform tenant_internal.run_as_owner(part, format('comment on policy tenant_isolation on %s is %L', part,
                format('Keeps tenants apart. Before: %s', jsonb_strip_nulls(before -> part::text))));
        end if;
    end loop;
end
$$;
revoke all on function tenant_internal.fence_hierarchy(regclass, name, boolean, boolean) from public;
grant execute on function tenant_internal.fence_hierarchy(regclass, name, boolean, boolean) to tenant_admin;

-- What is asked of a table before it is looked at closer.
create function tenant_internal.require_protectable(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    parent regclass;
begin
    perform tenant_internal.require_owner(rel);
    select inhparent into parent from pg_inherits
        where inhrelid = rel and tenant_internal.fence_policy(inhparent::regclass) is null limit 1;
    if found then
        raise exception using
            errcode = 'TN020',
            message = format('cannot protect %s alone: it belongs to %s', rel, parent),
            detail = 'Reading the parent would read around the protection.',
            hint = format('Protect the whole: select tenant.protect(%L);', parent);
    end if;
    perform tenant_internal.refuse_materialized_views(rel);
end
$$;
revoke all on function tenant_internal.require_protectable(regclass) from public;
grant execute on function tenant_internal.require_protectable(regclass) to tenant_admin;

create function tenant_internal.apply_protection(rel regclass, tenant_column name, harden tenant.key_form, keep_old_keys boolean,
    shared_rows boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_protectable(rel);
    if shared_rows then
        perform tenant_internal.reader_for(rel, tenant_column);
        perform tenant_internal.require_shareable(rel, tenant_column);
    end if;
    perform tenant_internal.fence_hierarchy(rel, tenant_column, refuse_foreign => true,
        shared_rows => tenant_internal.will_share_rows(rel, apply_protection.shared_rows));
    perform tenant_internal.spread_permissions(rel, rel);
    delete from tenant.shared where relation = rel;
    insert into tenant.journal (action, object, detail)
        values ('protect', rel::text, jsonb_build_object('tenant_column', tenant_column)
            || case when tenant_internal.has_shared_rows(rel) then jsonb_build_object('shared_rows', true) else '{}' end);
    if harden <> 'false' then
        perform tenant_internal.apply_hardening(rel, harden, keep_old_keys);
    end if;
    -- A new child of a join table gets the same triggers as its parent.
    perform tenant_internal.keep_members(above.relation) from (
        with recursive above(relation) as (
            values (rel::oid) union select i.inhparent from pg_inherits i join above a on i.inhrelid = a.relation
        )
        select a.relation::regclass as relation from above a
        where exists (select from tenant_internal.reached_through(a.relation::regclass)) offset 0
    ) above;
end
$$;
revoke all on function tenant_internal.apply_protection(regclass, name, tenant.key_form, boolean, boolean) from public;
