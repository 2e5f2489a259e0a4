-- What a proof is about, and the rights that it takes.

-- named: the protected tables that are proved, by their tenant column. reached: those that are protected by membership.
-- granted: both, and the join tables. needed: these, and what their foreign keys refer to, at any distance, so that
-- rows can be planted.
create function tenant_internal.scope_of_proof(tables regclass[], out named regclass[], out reached regclass[], out granted regclass[],
    out needed regclass[]) language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    named := array(select p.relation from tenant_internal.provable() p
        where tables is null or p.relation = any (tables) or pg_partition_root(p.relation) = any (tables));
    reached := array(select p.relation from tenant.protected_tables p
        where p.through is not null and p.parent is null and (tables is null or p.relation = any (tables)) order by p.relation::text);
    granted := named || array(select r from unnest(reached) r union select tenant_internal.membership_through(r) from unnest(reached) r);
    needed := array(
        with recursive need (rel) as (
            select coalesce(pg_partition_root(r), r)::oid from unnest(granted) r
            union
            select coalesce(pg_partition_root(k.confrelid), k.confrelid)::oid from need
                cross join lateral (select confrelid from pg_constraint where contype = 'f' and conrelid = need.rel offset 0) k
        )
        select rel from need);
end
$$;
revoke all on function tenant_internal.scope_of_proof(regclass[]) from public;

-- Makes the schema with the functions that attacks call (proof/plans.sql, proof/indexes.sql): once for all attacks,
-- since PostgreSQL keeps the plans of each function that a session has run, and goes through all of them at each change
-- of a catalog.
create function tenant_internal.make_for_proof(app name) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format($functions$
        create schema %1$I;
        grant usage on schema %1$I to %2$I;
        create function %1$I.tenant_prove_counted(it anyelement) returns anyelement language plpgsql stable as $f$ begin
            perform pg_catalog.set_config('tenant_prove.calls', (pg_catalog.current_setting('tenant_prove.calls')::bigint + 1)::text, true);
            return it;
        end $f$;
        create function %1$I.tenant_prove_tick() returns boolean language plpgsql volatile cost 0.0001 as $f$ begin
            perform pg_catalog.set_config('tenant_prove.calls', (pg_catalog.current_setting('tenant_prove.calls')::bigint + 1)::text, true),
                pg_catalog.set_config('tenant_prove.is', pg_catalog.current_setting('tenant_prove.other'), true);
            return true;
        end $f$;
        create function %1$I.tenant_prove_says() returns text language plpgsql stable as
            $f$ begin return pg_catalog.current_setting('tenant_prove.is'); end $f$;
        create function %1$I.tenant_prove_slow() returns text language plpgsql stable cost 10000 as
            $f$ begin return pg_catalog.current_setting('tenant_prove.own'); end $f$;
        grant execute on all functions in schema %1$I to %2$I
        $functions$, tenant_internal.proof_schema(), app);
end
$$;
revoke all on function tenant_internal.make_for_proof(name) from public;

-- Where policies ask what the actor may, the application enters as one who may everything: it is the tenants that are
-- to be kept apart.
create function tenant_internal.plant_people(a text, b text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from pg_policy p where pg_get_expr(p.polqual, p.polrelid) ~ '\mtenant\.(can|require|has_role|current_member_role)\('
        or pg_get_expr(p.polwithcheck, p.polrelid) ~ '\mtenant\.(can|require|has_role|current_member_role)\(') then
        insert into tenant.roles (role, rank, permissions)
            select 'tenant.prove', 2147483647, coalesce(array_agg(permission), '{}') from tenant.permissions;
        insert into tenant.members (tenant_id, user_id, role) values (a, 'tenant.prove', 'tenant.prove'), (b, 'tenant.prove', 'tenant.prove');
    end if;
end
$$;
revoke all on function tenant_internal.plant_people(text, text) from public;

create function tenant_internal.entry_of_proof(id text) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when exists (select from tenant.members m where (m.tenant_id, m.user_id) = (entry_of_proof.id, 'tenant.prove'))
        then format('select tenant.enter(%L, ''tenant.prove''); ', id) else format('select tenant.enter(%L); ', id) end
$$;
revoke all on function tenant_internal.entry_of_proof(text) from public;

-- Makes the role to which policies do not apply, which may read the tables. With everything, grants the application's
-- role all rights on the tables, on the views over them and on what these read.
create function tenant_internal.grant_for_proof(granted regclass[], app name, everything boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    past constant name := tenant_internal.bypassing();
    target record;
begin
    perform tenant_internal.make_for_proof(app);
    execute format('create role %I bypassrls', past);
    for target in select distinct c.relnamespace::regnamespace as schema from unnest(granted) r join pg_class c on c.oid = r loop
        execute format('grant usage on schema %s to %I', target.schema, past);
    end loop;
    for target in select distinct unnest(granted) as relation loop
        execute format('grant select on %s to %I', target.relation, past);
    end loop;
    if not everything then
        return;
    end if;
    for target in
        with recursive read (rel) as (
            select v::oid from unnest(granted) r, tenant_internal.views_over(r) v
            union
            select d.refobjid from read
                cross join lateral (select oid from pg_rewrite where ev_class = read.rel offset 0) w
                cross join lateral (select refobjid from pg_depend
                    where classid = 'pg_rewrite'::regclass and objid = w.oid and refclassid = 'pg_class'::regclass offset 0) d
        ), all_of (rel) as (
            select unnest(granted)::oid union select v::oid from unnest(granted) r, tenant_internal.views_over(r) v
            union select rel from read where rel in (select p.relation from tenant_internal.provable() p)
                or exists (select from pg_class where oid = rel and relkind = 'v'
                    and relnamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace))
        )
        select c.oid::regclass as relation, c.relnamespace::regnamespace as schema from all_of join pg_class c on c.oid = all_of.rel
    loop
        execute format('grant usage on schema %s to %I', target.schema, app);
        execute format('grant all on %s to %I', target.relation, app);
    end loop;
end
$$;
revoke all on function tenant_internal.grant_for_proof(regclass[], name, boolean) from public;
