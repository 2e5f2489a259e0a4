-- The steps that put the tenant into the keys of a table, in order: which keys, which foreign keys go with each, and
-- what stays. keys/online.sql and keys/at_once.sql have the steps of one key.

-- What puts the tenant first in every key of the table and in every foreign key between it and a protected table, in an
-- order in which each statement can run alone. A key stays where a foreign key of an unprotected table needs it:
-- hardening that table completes it. A row without a statement says what stays, and its obstacle, if there is one.
create function tenant_internal.plan_hardening(rel regclass, concurrent boolean, form tenant.key_form, keep_old_keys boolean, foreseen name)
    returns setof tenant_internal.hardening_step
    language plpgsql stable set search_path = pg_catalog, pg_temp set tenant.foreseen_column = '' as $$
declare
    parts constant oid[] := array(select h::oid from tenant_internal.hierarchy(rel) h);
    key record;
    fk record;
    plan tenant_internal.key_plan;
    step tenant_internal.hardening_step;
    obstacle tenant_internal.obstacle;
    stays boolean;   -- a surrogate key, which all may go on using alone
    shared text;
    done oid[] := '{}'; -- foreign keys that go with a key
begin
    perform set_config('tenant.foreseen_column', coalesce(foreseen, ''), true);
    for key in select * from tenant_internal.keys_without_tenant(parts) loop
        plan := null;
        plan.relation := key.relation;
        plan.index := key.index;
        plan.constraint_oid := key.constraint_oid;
        plan.name := key.name;
        plan.columns := key.columns;
        plan.is_reference := key.is_reference;
        plan.own := tenant_internal.key_column(key.relation);
        stays := form <> 'all' and tenant_internal.surrogate_kind(key.index) is not null;
        step := null;
        step.relation := key.relation;
        step.foreign_keys := '{}';
        shared := tenant_internal.said_of_shared_key(key.index);
        if shared is not null then
            continue when stays or not key.relation = any (parts);
            step.why := format('%s of %s stays without the tenant: %s.', key.name, key.relation::regclass, shared);
            return next step;
            continue;
        end if;
        obstacle := tenant_internal.obstacle_of_key(key.index, plan.own);
        if obstacle is not null then
            continue when stays;
            return next tenant_internal.step_of_obstacle(key.relation, obstacle);
            continue;
        end if;
        select coalesce(bool_or(not usable), false), coalesce(array_agg(oid order by child, conname) filter (where usable), '{}')
            into plan.held, plan.waiting
            from (select f.oid, f.conrelid::regclass::text as child, f.conname,
                    coalesce(not tenant_internal.key_column(f.conrelid) = any (f.conkey), false) as usable
                from pg_constraint f
                where key.is_reference and f.contype = 'f' and f.conparentid = 0 and f.confrelid = key.relation
                    and f.confkey <@ key.columns and f.confkey @> key.columns and not f.oid = any (done)) f;
        for fk in select oid, conrelid, coalesce(tenant_internal.prepared_reference(oid), tenant_internal.name_beside(conname, '_tenant')) as beside,
                tenant_internal.obstacle_of_reference(oid) as obstacle
            from pg_constraint where oid = any (plan.waiting)
        loop
            obstacle := fk.obstacle;
            if obstacle is null and key.online and not tenant_internal.is_prepared(fk.oid, fk.beside) then
                obstacle := row('TN086', format('constraint %I of %s has a name that is needed', fk.beside, fk.conrelid::regclass),
                    'it is not the foreign key that is to stand there; rename or drop it.');
            end if;
            continue when obstacle is null;
            return next tenant_internal.step_of_obstacle(key.relation, obstacle);
            plan.held := true;
            plan.waiting := array_remove(plan.waiting, fk.oid);
        end loop;
        done := done || plan.waiting;

        plan.why := case when stays then format('%s of %s stays as it is; foreign keys use one with the tenant beside it.', key.name, key.relation::regclass)
            else format('%s of %s is one for all tenants: it tells that another has a value.', key.name, key.relation::regclass) end;
        plan.changes := case when stays then format('Nothing: group by %1$s, references %2$s (%1$s) and on conflict (%1$s) go on working.',
                tenant_internal.column_list(key.relation, key.columns), key.relation::regclass)
            when plan.held or keep_old_keys then 'Nothing yet: the old key stays. Later: ' || tenant_internal.change_of_key(key.index, plan.own)
            else tenant_internal.change_of_key(key.index, plan.own) end;
        -- A key that stays gets one with the tenant beside it for the foreign keys that wait for that. A primary key
        -- gets it for foreign keys that are to come, and every key where the old ones are to be kept.
        continue when (plan.held or stays and not coalesce((select contype = 'p' from pg_constraint where oid = key.constraint_oid), false))
            and not (keep_old_keys and not stays) and plan.waiting = '{}';
        plan.held := plan.held or stays or keep_old_keys;
        if key.online then
            return query select * from tenant_internal.plan_key_online(plan, concurrent);
        else
            return query select * from tenant_internal.plan_key_at_once(plan);
        end if;
    end loop;
    return query select * from tenant_internal.plan_references_left(parts, done);
end
$$;
revoke all on function tenant_internal.plan_hardening(regclass, boolean, tenant.key_form, boolean, name) from public;
grant execute on function tenant_internal.plan_hardening(regclass, boolean, tenant.key_form, boolean, name) to tenant_admin;

-- A step that cannot be taken, and why.
create function tenant_internal.step_of_obstacle(rel oid, obstacle tenant_internal.obstacle) returns tenant_internal.hardening_step
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select row(rel::regclass, null, format('%s: %s: %s', obstacle.code, obstacle.problem, obstacle.reason), null, '{}'::oid[],
        obstacle, null)::tenant_internal.hardening_step
$$;
revoke all on function tenant_internal.step_of_obstacle(oid, tenant_internal.obstacle) from public;
grant execute on function tenant_internal.step_of_obstacle(oid, tenant_internal.obstacle) to tenant_admin;

-- The foreign keys of these tables that stay without the tenant, but for those that are done: since another table is
-- not protected yet, or for reasons of their own.
create function tenant_internal.plan_references_left(parts oid[], done oid[]) returns setof tenant_internal.hardening_step
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select row(f.child, null,
            format('%s of %s stays without the tenant, and so does the key of %s that it refers to: %s', f.conname, f.child, f.parent,
                case when f.shared then format('rows of %s may be every tenant''s.', f.parent)
                    when f.own is null then format('%s is not protected.', f.child)
                    else 'it refers by the tenant column already, or to a partition.' end),
            null, '{}'::oid[], null::tenant_internal.obstacle,
            case when not f.shared and f.own is null then f.child end)::tenant_internal.hardening_step
        from (
            select c.conname, c.conrelid::regclass as child, c.confrelid::regclass as parent, tenant_internal.key_column(c.conrelid) as own,
                coalesce(tenant_internal.has_shared_rows(c.confrelid), false) as shared
            from pg_constraint c
            where c.contype = 'f' and c.conparentid = 0 and (c.conrelid = any (parts) or c.confrelid = any (parts))
                and not c.oid = any (done) and tenant_internal.key_column(c.confrelid) is not null
                and tenant_internal.obstacle_of_reference(c.oid) is null
                and (tenant_internal.key_column(c.conrelid) is null or not exists (
                    select from generate_subscripts(c.conkey, 1) n
                    where c.conkey[n] = tenant_internal.key_column(c.conrelid) and c.confkey[n] = tenant_internal.key_column(c.confrelid)))
        ) f
        order by f.child::text, f.conname
$$;
revoke all on function tenant_internal.plan_references_left(oid[], oid[]) from public;
grant execute on function tenant_internal.plan_references_left(oid[], oid[]) to tenant_admin;
