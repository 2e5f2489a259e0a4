-- What cannot be protected, and why.

-- Refuses a relation that cannot have policies, or would not keep them.
create function tenant_internal.require_table(rel regclass) returns void
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
revoke all on function tenant_internal.require_table(regclass) from public;
grant execute on function tenant_internal.require_table(regclass) to tenant_admin;

-- The call that reads the current tenant in the type of the column; an error for each thing that cannot be protected.
create function tenant_internal.reader_for(rel regclass, tenant_column name) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    col pg_attribute;
    policy record;
begin
    perform tenant_internal.require_table(rel);
    select * into col from pg_attribute where attrelid = rel and attname = tenant_column and attnum > 0 and not attisdropped;
    if not found then
        raise exception using
            errcode = 'TN021',
            message = format('table %s has no column "%s"', rel, tenant_column),
            detail = 'Every protected table says in a column of its own which tenant a row belongs to.',
            hint = format('Name the column that does: tenant.protect(%L, tenant_column => ''...''), or add one. '
                'Where the table is the same for every tenant: tenant.share(%1$L, reason => ''...'').', rel);
    end if;
    if col.attgenerated <> '' or col.attidentity <> '' and not tenant_internal.is_root(rel, tenant_column) then
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
    if tenant_internal.membership_through(rel) is not null then
        raise exception using
            errcode = 'TN025',
            message = format('table %s is protected already, by membership through %s', rel, tenant_internal.membership_through(rel)),
            detail = format('It cannot be protected by column "%s" as well.', tenant_column),
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', rel);
    end if;
    if tenant_internal.fence_column(rel) <> col.attnum then
        raise exception using
            errcode = 'TN025',
            message = format('table %s is protected already, by column "%s"', rel,
                (select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.fence_column(rel))),
            detail = format('It cannot be protected by column "%s" as well.', tenant_column),
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', rel);
    end if;
    select polname into policy from pg_policy
        where polrelid = rel and polname = 'tenant_isolation' and oid is distinct from tenant_internal.fence_policy(rel);
    if found and tenant_internal.fence_policy(rel) is null or tenant_internal.has_shared_rows(rel) and exists (
        select from pg_policy p where p.polrelid = rel and p.polname = 'tenant_isolation'
            and (p.polpermissive or p.polroles <> '{0}' or p.polcmd <> '*' or tenant_internal.policy_form(p.oid) is distinct from 'shared')) then
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
revoke all on function tenant_internal.reader_for(regclass, name) from public;
grant execute on function tenant_internal.reader_for(regclass, name) to tenant_admin;

-- A materialized view is filled with its owner's rights, has no policies, and breaks the restore of a dump.
create function tenant_internal.refuse_materialized_views(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    found_view regclass;
begin
    with recursive dependents (relation) as (
        select tenant_internal.hierarchy(rel)::oid
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
revoke all on function tenant_internal.refuse_materialized_views(regclass) from public;
grant execute on function tenant_internal.refuse_materialized_views(regclass) to tenant_admin;

-- Commands run as the owner of the table, so they fail where a partition or child belongs to another role.
create function tenant_internal.require_one_owner(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    owner oid := (select relowner from pg_class where oid = rel);
    other record;
begin
    select c.oid::regclass as relation, c.relowner::regrole as owner into other
        from tenant_internal.hierarchy(rel) h join pg_class c on c.oid = h where c.relowner <> owner limit 1;
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
revoke all on function tenant_internal.require_one_owner(regclass) from public;
grant execute on function tenant_internal.require_one_owner(regclass) to tenant_admin;

-- Refuses foreign keys whose actions would set the tenant column to null: the rows would be shared by all tenants.
create function tenant_internal.refuse_publishing_keys(rel regclass, tenant_column name) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    key pg_constraint;
begin
    select f.* into key from tenant_internal.hierarchy(rel) h
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
revoke all on function tenant_internal.refuse_publishing_keys(regclass, name) from public;
grant execute on function tenant_internal.refuse_publishing_keys(regclass, name) to tenant_admin;

-- Whether the table is to have rows that are every tenant's: as it is protected already, else as is asked. What is
-- below may have been protected without, and stays so.
create function tenant_internal.will_share_rows(rel regclass, asked boolean) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(tenant_internal.has_shared_rows(rel), asked)
$$;
revoke all on function tenant_internal.will_share_rows(regclass, boolean) from public;
grant execute on function tenant_internal.will_share_rows(regclass, boolean) to tenant_admin;

-- Refuses a table that cannot have rows without a tenant.
create function tenant_internal.require_shareable(rel regclass, tenant_column name) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    policy name;
begin
    if not tenant_internal.has_shared_rows(rel) then
        raise exception using
            errcode = 'TN025',
            message = format('table %s is protected already, without shared rows', rel),
            detail = 'Its tenant column is not null: no row of it is every tenant''s.',
            hint = format('In one transaction: select tenant.unprotect(%1$L, ''<reason>''); alter table %1$s alter column %2$I drop not null; '
                'select tenant.protect(%1$L, %2$L, shared_rows => true);', rel, tenant_column);
    end if;
    if tenant_internal.has_shared_rows(rel) is null
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
            and (p.polpermissive or p.polroles <> '{0}' or tenant_internal.policy_form(p.oid) is distinct from 'own'
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
revoke all on function tenant_internal.require_shareable(regclass, name) from public;
grant execute on function tenant_internal.require_shareable(regclass, name) to tenant_admin;
