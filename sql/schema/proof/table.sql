-- What the application tries on one table.

-- Runs the statement as the role, in the tenant (or in none), and undoes it: gives 'n rows' that it saw or changed, or
-- its SQLSTATE. Triggers and foreign keys are off, since they would stop it for reasons of their own.
create function tenant_internal.attack(as_role name, tenant_id text, statement text, sees boolean) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reached text;
begin
    perform set_config('session_replication_role', 'replica', true);
    perform set_config('client_min_messages', 'error', true);
    reached := tenant_internal.run_as((select oid from pg_roles where rolname = as_role),
        case when tenant_id is null then '' else tenant_internal.entry_of_proof(tenant_id) end || statement);
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return coalesce(reached, 'null') || ' rows';
    when others then return sqlstate;
end
$$;
revoke all on function tenant_internal.attack(name, text, text, boolean) from public;

-- Every path to the other tenant's row of this table. mine and theirs are the rows of a and b.
create function tenant_internal.prove_table(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb)
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
    own_rows := tenant_internal.attack(as_role, a, format('select count(*) from %s where %s', rel, of_a), true);
    shown_rows := case when tenant_internal.has_shared_rows(rel)
        then tenant_internal.attack(as_role, a, format('select count(*) from %s where %s or %s is null', rel, of_a, own), true) else own_rows end;

    for path, expected, got in
        values ('select with no tenant', 'refused', tenant_internal.attack(as_role, null, format('select count(*) from %s', rel), true)),
            ('truncate', 'refused', tenant_internal.attack(as_role, a, format('truncate %s cascade', rel), false)),
            ('own rows', 'seen', own_rows),
            ('select', 'nothing', tenant_internal.attack(as_role, a, format('select count(*) from %s where %s', rel, in_b), true)),
            ('select by key', 'nothing', tenant_internal.attack(as_role, a, format('select count(*) from %s where %s', rel, coalesce(key, in_b) || ' and ' || in_b), true)),
            ('count', 'its own', tenant_internal.attack(as_role, a, format('select count(*) from %s', rel), true)),
            ('select for update', 'nothing', tenant_internal.attack(as_role, a, format('select count(*) from (select from %s where %s for update) locked', rel, in_b), true)),
            ('insert for the other', 'refused', tenant_internal.attack(as_role, a,
                format('insert into %1$s (%2$s) overriding system value select %2$s from %3$s', rel, columns, row_of_b), false)),
            ('update to the other', 'refused', tenant_internal.attack(as_role, a,
                format('update %s set %s = %L where %s', rel, own, b, of_a), false)),
            ('update of the other', 'nothing', tenant_internal.attack(as_role, a,
                format('update %s set %s = %L where %s', rel, own, a, in_b), false)),
            ('blind update', 'its own', tenant_internal.attack(as_role, a, format('update %s set %s = %L', rel, own, a), false)),
            ('delete', 'nothing', tenant_internal.attack(as_role, a, format('delete from %s where %s', rel, in_b), false)),
            ('blind delete', 'its own', tenant_internal.attack(as_role, a, format('delete from %s', rel), false)),
            ('delete returning', 'nothing', tenant_internal.attack(as_role, a,
                format('with gone as (delete from %s where %s returning *) select count(*) from gone', rel, in_b), true)),
            ('merge', 'nothing', tenant_internal.attack(as_role, a,
                format('merge into %s t using (values (%L)) s (id) on t.%s::text = s.id when matched then delete', rel, b, own), false)),
            ('on conflict', 'nothing', tenant_internal.attack(as_role, a, format(
                'with taken as (insert into %1$s as t (%2$s) overriding system value select %2$s from %3$s on conflict on constraint %4$I
                    do update set %5$s = %6$L returning t.xmax <> 0 as other) select count(*) filter (where other) from taken',
                rel, columns, case when key_has_tenant then row_of_b else row_moved end, coalesce(primary_key, 'none'), own, a), true)),
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
            ('copy of the table', 'its own', tenant_internal.attack_copy(as_role, a, format('copy %s to ''/dev/null''', rel))),
            ('copy from', 'refused', tenant_internal.attack_copy(as_role, a, format('copy %s from ''/dev/null''', rel)))
        union all
        select * from (values
            ('rows of nobody', 'seen', tenant_internal.attack(as_role, a, format('select count(*) from %s where %s is null', rel, own), true)),
            ('rows of nobody with no tenant', 'refused', tenant_internal.attack(as_role, null, format('select count(*) from %s where %s is null', rel, own), true)),
            ('rows of nobody for update', 'nothing', tenant_internal.attack(as_role, a,
                format('select count(*) from (select from %s where %s is null for update) locked', rel, own), true)),
            ('update of nobody''s', 'nothing', tenant_internal.attack(as_role, a, format('update %s set %s = %L where %2$s is null', rel, own, a), false)),
            ('delete of nobody''s', 'nothing', tenant_internal.attack(as_role, a, format('delete from %s where %s is null', rel, own), false)),
            ('merge of nobody''s', 'nothing', tenant_internal.attack(as_role, a,
                format('merge into %s t using (values (1)) s on t.%s is null when matched then delete', rel, own), false)),
            ('insert of nobody''s', 'refused', tenant_internal.attack(as_role, a,
                format('insert into %1$s (%2$s) overriding system value select %2$s from %3$s', rel, columns, row_of_nobody), false)),
            ('update to nobody''s', 'refused', tenant_internal.attack(as_role, a, format('update %s set %s = null where %s', rel, own, of_a), false))
        ) nobody (path, expected, got) where theirs ? 'tenant_prove_nobody'
        union all
        select * from tenant_internal.prove_plans(rel, (theirs ->> 'tenant_column')::name, as_role, a, b) where theirs ? 'planted'
        union all
        select * from tenant_internal.prove_indexes(rel, (theirs ->> 'tenant_column')::name, as_role, a, b) where theirs ? 'planted'
    loop
        continue when not theirs ? 'planted' and path not in ('select with no tenant', 'truncate', 'select', 'count',
            'copy with no tenant', 'copy from');
        -- COPY of a table leaves its children out, and is not for partitioned ones.
        continue when path = 'copy of the table' and exists (select from pg_inherits where inhparent = rel)
            or path like 'copy%' and exists (select from pg_class where oid = rel and relkind = 'p') and path in ('copy of the table', 'copy from');
        continue when path = 'on conflict' and primary_key is null
            or path in ('update to the other', 'update to nobody''s', 'on conflict') and own_rows = '0 rows'
            -- The bound of the partition excludes such a row.
            or path like '% nobody''s' and got = '23514' and exists (select from pg_class where oid = rel and relispartition);
        passed := case
            when got = 'as many' then true
            when got ~ ' calls, and ' then false
            when path in ('own rows', 'rows of nobody') then case when got ~ ' rows$' then got <> '0 rows' end
            when expected = 'at most its own' and got ~ ' rows$' then
                case when shown_rows ~ ' rows$' then split_part(got, ' ', 1)::bigint <= split_part(shown_rows, ' ', 1)::bigint end
            when got ~ ' rows$' then got = case when expected = 'nothing' then '0 rows'
                when path in ('count', 'copy of the table') then shown_rows when expected = 'its own' then own_rows else '' end
            -- 42501 is raised by a policy, and for a right that the role lacks.
            when got = '42501' or got ~ '^TN' then true
            when path = 'copy from' and got = '0A000' then true
            -- A violated constraint means that the policy had let the row through. Other errors prove nothing.
            when got ~ '^23' and path <> 'on conflict' then false end;
        return next;
    end loop;
end
$$;
revoke all on function tenant_internal.prove_table(regclass, name, text, text, jsonb, jsonb) from public;

-- The role of this proof to which policies do not apply, made for it and a member of no role. Not the superuser, since
-- the attacks run code of the tables' owners; not another role with BYPASSRLS, which may have more rights; and granting
-- a role would lock it until the transaction ends.
create function tenant_internal.bypassing() returns name language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('tenant_prove_past_%s', pg_current_xact_id())::name
$$;
revoke all on function tenant_internal.bypassing() from public;

-- The schema of what this proof makes for the application to call.
create function tenant_internal.proof_schema() returns name language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('tenant_prove_%s', pg_current_xact_id())::name
$$;
revoke all on function tenant_internal.proof_schema() from public;
