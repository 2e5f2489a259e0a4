-- Permissions that commands on a table require: restrictive policies beside the fence.

-- The permission that a policy requires, if it is one that tenant.require_permission has made, whatever it is called.
create function tenant_internal.permission_of(policy oid) returns text
    language sql stable strict set search_path = pg_catalog, pg_temp as $$
    select substring(coalesce(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
            from '^tenant\.(?:can|require)\(''([^'']*)''::text\)$')
        from pg_policy p where p.oid = permission_of.policy and not p.polpermissive and p.polroles = '{0}' and p.polcmd <> '*'
$$;
revoke all on function tenant_internal.permission_of(oid) from public;
grant execute on function tenant_internal.permission_of(oid) to tenant_admin;

-- The letters by which pg_policy knows the commands.
create function tenant_internal.policy_commands(command text) returns table (code "char", word text)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return query select c.code::"char", c.word from (values ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete')) c (code, word)
        where lower(btrim(command)) in (c.word, 'all');
    if not found then
        raise exception using
            errcode = '22023',
            message = format('%s is no command that a policy is for', coalesce(quote_literal(left(command, 40)), 'null')),
            detail = 'A policy is for select, insert, update or delete, or for all of them.',
            hint = 'select tenant.require_permission(''invoices'', ''update'', ''invoice.write'');';
    end if;
end
$$;
revoke all on function tenant_internal.policy_commands(text) from public;
grant execute on function tenant_internal.policy_commands(text) to tenant_admin;

-- What is read is hidden, and what is written is an error that names the permission.
create function tenant_internal.create_permission(rel regclass, code "char", permission text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    word constant text := case code when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' end;
    named constant text := format('tenant_%s_%s', word, permission);
begin
    if exists (select from pg_policy p where p.polrelid = rel and p.polcmd = code
        and tenant_internal.permission_of(p.oid) = create_permission.permission) then
        return;
    end if;
    perform tenant_internal.run_as_owner(rel, format('create policy %I on %s as restrictive for %s to public %s (tenant.%s(%L))',
        case when octet_length(named) < 64 then named else left(named, 54) || '_' || left(md5(named), 8) end, rel, word,
        case code when 'a' then 'with check' else 'using' end, case code when 'r' then 'can' else 'require' end, permission));
end
$$;
revoke all on function tenant_internal.create_permission(regclass, "char", text) from public;
grant execute on function tenant_internal.create_permission(regclass, "char", text) to tenant_admin;

-- What the parent requires, the partitions and children below this table require.
create function tenant_internal.spread_permissions(parent regclass, child regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.create_permission(part.h, p.polcmd, tenant_internal.permission_of(p.oid))
        from pg_policy p cross join tenant_internal.hierarchy(child) part (h)
        where p.polrelid = parent and tenant_internal.permission_of(p.oid) is not null
            and exists (select from pg_class c where c.oid = part.h and c.relkind <> 'f');
end
$$;
revoke all on function tenant_internal.spread_permissions(regclass, regclass) from public;
grant execute on function tenant_internal.spread_permissions(regclass, regclass) to tenant_admin;

-- The whole of a protected table.
create function tenant_internal.require_whole(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    parent regclass;
begin
    perform tenant_internal.require_owner(rel);
    if tenant_internal.fence_policy(rel) is null then
        raise exception using
            errcode = 'TN028',
            message = format('table %s is not protected', rel),
            detail = 'A permission is required beside the fence that keeps tenants apart.',
            hint = format('First: select tenant.protect(%L);', rel);
    end if;
    select inhparent into parent from pg_inherits where inhrelid = rel limit 1;
    if found then
        raise exception using
            errcode = 'TN020',
            message = format('a permission for %s alone: it belongs to %s', rel, parent),
            detail = 'Through the parent its rows would be reached without it.',
            hint = format('Name the whole: %s.', parent);
    end if;
end
$$;
revoke all on function tenant_internal.require_whole(regclass) from public;
grant execute on function tenant_internal.require_whole(regclass) to tenant_admin;

create function tenant.require_permission(rel regclass, command text, permission text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    wanted constant text := require_permission.permission;
    part regclass;
begin
    perform tenant_internal.require_whole(rel);
    perform from tenant_internal.policy_commands(command);
    if not exists (select from tenant.permissions p where p.permission = wanted) then
        raise exception using
            errcode = 'TN145',
            message = format('there is no permission %s', coalesce(quote_literal(left(wanted, 80)), 'without a name')),
            detail = 'No role was ever defined with it.',
            hint = 'Mind the spelling; define a role with it: select tenant.define_role(''<role>'', <rank>, ''{<permission>}'');';
    end if;
    for part in select h from tenant_internal.hierarchy(rel) h join pg_class c on c.oid = h where c.relkind <> 'f' loop
        perform tenant_internal.create_permission(part, c.code, wanted) from tenant_internal.policy_commands(command) c;
    end loop;
    insert into tenant.journal (action, object, detail) values ('require_permission', rel::text,
        jsonb_build_object('command', lower(btrim(command)), 'permission', wanted));
end
$$;
comment on function tenant.require_permission(regclass, text, text) is 'The command on the table takes the permission: without it rows are hidden from who reads, and who writes is refused (TN142). Can be repeated. TN145 no such permission, TN028 not protected.';
revoke all on function tenant.require_permission(regclass, text, text) from public;
grant execute on function tenant.require_permission(regclass, text, text) to tenant_admin;

-- Drops the policies of one table; how many there were.
create function tenant_internal.drop_permissions(rel regclass, command text, permission text) returns integer
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    named name;
    dropped integer := 0;
begin
    for named in select p.polname from pg_policy p join tenant_internal.policy_commands(command) c on c.code = p.polcmd
        where p.polrelid = rel and tenant_internal.permission_of(p.oid) = coalesce(drop_permissions.permission, tenant_internal.permission_of(p.oid))
    loop
        perform tenant_internal.run_as_owner(rel, format('drop policy %I on %s', named, rel));
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;
revoke all on function tenant_internal.drop_permissions(regclass, text, text) from public;
grant execute on function tenant_internal.drop_permissions(regclass, text, text) to tenant_admin;

create function tenant.drop_permission(rel regclass, command text, permission text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    dropped integer;
begin
    perform tenant_internal.require_whole(rel);
    select sum(tenant_internal.drop_permissions(h, command, drop_permission.permission)) into dropped from tenant_internal.hierarchy(rel) h;
    if dropped = 0 then
        raise exception using
            errcode = 'TN028',
            message = format('table %s requires no such permission for %s', rel, lower(btrim(command))),
            detail = coalesce((select format('It requires: %s.', string_agg(format('%s for %s', tenant_internal.permission_of(p.oid), c.word), ', '
                    order by c.word, tenant_internal.permission_of(p.oid)))
                from pg_policy p join tenant_internal.policy_commands('all') c on c.code = p.polcmd
                where p.polrelid = rel and tenant_internal.permission_of(p.oid) is not null), 'It requires none.'),
            hint = 'Name the command and the permission as tenant.require_permission() was told.';
    end if;
    insert into tenant.journal (action, object, detail) values ('drop_permission', rel::text,
        jsonb_strip_nulls(jsonb_build_object('command', lower(btrim(command)), 'permission', drop_permission.permission)));
end
$$;
comment on function tenant.drop_permission(regclass, text, text) is 'Takes back what require_permission did, for one permission or all of the command. TN028 where there is none.';
revoke all on function tenant.drop_permission(regclass, text, text) from public;
grant execute on function tenant.drop_permission(regclass, text, text) to tenant_admin;
