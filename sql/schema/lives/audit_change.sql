-- What a statement has changed in an audited table, as a line of the journal: the trigger, and the aggregate that puts
-- a line's document together.

create function tenant_internal.row_changes_add(document internal, was record, is_now record, keys name[], told name[], secret name[])
    returns internal language c stable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_row_changes_add';
revoke all on function tenant_internal.row_changes_add(internal, record, record, name[], name[], name[]) from public;

create function tenant_internal.row_changes_end(document internal) returns jsonb
    language c stable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_row_changes_end';
revoke all on function tenant_internal.row_changes_end(internal) from public;

create aggregate tenant_internal.row_changes(was record, is_now record, keys name[], told name[], secret name[]) (
    sfunc = tenant_internal.row_changes_add, stype = internal, finalfunc = tenant_internal.row_changes_end);
revoke all on function tenant_internal.row_changes(record, record, name[], name[], name[]) from public;

-- Arguments: the tenant column, or nothing; the key's columns; the columns that are told, or nothing for all; those
-- whose values are left out; whether it is partitioned. SECURITY DEFINER: nobody whose statements are journalled may
-- write the journal. A column of the table stands before the row itself in a name's lookup, hence the row's name.
create function tenant_internal.audit_change() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_variable
declare
    whose constant text := tenant.current_id();
    by_column constant text := tg_argv[0];
    keys constant name[] := tg_argv[1];
    told constant name[] := nullif(tg_argv[2], '');
    secret constant name[] := tg_argv[3];
    is_partitioned constant boolean := tg_argv[4];
    most constant integer := 1000;
    subject constant text := tg_relid::regclass::text;
    by_role constant name := case current_setting('role') when 'none' then session_user else current_setting('role') end;
begin
    case tg_op
        when 'INSERT' then
            insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
            select 'insert_rows', subject, c.changes, c.tenant_id, by_role, session_user
            from (select r.tenant_id, tenant_internal.row_changes(null, r.is_now, keys, told, secret) as changes
                from (select "the row" as is_now, coalesce(whose, to_jsonb("the row") ->> by_column) as tenant_id,
                        (row_number() over () - 1) / most as part from new_rows "the row") r
                group by r.tenant_id, r.part) c
            where c.changes is not null;
        when 'DELETE' then
            insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
            select 'delete_rows', subject, c.changes, c.tenant_id, by_role, session_user
            from (select r.tenant_id, tenant_internal.row_changes(r.was, null, keys, told, secret) as changes
                from (select "the row" as was, coalesce(whose, to_jsonb("the row") ->> by_column) as tenant_id,
                        (row_number() over () - 1) / most as part from old_rows "the row") r
                group by r.tenant_id, r.part) c
            where c.changes is not null;
        when 'UPDATE' then
            -- A row that was to go to another partition, and that a trigger there has kept out, is among the old ones
            -- alone; which one that was, nobody knows. Then none is paired.
            if is_partitioned and (select count(*) from old_rows) <> (select count(*) from new_rows) then
                insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
                select 'update_rows', subject, c.changes, c.tenant_id, by_role, session_user
                from (select r.is_after, r.tenant_id, r.part,
                        tenant_internal.row_changes(case when not r.is_after then r.of end, case when r.is_after then r.of end, keys, told, secret) as changes
                    from (select false as is_after, "the row" as of, coalesce(whose, to_jsonb("the row") ->> by_column) as tenant_id,
                            (row_number() over () - 1) / most as part from old_rows "the row"
                        union all
                        select true, "the row", coalesce(whose, to_jsonb("the row") ->> by_column),
                            (row_number() over () - 1) / most from new_rows "the row") r
                    group by r.is_after, r.tenant_id, r.part) c
                where c.changes is not null
                order by c.is_after, c.part;
                return null;
            end if;
            -- A row that went to another tenant is told to each of them as far as it was its own.
            insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
            select 'update_rows', subject, c.changes, c.tenant_id, by_role, session_user
            from (select p.tenant_id, tenant_internal.row_changes(
                        case when whose is not null or p.former is not distinct from p.tenant_id then p.was end,
                        p.is_now, keys, told, secret) as changes
                from (select o.was, n.is_now, n.nth, coalesce(whose, to_jsonb(n.is_now) ->> by_column) as tenant_id,
                        coalesce(whose, to_jsonb(o.was) ->> by_column) as former
                    from (select "the row" as is_now, row_number() over () as nth from new_rows "the row") n
                    left join (select "the row" as was, row_number() over () as nth from old_rows "the row") o on o.nth = n.nth) p
                group by p.tenant_id, (p.nth - 1) / most) c
            where c.changes is not null;
            if whose is null and by_column <> '' then
                insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
                select 'update_rows', subject, c.changes, c.tenant_id, by_role, session_user
                from (select to_jsonb(o.was) ->> by_column as tenant_id,
                        tenant_internal.row_changes(o.was, null, keys, told, secret) as changes
                    from (select "the row" as was, row_number() over () as nth from old_rows "the row") o
                    left join (select "the row" as is_now, row_number() over () as nth from new_rows "the row") n on o.nth = n.nth
                    where to_jsonb(o.was) ->> by_column is distinct from to_jsonb(n.is_now) ->> by_column
                    group by 1, (o.nth - 1) / most) c
                where c.changes is not null;
            end if;
        else
            insert into tenant.journal (action, object, tenant_id, role, session_role)
                values ('truncate_rows', subject, whose, by_role, session_user);
    end case;
    return null;
end
$$;
revoke all on function tenant_internal.audit_change() from public;
