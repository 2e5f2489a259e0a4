-- Tables whose rows belong to several tenants, by membership: a row of `users` is a tenant's where the tenant's part of a join
-- table refers to it. Such a row is read only inside a tenant, since the others see it too.
--
-- Who adds rows to the join table says what a tenant sees. Triggers on it let no tenant do so, unless it is asked for.

create function tenant.membership_through(rel regclass) returns regclass
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_membership_through';
comment on function tenant.membership_through(regclass) is 'The join table through which the table is reached by membership; null where it is not.';
revoke all on function tenant.membership_through(regclass) from public;
grant execute on function tenant.membership_through(regclass) to tenant_admin;

create function tenant.membership_key(rel regclass) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_membership_key';
comment on function tenant.membership_key(regclass) is 'The number of the column by which the table is reached by membership.';
revoke all on function tenant.membership_key(regclass) from public;
grant execute on function tenant.membership_key(regclass) to tenant_admin;

create function tenant.membership_member(rel regclass) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_membership_member';
comment on function tenant.membership_member(regclass) is 'The number of the join table''s column that has the keys of the table.';
revoke all on function tenant.membership_member(regclass) from public;
grant execute on function tenant.membership_member(regclass) to tenant_admin;

-- The columns that join the two: as they were named, else those of the one foreign key that there is.
create function tenant.membership_columns(rel regclass, through regclass, inout member_column name, inout key_column name)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    members name[];
    keys name[];
begin
    if member_column is null or key_column is null then
        select array_agg(m.attname order by c.conname), array_agg(k.attname order by c.conname) into members, keys
            from pg_constraint c
            join pg_attribute m on m.attrelid = c.conrelid and m.attnum = c.conkey[1]
            join pg_attribute k on k.attrelid = c.confrelid and k.attnum = c.confkey[1]
            where c.contype = 'f' and c.conrelid = through and c.confrelid = rel and cardinality(c.conkey) = 1
                and m.attname = coalesce(membership_columns.member_column, m.attname)
                and k.attname = coalesce(membership_columns.key_column, k.attname);
        if coalesce(cardinality(members), 0) <> 1 then
            raise exception using
                errcode = 'TN021',
                message = format('no single foreign key says which column of %s refers to %s', through, rel),
                detail = coalesce('There are several, of the columns: ' || array_to_string(members, ', ') || '.',
                    'There is none of one column.'),
                hint = 'Name both columns: tenant.protect_by_membership(..., member_column => ''<of the join table>'', key_column => ''<of the table>'').';
        end if;
        member_column := members[1];
        key_column := keys[1];
    end if;
end
$$;
revoke all on function tenant.membership_columns(regclass, regclass, name, name) from public;
grant execute on function tenant.membership_columns(regclass, regclass, name, name) to tenant_admin;

-- What the values of a column are compared as; an error where the table has no such column, or one that cannot be compared.
create function tenant.membership_type(rel regclass, column_name name) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    col pg_attribute;
    kind text;
begin
    select * into col from pg_attribute where attrelid = rel and attname = column_name and attnum > 0 and not attisdropped;
    if not found then
        raise exception using
            errcode = 'TN021',
            message = format('table %s has no column "%s"', rel, column_name),
            detail = 'Membership is the equality of a column of the join table and a key of the other.',
            hint = format('Name a column of %s.', rel);
    end if;
    kind := case when col.atttypid = 'uuid'::regtype then 'uuid'
        when col.atttypid in ('bigint'::regtype, 'integer'::regtype, 'smallint'::regtype) then 'number'
        when col.atttypid in ('text'::regtype, 'varchar'::regtype) then 'text' end;
    if kind is null then
        raise exception using
            errcode = 'TN022',
            message = format('column "%s" of table %s cannot say who is a member', column_name, rel),
            detail = format('It is of type %s.', format_type(col.atttypid, col.atttypmod)),
            hint = 'Use uuid, bigint, integer, smallint, text or varchar.';
    end if;
    if col.attcollation <> 0 and not (select collisdeterministic from pg_collation where oid = col.attcollation) then
        raise exception using
            errcode = 'TN023',
            message = format('column "%s" of table %s has a nondeterministic collation', column_name, rel),
            detail = 'Under it, texts that differ can be equal: a tenant would see rows that are not its members.',
            hint = format('alter table %s alter column %I type text collate "C";', rel, column_name);
    end if;
    return kind;
end
$$;
revoke all on function tenant.membership_type(regclass, name) from public;
grant execute on function tenant.membership_type(regclass, name) to tenant_admin;

-- Refuses what cannot be reached by membership in this way.
create function tenant.require_membership(rel regclass, through regclass, member_column name, key_column name) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant.require_protectable(rel);
    perform tenant.require_table(rel);
    perform tenant.require_owner(through);
    -- Of 0.1.0's policies the planner can lose the fence: not until they are mended. And who is a member in rows of nobody?
    if rel = through or coalesce(tenant.fence_column(through), 0) = 0 or tenant.has_shared_rows(through)
        or tenant.former_column(tenant.fence_policy(through)) is not null then
        raise exception using
            errcode = 'TN028',
            message = format('table %s is not protected by a tenant column', through),
            detail = 'Membership is what a tenant sees of the join table: it has rows of its own there.',
            hint = format('First: select tenant.protect(%L); without shared rows.', through);
    end if;
    if tenant.membership_type(rel, key_column) <> tenant.membership_type(through, member_column) then
        raise exception using
            errcode = 'TN022',
            message = format('column "%s" of table %s cannot say who is a member', member_column, through),
            detail = format('Column "%s" of table %s is of another type.', key_column, rel),
            hint = 'Name two columns of one type.';
    end if;
    if tenant.fence_policy(rel) is not null and (tenant.membership_through(rel) is distinct from through
        or (key_column, member_column) is distinct from (
            (select attname from pg_attribute where attrelid = rel and attnum = tenant.membership_key(rel)),
            (select attname from pg_attribute where attrelid = through and attnum = tenant.membership_member(rel)))) then
        raise exception using
            errcode = 'TN025',
            message = format('table %s is protected already', rel),
            detail = format('It is protected %s.', coalesce('by membership through ' || tenant.membership_through(rel)::text, 'by a tenant column')),
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', rel);
    end if;
    if tenant.fence_policy(rel) is null and exists (select from pg_policy where polrelid = rel and polname = 'tenant_membership') then
        raise exception using
            errcode = 'TN026',
            message = format('table %s has a policy named "tenant_membership" that is not a tenant policy', rel),
            detail = 'The policy of tenant.protect_by_membership is restrictive, for all commands, to public, and lets nothing in.',
            hint = format('alter policy tenant_membership on %s rename to ...; or drop policy tenant_membership on %1$s;', rel);
    end if;
end
$$;
revoke all on function tenant.require_membership(regclass, regclass, name, name) from public;
grant execute on function tenant.require_membership(regclass, regclass, name, name) to tenant_admin;

-- What the table was before it was first protected, as the comment of its tenant policy has it.
create function tenant.before_protection(fence oid) returns jsonb
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce(substring(obj_description(fence, 'pg_policy') from 'Before: ({.*})$')::jsonb, '{}');
exception when invalid_text_representation then
    return '{}';
end
$$;
revoke all on function tenant.before_protection(oid) from public;
grant execute on function tenant.before_protection(oid) to tenant_admin;

-- Fences one table of a hierarchy. Its comment keeps what unprotect gives back, and whether tenants add members.
create function tenant.fence_members(rel regclass, through regclass, member_column name, key_column name, open boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    given constant text := format('select m.%I%s from %s m', member_column,
        case when tenant.membership_type(through, member_column) = 'text' then '::pg_catalog.text' else '' end, through);
    -- The array leads the planner to an index of the key; the function decides.
    condition constant text := format('%I operator(pg_catalog.=) any (array(%s)) and tenant.is_member(%1$I operator(pg_catalog.=) any (%2$s))',
        key_column, given);
    class pg_class := (select c from pg_class c where oid = rel);
    before jsonb := jsonb_build_object('enabled', class.relrowsecurity, 'forced', class.relforcerowsecurity);
begin
    if tenant.fence_policy(rel) is not null then
        before := tenant.before_protection(tenant.fence_policy(rel)) - 'tenants_add_members';
    end if;
    if not (class.relrowsecurity and class.relforcerowsecurity) then
        perform tenant.run_as_owner(rel, format('alter table %s enable row level security, force row level security', rel));
    end if;
    if tenant.fence_policy(rel) is null then
        perform tenant.run_as_owner(rel, format(
            'create policy tenant_membership on %s as restrictive for all to public using (%s) with check (false)', rel, condition));
    end if;
    -- For SELECT: whichever of the two policies is lost, the other denies.
    if not exists (select from pg_policy where polrelid = rel and polpermissive) then
        perform tenant.run_as_owner(rel, format(
            'create policy tenant_access on %s as permissive for select to public using (%s)', rel, condition));
    end if;
    perform tenant.run_as_owner(rel, format('comment on policy %I on %s is %L',
        (select polname from pg_policy where oid = tenant.fence_policy(rel)), rel,
        format('Keeps tenants apart. Before: %s', before || case when open then '{"tenants_add_members": true}' else '{}' end::jsonb)));
end
$$;
revoke all on function tenant.fence_members(regclass, regclass, name, name, boolean) from public;
grant execute on function tenant.fence_members(regclass, regclass, name, name, boolean) to tenant_admin;

-- The trigger of a join table: its WHEN has asked already.
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
-- An owner need be no administrator, and nobody calls a trigger function by itself.
grant execute on function tenant.refuse_member() to public;

-- The tables that are reached through this one, and whether tenants may add members to it for them.
create function tenant.reached_through(through regclass) returns table (relation regclass, member smallint, open boolean)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select p.polrelid::regclass, tenant.membership_member(p.polrelid::regclass),
        coalesce((tenant.before_protection(tenant.fence_policy(p.polrelid::regclass)) ->> 'tenants_add_members')::boolean, false)
    from (
        select distinct polrelid from pg_depend d join pg_policy on pg_policy.oid = d.objid and not polpermissive
        where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = through and polrelid <> through
        offset 0
    ) p
    where tenant.membership_through(p.polrelid::regclass) = through
$$;
revoke all on function tenant.reached_through(regclass) from public;
grant execute on function tenant.reached_through(regclass) to tenant_admin;

-- The triggers that a join table needs, and each table below it. PostgreSQL fires triggers by their names in ASCII, and one
-- that fires later may change the member again: these are the last.
create function tenant.member_triggers(through regclass) returns table (part regclass, name name, statement text)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select h, t.name, format('create trigger %I before %s on %s for each row when (%stenant.current_id() is not null) '
        'execute function tenant.refuse_member()', t.name, t.event, h, t.changes)
    from tenant.hierarchy(through) h join pg_class c on c.oid = h and c.relkind in ('r', 'p')
    cross join lateral (
        select '~tenant_members'::name as name, 'insert' as event, '' as changes
        from tenant.reached_through(through) r where not r.open having count(*) > 0
        union
        select ('~tenant_members_' || a.attname)::name, 'update', format('old.%I is distinct from new.%1$I and ', a.attname)
        from tenant.reached_through(through) r join pg_attribute a on a.attrelid = h and a.attname = (
            select attname from pg_attribute where attrelid = through and attnum = r.member)
        where not r.open
    ) t
$$;
revoke all on function tenant.member_triggers(regclass) from public;
grant execute on function tenant.member_triggers(regclass) to tenant_admin;

-- A trigger as PostgreSQL says it, whatever its name, its table and its case.
create function tenant.trigger_text(definition text) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select regexp_replace(regexp_replace(lower(definition), '^create trigger \S+ before (\S+) on \S+', '\1'), '[()"]', '', 'g')
$$;
revoke all on function tenant.trigger_text(text) from public;
grant execute on function tenant.trigger_text(text) to tenant_admin;

-- Those of them that are not there, or not enabled.
create function tenant.missing_member_triggers(through regclass) returns table (part regclass, name name, statement text)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select m.part, m.name, m.statement from tenant.member_triggers(through) m
    where not exists (select from pg_trigger t where t.tgrelid = m.part and not t.tgisinternal and t.tgenabled = 'A'
        and tenant.trigger_text(pg_get_triggerdef(t.oid)) = tenant.trigger_text(m.statement))
$$;
revoke all on function tenant.missing_member_triggers(regclass) from public;
grant execute on function tenant.missing_member_triggers(regclass) to tenant_admin;

-- Makes the triggers of a join table what they are to be.
create function tenant.keep_members(through regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    old record;
    missing record;
    found_name name;
begin
    for old in
        select t.tgrelid::regclass as part, t.tgname as name from tenant.hierarchy(through) h
        join pg_trigger t on t.tgrelid = h and t.tgparentid = 0 and t.tgfoid = 'tenant.refuse_member()'::regprocedure
        where not exists (select from tenant.member_triggers(through) m
            where m.part = h and tenant.trigger_text(m.statement) = tenant.trigger_text(pg_get_triggerdef(t.oid)))
    loop
        perform tenant.run_as_owner(old.part, format('drop trigger %I on %s', old.name, old.part));
    end loop;
    -- The table before its partitions, which get theirs from it.
    for missing in select m.* from tenant.missing_member_triggers(through) m join pg_class c on c.oid = m.part order by c.relispartition loop
        select tgname into found_name from pg_trigger where tgrelid = missing.part and not tgisinternal
            and tenant.trigger_text(pg_get_triggerdef(oid)) = tenant.trigger_text(missing.statement);
        if not found then
            perform tenant.run_as_owner(missing.part, missing.statement);
            found_name := missing.name;
        end if;
        -- session_replication_role = replica skips others.
        perform tenant.run_as_owner(missing.part, format('alter table %s enable always trigger %I', missing.part, found_name));
    end loop;
end
$$;
revoke all on function tenant.keep_members(regclass) from public;
grant execute on function tenant.keep_members(regclass) to tenant_admin;

create function tenant.apply_membership(rel regclass, through regclass, member_column name, key_column name, tenants_add_members boolean)
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
    select * into columns from tenant.membership_columns(rel, through, apply_membership.member_column, apply_membership.key_column);
    perform tenant.require_membership(rel, through, columns.member_column, columns.key_column);
    for part in select tenant.hierarchy(rel) loop
        perform tenant.require_table(part);
        perform tenant.fence_members(part, through, columns.member_column, columns.key_column, coalesce(tenants_add_members, false));
    end loop;
    perform tenant.keep_members(through);
    delete from tenant.shared where relation = rel;
    insert into tenant.journal (action, object, detail) values ('protect', rel::text,
        jsonb_build_object('through', through::text, 'member_column', columns.member_column, 'key_column', columns.key_column)
            || case when tenants_add_members then '{"tenants_add_members": true}' else '{}' end::jsonb);
end
$$;
revoke all on function tenant.apply_membership(regclass, regclass, name, name, boolean) from public;

create function tenant.protect_by_membership(rel regclass, through regclass, member_column name default null,
    key_column name default null, tenants_add_members boolean default false) returns void
    language c volatile as 'MODULE_PATHNAME', 'pg_tenant_protect_by_membership';
comment on function tenant.protect_by_membership is 'Lets a tenant see those rows of the table to which its part of the join table refers, and change none. Can be repeated. TN072 where a tenant would add members, TN074 where it would write; TN020 to TN028 say what is in the way.';
revoke all on function tenant.protect_by_membership(regclass, regclass, name, name, boolean) from public;
grant execute on function tenant.protect_by_membership(regclass, regclass, name, name, boolean) to tenant_admin;
