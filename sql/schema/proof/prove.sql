-- tenant.prove() itself: tables, tenants, attacks, and the way back.

create function tenant.prove(as_role name default null, keyed_by text default null, mutate boolean default false, tables regclass[] default null)
    returns table (relation regclass, path text, expected text, got text, passed boolean)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    a text;
    b text;
    part record;
    target record;
    planted jsonb;         -- by table, the row of each tenant or why there is none; null while it waits
    one jsonb;
    two jsonb;
    progress boolean;
    patient boolean := true;
    seed integer := 1000;
    results jsonb := '[]';
    mutation record;
    noticed text;
    named regclass[];
    reached regclass[];    -- by membership
    granted regclass[];    -- both, and the join tables
    needed regclass[];     -- and what their foreign keys lead to
    joined jsonb;
    -- One that is there: to make a member of tenant_user locks that group, for all who grant it, until the transaction ends.
    app name := coalesce(as_role, 'tenant_user');
begin
    if not (select rolsuper from pg_roles where rolname = session_user) or session_user <> current_user then
        raise exception using
            errcode = 'TN088',
            message = 'a proof needs a superuser',
            detail = 'It writes rows of two tenants and becomes the application''s role.',
            hint = 'Log in as a superuser; SET ROLE is not enough.';
    end if;
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
    if keyed_by is null then
        select k.usual into keyed_by
            from (select case when p.tenant_type in ('bigint', 'integer', 'smallint') then 'bigint'
                when p.tenant_type = 'uuid' then 'uuid' else 'text' end as usual from tenant_internal.provable() p) k
            group by k.usual order by k.usual = 'text', count(*) desc limit 1;
    end if;
    if keyed_by in ('bigint', 'integer', 'smallint') then
        select max(n)::text, min(n)::text into a, b from (
            select n from generate_series(32767, 1, -1) n where not exists (select from tenant.tenants where id = n::text) limit 2) free;
        keyed_by := 'bigint';
    else
        -- The same in each call of a transaction, since the first seals it.
        a := md5('tenant.prove a' || pg_current_xact_id()::text)::uuid::text;
        b := md5('tenant.prove b' || pg_current_xact_id()::text)::uuid::text;
    end if;

    begin
        perform tenant.create(a), tenant.create(b);
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
        execute format('create role %I bypassrls', tenant_internal.bypassing());
        for target in select distinct c.relnamespace::regnamespace as schema from unnest(granted) r join pg_class c on c.oid = r loop
            execute format('grant usage on schema %s to %I', target.schema, tenant_internal.bypassing());
        end loop;
        for target in select distinct unnest(granted) as relation loop
            execute format('grant select on %s to %I', target.relation, tenant_internal.bypassing());
        end loop;
        if as_role is null then
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
                        or exists (select from pg_class where oid = rel and relkind = 'v' and relnamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace))
                )
                select c.oid::regclass as relation, c.relnamespace::regnamespace as schema from all_of join pg_class c on c.oid = all_of.rel
            loop
                execute format('grant usage on schema %s to %I', target.schema, app);
                execute format('grant all on %s to %I', target.relation, app);
            end loop;
        end if;

        -- A row of each tenant in every one of them. Again and again, while it goes on: a table
        -- waits for those that it refers to.
        perform set_config('session_replication_role', 'replica', true);
        planted := (select jsonb_object_agg(p.relation::text, null) from tenant_internal.provable() p where p.relation = any (needed));
        -- Those who are members come first: a row of the join table that refers to one of them is a membership.
        for part in select r as relation from unnest(needed) r where tenant_internal.membership_through(r) is not null order by r::text loop
            seed := seed + 2;
            one := tenant_internal.plant(part.relation, null, a, seed, coalesce(planted, '{}'), false);
            two := tenant_internal.plant(part.relation, null, b, seed + 1, coalesce(planted, '{}'), false);
            planted := coalesce(planted, '{}') || jsonb_build_object(part.relation::text,
                case when one ? 'row' and two ? 'row' then jsonb_build_object(a, one -> 'row', b, two -> 'row')
                    else jsonb_build_object('why', coalesce(one ->> 'why', two ->> 'why')) end);
        end loop;
        loop
            progress := false;
            for part in
                select p.relation, p.tenant_column, p.tenant_type from tenant_internal.provable() p
                where p.kind <> 'partition' and planted -> p.relation::text = 'null' order by p.relation::text
            loop
                if part.tenant_type <> 'text' and not part.tenant_type like 'character varying%'
                    and (part.tenant_type = 'uuid') <> (keyed_by = 'uuid') then
                    planted := planted || jsonb_build_object(part.relation::text, jsonb_build_object('why', format(
                        'keyed by %s: select * from tenant.prove(keyed_by => %L)', part.tenant_type, part.tenant_type)));
                    progress := true;
                    continue;
                end if;
                seed := seed + 3;
                one := tenant_internal.plant(part.relation, part.tenant_column, a, seed, planted, patient);
                continue when one ? 'wait';
                progress := true;
                two := tenant_internal.plant(part.relation, part.tenant_column, b, seed + 1, planted, patient);
                planted := planted || jsonb_build_object(part.relation::text,
                    case when one ? 'row' and two ? 'row' then jsonb_build_object(a, one -> 'row', b, two -> 'row')
                            || case when tenant_internal.has_shared_rows(part.relation) then jsonb_build_object('nobody',
                                tenant_internal.plant(part.relation, part.tenant_column, null, seed + 2, planted, false) -> 'row') else '{}' end
                        else jsonb_build_object('why', coalesce(one ->> 'why', two ->> 'why')) end);
            end loop;
            exit when not progress and not patient;
            patient := progress;
        end loop;
        perform set_config('session_replication_role', 'origin', true);

        for part in select p.relation, p.tenant_column, p.kind, coalesce(pg_partition_root(p.relation), p.relation) as root
            from tenant_internal.provable() p
            where p.relation = any (named) order by p.relation::text
        loop
            raise notice 'proving %', part.relation;
            one := coalesce(planted -> part.root::text -> a, '{}') || jsonb_build_object('tenant_column', part.tenant_column);
            two := coalesce(planted -> part.root::text -> b || '{"planted": true}', '{}') || jsonb_build_object('tenant_column', part.tenant_column)
                || case when planted -> part.root::text ->> 'nobody' is not null then '{"tenant_prove_nobody": true}'::jsonb else '{}' end;
            if part.kind = 'lost' then
                results := results || jsonb_build_array(jsonb_build_object('relation', part.relation::oid, 'path', 'fence',
                    'expected', 'a tenant policy, as the journal says', 'got', 'none', 'passed', false));
            end if;
            if part.kind <> 'partition' then
                results := results || jsonb_build_array(jsonb_build_object('relation', part.relation::oid, 'path', 'plant', 'expected', 'a row of each tenant',
                    'got', coalesce(planted -> part.relation::text ->> 'why', 'a row of each tenant'),
                    'passed', case when two ? 'planted' then true end));
            end if;
            results := results || coalesce((select jsonb_agg(to_jsonb(r) || jsonb_build_object('relation', part.relation::oid))
                from tenant_internal.prove_table(part.relation, app, a, b, one, two) r
                where part.kind <> 'partition' or r.path not in ('own rows', 'rows of nobody')), '[]');
            for target in select v as relation from tenant_internal.views_over(part.relation) v where two ? 'planted' loop
                -- The same with the other's row and without it.
                one := jsonb_build_array(tenant_internal.attack_view(app, a, target.relation, null, null, null),
                    tenant_internal.attack_view(app, a, target.relation, part.root, part.tenant_column, b));
                results := results || jsonb_build_array(jsonb_build_object('relation', part.relation::oid, 'path', format('view %s', target.relation),
                    'expected', 'the same without the other''s row',
                    'got', case when one ->> 0 !~ ' rows$' then one ->> 0 when one -> 0 = one -> 1 then 'the same' else 'another' end,
                    'passed', case when one ->> 0 = '42501' or one ->> 0 ~ '^TN' then true
                        when one ->> 0 !~ ' rows$' then null else one -> 0 = one -> 1 end));
            end loop;
            continue when not mutate or not two ? 'planted' or part.kind = 'lost';
            one := coalesce(planted -> part.root::text -> a, '{}') || jsonb_build_object('tenant_column', part.tenant_column);
            for mutation in
                select * from (values
                    ('no row-level security', array['alter table %1$s disable row level security']),
                    ('row-level security not forced', array['alter table %1$s no force row level security']),
                    ('no fence', array['drop policy %2$I on %1$s']),
                    ('no fence, wide access', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)']),
                    ('no policy but a wide one', array['drop policy %2$I on %1$s', 'drop policy if exists tenant_access on %1$s',
                        'create policy prove_wide on %1$s using (true) with check (true)']),
                    ('permissive fence', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)',
                        'create policy %2$I on %1$s using (%3$s) with check (%3$s)']),
                    ('fence of the equality alone', array['alter policy %2$I on %1$s using (%4$s) with check (%4$s)',
                        'drop policy if exists tenant_access on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)']),
                    ('fence without check', array['alter policy %2$I on %1$s with check (true)',
                        'create policy prove_wide on %1$s using (true) with check (true)']),
                    ('fence that shows all', array['alter policy %2$I on %1$s using (true)',
                        'create policy prove_wide on %1$s using (true) with check (true)']),
                    ('fence for select only', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)',
                        'create policy %2$I on %1$s as restrictive for select using (%3$s)']),
                    ('fence for one role', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)',
                        'create policy %2$I on %1$s as restrictive to tenant_admin using (%3$s) with check (%3$s)']),
                    ('no policy for updates', array['drop policy if exists tenant_isolation_update on %1$s']),
                    ('no policy for deletes', array['drop policy if exists tenant_isolation_delete on %1$s'])
                ) m (name, commands)
                where m.name not like 'no policy for %' or tenant_internal.has_shared_rows(part.relation)
            loop
                noticed := tenant_internal.prove_mutation(part.relation, app, a, b, one, two, mutation.commands);
                results := results || jsonb_build_array(jsonb_build_object('relation', part.relation::oid, 'path', format('mutation: %s', mutation.name),
                    'expected', 'noticed', 'got', coalesce('noticed: ' || noticed, 'not noticed'), 'passed', noticed is not null));
            end loop;
        end loop;
        for part in select r as relation, tenant_internal.membership_through(r) as through, k.attname as key, m.attname as member
            from unnest(reached) r
            join pg_attribute k on k.attrelid = r and k.attnum = tenant_internal.membership_key(r)
            join pg_attribute m on m.attrelid = tenant_internal.membership_through(r) and m.attnum = tenant_internal.membership_member(r)
        loop
            raise notice 'proving %', part.relation;
            one := planted -> part.relation::text -> a;
            two := planted -> part.relation::text -> b;
            joined := jsonb_build_object('through', part.through::text, 'key', part.key, 'member', part.member,
                'row', planted -> coalesce(pg_partition_root(part.through), part.through)::text -> a,
                'open', (select r.open from tenant_internal.reached_through(part.through) r where r.relation = part.relation));
            results := results || jsonb_build_array(jsonb_build_object('relation', part.relation::oid, 'path', 'plant',
                'expected', 'a member of each tenant', 'got', coalesce(planted -> part.relation::text ->> 'why',
                    planted -> part.through::text ->> 'why', 'a member of each tenant'),
                'passed', case when two is not null and jsonb_typeof(joined -> 'row') = 'object' then true end));
            continue when two is null or jsonb_typeof(joined -> 'row') <> 'object';
            results := results || coalesce((select jsonb_agg(to_jsonb(r) || jsonb_build_object('relation', part.relation::oid))
                from tenant_internal.prove_members(part.relation, app, a, b, one, two, joined) r), '[]');
            continue when not mutate;
            for mutation in
                select * from (values
                    ('no row-level security', array['alter table %1$s disable row level security']),
                    ('row-level security not forced', array['alter table %1$s no force row level security']),
                    ('no fence, wide access', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)']),
                    ('fence that shows all', array['alter policy %2$I on %1$s using (true)',
                        'create policy prove_wide on %1$s using (true) with check (true)']),
                    ('fence that lets all in', array['alter policy %2$I on %1$s with check (true)',
                        'create policy prove_wide on %1$s using (true) with check (true)']),
                    ('no fence of the join table', array['drop policy %4$I on %3$s'])
                ) m (name, commands)
            loop
                noticed := tenant_internal.prove_member_mutation(part.relation, app, a, b, one, two, joined, mutation.commands);
                results := results || jsonb_build_array(jsonb_build_object('relation', part.relation::oid, 'path', format('mutation: %s', mutation.name),
                    'expected', 'noticed', 'got', coalesce('noticed: ' || noticed, 'not noticed'), 'passed', noticed is not null));
            end loop;
        end loop;
        raise exception using errcode = 'TN089';
    exception when sqlstate 'TN089' then null; -- all of it is undone, but for what is in variables
    end;
    for relation, path, expected, got, passed in
        select (r ->> 'relation')::oid::regclass, r ->> 'path', r ->> 'expected', r ->> 'got', (r ->> 'passed')::boolean
        from jsonb_array_elements(results) with ordinality e (r, at) order by at
    loop
        return next;
    end loop;
end
$$;
comment on function tenant.prove is 'Plants two tenants, tries every path from one to the other as the application, and undoes it: one row per table and path. Run it in a transaction of its own.';
revoke all on function tenant.prove(name, text, boolean, regclass[]) from public;
