-- tenant.prove(): two synthetic tenants get a row in every protected table, every path from the one to the other's rows
-- is tried as the application's role, and all of it is undone.
--
-- A transaction can enter only one tenant. So a superuser, with no tenant entered, plants the rows of both; each attack
-- is a savepoint in which the application's role enters the first tenant, and is rolled back. Afterwards the
-- transaction still cannot enter another tenant.

-- Nothing that the owners of the tables wrote runs with the superuser's rights: rows are planted as their table's
-- owner, attacks run as the application's role, both restricted, so that nobody becomes the superuser again from there.

-- Texts to try as the value of a column: those that its checks and partition bounds name, and samples of its type, made
-- unique by the seed.
create function tenant_internal.sample_values(rel regclass, attnum smallint, seed integer) returns text[]
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
revoke all on function tenant_internal.sample_values(regclass, smallint, integer) from public;

-- The tables that are protected by a tenant column, and those that the journal says are protected and that are not
-- ('lost').
create function tenant_internal.provable() returns table (relation regclass, tenant_column name, tenant_type text, kind text)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select p.relation, p.tenant_column, p.tenant_type, p.kind from tenant.protected_tables p where p.through is null
    union all
    select c.oid::regclass, a.attname, format_type(a.atttypid, null), 'lost'
        from (select distinct on (j.object) j.object, j.action, j.detail ->> 'tenant_column' as tenant_column
            from tenant.journal j where j.action in ('protect', 'unprotect') order by j.object, j.id desc) last
        join pg_class c on c.oid = to_regclass(last.object)
        join pg_attribute a on a.attrelid = c.oid and a.attname = last.tenant_column and not a.attisdropped
        where last.action = 'protect' and tenant_internal.fence_policy(c.oid::regclass) is null
$$;
revoke all on function tenant_internal.provable() from public;

-- Plants a row of the tenant, or a row without a tenant where tenant_id is null. Returns {"row": ...}; {"why": ...}
-- where that failed; {"wait": ...} where a table that it refers to must come first.
create function tenant_internal.plant(rel regclass, tenant_column name, tenant_id text, seed integer, planted jsonb, patient boolean) returns jsonb
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
        if tenant_internal.fence_column(fk.confrelid) is not null or planted ? fk.confrelid::regclass::text then
            parent := planted -> fk.confrelid::regclass::text -> coalesce(tenant_id, 'nobody');
            if parent is null and patient and fk.confrelid <> rel then
                return jsonb_build_object('wait', fk.confrelid::regclass::text);
            end if;
        elsif fk.confrelid = 'tenant.tenants'::regclass then
            parent := (select to_jsonb(t) from tenant.tenants t where id = tenant_id);
        else
            parent := tenant_internal.run_past_policies(fk.confrelid, format('select pg_catalog.to_jsonb(p) from %s p limit 1', fk.confrelid::regclass));
            if parent is null and seed < 8000 then
                parent := tenant_internal.plant(fk.confrelid::regclass, null, tenant_id, seed * 2 + 1, planted, false) -> 'row';
            end if;
        end if;
        for n in 1 .. cardinality(fk.conkey) loop
            if fk.conkey[n] is distinct from own then
                given := given || jsonb_build_object(fk.conkey[n]::text, (
                    select parent ->> attname::text from pg_attribute where attrelid = fk.confrelid and attnum = fk.confkey[n]));
            end if;
        end loop;
    end loop;
    -- First with all columns, since the proof of an index needs a value in it, then with the mandatory ones; each with
    -- one sample value after the other.
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
                samples := tenant_internal.sample_values(rel, col.attnum, seed);
            end if;
            columns := columns || format(', %I', col.attname);
            literals := literals || coalesce(format(', %L::%s', samples[1 + (try / 2) % nullif(cardinality(samples), 0)], col.type), ', null');
        end loop;
        begin
            result := tenant_internal.run_past_policies(rel, format('insert into %s as planted (%s) values (%s) returning pg_catalog.to_jsonb(planted)',
                rel, substr(columns, 3), substr(literals, 3)));
            return jsonb_build_object('row', result);
        exception when others then
            why := coalesce(why, sqlerrm);
        end;
    end loop;
    return jsonb_build_object('why', why);
end
$$;
revoke all on function tenant_internal.plant(regclass, name, text, integer, jsonb, boolean) from public;
