-- Logins that live inside one tenant: psql, BI tools, any ORM.
--
-- SECURITY DEFINER, since pg_tenant.id is a setting of superusers; owned by the extension's owner.

-- What members of this predefined role can do beyond their own tenant, in words; null for every other role. The
-- predefined roles pg_checkpoint, pg_read_all_settings and pg_use_reserved_connections show and do nothing of other
-- tenants.
create function tenant_internal.reach_of(role name) returns text
    language sql immutable strict set search_path = pg_catalog, pg_temp as $$
    select case role
        when 'tenant_admin' then 'manages tenants'
        when 'tenant_support' then 'impersonates users of any tenant'
        when 'tenant_reader' then 'reads every tenant''s rows'
        when 'tenant_system' then 'works on every tenant''s rows'
        when 'pg_execute_server_program' then 'runs programs on the server'
        when 'pg_read_server_files' then 'reads the server''s files'
        when 'pg_write_server_files' then 'writes the server''s files'
        when 'pg_read_all_data' then 'reads every relation'
        when 'pg_write_all_data' then 'writes every relation'
        when 'pg_maintain' then 'locks, rewrites and analyses every relation'
        when 'pg_monitor' then 'reads other sessions'' statements'
        when 'pg_read_all_stats' then 'reads other sessions'' statements'
        when 'pg_stat_scan_tables' then 'counts the rows of every table'
        when 'pg_signal_backend' then 'ends other sessions'
        when 'pg_create_subscription' then 'lets the server connect to others'
        when 'pg_database_owner' then 'owns the database' end
$$;
comment on function tenant_internal.reach_of is 'What the members of a role reach past their tenant, or null.';
revoke all on function tenant_internal.reach_of(name) from public;

create function tenant.bind_role(role name, id text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    canonical text := tenant.canonical_id(id);
    target pg_roles;
    why text;
    way_out text := 'Bind a login of its own, made for this: create role ... login; grant tenant_user to ...;';
begin
    select * into target from pg_roles where rolname = bind_role.role;
    why := case
        when not found then 'There is no such role.'
        when target.rolsuper then 'It is a superuser: policies do not apply to it.'
        when target.rolbypassrls then 'It has BYPASSRLS: policies do not apply to it.'
        when target.rolcreaterole then 'It has CREATEROLE: it could make itself another role.'
        when target.rolreplication then 'It has REPLICATION: it reads every tenant''s changes.'
        when not target.rolcanlogin then 'It cannot log in; a binding takes effect at login.'
        when not pg_has_role(target.oid, 'tenant_user', 'member') then 'It is not a member of tenant_user.'
        else (
            select format('It is a member of %I, %s.', r.rolname, case
                when r.rolsuper or r.rolbypassrls then 'to which policies do not apply'
                when r.rolcreaterole then 'which can create roles'
                else 'which ' || tenant_internal.reach_of(r.rolname) end)
            from pg_roles r
            where r.oid <> target.oid and pg_has_role(target.oid, r.oid, 'member')
                and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or tenant_internal.reach_of(r.rolname) is not null)
            order by r.rolname
            limit 1)
        end;
    -- From 16, whoever creates a role gets a membership that neither inherits nor allows SET ROLE: that one is
    -- harmless.
    if why is null then
        select format('Role %I is a member of it: SET ROLE would not carry the binding along.', m.member::regrole) into why
            from pg_auth_members m
            where m.roleid = target.oid
                and (coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)
                    or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true))
            limit 1;
    elsif not pg_has_role(target.oid, 'tenant_user', 'member') then
        way_out := format('grant tenant_user to %I;', role);
    end if;
    if why is not null then
        raise exception using
            errcode = 'TN040',
            message = format('role "%s" cannot be bound to a tenant', role),
            detail = why,
            hint = way_out;
    end if;
    if current_setting('pg_tenant.require_registered')::boolean then
        perform tenant_internal.require_known(canonical);
    end if;
    execute format('alter role %I set pg_tenant.id = %L', role, canonical);
    insert into tenant.journal (action, object, detail, role)
        values ('bind_role', role, jsonb_build_object('tenant', canonical), session_user);
    raise notice using
        message = format('role "%s" is bound to tenant "%s" from its next login', role, canonical),
        detail = 'Sessions that are open now keep what they have.';
end
$$;
comment on function tenant.bind_role(name, text) is 'From its next login the role lives inside this tenant and cannot leave it. TN040 says why a role cannot be bound.';
revoke all on function tenant.bind_role(name, text) from public;
grant execute on function tenant.bind_role(name, text) to tenant_admin;

create function tenant.bind_role(role name, id uuid) returns void language sql
    begin atomic select tenant.bind_role(role, id::text); end;
revoke all on function tenant.bind_role(name, uuid) from public;
grant execute on function tenant.bind_role(name, uuid) to tenant_admin;

create function tenant.bind_role(role name, id bigint) returns void language sql
    begin atomic select tenant.bind_role(role, id::text); end;
revoke all on function tenant.bind_role(name, bigint) from public;
grant execute on function tenant.bind_role(name, bigint) to tenant_admin;

create function tenant.unbind_role(role name) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    if not exists (select from tenant.bound_roles b where b.role = unbind_role.role) then
        raise exception using
            errcode = 'TN040',
            message = format('role "%s" is not bound to a tenant', role),
            detail = 'It has no setting pg_tenant.id.',
            hint = 'select * from tenant.bound_roles; lists those that are.';
    end if;
    execute format('alter role %I reset pg_tenant.id', role);
    insert into tenant.journal (action, object, role) values ('unbind_role', role, session_user);
end
$$;
comment on function tenant.unbind_role is 'From its next login the role is bound to no tenant.';
revoke all on function tenant.unbind_role(name) from public;
grant execute on function tenant.unbind_role(name) to tenant_admin;

create view tenant.bound_roles as
    select r.rolname as role, pg_catalog.split_part(setting, '=', 2) as tenant_id
    from pg_catalog.pg_db_role_setting s
    join pg_catalog.pg_roles r on r.oid = s.setrole
    cross join lateral pg_catalog.unnest(s.setconfig) setting
    where setting like 'pg_tenant.id=%';
comment on view tenant.bound_roles is 'The roles that live inside one tenant.';
grant select on tenant.bound_roles to tenant_admin;
