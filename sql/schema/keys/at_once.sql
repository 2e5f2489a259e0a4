-- The step of one key that has no other way: of a partitioned table, and of an exclusion constraint. One statement
-- takes the foreign keys off, changes the key, and puts them back.

create function tenant_internal.plan_key_at_once(plan tenant_internal.key_plan) returns setof tenant_internal.hardening_step
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    rel constant regclass := plan.relation;
    schema_name constant text := (select relnamespace::regnamespace from pg_class where oid = plan.index);
    beside constant text := tenant_internal.name_beside(plan.name, '_tenant');
    step tenant_internal.hardening_step;
    definition text;  -- of the constraint beside the key; an index with a predicate or expressions cannot be one
    reusable boolean; -- it is there already
    swap text;
begin
    step.relation := rel;
    step.foreign_keys := plan.waiting;
    step.why := plan.why;
    step.changes := plan.changes;
    definition := case when plan.constraint_oid is not null or plan.is_reference then coalesce(
        (select regexp_replace(tenant_internal.constraint_with_tenant(oid, plan.own), '^PRIMARY KEY', 'UNIQUE')
            from pg_constraint where oid = plan.constraint_oid),
        format('UNIQUE (%s)', tenant_internal.column_list(rel, plan.own || plan.columns))) end;
    reusable := case when definition is not null
        then exists (select from pg_constraint where conrelid = rel and conname = beside and pg_get_constraintdef(oid) = definition)
        else exists (select from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = rel and c.relname = beside
            and i.indisunique and i.indisvalid and i.indkey[0] = plan.own) end;
    if plan.held then
        if not (reusable or plan.is_reference and tenant_internal.is_referable(rel, plan.own || plan.columns)) then
            step.statement := coalesce(format('alter table %s add constraint %I ', rel, beside) || definition,
                tenant_internal.index_with_tenant(plan.index, beside, plan.own, false));
            return next step;
        end if;
        if plan.waiting = '{}' then
            return;
        end if;
    else
        swap := coalesce(
            (select format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s', rel, plan.name,
                tenant_internal.constraint_with_tenant(plan.constraint_oid, plan.own)) where plan.constraint_oid is not null),
            format('%1$s; drop index %2$s.%3$I; alter index %2$s.%4$I rename to %3$I',
                tenant_internal.index_with_tenant(plan.index, beside || '_', plan.own, false), schema_name, plan.name, beside || '_'))
            || tenant_internal.restored_with_key(plan);
        if reusable then
            swap := case when definition is not null then format('alter table %s drop constraint %I; ', rel, beside)
                else format('drop index %s.%I; ', schema_name, beside) end || swap;
        end if;
    end if;
    -- The foreign keys that wait, and those that refer to what stood beside the key.
    select concat_ws('; ',
            string_agg(format('alter table %s drop constraint %I', conrelid::regclass, conname), '; '
                order by conrelid::regclass::text, conname),
            swap,
            string_agg(concat(f.definition,
                format('; comment on constraint %I on %s is ', conname, conrelid::regclass) || quote_literal(said)),
                '; ' order by conrelid::regclass::text, conname))
        into step.statement
        from (select f.conrelid, f.conname, concat(coalesce(
                    (select format('alter table %s rename constraint %I to %I', f.conrelid::regclass, n.conname, f.conname)
                        from pg_constraint n
                        where n.conrelid = f.conrelid and n.conname = tenant_internal.prepared_reference(f.oid)
                            and (n.convalidated or not f.convalidated) and (plan.held or not exists (select from pg_constraint stand
                                where stand.conindid = n.conindid and stand.conname = beside and stand.contype = 'u'))),
                    format('alter table %s add constraint %I ', f.conrelid::regclass, f.conname)
                        || tenant_internal.reference_with_tenant(f.oid) || case when not f.convalidated
                        and (to_jsonb(f) ->> 'conenforced')::boolean is distinct from false then ' not valid' else '' end),
                    '; ' || tenant_internal.match_full_check(f.oid)) as definition,
                    obj_description(f.oid, 'pg_constraint') as said
                from pg_constraint f where f.oid = any (plan.waiting)
            union all
            select f.conrelid, f.conname, format('alter table %s add constraint %I ', f.conrelid::regclass, f.conname)
                    || pg_get_constraintdef(f.oid), obj_description(f.oid, 'pg_constraint')
                from pg_constraint f join pg_constraint stand on stand.conindid = f.conindid and stand.conname = beside
                    and stand.conrelid = plan.relation and stand.contype = 'u'
                where not plan.held and f.contype = 'f' and f.conparentid = 0) f;
    return next step;
end
$$;
revoke all on function tenant_internal.plan_key_at_once(tenant_internal.key_plan) from public;
grant execute on function tenant_internal.plan_key_at_once(tenant_internal.key_plan) to tenant_admin;
