-- tenant.prove(): two synthetic tenants get a row in every protected table, every path from the one to the other's rows is
-- tried as the application's role, and all of it is undone.
--
-- One transaction has one tenant. So a superuser with none entered plants the rows of both; each attack is a savepoint of
-- its own that becomes the application's role, enters the one, and is rolled back. The seal stays: the transaction can
-- enter no other tenant afterwards.

-- Nothing that the owners of the tables wrote runs with the superuser's rights: rows are planted as their table's owner,
-- attacks run as the application's role, both restricted, so that nobody becomes the superuser again from there.

create function tenant.run_past_policies(rel regclass, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_past_policies';
revoke all on function tenant.run_past_policies(regclass, text) from public;

create function tenant.run_as(role oid, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_as';
revoke all on function tenant.run_as(oid, text) from public;

-- Texts to try as the value of a column: what its checks and partitions name, then what its type has. Seed makes it unique.
create function tenant.sample_values(rel regclass, attnum smallint, seed integer) returns text[]
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    col pg_attribute;
    base pg_type;
    length integer;
    named text[];
    usual text[];
begin
    select * into col from pg_attribute a where a.attrelid = rel and a.attnum = sample_values.attnum;
    select * into base from pg_type where oid = col.atttypid;
    length := col.atttypmod - 4;
    while base.typtype = 'd' loop
        length := coalesce(nullif(base.typtypmod, -1) - 4, length);
        select * into base from pg_type where oid = base.typbasetype;
    end loop;
    select array_agg(distinct value) into named
        from (
            select pg_get_constraintdef(oid) from pg_constraint
                where contype = 'c' and (conrelid = rel and conkey @> array[col.attnum] or contypid = col.atttypid)
            union all
            select pg_get_expr(leaf.relpartbound, leaf.oid)
                from pg_partitioned_table p join pg_inherits on inhparent = p.partrelid join pg_class leaf on leaf.oid = inhrelid
                where p.partrelid = rel and col.attnum = any (p.partattrs::smallint[])
        ) said (text),
        regexp_matches(said.text, '''((?:[^'']|'''')*)''|(?<![\w''.])(-?\d+(?:\.\d+)?)(?![\w''])', 'g') m,
        -- A bound may be exclusive.
        unnest(case when m[2] is null then array[replace(m[1], '''''', '''')]
            else array[m[2], (m[2]::numeric + 1)::text, (m[2]::numeric - 1)::text] end) value;
    usual := case
        when base.typtype = 'e' then array(select enumlabel::text from pg_enum where enumtypid = base.oid order by enumsortorder)
        when base.typname = 'uuid' then array[md5('prove' || seed)::uuid::text]
        when base.typname = 'bool' then array['true', 'false']
        when base.typname = 'int2' then array[(32000 - seed)::text, '1']
        when base.typname in ('int4', 'int8') then array[(2000000000 + seed)::text, '1', '100']
        when base.typcategory = 'N' then array[seed::text, '1', '0']
        when base.typname in ('json', 'jsonb') then array['{}', '[]']
        when base.typname = 'bytea' then array['\x' || to_hex(seed + 4096)]
        when base.typcategory = 'S' then array[left('p' || seed || '@example.com', case when length > 0 then length else 100 end),
            left(seed::text, case when length > 0 then length else 100 end), 'x']
        when base.typname in ('time', 'timetz') then array['00:00']
        when base.typcategory = 'D' then array[('2020-01-01'::timestamp + seed * interval '1 day')::text, now()::text]
        when base.typcategory = 'T' then array['1 day']
        when base.typcategory = 'A' then array['{}']
        when base.typcategory = 'R' then array['empty']
        when base.typcategory = 'I' then array['127.0.0.1', '00:00:00:00:00:00']
        when base.typcategory = 'G' then array['(0,0)', '((0,0),(1,1))', '<(0,0),1>']
        when base.typcategory = 'V' then array['0']
        when base.typname in ('tsvector', 'tsquery', 'xml') then array['x']
        else '{}' end;
    return case when base.typtype = 'e' then usual
        when exists (select from pg_index i where i.indrelid = rel and i.indisunique and sample_values.attnum = any (i.indkey::smallint[])
            and not exists (select from pg_partitioned_table p where p.partrelid = rel and col.attnum = any (p.partattrs::smallint[])))
        then usual || coalesce(named, '{}') else coalesce(named, '{}') || usual end;
end
$$;
revoke all on function tenant.sample_values(regclass, smallint, integer) from public;

-- What is protected, and what the journal says was meant to be and is not.
create function tenant.provable() returns table (relation regclass, tenant_column name, tenant_type text, kind text)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select p.relation, p.tenant_column, p.tenant_type, p.kind from tenant.protected_tables p where p.through is null
    union all
    select c.oid::regclass, a.attname, format_type(a.atttypid, null), 'lost'
        from (select distinct on (j.object) j.object, j.action, j.detail ->> 'tenant_column' as tenant_column
            from tenant.journal j where j.action in ('protect', 'unprotect') order by j.object, j.id desc) last
        join pg_class c on c.oid = to_regclass(last.object)
        join pg_attribute a on a.attrelid = c.oid and a.attname = last.tenant_column and not a.attisdropped
        where last.action = 'protect' and tenant.fence_policy(c.oid::regclass) is null
$$;
revoke all on function tenant.provable() from public;

-- Plants a row of the tenant, or with none of nobody. Gives the row as {"row": ...} or why there is none as {"why": ...}; {"wait": ...} where a table
-- that it refers to comes first.
create function tenant.plant(rel regclass, tenant_column name, tenant_id text, seed integer, planted jsonb, patient boolean) returns jsonb
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    own smallint := (select attnum from pg_attribute where attrelid = rel and attname = tenant_column);
    fk record;
    col record;
    parent jsonb;
    given jsonb := '{}';        -- by column number, what foreign keys say
    try integer;
    columns text;
    literals text;
    samples text[];
    result jsonb;
    why text;
begin
    for fk in select * from pg_constraint where contype = 'f' and conparentid = 0 and conrelid = rel order by oid loop
        if tenant.fence_column(fk.confrelid) is not null or planted ? fk.confrelid::regclass::text then
            parent := planted -> fk.confrelid::regclass::text -> coalesce(tenant_id, 'nobody');
            if parent is null and patient and fk.confrelid <> rel then
                return jsonb_build_object('wait', fk.confrelid::regclass::text);
            end if;
        elsif fk.confrelid = 'tenant.tenants'::regclass then
            parent := (select to_jsonb(t) from tenant.tenants t where id = tenant_id);
        else
            parent := tenant.run_past_policies(fk.confrelid, format('select pg_catalog.to_jsonb(p) from %s p limit 1', fk.confrelid::regclass));
            if parent is null and seed < 8000 then
                parent := tenant.plant(fk.confrelid::regclass, null, tenant_id, seed * 2 + 1, planted, false) -> 'row';
            end if;
        end if;
        for n in 1 .. cardinality(fk.conkey) loop
            if fk.conkey[n] is distinct from own then
                given := given || jsonb_build_object(fk.conkey[n]::text, (
                    select parent ->> attname::text from pg_attribute where attrelid = fk.confrelid and attnum = fk.confkey[n]));
            end if;
        end loop;
    end loop;
    -- First everything, since indexes are proved by what is in them, then what must be there; each with one sample after the other.
    for try in 0 .. 23 loop
        columns := '';
        literals := '';
        for col in
            select *, format_type(atttypid, atttypmod) as type from pg_attribute a
            where attrelid = rel and attnum > 0 and not attisdropped and attgenerated = '' and attidentity = ''
            order by attnum
        loop
            if col.attnum = own then
                samples := array[tenant_id];
            elsif given ? col.attnum::text then
                samples := array_remove(array[given ->> col.attnum::text], null);
            elsif col.atthasdef or (not col.attnotnull and try % 2 = 1) then
                continue;
            else
                samples := tenant.sample_values(rel, col.attnum, seed);
            end if;
            columns := columns || format(', %I', col.attname);
            literals := literals || coalesce(format(', %L::%s', samples[1 + (try / 2) % nullif(cardinality(samples), 0)], col.type), ', null');
        end loop;
        begin
            result := tenant.run_past_policies(rel, format('insert into %s as planted (%s) values (%s) returning pg_catalog.to_jsonb(planted)',
                rel, substr(columns, 3), substr(literals, 3)));
            return jsonb_build_object('row', result);
        exception when others then
            why := coalesce(why, sqlerrm);
        end;
    end loop;
    return jsonb_build_object('why', why);
end
$$;
revoke all on function tenant.plant(regclass, name, text, integer, jsonb, boolean) from public;

-- Runs the statement as the role, in the tenant (or in none), and undoes it: gives 'n rows' that it saw or changed, or its
-- SQLSTATE. Triggers and foreign keys are off, since they would stop it for reasons of their own.
create function tenant.attack(as_role name, tenant_id text, statement text, sees boolean) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reached text;
begin
    perform set_config('session_replication_role', 'replica', true);
    perform set_config('client_min_messages', 'error', true);
    reached := tenant.run_as((select oid from pg_roles where rolname = as_role),
        case when tenant_id is null then '' else format('select tenant.enter(%L); ', tenant_id) end || statement);
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return coalesce(reached, 'null') || ' rows';
    when others then return sqlstate;
end
$$;
revoke all on function tenant.attack(name, text, text, boolean) from public;

-- Every path to the other tenant's row of this table. mine and theirs are the rows of a and b.
create function tenant.prove_table(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb)
    returns table (path text, expected text, got text, passed boolean)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    own text; -- named by the caller, since a mutation may have taken the fence
    in_b text;
    key text;
    primary_key name;
    key_has_tenant boolean;
    columns text;
    row_of_b text; -- of the table's type: jsonb keeps what a text of it would not
    row_moved text;
    row_of_nobody text;
    of_a text;
    own_rows text;
    shown_rows text; -- and those of nobody, where they are everybody's to read
begin
    own := quote_ident(theirs ->> 'tenant_column');
    in_b := format('%s::text = %L', own, b);
    of_a := format('%s::text = %L', own, a);
    select conname, (select string_agg(format('%I = %L', attname, theirs ->> attname), ' and ')
            from pg_attribute where attrelid = rel and attnum = any (conkey)),
            exists (select from pg_attribute where attrelid = rel and attnum = any (conkey) and quote_ident(attname) = own)
        into primary_key, key, key_has_tenant from pg_constraint where conrelid = rel and contype = 'p';
    row_of_b := format('jsonb_populate_record(null::%s, %L)', rel, theirs);
    row_of_nobody := format('jsonb_populate_record(null::%s, %L)', rel, theirs || jsonb_build_object(theirs ->> 'tenant_column', null));
    row_moved := format('jsonb_populate_record(null::%s, %L)', rel, theirs || jsonb_build_object(theirs ->> 'tenant_column', a));
    select string_agg(quote_ident(attname), ', ' order by attnum) into columns
        from pg_attribute where attrelid = rel and attnum > 0 and not attisdropped and attgenerated = '';
    own_rows := tenant.attack(as_role, a, format('select count(*) from %s where %s', rel, of_a), true);
    shown_rows := case when tenant.has_shared_rows(rel)
        then tenant.attack(as_role, a, format('select count(*) from %s where %s or %s is null', rel, of_a, own), true) else own_rows end;

    for path, expected, got in
        values ('select with no tenant', 'refused', tenant.attack(as_role, null, format('select count(*) from %s', rel), true)),
            ('truncate', 'refused', tenant.attack(as_role, a, format('truncate %s cascade', rel), false)),
            ('own rows', 'seen', own_rows),
            ('select', 'nothing', tenant.attack(as_role, a, format('select count(*) from %s where %s', rel, in_b), true)),
            ('select by key', 'nothing', tenant.attack(as_role, a, format('select count(*) from %s where %s', rel, coalesce(key, in_b) || ' and ' || in_b), true)),
            ('count', 'its own', tenant.attack(as_role, a, format('select count(*) from %s', rel), true)),
            ('select for update', 'nothing', tenant.attack(as_role, a, format('select count(*) from (select from %s where %s for update) locked', rel, in_b), true)),
            ('insert for the other', 'refused', tenant.attack(as_role, a,
                format('insert into %1$s (%2$s) overriding system value select %2$s from %3$s', rel, columns, row_of_b), false)),
            ('update to the other', 'refused', tenant.attack(as_role, a,
                format('update %s set %s = %L where %s', rel, own, b, of_a), false)),
            ('update of the other', 'nothing', tenant.attack(as_role, a,
                format('update %s set %s = %L where %s', rel, own, a, in_b), false)),
            ('blind update', 'its own', tenant.attack(as_role, a, format('update %s set %s = %L', rel, own, a), false)),
            ('delete', 'nothing', tenant.attack(as_role, a, format('delete from %s where %s', rel, in_b), false)),
            ('blind delete', 'its own', tenant.attack(as_role, a, format('delete from %s', rel), false)),
            ('delete returning', 'nothing', tenant.attack(as_role, a,
                format('with gone as (delete from %s where %s returning *) select count(*) from gone', rel, in_b), true)),
            ('merge', 'nothing', tenant.attack(as_role, a,
                format('merge into %s t using (values (%L)) s (id) on t.%s::text = s.id when matched then delete', rel, b, own), false)),
            ('on conflict', 'nothing', tenant.attack(as_role, a, format(
                'with taken as (insert into %1$s as t (%2$s) overriding system value select %2$s from %3$s on conflict on constraint %4$I
                    do update set %5$s = %6$L returning t.xmax <> 0 as other) select count(*) filter (where other) from taken',
                rel, columns, case when key_has_tenant then row_of_b else row_moved end, coalesce(primary_key, 'none'), own, a), true)),
            ('prepared', 'nothing', tenant.attack_prepared(as_role, a, format('select count(*) from %s where %s', rel, in_b))),
            ('function with the caller''s rights', 'nothing', tenant.attack_through(as_role, a, rel, false, 'function', 'security invoker',
                format('select count(*) from %s where %s', rel, in_b))),
            ('function with the owner''s rights', 'nothing', tenant.attack_through(as_role, a, rel, false, 'function', 'security definer',
                format('select count(*) from %s where %s', rel, in_b))),
            ('function with a superuser''s rights', 'refused', tenant.attack_through(as_role, a, rel, true, 'function', 'security definer',
                format('select count(*) from %s where %s', rel, in_b))),
            ('view with the caller''s rights', 'nothing', tenant.attack_through(as_role, a, rel, false, 'view', 'with (security_invoker)',
                format('select count(*) from %s where %s', rel, in_b))),
            ('view with the owner''s rights', 'nothing', tenant.attack_through(as_role, a, rel, false, 'view', '',
                format('select count(*) from %s where %s', rel, in_b))),
            ('view with a superuser''s rights', 'refused', tenant.attack_through(as_role, a, rel, true, 'view', '',
                format('select count(*) from %s where %s', rel, in_b))),
            ('copy with no tenant', 'refused', tenant.attack_copy(as_role, null, format('copy (select from %s) to ''/dev/null''', rel))),
            ('copy', 'nothing', tenant.attack_copy(as_role, a, format('copy (select from %s where %s) to ''/dev/null''', rel, in_b))),
            ('copy of the table', 'its own', tenant.attack_copy(as_role, a, format('copy %s to ''/dev/null''', rel))),
            ('copy from', 'refused', tenant.attack_copy(as_role, a, format('copy %s from ''/dev/null''', rel)))
        union all
        select * from (values
            ('rows of nobody', 'seen', tenant.attack(as_role, a, format('select count(*) from %s where %s is null', rel, own), true)),
            ('rows of nobody with no tenant', 'refused', tenant.attack(as_role, null, format('select count(*) from %s where %s is null', rel, own), true)),
            ('rows of nobody for update', 'nothing', tenant.attack(as_role, a,
                format('select count(*) from (select from %s where %s is null for update) locked', rel, own), true)),
            ('update of nobody''s', 'nothing', tenant.attack(as_role, a, format('update %s set %s = %L where %2$s is null', rel, own, a), false)),
            ('delete of nobody''s', 'nothing', tenant.attack(as_role, a, format('delete from %s where %s is null', rel, own), false)),
            ('merge of nobody''s', 'nothing', tenant.attack(as_role, a,
                format('merge into %s t using (values (1)) s on t.%s is null when matched then delete', rel, own), false)),
            ('insert of nobody''s', 'refused', tenant.attack(as_role, a,
                format('insert into %1$s (%2$s) overriding system value select %2$s from %3$s', rel, columns, row_of_nobody), false)),
            ('update to nobody''s', 'refused', tenant.attack(as_role, a, format('update %s set %s = null where %s', rel, own, of_a), false))
        ) nobody (path, expected, got) where theirs ? 'tenant_prove_nobody'
        union all
        select * from tenant.prove_plans(rel, (theirs ->> 'tenant_column')::name, as_role, a, b) where theirs ? 'planted'
        union all
        select * from tenant.prove_indexes(rel, (theirs ->> 'tenant_column')::name, as_role, a, b) where theirs ? 'planted'
    loop
        continue when not theirs ? 'planted' and path not in ('select with no tenant', 'truncate', 'select', 'count',
            'copy with no tenant', 'copy from');
        -- COPY of a table leaves its children out, and is not for partitioned ones.
        continue when path = 'copy of the table' and exists (select from pg_inherits where inhparent = rel)
            or path like 'copy%' and exists (select from pg_class where oid = rel and relkind = 'p') and path in ('copy of the table', 'copy from');
        continue when path = 'on conflict' and primary_key is null
            or path in ('update to the other', 'update to nobody''s', 'on conflict') and own_rows = '0 rows'
            -- A partition that takes no such row.
            or path like '% nobody''s' and got = '23514' and exists (select from pg_class where oid = rel and relispartition);
        passed := case
            when got = 'as many' then true
            when got ~ ' calls, and ' then false
            when path in ('own rows', 'rows of nobody') then case when got ~ ' rows$' then got <> '0 rows' end
            when expected = 'at most its own' and got ~ ' rows$' then
                case when shown_rows ~ ' rows$' then split_part(got, ' ', 1)::bigint <= split_part(shown_rows, ' ', 1)::bigint end
            when got ~ ' rows$' then got = case when expected = 'nothing' then '0 rows'
                when path in ('count', 'copy of the table') then shown_rows when expected = 'its own' then own_rows else '' end
            -- 42501 is the policy's refusal as well as a right that the role has not.
            when got = '42501' or got ~ '^TN' then true
            when path = 'copy from' and got = '0A000' then true
            -- A constraint was reached: the policy had let it through. Whatever else stopped it says nothing.
            when got ~ '^23' and path <> 'on conflict' then false end;
        return next;
    end loop;
end
$$;
revoke all on function tenant.prove_table(regclass, name, text, text, jsonb, jsonb) from public;

-- The role of this proof to which policies do not apply. Not the superuser: the attacks below plan and run what the owners
-- of tables wrote; and nobody else with such rights, who may have more. It is in no group, which would be locked meanwhile.
create function tenant.bypassing() returns name language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('tenant_prove_past_%s', pg_current_xact_id())::name
$$;
revoke all on function tenant.bypassing() from public;

-- A statement that was planned with no tenant by a role to whom policies do not apply, and is run by the role in the tenant.
create function tenant.attack_prepared(as_role name, tenant_id text, statement text) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    got text;
    strict_mode constant text := current_setting('pg_tenant.strict');
begin
    execute 'prepare tenant_prove as ' || statement;
    -- Planned as a role to whom policies do not apply; with strict mode on it would be refused before there is a plan.
    perform set_config('pg_tenant.strict', 'off', true);
    perform tenant.run_as((select oid from pg_roles where rolname = tenant.bypassing()), 'explain execute tenant_prove');
    perform set_config('pg_tenant.strict', strict_mode, true);
    got := tenant.attack(as_role, tenant_id, 'execute tenant_prove', true);
    execute 'deallocate tenant_prove';
    return got;
exception when others then
    if exists (select from pg_prepared_statements where name = 'tenant_prove') then
        execute 'deallocate tenant_prove';
    end if;
    return sqlstate;
end
$$;
revoke all on function tenant.attack_prepared(name, text, text) from public;

-- As attack, through a function or a view of the table's owner, or of a role to whom policies do not apply, made for it.
create function tenant.attack_through(as_role name, tenant_id text, rel regclass, mine boolean, what text, rights text, statement text)
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    schema regnamespace := (select relnamespace from pg_class where oid = rel);
    name text := format('%s.tenant_prove_through', schema);
    got text;
begin
    perform set_config('client_min_messages', 'error', true);
    execute case what
        when 'view' then format('create view %s %s as %s', name, rights, replace(statement, 'count(*)', 'count(*) as n'))
        else format('create function %s() returns bigint language sql volatile %s as %L', name, rights, statement) end;
    execute format('alter %s %s owner to %s', what, name, case when mine then quote_ident(tenant.bypassing())
        else (select relowner::regrole::text from pg_class where oid = rel) end);
    execute case what when 'view' then format('grant select on %s to %I', name, as_role) else format('grant execute on function %s() to %I', name, as_role) end;
    got := tenant.attack(as_role, tenant_id, case what when 'view' then format('select n from %s', name) else format('select %s()', name) end, true);
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return got;
    when others then return sqlstate;
end
$$;
revoke all on function tenant.attack_through(name, text, regclass, boolean, text, text, text) from public;

-- As attack, by COPY with a file of the server: the only one that a function can run. It takes a right that the application
-- should not have, and is refused in a tenant but for the guards: what is tried is the policy behind them.
create function tenant.attack_copy(as_role name, tenant_id text, statement text) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    got text;
begin
    execute format('grant pg_read_server_files, pg_write_server_files to %I', as_role);
    perform set_config('pg_tenant.guards', 'off', true);
    got := tenant.attack(as_role, tenant_id, statement, false);
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return got;
    when others then return sqlstate;
end
$$;
revoke all on function tenant.attack_copy(name, text, text) from public;

-- The views that read the table, whatever is between.
create function tenant.views_over(rel regclass) returns setof regclass
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive over (relation) as (
        select rel::oid
        union
        select r.ev_class from over
            cross join lateral (
                select objid from pg_depend
                where refclassid = 'pg_class'::regclass and refobjid = over.relation and classid = 'pg_rewrite'::regclass offset 0
            ) d
            cross join lateral (select ev_class from pg_rewrite where oid = d.objid offset 0) r
    )
    select c.oid::regclass from over
        cross join lateral (select oid, relkind, relnamespace from pg_class where oid = over.relation offset 0) c
        where c.relkind = 'v' and c.oid <> rel and c.relnamespace <> 'tenant'::regnamespace order by c.oid::regclass::text
$$;
revoke all on function tenant.views_over(regclass) from public;

-- All that the role sees in the view; with root, after the other's rows have gone from there.
create function tenant.attack_view(as_role name, tenant_id text, view regclass, root regclass, tenant_column name, other text)
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    got text;
begin
    if root is not null then
        perform set_config('session_replication_role', 'replica', true);
        perform tenant.run_past_policies(root, format('delete from %s where %I::text = %L', root, tenant_column, other));
    end if;
    got := tenant.attack(as_role, tenant_id, format(
        'select md5(string_agg(to_jsonb(v)::text, '','' order by to_jsonb(v)::text)) from %s v', view), true);
    raise exception using errcode = 'TN089';
exception when sqlstate 'TN089' then return got;
end
$$;
revoke all on function tenant.attack_view(name, text, regclass, regclass, name, text) from public;

-- The paths on which the proof of the table fails, or is refused for its broken protection, once it is weakened; null
-- where nothing shows.
create function tenant.prove_mutation(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb, commands text[])
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    fence record;
    command text;
    noticed text;
begin
    perform set_config('pg_tenant.guards', 'off', true);
    select polname, pg_get_expr(polqual, polrelid) as condition into fence from pg_policy where oid = tenant.fence_policy(rel);
    foreach command in array commands loop
        -- The fourth is the equality without the call that the planner cannot lose.
        perform tenant.run_as_owner(rel, format(command, rel, fence.polname, fence.condition,
            regexp_replace(fence.condition, ' AND tenant\.is_current(_or_shared)?\(.*$', ')')));
    end loop;
    select string_agg(p.path || ' ' || p.got, ', ') into noticed
        from tenant.prove_table(rel, as_role, a, b, mine, theirs) p where p.passed is false or p.got = 'TN012';
    raise exception using errcode = 'TN089';
exception when sqlstate 'TN089' then return noticed;
end
$$;
revoke all on function tenant.prove_mutation(regclass, name, text, text, jsonb, jsonb, text[]) from public;

-- Every path of a to a row of which b alone is a member, in a table that is reached by membership. mine and theirs are rows of
-- it, joined says what it is reached through.
create function tenant.prove_members(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb, joined jsonb)
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
    own_rows := tenant.attack(as_role, a, format('select count(*) from %s where %I::text = %L', rel, key, mine ->> key), true);
    for path, expected, got in
        values ('select with no tenant', 'refused', tenant.attack(as_role, null, format('select count(*) from %s', rel), true)),
            ('truncate', 'refused', tenant.attack(as_role, a, format('truncate %s cascade', rel), false)),
            ('own rows', 'seen', own_rows),
            ('select', 'nothing', tenant.attack(as_role, a, format('select count(*) from %s where %s', rel, in_b), true)),
            ('count', 'its own', tenant.attack(as_role, a, format('select count(*) from %s', rel), true)),
            ('select for update', 'refused', tenant.attack(as_role, a, format('select count(*) from (select from %s for update) locked', rel), true)),
            ('insert', 'refused', tenant.attack(as_role, a, format('insert into %1$s (%2$s) overriding system value '
                'select %2$s from jsonb_populate_record(null::%1$s, %3$L)', rel, columns, theirs), false)),
            ('update', 'refused', tenant.attack(as_role, a, format('update %s set %I = %2$I', rel, key), false)),
            ('delete', 'refused', tenant.attack(as_role, a, format('delete from %s', rel), false)),
            ('merge', 'refused', tenant.attack(as_role, a,
                format('merge into %s t using (values (%L)) s (id) on t.%I::text = s.id when matched then delete', rel, mine ->> key, key), false)),
            ('prepared', 'nothing', tenant.attack_prepared(as_role, a, format('select count(*) from %s where %s', rel, in_b))),
            ('function with the caller''s rights', 'nothing', tenant.attack_through(as_role, a, rel, false, 'function', 'security invoker',
                format('select count(*) from %s where %s', rel, in_b))),
            ('function with the owner''s rights', 'nothing', tenant.attack_through(as_role, a, rel, false, 'function', 'security definer',
                format('select count(*) from %s where %s', rel, in_b))),
            ('function with a superuser''s rights', 'refused', tenant.attack_through(as_role, a, rel, true, 'function', 'security definer',
                format('select count(*) from %s where %s', rel, in_b))),
            ('view with the caller''s rights', 'nothing', tenant.attack_through(as_role, a, rel, false, 'view', 'with (security_invoker)',
                format('select count(*) from %s where %s', rel, in_b))),
            ('view with the owner''s rights', 'nothing', tenant.attack_through(as_role, a, rel, false, 'view', '',
                format('select count(*) from %s where %s', rel, in_b))),
            ('view with a superuser''s rights', 'refused', tenant.attack_through(as_role, a, rel, true, 'view', '',
                format('select count(*) from %s where %s', rel, in_b))),
            ('copy with no tenant', 'refused', tenant.attack_copy(as_role, null, format('copy (select from %s) to ''/dev/null''', rel))),
            ('copy', 'nothing', tenant.attack_copy(as_role, a, format('copy (select from %s where %s) to ''/dev/null''', rel, in_b))),
            ('copy from', 'refused', tenant.attack_copy(as_role, a, format('copy %s from ''/dev/null''', rel))),
            ('a member added', 'refused', tenant.attack(as_role, a, format('insert into %1$s (%2$s) overriding system value '
                'select %2$s from jsonb_populate_record(null::%1$s, %3$L)', through, added,
                (joined -> 'row') || jsonb_build_object(member, theirs -> key)), false)),
            ('a member changed', 'refused', tenant.attack(as_role, a,
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
revoke all on function tenant.prove_members(regclass, name, text, text, jsonb, jsonb, jsonb) from public;

-- As prove_mutation; the third table is the join table.
create function tenant.prove_member_mutation(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb, joined jsonb, commands text[])
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    through constant regclass := joined ->> 'through';
    fence constant name := (select polname from pg_policy where oid = tenant.fence_policy(rel));
    command text;
    noticed text;
begin
    perform set_config('pg_tenant.guards', 'off', true);
    foreach command in array commands loop
        perform tenant.run_as_owner(case when strpos(command, '%3$s') > 0 then through else rel end, format(command, rel, fence, through,
            (select polname from pg_policy where oid = tenant.fence_policy(through))));
    end loop;
    select string_agg(p.path || ' ' || p.got, ', ') into noticed
        from tenant.prove_members(rel, as_role, a, b, mine, theirs, joined) p where p.passed is false or p.got = 'TN012';
    raise exception using errcode = 'TN089';
exception when sqlstate 'TN089' then return noticed;
end
$$;
revoke all on function tenant.prove_member_mutation(regclass, name, text, text, jsonb, jsonb, jsonb, text[]) from public;

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
                when p.tenant_type = 'uuid' then 'uuid' else 'text' end as usual from tenant.provable() p) k
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
        named := array(select p.relation from tenant.provable() p
            where tables is null or p.relation = any (tables) or pg_partition_root(p.relation) = any (tables));
        reached := array(select p.relation from tenant.protected_tables p
            where p.through is not null and p.parent is null and (tables is null or p.relation = any (tables)) order by p.relation::text);
        granted := named || array(select r from unnest(reached) r union select tenant.membership_through(r) from unnest(reached) r);
        needed := array(
            with recursive need (rel) as (
                select coalesce(pg_partition_root(r), r)::oid from unnest(granted) r
                union
                select coalesce(pg_partition_root(k.confrelid), k.confrelid)::oid from need
                    cross join lateral (select confrelid from pg_constraint where contype = 'f' and conrelid = need.rel offset 0) k
            )
            select rel from need);
        execute format('create role %I bypassrls', tenant.bypassing());
        for target in select distinct c.relnamespace::regnamespace as schema from unnest(granted) r join pg_class c on c.oid = r loop
            execute format('grant usage on schema %s to %I', target.schema, tenant.bypassing());
        end loop;
        for target in select distinct unnest(granted) as relation loop
            execute format('grant select on %s to %I', target.relation, tenant.bypassing());
        end loop;
        if as_role is null then
            for target in
                with recursive read (rel) as (
                    select v::oid from unnest(granted) r, tenant.views_over(r) v
                    union
                    select d.refobjid from read
                        cross join lateral (select oid from pg_rewrite where ev_class = read.rel offset 0) w
                        cross join lateral (select refobjid from pg_depend
                            where classid = 'pg_rewrite'::regclass and objid = w.oid and refclassid = 'pg_class'::regclass offset 0) d
                ), all_of (rel) as (
                    select unnest(granted)::oid union select v::oid from unnest(granted) r, tenant.views_over(r) v
                    union select rel from read where rel in (select p.relation from tenant.provable() p)
                        or exists (select from pg_class where oid = rel and relkind = 'v' and relnamespace <> 'tenant'::regnamespace)
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
        planted := (select jsonb_object_agg(p.relation::text, null) from tenant.provable() p where p.relation = any (needed));
        -- Those who are members come first: a row of the join table that refers to one of them is a membership.
        for part in select r as relation from unnest(needed) r where tenant.membership_through(r) is not null order by r::text loop
            seed := seed + 2;
            one := tenant.plant(part.relation, null, a, seed, coalesce(planted, '{}'), false);
            two := tenant.plant(part.relation, null, b, seed + 1, coalesce(planted, '{}'), false);
            planted := coalesce(planted, '{}') || jsonb_build_object(part.relation::text,
                case when one ? 'row' and two ? 'row' then jsonb_build_object(a, one -> 'row', b, two -> 'row')
                    else jsonb_build_object('why', coalesce(one ->> 'why', two ->> 'why')) end);
        end loop;
        loop
            progress := false;
            for part in
                select p.relation, p.tenant_column, p.tenant_type from tenant.provable() p
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
                one := tenant.plant(part.relation, part.tenant_column, a, seed, planted, patient);
                continue when one ? 'wait';
                progress := true;
                two := tenant.plant(part.relation, part.tenant_column, b, seed + 1, planted, patient);
                planted := planted || jsonb_build_object(part.relation::text,
                    case when one ? 'row' and two ? 'row' then jsonb_build_object(a, one -> 'row', b, two -> 'row')
                            || case when tenant.has_shared_rows(part.relation) then jsonb_build_object('nobody',
                                tenant.plant(part.relation, part.tenant_column, null, seed + 2, planted, false) -> 'row') else '{}' end
                        else jsonb_build_object('why', coalesce(one ->> 'why', two ->> 'why')) end);
            end loop;
            exit when not progress and not patient;
            patient := progress;
        end loop;
        perform set_config('session_replication_role', 'origin', true);

        for part in select p.relation, p.tenant_column, p.kind, coalesce(pg_partition_root(p.relation), p.relation) as root
            from tenant.provable() p
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
                from tenant.prove_table(part.relation, app, a, b, one, two) r
                where part.kind <> 'partition' or r.path not in ('own rows', 'rows of nobody')), '[]');
            for target in select v as relation from tenant.views_over(part.relation) v where two ? 'planted' loop
                -- The same with the other's row and without it.
                one := jsonb_build_array(tenant.attack_view(app, a, target.relation, null, null, null),
                    tenant.attack_view(app, a, target.relation, part.root, part.tenant_column, b));
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
                where m.name not like 'no policy for %' or tenant.has_shared_rows(part.relation)
            loop
                noticed := tenant.prove_mutation(part.relation, app, a, b, one, two, mutation.commands);
                results := results || jsonb_build_array(jsonb_build_object('relation', part.relation::oid, 'path', format('mutation: %s', mutation.name),
                    'expected', 'noticed', 'got', coalesce('noticed: ' || noticed, 'not noticed'), 'passed', noticed is not null));
            end loop;
        end loop;
        for part in select r as relation, tenant.membership_through(r) as through, k.attname as key, m.attname as member
            from unnest(reached) r
            join pg_attribute k on k.attrelid = r and k.attnum = tenant.membership_key(r)
            join pg_attribute m on m.attrelid = tenant.membership_through(r) and m.attnum = tenant.membership_member(r)
        loop
            raise notice 'proving %', part.relation;
            one := planted -> part.relation::text -> a;
            two := planted -> part.relation::text -> b;
            joined := jsonb_build_object('through', part.through::text, 'key', part.key, 'member', part.member,
                'row', planted -> coalesce(pg_partition_root(part.through), part.through)::text -> a,
                'open', (select r.open from tenant.reached_through(part.through) r where r.relation = part.relation));
            results := results || jsonb_build_array(jsonb_build_object('relation', part.relation::oid, 'path', 'plant',
                'expected', 'a member of each tenant', 'got', coalesce(planted -> part.relation::text ->> 'why',
                    planted -> part.through::text ->> 'why', 'a member of each tenant'),
                'passed', case when two is not null and jsonb_typeof(joined -> 'row') = 'object' then true end));
            continue when two is null or jsonb_typeof(joined -> 'row') <> 'object';
            results := results || coalesce((select jsonb_agg(to_jsonb(r) || jsonb_build_object('relation', part.relation::oid))
                from tenant.prove_members(part.relation, app, a, b, one, two, joined) r), '[]');
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
                noticed := tenant.prove_member_mutation(part.relation, app, a, b, one, two, joined, mutation.commands);
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
