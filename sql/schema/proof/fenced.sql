-- All that is tried on one table that is protected by its tenant column, and whether weakened protection is noticed.

create function tenant_internal.prove_fenced(rel regclass, tenant_column name, kind text, app name, a text, b text, planted jsonb, mutate boolean)
    returns table (path text, expected text, got text, passed boolean)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    root constant regclass := coalesce(pg_partition_root(rel), rel);
    rows_there constant jsonb := planted -> root::text;
    of_column constant jsonb := jsonb_build_object('tenant_column', tenant_column);
    mine constant jsonb := coalesce(rows_there -> a, '{}') || of_column;
    theirs constant jsonb := coalesce(rows_there -> b || '{"planted": true}', '{}') || of_column
        || case when rows_there ->> 'nobody' is not null then '{"tenant_prove_nobody": true}'::jsonb else '{}' end;
    seen_view regclass;
    with_it text;
    without_it text;
    mutation record;
    noticed text;
begin
    if kind = 'lost' then
        return query values ('fence', 'a tenant policy, as the journal says', 'none', false);
    end if;
    if kind <> 'partition' then
        return query select 'plant', 'a row of each tenant', coalesce(rows_there ->> 'why', 'a row of each tenant'),
            case when theirs ? 'planted' then true end;
    end if;
    return query select r.path, r.expected, r.got, r.passed from tenant_internal.prove_table(rel, app, a, b, mine, theirs) r
        where kind <> 'partition' or r.path not in ('own rows', 'rows of nobody');
    if not theirs ? 'planted' then
        return;
    end if;
    -- A view shows the same with the other's row and without it.
    for seen_view in select v from tenant_internal.views_over(rel) v loop
        with_it := tenant_internal.attack_view(app, a, seen_view, null, null, null);
        without_it := tenant_internal.attack_view(app, a, seen_view, root, tenant_column, b);
        return query select format('view %s', seen_view), 'the same without the other''s row',
            case when with_it !~ ' rows$' then with_it when with_it = without_it then 'the same' else 'another' end,
            case when with_it = '42501' or with_it ~ '^TN' then true when with_it ~ ' rows$' then with_it = without_it end;
    end loop;
    if not mutate or kind = 'lost' then
        return;
    end if;
    for mutation in select m.name, m.commands from tenant_internal.mutations() m
        where not m.of_shared_rows or tenant_internal.has_shared_rows(rel)
    loop
        noticed := tenant_internal.prove_mutation(rel, app, a, b, mine, theirs, mutation.commands);
        return query select format('mutation: %s', mutation.name), 'noticed', coalesce('noticed: ' || noticed, 'not noticed'), noticed is not null;
    end loop;
end
$$;
revoke all on function tenant_internal.prove_fenced(regclass, name, text, name, text, text, jsonb, boolean) from public;

-- How protection by the tenant column is weakened, to see whether the proof notices. %1$s is the table, %2$I its tenant
-- policy, %3$s the policy's condition, %4$s the condition without the call that the planner cannot drop.
create function tenant_internal.mutations() returns table (name text, commands text[], of_shared_rows boolean)
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    values
        ('no row-level security', array['alter table %1$s disable row level security'], false),
        ('row-level security not forced', array['alter table %1$s no force row level security'], false),
        ('no fence', array['drop policy %2$I on %1$s'], false),
        ('no fence, wide access', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)'], false),
        ('no policy but a wide one', array['drop policy %2$I on %1$s', 'drop policy if exists tenant_access on %1$s',
            'create policy prove_wide on %1$s using (true) with check (true)'], false),
        ('permissive fence', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)',
            'create policy %2$I on %1$s using (%3$s) with check (%3$s)'], false),
        ('fence of the equality alone', array['alter policy %2$I on %1$s using (%4$s) with check (%4$s)',
            'drop policy if exists tenant_access on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)'], false),
        ('fence without check', array['alter policy %2$I on %1$s with check (true)',
            'create policy prove_wide on %1$s using (true) with check (true)'], false),
        ('fence that shows all', array['alter policy %2$I on %1$s using (true)',
            'create policy prove_wide on %1$s using (true) with check (true)'], false),
        ('fence for select only', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)',
            'create policy %2$I on %1$s as restrictive for select using (%3$s)'], false),
        ('fence for one role', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)',
            'create policy %2$I on %1$s as restrictive to tenant_admin using (%3$s) with check (%3$s)'], false),
        ('no policy for updates', array['drop policy if exists tenant_isolation_update on %1$s'], true),
        ('no policy for deletes', array['drop policy if exists tenant_isolation_delete on %1$s'], true)
$$;
revoke all on function tenant_internal.mutations() from public;
