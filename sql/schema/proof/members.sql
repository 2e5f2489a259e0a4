-- Attacks on tables reached by membership.

-- Every path by which tenant a could reach a row, in a table reached by membership, of which only tenant b is a member.
-- mine and theirs are rows of the table; joined describes the join table.
create function tenant_internal.prove_members(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb, joined jsonb)
    returns table (path text, expected text, got text, passed boolean)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    through constant regclass := joined ->> 'through';
    key constant text := joined ->> 'key';
    member constant text := joined ->> 'member';
    in_b constant text := format('%I::text = %L', key, theirs ->> key);
    own_rows text;
    columns text;
    added text;
begin
    select string_agg(quote_ident(attname), ', ' order by attnum) into columns
        from pg_attribute where attrelid = rel and attnum > 0 and not attisdropped and attgenerated = '';
    select string_agg(quote_ident(attname), ', ' order by attnum) into added
        from pg_attribute where attrelid = through and attnum > 0 and not attisdropped and attgenerated = '';
    own_rows := tenant_internal.attack(as_role, a, format('select count(*) from %s where %I::text = %L', rel, key, mine ->> key), true);
    for path, expected, got in
        values ('select with no tenant', 'refused', tenant_internal.attack(as_role, null, format('select count(*) from %s', rel), true)),
            ('truncate', 'refused', tenant_internal.attack(as_role, a, format('truncate %s cascade', rel), false)),
            ('own rows', 'seen', own_rows),
            ('select', 'nothing', tenant_internal.attack(as_role, a, format('select count(*) from %s where %s', rel, in_b), true)),
            ('count', 'its own', tenant_internal.attack(as_role, a, format('select count(*) from %s', rel), true)),
            ('select for update', 'refused', tenant_internal.attack(as_role, a, format('select count(*) from (select from %s for update) locked', rel), true)),
            ('insert', 'refused', tenant_internal.attack(as_role, a, format('insert into %1$s (%2$s) overriding system value '
                'select %2$s from jsonb_populate_record(null::%1$s, %3$L)', rel, columns, theirs), false)),
            ('update', 'refused', tenant_internal.attack(as_role, a, format('update %s set %I = %2$I', rel, key), false)),
            ('delete', 'refused', tenant_internal.attack(as_role, a, format('delete from %s', rel), false)),
            ('merge', 'refused', tenant_internal.attack(as_role, a,
                format('merge into %s t using (values (%L)) s (id) on t.%I::text = s.id when matched then delete', rel, mine ->> key, key), false)),
            ('prepared', 'nothing', tenant_internal.attack_prepared(as_role, a, format('select count(*) from %s where %s', rel, in_b))),
            ('function with the caller''s rights', 'nothing', tenant_internal.attack_through(as_role, a, rel, false, 'function', 'security invoker',
                format('select count(*) from %s where %s', rel, in_b))),
            ('function with the owner''s rights', 'nothing', tenant_internal.attack_through(as_role, a, rel, false, 'function', 'security definer',
                format('select count(*) from %s where %s', rel, in_b))),
            ('function with a superuser''s rights', 'refused', tenant_internal.attack_through(as_role, a, rel, true, 'function', 'security definer',
                format('select count(*) from %s where %s', rel, in_b))),
            ('view with the caller''s rights', 'nothing', tenant_internal.attack_through(as_role, a, rel, false, 'view', 'with (security_invoker)',
                format('select count(*) from %s where %s', rel, in_b))),
            ('view with the owner''s rights', 'nothing', tenant_internal.attack_through(as_role, a, rel, false, 'view', '',
                format('select count(*) from %s where %s', rel, in_b))),
            ('view with a superuser''s rights', 'refused', tenant_internal.attack_through(as_role, a, rel, true, 'view', '',
                format('select count(*) from %s where %s', rel, in_b))),
            ('copy with no tenant', 'refused', tenant_internal.attack_copy(as_role, null, format('copy (select from %s) to ''/dev/null''', rel))),
            ('copy', 'nothing', tenant_internal.attack_copy(as_role, a, format('copy (select from %s where %s) to ''/dev/null''', rel, in_b))),
            ('copy from', 'refused', tenant_internal.attack_copy(as_role, a, format('copy %s from ''/dev/null''', rel))),
            ('a member added', 'refused', tenant_internal.attack(as_role, a, format('insert into %1$s (%2$s) overriding system value '
                'select %2$s from jsonb_populate_record(null::%1$s, %3$L)', through, added,
                (joined -> 'row') || jsonb_build_object(member, theirs -> key)), false)),
            ('a member changed', 'refused', tenant_internal.attack(as_role, a,
                format('update %s set %I = %L', through, member, theirs ->> key), false))
    loop
        continue when path like 'a member %' and (joined ->> 'open')::boolean
            or path = 'copy from' and exists (select from pg_class where oid = rel and relkind = 'p');
        passed := case
            when path = 'own rows' then case when got ~ ' rows$' then got <> '0 rows' end
            when got ~ ' rows$' then got = case expected when 'nothing' then '0 rows' when 'its own' then own_rows else '' end
            when got = '42501' or got ~ '^TN' or path = 'copy from' and got = '0A000' then true
            when got ~ '^23' then false end;
        return next;
    end loop;
end
$$;
revoke all on function tenant_internal.prove_members(regclass, name, text, text, jsonb, jsonb, jsonb) from public;

-- As prove_mutation; the third table is the join table.
create function tenant_internal.prove_member_mutation(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb, joined jsonb, commands text[])
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    through constant regclass := joined ->> 'through';
    fence constant name := (select polname from pg_policy where oid = tenant_internal.fence_policy(rel));
    command text;
    noticed text;
begin
    perform set_config('pg_tenant.guards', 'off', true);
    foreach command in array commands loop
        perform tenant_internal.run_as_owner(case when strpos(command, '%3$s') > 0 then through else rel end, format(command, rel, fence, through,
            (select polname from pg_policy where oid = tenant_internal.fence_policy(through))));
    end loop;
    select string_agg(p.path || ' ' || p.got, ', ') into noticed
        from tenant_internal.prove_members(rel, as_role, a, b, mine, theirs, joined) p where p.passed is false or p.got = 'TN012';
    raise exception using errcode = 'TN089';
exception when sqlstate 'TN089' then return noticed;
end
$$;
revoke all on function tenant_internal.prove_member_mutation(regclass, name, text, text, jsonb, jsonb, jsonb, text[]) from public;
