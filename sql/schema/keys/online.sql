-- The steps of one key while the table is in use: an index beside it, its foreign keys one by one, then the swap. No
-- step holds a lock for as long as it reads the table.

create function tenant_internal.plan_key_online(plan tenant_internal.key_plan, concurrent boolean)
    returns setof tenant_internal.hardening_step
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    rel constant regclass := plan.relation;
    namespace constant oid := (select relnamespace from pg_class where oid = plan.index);
    schema_name constant text := namespace::regnamespace;
    beside text := tenant_internal.name_beside(plan.name, '_tenant'); -- what stands beside the key until it takes its place
    step tenant_internal.hardening_step;
    fk oid;
    renamed boolean;  -- it is a constraint
    reusable boolean; -- it is there already
    occupied boolean; -- the name is that of something else
begin
    step.relation := rel;
    step.foreign_keys := '{}';
    step.why := plan.why;
    step.changes := plan.changes;
    if not exists (select from pg_class where relnamespace = namespace and relname = beside) then
        beside := coalesce(tenant_internal.prepared_key(plan.index, plan.own), beside);
    end if;
    renamed := exists (select from pg_constraint where conrelid = rel and conname = beside and contype = 'u');
    reusable := coalesce((select i.indisvalid and pg_get_indexdef(i.indexrelid) = tenant_internal.index_with_tenant(plan.index, beside, plan.own, false)
            from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = rel and c.relname = beside), false)
        or plan.held and plan.is_reference and tenant_internal.is_referable(rel, plan.own || plan.columns);
    if not reusable then
        select not exists (select from pg_index i where i.indexrelid = c.oid and i.indrelid = rel and not i.indisvalid)
            into occupied from pg_class c where c.relname = beside and c.relnamespace = namespace;
        if occupied then
            return next tenant_internal.step_of_obstacle(rel, row('TN086', format('%s.%I has a name that is needed', schema_name, beside),
                'it is not the key that is to stand there; rename or drop it.'));
            return;
        end if;
        -- An attempt that was given up has left one that is not valid.
        if occupied is false then
            step.statement := format('drop index %s.%I', schema_name, beside);
            return next step;
        end if;
        step.statement := tenant_internal.index_with_tenant(plan.index, beside, plan.own, concurrent);
        return next step;
        step.statement := (select format('alter index %s.%I set tablespace %I', schema_name, beside, spcname)
            from pg_class c join pg_tablespace s on s.oid = c.reltablespace where c.oid = plan.index);
        if step.statement is not null then
            return next step;
        end if;
    end if;
    for fk in select oid from pg_constraint where oid = any (plan.waiting) order by conrelid::regclass::text, conname loop
        return query select * from tenant_internal.plan_reference_online(fk);
    end loop;
    if plan.held then
        return;
    end if;
    step.statement := coalesce(
        case when renamed then
            format('alter table %1$s drop constraint %2$I; alter table %1$s rename constraint %3$I to %2$I', rel, plan.name, beside) end,
        (select format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s using index %4$I%5$s%6$s', rel, plan.name,
                case contype when 'p' then 'primary key' else 'unique' end, beside,
                case when condeferrable then ' deferrable' else '' end, case when condeferred then ' initially deferred' else '' end)
            from pg_constraint where oid = plan.constraint_oid),
        format('drop index %1$s.%2$I; alter index %1$s.%3$I rename to %2$I', schema_name, plan.name, beside))
        || tenant_internal.restored_with_key(plan);
    return next step;
end
$$;
revoke all on function tenant_internal.plan_key_online(tenant_internal.key_plan, boolean) from public;
grant execute on function tenant_internal.plan_key_online(tenant_internal.key_plan, boolean) to tenant_admin;

-- The steps of one foreign key: one with the tenant beside it, validated by itself, then the swap. Of a partitioned
-- table there is none that is not valid: the other is dropped before.
create function tenant_internal.plan_reference_online(fk oid) returns setof tenant_internal.hardening_step
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    f constant pg_constraint := (select c from pg_constraint c where c.oid = fk);
    child constant regclass := f.conrelid;
    beside constant text := coalesce(tenant_internal.prepared_reference(fk), tenant_internal.name_beside(f.conname, '_tenant'));
    enforced constant boolean := coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true);
    definition constant text := tenant_internal.reference_with_tenant(fk);
    match_check constant text := tenant_internal.match_full_check(fk);
    match_name constant text := tenant_internal.name_beside(f.conname, '_match');
    comment constant text := coalesce(format('; comment on constraint %I on %s is ', f.conname, child)
        || quote_literal(obj_description(fk, 'pg_constraint')), '');
    is_there boolean;    -- null where there is none, else whether it is validated
    match_there boolean; -- likewise
    step tenant_internal.hardening_step;
begin
    step.relation := child;
    step.foreign_keys := array[fk];
    step.why := format('%s of %s refers, cascades and locks across tenants.', f.conname, child);
    step.changes := 'A reference to another tenant''s row is refused (23503), whether it is there or not.';
    select convalidated into is_there from pg_constraint where conrelid = child and conname = beside;
    select convalidated into match_there from pg_constraint where conrelid = child and conname = match_name;
    if (select relkind from pg_class where oid = child) = 'p' and is_there is not true then
        step.statement := concat(format('alter table %1$s drop constraint %2$I; alter table %1$s add constraint %2$I ', child, f.conname),
            definition, '; ' || match_check, comment);
        return next step;
        return;
    end if;
    if is_there is null then
        step.statement := concat(format('alter table %s add constraint %I ', child, beside), definition,
            case when enforced then ' not valid' end, '; ' || match_check || ' not valid');
        return next step;
    elsif match_there is null and match_check is not null then
        step.statement := match_check || ' not valid';
        return next step;
    end if;
    if f.convalidated and enforced and not (is_there is true and (match_check is null or match_there is true)) then
        step.statement := format('alter table %s validate constraint %I', child, beside)
            || case when match_check is null then '' else format(', validate constraint %I', match_name) end;
        return next step;
    end if;
    step.statement := format('alter table %1$s drop constraint %2$I; alter table %1$s rename constraint %3$I to %2$I%4$s',
        child, f.conname, beside, comment);
    return next step;
end
$$;
revoke all on function tenant_internal.plan_reference_online(oid) from public;
grant execute on function tenant_internal.plan_reference_online(oid) to tenant_admin;

-- What stands on the key's index, and is set again when another takes its name: replica identity, CLUSTER, comments.
create function tenant_internal.restored_with_key(plan tenant_internal.key_plan) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select concat(
            case when i.indisreplident then format('; alter table %s replica identity using index %I', i.indrelid::regclass, plan.name) end,
            case when i.indisclustered then format('; alter table %s cluster on %I', i.indrelid::regclass, plan.name) end,
            format('; comment on constraint %I on %s is ', plan.name, i.indrelid::regclass)
                || quote_literal(obj_description(plan.constraint_oid, 'pg_constraint')),
            format('; comment on index %s.%I is ', c.relnamespace::regnamespace, plan.name)
                || quote_literal(obj_description(plan.index, 'pg_class')))
        from pg_index i join pg_class c on c.oid = i.indexrelid where i.indexrelid = plan.index
$$;
revoke all on function tenant_internal.restored_with_key(tenant_internal.key_plan) from public;
grant execute on function tenant_internal.restored_with_key(tenant_internal.key_plan) to tenant_admin;
