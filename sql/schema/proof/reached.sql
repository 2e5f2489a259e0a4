-- All that is tried on one table that is protected by membership, and whether weakened protection is noticed.

create function tenant_internal.prove_reached(rel regclass, app name, a text, b text, planted jsonb, mutate boolean)
    returns table (path text, expected text, got text, passed boolean)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    through constant regclass := tenant_internal.membership_through(rel);
    key constant name := (select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.membership_key(rel));
    member constant name := (select attname from pg_attribute where attrelid = through and attnum = tenant_internal.membership_member(rel));
    mine constant jsonb := planted -> rel::text -> a;
    theirs constant jsonb := planted -> rel::text -> b;
    joined constant jsonb := jsonb_build_object('through', through::text, 'key', key, 'member', member,
        'row', planted -> coalesce(pg_partition_root(through), through)::text -> a,
        'open', (select r.open from tenant_internal.reached_through(through) r where r.relation = rel));
    is_planted constant boolean := theirs is not null and jsonb_typeof(joined -> 'row') is not distinct from 'object';
    mutation record;
    noticed text;
begin
    return query select 'plant', 'a member of each tenant', coalesce(planted -> rel::text ->> 'why', planted -> through::text ->> 'why',
        'a member of each tenant'), case when is_planted then true end;
    if not is_planted then
        return;
    end if;
    return query select r.path, r.expected, r.got, r.passed from tenant_internal.prove_members(rel, app, a, b, mine, theirs, joined) r;
    if not mutate then
        return;
    end if;
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
        noticed := tenant_internal.prove_member_mutation(rel, app, a, b, mine, theirs, joined, mutation.commands);
        return query select format('mutation: %s', mutation.name), 'noticed', coalesce('noticed: ' || noticed, 'not noticed'), noticed is not null;
    end loop;
end
$$;
revoke all on function tenant_internal.prove_reached(regclass, name, text, text, jsonb, boolean) from public;
