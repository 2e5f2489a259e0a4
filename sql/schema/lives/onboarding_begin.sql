-- Beginning an onboarding.

-- The steps, if they can be: names, dependencies that are there, no circle. Order is that of the array.
create function tenant_internal.check_steps(steps jsonb) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    head constant text := 'malformed steps of an onboarding';
    example constant text := 'As in [{"step": "copy_catalogue"}, {"step": "billing", "after": ["copy_catalogue"], "outside": true}].';
    one jsonb;
    name text;
    names text[] := '{}';
    left_over text[];
    free text[];
    why text;
begin
    if jsonb_typeof(steps) is distinct from 'array' then
        perform tenant_internal.refuse_onboarding(head, 'They are no array.', example);
    elsif jsonb_array_length(steps) not between 1 and 100 then
        perform tenant_internal.refuse_onboarding(head, format('There are %s of them.', jsonb_array_length(steps)), 'There are 1 to 100.');
    end if;
    for one in select value from jsonb_array_elements(steps) loop
        name := case jsonb_typeof(one) when 'object' then one ->> 'step' end;
        why := case
            when name is null then 'One of them is no object with a "step".'
            when name !~ '^[a-z][a-z0-9_-]{0,62}$' then
                format('The name %s is not 1 to 63 characters a-z 0-9 _ - that begin with a letter.', quote_literal(left(name, 80)))
            when name = any (names) then format('There are two of the name "%s".', name)
            when (select string_agg(key, ', ') from jsonb_object_keys(one) key
                    where key not in ('step', 'after', 'outside', 'undo', 'at_claim', 'max_attempts')) is not null then
                format('Step "%s" has a key that means nothing: %s.', name, (select left(string_agg(key, ', '), 80)
                    from jsonb_object_keys(one) key where key not in ('step', 'after', 'outside', 'undo', 'at_claim', 'max_attempts')))
            when jsonb_typeof(coalesce(one -> 'after', '[]')) <> 'array'
                    or exists (select from jsonb_array_elements(one -> 'after') a where jsonb_typeof(a) <> 'string') then
                format('"after" of step "%s" is no array of names.', name)
            when exists (select from unnest(array['outside', 'undo', 'at_claim']) key where jsonb_typeof(one -> key) <> 'boolean') then
                format('"outside", "undo" and "at_claim" of step "%s" are true or false.', name)
            when jsonb_typeof(one -> 'max_attempts') <> 'number' or one ->> 'max_attempts' !~ '^[0-9]{1,4}$'
                    or (one ->> 'max_attempts')::integer not between 1 and 1000 then
                format('"max_attempts" of step "%s" is a number from 1 to 1000.', name)
        end;
        if why is not null then
            perform tenant_internal.refuse_onboarding(head, why, example);
        end if;
        names := names || name;
    end loop;
    select format('Step "%s" comes after %s, which is not among them.', s ->> 'step', quote_literal(left(a, 80))) into why
        from jsonb_array_elements(steps) s, jsonb_array_elements_text(s -> 'after') a where a <> all (names) limit 1;
    if why is null then
        select format('Step "%s" comes after "%s", which does not run before the tenant is claimed.', s ->> 'step', d ->> 'step') into why
            from jsonb_array_elements(steps) s, jsonb_array_elements(steps) d
            where s -> 'after' ? (d ->> 'step') and (d -> 'at_claim')::boolean and not coalesce((s -> 'at_claim')::boolean, false) limit 1;
    end if;
    -- Away with those that wait for nothing, again and again: what is left goes in circles.
    left_over := names;
    while why is null and left_over <> '{}' loop
        select array_agg(s ->> 'step') into free from jsonb_array_elements(steps) s
            where s ->> 'step' = any (left_over)
                and not exists (select from jsonb_array_elements_text(s -> 'after') a where a = any (left_over));
        if free is null then
            why := format('They wait for each other: %s.', array_to_string(left_over, ', '));
        end if;
        left_over := array(select unnest(left_over) except select unnest(free) order by 1);
    end loop;
    if why is not null then
        perform tenant_internal.refuse_onboarding(head, why, 'A step comes after steps of the same array, and not after itself.');
    end if;
end
$$;
revoke all on function tenant_internal.check_steps(jsonb) from public;

create function tenant_internal.require_pool(pool text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if pool is null or pool !~ '^[a-z0-9][a-z0-9_-]{0,62}$' then
        perform tenant_internal.refuse_onboarding(format('malformed name of a pool: %s', coalesce(quote_literal(left(pool, 80)), 'null')),
            'It names tenants that are set up before anybody asks for them.', 'A name has 1 to 63 characters a-z 0-9 _ - and begins with a letter or a digit.');
    end if;
end
$$;
revoke all on function tenant_internal.require_pool(text) from public;

create function tenant.begin_onboarding(id text, steps jsonb, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}', input jsonb default '{}', pool text default null) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
begin
    perform tenant_internal.check_steps(steps);
    if pool is not null then
        perform tenant_internal.require_pool(pool);
    end if;
    if jsonb_typeof(coalesce(input, '{}')) <> 'object' then
        perform tenant_internal.refuse_onboarding(format('cannot begin the onboarding of tenant "%s": malformed input', canonical),
            format('It is of type %s.', jsonb_typeof(input)), 'The input is an object: {"name": value, ...}.');
    end if;
    perform tenant_internal.create_tenant(canonical, name, slug, plan, settings, 'provisioning');
    insert into tenant.onboardings as o (tenant_id, input, begun_by, pool)
        values (canonical, coalesce(begin_onboarding.input, '{}'), session_user, begin_onboarding.pool);
    insert into tenant.onboarding as o (tenant_id, step, nth, after, outside, has_undo, at_claim, max_attempts)
        select canonical, s ->> 'step', nth, array(select jsonb_array_elements_text(s -> 'after')),
            coalesce((s -> 'outside')::boolean, false), coalesce((s -> 'undo')::boolean, true),
            coalesce((s -> 'at_claim')::boolean, false), coalesce((s ->> 'max_attempts')::integer, 10)
        from jsonb_array_elements(steps) with ordinality x (s, nth);
    perform tenant_internal.write_journal('begin_onboarding', canonical, null, jsonb_strip_nulls(jsonb_build_object(
        'steps', jsonb_path_query_array(steps, '$[*].step'), 'pool', begin_onboarding.pool)));
    perform tenant_internal.advance_onboarding(canonical);
    return canonical;
end
$$;
comment on function tenant.begin_onboarding(text, jsonb, text, text, text, jsonb, jsonb, text) is 'Registers a tenant that is being set up, with the steps that do it, and gives its canonical id. TN004 malformed, TN050 exists already, TN053 malformed slug or settings, TN153 malformed steps.';
revoke all on function tenant.begin_onboarding(text, jsonb, text, text, text, jsonb, jsonb, text) from public;
grant execute on function tenant.begin_onboarding(text, jsonb, text, text, text, jsonb, jsonb, text) to tenant_admin;

create function tenant.begin_onboarding(id uuid, steps jsonb, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}', input jsonb default '{}', pool text default null) returns text language sql
    begin atomic select tenant.begin_onboarding(id::text, steps, name, slug, plan, settings, input, pool); end;
revoke all on function tenant.begin_onboarding(uuid, jsonb, text, text, text, jsonb, jsonb, text) from public;
grant execute on function tenant.begin_onboarding(uuid, jsonb, text, text, text, jsonb, jsonb, text) to tenant_admin;

create function tenant.begin_onboarding(id bigint, steps jsonb, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}', input jsonb default '{}', pool text default null) returns text language sql
    begin atomic select tenant.begin_onboarding(id::text, steps, name, slug, plan, settings, input, pool); end;
revoke all on function tenant.begin_onboarding(bigint, jsonb, text, text, text, jsonb, jsonb, text) from public;
grant execute on function tenant.begin_onboarding(bigint, jsonb, text, text, text, jsonb, jsonb, text) to tenant_admin;
