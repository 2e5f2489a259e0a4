-- The steps that put the tenant into the keys of a table, in order.

-- What puts the tenant first in every key of the table and in every foreign key between it and a protected table, in an
-- order in which each statement can run alone. Keys stay where a foreign key from an unprotected table needs them; the
-- call for that table completes them. An obstacle is a row without statement.
create function tenant_internal.plan_hardening(rel regclass, concurrent boolean, form tenant.key_form, keep_old_keys boolean, foreseen name)
    returns table (relation regclass, statement text, why text, changes text, foreign_keys oid[], obstacle tenant_internal.obstacle)
    language plpgsql stable set search_path = pg_catalog, pg_temp set tenant.foreseen_column = '' as $$
#variable_conflict use_column
declare
    parts constant oid[] := array(select h::oid from tenant_internal.hierarchy(rel) h);
    key record;
    fk record;
    own smallint;
    beside text;     -- the name of what stands beside the key until it takes its place, or for as long as the key stays
    schema_name text;
    stays boolean;   -- a surrogate key, which all may go on using alone
    held boolean;    -- by that, by who asks for it, or by a foreign key of a table that is not protected
    said_of_key text;
    change text;
    occupied boolean; -- the name is that of something else
    waiting oid[];   -- foreign keys that can contain the tenant and do not yet
    done oid[] := '{}';
    reusable boolean;
    swap text;
    cell text;
    after text;
    prepared text;   -- what is there already under a name that is not ours
    renamed boolean; -- it is a constraint
begin
    perform set_config('tenant.foreseen_column', coalesce(foreseen, ''), true);
    for key in select * from tenant_internal.keys_without_tenant(parts) loop
        relation := key.relation;
        own := tenant_internal.key_column(relation);
        foreign_keys := '{}';
        stays := form <> 'all' and tenant_internal.surrogate_kind(key.index) is not null;
        said_of_key := case when stays then format('%s of %s stays as it is; foreign keys use one with the tenant beside it.', key.name, relation)
            else format('%s of %s is one for all tenants: it tells that another has a value.', key.name, relation) end;
        statement := null;
        changes := null;
        obstacle := null;
        why := format('%s of %s stays without the tenant: ', key.name, relation) || tenant_internal.said_of_shared_key(key.index) || '.';
        if why is not null then
            continue when stays or not relation = any (parts);
            return next;
            continue;
        end if;
        obstacle := tenant_internal.obstacle_of_key(key.index, own);
        if obstacle is not null then
            continue when stays;
            why := format('%s: %s: %s', obstacle.code, obstacle.problem, obstacle.reason);
            return next;
            continue;
        end if;
        beside := tenant_internal.name_beside(key.name, '_tenant');
        schema_name := (select quote_ident(nspname) from pg_class c join pg_namespace n on n.oid = relnamespace where c.oid = key.index);
        select coalesce(bool_or(not usable), false), coalesce(array_agg(oid order by child, conname) filter (where usable), '{}')
            into held, waiting
            from (select f.oid, f.conrelid::regclass::text as child, f.conname,
                    coalesce(not tenant_internal.key_column(f.conrelid) = any (f.conkey), false) as usable
                from pg_constraint f
                where key.is_reference and f.contype = 'f' and f.conparentid = 0 and f.confrelid = key.relation
                    and f.confkey <@ key.columns and f.confkey @> key.columns and not f.oid = any (done)) f;
        for fk in select oid, conrelid, coalesce(tenant_internal.prepared_reference(oid), tenant_internal.name_beside(conname, '_tenant')) as beside,
                tenant_internal.obstacle_of_reference(oid) as obstacle
            from pg_constraint where oid = any (waiting)
        loop
            obstacle := fk.obstacle;
            if obstacle is null and key.online and not tenant_internal.is_prepared(fk.oid, fk.beside) then
                obstacle := row('TN086', format('constraint %I of %s has a name that is needed', fk.beside, fk.conrelid::regclass),
                    'it is not the foreign key that is to stand there; rename or drop it.');
            end if;
            continue when obstacle is null;
            why := format('%s: %s: %s', obstacle.code, obstacle.problem, obstacle.reason);
            return next;
            held := true;
            waiting := array_remove(waiting, fk.oid);
        end loop;
        obstacle := null;
        done := done || waiting;
        change := case when stays then format('Nothing: group by %1$s, references %2$s (%1$s) and on conflict (%1$s) go on working.',
                tenant_internal.column_list(key.relation, key.columns), relation)
            when held or keep_old_keys then 'Nothing yet: the old key stays. Later: ' || tenant_internal.change_of_key(key.index, own)
            else tenant_internal.change_of_key(key.index, own) end;
        why := said_of_key;
        changes := change;
        -- Nothing waits for a key with the tenant, but those that are to come.
        continue when (held or stays and not coalesce((select contype = 'p' from pg_constraint where oid = key.constraint_oid), false))
            and not (keep_old_keys and not stays) and waiting = '{}';
        held := held or stays or keep_old_keys;

        -- What else stands on the index, when another takes its name.
        select concat(
                case when i.indisreplident then format('; alter table %s replica identity using index %I', relation, key.name) end,
                case when i.indisclustered then format('; alter table %s cluster on %I', relation, key.name) end,
                '; comment on constraint ' || quote_ident(key.name) || ' on ' || relation || ' is '
                    || quote_literal(obj_description(key.constraint_oid, 'pg_constraint')),
                '; comment on index ' || schema_name || '.' || quote_ident(key.name) || ' is '
                    || quote_literal(obj_description(key.index, 'pg_class')))
            into after from pg_index i where i.indexrelid = key.index;

        if key.online then
            if not exists (select from pg_class c join pg_class k on k.relnamespace = c.relnamespace where k.oid = key.index and c.relname = beside) then
                prepared := tenant_internal.prepared_key(key.index, own);
                beside := coalesce(prepared, beside);
            end if;
            renamed := exists (select from pg_constraint where conrelid = key.relation and conname = beside and contype = 'u');
            reusable := coalesce((select i.indisvalid and pg_get_indexdef(i.indexrelid) = tenant_internal.index_with_tenant(key.index, beside, own, false)
                from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = relation and c.relname = beside), false);
            reusable := reusable or held and key.is_reference and tenant_internal.is_referable(key.relation, own || key.columns);
            if not reusable then
                select not exists (select from pg_index i where i.indexrelid = c.oid and i.indrelid = key.relation and not i.indisvalid)
                    into occupied from pg_class c
                    where c.relname = beside and c.relnamespace = (select relnamespace from pg_class where oid = key.index);
                if occupied then
                    obstacle := row('TN086', format('%s.%I has a name that is needed', schema_name, beside),
                        'it is not the key that is to stand there; rename or drop it.');
                    why := format('%s: %s: %s', obstacle.code, obstacle.problem, obstacle.reason);
                    changes := null;
                    return next;
                    obstacle := null;
                    continue;
                end if;
                if occupied is false then
                    statement := format('drop index %s.%I', schema_name, beside);
                    return next;
                end if;
                statement := tenant_internal.index_with_tenant(key.index, beside, own, concurrent);
                return next;
                statement := (select format('alter index %s.%I set tablespace %I', schema_name, beside, spcname)
                    from pg_class c join pg_tablespace s on s.oid = c.reltablespace where c.oid = key.index);
                if statement is not null then
                    return next;
                end if;
            end if;
            for fk in select f.oid, f.conname::text as name, f.conrelid::regclass as child,
                    coalesce(tenant_internal.prepared_reference(f.oid), tenant_internal.name_beside(f.conname, '_tenant')) as beside, f.conrelid, c.relkind,
                    f.convalidated or (to_jsonb(f) ->> 'conenforced')::boolean is false as validated,
                    coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true) as enforced,
                    obj_description(f.oid, 'pg_constraint') as said
                from pg_constraint f join pg_class c on c.oid = f.conrelid where f.oid = any (waiting) order by 3::text, 2
            loop
                relation := fk.child;
                foreign_keys := array[fk.oid];
                why := format('%s of %s refers, cascades and locks across tenants.', fk.name, fk.child);
                changes := 'A reference to another tenant''s row is refused (23503), whether it is there or not.';
                cell := coalesce(format('; comment on constraint %I on %s is ', fk.name, fk.child) || quote_literal(fk.said), '');
                if fk.relkind = 'p' and not coalesce((
                        select convalidated from pg_constraint where conrelid = fk.conrelid and conname = fk.beside), false) then
                    statement := concat(format('alter table %1$s drop constraint %2$I; alter table %1$s add constraint %2$I ', fk.child, fk.name),
                        tenant_internal.reference_with_tenant(fk.oid), '; ' || tenant_internal.match_full_check(fk.oid), cell);
                    return next;
                    continue;
                end if;
                if not exists (select from pg_constraint where conrelid = fk.conrelid and conname = fk.beside) then
                    statement := concat(format('alter table %s add constraint %I ', fk.child, fk.beside),
                        tenant_internal.reference_with_tenant(fk.oid), case when fk.enforced then ' not valid' end,
                        '; ' || tenant_internal.match_full_check(fk.oid) || ' not valid');
                    return next;
                elsif not exists (select from pg_constraint where conrelid = fk.conrelid and conname = tenant_internal.name_beside(fk.name, '_match')) then
                    statement := tenant_internal.match_full_check(fk.oid) || ' not valid';
                    if statement is not null then
                        return next;
                    end if;
                end if;
                if fk.validated and fk.enforced and not (exists (select from pg_constraint
                            where conrelid = fk.conrelid and conname = fk.beside and convalidated)
                        and (tenant_internal.match_full_check(fk.oid) is null or exists (select from pg_constraint
                            where conrelid = fk.conrelid and conname = tenant_internal.name_beside(fk.name, '_match') and convalidated))) then
                    statement := concat(format('alter table %s validate constraint %I', fk.child, fk.beside),
                        case when tenant_internal.match_full_check(fk.oid) is not null then
                            format(', validate constraint %I', tenant_internal.name_beside(fk.name, '_match')) end);
                    return next;
                end if;
                statement := format('alter table %1$s drop constraint %2$I; alter table %1$s rename constraint %3$I to %2$I%4$s',
                    fk.child, fk.name, fk.beside, cell);
                return next;
            end loop;
            relation := key.relation;
            foreign_keys := '{}';
            why := said_of_key;
            changes := change;
            continue when held;
            statement := coalesce(
                case when renamed then
                    format('alter table %1$s drop constraint %2$I; alter table %1$s rename constraint %3$I to %2$I', relation, key.name, beside) end,
                (select format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s using index %4$I%5$s%6$s', relation, key.name,
                        case contype when 'p' then 'primary key' else 'unique' end, beside,
                        case when condeferrable then ' deferrable' else '' end, case when condeferred then ' initially deferred' else '' end)
                    from pg_constraint where oid = key.constraint_oid),
                format('drop index %1$s.%2$I; alter index %1$s.%3$I rename to %2$I', schema_name, key.name, beside)) || after;
            return next;
        else
            foreign_keys := waiting;
            -- An index with a predicate or expressions is nothing that a constraint could be.
            cell := case when key.constraint_oid is not null or key.is_reference then coalesce(
                (select regexp_replace(tenant_internal.constraint_with_tenant(oid, own), '^PRIMARY KEY', 'UNIQUE')
                    from pg_constraint where oid = key.constraint_oid),
                format('UNIQUE (%s)', tenant_internal.column_list(key.relation, own || key.columns))) end;
            reusable := case when cell is not null
                then exists (select from pg_constraint where conrelid = key.relation and conname = beside and pg_get_constraintdef(oid) = cell)
                else exists (select from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = key.relation and c.relname = beside
                    and i.indisunique and i.indisvalid and i.indkey[0] = own) end;
            if held then
                reusable := reusable or key.is_reference and tenant_internal.is_referable(key.relation, own || key.columns);
                if not reusable then
                    statement := coalesce(format('alter table %s add constraint %I ', relation, beside) || cell,
                        tenant_internal.index_with_tenant(key.index, beside, own, false));
                    return next;
                end if;
                swap := null;
                continue when waiting = '{}';
            else
                swap := coalesce(
                    (select format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s', relation, key.name,
                        tenant_internal.constraint_with_tenant(key.constraint_oid, own)) where key.constraint_oid is not null),
                    format('%1$s; drop index %2$s.%3$I; alter index %2$s.%4$I rename to %3$I',
                        tenant_internal.index_with_tenant(key.index, beside || '_', own, false), schema_name, key.name, beside || '_')) || after;
                if reusable then
                    swap := case when cell is not null then format('alter table %s drop constraint %I; ', relation, beside)
                        else format('drop index %s.%I; ', schema_name, beside) end || swap;
                end if;
            end if;
            -- Those that wait, and those that stand on what stood beside the key: all are taken off and put back.
            select concat_ws('; ',
                    string_agg(format('alter table %s drop constraint %I', conrelid::regclass, conname), '; '
                        order by conrelid::regclass::text, conname),
                    swap,
                    string_agg(concat(definition,
                        format('; comment on constraint %I on %s is ', conname, conrelid::regclass) || quote_literal(said)),
                        '; ' order by conrelid::regclass::text, conname))
                into statement
                from (select f.conrelid, f.conname, concat(coalesce(
                            (select format('alter table %s rename constraint %I to %I', f.conrelid::regclass, n.conname, f.conname)
                                from pg_constraint n
                                where n.conrelid = f.conrelid and n.conname = tenant_internal.prepared_reference(f.oid)
                                    and (n.convalidated or not f.convalidated) and (held or not exists (select from pg_constraint stand
                                        where stand.conindid = n.conindid and stand.conname = beside and stand.contype = 'u'))),
                            format('alter table %s add constraint %I ', f.conrelid::regclass, f.conname)
                                || tenant_internal.reference_with_tenant(f.oid) || case when not f.convalidated
                                and (to_jsonb(f) ->> 'conenforced')::boolean is distinct from false then ' not valid' else '' end),
                            '; ' || tenant_internal.match_full_check(f.oid)) as definition,
                            obj_description(f.oid, 'pg_constraint') as said
                        from pg_constraint f where f.oid = any (waiting)
                    union all
                    select f.conrelid, f.conname, format('alter table %s add constraint %I ', f.conrelid::regclass, f.conname)
                            || pg_get_constraintdef(f.oid), obj_description(f.oid, 'pg_constraint')
                        from pg_constraint f join pg_constraint stand on stand.conindid = f.conindid and stand.conname = beside
                            and stand.conrelid = key.relation and stand.contype = 'u'
                        where not held and f.contype = 'f' and f.conparentid = 0) f;
            return next;
        end if;
    end loop;

    -- What stays, since another table is not protected yet, or for reasons of its own.
    foreign_keys := '{}';
    statement := null;
    changes := null;
    for fk in
        select f.conname, f.conrelid::regclass as child, f.confrelid::regclass as parent, tenant_internal.key_column(f.conrelid) as own
        from pg_constraint f
        where f.contype = 'f' and f.conparentid = 0 and (f.conrelid = any (parts) or f.confrelid = any (parts))
            and not f.oid = any (done) and tenant_internal.key_column(f.confrelid) is not null
            and tenant_internal.obstacle_of_reference(f.oid) is null
            and (tenant_internal.key_column(f.conrelid) is null or not exists (
                select from generate_subscripts(f.conkey, 1) n
                where f.conkey[n] = tenant_internal.key_column(f.conrelid) and f.confkey[n] = tenant_internal.key_column(f.confrelid)))
        order by f.conrelid::regclass::text, f.conname
    loop
        relation := fk.child;
        why := format('%s of %s stays without the tenant, and so does the key of %s that it refers to: %s', fk.conname, fk.child, fk.parent,
            case when tenant_internal.has_shared_rows(fk.parent) then format('rows of %s may be every tenant''s.', fk.parent)
                when fk.own is null then format('%s is not protected.', fk.child)
                else 'it refers by the tenant column already, or to a partition.' end);
        return next;
    end loop;
end
$$;
revoke all on function tenant_internal.plan_hardening(regclass, boolean, tenant.key_form, boolean, name) from public;
grant execute on function tenant_internal.plan_hardening(regclass, boolean, tenant.key_form, boolean, name) to tenant_admin;
