-- Which tenant a key belongs to, before one is known: sign-in by e-mail, an API key, a webhook's id, a host.
--
-- The owner of a table declares a column of it, with a reason; then who may enter tenants and has entered none asks by
-- one value and is told tenant and row, and no other column. It is the only statement that reads across tenants for
-- them, so nothing in it is theirs but the value, which is a parameter.

create table tenant.lookups (
    relation regclass not null,
    key_column name not null,
    row_column name not null,
    reason text not null,
    declared_at timestamptz not null default now(),
    declared_by name not null default current_user,
    -- The numbers of the columns: a declaration ends when its column is dropped, and does not hold for another column
    -- that gets the name later. Dumps leave them out.
    key_number smallint not null,
    row_number smallint not null,
    primary key (relation, key_column)
);
comment on table tenant.lookups is 'By which columns the tenant of a row may be asked for with no tenant entered, and why.';
grant select, delete on tenant.lookups to tenant_admin;
grant insert (relation, key_column, row_column, reason), update (reason) on tenant.lookups to tenant_admin;
-- Dumps leave out declarations that have ended.
select pg_catalog.pg_extension_config_dump('tenant.lookups',
    'where exists (select from pg_catalog.pg_attribute where attrelid = relation and attnum = key_number and attname = key_column)
        and exists (select from pg_catalog.pg_attribute where attrelid = relation and attnum = row_number and attname = row_column)');

create function tenant_internal.number_lookup() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.key_number := coalesce((select attnum from pg_attribute where attrelid = new.relation and attname = new.key_column), 0);
    new.row_number := coalesce((select attnum from pg_attribute where attrelid = new.relation and attname = new.row_column), 0);
    return new;
end
$$;
revoke all on function tenant_internal.number_lookup() from public;
create trigger number before insert or update on tenant.lookups for each row execute function tenant_internal.number_lookup();
alter table tenant.lookups enable always trigger number;

-- The column that identifies a row within its tenant: the primary key's column beside the tenant column, or its only
-- column.
create function tenant_internal.lookup_row(rel regclass) returns smallint
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case cardinality(rest) when 0 then tenant_internal.fence_column(rel) when 1 then rest[1] end
    from pg_index i
    cross join lateral (select array(select k from unnest(i.indkey::smallint[]) with ordinality u (k, at)
        where at <= i.indnkeyatts and k <> tenant_internal.fence_column(rel)) as rest) r
    where i.indrelid = rel and i.indisprimary and i.indisvalid
$$;
revoke all on function tenant_internal.lookup_row(regclass) from public;
grant execute on function tenant_internal.lookup_row(regclass) to tenant_admin;

-- The operator by which an index finds a value of the column; null where none does.
create function tenant_internal.lookup_operator(rel regclass, key_column name) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('operator(%I.%s)', n.nspname, o.oprname)
    from pg_attribute a
    join pg_index i on i.indrelid = a.attrelid and i.indkey[0] = a.attnum and i.indcollation[0] = a.attcollation
        and i.indisvalid and i.indpred is null
    join pg_class c on c.oid = i.indexrelid
    join pg_am m on m.oid = c.relam and m.amname in ('btree', 'hash')
    join pg_opclass k on k.oid = i.indclass[0]
    join pg_amop p on p.amopfamily = k.opcfamily and p.amoplefttype = k.opcintype and p.amoprighttype = k.opcintype
        and p.amopstrategy = case m.amname when 'btree' then 3 else 1 end
    join pg_operator o on o.oid = p.amopopr
    join pg_namespace n on n.oid = o.oprnamespace
    where a.attrelid = rel and a.attname = lookup_operator.key_column and not a.attisdropped
    order by k.opcdefault desc, i.indexrelid limit 1
$$;
revoke all on function tenant_internal.lookup_operator(regclass, name) from public;
grant execute on function tenant_internal.lookup_operator(regclass, name) to tenant_admin;

-- Why tenants cannot be looked up by this column; null where they can.
create function tenant_internal.lookup_obstacle(rel regclass, key_column name) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
        when tenant_internal.fence_column(rel) is null then 'The table is not protected.'
        when not exists (select from pg_attribute where attrelid = rel and attname = key_column and attnum > 0 and not attisdropped) then
            'It has no such column.'
        when exists (select from pg_attribute where attrelid = rel and attname = key_column and attnum = tenant_internal.fence_column(rel)) then
            'It is the tenant column itself.'
        when tenant_internal.lookup_operator(rel, key_column) is null then
            'No btree or hash index without a condition begins with it, in its own collation.'
        when tenant_internal.lookup_row(rel) is null then
            'The table''s primary key is not the tenant column and at most one other, which would say which row it is.'
    end
$$;
revoke all on function tenant_internal.lookup_obstacle(regclass, name) from public;
grant execute on function tenant_internal.lookup_obstacle(regclass, name) to tenant_admin;

-- Why a declaration does not stand any more; null where it does.
create function tenant_internal.lookup_ended(declared tenant.lookups) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
        when not exists (select from pg_attribute where attrelid = declared.relation and attnum = declared.key_number
            and attname = declared.key_column and not attisdropped) then 'The column was dropped or has another name.'
        when tenant_internal.lookup_obstacle(declared.relation, declared.key_column) is not null then
            tenant_internal.lookup_obstacle(declared.relation, declared.key_column)
        when tenant_internal.lookup_row(declared.relation) <> declared.row_number
            or not exists (select from pg_attribute where attrelid = declared.relation and attnum = declared.row_number
                and attname = declared.row_column and not attisdropped) then 'The table has got another primary key.'
    end
$$;
revoke all on function tenant_internal.lookup_ended(tenant.lookups) from public;
grant execute on function tenant_internal.lookup_ended(tenant.lookups) to tenant_admin;

create function tenant.allow_lookup(rel regclass, key_column name, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    obstacle text;
begin
    perform tenant_internal.give_reason(reason);
    perform tenant_internal.require_owner(rel);
    obstacle := tenant_internal.lookup_obstacle(rel, key_column);
    if obstacle is not null then
        raise exception using
            errcode = 'TN057',
            message = format('tenants cannot be looked up by column "%s" of table %s', key_column, rel),
            detail = obstacle,
            hint = format('It takes a protected table with primary key (<tenant column>, <row>), and: create index on %s (%I);',
                rel, key_column);
    end if;
    perform tenant_internal.forget_dropped();
    insert into tenant.lookups as l (relation, key_column, row_column, reason)
        values (rel, allow_lookup.key_column,
            (select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.lookup_row(rel)), allow_lookup.reason)
        on conflict on constraint lookups_pkey do update set reason = excluded.reason;
    -- An older declaration for another row column, or for a dropped column of this name, has ended.
    if exists (select from tenant.lookups l where l.relation = rel and l.key_column = allow_lookup.key_column
            and tenant_internal.lookup_ended(l) is not null) then
        delete from tenant.lookups l where l.relation = rel and l.key_column = allow_lookup.key_column;
        insert into tenant.lookups (relation, key_column, row_column, reason)
            values (rel, allow_lookup.key_column,
                (select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.lookup_row(rel)), allow_lookup.reason);
    end if;
end
$$;
comment on function tenant.allow_lookup is 'Declares that the tenant of a row may be asked for by this column, with no tenant entered, and why. TN057 where it cannot be.';
revoke all on function tenant.allow_lookup(regclass, name, text) from public;
grant execute on function tenant.allow_lookup(regclass, name, text) to tenant_admin;

create function tenant.disallow_lookup(rel regclass, key_column name, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason);
    perform tenant_internal.require_owner(rel);
    delete from tenant.lookups l where l.relation = rel and l.key_column = disallow_lookup.key_column;
    if not found then
        perform tenant_internal.refuse_lookup(rel, key_column, 'tenant.lookups has no such line.');
    end if;
end
$$;
comment on function tenant.disallow_lookup is 'Takes back what allow_lookup has declared.';
revoke all on function tenant.disallow_lookup(regclass, name, text) from public;
grant execute on function tenant.disallow_lookup(regclass, name, text) to tenant_admin;

create function tenant_internal.refuse_lookup(rel regclass, key_column name, why text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN056',
        message = format('no lookup of tenants by column "%s" of table %s is declared', key_column, rel),
        detail = why,
        hint = format('The table''s owner declares it: select tenant.allow_lookup(%L, %L, ''<reason>'');', rel, key_column);
end
$$;
revoke all on function tenant_internal.refuse_lookup(regclass, name, text) from public;
grant execute on function tenant_internal.refuse_lookup(regclass, name, text) to tenant_admin;

-- SECURITY DEFINER, and the one statement in it runs as the table's owner, restricted: nothing of it is the caller's
-- but the value. Strict is off for it, since there is no tenant.
create function tenant.lookup(rel regclass, key_column name, value text) returns table (tenant_id text, row_id text)
    language plpgsql volatile strict rows 1 security definer
    set search_path = pg_catalog, pg_temp set pg_tenant.strict = off set max_parallel_workers_per_gather = 0 as $$
declare
    most constant integer := 100;
    declared tenant.lookups;
    key pg_attribute;
    why text;
    due jsonb;
    found_rows jsonb;
begin
    select * into declared from tenant.lookups l where l.relation = rel and l.key_column = lookup.key_column;
    why := case when found then tenant_internal.lookup_ended(declared) else 'tenant.lookups has no such line.' end;
    if why is not null then
        perform tenant_internal.refuse_lookup(rel, key_column, why);
    end if;
    due := tenant_internal.count_lookup(rel, declared.key_number);
    select * into key from pg_attribute where attrelid = rel and attnum = declared.key_number;
    found_rows := tenant_internal.run_lookup(rel, format(
        'select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(f.t, f.r)) from (
            select l.%1$I::pg_catalog.text as t, l.%2$I::pg_catalog.text as r from %3$s l
            where l.%4$I %5$s cast($1 as %6$s) and l.%1$I is not null limit %7$s) f',
        (select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.fence_column(rel)),
        declared.row_column, rel, declared.key_column, tenant_internal.lookup_operator(rel, key_column),
        format_type(key.atttypid, -1), most + 1), value);
    if jsonb_array_length(found_rows) > most then
        raise exception using
            errcode = 'TN058',
            message = format('more than %s rows have this value in column "%s" of table %s', most, key_column, rel),
            detail = 'It is no key of one row in each of a few tenants.',
            hint = format('select tenant.disallow_lookup(%L, %L, ''<reason>'');', rel, key_column);
    end if;
    if due is not null and current_setting('transaction_read_only') = 'off' then
        insert into tenant.journal (action, object, detail, role, session_role) values ('lookup', rel::text,
            jsonb_build_object('column', key_column, 'since', to_timestamp((due ->> 'since')::bigint),
                'lookups', due -> 'lookups', 'refused', due -> 'refused'), session_user, session_user);
    end if;
    return query select line ->> 0, line ->> 1 from jsonb_array_elements(found_rows) line;
end
$$;
comment on function tenant.lookup is 'Tenant and row of this value in a column that allow_lookup has declared, with no tenant entered. TN056 not declared, TN058 too many, TN110 inside a tenant.';
revoke all on function tenant.lookup(regclass, name, text) from public;
grant execute on function tenant.lookup(regclass, name, text) to tenant_user;
