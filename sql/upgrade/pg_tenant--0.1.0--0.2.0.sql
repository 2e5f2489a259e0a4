-- From 0.1.0 to 0.2.0. An upgraded database equals a fresh one, object by object: tests/tests/upgrade/.
\echo Use "alter extension pg_tenant update" to load this file. \quit

-- The registry: tenants stay, and keep their ids.
revoke references on tenant.tenants from tenant_admin;
grant references (id, uuid_id, bigint_id) on tenant.tenants to tenant_admin;

-- Functions whose arguments or results changed: made anew below.
drop function tenant.doctor(boolean);
drop function tenant.prove(name, text, boolean);
drop function tenant.plan_hardening(regclass, boolean);

-- Hardening: a boolean becomes one of three forms, which a boolean still is.
drop function tenant.protect(regclass, name, boolean);
drop function tenant.apply_protection(regclass, name, boolean);
drop function tenant.hardening(regclass);
drop function tenant.apply_hardening(regclass);
create type tenant.obstacle as (code text, problem text, reason text);
create type tenant.key_form as enum ('false', 'true', 'all');
create function tenant.key_form(harden boolean) returns tenant.key_form
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select case when harden then 'true'::tenant.key_form else 'false'::tenant.key_form end
$$;
create cast (boolean as tenant.key_form) with function tenant.key_form(boolean) as implicit;

drop function tenant.protect_schema(regnamespace, name, boolean);
-- Shared rows: one more argument.
drop function tenant.fence(regclass, name, text);
drop function tenant.fence_hierarchy(regclass, name, boolean);
-- The registry: a row tells of itself; the journal of changes is written once for each statement.
create table tenant.registry_epoch ();
comment on table tenant.registry_epoch is 'Stands for the rows of tenant.tenants where caches are invalidated; it has none.';
drop trigger announce_change on tenant.tenants;
drop trigger check_change on tenant.tenants;
create trigger check_change before insert or update on tenant.tenants
    for each row when (new.name is not null or new.plan is not null) execute function tenant.check_change();
drop trigger journal_change on tenant.tenants;

-- Channels that tenants may notify.
create table tenant.channels (
    channel text primary key check (channel <> '' and octet_length(channel) < 64),
    payload text not null default 'none' check (payload in ('none', 'tenant')),
    reason text not null,
    allowed_at timestamptz not null default now(),
    allowed_by name not null default current_user
);
comment on table tenant.channels is 'Channels that tenants may NOTIFY beside their own, what is sent on them, and why.';
grant select, delete on tenant.channels to tenant_admin;
grant insert (channel, payload, reason), update (payload, reason) on tenant.channels to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.channels', '');
-- Looking tenants up by a declared key.
create table tenant.lookups (
    relation regclass not null,
    key_column name not null,
    row_column name not null,
    reason text not null,
    declared_at timestamptz not null default now(),
    declared_by name not null default current_user,
    -- Not for a dump: the columns by number, so that a declaration ends with them and is not that of another one which
    -- gets the name.
    key_number smallint not null,
    row_number smallint not null,
    primary key (relation, key_column)
);
comment on table tenant.lookups is 'By which columns the tenant of a row may be asked for with no tenant entered, and why.';
grant select, delete on tenant.lookups to tenant_admin;
grant insert (relation, key_column, row_column, reason), update (reason) on tenant.lookups to tenant_admin;
-- One that has ended is not brought back.
select pg_catalog.pg_extension_config_dump('tenant.lookups',
    'where exists (select from pg_catalog.pg_attribute where attrelid = relation and attnum = key_number and attname = key_column)
        and exists (select from pg_catalog.pg_attribute where attrelid = relation and attnum = row_number and attname = row_column)');

-- Functions and views, as sql/schema/ has them, with their comments and rights.

create or replace function tenant.key_form(harden boolean) returns tenant.key_form
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select case when harden then 'true'::tenant.key_form else 'false'::tenant.key_form end
$$;

revoke all on function tenant.key_form(boolean) from public;

grant execute on function tenant.key_form(boolean) to tenant_admin;

create or replace function tenant.canonical_id(id text) returns text
    language c immutable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_canonical_id';

comment on function tenant.canonical_id(text) is 'The id in its one canonical form; TN004 where the text is not a tenant id, or null.';

create or replace function tenant.enter(id text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter';

comment on function tenant.enter(text) is 'Makes this the tenant of the transaction. TN002 unknown, TN003 not active, TN004 malformed or null, TN005 another entered, TN006 bound to another.';

create or replace function tenant.enter_pristine(id text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_pristine';

create or replace function tenant.is_current_support(internal) returns internal
    language c strict as 'MODULE_PATHNAME', 'pg_tenant_is_current_support';

revoke all on function tenant.is_current_support(internal) from public;

create or replace function tenant.is_current(tenant uuid) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_uuid';

comment on function tenant.is_current(uuid) is 'Whether this is the current tenant; false where there is none.';

create or replace function tenant.is_current(tenant bigint) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_bigint';

comment on function tenant.is_current(bigint) is 'Whether this is the current tenant; false where there is none.';

create or replace function tenant.is_current(tenant integer) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_integer';

comment on function tenant.is_current(integer) is 'Whether this is the current tenant; false where there is none.';

create or replace function tenant.is_current(tenant smallint) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_smallint';

comment on function tenant.is_current(smallint) is 'Whether this is the current tenant; false where there is none.';

create or replace function tenant.is_current(tenant text) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_text';

comment on function tenant.is_current(text) is 'Whether this is the current tenant; false where there is none.';

create or replace function tenant.is_current_or_shared(tenant uuid) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_uuid';

comment on function tenant.is_current_or_shared(uuid) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';

create or replace function tenant.is_current_or_shared(tenant bigint) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_bigint';

comment on function tenant.is_current_or_shared(bigint) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';

create or replace function tenant.is_current_or_shared(tenant integer) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_integer';

comment on function tenant.is_current_or_shared(integer) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';

create or replace function tenant.is_current_or_shared(tenant smallint) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_smallint';

comment on function tenant.is_current_or_shared(smallint) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';

create or replace function tenant.is_current_or_shared(tenant text) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_text';

comment on function tenant.is_current_or_shared(text) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';

create or replace function tenant.is_member(found boolean) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_member';

comment on function tenant.is_member(boolean) is 'Its argument while a tenant is entered; false where there is none. For the policies that tenant.protect_by_membership makes.';

create or replace function tenant.run_as_owner(rel regclass, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_as_owner';

revoke all on function tenant.run_as_owner(regclass, text) from public;

grant execute on function tenant.run_as_owner(regclass, text) to tenant_admin;

create or replace function tenant.run_validation(rel regclass, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_validation';

revoke all on function tenant.run_validation(regclass, text) from public;

grant execute on function tenant.run_validation(regclass, text) to tenant_admin;

create or replace function tenant.run_past_policies(rel regclass, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_past_policies';

revoke all on function tenant.run_past_policies(regclass, text) from public;

create or replace function tenant.run_as(role oid, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_as';

revoke all on function tenant.run_as(oid, text) from public;

create or replace function tenant.former_column(policy oid) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_former_column';

comment on function tenant.former_column(oid) is 'The number of the tenant column where the policy is one that pg_tenant 0.1.0 made, which the planner can take out of a plan; else null.';

revoke all on function tenant.former_column(oid) from public;

grant execute on function tenant.former_column(oid) to tenant_admin;

create or replace function tenant.has_shared_rows(rel regclass) returns boolean
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_has_shared_rows';

comment on function tenant.has_shared_rows(regclass) is 'Whether rows without a tenant are every tenant''s to read; null where the table is not protected.';

revoke all on function tenant.has_shared_rows(regclass) from public;

grant execute on function tenant.has_shared_rows(regclass) to tenant_admin;

create or replace function tenant.policy_form(policy oid) returns text
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_policy_form';

revoke all on function tenant.policy_form(oid) from public;

grant execute on function tenant.policy_form(oid) to tenant_admin;

create or replace function tenant.protect(rel regclass, tenant_column name default 'tenant_id', harden tenant.key_form default 'false',
    keep_old_keys boolean default false, shared_rows boolean default false) returns void
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_protect';

comment on function tenant.protect(regclass, name, tenant.key_form, boolean, boolean) is 'Lets every statement on the table see and write the current tenant''s rows only; partitions and children included. With shared_rows every tenant reads the rows without a tenant too. Can be repeated. TN020 to TN027 say what is in the way; TN085 to TN087 what is in the way of harden => true.';

revoke all on function tenant.protect(regclass, name, tenant.key_form, boolean, boolean) from public;

grant execute on function tenant.protect(regclass, name, tenant.key_form, boolean, boolean) to tenant_admin;

create or replace function tenant.membership_through(rel regclass) returns regclass
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_membership_through';

comment on function tenant.membership_through(regclass) is 'The join table through which the table is reached by membership; null where it is not.';

revoke all on function tenant.membership_through(regclass) from public;

grant execute on function tenant.membership_through(regclass) to tenant_admin;

create or replace function tenant.membership_key(rel regclass) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_membership_key';

comment on function tenant.membership_key(regclass) is 'The number of the column by which the table is reached by membership.';

revoke all on function tenant.membership_key(regclass) from public;

grant execute on function tenant.membership_key(regclass) to tenant_admin;

create or replace function tenant.membership_member(rel regclass) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_membership_member';

comment on function tenant.membership_member(regclass) is 'The number of the join table''s column that has the keys of the table.';

revoke all on function tenant.membership_member(regclass) from public;

grant execute on function tenant.membership_member(regclass) to tenant_admin;

create or replace function tenant.protect_by_membership(rel regclass, through regclass, member_column name default null,
    key_column name default null, tenants_add_members boolean default false) returns void
    language c volatile as 'MODULE_PATHNAME', 'pg_tenant_protect_by_membership';

comment on function tenant.protect_by_membership(regclass, regclass, name, name, boolean) is 'Lets a tenant see those rows of the table to which its part of the join table refers, and change none. Can be repeated. TN072 where a tenant would add members, TN074 where it would write; TN020 to TN028 say what is in the way.';

revoke all on function tenant.protect_by_membership(regclass, regclass, name, name, boolean) from public;

grant execute on function tenant.protect_by_membership(regclass, regclass, name, name, boolean) to tenant_admin;

create or replace function tenant.enter_system_as_owner(reason text) returns void
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_system_as_owner';

comment on function tenant.enter_system_as_owner(text) is 'Lets the rest of the transaction work across tenants on the protected tables that the role owns, as that role. TN013 not allowed, TN014 a tenant entered, TN015 read-only, TN029 no reason.';

revoke all on function tenant.enter_system_as_owner(text) from public;

grant execute on function tenant.enter_system_as_owner(text) to tenant_user, tenant_admin, tenant_system;

create or replace function tenant.count_lock(key bigint) returns bigint
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_count_lock';

revoke all on function tenant.count_lock(bigint) from public;

create or replace function tenant.is_shown(catalog oid, key oid) returns boolean
    language c stable strict parallel safe as 'MODULE_PATHNAME', 'pg_tenant_is_shown';

comment on function tenant.is_shown(oid, oid) is 'Whether this row of a catalog is shown, or tells of other tenants.';

grant execute on function tenant.is_shown(oid, oid) to public;

create or replace function tenant.hidden(original internal, argument anyelement) returns anyelement
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_hidden';

comment on function tenant.hidden(internal, anyelement) is 'Calls a function, or says nothing where that would tell of other tenants.';

create or replace function tenant.hidden_set(original internal, argument anyelement) returns setof anyelement
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_hidden_set';

comment on function tenant.hidden_set(internal, anyelement) is 'Calls a function that returns a set, or shows what is the session''s own.';

grant execute on function tenant.hidden(internal, anyelement), tenant.hidden_set(internal, anyelement) to public;

create or replace function tenant.enter_signed(token text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_signed';

create or replace function tenant.enter_signed_pristine(token text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_signed_pristine';

create or replace function tenant.current_actor_role() returns text
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_actor_role';

comment on function tenant.current_actor_role() is 'In which role of the application the actor acts, as its token says; null where none was entered with.';

comment on function tenant.current_role() is 'Deprecated: the former name of tenant.current_actor_role().';

create or replace function tenant.count_lookup(rel regclass, key_number smallint) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_count_lookup';

revoke all on function tenant.count_lookup(regclass, smallint) from public;

create or replace function tenant.run_lookup(rel regclass, statement text, value text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_lookup';

revoke all on function tenant.run_lookup(regclass, text, text) from public;

create or replace function tenant.journal_creation() returns trigger
    language c as 'MODULE_PATHNAME', 'pg_tenant_journal_created';

revoke all on function tenant.journal_creation() from public;

create or replace function tenant.journal_created(object text, reason text) returns void
    language sql set search_path = pg_catalog, pg_temp as $$
    insert into tenant.journal (action, object, reason) values ('create', object, reason)
$$;

revoke all on function tenant.journal_created(text, text) from public;

grant select, references (id, uuid_id, bigint_id) on tenant.tenants to tenant_admin;

comment on table tenant.registry_epoch is 'Stands for the rows of tenant.tenants where caches are invalidated; it has none.';

create or replace function tenant.keep_tenant() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN052',
        message = case tg_op when 'DELETE' then format('cannot delete tenant "%s"', old.id)
            when 'UPDATE' then format('cannot change the id of tenant "%s"', old.id)
            else 'cannot truncate tenant.tenants' end,
        detail = 'Tables refer to tenants: their triggers would run with the rights of whoever removes or renames one.',
        hint = case when tg_op = 'TRUNCATE' then 'select tenant.suspend(id) from tenant.tenants; closes all of them.'
            else format('select tenant.suspend(%L); closes it.', old.id) end;
end
$$;

revoke all on function tenant.keep_tenant() from public;

create or replace function tenant.enter(id uuid) returns text language sql volatile parallel unsafe
    begin atomic select tenant.enter(id::text); end;

create or replace function tenant.enter(id bigint) returns text language sql volatile parallel unsafe
    begin atomic select tenant.enter(id::text); end;

create or replace function tenant.create(id text, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}') returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical text := tenant.canonical_id(id);
    made text;
begin
    if slug !~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' then
        raise exception using
            errcode = 'TN053',
            message = format('cannot register tenant "%s": malformed slug', canonical),
            detail = format('The slug is %s.', quote_literal(left(slug, 80))),
            hint = 'A slug has 1 to 63 characters a-z 0-9 - and begins and ends with a letter or a digit.';
    end if;
    if jsonb_typeof(settings) <> 'object' then
        raise exception using
            errcode = 'TN053',
            message = format('cannot register tenant "%s": malformed settings', canonical),
            detail = format('They are of type %s.', jsonb_typeof(settings)),
            hint = 'Settings are an object: {"name": value, ...}.';
    end if;
    -- Not an exception block, which would be a subtransaction for each of many.
    insert into tenant.tenants as t (id, name, slug, plan, settings)
        values (canonical, name, slug, plan, coalesce(settings, '{}'))
        on conflict do nothing returning t.id into made;
    if made is null then
        raise exception using
            errcode = 'TN050',
            message = format('tenant "%s" exists already', canonical),
            detail = format('The registry has a tenant with id "%s"%s.', canonical, ' or slug "' || slug || '"'),
            hint = 'Choose another, or change the tenant that is there in tenant.tenants.';
    end if;
    return canonical;
end
$$;

comment on function tenant.create(text, text, text, text, jsonb) is 'Registers a tenant and gives its canonical id. TN004 malformed, TN050 exists already, TN053 malformed slug or settings.';

comment on function tenant.suspend(text, text) is 'From now on nobody enters the tenant (TN003); transactions that are in it end as they will.';

create or replace function tenant.suspend(id uuid, reason text default null) returns void language sql
    begin atomic select tenant.suspend(id::text, reason); end;

revoke all on function tenant.suspend(uuid, text) from public;

grant execute on function tenant.suspend(uuid, text) to tenant_admin;

create or replace function tenant.suspend(id bigint, reason text default null) returns void language sql
    begin atomic select tenant.suspend(id::text, reason); end;

revoke all on function tenant.suspend(bigint, text) from public;

grant execute on function tenant.suspend(bigint, text) to tenant_admin;

comment on function tenant.resume(text, text) is 'The tenant can be entered again.';

create or replace function tenant.resume(id uuid, reason text default null) returns void language sql
    begin atomic select tenant.resume(id::text, reason); end;

revoke all on function tenant.resume(uuid, text) from public;

grant execute on function tenant.resume(uuid, text) to tenant_admin;

create or replace function tenant.resume(id bigint, reason text default null) returns void language sql
    begin atomic select tenant.resume(id::text, reason); end;

revoke all on function tenant.resume(bigint, text) from public;

grant execute on function tenant.resume(bigint, text) to tenant_admin;

comment on function tenant.set_limits(text, interval, interval, interval, text, boolean) is 'What the tenant''s transactions are given: applied by enter, and nothing in them may raise it (TN009). Null is no limit; a call sets all of them.';

create or replace function tenant.set_limits(id uuid, statement_timeout interval default null, lock_timeout interval default null,
    idle_in_transaction_session_timeout interval default null, work_mem text default null,
    read_only boolean default false) returns void language sql
    begin atomic
        select tenant.set_limits(id::text, statement_timeout, lock_timeout, idle_in_transaction_session_timeout, work_mem, read_only);
    end;

revoke all on function tenant.set_limits(uuid, interval, interval, interval, text, boolean) from public;

grant execute on function tenant.set_limits(uuid, interval, interval, interval, text, boolean) to tenant_admin;

create or replace function tenant.set_limits(id bigint, statement_timeout interval default null, lock_timeout interval default null,
    idle_in_transaction_session_timeout interval default null, work_mem text default null,
    read_only boolean default false) returns void language sql
    begin atomic
        select tenant.set_limits(id::text, statement_timeout, lock_timeout, idle_in_transaction_session_timeout, work_mem, read_only);
    end;

revoke all on function tenant.set_limits(bigint, interval, interval, interval, text, boolean) from public;

grant execute on function tenant.set_limits(bigint, interval, interval, interval, text, boolean) to tenant_admin;

create or replace function tenant.forget_dropped() returns void
    language sql volatile set search_path = pg_catalog, pg_temp as $$
    delete from tenant.shared where not exists (select from pg_class where oid = relation);
    delete from tenant.lookups where not exists (select from pg_class where oid = relation)
$$;

create or replace function tenant.hierarchy(rel regclass) returns setof regclass
    language sql stable rows 1 set search_path = pg_catalog, pg_temp as $$
    with recursive tree (relation, depth) as (
        select rel::oid, 0
        union all
        select i.inhrelid, depth + 1 from tree
            cross join lateral (select inhrelid from pg_inherits where inhparent = tree.relation offset 0) i
    )
    select relation::regclass from tree group by relation order by min(depth), relation
$$;

create or replace function tenant.is_root(rel regclass, tenant_column name) returns boolean
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

create or replace function tenant.require_create(rel regclass) returns void
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

create or replace function tenant.column_of(rel regclass, tenant_column name, columns jsonb) returns name
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce((columns ->> (select relname::text from pg_class where oid = rel))::name, tenant_column)
$$;

revoke all on function tenant.column_of(regclass, name, jsonb) from public;

grant execute on function tenant.column_of(regclass, name, jsonb) to tenant_admin;

create or replace function tenant.said_of_open_table(rel regclass, tenant_column name, columns jsonb) returns text
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

create or replace function tenant.require_table(rel regclass) returns void
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

create or replace function tenant.reader_for(rel regclass, tenant_column name) returns text
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

create or replace function tenant.refuse_materialized_views(rel regclass) returns void
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

create or replace function tenant.require_one_owner(rel regclass) returns void
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

create or replace function tenant.refuse_publishing_keys(rel regclass, tenant_column name) returns void
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

create or replace function tenant.will_share_rows(rel regclass, asked boolean) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(tenant.has_shared_rows(rel), asked)
$$;

revoke all on function tenant.will_share_rows(regclass, boolean) from public;

grant execute on function tenant.will_share_rows(regclass, boolean) to tenant_admin;

create or replace function tenant.require_shareable(rel regclass, tenant_column name) returns void
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

create or replace function tenant.fence_steps(rel regclass, tenant_column name, reader text, shared_rows boolean)
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

create or replace function tenant.require_step(rel regclass, what text) returns void
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

create or replace function tenant.refuse_nulls(rel regclass, tenant_column name) returns void
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

create or replace function tenant.fence(rel regclass, tenant_column name, reader text, shared_rows boolean) returns void
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

create or replace function tenant.fence_hierarchy(rel regclass, tenant_column name, refuse_foreign boolean, shared_rows boolean) returns void
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

create or replace function tenant.require_protectable(rel regclass) returns void
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

create or replace function tenant.apply_protection(rel regclass, tenant_column name, harden tenant.key_form, keep_old_keys boolean,
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

create or replace function tenant.tables_of(schema regnamespace) returns setof regclass
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select c.oid::regclass from pg_class c
    where c.relnamespace = schema and c.relkind in ('r', 'p') and c.relpersistence <> 't'
        and not exists (select from pg_inherits where inhrelid = c.oid)
        and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by c.relname
$$;

revoke all on function tenant.tables_of(regnamespace) from public;

grant execute on function tenant.tables_of(regnamespace) to tenant_admin;

create or replace function tenant.is_of_all(state text) returns boolean
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select state ~ '^(08|25|40|53|57|58|XX)'
$$;

revoke all on function tenant.is_of_all(text) from public;

grant execute on function tenant.is_of_all(text) to tenant_admin;

create or replace function tenant.foresee_protection(rel regclass, tenant_column name, shared_rows boolean) returns setof text
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

create or replace function tenant.require_columns(schema regnamespace, columns jsonb) returns void
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

create or replace function tenant.require_tables(schema regnamespace, tables text[]) returns void
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

create or replace function tenant.protect_listed(rel regclass, tenant_column name, columns jsonb, dry_run boolean, stop_on_error boolean,
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

create or replace function tenant.harden_listed(rel regclass, tenant_column name, harden tenant.key_form, keep_old_keys boolean, columns jsonb,
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

create or replace function tenant.warn_of_left(schema regnamespace, tables bigint) returns void
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

create or replace function tenant.protect_schema(schema regnamespace, tenant_column name default 'tenant_id',
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

comment on function tenant.protect_schema(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) is 'Protects every table of the schema that has the tenant column, and says what became of each. It goes on past a table that cannot be protected, unless stop_on_error; dry_run changes nothing and says what would be done. Of the tables in shared_rows, rows without a tenant are every tenant''s to read.';

revoke all on function tenant.protect_schema(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) from public;

grant execute on function tenant.protect_schema(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) to tenant_admin;

create or replace function tenant.protect_step(rel regclass, tenant_column name, harden tenant.key_form, keep_old_keys boolean,
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

create or replace procedure tenant.protect_schema_stepwise(schema regnamespace, tenant_column name default 'tenant_id',
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

comment on procedure tenant.protect_schema_stepwise(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) is 'As protect_schema, each table in a transaction of its own: no lock is held for longer than one table takes.';

revoke all on procedure tenant.protect_schema_stepwise(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) from public;

grant execute on procedure tenant.protect_schema_stepwise(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) to tenant_admin;

create or replace function tenant.membership_columns(rel regclass, through regclass, inout member_column name, inout key_column name)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    members name[];
    keys name[];
begin
    if member_column is null or key_column is null then
        select array_agg(m.attname order by c.conname), array_agg(k.attname order by c.conname) into members, keys
            from pg_constraint c
            join pg_attribute m on m.attrelid = c.conrelid and m.attnum = c.conkey[1]
            join pg_attribute k on k.attrelid = c.confrelid and k.attnum = c.confkey[1]
            where c.contype = 'f' and c.conrelid = through and c.confrelid = rel and cardinality(c.conkey) = 1
                and m.attname = coalesce(membership_columns.member_column, m.attname)
                and k.attname = coalesce(membership_columns.key_column, k.attname);
        if coalesce(cardinality(members), 0) <> 1 then
            raise exception using
                errcode = 'TN021',
                message = format('no single foreign key says which column of %s refers to %s', through, rel),
                detail = coalesce('There are several, of the columns: ' || array_to_string(members, ', ') || '.',
                    'There is none of one column.'),
                hint = 'Name both columns: tenant.protect_by_membership(..., member_column => ''<of the join table>'', key_column => ''<of the table>'').';
        end if;
        member_column := members[1];
        key_column := keys[1];
    end if;
end
$$;

revoke all on function tenant.membership_columns(regclass, regclass, name, name) from public;

grant execute on function tenant.membership_columns(regclass, regclass, name, name) to tenant_admin;

create or replace function tenant.membership_type(rel regclass, column_name name) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    col pg_attribute;
    kind text;
begin
    select * into col from pg_attribute where attrelid = rel and attname = column_name and attnum > 0 and not attisdropped;
    if not found then
        raise exception using
            errcode = 'TN021',
            message = format('table %s has no column "%s"', rel, column_name),
            detail = 'Membership is the equality of a column of the join table and a key of the other.',
            hint = format('Name a column of %s.', rel);
    end if;
    kind := case when col.atttypid = 'uuid'::regtype then 'uuid'
        when col.atttypid in ('bigint'::regtype, 'integer'::regtype, 'smallint'::regtype) then 'number'
        when col.atttypid in ('text'::regtype, 'varchar'::regtype) then 'text' end;
    if kind is null then
        raise exception using
            errcode = 'TN022',
            message = format('column "%s" of table %s cannot say who is a member', column_name, rel),
            detail = format('It is of type %s.', format_type(col.atttypid, col.atttypmod)),
            hint = 'Use uuid, bigint, integer, smallint, text or varchar.';
    end if;
    if col.attcollation <> 0 and not (select collisdeterministic from pg_collation where oid = col.attcollation) then
        raise exception using
            errcode = 'TN023',
            message = format('column "%s" of table %s has a nondeterministic collation', column_name, rel),
            detail = 'Under it, texts that differ can be equal: a tenant would see rows that are not its members.',
            hint = format('alter table %s alter column %I type text collate "C";', rel, column_name);
    end if;
    return kind;
end
$$;

revoke all on function tenant.membership_type(regclass, name) from public;

grant execute on function tenant.membership_type(regclass, name) to tenant_admin;

create or replace function tenant.require_membership(rel regclass, through regclass, member_column name, key_column name) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant.require_protectable(rel);
    perform tenant.require_table(rel);
    perform tenant.require_owner(through);
    -- Of 0.1.0's policies the planner can lose the fence: not until they are mended. And who is a member in rows of nobody?
    if rel = through or coalesce(tenant.fence_column(through), 0) = 0 or tenant.has_shared_rows(through)
        or tenant.former_column(tenant.fence_policy(through)) is not null then
        raise exception using
            errcode = 'TN028',
            message = format('table %s is not protected by a tenant column', through),
            detail = 'Membership is what a tenant sees of the join table: it has rows of its own there.',
            hint = format('First: select tenant.protect(%L); without shared rows.', through);
    end if;
    if tenant.membership_type(rel, key_column) <> tenant.membership_type(through, member_column) then
        raise exception using
            errcode = 'TN022',
            message = format('column "%s" of table %s cannot say who is a member', member_column, through),
            detail = format('Column "%s" of table %s is of another type.', key_column, rel),
            hint = 'Name two columns of one type.';
    end if;
    if tenant.fence_policy(rel) is not null and (tenant.membership_through(rel) is distinct from through
        or (key_column, member_column) is distinct from (
            (select attname from pg_attribute where attrelid = rel and attnum = tenant.membership_key(rel)),
            (select attname from pg_attribute where attrelid = through and attnum = tenant.membership_member(rel)))) then
        raise exception using
            errcode = 'TN025',
            message = format('table %s is protected already', rel),
            detail = format('It is protected %s.', coalesce('by membership through ' || tenant.membership_through(rel)::text, 'by a tenant column')),
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', rel);
    end if;
    if tenant.fence_policy(rel) is null and exists (select from pg_policy where polrelid = rel and polname = 'tenant_membership') then
        raise exception using
            errcode = 'TN026',
            message = format('table %s has a policy named "tenant_membership" that is not a tenant policy', rel),
            detail = 'The policy of tenant.protect_by_membership is restrictive, for all commands, to public, and lets nothing in.',
            hint = format('alter policy tenant_membership on %s rename to ...; or drop policy tenant_membership on %1$s;', rel);
    end if;
end
$$;

revoke all on function tenant.require_membership(regclass, regclass, name, name) from public;

grant execute on function tenant.require_membership(regclass, regclass, name, name) to tenant_admin;

create or replace function tenant.fence_members(rel regclass, through regclass, member_column name, key_column name, open boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    given constant text := format('select m.%I%s from %s m', member_column,
        case when tenant.membership_type(through, member_column) = 'text' then '::pg_catalog.text' else '' end, through);
    -- The array leads the planner to an index of the key; the function decides.
    condition constant text := format('%I operator(pg_catalog.=) any (array(%s)) and tenant.is_member(%1$I operator(pg_catalog.=) any (%2$s))',
        key_column, given);
    class pg_class := (select c from pg_class c where oid = rel);
    before jsonb := jsonb_build_object('enabled', class.relrowsecurity, 'forced', class.relforcerowsecurity);
begin
    if tenant.fence_policy(rel) is not null then
        before := tenant.before_protection(tenant.fence_policy(rel)) - 'tenants_add_members';
    end if;
    if not (class.relrowsecurity and class.relforcerowsecurity) then
        perform tenant.run_as_owner(rel, format('alter table %s enable row level security, force row level security', rel));
    end if;
    if tenant.fence_policy(rel) is null then
        perform tenant.run_as_owner(rel, format(
            'create policy tenant_membership on %s as restrictive for all to public using (%s) with check (false)', rel, condition));
    end if;
    -- For SELECT: whichever of the two policies is lost, the other denies.
    if not exists (select from pg_policy where polrelid = rel and polpermissive) then
        perform tenant.run_as_owner(rel, format(
            'create policy tenant_access on %s as permissive for select to public using (%s)', rel, condition));
    end if;
    perform tenant.run_as_owner(rel, format('comment on policy %I on %s is %L',
        (select polname from pg_policy where oid = tenant.fence_policy(rel)), rel,
        format('Keeps tenants apart. Before: %s', before || case when open then '{"tenants_add_members": true}' else '{}' end::jsonb)));
end
$$;

revoke all on function tenant.fence_members(regclass, regclass, name, name, boolean) from public;

grant execute on function tenant.fence_members(regclass, regclass, name, name, boolean) to tenant_admin;

create or replace function tenant.refuse_member() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN072',
        message = format('table %s takes no members in a tenant''s transaction', tg_relid::regclass),
        detail = 'Each of its rows shows the tenant a row of another table: who adds one sees whom it likes.',
        hint = 'Add members outside of tenants: begin; select tenant.enter_system(''<reason>'', write => true);';
end
$$;

comment on function tenant.refuse_member() is 'The trigger of tables through which others are reached by membership.';

revoke all on function tenant.refuse_member() from public;

grant execute on function tenant.refuse_member() to public;

create or replace function tenant.reached_through(through regclass) returns table (relation regclass, member smallint, open boolean)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select p.polrelid::regclass, tenant.membership_member(p.polrelid::regclass),
        coalesce((tenant.before_protection(tenant.fence_policy(p.polrelid::regclass)) ->> 'tenants_add_members')::boolean, false)
    from (
        select distinct polrelid from pg_depend d join pg_policy on pg_policy.oid = d.objid and not polpermissive
        where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = through and polrelid <> through
        offset 0
    ) p
    where tenant.membership_through(p.polrelid::regclass) = through
$$;

revoke all on function tenant.reached_through(regclass) from public;

grant execute on function tenant.reached_through(regclass) to tenant_admin;

create or replace function tenant.member_triggers(through regclass) returns table (part regclass, name name, statement text)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select h, t.name, format('create trigger %I before %s on %s for each row when (%stenant.current_id() is not null) '
        'execute function tenant.refuse_member()', t.name, t.event, h, t.changes)
    from tenant.hierarchy(through) h join pg_class c on c.oid = h and c.relkind in ('r', 'p')
    cross join lateral (
        select '~tenant_members'::name as name, 'insert' as event, '' as changes
        from tenant.reached_through(through) r where not r.open having count(*) > 0
        union
        select ('~tenant_members_' || a.attname)::name, 'update', format('old.%I is distinct from new.%1$I and ', a.attname)
        from tenant.reached_through(through) r join pg_attribute a on a.attrelid = h and a.attname = (
            select attname from pg_attribute where attrelid = through and attnum = r.member)
        where not r.open
    ) t
$$;

revoke all on function tenant.member_triggers(regclass) from public;

grant execute on function tenant.member_triggers(regclass) to tenant_admin;

create or replace function tenant.trigger_text(definition text) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select regexp_replace(regexp_replace(lower(definition), '^create trigger \S+ before (\S+) on \S+', '\1'), '[()"]', '', 'g')
$$;

revoke all on function tenant.trigger_text(text) from public;

grant execute on function tenant.trigger_text(text) to tenant_admin;

create or replace function tenant.missing_member_triggers(through regclass) returns table (part regclass, name name, statement text)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select m.part, m.name, m.statement from tenant.member_triggers(through) m
    where not exists (select from pg_trigger t where t.tgrelid = m.part and not t.tgisinternal and t.tgenabled = 'A'
        and tenant.trigger_text(pg_get_triggerdef(t.oid)) = tenant.trigger_text(m.statement))
$$;

revoke all on function tenant.missing_member_triggers(regclass) from public;

grant execute on function tenant.missing_member_triggers(regclass) to tenant_admin;

create or replace function tenant.keep_members(through regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    old record;
    missing record;
    found_name name;
begin
    for old in
        select t.tgrelid::regclass as part, t.tgname as name from tenant.hierarchy(through) h
        join pg_trigger t on t.tgrelid = h and t.tgparentid = 0 and t.tgfoid = 'tenant.refuse_member()'::regprocedure
        where not exists (select from tenant.member_triggers(through) m
            where m.part = h and tenant.trigger_text(m.statement) = tenant.trigger_text(pg_get_triggerdef(t.oid)))
    loop
        perform tenant.run_as_owner(old.part, format('drop trigger %I on %s', old.name, old.part));
    end loop;
    -- The table before its partitions, which get theirs from it.
    for missing in select m.* from tenant.missing_member_triggers(through) m join pg_class c on c.oid = m.part order by c.relispartition loop
        select tgname into found_name from pg_trigger where tgrelid = missing.part and not tgisinternal
            and tenant.trigger_text(pg_get_triggerdef(oid)) = tenant.trigger_text(missing.statement);
        if not found then
            perform tenant.run_as_owner(missing.part, missing.statement);
            found_name := missing.name;
        end if;
        -- session_replication_role = replica skips others.
        perform tenant.run_as_owner(missing.part, format('alter table %s enable always trigger %I', missing.part, found_name));
    end loop;
end
$$;

revoke all on function tenant.keep_members(regclass) from public;

grant execute on function tenant.keep_members(regclass) to tenant_admin;

create or replace function tenant.apply_membership(rel regclass, through regclass, member_column name, key_column name, tenants_add_members boolean)
    returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    columns record;
    part regclass;
begin
    if rel is null or through is null then
        raise exception using
            errcode = '22004',
            message = 'the table and the join table must be named',
            detail = 'One of them is null.',
            hint = 'select tenant.protect_by_membership(''users'', through => ''members'');';
    end if;
    select * into columns from tenant.membership_columns(rel, through, apply_membership.member_column, apply_membership.key_column);
    perform tenant.require_membership(rel, through, columns.member_column, columns.key_column);
    for part in select tenant.hierarchy(rel) loop
        perform tenant.require_table(part);
        perform tenant.fence_members(part, through, columns.member_column, columns.key_column, coalesce(tenants_add_members, false));
    end loop;
    perform tenant.keep_members(through);
    delete from tenant.shared where relation = rel;
    insert into tenant.journal (action, object, detail) values ('protect', rel::text,
        jsonb_build_object('through', through::text, 'member_column', columns.member_column, 'key_column', columns.key_column)
            || case when tenants_add_members then '{"tenants_add_members": true}' else '{}' end::jsonb);
end
$$;

revoke all on function tenant.apply_membership(regclass, regclass, name, name, boolean) from public;

create or replace function tenant.unfence(rel regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    col name := (select attname from pg_attribute where attrelid = rel and attnum = tenant.fence_column(rel));
    fence pg_policy;
    access pg_policy;
    further name;
    before jsonb;
begin
    select * into fence from pg_policy where oid = tenant.fence_policy(rel);
    if not found then
        return;
    end if;
    before := tenant.before_protection(fence.oid);
    -- The other one that protect made, not one of the same name.
    select * into access from pg_policy where polrelid = rel and polname = 'tenant_access' and polpermissive
        and tenant.policy_form(oid) is not null;
    if tenant.has_shared_rows(rel) then
        -- What shows rows of nobody, and what keeps them from being changed: alone none is of any use.
        for further in
            select polname from pg_policy where polrelid = rel and oid <> fence.oid and not polpermissive and polroles = '{0}'
                and (polcmd = '*' and tenant.policy_form(oid) = 'shared' or polcmd in ('w', 'd') and tenant.policy_form(oid) = 'own')
        loop
            perform tenant.run_as_owner(rel, format('drop policy %I on %s', further, rel));
        end loop;
    end if;
    perform tenant.run_as_owner(rel, format('drop policy %I on %s', fence.polname, rel));
    if access.oid is not null then
        perform tenant.run_as_owner(rel, format('drop policy %I on %s', access.polname, rel));
    end if;
    if (select pg_get_expr(adbin, adrelid) ~ '^tenant\.current_(id|uuid|bigint)\(\)' from pg_attrdef
        join pg_attribute on attrelid = adrelid and attnum = adnum where adrelid = rel and attname = col) then
        perform tenant.run_as_owner(rel, format('alter table only %s alter column %I drop default', rel, col));
        -- Whoever has owned the table could have written it: nobody runs it unseen.
        if before ? 'default' then
            raise warning using
                message = format('column "%s" of table %s had another default before it was protected', col, rel),
                detail = 'It is not given back by itself: whoever has owned the table could have changed what is kept of it.',
                hint = format('alter table only %s alter column %I set default %s;', rel, col, before ->> 'default');
        end if;
    end if;
    if not coalesce((before ->> 'forced')::boolean, false) then
        perform tenant.run_as_owner(rel, format('alter table %s no force row level security', rel));
    end if;
    -- With policies of others left, row-level security stays on: without it nothing would hold them.
    if not coalesce((before ->> 'enabled')::boolean, false) and not exists (select from pg_policy where polrelid = rel) then
        perform tenant.run_as_owner(rel, format('alter table %s disable row level security', rel));
    end if;
end
$$;

create or replace function tenant.unfence_remains(rel regclass) returns boolean
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    col name;
    had_any boolean := 'protect' = (select action from tenant.journal
        where object = rel::text and action in ('protect', 'unprotect') order by id desc limit 1);
begin
    for col in
        select attname from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
        where adrelid = rel and pg_get_expr(adbin, adrelid) ~ '^tenant\.current_(id|uuid|bigint)\(\)'
    loop
        had_any := true;
        perform tenant.run_as_owner(rel, format('alter table only %s alter column %I drop default', rel, col));
    end loop;
    if (select relforcerowsecurity and not relrowsecurity from pg_class where oid = rel)
        and not exists (select from pg_policy where polrelid = rel) then
        had_any := true;
        perform tenant.run_as_owner(rel, format('alter table %s no force row level security', rel));
    end if;
    return coalesce(had_any, false);
end
$$;

revoke all on function tenant.unfence_remains(regclass) from public;

grant execute on function tenant.unfence_remains(regclass) to tenant_admin;

create or replace function tenant.remove_protection(rel regclass, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    part regclass;
    reached regclass;
    through constant regclass := tenant.membership_through(rel);
begin
    perform tenant.require_reason(reason);
    perform tenant.require_owner(rel);
    if tenant.fence_policy(rel) is null then
        if tenant.unfence_remains(rel) then
            insert into tenant.journal (action, object, reason) values ('unprotect', rel::text, remove_protection.reason);
            return;
        end if;
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
    select r.relation into reached from tenant.reached_through(rel) r limit 1;
    if found then
        raise exception using
            errcode = 'TN030',
            message = format('cannot unprotect %s: table %s is reached by membership through it', rel, reached),
            detail = 'Every tenant would see all of its rows, and so all of the other''s.',
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', reached);
    end if;
    for part in select tenant.hierarchy(rel) loop
        perform tenant.unfence(part);
    end loop;
    if through is not null then
        perform tenant.keep_members(through);
    end if;
    delete from tenant.lookups where relation in (select tenant.hierarchy(rel));
    insert into tenant.journal (action, object, reason) values ('unprotect', rel::text, remove_protection.reason);
end
$$;

create or replace view tenant.protected_tables as
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
        j.role as protected_by,
        tenant.has_shared_rows(c.oid::regclass) as shared_rows,
        tenant.membership_through(c.oid::regclass) as through
    from (select distinct polrelid from pg_catalog.pg_policy where not polpermissive) fenced
    join pg_catalog.pg_class c on c.oid = fenced.polrelid
    join pg_catalog.pg_policy pol on pol.oid = tenant.fence_policy(c.oid::regclass)
    left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = tenant.fence_column(c.oid::regclass)
    left join lateral (select inhparent from pg_catalog.pg_inherits where inhrelid = c.oid order by inhseqno limit 1) p on true
    left join (select distinct on (object) object, at, role from tenant.journal where action = 'protect' order by object, id desc) j
        on j.object = pg_catalog.format('%s.%I', c.relnamespace::regnamespace, c.relname);

comment on view tenant.protected_tables is 'What is protected, how, by which column or through which join table, with which index, since when and by whom.';

create or replace function tenant.reach_of(role name) returns text
    language sql immutable strict set search_path = pg_catalog, pg_temp as $$
    select case role
        when 'tenant_admin' then 'manages tenants'
        when 'tenant_system' then 'works on every tenant''s rows'
        when 'pg_execute_server_program' then 'runs programs on the server'
        when 'pg_read_server_files' then 'reads the server''s files'
        when 'pg_write_server_files' then 'writes the server''s files'
        when 'pg_read_all_data' then 'reads every relation'
        when 'pg_write_all_data' then 'writes every relation'
        when 'pg_maintain' then 'locks, rewrites and analyses every relation'
        when 'pg_monitor' then 'reads other sessions'' statements'
        when 'pg_read_all_stats' then 'reads other sessions'' statements'
        when 'pg_stat_scan_tables' then 'counts the rows of every table'
        when 'pg_signal_backend' then 'ends other sessions'
        when 'pg_create_subscription' then 'lets the server connect to others'
        when 'pg_database_owner' then 'owns the database' end
$$;

comment on function tenant.reach_of(name) is 'What the members of a role reach past their tenant, or null.';

revoke all on function tenant.reach_of(name) from public;

create or replace function tenant.bind_role(role name, id text) returns void
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
                else 'which ' || tenant.reach_of(r.rolname) end)
            from pg_roles r
            where r.oid <> target.oid and pg_has_role(target.oid, r.oid, 'member')
                and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or tenant.reach_of(r.rolname) is not null)
            order by r.rolname
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

comment on function tenant.bind_role(name, text) is 'From its next login the role lives inside this tenant and cannot leave it. TN040 says why a role cannot be bound.';

create or replace function tenant.bind_role(role name, id uuid) returns void language sql
    begin atomic select tenant.bind_role(role, id::text); end;

revoke all on function tenant.bind_role(name, uuid) from public;

grant execute on function tenant.bind_role(name, uuid) to tenant_admin;

create or replace function tenant.bind_role(role name, id bigint) returns void language sql
    begin atomic select tenant.bind_role(role, id::text); end;

revoke all on function tenant.bind_role(name, bigint) from public;

grant execute on function tenant.bind_role(name, bigint) to tenant_admin;

create or replace function tenant.journal_system_as_owner(reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into tenant.journal (action, object, reason, detail, role, session_role)
        values ('enter_system', 'tenant_system', btrim(reason), '{"write": true, "as_owner": true}',
            case current_setting('role') when 'none' then session_user else current_setting('role') end, session_user);
end
$$;

revoke all on function tenant.journal_system_as_owner(text) from public;

create or replace function tenant.lock_key(key text) returns bigint
    language plpgsql stable strict set search_path = pg_catalog, pg_temp as $$
begin
    if tenant.current_id() is null then
        raise exception using
            errcode = 'TN001',
            message = 'no tenant: the name belongs to one: begin; select tenant.enter(''<tenant id>'') first',
            detail = format('The name is "%s".', key),
            hint = 'In the same transaction, first: select tenant.enter(''<tenant id>'');';
    end if;
    return ('x' || encode(substr(sha256(convert_to(tenant.current_id() || '/' || key, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint;
end
$$;

create or replace function tenant.advisory_lock(key text) returns void
    language plpgsql volatile strict security definer
    set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    perform pg_advisory_xact_lock(tenant.count_lock(tenant.lock_key(key)));
end
$$;

create or replace function tenant.try_advisory_lock(key text) returns boolean
    language plpgsql volatile strict security definer
    set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    return pg_try_advisory_xact_lock(tenant.count_lock(tenant.lock_key(key)));
end
$$;

create or replace function tenant.channel(channel text, id text default tenant.current_id()) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if id <> tenant.current_id() then
        raise exception using
            errcode = 'TN063',
            message = 'the channel of another tenant is not named in a tenant''s transaction',
            detail = format('The transaction is in tenant "%s".', tenant.current_id()),
            hint = 'select tenant.channel(''<channel>''); is this tenant''s own.';
    end if;
    -- The guards know a tenant's own names by the first part.
    return 'tenant_' || substr(encode(sha256(convert_to(id, 'UTF8')), 'hex'), 1, 20) || '_'
        || substr(encode(sha256(convert_to(id || '/' || channel, 'UTF8')), 'hex'), 1, 32);
end
$$;

create or replace function tenant.protect_newcomer(child regclass, parent regclass) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    tenant_column name := (select attname from pg_attribute where attrelid = parent and attnum = tenant.fence_column(parent));
    through regclass := tenant.membership_through(parent);
begin
    if through is not null then
        perform tenant.fence_members(child,
            through, (select attname from pg_attribute where attrelid = through and attnum = tenant.membership_member(parent)),
            (select attname from pg_attribute where attrelid = parent and attnum = tenant.membership_key(parent)),
            coalesce((tenant.before_protection(tenant.fence_policy(parent)) ->> 'tenants_add_members')::boolean, false));
        return;
    end if;
    perform tenant.fence_hierarchy(child, tenant_column, refuse_foreign => false, shared_rows => tenant.has_shared_rows(parent));
    insert into tenant.journal (action, object, detail, role)
        values ('protect_below', child::text, jsonb_build_object('tenant_column', tenant_column, 'parent', parent::text), session_user);
end
$$;

create or replace function tenant.refuse_truncate() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN031',
        message = format('cannot truncate protected table %s', tg_relid::regclass),
        detail = 'TRUNCATE removes the rows of every tenant; policies do not apply to it.',
        hint = format('A subscription leaves it out by: alter subscription ... skip (lsn = ...); who means it, first: alter table %s disable trigger %I;',
            tg_relid::regclass, tg_name);
end
$$;

comment on function tenant.refuse_truncate() is 'A trigger that refuses TRUNCATE (TN031), for tables that a subscription writes.';

revoke all on function tenant.refuse_truncate() from public;

grant execute on function tenant.refuse_truncate() to tenant_admin;

create or replace function tenant.key_column(rel regclass) returns smallint
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(tenant.fence_column(rel), (select attnum from pg_attribute
        where attrelid = rel and attname = current_setting('tenant.foreseen_column', true) and attnum > 0 and not attisdropped
            and attnotnull and not exists (select from tenant.shared where relation = rel)))
$$;

revoke all on function tenant.key_column(regclass) from public;

grant execute on function tenant.key_column(regclass) to tenant_admin;

create or replace function tenant.with_equal_nulls(rest text, rel oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when tenant.has_shared_rows(rel) and rest !~ 'NULLS NOT DISTINCT'
        then regexp_replace(rest, '^([^()"]|"[^"()]*")*\)( INCLUDE \(([^()"]|"[^"()]*")*\))?', '\& NULLS NOT DISTINCT') else rest end
$$;

revoke all on function tenant.with_equal_nulls(text, oid) from public;

grant execute on function tenant.with_equal_nulls(text, oid) to tenant_admin;

create or replace function tenant.said_of_shared_key(index oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when tenant.has_shared_rows(i.indrelid) is not true then null
            when i.indisprimary then 'the tenant column may be null, and a primary key has no such column'
            when i.indisexclusion then 'an exclusion constraint does not look at rows without a tenant'
            when exists (select from pg_constraint f where f.contype = 'f' and f.conindid = i.indexrelid) then
                'a foreign key refers to it, to rows without a tenant too'
            when i.indpred is not null or i.indexprs is not null or exists (
                select from unnest(i.indkey::smallint[]) with ordinality k (attnum, nth) join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                where nth <= i.indnkeyatts and not a.attnotnull) then
                'with the tenant in it, it would not hold for rows without one, or for more than it does now'
        end
    from pg_index i where i.indexrelid = index
$$;

revoke all on function tenant.said_of_shared_key(oid) from public;

grant execute on function tenant.said_of_shared_key(oid) to tenant_admin;

create or replace function tenant.index_with_tenant(index oid, name text, tenant_column smallint, concurrent boolean) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    i pg_index;
    old pg_class;
    method text;
    prefix text;
begin
    select * into i from pg_index where indexrelid = index;
    select * into old from pg_class where oid = index;
    method := (select quote_ident(amname) from pg_am where oid = old.relam);
    prefix := format('CREATE UNIQUE INDEX %I ON %s%s USING %s (', old.relname,
        case old.relkind when 'I' then 'ONLY ' else '' end, i.indrelid::regclass, method);
    return format('CREATE UNIQUE INDEX %s%I ON %s USING %s (%s, ', case when concurrent then 'CONCURRENTLY ' else '' end,
            name, i.indrelid::regclass, method, tenant.column_list(i.indrelid, array[tenant_column]))
        || tenant.with_equal_nulls(substr(tenant.without_included(pg_get_indexdef(index), index, tenant_column), length(prefix) + 1), i.indrelid);
end
$$;

create or replace function tenant.constraint_with_tenant(con oid, tenant_column smallint) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when contype = 'u' and tenant.has_shared_rows(conrelid) and old not like 'UNIQUE NULLS NOT DISTINCT (%'
                then 'UNIQUE NULLS NOT DISTINCT (' else left(old, strpos(old, '(')) end || tenant.column_list(conrelid, array[tenant_column])
            || case contype when 'x' then ' WITH OPERATOR(pg_catalog.=)' else '' end || ', ' || substr(old, strpos(old, '(') + 1)
        from (select contype, conrelid, tenant.without_included(pg_get_constraintdef(oid), conindid, tenant_column) as old
            from pg_constraint where oid = con) c
$$;

create or replace function tenant.reference_with_tenant(fk oid) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    f pg_constraint;
    period boolean;
    columns smallint[];
    referenced smallint[];
    full_match boolean;
    own smallint;
begin
    select * into f from pg_constraint where oid = fk;
    own := tenant.key_column(f.conrelid);
    period := coalesce((to_jsonb(f) ->> 'conperiod')::boolean, false);
    columns := case when period then trim_array(f.conkey, 1) else f.conkey end;
    referenced := case when period then trim_array(f.confkey, 1) else f.confkey end;
    -- MATCH FULL is all or none: none is not to be had with a tenant column that is never null, nor all with one that may be.
    full_match := f.confmatchtype = 'f' and not exists (
        select from pg_attribute where attrelid = f.conrelid and attnum = any (f.conkey) and not attnotnull)
        and tenant.has_shared_rows(f.conrelid) is not true;
    return format('foreign key (%s%s) references %s (%s%s)',
            tenant.column_list(f.conrelid, own || columns),
            case when period then ', period ' || tenant.column_list(f.conrelid, f.conkey[cardinality(f.conkey):]) else '' end,
            f.confrelid::regclass,
            tenant.column_list(f.confrelid, tenant.key_column(f.confrelid) || referenced),
            case when period then ', period ' || tenant.column_list(f.confrelid, f.confkey[cardinality(f.confkey):]) else '' end)
        || case when full_match then ' match full' else '' end
        || case f.confupdtype when 'c' then ' on update cascade' when 'r' then ' on update restrict' else '' end
        || case f.confdeltype when 'c' then ' on delete cascade' when 'r' then ' on delete restrict'
            when 'n' then ' on delete set null' when 'd' then ' on delete set default' else '' end
        || case when f.confdeltype in ('n', 'd') then
            format(' (%s)', tenant.column_list(f.conrelid, coalesce(f.confdelsetcols, f.conkey))) else '' end
        || case when f.condeferrable then ' deferrable' else '' end
        || case when f.condeferred then ' initially deferred' else '' end
        || case when (to_jsonb(f) ->> 'conenforced')::boolean is false then ' not enforced' else '' end;
end
$$;

create or replace function tenant.references_across(fk oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('select child.* from %s child join %s parent on %s where child.%s <> parent.%s',
            f.conrelid::regclass, f.confrelid::regclass,
            (select string_agg(format('parent.%s operator(%I.%s) child.%s', tenant.column_list(f.confrelid, array[f.confkey[n]]),
                    nspname, oprname, tenant.column_list(f.conrelid, array[f.conkey[n]])), ' and ' order by n)
                from generate_subscripts(f.conkey, 1) n
                join pg_operator o on o.oid = f.conpfeqop[n] join pg_namespace on pg_namespace.oid = oprnamespace),
            tenant.column_list(f.conrelid, array[tenant.key_column(f.conrelid)]),
            tenant.column_list(f.confrelid, array[tenant.key_column(f.confrelid)]))
        from pg_constraint f where f.oid = fk
$$;

create or replace function tenant.count_across(fk oid) returns bigint
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    query text := tenant.references_across(fk);
    part regclass;
    fence name;
    found_rows bigint;
begin
    for part in
        select distinct h from pg_constraint f, lateral (
            select tenant.hierarchy(f.conrelid) union select tenant.hierarchy(f.confrelid)) both_sides (h)
        where f.oid = fk
    loop
        select polname into fence from pg_policy where oid = tenant.fence_policy(part);
        if found then
            perform tenant.run_as_owner(part, format('drop policy %I on %s', fence, part));
            perform tenant.run_as_owner(part, format('alter table %s disable row level security', part));
        end if;
    end loop;
    found_rows := tenant.run_as_owner((select conrelid::regclass from pg_constraint where oid = fk),
        format('select count(*) from (%s) across', query))::bigint;
    raise exception using errcode = 'TN087', message = found_rows::text;
exception
    when sqlstate 'TN087' then return sqlerrm::bigint;
    when others then return null;
end
$$;

create or replace function tenant.obstacle_of_key(index oid, tenant_column smallint) returns tenant.obstacle
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
            when not pg_indexam_has_property(am.oid, 'can_multi_col') then
                row('TN086', format('%s cannot contain the tenant', c.relname),
                    format('its index method %s takes one column only.', am.amname))::tenant.obstacle
            when not exists (select from pg_opclass o where o.opcmethod = am.oid and o.opcdefault
                    and o.opcintype = case a.atttypid when 'varchar'::regtype then 'text'::regtype else a.atttypid end) then
                row('TN085', format('%s cannot contain the tenant', c.relname),
                    format('index method %s has no operator class for %s.', am.amname, format_type(a.atttypid, null)))::tenant.obstacle
        end
        from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am am on am.oid = c.relam
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = tenant_column
        where i.indexrelid = index
$$;

revoke all on function tenant.obstacle_of_key(oid, smallint) from public;

grant execute on function tenant.obstacle_of_key(oid, smallint) to tenant_admin;

create or replace function tenant.obstacle_of_reference(fk oid) returns tenant.obstacle
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
            when tenant.has_shared_rows(f.confrelid) then null -- it stays, for what it refers to may be without one
            when f.confupdtype in ('n', 'd') then
                row('TN086', format('%s of %s cannot contain the tenant', f.conname, f.conrelid::regclass),
                    'on update set null or set default would reach the tenant column; use cascade or no action.')::tenant.obstacle
            when case when child.atttypid in ('smallint'::regtype, 'integer'::regtype) then 'bigint'::regtype
                    when child.atttypid = 'varchar'::regtype then 'text'::regtype else child.atttypid end
                <> case when parent.atttypid in ('smallint'::regtype, 'integer'::regtype) then 'bigint'::regtype
                    when parent.atttypid = 'varchar'::regtype then 'text'::regtype else parent.atttypid end then
                row('TN086', format('%s of %s cannot contain the tenant', f.conname, f.conrelid::regclass),
                    format('the tenant columns differ in type: %s and %s.',
                        format_type(child.atttypid, null), format_type(parent.atttypid, null)))::tenant.obstacle
        end
        from pg_constraint f
        join pg_attribute child on child.attrelid = f.conrelid and child.attnum = tenant.key_column(f.conrelid)
        join pg_attribute parent on parent.attrelid = f.confrelid and parent.attnum = tenant.key_column(f.confrelid)
        where f.oid = fk
$$;

revoke all on function tenant.obstacle_of_reference(oid) from public;

grant execute on function tenant.obstacle_of_reference(oid) to tenant_admin;

create or replace function tenant.keys_without_tenant(parts oid[])
    returns table (relation oid, index oid, constraint_oid oid, name text, columns smallint[], is_reference boolean, online boolean)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select i.indrelid, i.indexrelid, con.oid, c.relname, key.columns, i.indisunique and i.indexprs is null and i.indpred is null,
        -- Else there is no way but to drop the constraint and add the other.
        t.relkind = 'r' and con.contype is distinct from 'x' and not i.indisexclusion
    from (select unnest(parts)
            union select confrelid from pg_constraint where contype = 'f' and conparentid = 0 and conrelid = any (parts)) touched (oid)
    join pg_class t on t.oid = touched.oid
    join pg_index i on i.indrelid = t.oid and (i.indisunique or i.indisexclusion) and i.indisvalid
    join pg_class c on c.oid = i.indexrelid and not c.relispartition
    left join pg_constraint con on con.conindid = i.indexrelid and con.conrelid = i.indrelid and con.contype in ('p', 'u', 'x')
    cross join lateral (select array(select unnest((i.indkey::smallint[])[0:i.indnkeyatts - 1])) as columns,
        tenant.key_column(t.oid::regclass) as tenant) key
    where key.tenant is not null
        and not key.tenant = any (key.columns)
        and (t.oid = any (parts) or exists (select from pg_constraint f where f.contype = 'f' and f.conparentid = 0
            and f.conrelid = any (parts) and f.confrelid = t.oid and f.confkey <@ key.columns and f.confkey @> key.columns))
    order by t.oid::regclass::text, c.relname
$$;

create or replace function tenant.surrogate_kind(index oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
            when a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) ~ '^nextval\(' then 'numbered'
            when pg_get_expr(d.adbin, d.adrelid)
                ~ '^\(?([^()]+\.)?(gen_random_uuid|uuidv[47]|uuid_generate_v[47])\([^()]*\)\)?(::(text|character varying))?$' then 'random'
        end
    from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where i.indexrelid = index and i.indisunique and not i.indisexclusion and i.indnkeyatts = 1
        and i.indexprs is null and i.indpred is null and a.attgenerated = ''
$$;

revoke all on function tenant.surrogate_kind(oid) from public;

grant execute on function tenant.surrogate_kind(oid) to tenant_admin;

create or replace function tenant.is_referable(rel oid, columns smallint[]) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_index i where i.indrelid = rel and i.indisunique and i.indisvalid and i.indimmediate
            and i.indpred is null and i.indexprs is null and i.indnkeyatts = cardinality(columns)
            and (i.indkey::smallint[])[0:i.indnkeyatts - 1] @> columns)
$$;

revoke all on function tenant.is_referable(oid, smallint[]) from public;

grant execute on function tenant.is_referable(oid, smallint[]) to tenant_admin;

create or replace function tenant.is_prepared(fk oid, name text) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select n.contype = 'f' and n.confrelid = f.confrelid
            and array(select format('%s=%s', here, there) from unnest(n.conkey, n.confkey) k (here, there) order by 1)
                = array(select format('%s=%s', here, there) from unnest(tenant.key_column(f.conrelid) || f.conkey,
                    tenant.key_column(f.confrelid) || f.confkey) k (here, there) order by 1)
            and n.confupdtype = f.confupdtype and n.confdeltype = f.confdeltype
            and (f.confdeltype not in ('n', 'd') or coalesce(n.confdelsetcols, n.conkey) <@ coalesce(f.confdelsetcols, f.conkey)
                and coalesce(n.confdelsetcols, n.conkey) @> coalesce(f.confdelsetcols, f.conkey))
            and (n.condeferrable, n.condeferred) = (f.condeferrable, f.condeferred)
            and (to_jsonb(n) -> 'conenforced') is not distinct from (to_jsonb(f) -> 'conenforced')
            and (to_jsonb(n) -> 'conperiod') is not distinct from (to_jsonb(f) -> 'conperiod')
            -- MATCH FULL with a tenant that is never null refuses every null.
            and (n.confmatchtype = 's' or n.confmatchtype = 'f' and not exists (
                select from pg_attribute where attrelid = f.conrelid and attnum = any (f.conkey) and not attnotnull))
        from pg_constraint f join pg_constraint n on n.conrelid = f.conrelid and n.conname = name where f.oid = fk
$$;

revoke all on function tenant.is_prepared(oid, text) from public;

grant execute on function tenant.is_prepared(oid, text) to tenant_admin;

create or replace function tenant.prepared_reference(fk oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select n.conname
        from pg_constraint f join pg_constraint n on n.conrelid = f.conrelid and n.contype = 'f' and n.conparentid = 0 and n.oid <> fk
        where f.oid = fk and tenant.is_prepared(fk, n.conname) and (n.conname = tenant.name_beside(f.conname, '_tenant') or not exists (
            select from pg_constraint other where other.conrelid = f.conrelid and other.contype = 'f' and other.oid <> fk
                and (other.conname < f.conname or n.conname = tenant.name_beside(other.conname, '_tenant'))
                and tenant.is_prepared(other.oid, n.conname)))
        order by n.conname <> tenant.name_beside(f.conname, '_tenant'), not n.convalidated, n.conname limit 1
$$;

revoke all on function tenant.prepared_reference(oid) from public;

grant execute on function tenant.prepared_reference(oid) to tenant_admin;

create or replace function tenant.prepared_key(index oid, tenant_column smallint) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select c.relname
        from pg_index key
        join pg_index i on i.indrelid = key.indrelid and i.indexrelid <> key.indexrelid and i.indisvalid
        join pg_class c on c.oid = i.indexrelid
        left join pg_constraint old on old.conindid = key.indexrelid and old.conrelid = key.indrelid and old.contype in ('p', 'u', 'x')
        left join pg_constraint new on new.conindid = i.indexrelid and new.conrelid = i.indrelid and new.contype in ('p', 'u', 'x')
        where key.indexrelid = index
            and pg_get_indexdef(i.indexrelid) = tenant.index_with_tenant(index, c.relname, tenant_column, false)
            and (new.oid is null or old.contype = 'u' and new.contype = 'u'
                and (new.condeferrable, new.condeferred) = (old.condeferrable, old.condeferred))
        order by new.oid is not null, c.relname limit 1
$$;

revoke all on function tenant.prepared_key(oid, smallint) from public;

grant execute on function tenant.prepared_key(oid, smallint) to tenant_admin;

create or replace function tenant.change_of_key(index oid, tenant_column smallint) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when i.indisexclusion or i.indexprs is not null
                then format('Conflict targets that mean %s begin with %s.', c.relname, t.name)
            else format('on conflict (%1$s) becomes on conflict (%2$s, %1$s)', k.names, t.name)
                || case when i.indisprimary then format('; group by %1$s alone (42803) becomes group by %2$s, %1$s; '
                        'a new foreign key refers to (%2$s, %1$s), not to (%1$s) (42830)', k.names, t.name) else '' end || '.' end
        from pg_index i join pg_class c on c.oid = i.indexrelid,
        lateral (select tenant.column_list(i.indrelid, array[tenant_column]) as name) t,
        lateral (select tenant.column_list(i.indrelid, (i.indkey::smallint[])[0:i.indnkeyatts - 1]) as names) k
        where i.indexrelid = index
$$;

revoke all on function tenant.change_of_key(oid, smallint) from public;

grant execute on function tenant.change_of_key(oid, smallint) to tenant_admin;

create or replace function tenant.plan_hardening(rel regclass, concurrent boolean, form tenant.key_form, keep_old_keys boolean, foreseen name)
    returns table (relation regclass, statement text, why text, changes text, foreign_keys oid[], obstacle tenant.obstacle)
    language plpgsql stable set search_path = pg_catalog, pg_temp set tenant.foreseen_column = '' as $$
#variable_conflict use_column
declare
    parts constant oid[] := array(select h::oid from tenant.hierarchy(rel) h);
    key record;
    fk record;
    own smallint;
    beside text;     -- the name of what stands beside the key until it takes its place, or for as long as the key stays
    schema_name text;
    stays boolean;   -- a surrogate key, which all may go on using alone
    held boolean;    -- by that, by who asks for it, or by a foreign key of a table that is not protected
    said_of_key text;
    change text;
    occupied boolean; -- the name is that of something else
    waiting oid[];   -- foreign keys that can contain the tenant and do not yet
    done oid[] := '{}';
    reusable boolean;
    swap text;
    cell text;
    after text;
    prepared text;   -- what is there already under a name that is not ours
    renamed boolean; -- it is a constraint
begin
    perform set_config('tenant.foreseen_column', coalesce(foreseen, ''), true);
    for key in select * from tenant.keys_without_tenant(parts) loop
        relation := key.relation;
        own := tenant.key_column(relation);
        foreign_keys := '{}';
        stays := form <> 'all' and tenant.surrogate_kind(key.index) is not null;
        said_of_key := case when stays then format('%s of %s stays as it is; foreign keys use one with the tenant beside it.', key.name, relation)
            else format('%s of %s is one for all tenants: it tells that another has a value.', key.name, relation) end;
        statement := null;
        changes := null;
        obstacle := null;
        why := format('%s of %s stays without the tenant: ', key.name, relation) || tenant.said_of_shared_key(key.index) || '.';
        if why is not null then
            continue when stays or not relation = any (parts);
            return next;
            continue;
        end if;
        obstacle := tenant.obstacle_of_key(key.index, own);
        if obstacle is not null then
            continue when stays;
            why := format('%s: %s: %s', obstacle.code, obstacle.problem, obstacle.reason);
            return next;
            continue;
        end if;
        beside := tenant.name_beside(key.name, '_tenant');
        schema_name := (select quote_ident(nspname) from pg_class c join pg_namespace n on n.oid = relnamespace where c.oid = key.index);
        select coalesce(bool_or(not usable), false), coalesce(array_agg(oid order by child, conname) filter (where usable), '{}')
            into held, waiting
            from (select f.oid, f.conrelid::regclass::text as child, f.conname,
                    coalesce(not tenant.key_column(f.conrelid) = any (f.conkey), false) as usable
                from pg_constraint f
                where key.is_reference and f.contype = 'f' and f.conparentid = 0 and f.confrelid = key.relation
                    and f.confkey <@ key.columns and f.confkey @> key.columns and not f.oid = any (done)) f;
        for fk in select oid, conrelid, coalesce(tenant.prepared_reference(oid), tenant.name_beside(conname, '_tenant')) as beside,
                tenant.obstacle_of_reference(oid) as obstacle
            from pg_constraint where oid = any (waiting)
        loop
            obstacle := fk.obstacle;
            if obstacle is null and key.online and not tenant.is_prepared(fk.oid, fk.beside) then
                obstacle := row('TN086', format('constraint %I of %s has a name that is needed', fk.beside, fk.conrelid::regclass),
                    'it is not the foreign key that is to stand there; rename or drop it.');
            end if;
            continue when obstacle is null;
            why := format('%s: %s: %s', obstacle.code, obstacle.problem, obstacle.reason);
            return next;
            held := true;
            waiting := array_remove(waiting, fk.oid);
        end loop;
        obstacle := null;
        done := done || waiting;
        change := case when stays then format('Nothing: group by %1$s, references %2$s (%1$s) and on conflict (%1$s) go on working.',
                tenant.column_list(key.relation, key.columns), relation)
            when held or keep_old_keys then 'Nothing yet: the old key stays. Later: ' || tenant.change_of_key(key.index, own)
            else tenant.change_of_key(key.index, own) end;
        why := said_of_key;
        changes := change;
        -- Nothing waits for a key with the tenant, but those that are to come.
        continue when (held or stays and not coalesce((select contype = 'p' from pg_constraint where oid = key.constraint_oid), false))
            and not (keep_old_keys and not stays) and waiting = '{}';
        held := held or stays or keep_old_keys;

        -- What else stands on the index, when another takes its name.
        select concat(
                case when i.indisreplident then format('; alter table %s replica identity using index %I', relation, key.name) end,
                case when i.indisclustered then format('; alter table %s cluster on %I', relation, key.name) end,
                '; comment on constraint ' || quote_ident(key.name) || ' on ' || relation || ' is '
                    || quote_literal(obj_description(key.constraint_oid, 'pg_constraint')),
                '; comment on index ' || schema_name || '.' || quote_ident(key.name) || ' is '
                    || quote_literal(obj_description(key.index, 'pg_class')))
            into after from pg_index i where i.indexrelid = key.index;

        if key.online then
            if not exists (select from pg_class c join pg_class k on k.relnamespace = c.relnamespace where k.oid = key.index and c.relname = beside) then
                prepared := tenant.prepared_key(key.index, own);
                beside := coalesce(prepared, beside);
            end if;
            renamed := exists (select from pg_constraint where conrelid = key.relation and conname = beside and contype = 'u');
            reusable := coalesce((select i.indisvalid and pg_get_indexdef(i.indexrelid) = tenant.index_with_tenant(key.index, beside, own, false)
                from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = relation and c.relname = beside), false);
            reusable := reusable or held and key.is_reference and tenant.is_referable(key.relation, own || key.columns);
            if not reusable then
                select not exists (select from pg_index i where i.indexrelid = c.oid and i.indrelid = key.relation and not i.indisvalid)
                    into occupied from pg_class c
                    where c.relname = beside and c.relnamespace = (select relnamespace from pg_class where oid = key.index);
                if occupied then
                    obstacle := row('TN086', format('%s.%I has a name that is needed', schema_name, beside),
                        'it is not the key that is to stand there; rename or drop it.');
                    why := format('%s: %s: %s', obstacle.code, obstacle.problem, obstacle.reason);
                    changes := null;
                    return next;
                    obstacle := null;
                    continue;
                end if;
                if occupied is false then
                    statement := format('drop index %s.%I', schema_name, beside);
                    return next;
                end if;
                statement := tenant.index_with_tenant(key.index, beside, own, concurrent);
                return next;
                statement := (select format('alter index %s.%I set tablespace %I', schema_name, beside, spcname)
                    from pg_class c join pg_tablespace s on s.oid = c.reltablespace where c.oid = key.index);
                if statement is not null then
                    return next;
                end if;
            end if;
            for fk in select f.oid, f.conname::text as name, f.conrelid::regclass as child,
                    coalesce(tenant.prepared_reference(f.oid), tenant.name_beside(f.conname, '_tenant')) as beside, f.conrelid, c.relkind,
                    f.convalidated or (to_jsonb(f) ->> 'conenforced')::boolean is false as validated,
                    coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true) as enforced,
                    obj_description(f.oid, 'pg_constraint') as said
                from pg_constraint f join pg_class c on c.oid = f.conrelid where f.oid = any (waiting) order by 3::text, 2
            loop
                relation := fk.child;
                foreign_keys := array[fk.oid];
                why := format('%s of %s refers, cascades and locks across tenants.', fk.name, fk.child);
                changes := 'A reference to another tenant''s row is refused (23503), whether it is there or not.';
                cell := coalesce(format('; comment on constraint %I on %s is ', fk.name, fk.child) || quote_literal(fk.said), '');
                if fk.relkind = 'p' and not coalesce((
                        select convalidated from pg_constraint where conrelid = fk.conrelid and conname = fk.beside), false) then
                    statement := concat(format('alter table %1$s drop constraint %2$I; alter table %1$s add constraint %2$I ', fk.child, fk.name),
                        tenant.reference_with_tenant(fk.oid), '; ' || tenant.match_full_check(fk.oid), cell);
                    return next;
                    continue;
                end if;
                if not exists (select from pg_constraint where conrelid = fk.conrelid and conname = fk.beside) then
                    statement := concat(format('alter table %s add constraint %I ', fk.child, fk.beside),
                        tenant.reference_with_tenant(fk.oid), case when fk.enforced then ' not valid' end,
                        '; ' || tenant.match_full_check(fk.oid) || ' not valid');
                    return next;
                elsif not exists (select from pg_constraint where conrelid = fk.conrelid and conname = tenant.name_beside(fk.name, '_match')) then
                    statement := tenant.match_full_check(fk.oid) || ' not valid';
                    if statement is not null then
                        return next;
                    end if;
                end if;
                if fk.validated and fk.enforced and not (exists (select from pg_constraint
                            where conrelid = fk.conrelid and conname = fk.beside and convalidated)
                        and (tenant.match_full_check(fk.oid) is null or exists (select from pg_constraint
                            where conrelid = fk.conrelid and conname = tenant.name_beside(fk.name, '_match') and convalidated))) then
                    statement := concat(format('alter table %s validate constraint %I', fk.child, fk.beside),
                        case when tenant.match_full_check(fk.oid) is not null then
                            format(', validate constraint %I', tenant.name_beside(fk.name, '_match')) end);
                    return next;
                end if;
                statement := format('alter table %1$s drop constraint %2$I; alter table %1$s rename constraint %3$I to %2$I%4$s',
                    fk.child, fk.name, fk.beside, cell);
                return next;
            end loop;
            relation := key.relation;
            foreign_keys := '{}';
            why := said_of_key;
            changes := change;
            continue when held;
            statement := coalesce(
                case when renamed then
                    format('alter table %1$s drop constraint %2$I; alter table %1$s rename constraint %3$I to %2$I', relation, key.name, beside) end,
                (select format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s using index %4$I%5$s%6$s', relation, key.name,
                        case contype when 'p' then 'primary key' else 'unique' end, beside,
                        case when condeferrable then ' deferrable' else '' end, case when condeferred then ' initially deferred' else '' end)
                    from pg_constraint where oid = key.constraint_oid),
                format('drop index %1$s.%2$I; alter index %1$s.%3$I rename to %2$I', schema_name, key.name, beside)) || after;
            return next;
        else
            foreign_keys := waiting;
            -- An index with a predicate or expressions is nothing that a constraint could be.
            cell := case when key.constraint_oid is not null or key.is_reference then coalesce(
                (select regexp_replace(tenant.constraint_with_tenant(oid, own), '^PRIMARY KEY', 'UNIQUE')
                    from pg_constraint where oid = key.constraint_oid),
                format('UNIQUE (%s)', tenant.column_list(key.relation, own || key.columns))) end;
            reusable := case when cell is not null
                then exists (select from pg_constraint where conrelid = key.relation and conname = beside and pg_get_constraintdef(oid) = cell)
                else exists (select from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = key.relation and c.relname = beside
                    and i.indisunique and i.indisvalid and i.indkey[0] = own) end;
            if held then
                reusable := reusable or key.is_reference and tenant.is_referable(key.relation, own || key.columns);
                if not reusable then
                    statement := coalesce(format('alter table %s add constraint %I ', relation, beside) || cell,
                        tenant.index_with_tenant(key.index, beside, own, false));
                    return next;
                end if;
                swap := null;
                continue when waiting = '{}';
            else
                swap := coalesce(
                    (select format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s', relation, key.name,
                        tenant.constraint_with_tenant(key.constraint_oid, own)) where key.constraint_oid is not null),
                    format('%1$s; drop index %2$s.%3$I; alter index %2$s.%4$I rename to %3$I',
                        tenant.index_with_tenant(key.index, beside || '_', own, false), schema_name, key.name, beside || '_')) || after;
                if reusable then
                    swap := case when cell is not null then format('alter table %s drop constraint %I; ', relation, beside)
                        else format('drop index %s.%I; ', schema_name, beside) end || swap;
                end if;
            end if;
            -- Those that wait, and those that stand on what stood beside the key: all are taken off and put back.
            select concat_ws('; ',
                    string_agg(format('alter table %s drop constraint %I', conrelid::regclass, conname), '; '
                        order by conrelid::regclass::text, conname),
                    swap,
                    string_agg(concat(definition,
                        format('; comment on constraint %I on %s is ', conname, conrelid::regclass) || quote_literal(said)),
                        '; ' order by conrelid::regclass::text, conname))
                into statement
                from (select f.conrelid, f.conname, concat(coalesce(
                            (select format('alter table %s rename constraint %I to %I', f.conrelid::regclass, n.conname, f.conname)
                                from pg_constraint n
                                where n.conrelid = f.conrelid and n.conname = tenant.prepared_reference(f.oid)
                                    and (n.convalidated or not f.convalidated) and (held or not exists (select from pg_constraint stand
                                        where stand.conindid = n.conindid and stand.conname = beside and stand.contype = 'u'))),
                            format('alter table %s add constraint %I ', f.conrelid::regclass, f.conname)
                                || tenant.reference_with_tenant(f.oid) || case when not f.convalidated
                                and (to_jsonb(f) ->> 'conenforced')::boolean is distinct from false then ' not valid' else '' end),
                            '; ' || tenant.match_full_check(f.oid)) as definition,
                            obj_description(f.oid, 'pg_constraint') as said
                        from pg_constraint f where f.oid = any (waiting)
                    union all
                    select f.conrelid, f.conname, format('alter table %s add constraint %I ', f.conrelid::regclass, f.conname)
                            || pg_get_constraintdef(f.oid), obj_description(f.oid, 'pg_constraint')
                        from pg_constraint f join pg_constraint stand on stand.conindid = f.conindid and stand.conname = beside
                            and stand.conrelid = key.relation and stand.contype = 'u'
                        where not held and f.contype = 'f' and f.conparentid = 0) f;
            return next;
        end if;
    end loop;

    -- What stays, since another table is not protected yet, or for reasons of its own.
    foreign_keys := '{}';
    statement := null;
    changes := null;
    for fk in
        select f.conname, f.conrelid::regclass as child, f.confrelid::regclass as parent, tenant.key_column(f.conrelid) as own
        from pg_constraint f
        where f.contype = 'f' and f.conparentid = 0 and (f.conrelid = any (parts) or f.confrelid = any (parts))
            and not f.oid = any (done) and tenant.key_column(f.confrelid) is not null
            and tenant.obstacle_of_reference(f.oid) is null
            and (tenant.key_column(f.conrelid) is null or not exists (
                select from generate_subscripts(f.conkey, 1) n
                where f.conkey[n] = tenant.key_column(f.conrelid) and f.confkey[n] = tenant.key_column(f.confrelid)))
        order by f.conrelid::regclass::text, f.conname
    loop
        relation := fk.child;
        why := format('%s of %s stays without the tenant, and so does the key of %s that it refers to: %s', fk.conname, fk.child, fk.parent,
            case when tenant.has_shared_rows(fk.parent) then format('rows of %s may be every tenant''s.', fk.parent)
                when fk.own is null then format('%s is not protected.', fk.child)
                else 'it refers by the tenant column already, or to a partition.' end);
        return next;
    end loop;
end
$$;

revoke all on function tenant.plan_hardening(regclass, boolean, tenant.key_form, boolean, name) from public;

grant execute on function tenant.plan_hardening(regclass, boolean, tenant.key_form, boolean, name) to tenant_admin;

create or replace function tenant.hardening(rel regclass, harden tenant.key_form default 'true', keep_old_keys boolean default false,
        tenant_column name default null)
    returns table (step bigint, relation regclass, statement text, why text, changes text)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    col pg_attribute;
begin
    -- Its keys are no tenant's.
    if tenant.membership_through(rel) is not null then
        return;
    end if;
    if tenant.fence_policy(rel) is null then
        if tenant_column is null then
            raise exception using
                errcode = 'TN028',
                message = format('table %s is not protected', rel),
                detail = 'Its keys can contain the tenant once it says which column that is.',
                hint = format('First: select tenant.protect(%L); or, before that: select * from tenant.hardening(%1$L, tenant_column => ''...'');', rel);
        end if;
        select * into col from pg_attribute a where a.attrelid = rel and a.attname = tenant_column and a.attnum > 0 and not a.attisdropped;
        if not found then
            raise exception using
                errcode = 'TN021',
                message = format('table %s has no column "%s"', rel, tenant_column),
                detail = 'Keys get the column that says which tenant a row belongs to.',
                hint = 'Name the column that does.';
        elsif not col.attnotnull then
            raise exception using
                errcode = 'TN024',
                message = format('column "%s" of table %s may be null', tenant_column, rel),
                detail = 'A foreign key does not look at a row whose tenant is null.',
                hint = format('First: alter table %s alter column %I set not null;', rel, tenant_column);
        end if;
    end if;
    return query select row_number() over (), p.relation, p.statement, p.why, p.changes
        from tenant.plan_hardening(rel, true, harden, keep_old_keys, tenant_column) p where harden <> 'false';
end
$$;

comment on function tenant.hardening(regclass, tenant.key_form, boolean, name) is 'The statements that put the tenant first in the keys of the table, in order, each to be run alone, and what applications write otherwise then; none where nothing is to do. No statement: what stays as it is, and why.';

revoke all on function tenant.hardening(regclass, tenant.key_form, boolean, name) from public;

grant execute on function tenant.hardening(regclass, tenant.key_form, boolean, name) to tenant_admin;

create or replace function tenant.apply_hardening(rel regclass, form tenant.key_form, keep_old_keys boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    step record;
    fk oid;
    across bigint;
    done jsonb := '[]';
    messages constant text := current_setting('client_min_messages');
begin
    perform tenant.require_owner(rel);
    for step in select * from tenant.plan_hardening(rel, false, form, keep_old_keys, null) loop
        if step.statement is null then
            if step.obstacle is not null then
                raise exception using
                    errcode = (step.obstacle).code,
                    message = format('cannot harden %s: %s', rel, (step.obstacle).problem),
                    detail = (step.obstacle).reason,
                    hint = case (step.obstacle).code when 'TN085' then 'create extension btree_gist;'
                        else 'Change that key first, or protect without harden => true.' end;
            end if;
            raise notice using message = step.why, hint = case when step.why like '% is not protected.'
                then 'Protect the other table with harden => true: that completes both.' else 'Nothing is to be done.' end;
            continue;
        end if;
        begin
            if messages not in ('warning', 'error') then
                perform set_config('client_min_messages', 'warning', true); -- that an index takes its name is no news
            end if;
            if step.foreign_keys = '{}' then
                perform tenant.run_as_owner(step.relation, step.statement);
            else
                perform tenant.run_validation(step.relation, step.statement);
            end if;
            perform set_config('client_min_messages', messages, true);
        exception when foreign_key_violation then
            foreach fk in array step.foreign_keys loop
                across := tenant.count_across(fk);
                if across > 0 or array_length(step.foreign_keys, 1) = 1 then
                    raise exception using
                        errcode = 'TN087',
                        message = format('cannot harden %s: %s rows of table %s refer to rows of another tenant', rel,
                            coalesce(across::text, 'some'), (select conrelid::regclass from pg_constraint where oid = fk)),
                        detail = format('The foreign key is %I.', (select conname from pg_constraint where oid = fk)),
                        hint = format('As a superuser: %s;', tenant.references_across(fk));
                end if;
            end loop;
            raise;
        end;
        done := done || to_jsonb(step.statement);
    end loop;
    if done <> '[]' then
        insert into tenant.journal (action, object, detail) values ('harden', rel::text, jsonb_build_object('statements', done));
    end if;
end
$$;

revoke all on function tenant.apply_hardening(regclass, tenant.key_form, boolean) from public;

grant execute on function tenant.apply_hardening(regclass, tenant.key_form, boolean) to tenant_admin;

create or replace function tenant.provable() returns table (relation regclass, tenant_column name, tenant_type text, kind text)
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

create or replace function tenant.plant(rel regclass, tenant_column name, tenant_id text, seed integer, planted jsonb, patient boolean) returns jsonb
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

create or replace function tenant.attack(as_role name, tenant_id text, statement text, sees boolean) returns text
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

create or replace function tenant.prove_table(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb)
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

create or replace function tenant.bypassing() returns name language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('tenant_prove_past_%s', pg_current_xact_id())::name
$$;

revoke all on function tenant.bypassing() from public;

create or replace function tenant.attack_prepared(as_role name, tenant_id text, statement text) returns text
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

create or replace function tenant.attack_through(as_role name, tenant_id text, rel regclass, mine boolean, what text, rights text, statement text)
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

create or replace function tenant.views_over(rel regclass) returns setof regclass
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

create or replace function tenant.attack_view(as_role name, tenant_id text, view regclass, root regclass, tenant_column name, other text)
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

create or replace function tenant.prove_mutation(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb, commands text[])
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

create or replace function tenant.prove_members(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb, joined jsonb)
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

create or replace function tenant.prove_member_mutation(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb, joined jsonb, commands text[])
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

create or replace function tenant.prove(as_role name default null, keyed_by text default null, mutate boolean default false, tables regclass[] default null)
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

comment on function tenant.prove(name, text, boolean, regclass[]) is 'Plants two tenants, tries every path from one to the other as the application, and undoes it: one row per table and path. Run it in a transaction of its own.';

revoke all on function tenant.prove(name, text, boolean, regclass[]) from public;

comment on table tenant.channels is 'Channels that tenants may NOTIFY beside their own, what is sent on them, and why.';

grant select, delete on tenant.channels to tenant_admin;

grant insert (channel, payload, reason), update (payload, reason) on tenant.channels to tenant_admin;

create or replace function tenant.channel_changed() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return null;
    end if;
    if tg_op <> 'DELETE' then
        perform tenant.require_reason(new.reason), tenant.require_plain('the channel', new.channel);
    end if;
    insert into tenant.journal (action, object, reason, detail) values (
        case tg_op when 'DELETE' then 'disallow_channel' else 'allow_channel' end, coalesce(new.channel, old.channel),
        coalesce(nullif(current_setting('tenant.reason', true), ''), new.reason),
        case when tg_op <> 'DELETE' then jsonb_build_object('payload', new.payload) end);
    return null;
end
$$;

revoke all on function tenant.channel_changed() from public;

create or replace function tenant.allow_channel(channel text, reason text, payload text default 'none') returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant.give_reason(reason);
    if payload is null or payload not in ('none', 'tenant') then
        raise exception using
            errcode = '22023',
            message = format('a channel has no payload of the kind %L', payload),
            detail = 'What a tenant writes there itself would be heard by whoever listens, for every tenant.',
            hint = 'payload => ''none'' sends an empty one, payload => ''tenant'' the id of the tenant.';
    end if;
    insert into tenant.channels as c (channel, payload, reason)
        values (allow_channel.channel, allow_channel.payload, allow_channel.reason)
        on conflict on constraint channels_pkey do update set payload = excluded.payload, reason = excluded.reason;
end
$$;

comment on function tenant.allow_channel(text, text, text) is 'Lets tenants NOTIFY a channel that all share. TN029 no reason.';

revoke all on function tenant.allow_channel(text, text, text) from public;

grant execute on function tenant.allow_channel(text, text, text) to tenant_admin;

create or replace function tenant.disallow_channel(channel text, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant.give_reason(reason);
    delete from tenant.channels c where c.channel = disallow_channel.channel;
    if not found then
        raise exception using
            errcode = 'TN028',
            message = format('channel %s is not allowed', quote_ident(channel)),
            detail = 'tenant.channels has no such channel.',
            hint = 'select * from tenant.channels; lists those that are.';
    end if;
end
$$;

comment on function tenant.disallow_channel(text, text) is 'Takes back what allow_channel gave. TN028 not allowed, TN029 no reason.';

revoke all on function tenant.disallow_channel(text, text) from public;

grant execute on function tenant.disallow_channel(text, text) to tenant_admin;

comment on table tenant.lookups is 'By which columns the tenant of a row may be asked for with no tenant entered, and why.';

grant select, delete on tenant.lookups to tenant_admin;

grant insert (relation, key_column, row_column, reason), update (reason) on tenant.lookups to tenant_admin;

create or replace function tenant.number_lookup() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.key_number := coalesce((select attnum from pg_attribute where attrelid = new.relation and attname = new.key_column), 0);
    new.row_number := coalesce((select attnum from pg_attribute where attrelid = new.relation and attname = new.row_column), 0);
    return new;
end
$$;

revoke all on function tenant.number_lookup() from public;

create or replace function tenant.lookup_row(rel regclass) returns smallint
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case cardinality(rest) when 0 then tenant.fence_column(rel) when 1 then rest[1] end
    from pg_index i
    cross join lateral (select array(select k from unnest(i.indkey::smallint[]) with ordinality u (k, at)
        where at <= i.indnkeyatts and k <> tenant.fence_column(rel)) as rest) r
    where i.indrelid = rel and i.indisprimary and i.indisvalid
$$;

revoke all on function tenant.lookup_row(regclass) from public;

grant execute on function tenant.lookup_row(regclass) to tenant_admin;

create or replace function tenant.lookup_operator(rel regclass, key_column name) returns text
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

revoke all on function tenant.lookup_operator(regclass, name) from public;

grant execute on function tenant.lookup_operator(regclass, name) to tenant_admin;

create or replace function tenant.lookup_obstacle(rel regclass, key_column name) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
        when tenant.fence_column(rel) is null then 'The table is not protected.'
        when not exists (select from pg_attribute where attrelid = rel and attname = key_column and attnum > 0 and not attisdropped) then
            'It has no such column.'
        when exists (select from pg_attribute where attrelid = rel and attname = key_column and attnum = tenant.fence_column(rel)) then
            'It is the tenant column itself.'
        when tenant.lookup_operator(rel, key_column) is null then
            'No btree or hash index without a condition begins with it, in its own collation.'
        when tenant.lookup_row(rel) is null then
            'The table''s primary key is not the tenant column and at most one other, which would say which row it is.'
    end
$$;

revoke all on function tenant.lookup_obstacle(regclass, name) from public;

grant execute on function tenant.lookup_obstacle(regclass, name) to tenant_admin;

create or replace function tenant.lookup_ended(declared tenant.lookups) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
        when not exists (select from pg_attribute where attrelid = declared.relation and attnum = declared.key_number
            and attname = declared.key_column and not attisdropped) then 'The column was dropped or has another name.'
        when tenant.lookup_obstacle(declared.relation, declared.key_column) is not null then
            tenant.lookup_obstacle(declared.relation, declared.key_column)
        when tenant.lookup_row(declared.relation) <> declared.row_number
            or not exists (select from pg_attribute where attrelid = declared.relation and attnum = declared.row_number
                and attname = declared.row_column and not attisdropped) then 'The table has got another primary key.'
    end
$$;

revoke all on function tenant.lookup_ended(tenant.lookups) from public;

grant execute on function tenant.lookup_ended(tenant.lookups) to tenant_admin;

create or replace function tenant.allow_lookup(rel regclass, key_column name, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    obstacle text;
begin
    perform tenant.give_reason(reason);
    perform tenant.require_owner(rel);
    obstacle := tenant.lookup_obstacle(rel, key_column);
    if obstacle is not null then
        raise exception using
            errcode = 'TN057',
            message = format('tenants cannot be looked up by column "%s" of table %s', key_column, rel),
            detail = obstacle,
            hint = format('It takes a protected table with primary key (<tenant column>, <row>), and: create index on %s (%I);',
                rel, key_column);
    end if;
    perform tenant.forget_dropped();
    insert into tenant.lookups as l (relation, key_column, row_column, reason)
        values (rel, allow_lookup.key_column,
            (select attname from pg_attribute where attrelid = rel and attnum = tenant.lookup_row(rel)), allow_lookup.reason)
        on conflict on constraint lookups_pkey do update set reason = excluded.reason;
    -- Declared before of another row column, or of another column of this name: that has ended.
    if exists (select from tenant.lookups l where l.relation = rel and l.key_column = allow_lookup.key_column
            and tenant.lookup_ended(l) is not null) then
        delete from tenant.lookups l where l.relation = rel and l.key_column = allow_lookup.key_column;
        insert into tenant.lookups (relation, key_column, row_column, reason)
            values (rel, allow_lookup.key_column,
                (select attname from pg_attribute where attrelid = rel and attnum = tenant.lookup_row(rel)), allow_lookup.reason);
    end if;
end
$$;

comment on function tenant.allow_lookup(regclass, name, text) is 'Declares that the tenant of a row may be asked for by this column, with no tenant entered, and why. TN057 where it cannot be.';

revoke all on function tenant.allow_lookup(regclass, name, text) from public;

grant execute on function tenant.allow_lookup(regclass, name, text) to tenant_admin;

create or replace function tenant.disallow_lookup(rel regclass, key_column name, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant.give_reason(reason);
    perform tenant.require_owner(rel);
    delete from tenant.lookups l where l.relation = rel and l.key_column = disallow_lookup.key_column;
    if not found then
        perform tenant.refuse_lookup(rel, key_column, 'tenant.lookups has no such line.');
    end if;
end
$$;

comment on function tenant.disallow_lookup(regclass, name, text) is 'Takes back what allow_lookup has declared.';

revoke all on function tenant.disallow_lookup(regclass, name, text) from public;

grant execute on function tenant.disallow_lookup(regclass, name, text) to tenant_admin;

create or replace function tenant.refuse_lookup(rel regclass, key_column name, why text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN056',
        message = format('no lookup of tenants by column "%s" of table %s is declared', key_column, rel),
        detail = why,
        hint = format('The table''s owner declares it: select tenant.allow_lookup(%L, %L, ''<reason>'');', rel, key_column);
end
$$;

revoke all on function tenant.refuse_lookup(regclass, name, text) from public;

grant execute on function tenant.refuse_lookup(regclass, name, text) to tenant_admin;

create or replace function tenant.lookup(rel regclass, key_column name, value text) returns table (tenant_id text, row_id text)
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
    why := case when found then tenant.lookup_ended(declared) else 'tenant.lookups has no such line.' end;
    if why is not null then
        perform tenant.refuse_lookup(rel, key_column, why);
    end if;
    due := tenant.count_lookup(rel, declared.key_number);
    select * into key from pg_attribute where attrelid = rel and attnum = declared.key_number;
    found_rows := tenant.run_lookup(rel, format(
        'select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(f.t, f.r)) from (
            select l.%1$I::pg_catalog.text as t, l.%2$I::pg_catalog.text as r from %3$s l
            where l.%4$I %5$s cast($1 as %6$s) and l.%1$I is not null limit %7$s) f',
        (select attname from pg_attribute where attrelid = rel and attnum = tenant.fence_column(rel)),
        declared.row_column, rel, declared.key_column, tenant.lookup_operator(rel, key_column),
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

comment on function tenant.lookup(regclass, name, text) is 'Tenant and row of this value in a column that allow_lookup has declared, with no tenant entered. TN056 not declared, TN058 too many, TN110 inside a tenant.';

revoke all on function tenant.lookup(regclass, name, text) from public;

grant execute on function tenant.lookup(regclass, name, text) to tenant_user;

create or replace function tenant.former_tables() returns table (relation regclass, tenant_column name)
    language sql stable rows 10 set search_path = pg_catalog, pg_temp as $$
    select p.polrelid::regclass, a.attname
    from pg_policy p join pg_attribute a on a.attrelid = p.polrelid and a.attnum = tenant.former_column(p.oid)
    where not p.polpermissive and p.polcmd = '*' and p.polroles = '{0}'
        and not exists (select from pg_inherits i where i.inhrelid = p.polrelid and tenant.fence_policy(i.inhparent::regclass) is not null)
    order by 1
$$;

revoke all on function tenant.former_tables() from public;

grant execute on function tenant.former_tables() to tenant_admin;

create or replace procedure tenant.upgrade_fences(stepwise boolean default true) language plpgsql as $$
declare
    relations pg_catalog.regclass[];
    columns pg_catalog.name[];
    why pg_catalog.text;
begin
    select pg_catalog.array_agg(f.relation), pg_catalog.array_agg(f.tenant_column) into relations, columns
        from tenant.former_tables() f;
    for i in 1 .. coalesce(pg_catalog.cardinality(relations), 0) loop
        begin
            if stepwise then
                perform pg_catalog.set_config('lock_timeout', '2s', true);
            end if;
            perform tenant.protect(relations[i], columns[i]);
        exception when lock_not_available or insufficient_privilege then
            get stacked diagnostics why = message_text;
            raise warning using
                message = pg_catalog.format('the tenant policy of table %s is as it was: %s', relations[i], why),
                hint = 'Call tenant.upgrade_fences() again, as the owner of the table and when it is less busy.';
        end;
        if stepwise then
            commit;
        end if;
    end loop;
end
$$;

comment on procedure tenant.upgrade_fences(boolean) is 'Gives every table that pg_tenant 0.1.0 has protected the fence of this version, each in a transaction of its own.';

revoke all on procedure tenant.upgrade_fences(boolean) from public;

grant execute on procedure tenant.upgrade_fences(boolean) to tenant_admin;

create or replace function tenant.attack_planned(as_role name, a text, b text, rel regclass, statement text, sees text) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    schema regnamespace := (select relnamespace from pg_class where oid = rel);
    reached text;
begin
    perform set_config('client_min_messages', 'error', true);
    execute format($functions$
        create function %1$s.tenant_prove_tick() returns boolean language plpgsql volatile cost 0.0001 as $f$ begin
            perform pg_catalog.set_config('tenant_prove.calls', (pg_catalog.current_setting('tenant_prove.calls')::bigint + 1)::text, true),
                pg_catalog.set_config('tenant_prove.is', pg_catalog.current_setting('tenant_prove.other'), true);
            return true;
        end $f$;
        create function %1$s.tenant_prove_says() returns text language plpgsql stable as
            $f$ begin return pg_catalog.current_setting('tenant_prove.is'); end $f$;
        create function %1$s.tenant_prove_slow() returns text language plpgsql stable cost 10000 as
            $f$ begin return pg_catalog.current_setting('tenant_prove.own'); end $f$;
        grant execute on function %1$s.tenant_prove_tick(), %1$s.tenant_prove_says(), %1$s.tenant_prove_slow() to %2$I
        $functions$, schema, as_role);
    perform set_config('enable_' || way, 'off', true)
        from unnest(array['indexscan', 'indexonlyscan', 'bitmapscan']) way;
    perform set_config('tenant_prove.own', a, true), set_config('tenant_prove.other', b, true),
        set_config('tenant_prove.is', a, true), set_config('tenant_prove.calls', '0', true);
    perform set_config('session_replication_role', 'replica', true);
    reached := tenant.run_as((select oid from pg_roles where rolname = as_role), format('select tenant.enter(%L); ', a) || statement
        || case when sees = 'calls' then '; select pg_catalog.current_setting(''tenant_prove.calls'')' else '' end);
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return coalesce(reached, 'null') || ' rows';
    when others then return sqlstate;
end
$$;

revoke all on function tenant.attack_planned(name, text, text, regclass, text, text) from public;

create or replace function tenant.prove_plans(rel regclass, tenant_column name, as_role name, a text, b text)
    returns table (path text, expected text, got text)
    language sql set search_path = pg_catalog, pg_temp as $$
    -- A row of nobody is the tenant's to read, where it is everybody's.
    select t.path, case when t.sees = 'calls' and tenant.has_shared_rows(rel) then 'at most its own' else t.expected end, tenant.attack_planned(as_role, a, b, rel, format(t.statement, rel, own.name, own.type, own.schema, a, b), t.sees)
    from (select quote_ident(tenant_column) as name, format_type(atttypid, atttypmod) as type, c.relnamespace::regnamespace as schema
            from pg_attribute join pg_class c on c.oid = attrelid where attrelid = rel and attname = tenant_column) own,
        (values
            ('select by a setting that changes', 'nothing', 'rows', 'select count(*) filter (where %2$s::text = %6$L) from %1$s
                where %2$s = current_setting(''tenant_prove.is'')::%3$s and set_config(''tenant_prove.is'', %6$L, true) is not null'),
            ('select by a function that lies', 'nothing', 'rows', 'select count(*) filter (where %2$s::text = %6$L) from %1$s
                where %2$s = %4$s.tenant_prove_says()::%3$s and %4$s.tenant_prove_tick()'),
            ('delete by a setting that changes', 'nothing', 'rows', 'delete from %1$s
                where %2$s = current_setting(''tenant_prove.is'')::%3$s and set_config(''tenant_prove.is'', %6$L, true) is not null'),
            ('update by a setting that changes', 'nothing', 'rows', 'update %1$s set %2$s = %5$L
                where %2$s = current_setting(''tenant_prove.is'')::%3$s and set_config(''tenant_prove.is'', %6$L, true) is not null'),
            ('calls beside its own id', 'at most its own', 'calls', 'select from %1$s where %2$s = %5$L and %4$s.tenant_prove_tick()'),
            ('calls beside the other''s id', 'nothing', 'calls', 'select from %1$s where %2$s = %6$L and %4$s.tenant_prove_tick()'),
            ('calls before a slow condition', 'at most its own', 'calls', 'select from %1$s
                where %2$s = %4$s.tenant_prove_slow()::%3$s and %4$s.tenant_prove_tick()'),
            ('calls of a blind merge', 'at most its own', 'calls', 'merge into %1$s using (values (1)) one (row)
                on %4$s.tenant_prove_tick() when not matched and one.row = 2 then insert default values')
        ) t (path, expected, sees, statement)
$$;

revoke all on function tenant.prove_plans(regclass, name, name, text, text) from public;

create or replace function tenant.attack_index(as_role name, a text, b text, index regclass, tenant_column name, statement text, ways text[], gone boolean)
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    rel regclass := (select indrelid from pg_index where indexrelid = index);
    root regclass := coalesce(pg_partition_root(rel), rel);
    schema regnamespace := (select relnamespace from pg_class where oid = rel);
    reached text;
begin
    perform set_config('client_min_messages', 'error', true);
    execute format($functions$
        create function %1$s.tenant_prove_counted(it anyelement) returns anyelement language plpgsql stable as $f$ begin
            perform pg_catalog.set_config('tenant_prove.calls', (pg_catalog.current_setting('tenant_prove.calls')::bigint + 1)::text, true);
            return it;
        end $f$;
        grant execute on function %1$s.tenant_prove_counted(anyelement) to %2$I
        $functions$, schema, as_role);
    perform set_config('tenant_prove.calls', '0', true), set_config('work_mem', '64kB', true),
        set_config('session_replication_role', 'replica', true);
    if gone then
        perform tenant.run_past_policies(root, format('delete from %s where %I::text = %L', root, tenant_column, b));
    end if;
    update pg_index set indisvalid = false where indrelid = rel and indexrelid <> index;
    perform set_config('enable_' || way, 'off', true) from unnest(ways) way;
    reached := tenant.run_as((select oid from pg_roles where rolname = as_role), format('select tenant.enter(%L); ', a) || statement
        || '; select pg_catalog.current_setting(''tenant_prove.calls'')');
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return coalesce(reached, 'null') || ' rows';
    when others then return sqlstate;
end
$$;

revoke all on function tenant.attack_index(name, text, text, regclass, name, text, text[], boolean) from public;

create or replace function tenant.prove_indexes(rel regclass, tenant_column name, as_role name, a text, b text)
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
            there := tenant.run_past_policies(rel, format(
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
                    (select relnamespace::regnamespace from pg_class where oid = rel), literal, part.predicate);
                counted := tenant.attack_index(as_role, a, b, part.index, tenant_column, form.statement, form.ways, false);
                again := tenant.attack_index(as_role, a, b, part.index, tenant_column, form.statement, form.ways, true);
                got := case when counted !~ ' rows$' then counted when counted = again then 'as many'
                    else format('%s, and %s without it', replace(counted, 'rows', 'calls'), replace(again, ' rows', '')) end;
            end if;
            return next;
        end loop;
    end loop;
end
$$;

revoke all on function tenant.prove_indexes(regclass, name, name, text, text) from public;

create or replace function tenant.doctor_tables_now() returns table (relation oid, name text, relkind "char", owner oid, is_partition boolean,
        enabled boolean, forced boolean, relhastriggers boolean, fence oid, tenant_column smallint, tenant_column_name name,
        tenant_not_null boolean, tenant_collation oid)
    language sql stable rows 1000 set search_path = pg_catalog, pg_temp as $$
    select c.oid, c.oid::regclass::text, c.relkind, c.relowner, c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
        c.relhastriggers, p.fence, a.attnum, a.attname, a.attnotnull, a.attcollation
    from (
        select polrelid, tenant.fence_policy(polrelid::regclass) as fence, tenant.fence_column(polrelid::regclass) as tenant_column
        from (select distinct polrelid from pg_policy where not polpermissive) r offset 0
    ) p
    join pg_class c on c.oid = p.polrelid
    left join pg_attribute a on a.attrelid = p.polrelid and a.attnum = p.tenant_column
    where p.fence is not null
$$;

create or replace function tenant.doctor_policies_now() returns table (policy oid, polname name, relation oid, name text, polcmd "char",
        polpermissive boolean, polroles oid[], using_text text, check_text text, both_texts text, protected boolean,
        reads_tenant boolean, has_tenant_column boolean, column_name name, drop_it text)
    language sql stable rows 1000 set search_path = pg_catalog, pg_temp as $$
    select p.oid, p.polname, p.polrelid, p.polrelid::regclass::text, p.polcmd, p.polpermissive, p.polroles, e.using_text, e.check_text,
        concat_ws(' ', e.using_text, e.check_text), p.protected, r.reads_tenant, k.column_name is not null,
        coalesce(k.column_name, own.column_name, 'tenant_id'), format('drop policy %I on %s;', p.polname, p.polrelid::regclass)
    from (
        select p.*, t.relation is not null as protected
        from pg_policy p left join tenant.doctor_tables t on t.relation = p.polrelid
        where p.oid is distinct from t.fence and (t.relation is null or not tenant.doctor_is_equality(p.oid)) offset 0
    ) p
    cross join lateral (
        select exists (
            select from pg_depend d join pg_proc f on f.oid = d.refobjid
            where d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_proc'::regclass
                and f.pronamespace = 'tenant'::regnamespace and f.proname in ('current_id', 'current_uuid', 'current_bigint')
        ) as reads_tenant offset 0
    ) r
    left join lateral (
        select a.attname as column_name from pg_attribute a
        where a.attrelid = p.polrelid and p.polrelid >= 16384 and a.attnum > 0 and not a.attisdropped
            and a.attname = any (array(select 'tenant_id'::name union select tenant_column_name from tenant.doctor_tables))
        order by a.attname <> 'tenant_id', a.attnum limit 1
    ) k on true
    left join lateral (
        select a.attname as column_name from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
        order by a.attnum limit 1
    ) own on true
    cross join lateral (
        select pg_get_expr(p.polqual, p.polrelid) as using_text, pg_get_expr(p.polwithcheck, p.polrelid) as check_text offset 0
    ) e
$$;

create or replace view tenant.doctor_settings as
    select s.name, s.reset_val as value, s.name as object,
        format(E'alter system reset %s;\nselect pg_reload_conf();', s.name) as reset, null::oid as role
    from pg_catalog.pg_settings s
    union all
    select lower(split_part(c.setting, '=', 1)), substr(c.setting, strpos(c.setting, '=') + 1),
        format('%s of %s', lower(split_part(c.setting, '=', 1)), w.whose),
        format('alter %s reset %s;', w.whose, split_part(c.setting, '=', 1)), s.setrole
    from pg_catalog.pg_db_role_setting s
    left join pg_catalog.pg_database d on d.oid = s.setdatabase
    cross join lateral (select case
        when s.setrole = 0 and s.setdatabase = 0 then 'role all'
        when s.setrole = 0 then format('database %I', d.datname)
        when s.setdatabase = 0 then format('role %s', s.setrole::regrole)
        else format('role %s in database %I', s.setrole::regrole, d.datname) end as whose) w
    cross join lateral unnest(s.setconfig) c (setting)
    where s.setdatabase = 0 or d.datname = current_database();

create or replace view tenant.finding_t006 as
    select 'T006' as code, k.level,
        format('%s in %s', m.member::regrole, m.role::regrole) as object,
        format('application role %s reaches %s, which %s', r.application, k.role, k.what) as problem,
        'Predefined roles reach past tables and policies: to files, programs, other sessions and every relation.' as why,
        m.revoke as fix
    from tenant.doctor_memberships m
    join tenant.doctor_reached r on r.role = m.member
    join (values
        ('pg_execute_server_program', 'error', 'runs programs on the server'),
        ('pg_read_server_files', 'error', 'reads the files of the server, those of tables included'),
        ('pg_write_server_files', 'error', 'writes the files of the server'),
        ('pg_write_all_data', 'warn', 'writes every table that nobody protected and, with no tenant entered, the registry, the journal and the waivers'),
        ('pg_read_all_data', 'warn', 'reads every table that nobody protected and, with no tenant entered, large objects, sequences, password hashes, the registry and the journal'),
        ('pg_monitor', 'warn', 'reads other sessions'' statements'),
        ('pg_read_all_stats', 'warn', 'reads other sessions'' statements'),
        ('pg_read_all_settings', 'warn', 'reads every setting'),
        ('pg_stat_scan_tables', 'warn', 'counts the rows of every table'),
        ('pg_maintain', 'warn', 'locks, rewrites and analyses every table'),
        ('pg_create_subscription', 'warn', 'lets the server connect to others'),
        ('pg_signal_backend', 'warn', 'ends other sessions'),
        ('pg_database_owner', 'warn', 'owns the schema public')) k (role, level, what)
        on k.role = m.role::regrole::text
    where m.member::regrole::text !~ '^pg_';

create or replace view tenant.finding_t019 as
    with recursive bound as (
        select s.setrole as role from pg_catalog.pg_db_role_setting s cross join lateral unnest(s.setconfig) c (setting)
        where s.setrole <> 0 and c.setting like 'pg\_tenant.id=%'
    ), reach (bound, role) as (
        select role, role from bound
        union
        select reach.bound, m.role from reach join tenant.doctor_memberships m on m.member = reach.role
    )
    select 'T019' as code, 'error' as level,
        x.bound::regrole::text as object,
        format('bound role %s %s', x.bound::regrole, min(x.way_out)) as problem,
        'A bound role is given to whoever runs SQL of their own: it must have no way out of its tenant.' as why,
        format('select tenant.unbind_role(%L);', r.rolname) as fix
    from (
        select reach.bound, case
            when r.rolsuper or r.rolbypassrls then format('has the rights of %I, to which policies do not apply', r.rolname)
            when r.rolcreaterole then format('has the rights of %I, which makes roles', r.rolname)
            when r.rolreplication then format('has the rights of %I, which replicates', r.rolname)
            else format('is a member of %I, which %s', r.rolname, tenant.reach_of(r.rolname)) end as way_out
        from reach join pg_catalog.pg_roles r on r.oid = reach.role
        where r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolreplication or tenant.reach_of(r.rolname) is not null
        union all
        select reach.bound, format('has the rights of %s, which owns the database', reach.role::regrole)
        from reach join pg_catalog.pg_database d on d.datdba = reach.role and d.datname = current_database()
        union all
        select b.role, format('has the member %s, who may become it without its binding', m.member::regrole)
        from bound b join tenant.doctor_memberships m on m.role = b.role and m.at_once
    ) x join pg_catalog.pg_roles r on r.oid = x.bound
    group by x.bound, r.rolname;

create or replace view tenant.finding_t021 as
    select 'T021' as code, 'warn' as level,
        format('%s to %s', c.oid::regclass, w.name) as object,
        format('%s may write %s', w.name, c.oid::regclass) as problem,
        'The registry, the journal and the waivers are what isolation is judged by: the application must not change them.' as why,
        format('revoke insert, update, delete, truncate, references, trigger on %s from %s;', c.oid::regclass, w.name) as fix
    from pg_catalog.pg_class c
    cross join lateral (
        select (aclexplode(c.relacl)).*
        union all
        select (aclexplode(a.attacl)).* from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attacl is not null
    ) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where c.relnamespace = 'tenant'::regnamespace and c.relkind = 'r' and g.grantee <> c.relowner
        and g.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')
        and w.name <> 'tenant_admin'
        and (g.grantee = 0 or g.grantee in (select role from tenant.doctor_reached))
    group by c.oid, w.name
    union all
    select 'T021', 'warn', format('all of them to %s', m.member::regrole),
        format('application role %s reaches pg_write_all_data and, with no tenant entered, may write all of them', r.application),
        'The registry, the journal and the waivers are what isolation is judged by: the application must not change them.',
        m.revoke
    from tenant.doctor_memberships m
    join tenant.doctor_reached r on r.role = m.member
    where m.role = (select oid from pg_catalog.pg_roles where rolname = 'pg_write_all_data')
        -- A login that is bound is always in its tenant: T019 is its finding.
        and m.member not in (select setrole from pg_catalog.pg_db_role_setting, unnest(setconfig) c where c like 'pg\_tenant.id=%');

create or replace view tenant.finding_t030 as
    select 'T030' as code, 'error' as level,
        j.object,
        format('table %s was protected and no longer is', j.object) as problem,
        'The last entry of the journal says that every tenant''s rows in it are kept apart. They are not.' as why,
        case when j.detail ? 'through' then format('select tenant.protect_by_membership(%L, through => %L, member_column => %L, key_column => %L);',
                j.object, j.detail ->> 'through', j.detail ->> 'member_column', j.detail ->> 'key_column')
            else format('select tenant.protect(%L, tenant_column => %L);', j.object, coalesce(j.detail ->> 'tenant_column', 'tenant_id')) end as fix
    from (
        select distinct on (object) object, action, detail from tenant.journal
        where action in ('protect', 'unprotect') order by object, id desc
    ) j
    join pg_catalog.pg_class c on format('%I.%I', c.relnamespace::regnamespace::name, c.relname) = j.object
        and c.relkind in ('r', 'p')
    where j.action = 'protect' and c.oid not in (select relation from tenant.doctor_tables);

create or replace view tenant.finding_t031 as
    select 'T031' as code,
        case when exists (select from tenant.doctor_grants g where g.relation = t.relation) then 'error' else 'warn' end as level,
        t.name as object,
        format('table %s has the tenant column %I and is not protected', t.name, a.column_name) as problem,
        'Every tenant reads and writes all of its rows.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', t.name, a.column_name) as fix
    from tenant.doctor_user_tables t
    join tenant.doctor_tenant_columns a on a.relation = t.relation
    where t.relation not in (select relation from tenant.doctor_tables)
        and t.relation not in (select relation from tenant.shared)
        and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = t.relation)
        and t.relation not in (select relation from tenant.doctor_policies where reads_tenant);

create or replace view tenant.finding_t033 as
    with recursive family (member) as (
        select relation from tenant.doctor_tables
        union
        select n.relation from family f cross join lateral (
            select inhrelid from pg_catalog.pg_inherits where inhparent = f.member
            union all
            select inhparent from pg_catalog.pg_inherits where inhrelid = f.member offset 0
        ) n (relation)
    ), uncovered as (
        -- The nearest that is protected: its search ends there.
        select f.member, (
            with recursive near (relation) as (
                select f.member
                union
                select n.relation from near cross join lateral (
                    select inhrelid from pg_catalog.pg_inherits where inhparent = near.relation
                    union all
                    select inhparent from pg_catalog.pg_inherits where inhrelid = near.relation offset 0
                ) n (relation)
            )
            select relation from near where relation in (select t.relation from tenant.doctor_tables t) limit 1
        ) as kin
        from family f join pg_catalog.pg_class c on c.oid = f.member
        where c.relkind in ('r', 'p', 'f') and f.member not in (select relation from tenant.doctor_tables)
    )
    select 'T033' as code, 'error' as level,
        u.member::regclass::text as object,
        format('%s has no tenant policy, and %s of the same hierarchy has', u.member::regclass, u.kin::regclass) as problem,
        'PostgreSQL applies the policies of the table that a query names: rows are read around the others through this one.' as why,
        case when k.tenant_column is null
            then format('select tenant.protect_by_membership(%L, through => %L);', top.relation::regclass, tenant.membership_through(u.kin::regclass))
            else format('select tenant.protect(%L, tenant_column => %L);', top.relation::regclass, k.tenant_column_name) end as fix
    from uncovered u
    join tenant.doctor_tables k on k.relation = u.kin
    cross join lateral (
        with recursive up (relation, depth) as (
            select u.member, 0
            union all
            select i.inhparent, depth + 1 from up join pg_catalog.pg_inherits i on i.inhrelid = up.relation
        )
        select relation from up order by depth desc limit 1
    ) top;

create or replace view tenant.finding_t038 as
    select 'T038' as code,
        case when 'true' in (p.using_text, p.check_text) then 'warn' else 'info' end as level,
        format('%s.%I', p.name, p.polname) as object,
        format('permissive policy %I on protected table %s is wider than the tenant: %s', p.polname, p.name, coalesce(p.using_text, p.check_text)) as problem,
        'Only the restrictive tenant policy still stands between tenants. Were it lost, this one would show all rows.' as why,
        p.drop_it || case when t.tenant_column is null then '' else format(E'\nselect tenant.protect(%L, tenant_column => %L);', p.name, t.tenant_column_name) end as fix
    from tenant.doctor_policies p
    join tenant.doctor_tables t on t.relation = p.relation
    where p.polpermissive and not exists (
        select from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.policy
            and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = p.relation and d.refobjsubid = coalesce(t.tenant_column, tenant.membership_key(t.relation::regclass)));

create or replace view tenant.finding_t045 as
    select 'T045' as code, 'error' as level,
        p.oid::regprocedure::text as object,
        format('function %s is IMMUTABLE and reads the session''s context', p.oid::regprocedure) as problem,
        'PostgreSQL computes it once and keeps the result in the plan: the next tenant on the connection gets the last one''s value.' as why,
        format('alter function %s stable;', p.oid::regprocedure) as fix
    from pg_catalog.pg_proc p
    where p.oid >= 16384 and p.provolatile = 'i' and p.pronamespace <> 'tenant'::regnamespace
        and coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)
            ~* '\m(current_setting\s*\(|current_id\s*\(|current_uuid\s*\(|current_bigint\s*\(|current_actor_role\s*\(|current_user\M|session_user\M|current_role\M)'
        and not exists (select from pg_catalog.pg_depend e
            where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e');

create or replace view tenant.finding_t100 as
    select 'T100' as code, 'error' as level,
        format('%s.%I', t.name, p.polname) as object,
        format('the tenant policy %I of table %s can be taken out of a plan', p.polname, t.name) as problem,
        'It is an equality alone, as pg_tenant 0.1.0 made it. A statement with another equality on the tenant column reads and writes every tenant''s rows.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', coalesce(r.root, t.name), t.tenant_column_name) as fix
    from tenant.doctor_tables t
    join pg_catalog.pg_policy p on p.polrelid = t.relation and not p.polpermissive and p.polcmd = '*' and p.polroles = '{0}'
    left join lateral (
        with recursive above (relation, depth) as (
            select t.relation, 0
            union all
            select i.inhparent, depth + 1 from above join pg_catalog.pg_inherits i on i.inhrelid = above.relation
        )
        select relation::regclass::text as root from above where depth > 0 order by depth desc limit 1
    ) r on true
    where tenant.former_column(p.oid) = t.tenant_column;

comment on view tenant.finding_t100 is 'A tenant policy of 0.1.0 can be taken out of a plan';

create or replace view tenant.finding_t119 as
    select 'T119' as code, 'error' as level,
        t.name as object,
        format('table %s shows rows of no tenant to every one, and lacks %s', t.name, l.lacks) as problem,
        'Three policies stand together where rows are shared. Without all of them no statement touches the table (TN012).' as why,
        format('select tenant.protect(%L, tenant_column => %L, shared_rows => true);', t.name, t.tenant_column_name) as fix
    from tenant.doctor_tables t
    cross join lateral (
        select string_agg(w.what, ' and ') as lacks
        from (values ('*', 'shared', 'the policy that shows them'), ('w', 'own', 'the one that keeps them from being updated'),
            ('d', 'own', 'the one that keeps them from being deleted')) w (command, form, what)
        where not exists (select from pg_catalog.pg_policy p where p.polrelid = t.relation and not p.polpermissive
            and p.polroles = '{0}' and p.polcmd = w.command::"char" and tenant.policy_form(p.oid) = w.form)
    ) l
    where tenant.has_shared_rows(t.relation::regclass) and l.lacks is not null;

comment on view tenant.finding_t119 is 'A policy that keeps shared rows from being changed is missing';

create or replace view tenant.finding_t046 as
    select 'T046' as code, 'error' as level,
        format('%s.%I', t.name, t.tenant_column_name) as object,
        format('tenant column %I of protected table %s can be null', t.tenant_column_name, t.name) as problem,
        'A row without a tenant is nobody''s: no tenant sees it, and unique keys that hold the column let it in twice. Where every tenant is to see it, the table is to be protected with shared_rows => true.' as why,
        format('alter table %s alter column %I set not null;', t.name, t.tenant_column_name) as fix
    from tenant.doctor_tables t where not t.tenant_not_null and not tenant.has_shared_rows(t.relation::regclass);

create or replace view tenant.finding_t048 as
    select 'T048' as code, 'warn' as level,
        format('%s.%I', t.name, a.attname) as object,
        format('column %I of table %s is of type %s, which cannot hold a tenant', a.attname, t.name, format_type(a.atttypid, a.atttypmod)) as problem,
        'Values that are equal under the type, as 1.0 and 1.00 or ''a'' and ''A'', are not the same tenant. tenant.protect takes uuid, integers, text and varchar.' as why,
        null::text as fix
    from tenant.doctor_user_tables t
    join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum > 0 and not a.attisdropped
        and a.attname in (select 'tenant_id'::name union select tenant_column_name from tenant.doctor_tables)
    where t.relation not in (select relation from tenant.doctor_tables)
        and t.relation not in (select relation from tenant.shared)
        and (a.atttypid not in ('uuid'::regtype, 'bigint'::regtype, 'integer'::regtype, 'smallint'::regtype, 'text'::regtype, 'varchar'::regtype)
            or exists (select from pg_catalog.pg_collation c where c.oid = a.attcollation and not c.collisdeterministic));

create or replace view tenant.doctor_loose_keys as
    select t.relation, t.name, i.indexrelid as index, i.indexrelid::regclass::text as index_name,
        i.indisprimary, i.indisexclusion or coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) as excludes, k.conname,
        (select string_agg(quote_ident(a.attname), ', ' order by n.nth)
            from unnest(i.indkey::int2[]) with ordinality n (attnum, nth)
            join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum = n.attnum
            where n.nth <= i.indnkeyatts) as columns,
        coalesce(tenant.surrogate_kind(i.indexrelid) = 'numbered', false) as is_numbered,
        coalesce(tenant.surrogate_kind(i.indexrelid) = 'random', false) or i.indnkeyatts = 1 and exists (select from pg_catalog.pg_attribute a
            where a.attrelid = t.relation and a.attnum = i.indkey[0] and a.atttypid = 'uuid'::regtype) as is_random,
        case when tenant.said_of_shared_key(i.indexrelid) is null and (am.amname = 'btree' or tenant.obstacle_of_key(i.indexrelid, t.tenant_column) is null)
            and not exists (select from pg_catalog.pg_constraint f
                where f.contype = 'f' and f.conindid = i.indexrelid and f.conparentid = 0
                    and (f.conrelid not in (select relation from tenant.doctor_tables) or tenant.obstacle_of_reference(f.oid) is not null))
            then tenant.doctor_harden(t.name, t.tenant_column_name) end as harden,
        t.tenant_column_name, i.indkey[0] as first_column
    from tenant.doctor_tables t
    join pg_catalog.pg_index i on i.indrelid = t.relation and (i.indisunique or i.indisexclusion)
    join pg_catalog.pg_class c on c.oid = i.indexrelid and not c.relispartition
    join pg_catalog.pg_am am on am.oid = c.relam
    left join pg_catalog.pg_constraint k on k.conindid = i.indexrelid and k.conrelid = t.relation and k.contype in ('p', 'u', 'x')
    where t.tenant_column <> all ((i.indkey::int2[])[0:i.indnkeyatts - 1]);

create or replace view tenant.finding_t050 as
    select 'T050' as code, 'warn' as level,
        k.index_name as object,
        format('%s (%s) of protected table %s holds for all tenants at once',
            case when k.indisprimary then 'the primary key' else 'the unique key' end, k.columns, k.name) as problem,
        'A tenant learns from an error, from ON CONFLICT or from waiting that another has the value, and can take it first.' as why,
        k.harden as fix
    from tenant.doctor_loose_keys k
    where not k.excludes and not k.is_random and not k.is_numbered;

create or replace view tenant.finding_t117 as
    select 'T117' as code, 'info' as level,
        k.index_name as object,
        format('%s may choose %s of protected table %s, which is numbered for all tenants at once%s', g.grantees, k.columns, k.name,
            case a.attidentity when 'a' then ': by OVERRIDING SYSTEM VALUE or COPY' else '' end) as problem,
        'A number that another tenant has is refused (23505) and so tells that it is there, deleted rows by their absence; one that is taken ahead of the sequence makes another''s insert fail.' as why,
        case when k.harden is not null then format('select tenant.protect(%L, %L, harden => ''all''); -- or grant INSERT and UPDATE on the other columns only',
            k.name, k.tenant_column_name) end as fix
    from tenant.doctor_loose_keys k
    join pg_catalog.pg_attribute a on a.attrelid = k.relation and a.attnum = k.first_column
    cross join lateral (
        select string_agg(distinct w.name, ', ') as grantees
        from (select aclexplode(c.relacl) as r from pg_catalog.pg_class c where c.oid = k.relation
            union all select aclexplode(a.attacl)) acl
        cross join lateral (select case (acl.r).grantee when 0 then 'public' else (acl.r).grantee::regrole::text end as name) w
        where ((acl.r).privilege_type = 'INSERT' or (acl.r).privilege_type = 'UPDATE' and a.attidentity <> 'a')
            and ((acl.r).grantee = 0 or (acl.r).grantee in (select role from tenant.doctor_reached))
    ) g
    where k.is_numbered and g.grantees is not null;

comment on view tenant.finding_t117 is 'A tenant may choose a number that is one for all';

create or replace view tenant.doctor_foreign_keys as
    select f.oid as con, f.conname, t.name, r.name as other, t.tenant_column_name, f.convalidated,
        coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true) as enforced, f.confdeltype, f.confupdtype,
        exists (select from unnest(f.conkey, f.confkey) k (here, there) where k.here = t.tenant_column and k.there = r.tenant_column) as by_tenant,
        r.tenant_column is null as by_membership, tenant.has_shared_rows(r.relation::regclass) as to_shared
    from pg_catalog.pg_constraint f
    join tenant.doctor_tables t on t.relation = f.conrelid
    join tenant.doctor_tables r on r.relation = f.confrelid
    where f.contype = 'f' and f.conparentid = 0;

create or replace view tenant.finding_t052 as
    select 'T052' as code, case when f.by_membership or f.to_shared then 'info' else 'warn' end as level,
        format('%s.%I', f.name, f.conname) as object,
        case when f.by_membership then format('foreign key %I of %s refers to %s, whose rows are of several tenants', f.conname, f.name, f.other)
            else format('foreign key %I of %s refers to rows of every tenant in %s%s', f.conname, f.name, f.other,
            case when f.confdeltype in ('c', 'n', 'd') or f.confupdtype in ('c', 'n', 'd') then ', and its actions reach them' end) end as problem,
        case when f.by_membership
            then 'Referential checks run outside the policies: a tenant that writes the column learns which keys there are, and may refer to them. It reads none of their rows.'
            else 'Referential checks run outside the policies: a tenant refers to another''s rows, learns that they exist, and blocks or cascades their deletion.' end as why,
        case when not f.by_membership and not f.to_shared and tenant.obstacle_of_reference(f.con) is null then tenant.doctor_harden(f.name, f.tenant_column_name) end as fix
    from tenant.doctor_foreign_keys f where not f.by_tenant;

create or replace view tenant.finding_t055 as
    select 'T055' as code, 'info' as level,
        t.name as object,
        format('tenant column %I of protected table %s does not take the current tenant as its default', t.tenant_column_name, t.name) as problem,
        'Statements that leave the column out fail, or write what the default says and are refused.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', t.name, t.tenant_column_name) as fix
    from tenant.doctor_tables t
    left join pg_catalog.pg_attrdef d on d.adrelid = t.relation and d.adnum = t.tenant_column
    where t.tenant_column is not null
        and coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') !~ '\mcurrent_(id|uuid|bigint)\(\)'
        and not tenant.is_root(t.relation::regclass, t.tenant_column_name);

create or replace view tenant.finding_t112 as
    with recursive closed as materialized (
        select relation from tenant.doctor_tables
        union select relation from tenant.shared
    ), reach (relation, target, by_way) as (
        select c.conrelid, t.name, false
        from pg_catalog.pg_constraint c join tenant.doctor_tables t on t.relation = c.confrelid
        where c.contype = 'f' and c.conrelid not in (select relation from closed)
        union
        select c.conrelid, r.target, true
        from reach r join pg_catalog.pg_constraint c on c.confrelid = r.relation
        where c.contype = 'f' and c.conrelid not in (select relation from closed)
    )
    select 'T112' as code, 'warn' as level,
        t.name as object,
        format('table %s refers to protected table %s%s and is neither protected nor shared', t.name, min(r.target),
            case when bool_and(r.by_way) then ' by way of others' end) as problem,
        'Every tenant reads and writes all of its rows, and they tell which rows of the protected table there are.' as why,
        null::text as fix
    from reach r
    join tenant.doctor_user_tables t on t.relation = r.relation
    -- T031 tells of those with a tenant column, T033 of partitions.
    where t.relation not in (select relation from tenant.doctor_tenant_columns)
        and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = t.relation)
        -- A policy of its own that asks the protected table holds it.
        and not exists (
            select from pg_catalog.pg_class c
            join pg_catalog.pg_policy p on p.polrelid = c.oid
            join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.oid
                and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid in (select relation from tenant.doctor_tables)
            where c.oid = t.relation and c.relrowsecurity)
    group by t.name;

comment on view tenant.finding_t112 is 'A table refers to a protected one and is open';

create or replace view tenant.finding_t113 as
    select 'T113' as code, 'warn' as level,
        r.name as object,
        format('%s, to which the tenant column of protected table %s refers, is neither protected nor shared', r.name, min(t.name)) as problem,
        'It is the table of the tenants themselves: each reads and changes the others'' rows in it.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', r.name, min(a.attname)) as fix
    from tenant.doctor_tables t
    join pg_catalog.pg_constraint c on c.conrelid = t.relation and c.contype = 'f' and c.conkey = array[t.tenant_column]
    join tenant.doctor_user_tables r on r.relation = c.confrelid
    join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = c.confkey[1]
    where r.relation not in (select relation from tenant.doctor_tables)
        and r.relation not in (select relation from tenant.shared)
        and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = r.relation)
    group by r.name;

comment on view tenant.finding_t113 is 'The table of the tenants themselves is open';

create or replace view tenant.finding_t120 as
    select 'T120' as code, 'error' as level,
        format('%s.%I', t.name, f.conname) as object,
        format('foreign key %I of table %s takes the tenant from rows, which makes them every tenant''s', f.conname, t.name) as problem,
        'Its action is PostgreSQL''s own, outside of policies: where the row it refers to goes or changes, it sets the tenant column to null, and the table''s rows of no tenant are shared.' as why,
        null::text as fix
    from tenant.doctor_tables t
    join pg_catalog.pg_constraint f on f.conrelid = t.relation and f.contype = 'f' and t.tenant_column = any (f.conkey)
    where tenant.has_shared_rows(t.relation::regclass) and not t.tenant_not_null
        and (f.confupdtype in ('n', 'd')
            or f.confdeltype in ('n', 'd') and t.tenant_column = any (coalesce(f.confdelsetcols, f.conkey)));

comment on view tenant.finding_t120 is 'A foreign key makes rows of one tenant everybody''s';

create or replace view tenant.doctor_by_membership as
    select t.relation, t.name, j.through, j.through::regclass::text as through_name,
        r.open, a.attname as member_column
    from tenant.doctor_tables t
    cross join lateral (select tenant.membership_through(t.relation::regclass) as through) j
    join tenant.reached_through(j.through) r on r.relation = t.relation
    join pg_catalog.pg_attribute a on a.attrelid = j.through and a.attnum = r.member
    where t.tenant_column is null and not t.is_partition;

create or replace view tenant.finding_t121 as
    select 'T121' as code, 'error' as level,
        m.name as object,
        format('no trigger keeps tenants from adding members to %s, through which %s is reached', k.part, m.name) as problem,
        'A tenant that refers to any row of the table in its part of the join table sees that row.' as why,
        format('select tenant.protect_by_membership(%L, through => %L, member_column => %L);', m.name, m.through_name, m.member_column) as fix
    from tenant.doctor_by_membership m
    cross join lateral (select min(part::text) as part from tenant.missing_member_triggers(m.through)) k
    where not m.open and k.part is not null;

comment on view tenant.finding_t121 is 'Tenants can make themselves members of rows';

create or replace view tenant.finding_t122 as
    select 'T122' as code, 'warn' as level,
        m.name as object,
        format('tenants may add members to %s, and so see any row of %s', m.through_name, m.name) as problem,
        'It was protected with tenants_add_members: whoever writes the join table in a tenant refers to a key of any row, and reads it.' as why,
        format('select tenant.protect_by_membership(%L, through => %L, member_column => %L);', m.name, m.through_name, m.member_column) as fix
    from tenant.doctor_by_membership m where m.open;

comment on view tenant.finding_t122 is 'Tenants may make themselves members of rows';

create or replace view tenant.finding_t108 as
    select 'T108' as code, 'warn' as level,
        format('%s.%I', g.name, g.tgname) as object,
        format('trigger %I on protected table %s runs %s, which %s', g.tgname, g.name, g.function_name,
            case p.prosrc when 'lo_manage' then 'removes large objects' else 'notifies on a channel that all tenants share' end) as problem,
        'It is written in C, so the guards on functions do not see it at work in a tenant''s transaction.' as why,
        format('drop trigger %I on %s;', g.tgname, g.name) as fix
    from tenant.doctor_triggers g
    join pg_catalog.pg_proc p on p.oid = g.function
    join pg_catalog.pg_language l on l.oid = p.prolang and l.lanname = 'c'
    where p.prosrc in ('triggered_change_notification', 'lo_manage');

comment on view tenant.finding_t108 is 'A trigger in C does what a tenant may not';

create or replace view tenant.finding_t110 as
    select distinct on (g.oid) 'T110' as code, 'warn' as level,
        format('%s.%I', g.tgrelid::regclass, g.tgname) as object,
        format('trigger %I on %s runs when the registry changes: foreign key %I follows tenant.tenants', g.tgname, g.tgrelid::regclass, f.conname) as problem,
        'It runs with the rights of whoever changes the registry, a superuser among them, and its owner decides what it does.' as why,
        format('alter table %s drop constraint %I;', f.conrelid::regclass, f.conname) as fix
    from pg_catalog.pg_constraint f
    join pg_catalog.pg_trigger g on g.tgrelid = f.conrelid and not g.tgisinternal
    join pg_catalog.pg_class c on c.oid = f.conrelid
    join pg_catalog.pg_roles r on r.oid = c.relowner
    where f.contype = 'f' and f.confrelid = 'tenant.tenants'::regclass and f.conparentid = 0 and not r.rolsuper
        -- An id never changes, and no row is deleted: what is left is the slug, and a registry whose own triggers are off.
        and (f.confupdtype in ('c', 'n', 'd') or f.confdeltype in ('c', 'n', 'd'))
    order by g.oid, f.conname;

comment on view tenant.finding_t110 is 'A trigger runs when the registry changes';

create or replace view tenant.finding_t118 as
    select 'T118' as code, 'info' as level,
        format('%s.%I', l.relation, l.key_column) as object,
        case when e.why is not null
            then format('the lookup of tenants by column %I of %s has ended, and can be taken back: %s', l.key_column, l.relation, e.why)
            else format('tenants are looked up by column %I of %s with no tenant entered: %s', l.key_column, l.relation, l.reason) end as problem,
        'Whoever may enter tenants learns whether a value that it guesses is there, in which tenant, and in which row.' as why,
        case when e.why is not null then format('select tenant.disallow_lookup(%L, %L, %L);', l.relation, l.key_column, 'it has ended') end as fix
    from tenant.lookups l
    cross join lateral (select tenant.lookup_ended(l) as why) e
    where exists (select from pg_catalog.pg_class c where c.oid = l.relation);

comment on view tenant.finding_t118 is 'Tenants are looked up by a key';

create or replace view tenant.finding_t114 as
    select 'T114' as code, 'error' as level,
        s.subname::text as object,
        format('subscription %I applies a TRUNCATE of protected tables: %s', s.subname, string_agg(t.name, ', ' order by t.name)) as problem,
        'A TRUNCATE that comes from the other server removes every tenant''s rows: no policy and no guard is asked where it is applied.' as why,
        string_agg(format('create trigger refuse_truncate before truncate on %1$s for each statement execute function tenant.refuse_truncate();'
            || E'\nalter table %1$s enable always trigger refuse_truncate;', t.name), E'\n' order by t.name) as fix
    from pg_catalog.pg_subscription s
    join pg_catalog.pg_roles r on r.oid = s.subowner
    join pg_catalog.pg_subscription_rel l on l.srsubid = s.oid
    join tenant.doctor_tables t on t.relation = l.srrelid
    -- Also one that applies as the tables' owner: it stops at the first row, but a TRUNCATE is checked as its own.
    where (r.rolsuper or r.rolbypassrls)
        and not exists (select from pg_catalog.pg_trigger g
            where g.tgrelid = t.relation and g.tgfoid = 'tenant.refuse_truncate()'::regprocedure and g.tgenabled = 'A'
                and g.tgtype & 32 <> 0)
    group by s.oid, s.subname;

comment on view tenant.finding_t114 is 'A subscription can truncate protected tables';

create or replace view tenant.finding_t115 as
    select 'T115' as code, 'error' as level,
        f.object,
        format('publication %s sends TRUNCATE of protected tables', f.object) as problem,
        'Where it is applied to a table that other tenants are in as well, it removes their rows too; a row filter does not hold it back.' as why,
        format('alter publication %I set (publish = %L);', p.pubname, concat_ws(', ', case when p.pubinsert then 'insert' end,
            case when p.pubupdate then 'update' end, case when p.pubdelete then 'delete' end)) as fix
    from tenant.finding_t071 f join pg_catalog.pg_publication p on p.pubname::text = f.object
    where p.pubtruncate;

comment on view tenant.finding_t115 is 'A publication sends TRUNCATE of protected tables';

create or replace view tenant.finding_t095 as
    select 'T095' as code, 'warn' as level,
        t.name as object,
        format('no index of protected table %s leads with %I', t.name, t.tenant_column_name) as problem,
        'Every statement of a tenant reads all tenants'' rows, and takes as long as there are of them.' as why,
        format('create index on %s (%I);', t.name, t.tenant_column_name) as fix
    from tenant.doctor_tables t
    where t.tenant_column is not null and not exists (select from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
        join pg_catalog.pg_am am on am.oid = c.relam
        where i.indrelid = t.relation and i.indisvalid and i.indpred is null and am.amname = 'btree' and i.indkey[0] = t.tenant_column);

create or replace view tenant.finding_t102 as
    select 'T102' as code, 'warn' as level,
        s.object,
        format('%s is %s', s.object, s.value) as problem,
        'Every login of the role begins with it, whichever tenant it enters: names mean something else, or literals and rights do.' as why,
        s.reset as fix
    from tenant.doctor_settings s
    where s.role is not null and (s.role = 0 or s.role in (select role from tenant.doctor_applications))
        and (s.name = 'role'
            or s.name = 'row_security' and lower(s.value) in ('off', 'false', 'no', '0')
            or s.name = 'standard_conforming_strings' and lower(s.value) in ('off', 'false', 'no', '0')
            or s.name = 'transform_null_equals' and lower(s.value) in ('on', 'true', 'yes', '1')
            or s.name = 'search_path' and exists (
                select from regexp_split_to_table(s.value, '\s*,\s*') with ordinality e (entry, nth)
                cross join lateral (select btrim(e.entry, '" ') as schema) x
                left join pg_catalog.pg_namespace n on n.nspname = x.schema
                where x.schema = 'pg_catalog' and e.nth > 1
                    or n.nspname !~ '^pg_' and exists (
                        select from tenant.doctor_applications a where has_schema_privilege(a.role, n.oid, 'create'))));

comment on view tenant.finding_t102 is 'A stored setting steers what the application''s sessions run';

create or replace view tenant.finding_t103 as
    select 'T103' as code, 'info' as level,
        o.object,
        o.problem,
        'Whoever stores settings or passwords for a role decides what its sessions run and who logs in as it, whichever tenant they enter.' as why,
        o.fix
    from (
        select format('%s over %s', r.oid::regrole, a.role::regrole),
            format('role %s may change role %s: its settings and its password', r.oid::regrole, a.role::regrole),
            case when current_setting('server_version_num')::int < 160000 then format('alter role %s nocreaterole;', r.oid::regrole)
                else format('revoke admin option for %s from %s;', a.role::regrole, r.oid::regrole) end,
            r.oid
        from tenant.doctor_applications a
        join pg_catalog.pg_roles application on application.oid = a.role and application.rolcanlogin
        join pg_catalog.pg_roles r on r.rolcreaterole and r.oid <> a.role
            and (current_setting('server_version_num')::int < 160000 or exists (
                select from pg_catalog.pg_auth_members m where m.roleid = a.role and m.member = r.oid and m.admin_option))
        union all
        select format('database %I', d.datname),
            format('role %s owns database %I and may store settings for all its sessions', d.datdba::regrole, d.datname),
            null, d.datdba
        from pg_catalog.pg_database d where d.datname = current_database()
    ) o (object, problem, fix, role)
    join pg_catalog.pg_roles r on r.oid = o.role
    where not r.rolsuper and not pg_has_role(r.oid, 'tenant_admin', 'member')
        and r.oid not in (select role from tenant.doctor_applications);

comment on view tenant.finding_t103 is 'Somebody else may store settings for the application''s roles';

create or replace view tenant.finding_t116 as
    select 'T116' as code, 'error' as level,
        s.object,
        format('%s is %s', s.object, s.value) as problem,
        'What a savepoint has entered ends with it, so one transaction enters several tenants; and owners may TRUNCATE protected tables.' as why,
        s.reset as fix
    from tenant.doctor_settings s
    where s.name = 'pg_tenant.test_mode' and lower(s.value) in ('on', 'true', 'yes', '1');

comment on view tenant.finding_t116 is 'The server or the database is in test mode';

create or replace function tenant.doctor_body(function oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select lower(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)) from pg_proc p where p.oid = function
$$;

revoke all on function tenant.doctor_body(oid) from public;

create or replace function tenant.doctor_words(function oid) returns setof text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select distinct word from regexp_split_to_table(tenant.doctor_body(function), '[^[:alnum:]_]+') w (word)
$$;

revoke all on function tenant.doctor_words(oid) from public;

create or replace view tenant.doctor_computed as
    select d.classid, d.objid, d.objsubid, coalesce(p.oprcode::oid, d.refobjid) as function
    from pg_catalog.pg_depend d
    left join pg_catalog.pg_operator p on d.refclassid = 'pg_catalog.pg_operator'::regclass and p.oid = d.refobjid
    where d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
        and d.classid in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_attrdef'::regclass, 'pg_catalog.pg_constraint'::regclass,
            'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_statistic_ext'::regclass, 'pg_catalog.pg_type'::regclass);

create or replace function tenant.doctor_folded_now(used boolean) returns table (function oid, name text, immutable boolean, reads_context boolean, how text)
    language sql stable rows 20 set search_path = pg_catalog, pg_temp set enable_mergejoin = off as $$
    with recursive source as materialized (
        select p.oid, lower(p.proname) as name, p.provolatile = 'i' as immutable
        from pg_proc p
        where p.oid >= 16384 and p.prolang not in (12, 13) and p.pronamespace <> 'tenant'::regnamespace
            and not exists (select from pg_depend e
                where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')
    ), asked (function) as (
        select oid from source
        where case when used then oid in (select function from tenant.doctor_computed) else immutable end
        union
        select s.oid from asked a
        cross join lateral tenant.doctor_words(a.function) w (word)
        join source s on s.name = w.word
    ), known (word, kind, relation) as (
        select name, 'function', oid from source
        union all
        select lower(c.relname), 'table', t.relation from tenant.doctor_tables t join pg_class c on c.oid = t.relation
        union all
        select lower(c.relname), 'table', r.relation from tenant.doctor_readers r join pg_class c on c.oid = r.relation
        union all
        select word, 'context', null from unnest(array['current_setting', 'current_id', 'current_uuid', 'current_bigint', 'is_current',
            'current_actor', 'current_actor_role', 'current_user', 'session_user', 'current_role']) w (word)
    ), said as materialized (
        select distinct a.function, k.word, k.kind, k.relation, regexp_replace(tenant.doctor_body(a.function), '--[^\n]*', '', 'g') as body
        from asked a
        cross join lateral tenant.doctor_words(a.function) w (word)
        join known k on k.word = w.word and k.relation is distinct from a.function
    ), call as materialized (
        select function as caller, relation as callee from said
        where kind = 'function' and body ~ ('\m' || word || '"?\s*\(')
    ), direct as materialized (
        select function,
            bool_or(kind = 'context' and body ~ '\m(current_setting|current_id|current_uuid|current_bigint|is_current|current_actor|current_actor_role)"?\s*\(|\m(current_user|session_user|current_role)\M') as context,
            min(relation::regclass::text) filter (where kind = 'table' and word in (
                select regexp_split_to_table(f.list[1], '[^[:alnum:]_]+')
                from regexp_matches(body, '\m(?:from|join|table|only)\s+((?:[[:alnum:]_."]+(?:\s+(?:as\s+)?[[:alnum:]_"]+)?\s*,\s*)*[[:alnum:]_."]+)', 'g') f (list)
            )) as reads
        from said group by function
    ), reaches (function) as (
        select function from direct where context or reads is not null
        union
        select c.caller from reaches r join call c on c.callee = r.function
    )
    select s.oid, s.oid::regprocedure::text, s.immutable, coalesce(d.context, false),
        case when d.reads is not null then 'reads protected table ' || d.reads
            when d.context then 'reads the session''s context'
            else 'calls ' || (select min(c.callee::regprocedure::text) from call c
                where c.caller = s.oid and c.callee in (select function from reaches)) end
    from reaches r join source s on s.oid = r.function left join direct d on d.function = r.function
$$;

revoke all on function tenant.doctor_folded_now(boolean) from public;

create or replace view tenant.finding_t104 as
    select 'T104' as code, 'warn' as level,
        f.name as object,
        format('function %s is IMMUTABLE and %s', f.name, f.how) as problem,
        'PostgreSQL computes it once and keeps the result: statements that call it are planned anew in every transaction, so that no tenant gets another''s value.' as why,
        format('alter function %s stable;', f.name) as fix
    from tenant.doctor_folded_now(false) f where f.immutable and (not f.reads_context or f.how like 'reads protected table %');

comment on view tenant.finding_t104 is 'An IMMUTABLE function reaches tenants'' rows';

create or replace view tenant.finding_t105 as
    select 'T105' as code, 'error' as level,
        format('%s %s', o.type, o.identity) as object,
        format('%s %s is computed with %s, which %s', o.type, o.identity, min(f.name), min(f.how)) as problem,
        'One tenant''s value decides over, or is stored in, rows of the others; and what is stored is not computed anew when the tenant changes it.' as why,
        case
            when c.relkind in ('i', 'I') then format('drop index %s;', c.oid::regclass)
            when o.type = 'statistics object' then format('drop statistics %s;', o.identity)
            when a.attgenerated = 's' then format('alter table %s alter column %I drop expression;', a.attrelid::regclass, a.attname)
            when not u.stored then string_agg(distinct format('alter function %s stable;', f.name), E'\n')
        end as fix
    from tenant.doctor_computed d
    join tenant.doctor_folded_now(true) f on f.function = d.function
    left join pg_catalog.pg_class c on d.classid = 'pg_catalog.pg_class'::regclass and c.oid = d.objid
    left join pg_catalog.pg_attrdef e on d.classid = 'pg_catalog.pg_attrdef'::regclass and e.oid = d.objid
    left join pg_catalog.pg_attribute a on a.attrelid = e.adrelid and a.attnum = e.adnum
    cross join lateral (select c.oid is not null or a.attgenerated <> '' and a.attgenerated is not null
        or d.classid = 'pg_catalog.pg_statistic_ext'::regclass as stored) u
    cross join lateral pg_catalog.pg_identify_object(d.classid, d.objid, 0) o
    where f.immutable or u.stored
    group by o.type, o.identity, c.relkind, c.oid, a.attgenerated, a.attrelid, a.attname, u.stored;

comment on view tenant.finding_t105 is 'Something is computed with an IMMUTABLE function that depends on the tenant';

do $$
begin
    execute 'create or replace view tenant.doctor_findings as ' || (
        select string_agg(format('select * from tenant.%I', relname), ' union all ' order by relname)
        from pg_catalog.pg_class
        where relnamespace = 'tenant'::regnamespace and relkind = 'v' and relname ~ '^finding_t[0-9]{3}$');
end
$$;

create or replace function tenant.doctor_pastes(fix text) returns boolean
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select fix !~ '[\x01-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]' and (fix !~ '\n' or not exists (
        select from regexp_matches(fix, '([eE]''(?:[^''\\]|\\.|'''')*''|''(?:[^'']|'''')*''|"(?:[^"]|"")*")', 'g') quoted (part)
        where part[1] ~ '\n'))
$$;

revoke all on function tenant.doctor_pastes(text) from public;

create or replace function tenant.doctor_in_line(name text) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select regexp_replace(replace(replace(name, E'\n', '\n'), E'\r', '\r'), '[\x01-\x1f\x7f-\x9f\u2028\u2029]', '?', 'g')
$$;

revoke all on function tenant.doctor_in_line(text) from public;

grant execute on function tenant.doctor_in_line(text) to tenant_admin;

create or replace function tenant.doctor(with_waived boolean default false, every_object boolean default false)
    returns table (code text, level text, object text, problem text, why text, fix text, waived_until timestamptz, objects bigint)
    language sql stable security definer set search_path = pg_catalog, pg_temp set jit = off as $$
    with finding as (
        select f.*, w.until, row_number() over alike as nth,
            -- What is the same on so many objects that nobody reads them one by one is said once.
            case when not every_object and count(*) over (partition by f.code, f.level, w.until is null) > 20
                then count(*) over (partition by f.code, f.level, w.until is null) end as many
        from tenant.doctor_findings f
        left join tenant.waivers w on w.code = f.code and w.object = f.object and w.until > now()
        where with_waived or w.until is null
        window alike as (partition by f.code, f.level, w.until is null order by f.object)
    )
    select f.code, f.level,
        coalesce(f.many || ' objects', f.object),
        concat(f.problem, '; the same on ' || f.many - 1 || ' more'),
        f.why,
        case when f.many is not null then format('select object, problem, fix from tenant.doctor(%severy_object => true) where code = %L and level = %L;',
                case when with_waived then 'with_waived => true, ' end, f.code, f.level)
            when tenant.doctor_pastes(f.fix) then f.fix end,
        f.until, coalesce(f.many, 1)
    from finding f
    where f.many is null or f.nth = 1
    order by array_position(array['error', 'warn', 'info'], f.level), f.code, f.object
$$;

comment on function tenant.doctor(boolean, boolean) is 'What is wrong with the isolation of this database, why it matters, and the SQL that mends it. What is the same on more than 20 objects is one line, but for every_object => true.';

revoke all on function tenant.doctor(boolean, boolean) from public;

grant execute on function tenant.doctor(boolean, boolean) to tenant_admin;

create or replace function tenant.waive(code text, object text, reason text, until timestamptz) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant.give_reason(reason);
    if to_regclass(format('tenant.%I', 'finding_' || lower(code))) is null then
        raise exception using
            errcode = 'TN081',
            message = format('there is no finding "%s"', code),
            detail = 'Findings are numbered T001 and up.',
            hint = 'select code, object from tenant.doctor(); lists those of this database.';
    end if;
    if object ~ '^\d+ objects$' then
        raise exception using
            errcode = 'TN081',
            message = format('finding %s is waived on one object at a time', code),
            detail = format('"%s" is a line that stands for as many.', object),
            hint = format('select tenant.waive(code, object, ''<reason>'', ''<until>'') from tenant.doctor(every_object => true) where code = %L;', upper(code));
    end if;
    insert into tenant.waivers as w (code, object, reason, until)
        values (upper(waive.code), waive.object, waive.reason, waive.until)
        on conflict on constraint waivers_pkey do update
        set reason = excluded.reason, until = excluded.until, waived_at = now(), waived_by = current_user;
end
$$;

create or replace function tenant.assert_healthy(level text default 'error') returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    rank integer := array_position(array['error', 'warn', 'info'], level);
    found_count bigint;
    first_ones text;
begin
    if rank is null then
        raise exception using
            errcode = 'TN084',
            message = format('"%s" is no level', level),
            detail = 'The levels are error, warn and info.',
            hint = 'select tenant.assert_healthy(''warn'');';
    end if;
    select coalesce(sum(d.objects), 0), string_agg(
            format('%s %s: %s', d.code, tenant.doctor_in_line(d.object), tenant.doctor_in_line(d.problem)), E'\n')
            filter (where d.nth <= 10)
        into found_count, first_ones
        from (select *, row_number() over () as nth from tenant.doctor()) d
        where array_position(array['error', 'warn', 'info'], d.level) <= rank;
    if found_count > 0 then
        raise exception using
            errcode = 'TN080',
            message = format('the doctor has %s finding%s of level %s or worse', found_count, case when found_count > 1 then 's' end, level),
            detail = first_ones,
            hint = 'select * from tenant.doctor(); says why each matters and how to mend it; tenant.waive() accepts one for a time.';
    end if;
end
$$;

create or replace function tenant.check_change() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return coalesce(new, old);
    end if;
    case tg_table_name
        when 'tenants' then
            perform tenant.require_plain('the tenant''s name', new.name), tenant.require_plain('the tenant''s plan', new.plan);
        when 'shared', 'lookups' then
            perform tenant.require_owner(coalesce(new.relation, old.relation));
            if tg_op <> 'DELETE' then
                perform tenant.require_reason(new.reason);
            end if;
        when 'waivers' then
            perform tenant.require_reason(new.reason), tenant.require_plain('the object', new.object);
            if new.until is null or new.until <= now() or new.until = 'infinity' then
                raise exception using
                    errcode = 'TN082',
                    message = format('a waiver cannot run until %s', coalesce(new.until::text, 'null')),
                    detail = 'It is for a time that ends in the future; then the finding is back.',
                    hint = format('select tenant.waive(%L, %L, %L, now() + interval ''90 days'');', new.code, new.object, new.reason);
            end if;
    end case;
    return coalesce(new, old);
end
$$;

create or replace function tenant.journal_change() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reason constant text := nullif(current_setting('tenant.reason', true), '');
    subject text;
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return null;
    end if;
    if tg_table_name = 'lookups' then
        -- Likewise below: a line of a table that is gone says nothing.
        if exists (select from pg_class where oid = coalesce(new.relation, old.relation)) then
            insert into tenant.journal (action, object, reason, detail) values (
                case tg_op when 'DELETE' then 'disallow_lookup' else 'allow_lookup' end,
                coalesce(new.relation, old.relation)::text, coalesce(reason, new.reason),
                jsonb_build_object('column', coalesce(new.key_column, old.key_column), 'row', coalesce(new.row_column, old.row_column)));
        end if;
    elsif tg_table_name = 'shared' then
        subject := coalesce(new.relation, old.relation)::text;
        -- A line of a table that is gone says nothing.
        if exists (select from pg_class where oid = coalesce(new.relation, old.relation)) then
            insert into tenant.journal (action, object, reason) values (
                case tg_op when 'DELETE' then 'unshare' else 'share' end, subject, coalesce(reason, new.reason));
        end if;
    else
        subject := coalesce(new.code, old.code) || ' ' || coalesce(new.object, old.object);
        insert into tenant.journal (action, object, reason, detail) values (
            case tg_op when 'DELETE' then 'unwaive' else 'waive' end, subject, coalesce(reason, new.reason),
            case when tg_op <> 'DELETE' then jsonb_build_object('until', new.until) end);
    end if;
    return null;
end
$$;

create or replace function tenant.journal_tenants() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reason constant text := nullif(current_setting('tenant.reason', true), '');
    limits constant text[] := array['statement_timeout_ms', 'lock_timeout_ms', 'idle_in_transaction_session_timeout_ms', 'work_mem_kb', 'read_only'];
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return null;
    end if;
    case tg_op
        when 'DELETE' then insert into tenant.journal (action, object, reason) select 'delete', id, reason from was_there;
        else
            insert into tenant.journal (action, object, reason, detail)
            select line.action, n.id, reason, line.detail
            from now_there n join was_there w using (id)
            cross join lateral (select to_jsonb(w) as was, to_jsonb(n) as is_now) j
            cross join lateral (select array(select e.key from jsonb_each(j.is_now) e
                where e.value is distinct from j.was -> e.key and e.key <> 'changed_at') as keys) changed
            cross join lateral (
                select 1, case n.status when 'suspended' then 'suspend' else 'resume' end, null::jsonb where 'status' = any (changed.keys)
                union all
                select 2, 'set_limits', (select jsonb_object_agg(e.key, e.value) from jsonb_each(jsonb_strip_nulls(j.is_now)) e
                    where e.key = any (limits)) where changed.keys && limits
                union all
                select 3, 'change', jsonb_build_object('columns', rest.keys)
                    from (select array(select unnest(changed.keys) except select unnest(limits || 'status'::text) order by 1) as keys) rest
                    where rest.keys <> '{}') line (nth, action, detail)
            order by n.id, line.nth;
    end case;
    return null;
end
$$;

revoke all on function tenant.journal_tenants() from public;

-- The triggers, now that their functions are there.
create trigger keep_tenant before delete on tenant.tenants for each row execute function tenant.keep_tenant();
create trigger keep_id before update on tenant.tenants for each row when (old.id is distinct from new.id)
    execute function tenant.keep_tenant();
create trigger keep_tenants before truncate on tenant.tenants for each statement execute function tenant.keep_tenant();
alter table tenant.tenants enable always trigger keep_tenant;
alter table tenant.tenants enable always trigger keep_id;
alter table tenant.tenants enable always trigger keep_tenants;
create trigger journal_create after insert on tenant.tenants
    for each row execute function tenant.journal_creation();
create trigger journal_update after update on tenant.tenants referencing old table as was_there new table as now_there
    for each statement execute function tenant.journal_tenants();
create trigger journal_delete after delete on tenant.tenants referencing old table as was_there
    for each statement execute function tenant.journal_tenants();
create trigger channel_changed after insert or update or delete on tenant.channels
    for each row execute function tenant.channel_changed();

-- What views asked until they were made anew.
drop function tenant.key_obstacle(oid, smallint);
drop function tenant.reference_obstacle(oid);
create trigger number before insert or update on tenant.lookups for each row execute function tenant.number_lookup();
alter table tenant.lookups enable always trigger number;
create trigger check_change before insert or update or delete on tenant.lookups
    for each row execute function tenant.check_change();
create trigger journal_change after insert or update or delete on tenant.lookups
    for each row execute function tenant.journal_change();
