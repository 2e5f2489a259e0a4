-- tenant.prove() itself: who may, which tenants, and the order of it all.

create function tenant.prove(as_role name default null, keyed_by text default null, mutate boolean default false, tables regclass[] default null)
    returns table (relation regclass, path text, expected text, got text, passed boolean)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    -- An existing role: creating a member of tenant_user would lock that role until the transaction ends.
    app constant name := coalesce(as_role, 'tenant_user');
    a text;
    b text;
    scope record;
    planted jsonb;
    part record;
begin
    if not (select rolsuper from pg_roles where rolname = session_user) or session_user <> current_user then
        raise exception using
            errcode = 'TN088',
            message = 'a proof needs a superuser',
            detail = 'It writes rows of two tenants and becomes the application''s role.',
            hint = 'Log in as a superuser; SET ROLE is not enough.';
    end if;
    perform tenant_internal.require_proof(app);
    keyed_by := coalesce(case when keyed_by in ('integer', 'smallint') then 'bigint' else keyed_by end, tenant_internal.usual_key());
    select t.a, t.b into a, b from tenant_internal.synthetic_tenants(keyed_by) t;
    -- The rows that are returned from within the block stay; the exception at its end undoes everything else.
    begin
        perform tenant.create(a), tenant.create(b);
        perform tenant_internal.plant_people(a, b);
        select * into scope from tenant_internal.scope_of_proof(tables);
        perform tenant_internal.grant_for_proof(scope.granted, app, everything => as_role is null);
        planted := tenant_internal.plant_all(scope.needed, a, b, keyed_by);
        for part in select p.relation, p.tenant_column, p.kind from tenant_internal.provable() p
            where p.relation = any (scope.named) order by p.relation::text
        loop
            raise notice 'proving %', part.relation;
            return query select part.relation, r.path, r.expected, r.got, r.passed
                from tenant_internal.prove_fenced(part.relation, part.tenant_column, part.kind, app, a, b, planted, mutate) r;
        end loop;
        for part in select r as relation from unnest(scope.reached) r loop
            raise notice 'proving %', part.relation;
            return query select part.relation, r.path, r.expected, r.got, r.passed
                from tenant_internal.prove_reached(part.relation, app, a, b, planted, mutate) r;
        end loop;
        raise exception using errcode = 'TN089';
    exception when sqlstate 'TN089' then null;
    end;
end
$$;
comment on function tenant.prove is 'Plants two tenants, tries every path from one to the other as the application, and undoes it: one row per table and path. Run it in a transaction of its own.';
revoke all on function tenant.prove(name, text, boolean, regclass[]) from public;

create function tenant_internal.require_proof(app name) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if tenant.current_id() is not null then
        raise exception using
            errcode = 'TN088',
            message = 'a proof cannot begin inside a tenant',
            detail = format('The transaction has entered tenant "%s".', tenant.current_id()),
            hint = 'Run it in a transaction of its own.';
    end if;
    if not coalesce((select pg_has_role(oid, 'tenant_user', 'usage') and not rolsuper and not rolbypassrls
            from pg_roles where rolname = app), false) then
        raise exception using
            errcode = 'TN088',
            message = format('role "%s" is no role of an application', app),
            detail = 'It is not a member of tenant_user, or policies do not apply to it.',
            hint = 'Name the role that the application connects as, or none for one with all rights.';
    end if;
end
$$;
revoke all on function tenant_internal.require_proof(name) from public;

-- The type of tenant ids that most protected tables have: bigint, uuid or text.
create function tenant_internal.usual_key() returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select k.usual
        from (select case when p.tenant_type in ('bigint', 'integer', 'smallint') then 'bigint'
            when p.tenant_type = 'uuid' then 'uuid' else 'text' end as usual from tenant_internal.provable() p) k
        group by k.usual order by k.usual = 'text', count(*) desc limit 1
$$;
revoke all on function tenant_internal.usual_key() from public;

-- Two ids that no tenant has: of numbers the highest free ones of smallint, else uuids. The same in each call of a
-- transaction, since the first call seals it: it can enter no other tenant afterwards.
create function tenant_internal.synthetic_tenants(keyed_by text, out a text, out b text)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select max(n)::text, min(n)::text from (
            select n from generate_series(32767, 1, -1) n where not exists (select from tenant.tenants where id = n::text) limit 2) free
        where keyed_by = 'bigint' having keyed_by = 'bigint'
    union all
    select md5('tenant.prove a' || pg_current_xact_id())::uuid::text, md5('tenant.prove b' || pg_current_xact_id())::uuid::text
        where keyed_by is distinct from 'bigint'
$$;
revoke all on function tenant_internal.synthetic_tenants(text) from public;
