-- Protecting a table.
--
-- tenant.protect and tenant.unprotect are C functions that run the functions apply_protection and remove_protection
-- below with the guards off (setting pg_tenant.guards) until they return or fail. All run with the caller's rights: who
-- protects a table must own it. What they do to the table they do as its owner, by tenant.run_as_owner.

-- What becomes of keys without the tenant: they stay; they get it, but for surrogate keys, which stay beside one that has it;
-- all get it. 0.1.0 took a boolean, and whoever passes one goes on.
create type tenant.key_form as enum ('false', 'true', 'all');
create function tenant.key_form(harden boolean) returns tenant.key_form
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select case when harden then 'true'::tenant.key_form else 'false'::tenant.key_form end
$$;
revoke all on function tenant.key_form(boolean) from public;
grant execute on function tenant.key_form(boolean) to tenant_admin;
create cast (boolean as tenant.key_form) with function tenant.key_form(boolean) as implicit;

create function tenant.fence_policy(rel regclass) returns oid
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_fence_policy';
comment on function tenant.fence_policy(regclass) is 'The table''s tenant policy, recognised by what it does; null where it has none.';
revoke all on function tenant.fence_policy(regclass) from public;
grant execute on function tenant.fence_policy(regclass) to tenant_admin;

create function tenant.fence_column(rel regclass) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_fence_column';
comment on function tenant.fence_column(regclass) is 'The number of the table''s tenant column; null where it is not protected.';
revoke all on function tenant.fence_column(regclass) from public;
grant execute on function tenant.fence_column(regclass) to tenant_admin;

create function tenant.former_column(policy oid) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_former_column';
comment on function tenant.former_column(oid) is 'The number of the tenant column where the policy is one that pg_tenant 0.1.0 made, which the planner can take out of a plan; else null.';
revoke all on function tenant.former_column(oid) from public;
grant execute on function tenant.former_column(oid) to tenant_admin;

create function tenant.has_shared_rows(rel regclass) returns boolean
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_has_shared_rows';
comment on function tenant.has_shared_rows(regclass) is 'Whether rows without a tenant are every tenant''s to read; null where the table is not protected.';
revoke all on function tenant.has_shared_rows(regclass) from public;
grant execute on function tenant.has_shared_rows(regclass) to tenant_admin;

-- Which rows a policy lets through, whichever command it is for: the tenant's ('own'), those and rows without a tenant
-- ('shared'), the tenant's as 0.1.0 said it ('former'); null where it says anything else.
create function tenant.policy_form(policy oid) returns text
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_policy_form';
revoke all on function tenant.policy_form(oid) from public;
grant execute on function tenant.policy_form(oid) to tenant_admin;

-- The table and every partition and child below it, the table first. Each step looks its few rows up by index, whatever
-- the planner thinks of their number: what protect costs must not grow with the database.
create function tenant.hierarchy(rel regclass) returns setof regclass
    language sql stable rows 1 set search_path = pg_catalog, pg_temp as $$
    with recursive tree (relation, depth) as (
        select rel::oid, 0
        union all
        select i.inhrelid, depth + 1 from tree
            cross join lateral (select inhrelid from pg_inherits where inhparent = tree.relation offset 0) i
    )
    select relation::regclass from tree group by relation order by min(depth), relation
$$;
revoke all on function tenant.hierarchy(regclass) from public;
grant execute on function tenant.hierarchy(regclass) to tenant_admin;

-- The table of the tenants themselves: its tenant column is a key by itself and has a value of its own for a new row, so
-- the current tenant is none of its defaults. (A table with at most one row a tenant has no such default.)
create function tenant.is_root(rel regclass, tenant_column name) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = rel and a.attname = tenant_column and a.attgenerated = ''
            and (a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) !~ '^tenant\.current_(id|uuid|bigint)\(\)')
            and exists (select from pg_index i where i.indrelid = rel and i.indisunique and i.indisvalid and i.indpred is null
                and i.indnkeyatts = 1 and i.indkey[0] = a.attnum))
$$;
revoke all on function tenant.is_root(regclass, name) from public;
grant execute on function tenant.is_root(regclass, name) to tenant_admin;

-- Refuses an owner that cannot make an index where the table is, in words that name the right.
create function tenant.require_create(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    class pg_class;
begin
    select * into class from pg_class where oid = rel;
    if not has_schema_privilege(class.relowner, class.relnamespace, 'create')
        and not has_schema_privilege(current_user, class.relnamespace, 'create') then
        raise exception using
            errcode = '42501',
            message = format('permission denied for schema %s: protecting table %s makes an index in it',
                class.relnamespace::regnamespace, rel),
            detail = format('The owner of the table, role %s, may not create in the schema, and no index of the table leads with the tenant column.',
                class.relowner::regrole),
            hint = format('grant create on schema %s to %s;', class.relnamespace::regnamespace, class.relowner::regrole);
    end if;
end
$$;
revoke all on function tenant.require_create(regclass) from public;
grant execute on function tenant.require_create(regclass) to tenant_admin;

-- The tenant column of a table: as a mapping says, {"table": "column", ...}, else as it is for all.
create function tenant.column_of(rel regclass, tenant_column name, columns jsonb) returns name
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce((columns ->> (select relname::text from pg_class where oid = rel))::name, tenant_column)
$$;
revoke all on function tenant.column_of(regclass, name, jsonb) from public;
grant execute on function tenant.column_of(regclass, name, jsonb) to tenant_admin;

-- What a table that is not protected has to do with those that are, or are about to be: by a foreign key, at any distance.
create function tenant.said_of_open_table(rel regclass, tenant_column name, columns jsonb) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    reached regclass;
    keyed name;
begin
    with recursive reach (relation, depth) as (
        select rel::oid, 0
        union
        select c.confrelid, r.depth + 1 from reach r join pg_constraint c on c.conrelid = r.relation and c.contype = 'f'
        where r.depth < 100 and (r.depth = 0 or not (
            tenant.fence_policy(r.relation::regclass) is not null
            or exists (select from tenant.shared s where s.relation = r.relation)
            or exists (select from pg_attribute a where a.attrelid = r.relation
                and a.attname = tenant.column_of(r.relation::regclass, tenant_column, columns) and not a.attisdropped)))
    )
    select r.relation into reached from reach r
        where r.depth > 0 and (tenant.fence_policy(r.relation::regclass) is not null
            or exists (select from pg_attribute a where a.attrelid = r.relation
                and a.attname = tenant.column_of(r.relation::regclass, tenant_column, columns) and not a.attisdropped))
            and r.relation not in (select s.relation from tenant.shared s)
        order by r.depth, r.relation limit 1;
    if found then
        return format(', and it refers to %s: every tenant reads and writes all of it', reached);
    end if;
    select f.attname into keyed from pg_constraint c
        join pg_attribute a on a.attrelid = c.conrelid
            and a.attname = tenant.column_of(c.conrelid::regclass, tenant_column, columns) and c.conkey = array[a.attnum]
        join pg_attribute f on f.attrelid = c.confrelid and f.attnum = c.confkey[1]
        where c.contype = 'f' and c.confrelid = rel limit 1;
    if found then
        return format(', and it is the table of the tenants: select tenant.protect(%L, %L);', rel, keyed);
    end if;
    return '';
end
$$;
revoke all on function tenant.said_of_open_table(regclass, name, jsonb) from public;
grant execute on function tenant.said_of_open_table(regclass, name, jsonb) to tenant_admin;

-- An error where the relation cannot have policies that last.
create function tenant.require_table(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    class pg_class;
begin
    select * into class from pg_class where oid = rel;
    if class.relkind not in ('r', 'p') then
        raise exception using
            errcode = 'TN020',
            message = format('cannot protect %s: it is not a table', rel),
            detail = format('It is %s, which cannot have policies.', case class.relkind
                when 'v' then 'a view' when 'm' then 'a materialized view' when 'f' then 'a foreign table'
                when 'S' then 'a sequence' when 'i' then 'an index' else 'no table' end),
            hint = case class.relkind
                when 'v' then 'Protect the tables under it, and give the view security_invoker = true.'
                when 'm' then 'Protect the tables under it and use a view with security_invoker = true instead.'
                when 'f' then 'Protect the table on the foreign server, and let each tenant connect as a role of its own.'
                else 'Name a table.' end;
    end if;
    if class.relpersistence = 't' then
        raise exception using
            errcode = 'TN020',
            message = format('cannot protect %s: it is a temporary table', rel),
            detail = 'It ends with the session.',
            hint = 'Create it with on commit drop: then it never meets another tenant.';
    end if;
    if class.relnamespace = 'pg_catalog'::regnamespace or class.relnamespace = 'information_schema'::regnamespace
        or exists (select from pg_depend where classid = 'pg_class'::regclass and objid = rel and deptype = 'e') then
        raise exception using
            errcode = 'TN020',
            message = format('cannot protect %s: it belongs to PostgreSQL or to an extension', rel),
            detail = 'Its owner replaces it on upgrade, and the protection with it.',
            hint = 'Keep tenants'' rows in tables of the application.';
    end if;
end
$$;
revoke all on function tenant.require_table(regclass) from public;
grant execute on function tenant.require_table(regclass) to tenant_admin;

-- The call that reads the current tenant in the type of the column; an error for each thing that cannot be protected.
create function tenant.reader_for(rel regclass, tenant_column name) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    col pg_attribute;
    policy record;
begin
    perform tenant.require_table(rel);
    select * into col from pg_attribute where attrelid = rel and attname = tenant_column and attnum > 0 and not attisdropped;
    if not found then
        raise exception using
            errcode = 'TN021',
            message = format('table %s has no column "%s"', rel, tenant_column),
            detail = 'Every protected table says in a column of its own which tenant a row belongs to.',
            hint = format('Name the column that does: tenant.protect(%L, tenant_column => ''...''), or add one. '
                'Where the table is the same for every tenant: tenant.share(%1$L, reason => ''...'').', rel);
    end if;
    if col.attgenerated <> '' or col.attidentity <> '' and not tenant.is_root(rel, tenant_column) then
        raise exception using
            errcode = 'TN022',
            message = format('column "%s" of table %s cannot hold the tenant', tenant_column, rel),
            detail = 'It is generated: it cannot take the current tenant as its default.',
            hint = 'Use an ordinary column.';
    end if;
    if col.attcollation <> 0
        and not (select collisdeterministic from pg_collation where oid = col.attcollation) then
        raise exception using
            errcode = 'TN023',
            message = format('column "%s" of table %s has a nondeterministic collation', tenant_column, rel),
            detail = 'Under it, texts that differ can be equal: one tenant would see another''s rows.',
            hint = format('alter table %s alter column %I type text collate "C";', rel, tenant_column);
    end if;
    if tenant.membership_through(rel) is not null then
        raise exception using
            errcode = 'TN025',
            message = format('table %s is protected already, by membership through %s', rel, tenant.membership_through(rel)),
            detail = format('It cannot be protected by column "%s" as well.', tenant_column),
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', rel);
    end if;
    if tenant.fence_column(rel) <> col.attnum then
        raise exception using
            errcode = 'TN025',
            message = format('table %s is protected already, by column "%s"', rel,
                (select attname from pg_attribute where attrelid = rel and attnum = tenant.fence_column(rel))),
            detail = format('It cannot be protected by column "%s" as well.', tenant_column),
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', rel);
    end if;
    select polname into policy from pg_policy
        where polrelid = rel and polname = 'tenant_isolation' and oid is distinct from tenant.fence_policy(rel);
    if found and tenant.fence_policy(rel) is null or tenant.has_shared_rows(rel) and exists (
        select from pg_policy p where p.polrelid = rel and p.polname = 'tenant_isolation'
            and (p.polpermissive or p.polroles <> '{0}' or p.polcmd <> '*' or tenant.policy_form(p.oid) is distinct from 'shared')) then
        raise exception using
            errcode = 'TN026',
            message = format('table %s has a policy named "tenant_isolation" that is not a tenant policy', rel),
            detail = 'A tenant policy is restrictive, for all commands, to public, and compares the tenant column with the current tenant.',
            hint = format('alter policy tenant_isolation on %s rename to ...; or drop policy tenant_isolation on %1$s;', rel);
    end if;

    case
        when col.atttypid = 'uuid'::regtype then return 'tenant.current_uuid()';
        when col.atttypid in ('bigint'::regtype, 'integer'::regtype, 'smallint'::regtype) then
            return 'tenant.current_bigint()';
        when col.atttypid in ('text'::regtype, 'varchar'::regtype) then return 'tenant.current_id()';
        else
            raise exception using
                errcode = 'TN022',
                message = format('column "%s" of table %s cannot hold the tenant', tenant_column, rel),
                detail = format('It is of type %s.', format_type(col.atttypid, col.atttypmod)),
                hint = 'Use uuid, bigint, integer, smallint, text or varchar.';
    end case;
end
$$;
revoke all on function tenant.reader_for(regclass, name) from public;
grant execute on function tenant.reader_for(regclass, name) to tenant_admin;

-- A materialized view is filled with its owner's rights, has no policies, and breaks the restore of a dump.
create function tenant.refuse_materialized_views(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    found_view regclass;
begin
    with recursive dependents (relation) as (
        select tenant.hierarchy(rel)::oid
        union
        select r.ev_class from dependents
            cross join lateral (
                select objid from pg_depend
                where refclassid = 'pg_class'::regclass and refobjid = dependents.relation and classid = 'pg_rewrite'::regclass offset 0
            ) d
            cross join lateral (select ev_class from pg_rewrite where oid = d.objid offset 0) r
    )
    select relation into found_view from dependents
        cross join lateral (select relkind from pg_class where oid = relation offset 0) c
        where c.relkind = 'm' and relation <> rel and relation not in (select s.relation::oid from tenant.shared s) limit 1;
    if found then
        raise exception using
            errcode = 'TN027',
            message = format('cannot protect %s: materialized view %s holds its rows', rel, found_view),
            detail = 'A materialized view has no policies: whoever may read it reads every tenant''s rows.',
            hint = format('Drop it, or make it a view with security_invoker = true. Where every tenant may see what is in it: '
                'select tenant.share(%L, ''<reason>'');', found_view);
    end if;
end
$$;
revoke all on function tenant.refuse_materialized_views(regclass) from public;
grant execute on function tenant.refuse_materialized_views(regclass) to tenant_admin;

-- A command that reaches what is below is run as the owner of the table, whose rights end at what is somebody else's.
create function tenant.require_one_owner(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    owner oid := (select relowner from pg_class where oid = rel);
    other record;
begin
    select c.oid::regclass as relation, c.relowner::regrole as owner into other
        from tenant.hierarchy(rel) h join pg_class c on c.oid = h where c.relowner <> owner limit 1;
    if found then
        raise exception using
            errcode = 'TN054',
            message = format('cannot protect %s: %s below it belongs to another role', rel, other.relation),
            detail = format('Their owners are %s and %s; what the tenant column needs is done to both at once, as one of them.',
                owner::regrole, other.owner),
            hint = format('alter table %s owner to %s;', other.relation, owner::regrole);
    end if;
end
$$;
revoke all on function tenant.require_one_owner(regclass) from public;
grant execute on function tenant.require_one_owner(regclass) to tenant_admin;

-- Refuses foreign keys whose actions would take the tenant from rows, which makes them everybody's.
create function tenant.refuse_publishing_keys(rel regclass, tenant_column name) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    key pg_constraint;
begin
    select f.* into key from tenant.hierarchy(rel) h
        join pg_attribute a on a.attrelid = h and a.attname = tenant_column
        join pg_constraint f on f.conrelid = h and f.contype = 'f' and a.attnum = any (f.conkey)
        where f.confupdtype in ('n', 'd')
            or f.confdeltype in ('n', 'd') and a.attnum = any (coalesce(f.confdelsetcols, f.conkey))
        order by f.conparentid, f.conname limit 1;
    if found then
        raise exception using
            errcode = 'TN073',
            message = format('foreign key %I of table %s would make rows every tenant''s', key.conname, key.conrelid::regclass),
            detail = format('Where the row it refers to goes or changes, it sets tenant column "%s" to null, outside of the policies.', tenant_column),
            hint = format('Make it again with on delete cascade or no action; with several columns: on delete set null (%s).',
                coalesce((select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
                    where attrelid = key.conrelid and attnum = any (key.conkey) and attname <> tenant_column), '...'));
    end if;
end
$$;
revoke all on function tenant.refuse_publishing_keys(regclass, name) from public;
grant execute on function tenant.refuse_publishing_keys(regclass, name) to tenant_admin;

-- Whether the table is to have rows that are every tenant's: as it is protected already, else as is asked. What is below
-- may have been protected without, and stays so.
create function tenant.will_share_rows(rel regclass, asked boolean) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(tenant.has_shared_rows(rel), asked)
$$;
revoke all on function tenant.will_share_rows(regclass, boolean) from public;
grant execute on function tenant.will_share_rows(regclass, boolean) to tenant_admin;

-- Refuses a table that cannot have rows without a tenant.
create function tenant.require_shareable(rel regclass, tenant_column name) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    policy name;
begin
    if not tenant.has_shared_rows(rel) then
        raise exception using
            errcode = 'TN025',
            message = format('table %s is protected already, without shared rows', rel),
            detail = 'Its tenant column is not null: no row of it is every tenant''s.',
            hint = format('In one transaction: select tenant.unprotect(%1$L, ''<reason>''); alter table %1$s alter column %2$I drop not null; '
                'select tenant.protect(%1$L, %2$L, shared_rows => true);', rel, tenant_column);
    end if;
    if tenant.has_shared_rows(rel) is null
        and (select attnotnull from pg_attribute where attrelid = rel and attname = tenant_column) then
        raise exception using
            errcode = 'TN022',
            message = format('column "%s" of table %s cannot be null, so no row of it is every tenant''s', tenant_column, rel),
            detail = case when exists (select from pg_index i join pg_attribute a on a.attrelid = rel and a.attname = tenant_column
                    where i.indrelid = rel and i.indisprimary and a.attnum = any (i.indkey))
                then 'It is part of the primary key.' else 'It is declared not null.' end,
            hint = format('alter table %s alter column %I drop not null; or protect it without shared_rows.', rel, tenant_column);
    end if;
    select p.polname into policy from pg_policy p
        where p.polrelid = rel and p.polname in ('tenant_isolation_update', 'tenant_isolation_delete')
            and (p.polpermissive or p.polroles <> '{0}' or tenant.policy_form(p.oid) is distinct from 'own'
                or p.polcmd <> case p.polname when 'tenant_isolation_update' then 'w' else 'd' end)
        limit 1;
    if found then
        raise exception using
            errcode = 'TN026',
            message = format('table %s has a policy named "%s" that is not a tenant policy', rel, policy),
            detail = 'The tenant policy for this command is restrictive, to public, and lets the current tenant''s rows through alone.',
            hint = format('alter policy %I on %s rename to ...; or drop policy %1$I on %2$s;', policy, rel);
    end if;
end
$$;
revoke all on function tenant.require_shareable(regclass, name) from public;
grant execute on function tenant.require_shareable(regclass, name) to tenant_admin;

-- The commands that fence one table of a hierarchy, as it is now.
create function tenant.fence_steps(rel regclass, tenant_column name, reader text, shared_rows boolean)
    returns table (what text, statement text)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    -- The equality leads the planner to indexes, and it may take it out of the plan again; the function decides.
    own constant text := format('%I operator(pg_catalog.=) %s and tenant.is_current(%1$I)', tenant_column, reader);
    shown constant text := case when shared_rows
        then format('(%I operator(pg_catalog.=) %s or %1$I is null) and tenant.is_current_or_shared(%1$I)', tenant_column, reader)
        else own end;
    fenced boolean := tenant.fence_policy(rel) is not null;
    former pg_policy;
    command record;
begin
    -- Where it is said already the command would only ask for the rights of whoever owns what is below.
    if not shared_rows and (not (select attnotnull from pg_attribute where attrelid = rel and attname = tenant_column)
        or exists (select from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attname = tenant_column
            where c.conrelid = rel and c.contype = 'n' and c.conkey = array[a.attnum] and not c.convalidated)) then
        return query values ('not null', format('alter table %s alter column %I set not null', rel, tenant_column));
    end if;
    -- ONLY: each table below is fenced by itself, as its own owner.
    if not tenant.is_root(rel, tenant_column) and reader is distinct from (
        select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d
        join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum where a.attrelid = rel and a.attname = tenant_column) then
        return query values ('default', format('alter table only %s alter column %I set default %s', rel, tenant_column, reader));
    end if;
    if not (select relrowsecurity and relforcerowsecurity from pg_class where oid = rel) then
        return query values ('security', format('alter table %s enable row level security, force row level security', rel));
    end if;
    -- What 0.1.0 made becomes what this version makes.
    for former in
        select p.* from pg_policy p join pg_attribute a on a.attrelid = rel and a.attname = tenant_column
        where p.polrelid = rel and tenant.former_column(p.oid) = a.attnum
            and p.polcmd = '*' and p.polroles = '{0}' and (not p.polpermissive or p.polname = 'tenant_access')
    loop
        fenced := fenced or not former.polpermissive;
        return query values ('policy', format('alter policy %I on %s using (%s) with check (%3$s)', former.polname, rel, own));
    end loop;
    if shared_rows then
        -- These first: the third shows rows that they keep from being changed.
        for command in select * from (values ('w', 'update'), ('d', 'delete')) c (code, word) where not exists (
            select from pg_policy p where p.polrelid = rel and not p.polpermissive and p.polroles = '{0}'
                and p.polcmd = c.code::"char" and tenant.policy_form(p.oid) = 'own')
        loop
            return query values ('policy', format(
                'create policy tenant_isolation_%1$s on %2$s as restrictive for %1$s to public using (%3$s)', command.word, rel, own));
        end loop;
        fenced := exists (select from pg_policy p where p.polrelid = rel and not p.polpermissive and p.polroles = '{0}'
            and p.polcmd = '*' and tenant.policy_form(p.oid) = 'shared');
    end if;
    if not fenced then
        return query values ('policy', format(
            'create policy tenant_isolation on %s as restrictive for all to public using (%s) with check (%s)', rel, shown, own));
    end if;
    -- The same condition, never true: whichever of the two policies is lost, the other denies.
    if not exists (select from pg_policy where polrelid = rel and polpermissive) then
        return query values ('policy', format(
            'create policy tenant_access on %s as permissive for all to public using (%s) with check (%s)', rel, shown, own));
    end if;
    if not exists (
        select from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am on pg_am.oid = c.relam
        where i.indrelid = rel and i.indisvalid and i.indpred is null and amname = 'btree'
            and i.indkey[0] = (select attnum from pg_attribute where attrelid = rel and attname = tenant_column)
    ) then
        return query values ('index', format('create index on %s (%I)', rel, tenant_column));
    end if;
end
$$;
revoke all on function tenant.fence_steps(regclass, name, text, boolean) from public;
grant execute on function tenant.fence_steps(regclass, name, text, boolean) to tenant_admin;

-- Refuses a step for which somebody lacks a right.
create function tenant.require_step(rel regclass, what text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    case what
        when 'not null' then perform tenant.require_one_owner(rel);
        when 'index' then perform tenant.require_create(rel);
        else null;
    end case;
end
$$;
revoke all on function tenant.require_step(regclass, text) from public;
grant execute on function tenant.require_step(regclass, text) to tenant_admin;

create function tenant.refuse_nulls(rel regclass, tenant_column name) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN024',
        message = format('column "%s" of table %s holds nulls', tenant_column, rel),
        detail = 'A row without a tenant would be nobody''s.',
        hint = format('Give each row its tenant first: update %s set %I = ... where %2$I is null; or, where these rows are every '
            'tenant''s to read: select tenant.protect(%L, %L, shared_rows => true);', rel, tenant_column, rel, tenant_column);
end
$$;
revoke all on function tenant.refuse_nulls(regclass, name) from public;
grant execute on function tenant.refuse_nulls(regclass, name) to tenant_admin;

-- Fences one table of a hierarchy.
create function tenant.fence(rel regclass, tenant_column name, reader text, shared_rows boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    step record;
begin
    for step in select * from tenant.fence_steps(rel, tenant_column, reader, tenant.will_share_rows(rel, shared_rows)) loop
        perform tenant.require_step(rel, step.what);
        if step.what = 'not null' then
            begin
                perform tenant.run_as_owner(rel, step.statement);
            exception when not_null_violation then
                perform tenant.refuse_nulls(rel, tenant_column);
            end;
        else
            perform tenant.run_as_owner(rel, step.statement);
        end if;
    end loop;
end
$$;
revoke all on function tenant.fence(regclass, name, text, boolean) from public;
grant execute on function tenant.fence(regclass, name, text, boolean) to tenant_admin;

-- Fences a table and all below it. The comment of each policy keeps what unprotect gives back: it is the owner's, and goes
-- where the table goes. Foreign tables cannot be fenced: they are an error, or stay closed and are read through their parent.
create function tenant.fence_hierarchy(rel regclass, tenant_column name, refuse_foreign boolean, shared_rows boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    parts regclass[] := array(select h from tenant.hierarchy(rel) h join pg_class c on c.oid = h
        where c.relkind <> 'f' or refuse_foreign);
    part regclass;
    reader text;
    before jsonb := '{}';
begin
    foreach part in array parts loop
        reader := tenant.reader_for(part, tenant_column);
    end loop;
    if shared_rows then
        perform tenant.refuse_publishing_keys(rel, tenant_column);
    end if;
    -- All before any is fenced: what is done to a table reaches those below it.
    foreach part in array parts loop
        before := before || jsonb_build_object(part::text, (
            select jsonb_build_object('enabled', relrowsecurity, 'forced', relforcerowsecurity, 'default', (
                select pg_get_expr(adbin, adrelid) from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
                where adrelid = part and attname = tenant_column
                    and pg_get_expr(adbin, adrelid) !~ '^tenant\.current_(id|uuid|bigint)\(\)'))
            from pg_class where oid = part and tenant.fence_policy(part) is null));
    end loop;
    foreach part in array parts loop
        perform tenant.fence(part, tenant_column, reader, shared_rows);
        if jsonb_typeof(before -> part::text) = 'object' then
            perform tenant.run_as_owner(part, format('comment on policy tenant_isolation on %s is %L', part,
                format('Keeps tenants apart. Before: %s', jsonb_strip_nulls(before -> part::text))));
        end if;
    end loop;
end
$$;
revoke all on function tenant.fence_hierarchy(regclass, name, boolean, boolean) from public;
grant execute on function tenant.fence_hierarchy(regclass, name, boolean, boolean) to tenant_admin;

-- What is asked of a table before it is looked at closer.
create function tenant.require_protectable(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    parent regclass;
begin
    perform tenant.require_owner(rel);
    select inhparent into parent from pg_inherits
        where inhrelid = rel and tenant.fence_policy(inhparent::regclass) is null limit 1;
    if found then
        raise exception using
            errcode = 'TN020',
            message = format('cannot protect %s alone: it belongs to %s', rel, parent),
            detail = 'Reading the parent would read around the protection.',
            hint = format('Protect the whole: select tenant.protect(%L);', parent);
    end if;
    perform tenant.refuse_materialized_views(rel);
end
$$;
revoke all on function tenant.require_protectable(regclass) from public;
grant execute on function tenant.require_protectable(regclass) to tenant_admin;

create function tenant.apply_protection(rel regclass, tenant_column name, harden tenant.key_form, keep_old_keys boolean,
    shared_rows boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant.require_protectable(rel);
    if shared_rows then
        perform tenant.reader_for(rel, tenant_column);
        perform tenant.require_shareable(rel, tenant_column);
    end if;
    perform tenant.fence_hierarchy(rel, tenant_column, refuse_foreign => true,
        shared_rows => tenant.will_share_rows(rel, apply_protection.shared_rows));
    delete from tenant.shared where relation = rel;
    insert into tenant.journal (action, object, detail)
        values ('protect', rel::text, jsonb_build_object('tenant_column', tenant_column)
            || case when tenant.has_shared_rows(rel) then jsonb_build_object('shared_rows', true) else '{}' end);
    if harden <> 'false' then
        perform tenant.apply_hardening(rel, harden, keep_old_keys);
    end if;
    -- A child that a join table got meanwhile takes members no more than the table above it.
    perform tenant.keep_members(above.relation) from (
        with recursive above(relation) as (
            values (rel::oid) union select i.inhparent from pg_inherits i join above a on i.inhrelid = a.relation
        )
        select a.relation::regclass as relation from above a
        where exists (select from tenant.reached_through(a.relation::regclass)) offset 0
    ) above;
end
$$;
revoke all on function tenant.apply_protection(regclass, name, tenant.key_form, boolean, boolean) from public;

create function tenant.protect(rel regclass, tenant_column name default 'tenant_id', harden tenant.key_form default 'false',
    keep_old_keys boolean default false, shared_rows boolean default false) returns void
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_protect';
comment on function tenant.protect is 'Lets every statement on the table see and write the current tenant''s rows only; partitions and children included. With shared_rows every tenant reads the rows without a tenant too. Can be repeated. TN020 to TN027 say what is in the way; TN085 to TN087 what is in the way of harden => true.';
revoke all on function tenant.protect(regclass, name, tenant.key_form, boolean, boolean) from public;
grant execute on function tenant.protect(regclass, name, tenant.key_form, boolean, boolean) to tenant_admin;

-- The tables that stand by themselves: not partitions and children, nor what an extension brought.
create function tenant.tables_of(schema regnamespace) returns setof regclass
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select c.oid::regclass from pg_class c
    where c.relnamespace = schema and c.relkind in ('r', 'p') and c.relpersistence <> 't'
        and not exists (select from pg_inherits where inhrelid = c.oid)
        and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by c.relname
$$;
revoke all on function tenant.tables_of(regnamespace) from public;
grant execute on function tenant.tables_of(regnamespace) to tenant_admin;

-- Whether an error says nothing of the table, but that the transaction or the server is in trouble: it ends the whole call.
create function tenant.is_of_all(state text) returns boolean
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select state ~ '^(08|25|40|53|57|58|XX)'
$$;
revoke all on function tenant.is_of_all(text) from public;
grant execute on function tenant.is_of_all(text) to tenant_admin;

-- The statements that protecting the table would run, or the error that it would end in. Nothing is changed, and nothing
-- locked but for reading.
create function tenant.foresee_protection(rel regclass, tenant_column name, shared_rows boolean) returns setof text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    shares constant boolean := tenant.will_share_rows(rel, shared_rows);
    part regclass;
    step record;
    has_nulls boolean;
begin
    perform tenant.require_protectable(rel);
    for part in select tenant.hierarchy(rel) loop
        perform tenant.reader_for(part, tenant_column);
    end loop;
    if shared_rows then
        perform tenant.require_shareable(rel, tenant_column);
    end if;
    if shares then
        perform tenant.refuse_publishing_keys(rel, tenant_column);
    end if;
    for part in select tenant.hierarchy(rel) loop
        for step in select * from tenant.fence_steps(part, tenant_column, tenant.reader_for(part, tenant_column),
            tenant.will_share_rows(part, shares)) loop
            perform tenant.require_step(part, step.what);
            if step.what = 'not null' then
                -- Not where policies or guards would answer: then it comes to light when the table is protected.
                begin
                    has_nulls := tenant.run_as_owner(part,
                        format('select true from %s where %I is null limit 1', part, tenant_column)) is not null;
                exception when others then
                    if tenant.is_of_all(sqlstate) then
                        raise;
                    end if;
                end;
                if has_nulls then
                    perform tenant.refuse_nulls(part, tenant_column);
                end if;
            end if;
            return next step.statement;
        end loop;
    end loop;
end
$$;
revoke all on function tenant.foresee_protection(regclass, name, boolean) from public;
grant execute on function tenant.foresee_protection(regclass, name, boolean) to tenant_admin;

-- Refuses a mapping that does not say a column for tables of the schema: one misspelt would be left out in silence.
create function tenant.require_columns(schema regnamespace, columns jsonb) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    unknown text;
begin
    if jsonb_typeof(columns) <> 'object' or jsonb_path_exists(columns, 'strict $.* ? (@.type() != "string")', '{}', true) then
        raise exception using
            errcode = '22023',
            message = 'columns is no mapping of tables to columns',
            detail = format('It is %s.', left(columns::text, 200)),
            hint = 'Write columns => ''{"<table>": "<column>", ...}'', each table by its name alone.';
    end if;
    if columns is null then
        return;
    end if;
    select key into unknown from jsonb_object_keys(columns) key
        where key not in (select c.relname::text from tenant.tables_of(schema) t join pg_class c on c.oid = t) limit 1;
    if found then
        raise exception using
            errcode = '42P01',
            message = format('schema %s has no table "%s" to protect', schema, unknown),
            detail = 'The mapping names it. Partitions and children are protected with the table above them.',
            hint = 'Name tables as pg_class.relname has them: without schema, without quotes.';
    end if;
end
$$;
revoke all on function tenant.require_columns(regnamespace, jsonb) from public;
grant execute on function tenant.require_columns(regnamespace, jsonb) to tenant_admin;

-- Refuses names that are none of tables of the schema, likewise.
create function tenant.require_tables(schema regnamespace, tables text[]) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    unknown text;
begin
    select coalesce(listed, 'null') into unknown from unnest(tables) listed
        where listed is null or listed not in (select c.relname::text from tenant.tables_of(schema) t join pg_class c on c.oid = t) limit 1;
    if found then
        raise exception using
            errcode = '42P01',
            message = format('schema %s has no table "%s" to protect', schema, unknown),
            detail = 'shared_rows names it. Partitions and children are protected with the table above them.',
            hint = 'Name tables as pg_class.relname has them: without schema, without quotes.';
    end if;
end
$$;
revoke all on function tenant.require_tables(regnamespace, text[]) from public;
grant execute on function tenant.require_tables(regnamespace, text[]) to tenant_admin;

-- Protects a table of a schema, or with dry_run finds out how that would go, and says what became of it.
create function tenant.protect_listed(rel regclass, tenant_column name, columns jsonb, dry_run boolean, stop_on_error boolean,
    shared_rows text[], out result text, out sqlstate text, out hint text, out statements text[])
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    was_protected constant boolean := tenant.fence_policy(rel) is not null;
    col constant name := tenant.column_of(rel, tenant_column, columns);
    mapped constant boolean := coalesce(columns ? (select relname::text from pg_class where oid = rel), false);
    shares constant boolean := coalesce((select relname::text from pg_class where oid = rel) = any (shared_rows), false);
    state text;
    message text;
begin
    if exists (select from tenant.shared where relation = rel) then
        result := 'shared';
    elsif tenant.membership_through(rel) is not null then
        result := format('reached by membership through %s', tenant.membership_through(rel));
    elsif not mapped and not exists (
        select from pg_attribute where attrelid = rel and attname = col and attnum > 0 and not attisdropped) then
        result := format('not protected: no column "%s"', col) || tenant.said_of_open_table(rel, col, columns);
    elsif dry_run then
        statements := array(select tenant.foresee_protection(rel, col, shares));
        result := case when was_protected then 'protected already' else format('would be protected by "%s"', col) end;
    else
        perform tenant.protect(rel, col, shared_rows => shares);
        result := case when was_protected then 'protected already' else 'protected' end;
    end if;
exception when others then
    if stop_on_error or tenant.is_of_all(sqlstate) then
        raise;
    end if;
    get stacked diagnostics state = returned_sqlstate, message = message_text, hint = pg_exception_hint;
    hint := nullif(hint, '');
    protect_listed.sqlstate := state;
    result := 'not protected: ' || message;
end
$$;
revoke all on function tenant.protect_listed(regclass, name, jsonb, boolean, boolean, text[]) from public;
grant execute on function tenant.protect_listed(regclass, name, jsonb, boolean, boolean, text[]) to tenant_admin;

-- Hardens a table of a schema that is protected.
create function tenant.harden_listed(rel regclass, tenant_column name, harden tenant.key_form, keep_old_keys boolean, columns jsonb,
    stop_on_error boolean, out result text, out sqlstate text, out hint text)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    state text;
    message text;
begin
    perform tenant.protect(rel, tenant.column_of(rel, tenant_column, columns), harden, keep_old_keys);
exception when others then
    if stop_on_error or tenant.is_of_all(sqlstate) then
        raise;
    end if;
    get stacked diagnostics state = returned_sqlstate, message = message_text, hint = pg_exception_hint;
    hint := nullif(hint, '');
    harden_listed.sqlstate := state;
    result := 'protected, not hardened: ' || message;
end
$$;
revoke all on function tenant.harden_listed(regclass, name, tenant.key_form, boolean, jsonb, boolean) from public;
grant execute on function tenant.harden_listed(regclass, name, tenant.key_form, boolean, jsonb, boolean) to tenant_admin;

-- Whoever does not read the rows is told that some tables were left.
create function tenant.warn_of_left(schema regnamespace, tables bigint) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if tables > 0 then
        raise warning using
            errcode = 'TN028',
            message = format('%s of the tables of schema %s could not be protected or hardened', tables, schema),
            detail = 'What is said of each says why, with an SQLSTATE.',
            hint = 'Mend them and call it again, or call it with stop_on_error => true.';
    end if;
end
$$;
revoke all on function tenant.warn_of_left(regnamespace, bigint) from public;
grant execute on function tenant.warn_of_left(regnamespace, bigint) to tenant_admin;

create function tenant.protect_schema(schema regnamespace, tenant_column name default 'tenant_id',
    harden tenant.key_form default 'false', columns jsonb default null, dry_run boolean default false,
    stop_on_error boolean default false, keep_old_keys boolean default false, shared_rows text[] default null)
    returns table (relation regclass, result text, sqlstate text, hint text, statements text[])
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    all_tables regclass[];
    results text[];
    states text[];
    hints text[];
    hardened record;
begin
    perform tenant.require_columns(schema, columns);
    perform tenant.require_tables(schema, shared_rows);
    if not dry_run then
        perform tenant.forget_dropped();
    end if;
    all_tables := array(select tenant.tables_of(schema));
    for i in 1 .. cardinality(all_tables) loop
        select * into result, sqlstate, hint, statements
            from tenant.protect_listed(all_tables[i], tenant_column, columns, dry_run, stop_on_error, shared_rows);
        if dry_run then
            relation := all_tables[i];
            return next;
        end if;
        results[i] := result;
        states[i] := sqlstate;
        hints[i] := hint;
    end loop;
    if dry_run then
        return;
    end if;
    -- Only when all are protected: a foreign key of a table that is not yet would hold its referenced key back.
    if harden <> 'false' then
        for i in 1 .. cardinality(all_tables) loop
            if results[i] like 'protected%' then
                select * into hardened from tenant.harden_listed(all_tables[i], tenant_column, harden, keep_old_keys, columns, stop_on_error);
                if hardened.sqlstate is not null then
                    results[i] := hardened.result;
                    states[i] := hardened.sqlstate;
                    hints[i] := hardened.hint;
                end if;
            end if;
        end loop;
    end if;
    perform tenant.warn_of_left(schema, (select count(*) from unnest(states) state where state is not null));
    return query select u.*, null::text[] from unnest(all_tables, results, states, hints) u;
end
$$;
comment on function tenant.protect_schema is 'Protects every table of the schema that has the tenant column, and says what became of each. It goes on past a table that cannot be protected, unless stop_on_error; dry_run changes nothing and says what would be done. Of the tables in shared_rows, rows without a tenant are every tenant''s to read.';
revoke all on function tenant.protect_schema(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) from public;
grant execute on function tenant.protect_schema(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) to tenant_admin;

-- One table of protect_schema_stepwise; null where another session holds it for longer than lock_timeout.
create function tenant.protect_step(rel regclass, tenant_column name, harden tenant.key_form, keep_old_keys boolean,
    columns jsonb, dry_run boolean, stop_on_error boolean, last_try boolean, shared_rows text[], out result text, out failed boolean)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    done record;
begin
    failed := false;
    if not exists (select from pg_class where oid = rel) then
        result := 'dropped meanwhile';
        return;
    end if;
    select * into done from tenant.protect_listed(rel, tenant_column, columns, dry_run, stop_on_error, shared_rows);
    if harden <> 'false' and done.result like 'protected%' then
        select coalesce(h.result, 'hardened') as result, h.sqlstate, h.hint, null::text[] as statements into done
            from tenant.harden_listed(rel, tenant_column, harden, keep_old_keys, columns, stop_on_error) h;
    end if;
    if done.sqlstate = '55P03' and not last_try then
        return;
    end if;
    failed := done.sqlstate is not null;
    result := done.result || coalesce(' (' || done.sqlstate || ')', '')
        || coalesce(E':\n' || nullif(array_to_string(done.statements, E';\n'), '') || ';', '');
exception when lock_not_available then
    if last_try then
        raise;
    end if;
end
$$;
revoke all on function tenant.protect_step(regclass, name, tenant.key_form, boolean, jsonb, boolean, boolean, boolean, text[]) from public;
grant execute on function tenant.protect_step(regclass, name, tenant.key_form, boolean, jsonb, boolean, boolean, boolean, text[]) to tenant_admin;

-- A procedure that commits cannot have a search_path of its own: its names are qualified, and it uses no operator but by
-- its schema, so that it calls nothing of the caller's.
create procedure tenant.protect_schema_stepwise(schema regnamespace, tenant_column name default 'tenant_id',
    harden tenant.key_form default 'false', columns jsonb default null, dry_run boolean default false,
    stop_on_error boolean default false, keep_old_keys boolean default false, shared_rows text[] default null)
    language plpgsql as $$
declare
    hardens pg_catalog.bool;
    rel pg_catalog.regclass;
    said pg_catalog.text;
    failed pg_catalog.bool;
    failures pg_catalog.int8 := 0;
    left_over pg_catalog.regclass[];
    waiting pg_catalog.regclass[];
begin
    perform tenant.require_columns(schema, columns);
    perform tenant.require_tables(schema, shared_rows);
    if not dry_run then
        perform tenant.forget_dropped();
    end if;
    commit;
    foreach hardens in array array[false, true] loop
        exit when hardens and (dry_run or harden operator(pg_catalog.=) 'false');
        left_over := array(select tenant.tables_of(schema));
        for round in 1 .. 10 loop
            waiting := '{}';
            foreach rel in array left_over loop
                select s.result, s.failed into said, failed from tenant.protect_step(rel, tenant_column,
                    case when hardens then harden else 'false' end, keep_old_keys, columns, dry_run,
                    stop_on_error, round operator(pg_catalog.=) 10, shared_rows) s;
                commit;
                if said is null then
                    waiting := pg_catalog.array_append(waiting, rel);
                else
                    raise notice '%: %', rel, said;
                    -- A table that cannot be protected is said to be so in both rounds, and is one.
                    if failed and (not hardens or said operator(pg_catalog.~~) 'protected%') then
                        failures := failures operator(pg_catalog.+) 1;
                    end if;
                end if;
            end loop;
            left_over := waiting;
            exit when pg_catalog.cardinality(left_over) operator(pg_catalog.=) 0;
            raise notice '% tables are locked by others, and are tried again', pg_catalog.cardinality(left_over);
            perform pg_catalog.pg_sleep(1);
            commit;
        end loop;
    end loop;
    perform tenant.warn_of_left(schema, failures);
end
$$;
comment on procedure tenant.protect_schema_stepwise is 'As protect_schema, each table in a transaction of its own: no lock is held for longer than one table takes.';
revoke all on procedure tenant.protect_schema_stepwise(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) from public;
grant execute on procedure tenant.protect_schema_stepwise(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) to tenant_admin;
