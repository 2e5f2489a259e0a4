-- Who may write the join table that says which rows a tenant sees.

-- The trigger function of join tables: the trigger's WHEN has already decided that the change is to be refused.
create function tenant.refuse_member() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN072',
        message = format('table %s takes no members in a tenant''s transaction', tg_relid::regclass),
        detail = 'Each of its rows shows the tenant a row of another table: who adds one sees whom it likes.',
        hint = 'Add members outside of tenants: begin; select tenant.enter_system(''<reason>'', write => true);';
end
$$;
comment on function tenant.refuse_member() is 'The trigger of tables through which others are reached by membership.';
revoke all on function tenant.refuse_member() from public;
-- Granted to PUBLIC: the owner of a table that has the trigger need not be an administrator, and a trigger function
-- cannot be called by itself.
grant execute on function tenant.refuse_member() to public;

-- The tables that are reached through this one, and whether tenants may add members to it for them.
create function tenant_internal.reached_through(through regclass) returns table (relation regclass, member smallint, open boolean)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select p.polrelid::regclass, tenant_internal.membership_member(p.polrelid::regclass),
        coalesce((tenant_internal.before_protection(tenant_internal.fence_policy(p.polrelid::regclass)) ->> 'tenants_add_members')::boolean, false)
    from (
        select distinct polrelid from pg_depend d join pg_policy on pg_policy.oid = d.objid and not polpermissive
        where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = through and polrelid <> through
        offset 0
    ) p
    where tenant_internal.membership_through(p.polrelid::regclass) = through
$$;
revoke all on function tenant_internal.reached_through(regclass) from public;
grant execute on function tenant_internal.reached_through(regclass) to tenant_admin;

-- The triggers that a join table needs, and each table below it. PostgreSQL fires triggers by their names in ASCII, and
-- one that fires later may change the member again: these are the last.
create function tenant_internal.member_triggers(through regclass) returns table (part regclass, name name, statement text)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select h, t.name, format('create trigger %I before %s on %s for each row when (%stenant.current_id() is not null) '
        'execute function tenant.refuse_member()', t.name, t.event, h, t.changes)
    from tenant_internal.hierarchy(through) h join pg_class c on c.oid = h and c.relkind in ('r', 'p')
    cross join lateral (
        select '~tenant_members'::name as name, 'insert' as event, '' as changes
        from tenant_internal.reached_through(through) r where not r.open having count(*) > 0
        union
        select ('~tenant_members_' || a.attname)::name, 'update', format('old.%I is distinct from new.%1$I and ', a.attname)
        from tenant_internal.reached_through(through) r join pg_attribute a on a.attrelid = h and a.attname = (
            select attname from pg_attribute where attrelid = through and attnum = r.member)
        where not r.open
    ) t
$$;
revoke all on function tenant_internal.member_triggers(regclass) from public;
grant execute on function tenant_internal.member_triggers(regclass) to tenant_admin;

-- A trigger's definition in a form that can be compared: without its name and table, in lower case, without
-- parentheses.
create function tenant_internal.trigger_text(definition text) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select regexp_replace(regexp_replace(lower(definition), '^create trigger \S+ before (\S+) on \S+', '\1'), '[()"]', '', 'g')
$$;
revoke all on function tenant_internal.trigger_text(text) from public;
grant execute on function tenant_internal.trigger_text(text) to tenant_admin;

-- Those of them that are not there, or not enabled.
create function tenant_internal.missing_member_triggers(through regclass) returns table (part regclass, name name, statement text)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select m.part, m.name, m.statement from tenant_internal.member_triggers(through) m
    where not exists (select from pg_trigger t where t.tgrelid = m.part and not t.tgisinternal and t.tgenabled = 'A'
        and tenant_internal.trigger_text(pg_get_triggerdef(t.oid)) = tenant_internal.trigger_text(m.statement))
$$;
revoke all on function tenant_internal.missing_member_triggers(regclass) from public;
grant execute on function tenant_internal.missing_member_triggers(regclass) to tenant_admin;

-- Creates the triggers that a join table lacks, and drops those of ours that it no longer needs.
create function tenant_internal.keep_members(through regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    old record;
    missing record;
    found_name name;
begin
    for old in
        select t.tgrelid::regclass as part, t.tgname as name from tenant_internal.hierarchy(through) h
        join pg_trigger t on t.tgrelid = h and t.tgparentid = 0 and t.tgfoid = 'tenant.refuse_member()'::regprocedure
        where not exists (select from tenant_internal.member_triggers(through) m
            where m.part = h and tenant_internal.trigger_text(m.statement) = tenant_internal.trigger_text(pg_get_triggerdef(t.oid)))
    loop
        perform tenant_internal.run_as_owner(old.part, format('drop trigger %I on %s', old.name, old.part));
    end loop;
    -- The table before its partitions, which get theirs from it.
    for missing in select m.* from tenant_internal.missing_member_triggers(through) m join pg_class c on c.oid = m.part order by c.relispartition loop
        select tgname into found_name from pg_trigger where tgrelid = missing.part and not tgisinternal
            and tenant_internal.trigger_text(pg_get_triggerdef(oid)) = tenant_internal.trigger_text(missing.statement);
        if not found then
            perform tenant_internal.run_as_owner(missing.part, missing.statement);
            found_name := missing.name;
        end if;
        -- session_replication_role = replica skips others.
        perform tenant_internal.run_as_owner(missing.part, format('alter table %s enable always trigger %I', missing.part, found_name));
    end loop;
end
$$;
revoke all on function tenant_internal.keep_members(regclass) from public;
grant execute on function tenant_internal.keep_members(regclass) to tenant_admin;

create function tenant_internal.apply_membership(rel regclass, through regclass, member_column name, key_column name, tenants_add_members boolean)
    returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    columns record;
    part regclass;
begin
    if rel is null or through is null then
        raise exception using
            errcode = '22004',
            message = 'the table and the join table must be named',
            detail = 'One of them is null.',
            hint = 'select tenant.protect_by_membership(''users'', through => ''members'');';
    end if;
    select * into columns from tenant_internal.membership_columns(rel, through, apply_membership.member_column, apply_membership.key_column);
    perform tenant_internal.require_membership(rel, through, columns.member_column, columns.key_column);
    for part in select tenant_internal.hierarchy(rel) loop
        perform tenant_internal.require_table(part);
        perform tenant_internal.fence_members(part, through, columns.member_column, columns.key_column, coalesce(tenants_add_members, false));
    end loop;
    perform tenant_internal.keep_members(through);
    delete from tenant.shared where relation = rel;
    insert into tenant.journal (action, object, detail) values ('protect', rel::text,
        jsonb_build_object('through', through::text, 'member_column', columns.member_column, 'key_column', columns.key_column)
            || case when tenants_add_members then '{"tenants_add_members": true}' else '{}' end::jsonb);
end
$$;
revoke all on function tenant_internal.apply_membership(regclass, regclass, name, name, boolean) from public;
