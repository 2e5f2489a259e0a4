-- Attacks of tenant.prove() on what an index scan evaluates again for each row: the index condition, where index or
-- bitmap are lossy, and the distance in ORDER BY. PostgreSQL evaluates these before the filter, which has the policy.

-- How often the statement calls tenant_prove_counted() in a scan by this index; with gone, after the other tenant's
-- rows were deleted. The planner is made to ignore the table's other indexes.
create function tenant_internal.attack_index(as_role name, a text, b text, index regclass, tenant_column name, statement text, ways text[], gone boolean)
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    rel regclass := (select indrelid from pg_index where indexrelid = index);
    root regclass := coalesce(pg_partition_root(rel), rel);
    reached text;
begin
    perform set_config('client_min_messages', 'error', true);
    perform set_config('tenant_prove.calls', '0', true), set_config('work_mem', '64kB', true),
        set_config('session_replication_role', 'replica', true);
    if gone then
        perform tenant_internal.run_past_policies(root, format('delete from %s where %I::text = %L', root, tenant_column, b));
    end if;
    update pg_index set indisvalid = false where indrelid = rel and indexrelid <> index;
    perform set_config('enable_' || way, 'off', true) from unnest(ways) way;
    reached := tenant_internal.run_as((select oid from pg_roles where rolname = as_role), tenant_internal.entry_of_proof(a) || statement
        || '; select pg_catalog.current_setting(''tenant_prove.calls'')');
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return coalesce(reached, 'null') || ' rows';
    when others then return sqlstate;
end
$$;
revoke all on function tenant_internal.attack_index(name, text, text, regclass, name, text, text[], boolean) from public;

-- The same number of calls with the other's row and without it, by each index that the table has: paths as in
-- tenant_internal.prove_table.
create function tenant_internal.prove_indexes(rel regclass, tenant_column name, as_role name, a text, b text)
    returns table (path text, expected text, got text)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    part record;
    form record;
    there jsonb;        -- the other's value and its type
    literal text;
    counted text;
    again text;
begin
    for part in
        select i.indexrelid::regclass as index, n, pg_get_indexdef(i.indexrelid, n, true) as key, i.indkey[n - 1] as attnum,
            coalesce(' and (' || pg_get_expr(i.indpred, i.indrelid) || ')', '') as predicate, oc.opcfamily, oc.opcintype
        from pg_index i join pg_class c on c.oid = i.indrelid and c.relkind <> 'p'
            cross join lateral generate_series(1, i.indnkeyatts) n join pg_opclass oc on oc.oid = i.indclass[n - 1]
        where i.indrelid = rel and i.indisvalid order by i.indexrelid, n
    loop
        continue when exists (select from pg_attribute where attrelid = rel and attnum = part.attnum and attname = tenant_column);
        begin
            there := tenant_internal.run_past_policies(rel, format(
                'select pg_catalog.jsonb_build_array((%1$s)::pg_catalog.text, pg_catalog.pg_typeof(%1$s)::pg_catalog.text) from %2$s where %3$I::pg_catalog.text = %4$L limit 1',
                part.key, rel, tenant_column, b));
        exception when others then
            path := format('index %s: %s', part.index, part.key);
            expected := 'the other''s row';
            got := sqlstate;
            return next;
            continue;
        end;
        continue when there is null;
        for form in
            select f.name, f.statement, f.ways, format('operator(%I.%s)', o.oprnamespace::regnamespace, o.oprname) as operator,
                case when o.oprright = o.oprleft or t.typtype = 'p' then there ->> 1 else format_type(o.oprright, null) end as type,
                case when o.oprright = o.oprleft or t.typtype = 'p' then there ->> 0
                    else case t.typcategory when 'G' then '(0,0)' when 'N' then '1' when 'D' then '2020-01-01' when 'T' then '1 day'
                        else case when t.typname = 'tsquery' then 'x' else there ->> 0 end end end as value
            from (values
                    ('condition', 's', 'index_scan', false, array['seqscan', 'bitmapscan'],
                        'select pg_catalog.count(*) from %1$s where (%2$s) %3$s %4$s.tenant_prove_counted(%5$s)%6$s'),
                    ('bitmap', 's', 'bitmap_scan', false, array['seqscan', 'indexscan', 'indexonlyscan'],
                        'select pg_catalog.count(*) from %1$s where (%2$s) %3$s %4$s.tenant_prove_counted(%5$s)%6$s'),
                    ('bitmap of many', 's', 'bitmap_scan', true, array['seqscan', 'indexscan', 'indexonlyscan'],
                        'select pg_catalog.count(*) from %1$s where (%2$s) %3$s %4$s.tenant_prove_counted(%5$s)%6$s'),
                    ('inner scan', 's', 'index_scan', false, array['seqscan', 'bitmapscan'],
                        'select pg_catalog.sum(tenant_prove_n) from (values (%5$s), (%5$s)) tenant_prove (tenant_prove_v),
                            lateral (select pg_catalog.count(*) as tenant_prove_n from %1$s
                                where (%2$s) %3$s %4$s.tenant_prove_counted(tenant_prove_v)%6$s) tenant_prove_inner'),
                    ('order', 'o', 'index_scan', false, array['seqscan', 'bitmapscan', 'sort'],
                        'select from %1$s where true%6$s order by (%2$s) %3$s %4$s.tenant_prove_counted(%5$s)')
                ) f (name, purpose, property, wide, ways, statement)
                cross join lateral (
                    select po.*, po.oid as operator from pg_amop ao join pg_operator po on po.oid = ao.amopopr
                    where ao.amopfamily = part.opcfamily and ao.amoplefttype = part.opcintype and ao.amoppurpose = f.purpose::"char"
                        and (not f.wide or po.oprname = '>=' and ao.amoprighttype = ao.amoplefttype)
                    order by ao.amoprighttype = ao.amoplefttype desc, array_position(array['=', '~=', '&&', '@>', '@@'], po.oprname::text) nulls last, ao.amopstrategy limit 1
                ) o
                join pg_type t on t.oid = o.oprright
            where pg_index_has_property(part.index, f.property)
        loop
            literal := format('%L::%s', form.value, form.type);
            path := format('index %s: %s on %s', part.index, form.name, part.key);
            expected := 'as many calls without the other''s row';
            if there ->> 0 is null then
                got := 'the other''s row has no value there';
            else
                form.statement := format(form.statement, rel, part.key, form.operator,
                    quote_ident(tenant_internal.proof_schema()), literal, part.predicate);
                counted := tenant_internal.attack_index(as_role, a, b, part.index, tenant_column, form.statement, form.ways, false);
                again := tenant_internal.attack_index(as_role, a, b, part.index, tenant_column, form.statement, form.ways, true);
                got := case when counted !~ ' rows$' then counted when counted = again then 'as many'
                    else format('%s, and %s without it', replace(counted, 'rows', 'calls'), replace(again, ' rows', '')) end;
            end if;
            return next;
        end loop;
    end loop;
end
$$;
revoke all on function tenant_internal.prove_indexes(regclass, name, name, text, text) from public;
