-- Generated from sql/schema/ by `make schema`: change it there.

-- sql/schema/01_preload.sql
-- Without preload there are no hooks and no settings: refuse to install.
\echo Use "create extension pg_tenant" to load this file. \quit
do $$
begin
    if not coalesce((select context = 'superuser' from pg_catalog.pg_settings where name = 'pg_tenant.id'), false) then
        raise exception using
            errcode = 'TN010',
            message = 'pg_tenant is not preloaded',
            detail = 'Its hooks are not in place, so nothing of it could be relied on.',
            hint = 'Add pg_tenant to shared_preload_libraries in postgresql.conf and restart the server.';
    end if;
end
$$;

-- What is in the schema would stand before PostgreSQL's own in the code below, and who owns it could exchange the code.
do $$
begin
    if exists (select from pg_catalog.pg_namespace n join pg_catalog.pg_roles r on r.oid = n.nspowner
            where n.nspname = 'tenant' and not r.rolsuper) then
        raise exception using
            errcode = 'TN038',
            message = 'schema "tenant" belongs to a role that is not a superuser',
            detail = 'Its owner could exchange what the extension puts there.',
            hint = 'alter schema tenant owner to current_user; or drop it.';
    end if;
    if exists (select from pg_catalog.pg_depend where refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
            and refobjid = 'tenant'::pg_catalog.regnamespace
            and not (classid = 'pg_catalog.pg_extension'::pg_catalog.regclass)) then
        raise exception using
            errcode = 'TN038',
            message = 'schema "tenant" is not empty',
            detail = 'What is there would stand before PostgreSQL''s own functions.',
            hint = 'drop schema tenant cascade; create extension pg_tenant;';
    end if;
end
$$;

-- sql/schema/02_roles.sql
-- The roles belong to the cluster: they are made once, and stay when the extension goes.
--   tenant_user   may enter tenants: grant it to the roles of applications and tools.
--   tenant_admin  may protect tables that it owns, and manage the registry.
do $$
declare
    role_name name;
begin
    foreach role_name in array array['tenant_user', 'tenant_admin']::name[] loop
        if not exists (select from pg_catalog.pg_roles where rolname = role_name) then
            -- Another database of the cluster may be getting the extension at this moment.
            begin
                execute pg_catalog.format('create role %I nologin', role_name);
            exception when duplicate_object or unique_violation then null;
            end;
        end if;
    end loop;
end
$$;

-- From 16 whoever may create roles could have made these beforehand, and may then grant them to anybody.
do $$
declare
    maker record;
begin
    for maker in
        select m.roleid::pg_catalog.regrole as role, m.member::pg_catalog.regrole as member
        from pg_catalog.pg_auth_members m join pg_catalog.pg_roles r on r.oid = m.member
        where m.admin_option and not r.rolsuper
            and m.roleid in (select oid from pg_catalog.pg_roles where rolname in ('tenant_user', 'tenant_admin'))
    loop
        raise warning using
            message = pg_catalog.format('role %s may grant role %s to anybody', maker.member, maker.role),
            detail = 'It has ADMIN OPTION on a role that decides about tenants.',
            hint = pg_catalog.format('revoke admin option for %s from %s;', maker.role, maker.member);
    end loop;
end
$$;

grant usage on schema tenant to tenant_user, tenant_admin;

-- sql/schema/03_registry.sql
-- The registry: which tenants exist, in which state, with which limits.

create function tenant.canonical_id(id text) returns text
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'pg_tenant_canonical_id';
comment on function tenant.canonical_id(text) is 'The id in its one canonical form; TN004 where the text is not a tenant id.';
revoke all on function tenant.canonical_id(text) from public;
grant execute on function tenant.canonical_id(text) to tenant_user, tenant_admin;

-- The order of the first seven columns is known to pg_tenant/src/pg/registry_row.rs.
create table tenant.tenants (
    id text collate "C" primary key check (id = tenant.canonical_id(id)),
    status text collate "C" not null default 'active' check (status in ('active', 'suspended')),
    statement_timeout_ms integer check (statement_timeout_ms > 0),
    lock_timeout_ms integer check (lock_timeout_ms > 0),
    idle_in_transaction_session_timeout_ms integer check (idle_in_transaction_session_timeout_ms > 0),
    work_mem_kb integer check (work_mem_kb >= 64),
    read_only boolean not null default false,
    slug text collate "C" unique check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    name text,
    plan text,
    settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    -- For foreign keys from tables whose tenant column is a uuid or a bigint.
    uuid_id uuid unique generated always as (
        case when id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then id::uuid end) stored,
    bigint_id bigint unique generated always as (
        case when id ~ '^(0|[1-9][0-9]{0,18})$' and lpad(id, 19, '0') <= '9223372036854775807' then id::bigint end) stored
);
comment on table tenant.tenants is 'The registry of tenants.';
grant select, references on tenant.tenants to tenant_admin;
grant insert (id, slug, name, plan, settings) on tenant.tenants to tenant_admin;
grant update (status, statement_timeout_ms, lock_timeout_ms, idle_in_transaction_session_timeout_ms, work_mem_kb,
    read_only, slug, name, plan, settings) on tenant.tenants to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.tenants', '');

-- Tells every backend, and every hot standby, at commit: what it remembers of the registry is void. Row level and
-- ENABLE ALWAYS, since session_replication_role = replica skips other triggers. TRUNCATE does it by itself.
create function tenant.registry_changed() returns trigger
    language c as 'MODULE_PATHNAME', 'pg_tenant_registry_changed';
revoke all on function tenant.registry_changed() from public;
create trigger registry_changed after insert or update or delete on tenant.tenants
    for each row execute function tenant.registry_changed();
alter table tenant.tenants enable always trigger registry_changed;

create function tenant.stamp_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.changed_at := now();
    return new;
end
$$;
revoke all on function tenant.stamp_change() from public;
create trigger stamp_change before update on tenant.tenants for each row execute function tenant.stamp_change();

-- sql/schema/04_context.sql
-- The tenant of a transaction: the way in, and the readers that policies call.

create function tenant.enter(id text) returns text
    language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter';
comment on function tenant.enter(text) is 'Makes this the tenant of the transaction. TN002 unknown, TN003 not active, TN004 malformed, TN005 another entered, TN006 bound to another.';
revoke all on function tenant.enter(text) from public;
grant execute on function tenant.enter(text) to tenant_user;

create function tenant.enter(id uuid) returns text language sql volatile strict parallel unsafe
    begin atomic select tenant.enter(id::text); end;
revoke all on function tenant.enter(uuid) from public;
grant execute on function tenant.enter(uuid) to tenant_user;

create function tenant.enter(id bigint) returns text language sql volatile strict parallel unsafe
    begin atomic select tenant.enter(id::text); end;
revoke all on function tenant.enter(bigint) from public;
grant execute on function tenant.enter(bigint) to tenant_user;

create function tenant.enter_pristine(id text) returns text
    language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_pristine';
comment on function tenant.enter_pristine(text) is 'As enter, for connection pools: refuses (TN008) a session that carries state from earlier transactions.';
revoke all on function tenant.enter_pristine(text) from public;
grant execute on function tenant.enter_pristine(text) to tenant_user;

-- Policies are TO PUBLIC, so the readers are as well: they tell a session only what it entered itself.
create function tenant.current_id() returns text
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_id';
comment on function tenant.current_id() is 'The id of the current tenant; null where there is none.';
create function tenant.current_uuid() returns uuid
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_uuid';
comment on function tenant.current_uuid() is 'The current tenant''s id where it is a uuid; else null.';
create function tenant.current_bigint() returns bigint
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_bigint';
comment on function tenant.current_bigint() is 'The current tenant''s id where it is a bigint; else null.';

create function tenant.version() returns text
    language c immutable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_version';
comment on function tenant.version() is 'The version of the library that the server has loaded.';
revoke all on function tenant.version() from public;
grant execute on function tenant.version() to tenant_user, tenant_admin;

-- sql/schema/05_journal.sql
-- Who changed what: protection, sharing, tenants, bound roles. Appended to; nobody but a superuser changes a line.

create table tenant.journal (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    action text not null,
    object text not null,
    reason text,
    detail jsonb,
    role name not null default current_user,
    session_role name not null default session_user
);
comment on table tenant.journal is 'What was protected, unprotected, shared, created, suspended, bound, and by whom.';
grant select on tenant.journal to tenant_admin;
grant insert (action, object, reason, detail) on tenant.journal to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.journal', '');
select pg_catalog.pg_extension_config_dump('tenant.journal_id_seq', '');
create index on tenant.journal (object, action);

-- sql/schema/06_tenants.sql
-- Managing tenants.

create function tenant.create(id text, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}') returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    insert into tenant.tenants (id, name, slug, plan, settings)
        values (canonical, name, slug, plan, coalesce(settings, '{}'));
    insert into tenant.journal (action, object) values ('create', canonical);
    return canonical;
exception when unique_violation then
    raise exception using
        errcode = 'TN050',
        message = format('tenant "%s" exists already', canonical),
        detail = format('The registry has a tenant with id "%s"%s.', canonical, ' or slug "' || slug || '"'),
        hint = 'Choose another, or change the tenant that is there in tenant.tenants.';
end
$$;
comment on function tenant.create is 'Registers a tenant and gives its canonical id. TN004 malformed, TN050 exists already.';
revoke all on function tenant.create(text, text, text, text, jsonb) from public;
grant execute on function tenant.create(text, text, text, text, jsonb) to tenant_admin;

create function tenant.create(id uuid, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}') returns text language sql
    begin atomic select tenant.create(id::text, name, slug, plan, settings); end;
revoke all on function tenant.create(uuid, text, text, text, jsonb) from public;
grant execute on function tenant.create(uuid, text, text, text, jsonb) to tenant_admin;

create function tenant.create(id bigint, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}') returns text language sql
    begin atomic select tenant.create(id::text, name, slug, plan, settings); end;
revoke all on function tenant.create(bigint, text, text, text, jsonb) from public;
grant execute on function tenant.create(bigint, text, text, text, jsonb) to tenant_admin;

-- The one place that says a tenant is unknown; the library says it in the same words.
create function tenant.require_known(id text) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from tenant.tenants t where t.id = require_known.id) then
        raise exception using
            errcode = 'TN002',
            message = format('unknown tenant "%s"', id),
            detail = 'The registry tenant.tenants has no tenant with this id.',
            hint = format('An administrator registers it with select tenant.create(%L).', id);
    end if;
end
$$;
revoke all on function tenant.require_known(text) from public;
grant execute on function tenant.require_known(text) to tenant_admin;

create function tenant.suspend(id text, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant.require_known(canonical);
    update tenant.tenants t set status = 'suspended' where t.id = canonical and t.status <> 'suspended';
    if found then
        insert into tenant.journal (action, object, reason) values ('suspend', canonical, suspend.reason);
    end if;
end
$$;
comment on function tenant.suspend is 'From now on nobody enters the tenant (TN003); transactions that are in it end as they will.';
revoke all on function tenant.suspend(text, text) from public;
grant execute on function tenant.suspend(text, text) to tenant_admin;

create function tenant.resume(id text, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant.require_known(canonical);
    update tenant.tenants t set status = 'active' where t.id = canonical and t.status <> 'active';
    if found then
        insert into tenant.journal (action, object, reason) values ('resume', canonical, resume.reason);
    end if;
end
$$;
comment on function tenant.resume is 'The tenant can be entered again.';
revoke all on function tenant.resume(text, text) from public;
grant execute on function tenant.resume(text, text) to tenant_admin;

create function tenant.set_limits(id text, statement_timeout interval default null, lock_timeout interval default null,
    idle_in_transaction_session_timeout interval default null, work_mem text default null,
    read_only boolean default false) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical text := tenant.canonical_id(id);
    too_much constant text := 'TN051';
    given interval;
begin
    perform tenant.require_known(canonical);
    foreach given in array array[statement_timeout, lock_timeout, idle_in_transaction_session_timeout] loop
        if given < interval '1 ms' or given > interval '24 days' then
            raise exception using
                errcode = too_much,
                message = format('timeout %s is out of range', given),
                detail = 'A timeout stands between 1 ms and 24 days.',
                hint = 'Pass null for no limit.';
        end if;
    end loop;
    if pg_size_bytes(work_mem) not between 64 * 1024 and 2147483647 * 1024::bigint then
        raise exception using
            errcode = too_much,
            message = format('work_mem %s is out of range', work_mem),
            detail = 'It stands between 64kB and 2TB.',
            hint = 'Pass null for no limit.';
    end if;
    update tenant.tenants t set
        statement_timeout_ms = extract(epoch from set_limits.statement_timeout) * 1000,
        lock_timeout_ms = extract(epoch from set_limits.lock_timeout) * 1000,
        idle_in_transaction_session_timeout_ms = extract(epoch from set_limits.idle_in_transaction_session_timeout) * 1000,
        work_mem_kb = pg_size_bytes(set_limits.work_mem) / 1024,
        read_only = coalesce(set_limits.read_only, false)
    where t.id = canonical;
    insert into tenant.journal (action, object, detail) values ('set_limits', canonical, jsonb_strip_nulls(jsonb_build_object(
        'statement_timeout', statement_timeout, 'lock_timeout', lock_timeout,
        'idle_in_transaction_session_timeout', idle_in_transaction_session_timeout,
        'work_mem', work_mem, 'read_only', read_only)));
end
$$;
comment on function tenant.set_limits is 'What the tenant''s transactions are given: applied by enter, and nothing in them may raise it (TN009). Null is no limit; a call sets all of them.';
revoke all on function tenant.set_limits(text, interval, interval, interval, text, boolean) from public;
grant execute on function tenant.set_limits(text, interval, interval, interval, text, boolean) to tenant_admin;

-- sql/schema/07_share.sql
-- Tables that are the same for every tenant: a deliberate decision, with a reason.

create table tenant.shared (
    relation regclass primary key,
    reason text not null,
    shared_at timestamptz not null default now(),
    shared_by name not null default current_user
);
comment on table tenant.shared is 'Tables that are the same for every tenant, and why.';
grant select, delete on tenant.shared to tenant_admin;
grant insert (relation, reason), update (reason) on tenant.shared to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.shared', '');

-- Rows of tables that are gone: their oids could be those of other tables one day.
create function tenant.forget_dropped() returns void
    language sql volatile set search_path = pg_catalog, pg_temp as $$
    delete from tenant.shared where not exists (select from pg_class where oid = relation)
$$;
revoke all on function tenant.forget_dropped() from public;
grant execute on function tenant.forget_dropped() to tenant_admin;

create function tenant.require_reason(reason text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(btrim(reason), '') = '' then
        raise exception using
            errcode = 'TN029',
            message = 'a reason is required',
            detail = 'The journal keeps it.',
            hint = 'Say in a few words why, for whoever reads the journal.';
    end if;
end
$$;
revoke all on function tenant.require_reason(text) from public;
grant execute on function tenant.require_reason(text) to tenant_admin;

create function tenant.require_owner(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if not pg_has_role((select relowner from pg_class where oid = rel), 'usage') then
        raise exception using
            errcode = '42501',
            message = format('must be owner of table %s', rel),
            hint = 'Only its owner decides how a table is protected.';
    end if;
end
$$;
revoke all on function tenant.require_owner(regclass) from public;
grant execute on function tenant.require_owner(regclass) to tenant_admin;

-- sql/schema/08_protect.sql
-- Protecting a table.
--
-- tenant.protect and tenant.unprotect are C functions that run the functions apply_protection and remove_protection
-- below with the guards off (setting pg_tenant.guards) until they return or fail. All run with the caller's rights: who
-- protects a table must own it.

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

-- The table and every partition and child below it, the table first.
create function tenant.hierarchy(rel regclass) returns setof regclass
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive tree (relation, depth) as (
        select rel::oid, 0
        union all
        select i.inhrelid, depth + 1 from pg_inherits i join tree on i.inhparent = tree.relation
    )
    select relation::regclass from tree group by relation order by min(depth), relation
$$;
revoke all on function tenant.hierarchy(regclass) from public;
grant execute on function tenant.hierarchy(regclass) to tenant_admin;

-- The call that reads the current tenant in the type of the column; an error for each thing that cannot be protected.
create function tenant.reader_for(rel regclass, tenant_column name) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    class pg_class;
    col pg_attribute;
    policy record;
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

    select * into col from pg_attribute where attrelid = rel and attname = tenant_column and attnum > 0 and not attisdropped;
    if not found then
        raise exception using
            errcode = 'TN021',
            message = format('table %s has no column "%s"', rel, tenant_column),
            detail = 'Every protected table says in a column of its own which tenant a row belongs to.',
            hint = format('Name the column that does: tenant.protect(%L, tenant_column => ''...''), or add one. '
                'Where the table is the same for every tenant: tenant.share(%1$L, reason => ''...'').', rel);
    end if;
    if col.attgenerated <> '' or col.attidentity <> '' then
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
    if found and tenant.fence_policy(rel) is null then
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
            join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = dependents.relation
                and d.classid = 'pg_rewrite'::regclass
            join pg_rewrite r on r.oid = d.objid
    )
    select c.oid into found_view from dependents join pg_class c on c.oid = dependents.relation
        where c.relkind = 'm' and c.oid <> rel and c.oid not in (select relation::oid from tenant.shared) limit 1;
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

-- Fences one table of a hierarchy.
create function tenant.fence(rel regclass, tenant_column name, reader text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    begin
        execute format('alter table %s alter column %I set not null', rel, tenant_column);
    exception when not_null_violation then
        raise exception using
            errcode = 'TN024',
            message = format('column "%s" of table %s holds nulls', tenant_column, rel),
            detail = 'A row without a tenant would be nobody''s.',
            hint = format('Give each row its tenant first: update %s set %I = ... where %2$I is null;', rel, tenant_column);
    end;
    execute format('alter table %s alter column %I set default %s', rel, tenant_column, reader);
    execute format('alter table %s enable row level security, force row level security', rel);
    if tenant.fence_policy(rel) is null then
        execute format('create policy tenant_isolation on %s as restrictive for all to public using (%I = %s) with check (%2$I = %3$s)',
            rel, tenant_column, reader);
    end if;
    -- The same equality, never true: whichever of the two policies is lost, the other denies.
    if not exists (select from pg_policy where polrelid = rel and polpermissive) then
        execute format('create policy tenant_access on %s as permissive for all to public using (%I = %s) with check (%2$I = %3$s)',
            rel, tenant_column, reader);
    end if;
    if not exists (
        select from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am on pg_am.oid = c.relam
        where i.indrelid = rel and i.indisvalid and i.indpred is null and amname = 'btree'
            and i.indkey[0] = (select attnum from pg_attribute where attrelid = rel and attname = tenant_column)
    ) then
        execute format('create index on %s (%I)', rel, tenant_column);
    end if;
end
$$;
revoke all on function tenant.fence(regclass, name, text) from public;
grant execute on function tenant.fence(regclass, name, text) to tenant_admin;

create function tenant.apply_protection(rel regclass, tenant_column name) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    part regclass;
    parent regclass;
    reader text;
    before jsonb := '{}';
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
    for part in select tenant.hierarchy(rel) loop
        reader := tenant.reader_for(part, tenant_column);
    end loop;
    for part in select tenant.hierarchy(rel) loop
        before := before || jsonb_build_object(part::text, (
            select jsonb_build_object('enabled', relrowsecurity, 'forced', relforcerowsecurity, 'default', (
                select pg_get_expr(adbin, adrelid) from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
                where adrelid = part and attname = tenant_column))
            from pg_class where oid = part and tenant.fence_policy(part) is null));
    end loop;
    -- Only now: what is done to a table reaches those below it. The policy's comment keeps what unprotect gives back: it
    -- is the owner's, and goes where the table goes.
    for part in select tenant.hierarchy(rel) loop
        perform tenant.fence(part, tenant_column, reader);
        if jsonb_typeof(before -> part::text) = 'object' then
            execute format('comment on policy tenant_isolation on %s is %L', part,
                format('Keeps tenants apart. Before: %s', jsonb_strip_nulls(before -> part::text)));
        end if;
    end loop;
    delete from tenant.shared where relation = rel;
    insert into tenant.journal (action, object, detail)
        values ('protect', rel::text, jsonb_build_object('tenant_column', tenant_column));
end
$$;
revoke all on function tenant.apply_protection(regclass, name) from public;

create function tenant.protect(rel regclass, tenant_column name default 'tenant_id') returns void
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_protect';
comment on function tenant.protect is 'Lets every statement on the table see and write the current tenant''s rows only; partitions and children included. Can be repeated. TN020 to TN027 say what is in the way.';
revoke all on function tenant.protect(regclass, name) from public;
grant execute on function tenant.protect(regclass, name) to tenant_admin;

create function tenant.protect_schema(schema regnamespace, tenant_column name default 'tenant_id')
    returns table (relation regclass, result text) language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    was_protected boolean;
begin
    perform tenant.forget_dropped();
    for relation in
        select c.oid::regclass from pg_class c
        where c.relnamespace = schema and c.relkind in ('r', 'p') and c.relpersistence <> 't'
            and not exists (select from pg_inherits where inhrelid = c.oid)
            and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
        order by c.relname
    loop
        was_protected := tenant.fence_policy(relation) is not null;
        case
            when exists (select from tenant.shared s where s.relation = protect_schema.relation) then
                result := 'shared';
            when not exists (select from pg_attribute where attrelid = protect_schema.relation
                    and attname = tenant_column and not attisdropped) then
                result := format('not protected: no column "%s"', tenant_column);
            else
                perform tenant.protect(relation, tenant_column);
                result := case when was_protected then 'protected already' else 'protected' end;
        end case;
        return next;
    end loop;
end
$$;
comment on function tenant.protect_schema is 'Protects every table of the schema that has the tenant column, and says what became of each.';
revoke all on function tenant.protect_schema(regnamespace, name) from public;
grant execute on function tenant.protect_schema(regnamespace, name) to tenant_admin;

-- sql/schema/09_unprotect.sql
-- Taking protection away again: deliberate, with a reason, and recorded.

-- What the table was before it was first protected, as the comment of its tenant policy has it.
create function tenant.before_protection(fence oid) returns jsonb
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce(substring(obj_description(fence, 'pg_policy') from 'Before: ({.*})$')::jsonb, '{}');
exception when invalid_text_representation then
    return '{}';
end
$$;
revoke all on function tenant.before_protection(oid) from public;
grant execute on function tenant.before_protection(oid) to tenant_admin;

-- Takes the fence of one table of a hierarchy, and gives back what protect found.
create function tenant.unfence(rel regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    col name := (select attname from pg_attribute where attrelid = rel and attnum = tenant.fence_column(rel));
    owner name := (select relowner::regrole from pg_class where oid = rel);
    fence pg_policy;
    access pg_policy;
    before jsonb;
    set_default text;
begin
    select * into fence from pg_policy where oid = tenant.fence_policy(rel);
    if not found then
        return;
    end if;
    before := tenant.before_protection(fence.oid);
    -- The other one that protect made, not one of the same name.
    select * into access from pg_policy where polrelid = rel and polname = 'tenant_access' and polpermissive
        and pg_get_expr(polqual, polrelid) = pg_get_expr(fence.polqual, fence.polrelid);
    execute format('drop policy %I on %s', fence.polname, rel);
    if access.oid is not null then
        execute format('drop policy %I on %s', access.polname, rel);
    end if;
    if (select pg_get_expr(adbin, adrelid) ~ '^tenant\.current_(id|uuid|bigint)\(\)' from pg_attrdef
        join pg_attribute on attrelid = adrelid and attnum = adnum where adrelid = rel and attname = col) then
        execute format('alter table only %s alter column %I drop default', rel, col);
        set_default := format('alter table only %s alter column %I set default %s', rel, col, before ->> 'default');
        -- The owner wrote it, or could have: nobody else runs it.
        if before ? 'default' and owner = quote_ident(current_user) then
            execute set_default;
        elsif before ? 'default' then
            raise warning using
                message = format('column "%s" of table %s does not get its default back', col, rel),
                detail = format('Only %s itself, who owns the table, runs it.', owner),
                hint = set_default;
        end if;
    end if;
    if not coalesce((before ->> 'forced')::boolean, false) then
        execute format('alter table %s no force row level security', rel);
    end if;
    -- With policies of others left, row-level security stays on: without it nothing would hold them.
    if not coalesce((before ->> 'enabled')::boolean, false) and not exists (select from pg_policy where polrelid = rel) then
        execute format('alter table %s disable row level security', rel);
    end if;
end
$$;
revoke all on function tenant.unfence(regclass) from public;
grant execute on function tenant.unfence(regclass) to tenant_admin;

create function tenant.remove_protection(rel regclass, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    part regclass;
begin
    perform tenant.require_reason(reason);
    perform tenant.require_owner(rel);
    if tenant.fence_policy(rel) is null then
        raise exception using
            errcode = 'TN028',
            message = format('table %s is not protected', rel),
            detail = 'It has no tenant policy.',
            hint = 'select * from tenant.protected_tables; lists those that are.';
    end if;
    if exists (select from pg_inherits where inhrelid = rel and tenant.fence_policy(inhparent::regclass) is not null) then
        raise exception using
            errcode = 'TN030',
            message = format('cannot unprotect %s alone: it belongs to a protected table', rel),
            detail = 'It could be read around the protection of its parent.',
            hint = format('select tenant.unprotect(%L, ''<reason>'');',
                (select inhparent::regclass from pg_inherits where inhrelid = rel limit 1));
    end if;
    for part in select tenant.hierarchy(rel) loop
        perform tenant.unfence(part);
    end loop;
    insert into tenant.journal (action, object, reason) values ('unprotect', rel::text, remove_protection.reason);
end
$$;
revoke all on function tenant.remove_protection(regclass, text) from public;

create function tenant.unprotect(rel regclass, reason text) returns void
    language c volatile as 'MODULE_PATHNAME', 'pg_tenant_unprotect';
comment on function tenant.unprotect is 'Takes the protection away and records why. The index and the not-null constraint stay.';
revoke all on function tenant.unprotect(regclass, text) from public;
grant execute on function tenant.unprotect(regclass, text) to tenant_admin;

create function tenant.share(rel regclass, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant.require_reason(reason);
    perform tenant.require_owner(rel);
    if tenant.fence_policy(rel) is not null then
        raise exception using
            errcode = 'TN025',
            message = format('cannot share %s: it is protected', rel),
            detail = 'A table is one tenant''s row by row, or the same for all.',
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', rel);
    end if;
    perform tenant.forget_dropped();
    insert into tenant.shared as s (relation, reason) values (rel, share.reason)
        on conflict (relation) do update set reason = excluded.reason;
    insert into tenant.journal (action, object, reason) values ('share', rel::text, share.reason);
end
$$;
comment on function tenant.share is 'Declares that the table is the same for every tenant, and why. It grants nothing.';
revoke all on function tenant.share(regclass, text) from public;
grant execute on function tenant.share(regclass, text) to tenant_admin;

create function tenant.unshare(rel regclass, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant.require_reason(reason);
    perform tenant.require_owner(rel);
    delete from tenant.shared where relation = rel;
    if not found then
        raise exception using
            errcode = 'TN028',
            message = format('table %s is not shared', rel),
            detail = 'tenant.shared has no such table.',
            hint = 'select * from tenant.shared; lists those that are.';
    end if;
    insert into tenant.journal (action, object, reason) values ('unshare', rel::text, unshare.reason);
end
$$;
revoke all on function tenant.unshare(regclass, text) from public;
grant execute on function tenant.unshare(regclass, text) to tenant_admin;

create view tenant.protected_tables as
    select
        c.oid::regclass as relation,
        case when c.relkind = 'p' then 'partitioned table' when c.relispartition then 'partition'
            when p.inhparent is not null then 'child table' else 'table' end as kind,
        p.inhparent::regclass as parent,
        a.attname as tenant_column,
        pg_catalog.format_type(a.atttypid, a.atttypmod) as tenant_type,
        pol.polname as policy,
        c.relrowsecurity and c.relforcerowsecurity as enforced,
        (select i.indexrelid::regclass from pg_catalog.pg_index i
            where i.indrelid = c.oid and i.indisvalid and i.indpred is null and i.indkey[0] = a.attnum
            order by i.indnkeyatts desc, i.indexrelid limit 1) as index,
        j.at as protected_at,
        j.role as protected_by
    from (select distinct polrelid from pg_catalog.pg_policy where not polpermissive) fenced
    join pg_catalog.pg_class c on c.oid = fenced.polrelid
    join pg_catalog.pg_policy pol on pol.oid = tenant.fence_policy(c.oid::regclass)
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = tenant.fence_column(c.oid::regclass)
    left join lateral (select inhparent from pg_catalog.pg_inherits where inhrelid = c.oid order by inhseqno limit 1) p on true
    left join lateral (select at, role from tenant.journal
        where action = 'protect' and object = pg_catalog.format('%s.%I', c.relnamespace::regnamespace, c.relname) order by id desc limit 1) j on true;
comment on view tenant.protected_tables is 'What is protected, how, by which column, with which index, since when and by whom.';
grant select on tenant.protected_tables to tenant_admin;

-- sql/schema/10_bind.sql
-- Logins that live inside one tenant: psql, BI tools, any ORM.
--
-- SECURITY DEFINER, since pg_tenant.id is a setting of superusers; owned by the extension's owner.

create function tenant.bind_role(role name, id text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    canonical text := tenant.canonical_id(id);
    target pg_roles;
    why text;
    way_out text := 'Bind a login of its own, made for this: create role ... login; grant tenant_user to ...;';
begin
    select * into target from pg_roles where rolname = bind_role.role;
    why := case
        when not found then 'There is no such role.'
        when target.rolsuper then 'It is a superuser: policies do not apply to it.'
        when target.rolbypassrls then 'It has BYPASSRLS: policies do not apply to it.'
        when target.rolcreaterole then 'It has CREATEROLE: it could make itself another role.'
        when target.rolreplication then 'It has REPLICATION: it reads every tenant''s changes.'
        when not target.rolcanlogin then 'It cannot log in; a binding takes effect at login.'
        when not pg_has_role(target.oid, 'tenant_user', 'member') then 'It is not a member of tenant_user.'
        else (
            select format('It is a member of %I, %s.', r.rolname, case
                when r.rolsuper or r.rolbypassrls then 'to which policies do not apply'
                when r.rolcreaterole then 'which can create roles'
                else 'which manages tenants or reaches the server''s files' end)
            from pg_roles r
            where r.oid <> target.oid and pg_has_role(target.oid, r.oid, 'member')
                and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolname in ('tenant_admin', 'tenant_system',
                    'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
            limit 1)
        end;
    -- From 16, whoever creates a role gets a membership that neither inherits nor allows SET ROLE: that one is harmless.
    if why is null then
        select format('Role %I is a member of it: SET ROLE would not carry the binding along.', m.member::regrole) into why
            from pg_auth_members m
            where m.roleid = target.oid
                and (coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)
                    or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true))
            limit 1;
    elsif not pg_has_role(target.oid, 'tenant_user', 'member') then
        way_out := format('grant tenant_user to %I;', role);
    end if;
    if why is not null then
        raise exception using
            errcode = 'TN040',
            message = format('role "%s" cannot be bound to a tenant', role),
            detail = why,
            hint = way_out;
    end if;
    if current_setting('pg_tenant.require_registered')::boolean then
        perform tenant.require_known(canonical);
    end if;
    execute format('alter role %I set pg_tenant.id = %L', role, canonical);
    insert into tenant.journal (action, object, detail, role)
        values ('bind_role', role, jsonb_build_object('tenant', canonical), session_user);
    raise notice using
        message = format('role "%s" is bound to tenant "%s" from its next login', role, canonical),
        detail = 'Sessions that are open now keep what they have.';
end
$$;
comment on function tenant.bind_role is 'From its next login the role lives inside this tenant and cannot leave it. TN040 says why a role cannot be bound.';
revoke all on function tenant.bind_role(name, text) from public;
grant execute on function tenant.bind_role(name, text) to tenant_admin;

create function tenant.unbind_role(role name) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    if not exists (select from tenant.bound_roles b where b.role = unbind_role.role) then
        raise exception using
            errcode = 'TN040',
            message = format('role "%s" is not bound to a tenant', role),
            detail = 'It has no setting pg_tenant.id.',
            hint = 'select * from tenant.bound_roles; lists those that are.';
    end if;
    execute format('alter role %I reset pg_tenant.id', role);
    insert into tenant.journal (action, object, role) values ('unbind_role', role, session_user);
end
$$;
comment on function tenant.unbind_role is 'From its next login the role is bound to no tenant.';
revoke all on function tenant.unbind_role(name) from public;
grant execute on function tenant.unbind_role(name) to tenant_admin;

create view tenant.bound_roles as
    select r.rolname as role, pg_catalog.split_part(setting, '=', 2) as tenant_id
    from pg_catalog.pg_db_role_setting s
    join pg_catalog.pg_roles r on r.oid = s.setrole
    cross join lateral pg_catalog.unnest(s.setconfig) setting
    where setting like 'pg_tenant.id=%';
comment on view tenant.bound_roles is 'The roles that live inside one tenant.';
grant select on tenant.bound_roles to tenant_admin;
