-- Tables whose rows belong to several tenants, by membership: a row of `users` is a tenant's where the tenant's part of
-- a join table refers to it. Such a row is read only inside a tenant, since the others see it too.
--
-- Rows of the join table decide what a tenant sees, so triggers on it refuse that a tenant adds any, unless
-- tenants_add_members was given.

-- The columns that join the two: as they were named, else those of the one foreign key that there is.
create function tenant_internal.membership_columns(rel regclass, through regclass, inout member_column name, inout key_column name)
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
revoke all on function tenant_internal.membership_columns(regclass, regclass, name, name) from public;
grant execute on function tenant_internal.membership_columns(regclass, regclass, name, name) to tenant_admin;

-- What the values of a column are compared as; an error where the table has no such column, or one that cannot be
-- compared.
create function tenant_internal.membership_type(rel regclass, column_name name) returns text
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
revoke all on function tenant_internal.membership_type(regclass, name) from public;
grant execute on function tenant_internal.membership_type(regclass, name) to tenant_admin;

-- Refuses what cannot be reached by membership in this way.
create function tenant_internal.require_membership(rel regclass, through regclass, member_column name, key_column name) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_protectable(rel);
    perform tenant_internal.require_table(rel);
    perform tenant_internal.require_owner(through);
    -- The planner can drop the condition of 0.1.0's policies, so they must be replaced first. A join table with shared
    -- rows is refused: a membership belongs to one tenant.
    if rel = through or coalesce(tenant_internal.fence_column(through), 0) = 0 or tenant_internal.has_shared_rows(through)
        or tenant_internal.former_column(tenant_internal.fence_policy(through)) is not null then
        raise exception using
            errcode = 'TN028',
            message = format('table %s is not protected by a tenant column', through),
            detail = 'Membership is what a tenant sees of the join table: it has rows of its own there.',
            hint = format('First: select tenant.protect(%L); without shared rows.', through);
    end if;
    if tenant_internal.membership_type(rel, key_column) <> tenant_internal.membership_type(through, member_column) then
        raise exception using
            errcode = 'TN022',
            message = format('column "%s" of table %s cannot say who is a member', member_column, through),
            detail = format('Column "%s" of table %s is of another type.', key_column, rel),
            hint = 'Name two columns of one type.';
    end if;
    if tenant_internal.fence_policy(rel) is not null and (tenant_internal.membership_through(rel) is distinct from through
        or (key_column, member_column) is distinct from (
            (select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.membership_key(rel)),
            (select attname from pg_attribute where attrelid = through and attnum = tenant_internal.membership_member(rel)))) then
        raise exception using
            errcode = 'TN025',
            message = format('table %s is protected already', rel),
            detail = format('It is protected %s.', coalesce('by membership through ' || tenant_internal.membership_through(rel)::text, 'by a tenant column')),
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', rel);
    end if;
    if tenant_internal.fence_policy(rel) is null and exists (select from pg_policy where polrelid = rel and polname = 'tenant_membership') then
        raise exception using
            errcode = 'TN026',
            message = format('table %s has a policy named "tenant_membership" that is not a tenant policy', rel),
            detail = 'The policy of tenant.protect_by_membership is restrictive, for all commands, to public, and lets nothing in.',
            hint = format('alter policy tenant_membership on %s rename to ...; or drop policy tenant_membership on %1$s;', rel);
    end if;
end
$$;
revoke all on function tenant_internal.require_membership(regclass, regclass, name, name) from public;
grant execute on function tenant_internal.require_membership(regclass, regclass, name, name) to tenant_admin;

-- What the table was before it was first protected, as the comment of its tenant policy has it.
create function tenant_internal.before_protection(fence oid) returns jsonb
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce(substring(obj_description(fence, 'pg_policy') from 'Before: ({.*})$')::jsonb, '{}');
exception when invalid_text_representation then
    return '{}';
end
$$;
revoke all on function tenant_internal.before_protection(oid) from public;
grant execute on function tenant_internal.before_protection(oid) to tenant_admin;

-- Fences one table of a hierarchy. Its comment keeps what unprotect gives back, and whether tenants add members.
create function tenant_internal.fence_members(rel regclass, through regclass, member_column name, key_column name, open boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    given constant text := format('select m.%I%s from %s m', member_column,
        case when tenant_internal.membership_type(through, member_column) = 'text' then '::pg_catalog.text' else '' end, through);
    -- The array leads the planner to an index of the key; the function decides.
    condition constant text := format('%I operator(pg_catalog.=) any (array(%s)) and tenant.is_member(%1$I operator(pg_catalog.=) any (%2$s))',
        key_column, given);
    class pg_class := (select c from pg_class c where oid = rel);
    before jsonb := jsonb_build_object('enabled', class.relrowsecurity, 'forced', class.relforcerowsecurity);
begin
    if tenant_internal.fence_policy(rel) is not null then
        before := tenant_internal.before_protection(tenant_internal.fence_policy(rel)) - 'tenants_add_members';
    end if;
    if not (class.relrowsecurity and class.relforcerowsecurity) then
        perform tenant_internal.run_as_owner(rel, format('alter table %s enable row level security, force row level security', rel));
    end if;
    if tenant_internal.fence_policy(rel) is null then
        perform tenant_internal.run_as_owner(rel, format(
            'create policy tenant_membership on %s as restrictive for all to public using (%s) with check (false)', rel, condition));
    end if;
    -- The permissive policy, for SELECT only: if either policy is lost, the other still holds.
    if not exists (select from pg_policy where polrelid = rel and polpermissive) then
        perform tenant_internal.run_as_owner(rel, format(
            'create policy tenant_access on %s as permissive for select to public using (%s)', rel, condition));
    end if;
    perform tenant_internal.run_as_owner(rel, format('comment on policy %I on %s is %L',
        (select polname from pg_policy where oid = tenant_internal.fence_policy(rel)), rel,
        format('Keeps tenants apart. Before: %s', before || case when open then '{"tenants_add_members": true}' else '{}' end::jsonb)));
end
$$;
revoke all on function tenant_internal.fence_members(regclass, regclass, name, name, boolean) from public;
grant execute on function tenant_internal.fence_members(regclass, regclass, name, name, boolean) to tenant_admin;
