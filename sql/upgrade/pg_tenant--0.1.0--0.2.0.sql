-- From 0.1.0 to 0.2.0. An upgraded database equals a fresh one, object by object: tests/tests/upgrade/.
\echo Use "alter extension pg_tenant update" to load this file. \quit

-- The registry: tenants stay, and keep their ids.
revoke references on tenant.tenants from tenant_admin;
grant references (id, uuid_id, bigint_id) on tenant.tenants to tenant_admin;

-- Functions whose arguments or results changed: made anew below.
drop function tenant.doctor(boolean);
drop function tenant.prove(name, text, boolean);
drop function tenant.plan_hardening(regclass, boolean);

-- What only the extension calls gets a schema of its own. The objects stay the same ones, so the views, triggers and
-- policies that use them go on; what users' tables name stays in tenant.
create schema tenant_internal;
comment on schema tenant_internal is 'What only pg_tenant itself calls; it may change with every version.';
grant usage on schema tenant_internal to tenant_admin;

-- Hardening: a boolean becomes one of three forms, which a boolean still is.
drop function tenant.protect(regclass, name, boolean);
drop function tenant.apply_protection(regclass, name, boolean);
drop function tenant.hardening(regclass);
drop function tenant.apply_hardening(regclass);
create type tenant_internal.obstacle as (code text, problem text, reason text);
create type tenant_internal.hardening_step as (relation regclass, statement text, why text, changes text, foreign_keys oid[],
    obstacle tenant_internal.obstacle, unprotected regclass);
create type tenant_internal.key_plan as (
    relation oid,
    index oid,
    constraint_oid oid,     -- null where it is an index alone
    name text,
    columns smallint[],
    is_reference boolean,   -- foreign keys can refer to it
    own smallint,           -- the tenant column
    held boolean,           -- it stays, beside one with the tenant: a foreign key or an application needs it
    waiting oid[],          -- foreign keys that refer to it, and can get the tenant with it
    why text,
    changes text
);
-- What each tenant costs.
create type tenant_internal.stat_counters as (
    commits bigint, selects bigint, inserts bigint, updates bigint, deletes bigint, other_statements bigint,
    rows_read bigint, rows_written bigint, shared_blocks_hit bigint, shared_blocks_read bigint, wal_bytes bigint,
    execution_us bigint, processor_us bigint, rollbacks bigint, local_blocks bigint, temp_blocks bigint, planning_ms bigint,
    lock_waits bigint, lock_wait_ms bigint, admission_waits bigint, admission_wait_ms bigint, refusals bigint, jobs bigint,
    last_seen bigint, since bigint
);

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
alter function tenant.registry_changed() set schema tenant_internal;
alter function tenant.stamp_change() set schema tenant_internal;
alter function tenant.require_known(text) set schema tenant_internal;
alter function tenant.forget_dropped() set schema tenant_internal;
alter function tenant.require_plain(text, text) set schema tenant_internal;
alter function tenant.require_reason(text) set schema tenant_internal;
alter function tenant.give_reason(text) set schema tenant_internal;
alter function tenant.require_owner(regclass) set schema tenant_internal;
alter function tenant.fence_policy(regclass) set schema tenant_internal;
alter function tenant.fence_column(regclass) set schema tenant_internal;
alter function tenant.hierarchy(regclass) set schema tenant_internal;
alter function tenant.reader_for(regclass, name) set schema tenant_internal;
alter function tenant.refuse_materialized_views(regclass) set schema tenant_internal;
alter function tenant.before_protection(oid) set schema tenant_internal;
alter function tenant.unfence(regclass) set schema tenant_internal;
alter function tenant.remove_protection(regclass, text) set schema tenant_internal;
alter function tenant.journal_system(text, boolean) set schema tenant_internal;
alter function tenant.lock_key(text) set schema tenant_internal;
alter function tenant.protect_newcomer(regclass, regclass) set schema tenant_internal;
alter function tenant.warn_of_newcomer(regclass, regclass) set schema tenant_internal;
alter function tenant.own_row(boolean) set schema tenant_internal;
alter function tenant.name_beside(text, text) set schema tenant_internal;
alter function tenant.column_list(oid, smallint[]) set schema tenant_internal;
alter function tenant.without_included(text, oid, smallint) set schema tenant_internal;
alter function tenant.index_with_tenant(oid, text, smallint, boolean) set schema tenant_internal;
alter function tenant.constraint_with_tenant(oid, smallint) set schema tenant_internal;
alter function tenant.reference_with_tenant(oid) set schema tenant_internal;
alter function tenant.match_full_check(oid) set schema tenant_internal;
alter function tenant.references_across(oid) set schema tenant_internal;
alter function tenant.count_across(oid) set schema tenant_internal;
alter function tenant.keys_without_tenant(oid[]) set schema tenant_internal;
alter function tenant.sample_values(regclass, smallint, integer) set schema tenant_internal;
alter function tenant.provable() set schema tenant_internal;
alter function tenant.plant(regclass, name, text, integer, jsonb, boolean) set schema tenant_internal;
alter function tenant.attack(name, text, text, boolean) set schema tenant_internal;
alter function tenant.prove_table(regclass, name, text, text, jsonb, jsonb) set schema tenant_internal;
alter function tenant.attack_prepared(name, text, text) set schema tenant_internal;
alter function tenant.attack_through(name, text, regclass, boolean, text, text, text) set schema tenant_internal;
alter function tenant.attack_copy(name, text, text) set schema tenant_internal;
alter function tenant.views_over(regclass) set schema tenant_internal;
alter function tenant.attack_view(name, text, regclass, regclass, name, text) set schema tenant_internal;
alter function tenant.prove_mutation(regclass, name, text, text, jsonb, jsonb, text[]) set schema tenant_internal;
alter function tenant.announce_change() set schema tenant_internal;
alter view tenant.doctor_memberships set schema tenant_internal;
alter view tenant.doctor_applications set schema tenant_internal;
alter function tenant.doctor_reached_now() set schema tenant_internal;
alter view tenant.doctor_reached set schema tenant_internal;
alter view tenant.doctor_grants set schema tenant_internal;
alter function tenant.doctor_tables_now() set schema tenant_internal;
alter view tenant.doctor_tables set schema tenant_internal;
alter view tenant.doctor_tenant_columns set schema tenant_internal;
alter view tenant.doctor_user_tables set schema tenant_internal;
alter view tenant.doctor_readers set schema tenant_internal;
alter view tenant.doctor_exempt set schema tenant_internal;
alter function tenant.doctor_is_equality(oid) set schema tenant_internal;
alter function tenant.doctor_policies_now() set schema tenant_internal;
alter view tenant.doctor_policies set schema tenant_internal;
alter view tenant.doctor_settings set schema tenant_internal;
alter function tenant.doctor_keys_missing() set schema tenant_internal;
alter function tenant.doctor_keys_replaceable() set schema tenant_internal;
alter view tenant.finding_t001 set schema tenant_internal;
alter view tenant.finding_t002 set schema tenant_internal;
alter view tenant.finding_t003 set schema tenant_internal;
alter view tenant.finding_t004 set schema tenant_internal;
alter view tenant.finding_t005 set schema tenant_internal;
alter view tenant.finding_t006 set schema tenant_internal;
alter view tenant.finding_t007 set schema tenant_internal;
alter view tenant.finding_t008 set schema tenant_internal;
alter view tenant.finding_t009 set schema tenant_internal;
alter view tenant.finding_t010 set schema tenant_internal;
alter view tenant.finding_t011 set schema tenant_internal;
alter view tenant.finding_t012 set schema tenant_internal;
alter view tenant.finding_t013 set schema tenant_internal;
alter view tenant.finding_t014 set schema tenant_internal;
alter view tenant.finding_t015 set schema tenant_internal;
alter view tenant.finding_t016 set schema tenant_internal;
alter view tenant.finding_t017 set schema tenant_internal;
alter view tenant.finding_t018 set schema tenant_internal;
alter view tenant.finding_t019 set schema tenant_internal;
alter view tenant.finding_t020 set schema tenant_internal;
alter view tenant.finding_t021 set schema tenant_internal;
alter view tenant.finding_t022 set schema tenant_internal;
alter view tenant.finding_t030 set schema tenant_internal;
alter view tenant.finding_t031 set schema tenant_internal;
alter view tenant.finding_t032 set schema tenant_internal;
alter view tenant.finding_t033 set schema tenant_internal;
alter view tenant.finding_t034 set schema tenant_internal;
alter view tenant.finding_t035 set schema tenant_internal;
alter view tenant.finding_t036 set schema tenant_internal;
alter view tenant.finding_t037 set schema tenant_internal;
alter view tenant.finding_t038 set schema tenant_internal;
alter view tenant.finding_t039 set schema tenant_internal;
alter view tenant.finding_t040 set schema tenant_internal;
alter view tenant.finding_t041 set schema tenant_internal;
alter view tenant.finding_t042 set schema tenant_internal;
alter view tenant.doctor_policy_functions set schema tenant_internal;
alter view tenant.finding_t043 set schema tenant_internal;
alter view tenant.finding_t044 set schema tenant_internal;
alter view tenant.finding_t045 set schema tenant_internal;
alter view tenant.finding_t046 set schema tenant_internal;
alter view tenant.finding_t047 set schema tenant_internal;
alter view tenant.finding_t048 set schema tenant_internal;
alter function tenant.doctor_harden(text, name) set schema tenant_internal;
alter view tenant.doctor_loose_keys set schema tenant_internal;
alter view tenant.finding_t050 set schema tenant_internal;
alter view tenant.finding_t051 set schema tenant_internal;
alter view tenant.doctor_foreign_keys set schema tenant_internal;
alter view tenant.finding_t052 set schema tenant_internal;
alter view tenant.finding_t053 set schema tenant_internal;
alter view tenant.finding_t054 set schema tenant_internal;
alter view tenant.finding_t055 set schema tenant_internal;
alter view tenant.finding_t060 set schema tenant_internal;
alter view tenant.finding_t061 set schema tenant_internal;
alter view tenant.finding_t062 set schema tenant_internal;
alter view tenant.finding_t063 set schema tenant_internal;
alter view tenant.finding_t064 set schema tenant_internal;
alter view tenant.doctor_triggers set schema tenant_internal;
alter view tenant.finding_t065 set schema tenant_internal;
alter view tenant.finding_t066 set schema tenant_internal;
alter view tenant.finding_t068 set schema tenant_internal;
alter view tenant.finding_t069 set schema tenant_internal;
alter view tenant.finding_t070 set schema tenant_internal;
alter view tenant.finding_t071 set schema tenant_internal;
alter view tenant.finding_t072 set schema tenant_internal;
alter view tenant.finding_t073 set schema tenant_internal;
alter view tenant.finding_t095 set schema tenant_internal;
alter view tenant.doctor_other_indexes set schema tenant_internal;
alter view tenant.finding_t096 set schema tenant_internal;
alter view tenant.finding_t097 set schema tenant_internal;
alter view tenant.finding_t098 set schema tenant_internal;
alter view tenant.finding_t080 set schema tenant_internal;
alter view tenant.finding_t081 set schema tenant_internal;
alter view tenant.finding_t082 set schema tenant_internal;
alter view tenant.finding_t083 set schema tenant_internal;
alter view tenant.finding_t084 set schema tenant_internal;
alter view tenant.finding_t085 set schema tenant_internal;
alter view tenant.finding_t086 set schema tenant_internal;
alter view tenant.finding_t087 set schema tenant_internal;
alter view tenant.finding_t088 set schema tenant_internal;
alter view tenant.finding_t089 set schema tenant_internal;
alter view tenant.finding_t090 set schema tenant_internal;
alter view tenant.finding_t091 set schema tenant_internal;
alter view tenant.finding_t092 set schema tenant_internal;
alter view tenant.finding_t093 set schema tenant_internal;
alter function tenant.check_change() set schema tenant_internal;
alter function tenant.journal_change() set schema tenant_internal;
alter view tenant.doctor_findings set schema tenant_internal;

-- The registry: a row tells of itself; the journal of changes is written once for each statement.
create table tenant_internal.registry_epoch ();
comment on table tenant_internal.registry_epoch is 'Stands for the rows of tenant.tenants where caches are invalidated; it has none.';
drop trigger announce_change on tenant.tenants;
drop trigger check_change on tenant.tenants;
create trigger check_change before insert or update on tenant.tenants
    for each row when (new.name is not null or new.plan is not null) execute function tenant_internal.check_change();
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

-- The states of tenants.
alter table tenant.tenants drop constraint tenants_status_check;
alter table tenant.tenants add constraint tenants_status_check
    check (status in ('provisioning', 'active', 'read_only', 'suspended', 'offboarding', 'purged'));
-- Since when is not known of those that are there.
alter table tenant.tenants add column status_since timestamptz, add column purge_after timestamptz,
    add column status_detail text, add column rates jsonb check (jsonb_typeof(rates) = 'object');
alter table tenant.tenants alter column status_since set default now();
grant insert (status), update (purge_after, status_detail, rates) on tenant.tenants to tenant_admin;
drop function tenant.find(text, text);
-- Plans, slugs, domains and settings.
create table tenant.plans (
    plan text collate "C" primary key check (plan <> ''),
    rank integer not null default 0,
    statement_timeout_ms integer check (statement_timeout_ms > 0),
    lock_timeout_ms integer check (lock_timeout_ms > 0),
    idle_in_transaction_session_timeout_ms integer check (idle_in_transaction_session_timeout_ms > 0),
    work_mem_kb integer check (work_mem_kb >= 64),
    features jsonb not null default '{}' check (jsonb_typeof(features) = 'object'),
    settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
    quotas jsonb not null default '{}' check (jsonb_typeof(quotas) = 'object'),
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    rates jsonb check (jsonb_typeof(rates) = 'object')
);
comment on table tenant.plans is 'Plans, by rank, with the limits, features, settings and quotas of their tenants.';
grant select on tenant.plans to tenant_admin, tenant_system;
select pg_catalog.pg_extension_config_dump('tenant.plans', '');
create table tenant.reserved_slugs (
    slug text collate "C" primary key check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    reason text not null,
    reserved_at timestamptz not null default now(),
    reserved_by name not null
);
comment on table tenant.reserved_slugs is 'Slugs that no tenant is given, such as www and api.';
grant select on tenant.reserved_slugs to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.reserved_slugs', '');
create table tenant.former_slugs (
    slug text collate "C" primary key,
    tenant_id text collate "C" not null,
    renamed_at timestamptz not null default now()
);
comment on table tenant.former_slugs is 'Slugs that tenants had before: they lead to the tenant until they are released.';
create index on tenant.former_slugs (tenant_id);
grant select on tenant.former_slugs to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.former_slugs', '');
create table tenant.domains (
    domain text collate "C" check (length(domain) <= 253
        and domain ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$'),
    tenant_id text collate "C" not null,
    token text not null,
    added_at timestamptz not null default now(),
    verified_at timestamptz,
    primary key (domain, tenant_id)
);
comment on table tenant.domains is 'Domains that tenants say are theirs; the one whose proof was seen has it.';
create unique index domains_verified on tenant.domains (domain) where verified_at is not null;
create index on tenant.domains (tenant_id);
grant select on tenant.domains to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.domains', '');
create table tenant.setting_definitions (
    name text collate "C" primary key check (length(name) <= 128 and name ~ '^[a-z0-9_]+(\.[a-z0-9_]+)*$'),
    kind text not null check (kind in ('text', 'boolean', 'integer', 'number', 'json', 'feature')),
    default_value jsonb,
    rule jsonb not null default '{}' check (jsonb_typeof(rule) = 'object'),
    changed_by text not null default 'operator' check (changed_by in ('operator', 'tenant')),
    secret boolean not null default false,
    rollout numeric check (rollout between 0 and 100),
    description text
);
comment on table tenant.setting_definitions is 'Which settings and features tenants have: kind, default, rule, who changes them, and of a feature to how many per cent of the tenants it is rolled out.';
grant select on tenant.setting_definitions to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.setting_definitions', '');
create table tenant_internal.definitions_stamp (stamp uuid not null);
comment on table tenant_internal.definitions_stamp is 'A number that changes with tenant.setting_definitions.';
insert into tenant_internal.definitions_stamp values (gen_random_uuid());
-- In version 0.1.0 settings were the application's own: what it uses is declared, so that it may go on.
insert into tenant.setting_definitions (name, kind, description)
    select distinct e.key, 'json', 'in use before version 0.2.0' from tenant.tenants t cross join lateral jsonb_object_keys(t.settings) e (key)
    where length(e.key) <= 128 and e.key ~ '^[a-z0-9_]+(\.[a-z0-9_]+)*$';

-- Onboarding.
create table tenant.onboardings (
    tenant_id text collate "C" primary key,
    -- What the steps are given, such as the address of who signed up.
    input jsonb not null default '{}' check (jsonb_typeof(input) = 'object'),
    begun_at timestamptz not null default now(),
    begun_by name not null,
    changed_at timestamptz not null default now(),
    -- Of a tenant that is set up before anybody asks for it: where it waits, since when it can be had, since when somebody has it.
    pool text collate "C",
    ready_at timestamptz,
    claimed_at timestamptz,
    -- Since then its steps are undone, and why.
    abandoned_at timestamptz,
    reason text,
    ended_at timestamptz
);
comment on table tenant.onboardings is 'Tenants that are or were set up in steps (tenant.onboarding): with what input, and whether they wait in a pool or were abandoned.';
create index onboardings_ready on tenant.onboardings (pool, ready_at) where claimed_at is null and abandoned_at is null;
grant select on tenant.onboardings to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.onboardings', '');

create table tenant.onboarding (
    tenant_id text collate "C",
    step text collate "C",
    nth integer not null,
    after text[] not null default '{}',
    -- It works outside of the database, so it may have happened although nobody has said so.
    outside boolean not null default false,
    has_undo boolean not null default true,
    -- Of a tenant in a pool: not before somebody has it.
    at_claim boolean not null default false,
    status text collate "C" not null default 'waiting' check (status in ('waiting', 'running', 'done', 'failed', 'undone')),
    -- It is to be undone.
    abandoned boolean not null default false,
    -- The number of the last attempt, the first being 1, and how many of them since the step, or undoing it, began.
    attempts integer not null default 0,
    tries integer not null default 0,
    max_attempts integer not null check (max_attempts > 0),
    -- When a waiting step can be claimed; null while it waits for others.
    not_before timestamptz,
    -- The last attempt: who, until when, whether it undoes the step, and what it has answered.
    claimed_by text,
    claim_expires timestamptz,
    undoing boolean not null default false,
    answer text check (answer in ('finished', 'failed')),
    last_error text,
    result jsonb,
    changed_at timestamptz not null default now(),
    primary key (tenant_id, step)
);
comment on table tenant.onboarding is 'The steps of each onboarding: what they wait for, whose they are and until when, what went wrong, what they returned.';
-- In the order in which they can be claimed. Steps that are over are not in it.
create index onboarding_due on tenant.onboarding ((case status when 'waiting' then not_before when 'running' then claim_expires end), nth)
    where status in ('waiting', 'running', 'failed');
grant select on tenant.onboarding to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.onboarding', '');
create table tenant.ready_pools (
    pool text collate "C" primary key,
    target integer not null check (target between 0 and 10000),
    steps jsonb not null,
    changed_at timestamptz not null default now(),
    topped_up_at timestamptz
);
comment on table tenant.ready_pools is 'How many tenants of each pool are kept ready, and with which steps they are set up.';
grant select on tenant.ready_pools to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.ready_pools', '');
-- People: roles, members, invitations.
create table tenant.permissions (
    permission text collate "C" primary key check (permission ~ '^[A-Za-z0-9_][A-Za-z0-9_.:/*-]{0,62}$'),
    -- The bit that stands for it: it never changes, nor is it given to another one.
    number smallint not null unique check (number between 0 and 1023)
);
comment on table tenant.permissions is 'Every permission that a role was ever defined with, and its number.';
grant select on tenant.permissions to tenant_admin;
-- What the functions that manage members ask for.
insert into tenant.permissions values ('members.manage', 0);
select pg_catalog.pg_extension_config_dump('tenant.permissions', 'where number > 0');
create table tenant.roles (
    role text collate "C" primary key check (role ~ '^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$'),
    rank integer not null,
    permissions text[] not null default '{}',
    defined_at timestamptz not null default now()
);
comment on table tenant.roles is 'The roles of the application, by rank, with their permissions. Those of the highest rank are the owners.';
grant select on tenant.roles to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.roles', '');
create table tenant.members (
    tenant_id text collate "C" not null,
    user_id text collate "C" not null check (user_id <> '' and octet_length(user_id) <= 255),
    role text collate "C" not null,
    status text collate "C" not null default 'active' check (status in ('active', 'deactivated')),
    added_at timestamptz not null default now(),
    added_by text,
    changed_at timestamptz not null default now(),
    email text,
    display_name text,
    -- What a directory that drives this calls it.
    user_name text,
    external_id text,
    primary key (tenant_id, user_id)
);
comment on table tenant.members is 'Who is a member of which tenant, in which role.';
create index members_user_id on tenant.members (user_id);
create unique index members_user_name on tenant.members (tenant_id, lower(user_name)) where user_name is not null;
grant select on tenant.members to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.members', '');
create table tenant.invitations (
    id uuid primary key default gen_random_uuid(),
    tenant_id text collate "C" not null,
    email text not null,
    role text collate "C" not null,
    -- SHA-256 of the token: who reads the table cannot accept.
    token_hash bytea not null unique check (octet_length(token_hash) = 32),
    invited_by text,
    invited_at timestamptz not null default now(),
    expires_at timestamptz not null,
    accepted_at timestamptz,
    accepted_by text,
    revoked_at timestamptz
);
comment on table tenant.invitations is 'Who was invited to which tenant, until when, and who has accepted.';
create index invitations_tenant_id on tenant.invitations (tenant_id);
grant select (id, tenant_id, email, role, invited_by, invited_at, expires_at, accepted_at, accepted_by, revoked_at)
    on tenant.invitations to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.invitations', '');
-- The journal, by month. Its lines are moved when its parts are there.
create function tenant_internal.journal_origin() returns bigint
    language c stable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_journal_origin';
alter extension pg_tenant drop table tenant.journal;
alter extension pg_tenant drop sequence tenant.journal_id_seq;
alter table tenant.journal rename to journal_of_0_1_0;
alter sequence tenant.journal_id_seq rename to journal_of_0_1_0_id_seq;
-- Which database this is: another than the one that it is a dump of, since a dump does not have it. Transactions are numbered
-- in the life of a database; a server that is copied with its files, or upgraded, goes on with both.
create table tenant_internal.journal_origin (origin bigint not null);
comment on table tenant_internal.journal_origin is 'Which database this is, to tell the lines of its journal from those that a dump has brought.';
insert into tenant_internal.journal_origin values (('x' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 16))::bit(64)::bigint);

create table tenant.journal (
    -- Named, since an upgrade has the former table beside it.
    id bigint constraint journal_id_not_null not null generated always as identity,
    at timestamptz constraint journal_at_not_null not null default now(),
    action text constraint journal_action_not_null not null,
    object text constraint journal_object_not_null not null,
    reason text,
    detail jsonb,
    role name constraint journal_role_not_null not null default current_user,
    session_role name constraint journal_session_role_not_null not null default session_user,
    -- Whose line it is: its transaction has written it, or it is told so. Null: the operators'.
    tenant_id text collate "C" default tenant.current_id(),
    -- From what the transaction has entered, as no statement can set it.
    actor text default tenant.current_actor(),
    impersonator text default nullif(current_setting('pg_tenant.impersonator', true), ''),
    request_id text default nullif(current_setting('pg_tenant.request_id', true), ''),
    -- The transaction, and the database in whose life it was numbered: seals go by them.
    xid8 xid8 not null default pg_current_xact_id(),
    origin bigint not null default tenant_internal.journal_origin()
) partition by list ((action in ('protect', 'unprotect')));
comment on table tenant.journal is 'What was protected, unprotected, shared, created, suspended, bound, who entered the system context, what was done in tenants, and why.';
grant select on tenant.journal to tenant_admin;
grant insert (action, object, reason, detail) on tenant.journal to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.journal_id_seq', '');

create table tenant_internal.journal_protection partition of tenant.journal for values in (true);
create table tenant_internal.journal_lines partition of tenant.journal for values in (false) partition by range (at);
-- Lines of months that have no part.
create table tenant_internal.journal_rest partition of tenant_internal.journal_lines default;
comment on table tenant_internal.journal_protection is 'The lines of the journal on protection, which are kept for good.';
comment on table tenant_internal.journal_lines is 'The other lines of the journal, in a part for each month.';
comment on table tenant_internal.journal_rest is 'Lines of months that have no part.';
select pg_catalog.pg_extension_config_dump('tenant_internal.journal_protection', '');
select pg_catalog.pg_extension_config_dump('tenant_internal.journal_rest', '');
alter table tenant_internal.journal_protection add primary key (id);
create index on tenant_internal.journal_protection (object, action);
create index on tenant_internal.journal_protection (tenant_id, id);
create index on tenant_internal.journal_protection (origin, xid8, id);
alter table tenant_internal.journal_rest add primary key (id);
create index on tenant_internal.journal_rest (object, action);
create index on tenant_internal.journal_rest (tenant_id, id);
create index on tenant_internal.journal_rest (origin, xid8, id);
create table tenant.journal_sealings (
    number bigint primary key,
    origin bigint not null,
    upto xid8 not null,
    upto_id bigint not null,
    lines bigint not null,
    seals bigint not null,
    digest bytea not null,
    previous bytea not null,
    sealed_at timestamptz not null,
    sealed_by name not null default session_user
);
comment on table tenant.journal_sealings is 'Each sealing of the journal: up to which line of which database, and a digest over its seals.';
create index on tenant.journal_sealings (origin, upto, upto_id);
grant select on tenant.journal_sealings to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.journal_sealings', '');

create table tenant.journal_seals (
    -- Null: the operators' lines.
    tenant_id text collate "C",
    number bigint not null,
    sealing bigint not null,
    -- Null: lines on protection, which are kept for good.
    month date,
    upto xid8 not null,
    upto_id bigint not null,
    lines bigint not null,
    digest bytea not null,
    previous bytea not null,
    sealed_at timestamptz not null,
    unique nulls not distinct (tenant_id, number)
);
comment on table tenant.journal_seals is 'The seals of the journal: for each tenant, month and sealing a digest over the lines, chained to the tenant''s seal before.';
create index on tenant.journal_seals (sealing);
grant select on tenant.journal_seals to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.journal_seals', '');

create table tenant.journal_removals (
    before date not null,
    lines bigint not null,
    removed_at timestamptz not null default now(),
    removed_by name not null default session_user
);
comment on table tenant.journal_removals is 'Which months of the journal were removed, as tenant.retain_journal() has said.';
grant select on tenant.journal_removals to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.journal_removals', '');
create table tenant.journal_retention (
    -- There is one line or none.
    one boolean primary key default true check (one),
    keep interval not null,
    reason text not null,
    set_at timestamptz not null default now(),
    set_by name not null default session_user
);
comment on table tenant.journal_retention is 'For how long lines of the journal are kept; no line: for good.';
grant select on tenant.journal_retention to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.journal_retention', '');
create table tenant.audited (
    relation regclass primary key,
    -- Null: all.
    columns name[],
    secret name[] not null,
    audited_at timestamptz not null default now(),
    audited_by name not null
);
comment on table tenant.audited is 'The tables whose changes are journalled, with the columns that are told, and those whose values are left out.';
grant select on tenant.audited to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.audited', '');

-- Impersonation: the role of support, and its grants.
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'tenant_support') then
        begin
            create role tenant_support nologin nobypassrls;
        exception when duplicate_object or unique_violation then null;
        end;
    end if;
end
$$;
grant usage on schema tenant to tenant_support;

-- The role of reports.
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'tenant_reader') then
        begin
            create role tenant_reader nologin bypassrls;
        exception when duplicate_object or unique_violation then null;
        end;
    end if;
end
$$;
grant usage on schema tenant to tenant_reader;

create table tenant.impersonations (
    -- Drawn from the server's source of secrets, and of use to the login alone.
    id uuid primary key default gen_random_uuid(),
    tenant_id text collate "C" not null,
    as_user text,
    login text collate "C" not null,
    impersonator text not null,
    reason text not null,
    write boolean not null,
    lasts interval not null check (lasts > '0'),
    requested_at timestamptz not null,
    approval_required boolean not null,
    approved_at timestamptz,
    approved_by text,
    -- Null until it is open.
    opens_at timestamptz,
    expires_at timestamptz,
    ended_at timestamptz,
    ended_by text,
    check ((opens_at is null) = (expires_at is null))
);
comment on table tenant.impersonations is 'Who of support was let into which tenant, in whose place, why and how long.';
create index impersonations_tenant_id on tenant.impersonations (tenant_id, requested_at);
grant select on tenant.impersonations to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.impersonations', '');

-- Jobs: the role of workers, and their tables.
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'tenant_worker') then
        begin
            create role tenant_worker nologin nobypassrls;
        exception when duplicate_object or unique_violation then null;
        end;
    end if;
end
$$;
grant usage on schema tenant to tenant_worker;
create table tenant.job_kinds (
    kind text collate "C" primary key check (kind ~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$'),
    lane text collate "C" not null default 'default' check (lane ~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$'),
    priority smallint not null default 0,
    max_attempts integer not null default 20 check (max_attempts between 1 and 1000),
    -- How long an attempt may take; workers end it then.
    time_limit interval check (time_limit > interval '0'),
    -- Pause before the second attempt; it doubles with each one, up to max_backoff.
    backoff interval not null default '10 s' check (backoff >= interval '0'),
    max_backoff interval not null default '1 h' check (max_backoff >= backoff),
    -- How many run at once, in all and of one tenant.
    concurrency integer check (concurrency > 0),
    tenant_concurrency integer check (tenant_concurrency > 0),
    -- It has, or had, such a limit: its jobs are claimed apart.
    has_part boolean not null default false,
    -- How long finished ones stay, to be looked at. Null: they go at once.
    keep interval check (keep > interval '0'),
    changed_at timestamptz not null default now()
);
comment on table tenant.job_kinds is 'Kinds of jobs that differ from what holds for all: lane, priority, attempts, pauses, time limit, how many at once.';
grant select on tenant.job_kinds to tenant_admin, tenant_worker;
select pg_catalog.pg_extension_config_dump('tenant.job_kinds', '');

create table tenant.jobs (
    id bigint generated always as identity primary key,
    -- Null: the system's.
    tenant_id text collate "C",
    kind text collate "C" not null,
    lane text collate "C" not null,
    part text collate "C" not null default '',
    priority smallint not null,
    state text collate "C" not null default 'ready' check (state in ('ready', 'scheduled', 'running', 'failed', 'done', 'dead')),
    -- Attempts are numbered for good; tries are those that count, since the job was queued or retried.
    attempt integer not null default 0,
    tries integer not null default 0,
    max_attempts integer not null,
    run_at timestamptz not null,
    lease_until timestamptz,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    worker text,
    key text,
    -- The W3C trace context of who has queued it.
    trace text,
    -- The system's: why the system context is entered.
    reason text,
    payload jsonb not null,
    result jsonb,
    last_error text
)
-- Lines change state twice and go: vacuum comes often, for its own sake and for the indexes below, whose dead entries
-- every claim would step over.
with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
comment on table tenant.jobs is 'Jobs of tenants and of the system, with their payloads. Nobody but superusers reads it; tenant.my_jobs and tenant.job_counts show what may be seen.';
alter table tenant.jobs enable row level security;
create index jobs_ready on tenant.jobs (lane, (coalesce(tenant_id, '')), part, priority, run_at, id) where state = 'ready';
create index jobs_later on tenant.jobs (run_at) where state in ('scheduled', 'failed');
create index jobs_running on tenant.jobs (lease_until) where state = 'running';
create index jobs_of_tenant on tenant.jobs ((coalesce(tenant_id, '')), id);
create unique index jobs_key on tenant.jobs ((coalesce(tenant_id, '')), kind, key)
    where key is not null and state in ('ready', 'scheduled', 'running', 'failed');
create index jobs_over on tenant.jobs (finished_at) where state in ('done', 'dead');
select pg_catalog.pg_extension_config_dump('tenant.jobs', '');
select pg_catalog.pg_extension_config_dump('tenant.jobs_id_seq', '');

create table tenant.job_queues (
    lane text collate "C",
    -- '': the system's.
    tenant_id text collate "C",
    -- Who has used less of the workers is next: it grows with each job that is claimed, by less where the weight is more.
    virtual_time double precision not null default 0,
    -- When it is looked at again. Infinity: when a job is queued.
    next_at timestamptz not null default now(),
    -- How often in succession there was nothing.
    misses smallint not null default 0,
    primary key (lane, tenant_id)
)
with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
comment on table tenant.job_queues is 'Whose turn it is in each lane: the lowest virtual time of those with jobs.';
create index job_queues_turn on tenant.job_queues (lane, virtual_time) where next_at < 'infinity';
create index job_queues_resting on tenant.job_queues (lane, virtual_time) where next_at = 'infinity';
grant select on tenant.job_queues to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.job_queues', '');

-- Tenants' shares that differ from those of their plans: quota job_weight, and job_concurrency for how many run at once.
create table tenant.job_weights (
    tenant_id text collate "C" primary key,
    weight real check (weight between 0.01 and 1000),
    concurrency integer check (concurrency > 0)
);
comment on table tenant.job_weights is 'How large a tenant''s share of the workers is beside others'', and how many of its jobs run at once, where that is not its plan''s.';
grant select on tenant.job_weights to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.job_weights', '');

-- Lines are left and taken; nothing is lost with them, see above.
create table tenant_internal.job_wakes (lane text not null, tenant_id text not null, run_at timestamptz not null)
    with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
comment on table tenant_internal.job_wakes is 'Queues that have jobs again.';
create table tenant_internal.job_look (looked_at timestamptz not null, lane text collate "C" not null default '',
    tenant_id text collate "C" not null default '') with (fillfactor = 50);
comment on table tenant_internal.job_look is 'When all queues were last looked at, and how far the look that is under way has come.';
insert into tenant_internal.job_look values ('-infinity');
create table tenant.schedules (
    name text collate "C" primary key check (name ~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$'),
    cron text not null,
    time_zone text not null default 'UTC',
    scope text not null check (scope in ('each_tenant', 'system')),
    kind text collate "C" not null,
    lane text collate "C",
    payload jsonb not null default '{}',
    -- The system's: why its context is entered.
    reason text,
    -- What is done about due times that passed while nobody was there: one of them, all, or none.
    catch_up text not null default 'once' check (catch_up in ('once', 'all', 'none')),
    -- Tenants' jobs are spread over it, each always at the same place.
    spread interval not null default '0' check (spread >= interval '0'),
    enabled boolean not null default true,
    -- The last due time for which jobs were queued, or from which on it counts; and how far the one that is being fired has come.
    last_due timestamptz not null default now(),
    firing timestamptz,
    fired_after text collate "C",
    changed_at timestamptz not null default now()
);
comment on table tenant.schedules is 'Which jobs are queued when, for each active tenant or for the system, and for which due time last.';
grant select on tenant.schedules to tenant_admin, tenant_worker;
select pg_catalog.pg_extension_config_dump('tenant.schedules', '');
-- Usage and quotas.
create table tenant.meters (
    meter text collate "C" primary key check (meter ~ '^[a-z][a-z0-9_]{0,62}$'),
    unit text not null check (unit <> ''),
    period text collate "C" not null check (period in ('minute', 'hour', 'day', 'month', 'year', 'forever')),
    aggregation text collate "C" not null check (aggregation in ('sum', 'max', 'last')),
    -- Of tenants whose plan does not say. Null is none.
    hard_limit numeric check (hard_limit >= 0),
    soft_limit numeric check (soft_limit >= 0),
    -- Of a meter that counts rows: of which table, and the column that says which rows do not count.
    relation regclass unique,
    unless name,
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now()
);
comment on table tenant.meters is 'The meters: unit, period, aggregation, the limits of tenants whose plan says nothing, and the table whose rows are counted.';
grant select on tenant.meters to tenant_admin, tenant_system, tenant_reader;
select pg_catalog.pg_extension_config_dump('tenant.meters', '');
create table tenant.quotas (
    tenant_id text collate "C",
    meter text collate "C" references tenant.meters on delete cascade,
    hard_limit numeric check (hard_limit >= 0),
    soft_limit numeric check (soft_limit >= 0),
    changed_at timestamptz not null default now(),
    primary key (tenant_id, meter)
);
comment on table tenant.quotas is 'Limits that a tenant has of its own, in place of its plan''s. Null is no limit.';
create index on tenant.quotas (meter);
grant select on tenant.quotas to tenant_admin, tenant_system, tenant_reader;
select pg_catalog.pg_extension_config_dump('tenant.quotas', '');
create table tenant.usage (
    tenant_id text collate "C",
    meter text collate "C" references tenant.meters,
    period_start timestamptz,
    stripe smallint check (stripe between 0 and 15),
    used numeric not null,
    granted numeric not null,
    -- The limits that the part was made of.
    hard numeric not null,
    soft numeric not null,
    -- What was used on the last day on which there was something. Days before are in tenant.usage_days.
    day date not null,
    on_day numeric not null default 0,
    at timestamptz not null,
    primary key (tenant_id, meter, period_start, stripe),
    check (used <= granted)
) with (fillfactor = 40);
comment on table tenant.usage is 'What tenants have used in the periods that are not over, by meter, in 16 stripes.';
create index on tenant.usage (meter, period_start);
grant select on tenant.usage to tenant_admin, tenant_system, tenant_reader;
select pg_catalog.pg_extension_config_dump('tenant.usage', '');
create table tenant.usage_days (
    tenant_id text collate "C",
    meter text collate "C",
    day date,
    -- -1: all of them, put together by tenant.roll_up_usage().
    stripe smallint,
    used numeric not null,
    at timestamptz not null,
    primary key (tenant_id, meter, day, stripe)
);
comment on table tenant.usage_days is 'What tenants have used on days before the last one of each stripe.';
create index on tenant.usage_days (day) where stripe >= 0;
grant select on tenant.usage_days to tenant_admin, tenant_system, tenant_reader;
select pg_catalog.pg_extension_config_dump('tenant.usage_days', '');
create table tenant.usage_warnings (
    tenant_id text collate "C",
    meter text collate "C",
    period_start timestamptz,
    at timestamptz not null default now(),
    primary key (tenant_id, meter, period_start)
);
comment on table tenant.usage_warnings is 'Who has passed a soft limit in which period: it is told once. Of meters without a period, once a day.';
grant select on tenant.usage_warnings to tenant_admin, tenant_system, tenant_reader;
select pg_catalog.pg_extension_config_dump('tenant.usage_warnings', '');
create table tenant.usage_records (
    record_id text collate "C" primary key,
    tenant_id text collate "C" not null,
    meter text collate "C" not null,
    unit text not null,
    day date not null,
    version integer not null,
    -- What the day comes to, and what of it the versions before did not have.
    quantity numeric not null,
    change numeric not null,
    exported_at timestamptz not null default now(),
    unique (tenant_id, meter, day, version)
);
comment on table tenant.usage_records is 'What tenant.export_usage() has given out: a line for each tenant, meter and day, and another one, with the next version, where more has come to it since.';
create index on tenant.usage_records (day);
grant select on tenant.usage_records to tenant_admin, tenant_system, tenant_reader;
select pg_catalog.pg_extension_config_dump('tenant.usage_records', '');
-- Billing: the role of webhooks, and their tables.
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'tenant_billing') then
        begin
            create role tenant_billing nologin nobypassrls;
        exception when duplicate_object or unique_violation then null;
        end;
    end if;
end
$$;
grant usage on schema tenant to tenant_billing;
create table tenant.billing_customers (
    provider text collate "C" check (provider ~ '^[a-z][a-z0-9_-]{0,62}$'),
    customer_id text collate "C" check (customer_id <> ''),
    tenant_id text collate "C" not null,
    linked_at timestamptz not null default now(),
    primary key (provider, customer_id)
);
comment on table tenant.billing_customers is 'Which tenant a customer of a payment provider is. Only operators link them.';
create index on tenant.billing_customers (tenant_id);
grant select on tenant.billing_customers to tenant_admin, tenant_system;
select pg_catalog.pg_extension_config_dump('tenant.billing_customers', '');

create table tenant.billing_events (
    provider text collate "C",
    event_id text collate "C",
    occurred_at timestamptz not null,
    type text collate "C" not null,
    customer_id text collate "C",
    -- Null: the customer is nobody's so far.
    tenant_id text collate "C",
    payload jsonb not null,
    received_at timestamptz not null default now(),
    applied_at timestamptz,
    outcome text collate "C" not null check (outcome in ('applied', 'ignored', 'unmatched')),
    why text,
    -- Since when nothing is kept of the payload but what the state follows from.
    pruned_at timestamptz,
    primary key (provider, event_id)
);
comment on table tenant.billing_events is 'What payment providers have said, each event once, and what came of it.';
create index billing_events_of_tenant on tenant.billing_events (tenant_id, occurred_at);
create index billing_events_unmatched on tenant.billing_events (provider, customer_id) where outcome = 'unmatched';
create index billing_events_not_pruned on tenant.billing_events (received_at) where pruned_at is null;
grant select on tenant.billing_events to tenant_admin, tenant_system;
select pg_catalog.pg_extension_config_dump('tenant.billing_events', '');

create table tenant.subscriptions (
    tenant_id text collate "C" primary key,
    provider text collate "C",
    subscription_id text collate "C",
    plan text collate "C",
    status text collate "C" not null default 'none'
        check (status in ('none', 'incomplete', 'trialing', 'active', 'past_due', 'paused', 'ended')),
    paid_until timestamptz,
    past_due_since timestamptz,
    cancel_at timestamptz,
    ended_at timestamptz,
    -- What the tenant may do by what was paid.
    access text collate "C" not null default 'full' check (access in ('full', 'read_only', 'suspended')),
    -- When that changes with time alone.
    next_at timestamptz,
    as_of timestamptz,
    -- An operator lets it go on until then, whatever was paid.
    grace_until timestamptz,
    -- The state that billing has put the tenant in, and the one before; null where it has not, or an operator has since.
    held text collate "C" check (held in ('read_only', 'suspended')),
    held_from text collate "C" check (held_from in ('active', 'read_only')),
    -- The plan that billing gave it last: it gives another when the subscription has another.
    given_plan text collate "C",
    -- The plan that it had before there was any event.
    plan_before text collate "C",
    -- What the provider says of it names this plan, and there is none.
    missing_plan text collate "C",
    -- Why the last tick could do nothing for it, and when that was.
    problem text,
    problem_at timestamptz,
    changed_at timestamptz not null default now()
);
comment on table tenant.subscriptions is 'What follows from all events of a tenant''s customers: plan, paid until, past due since, what it may do.';
create index subscriptions_next on tenant.subscriptions (next_at);
create index subscriptions_missing_plan on tenant.subscriptions (missing_plan) where missing_plan is not null;
grant select on tenant.subscriptions to tenant_admin, tenant_system;
select pg_catalog.pg_extension_config_dump('tenant.subscriptions', '');

create table tenant.billing_policies (
    -- '': of plans that have none.
    plan text collate "C" primary key,
    grace interval not null check (grace >= interval '0'),
    read_only_for interval not null check (read_only_for >= interval '0'),
    after_end text collate "C" not null check (after_end in ('full', 'read_only', 'suspended')),
    end_plan text collate "C",
    changed_at timestamptz not null default now()
);
comment on table tenant.billing_policies is 'How long a tenant of the plan goes on when it is past due, how long it is read-only then before it is suspended, and what is left when its subscription has ended.';
grant select on tenant.billing_policies to tenant_admin, tenant_system;
select pg_catalog.pg_extension_config_dump('tenant.billing_policies', '');

-- Sealed columns: wrapped data keys.
create table tenant.data_keys (
    tenant_id text collate "C",
    purpose text collate "C" check (purpose ~ '^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$'),
    version integer check (version > 0),
    wrapped bytea not null check (octet_length(wrapped) between 1 and 8192),
    created_at timestamptz not null default clock_timestamp(),
    -- The transaction that has added it: what that sees of it is not committed.
    added_by xid8 not null default pg_current_xact_id(),
    primary key (tenant_id, purpose, version)
);
comment on table tenant.data_keys is 'Tenants'' data keys, each wrapped by a key that is elsewhere.';
select pg_catalog.pg_extension_config_dump('tenant.data_keys', '');

-- Functions and views, as sql/schema/ has them, with their comments and rights.

grant usage on schema tenant to tenant_user, tenant_admin, tenant_system, tenant_support, tenant_reader, tenant_worker, tenant_billing;

comment on schema tenant_internal is 'What only pg_tenant itself calls; it may change with every version.';

grant usage on schema tenant_internal to tenant_admin;

create or replace function tenant.key_form(harden boolean) returns tenant.key_form
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select case when harden then 'true'::tenant.key_form else 'false'::tenant.key_form end
$$;

revoke all on function tenant.key_form(boolean) from public;

grant execute on function tenant.key_form(boolean) to tenant_admin;

create or replace function tenant.canonical_id(id text) returns text
    language c immutable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_canonical_id';

comment on function tenant.canonical_id(text) is 'The id in its one canonical form; TN004 where the text is not a tenant id, or null.';

create or replace function tenant_internal.registry_changed() returns trigger
    language c as 'MODULE_PATHNAME', 'pg_tenant_registry_changed';

revoke all on function tenant_internal.registry_changed() from public;

create or replace function tenant.enter(id text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter';

comment on function tenant.enter(text) is 'Makes this the tenant of the transaction. TN002 unknown, TN003 not active, TN004 malformed or null, TN005 another entered, TN006 bound to another.';

create or replace function tenant.enter_pristine(id text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_pristine';

create or replace function tenant_internal.is_current_support(internal) returns internal
    language c strict as 'MODULE_PATHNAME', 'pg_tenant_is_current_support';

revoke all on function tenant_internal.is_current_support(internal) from public;

create or replace function tenant.is_current(tenant uuid) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_uuid';

comment on function tenant.is_current(uuid) is 'Whether this is the current tenant; false where there is none.';

create or replace function tenant.is_current(tenant bigint) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_bigint';

comment on function tenant.is_current(bigint) is 'Whether this is the current tenant; false where there is none.';

create or replace function tenant.is_current(tenant integer) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_integer';

comment on function tenant.is_current(integer) is 'Whether this is the current tenant; false where there is none.';

create or replace function tenant.is_current(tenant smallint) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_smallint';

comment on function tenant.is_current(smallint) is 'Whether this is the current tenant; false where there is none.';

create or replace function tenant.is_current(tenant text) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_text';

comment on function tenant.is_current(text) is 'Whether this is the current tenant; false where there is none.';

create or replace function tenant.is_current_or_shared(tenant uuid) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_uuid';

comment on function tenant.is_current_or_shared(uuid) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';

create or replace function tenant.is_current_or_shared(tenant bigint) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_bigint';

comment on function tenant.is_current_or_shared(bigint) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';

create or replace function tenant.is_current_or_shared(tenant integer) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_integer';

comment on function tenant.is_current_or_shared(integer) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';

create or replace function tenant.is_current_or_shared(tenant smallint) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_smallint';

comment on function tenant.is_current_or_shared(smallint) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';

create or replace function tenant.is_current_or_shared(tenant text) returns boolean
    language c stable parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_current_or_shared_text';

comment on function tenant.is_current_or_shared(text) is 'Whether this is the current tenant, or null, which is everybody''s; false where there is no current tenant.';

create or replace function tenant.is_member(found boolean) returns boolean
    language c stable strict parallel safe leakproof cost 0.0001 support tenant_internal.is_current_support
    as 'MODULE_PATHNAME', 'pg_tenant_is_member';

comment on function tenant.is_member(boolean) is 'Its argument while a tenant is entered; false where there is none. For the policies that tenant.protect_by_membership makes.';

create or replace function tenant.left_nothing() returns boolean
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_left_nothing';

comment on function tenant.left_nothing() is 'Whether the session''s last transaction was rolled back and had written nothing, and it and this one see each commit (read committed).';

revoke all on function tenant.left_nothing() from public;

grant execute on function tenant.left_nothing() to tenant_user;

grant execute on function tenant.version() to tenant_user, tenant_admin, tenant_reader, tenant_worker, tenant_billing;

create or replace function tenant_internal.require_plain(what text, given text) returns boolean
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'pg_tenant_require_plain';

revoke all on function tenant_internal.require_plain(text, text) from public;

grant execute on function tenant_internal.require_plain(text, text) to tenant_admin;

create or replace function tenant_internal.run_as_owner(rel regclass, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_as_owner';

revoke all on function tenant_internal.run_as_owner(regclass, text) from public;

grant execute on function tenant_internal.run_as_owner(regclass, text) to tenant_admin;

create or replace function tenant_internal.run_validation(rel regclass, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_validation';

revoke all on function tenant_internal.run_validation(regclass, text) from public;

grant execute on function tenant_internal.run_validation(regclass, text) to tenant_admin;

create or replace function tenant_internal.run_past_policies(rel regclass, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_past_policies';

revoke all on function tenant_internal.run_past_policies(regclass, text) from public;

create or replace function tenant_internal.run_as(role oid, statement text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_as';

revoke all on function tenant_internal.run_as(oid, text) from public;

create or replace function tenant_internal.fence_policy(rel regclass) returns oid
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_fence_policy';

comment on function tenant_internal.fence_policy(regclass) is 'The table''s tenant policy, recognised by what it does; null where it has none.';

revoke all on function tenant_internal.fence_policy(regclass) from public;

grant execute on function tenant_internal.fence_policy(regclass) to tenant_admin;

create or replace function tenant_internal.fence_column(rel regclass) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_fence_column';

comment on function tenant_internal.fence_column(regclass) is 'The number of the table''s tenant column; null where it is not protected.';

revoke all on function tenant_internal.fence_column(regclass) from public;

grant execute on function tenant_internal.fence_column(regclass) to tenant_admin;

create or replace function tenant_internal.former_column(policy oid) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_former_column';

comment on function tenant_internal.former_column(oid) is 'The number of the tenant column where the policy is one that pg_tenant 0.1.0 made, which the planner can take out of a plan; else null.';

revoke all on function tenant_internal.former_column(oid) from public;

grant execute on function tenant_internal.former_column(oid) to tenant_admin;

create or replace function tenant_internal.has_shared_rows(rel regclass) returns boolean
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_has_shared_rows';

comment on function tenant_internal.has_shared_rows(regclass) is 'Whether rows without a tenant are every tenant''s to read; null where the table is not protected.';

revoke all on function tenant_internal.has_shared_rows(regclass) from public;

grant execute on function tenant_internal.has_shared_rows(regclass) to tenant_admin;

create or replace function tenant_internal.policy_form(policy oid) returns text
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_policy_form';

revoke all on function tenant_internal.policy_form(oid) from public;

grant execute on function tenant_internal.policy_form(oid) to tenant_admin;

create or replace function tenant.protect(rel regclass, tenant_column name default 'tenant_id', harden tenant.key_form default 'false',
    keep_old_keys boolean default false, shared_rows boolean default false) returns void
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_protect';

comment on function tenant.protect(regclass, name, tenant.key_form, boolean, boolean) is 'Lets every statement on the table see and write the current tenant''s rows only; partitions and children included. With shared_rows every tenant reads the rows without a tenant too. Can be repeated. TN020 to TN027 say what is in the way; TN085 to TN087 what is in the way of harden => true.';

revoke all on function tenant.protect(regclass, name, tenant.key_form, boolean, boolean) from public;

grant execute on function tenant.protect(regclass, name, tenant.key_form, boolean, boolean) to tenant_admin;

create or replace function tenant_internal.membership_through(rel regclass) returns regclass
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_membership_through';

comment on function tenant_internal.membership_through(regclass) is 'The join table through which the table is reached by membership; null where it is not.';

revoke all on function tenant_internal.membership_through(regclass) from public;

grant execute on function tenant_internal.membership_through(regclass) to tenant_admin;

create or replace function tenant_internal.membership_key(rel regclass) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_membership_key';

comment on function tenant_internal.membership_key(regclass) is 'The number of the column by which the table is reached by membership.';

revoke all on function tenant_internal.membership_key(regclass) from public;

grant execute on function tenant_internal.membership_key(regclass) to tenant_admin;

create or replace function tenant_internal.membership_member(rel regclass) returns smallint
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_membership_member';

comment on function tenant_internal.membership_member(regclass) is 'The number of the join table''s column that has the keys of the table.';

revoke all on function tenant_internal.membership_member(regclass) from public;

grant execute on function tenant_internal.membership_member(regclass) to tenant_admin;

create or replace function tenant.protect_by_membership(rel regclass, through regclass, member_column name default null,
    key_column name default null, tenants_add_members boolean default false) returns void
    language c volatile as 'MODULE_PATHNAME', 'pg_tenant_protect_by_membership';

comment on function tenant.protect_by_membership(regclass, regclass, name, name, boolean) is 'Lets a tenant see those rows of the table to which its part of the join table refers, and change none. Can be repeated. TN072 where a tenant would add members, TN074 where it would write; TN020 to TN028 say what is in the way.';

revoke all on function tenant.protect_by_membership(regclass, regclass, name, name, boolean) from public;

grant execute on function tenant.protect_by_membership(regclass, regclass, name, name, boolean) to tenant_admin;

grant execute on function tenant.enter_system(text, boolean) to tenant_user, tenant_system, tenant_reader;

grant execute on function tenant.enter_system_pristine(text, boolean) to tenant_user, tenant_system, tenant_reader;

create or replace function tenant.enter_system_as_owner(reason text) returns void
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_system_as_owner';

comment on function tenant.enter_system_as_owner(text) is 'Lets the rest of the transaction work across tenants on the protected tables that the role owns, as that role. TN013 not allowed, TN014 a tenant entered, TN015 read-only, TN029 no reason.';

revoke all on function tenant.enter_system_as_owner(text) from public;

grant execute on function tenant.enter_system_as_owner(text) to tenant_user, tenant_admin, tenant_system;

create or replace function tenant_internal.count_lock(key bigint) returns bigint
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_count_lock';

revoke all on function tenant_internal.count_lock(bigint) from public;

create or replace function tenant_internal.is_shown(catalog oid, key oid) returns boolean
    language c stable strict parallel safe as 'MODULE_PATHNAME', 'pg_tenant_is_shown';

comment on function tenant_internal.is_shown(oid, oid) is 'Whether this row of a catalog is shown, or tells of other tenants.';

grant execute on function tenant_internal.is_shown(oid, oid) to public;

create or replace function tenant_internal.hidden(original internal, argument anyelement) returns anyelement
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_hidden';

comment on function tenant_internal.hidden(internal, anyelement) is 'Calls the function, or returns null where its result would tell of other tenants.';

create or replace function tenant_internal.hidden_set(original internal, argument anyelement) returns setof anyelement
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_hidden_set';

comment on function tenant_internal.hidden_set(internal, anyelement) is 'Calls a function that returns a set, or returns only the session''s own rows, or none.';

grant execute on function tenant_internal.hidden(internal, anyelement), tenant_internal.hidden_set(internal, anyelement) to public;

create or replace function tenant_internal.own_row(is_own boolean) returns boolean
    language c stable parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_own_row';

comment on function tenant_internal.own_row(boolean) is 'Refuses (TN068) a row that is not the current tenant''s.';

grant execute on function tenant_internal.own_row(boolean) to public;

create or replace function tenant.enter_signed(token text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_signed';

create or replace function tenant.enter_signed_pristine(token text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_signed_pristine';

create or replace function tenant.current_actor_role() returns text
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_actor_role';

comment on function tenant.current_actor_role() is 'In which role of the application the actor acts, as its token says; null where none was entered with.';

comment on function tenant.current_role() is 'Deprecated: the former name of tenant.current_actor_role().';

create or replace function tenant_internal.count_lookup(rel regclass, key_number smallint) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_count_lookup';

revoke all on function tenant_internal.count_lookup(regclass, smallint) from public;

create or replace function tenant_internal.run_lookup(rel regclass, statement text, value text) returns text
    language c volatile strict as 'MODULE_PATHNAME', 'pg_tenant_run_lookup';

revoke all on function tenant_internal.run_lookup(regclass, text, text) from public;

create or replace function tenant.enter(id text, actor text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_for';

comment on function tenant.enter(text, text) is 'As enter(id), on behalf of the actor: with the role that the actor has as a member, if it is one. TN099 entered for another, TN140 no member where that is required, TN141 malformed actor.';

revoke all on function tenant.enter(text, text) from public;

grant execute on function tenant.enter(text, text) to tenant_user;

create or replace function tenant.enter_pristine(id text, actor text) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_pristine_for';

comment on function tenant.enter_pristine(text, text) is 'As enter(id, actor), for connection pools: refuses (TN008) a session that carries state from earlier transactions.';

revoke all on function tenant.enter_pristine(text, text) from public;

grant execute on function tenant.enter_pristine(text, text) to tenant_user;

create or replace function tenant.can(permission text) returns boolean
    language c stable strict parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_can';

comment on function tenant.can(text) is 'Whether the actor, as a member of the tenant, has the permission; false with no actor, no tenant and in the system context. TN145 where there is no such permission.';

create or replace function tenant.has_role(role text) returns boolean
    language c stable strict parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_has_role';

comment on function tenant.has_role(text) is 'Whether the actor is a member in this role, or in one of at least its rank; false with no actor, no tenant and in the system context. TN146 where there is no such role.';

create or replace function tenant.current_member_role() returns text
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_member_role';

comment on function tenant.current_member_role() is 'The role in which the actor is a member of the tenant; null where it is none.';

create or replace function tenant.require(permission text) returns boolean
    language c stable strict parallel safe as 'MODULE_PATHNAME', 'pg_tenant_require';

comment on function tenant.require(text) is 'True where tenant.can() is, and else an error. TN142 where the actor has not got the permission, TN145 where there is no such.';

create or replace function tenant.enter_as(id uuid) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_as';

comment on function tenant.enter_as(uuid) is 'Makes the tenant of this impersonation the transaction''s, in the place of its user, and gives its id. TN158 not allowed, TN159 ended; read-only unless it is for writing.';

revoke all on function tenant.enter_as(uuid) from public;

grant execute on function tenant.enter_as(uuid) to tenant_support, tenant_system;

create or replace function tenant.enter_as_pristine(id uuid) returns text
    language c volatile parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_enter_as_pristine';

comment on function tenant.enter_as_pristine(uuid) is 'As enter_as, for connection pools: refuses (TN008) a session that carries state from earlier transactions.';

revoke all on function tenant.enter_as_pristine(uuid) from public;

grant execute on function tenant.enter_as_pristine(uuid) to tenant_support, tenant_system;

create or replace function tenant.current_impersonator() returns text
    language c stable parallel safe leakproof as 'MODULE_PATHNAME', 'pg_tenant_current_impersonator';

comment on function tenant.current_impersonator() is 'Who works in the tenant by an impersonation, in the place of tenant.current_actor(); null where nobody does.';

create or replace function tenant_internal.doctor_is_equality(policy oid) returns boolean
    language c stable strict as 'MODULE_PATHNAME', 'pg_tenant_is_equality';

revoke all on function tenant_internal.doctor_is_equality(oid) from public;

create or replace function tenant_internal.doctor_keys_missing() returns text
    language c stable as 'MODULE_PATHNAME', 'pg_tenant_keys_missing';

revoke all on function tenant_internal.doctor_keys_missing() from public;

create or replace function tenant_internal.doctor_keys_replaceable() returns text
    language c stable as 'MODULE_PATHNAME', 'pg_tenant_keys_replaceable';

revoke all on function tenant_internal.doctor_keys_replaceable() from public;

create or replace function tenant_internal.journal_origin() returns bigint
    language c stable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_journal_origin';

revoke all on function tenant_internal.journal_origin() from public;

grant execute on function tenant_internal.journal_origin() to tenant_admin;

create or replace function tenant_internal.journal_creation() returns trigger
    language c as 'MODULE_PATHNAME', 'pg_tenant_journal_created';

revoke all on function tenant_internal.journal_creation() from public;

create or replace function tenant_internal.journal_created(object text, reason text) returns void
    language sql set search_path = pg_catalog, pg_temp as $$
    insert into tenant.journal (action, object, reason) values ('create', object, reason)
$$;

revoke all on function tenant_internal.journal_created(text, text) from public;

grant select, references (id, uuid_id, bigint_id) on tenant.tenants to tenant_admin;

grant insert (id, status, slug, name, plan, settings) on tenant.tenants to tenant_admin;

grant update (status, statement_timeout_ms, lock_timeout_ms, idle_in_transaction_session_timeout_ms, work_mem_kb,
    read_only, slug, name, plan, settings, purge_after, status_detail, rates) on tenant.tenants to tenant_admin;

comment on table tenant_internal.registry_epoch is 'Stands for the rows of tenant.tenants where caches are invalidated; it has none.';

create or replace function tenant_internal.keep_tenant() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
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

revoke all on function tenant_internal.keep_tenant() from public;

create or replace function tenant_internal.stamp_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.changed_at := now();
    return new;
end
$$;

revoke all on function tenant_internal.stamp_change() from public;

create or replace function tenant.enter(id uuid) returns text language sql volatile parallel unsafe
    begin atomic select tenant.enter(id::text); end;

create or replace function tenant.enter(id bigint) returns text language sql volatile parallel unsafe
    begin atomic select tenant.enter(id::text); end;

create or replace function tenant.begin_anew() returns void language plpgsql volatile parallel unsafe as $$
begin
    if not tenant.left_nothing() then
        raise exception using errcode = 'serialization_failure',
            message = 'the transaction cannot be begun anew: the one before it has written, or does not see each commit',
            hint = 'Run the whole transaction again.';
    end if;
end $$;

comment on function tenant.begin_anew() is 'For a client that begins a transaction again in place of one that failed: refuses (40001) unless tenant.left_nothing().';

revoke all on function tenant.begin_anew() from public;

grant execute on function tenant.begin_anew() to tenant_user;

comment on table tenant_internal.journal_origin is 'Which database this is, to tell the lines of its journal from those that a dump has brought.';

comment on table tenant.journal is 'What was protected, unprotected, shared, created, suspended, bound, who entered the system context, what was done in tenants, and why.';

comment on table tenant_internal.journal_protection is 'The lines of the journal on protection, which are kept for good.';

comment on table tenant_internal.journal_lines is 'The other lines of the journal, in a part for each month.';

comment on table tenant_internal.journal_rest is 'Lines of months that have no part.';

create or replace function tenant_internal.keep_line() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not (select rolsuper from pg_roles where rolname = session_user) then
        raise exception using
            errcode = 'TN155',
            message = format('cannot %s lines of %I.%I', lower(tg_op), tg_table_schema, tg_table_name),
            detail = 'The journal and its seals are only added to.',
            hint = 'select tenant.maintain_journal(); removes lines that are older than tenant.retain_journal() has said.';
    end if;
    return case tg_op when 'DELETE' then old else new end;
end
$$;

revoke all on function tenant_internal.keep_line() from public;

create or replace view tenant.audit_log with (security_barrier = true) as
    select id, at, tenant_id, actor, impersonator, action, object, reason, detail, request_id
    from tenant.journal
    where tenant_id = tenant.current_id() and tenant.is_current(tenant_id);

comment on view tenant.audit_log is 'The journal''s lines of the current tenant; none where there is none.';

grant select on tenant.audit_log to tenant_user;

create or replace function tenant_internal.check_new_tenant(tenant text, slug text, settings jsonb) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if slug !~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' then
        raise exception using
            errcode = 'TN053',
            message = format('cannot register tenant "%s": malformed slug', tenant),
            detail = format('The slug is %s.', quote_literal(left(slug, 80))),
            hint = 'A slug has 1 to 63 characters a-z 0-9 - and begins and ends with a letter or a digit.';
    end if;
    if jsonb_typeof(settings) <> 'object' then
        raise exception using
            errcode = 'TN053',
            message = format('cannot register tenant "%s": malformed settings', tenant),
            detail = format('They are of type %s.', jsonb_typeof(settings)),
            hint = 'Settings are an object: {"name": value, ...}.';
    end if;
end
$$;

revoke all on function tenant_internal.check_new_tenant(text, text, jsonb) from public;

grant execute on function tenant_internal.check_new_tenant(text, text, jsonb) to tenant_admin;

create or replace function tenant_internal.create_tenant(canonical text, name text, slug text, plan text, settings jsonb, status text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    made text;
begin
    perform tenant_internal.check_new_tenant(canonical, slug, settings);
    -- No exception block: it would cost a subtransaction for each tenant.
    insert into tenant.tenants as t (id, name, slug, plan, settings, status)
        values (canonical, name, slug, plan, coalesce(settings, '{}'), status)
        on conflict do nothing returning t.id into made;
    if made is null then
        raise exception using
            errcode = 'TN050',
            message = format('tenant "%s" exists already', canonical),
            detail = format('The registry has a tenant with id "%s"%s.', canonical, ' or slug "' || slug || '"'),
            hint = 'Choose another, or change the tenant that is there in tenant.tenants.';
    end if;
end
$$;

revoke all on function tenant_internal.create_tenant(text, text, text, text, jsonb, text) from public;

grant execute on function tenant_internal.create_tenant(text, text, text, text, jsonb, text) to tenant_admin;

create or replace function tenant.create(id text, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}') returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.create_tenant(canonical, name, slug, plan, settings, 'active');
    return canonical;
end
$$;

comment on function tenant.create(text, text, text, text, jsonb) is 'Registers a tenant and gives its canonical id. TN004 malformed, TN050 exists already, TN053 malformed slug or settings.';

create or replace function tenant_internal.require_known(id text) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
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

revoke all on function tenant_internal.require_known(text) from public;

grant execute on function tenant_internal.require_known(text) to tenant_admin;

create or replace function tenant_internal.check_limits(timeouts interval[], work_mem text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    too_much constant text := 'TN051';
    given interval;
begin
    foreach given in array timeouts loop
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
end
$$;

revoke all on function tenant_internal.check_limits(interval[], text) from public;

grant execute on function tenant_internal.check_limits(interval[], text) to tenant_admin;

create or replace function tenant.set_limits(id text, statement_timeout interval default null, lock_timeout interval default null,
    idle_in_transaction_session_timeout interval default null, work_mem text default null,
    read_only boolean default false) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_known(canonical);
    perform tenant_internal.check_limits(array[statement_timeout, lock_timeout, idle_in_transaction_session_timeout], work_mem);
    update tenant.tenants t set
        statement_timeout_ms = extract(epoch from set_limits.statement_timeout) * 1000,
        lock_timeout_ms = extract(epoch from set_limits.lock_timeout) * 1000,
        idle_in_transaction_session_timeout_ms = extract(epoch from set_limits.idle_in_transaction_session_timeout) * 1000,
        work_mem_kb = pg_size_bytes(set_limits.work_mem) / 1024,
        read_only = coalesce(set_limits.read_only, false)
    where t.id = canonical;
end
$$;

comment on function tenant.set_limits(text, interval, interval, interval, text, boolean) is 'Sets the limits of the tenant''s transactions. enter applies them, and nothing in the transaction may raise them (TN009). Null is no limit; a call sets all of them.';

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

create or replace function tenant_internal.forget_dropped() returns void
    language sql volatile set search_path = pg_catalog, pg_temp as $$
    delete from tenant.shared where not exists (select from pg_class where oid = relation);
    delete from tenant.lookups where not exists (select from pg_class where oid = relation)
$$;

revoke all on function tenant_internal.forget_dropped() from public;

grant execute on function tenant_internal.forget_dropped() to tenant_admin;

create or replace function tenant_internal.require_reason(reason text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(btrim(reason), '') = '' then
        raise exception using
            errcode = 'TN029',
            message = 'a reason is required',
            detail = 'The journal keeps it.',
            hint = 'Say in a few words why, for whoever reads the journal.';
    end if;
    perform tenant_internal.require_plain('a reason', reason);
end
$$;

revoke all on function tenant_internal.require_reason(text) from public;

grant execute on function tenant_internal.require_reason(text) to tenant_admin;

create or replace function tenant_internal.give_reason(reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_reason(reason);
    perform set_config('tenant.reason', reason, true);
end
$$;

revoke all on function tenant_internal.give_reason(text) from public;

grant execute on function tenant_internal.give_reason(text) to tenant_admin;

create or replace function tenant_internal.require_owner(rel regclass) returns void
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

revoke all on function tenant_internal.require_owner(regclass) from public;

grant execute on function tenant_internal.require_owner(regclass) to tenant_admin;

create or replace function tenant_internal.write_journal(action text, object text, reason text, detail jsonb default null,
    tenant_id text default null) returns void
    language sql volatile set search_path = pg_catalog, pg_temp as $$
    insert into tenant.journal (action, object, reason, detail, tenant_id, role, session_role)
        values (action, object, reason, detail, coalesce(tenant_id, tenant.current_id()),
        case current_setting('role') when 'none' then session_user else current_setting('role') end, session_user)
$$;

revoke all on function tenant_internal.write_journal(text, text, text, jsonb, text) from public;

create or replace function tenant_internal.month_of(at timestamptz) returns date
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select date_trunc('month', at at time zone 'UTC')::date
$$;

revoke all on function tenant_internal.month_of(timestamptz) from public;

create or replace function tenant_internal.journal_part(month date) returns regclass
    language sql stable strict set search_path = pg_catalog, pg_temp as $$
    select to_regclass(format('tenant_internal.%I', to_char(month, '"journal_"YYYY_MM')))
$$;

revoke all on function tenant_internal.journal_part(date) from public;

create or replace function tenant_internal.make_journal_part(month date) returns boolean
    language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
    part constant name := to_char(month, '"journal_"YYYY_MM');
    begins constant timestamptz := month::timestamp at time zone 'UTC';
    ends constant timestamptz := (month + interval '1 month') at time zone 'UTC';
    grantee name;
begin
    begin
        lock table only tenant_internal.journal_lines in share update exclusive mode nowait;
        lock table tenant_internal.journal_rest in access exclusive mode nowait;
    exception when lock_not_available then
        return false;
    end;
    if exists (select from tenant_internal.journal_rest where at >= begins and at < ends) then
        return false;
    end if;
    execute format('create table tenant_internal.%I (like tenant_internal.journal_rest including defaults including constraints
        including indexes including storage including compression)', part);
    -- What ALTER DEFAULT PRIVILEGES gives on new tables.
    for grantee in select coalesce(r.rolname, 'public') from pg_class c cross join aclexplode(c.relacl) a
            left join pg_roles r on r.oid = a.grantee
            where c.oid = tenant_internal.journal_part(month) and a.grantee <> c.relowner loop
        execute format('revoke all on tenant_internal.%I from %s', part, case grantee when 'public' then 'public' else quote_ident(grantee) end);
    end loop;
    execute format('create trigger keep_lines before truncate on tenant_internal.%I
        for each statement execute function tenant_internal.keep_line()', part);
    execute format('alter table tenant_internal.journal_lines attach partition tenant_internal.%I for values from (%L) to (%L)',
        part, begins, ends);
    return true;
end
$$;

revoke all on function tenant_internal.make_journal_part(date) from public;

create or replace function tenant_internal.refusal_counts() returns text
    language c volatile as 'MODULE_PATHNAME', 'pg_tenant_refusal_counts';

revoke all on function tenant_internal.refusal_counts() from public;

grant execute on function tenant_internal.refusal_counts() to tenant_admin;

create or replace function tenant_internal.take_refusals() returns text
    language c volatile as 'MODULE_PATHNAME', 'pg_tenant_take_refusals';

revoke all on function tenant_internal.take_refusals() from public;

create or replace view tenant.refusals as
    select r.sqlstate, r.condition, r.refused
    from jsonb_to_recordset(tenant_internal.refusal_counts()::jsonb) r (sqlstate text, condition text, refused bigint);

comment on view tenant.refusals is 'How often the library has refused since the server was started, in all its databases, by SQLSTATE.';

grant select on tenant.refusals to tenant_admin;

create or replace function tenant.journal_refusals() returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if current_setting('transaction_read_only') = 'on' then
        return 0;
    end if;
    insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
    select 'refused', r.sqlstate, jsonb_build_object('condition', r.condition, 'refused', r.refused,
        'since', to_timestamp(r.since), 'until', to_timestamp(r.until)), r.tenant_id, coalesce(who.rolname, r.role::text), coalesce(who.rolname, r.role::text)
    from jsonb_to_recordset(tenant_internal.take_refusals()::jsonb) r
        (sqlstate text, condition text, role oid, tenant_id text, refused bigint, since bigint, until bigint)
    left join pg_roles who on who.oid = r.role;
    get diagnostics written = row_count;
    return written;
end
$$;

comment on function tenant.journal_refusals() is 'Writes into the journal what the library has refused since, of each SQLSTATE, login and tenant at most a line a minute, with the number. tenant.seal_journal() and tenant.maintain_journal() do it too.';

revoke all on function tenant.journal_refusals() from public;

grant execute on function tenant.journal_refusals() to tenant_admin;

comment on table tenant.journal_sealings is 'Each sealing of the journal: up to which line of which database, and a digest over its seals.';

grant select on tenant.journal_sealings to tenant_admin;

comment on table tenant.journal_seals is 'The seals of the journal: for each tenant, month and sealing a digest over the lines, chained to the tenant''s seal before.';

grant select on tenant.journal_seals to tenant_admin;

comment on table tenant.journal_removals is 'Which months of the journal were removed, as tenant.retain_journal() has said.';

grant select on tenant.journal_removals to tenant_admin;

create or replace function tenant_internal.journal_origins() returns setof bigint
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive c (origin) as (
        select min(j.origin) from tenant.journal j
        union all
        select (select min(j.origin) from tenant.journal j where j.origin > c.origin) from c where c.origin is not null
    )
    select origin from c where origin is not null
$$;

revoke all on function tenant_internal.journal_origins() from public;

create or replace function tenant_internal.text_bytes(value text) returns bytea
    language sql stable parallel safe as $$
    select coalesce('\x01'::bytea || int4send(octet_length(convert_to(value, 'UTF8'))) || convert_to(value, 'UTF8'), '\x00'::bytea)
$$;

revoke all on function tenant_internal.text_bytes(text) from public;

create or replace function tenant_internal.journal_digests(origin bigint, after xid8, after_id bigint, upto xid8, upto_id bigint)
    returns table (tenant_id text, month date, xid8 xid8, id bigint, digest bytea)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select j.tenant_id, case when j.action not in ('protect', 'unprotect') then tenant_internal.month_of(j.at) end, j.xid8, j.id,
        sha256(int8send(j.id) || timestamptz_send(j.at) || tenant_internal.text_bytes(j.action)
            || tenant_internal.text_bytes(j.object) || tenant_internal.text_bytes(j.reason)
            || tenant_internal.text_bytes(j.detail::text) || tenant_internal.text_bytes(j.role::text)
            || tenant_internal.text_bytes(j.session_role::text) || tenant_internal.text_bytes(j.tenant_id)
            || tenant_internal.text_bytes(j.actor) || tenant_internal.text_bytes(j.impersonator)
            || tenant_internal.text_bytes(j.request_id) || xid8send(j.xid8) || int8send(j.origin))
    from tenant.journal j
    where j.origin = journal_digests.origin
        and (j.xid8, j.id) > (journal_digests.after, after_id) and (j.xid8, j.id) <= (journal_digests.upto, journal_digests.upto_id)
$$;

revoke all on function tenant_internal.journal_digests(bigint, xid8, bigint, xid8, bigint) from public;

create or replace function tenant_internal.seal_digest(seal tenant.journal_seals, digests bytea) returns bytea
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select sha256(convert_to('pg_tenant seal 1', 'UTF8') || tenant_internal.text_bytes(seal.tenant_id) || int8send(seal.number)
        || int8send(seal.sealing) || tenant_internal.text_bytes(to_char(seal.month, 'YYYY-MM')) || xid8send(seal.upto)
        || int8send(seal.upto_id) || int8send(seal.lines) || timestamptz_send(seal.sealed_at) || seal.previous || digests)
$$;

revoke all on function tenant_internal.seal_digest(tenant.journal_seals, bytea) from public;

create or replace function tenant_internal.sealing_digest(sealing tenant.journal_sealings, digests bytea) returns bytea
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select sha256(convert_to('pg_tenant sealing 1', 'UTF8') || int8send(sealing.number) || int8send(sealing.origin)
        || xid8send(sealing.upto) || int8send(sealing.upto_id) || int8send(sealing.lines) || int8send(sealing.seals)
        || timestamptz_send(sealing.sealed_at) || tenant_internal.text_bytes(sealing.sealed_by::text) || sealing.previous || digests)
$$;

revoke all on function tenant_internal.sealing_digest(tenant.journal_sealings, bytea) from public;

create or replace function tenant_internal.seal_lines(origin bigint, after xid8, after_id bigint, upto xid8, upto_id bigint)
    returns tenant.journal_sealings
    language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    nothing constant bytea := decode(repeat('00', 32), 'hex');
    made tenant.journal_sealings;
    seal tenant.journal_seals;
    stretch record;
begin
    select s.number, s.digest into made.number, made.previous from tenant.journal_sealings s order by s.number desc limit 1;
    made.number := coalesce(made.number, 0) + 1;
    made.previous := coalesce(made.previous, nothing);
    made.origin := origin;
    made.upto := upto;
    made.upto_id := upto_id;
    made.lines := 0;
    made.seals := 0;
    made.sealed_at := clock_timestamp();
    made.sealed_by := session_user;
    made.digest := '';
    for stretch in
        select d.tenant_id, d.month, count(*) as lines, string_agg(d.digest, '' order by d.xid8, d.id) as digests,
            (array_agg(d.xid8 order by d.xid8 desc, d.id desc))[1] as xid8, (array_agg(d.id order by d.xid8 desc, d.id desc))[1] as id
        from tenant_internal.journal_digests(origin, after, after_id, upto, upto_id) d
        group by d.tenant_id, d.month order by d.tenant_id collate "C" nulls first, d.month nulls first
    loop
        if made.seals = 0 or stretch.tenant_id is distinct from seal.tenant_id then
            if stretch.tenant_id is null then
                select s.number, s.digest into seal.number, seal.digest from tenant.journal_seals s
                    where s.tenant_id is null order by s.number desc limit 1;
            else
                select s.number, s.digest into seal.number, seal.digest from tenant.journal_seals s
                    where s.tenant_id = stretch.tenant_id order by s.number desc limit 1;
            end if;
        end if;
        seal.previous := coalesce(seal.digest, nothing);
        seal.number := coalesce(seal.number, 0) + 1;
        seal.tenant_id := stretch.tenant_id;
        seal.sealing := made.number;
        seal.month := stretch.month;
        seal.upto := stretch.xid8;
        seal.upto_id := stretch.id;
        seal.lines := stretch.lines;
        seal.sealed_at := made.sealed_at;
        seal.digest := tenant_internal.seal_digest(seal, stretch.digests);
        insert into tenant.journal_seals select seal.*;
        made.lines := made.lines + seal.lines;
        made.seals := made.seals + 1;
    end loop;
    made.digest := tenant_internal.sealing_digest(made, (select string_agg(s.digest, '' order by s.tenant_id collate "C" nulls first, s.number)
        from tenant.journal_seals s where s.sealing = made.number));
    insert into tenant.journal_sealings select made.*;
    return made;
end
$$;

revoke all on function tenant_internal.seal_lines(bigint, xid8, bigint, xid8, bigint) from public;

create or replace function tenant.seal_journal() returns table (sealing bigint, seals bigint, lines bigint)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    -- Of one sealing: what is held in memory are 32 bytes a line.
    most constant integer := 1000000;
    of_origin bigint;
    settled xid8;
    sealed record;
    last record;
    made tenant.journal_sealings;
begin
    perform tenant.journal_refusals();
    -- One sealer at a time; nobody else writes these tables.
    lock table tenant.journal_sealings in share row exclusive mode;
    for of_origin in select * from tenant_internal.journal_origins() loop
        -- What came from another database is complete.
        settled := case when of_origin = tenant_internal.journal_origin() then pg_snapshot_xmin(pg_current_snapshot())
            else '18446744073709551615' end;
        loop
            select s.upto, s.upto_id into sealed from tenant.journal_sealings s
                where s.origin = of_origin order by s.upto desc, s.upto_id desc limit 1;
            select l.xid8, l.id into last from (
                select j.xid8, j.id from tenant.journal j
                where j.origin = of_origin and (j.xid8, j.id) > (coalesce(sealed.upto, '0'), coalesce(sealed.upto_id, 0)) and j.xid8 < settled
                order by j.xid8, j.id limit most) l order by l.xid8 desc, l.id desc limit 1;
            exit when not found;
            made := tenant_internal.seal_lines(of_origin, coalesce(sealed.upto, '0'), coalesce(sealed.upto_id, 0), last.xid8, last.id);
            return query select made.number, made.seals, made.lines;
        end loop;
    end loop;
end
$$;

comment on function tenant.seal_journal() is 'Seals the journal''s settled lines, and waits for no writer: those of transactions that ended before the oldest one that runs. A line for each sealing; none where nothing is to be sealed.';

revoke all on function tenant.seal_journal() from public;

grant execute on function tenant.seal_journal() to tenant_admin;

create or replace function tenant_internal.removed_before() returns date
    language sql stable set search_path = pg_catalog, pg_temp as $$ select max(before) from tenant.journal_removals $$;

revoke all on function tenant_internal.removed_before() from public;

create or replace function tenant_internal.journal_faults(wanted text) returns table (tenant_id text, seal bigint, sealing bigint, problem text, detail text)
    language sql stable set search_path = pg_catalog, pg_temp set jit = off as $$
    with run as (
        select s as row, s.number, s.origin, s.upto, s.upto_id, s.digest, s.previous, s.seals,
            coalesce(lag(s.upto) over by_origin, '0') as after, coalesce(lag(s.upto_id) over by_origin, 0) as after_id,
            coalesce(lag(s.number) over by_number, 0) as number_before,
            coalesce(lag(s.digest) over by_number, decode(repeat('00', 32), 'hex')) as digest_before
        from tenant.journal_sealings s
        window by_origin as (partition by s.origin order by s.number), by_number as (order by s.number)
    ),
    chain as (
        select s as row, s.tenant_id, s.number, s.sealing, s.month, s.lines, s.digest, s.previous,
            coalesce(lag(s.number) over by_tenant, 0) as number_before,
            coalesce(lag(s.digest) over by_tenant, decode(repeat('00', 32), 'hex')) as digest_before
        from tenant.journal_seals s where wanted is null or s.tenant_id = wanted
        window by_tenant as (partition by s.tenant_id order by s.number)
    ),
    found as (
        select r.number as sealing, d.tenant_id, d.month, count(*) as lines, string_agg(d.digest, '' order by d.xid8, d.id) as digests
        from run r cross join lateral tenant_internal.journal_digests(r.origin, r.after, r.after_id, r.upto, r.upto_id) d
        where wanted is null or d.tenant_id = wanted
        group by r.number, d.tenant_id, d.month
    ),
    compared as (
        select coalesce(c.tenant_id, f.tenant_id) as tenant_id, c.number, coalesce(c.sealing, f.sealing) as sealing, c.row, c.lines,
            c.digest, f.lines as there, f.digests, coalesce(c.month < tenant_internal.removed_before(), false) as removed
        from (select * from chain where sealing in (select number from run)) c full join found f on f.sealing = c.sealing
            and coalesce(f.tenant_id, '') = coalesce(c.tenant_id, '') and coalesce(f.month, '-infinity') = coalesce(c.month, '-infinity')
    )
    select c.tenant_id, c.number, c.sealing, p.problem, p.detail
    from compared c cross join lateral (
        select case
                when c.number is null then 'inserted'
                when c.removed then case when c.there is not null then 'inserted' end
                when coalesce(c.there, 0) < c.lines then 'removed'
                when c.there > c.lines then 'inserted'
                when tenant_internal.seal_digest(c.row, c.digests) <> c.digest then 'changed' end,
            case when c.number is null then format('%s lines stand where a sealing has been, and no seal covers them.', c.there)
                when c.removed then format('%s lines stand in a month that was removed.', c.there)
                else format('%s lines were sealed, %s are there.', c.lines, coalesce(c.there, 0)) end
    ) p (problem, detail)
    where p.problem is not null
    union all
    select c.tenant_id, c.number, c.sealing, 'seal missing',
        case when c.number > c.number_before + 1 then format('Before it stands seal %s.', c.number_before)
            else 'The seal before it is another than the one it was chained to.' end
    from chain c where c.number <> c.number_before + 1 or c.previous <> c.digest_before
    union all
    select null, null, r.number, 'sealing missing',
        case when r.number > r.number_before + 1 then format('Before it stands sealing %s.', r.number_before)
            else 'The sealing before it is another than the one it was chained to.' end
    from run r where r.number <> r.number_before + 1 or r.previous <> r.digest_before
    union all
    select null, null, r.number, case when s.seals < r.seals then 'seal missing' else 'seal changed' end,
        format('%s seals were made, %s are there.', r.seals, s.seals)
    from run r cross join lateral (
        select count(*) as seals, coalesce(string_agg(s.digest, '' order by s.tenant_id collate "C" nulls first, s.number), '') as digests
        from tenant.journal_seals s where s.sealing = r.number) s
    where wanted is null and tenant_internal.sealing_digest(r.row, s.digests) <> r.digest
    union all
    select s.tenant_id, s.number, s.sealing, 'sealing missing', 'No sealing has this number.'
    from tenant.journal_seals s
    where (wanted is null or s.tenant_id = wanted) and not exists (select from tenant.journal_sealings r where r.number = s.sealing)
    order by 3, 1 nulls first, 2
$$;

revoke all on function tenant_internal.journal_faults(text) from public;

create or replace function tenant.verify_journal() returns table (tenant_id text, seal bigint, sealing bigint, problem text, detail text)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$ select * from tenant_internal.journal_faults(null) $$;

comment on function tenant.verify_journal() is 'What in the journal is not as it was sealed: lines that were changed, removed or inserted, seals that are missing. No line: all is as it was sealed.';

revoke all on function tenant.verify_journal() from public;

grant execute on function tenant.verify_journal() to tenant_admin;

create or replace function tenant.verify_journal(tenant text) returns table (tenant_id text, seal bigint, sealing bigint, problem text, detail text)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$ select * from tenant_internal.journal_faults(tenant.canonical_id(tenant)) $$;

comment on function tenant.verify_journal(text) is 'The same of one tenant''s lines and seals.';

revoke all on function tenant.verify_journal(text) from public;

grant execute on function tenant.verify_journal(text) to tenant_admin;

create or replace function tenant.verify_journal(tenant uuid) returns table (tenant_id text, seal bigint, sealing bigint, problem text, detail text)
    language sql stable begin atomic select * from tenant.verify_journal(tenant::text); end;

revoke all on function tenant.verify_journal(uuid) from public;

grant execute on function tenant.verify_journal(uuid) to tenant_admin;

create or replace function tenant.verify_journal(tenant bigint) returns table (tenant_id text, seal bigint, sealing bigint, problem text, detail text)
    language sql stable begin atomic select * from tenant.verify_journal(tenant::text); end;

revoke all on function tenant.verify_journal(bigint) from public;

grant execute on function tenant.verify_journal(bigint) to tenant_admin;

create or replace function tenant_internal.microseconds(at timestamptz) returns text
    language sql immutable strict set search_path = pg_catalog, pg_temp as $$
    select ((extract(epoch from at) * 1000000)::bigint - 946684800000000)::text
$$;

revoke all on function tenant_internal.microseconds(timestamptz) from public;

create or replace function tenant.export_seals(tenant text default null) returns setof jsonb
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select jsonb_build_object('seal', s.number::text, 'tenant_id', s.tenant_id, 'sealing', s.sealing::text, 'month', to_char(s.month, 'YYYY-MM'),
        'upto', s.upto::text, 'upto_id', s.upto_id::text, 'lines', s.lines::text, 'sealed_at', tenant_internal.microseconds(s.sealed_at),
        'previous', encode(s.previous, 'hex'), 'digest', encode(s.digest, 'hex'),
        'removed', coalesce(s.month < tenant_internal.removed_before(), false))
    from tenant.journal_seals s where tenant is null or s.tenant_id = tenant.canonical_id(tenant)
    union all
    select jsonb_build_object('sealing', r.number::text, 'origin', r.origin::text, 'upto', r.upto::text, 'upto_id', r.upto_id::text,
        'lines', r.lines::text, 'seals', r.seals::text, 'sealed_at', tenant_internal.microseconds(r.sealed_at), 'sealed_by', r.sealed_by,
        'previous', encode(r.previous, 'hex'), 'digest', encode(r.digest, 'hex'))
    from tenant.journal_sealings r
$$;

comment on function tenant.export_seals(text) is 'The seals and the sealings, each as JSON, to be kept elsewhere. Of one tenant: its seals, and all sealings.';

revoke all on function tenant.export_seals(text) from public;

grant execute on function tenant.export_seals(text) to tenant_admin;

create or replace function tenant.export_journal(tenant text default null) returns setof jsonb
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select jsonb_build_object('id', j.id::text, 'at', tenant_internal.microseconds(j.at), 'action', j.action, 'object', j.object,
        'reason', j.reason, 'detail', j.detail::text, 'role', j.role, 'session_role', j.session_role, 'tenant_id', j.tenant_id,
        'actor', j.actor, 'impersonator', j.impersonator, 'request_id', j.request_id, 'xid8', j.xid8::text, 'origin', j.origin::text)
    from tenant.journal j where tenant is null or j.tenant_id = tenant.canonical_id(tenant)
    order by j.origin, j.xid8, j.id
$$;

comment on function tenant.export_journal(text) is 'The journal''s lines, of one tenant or all, each as JSON with what seals are made of.';

revoke all on function tenant.export_journal(text) from public;

grant execute on function tenant.export_journal(text) to tenant_admin;

comment on table tenant.journal_retention is 'For how long lines of the journal are kept; no line: for good.';

grant select on tenant.journal_retention to tenant_admin;

create or replace function tenant.retain_journal(keep interval, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_reason(reason);
    if keep < interval '1 month' or keep > interval '1000 years' then
        raise exception using
            errcode = 'TN156',
            message = format('lines of the journal cannot be kept for %s', keep),
            detail = 'A month is the shortest time.',
            hint = 'select tenant.retain_journal(''10 years'', ''<reason>''); null keeps them for good.';
    end if;
    delete from tenant.journal_retention;
    insert into tenant.journal_retention (keep, reason) select retain_journal.keep, retain_journal.reason where retain_journal.keep is not null;
    perform tenant_internal.write_journal('retain_journal', 'tenant.journal', reason, jsonb_build_object('keep', keep));
end
$$;

comment on function tenant.retain_journal(interval, text) is 'For how long lines of the journal are kept: tenant.maintain_journal() removes months that are older, but for what is said of protection. Null: for good. TN029 no reason, TN156 less than a month.';

revoke all on function tenant.retain_journal(interval, text) from public;

grant execute on function tenant.retain_journal(interval, text) to tenant_admin;

create or replace function tenant_internal.has_unsealed(before timestamptz) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (select from tenant.journal_sealings) and exists (
        select from tenant_internal.journal_origins() c (origin)
        left join lateral (select upto, upto_id from tenant.journal_sealings s
            where s.origin = c.origin order by s.upto desc, s.upto_id desc limit 1) s on true
        cross join lateral (select from tenant.journal j
            where j.origin = c.origin and (j.xid8, j.id) > (coalesce(s.upto, '0'), coalesce(s.upto_id, 0)) and j.at < before limit 1) unsealed)
$$;

revoke all on function tenant_internal.has_unsealed(timestamptz) from public;

create or replace function tenant_internal.remove_journal(before date) returns bigint
    language plpgsql set search_path = pg_catalog, pg_temp set session_replication_role = replica as $$
declare
    parts constant regclass[] := array(select i.inhrelid from pg_inherits i
        where i.inhparent = 'tenant_internal.journal_lines'::regclass and i.inhrelid <> 'tenant_internal.journal_rest'::regclass
            and i.inhrelid::regclass::text < format('tenant_internal.%s', to_char(before, '"journal_"YYYY_MM')));
    part regclass;
    removed bigint := 0;
    more bigint;
begin
    foreach part in array parts loop
        execute format('lock table %s in access exclusive mode nowait', part);
    end loop;
    foreach part in array parts loop
        execute format('select count(*) from %s', part) into more;
        removed := removed + more;
        execute format('truncate %s', part);
    end loop;
    delete from tenant_internal.journal_rest where at < before::timestamp at time zone 'UTC';
    get diagnostics more = row_count;
    removed := removed + more;
    -- An empty part stays where this would have somebody wait.
    begin
        if cardinality(parts) > 0 then
            lock table only tenant_internal.journal_lines in access exclusive mode nowait;
            lock table tenant_internal.journal_rest in access exclusive mode nowait;
        end if;
        foreach part in array parts loop
            execute format('drop table %s', part);
        end loop;
    exception when lock_not_available then null;
    end;
    return removed;
end
$$;

revoke all on function tenant_internal.remove_journal(date) from public;

create or replace function tenant.maintain_journal(ahead integer default 2) returns table (month date, done text)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    this constant date := tenant_internal.month_of(now());
    before constant date := tenant_internal.month_of(now() - (select keep from tenant.journal_retention));
    wanted date;
    removed bigint;
begin
    if ahead is null or ahead not between 0 and 120 then
        raise exception using
            errcode = 'TN156',
            message = format('%s months ahead are not made', coalesce(ahead::text, 'null')),
            detail = 'From 0 to 120 are.',
            hint = 'select * from tenant.maintain_journal(); makes two.';
    end if;
    perform tenant.journal_refusals();
    for wanted in select (this + make_interval(months => n))::date from generate_series(0, ahead) n loop
        if tenant_internal.journal_part(wanted) is null then
            return query select wanted, case when tenant_internal.make_journal_part(wanted) then 'made' else 'waits' end;
        end if;
    end loop;
    if before is null or not exists (select from tenant_internal.journal_lines where at < before::timestamp at time zone 'UTC') then
        return;
    elsif tenant_internal.has_unsealed(before::timestamp at time zone 'UTC') then
        return query select before, 'waits to be sealed';
        return;
    end if;
    begin
        removed := tenant_internal.remove_journal(before);
    exception when lock_not_available then
        return query select before, 'waits';
        return;
    end;
    insert into tenant.journal_removals (before, lines) select before, removed;
    perform tenant_internal.write_journal('remove_journal', 'tenant.journal', (select reason from tenant.journal_retention),
        jsonb_build_object('before', before, 'lines', removed));
    return query select before, format('removed %s lines of before', removed);
end
$$;

comment on function tenant.maintain_journal(integer) is 'Makes the journal''s parts for this month and those ahead, and removes what is older than tenant.retain_journal() has said. Waits for nobody, and nobody for it: what cannot be done now waits for the next call.';

revoke all on function tenant.maintain_journal(integer) from public;

grant execute on function tenant.maintain_journal(integer) to tenant_admin;

create or replace view tenant.status_transitions (from_status, to_status, made_by) as values
    ('provisioning', 'active', 'activate'), ('provisioning', 'purged', 'mark_purged'),
    ('active', 'read_only', 'set_read_only'), ('active', 'suspended', 'suspend'), ('active', 'offboarding', 'offboard'),
    ('read_only', 'active', 'resume'), ('read_only', 'suspended', 'suspend'), ('read_only', 'offboarding', 'offboard'),
    ('suspended', 'active', 'resume'), ('suspended', 'read_only', 'set_read_only'), ('suspended', 'offboarding', 'offboard'),
    ('offboarding', 'active', 'keep'), ('offboarding', 'purged', 'mark_purged');

comment on view tenant.status_transitions is 'Which state of a tenant leads to which, and the function that makes the change.';

grant select on tenant.status_transitions to tenant_admin;

create or replace function tenant_internal.refuse_transition(id text, status text, wanted text, why text default null) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN133',
        message = format('tenant "%s" cannot become %s: it is %s', id, wanted, status),
        detail = coalesce(why, (select format('From %s it becomes %s.', status, string_agg(to_status, ', ' order by to_status))
            from tenant.status_transitions where from_status = status), 'Nothing leads out of this state.'),
        hint = coalesce((select format('What is possible: %s.', string_agg(format('tenant.%s()', made_by), ', ' order by made_by))
            from tenant.status_transitions where from_status = status), 'Register a new tenant with another id.');
end
$$;

revoke all on function tenant_internal.refuse_transition(text, text, text, text) from public;

grant execute on function tenant_internal.refuse_transition(text, text, text, text) to tenant_admin;

create or replace function tenant_internal.check_status() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from tenant.status_transitions t where (t.from_status, t.to_status) = (old.status, new.status)) then
        perform tenant_internal.refuse_transition(old.id, old.status, new.status);
    elsif new.status = 'purged' and old.purge_after > now() then
        perform tenant_internal.refuse_transition(old.id, old.status, new.status,
            format('Its rows are purged after %s.', old.purge_after));
    end if;
    new.status_since := now();
    new.status_detail := null;
    new.purge_after := case new.status when 'offboarding' then coalesce(new.purge_after, now() + interval '30 days') end;
    if new.status = 'purged' then
        new.name := null;
        new.slug := null;
        new.plan := null;
        new.settings := '{}';
    end if;
    return new;
end
$$;

revoke all on function tenant_internal.check_status() from public;

create or replace function tenant_internal.check_first_status() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not (current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user)) then
        raise exception using
            errcode = 'TN133',
            message = format('tenant "%s" cannot begin %s', new.id, new.status),
            detail = 'A tenant begins provisioning or active.',
            hint = 'Register it, then change its state.';
    end if;
    return new;
end
$$;

revoke all on function tenant_internal.check_first_status() from public;

create or replace function tenant_internal.change_status(id text, wanted text, made_by text, reason text, purge_after timestamptz default null)
    returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    was text;
begin
    perform tenant_internal.require_known(id);
    if reason is not null then
        perform tenant_internal.give_reason(reason);
    end if;
    select t.status into was from tenant.tenants t where t.id = change_status.id for no key update;
    if was <> wanted and not exists (select from tenant.status_transitions t
            where (t.from_status, t.to_status, t.made_by) = (was, wanted, change_status.made_by)) then
        perform tenant_internal.refuse_transition(id, was, wanted);
    end if;
    update tenant.tenants t set status = wanted, purge_after = change_status.purge_after
        where t.id = change_status.id and (was <> wanted or t.purge_after is distinct from change_status.purge_after);
    perform tenant_internal.billing_lets_go(id);
end
$$;

revoke all on function tenant_internal.change_status(text, text, text, text, timestamptz) from public;

grant execute on function tenant_internal.change_status(text, text, text, text, timestamptz) to tenant_admin;

create or replace function tenant.suspend(id text, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.change_status(canonical, 'suspended', 'suspend', reason);
end
$$;

comment on function tenant.suspend(text, text) is 'From now on nobody enters the tenant (TN003); transactions that are in it end as they will. TN133 from a state that does not lead there.';

create or replace function tenant.suspend(id uuid, reason text default null) returns void language sql
    begin atomic select tenant.suspend(id::text, reason); end;

revoke all on function tenant.suspend(uuid, text) from public;

grant execute on function tenant.suspend(uuid, text) to tenant_admin;

create or replace function tenant.suspend(id bigint, reason text default null) returns void language sql
    begin atomic select tenant.suspend(id::text, reason); end;

revoke all on function tenant.suspend(bigint, text) from public;

grant execute on function tenant.suspend(bigint, text) to tenant_admin;

create or replace function tenant.resume(id text, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.change_status(canonical, 'active', 'resume', reason);
end
$$;

comment on function tenant.resume(text, text) is 'A tenant that was suspended or read-only is active again. TN133 from another state.';

create or replace function tenant.resume(id uuid, reason text default null) returns void language sql
    begin atomic select tenant.resume(id::text, reason); end;

revoke all on function tenant.resume(uuid, text) from public;

grant execute on function tenant.resume(uuid, text) to tenant_admin;

create or replace function tenant.resume(id bigint, reason text default null) returns void language sql
    begin atomic select tenant.resume(id::text, reason); end;

revoke all on function tenant.resume(bigint, text) from public;

grant execute on function tenant.resume(bigint, text) to tenant_admin;

create or replace function tenant.set_read_only(id text, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.change_status(canonical, 'read_only', 'set_read_only', reason);
end
$$;

comment on function tenant.set_read_only(text, text) is 'From now on each transaction of the tenant is read-only, whatever is set in it. TN133 from a state that does not lead there.';

revoke all on function tenant.set_read_only(text, text) from public;

grant execute on function tenant.set_read_only(text, text) to tenant_admin;

create or replace function tenant.set_read_only(id uuid, reason text default null) returns void language sql
    begin atomic select tenant.set_read_only(id::text, reason); end;

revoke all on function tenant.set_read_only(uuid, text) from public;

grant execute on function tenant.set_read_only(uuid, text) to tenant_admin;

create or replace function tenant.set_read_only(id bigint, reason text default null) returns void language sql
    begin atomic select tenant.set_read_only(id::text, reason); end;

revoke all on function tenant.set_read_only(bigint, text) from public;

grant execute on function tenant.set_read_only(bigint, text) to tenant_admin;

create or replace function tenant.activate(id text, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.change_status(canonical, 'active', 'activate', reason);
end
$$;

comment on function tenant.activate(text, text) is 'A tenant that was being set up can be entered by everybody who may. TN133 from another state.';

revoke all on function tenant.activate(text, text) from public;

grant execute on function tenant.activate(text, text) to tenant_admin;

create or replace function tenant.activate(id uuid, reason text default null) returns void language sql
    begin atomic select tenant.activate(id::text, reason); end;

revoke all on function tenant.activate(uuid, text) from public;

grant execute on function tenant.activate(uuid, text) to tenant_admin;

create or replace function tenant.activate(id bigint, reason text default null) returns void language sql
    begin atomic select tenant.activate(id::text, reason); end;

revoke all on function tenant.activate(bigint, text) from public;

grant execute on function tenant.activate(bigint, text) to tenant_admin;

create or replace function tenant.keep(id text, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.change_status(canonical, 'active', 'keep', reason);
end
$$;

comment on function tenant.keep(text, text) is 'A tenant that was leaving stays: it is active again. TN029 without a reason, TN133 from another state.';

revoke all on function tenant.keep(text, text) from public;

grant execute on function tenant.keep(text, text) to tenant_admin;

create or replace function tenant.keep(id uuid, reason text) returns void language sql
    begin atomic select tenant.keep(id::text, reason); end;

revoke all on function tenant.keep(uuid, text) from public;

grant execute on function tenant.keep(uuid, text) to tenant_admin;

create or replace function tenant.keep(id bigint, reason text) returns void language sql
    begin atomic select tenant.keep(id::text, reason); end;

revoke all on function tenant.keep(bigint, text) from public;

grant execute on function tenant.keep(bigint, text) to tenant_admin;

create or replace function tenant.mark_purged(id text, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.change_status(canonical, 'purged', 'mark_purged', reason);
end
$$;

comment on function tenant.mark_purged(text, text) is 'What is left of a tenant whose rows are gone: its id and times; nobody enters it (TN132). TN029 without a reason, TN133 from another state, or before the date that offboard has set.';

revoke all on function tenant.mark_purged(text, text) from public;

grant execute on function tenant.mark_purged(text, text) to tenant_admin;

create or replace function tenant.mark_purged(id uuid, reason text) returns void language sql
    begin atomic select tenant.mark_purged(id::text, reason); end;

revoke all on function tenant.mark_purged(uuid, text) from public;

grant execute on function tenant.mark_purged(uuid, text) to tenant_admin;

create or replace function tenant.mark_purged(id bigint, reason text) returns void language sql
    begin atomic select tenant.mark_purged(id::text, reason); end;

revoke all on function tenant.mark_purged(bigint, text) from public;

grant execute on function tenant.mark_purged(bigint, text) to tenant_admin;

create or replace function tenant.offboard(id text, reason text, purge_after timestamptz default now() + interval '30 days') returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.change_status(canonical, 'offboarding', 'offboard', reason,
        coalesce(purge_after, now() + interval '30 days'));
end
$$;

comment on function tenant.offboard(text, text, timestamptz) is 'The tenant leaves: from now on members of tenant_admin alone enter it, for exports (others: TN131), and its rows are purged after the date. A later call moves the date. TN029 without a reason, TN133 from a state that does not lead there.';

revoke all on function tenant.offboard(text, text, timestamptz) from public;

grant execute on function tenant.offboard(text, text, timestamptz) to tenant_admin;

create or replace function tenant.offboard(id uuid, reason text, purge_after timestamptz default now() + interval '30 days') returns void language sql
    begin atomic select tenant.offboard(id::text, reason, purge_after); end;

revoke all on function tenant.offboard(uuid, text, timestamptz) from public;

grant execute on function tenant.offboard(uuid, text, timestamptz) to tenant_admin;

create or replace function tenant.offboard(id bigint, reason text, purge_after timestamptz default now() + interval '30 days') returns void language sql
    begin atomic select tenant.offboard(id::text, reason, purge_after); end;

revoke all on function tenant.offboard(bigint, text, timestamptz) from public;

grant execute on function tenant.offboard(bigint, text, timestamptz) to tenant_admin;

comment on table tenant.plans is 'Plans, by rank, with the limits, features, settings and quotas of their tenants.';

grant select on tenant.plans to tenant_admin, tenant_system;

create or replace function tenant.define_plan(plan text, rank integer default 0, statement_timeout interval default null,
    lock_timeout interval default null, idle_in_transaction_session_timeout interval default null,
    work_mem text default null, features jsonb default '{}', settings jsonb default '{}', quotas jsonb default '{}')
    returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    part text;
begin
    perform tenant_internal.require_plain('the plan', define_plan.plan), tenant_internal.check_limits(
        array[statement_timeout, lock_timeout, idle_in_transaction_session_timeout], work_mem);
    if btrim(coalesce(define_plan.plan, '')) = '' then
        raise exception using
            errcode = 'TN136',
            message = 'a plan has a name',
            detail = 'The name is empty.',
            hint = 'Name it as the tenants'' column plan does.';
    end if;
    foreach part in array array['features', 'settings', 'quotas'] loop
        if jsonb_typeof(coalesce(case part when 'features' then define_plan.features when 'settings' then define_plan.settings
                else define_plan.quotas end, '{}')) <> 'object' then
            raise exception using
                errcode = 'TN136',
                message = format('cannot define plan "%s": malformed %s', define_plan.plan, part),
                detail = 'They are not an object.',
                hint = 'Pass an object: {"name": value, ...}.';
        end if;
    end loop;
    insert into tenant.plans as p (plan, rank, statement_timeout_ms, lock_timeout_ms, idle_in_transaction_session_timeout_ms,
            work_mem_kb, features, settings, quotas)
        values (define_plan.plan, coalesce(define_plan.rank, 0), extract(epoch from statement_timeout) * 1000,
            extract(epoch from lock_timeout) * 1000, extract(epoch from idle_in_transaction_session_timeout) * 1000,
            pg_size_bytes(work_mem) / 1024, coalesce(define_plan.features, '{}'), coalesce(define_plan.settings, '{}'),
            coalesce(define_plan.quotas, '{}'))
        on conflict on constraint plans_pkey do update set rank = excluded.rank,
            statement_timeout_ms = excluded.statement_timeout_ms, lock_timeout_ms = excluded.lock_timeout_ms,
            idle_in_transaction_session_timeout_ms = excluded.idle_in_transaction_session_timeout_ms,
            work_mem_kb = excluded.work_mem_kb, features = excluded.features, settings = excluded.settings,
            quotas = excluded.quotas, changed_at = now();
    perform tenant_internal.write_journal('define_plan', define_plan.plan, null,
        (select jsonb_strip_nulls(to_jsonb(p) - '{plan,created_at,changed_at}'::text[])
            from tenant.plans p where p.plan = define_plan.plan));
end
$$;

comment on function tenant.define_plan(text, integer, interval, interval, interval, text, jsonb, jsonb, jsonb) is 'Makes the plan, or changes it to this: in force for its tenants from their next transactions on. TN051 a limit out of range, TN136 malformed.';

revoke all on function tenant.define_plan(text, integer, interval, interval, interval, text, jsonb, jsonb, jsonb) from public;

grant execute on function tenant.define_plan(text, integer, interval, interval, interval, text, jsonb, jsonb, jsonb) to tenant_admin;

create or replace function tenant.drop_plan(plan text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_reason(reason);
    delete from tenant.plans p where p.plan = drop_plan.plan;
    if not found then
        perform tenant_internal.refuse_plan(drop_plan.plan);
    end if;
    perform tenant_internal.write_journal('drop_plan', drop_plan.plan, reason);
end
$$;

comment on function tenant.drop_plan(text, text) is 'Removes a plan that no tenant has. TN136 where one has it, or there is no such plan; TN029 without a reason.';

revoke all on function tenant.drop_plan(text, text) from public;

grant execute on function tenant.drop_plan(text, text) to tenant_admin;

create or replace function tenant_internal.refuse_plan(plan text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN136',
        message = format('there is no plan "%s"', plan),
        detail = coalesce((select format('There are: %s.', string_agg(p.plan, ', ' order by p.rank, p.plan)) from tenant.plans p),
            'tenant.plans is empty.'),
        hint = format('select tenant.define_plan(%L, ...);', plan);
end
$$;

revoke all on function tenant_internal.refuse_plan(text) from public;

grant execute on function tenant_internal.refuse_plan(text) to tenant_admin;

create or replace function tenant.set_plan(id text, plan text, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_known(canonical);
    if reason is not null then
        perform tenant_internal.give_reason(reason);
    end if;
    if set_plan.plan is not null and not tenant_internal.hold_plan(set_plan.plan) then
        perform tenant_internal.refuse_plan(set_plan.plan);
    end if;
    update tenant.tenants t set plan = set_plan.plan where t.id = canonical and t.plan is distinct from set_plan.plan;
end
$$;

comment on function tenant.set_plan(text, text, text) is 'Gives the tenant a plan, or none with null: in force from its next transaction on. TN136 where there is no such plan.';

revoke all on function tenant.set_plan(text, text, text) from public;

grant execute on function tenant.set_plan(text, text, text) to tenant_admin;

create or replace function tenant.set_plan(id uuid, plan text, reason text default null) returns void language sql
    begin atomic select tenant.set_plan(id::text, plan, reason); end;

revoke all on function tenant.set_plan(uuid, text, text) from public;

grant execute on function tenant.set_plan(uuid, text, text) to tenant_admin;

create or replace function tenant.set_plan(id bigint, plan text, reason text default null) returns void language sql
    begin atomic select tenant.set_plan(id::text, plan, reason); end;

revoke all on function tenant.set_plan(bigint, text, text) from public;

grant execute on function tenant.set_plan(bigint, text, text) to tenant_admin;

create or replace view tenant.limits_in_force with (security_invoker = true) as
    select t.id, t.plan, t.status,
        coalesce(t.statement_timeout_ms, p.statement_timeout_ms) as statement_timeout_ms,
        coalesce(t.lock_timeout_ms, p.lock_timeout_ms) as lock_timeout_ms,
        coalesce(t.idle_in_transaction_session_timeout_ms, p.idle_in_transaction_session_timeout_ms)
            as idle_in_transaction_session_timeout_ms,
        coalesce(t.work_mem_kb, p.work_mem_kb) as work_mem_kb,
        t.read_only or t.status = 'read_only' as read_only
    from tenant.tenants t left join tenant.plans p using (plan);

comment on view tenant.limits_in_force is 'What enter applies for each tenant: its own limits, or its plan''s. Null is no limit.';

grant select on tenant.limits_in_force to tenant_admin, tenant_system;

comment on table tenant.reserved_slugs is 'Slugs that no tenant is given, such as www and api.';

grant select on tenant.reserved_slugs to tenant_admin;

comment on table tenant.former_slugs is 'Slugs that tenants had before: they lead to the tenant until they are released.';

grant select on tenant.former_slugs to tenant_admin;

create or replace function tenant.reserve_slug(slug text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_reason(reason);
    insert into tenant.reserved_slugs as r (slug, reason, reserved_by) values (reserve_slug.slug, reserve_slug.reason, session_user)
        on conflict on constraint reserved_slugs_pkey do update set reason = excluded.reason;
    perform tenant_internal.write_journal('reserve_slug', reserve_slug.slug, reserve_slug.reason);
end
$$;

comment on function tenant.reserve_slug(text, text) is 'No tenant is given this slug from now on (TN134); one that has it keeps it. TN029 without a reason.';

revoke all on function tenant.reserve_slug(text, text) from public;

grant execute on function tenant.reserve_slug(text, text) to tenant_admin;

create or replace function tenant.release_slug(slug text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    formerly text;
    released boolean;
begin
    perform tenant_internal.require_reason(reason);
    delete from tenant.former_slugs f where f.slug = release_slug.slug returning f.tenant_id into formerly;
    released := found;
    delete from tenant.reserved_slugs r where r.slug = release_slug.slug;
    if released or found then
        perform tenant_internal.write_journal('release_slug', release_slug.slug, reason,
            jsonb_strip_nulls(jsonb_build_object('tenant', formerly)));
    end if;
end
$$;

comment on function tenant.release_slug(text, text) is 'A slug that was reserved, or that a tenant had before, may be given to a tenant again. TN029 without a reason.';

revoke all on function tenant.release_slug(text, text) from public;

grant execute on function tenant.release_slug(text, text) to tenant_admin;

create or replace function tenant_internal.check_slug() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    formerly text;
    why text;
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = session_user) then
        return new;
    end if;
    select 'It is reserved: ' || r.reason into why from tenant.reserved_slugs r where r.slug = new.slug;
    if why is null then
        select f.tenant_id into formerly from tenant.former_slugs f where f.slug = new.slug and f.tenant_id <> new.id;
        why := 'Tenant "' || formerly || '" had it before, and it leads there.';
    end if;
    if why is not null then
        raise exception using
            errcode = 'TN134',
            message = format('tenant "%s" cannot have the slug "%s"', new.id, new.slug),
            detail = why,
            hint = format('Choose another, or: select tenant.release_slug(%L, ''<reason>'');', new.slug);
    end if;
    return new;
end
$$;

revoke all on function tenant_internal.check_slug() from public;

create or replace function tenant_internal.keep_slug() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if new.status = 'purged' then
        delete from tenant.former_slugs f where f.tenant_id = new.id;
        delete from tenant.domains d where d.tenant_id = new.id;
        return null;
    end if;
    delete from tenant.former_slugs f where f.slug = new.slug;
    if old.slug is not null then
        insert into tenant.former_slugs (slug, tenant_id) values (old.slug, new.id)
            on conflict (slug) do update set tenant_id = excluded.tenant_id, renamed_at = now();
    end if;
    return null;
end
$$;

revoke all on function tenant_internal.keep_slug() from public;

comment on table tenant.domains is 'Domains that tenants say are theirs; the one whose proof was seen has it.';

grant select on tenant.domains to tenant_admin;

create or replace function tenant_internal.refuse_domain(id text, domain text, why text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN135',
        message = format('tenant "%s" cannot have the domain %s', id, quote_literal(left(domain, 80))),
        detail = why,
        hint = refuse_domain.hint;
end
$$;

revoke all on function tenant_internal.refuse_domain(text, text, text, text) from public;

create or replace function tenant.add_domain(id text, domain text) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    asked constant text := lower(rtrim(domain, '.'));
    made text;
begin
    perform tenant_internal.require_known(canonical);
    if length(asked) > 253 or asked !~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$' then
        perform tenant_internal.refuse_domain(canonical, domain, 'It is no domain name.',
            'Give the full name as DNS has it: labels of a-z 0-9 - with dots between, other letters as xn--...');
    elsif exists (select from tenant.domains d where d.domain = asked and d.tenant_id <> canonical and d.verified_at is not null) then
        perform tenant_internal.refuse_domain(canonical, asked, 'Another tenant has proved that it has it.',
            'Remove it there first: select tenant.remove_domain(...);');
    end if;
    select d.token into made from tenant.domains d where (d.domain, d.tenant_id) = (asked, canonical);
    if made is null then
        insert into tenant.domains as d (domain, tenant_id, token)
            values (asked, canonical, replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''))
            on conflict on constraint domains_pkey do update set token = d.token returning d.token into made;
        perform tenant_internal.write_journal('add_domain', canonical, null, jsonb_build_object('domain', asked));
    end if;
    return made;
end
$$;

comment on function tenant.add_domain(text, text) is 'Gives the token that proves the domain to be the tenant''s: publish it in the domain''s DNS, then call verify_domain. TN135 malformed, or another tenant''s.';

revoke all on function tenant.add_domain(text, text) from public;

grant execute on function tenant.add_domain(text, text) to tenant_admin;

create or replace function tenant.add_domain(id uuid, domain text) returns text language sql
    begin atomic select tenant.add_domain(id::text, domain); end;

revoke all on function tenant.add_domain(uuid, text) from public;

grant execute on function tenant.add_domain(uuid, text) to tenant_admin;

create or replace function tenant.add_domain(id bigint, domain text) returns text language sql
    begin atomic select tenant.add_domain(id::text, domain); end;

revoke all on function tenant.add_domain(bigint, text) from public;

grant execute on function tenant.add_domain(bigint, text) to tenant_admin;

create or replace function tenant.verify_domain(id text, domain text, proof text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    asked constant text := lower(rtrim(domain, '.'));
    here tenant.domains;
begin
    select * into here from tenant.domains d where (d.domain, d.tenant_id) = (asked, canonical) for update;
    if not found then
        perform tenant_internal.refuse_domain(canonical, domain, 'It was not added.', 'select tenant.add_domain(...) gives the token.');
    elsif proof is distinct from here.token then
        perform tenant_internal.refuse_domain(canonical, asked, 'The proof is not the token that add_domain gave.',
            'Read the token from the domain''s DNS anew; records take a while to be seen everywhere.');
    elsif here.verified_at is null then
        begin
            update tenant.domains d set verified_at = now() where (d.domain, d.tenant_id) = (asked, canonical);
        exception when unique_violation then
            perform tenant_internal.refuse_domain(canonical, asked, 'Another tenant has proved that it has it.',
                'Remove it there first: select tenant.remove_domain(...);');
        end;
        perform tenant_internal.write_journal('verify_domain', canonical, null, jsonb_build_object('domain', asked));
        perform tenant_internal.tell_change();
    end if;
end
$$;

comment on function tenant.verify_domain(text, text, text) is 'The domain leads to the tenant from now on, if the proof is the token that add_domain gave. TN135 if it is not, or another tenant has the domain.';

revoke all on function tenant.verify_domain(text, text, text) from public;

grant execute on function tenant.verify_domain(text, text, text) to tenant_admin;

create or replace function tenant.verify_domain(id uuid, domain text, proof text) returns void language sql
    begin atomic select tenant.verify_domain(id::text, domain, proof); end;

revoke all on function tenant.verify_domain(uuid, text, text) from public;

grant execute on function tenant.verify_domain(uuid, text, text) to tenant_admin;

create or replace function tenant.verify_domain(id bigint, domain text, proof text) returns void language sql
    begin atomic select tenant.verify_domain(id::text, domain, proof); end;

revoke all on function tenant.verify_domain(bigint, text, text) from public;

grant execute on function tenant.verify_domain(bigint, text, text) to tenant_admin;

create or replace function tenant.remove_domain(id text, domain text, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    asked constant text := lower(rtrim(domain, '.'));
begin
    delete from tenant.domains d where (d.domain, d.tenant_id) = (asked, canonical);
    if not found then
        perform tenant_internal.refuse_domain(canonical, domain, 'It has not got it.', 'select * from tenant.domains; lists them.');
    end if;
    perform tenant_internal.write_journal('remove_domain', canonical, reason, jsonb_build_object('domain', asked)),
        tenant_internal.tell_change();
end
$$;

comment on function tenant.remove_domain(text, text, text) is 'The domain does not lead to the tenant any more. TN135 where the tenant has not got it.';

revoke all on function tenant.remove_domain(text, text, text) from public;

grant execute on function tenant.remove_domain(text, text, text) to tenant_admin;

create or replace function tenant.remove_domain(id uuid, domain text, reason text default null) returns void language sql
    begin atomic select tenant.remove_domain(id::text, domain, reason); end;

revoke all on function tenant.remove_domain(uuid, text, text) from public;

grant execute on function tenant.remove_domain(uuid, text, text) to tenant_admin;

create or replace function tenant.remove_domain(id bigint, domain text, reason text default null) returns void language sql
    begin atomic select tenant.remove_domain(id::text, domain, reason); end;

revoke all on function tenant.remove_domain(bigint, text, text) from public;

grant execute on function tenant.remove_domain(bigint, text, text) to tenant_admin;

comment on table tenant.setting_definitions is 'Which settings and features tenants have: kind, default, rule, who changes them, and of a feature to how many per cent of the tenants it is rolled out.';

grant select on tenant.setting_definitions to tenant_admin;

comment on table tenant_internal.definitions_stamp is 'A number that changes with tenant.setting_definitions.';

create or replace function tenant_internal.stamp_definitions() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update tenant_internal.definitions_stamp set stamp = gen_random_uuid();
    return null;
end
$$;

revoke all on function tenant_internal.stamp_definitions() from public;

create or replace function tenant_internal.looks_secret(value text) returns boolean
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select value ~ any (array[
        '-----BEGIN [A-Z ]*PRIVATE KEY',
        '\m(AKIA|ASIA)[0-9A-Z]{16}\M',
        '\m(sk|rk|pk)_(live|test)_[0-9A-Za-z]{8}',
        '\m(sk-|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|SG\.)[0-9A-Za-z_-]{16}',
        '\meyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.',
        '^[a-z][a-z0-9+.-]*://[^/@[:space:]]*:[^/@[:space:]]+@'])
$$;

revoke all on function tenant_internal.looks_secret(text) from public;

grant execute on function tenant_internal.looks_secret(text) to tenant_admin;

create or replace function tenant_internal.is_secret_reference(value text) returns boolean
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select value ~ '^(vault|env|file):[^[:space:]]+$'
$$;

revoke all on function tenant_internal.is_secret_reference(text) from public;

grant execute on function tenant_internal.is_secret_reference(text) to tenant_admin;

create or replace function tenant_internal.setting_problem(d tenant.setting_definitions, value jsonb) returns text[]
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    found constant text := jsonb_typeof(value);
    plain constant text := value #>> '{}';
    expected constant text := case d.kind when 'feature' then 'boolean' when 'text' then 'string' when 'integer' then 'number'
        else d.kind end;
begin
    if d.kind <> 'json' and found <> expected or d.kind = 'integer' and plain !~ '^-?[0-9]+$' then
        return array['TN151', format('It is of type %s, and the setting of kind %s.', found, d.kind)];
    elsif d.secret then
        if d.kind <> 'text' or not tenant_internal.is_secret_reference(plain) then
            return array['TN152', 'The setting is declared secret, and the value is no reference (vault:..., env:..., file:...).'];
        end if;
    elsif exists (select from jsonb_path_query(value, 'strict $.**') leaf
            where jsonb_typeof(leaf) = 'string' and tenant_internal.looks_secret(leaf #>> '{}')) then
        return array['TN152', 'The value looks like a secret, and the setting is not declared secret.'];
    end if;
    if value < d.rule -> 'min' or value > d.rule -> 'max' then
        return array['TN151', format('It is not between %s and %s.', coalesce(d.rule ->> 'min', 'any'), coalesce(d.rule ->> 'max', 'any'))];
    elsif d.rule ? 'one_of' and not d.rule -> 'one_of' @> jsonb_build_array(value) then
        return array['TN151', format('It is none of %s.', d.rule -> 'one_of')];
    elsif d.rule ? 'matches' and plain !~ (d.rule ->> 'matches') then
        return array['TN151', format('It does not match %s.', d.rule ->> 'matches')];
    end if;
    return null;
end
$$;

revoke all on function tenant_internal.setting_problem(tenant.setting_definitions, jsonb) from public;

grant execute on function tenant_internal.setting_problem(tenant.setting_definitions, jsonb) to tenant_admin;

create or replace function tenant_internal.require_setting(d tenant.setting_definitions, value jsonb) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    problem constant text[] := tenant_internal.setting_problem(d, value);
begin
    if problem is not null then
        raise exception using
            errcode = problem[1],
            message = format('setting "%s" cannot have this value', d.name),
            detail = problem[2],
            hint = case problem[1]
                when 'TN152' then 'Keep the secret where secrets are kept, and set a reference to it: "vault:path/of/it".'
                else format('select * from tenant.setting_definitions where name = %L; says what it takes.', d.name) end;
    end if;
end
$$;

revoke all on function tenant_internal.require_setting(tenant.setting_definitions, jsonb) from public;

grant execute on function tenant_internal.require_setting(tenant.setting_definitions, jsonb) to tenant_admin;

create or replace function tenant_internal.refuse_setting(name text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN150',
        message = format('there is no setting %s', coalesce(quote_literal(left(name, 128)), 'without a name')),
        detail = 'It is not in tenant.setting_definitions.',
        hint = 'Declare it: select tenant.declare_setting(''<name>'', ''<kind>''); or tenant.declare_feature(''<name>'');';
end
$$;

revoke all on function tenant_internal.refuse_setting(text) from public;

grant execute on function tenant_internal.refuse_setting(text) to tenant_admin;

create or replace function tenant.declare_setting(name text, kind text default 'text', default_value jsonb default null,
    rule jsonb default '{}', changed_by text default 'operator', secret boolean default false,
    description text default null, rollout numeric default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    d tenant.setting_definitions := row(name, kind, nullif(default_value, 'null'), coalesce(rule, '{}'), changed_by,
        coalesce(secret, false), rollout, description);
    why text := case
        when length(name) > 128 or name !~ '^[a-z0-9_]+(\.[a-z0-9_]+)*$' then 'A name has letters a-z, digits and _, with dots between.'
        when kind not in ('text', 'boolean', 'integer', 'number', 'json', 'feature') then
            'A setting is of kind text, boolean, integer, number, json or feature.'
        when changed_by not in ('operator', 'tenant') then 'It is changed by operator or tenant.'
        when rollout is not null and kind <> 'feature' or rollout not between 0 and 100 then
            'A roll-out is of a feature, and between 0 and 100 per cent.'
        when jsonb_typeof(rule) <> 'object' then 'A rule is an object with min, max, one_of or matches.'
        when exists (select from jsonb_object_keys(rule) key where key not in ('min', 'max', 'one_of', 'matches')) then
            'A rule has min, max, one_of and matches, and nothing else.'
        end;
begin
    if name is null or kind is null or changed_by is null or why is not null then
        raise exception using
            errcode = 'TN151',
            message = format('cannot declare setting %s', coalesce(quote_literal(left(name, 128)), 'without a name')),
            detail = coalesce(why, 'A setting has a name, a kind, and somebody who changes it.'),
            hint = 'select tenant.declare_setting(''billing.currency'', ''text'', ''"EUR"'', rule => ''{"one_of": ["EUR", "USD"]}'');';
    end if;
    if d.default_value is not null then
        perform tenant_internal.require_setting(d, d.default_value);
    end if;
    insert into tenant.setting_definitions as s select d.*
        on conflict on constraint setting_definitions_pkey do update set kind = excluded.kind,
            default_value = excluded.default_value, rule = excluded.rule, changed_by = excluded.changed_by,
            secret = excluded.secret, rollout = excluded.rollout, description = excluded.description;
    perform tenant_internal.write_journal('declare_setting', d.name, null, jsonb_strip_nulls(to_jsonb(d) - 'name'));
end
$$;

comment on function tenant.declare_setting(text, text, jsonb, jsonb, text, boolean, text, numeric) is 'Declares a setting of tenants, or changes what was declared. TN151 malformed, or a value that is set does not fit; TN152 a default that looks like a secret.';

revoke all on function tenant.declare_setting(text, text, jsonb, jsonb, text, boolean, text, numeric) from public;

grant execute on function tenant.declare_setting(text, text, jsonb, jsonb, text, boolean, text, numeric) to tenant_admin;

create or replace function tenant.declare_feature(name text, default_value boolean default false, rollout numeric default null,
    changed_by text default 'operator', description text default null) returns void
    language sql begin atomic
    select tenant.declare_setting(name, 'feature', to_jsonb(default_value), '{}', changed_by, false, description, rollout);
end;

comment on function tenant.declare_feature(text, boolean, numeric, text, text) is 'Declares a feature that tenants have or have not; a roll-out turns it on for so many per cent of them, always the same ones. TN151 malformed.';

revoke all on function tenant.declare_feature(text, boolean, numeric, text, text) from public;

grant execute on function tenant.declare_feature(text, boolean, numeric, text, text) to tenant_admin;

create or replace function tenant.drop_setting(name text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_reason(reason);
    delete from tenant.setting_definitions d where d.name = drop_setting.name;
    if not found then
        perform tenant_internal.refuse_setting(drop_setting.name);
    end if;
    perform tenant_internal.write_journal('drop_setting', drop_setting.name, reason);
end
$$;

comment on function tenant.drop_setting(text, text) is 'Takes a setting or feature back that nobody has a value of. TN151 where a tenant or a plan has one, TN150 where there is none, TN029 without a reason.';

revoke all on function tenant.drop_setting(text, text) from public;

grant execute on function tenant.drop_setting(text, text) to tenant_admin;

create or replace function tenant.set_setting(id text, name text, value jsonb, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical constant text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_known(canonical);
    if reason is not null then
        perform tenant_internal.give_reason(reason);
    end if;
    if set_setting.name is null or not exists (select from tenant.setting_definitions d where d.name = set_setting.name) then
        perform tenant_internal.refuse_setting(set_setting.name);
    end if;
    update tenant.tenants t set settings = case when value is null then t.settings - set_setting.name
            else t.settings || jsonb_build_object(set_setting.name, value) end
        where t.id = canonical and t.settings -> set_setting.name is distinct from value;
end
$$;

comment on function tenant.set_setting(text, text, jsonb, text) is 'The tenant''s own value of a setting or feature; with null, its plan''s or the default again. In force from its next transaction on. TN150 not declared, TN151 a value that does not fit, TN152 a secret.';

revoke all on function tenant.set_setting(text, text, jsonb, text) from public;

grant execute on function tenant.set_setting(text, text, jsonb, text) to tenant_admin;

create or replace function tenant.set_setting(id uuid, name text, value jsonb, reason text default null) returns void language sql
    begin atomic select tenant.set_setting(id::text, name, value, reason); end;

revoke all on function tenant.set_setting(uuid, text, jsonb, text) from public;

grant execute on function tenant.set_setting(uuid, text, jsonb, text) to tenant_admin;

create or replace function tenant.set_setting(id bigint, name text, value jsonb, reason text default null) returns void language sql
    begin atomic select tenant.set_setting(id::text, name, value, reason); end;

revoke all on function tenant.set_setting(bigint, text, jsonb, text) from public;

grant execute on function tenant.set_setting(bigint, text, jsonb, text) to tenant_admin;

create or replace function tenant_internal.rollout_number(id text, name text) returns integer
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select (('x' || left(encode(sha256(convert_to(name || '/' || id, 'UTF8')), 'hex'), 8))::bit(32)::bigint % 10000)::integer
$$;

revoke all on function tenant_internal.rollout_number(text, text) from public;

create or replace function tenant_internal.settings_of(id text) returns text
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return (select coalesce(jsonb_object_agg(d.name, coalesce(t.settings -> d.name,
            case d.kind when 'feature' then p.features else p.settings end -> d.name,
            case when tenant_internal.rollout_number(settings_of.id, d.name) < d.rollout * 100 then jsonb 'true' end,
            d.default_value)), '{}')
        from tenant.setting_definitions d
        left join tenant.tenants t on t.id = settings_of.id
        left join tenant.plans p on p.plan = t.plan);
end
$$;

revoke all on function tenant_internal.settings_of(text) from public;

create or replace function tenant.setting(name text) returns text
    language c stable strict parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_setting';

comment on function tenant.setting(text) is 'The value of a setting for the transaction''s tenant, as text; null where it has none. TN001 with no tenant, TN150 not declared.';

revoke all on function tenant.setting(text) from public;

grant execute on function tenant.setting(text) to tenant_user;

create or replace function tenant_internal.setting_as_json(name text) returns text
    language c stable strict parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_setting_as_json';

revoke all on function tenant_internal.setting_as_json(text) from public;

grant execute on function tenant_internal.setting_as_json(text) to tenant_user;

create or replace function tenant.setting_json(name text) returns jsonb language sql stable strict parallel restricted
    begin atomic select tenant_internal.setting_as_json(name)::jsonb; end;

comment on function tenant.setting_json(text) is 'As tenant.setting(), as JSON.';

revoke all on function tenant.setting_json(text) from public;

grant execute on function tenant.setting_json(text) to tenant_user;

create or replace function tenant.feature(name text) returns boolean
    language c stable strict parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_feature';

comment on function tenant.feature(text) is 'Whether the transaction''s tenant has the feature. TN001 with no tenant, TN150 not declared, TN151 a setting that is no feature.';

revoke all on function tenant.feature(text) from public;

grant execute on function tenant.feature(text) to tenant_user;

create or replace function tenant.generation() returns bigint
    language c stable parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_generation';

comment on function tenant.generation() is 'A number for all that the transaction''s tenant is given: equal as long as neither its row, its plan, its settings nor any declaration has changed, and another one afterwards. Compare it for equality only: it does not grow. Null with no tenant.';

revoke all on function tenant.generation() from public;

grant execute on function tenant.generation() to tenant_user;

create or replace function tenant.secret_reference(name text) returns text
    language plpgsql stable strict parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from tenant.setting_definitions d where d.name = secret_reference.name and not d.secret) then
        raise exception using
            errcode = 'TN152',
            message = format('setting %s is not declared secret', quote_literal(left(name, 128))),
            detail = 'Its values are no references, and whoever sets one does not expect that it is resolved.',
            hint = format('Read it with tenant.setting(%L), or declare it secret.', left(name, 128));
    end if;
    return tenant.setting(name);
end
$$;

comment on function tenant.secret_reference(text) is 'The reference to a secret that the transaction''s tenant has in a setting declared secret; null where it has none. TN001 with no tenant, TN150 not declared, TN152 not declared secret.';

revoke all on function tenant.secret_reference(text) from public;

grant execute on function tenant.secret_reference(text) to tenant_user;

create or replace function tenant_internal.is_restoring() returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when current_setting('row_security') = 'off' then coalesce((select rolsuper from pg_roles
        where rolname = case current_setting('role') when 'none' then session_user else current_setting('role') end), false)
        else false end
$$;

revoke all on function tenant_internal.is_restoring() from public;

grant execute on function tenant_internal.is_restoring() to tenant_admin;

create or replace function tenant_internal.hold_definition(name text) returns tenant.setting_definitions
    language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select d.* from tenant.setting_definitions d where d.name = hold_definition.name for share
$$;

revoke all on function tenant_internal.hold_definition(text) from public;

grant execute on function tenant_internal.hold_definition(text) to tenant_admin;

create or replace function tenant_internal.check_settings() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    is_now constant jsonb := to_jsonb(new);
    was constant jsonb := case tg_op when 'UPDATE' then to_jsonb(old) else '{}' end;
    given record;
    d tenant.setting_definitions;
begin
    if tenant_internal.is_restoring() then
        return new;
    end if;
    for given in
        select c.name as of_column, e.key, e.value from unnest(array['features', 'settings']) c (name)
        cross join lateral jsonb_each(case jsonb_typeof(is_now -> c.name) when 'object' then is_now -> c.name end) e
        where e.value is distinct from was -> c.name -> e.key order by 1, 2
    loop
        d := tenant_internal.hold_definition(given.key);
        if d.name is null then
            perform tenant_internal.refuse_setting(given.key);
        elsif tg_table_name = 'plans' and (d.kind = 'feature') <> (given.of_column = 'features') then
            raise exception using
                errcode = 'TN151',
                message = format('plan "%s" cannot have "%s" among its %s', is_now ->> 'plan', d.name, given.of_column),
                detail = format('It is of kind %s.', d.kind),
                hint = 'Features stand in a plan''s features, and what is no feature in its settings.';
        end if;
        perform tenant_internal.require_setting(d, given.value);
    end loop;
    return new;
end
$$;

revoke all on function tenant_internal.check_settings() from public;

create or replace function tenant_internal.setting_holders(name text, d tenant.setting_definitions default null) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with holder as materialized (
        select 1 as nth, 'tenant' as kind, t.id, t.settings -> setting_holders.name as value, null::boolean as as_feature
        from tenant.tenants t where t.settings ? setting_holders.name
        union all
        select 2, 'plan', p.plan, p.features -> setting_holders.name, true from tenant.plans p where p.features ? setting_holders.name
        union all
        select 2, 'plan', p.plan, p.settings -> setting_holders.name, false from tenant.plans p where p.settings ? setting_holders.name
    ), told as (
        select h.*, row_number() over (order by h.nth, h.id) as place, count(*) over () as of_all from holder h
        where (d).name is null or h.as_feature <> ((d).kind = 'feature')
            or tenant_internal.setting_problem(d, h.value) is not null
    )
    select string_agg(format('%s "%s"', kind, id), ', ' order by place) filter (where place <= 5)
        || case when max(of_all) > 5 then format(', and %s more', max(of_all) - 5) else '' end
    from told
$$;

revoke all on function tenant_internal.setting_holders(text, tenant.setting_definitions) from public;

create or replace function tenant_internal.require_latest(errcode text, what text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        raise exception using
            errcode = require_latest.errcode,
            message = format('cannot change %s in a transaction that is %s', what, current_setting('transaction_isolation')),
            detail = 'It does not see what others have committed since it began.',
            hint = 'begin isolation level read committed;';
    end if;
end
$$;

revoke all on function tenant_internal.require_latest(text, text) from public;

create or replace function tenant_internal.check_definition() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    whose text;
begin
    if tenant_internal.is_restoring() then
        return coalesce(new, old);
    end if;
    if tg_op = 'DELETE' or tg_op = 'UPDATE' and new.name <> old.name then
        perform tenant_internal.require_latest('TN151', 'a declaration');
        whose := tenant_internal.setting_holders(old.name);
        if whose is not null then
            raise exception using
                errcode = 'TN151',
                message = format('cannot drop setting "%s": it is in use', old.name),
                detail = format('A value of its own has %s.', whose),
                hint = format('Take the values back: update tenant.tenants set settings = settings - %1$L where settings ? %1$L; and tenant.define_plan() without it.', old.name);
        end if;
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    if new.default_value is not null then
        perform tenant_internal.require_setting(new, new.default_value);
    end if;
    -- What is there already, and conflicts, comes here again as an update.
    if tg_op = 'INSERT' and not exists (select from tenant.setting_definitions s where s.name = new.name)
        or tg_op = 'UPDATE' and (new.name, new.kind, new.rule, new.secret) <> (old.name, old.kind, old.rule, old.secret)
    then
        perform tenant_internal.require_latest('TN151', 'a declaration');
        whose := tenant_internal.setting_holders(new.name, new);
        if whose is not null then
            raise exception using
                errcode = 'TN151',
                message = format('cannot declare setting "%s" so: a value that is set does not fit', new.name),
                detail = format('One that does not fit has %s.', whose),
                hint = 'Change these values first, so that they fit both declarations, or take them back.';
        end if;
    end if;
    return new;
end
$$;

revoke all on function tenant_internal.check_definition() from public;

create or replace function tenant_internal.hold_plan(plan text) returns boolean
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform from tenant.plans p where p.plan = hold_plan.plan for key share;
    return found;
end
$$;

revoke all on function tenant_internal.hold_plan(text) from public;

grant execute on function tenant_internal.hold_plan(text) to tenant_admin;

create or replace function tenant_internal.hold_new_plan() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.hold_plan(new.plan);
    return new;
end
$$;

revoke all on function tenant_internal.hold_new_plan() from public;

create or replace function tenant_internal.keep_plan() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    tenants bigint;
begin
    if tenant_internal.is_restoring() then
        return coalesce(new, old);
    end if;
    perform tenant_internal.require_latest('TN136', 'which plans there are');
    select count(*) into tenants from tenant.tenants t where t.plan = old.plan;
    if tenants > 0 then
        raise exception using
            errcode = 'TN136',
            message = format('cannot drop plan "%s": tenants have it', old.plan),
            detail = format('There are %s of them.', tenants),
            hint = 'Give them another one first: select tenant.set_plan(id, ''<plan>'') from tenant.tenants where plan = ...;';
    end if;
    return coalesce(new, old);
end
$$;

revoke all on function tenant_internal.keep_plan() from public;

comment on table tenant.onboardings is 'Tenants that are or were set up in steps (tenant.onboarding): with what input, and whether they wait in a pool or were abandoned.';

grant select on tenant.onboardings to tenant_admin;

comment on table tenant.onboarding is 'The steps of each onboarding: what they wait for, whose they are and until when, what went wrong, what they returned.';

grant select on tenant.onboarding to tenant_admin;

create or replace function tenant_internal.refuse_onboarding(message text, detail text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using errcode = 'TN153', message = message, detail = detail, hint = hint;
end
$$;

revoke all on function tenant_internal.refuse_onboarding(text, text, text) from public;

create or replace function tenant_internal.lock_onboarding(id text) returns tenant.onboardings
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    locked tenant.onboardings;
begin
    perform tenant_internal.require_known(id);
    update tenant.onboardings o set changed_at = clock_timestamp() where o.tenant_id = id returning * into locked;
    if not found then
        perform tenant_internal.refuse_onboarding(format('tenant "%s" has no onboarding', id),
            'It was registered without steps.', 'Tenants are set up in steps by tenant.begin_onboarding(id, steps).');
    end if;
    return locked;
end
$$;

revoke all on function tenant_internal.lock_onboarding(text) from public;

create or replace function tenant_internal.advance_onboarding(id text) returns text
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    o tenant.onboardings;
    moment constant timestamptz := clock_timestamp();
    waits boolean;
    at_step text;
    state text;
begin
    select * into o from tenant.onboardings p where p.tenant_id = advance_onboarding.id;
    waits := o.pool is not null and o.claimed_at is null;
    update tenant.onboarding s set not_before = moment
        where s.tenant_id = id and s.status = 'waiting' and s.not_before is null and case
            when s.abandoned then not exists (select from tenant.onboarding d
                where d.tenant_id = s.tenant_id and s.step = any (d.after) and d.status <> 'undone')
            else not (s.at_claim and waits) and not exists (select from tenant.onboarding d
                where d.tenant_id = s.tenant_id and d.step = any (s.after) and d.status <> 'done') end;
    if not exists (select from tenant.onboarding s where s.tenant_id = id
            and s.status <> case when o.abandoned_at is null then 'done' else 'undone' end)
            and (o.abandoned_at is not null or not waits) then
        update tenant.onboardings p set ended_at = moment where p.tenant_id = id;
        if o.abandoned_at is null then
            perform tenant_internal.give_reason('onboarding: the last step is done');
            update tenant.tenants t set status = 'active' where t.id = advance_onboarding.id;
            return 'active';
        end if;
        perform tenant_internal.give_reason(o.reason);
        update tenant.tenants t set status = 'purged' where t.id = advance_onboarding.id;
        return 'purged';
    end if;
    if waits and o.ready_at is null and o.abandoned_at is null
            and not exists (select from tenant.onboarding s where s.tenant_id = id and s.status <> 'done' and not s.at_claim) then
        update tenant.onboardings p set ready_at = moment where p.tenant_id = id returning * into o;
    end if;
    -- What is next, or what has failed: this is what who may not enter yet is told.
    select case when s.abandoned then 'undo ' else '' end || s.step || case s.status when 'failed' then ' (failed)' else '' end
        into at_step from tenant.onboarding s
        where s.tenant_id = id and s.status in ('waiting', 'running', 'failed')
        order by s.status <> 'failed', s.status <> 'running', s.not_before is null, s.nth limit 1;
    at_step := case when waits and o.ready_at is not null and o.abandoned_at is null then 'ready' else at_step end;
    update tenant.tenants t set status_detail = at_step
        where t.id = advance_onboarding.id and t.status_detail is distinct from at_step;
    return 'provisioning';
end
$$;

revoke all on function tenant_internal.advance_onboarding(text) from public;

create or replace function tenant_internal.check_onboarded() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    over constant text := case new.status when 'active' then 'done' else 'undone' end;
    why text;
begin
    select format('Step "%s" of its onboarding is %s.', s.step, s.status) into why
        from tenant.onboarding s where s.tenant_id = new.id and s.status <> over
        order by s.nth limit 1;
    if why is null and new.status = 'active' then
        select format('It waits in pool "%s" for tenant.claim_ready_tenant().', o.pool) into why
            from tenant.onboardings o where o.tenant_id = new.id and o.pool is not null and o.claimed_at is null;
    end if;
    if why is not null then
        raise exception using
            errcode = 'TN133',
            message = format('tenant "%s" cannot become %s: it is %s', new.id, new.status, old.status),
            detail = why,
            hint = case new.status when 'active' then 'Its last step makes it active. tenant.retry_onboarding(id, reason) tries failed ones again.'
                else format('Undo what was done: select tenant.abandon_onboarding(%L, ''<reason>'');', new.id) end;
    end if;
    return new;
end
$$;

revoke all on function tenant_internal.check_onboarded() from public;

create or replace function tenant_internal.forget_onboarding() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update tenant.onboardings o set input = '{}' where o.tenant_id = new.id;
    update tenant.onboarding s set result = null, last_error = null where s.tenant_id = new.id;
    return null;
end
$$;

revoke all on function tenant_internal.forget_onboarding() from public;

create or replace view tenant.onboarding_state with (security_invoker = true) as
    select s.step,
        count(*) filter (where s.status = 'waiting' and s.not_before is null) as blocked,
        count(*) filter (where s.status = 'waiting' and s.not_before is not null) as waiting,
        count(*) filter (where s.status = 'running') as running,
        count(*) filter (where s.status = 'failed') as failed,
        count(*) filter (where case s.status when 'waiting' then s.not_before when 'running' then s.claim_expires end
            < now() - interval '5 min') as overdue,
        count(*) filter (where s.abandoned) as undoing,
        coalesce(max(now() - s.changed_at) filter (where s.status <> 'waiting' or s.not_before is not null), interval '0') as oldest
    from tenant.onboarding s where s.status in ('waiting', 'running', 'failed') group by s.step;

comment on view tenant.onboarding_state is 'Steps that are not over, by name: how many wait for others, can be claimed or will be, run, have failed; how many nobody has taken for five minutes; and for how long the oldest has been so.';

grant select on tenant.onboarding_state to tenant_admin;

create or replace function tenant_internal.check_steps(steps jsonb) returns void
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

create or replace function tenant_internal.require_pool(pool text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if pool is null or pool !~ '^[a-z0-9][a-z0-9_-]{0,62}$' then
        perform tenant_internal.refuse_onboarding(format('malformed name of a pool: %s', coalesce(quote_literal(left(pool, 80)), 'null')),
            'It names tenants that are set up before anybody asks for them.', 'A name has 1 to 63 characters a-z 0-9 _ - and begins with a letter or a digit.');
    end if;
end
$$;

revoke all on function tenant_internal.require_pool(text) from public;

create or replace function tenant.begin_onboarding(id text, steps jsonb, name text default null, slug text default null, plan text default null,
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

create or replace function tenant.begin_onboarding(id uuid, steps jsonb, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}', input jsonb default '{}', pool text default null) returns text language sql
    begin atomic select tenant.begin_onboarding(id::text, steps, name, slug, plan, settings, input, pool); end;

revoke all on function tenant.begin_onboarding(uuid, jsonb, text, text, text, jsonb, jsonb, text) from public;

grant execute on function tenant.begin_onboarding(uuid, jsonb, text, text, text, jsonb, jsonb, text) to tenant_admin;

create or replace function tenant.begin_onboarding(id bigint, steps jsonb, name text default null, slug text default null, plan text default null,
    settings jsonb default '{}', input jsonb default '{}', pool text default null) returns text language sql
    begin atomic select tenant.begin_onboarding(id::text, steps, name, slug, plan, settings, input, pool); end;

revoke all on function tenant.begin_onboarding(bigint, jsonb, text, text, text, jsonb, jsonb, text) from public;

grant execute on function tenant.begin_onboarding(bigint, jsonb, text, text, text, jsonb, jsonb, text) to tenant_admin;

create or replace function tenant_internal.check_lease(code text, of_what text, lease interval) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if lease is null or lease not between interval '1 s' and interval '1 day' then
        raise exception using
            errcode = code,
            message = format('%s cannot be claimed for %s', of_what, coalesce(lease::text, 'null')),
            detail = 'When that is over, others may claim what this worker has.',
            hint = 'A lease stands between 1 second and 1 day.';
    end if;
end
$$;

revoke all on function tenant_internal.check_lease(text, text, interval) from public;

create or replace function tenant_internal.check_worker(code text, worker text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(btrim(worker), '') = '' or length(worker) > 200 then
        raise exception using
            errcode = code,
            message = 'a worker has a name',
            detail = 'It stands beside what the worker has claimed.',
            hint = 'Name host and process, as in worker-3:4711; up to 200 characters.';
    end if;
    perform tenant_internal.require_plain('the worker''s name', worker);
end
$$;

revoke all on function tenant_internal.check_worker(text, text) from public;

create or replace function tenant_internal.refuse_attempt(id text, step text, attempt integer) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    s tenant.onboarding;
begin
    select * into s from tenant.onboarding o where (o.tenant_id, o.step) = (id, refuse_attempt.step);
    raise exception using
        errcode = 'TN154',
        message = format('attempt %s at step "%s" of tenant "%s" is over', coalesce(attempt::text, 'null'), left(refuse_attempt.step, 80), id),
        detail = case when s.step is null then 'There is no such step.'
            else format('The step is %s, and its last attempt is %s.', s.status, s.attempts) end,
        hint = 'Undo what this attempt did, by a rollback; whoever has claimed the step since does it.';
end
$$;

revoke all on function tenant_internal.refuse_attempt(text, text, integer) from public;

create or replace function tenant_internal.step_failed(id text, step text, attempt integer) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    update tenant.tenants t set status_detail = case when s.abandoned then 'undo ' else '' end || s.step || ' (failed)'
        from tenant.onboarding s where t.id = step_failed.id and (s.tenant_id, s.step) = (t.id, step_failed.step);
    perform tenant_internal.write_journal('fail_step', id, null, jsonb_build_object('step', step, 'attempt', attempt));
end
$$;

revoke all on function tenant_internal.step_failed(text, text, integer) from public;

create or replace function tenant.claim_step(worker text, lease interval default '1 min', steps text[] default null)
    returns table (tenant_id text, step text, attempt integer, undo boolean, outside boolean, idempotency_key text,
        expires timestamptz, input jsonb, results jsonb)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    moment constant timestamptz := clock_timestamp();
    s tenant.onboarding;
begin
    perform tenant_internal.check_lease('TN153', 'a step', lease), tenant_internal.check_worker('TN153', worker);
    loop
        select * into s from tenant.onboarding o
            where o.status in ('waiting', 'running')
                and (case o.status when 'waiting' then o.not_before when 'running' then o.claim_expires end) <= moment
                and (claim_step.steps is null or o.step = any (claim_step.steps))
            order by (case o.status when 'waiting' then o.not_before when 'running' then o.claim_expires end), o.nth
            limit 1 for no key update skip locked;
        if not found then
            return;
        end if;
        exit when s.status = 'waiting' or s.tries < s.max_attempts or s.abandoned and not s.undoing;
        -- Whoever takes it is gone before the end: it is not tried for ever.
        update tenant.onboarding o set status = 'failed', not_before = null, answer = 'failed', changed_at = moment,
                last_error = 'The worker was gone before the step ended, each time.'
            where (o.tenant_id, o.step) = (s.tenant_id, s.step);
        perform tenant_internal.step_failed(s.tenant_id, s.step, s.attempts);
    end loop;
    update tenant.onboarding o set status = 'running', attempts = o.attempts + 1, undoing = o.abandoned, answer = null,
            tries = case when o.abandoned and not o.undoing then 1 else o.tries + 1 end,
            last_error = case s.status when 'running' then 'The worker was gone before the step ended.' else o.last_error end,
            claimed_by = worker, claim_expires = moment + lease, not_before = null, changed_at = moment
        where (o.tenant_id, o.step) = (s.tenant_id, s.step) returning * into s;
    return query
        with recursive earlier (name) as (
            select unnest(s.after)
            union
            select unnest(o.after) from earlier e join tenant.onboarding o on (o.tenant_id, o.step) = (s.tenant_id, e.name)
        )
        select s.tenant_id, s.step, s.attempts, s.undoing, s.outside,
            s.tenant_id || '/' || s.step || case when s.undoing then '/undo' else '' end, s.claim_expires, p.input,
            (select coalesce(jsonb_object_agg(o.step, coalesce(o.result, 'null')), '{}') from tenant.onboarding o
                where o.tenant_id = s.tenant_id and (o.step in (select name from earlier) and o.answer = 'finished'
                    or o.step = s.step and s.undoing and o.result is not null))
        from tenant.onboardings p where p.tenant_id = s.tenant_id;
end
$$;

comment on function tenant.claim_step(text, interval, text[]) is 'Claims the step that has waited longest of those that can be done, or undone, and whose lease is over or was not taken; no row where there is none. The attempt''s number goes with all that is said of it afterwards. TN153 a malformed lease or worker.';

revoke all on function tenant.claim_step(text, interval, text[]) from public;

grant execute on function tenant.claim_step(text, interval, text[]) to tenant_admin;

create or replace function tenant.extend_step(id text, step text, attempt integer, lease interval default '1 min') returns timestamptz
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    until timestamptz;
begin
    perform tenant_internal.check_lease('TN153', 'a step', lease);
    update tenant.onboarding o set claim_expires = greatest(o.claim_expires, clock_timestamp() + lease)
        where (o.tenant_id, o.step, o.attempts, o.status) = (canonical, extend_step.step, attempt, 'running')
        returning o.claim_expires into until;
    if not found then
        perform tenant_internal.refuse_attempt(canonical, step, attempt);
    end if;
    return until;
end
$$;

comment on function tenant.extend_step(text, text, integer, interval) is 'Says that the attempt goes on, for so long from now. TN154 where it is over: another has the step, or it was abandoned. TN153 a malformed lease.';

revoke all on function tenant.extend_step(text, text, integer, interval) from public;

grant execute on function tenant.extend_step(text, text, integer, interval) to tenant_admin;

create or replace function tenant.extend_step(id uuid, step text, attempt integer, lease interval default '1 min') returns timestamptz language sql
    begin atomic select tenant.extend_step(id::text, step, attempt, lease); end;

revoke all on function tenant.extend_step(uuid, text, integer, interval) from public;

grant execute on function tenant.extend_step(uuid, text, integer, interval) to tenant_admin;

create or replace function tenant.extend_step(id bigint, step text, attempt integer, lease interval default '1 min') returns timestamptz language sql
    begin atomic select tenant.extend_step(id::text, step, attempt, lease); end;

revoke all on function tenant.extend_step(bigint, text, integer, interval) from public;

grant execute on function tenant.extend_step(bigint, text, integer, interval) to tenant_admin;

create or replace function tenant_internal.claimed_step(id text, step text, attempt integer, answer text) returns tenant.onboarding
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    s tenant.onboarding;
begin
    if tenant.current_id() <> id then
        raise exception using
            errcode = 'TN154',
            message = format('a step of tenant "%s" does not end in another tenant', id),
            detail = format('The transaction is inside tenant "%s".', tenant.current_id()),
            hint = 'End it in a transaction that is inside its own tenant, or inside none.';
    end if;
    select * into s from tenant.onboarding o where (o.tenant_id, o.step) = (id, claimed_step.step) for no key update;
    if s.attempts is distinct from attempt or s.status <> 'running' and s.answer is distinct from claimed_step.answer then
        perform tenant_internal.refuse_attempt(id, claimed_step.step, attempt);
    end if;
    return s;
end
$$;

revoke all on function tenant_internal.claimed_step(text, text, integer, text) from public;

create or replace function tenant.finish_step(id text, step text, attempt integer, result jsonb default null) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    s tenant.onboarding;
begin
    perform tenant_internal.lock_onboarding(canonical);
    s := tenant_internal.claimed_step(canonical, step, attempt, 'finished');
    if s.answer is not null then
        return (select t.status from tenant.tenants t where t.id = canonical);
    end if;
    -- A step outside that was abandoned while it ran has happened: it is undone next.
    update tenant.onboarding o set answer = 'finished', changed_at = clock_timestamp(), claim_expires = null, last_error = null,
            status = case when s.undoing then 'undone' when s.abandoned then 'waiting' else 'done' end,
            tries = case when s.abandoned and not s.undoing then 0 else o.tries end,
            result = case when s.undoing then o.result else finish_step.result end
        where (o.tenant_id, o.step) = (canonical, s.step);
    perform tenant_internal.write_journal(case when s.undoing then 'undo_step' else 'finish_step' end, canonical, null,
        jsonb_build_object('step', s.step, 'attempt', s.attempts));
    return tenant_internal.advance_onboarding(canonical);
end
$$;

comment on function tenant.finish_step(text, text, integer, jsonb) is 'The step is done, or undone, in the transaction that did it; with what it returned. Gives the tenant''s state, which the last step changes. Again by the same attempt it does nothing. TN154 where the attempt is over.';

revoke all on function tenant.finish_step(text, text, integer, jsonb) from public;

grant execute on function tenant.finish_step(text, text, integer, jsonb) to tenant_admin;

create or replace function tenant.finish_step(id uuid, step text, attempt integer, result jsonb default null) returns text language sql
    begin atomic select tenant.finish_step(id::text, step, attempt, result); end;

revoke all on function tenant.finish_step(uuid, text, integer, jsonb) from public;

grant execute on function tenant.finish_step(uuid, text, integer, jsonb) to tenant_admin;

create or replace function tenant.finish_step(id bigint, step text, attempt integer, result jsonb default null) returns text language sql
    begin atomic select tenant.finish_step(id::text, step, attempt, result); end;

revoke all on function tenant.finish_step(bigint, text, integer, jsonb) from public;

grant execute on function tenant.finish_step(bigint, text, integer, jsonb) to tenant_admin;

create or replace function tenant.finish_step_in_system(id text, step text, attempt integer, result jsonb default null) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not pg_has_role(session_user, 'tenant_admin', 'member') then
        raise exception using
            errcode = '42501',
            message = format('role %s may not end steps of an onboarding', quote_ident(session_user)),
            detail = 'It is a member of tenant_system, and not of tenant_admin.',
            hint = format('grant tenant_admin to %I;', session_user);
    end if;
    return tenant.finish_step(id, step, attempt, result);
end
$$;

comment on function tenant.finish_step_in_system(text, text, integer, jsonb) is 'As tenant.finish_step(), in the system context, by a login that is a member of tenant_admin as well.';

revoke all on function tenant.finish_step_in_system(text, text, integer, jsonb) from public;

grant execute on function tenant.finish_step_in_system(text, text, integer, jsonb) to tenant_system;

create or replace function tenant.finish_step_in_system(id uuid, step text, attempt integer, result jsonb default null) returns text language sql
    begin atomic select tenant.finish_step_in_system(id::text, step, attempt, result); end;

revoke all on function tenant.finish_step_in_system(uuid, text, integer, jsonb) from public;

grant execute on function tenant.finish_step_in_system(uuid, text, integer, jsonb) to tenant_system;

create or replace function tenant.finish_step_in_system(id bigint, step text, attempt integer, result jsonb default null) returns text language sql
    begin atomic select tenant.finish_step_in_system(id::text, step, attempt, result); end;

revoke all on function tenant.finish_step_in_system(bigint, text, integer, jsonb) from public;

grant execute on function tenant.finish_step_in_system(bigint, text, integer, jsonb) to tenant_system;

create or replace function tenant.fail_step(id text, step text, attempt integer, error text, retry_in interval default null,
    give_up boolean default false) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    s tenant.onboarding;
    pause interval;
begin
    perform tenant_internal.lock_onboarding(canonical);
    s := tenant_internal.claimed_step(canonical, step, attempt, 'failed');
    if s.answer is not null then
        return s.status;
    end if;
    -- From half a second to five minutes, with a random part, so that what failed together is not tried together.
    pause := greatest(coalesce(retry_in, least(interval '1 s' * 2 ^ least(s.tries - 1, 10), interval '5 min') * (0.5 + random() / 2)),
        interval '0');
    -- A step outside that was abandoned while it ran may have happened: it is undone next.
    update tenant.onboarding o set answer = 'failed', changed_at = clock_timestamp(), claim_expires = null,
            last_error = left(coalesce(nullif(btrim(error), ''), 'no error was given'), 2000),
            status = case when s.abandoned and not s.undoing then 'waiting'
                when give_up or s.tries >= s.max_attempts then 'failed' else 'waiting' end,
            tries = case when s.abandoned and not s.undoing then 0 else o.tries end,
            not_before = case when not (s.abandoned and not s.undoing) and not (give_up or s.tries >= s.max_attempts)
                then clock_timestamp() + pause end
        where (o.tenant_id, o.step) = (canonical, s.step) returning * into s;
    if s.status = 'failed' then
        perform tenant_internal.step_failed(canonical, s.step, s.attempts);
    elsif s.not_before is null then
        perform tenant_internal.advance_onboarding(canonical);
    end if;
    return s.status;
end
$$;

comment on function tenant.fail_step(text, text, integer, text, interval, boolean) is 'The attempt went wrong. The step is tried again after retry_in, by default after a pause that doubles each time; with give_up, or after its last attempt, it has failed. Gives waiting or failed. TN154 where the attempt is over.';

revoke all on function tenant.fail_step(text, text, integer, text, interval, boolean) from public;

grant execute on function tenant.fail_step(text, text, integer, text, interval, boolean) to tenant_admin;

create or replace function tenant.fail_step(id uuid, step text, attempt integer, error text, retry_in interval default null,
    give_up boolean default false) returns text language sql
    begin atomic select tenant.fail_step(id::text, step, attempt, error, retry_in, give_up); end;

revoke all on function tenant.fail_step(uuid, text, integer, text, interval, boolean) from public;

grant execute on function tenant.fail_step(uuid, text, integer, text, interval, boolean) to tenant_admin;

create or replace function tenant.fail_step(id bigint, step text, attempt integer, error text, retry_in interval default null,
    give_up boolean default false) returns text language sql
    begin atomic select tenant.fail_step(id::text, step, attempt, error, retry_in, give_up); end;

revoke all on function tenant.fail_step(bigint, text, integer, text, interval, boolean) from public;

grant execute on function tenant.fail_step(bigint, text, integer, text, interval, boolean) to tenant_admin;

create or replace function tenant.abandon_onboarding(id text, reason text) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    o tenant.onboardings;
    state text;
begin
    perform tenant_internal.require_reason(reason);
    o := tenant_internal.lock_onboarding(canonical);
    select t.status into state from tenant.tenants t where t.id = canonical;
    if o.abandoned_at is not null then
        return state;
    elsif state <> 'provisioning' then
        perform tenant_internal.refuse_transition(canonical, state, 'purged');
    end if;
    update tenant.onboardings p set abandoned_at = now(), reason = abandon_onboarding.reason where p.tenant_id = canonical;
    -- What is to be undone: what is done, and what was tried outside of the database. A transaction that was not
    -- finished never will be: its attempt is over. One outside that runs may answer still; when its lease is over it is
    -- undone as well.
    update tenant.onboarding s set abandoned = true, changed_at = clock_timestamp(),
            attempts = s.attempts + case when s.status = 'running' and not (s.outside and s.has_undo) then 1 else 0 end,
            status = case when not s.has_undo or not (s.status = 'done' or s.outside and s.attempts > 0) then 'undone'
                when s.status = 'running' then 'running' else 'waiting' end,
            tries = case when s.status = 'running' then s.tries else 0 end,
            claim_expires = case when s.status = 'running' and s.outside and s.has_undo then s.claim_expires end,
            not_before = null
        where s.tenant_id = canonical;
    perform tenant_internal.write_journal('abandon_onboarding', canonical, reason);
    return tenant_internal.advance_onboarding(canonical);
end
$$;

comment on function tenant.abandon_onboarding(text, text) is 'The tenant is not set up: steps that were done are undone, the last ones first, and then it is purged. Gives its state: purged, where there was nothing to undo. TN029 without a reason, TN133 where it is set up already, TN153 where it has no onboarding.';

revoke all on function tenant.abandon_onboarding(text, text) from public;

grant execute on function tenant.abandon_onboarding(text, text) to tenant_admin;

create or replace function tenant.abandon_onboarding(id uuid, reason text) returns text language sql
    begin atomic select tenant.abandon_onboarding(id::text, reason); end;

revoke all on function tenant.abandon_onboarding(uuid, text) from public;

grant execute on function tenant.abandon_onboarding(uuid, text) to tenant_admin;

create or replace function tenant.abandon_onboarding(id bigint, reason text) returns text language sql
    begin atomic select tenant.abandon_onboarding(id::text, reason); end;

revoke all on function tenant.abandon_onboarding(bigint, text) from public;

grant execute on function tenant.abandon_onboarding(bigint, text) to tenant_admin;

create or replace function tenant.retry_onboarding(id text, reason text) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    again integer;
begin
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.lock_onboarding(canonical);
    update tenant.onboarding s set status = 'waiting', tries = 0, not_before = clock_timestamp(), changed_at = clock_timestamp()
        where s.tenant_id = canonical and s.status = 'failed';
    get diagnostics again = row_count;
    if again > 0 then
        perform tenant_internal.write_journal('retry_onboarding', canonical, reason, jsonb_build_object('steps', again));
        perform tenant_internal.advance_onboarding(canonical);
    end if;
    return again;
end
$$;

comment on function tenant.retry_onboarding(text, text) is 'Steps of the tenant that have failed are tried again, from their first attempt; gives how many. TN029 without a reason, TN153 where it has no onboarding.';

revoke all on function tenant.retry_onboarding(text, text) from public;

grant execute on function tenant.retry_onboarding(text, text) to tenant_admin;

create or replace function tenant.retry_onboarding(id uuid, reason text) returns integer language sql
    begin atomic select tenant.retry_onboarding(id::text, reason); end;

revoke all on function tenant.retry_onboarding(uuid, text) from public;

grant execute on function tenant.retry_onboarding(uuid, text) to tenant_admin;

create or replace function tenant.retry_onboarding(id bigint, reason text) returns integer language sql
    begin atomic select tenant.retry_onboarding(id::text, reason); end;

revoke all on function tenant.retry_onboarding(bigint, text) from public;

grant execute on function tenant.retry_onboarding(bigint, text) to tenant_admin;

comment on table tenant.ready_pools is 'How many tenants of each pool are kept ready, and with which steps they are set up.';

grant select on tenant.ready_pools to tenant_admin;

create or replace view tenant.ready_tenants with (security_invoker = true) as
    select o.pool, o.tenant_id, o.begun_at, o.ready_at
    from tenant.onboardings o where o.pool is not null and o.ready_at is not null and o.claimed_at is null and o.abandoned_at is null;

comment on view tenant.ready_tenants is 'Tenants that are set up and wait, in their pools, for tenant.claim_ready_tenant().';

grant select on tenant.ready_tenants to tenant_admin;

create or replace function tenant.set_ready_pool(pool text, target integer, steps jsonb) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_pool(pool), tenant_internal.check_steps(steps);
    if target is null or target not between 0 and 10000 then
        perform tenant_internal.refuse_onboarding(format('pool "%s" cannot have %s tenants ready', pool, coalesce(target::text, 'null')),
            'So many are set up before anybody asks for them.', 'A target stands between 0 and 10000.');
    end if;
    insert into tenant.ready_pools as p (pool, target, steps) values (set_ready_pool.pool, set_ready_pool.target, set_ready_pool.steps)
        on conflict on constraint ready_pools_pkey do update set target = excluded.target, steps = excluded.steps, changed_at = now();
    perform tenant_internal.write_journal('set_ready_pool', pool, null, jsonb_build_object('target', target));
end
$$;

comment on function tenant.set_ready_pool(text, integer, jsonb) is 'Makes the pool, or changes how many tenants it keeps ready and how new ones are set up. TN153 a malformed name, target or steps.';

revoke all on function tenant.set_ready_pool(text, integer, jsonb) from public;

grant execute on function tenant.set_ready_pool(text, integer, jsonb) to tenant_admin;

create or replace function tenant.top_up_ready_tenants(at_most integer default 10) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    p tenant.ready_pools;
    missing integer;
    begun integer := 0;
begin
    -- Another that tops the same pool up counts what this one begins.
    for p in select * from tenant.ready_pools r order by r.pool for no key update skip locked loop
        -- Those that have failed count: a step that never succeeds must not make tenants without end.
        select p.target - count(*) into missing from tenant.onboardings o
            where o.pool = p.pool and o.claimed_at is null and o.abandoned_at is null;
        missing := least(greatest(missing, 0), at_most - begun);
        perform tenant.begin_onboarding(gen_random_uuid()::text, p.steps, pool => p.pool) from generate_series(1, missing);
        begun := begun + missing;
        update tenant.ready_pools r set topped_up_at = now() where r.pool = p.pool;
        exit when begun >= at_most;
    end loop;
    return begun;
end
$$;

comment on function tenant.top_up_ready_tenants(integer) is 'Begins to set up as many tenants, with random uuids, as the pools lack, up to at_most; gives how many. Workers do this from time to time.';

revoke all on function tenant.top_up_ready_tenants(integer) from public;

grant execute on function tenant.top_up_ready_tenants(integer) to tenant_admin;

create or replace function tenant.claim_ready_tenant(name text default null, slug text default null, plan text default null,
    settings jsonb default '{}', input jsonb default '{}', pool text default 'default') returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    claimed text;
begin
    perform tenant_internal.require_pool(pool), tenant_internal.check_new_tenant(left(coalesce(slug, pool), 80), slug, settings);
    if jsonb_typeof(coalesce(input, '{}')) <> 'object' then
        perform tenant_internal.refuse_onboarding('cannot claim a ready tenant: malformed input',
            format('It is of type %s.', jsonb_typeof(input)), 'The input is an object: {"name": value, ...}.');
    end if;
    select o.tenant_id into claimed from tenant.onboardings o
        where o.pool = claim_ready_tenant.pool and o.ready_at is not null and o.claimed_at is null and o.abandoned_at is null
        order by o.ready_at limit 1 for update skip locked;
    if not found then
        return null;
    end if;
    begin
        update tenant.tenants t set name = claim_ready_tenant.name, slug = claim_ready_tenant.slug, plan = claim_ready_tenant.plan,
            settings = coalesce(claim_ready_tenant.settings, '{}') where t.id = claimed;
    exception when unique_violation then
        raise exception using
            errcode = 'TN050',
            message = format('a tenant with slug "%s" exists already', slug),
            detail = format('The registry has a tenant with slug "%s".', slug),
            hint = 'Choose another.';
    end;
    update tenant.onboardings o set claimed_at = clock_timestamp(), changed_at = clock_timestamp(),
        input = o.input || coalesce(claim_ready_tenant.input, '{}') where o.tenant_id = claimed;
    perform tenant_internal.write_journal('claim_ready_tenant', claimed, null, jsonb_build_object('pool', pool));
    perform tenant_internal.advance_onboarding(claimed);
    return claimed;
end
$$;

comment on function tenant.claim_ready_tenant(text, text, text, jsonb, jsonb, text) is 'Gives a tenant that is set up and waits in the pool its name, slug, plan and settings, and its id to the caller; null where none is ready. It is active at once, unless steps were kept for this moment (at_claim). TN050 a slug that is taken, TN053 malformed slug or settings.';

revoke all on function tenant.claim_ready_tenant(text, text, text, jsonb, jsonb, text) from public;

grant execute on function tenant.claim_ready_tenant(text, text, text, jsonb, jsonb, text) to tenant_admin;

create or replace function tenant.enter(id uuid, actor text) returns text language sql volatile parallel unsafe
    begin atomic select tenant.enter(id::text, actor); end;

revoke all on function tenant.enter(uuid, text) from public;

grant execute on function tenant.enter(uuid, text) to tenant_user;

create or replace function tenant.enter(id bigint, actor text) returns text language sql volatile parallel unsafe
    begin atomic select tenant.enter(id::text, actor); end;

revoke all on function tenant.enter(bigint, text) from public;

grant execute on function tenant.enter(bigint, text) to tenant_user;

comment on table tenant.permissions is 'Every permission that a role was ever defined with, and its number.';

grant select on tenant.permissions to tenant_admin;

comment on table tenant.roles is 'The roles of the application, by rank, with their permissions. Those of the highest rank are the owners.';

grant select on tenant.roles to tenant_admin;

create or replace view tenant.defined_roles with (security_barrier) as select role, rank, permissions from tenant.roles;

comment on view tenant.defined_roles is 'The roles of the application, for those who enter tenants.';

grant select on tenant.defined_roles to tenant_user, tenant_admin;

create or replace function tenant_internal.refuse_role(role text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN146',
        message = format('there is no role %s', coalesce(quote_literal(left(role, 80)), 'without a name')),
        detail = coalesce((select format('There are: %s.', string_agg(r.role, ', ' order by r.rank, r.role)) from tenant.roles r),
            'tenant.roles is empty.'),
        hint = 'select tenant.define_role(''<role>'', <rank>, ''{<permission>, ...}'');';
end
$$;

revoke all on function tenant_internal.refuse_role(text) from public;

create or replace function tenant_internal.refuse_definition(role text, why text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN149',
        message = format('cannot define or drop role %s', coalesce(quote_literal(left(role, 80)), 'without a name')),
        detail = why,
        hint = refuse_definition.hint;
end
$$;

revoke all on function tenant_internal.refuse_definition(text, text, text) from public;

create or replace function tenant.define_role(role text, rank integer, permissions text[] default '{}') returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    given constant text[] := array(select distinct p collate "C" from unnest(permissions) p order by 1);
    named constant text := define_role.role;
    ranked constant integer := define_role.rank;
    bad text;
begin
    if named is null or named !~ '^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$' or ranked is null then
        perform tenant_internal.refuse_definition(named, 'A role has a name of 1 to 63 characters A-Z a-z 0-9 _ . : -, and a rank.',
            'select tenant.define_role(''editor'', 20, ''{invoice.read, invoice.write}'');');
    end if;
    select coalesce(p, 'null') into bad from unnest(given) p where p is null or p !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/*-]{0,62}$' limit 1;
    if found then
        perform tenant_internal.refuse_definition(named, format('%s is no permission: it has 1 to 63 characters A-Z a-z 0-9 _ . : / * -.',
            quote_literal(left(bad, 80))), 'Name it as the application asks for it: invoice.write.');
    end if;
    if exists (select from unnest(given) g where not exists (select from tenant.permissions p where p.permission = g)) then
        -- One number for each, whoever else defines a role at this moment.
        lock table tenant.permissions in share row exclusive mode;
        if (select max(p.number) from tenant.permissions p)
            + (select count(*) from unnest(given) g where not exists (select from tenant.permissions p where p.permission = g)) > 1023 then
            perform tenant_internal.refuse_definition(named, 'There would be more than 1024 permissions.',
                'Use fewer, coarser ones: select * from tenant.permissions;');
        end if;
        insert into tenant.permissions (permission, number)
            select g, (select max(p.number) from tenant.permissions p) + row_number() over (order by g)
            from unnest(given) g where not exists (select from tenant.permissions p where p.permission = g);
    end if;
    insert into tenant.roles as r (role, rank, permissions) values (named, ranked, given)
        on conflict on constraint roles_pkey do update set rank = excluded.rank, permissions = excluded.permissions
        where (r.rank, r.permissions) is distinct from (excluded.rank, excluded.permissions);
    if found then
        perform tenant_internal.write_journal('define_role', named, null,
            jsonb_build_object('rank', ranked, 'permissions', given));
    end if;
end
$$;

comment on function tenant.define_role(text, integer, text[]) is 'Defines a role, or changes it to this: in force for its members from their next transactions on. TN149 malformed.';

revoke all on function tenant.define_role(text, integer, text[]) from public;

grant execute on function tenant.define_role(text, integer, text[]) to tenant_admin;

create or replace function tenant.drop_role(role text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    named constant text := drop_role.role;
    members bigint;
begin
    perform tenant_internal.require_reason(reason);
    -- First: then nobody is given it while its members are counted.
    delete from tenant.roles r where r.role = named;
    if not found then
        perform tenant_internal.refuse_role(named);
    end if;
    select (select count(*) from tenant.members m where m.role = named)
        + (select count(*) from tenant.invitations i where i.role = named and tenant_internal.is_open(i)) into members;
    if members > 0 then
        perform tenant_internal.refuse_definition(named, format('Members and open invitations with it: %s.', members),
            'Give them another one first: select tenant.set_member_role(tenant_id, user_id, ''<role>'') from tenant.members where role = ...;');
    end if;
    perform tenant_internal.write_journal('drop_role', named, reason);
end
$$;

comment on function tenant.drop_role(text, text) is 'Removes a role that nobody has. TN149 where a member or an open invitation has it, TN146 where there is none, TN029 without a reason.';

revoke all on function tenant.drop_role(text, text) from public;

grant execute on function tenant.drop_role(text, text) to tenant_admin;

comment on table tenant.members is 'Who is a member of which tenant, in which role.';

grant select on tenant.members to tenant_admin;

create or replace view tenant.current_members with (security_barrier) as
    select m.user_id, m.role, m.status, m.added_at, m.added_by, m.changed_at, m.email, m.display_name, m.user_name, m.external_id
    from tenant.members m where m.tenant_id = tenant.current_id() and tenant.is_current(m.tenant_id);

comment on view tenant.current_members is 'The members of the tenant that the transaction has entered.';

grant select on tenant.current_members to tenant_user;

create or replace function tenant_internal.caller() returns name
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case current_setting('role') when 'none' then session_user else current_setting('role')::name end
$$;

revoke all on function tenant_internal.caller() from public;

create or replace function tenant_internal.manager_of(id text, out canonical text, out most integer)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    entered constant text := tenant.current_id();
begin
    canonical := tenant.canonical_id(id);
    if entered <> canonical then
        raise exception using
            errcode = 'TN142',
            message = 'the members of another tenant are not managed from inside a tenant',
            detail = format('The transaction is inside tenant "%s".', entered),
            hint = 'Name the tenant that was entered: tenant.current_id().';
    elsif entered is not null and tenant.current_actor() is not null then
        perform tenant.require('members.manage');
        select r.rank into most from tenant.roles r where r.role = tenant.current_member_role();
        most := coalesce(most, -2147483648);
    elsif not pg_has_role(tenant_internal.caller(), 'tenant_admin', 'usage') then
        raise exception using
            errcode = 'TN142',
            message = format('the members of tenant "%s" are managed by operators, and inside it by members who may', canonical),
            detail = format('Role "%s" is no member of tenant_admin, and no actor was named.', tenant_internal.caller()),
            hint = 'Enter the tenant for a member with the permission members.manage: select tenant.enter(''<id>'', ''<actor>'');';
    else
        perform tenant_internal.require_known(canonical);
    end if;
end
$$;

revoke all on function tenant_internal.manager_of(text) from public;

create or replace function tenant_internal.require_role(role text, most integer) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    ranked integer;
begin
    select r.rank into ranked from tenant.roles r where r.role = require_role.role for key share;
    if not found then
        perform tenant_internal.refuse_role(role);
    end if;
    perform tenant_internal.require_rank(role, ranked, most);
end
$$;

revoke all on function tenant_internal.require_role(text, integer) from public;

create or replace function tenant_internal.require_rank(role text, ranked integer, most integer) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if ranked > most then
        raise exception using
            errcode = 'TN143',
            message = format('role "%s" stands above the actor''s own', role),
            detail = format('Its rank is %s, the actor''s is %s.', ranked, most),
            hint = 'Let somebody do it who has this role, or one above it.';
    end if;
end
$$;

revoke all on function tenant_internal.require_rank(text, integer, integer) from public;

create or replace function tenant_internal.owner_roles() returns text[]
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(r.role), '{}') from tenant.roles r where r.rank = (select max(o.rank) from tenant.roles o)
$$;

revoke all on function tenant_internal.owner_roles() from public;

create or replace function tenant_internal.refuse_member(id text, user_id text, why text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN147',
        message = format('user %s of tenant "%s": %s', coalesce(quote_literal(left(user_id, 80)), 'without an id'), id, why),
        detail = coalesce((select format('It is a member as %s, %s.', m.role, m.status) from tenant.members m
            where (m.tenant_id, m.user_id) = (refuse_member.id, refuse_member.user_id)), 'It is no member.'),
        hint = 'tenant.current_members lists the members of the tenant that was entered; tenant.members has all.';
end
$$;

revoke all on function tenant_internal.refuse_member(text, text, text) from public;

create or replace function tenant_internal.lock_member(id text, user_id text, most integer) returns tenant.members
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    found_member tenant.members;
begin
    perform from tenant.members m where m.tenant_id = lock_member.id and m.role = any (tenant_internal.owner_roles())
        order by m.user_id for update;
    select * into found_member from tenant.members m
        where (m.tenant_id, m.user_id) = (lock_member.id, lock_member.user_id) for update;
    if not found then
        perform tenant_internal.refuse_member(id, user_id, 'there is no such member');
    end if;
    perform tenant_internal.require_rank(r.role, r.rank, most) from tenant.roles r where r.role = found_member.role;
    return found_member;
end
$$;

revoke all on function tenant_internal.lock_member(text, text, integer) from public;

create or replace function tenant_internal.keep_owner(leaving tenant.members) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    owners constant text[] := tenant_internal.owner_roles();
begin
    if leaving.status = 'active' and leaving.role = any (owners) and not exists (
        select from tenant.members m where m.tenant_id = leaving.tenant_id and m.user_id <> leaving.user_id
            and m.status = 'active' and m.role = any (owners)) then
        raise exception using
            errcode = 'TN144',
            message = format('user %s is the last owner of tenant "%s"', quote_literal(leaving.user_id), leaving.tenant_id),
            detail = format('No other active member has a role of the highest rank: %s.', array_to_string(owners, ', ')),
            hint = 'Give it to another member first: select tenant.transfer_ownership(''<id>'', ''<from>'', ''<to>'');';
    end if;
end
$$;

revoke all on function tenant_internal.keep_owner(tenant.members) from public;

create or replace function tenant_internal.require_user(user_id text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(user_id, '') = '' or octet_length(user_id) > 255 then
        raise exception using
            errcode = 'TN141',
            message = 'malformed user id',
            detail = case when user_id is null then 'It is null.' when user_id = '' then 'It is empty.' else 'It is longer than 255 bytes.' end,
            hint = 'Name the user as tenant.enter(id, actor) and the tokens do.';
    end if;
    perform tenant_internal.require_plain('the user id', user_id);
end
$$;

revoke all on function tenant_internal.require_user(text) from public;

create or replace function tenant_internal.journal_member(action text, id text, reason text, detail jsonb) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_plain('the reason', reason);
    perform tenant_internal.write_journal(action, id, nullif(btrim(reason), ''), detail, id);
end
$$;

revoke all on function tenant_internal.journal_member(text, text, text, jsonb) from public;

create or replace function tenant_internal.insert_member(id text, user_id text, role text, email text, display_name text, user_name text,
    external_id text, status text, added_by text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_user(user_id);
    perform tenant_internal.require_plain('the e-mail', email), tenant_internal.require_plain('the display name', display_name),
        tenant_internal.require_plain('the user name', user_name), tenant_internal.require_plain('the external id', external_id);
    insert into tenant.members as m (tenant_id, user_id, role, email, display_name, user_name, external_id, status, added_by)
        values (id, insert_member.user_id, insert_member.role, insert_member.email, insert_member.display_name,
            insert_member.user_name, insert_member.external_id, insert_member.status, insert_member.added_by)
        on conflict do nothing;
    if not found then
        perform tenant_internal.refuse_member(id, user_id, case when exists (select from tenant.members m
                where (m.tenant_id, m.user_id) = (insert_member.id, insert_member.user_id)) then 'there is such a member already'
            else 'another member has this user name' end);
    end if;
end
$$;

revoke all on function tenant_internal.insert_member(text, text, text, text, text, text, text, text, text) from public;

create or replace function tenant_internal.forget_people() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from tenant.members m where m.tenant_id = new.id;
    delete from tenant.invitations i where i.tenant_id = new.id;
    return null;
end
$$;

revoke all on function tenant_internal.forget_people() from public;

comment on table tenant.invitations is 'Who was invited to which tenant, until when, and who has accepted.';

grant select (id, tenant_id, email, role, invited_by, invited_at, expires_at, accepted_at, accepted_by, revoked_at)
    on tenant.invitations to tenant_admin;

create or replace view tenant.current_invitations with (security_barrier) as
    select i.id, i.email, i.role, i.invited_by, i.invited_at, i.expires_at, i.accepted_at, i.accepted_by, i.revoked_at
    from tenant.invitations i where i.tenant_id = tenant.current_id() and tenant.is_current(i.tenant_id);

comment on view tenant.current_invitations is 'The invitations of the tenant that the transaction has entered; not their tokens.';

grant select on tenant.current_invitations to tenant_user;

create or replace function tenant_internal.is_open(i tenant.invitations) returns boolean
    language sql volatile set search_path = pg_catalog, pg_temp as $$
    select i.accepted_at is null and i.revoked_at is null and i.expires_at > clock_timestamp()
$$;

revoke all on function tenant_internal.is_open(tenant.invitations) from public;

create or replace function tenant_internal.refuse_invitation(message text, why text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using errcode = 'TN148', message = refuse_invitation.message, detail = why, hint = refuse_invitation.hint;
end
$$;

revoke all on function tenant_internal.refuse_invitation(text, text, text) from public;

create or replace function tenant.invite(id text, email text, role text, expires_in interval default '7 days', reason text default null) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant record := tenant_internal.manager_of(id);
    token constant text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
    perform tenant_internal.require_role(role, m.most);
    if email is null or email !~ '^[^@[:space:]]+@[^@[:space:]]+$' or octet_length(email) > 320
        or tenant_internal.require_plain('the e-mail', email) is null then
        perform tenant_internal.refuse_invitation('cannot invite: malformed e-mail', format('It is %s.', coalesce(quote_literal(left(email, 80)), 'null')),
            'Give one address: name@example.com.');
    elsif expires_in is null or expires_in <= interval '0' or expires_in > interval '1 year' then
        perform tenant_internal.refuse_invitation('cannot invite: it would not expire as it should', format('It would expire after %s.', expires_in),
            'Give a time up to a year: expires_in => ''7 days''.');
    end if;
    insert into tenant.invitations (tenant_id, email, role, token_hash, invited_by, expires_at)
        values (m.canonical, invite.email, invite.role, sha256(convert_to(token, 'UTF8')),
            coalesce(tenant.current_actor(), tenant_internal.caller()), clock_timestamp() + expires_in);
    perform tenant_internal.journal_member('invite', m.canonical, reason, jsonb_build_object('email', email, 'role', role));
    return token;
end
$$;

comment on function tenant.invite(text, text, text, interval, text) is 'Invites the owner of the address to become a member, and gives the token, once. TN142 not permitted, TN143 a role above the actor''s own, TN146 no such role, TN148 malformed.';

revoke all on function tenant.invite(text, text, text, interval, text) from public;

grant execute on function tenant.invite(text, text, text, interval, text) to tenant_user, tenant_admin;

create or replace function tenant.invite(id uuid, email text, role text, expires_in interval default '7 days', reason text default null) returns text language sql
    begin atomic select tenant.invite(id::text, email, role, expires_in, reason); end;

revoke all on function tenant.invite(uuid, text, text, interval, text) from public;

grant execute on function tenant.invite(uuid, text, text, interval, text) to tenant_user, tenant_admin;

create or replace function tenant.invite(id bigint, email text, role text, expires_in interval default '7 days', reason text default null) returns text language sql
    begin atomic select tenant.invite(id::text, email, role, expires_in, reason); end;

revoke all on function tenant.invite(bigint, text, text, interval, text) from public;

grant execute on function tenant.invite(bigint, text, text, interval, text) to tenant_user, tenant_admin;

create or replace function tenant.revoke_invitation(id text, invitation uuid, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant record := tenant_internal.manager_of(id);
begin
    update tenant.invitations i set revoked_at = clock_timestamp()
        where (i.tenant_id, i.id) = (m.canonical, invitation) and i.accepted_at is null and i.revoked_at is null;
    if not found then
        perform tenant_internal.refuse_invitation('there is no such open invitation',
            format('Tenant "%s" has none with the id %s that was neither accepted nor revoked.', m.canonical, coalesce(invitation::text, 'null')),
            'tenant.current_invitations lists those of the tenant that was entered.');
    end if;
    perform tenant_internal.journal_member('revoke_invitation', m.canonical, reason, jsonb_build_object('invitation', invitation));
end
$$;

comment on function tenant.revoke_invitation(text, uuid, text) is 'The invitation cannot be accepted any more. TN142 not permitted, TN148 there is no such open one.';

revoke all on function tenant.revoke_invitation(text, uuid, text) from public;

grant execute on function tenant.revoke_invitation(text, uuid, text) to tenant_user, tenant_admin;

create or replace function tenant.revoke_invitation(id uuid, invitation uuid, reason text default null) returns void language sql
    begin atomic select tenant.revoke_invitation(id::text, invitation, reason); end;

revoke all on function tenant.revoke_invitation(uuid, uuid, text) from public;

grant execute on function tenant.revoke_invitation(uuid, uuid, text) to tenant_user, tenant_admin;

create or replace function tenant.revoke_invitation(id bigint, invitation uuid, reason text default null) returns void language sql
    begin atomic select tenant.revoke_invitation(id::text, invitation, reason); end;

revoke all on function tenant.revoke_invitation(bigint, uuid, text) from public;

grant execute on function tenant.revoke_invitation(bigint, uuid, text) to tenant_user, tenant_admin;

create or replace function tenant.accept_invitation(token text, user_id text, display_name text default null) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    taken tenant.invitations;
begin
    perform tenant_internal.require_user(user_id);
    -- Once: who comes second waits here, and then finds it accepted.
    update tenant.invitations i set accepted_at = clock_timestamp(), accepted_by = accept_invitation.user_id
        where i.token_hash = sha256(convert_to(token, 'UTF8')) and tenant_internal.is_open(i)
            and coalesce(i.tenant_id = tenant.current_id(), true)
            and exists (select from tenant.tenants t where t.id = i.tenant_id and t.status in ('provisioning', 'active', 'read_only'))
        returning * into taken;
    if not found then
        perform tenant_internal.refuse_invitation('this invitation cannot be accepted',
            'It is unknown, was accepted or revoked, or has expired; or its tenant takes no members.',
            'Ask whoever has invited for another one.');
    end if;
    perform tenant_internal.require_role(taken.role, null);
    perform tenant_internal.insert_member(taken.tenant_id, user_id, taken.role, taken.email, display_name, null, null, 'active', taken.invited_by);
    perform tenant_internal.journal_member('accept_invitation', taken.tenant_id, null,
        jsonb_build_object('user', user_id, 'role', taken.role, 'invitation', taken.id));
    return taken.tenant_id;
end
$$;

comment on function tenant.accept_invitation(text, text, text) is 'Makes the user a member of the tenant to which the token invites, and gives its id. Pass the token as a parameter. TN141 malformed user id, TN147 is a member already, TN148 cannot be accepted.';

revoke all on function tenant.accept_invitation(text, text, text) from public;

grant execute on function tenant.accept_invitation(text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.add_member(id text, user_id text, role text, email text default null, display_name text default null, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant record := tenant_internal.manager_of(id);
begin
    perform tenant_internal.require_role(role, m.most);
    perform tenant_internal.insert_member(m.canonical, user_id, role, email, display_name, null, null, 'active',
        coalesce(tenant.current_actor(), tenant_internal.caller()));
    perform tenant_internal.journal_member('add_member', m.canonical, reason, jsonb_build_object('user', user_id, 'role', role));
end
$$;

comment on function tenant.add_member(text, text, text, text, text, text) is 'Makes the user a member of the tenant, in this role. TN142 not permitted, TN143 a role above the actor''s own, TN146 no such role, TN147 is one already.';

revoke all on function tenant.add_member(text, text, text, text, text, text) from public;

grant execute on function tenant.add_member(text, text, text, text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.add_member(id uuid, user_id text, role text, email text default null, display_name text default null, reason text default null) returns void language sql
    begin atomic select tenant.add_member(id::text, user_id, role, email, display_name, reason); end;

revoke all on function tenant.add_member(uuid, text, text, text, text, text) from public;

grant execute on function tenant.add_member(uuid, text, text, text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.add_member(id bigint, user_id text, role text, email text default null, display_name text default null, reason text default null) returns void language sql
    begin atomic select tenant.add_member(id::text, user_id, role, email, display_name, reason); end;

revoke all on function tenant.add_member(bigint, text, text, text, text, text) from public;

grant execute on function tenant.add_member(bigint, text, text, text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.set_member_role(id text, user_id text, role text, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant record := tenant_internal.manager_of(id);
    was tenant.members;
begin
    was := tenant_internal.lock_member(m.canonical, user_id, m.most);
    perform tenant_internal.require_role(role, m.most);
    if was.role = role then
        return;
    elsif role <> all (tenant_internal.owner_roles()) then
        perform tenant_internal.keep_owner(was);
    end if;
    update tenant.members t set role = set_member_role.role, changed_at = now()
        where (t.tenant_id, t.user_id) = (was.tenant_id, was.user_id);
    perform tenant_internal.journal_member('set_member_role', m.canonical, reason,
        jsonb_build_object('user', user_id, 'role', role, 'was', was.role));
end
$$;

comment on function tenant.set_member_role(text, text, text, text) is 'Gives the member another role: in force with its next transaction. TN142 not permitted, TN143 a role above the actor''s own, TN144 the last owner, TN146 no such role, TN147 no member.';

revoke all on function tenant.set_member_role(text, text, text, text) from public;

grant execute on function tenant.set_member_role(text, text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.set_member_role(id uuid, user_id text, role text, reason text default null) returns void language sql
    begin atomic select tenant.set_member_role(id::text, user_id, role, reason); end;

revoke all on function tenant.set_member_role(uuid, text, text, text) from public;

grant execute on function tenant.set_member_role(uuid, text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.set_member_role(id bigint, user_id text, role text, reason text default null) returns void language sql
    begin atomic select tenant.set_member_role(id::text, user_id, role, reason); end;

revoke all on function tenant.set_member_role(bigint, text, text, text) from public;

grant execute on function tenant.set_member_role(bigint, text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.deactivate_member(id text, user_id text, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant record := tenant_internal.manager_of(id);
    was tenant.members;
begin
    was := tenant_internal.lock_member(m.canonical, user_id, m.most);
    if was.status = 'active' then
        perform tenant_internal.keep_owner(was);
        update tenant.members t set status = 'deactivated', changed_at = now()
            where (t.tenant_id, t.user_id) = (was.tenant_id, was.user_id);
        perform tenant_internal.journal_member('deactivate_member', m.canonical, reason, jsonb_build_object('user', user_id));
    end if;
end
$$;

comment on function tenant.deactivate_member(text, text, text) is 'The member stays in the list and is none any more from its next transaction on. TN142 not permitted, TN143 a role above the actor''s own, TN144 the last owner, TN147 no member.';

revoke all on function tenant.deactivate_member(text, text, text) from public;

grant execute on function tenant.deactivate_member(text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.deactivate_member(id uuid, user_id text, reason text default null) returns void language sql
    begin atomic select tenant.deactivate_member(id::text, user_id, reason); end;

revoke all on function tenant.deactivate_member(uuid, text, text) from public;

grant execute on function tenant.deactivate_member(uuid, text, text) to tenant_user, tenant_admin;

create or replace function tenant.deactivate_member(id bigint, user_id text, reason text default null) returns void language sql
    begin atomic select tenant.deactivate_member(id::text, user_id, reason); end;

revoke all on function tenant.deactivate_member(bigint, text, text) from public;

grant execute on function tenant.deactivate_member(bigint, text, text) to tenant_user, tenant_admin;

create or replace function tenant.reactivate_member(id text, user_id text, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant record := tenant_internal.manager_of(id);
    was tenant.members;
begin
    was := tenant_internal.lock_member(m.canonical, user_id, m.most);
    if was.status = 'deactivated' then
        update tenant.members t set status = 'active', changed_at = now()
            where (t.tenant_id, t.user_id) = (was.tenant_id, was.user_id);
        perform tenant_internal.journal_member('reactivate_member', m.canonical, reason, jsonb_build_object('user', user_id));
    end if;
end
$$;

comment on function tenant.reactivate_member(text, text, text) is 'A member that was deactivated is one again, in its role. TN142 not permitted, TN143 a role above the actor''s own, TN147 no member.';

revoke all on function tenant.reactivate_member(text, text, text) from public;

grant execute on function tenant.reactivate_member(text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.reactivate_member(id uuid, user_id text, reason text default null) returns void language sql
    begin atomic select tenant.reactivate_member(id::text, user_id, reason); end;

revoke all on function tenant.reactivate_member(uuid, text, text) from public;

grant execute on function tenant.reactivate_member(uuid, text, text) to tenant_user, tenant_admin;

create or replace function tenant.reactivate_member(id bigint, user_id text, reason text default null) returns void language sql
    begin atomic select tenant.reactivate_member(id::text, user_id, reason); end;

revoke all on function tenant.reactivate_member(bigint, text, text) from public;

grant execute on function tenant.reactivate_member(bigint, text, text) to tenant_user, tenant_admin;

create or replace function tenant.remove_member(id text, user_id text, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant record := tenant_internal.manager_of(id);
    was tenant.members;
begin
    was := tenant_internal.lock_member(m.canonical, user_id, m.most);
    perform tenant_internal.keep_owner(was);
    delete from tenant.members t where (t.tenant_id, t.user_id) = (was.tenant_id, was.user_id);
    perform tenant_internal.journal_member('remove_member', m.canonical, reason, jsonb_build_object('user', user_id, 'was', was.role));
end
$$;

comment on function tenant.remove_member(text, text, text) is 'The user is no member any more from its next transaction on. TN142 not permitted, TN143 a role above the actor''s own, TN144 the last owner, TN147 no member.';

revoke all on function tenant.remove_member(text, text, text) from public;

grant execute on function tenant.remove_member(text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.remove_member(id uuid, user_id text, reason text default null) returns void language sql
    begin atomic select tenant.remove_member(id::text, user_id, reason); end;

revoke all on function tenant.remove_member(uuid, text, text) from public;

grant execute on function tenant.remove_member(uuid, text, text) to tenant_user, tenant_admin;

create or replace function tenant.remove_member(id bigint, user_id text, reason text default null) returns void language sql
    begin atomic select tenant.remove_member(id::text, user_id, reason); end;

revoke all on function tenant.remove_member(bigint, text, text) from public;

grant execute on function tenant.remove_member(bigint, text, text) to tenant_user, tenant_admin;

create or replace function tenant.transfer_ownership(id text, from_user text, to_user text, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant record := tenant_internal.manager_of(id);
    giver tenant.members;
    taker tenant.members;
begin
    giver := tenant_internal.lock_member(m.canonical, from_user, m.most);
    taker := tenant_internal.lock_member(m.canonical, to_user, m.most);
    if giver.status <> 'active' or giver.role <> all (tenant_internal.owner_roles()) then
        perform tenant_internal.refuse_member(m.canonical, from_user, 'it is no owner');
    elsif taker.status <> 'active' or taker.user_id = giver.user_id then
        perform tenant_internal.refuse_member(m.canonical, to_user, 'it cannot become the owner');
    end if;
    update tenant.members t set role = case t.user_id when giver.user_id then taker.role else giver.role end, changed_at = now()
        where t.tenant_id = m.canonical and t.user_id in (giver.user_id, taker.user_id);
    perform tenant_internal.journal_member('transfer_ownership', m.canonical, reason,
        jsonb_build_object('from', from_user, 'to', to_user, 'role', giver.role));
end
$$;

comment on function tenant.transfer_ownership(text, text, text, text) is 'The two members change roles: the one becomes owner, the other what the one was. TN142 not permitted, TN143 an actor who is no owner, TN147 no such members.';

revoke all on function tenant.transfer_ownership(text, text, text, text) from public;

grant execute on function tenant.transfer_ownership(text, text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.transfer_ownership(id uuid, from_user text, to_user text, reason text default null) returns void language sql
    begin atomic select tenant.transfer_ownership(id::text, from_user, to_user, reason); end;

revoke all on function tenant.transfer_ownership(uuid, text, text, text) from public;

grant execute on function tenant.transfer_ownership(uuid, text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.transfer_ownership(id bigint, from_user text, to_user text, reason text default null) returns void language sql
    begin atomic select tenant.transfer_ownership(id::text, from_user, to_user, reason); end;

revoke all on function tenant.transfer_ownership(bigint, text, text, text) from public;

grant execute on function tenant.transfer_ownership(bigint, text, text, text) to tenant_user, tenant_admin;

create or replace function tenant.tenants_of(user_id text) returns table (tenant_id text, role text, slug text, name text, status text)
    language plpgsql volatile strict security definer set search_path = pg_catalog, pg_temp as $$
declare
    due constant jsonb := tenant_internal.count_lookup('tenant.members', 2::smallint);
begin
    if due is not null and current_setting('transaction_read_only') = 'off' then
        perform tenant_internal.write_journal('lookup', 'tenant.members', null, jsonb_build_object('column', 'user_id',
            'since', to_timestamp((due ->> 'since')::bigint), 'lookups', due -> 'lookups', 'refused', due -> 'refused'));
    end if;
    return query select m.tenant_id, m.role, t.slug, t.name, t.status
        from tenant.members m join tenant.tenants t on t.id = m.tenant_id
        where m.user_id = tenants_of.user_id and m.status = 'active' and t.status <> 'purged' order by m.tenant_id;
end
$$;

comment on function tenant.tenants_of(text) is 'The tenants of which the user is an active member, with no tenant entered. TN058 too many in a minute, TN090 in a role that must sign, TN110 inside a tenant.';

revoke all on function tenant.tenants_of(text) from public;

grant execute on function tenant.tenants_of(text) to tenant_user, tenant_admin;

create or replace function tenant_internal.scim_user(m tenant.members) returns jsonb
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select jsonb_strip_nulls(jsonb_build_object(
        'schemas', jsonb_build_array('urn:ietf:params:scim:schemas:core:2.0:User'),
        'id', m.user_id, 'externalId', m.external_id, 'userName', coalesce(m.user_name, m.user_id),
        'displayName', m.display_name, 'active', m.status = 'active',
        'emails', case when m.email is not null then jsonb_build_array(jsonb_build_object('value', m.email, 'primary', true)) end,
        'roles', jsonb_build_array(jsonb_build_object('value', m.role)),
        'meta', jsonb_build_object('resourceType', 'User', 'created', m.added_at, 'lastModified', m.changed_at)))
$$;

revoke all on function tenant_internal.scim_user(tenant.members) from public;

create or replace function tenant.scim_create_user(id text, user_name text, role text, user_id text default null, external_id text default null, display_name text default null, email text default null, active boolean default true) returns jsonb
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant record := tenant_internal.manager_of(id);
    named constant text := coalesce(user_id, user_name);
begin
    perform tenant_internal.require_role(role, m.most);
    perform tenant_internal.insert_member(m.canonical, named, role, email, display_name, user_name, external_id,
        case when coalesce(active, true) then 'active' else 'deactivated' end, coalesce(tenant.current_actor(), tenant_internal.caller()));
    perform tenant_internal.journal_member('add_member', m.canonical, null, jsonb_build_object('user', named, 'role', role, 'by', 'scim'));
    return (select tenant_internal.scim_user(t) from tenant.members t where (t.tenant_id, t.user_id) = (m.canonical, named));
end
$$;

comment on function tenant.scim_create_user(text, text, text, text, text, text, text, boolean) is 'Makes the user a member, as POST /Users: the user id is the user name, unless another is given. Gives the user. TN142 not permitted, TN143 a role above the actor''s own, TN146 no such role, TN147 there is one already (409).';

revoke all on function tenant.scim_create_user(text, text, text, text, text, text, text, boolean) from public;

grant execute on function tenant.scim_create_user(text, text, text, text, text, text, text, boolean) to tenant_user, tenant_admin;

create or replace function tenant.scim_create_user(id uuid, user_name text, role text, user_id text default null, external_id text default null, display_name text default null, email text default null, active boolean default true) returns jsonb language sql
    begin atomic select tenant.scim_create_user(id::text, user_name, role, user_id, external_id, display_name, email, active); end;

revoke all on function tenant.scim_create_user(uuid, text, text, text, text, text, text, boolean) from public;

grant execute on function tenant.scim_create_user(uuid, text, text, text, text, text, text, boolean) to tenant_user, tenant_admin;

create or replace function tenant.scim_create_user(id bigint, user_name text, role text, user_id text default null, external_id text default null, display_name text default null, email text default null, active boolean default true) returns jsonb language sql
    begin atomic select tenant.scim_create_user(id::text, user_name, role, user_id, external_id, display_name, email, active); end;

revoke all on function tenant.scim_create_user(bigint, text, text, text, text, text, text, boolean) from public;

grant execute on function tenant.scim_create_user(bigint, text, text, text, text, text, text, boolean) to tenant_user, tenant_admin;

create or replace function tenant.scim_list_users(id text, user_name text default null, start_index integer default 1, count integer default 100) returns jsonb
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant record := tenant_internal.manager_of(id);
    total bigint;
    users jsonb;
begin
    select pg_catalog.count(*) into total from tenant.members t where t.tenant_id = m.canonical
        and (scim_list_users.user_name is null or lower(coalesce(t.user_name, t.user_id)) = lower(scim_list_users.user_name));
    select coalesce(jsonb_agg(tenant_internal.scim_user(page) order by page.user_id), '[]') into users from (
        select * from tenant.members t where t.tenant_id = m.canonical
            and (scim_list_users.user_name is null or lower(coalesce(t.user_name, t.user_id)) = lower(scim_list_users.user_name))
        order by t.user_id offset greatest(coalesce(start_index, 1), 1) - 1
        limit least(greatest(coalesce(scim_list_users.count, 100), 0), 1000)) page;
    return jsonb_build_object('schemas', jsonb_build_array('urn:ietf:params:scim:api:messages:2.0:ListResponse'),
        'totalResults', total, 'startIndex', greatest(coalesce(start_index, 1), 1), 'itemsPerPage', jsonb_array_length(users),
        'Resources', users);
end
$$;

comment on function tenant.scim_list_users(text, text, integer, integer) is 'The members of the tenant as GET /Users gives them: a page of at most 1000, or those with this user name, whichever case it is written in. TN142 not permitted.';

revoke all on function tenant.scim_list_users(text, text, integer, integer) from public;

grant execute on function tenant.scim_list_users(text, text, integer, integer) to tenant_user, tenant_admin;

create or replace function tenant.scim_list_users(id uuid, user_name text default null, start_index integer default 1, count integer default 100) returns jsonb language sql
    begin atomic select tenant.scim_list_users(id::text, user_name, start_index, count); end;

revoke all on function tenant.scim_list_users(uuid, text, integer, integer) from public;

grant execute on function tenant.scim_list_users(uuid, text, integer, integer) to tenant_user, tenant_admin;

create or replace function tenant.scim_list_users(id bigint, user_name text default null, start_index integer default 1, count integer default 100) returns jsonb language sql
    begin atomic select tenant.scim_list_users(id::text, user_name, start_index, count); end;

revoke all on function tenant.scim_list_users(bigint, text, integer, integer) from public;

grant execute on function tenant.scim_list_users(bigint, text, integer, integer) to tenant_user, tenant_admin;

create or replace function tenant.scim_deactivate_user(id text, user_id text) returns jsonb
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant record := tenant_internal.manager_of(id);
begin
    perform tenant.deactivate_member(m.canonical, user_id, 'by scim');
    return (select tenant_internal.scim_user(t) from tenant.members t where (t.tenant_id, t.user_id) = (m.canonical, scim_deactivate_user.user_id));
end
$$;

comment on function tenant.scim_deactivate_user(text, text) is 'As deactivate_member, as PATCH /Users/{id} with active false. Gives the user. TN142 not permitted, TN143 a role above the actor''s own, TN144 the last owner, TN147 no member (404).';

revoke all on function tenant.scim_deactivate_user(text, text) from public;

grant execute on function tenant.scim_deactivate_user(text, text) to tenant_user, tenant_admin;

create or replace function tenant.scim_deactivate_user(id uuid, user_id text) returns jsonb language sql
    begin atomic select tenant.scim_deactivate_user(id::text, user_id); end;

revoke all on function tenant.scim_deactivate_user(uuid, text) from public;

grant execute on function tenant.scim_deactivate_user(uuid, text) to tenant_user, tenant_admin;

create or replace function tenant.scim_deactivate_user(id bigint, user_id text) returns jsonb language sql
    begin atomic select tenant.scim_deactivate_user(id::text, user_id); end;

revoke all on function tenant.scim_deactivate_user(bigint, text) from public;

grant execute on function tenant.scim_deactivate_user(bigint, text) to tenant_user, tenant_admin;

create or replace function tenant.set_own_setting(name text, value jsonb, reason text default null) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    most constant integer := 8192;
    here constant text := tenant.current_id();
    d tenant.setting_definitions;
begin
    if here is null then
        raise exception using
            errcode = 'TN001',
            message = 'no tenant: settings are a tenant''s',
            detail = 'The transaction has not entered a tenant.',
            hint = 'Enter one first: select tenant.enter(''<id>'');';
    end if;
    d := tenant_internal.hold_definition(set_own_setting.name);
    if d.name is null then
        perform tenant_internal.refuse_setting(set_own_setting.name);
    elsif d.changed_by <> 'tenant' then
        raise exception using
            errcode = 'TN137',
            message = format('setting "%s" is not changed by tenants', d.name),
            detail = 'It was declared to be changed by operators.',
            hint = format('An operator sets it: select tenant.set_setting(%L, %L, <value>); or declares it with changed_by => ''tenant''.', here, d.name);
    elsif octet_length(value::text) > most then
        raise exception using
            errcode = 'TN151',
            message = format('setting "%s" cannot have this value', d.name),
            detail = format('It has more than %s bytes, which every backend would remember.', most),
            hint = 'Keep it in a table of yours.';
    end if;
    perform tenant_internal.require_known(here);
    -- Where there are people, it takes one who may.
    if exists (select from tenant.roles) and not pg_has_role(tenant_internal.caller(), 'tenant_admin', 'usage') then
        perform tenant.require('settings.manage');
    end if;
    if reason is not null then
        perform tenant_internal.give_reason(reason);
    end if;
    update tenant.tenants t set settings = case when value is null then t.settings - d.name
            else t.settings || jsonb_build_object(d.name, value) end
        where t.id = here and t.settings -> d.name is distinct from value;
end
$$;

comment on function tenant.set_own_setting(text, jsonb, text) is 'The transaction''s tenant changes a setting of its own, where that was declared with changed_by => ''tenant''; with null, its plan''s or the default again. In force for others from their next transaction after the commit; this transaction reads it at once. TN001 with no tenant, TN150 not declared, TN137 not the tenant''s to change, TN142 an actor without the permission settings.manage where roles are defined, TN151 a value that does not fit, TN152 a secret.';

revoke all on function tenant.set_own_setting(text, jsonb, text) from public;

grant execute on function tenant.set_own_setting(text, jsonb, text) to tenant_user;

comment on table tenant.impersonations is 'Who of support was let into which tenant, in whose place, why and how long.';

grant select on tenant.impersonations to tenant_admin;

create or replace view tenant.open_impersonations with (security_barrier) as
    select i.id, i.tenant_id, i.as_user, i.login, i.impersonator, i.reason, i.write, i.lasts, i.requested_at, i.approved_at,
        i.approved_by, i.expires_at, i.opens_at is null as waits
    from tenant.impersonations i
    where i.ended_at is null and (i.expires_at is null or i.expires_at > clock_timestamp())
        and (tenant.current_id() is null or i.tenant_id = tenant.current_id() and tenant.is_current(i.tenant_id));

comment on view tenant.open_impersonations is 'The impersonations that are open, or wait for approval; inside a tenant, those of that tenant.';

grant select on tenant.open_impersonations to tenant_support, tenant_admin;

create or replace function tenant_internal.belongs_to(member name, role name) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive reached (role) as (
        select oid from pg_roles where rolname = member
        union
        select m.roleid from reached r join pg_auth_members m on m.member = r.role
    )
    select exists (select from reached r join pg_roles named on named.oid = r.role
        where named.rolname = belongs_to.role)
$$;

revoke all on function tenant_internal.belongs_to(name, name) from public;

create or replace function tenant_internal.refuse_impersonation(message text, why text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using errcode = 'TN158', message = refuse_impersonation.message, detail = why, hint = refuse_impersonation.hint;
end
$$;

revoke all on function tenant_internal.refuse_impersonation(text, text, text) from public;

create or replace function tenant_internal.require_outside(what text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if tenant.current_id() is not null then
        perform tenant_internal.refuse_impersonation(format('impersonation is not %s inside a tenant', what),
            format('The transaction is inside tenant "%s".', tenant.current_id()), 'Do it in a transaction that has entered no tenant.');
    end if;
end
$$;

revoke all on function tenant_internal.require_outside(text) from public;

create or replace function tenant_internal.tell_impersonation(grant_row tenant.impersonations, action text, reason text, actor text, impersonator text)
    returns void
    language plpgsql set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    insert into tenant.journal (action, object, reason, detail, tenant_id, actor, impersonator, role, session_role)
        values (tell_impersonation.action, grant_row.id::text, tell_impersonation.reason,
            jsonb_strip_nulls(jsonb_build_object('as_user', grant_row.as_user, 'write', grant_row.write,
                'lasts', grant_row.lasts, 'expires_at', grant_row.expires_at)),
            grant_row.tenant_id, tell_impersonation.actor, tell_impersonation.impersonator,
            case current_setting('role') when 'none' then session_user else current_setting('role') end, session_user);
    perform pg_notify(tenant.channel('impersonation', grant_row.tenant_id),
        jsonb_strip_nulls(jsonb_build_object('event', tell_impersonation.action, 'id', grant_row.id, 'as_user', grant_row.as_user,
            'impersonator', grant_row.impersonator, 'write', grant_row.write, 'expires_at', grant_row.expires_at))::text);
end
$$;

revoke all on function tenant_internal.tell_impersonation(tenant.impersonations, text, text, text, text) from public;

create or replace function tenant_internal.journal_enter_as(id uuid) returns void
    language sql security definer set search_path = pg_catalog, pg_temp as $$
    select tenant_internal.tell_impersonation(i, 'enter_as', i.reason, i.as_user, i.impersonator)
        from tenant.impersonations i where i.id = journal_enter_as.id
$$;

revoke all on function tenant_internal.journal_enter_as(uuid) from public;

create or replace function tenant.impersonate(tenant_id text, as_user text, reason text, lasts interval default '15 minutes',
    write boolean default false, actor text default null) returns uuid
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(tenant_id);
    most constant interval := current_setting('pg_tenant.max_impersonation')::interval;
    in_place_of constant text := impersonate.as_user;
    asked_at constant timestamptz := clock_timestamp();
    waits constant boolean := current_setting('pg_tenant.impersonation_approval')::boolean;
    asked tenant.impersonations;
begin
    if not tenant_internal.belongs_to(session_user, 'tenant_support') then
        perform tenant_internal.refuse_impersonation('this login impersonates nobody',
            format('Role "%s" is no member of tenant_support.', session_user),
            'Whoever manages the server''s roles adds it: grant tenant_support to <role>;');
    end if;
    perform tenant_internal.require_outside('asked for');
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.require_known(canonical);
    if lasts is null or lasts <= '0' or lasts > most then
        perform tenant_internal.refuse_impersonation(format('an impersonation does not last %s', coalesce(lasts::text, 'for ever')),
            format('It lasts at most %s, by pg_tenant.max_impersonation.', most), 'Ask for a shorter one: lasts => ''15 minutes''.');
    end if;
    if in_place_of is not null then
        perform tenant_internal.require_user(in_place_of);
        if exists (select from tenant.roles) and not exists (select from tenant.members m
                where (m.tenant_id, m.user_id, m.status) = (canonical, in_place_of, 'active')) then
            perform tenant_internal.refuse_impersonation(format('user %s is not impersonated in tenant "%s"', quote_literal(in_place_of), canonical),
                'Only active members of the tenant are.',
                'Ask for it as another user, or without one: select tenant.impersonate(''<tenant>'', null, ''<reason>'');');
        end if;
    end if;
    if impersonate.actor is not null then
        perform tenant_internal.require_user(impersonate.actor);
        if octet_length(impersonate.actor) > 128 then
            perform tenant_internal.refuse_impersonation('the impersonator''s name is too long', 'It has more than 128 bytes.',
                'Name whoever uses the login in fewer characters.');
        end if;
    end if;
    insert into tenant.impersonations as i (tenant_id, as_user, login, impersonator, reason, write, lasts, requested_at,
            approval_required, opens_at, expires_at)
        values (canonical, in_place_of, session_user, concat_ws(':', session_user, impersonate.actor), btrim(reason),
            coalesce(impersonate.write, false), impersonate.lasts, asked_at, waits,
            case when not waits then asked_at end, case when not waits then asked_at + impersonate.lasts end)
        returning * into asked;
    perform tenant_internal.tell_impersonation(asked, 'impersonate', asked.reason, null, asked.impersonator);
    return asked.id;
end
$$;

comment on function tenant.impersonate(text, text, text, interval, boolean, text) is 'Asks to work in the tenant for a time, in the place of the user or without one, and gives the id to enter with. Read-only unless write is said. TN158 not allowed, TN029 no reason.';

revoke all on function tenant.impersonate(text, text, text, interval, boolean, text) from public;

grant execute on function tenant.impersonate(text, text, text, interval, boolean, text) to tenant_support;

create or replace function tenant.impersonate(tenant_id uuid, as_user text, reason text, lasts interval default '15 minutes',
    write boolean default false, actor text default null) returns uuid language sql
    begin atomic select tenant.impersonate(tenant_id::text, as_user, reason, lasts, write, actor); end;

revoke all on function tenant.impersonate(uuid, text, text, interval, boolean, text) from public;

grant execute on function tenant.impersonate(uuid, text, text, interval, boolean, text) to tenant_support;

create or replace function tenant.impersonate(tenant_id bigint, as_user text, reason text, lasts interval default '15 minutes',
    write boolean default false, actor text default null) returns uuid language sql
    begin atomic select tenant.impersonate(tenant_id::text, as_user, reason, lasts, write, actor); end;

revoke all on function tenant.impersonate(bigint, text, text, interval, boolean, text) from public;

grant execute on function tenant.impersonate(bigint, text, text, interval, boolean, text) to tenant_support;

comment on table tenant.job_kinds is 'Kinds of jobs that differ from what holds for all: lane, priority, attempts, pauses, time limit, how many at once.';

grant select on tenant.job_kinds to tenant_admin, tenant_worker;

comment on table tenant.jobs is 'Jobs of tenants and of the system, with their payloads. Nobody but superusers reads it; tenant.my_jobs and tenant.job_counts show what may be seen.';

comment on table tenant.job_queues is 'Whose turn it is in each lane: the lowest virtual time of those with jobs.';

grant select on tenant.job_queues to tenant_admin;

comment on table tenant.job_weights is 'How large a tenant''s share of the workers is beside others'', and how many of its jobs run at once, where that is not its plan''s.';

grant select on tenant.job_weights to tenant_admin;

comment on table tenant_internal.job_wakes is 'Queues that have jobs again.';

comment on table tenant_internal.job_look is 'When all queues were last looked at, and how far the look that is under way has come.';

create or replace function tenant_internal.refuse_job(message text, detail text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using errcode = 'TN161', message = message, detail = detail, hint = hint;
end
$$;

revoke all on function tenant_internal.refuse_job(text, text, text) from public;

create or replace function tenant_internal.tenant_has_jobs() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if new.status = 'purged' then
        delete from tenant.jobs j where coalesce(j.tenant_id, '') = new.id;
        delete from tenant.job_queues q where q.tenant_id = new.id;
        delete from tenant.job_weights w where w.tenant_id = new.id;
    else
        insert into tenant_internal.job_wakes select q.lane, q.tenant_id, now() from tenant.job_queues q where q.tenant_id = new.id;
        perform pg_notify('pg_tenant_jobs', '');
    end if;
    return null;
end
$$;

revoke all on function tenant_internal.tenant_has_jobs() from public;

create or replace function tenant_internal.wake_queue(lane text, tenant_id text, run_at timestamptz) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    is_looked_at boolean;
    is_busy boolean;
begin
    -- Once for a transaction: the setting lasts as long as what was done for it, up to a savepoint that is rolled back.
    if current_setting('tenant.jobs_woken', true) = lane || '/' || tenant_id then
        return;
    end if;
    select q.next_at <= wake_queue.run_at, q.misses = 0 into is_looked_at, is_busy
        from tenant.job_queues q where q.lane = wake_queue.lane and q.tenant_id = wake_queue.tenant_id;
    if is_looked_at is not true then
        insert into tenant_internal.job_wakes values (lane, tenant_id, run_at);
    end if;
    if is_looked_at is not true or is_busy is not true then
        perform pg_notify('pg_tenant_jobs', '');
        perform set_config('tenant.jobs_woken', lane || '/' || tenant_id, true);
    end if;
end
$$;

revoke all on function tenant_internal.wake_queue(text, text, timestamptz) from public;

create or replace function tenant_internal.check_job(kind text, lane text, payload jsonb, key text, max_attempts integer, trace text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if kind is null or kind !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$' then
        perform tenant_internal.refuse_job(format('a job cannot be of kind %s', coalesce(quote_literal(left(kind, 80)), 'null')),
            'Workers claim jobs by their kind.', 'A kind has 1 to 63 characters A-Z a-z 0-9 _ . : / - as in invoice.send.');
    elsif lane !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$' then
        perform tenant_internal.refuse_job(format('a job cannot be in lane %s', quote_literal(left(lane, 80))),
            'Workers claim jobs of the lanes that they serve.', 'A lane has 1 to 63 characters A-Z a-z 0-9 _ . : / - as in batch.');
    elsif payload is null then
        perform tenant_internal.refuse_job(format('a job of kind "%s" has no payload', kind),
            'It is null: a variable or a parameter was not set.', 'Leave it out where there is nothing to say.');
    elsif length(key) > 255 then
        perform tenant_internal.refuse_job(format('a job of kind "%s" cannot have this key', kind),
            'It has more than 255 characters.', 'Use a digest of it.');
    elsif max_attempts not between 1 and 1000 then
        perform tenant_internal.refuse_job(format('a job cannot have %s attempts', max_attempts),
            'Each of them may fail.', 'It is between 1 and 1000.');
    elsif trace !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' then
        perform tenant_internal.refuse_job(format('a job of kind "%s" cannot have this trace', kind),
            'Workers read it before they are in the tenant, so nothing else may stand there.', 'It is the header traceparent of W3C Trace Context.');
    end if;
end
$$;

revoke all on function tenant_internal.check_job(text, text, jsonb, text, integer, text) from public;

create or replace function tenant_internal.add_jobs(tenant_id text, kind text, payloads jsonb[], keys text[], lane text, priority integer,
    run_at timestamptz, max_attempts integer, trace text, reason text) returns setof bigint
    language plpgsql security definer rows 1 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    k tenant.job_kinds;
    moment constant timestamptz := clock_timestamp();
    due constant timestamptz := greatest(coalesce(run_at, moment), moment);
    at constant text := case when due > moment then 'scheduled' else 'ready' end;
    of constant text := coalesce(add_jobs.tenant_id, '');
    part text;
    added bigint;
    n integer;
begin
    select * into k from tenant.job_kinds d where d.kind = add_jobs.kind;
    lane := coalesce(lane, k.lane, 'default');
    priority := coalesce(priority, k.priority, 0);
    max_attempts := coalesce(max_attempts, k.max_attempts, 20);
    part := case when k.has_part then kind else '' end;
    perform tenant_internal.check_job(kind, lane, p, null, max_attempts, trace) from unnest(payloads) p;
    if keys is null then
        return query insert into tenant.jobs as j (tenant_id, kind, lane, part, priority, state, max_attempts, run_at, created_at, trace, reason, payload)
            select add_jobs.tenant_id, add_jobs.kind, add_jobs.lane, part, add_jobs.priority, at, add_jobs.max_attempts, due, moment, add_jobs.trace, add_jobs.reason, p
            from unnest(payloads) p returning j.id;
    else
        -- One after the other: of two with one key in the same call the second is the first.
        for n in 1 .. cardinality(payloads) loop
            perform tenant_internal.check_job(kind, lane, payloads[n], keys[n], max_attempts, trace);
            loop
                insert into tenant.jobs as j (tenant_id, kind, lane, part, priority, state, max_attempts, run_at, created_at, key, trace, reason, payload)
                    values (add_jobs.tenant_id, add_jobs.kind, add_jobs.lane, part, add_jobs.priority, at, add_jobs.max_attempts, due, moment, keys[n],
                        add_jobs.trace, add_jobs.reason, payloads[n])
                    on conflict ((coalesce(tenant_id, '')), kind, key)
                        where key is not null and state in ('ready', 'scheduled', 'running', 'failed') do nothing
                    returning j.id into added;
                exit when found;
                select j.id into added from tenant.jobs j
                    where coalesce(j.tenant_id, '') = of and j.kind = add_jobs.kind and j.key = keys[n]
                        and j.state in ('ready', 'scheduled', 'running', 'failed');
                exit when found;
            end loop;
            return next added;
        end loop;
    end if;
    if at = 'ready' and cardinality(payloads) > 0 then
        perform tenant_internal.wake_queue(lane, of, moment);
    end if;
end
$$;

revoke all on function tenant_internal.add_jobs(text, text, jsonb[], text[], text, integer, timestamptz, integer, text, text) from public;

create or replace function tenant_internal.reason_of_system() returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select j.reason from tenant.journal j
        where j.at = now() and j.xid8 = pg_current_xact_id_if_assigned() and j.origin = tenant_internal.journal_origin()
            and j.action = 'enter_system' and j.detail -> 'write' = 'true' and j.session_role = session_user and tenant_internal.works_on_system_jobs()
        order by j.id desc limit 1
$$;

revoke all on function tenant_internal.reason_of_system() from public;

create or replace function tenant_internal.require_tenant_for_jobs() returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    here constant text := tenant.current_id();
begin
    if here is null then
        raise exception using
            errcode = 'TN001',
            message = 'no tenant: a job is a tenant''s',
            detail = 'The transaction has not entered a tenant.',
            hint = 'Enter one first: select tenant.enter(''<id>''); or the system context, for writing, for a job of the system.';
    end if;
    return here;
end
$$;

revoke all on function tenant_internal.require_tenant_for_jobs() from public;

create or replace function tenant.enqueue(kind text, payload jsonb default '{}', key text default null, run_at timestamptz default null,
    lane text default null, priority integer default null, max_attempts integer default null, trace text default null) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    here constant text := tenant.current_id();
    moment constant timestamptz := clock_timestamp();
    is_busy boolean;
    added bigint;
    why text;
begin
    if here is null or key is not null or run_at > moment or kind is null or payload is null or trace is not null or max_attempts is not null then
        if here is null then
            why := tenant_internal.reason_of_system();
            if why is null then
                perform tenant_internal.require_tenant_for_jobs();
            end if;
        end if;
        return tenant_internal.add_jobs(here, kind, array[payload],
            case when key is not null then array[key] end, lane, priority, run_at, max_attempts, trace, why);
    end if;
    if kind !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$' or lane !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$' then
        perform tenant_internal.check_job(kind, lane, payload, null, null, null);
    end if;
    -- One statement: what a kind says, and whether its queue is looked at, would each cost as much again.
    insert into tenant.jobs as j (tenant_id, kind, lane, part, priority, max_attempts, run_at, created_at, payload)
        select here, enqueue.kind, coalesce(enqueue.lane, k.lane, 'default'), case when k.has_part then k.kind else '' end,
            coalesce(enqueue.priority, k.priority, 0), coalesce(k.max_attempts, 20), moment, moment, enqueue.payload
        from (select) one left join tenant.job_kinds k on k.kind = enqueue.kind
        returning j.id, j.lane, exists (select from tenant.job_queues q
            where q.lane = j.lane and q.tenant_id = here and q.next_at <= moment and q.misses = 0)
        into added, lane, is_busy;
    if not is_busy then
        perform tenant_internal.wake_queue(lane, here, moment);
    end if;
    return added;
end
$$;

comment on function tenant.enqueue(text, jsonb, text, timestamptz, text, integer, integer, text) is 'Queues a job for the transaction''s tenant and gives its id; with a key, that of the job that has it and is not finished, if there is one. In the system context, for writing, it is a job of the system and carries the context''s reason. TN001 without a tenant, TN161 malformed.';

revoke all on function tenant.enqueue(text, jsonb, text, timestamptz, text, integer, integer, text) from public;

grant execute on function tenant.enqueue(text, jsonb, text, timestamptz, text, integer, integer, text) to tenant_user, tenant_system, tenant_support;

create or replace function tenant.enqueue_many(kind text, payloads jsonb[], keys text[] default null, run_at timestamptz default null,
    lane text default null, priority integer default null, max_attempts integer default null, trace text default null)
    returns setof bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    here constant text := tenant.current_id();
    why text;
begin
    if cardinality(keys) <> cardinality(payloads) then
        perform tenant_internal.refuse_job(format('%s jobs cannot have %s keys', cardinality(payloads), cardinality(keys)),
            'Each job has one, in the order of the payloads.', 'Null is a job without a key.');
    end if;
    if here is null then
        why := tenant_internal.reason_of_system();
        if why is null then
            perform tenant_internal.require_tenant_for_jobs();
        end if;
    end if;
    return query select tenant_internal.add_jobs(here, kind, coalesce(payloads, '{}'), keys, lane, priority, run_at, max_attempts, trace, why);
end
$$;

comment on function tenant.enqueue_many(text, jsonb[], text[], timestamptz, text, integer, integer, text) is 'As tenant.enqueue, a job for each payload, in one statement.';

revoke all on function tenant.enqueue_many(text, jsonb[], text[], timestamptz, text, integer, integer, text) from public;

grant execute on function tenant.enqueue_many(text, jsonb[], text[], timestamptz, text, integer, integer, text) to tenant_user, tenant_system, tenant_support;

create or replace function tenant.enqueue_system(kind text, payload jsonb, reason text, key text default null, run_at timestamptz default null,
    lane text default null, priority integer default null, max_attempts integer default null, trace text default null) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_reason(reason);
    if tenant.current_id() is not null then
        raise exception using
            errcode = 'TN162',
            message = 'a job of the system is not queued inside a tenant',
            detail = format('The transaction has entered tenant "%s", and the job would be run across tenants.', tenant.current_id()),
            hint = 'tenant.enqueue() queues one of the tenant; the system''s is queued in a transaction of its own.';
    end if;
    return tenant_internal.add_jobs(null, kind, array[payload], case when key is not null then array[key] end, lane, priority, run_at,
        max_attempts, trace, btrim(reason));
end
$$;

comment on function tenant.enqueue_system(text, jsonb, text, text, timestamptz, text, integer, integer, text) is 'Queues a job that is run in the system context, for this reason. TN029 no reason, TN162 inside a tenant, TN161 malformed.';

revoke all on function tenant.enqueue_system(text, jsonb, text, text, timestamptz, text, integer, integer, text) from public;

grant execute on function tenant.enqueue_system(text, jsonb, text, text, timestamptz, text, integer, integer, text) to tenant_system, tenant_admin;

create or replace function tenant_internal.after_failure(tries integer, max_attempts integer) returns text
    language sql immutable set search_path = pg_catalog, pg_temp
    return case when tries >= max_attempts then 'dead' else 'failed' end;

revoke all on function tenant_internal.after_failure(integer, integer) from public;

create or replace function tenant_internal.job_pause(kind text, id bigint, attempt integer, tries integer) returns interval
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    k tenant.job_kinds;
    least_pause constant interval := '10 s';
    most constant interval := '1 h';
begin
    select * into k from tenant.job_kinds d where d.kind = job_pause.kind;
    return least(coalesce(k.backoff, least_pause) * power(2, least(greatest(tries, 1) - 1, 30)), coalesce(k.max_backoff, most))
        * (1 - abs(hashint8extended(id, attempt) % 1000) / 4000.0);
end
$$;

revoke all on function tenant_internal.job_pause(text, bigint, integer, integer) from public;

create or replace function tenant_internal.reap_jobs(moment timestamptz, at_most integer) returns bigint
    language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
declare
    reaped bigint;
begin
    -- Arrays, here and below, since how many there are is known to nobody who plans.
    with back as (
        update tenant.jobs j set
            state = case when j.tries >= j.max_attempts then 'dead' else 'ready' end,
            lease_until = null, worker = null,
            finished_at = case when j.tries >= j.max_attempts then moment end,
            last_error = 'The worker was gone before the job ended.'
        where j.id = any (array(select g.id from tenant.jobs g where g.state = 'running' and g.lease_until < moment
            order by g.lease_until limit at_most for update skip locked))
        returning j.lane, coalesce(j.tenant_id, '') as tenant_id, j.state
    ), woken as (
        insert into tenant_internal.job_wakes select distinct b.lane, b.tenant_id, moment from back b where b.state = 'ready'
    )
    select count(*) into reaped from back;
    return reaped;
end
$$;

revoke all on function tenant_internal.reap_jobs(timestamptz, integer) from public;

create or replace function tenant_internal.promote_jobs(moment timestamptz, at_most integer) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
begin
    with ready as (
        update tenant.jobs j set state = 'ready'
            where j.id = any (array(select d.id from tenant.jobs d where d.state in ('scheduled', 'failed') and d.run_at <= moment
                order by d.run_at limit at_most for update skip locked))
            returning j.lane, coalesce(j.tenant_id, '') as tenant_id
    )
    insert into tenant_internal.job_wakes select distinct r.lane, r.tenant_id, moment from ready r;
end
$$;

revoke all on function tenant_internal.promote_jobs(timestamptz, integer) from public;

create or replace function tenant_internal.look_at_jobs(moment timestamptz, at_most integer) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
begin
    with recursive queue (lane, tenant_id, nth) as (
        select l.lane, l.tenant_id, 0 from tenant_internal.job_look l
        union all
        select n.lane, n.tenant_id, q.nth + 1 from queue q cross join lateral (
            select j.lane, coalesce(j.tenant_id, '') as tenant_id from tenant.jobs j
            where j.state = 'ready' and (j.lane, coalesce(j.tenant_id, '')) > (q.lane, q.tenant_id)
            order by j.lane, coalesce(j.tenant_id, '') limit 1) n
        where q.nth < at_most
    ), woken as (
        insert into tenant_internal.job_wakes select w.lane, w.tenant_id, moment from queue w
            left join tenant.job_queues q on (q.lane, q.tenant_id) = (w.lane, w.tenant_id)
            left join tenant.tenants t on t.id = w.tenant_id
            where w.nth > 0 and (q.next_at is null or q.next_at = 'infinity') and (w.tenant_id = '' or t.status = 'active')
    ), reached as (
        select w.lane, w.tenant_id, w.nth = at_most as goes_on from queue w order by w.nth desc limit 1
    )
    update tenant_internal.job_look l set looked_at = case when r.goes_on then l.looked_at else moment end,
            lane = case when r.goes_on then r.lane else '' end, tenant_id = case when r.goes_on then r.tenant_id else '' end
        from reached r;
end
$$;

revoke all on function tenant_internal.look_at_jobs(timestamptz, integer) from public;

create or replace function tenant_internal.tend_jobs(moment timestamptz) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    pause constant interval := '5 s';
    at_most constant integer := 1000;
begin
    if not pg_try_advisory_xact_lock(hashtext('tenant.jobs'), 0) then
        return;
    end if;
    perform tenant_internal.reap_jobs(moment, at_most), tenant_internal.promote_jobs(moment, at_most);
    if exists (select from tenant_internal.job_look l where l.looked_at < moment - pause) then
        perform tenant_internal.look_at_jobs(moment, at_most);
    end if;
    if not exists (select from tenant_internal.job_wakes) then
        return;
    end if;
    with taken as (
        delete from tenant_internal.job_wakes w where w.ctid = any (array(
            select s.ctid from tenant_internal.job_wakes s limit at_most for update skip locked))
        returning w.lane, w.tenant_id
    ), least_of as (
        -- Where all rest, time stands where the last one has left it.
        select l.lane, coalesce((select q.virtual_time from tenant.job_queues q
                where q.lane = l.lane and q.next_at < 'infinity' order by q.virtual_time limit 1),
            (select q.virtual_time from tenant.job_queues q
                where q.lane = l.lane and q.next_at = 'infinity' order by q.virtual_time desc limit 1), 0) - 1 as virtual_time
        from (select distinct lane from taken) l
    )
    -- Who had nothing to do has saved nothing for later, but is next.
    insert into tenant.job_queues as q (lane, tenant_id, virtual_time, next_at, misses)
        select distinct t.lane, t.tenant_id, l.virtual_time, moment, 0 from taken t join least_of l using (lane)
        order by t.lane, t.tenant_id
        on conflict on constraint job_queues_pkey do update set next_at = least(q.next_at, excluded.next_at), misses = 0,
            virtual_time = case when q.next_at = 'infinity' then greatest(q.virtual_time, excluded.virtual_time) else q.virtual_time end;
end
$$;

revoke all on function tenant_internal.tend_jobs(timestamptz) from public;

create or replace function tenant_internal.claim_of_queue(of_lane text, queue_of text, part text, kinds text[], at_most integer, worker text,
    moment timestamptz, lease interval)
    returns table (id bigint, tenant_id text, kind text, attempt integer, lane text, time_limit interval, trace text, reason text)
    language plpgsql rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    -- An array, since the number of those picked is known to nobody who plans.
    return query with claimed as (
        update tenant.jobs j set state = 'running', attempt = j.attempt + 1, tries = j.tries + 1, lease_until = moment + lease,
                worker = claim_of_queue.worker
            where j.id = any (array(select p.id from tenant.jobs p
                where p.state = 'ready' and p.lane = of_lane and coalesce(p.tenant_id, '') = queue_of and p.part = claim_of_queue.part
                    and (kinds is null or p.kind = any (kinds))
                order by p.priority, p.run_at, p.id limit at_most for no key update skip locked))
            returning j.id, j.tenant_id, j.kind, j.attempt, j.lane, j.trace, j.reason
    )
    select c.id, c.tenant_id, c.kind, c.attempt, c.lane, (select k.time_limit from tenant.job_kinds k where k.kind = c.kind), c.trace, c.reason
        from claimed c;
end
$$;

revoke all on function tenant_internal.claim_of_queue(text, text, text, text[], integer, text, timestamptz, interval) from public;

create or replace function tenant_internal.claim_of_queues(of_lane text, queues text[], rooms integer[], weights double precision[], kinds text[],
    worker text, moment timestamptz, lease interval)
    returns table (id bigint, tenant_id text, kind text, attempt integer, lane text, time_limit interval, trace text, reason text,
        has_more boolean, served double precision)
    language plpgsql rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query with claimed as (
        update tenant.jobs j set state = 'running', attempt = j.attempt + 1, tries = j.tries + 1, lease_until = moment + lease,
                worker = claim_of_queues.worker
            where j.id = any (array(select p.id from unnest(queues, rooms) u (queue, room) cross join lateral (
                select o.id from tenant.jobs o
                    where o.state = 'ready' and o.lane = of_lane and coalesce(o.tenant_id, '') = u.queue and o.part = ''
                        and (kinds is null or o.kind = any (kinds))
                    order by o.priority, o.run_at, o.id limit u.room for no key update skip locked) p))
            returning j.id, j.tenant_id, j.kind, j.attempt, j.lane, j.trace, j.reason
    ), taken as (
        select coalesce(c.tenant_id, '') as queue, count(*) as jobs from claimed c group by 1
    ), left_of as materialized (
        select t.queue, t.jobs, u.weight, (select true from tenant.jobs r
                where r.state = 'ready' and r.lane = of_lane and coalesce(r.tenant_id, '') = t.queue
                order by r.part, r.priority, r.run_at, r.id offset t.jobs limit 1) is not null as has_more
            from taken t join unnest(queues, weights) u (queue, weight) using (queue)
    ), served as (
        update tenant.job_queues s set virtual_time = s.virtual_time + l.jobs / l.weight, misses = case when l.has_more then 0 else 1 end
            from left_of l where s.lane = of_lane and s.tenant_id = l.queue returning l.queue, l.has_more, s.virtual_time
    )
    select c.id, c.tenant_id, c.kind, c.attempt, c.lane, (select k.time_limit from tenant.job_kinds k where k.kind = c.kind), c.trace, c.reason,
            s.has_more, s.virtual_time
        from claimed c join served s on s.queue = coalesce(c.tenant_id, '');
end
$$;

revoke all on function tenant_internal.claim_of_queues(text, text[], integer[], double precision[], text[], text, timestamptz, interval) from public;

create or replace function tenant_internal.every_lane() returns text[]
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    return (with recursive l (lane) as (
        (select q.lane from tenant.job_queues q order by q.lane limit 1)
        union all
        select (select q.lane from tenant.job_queues q where q.lane > l.lane order by q.lane limit 1) from l where l.lane is not null
    )
    select coalesce(array_agg(l.lane order by random()) filter (where l.lane is not null), '{}') from l);
end
$$;

revoke all on function tenant_internal.every_lane() from public;

create or replace function tenant_internal.parts_of_queue(lane text, queue_of text) returns text[]
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    return (with recursive p as (
        (select j.part, j.priority, j.run_at, j.id from tenant.jobs j
            where j.state = 'ready' and j.lane = parts_of_queue.lane and coalesce(j.tenant_id, '') = queue_of
            order by j.part, j.priority, j.run_at, j.id limit 1)
        union all
        select n.* from p cross join lateral (select j.part, j.priority, j.run_at, j.id from tenant.jobs j
            where j.state = 'ready' and j.lane = parts_of_queue.lane and coalesce(j.tenant_id, '') = queue_of and j.part > p.part
            order by j.part, j.priority, j.run_at, j.id limit 1) n
    )
    select coalesce(array_agg(p.part order by p.priority, p.run_at, p.id), '{}') from p);
end
$$;

revoke all on function tenant_internal.parts_of_queue(text, text) from public;

create or replace function tenant_internal.lock_limited_kinds(out limited_kinds text[], out full_kinds text[])
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    held text[];
begin
    limited_kinds := array(select k.kind from tenant.job_kinds k where k.has_part);
    full_kinds := '{}';
    if limited_kinds <> '{}' then
        held := array(select k.kind from tenant.job_kinds k where k.has_part for no key update skip locked);
        full_kinds := array(select k from unnest(limited_kinds) k where not k = any (held));
    end if;
end
$$;

revoke all on function tenant_internal.lock_limited_kinds() from public;

create or replace function tenant_internal.kind_room(kind text, queue_of text) returns integer
    language sql volatile set search_path = pg_catalog, pg_temp
    return (select least(coalesce(k.concurrency, 1000) - case when k.concurrency is null then 0 else
                (select count(*) from tenant.jobs j where j.state = 'running' and j.kind = k.kind) end,
            coalesce(k.tenant_concurrency, 1000) - case when k.tenant_concurrency is null then 0 else
                (select count(*) from tenant.jobs j where j.state = 'running' and coalesce(j.tenant_id, '') = queue_of and j.kind = k.kind) end)::integer
        from tenant.job_kinds k where k.kind = kind_room.kind);

revoke all on function tenant_internal.kind_room(text, text) from public;

create or replace function tenant_internal.shares_of(queues text[])
    returns table (tenant_id text, nth bigint, may_work boolean, weight double precision, concurrency integer)
    language plpgsql volatile rows 10 set search_path = pg_catalog, pg_temp as $$
begin
    return query select s.tenant_id, s.nth, s.tenant_id = '' or coalesce(t.status = 'active', false),
        greatest(0.01, least(1000, coalesce(w.weight, case when jsonb_typeof(p.quotas -> 'job_weight') = 'number'
            then (p.quotas ->> 'job_weight')::double precision end, 1))),
        coalesce(w.concurrency, case when jsonb_typeof(p.quotas -> 'job_concurrency') = 'number'
            then greatest(0, least(1000000, (p.quotas ->> 'job_concurrency')::double precision))::integer end)
    from unnest(queues) with ordinality s (tenant_id, nth)
    left join tenant.tenants t on t.id = s.tenant_id left join tenant.plans p using (plan)
    left join tenant.job_weights w on w.tenant_id = s.tenant_id;
end
$$;

revoke all on function tenant_internal.shares_of(text[]) from public;

create or replace function tenant_internal.require_latest_snapshots(of_what text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        perform tenant_internal.refuse_job(format('%s is not claimed in a transaction that is %s', of_what, current_setting('transaction_isolation')),
            'Only so many run at once, and it does not see how many do.', 'Claim with: begin isolation level read committed;');
    end if;
end
$$;

revoke all on function tenant_internal.require_latest_snapshots(text) from public;

create or replace function tenant.claim_jobs(worker text, lanes text[] default null, kinds text[] default null, at_most integer default 1,
    lease interval default '1 min')
    returns table (id bigint, tenant_id text, kind text, attempt integer, lane text, time_limit interval, trace text, reason text)
    language plpgsql security definer set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    moment constant timestamptz := clock_timestamp();
    rest integer := at_most;
    l text;
    q record;
    share integer;
    round integer;
    taken integer;
    of_part integer;
    room integer;
    room_of_part integer;
    queues text[];
    tried text[];
    part text;
    parts text[];
    limited_kinds text[];
    full_kinds text[];
    has_more boolean;
    served double precision;
    at_once text[];
    rooms integer[];
    weights double precision[];
    given text[];
begin
    if tenant.current_id() is not null then
        raise exception using
            errcode = 'TN162',
            message = 'jobs are not claimed inside a tenant',
            detail = format('The transaction has entered tenant "%s", and a claim tells which tenants have jobs.', tenant.current_id()),
            hint = 'Claim in a transaction of its own, then enter the job''s tenant.';
    elsif at_most is null or at_most not between 1 and 1000 then
        perform tenant_internal.refuse_job(format('cannot claim %s jobs', coalesce(at_most::text, 'null')),
            'Others wait for what one has claimed.', 'Claim as many as there are hands free: 1 to 1000.');
    end if;
    perform tenant_internal.check_lease('TN161', 'a job', lease), tenant_internal.check_worker('TN161', worker);
    select k.limited_kinds, k.full_kinds into limited_kinds, full_kinds from tenant_internal.lock_limited_kinds() k;
    if limited_kinds <> '{}' then
        perform tenant_internal.require_latest_snapshots('a kind with a limit');
    end if;
    perform tenant_internal.tend_jobs(moment);
    lanes := coalesce(lanes, tenant_internal.every_lane());
    foreach l in array lanes loop
        -- Whose turn it is. Where others have all of them at this moment, one is waited for.
        tried := '{}';
        loop
            queues := array(select s.tenant_id from tenant.job_queues s
                where s.lane = l and s.next_at <= moment and s.next_at < 'infinity' and not s.tenant_id = any (tried)
                order by s.virtual_time limit rest + cardinality(tried) for no key update skip locked);
            if queues = '{}' and rest = at_most and tried = '{}' then
                -- Any of those whose turn is near: not all who wait wait for the same one.
                queues := array(select s.tenant_id from tenant.job_queues s
                    where s.lane = l and s.next_at <= moment and s.next_at < 'infinity' and s.tenant_id = (select n.tenant_id
                        from (select w.tenant_id from tenant.job_queues w
                            where w.lane = l and w.next_at <= moment and w.next_at < 'infinity' order by w.virtual_time limit 16) n
                        order by random() limit 1)
                    for no key update);
            end if;
            exit when queues = '{}';
            tried := tried || queues;
            round := 0;
            given := '{}';
            -- Those without limits at once, the others one after the other.
            if limited_kinds = '{}' then
                select array_agg(g.tenant_id order by g.nth), array_agg(g.room order by g.nth), array_agg(g.weight order by g.nth)
                    into at_once, rooms, weights
                from (select s.tenant_id, s.nth, s.weight, least(s.room, rest - sum(s.room) over (order by s.nth) + s.room)::integer as room
                    from (select o.*, greatest(1, (rest * o.weight / sum(o.weight) over ())::integer) as room from tenant_internal.shares_of(queues) o) s
                    where s.may_work and s.concurrency is null) g
                where g.room > 0;
                for q in select * from tenant_internal.claim_of_queues(l, at_once, rooms, weights, kinds, worker, moment, lease) c
                        where at_once is not null loop
                    id := q.id; tenant_id := q.tenant_id; kind := q.kind; attempt := q.attempt;
                    lane := q.lane; time_limit := q.time_limit; trace := q.trace; reason := q.reason;
                    return next;
                    rest := rest - 1;
                    served := q.served;
                    given := given || coalesce(q.tenant_id, '');
                    if not q.has_more then
                        queues := array_remove(queues, coalesce(q.tenant_id, ''));
                    end if;
                end loop;
            end if;
            while rest > 0 and queues <> '{}' loop
                round := round + 1;
                share := rest;
                for q in select s.*, sum(s.weight) over () as weights
                        from tenant_internal.shares_of(queues) s order by s.nth loop
                    exit when rest = 0;
                    taken := 0;
                    if q.may_work then
                        room := least(rest, greatest(1, (share * q.weight / q.weights)::integer));
                        if q.concurrency is not null then
                            perform tenant_internal.require_latest_snapshots('a tenant with a limit');
                            -- Its other lanes are counted by one claim at a time.
                            room := case when pg_try_advisory_xact_lock(hashtext('tenant.jobs'), hashtext(q.tenant_id)) then least(room, q.concurrency
                                - (select count(*) from tenant.jobs r where coalesce(r.tenant_id, '') = q.tenant_id and r.state = 'running')::integer)
                                else 0 end;
                        end if;
                        parts := case when limited_kinds = '{}' then array[''] else tenant_internal.parts_of_queue(l, q.tenant_id) end;
                        foreach part in array parts loop
                            continue when part <> '' and (part = any (full_kinds) or kinds is not null and not part = any (kinds));
                            room_of_part := least(room - taken, case when part <> '' then tenant_internal.kind_room(part, q.tenant_id) end);
                            continue when room_of_part <= 0;
                            return query select * from tenant_internal.claim_of_queue(l, q.tenant_id, part, kinds, room_of_part, worker, moment, lease);
                            get diagnostics of_part = row_count;
                            taken := taken + of_part;
                        end loop;
                    end if;
                    rest := rest - taken;
                    -- In the order of jobs_ready, or another index would be taken.
                    has_more := q.may_work and (select true from tenant.jobs r
                        where r.state = 'ready' and r.lane = l and coalesce(r.tenant_id, '') = q.tenant_id
                        order by r.part, r.priority, r.run_at, r.id limit 1) is not null;
                    if taken > 0 then
                        update tenant.job_queues s set virtual_time = s.virtual_time + taken / q.weight,
                                misses = case when has_more then 0 else 1 end
                            where s.lane = l and s.tenant_id = q.tenant_id returning s.virtual_time into served;
                    end if;
                    if taken = 0 or not has_more then
                        queues := array_remove(queues, q.tenant_id);
                    end if;
                    -- Nothing: it is looked at again, later and later, and then when a job is queued. Where its jobs
                    -- are not for this worker, or as many run as may, it does not save its turns for later.
                    if taken = 0 and has_more then
                        update tenant.job_queues s set misses = greatest(s.misses, 1), virtual_time = greatest(s.virtual_time, served)
                            where s.lane = l and s.tenant_id = q.tenant_id and (s.misses = 0 or s.virtual_time < served - 100);
                    elsif taken = 0 and round = 1 and not q.tenant_id = any (given) then
                        update tenant.job_queues s set misses = least(s.misses, 3) + 1,
                                next_at = case when s.misses >= 3 or not q.may_work then 'infinity' else moment + interval '100 ms' * power(2, s.misses) end
                            where s.lane = l and s.tenant_id = q.tenant_id;
                    end if;
                end loop;
            end loop;
            exit when rest = 0;
        end loop;
        exit when rest = 0;
    end loop;
end
$$;

comment on function tenant.claim_jobs(text, text[], text[], integer, interval) is 'Claims jobs that can be done now for a worker, and tells tenant, kind and attempt of each. TN161 malformed, TN162 inside a tenant.';

revoke all on function tenant.claim_jobs(text, text[], text[], integer, interval) from public;

grant execute on function tenant.claim_jobs(text, text[], text[], integer, interval) to tenant_worker;

create or replace function tenant.reap_jobs() returns bigint
    language sql security definer set search_path = pg_catalog, pg_temp
    return tenant_internal.reap_jobs(clock_timestamp(), 1000);

comment on function tenant.reap_jobs() is 'Gives back the jobs of workers that are gone, up to 1,000, and says how many; every claim does so, too.';

revoke all on function tenant.reap_jobs() from public;

grant execute on function tenant.reap_jobs() to tenant_worker, tenant_admin;

create or replace function tenant_internal.refuse_attempt_at_job(id bigint, attempt integer) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    j tenant.jobs;
begin
    select * into j from tenant.jobs o where o.id = refuse_attempt_at_job.id;
    raise exception using
        errcode = 'TN160',
        message = format('attempt %s at job %s is over', coalesce(attempt::text, 'null'), coalesce(id::text, 'null')),
        -- Another tenant's job is none, for whoever asks.
        detail = case when j.id is null or j.tenant_id is distinct from tenant.current_id() and tenant.current_id() is not null
            then 'There is no such job here: it was finished, or deleted, or is not this tenant''s.'
            else format('The job is %s, and its last attempt is %s.', j.state, j.attempt) end,
        hint = 'Roll back what this attempt did; whoever has claimed the job since does it.';
end
$$;

revoke all on function tenant_internal.refuse_attempt_at_job(bigint, integer) from public;

create or replace function tenant_internal.works_on_system_jobs() returns boolean
    language sql stable set search_path = pg_catalog, pg_temp
    return coalesce(current_setting('pg_tenant.id', true) in ('*system write', '*system owner'), false);

revoke all on function tenant_internal.works_on_system_jobs() from public;

create or replace function tenant.take_job(id bigint, attempt integer)
    returns table (payload jsonb, max_attempts integer, created_at timestamptz, key text)
    language plpgsql security definer rows 1 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    here constant text := tenant.current_id();
begin
    return query select j.payload, j.max_attempts, j.created_at, j.key from tenant.jobs j
        where j.id = take_job.id and j.attempt = take_job.attempt and case j.state when 'running' then true end and j.tenant_id is not distinct from here
            and (here is not null or tenant_internal.works_on_system_jobs());
    if not found then
        perform tenant_internal.refuse_attempt_at_job(id, attempt);
    end if;
end
$$;

comment on function tenant.take_job(bigint, integer) is 'What a claimed job is to do, for who is inside its tenant, or in the system context, for one of the system''s. TN160 the attempt is over.';

revoke all on function tenant.take_job(bigint, integer) from public;

grant execute on function tenant.take_job(bigint, integer) to tenant_worker, tenant_system;

create or replace function tenant.job_owner(id bigint, attempt integer) returns table (tenant_id text, reason text)
    language plpgsql stable security definer rows 1 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query select j.tenant_id, j.reason from tenant.jobs j
        where j.id = job_owner.id and j.attempt = job_owner.attempt and case j.state when 'running' then true end and tenant.current_id() is null;
    if not found then
        perform tenant_internal.refuse_attempt_at_job(id, attempt);
    end if;
end
$$;

comment on function tenant.job_owner(bigint, integer) is 'Whose a claimed job is, as its claim has told: a tenant, or null and the reason for which the system context is entered. TN160 the attempt is over, or a tenant is entered.';

revoke all on function tenant.job_owner(bigint, integer) from public;

grant execute on function tenant.job_owner(bigint, integer) to tenant_worker;

create or replace function tenant.enter_job(id bigint, attempt integer)
    returns table (payload jsonb, max_attempts integer, created_at timestamptz, key text)
    language plpgsql rows 1 as $$
declare
    o record;
begin
    select w.tenant_id, w.reason into o from tenant.job_owner(id, attempt) w;
    if o.tenant_id is null then
        perform tenant.enter_system(o.reason, true);
    else
        perform tenant.enter(o.tenant_id);
    end if;
    return query select t.payload, t.max_attempts, t.created_at, t.key from tenant.take_job(id, attempt) t;
end
$$;

comment on function tenant.enter_job(bigint, integer) is 'Enters the job''s tenant, or the system context for the job''s reason, and takes the job. TN160 the attempt is over; and as tenant.enter or tenant.enter_system.';

revoke all on function tenant.enter_job(bigint, integer) from public;

grant execute on function tenant.enter_job(bigint, integer) to tenant_worker;

create or replace function tenant_internal.count_job() returns void
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_count_job';

revoke all on function tenant_internal.count_job() from public;

create or replace function tenant.finish_job(id bigint, attempt integer, result jsonb default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    here constant text := tenant.current_id();
begin
    -- In most cases no more than this.
    delete from tenant.jobs j where j.id = finish_job.id and j.attempt = finish_job.attempt and case j.state when 'running' then true end
        and j.tenant_id is not distinct from here and (here is not null or tenant_internal.works_on_system_jobs())
        and (select k.keep from tenant.job_kinds k where k.kind = j.kind) is null;
    if not found then
        update tenant.jobs j set state = 'done', lease_until = null, finished_at = clock_timestamp(), result = finish_job.result, last_error = null
            where j.id = finish_job.id and j.attempt = finish_job.attempt and case j.state when 'running' then true end
                and j.tenant_id is not distinct from here and (here is not null or tenant_internal.works_on_system_jobs());
        if not found then
            perform tenant_internal.refuse_attempt_at_job(id, attempt);
        end if;
    end if;
    perform tenant_internal.count_job();
end
$$;

comment on function tenant.finish_job(bigint, integer, jsonb) is 'The job is done: the last statement of the transaction that did it, with which it commits. TN160 the attempt is over.';

revoke all on function tenant.finish_job(bigint, integer, jsonb) from public;

grant execute on function tenant.finish_job(bigint, integer, jsonb) to tenant_worker, tenant_system;

create or replace function tenant_internal.end_attempt(id bigint, attempt integer, wanted text, error text, retry_in interval) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    here constant text := tenant.current_id();
    moment constant timestamptz := clock_timestamp();
    j tenant.jobs;
    state text;
begin
    select * into j from tenant.jobs o where o.id = end_attempt.id and o.attempt = end_attempt.attempt and case o.state when 'running' then true end
        and (here is null or o.tenant_id = here) for no key update;
    if not found then
        perform tenant_internal.refuse_attempt_at_job(id, attempt);
    end if;
    state := case when wanted = 'failed' then tenant_internal.after_failure(j.tries, j.max_attempts) else wanted end;
    update tenant.jobs o set state = end_attempt_state.state, lease_until = null, worker = null,
            tries = case when wanted = 'ready' then greatest(o.tries - 1, 0) else o.tries end,
            last_error = coalesce(left(error, 8192), o.last_error),
            run_at = case end_attempt_state.state when 'failed' then moment + coalesce(retry_in, tenant_internal.job_pause(o.kind, o.id, o.attempt, o.tries)) else o.run_at end,
            finished_at = case end_attempt_state.state when 'dead' then moment end
        from (select state) end_attempt_state where o.id = end_attempt.id;
    if state = 'ready' then
        perform tenant_internal.wake_queue(j.lane, coalesce(j.tenant_id, ''), moment);
    end if;
    return state;
end
$$;

revoke all on function tenant_internal.end_attempt(bigint, integer, text, text, interval) from public;

create or replace function tenant.fail_job(id bigint, attempt integer, error text, retry_in interval default null, give_up boolean default false) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if retry_in < interval '0' or retry_in > interval '1 year' then
        perform tenant_internal.refuse_job(format('a job cannot be tried again in %s', retry_in),
            'It is how long to wait before the next attempt.', 'It is at most a year; null is the kind''s own pause.');
    end if;
    return tenant_internal.end_attempt(id, attempt, case when give_up then 'dead' else 'failed' end, coalesce(error, 'failed'), retry_in);
end
$$;

comment on function tenant.fail_job(bigint, integer, text, interval, boolean) is 'The attempt came to nothing: it is tried again later (failed), or was the last one, or is given up (dead). TN160 the attempt is over.';

revoke all on function tenant.fail_job(bigint, integer, text, interval, boolean) from public;

grant execute on function tenant.fail_job(bigint, integer, text, interval, boolean) to tenant_worker;

create or replace function tenant.release_job(id bigint, attempt integer) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.end_attempt(id, attempt, 'ready', null, null);
end
$$;

comment on function tenant.release_job(bigint, integer) is 'Gives a job back that was not done: others claim it at once, and the attempt does not count. TN160 the attempt is over.';

revoke all on function tenant.release_job(bigint, integer) from public;

grant execute on function tenant.release_job(bigint, integer) to tenant_worker;

create or replace function tenant.extend_jobs(ids bigint[], attempts integer[], lease interval default '1 min') returns setof bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.check_lease('TN161', 'a job', lease);
    -- One that is being finished is locked, and needs no more time.
    return query with held as (
        select j.id from tenant.jobs j join unnest(ids, attempts) c (id, attempt) on (j.id, j.attempt) = (c.id, c.attempt)
            where case j.state when 'running' then true end order by j.id for no key update of j skip locked
    ), extended as (
        update tenant.jobs j set lease_until = clock_timestamp() + lease from held where j.id = held.id returning j.id
    )
    select e.id from extended e
    union
    select j.id from tenant.jobs j join unnest(ids, attempts) c (id, attempt) on (j.id, j.attempt) = (c.id, c.attempt)
        where case j.state when 'running' then true end;
end
$$;

comment on function tenant.extend_jobs(bigint[], integer[], interval) is 'The worker still works on these jobs: the ids of those that are still its own.';

revoke all on function tenant.extend_jobs(bigint[], integer[], interval) from public;

grant execute on function tenant.extend_jobs(bigint[], integer[], interval) to tenant_worker;

create or replace view tenant.my_jobs with (security_barrier) as
    select j.id, j.kind, j.lane, j.priority, j.state, j.attempt, j.max_attempts, j.run_at, j.created_at, j.finished_at, j.key, j.payload,
        j.result, j.last_error
    from tenant.jobs j where coalesce(j.tenant_id, '') = tenant.current_id() and tenant.is_current(j.tenant_id);

comment on view tenant.my_jobs is 'The jobs of the tenant that the transaction has entered.';

grant select on tenant.my_jobs to tenant_user, tenant_support;

create or replace function tenant.cancel_job(id bigint) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    here constant text := tenant_internal.require_tenant_for_jobs();
begin
    delete from tenant.jobs j where j.id = cancel_job.id and j.tenant_id = here and j.state in ('ready', 'scheduled', 'failed', 'dead');
    return found;
end
$$;

comment on function tenant.cancel_job(bigint) is 'Takes a job of the transaction''s tenant back, unless it runs or is done: false. TN001 without a tenant.';

revoke all on function tenant.cancel_job(bigint) from public;

grant execute on function tenant.cancel_job(bigint) to tenant_user, tenant_support;

create or replace function tenant.define_job_kind(kind text, lane text default 'default', priority integer default 0, max_attempts integer default 20,
    time_limit interval default null, backoff interval default '10 s', max_backoff interval default '1 h',
    concurrency integer default null, tenant_concurrency integer default null, keep interval default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.check_job(kind, coalesce(lane, 'default'), '{}', null, max_attempts, null);
    if priority not between -32768 and 32767 or time_limit <= interval '0' or backoff < interval '0' or max_backoff < backoff
            or concurrency < 1 or tenant_concurrency < 1 or keep <= interval '0' then
        perform tenant_internal.refuse_job(format('kind "%s" cannot be defined like this', kind),
            'Priority, time limit, pauses, numbers of jobs at once and the time that finished ones are kept have to make sense.',
            'Times and numbers are above zero, max_backoff is at least backoff; null is no limit, and for keep not at all.');
    end if;
    if (concurrency is not null or tenant_concurrency is not null)
            and not exists (select from tenant.job_kinds k where k.kind = define_job_kind.kind and k.has_part) then
        update tenant.jobs j set part = define_job_kind.kind where j.kind = define_job_kind.kind and j.state in ('ready', 'scheduled', 'running', 'failed');
    end if;
    insert into tenant.job_kinds as k (kind, lane, priority, max_attempts, time_limit, backoff, max_backoff, concurrency, tenant_concurrency, has_part, keep)
        values (define_job_kind.kind, coalesce(define_job_kind.lane, 'default'), coalesce(define_job_kind.priority, 0), coalesce(define_job_kind.max_attempts, 20),
            define_job_kind.time_limit, coalesce(define_job_kind.backoff, '10 s'), coalesce(define_job_kind.max_backoff, '1 h'),
            define_job_kind.concurrency, define_job_kind.tenant_concurrency,
            define_job_kind.concurrency is not null or define_job_kind.tenant_concurrency is not null, define_job_kind.keep)
        on conflict on constraint job_kinds_pkey do update set lane = excluded.lane, priority = excluded.priority, max_attempts = excluded.max_attempts,
            time_limit = excluded.time_limit, backoff = excluded.backoff, max_backoff = excluded.max_backoff, concurrency = excluded.concurrency,
            tenant_concurrency = excluded.tenant_concurrency,
            has_part = k.has_part or excluded.has_part, keep = excluded.keep, changed_at = now();
    perform tenant_internal.write_journal('define_job_kind', kind, null, null);
end
$$;

comment on function tenant.define_job_kind(text, text, integer, integer, interval, interval, interval, integer, integer, interval) is 'Says what holds for jobs of this kind; jobs that are queued already keep their lane, priority and attempts. TN161 malformed.';

revoke all on function tenant.define_job_kind(text, text, integer, integer, interval, interval, interval, integer, integer, interval) from public;

grant execute on function tenant.define_job_kind(text, text, integer, integer, interval, interval, interval, integer, integer, interval) to tenant_admin;

create or replace function tenant.set_job_share(id text, weight real default null, concurrency integer default null, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical constant text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_known(canonical);
    if weight not between 0.01 and 1000 or concurrency < 1 then
        perform tenant_internal.refuse_job(format('tenant "%s" cannot have this share of the workers', canonical),
            'Its weight says how many jobs of it are done for one of a tenant of weight 1.', 'A weight is between 0.01 and 1000, concurrency at least 1; null is the plan''s.');
    end if;
    if reason is not null then
        perform tenant_internal.give_reason(reason);
    end if;
    insert into tenant.job_weights as w (tenant_id, weight, concurrency) values (canonical, set_job_share.weight, set_job_share.concurrency)
        on conflict on constraint job_weights_pkey do update set weight = excluded.weight, concurrency = excluded.concurrency;
    perform tenant_internal.write_journal('set_job_share', canonical, reason, jsonb_build_object('weight', weight, 'concurrency', concurrency));
end
$$;

comment on function tenant.set_job_share(text, real, integer, text) is 'How large the tenant''s share of the workers is, and how many of its jobs run at once; null is its plan''s (quotas job_weight and job_concurrency). TN002 unknown, TN161 malformed.';

revoke all on function tenant.set_job_share(text, real, integer, text) from public;

grant execute on function tenant.set_job_share(text, real, integer, text) to tenant_admin;

create or replace function tenant.set_job_share(id uuid, weight real default null, concurrency integer default null, reason text default null) returns void language sql
    begin atomic select tenant.set_job_share(id::text, weight, concurrency, reason); end;

revoke all on function tenant.set_job_share(uuid, real, integer, text) from public;

grant execute on function tenant.set_job_share(uuid, real, integer, text) to tenant_admin;

create or replace function tenant.set_job_share(id bigint, weight real default null, concurrency integer default null, reason text default null) returns void language sql
    begin atomic select tenant.set_job_share(id::text, weight, concurrency, reason); end;

revoke all on function tenant.set_job_share(bigint, real, integer, text) from public;

grant execute on function tenant.set_job_share(bigint, real, integer, text) to tenant_admin;

create or replace view tenant.job_counts with (security_barrier) as
    select j.tenant_id, j.lane, j.kind,
        count(*) filter (where j.state = 'ready') as ready,
        count(*) filter (where j.state = 'scheduled') as scheduled,
        count(*) filter (where j.state = 'running') as running,
        count(*) filter (where j.state = 'failed') as failed,
        count(*) filter (where j.state = 'dead') as dead,
        count(*) filter (where j.state = 'done') as done,
        min(j.run_at) filter (where j.state = 'ready') as oldest_ready
    from tenant.jobs j where tenant.current_id() is null group by j.tenant_id, j.lane, j.kind;

comment on view tenant.job_counts is 'How many jobs there are, by tenant, lane and kind, and since when the oldest can be done; nothing inside a tenant.';

grant select on tenant.job_counts to tenant_admin, tenant_worker;

create or replace view tenant.dead_jobs with (security_barrier) as
    select j.id, j.tenant_id, j.lane, j.kind, j.attempt, j.tries, j.created_at, j.finished_at, j.worker
    from tenant.jobs j where j.state = 'dead' and tenant.current_id() is null;

comment on view tenant.dead_jobs is 'Jobs whose last attempt has failed, without what they say; nothing inside a tenant.';

grant select on tenant.dead_jobs to tenant_admin, tenant_worker;

create or replace function tenant.retry_job(id bigint, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    j tenant.jobs;
begin
    perform tenant_internal.give_reason(reason);
    begin
        update tenant.jobs o set state = 'ready', tries = 0, finished_at = null, run_at = clock_timestamp()
            where o.id = retry_job.id and o.state in ('dead', 'failed', 'scheduled') returning * into j;
    exception when unique_violation then
        -- What the key is, is the tenant's.
        perform tenant_internal.refuse_job(format('job %s cannot be tried again', id),
            'Another job of its tenant and kind has its key, and is not finished.', 'Wait until that one is done, or delete this one.');
    end;
    if j.id is null then
        perform tenant_internal.refuse_job(format('job %s cannot be tried again', coalesce(id::text, 'null')),
            coalesce((select format('It is %s.', o.state) from tenant.jobs o where o.id = retry_job.id), 'There is no such job.'),
            'One that is dead, has failed or waits for its time can.');
    end if;
    perform tenant_internal.wake_queue(j.lane, coalesce(j.tenant_id, ''), clock_timestamp());
    perform tenant_internal.write_journal('retry_job', id::text, reason, jsonb_build_object('kind', j.kind, 'tenant', j.tenant_id));
end
$$;

comment on function tenant.retry_job(bigint, text) is 'Runs a job that is dead, has failed or waits, now, with all its attempts. TN029 no reason, TN161 another state.';

revoke all on function tenant.retry_job(bigint, text) from public;

grant execute on function tenant.retry_job(bigint, text) to tenant_admin;

create or replace function tenant.delete_job(id bigint, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    j tenant.jobs;
begin
    perform tenant_internal.give_reason(reason);
    delete from tenant.jobs o where o.id = delete_job.id and o.state <> 'running' returning * into j;
    if not found then
        perform tenant_internal.refuse_job(format('job %s cannot be deleted', coalesce(id::text, 'null')),
            coalesce((select format('It is %s.', o.state) from tenant.jobs o where o.id = delete_job.id), 'There is no such job.'),
            'One that runs is deleted after its attempt.');
    end if;
    perform tenant_internal.write_journal('delete_job', id::text, reason, jsonb_build_object('kind', j.kind, 'tenant', j.tenant_id));
end
$$;

comment on function tenant.delete_job(bigint, text) is 'Deletes a job that does not run. TN029 no reason, TN161 it runs, or there is none.';

revoke all on function tenant.delete_job(bigint, text) from public;

grant execute on function tenant.delete_job(bigint, text) to tenant_admin;

create or replace function tenant.prune_jobs(at_most integer default 10000) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    pruned bigint;
begin
    with old as (
        select j.id from tenant.jobs j left join tenant.job_kinds k using (kind)
            where j.state = 'done' and j.finished_at < clock_timestamp() - coalesce(k.keep, interval '0')
            order by j.finished_at limit at_most for update of j skip locked
    )
    delete from tenant.jobs j using old where j.id = old.id;
    get diagnostics pruned = row_count;
    return pruned;
end
$$;

comment on function tenant.prune_jobs(integer) is 'Deletes finished jobs whose kind keeps them no longer, and says how many.';

revoke all on function tenant.prune_jobs(integer) from public;

grant execute on function tenant.prune_jobs(integer) to tenant_worker, tenant_admin;

comment on table tenant.schedules is 'Which jobs are queued when, for each active tenant or for the system, and for which due time last.';

grant select on tenant.schedules to tenant_admin, tenant_worker;

create or replace function tenant.define_schedule(name text, cron text, scope text, kind text, payload jsonb default '{}', time_zone text default 'UTC',
    lane text default null, catch_up text default 'once', spread interval default '0', reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.check_job(kind, lane, payload, null, null, null);
    if name is null or name !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$' or coalesce(array_length(regexp_split_to_array(btrim(cron), '\s+'), 1), 0) not in (5, 6)
            or scope is null or scope not in ('each_tenant', 'system') or catch_up is null or catch_up not in ('once', 'all', 'none')
            or spread is null or spread < interval '0' or not exists (select from pg_timezone_names z where z.name = time_zone) then
        perform tenant_internal.refuse_job(format('schedule %s cannot be defined like this', coalesce(quote_literal(left(name, 80)), 'without a name')),
            'It has a name, a cron expression, a time zone that the server knows, a scope and a rule for what was missed.',
            'As in: select tenant.define_schedule(''nightly'', ''0 3 * * *'', ''each_tenant'', ''report'', time_zone => ''Europe/Zurich'');');
    end if;
    if scope = 'system' then
        perform tenant_internal.require_reason(reason);
    end if;
    insert into tenant.schedules as s (name, cron, time_zone, scope, kind, lane, payload, reason, catch_up, spread)
        values (define_schedule.name, btrim(define_schedule.cron), define_schedule.time_zone, define_schedule.scope, define_schedule.kind,
            define_schedule.lane, define_schedule.payload, btrim(define_schedule.reason), define_schedule.catch_up, define_schedule.spread)
        on conflict on constraint schedules_pkey do update set cron = excluded.cron, time_zone = excluded.time_zone, scope = excluded.scope,
            kind = excluded.kind, lane = excluded.lane, payload = excluded.payload, reason = excluded.reason, catch_up = excluded.catch_up,
            spread = excluded.spread, changed_at = now(),
            -- Another rhythm counts from now on.
            last_due = case when (s.cron, s.time_zone) = (excluded.cron, excluded.time_zone) then s.last_due else now() end;
    perform tenant_internal.write_journal('define_schedule', name, reason, jsonb_build_object('cron', cron, 'time_zone', time_zone, 'scope', scope, 'kind', kind));
end
$$;

comment on function tenant.define_schedule(text, text, text, text, jsonb, text, text, text, interval, text) is 'Queues a job of this kind at each time of the cron expression: of every active tenant, or one of the system. TN161 malformed, TN029 no reason for one of the system.';

revoke all on function tenant.define_schedule(text, text, text, text, jsonb, text, text, text, interval, text) from public;

grant execute on function tenant.define_schedule(text, text, text, text, jsonb, text, text, text, interval, text) to tenant_admin;

create or replace function tenant_internal.hold_schedule(name text) returns tenant.schedules
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    s tenant.schedules;
begin
    select * into s from tenant.schedules o where o.name = hold_schedule.name for update;
    if not found then
        perform tenant_internal.refuse_job(format('there is no schedule %s', coalesce(quote_literal(left(name, 80)), 'without a name')),
            coalesce((select format('There are: %s.', string_agg(o.name, ', ' order by o.name)) from tenant.schedules o), 'tenant.schedules is empty.'),
            'Define it with tenant.define_schedule().');
    end if;
    return s;
end
$$;

revoke all on function tenant_internal.hold_schedule(text) from public;

create or replace function tenant.enable_schedule(name text, enabled boolean, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason), tenant_internal.hold_schedule(name);
    update tenant.schedules s set enabled = coalesce(enable_schedule.enabled, true), changed_at = now(),
            last_due = case when s.enabled then s.last_due else now() end
        where s.name = enable_schedule.name and s.enabled <> coalesce(enable_schedule.enabled, true);
    if found then
        perform tenant_internal.write_journal(case when enabled then 'enable_schedule' else 'disable_schedule' end, name, reason, null);
    end if;
end
$$;

comment on function tenant.enable_schedule(text, boolean, text) is 'Lets the schedule rest, or go on from now. TN029 no reason, TN161 unknown.';

revoke all on function tenant.enable_schedule(text, boolean, text) from public;

grant execute on function tenant.enable_schedule(text, boolean, text) to tenant_admin;

create or replace function tenant.drop_schedule(name text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason), tenant_internal.hold_schedule(name);
    delete from tenant.schedules s where s.name = drop_schedule.name;
    perform tenant_internal.write_journal('drop_schedule', name, reason, null);
end
$$;

comment on function tenant.drop_schedule(text, text) is 'Ends the schedule; jobs that it has queued stay. TN029 no reason, TN161 unknown.';

revoke all on function tenant.drop_schedule(text, text) from public;

grant execute on function tenant.drop_schedule(text, text) to tenant_admin;

create or replace function tenant.lead_schedules() returns boolean
    language sql security definer set search_path = pg_catalog, pg_temp
    return pg_try_advisory_lock(hashtext('tenant.schedules'), 0);

comment on function tenant.lead_schedules() is 'Whether this session is the scheduler: the first that asks, until it ends.';

revoke all on function tenant.lead_schedules() from public;

grant execute on function tenant.lead_schedules() to tenant_worker;

create or replace function tenant.fire_schedule(name text, due timestamptz, previous timestamptz, at_most integer default 1000)
    returns table (queued bigint, complete boolean)
    language plpgsql security definer rows 1 set search_path = pg_catalog, pg_temp as $$
declare
    s tenant.schedules := tenant_internal.hold_schedule(name);
    at timestamptz;
    ids text[];
begin
    if not s.enabled or s.last_due is distinct from previous or due is null or due <= previous or due > clock_timestamp() then
        return query select 0::bigint, true;
        return;
    end if;
    at := coalesce(s.firing, due);
    if s.scope = 'system' then
        perform tenant_internal.add_jobs(null, s.kind, array[s.payload], array[format('%s@%s', s.name, extract(epoch from at)::bigint)], s.lane, null, null, null, null, s.reason);
        update tenant.schedules o set last_due = at, firing = null, fired_after = null where o.name = fire_schedule.name;
        return query select 1::bigint, true;
        return;
    end if;
    ids := array(select t.id from tenant.tenants t where t.status = 'active' and (s.fired_after is null or t.id > s.fired_after)
        order by t.id limit greatest(coalesce(at_most, 1000), 1));
    -- Where a tenant stands in the spread is its own, and does not change.
    perform tenant_internal.add_jobs(i, s.kind, array[s.payload], array[format('%s@%s', s.name, extract(epoch from at)::bigint)], s.lane, null,
            at + s.spread * ((hashtextextended(i, 0) & 65535) / 65536.0), null, null, null)
        from unnest(ids) i;
    if cardinality(ids) < greatest(coalesce(at_most, 1000), 1) then
        update tenant.schedules o set last_due = at, firing = null, fired_after = null where o.name = fire_schedule.name;
        return query select cardinality(ids)::bigint, true;
    else
        update tenant.schedules o set firing = at, fired_after = ids[cardinality(ids)] where o.name = fire_schedule.name;
        return query select cardinality(ids)::bigint, false;
    end if;
end
$$;

comment on function tenant.fire_schedule(text, timestamptz, timestamptz, integer) is 'Queues the jobs of one due time of a schedule, in parts of at_most tenants, each part once. TN161 unknown.';

revoke all on function tenant.fire_schedule(text, timestamptz, timestamptz, integer) from public;

grant execute on function tenant.fire_schedule(text, timestamptz, timestamptz, integer) to tenant_worker;

create or replace function tenant.skip_schedule(name text, due timestamptz, previous timestamptz) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    s tenant.schedules := tenant_internal.hold_schedule(name);
begin
    if s.last_due is distinct from previous or s.firing is not null or due is null or due <= previous or due > clock_timestamp() then
        return false;
    end if;
    update tenant.schedules o set last_due = due where o.name = skip_schedule.name;
    return true;
end
$$;

comment on function tenant.skip_schedule(text, timestamptz, timestamptz) is 'Passes over the due times up to this one: nothing is queued for them. TN161 unknown.';

revoke all on function tenant.skip_schedule(text, timestamptz, timestamptz) from public;

grant execute on function tenant.skip_schedule(text, timestamptz, timestamptz) to tenant_worker;

create or replace function tenant_internal.hierarchy(rel regclass) returns setof regclass
    language sql stable rows 1 set search_path = pg_catalog, pg_temp as $$
    with recursive tree (relation, depth) as (
        select rel::oid, 0
        union all
        select i.inhrelid, depth + 1 from tree
            cross join lateral (select inhrelid from pg_inherits where inhparent = tree.relation offset 0) i
    )
    select relation::regclass from tree group by relation order by min(depth), relation
$$;

revoke all on function tenant_internal.hierarchy(regclass) from public;

grant execute on function tenant_internal.hierarchy(regclass) to tenant_admin;

create or replace function tenant_internal.is_root(rel regclass, tenant_column name) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = rel and a.attname = tenant_column and a.attgenerated = ''
            and (a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) !~ '^tenant\.current_(id|uuid|bigint)\(\)')
            and exists (select from pg_index i where i.indrelid = rel and i.indisunique and i.indisvalid and i.indpred is null
                and i.indnkeyatts = 1 and i.indkey[0] = a.attnum))
$$;

revoke all on function tenant_internal.is_root(regclass, name) from public;

grant execute on function tenant_internal.is_root(regclass, name) to tenant_admin;

create or replace function tenant_internal.require_create(rel regclass) returns void
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

revoke all on function tenant_internal.require_create(regclass) from public;

grant execute on function tenant_internal.require_create(regclass) to tenant_admin;

create or replace function tenant_internal.column_of(rel regclass, tenant_column name, columns jsonb) returns name
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce((columns ->> (select relname::text from pg_class where oid = rel))::name, tenant_column)
$$;

revoke all on function tenant_internal.column_of(regclass, name, jsonb) from public;

grant execute on function tenant_internal.column_of(regclass, name, jsonb) to tenant_admin;

create or replace function tenant_internal.said_of_open_table(rel regclass, tenant_column name, columns jsonb) returns text
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
            tenant_internal.fence_policy(r.relation::regclass) is not null
            or exists (select from tenant.shared s where s.relation = r.relation)
            or exists (select from pg_attribute a where a.attrelid = r.relation
                and a.attname = tenant_internal.column_of(r.relation::regclass, tenant_column, columns) and not a.attisdropped)))
    )
    select r.relation into reached from reach r
        where r.depth > 0 and (tenant_internal.fence_policy(r.relation::regclass) is not null
            or exists (select from pg_attribute a where a.attrelid = r.relation
                and a.attname = tenant_internal.column_of(r.relation::regclass, tenant_column, columns) and not a.attisdropped))
            and r.relation not in (select s.relation from tenant.shared s)
        order by r.depth, r.relation limit 1;
    if found then
        return format(', and it refers to %s: every tenant reads and writes all of it', reached);
    end if;
    select f.attname into keyed from pg_constraint c
        join pg_attribute a on a.attrelid = c.conrelid
            and a.attname = tenant_internal.column_of(c.conrelid::regclass, tenant_column, columns) and c.conkey = array[a.attnum]
        join pg_attribute f on f.attrelid = c.confrelid and f.attnum = c.confkey[1]
        where c.contype = 'f' and c.confrelid = rel limit 1;
    if found then
        return format(', and it is the table of the tenants: select tenant.protect(%L, %L);', rel, keyed);
    end if;
    return '';
end
$$;

revoke all on function tenant_internal.said_of_open_table(regclass, name, jsonb) from public;

grant execute on function tenant_internal.said_of_open_table(regclass, name, jsonb) to tenant_admin;

create or replace function tenant_internal.require_table(rel regclass) returns void
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

create or replace function tenant_internal.reader_for(rel regclass, tenant_column name) returns text
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

create or replace function tenant_internal.refuse_materialized_views(rel regclass) returns void
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

create or replace function tenant_internal.require_one_owner(rel regclass) returns void
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

create or replace function tenant_internal.refuse_publishing_keys(rel regclass, tenant_column name) returns void
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

create or replace function tenant_internal.will_share_rows(rel regclass, asked boolean) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(tenant_internal.has_shared_rows(rel), asked)
$$;

revoke all on function tenant_internal.will_share_rows(regclass, boolean) from public;

grant execute on function tenant_internal.will_share_rows(regclass, boolean) to tenant_admin;

create or replace function tenant_internal.require_shareable(rel regclass, tenant_column name) returns void
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

create or replace function tenant_internal.fence_steps(rel regclass, tenant_column name, reader text, shared_rows boolean)
    returns table (what text, statement text)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    -- The equality lets the planner use an index, but the planner may also drop it from the plan. The function stays in
    -- the plan and decides.
    own constant text := format('%I operator(pg_catalog.=) %s and tenant.is_current(%1$I)', tenant_column, reader);
    shown constant text := case when shared_rows
        then format('(%I operator(pg_catalog.=) %s or %1$I is null) and tenant.is_current_or_shared(%1$I)', tenant_column, reader)
        else own end;
    fenced boolean := tenant_internal.fence_policy(rel) is not null;
    former pg_policy;
    command record;
begin
    -- Skipped where it is set already: the command would only need rights on partitions and children of other owners.
    if not shared_rows and (not (select attnotnull from pg_attribute where attrelid = rel and attname = tenant_column)
        or exists (select from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attname = tenant_column
            where c.conrelid = rel and c.contype = 'n' and c.conkey = array[a.attnum] and not c.convalidated)) then
        return query values ('not null', format('alter table %s alter column %I set not null', rel, tenant_column));
    end if;
    -- ONLY: each table below is fenced by itself, as its own owner.
    if not tenant_internal.is_root(rel, tenant_column) and reader is distinct from (
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
        where p.polrelid = rel and tenant_internal.former_column(p.oid) = a.attnum
            and p.polcmd = '*' and p.polroles = '{0}' and (not p.polpermissive or p.polname = 'tenant_access')
    loop
        fenced := fenced or not former.polpermissive;
        return query values ('policy', format('alter policy %I on %s using (%s) with check (%3$s)', former.polname, rel, own));
    end loop;
    if shared_rows then
        -- These first: the third policy makes rows visible that these two protect from changes.
        for command in select * from (values ('w', 'update'), ('d', 'delete')) c (code, word) where not exists (
            select from pg_policy p where p.polrelid = rel and not p.polpermissive and p.polroles = '{0}'
                and p.polcmd = c.code::"char" and tenant_internal.policy_form(p.oid) = 'own')
        loop
            return query values ('policy', format(
                'create policy tenant_isolation_%1$s on %2$s as restrictive for %1$s to public using (%3$s)', command.word, rel, own));
        end loop;
        fenced := exists (select from pg_policy p where p.polrelid = rel and not p.polpermissive and p.polroles = '{0}'
            and p.polcmd = '*' and tenant_internal.policy_form(p.oid) = 'shared');
    end if;
    if not fenced then
        return query values ('policy', format(
            'create policy tenant_isolation on %s as restrictive for all to public using (%s) with check (%s)', rel, shown, own));
    end if;
    -- The permissive policy has the same condition as the restrictive one, not true: if either is lost, the other still
    -- holds.
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

revoke all on function tenant_internal.fence_steps(regclass, name, text, boolean) from public;

grant execute on function tenant_internal.fence_steps(regclass, name, text, boolean) to tenant_admin;

create or replace function tenant_internal.require_step(rel regclass, what text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    case what
        when 'not null' then perform tenant_internal.require_one_owner(rel);
        when 'index' then perform tenant_internal.require_create(rel);
        else null;
    end case;
end
$$;

revoke all on function tenant_internal.require_step(regclass, text) from public;

grant execute on function tenant_internal.require_step(regclass, text) to tenant_admin;

create or replace function tenant_internal.refuse_nulls(rel regclass, tenant_column name) returns void
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

revoke all on function tenant_internal.refuse_nulls(regclass, name) from public;

grant execute on function tenant_internal.refuse_nulls(regclass, name) to tenant_admin;

create or replace function tenant_internal.fence(rel regclass, tenant_column name, reader text, shared_rows boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    step record;
begin
    for step in select * from tenant_internal.fence_steps(rel, tenant_column, reader, tenant_internal.will_share_rows(rel, shared_rows)) loop
        perform tenant_internal.require_step(rel, step.what);
        if step.what = 'not null' then
            begin
                perform tenant_internal.run_as_owner(rel, step.statement);
            exception when not_null_violation then
                perform tenant_internal.refuse_nulls(rel, tenant_column);
            end;
        else
            perform tenant_internal.run_as_owner(rel, step.statement);
        end if;
    end loop;
end
$$;

revoke all on function tenant_internal.fence(regclass, name, text, boolean) from public;

grant execute on function tenant_internal.fence(regclass, name, text, boolean) to tenant_admin;

create or replace function tenant_internal.fence_hierarchy(rel regclass, tenant_column name, refuse_foreign boolean, shared_rows boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    parts regclass[] := array(select h from tenant_internal.hierarchy(rel) h join pg_class c on c.oid = h
        where c.relkind <> 'f' or refuse_foreign);
    part regclass;
    reader text;
    before jsonb := '{}';
begin
    foreach part in array parts loop
        reader := tenant_internal.reader_for(part, tenant_column);
    end loop;
    if shared_rows then
        perform tenant_internal.refuse_publishing_keys(rel, tenant_column);
    end if;
    -- All tables are checked before the first is changed: a command on a table also reaches its partitions and
    -- children.
    foreach part in array parts loop
        before := before || jsonb_build_object(part::text, (
            select jsonb_build_object('enabled', relrowsecurity, 'forced', relforcerowsecurity, 'default', (
                select pg_get_expr(adbin, adrelid) from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
                where adrelid = part and attname = tenant_column
                    and pg_get_expr(adbin, adrelid) !~ '^tenant\.current_(id|uuid|bigint)\(\)'))
            from pg_class where oid = part and tenant_internal.fence_policy(part) is null));
    end loop;
    foreach part in array parts loop
        perform tenant_internal.fence(part, tenant_column, reader, shared_rows);
        if jsonb_typeof(before -> part::text) = 'object' then
            perform tenant_internal.run_as_owner(part, format('comment on policy tenant_isolation on %s is %L', part,
                format('Keeps tenants apart. Before: %s', jsonb_strip_nulls(before -> part::text))));
        end if;
    end loop;
end
$$;

revoke all on function tenant_internal.fence_hierarchy(regclass, name, boolean, boolean) from public;

grant execute on function tenant_internal.fence_hierarchy(regclass, name, boolean, boolean) to tenant_admin;

create or replace function tenant_internal.require_protectable(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    parent regclass;
begin
    perform tenant_internal.require_owner(rel);
    select inhparent into parent from pg_inherits
        where inhrelid = rel and tenant_internal.fence_policy(inhparent::regclass) is null limit 1;
    if found then
        raise exception using
            errcode = 'TN020',
            message = format('cannot protect %s alone: it belongs to %s', rel, parent),
            detail = 'Reading the parent would read around the protection.',
            hint = format('Protect the whole: select tenant.protect(%L);', parent);
    end if;
    perform tenant_internal.refuse_materialized_views(rel);
end
$$;

revoke all on function tenant_internal.require_protectable(regclass) from public;

grant execute on function tenant_internal.require_protectable(regclass) to tenant_admin;

create or replace function tenant_internal.apply_protection(rel regclass, tenant_column name, harden tenant.key_form, keep_old_keys boolean,
    shared_rows boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_protectable(rel);
    if shared_rows then
        perform tenant_internal.reader_for(rel, tenant_column);
        perform tenant_internal.require_shareable(rel, tenant_column);
    end if;
    perform tenant_internal.fence_hierarchy(rel, tenant_column, refuse_foreign => true,
        shared_rows => tenant_internal.will_share_rows(rel, apply_protection.shared_rows));
    perform tenant_internal.spread_permissions(rel, rel);
    delete from tenant.shared where relation = rel;
    insert into tenant.journal (action, object, detail)
        values ('protect', rel::text, jsonb_build_object('tenant_column', tenant_column)
            || case when tenant_internal.has_shared_rows(rel) then jsonb_build_object('shared_rows', true) else '{}' end);
    if harden <> 'false' then
        perform tenant_internal.apply_hardening(rel, harden, keep_old_keys);
    end if;
    -- A new child of a join table gets the same triggers as its parent.
    perform tenant_internal.keep_members(above.relation) from (
        with recursive above(relation) as (
            values (rel::oid) union select i.inhparent from pg_inherits i join above a on i.inhrelid = a.relation
        )
        select a.relation::regclass as relation from above a
        where exists (select from tenant_internal.reached_through(a.relation::regclass)) offset 0
    ) above;
end
$$;

revoke all on function tenant_internal.apply_protection(regclass, name, tenant.key_form, boolean, boolean) from public;

create or replace function tenant_internal.tables_of(schema regnamespace) returns setof regclass
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select c.oid::regclass from pg_class c
    where c.relnamespace = schema and c.relkind in ('r', 'p') and c.relpersistence <> 't'
        and not exists (select from pg_inherits where inhrelid = c.oid)
        and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by c.relname
$$;

revoke all on function tenant_internal.tables_of(regnamespace) from public;

grant execute on function tenant_internal.tables_of(regnamespace) to tenant_admin;

create or replace function tenant_internal.is_of_all(state text) returns boolean
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select state ~ '^(08|25|40|53|57|58|XX)'
$$;

revoke all on function tenant_internal.is_of_all(text) from public;

grant execute on function tenant_internal.is_of_all(text) to tenant_admin;

create or replace function tenant_internal.foresee_protection(rel regclass, tenant_column name, shared_rows boolean) returns setof text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    shares constant boolean := tenant_internal.will_share_rows(rel, shared_rows);
    part regclass;
    step record;
    has_nulls boolean;
begin
    perform tenant_internal.require_protectable(rel);
    for part in select tenant_internal.hierarchy(rel) loop
        perform tenant_internal.reader_for(part, tenant_column);
    end loop;
    if shared_rows then
        perform tenant_internal.require_shareable(rel, tenant_column);
    end if;
    if shares then
        perform tenant_internal.refuse_publishing_keys(rel, tenant_column);
    end if;
    for part in select tenant_internal.hierarchy(rel) loop
        for step in select * from tenant_internal.fence_steps(part, tenant_column, tenant_internal.reader_for(part, tenant_column),
            tenant_internal.will_share_rows(part, shares)) loop
            perform tenant_internal.require_step(part, step.what);
            if step.what = 'not null' then
                -- Skipped where policies or guards would decide: protecting the table finds it out.
                begin
                    has_nulls := tenant_internal.run_as_owner(part,
                        format('select true from %s where %I is null limit 1', part, tenant_column)) is not null;
                exception when others then
                    if tenant_internal.is_of_all(sqlstate) then
                        raise;
                    end if;
                end;
                if has_nulls then
                    perform tenant_internal.refuse_nulls(part, tenant_column);
                end if;
            end if;
            return next step.statement;
        end loop;
    end loop;
end
$$;

revoke all on function tenant_internal.foresee_protection(regclass, name, boolean) from public;

grant execute on function tenant_internal.foresee_protection(regclass, name, boolean) to tenant_admin;

create or replace function tenant_internal.require_columns(schema regnamespace, columns jsonb) returns void
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
        where key not in (select c.relname::text from tenant_internal.tables_of(schema) t join pg_class c on c.oid = t) limit 1;
    if found then
        raise exception using
            errcode = '42P01',
            message = format('schema %s has no table "%s" to protect', schema, unknown),
            detail = 'The mapping names it. Partitions and children are protected with the table above them.',
            hint = 'Name tables as pg_class.relname has them: without schema, without quotes.';
    end if;
end
$$;

revoke all on function tenant_internal.require_columns(regnamespace, jsonb) from public;

grant execute on function tenant_internal.require_columns(regnamespace, jsonb) to tenant_admin;

create or replace function tenant_internal.require_tables(schema regnamespace, tables text[]) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    unknown text;
begin
    select coalesce(listed, 'null') into unknown from unnest(tables) listed
        where listed is null or listed not in (select c.relname::text from tenant_internal.tables_of(schema) t join pg_class c on c.oid = t) limit 1;
    if found then
        raise exception using
            errcode = '42P01',
            message = format('schema %s has no table "%s" to protect', schema, unknown),
            detail = 'shared_rows names it. Partitions and children are protected with the table above them.',
            hint = 'Name tables as pg_class.relname has them: without schema, without quotes.';
    end if;
end
$$;

revoke all on function tenant_internal.require_tables(regnamespace, text[]) from public;

grant execute on function tenant_internal.require_tables(regnamespace, text[]) to tenant_admin;

create or replace function tenant_internal.protect_listed(rel regclass, tenant_column name, columns jsonb, dry_run boolean, stop_on_error boolean,
    shared_rows text[], out result text, out sqlstate text, out hint text, out statements text[])
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    was_protected constant boolean := tenant_internal.fence_policy(rel) is not null;
    col constant name := tenant_internal.column_of(rel, tenant_column, columns);
    mapped constant boolean := coalesce(columns ? (select relname::text from pg_class where oid = rel), false);
    shares constant boolean := coalesce((select relname::text from pg_class where oid = rel) = any (shared_rows), false);
    state text;
    message text;
begin
    if exists (select from tenant.shared where relation = rel) then
        result := 'shared';
    elsif tenant_internal.membership_through(rel) is not null then
        result := format('reached by membership through %s', tenant_internal.membership_through(rel));
    elsif not mapped and not exists (
        select from pg_attribute where attrelid = rel and attname = col and attnum > 0 and not attisdropped) then
        result := format('not protected: no column "%s"', col) || tenant_internal.said_of_open_table(rel, col, columns);
    elsif dry_run then
        statements := array(select tenant_internal.foresee_protection(rel, col, shares));
        result := case when was_protected then 'protected already' else format('would be protected by "%s"', col) end;
    else
        perform tenant.protect(rel, col, shared_rows => shares);
        result := case when was_protected then 'protected already' else 'protected' end;
    end if;
exception when others then
    if stop_on_error or tenant_internal.is_of_all(sqlstate) then
        raise;
    end if;
    get stacked diagnostics state = returned_sqlstate, message = message_text, hint = pg_exception_hint;
    hint := nullif(hint, '');
    protect_listed.sqlstate := state;
    result := 'not protected: ' || message;
end
$$;

revoke all on function tenant_internal.protect_listed(regclass, name, jsonb, boolean, boolean, text[]) from public;

grant execute on function tenant_internal.protect_listed(regclass, name, jsonb, boolean, boolean, text[]) to tenant_admin;

create or replace function tenant_internal.harden_listed(rel regclass, tenant_column name, harden tenant.key_form, keep_old_keys boolean, columns jsonb,
    stop_on_error boolean, out result text, out sqlstate text, out hint text)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    state text;
    message text;
begin
    perform tenant.protect(rel, tenant_internal.column_of(rel, tenant_column, columns), harden, keep_old_keys);
exception when others then
    if stop_on_error or tenant_internal.is_of_all(sqlstate) then
        raise;
    end if;
    get stacked diagnostics state = returned_sqlstate, message = message_text, hint = pg_exception_hint;
    hint := nullif(hint, '');
    harden_listed.sqlstate := state;
    result := 'protected, not hardened: ' || message;
end
$$;

revoke all on function tenant_internal.harden_listed(regclass, name, tenant.key_form, boolean, jsonb, boolean) from public;

grant execute on function tenant_internal.harden_listed(regclass, name, tenant.key_form, boolean, jsonb, boolean) to tenant_admin;

create or replace function tenant_internal.warn_of_left(schema regnamespace, tables bigint) returns void
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

revoke all on function tenant_internal.warn_of_left(regnamespace, bigint) from public;

grant execute on function tenant_internal.warn_of_left(regnamespace, bigint) to tenant_admin;

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
    perform tenant_internal.require_columns(schema, columns);
    perform tenant_internal.require_tables(schema, shared_rows);
    if not dry_run then
        perform tenant_internal.forget_dropped();
    end if;
    all_tables := array(select tenant_internal.tables_of(schema));
    for i in 1 .. cardinality(all_tables) loop
        select * into result, sqlstate, hint, statements
            from tenant_internal.protect_listed(all_tables[i], tenant_column, columns, dry_run, stop_on_error, shared_rows);
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
    -- Hardening starts when all are protected: a foreign key of an unprotected table keeps the key that it refers to as
    -- it is.
    if harden <> 'false' then
        for i in 1 .. cardinality(all_tables) loop
            if results[i] like 'protected%' then
                select * into hardened from tenant_internal.harden_listed(all_tables[i], tenant_column, harden, keep_old_keys, columns, stop_on_error);
                if hardened.sqlstate is not null then
                    results[i] := hardened.result;
                    states[i] := hardened.sqlstate;
                    hints[i] := hardened.hint;
                end if;
            end if;
        end loop;
    end if;
    perform tenant_internal.warn_of_left(schema, (select count(*) from unnest(states) state where state is not null));
    return query select u.*, null::text[] from unnest(all_tables, results, states, hints) u;
end
$$;

comment on function tenant.protect_schema(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) is 'Protects every table of the schema that has the tenant column, and says what became of each. It goes on past a table that cannot be protected, unless stop_on_error; dry_run changes nothing and says what would be done. Of the tables in shared_rows, rows without a tenant are every tenant''s to read.';

revoke all on function tenant.protect_schema(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) from public;

grant execute on function tenant.protect_schema(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) to tenant_admin;

create or replace function tenant_internal.protect_step(rel regclass, tenant_column name, harden tenant.key_form, keep_old_keys boolean,
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
    select * into done from tenant_internal.protect_listed(rel, tenant_column, columns, dry_run, stop_on_error, shared_rows);
    if harden <> 'false' and done.result like 'protected%' then
        select coalesce(h.result, 'hardened') as result, h.sqlstate, h.hint, null::text[] as statements into done
            from tenant_internal.harden_listed(rel, tenant_column, harden, keep_old_keys, columns, stop_on_error) h;
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

revoke all on function tenant_internal.protect_step(regclass, name, tenant.key_form, boolean, jsonb, boolean, boolean, boolean, text[]) from public;

grant execute on function tenant_internal.protect_step(regclass, name, tenant.key_form, boolean, jsonb, boolean, boolean, boolean, text[]) to tenant_admin;

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
    perform tenant_internal.require_columns(schema, columns);
    perform tenant_internal.require_tables(schema, shared_rows);
    if not dry_run then
        perform tenant_internal.forget_dropped();
    end if;
    commit;
    foreach hardens in array array[false, true] loop
        exit when hardens and (dry_run or harden operator(pg_catalog.=) 'false');
        left_over := array(select tenant_internal.tables_of(schema));
        for round in 1 .. 10 loop
            waiting := '{}';
            foreach rel in array left_over loop
                select s.result, s.failed into said, failed from tenant_internal.protect_step(rel, tenant_column,
                    case when hardens then harden else 'false' end, keep_old_keys, columns, dry_run,
                    stop_on_error, round operator(pg_catalog.=) 10, shared_rows) s;
                commit;
                if said is null then
                    waiting := pg_catalog.array_append(waiting, rel);
                else
                    raise notice '%: %', rel, said;
                    -- A table that cannot be protected appears in both rounds, and is counted once.
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
    perform tenant_internal.warn_of_left(schema, failures);
end
$$;

comment on procedure tenant.protect_schema_stepwise(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) is 'As protect_schema, each table in a transaction of its own: no lock is held for longer than one table takes.';

revoke all on procedure tenant.protect_schema_stepwise(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) from public;

grant execute on procedure tenant.protect_schema_stepwise(regnamespace, name, tenant.key_form, jsonb, boolean, boolean, boolean, text[]) to tenant_admin;

create or replace function tenant_internal.membership_columns(rel regclass, through regclass, inout member_column name, inout key_column name)
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

revoke all on function tenant_internal.membership_columns(regclass, regclass, name, name) from public;

grant execute on function tenant_internal.membership_columns(regclass, regclass, name, name) to tenant_admin;

create or replace function tenant_internal.membership_type(rel regclass, column_name name) returns text
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

revoke all on function tenant_internal.membership_type(regclass, name) from public;

grant execute on function tenant_internal.membership_type(regclass, name) to tenant_admin;

create or replace function tenant_internal.require_membership(rel regclass, through regclass, member_column name, key_column name) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_protectable(rel);
    perform tenant_internal.require_table(rel);
    perform tenant_internal.require_owner(through);
    -- The planner can drop the condition of 0.1.0's policies, so they must be replaced first. A join table with shared
    -- rows is refused: a membership belongs to one tenant.
    if rel = through or coalesce(tenant_internal.fence_column(through), 0) = 0 or tenant_internal.has_shared_rows(through)
        or tenant_internal.former_column(tenant_internal.fence_policy(through)) is not null then
        raise exception using
            errcode = 'TN028',
            message = format('table %s is not protected by a tenant column', through),
            detail = 'Membership is what a tenant sees of the join table: it has rows of its own there.',
            hint = format('First: select tenant.protect(%L); without shared rows.', through);
    end if;
    if tenant_internal.membership_type(rel, key_column) <> tenant_internal.membership_type(through, member_column) then
        raise exception using
            errcode = 'TN022',
            message = format('column "%s" of table %s cannot say who is a member', member_column, through),
            detail = format('Column "%s" of table %s is of another type.', key_column, rel),
            hint = 'Name two columns of one type.';
    end if;
    if tenant_internal.fence_policy(rel) is not null and (tenant_internal.membership_through(rel) is distinct from through
        or (key_column, member_column) is distinct from (
            (select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.membership_key(rel)),
            (select attname from pg_attribute where attrelid = through and attnum = tenant_internal.membership_member(rel)))) then
        raise exception using
            errcode = 'TN025',
            message = format('table %s is protected already', rel),
            detail = format('It is protected %s.', coalesce('by membership through ' || tenant_internal.membership_through(rel)::text, 'by a tenant column')),
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', rel);
    end if;
    if tenant_internal.fence_policy(rel) is null and exists (select from pg_policy where polrelid = rel and polname = 'tenant_membership') then
        raise exception using
            errcode = 'TN026',
            message = format('table %s has a policy named "tenant_membership" that is not a tenant policy', rel),
            detail = 'The policy of tenant.protect_by_membership is restrictive, for all commands, to public, and lets nothing in.',
            hint = format('alter policy tenant_membership on %s rename to ...; or drop policy tenant_membership on %1$s;', rel);
    end if;
end
$$;

revoke all on function tenant_internal.require_membership(regclass, regclass, name, name) from public;

grant execute on function tenant_internal.require_membership(regclass, regclass, name, name) to tenant_admin;

create or replace function tenant_internal.before_protection(fence oid) returns jsonb
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce(substring(obj_description(fence, 'pg_policy') from 'Before: ({.*})$')::jsonb, '{}');
exception when invalid_text_representation then
    return '{}';
end
$$;

revoke all on function tenant_internal.before_protection(oid) from public;

grant execute on function tenant_internal.before_protection(oid) to tenant_admin;

create or replace function tenant_internal.fence_members(rel regclass, through regclass, member_column name, key_column name, open boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    given constant text := format('select m.%I%s from %s m', member_column,
        case when tenant_internal.membership_type(through, member_column) = 'text' then '::pg_catalog.text' else '' end, through);
    -- The array leads the planner to an index of the key; the function decides.
    condition constant text := format('%I operator(pg_catalog.=) any (array(%s)) and tenant.is_member(%1$I operator(pg_catalog.=) any (%2$s))',
        key_column, given);
    class pg_class := (select c from pg_class c where oid = rel);
    before jsonb := jsonb_build_object('enabled', class.relrowsecurity, 'forced', class.relforcerowsecurity);
begin
    if tenant_internal.fence_policy(rel) is not null then
        before := tenant_internal.before_protection(tenant_internal.fence_policy(rel)) - 'tenants_add_members';
    end if;
    if not (class.relrowsecurity and class.relforcerowsecurity) then
        perform tenant_internal.run_as_owner(rel, format('alter table %s enable row level security, force row level security', rel));
    end if;
    if tenant_internal.fence_policy(rel) is null then
        perform tenant_internal.run_as_owner(rel, format(
            'create policy tenant_membership on %s as restrictive for all to public using (%s) with check (false)', rel, condition));
    end if;
    -- The permissive policy, for SELECT only: if either policy is lost, the other still holds.
    if not exists (select from pg_policy where polrelid = rel and polpermissive) then
        perform tenant_internal.run_as_owner(rel, format(
            'create policy tenant_access on %s as permissive for select to public using (%s)', rel, condition));
    end if;
    perform tenant_internal.run_as_owner(rel, format('comment on policy %I on %s is %L',
        (select polname from pg_policy where oid = tenant_internal.fence_policy(rel)), rel,
        format('Keeps tenants apart. Before: %s', before || case when open then '{"tenants_add_members": true}' else '{}' end::jsonb)));
end
$$;

revoke all on function tenant_internal.fence_members(regclass, regclass, name, name, boolean) from public;

grant execute on function tenant_internal.fence_members(regclass, regclass, name, name, boolean) to tenant_admin;

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

create or replace function tenant_internal.reached_through(through regclass) returns table (relation regclass, member smallint, open boolean)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select p.polrelid::regclass, tenant_internal.membership_member(p.polrelid::regclass),
        coalesce((tenant_internal.before_protection(tenant_internal.fence_policy(p.polrelid::regclass)) ->> 'tenants_add_members')::boolean, false)
    from (
        select distinct polrelid from pg_depend d join pg_policy on pg_policy.oid = d.objid and not polpermissive
        where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = through and polrelid <> through
        offset 0
    ) p
    where tenant_internal.membership_through(p.polrelid::regclass) = through
$$;

revoke all on function tenant_internal.reached_through(regclass) from public;

grant execute on function tenant_internal.reached_through(regclass) to tenant_admin;

create or replace function tenant_internal.member_triggers(through regclass) returns table (part regclass, name name, statement text)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select h, t.name, format('create trigger %I before %s on %s for each row when (%stenant.current_id() is not null) '
        'execute function tenant.refuse_member()', t.name, t.event, h, t.changes)
    from tenant_internal.hierarchy(through) h join pg_class c on c.oid = h and c.relkind in ('r', 'p')
    cross join lateral (
        select '~tenant_members'::name as name, 'insert' as event, '' as changes
        from tenant_internal.reached_through(through) r where not r.open having count(*) > 0
        union
        select ('~tenant_members_' || a.attname)::name, 'update', format('old.%I is distinct from new.%1$I and ', a.attname)
        from tenant_internal.reached_through(through) r join pg_attribute a on a.attrelid = h and a.attname = (
            select attname from pg_attribute where attrelid = through and attnum = r.member)
        where not r.open
    ) t
$$;

revoke all on function tenant_internal.member_triggers(regclass) from public;

grant execute on function tenant_internal.member_triggers(regclass) to tenant_admin;

create or replace function tenant_internal.trigger_text(definition text) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select regexp_replace(regexp_replace(lower(definition), '^create trigger \S+ before (\S+) on \S+', '\1'), '[()"]', '', 'g')
$$;

revoke all on function tenant_internal.trigger_text(text) from public;

grant execute on function tenant_internal.trigger_text(text) to tenant_admin;

create or replace function tenant_internal.missing_member_triggers(through regclass) returns table (part regclass, name name, statement text)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select m.part, m.name, m.statement from tenant_internal.member_triggers(through) m
    where not exists (select from pg_trigger t where t.tgrelid = m.part and not t.tgisinternal and t.tgenabled = 'A'
        and tenant_internal.trigger_text(pg_get_triggerdef(t.oid)) = tenant_internal.trigger_text(m.statement))
$$;

revoke all on function tenant_internal.missing_member_triggers(regclass) from public;

grant execute on function tenant_internal.missing_member_triggers(regclass) to tenant_admin;

create or replace function tenant_internal.keep_members(through regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    old record;
    missing record;
    found_name name;
begin
    for old in
        select t.tgrelid::regclass as part, t.tgname as name from tenant_internal.hierarchy(through) h
        join pg_trigger t on t.tgrelid = h and t.tgparentid = 0 and t.tgfoid = 'tenant.refuse_member()'::regprocedure
        where not exists (select from tenant_internal.member_triggers(through) m
            where m.part = h and tenant_internal.trigger_text(m.statement) = tenant_internal.trigger_text(pg_get_triggerdef(t.oid)))
    loop
        perform tenant_internal.run_as_owner(old.part, format('drop trigger %I on %s', old.name, old.part));
    end loop;
    -- The table before its partitions, which get theirs from it.
    for missing in select m.* from tenant_internal.missing_member_triggers(through) m join pg_class c on c.oid = m.part order by c.relispartition loop
        select tgname into found_name from pg_trigger where tgrelid = missing.part and not tgisinternal
            and tenant_internal.trigger_text(pg_get_triggerdef(oid)) = tenant_internal.trigger_text(missing.statement);
        if not found then
            perform tenant_internal.run_as_owner(missing.part, missing.statement);
            found_name := missing.name;
        end if;
        -- session_replication_role = replica skips others.
        perform tenant_internal.run_as_owner(missing.part, format('alter table %s enable always trigger %I', missing.part, found_name));
    end loop;
end
$$;

revoke all on function tenant_internal.keep_members(regclass) from public;

grant execute on function tenant_internal.keep_members(regclass) to tenant_admin;

create or replace function tenant_internal.apply_membership(rel regclass, through regclass, member_column name, key_column name, tenants_add_members boolean)
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
    select * into columns from tenant_internal.membership_columns(rel, through, apply_membership.member_column, apply_membership.key_column);
    perform tenant_internal.require_membership(rel, through, columns.member_column, columns.key_column);
    for part in select tenant_internal.hierarchy(rel) loop
        perform tenant_internal.require_table(part);
        perform tenant_internal.fence_members(part, through, columns.member_column, columns.key_column, coalesce(tenants_add_members, false));
    end loop;
    perform tenant_internal.keep_members(through);
    delete from tenant.shared where relation = rel;
    insert into tenant.journal (action, object, detail) values ('protect', rel::text,
        jsonb_build_object('through', through::text, 'member_column', columns.member_column, 'key_column', columns.key_column)
            || case when tenants_add_members then '{"tenants_add_members": true}' else '{}' end::jsonb);
end
$$;

revoke all on function tenant_internal.apply_membership(regclass, regclass, name, name, boolean) from public;

create or replace function tenant_internal.permission_of(policy oid) returns text
    language sql stable strict set search_path = pg_catalog, pg_temp as $$
    select substring(coalesce(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
            from '^tenant\.(?:can|require)\(''([^'']*)''::text\)$')
        from pg_policy p where p.oid = permission_of.policy and not p.polpermissive and p.polroles = '{0}' and p.polcmd <> '*'
$$;

revoke all on function tenant_internal.permission_of(oid) from public;

grant execute on function tenant_internal.permission_of(oid) to tenant_admin;

create or replace function tenant_internal.policy_commands(command text) returns table (code "char", word text)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return query select c.code::"char", c.word from (values ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete')) c (code, word)
        where lower(btrim(command)) in (c.word, 'all');
    if not found then
        raise exception using
            errcode = '22023',
            message = format('%s is no command that a policy is for', coalesce(quote_literal(left(command, 40)), 'null')),
            detail = 'A policy is for select, insert, update or delete, or for all of them.',
            hint = 'select tenant.require_permission(''invoices'', ''update'', ''invoice.write'');';
    end if;
end
$$;

revoke all on function tenant_internal.policy_commands(text) from public;

grant execute on function tenant_internal.policy_commands(text) to tenant_admin;

create or replace function tenant_internal.create_permission(rel regclass, code "char", permission text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    word constant text := case code when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' end;
    named constant text := format('tenant_%s_%s', word, permission);
begin
    if exists (select from pg_policy p where p.polrelid = rel and p.polcmd = code
        and tenant_internal.permission_of(p.oid) = create_permission.permission) then
        return;
    end if;
    perform tenant_internal.run_as_owner(rel, format('create policy %I on %s as restrictive for %s to public %s (tenant.%s(%L))',
        case when octet_length(named) < 64 then named else left(named, 54) || '_' || left(md5(named), 8) end, rel, word,
        case code when 'a' then 'with check' else 'using' end, case code when 'r' then 'can' else 'require' end, permission));
end
$$;

revoke all on function tenant_internal.create_permission(regclass, "char", text) from public;

grant execute on function tenant_internal.create_permission(regclass, "char", text) to tenant_admin;

create or replace function tenant_internal.spread_permissions(parent regclass, child regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.create_permission(part.h, p.polcmd, tenant_internal.permission_of(p.oid))
        from pg_policy p cross join tenant_internal.hierarchy(child) part (h)
        where p.polrelid = parent and tenant_internal.permission_of(p.oid) is not null
            and exists (select from pg_class c where c.oid = part.h and c.relkind <> 'f');
end
$$;

revoke all on function tenant_internal.spread_permissions(regclass, regclass) from public;

grant execute on function tenant_internal.spread_permissions(regclass, regclass) to tenant_admin;

create or replace function tenant_internal.require_whole(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    parent regclass;
begin
    perform tenant_internal.require_owner(rel);
    if tenant_internal.fence_policy(rel) is null then
        raise exception using
            errcode = 'TN028',
            message = format('table %s is not protected', rel),
            detail = 'A permission is required beside the fence that keeps tenants apart.',
            hint = format('First: select tenant.protect(%L);', rel);
    end if;
    select inhparent into parent from pg_inherits where inhrelid = rel limit 1;
    if found then
        raise exception using
            errcode = 'TN020',
            message = format('a permission for %s alone: it belongs to %s', rel, parent),
            detail = 'Through the parent its rows would be reached without it.',
            hint = format('Name the whole: %s.', parent);
    end if;
end
$$;

revoke all on function tenant_internal.require_whole(regclass) from public;

grant execute on function tenant_internal.require_whole(regclass) to tenant_admin;

create or replace function tenant.require_permission(rel regclass, command text, permission text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    wanted constant text := require_permission.permission;
    part regclass;
begin
    perform tenant_internal.require_whole(rel);
    perform from tenant_internal.policy_commands(command);
    if not exists (select from tenant.permissions p where p.permission = wanted) then
        raise exception using
            errcode = 'TN145',
            message = format('there is no permission %s', coalesce(quote_literal(left(wanted, 80)), 'without a name')),
            detail = 'No role was ever defined with it.',
            hint = 'Mind the spelling; define a role with it: select tenant.define_role(''<role>'', <rank>, ''{<permission>}'');';
    end if;
    for part in select h from tenant_internal.hierarchy(rel) h join pg_class c on c.oid = h where c.relkind <> 'f' loop
        perform tenant_internal.create_permission(part, c.code, wanted) from tenant_internal.policy_commands(command) c;
    end loop;
    insert into tenant.journal (action, object, detail) values ('require_permission', rel::text,
        jsonb_build_object('command', lower(btrim(command)), 'permission', wanted));
end
$$;

comment on function tenant.require_permission(regclass, text, text) is 'The command on the table takes the permission: without it rows are hidden from who reads, and who writes is refused (TN142). Can be repeated. TN145 no such permission, TN028 not protected.';

revoke all on function tenant.require_permission(regclass, text, text) from public;

grant execute on function tenant.require_permission(regclass, text, text) to tenant_admin;

create or replace function tenant_internal.drop_permissions(rel regclass, command text, permission text) returns integer
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    named name;
    dropped integer := 0;
begin
    for named in select p.polname from pg_policy p join tenant_internal.policy_commands(command) c on c.code = p.polcmd
        where p.polrelid = rel and tenant_internal.permission_of(p.oid) = coalesce(drop_permissions.permission, tenant_internal.permission_of(p.oid))
    loop
        perform tenant_internal.run_as_owner(rel, format('drop policy %I on %s', named, rel));
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;

revoke all on function tenant_internal.drop_permissions(regclass, text, text) from public;

grant execute on function tenant_internal.drop_permissions(regclass, text, text) to tenant_admin;

create or replace function tenant.drop_permission(rel regclass, command text, permission text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    dropped integer;
begin
    perform tenant_internal.require_whole(rel);
    select sum(tenant_internal.drop_permissions(h, command, drop_permission.permission)) into dropped from tenant_internal.hierarchy(rel) h;
    if dropped = 0 then
        raise exception using
            errcode = 'TN028',
            message = format('table %s requires no such permission for %s', rel, lower(btrim(command))),
            detail = coalesce((select format('It requires: %s.', string_agg(format('%s for %s', tenant_internal.permission_of(p.oid), c.word), ', '
                    order by c.word, tenant_internal.permission_of(p.oid)))
                from pg_policy p join tenant_internal.policy_commands('all') c on c.code = p.polcmd
                where p.polrelid = rel and tenant_internal.permission_of(p.oid) is not null), 'It requires none.'),
            hint = 'Name the command and the permission as tenant.require_permission() was told.';
    end if;
    insert into tenant.journal (action, object, detail) values ('drop_permission', rel::text,
        jsonb_strip_nulls(jsonb_build_object('command', lower(btrim(command)), 'permission', drop_permission.permission)));
end
$$;

comment on function tenant.drop_permission(regclass, text, text) is 'Takes back what require_permission did, for one permission or all of the command. TN028 where there is none.';

revoke all on function tenant.drop_permission(regclass, text, text) from public;

grant execute on function tenant.drop_permission(regclass, text, text) to tenant_admin;

create or replace function tenant_internal.unfence(rel regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    col name := (select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.fence_column(rel));
    fence pg_policy;
    access pg_policy;
    further name;
    before jsonb;
begin
    select * into fence from pg_policy where oid = tenant_internal.fence_policy(rel);
    if not found then
        return;
    end if;
    before := tenant_internal.before_protection(fence.oid);
    -- The permissive policy that protect made, not another one of that name.
    select * into access from pg_policy where polrelid = rel and polname = 'tenant_access' and polpermissive
        and tenant_internal.policy_form(oid) is not null;
    if tenant_internal.has_shared_rows(rel) then
        -- The policies for rows without a tenant: one shows them, the others refuse changes. They are removed together.
        for further in
            select polname from pg_policy where polrelid = rel and oid <> fence.oid and not polpermissive and polroles = '{0}'
                and (polcmd = '*' and tenant_internal.policy_form(oid) = 'shared' or polcmd in ('w', 'd') and tenant_internal.policy_form(oid) = 'own')
        loop
            perform tenant_internal.run_as_owner(rel, format('drop policy %I on %s', further, rel));
        end loop;
    end if;
    -- Without a tenant nobody has a permission.
    perform tenant_internal.drop_permissions(rel, 'all', null);
    perform tenant_internal.run_as_owner(rel, format('drop policy %I on %s', fence.polname, rel));
    if access.oid is not null then
        perform tenant_internal.run_as_owner(rel, format('drop policy %I on %s', access.polname, rel));
    end if;
    if (select pg_get_expr(adbin, adrelid) ~ '^tenant\.current_(id|uuid|bigint)\(\)' from pg_attrdef
        join pg_attribute on attrelid = adrelid and attnum = adnum where adrelid = rel and attname = col) then
        perform tenant_internal.run_as_owner(rel, format('alter table only %s alter column %I drop default', rel, col));
        -- A former owner of the table could have written this expression, so an administrator must see it before
        -- running it.
        if before ? 'default' then
            raise warning using
                message = format('column "%s" of table %s had another default before it was protected', col, rel),
                detail = 'It is not given back by itself: whoever has owned the table could have changed what is kept of it.',
                hint = format('alter table only %s alter column %I set default %s;', rel, col, before ->> 'default');
        end if;
    end if;
    if not coalesce((before ->> 'forced')::boolean, false) then
        perform tenant_internal.run_as_owner(rel, format('alter table %s no force row level security', rel));
    end if;
    -- Row-level security stays on while the table has other policies: they would have no effect without it.
    if not coalesce((before ->> 'enabled')::boolean, false) and not exists (select from pg_policy where polrelid = rel) then
        perform tenant_internal.run_as_owner(rel, format('alter table %s disable row level security', rel));
    end if;
end
$$;

revoke all on function tenant_internal.unfence(regclass) from public;

grant execute on function tenant_internal.unfence(regclass) to tenant_admin;

create or replace function tenant_internal.unfence_remains(rel regclass) returns boolean
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
        perform tenant_internal.run_as_owner(rel, format('alter table only %s alter column %I drop default', rel, col));
    end loop;
    if (select relforcerowsecurity and not relrowsecurity from pg_class where oid = rel)
        and not exists (select from pg_policy where polrelid = rel) then
        had_any := true;
        perform tenant_internal.run_as_owner(rel, format('alter table %s no force row level security', rel));
    end if;
    return coalesce(had_any, false);
end
$$;

revoke all on function tenant_internal.unfence_remains(regclass) from public;

grant execute on function tenant_internal.unfence_remains(regclass) to tenant_admin;

create or replace function tenant_internal.remove_protection(rel regclass, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    part regclass;
    reached regclass;
    through constant regclass := tenant_internal.membership_through(rel);
begin
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.require_owner(rel);
    if tenant_internal.fence_policy(rel) is null then
        if tenant_internal.unfence_remains(rel) then
            insert into tenant.journal (action, object, reason) values ('unprotect', rel::text, remove_protection.reason);
            return;
        end if;
        raise exception using
            errcode = 'TN028',
            message = format('table %s is not protected', rel),
            detail = 'It has no tenant policy.',
            hint = 'select * from tenant.protected_tables; lists those that are.';
    end if;
    if exists (select from pg_inherits where inhrelid = rel and tenant_internal.fence_policy(inhparent::regclass) is not null) then
        raise exception using
            errcode = 'TN030',
            message = format('cannot unprotect %s alone: it belongs to a protected table', rel),
            detail = 'It could be read around the protection of its parent.',
            hint = format('select tenant.unprotect(%L, ''<reason>'');',
                (select inhparent::regclass from pg_inherits where inhrelid = rel limit 1));
    end if;
    select r.relation into reached from tenant_internal.reached_through(rel) r limit 1;
    if found then
        raise exception using
            errcode = 'TN030',
            message = format('cannot unprotect %s: table %s is reached by membership through it', rel, reached),
            detail = 'Every tenant would see all of its rows, and so all of the other''s.',
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', reached);
    end if;
    for part in select tenant_internal.hierarchy(rel) loop
        perform tenant_internal.unfence(part);
    end loop;
    if through is not null then
        perform tenant_internal.keep_members(through);
    end if;
    delete from tenant.lookups where relation in (select tenant_internal.hierarchy(rel));
    insert into tenant.journal (action, object, reason) values ('unprotect', rel::text, remove_protection.reason);
end
$$;

revoke all on function tenant_internal.remove_protection(regclass, text) from public;

create or replace function tenant.share(rel regclass, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason);
    perform tenant_internal.require_owner(rel);
    if tenant_internal.fence_policy(rel) is not null then
        raise exception using
            errcode = 'TN025',
            message = format('cannot share %s: it is protected', rel),
            detail = 'A table is one tenant''s row by row, or the same for all.',
            hint = format('First: select tenant.unprotect(%L, ''<reason>'');', rel);
    end if;
    perform tenant_internal.forget_dropped();
    insert into tenant.shared as s (relation, reason) values (rel, share.reason)
        on conflict (relation) do update set reason = excluded.reason;
end
$$;

create or replace function tenant.unshare(rel regclass, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason);
    perform tenant_internal.require_owner(rel);
    delete from tenant.shared where relation = rel;
    if not found then
        raise exception using
            errcode = 'TN028',
            message = format('table %s is not shared', rel),
            detail = 'tenant.shared has no such table.',
            hint = 'select * from tenant.shared; lists those that are.';
    end if;
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
        tenant_internal.has_shared_rows(c.oid::regclass) as shared_rows,
        tenant_internal.membership_through(c.oid::regclass) as through
    from (select distinct polrelid from pg_catalog.pg_policy where not polpermissive) fenced
    join pg_catalog.pg_class c on c.oid = fenced.polrelid
    join pg_catalog.pg_policy pol on pol.oid = tenant_internal.fence_policy(c.oid::regclass)
    left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = tenant_internal.fence_column(c.oid::regclass)
    left join lateral (select inhparent from pg_catalog.pg_inherits where inhrelid = c.oid order by inhseqno limit 1) p on true
    left join (select distinct on (object) object, at, role from tenant.journal where action = 'protect' order by object, id desc) j
        on j.object = pg_catalog.format('%s.%I', c.relnamespace::regnamespace, c.relname);

comment on view tenant.protected_tables is 'What is protected, how, by which column or through which join table, with which index, since when and by whom.';

create or replace function tenant_internal.row_changes_add(document internal, was record, is_now record, keys name[], told name[], secret name[])
    returns internal language c stable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_row_changes_add';

revoke all on function tenant_internal.row_changes_add(internal, record, record, name[], name[], name[]) from public;

create or replace function tenant_internal.row_changes_end(document internal) returns jsonb
    language c stable parallel safe as 'MODULE_PATHNAME', 'pg_tenant_row_changes_end';

revoke all on function tenant_internal.row_changes_end(internal) from public;

create aggregate tenant_internal.row_changes(was record, is_now record, keys name[], told name[], secret name[]) (
    sfunc = tenant_internal.row_changes_add, stype = internal, finalfunc = tenant_internal.row_changes_end);

revoke all on function tenant_internal.row_changes(record, record, name[], name[], name[]) from public;

create or replace function tenant_internal.audit_change() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_variable
declare
    whose constant text := tenant.current_id();
    by_column constant text := tg_argv[0];
    keys constant name[] := tg_argv[1];
    told constant name[] := nullif(tg_argv[2], '');
    secret constant name[] := tg_argv[3];
    is_partitioned constant boolean := tg_argv[4];
    most constant integer := 1000;
    subject constant text := tg_relid::regclass::text;
    by_role constant name := case current_setting('role') when 'none' then session_user else current_setting('role') end;
begin
    case tg_op
        when 'INSERT' then
            insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
            select 'insert_rows', subject, c.changes, c.tenant_id, by_role, session_user
            from (select r.tenant_id, tenant_internal.row_changes(null, r.is_now, keys, told, secret) as changes
                from (select "the row" as is_now, coalesce(whose, to_jsonb("the row") ->> by_column) as tenant_id,
                        (row_number() over () - 1) / most as part from new_rows "the row") r
                group by r.tenant_id, r.part) c
            where c.changes is not null;
        when 'DELETE' then
            insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
            select 'delete_rows', subject, c.changes, c.tenant_id, by_role, session_user
            from (select r.tenant_id, tenant_internal.row_changes(r.was, null, keys, told, secret) as changes
                from (select "the row" as was, coalesce(whose, to_jsonb("the row") ->> by_column) as tenant_id,
                        (row_number() over () - 1) / most as part from old_rows "the row") r
                group by r.tenant_id, r.part) c
            where c.changes is not null;
        when 'UPDATE' then
            -- A row that was to go to another partition, and that a trigger there has kept out, is among the old ones
            -- alone; which one that was, nobody knows. Then none is paired.
            if is_partitioned and (select count(*) from old_rows) <> (select count(*) from new_rows) then
                insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
                select 'update_rows', subject, c.changes, c.tenant_id, by_role, session_user
                from (select r.is_after, r.tenant_id, r.part,
                        tenant_internal.row_changes(case when not r.is_after then r.of end, case when r.is_after then r.of end, keys, told, secret) as changes
                    from (select false as is_after, "the row" as of, coalesce(whose, to_jsonb("the row") ->> by_column) as tenant_id,
                            (row_number() over () - 1) / most as part from old_rows "the row"
                        union all
                        select true, "the row", coalesce(whose, to_jsonb("the row") ->> by_column),
                            (row_number() over () - 1) / most from new_rows "the row") r
                    group by r.is_after, r.tenant_id, r.part) c
                where c.changes is not null
                order by c.is_after, c.part;
                return null;
            end if;
            -- A row that went to another tenant is told to each of them as far as it was its own.
            insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
            select 'update_rows', subject, c.changes, c.tenant_id, by_role, session_user
            from (select p.tenant_id, tenant_internal.row_changes(
                        case when whose is not null or p.former is not distinct from p.tenant_id then p.was end,
                        p.is_now, keys, told, secret) as changes
                from (select o.was, n.is_now, n.nth, coalesce(whose, to_jsonb(n.is_now) ->> by_column) as tenant_id,
                        coalesce(whose, to_jsonb(o.was) ->> by_column) as former
                    from (select "the row" as is_now, row_number() over () as nth from new_rows "the row") n
                    left join (select "the row" as was, row_number() over () as nth from old_rows "the row") o on o.nth = n.nth) p
                group by p.tenant_id, (p.nth - 1) / most) c
            where c.changes is not null;
            if whose is null and by_column <> '' then
                insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
                select 'update_rows', subject, c.changes, c.tenant_id, by_role, session_user
                from (select to_jsonb(o.was) ->> by_column as tenant_id,
                        tenant_internal.row_changes(o.was, null, keys, told, secret) as changes
                    from (select "the row" as was, row_number() over () as nth from old_rows "the row") o
                    left join (select "the row" as is_now, row_number() over () as nth from new_rows "the row") n on o.nth = n.nth
                    where to_jsonb(o.was) ->> by_column is distinct from to_jsonb(n.is_now) ->> by_column
                    group by 1, (o.nth - 1) / most) c
                where c.changes is not null;
            end if;
        else
            insert into tenant.journal (action, object, tenant_id, role, session_role)
                values ('truncate_rows', subject, whose, by_role, session_user);
    end case;
    return null;
end
$$;

revoke all on function tenant_internal.audit_change() from public;

comment on table tenant.audited is 'The tables whose changes are journalled, with the columns that are told, and those whose values are left out.';

grant select on tenant.audited to tenant_admin;

create or replace function tenant_internal.drop_audit_triggers(rel regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
    trigger name;
begin
    for trigger in select tgname from pg_trigger where tgrelid = rel and tgfoid = 'tenant_internal.audit_change()'::regprocedure loop
        execute format('drop trigger %I on %s', trigger, rel);
    end loop;
end
$$;

revoke all on function tenant_internal.drop_audit_triggers(regclass) from public;

create or replace function tenant_internal.make_audit_triggers(rel regclass, columns name[], secret name[]) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    by_column constant text := coalesce((select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.fence_column(rel)), '');
    keys constant name[] := array(select a.attname from pg_index i cross join lateral unnest(i.indkey) with ordinality k (attnum, nth)
        join pg_attribute a on a.attrelid = rel and a.attnum = k.attnum where i.indrelid = rel and i.indisprimary order by k.nth);
    arguments constant text := format('%L, %L, %L, %L, %L', by_column, keys, coalesce(columns::text, ''), secret,
        (select relkind = 'p' from pg_class where oid = rel));
    of record;
begin
    perform tenant_internal.drop_audit_triggers(rel);
    for of in values ('insert', 'referencing new table as new_rows'), ('delete', 'referencing old table as old_rows'),
            ('update', 'referencing old table as old_rows new table as new_rows'), ('truncate', '') loop
        execute format('create trigger tenant_audit_%s after %1$s on %s %s for each statement execute function tenant_internal.audit_change(%s)',
            of.column1, rel, of.column2, arguments);
    end loop;
end
$$;

revoke all on function tenant_internal.make_audit_triggers(regclass, name[], name[]) from public;

create or replace function tenant_internal.require_auditable(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    caller constant name := case current_setting('role') when 'none' then session_user else current_setting('role') end;
    class pg_class;
    why text;
begin
    select * into class from pg_class where oid = rel;
    if not pg_has_role(caller, class.relowner, 'usage') then
        raise exception using
            errcode = '42501',
            message = format('must be owner of table %s', rel),
            hint = 'Only its owner decides what of it is journalled.';
    end if;
    why := case when tenant.current_id() is not null then 'A tenant is entered.'
        when class.relkind not in ('r', 'p') then 'Only tables have the triggers that it takes.'
        when class.relpersistence = 't' then 'It is temporary.'
        when class.relnamespace in ('tenant'::regnamespace, 'tenant_internal'::regnamespace) then 'It is the extension''s own.' end;
    if why is not null then
        raise exception using
            errcode = 'TN157',
            message = format('changes of %s cannot be journalled', rel),
            detail = why,
            hint = 'select tenant.audit(''<table>''); outside of a tenant, by the table''s owner.';
    end if;
end
$$;

revoke all on function tenant_internal.require_auditable(regclass) from public;

create or replace function tenant.audit(rel regclass, columns name[] default null, secret name[] default '{}') returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
#variable_conflict use_variable
declare
    caller constant name := case current_setting('role') when 'none' then session_user else current_setting('role') end;
    missing text;
    part regclass;
begin
    perform tenant_internal.require_auditable(rel);
    select string_agg(quote_ident(n), ', ') into missing from unnest(columns || coalesce(secret, '{}')) n
        where not exists (select from pg_attribute a where a.attrelid = rel and a.attname = n and a.attnum > 0 and not a.attisdropped);
    if missing is not null or columns = '{}' then
        raise exception using
            errcode = 'TN157',
            message = format('changes of %s cannot be journalled', rel),
            detail = case when missing is null then 'No column is named.' else format('It has no column %s.', missing) end,
            hint = 'Name columns that it has; null tells all.';
    end if;
    for part in select p from tenant_internal.hierarchy(rel) p join pg_class c on c.oid = p where c.relkind in ('r', 'p') loop
        perform tenant_internal.make_audit_triggers(part, columns, coalesce(secret, '{}'));
    end loop;
    insert into tenant.audited as a (relation, columns, secret, audited_by) values (rel, columns, coalesce(secret, '{}'), caller)
        on conflict (relation) do update set columns = excluded.columns, secret = excluded.secret, audited_at = now(), audited_by = excluded.audited_by;
    perform tenant_internal.write_journal('audit', rel::text, null, jsonb_build_object('columns', columns, 'secret', secret));
end
$$;

comment on function tenant.audit(regclass, name[], name[]) is 'From now on what statements change in the table, its partitions and its children is in the journal: the key, and the values before and after of the columns that changed. Values of secret columns are left out. TN157 where that cannot be.';

revoke all on function tenant.audit(regclass, name[], name[]) from public;

grant execute on function tenant.audit(regclass, name[], name[]) to tenant_admin;

create or replace function tenant.unaudit(rel regclass, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    part regclass;
begin
    perform tenant_internal.require_reason(reason);
    perform tenant_internal.require_auditable(rel);
    delete from tenant.audited where relation = rel;
    if not found then
        raise exception using
            errcode = 'TN157',
            message = format('changes of %s are not journalled', rel),
            detail = 'tenant.audited has no such line.',
            hint = 'select * from tenant.audited; lists what is.';
    end if;
    for part in select tenant_internal.hierarchy(rel) loop
        perform tenant_internal.drop_audit_triggers(part);
    end loop;
    perform tenant_internal.write_journal('unaudit', rel::text, reason);
end
$$;

comment on function tenant.unaudit(regclass, text) is 'What is changed in the table from now on is no longer in the journal. TN029 no reason, TN157 where it was not audited.';

revoke all on function tenant.unaudit(regclass, text) from public;

grant execute on function tenant.unaudit(regclass, text) to tenant_admin;

create or replace function tenant_internal.ancestors_of(rel regclass) returns setof regclass
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive above (relation) as (
        select inhparent from pg_inherits where inhrelid = rel
        union
        select i.inhparent from above a join pg_inherits i on i.inhrelid = a.relation
    )
    select relation::regclass from above
$$;

revoke all on function tenant_internal.ancestors_of(regclass) from public;

create or replace function tenant_internal.audit_newcomer(child regclass, parent regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    audited tenant.audited;
    part regclass;
begin
    select a.* into audited from tenant.audited a where a.relation in (select parent union select tenant_internal.ancestors_of(parent)) limit 1;
    if found then
        for part in select p from tenant_internal.hierarchy(child) p join pg_class c on c.oid = p where c.relkind in ('r', 'p') loop
            perform tenant_internal.make_audit_triggers(part, audited.columns, audited.secret);
        end loop;
    end if;
end
$$;

revoke all on function tenant_internal.audit_newcomer(regclass, regclass) from public;

create or replace view tenant.audit_changes with (security_barrier = true) as
    select l.id, l.at, l.actor, l.impersonator, l.request_id, l.object as "table", replace(l.action, '_rows', '') as change,
        c.of -> 'key' as key, c.of -> 'before' as before, c.of -> 'after' as after, c.of -> 'left_out' as left_out
    from tenant.audit_log l
    cross join lateral jsonb_array_elements(l.detail -> 'rows') c (of)
    where l.action in ('insert_rows', 'update_rows', 'delete_rows');

comment on view tenant.audit_changes is 'What was changed in the current tenant''s rows of audited tables, row by row.';

grant select on tenant.audit_changes to tenant_user;

comment on table tenant.data_keys is 'Tenants'' data keys, each wrapped by a key that is elsewhere.';

create or replace function tenant.data_keys_for(purpose text) returns table (version integer, wrapped bytea, age interval, uncommitted boolean)
    language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select k.version, k.wrapped, clock_timestamp() - k.created_at, k.added_by is not distinct from pg_current_xact_id_if_assigned() from tenant.data_keys k
    where k.tenant_id = tenant.current_id() and tenant.is_current(k.tenant_id) and k.purpose = data_keys_for.purpose
    order by k.version desc
$$;

comment on function tenant.data_keys_for(text) is 'The wrapped data keys of the transaction''s tenant, the newest first, for how long each is there, and whether this transaction has added it; none without a tenant.';

revoke all on function tenant.data_keys_for(text) from public;

grant execute on function tenant.data_keys_for(text) to tenant_user;

create or replace function tenant.add_data_key(purpose text, version integer, wrapped bytea) returns bytea
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    here constant text := tenant.current_id();
    stored bytea;
begin
    if here is null then
        raise exception using
            errcode = 'TN001',
            message = 'no tenant: data keys are a tenant''s',
            detail = 'The transaction has not entered a tenant.',
            hint = 'Enter one first: select tenant.enter(''<id>'');';
    end if;
    insert into tenant.data_keys as k (tenant_id, purpose, version, wrapped)
        values (here, add_data_key.purpose, add_data_key.version, add_data_key.wrapped)
        on conflict on constraint data_keys_pkey do nothing;
    select k.wrapped into strict stored from tenant.data_keys k
        where k.tenant_id = here and k.purpose = add_data_key.purpose and k.version = add_data_key.version;
    return stored;
end
$$;

comment on function tenant.add_data_key(text, integer, bytea) is 'Keeps a wrapped data key of the transaction''s tenant, and gives the one that is kept. TN001 without a tenant.';

revoke all on function tenant.add_data_key(text, integer, bytea) from public;

grant execute on function tenant.add_data_key(text, integer, bytea) to tenant_user;

create or replace function tenant.forget_data_keys(id text, reason text) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical constant text := tenant.canonical_id(id);
    forgotten bigint;
    state text;
begin
    perform tenant_internal.give_reason(reason), tenant_internal.require_known(canonical);
    select t.status into state from tenant.tenants t where t.id = canonical for no key update;
    if state <> 'purged' then
        raise exception using
            errcode = 'TN169',
            message = format('the data keys of tenant "%s" are needed', canonical),
            detail = format('The tenant is %s, and what they have sealed could not be opened any more.', state),
            hint = 'Those of a tenant that is purged are forgotten: tenant.offboard(), and tenant.mark_purged() when its time has come.';
    end if;
    delete from tenant.data_keys k where k.tenant_id = canonical;
    get diagnostics forgotten = row_count;
    perform tenant_internal.write_journal('forget_data_keys', canonical, reason, jsonb_build_object('keys', forgotten));
    return forgotten;
end
$$;

comment on function tenant.forget_data_keys(text, text) is 'Forgets the data keys of a tenant that is purged, after its key was destroyed, and says how many there were; the journal has a line of it. TN002 unknown, TN029 no reason, TN169 the tenant is not purged.';

revoke all on function tenant.forget_data_keys(text, text) from public;

grant execute on function tenant.forget_data_keys(text, text) to tenant_admin;

create or replace function tenant.forget_data_keys(id uuid, reason text) returns bigint language sql
    begin atomic select tenant.forget_data_keys(id::text, reason); end;

revoke all on function tenant.forget_data_keys(uuid, text) from public;

grant execute on function tenant.forget_data_keys(uuid, text) to tenant_admin;

create or replace function tenant.forget_data_keys(id bigint, reason text) returns bigint language sql
    begin atomic select tenant.forget_data_keys(id::text, reason); end;

revoke all on function tenant.forget_data_keys(bigint, text) from public;

grant execute on function tenant.forget_data_keys(bigint, text) to tenant_admin;

create or replace function tenant_internal.tenant_has_keys() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from tenant.data_keys k where k.tenant_id = new.id;
    return null;
end
$$;

revoke all on function tenant_internal.tenant_has_keys() from public;

create or replace function tenant.is_sealed(value bytea) returns boolean
    language sql immutable parallel safe
    return pg_catalog.octet_length(value) >= 36 and pg_catalog.substr(value, 1, 4) operator(pg_catalog.=) '\x50545331'::bytea;

comment on function tenant.is_sealed(bytea) is 'Whether a value was sealed by the client, judged by its form.';

grant execute on function tenant.is_sealed(bytea) to public;

create or replace function tenant.declare_sealed(rel regclass, column_name name) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    kind oid;
    -- Two long names have two.
    called constant name := case when octet_length(column_name) <= 50 then column_name || '_sealed'
        else left(column_name, 30) || '_' || left(md5(column_name), 12) || '_sealed' end;
begin
    select a.atttypid into kind from pg_attribute a where a.attrelid = rel and a.attname = column_name and a.attnum > 0 and not a.attisdropped;
    if kind is distinct from 'bytea'::regtype then
        raise exception using
            errcode = '42804',
            message = format('column %I of %s cannot hold sealed values', column_name, rel),
            detail = case when kind is null then 'There is no such column.' else format('It is of type %s.', kind::regtype) end,
            hint = 'Sealed values are bytea.';
    end if;
    -- A value that is there already and is none is said by PostgreSQL: 23514. So is a constraint of another kind that
    -- has this name: 42710.
    if exists (select from pg_constraint c join pg_depend d on d.classid = 'pg_constraint'::regclass and d.objid = c.oid
            and d.refclassid = 'pg_proc'::regclass and d.refobjid = 'tenant.is_sealed(bytea)'::regprocedure
            where c.conrelid = rel and c.conname = called) then
        execute format('alter table %s drop constraint %I', rel, called);
    end if;
    execute format('alter table %s add constraint %I check (tenant.is_sealed(%I))', rel, called, column_name);
end
$$;

comment on function tenant.declare_sealed(regclass, name) is 'Lets the column hold sealed values alone: a constraint refuses others (23514). 42804 it is no bytea.';

revoke all on function tenant.declare_sealed(regclass, name) from public;

grant execute on function tenant.declare_sealed(regclass, name) to tenant_admin;

comment on table tenant.meters is 'The meters: unit, period, aggregation, the limits of tenants whose plan says nothing, and the table whose rows are counted.';

grant select on tenant.meters to tenant_admin, tenant_system, tenant_reader;

comment on table tenant.quotas is 'Limits that a tenant has of its own, in place of its plan''s. Null is no limit.';

grant select on tenant.quotas to tenant_admin, tenant_system, tenant_reader;

create or replace function tenant_internal.refuse_meter(message text, detail text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using errcode = 'TN170', message = message, detail = detail, hint = hint;
end
$$;

revoke all on function tenant_internal.refuse_meter(text, text, text) from public;

grant execute on function tenant_internal.refuse_meter(text, text, text) to tenant_admin;

create or replace function tenant_internal.require_meter(meter text) returns tenant.meters
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    m tenant.meters;
begin
    select * into m from tenant.meters n where n.meter = require_meter.meter;
    if not found then
        perform tenant_internal.refuse_meter(format('there is no meter %s', coalesce(quote_literal(left(require_meter.meter, 80)), 'null')),
            'tenant.meters has no such line.', 'An operator declares it: select tenant.define_meter(''<meter>'', ''<unit>'');');
    end if;
    return m;
end
$$;

revoke all on function tenant_internal.require_meter(text) from public;

create or replace function tenant_internal.is_quota(quota jsonb) returns boolean
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case jsonb_typeof(quota)
        when 'null' then true
        when 'number' then quota::numeric >= 0
        when 'object' then quota - '{hard,soft}'::text[] = '{}' and (select bool_and(case jsonb_typeof(e.value)
            when 'null' then true when 'number' then e.value::numeric >= 0 else false end) from jsonb_each(quota) e) is not false
        else false end
$$;

revoke all on function tenant_internal.is_quota(jsonb) from public;

create or replace function tenant_internal.check_quotas() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    wrong text;
begin
    select e.key into wrong from jsonb_each(new.quotas) e join tenant.meters m on m.meter = e.key
        where not tenant_internal.is_quota(e.value) order by 1 limit 1;
    if found and not tenant_internal.is_restoring() then
        raise exception using
            errcode = 'TN136',
            message = format('plan "%s" cannot have such a quota of meter "%s"', new.plan, wrong),
            detail = format('It is %s.', left((new.quotas -> wrong)::text, 200)),
            hint = 'A quota is a number, null for no limit, or {"hard": number, "soft": number}.';
    end if;
    return new;
end
$$;

revoke all on function tenant_internal.check_quotas() from public;

create or replace function tenant_internal.quota_of(id text, meter text, out hard numeric, out soft numeric)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    select coalesce(case when q.tenant_id is not null then q.hard_limit
            when p.quotas ? m.meter then case jsonb_typeof(p.quotas -> m.meter) when 'object' then p.quotas -> m.meter ->> 'hard'
                else p.quotas ->> m.meter end::numeric
            else m.hard_limit end, 'Infinity'),
        coalesce(case when q.tenant_id is not null then q.soft_limit
            when p.quotas ? m.meter then case jsonb_typeof(p.quotas -> m.meter) when 'object' then p.quotas -> m.meter ->> 'soft' end::numeric
            else m.soft_limit end, 'Infinity')
    into hard, soft from tenant.meters m
    left join tenant.tenants t on t.id = quota_of.id
    left join tenant.plans p on p.plan = t.plan
    left join tenant.quotas q on (q.tenant_id, q.meter) = (quota_of.id, m.meter)
    where m.meter = quota_of.meter;
end
$$;

revoke all on function tenant_internal.quota_of(text, text) from public;

grant execute on function tenant_internal.quota_of(text, text) to tenant_admin, tenant_system, tenant_reader;

create or replace function tenant.define_meter(meter text, unit text, period text default 'month', aggregation text default 'sum',
    hard_limit numeric default null, soft_limit numeric default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    why text;
    was tenant.meters;
begin
    why := case
        when define_meter.meter is null or define_meter.meter !~ '^[a-z][a-z0-9_]{0,62}$' then 'A meter''s name has 1 to 63 characters a-z 0-9 _ and begins with a letter.'
        when coalesce(btrim(unit), '') = '' then 'Its unit is empty.'
        when coalesce(period not in ('minute', 'hour', 'day', 'month', 'year', 'forever'), true) then 'Its period is none of minute, hour, day, month, year, forever.'
        when coalesce(aggregation not in ('sum', 'max', 'last'), true) then 'Its aggregation is none of sum, max, last.'
        when hard_limit < 0 or soft_limit < 0 or hard_limit in ('NaN', 'Infinity') or soft_limit in ('NaN', 'Infinity') then 'A limit is a number from 0 on, or null.'
        when soft_limit > hard_limit then 'Its soft limit is above the hard one.' end;
    select * into was from tenant.meters m where m.meter = define_meter.meter for update;
    if why is null and (was.period, was.aggregation) <> (define_meter.period, define_meter.aggregation)
            and exists (select from tenant.usage u where u.meter = was.meter) then
        why := 'Its period and aggregation stay as they are while there is usage: it was counted by them.';
    elsif why is null then
        select format('Plan "%s" has a quota of it that is none: %s.', p.plan, left((p.quotas -> define_meter.meter)::text, 200)) into why
            from tenant.plans p where p.quotas ? define_meter.meter and not tenant_internal.is_quota(p.quotas -> define_meter.meter)
            order by p.plan limit 1;
    end if;
    if why is not null then
        perform tenant_internal.refuse_meter(format('meter %s cannot be like this', coalesce(quote_literal(left(define_meter.meter, 80)), 'null')),
            why, 'select tenant.define_meter(''api_calls'', ''calls'', ''month'', hard_limit => 10000);');
    end if;
    perform tenant_internal.require_plain('a unit', unit);
    insert into tenant.meters as m (meter, unit, period, aggregation, hard_limit, soft_limit)
        values (define_meter.meter, define_meter.unit, define_meter.period, define_meter.aggregation, define_meter.hard_limit, define_meter.soft_limit)
        on conflict on constraint meters_pkey do update set unit = excluded.unit, period = excluded.period,
            aggregation = excluded.aggregation, hard_limit = excluded.hard_limit, soft_limit = excluded.soft_limit;
    perform tenant_internal.write_journal('define_meter', define_meter.meter, null, jsonb_strip_nulls(jsonb_build_object('unit', unit,
        'period', period, 'aggregation', aggregation, 'hard_limit', hard_limit, 'soft_limit', soft_limit)));
end
$$;

comment on function tenant.define_meter(text, text, text, text, numeric, numeric) is 'Declares a meter, or changes it to this. The limits are those of tenants whose plan says nothing of the meter; null is none. Periods begin in UTC. TN170 malformed, TN100 a unit with control characters.';

revoke all on function tenant.define_meter(text, text, text, text, numeric, numeric) from public;

grant execute on function tenant.define_meter(text, text, text, text, numeric, numeric) to tenant_admin;

create or replace function tenant.drop_meter(meter text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant tenant.meters := tenant_internal.require_meter(meter);
begin
    perform tenant_internal.require_reason(reason);
    if m.relation is not null then
        perform tenant_internal.refuse_meter(format('meter "%s" cannot be dropped', m.meter), format('It counts the rows of %s.', m.relation),
            format('select tenant.unmeter_rows(%L, ''<reason>'');', m.meter));
    end if;
    delete from tenant.usage u where u.meter = m.meter;
    delete from tenant.usage_days d where d.meter = m.meter;
    delete from tenant.usage_warnings w where w.meter = m.meter;
    delete from tenant.meters n where n.meter = m.meter;
    perform tenant_internal.write_journal('drop_meter', m.meter, reason);
end
$$;

comment on function tenant.drop_meter(text, text) is 'Removes a meter with what was counted by it, and the tenants'' own quotas of it; usage records stay. TN170 where there is none or it counts rows, TN029 without a reason.';

revoke all on function tenant.drop_meter(text, text) from public;

grant execute on function tenant.drop_meter(text, text) to tenant_admin;

create or replace function tenant.set_quota(id text, meter text, hard_limit numeric, soft_limit numeric default null, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    m constant tenant.meters := tenant_internal.require_meter(meter);
begin
    perform tenant_internal.require_known(canonical);
    if reason is not null then
        perform tenant_internal.require_reason(reason);
    end if;
    if hard_limit < 0 or soft_limit < 0 or soft_limit > hard_limit or hard_limit in ('NaN', 'Infinity') or soft_limit in ('NaN', 'Infinity') then
        perform tenant_internal.refuse_meter(format('tenant "%s" cannot have such a quota of meter "%s"', canonical, m.meter),
            format('The hard limit is %s, the soft one %s.', coalesce(hard_limit::text, 'none'), coalesce(soft_limit::text, 'none')),
            'Limits are numbers from 0 on, the soft one not above the hard one; null is none.');
    end if;
    insert into tenant.quotas as q (tenant_id, meter, hard_limit, soft_limit)
        values (canonical, m.meter, set_quota.hard_limit, set_quota.soft_limit)
        on conflict on constraint quotas_pkey do update set hard_limit = excluded.hard_limit, soft_limit = excluded.soft_limit, changed_at = now();
    perform tenant_internal.write_journal('set_quota', m.meter, reason, jsonb_build_object('hard_limit', hard_limit, 'soft_limit', soft_limit), canonical);
end
$$;

comment on function tenant.set_quota(text, text, numeric, numeric, text) is 'Gives the tenant limits of its own, in place of its plan''s; null is no limit. In force from the next consumption on. TN170 no such meter or limits, TN002 no such tenant.';

revoke all on function tenant.set_quota(text, text, numeric, numeric, text) from public;

grant execute on function tenant.set_quota(text, text, numeric, numeric, text) to tenant_admin;

create or replace function tenant.set_quota(id uuid, meter text, hard_limit numeric, soft_limit numeric default null, reason text default null) returns void language sql
    begin atomic select tenant.set_quota(id::text, meter, hard_limit, soft_limit, reason); end;

revoke all on function tenant.set_quota(uuid, text, numeric, numeric, text) from public;

grant execute on function tenant.set_quota(uuid, text, numeric, numeric, text) to tenant_admin;

create or replace function tenant.set_quota(id bigint, meter text, hard_limit numeric, soft_limit numeric default null, reason text default null) returns void language sql
    begin atomic select tenant.set_quota(id::text, meter, hard_limit, soft_limit, reason); end;

revoke all on function tenant.set_quota(bigint, text, numeric, numeric, text) from public;

grant execute on function tenant.set_quota(bigint, text, numeric, numeric, text) to tenant_admin;

create or replace function tenant.clear_quota(id text, meter text, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    m constant tenant.meters := tenant_internal.require_meter(meter);
begin
    perform tenant_internal.require_known(canonical);
    if reason is not null then
        perform tenant_internal.require_reason(reason);
    end if;
    delete from tenant.quotas q where (q.tenant_id, q.meter) = (canonical, m.meter);
    if found then
        perform tenant_internal.write_journal('clear_quota', m.meter, reason, null, canonical);
    end if;
end
$$;

comment on function tenant.clear_quota(text, text, text) is 'The tenant has the limits of its plan again. TN170 no such meter, TN002 no such tenant.';

revoke all on function tenant.clear_quota(text, text, text) from public;

grant execute on function tenant.clear_quota(text, text, text) to tenant_admin;

create or replace function tenant.clear_quota(id uuid, meter text, reason text default null) returns void language sql
    begin atomic select tenant.clear_quota(id::text, meter, reason); end;

revoke all on function tenant.clear_quota(uuid, text, text) from public;

grant execute on function tenant.clear_quota(uuid, text, text) to tenant_admin;

create or replace function tenant.clear_quota(id bigint, meter text, reason text default null) returns void language sql
    begin atomic select tenant.clear_quota(id::text, meter, reason); end;

revoke all on function tenant.clear_quota(bigint, text, text) from public;

grant execute on function tenant.clear_quota(bigint, text, text) to tenant_admin;

comment on table tenant.usage is 'What tenants have used in the periods that are not over, by meter, in 16 stripes.';

grant select on tenant.usage to tenant_admin, tenant_system, tenant_reader;

comment on table tenant.usage_days is 'What tenants have used on days before the last one of each stripe.';

grant select on tenant.usage_days to tenant_admin, tenant_system, tenant_reader;

comment on table tenant.usage_warnings is 'Who has passed a soft limit in which period: it is told once. Of meters without a period, once a day.';

grant select on tenant.usage_warnings to tenant_admin, tenant_system, tenant_reader;

create or replace function tenant_internal.period_start(period text, at timestamptz) returns timestamptz
    language sql immutable parallel safe
    begin atomic
        select (case period when 'forever' then timestamptz '-infinity' else date_trunc(period, at at time zone 'UTC') at time zone 'UTC' end);
    end;

revoke all on function tenant_internal.period_start(text, timestamptz) from public;

grant execute on function tenant_internal.period_start(text, timestamptz) to tenant_admin, tenant_system, tenant_reader;

create or replace function tenant_internal.period_end(period text, begins timestamptz) returns timestamptz
    language sql immutable parallel safe
    begin atomic
        select (case period when 'forever' then timestamptz 'infinity'
            else (begins at time zone 'UTC' + ('1 ' || period)::interval) at time zone 'UTC' end);
    end;

revoke all on function tenant_internal.period_end(text, timestamptz) from public;

grant execute on function tenant_internal.period_end(text, timestamptz) to tenant_admin, tenant_system, tenant_reader;

create or replace function tenant_internal.refuse_usage(id text, m tenant.meters, hard numeric, used numeric, amount numeric) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    resets constant timestamptz := tenant_internal.period_end(m.period, tenant_internal.period_start(m.period, clock_timestamp()));
begin
    raise exception using
        errcode = 'TN171',
        message = format('tenant "%s" is over its limit of meter "%s"', id, m.meter),
        detail = format('The limit is %s %s%s; %s used, and %s more asked for. ', trim_scale(hard), m.unit,
                case m.period when 'forever' then '' else ' per ' || m.period end, trim_scale(used), trim_scale(amount))
            || case m.period when 'forever' then 'It does not reset.' else format('It resets in %s s, at %s.',
                ceil(extract(epoch from resets - clock_timestamp()))::bigint, to_char(resets at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) end
            || coalesce((select format(' Plan "%s" has %s.', p.plan, coalesce(q.hard::text, 'no limit'))
                from tenant.plans p
                cross join lateral (select case jsonb_typeof(p.quotas -> m.meter) when 'object' then p.quotas -> m.meter ->> 'hard'
                    else p.quotas ->> m.meter end::numeric as hard) q
                where p.quotas ? m.meter and coalesce(q.hard, 'Infinity') >= used + amount and coalesce(q.hard, 'Infinity') > refuse_usage.hard
                order by p.rank, p.plan limit 1), ' No plan has more.'),
        hint = case m.period when 'forever' then 'Give something back, or have an operator raise the limit: '
            else 'Try again after that, or have an operator raise the limit: ' end
            || format('tenant.set_plan(), tenant.set_quota(%L, %L, <limit>).', id, m.meter);
end
$$;

revoke all on function tenant_internal.refuse_usage(text, tenant.meters, numeric, numeric, numeric) from public;

create or replace function tenant_internal.warn_of_usage(id text, m tenant.meters, begins timestamptz, soft numeric, used numeric) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    insert into tenant.usage_warnings (tenant_id, meter, period_start) values (id, m.meter,
        case m.period when 'forever' then tenant_internal.period_start('day', clock_timestamp()) else begins end)
        on conflict on constraint usage_warnings_pkey do nothing;
    if found then
        perform tenant_internal.write_journal('soft_limit', m.meter, null,
            jsonb_build_object('soft_limit', soft, 'used', used, 'period_start', begins), id);
        raise warning using
            errcode = 'TN173',
            message = format('tenant "%s" has passed its soft limit of meter "%s"', id, m.meter),
            detail = format('The soft limit is %s %s%s; %s used.', trim_scale(soft), m.unit,
                case m.period when 'forever' then '' else ' per ' || m.period end, trim_scale(used)),
            hint = 'Nothing is refused before the hard limit.';
    end if;
end
$$;

revoke all on function tenant_internal.warn_of_usage(text, tenant.meters, timestamptz, numeric, numeric) from public;

create or replace function tenant_internal.add_day(id text, m tenant.meters, day date, stripe smallint, used numeric, at timestamptz) returns void
    language sql set search_path = pg_catalog, pg_temp as $$
    insert into tenant.usage_days as d (tenant_id, meter, day, stripe, used, at)
        select add_day.id, (add_day.m).meter, add_day.day, add_day.stripe, add_day.used, add_day.at
        where (add_day.m).relation is null
        on conflict on constraint usage_days_pkey do update set at = greatest(d.at, excluded.at),
            used = case (add_day.m).aggregation when 'sum' then d.used + excluded.used when 'max' then greatest(d.used, excluded.used)
                else case when d.at > excluded.at then d.used else excluded.used end end
$$;

revoke all on function tenant_internal.add_day(text, tenant.meters, date, smallint, numeric, timestamptz) from public;

create or replace function tenant_internal.consume_exactly(id text, m tenant.meters, amount numeric, here smallint, enforce boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    moment timestamptz := clock_timestamp();
    begins timestamptz := tenant_internal.period_start(m.period, moment);
    q record;
    total numeric;
    rest numeric;
    part numeric;
begin
    select * into q from tenant_internal.quota_of(id, m.meter);
    select sum(u.used) into total from tenant.usage u where (u.tenant_id, u.meter, u.period_start) = (id, m.meter, begins);
    -- What is committed does not become less, but by rows that others are deleting: nobody waits to be refused.
    if enforce and amount > 0 and coalesce(total, 0) + amount > q.hard then
        perform tenant_internal.refuse_usage(id, m, q.hard, coalesce(total, 0), amount);
    end if;
    perform pg_advisory_xact_lock(('x' || left(encode(sha256(convert_to('pg_tenant usage/' || m.meter || '/' || id, 'UTF8')), 'hex'), 16))::bit(64)::bigint);
    -- Another moment, after the wait, and what is in force then.
    moment := clock_timestamp();
    begins := tenant_internal.period_start(m.period, moment);
    select * into q from tenant_internal.quota_of(id, m.meter);
    insert into tenant.usage (tenant_id, meter, period_start, stripe, used, granted, hard, soft, day, at)
        select id, m.meter, begins, s, 0, 0, q.hard, q.soft, (moment at time zone 'UTC')::date, moment from generate_series(0, 15) s
        on conflict do nothing;
    select sum(l.used) into total from (select u.used from tenant.usage u
        where (u.tenant_id, u.meter, u.period_start) = (id, m.meter, begins) order by u.stripe for no key update) l;
    if enforce and amount > 0 and total + amount > q.hard then
        perform tenant_internal.refuse_usage(id, m, q.hard, total, amount);
    end if;
    -- Below the soft limit there is only so much to grant as leads to it: who passes it comes through here.
    if total + amount > q.soft then
        perform tenant_internal.warn_of_usage(id, m, begins, q.soft, total + amount);
        rest := q.hard - total - amount;
    else
        rest := least(q.hard, q.soft) - total - amount;
    end if;
    part := case when rest > 0 then trunc(rest / 16) else 0 end;
    rest := case when rest > 0 and rest <> 'Infinity' then rest - 16 * part else 0 end;
    perform tenant_internal.add_day(id, m, u.day, u.stripe, u.on_day, u.at) from tenant.usage u
        where (u.tenant_id, u.meter, u.period_start) = (id, m.meter, begins) and u.day <> (moment at time zone 'UTC')::date and u.on_day <> 0;
    -- Beyond the limit a part is what is used, and that becomes less when rows are deleted: it is a part of no limit.
    update tenant.usage u set hard = case when total + consume_exactly.amount > q.hard then -1 else q.hard end, soft = q.soft, day = (moment at time zone 'UTC')::date,
            used = u.used + n.amount, granted = u.used + n.amount + part + case u.stripe when here then rest else 0 end,
            on_day = case u.day when (moment at time zone 'UTC')::date then u.on_day else 0 end + n.amount,
            at = case u.stripe when here then moment else u.at end
        from (select s::smallint as stripe, case s when here then consume_exactly.amount else 0 end as amount from generate_series(0, 15) s) n
        where (u.tenant_id, u.meter, u.period_start) = (id, m.meter, begins) and u.stripe = n.stripe;
end
$$;

revoke all on function tenant_internal.consume_exactly(text, tenant.meters, numeric, smallint, boolean) from public;

create or replace function tenant_internal.count(id text, m tenant.meters, amount numeric, enforce boolean default true) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    moment constant timestamptz := clock_timestamp();
    today constant date := (moment at time zone 'UTC')::date;
    begins constant timestamptz := tenant_internal.period_start(m.period, moment);
    here constant smallint := pg_backend_pid() % 16;
    q record;
    mine tenant.usage;
begin
    select * into q from tenant_internal.quota_of(id, m.meter);
    -- A stripe that nobody has locked, this session's usual one first.
    update tenant.usage u set used = u.used + count.amount, on_day = u.on_day + count.amount, at = moment
        where (u.tenant_id, u.meter, u.period_start) = (id, m.meter, begins) and u.stripe = (select v.stripe from tenant.usage v
            where (v.tenant_id, v.meter, v.period_start) = (id, m.meter, begins) and v.day = today
                and (count.amount <= 0 or (v.hard, v.soft) = (q.hard, q.soft) and v.used + count.amount <= v.granted)
            order by v.stripe <> here limit 1 for no key update skip locked);
    if found then
        return;
    end if;
    -- They are locked, or the day is another: the usual one, when it is free. Where it has no room then, its lock is
    -- given back before the meter's is waited for: whoever has that may wait for this.
    if exists (select from tenant.usage v where (v.tenant_id, v.meter, v.period_start, v.stripe) = (id, m.meter, begins, here)
            and (count.amount <= 0 or (v.hard, v.soft) = (q.hard, q.soft) and v.used + count.amount <= v.granted)) then
        begin
            select * into mine from tenant.usage u
                where (u.tenant_id, u.meter, u.period_start, u.stripe) = (id, m.meter, begins, here) for no key update;
            if mine.day < today and mine.on_day <> 0 then
                perform tenant_internal.add_day(id, m, mine.day, here, mine.on_day, mine.at);
            end if;
            update tenant.usage u set used = u.used + count.amount, day = today, at = moment,
                    on_day = case u.day when today then u.on_day else 0 end + count.amount
                where (u.tenant_id, u.meter, u.period_start, u.stripe) = (id, m.meter, begins, here)
                    and (count.amount <= 0 or (u.hard, u.soft) = (q.hard, q.soft) and u.used + count.amount <= u.granted);
            if not found then
                raise exception using errcode = 'PTN17';
            end if;
            return;
        exception when sqlstate 'PTN17' then null;
        end;
    end if;
    perform tenant_internal.consume_exactly(id, m, amount, here, enforce);
end
$$;

revoke all on function tenant_internal.count(text, tenant.meters, numeric, boolean) from public;

create or replace function tenant_internal.keep_amount(id text, m tenant.meters, amount numeric) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    moment constant timestamptz := clock_timestamp();
    today constant date := (moment at time zone 'UTC')::date;
    begins constant timestamptz := tenant_internal.period_start(m.period, moment);
    here constant smallint := pg_backend_pid() % 16;
    q record;
    mine tenant.usage;
begin
    select * into q from tenant_internal.quota_of(id, m.meter);
    if amount > q.hard then
        perform tenant_internal.refuse_usage(id, m, q.hard, 0, amount);
    elsif amount > q.soft then
        perform tenant_internal.warn_of_usage(id, m, begins, q.soft, amount);
    end if;
    insert into tenant.usage (tenant_id, meter, period_start, stripe, used, granted, hard, soft, day, on_day, at)
        values (id, m.meter, begins, here, amount, 'Infinity', q.hard, q.soft, today, amount, moment)
        on conflict on constraint usage_pkey do nothing;
    if found then
        return;
    end if;
    select * into mine from tenant.usage u
        where (u.tenant_id, u.meter, u.period_start, u.stripe) = (id, m.meter, begins, here) for no key update;
    if mine.day < today then
        perform tenant_internal.add_day(id, m, mine.day, here, mine.on_day, mine.at);
    elsif m.aggregation = 'max' and amount <= mine.on_day then
        return;
    end if;
    update tenant.usage u set at = moment, day = today,
            used = case m.aggregation when 'max' then greatest(u.used, amount) else amount end,
            on_day = case when m.aggregation = 'max' and mine.day = today then greatest(u.on_day, amount) else amount end
        where (u.tenant_id, u.meter, u.period_start, u.stripe) = (id, m.meter, begins, here);
end
$$;

revoke all on function tenant_internal.keep_amount(text, tenant.meters, numeric) from public;

create or replace function tenant_internal.consume(id text, meter text, amount numeric, out used numeric, out "limit" numeric, out remaining numeric, out resets_at timestamptz)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    m constant tenant.meters := tenant_internal.require_meter(meter);
    begins timestamptz;
begin
    if m.relation is not null or amount is null or amount < 0 or amount in ('NaN', 'Infinity') then
        raise exception using
            errcode = 'TN172',
            message = format('%s of meter "%s" cannot be consumed', coalesce(amount::text, 'null'), m.meter),
            detail = case when m.relation is not null then format('It counts the rows of %s.', m.relation) else 'An amount is a number from 0 on.' end,
            hint = case when m.relation is not null then 'Insert and delete rows.' else 'What was consumed is not given back but by a rollback.' end;
    end if;
    if m.aggregation <> 'sum' then
        perform tenant_internal.keep_amount(id, m, amount);
    elsif amount > 0 then
        perform tenant_internal.count(id, m, amount);
    end if;
    begins := tenant_internal.period_start(m.period, clock_timestamp());
    select case m.aggregation when 'sum' then sum(u.used) when 'max' then max(u.used) else (array_agg(u.used order by u.at desc))[1] end
        into used from tenant.usage u where (u.tenant_id, u.meter, u.period_start) = (id, m.meter, begins);
    used := trim_scale(coalesce(used, 0));
    select nullif(q.hard, 'Infinity') into "limit" from tenant_internal.quota_of(id, m.meter) q;
    remaining := trim_scale(greatest("limit" - used, 0));
    resets_at := nullif(tenant_internal.period_end(m.period, begins), 'infinity');
end
$$;

revoke all on function tenant_internal.consume(text, text, numeric) from public;

create or replace function tenant.consume(meter text, amount numeric default 1)
    returns table (used numeric, "limit" numeric, remaining numeric, resets_at timestamptz)
    language plpgsql volatile security definer rows 1 set search_path = pg_catalog, pg_temp as $$
declare
    here constant text := tenant.current_id();
begin
    if here is null then
        raise exception using
            errcode = 'TN001',
            message = 'no tenant: what is consumed is a tenant''s',
            detail = 'The transaction has not entered a tenant.',
            hint = 'Enter one first: select tenant.enter(''<id>''); operators: select tenant.consume_for(''<id>'', ''<meter>'');';
    end if;
    return query select c.used, c."limit", c.remaining, c.resets_at from tenant_internal.consume(here, meter, amount) c;
end
$$;

comment on function tenant.consume(text, numeric) is 'Counts an amount of the meter for the transaction''s tenant, if the transaction commits; gives what is used as far as this transaction sees, the limit, what remains, and when it resets (null: no limit, never). TN171 over the limit, TN170 no such meter, TN172 an amount below 0 or a meter that counts rows, TN001 with no tenant; warns (TN173) when a soft limit is passed, once in a period.';

revoke all on function tenant.consume(text, numeric) from public;

grant execute on function tenant.consume(text, numeric) to tenant_user, tenant_system;

create or replace function tenant.consume_for(id text, meter text, amount numeric default 1)
    returns table (used numeric, "limit" numeric, remaining numeric, resets_at timestamptz)
    language plpgsql volatile security definer rows 1 set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
begin
    if tenant.current_id() <> canonical then
        raise exception using
            errcode = 'TN005',
            message = format('tenant "%s" is entered: nothing is consumed for tenant "%s"', tenant.current_id(), canonical),
            detail = 'A tenant''s transaction changes no line of another one.',
            hint = 'Call it outside of a tenant.';
    end if;
    perform tenant_internal.require_known(canonical);
    return query select c.used, c."limit", c.remaining, c.resets_at from tenant_internal.consume(canonical, meter, amount) c;
end
$$;

comment on function tenant.consume_for(text, text, numeric) is 'As tenant.consume(), for the tenant that is named: for operators and the system context. TN002 no such tenant, TN005 in another tenant''s transaction.';

revoke all on function tenant.consume_for(text, text, numeric) from public;

grant execute on function tenant.consume_for(text, text, numeric) to tenant_admin, tenant_system;

create or replace function tenant.consume_for(id uuid, meter text, amount numeric default 1)
    returns table (used numeric, "limit" numeric, remaining numeric, resets_at timestamptz) language sql rows 1
    begin atomic select c.used, c."limit", c.remaining, c.resets_at from tenant.consume_for(id::text, meter, amount) c; end;

revoke all on function tenant.consume_for(uuid, text, numeric) from public;

grant execute on function tenant.consume_for(uuid, text, numeric) to tenant_admin, tenant_system;

create or replace function tenant.consume_for(id bigint, meter text, amount numeric default 1)
    returns table (used numeric, "limit" numeric, remaining numeric, resets_at timestamptz) language sql rows 1
    begin atomic select c.used, c."limit", c.remaining, c.resets_at from tenant.consume_for(id::text, meter, amount) c; end;

revoke all on function tenant.consume_for(bigint, text, numeric) from public;

grant execute on function tenant.consume_for(bigint, text, numeric) to tenant_admin, tenant_system;

create or replace function tenant_internal.refuse_rows(rel regclass, detail text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN174',
        message = format('rows of %s cannot be counted', rel),
        detail = detail,
        hint = hint;
end
$$;

revoke all on function tenant_internal.refuse_rows(regclass, text, text) from public;

create or replace function tenant_internal.rows_that_count(rel regclass, unless name) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce((select format(case a.atttypid when 'bool'::regtype then '"the row".%I is not true' else '"the row".%I is null' end, a.attname)
        from pg_attribute a where a.attrelid = rel and a.attname = unless and a.attnum > 0 and not a.attisdropped), 'true')
$$;

revoke all on function tenant_internal.rows_that_count(regclass, name) from public;

create or replace function tenant_internal.rows_of_tenants(rel regclass, unless name, alone boolean) returns jsonb
    language sql volatile set search_path = pg_catalog, pg_temp set pg_tenant.strict = off as $$
    select coalesce(tenant_internal.run_past_policies(rel, format(
        'select pg_catalog.jsonb_object_agg(c.tenant_id, c.rows) from (select "the row".%I::pg_catalog.text as tenant_id, pg_catalog.count(*) as rows
            from %s %s as "the row" where %s and "the row".%1$I is not null group by 1) c',
        (select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.fence_column(rel)),
        case when alone then 'only' else '' end, rel, tenant_internal.rows_that_count(rel, unless)))::jsonb, '{}')
$$;

revoke all on function tenant_internal.rows_of_tenants(regclass, name, boolean) from public;

create or replace function tenant_internal.count_rows() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    m tenant.meters;
    change record;
    of_old constant text := format('select "the row".%I::text as tenant_id, -count(*) as rows from old_rows "the row" where %s group by 1', tg_argv[1], tg_argv[2]);
    of_new constant text := format('select "the row".%I::text as tenant_id, count(*) as rows from new_rows "the row" where %s group by 1', tg_argv[1], tg_argv[2]);
begin
    select * into m from tenant.meters n where n.meter = tg_argv[0];
    if not found then
        return null;
    elsif tg_op = 'TRUNCATE' then
        perform tenant_internal.require_latest('TN174', 'the number of rows that are counted');
        for change in select e.key as tenant_id, e.value::bigint as rows
                from jsonb_each_text(tenant_internal.rows_of_tenants(tg_relid, m.unless, true)) e order by 1 loop
            perform tenant_internal.count(change.tenant_id, m, -change.rows);
        end loop;
        return null;
    end if;
    for change in execute format('select c.tenant_id, sum(c.rows) as rows from (%s) c where c.tenant_id is not null
            group by 1 having sum(c.rows) <> 0 order by 1',
            case tg_op when 'INSERT' then of_new when 'DELETE' then of_old else of_old || ' union all ' || of_new end) loop
        perform tenant_internal.count(change.tenant_id, m, change.rows);
    end loop;
    return null;
end
$$;

revoke all on function tenant_internal.count_rows() from public;

create or replace function tenant_internal.drop_row_triggers(rel regclass, meter text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
    trigger name;
begin
    for trigger in select t.tgname from pg_trigger t where t.tgrelid = rel and t.tgfoid = 'tenant_internal.count_rows()'::regprocedure
            and convert_from(substr(t.tgargs, 1, length(meter)), 'UTF8') = meter loop
        execute format('drop trigger %I on %s', trigger, rel);
    end loop;
end
$$;

revoke all on function tenant_internal.drop_row_triggers(regclass, text) from public;

create or replace function tenant_internal.make_row_triggers(rel regclass, meter text, unless name) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    arguments constant text := format('%L, %L, %L', meter, (select attname from pg_attribute where attrelid = rel
        and attnum = tenant_internal.fence_column(rel)), tenant_internal.rows_that_count(rel, unless));
    of record;
begin
    perform tenant_internal.drop_row_triggers(rel, meter);
    for of in values ('insert', 'after', 'referencing new table as new_rows'), ('delete', 'after', 'referencing old table as old_rows'),
            ('update', 'after', 'referencing old table as old_rows new table as new_rows'), ('truncate', 'before', '') loop
        execute format('create trigger %I %s %s on %s %s for each statement execute function tenant_internal.count_rows(%s)',
            'tenant_meter_' || left(meter, 40) || '_' || of.column1, of.column2, of.column1, rel, of.column3, arguments);
        -- Also where a session has turned triggers off, as those that load data do.
        execute format('alter table %s enable always trigger %I', rel, 'tenant_meter_' || left(meter, 40) || '_' || of.column1);
    end loop;
end
$$;

revoke all on function tenant_internal.make_row_triggers(regclass, text, name) from public;

create or replace function tenant_internal.require_countable(rel regclass) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    class pg_class;
    why text;
begin
    select * into class from pg_class where oid = rel;
    if class.relowner is null or not pg_has_role(tenant_internal.caller(), class.relowner, 'usage') then
        raise exception using
            errcode = '42501',
            message = format('must be owner of table %s', rel),
            hint = 'Only its owner decides what of it is counted.';
    end if;
    why := case when tenant.current_id() is not null then 'A tenant is entered.'
        when class.relkind not in ('r', 'p') then 'Only tables have the triggers that it takes.'
        when class.relpersistence = 't' then 'It is temporary.'
        when tenant_internal.fence_column(rel) is null then 'It is not protected by a tenant column.' end;
    if why is not null then
        perform tenant_internal.refuse_rows(rel, why, 'select tenant.meter_rows(''<meter>'', ''<table>''); outside of a tenant, by the owner of a protected table.');
    end if;
    perform tenant_internal.require_latest('TN174', 'what is counted');
end
$$;

revoke all on function tenant_internal.require_countable(regclass) from public;

create or replace function tenant.meter_rows(meter text, rel regclass, unless name default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    m tenant.meters := tenant_internal.require_meter(meter);
    why text;
    part regclass;
begin
    perform tenant_internal.require_countable(rel);
    why := case when m.aggregation <> 'sum' or m.period <> 'forever' then format('Meter "%s" is not the sum of what was used ever.', m.meter)
        when m.relation is null and exists (select from tenant.usage u where u.meter = m.meter) then format('Of meter "%s" something was consumed.', m.meter)
        when m.relation <> rel and exists (select from pg_class c where c.oid = m.relation) then format('Meter "%s" counts rows of %s.', m.meter, m.relation)
        when exists (select from tenant.meters n where n.relation = rel and n.meter <> m.meter) then format('Meter "%s" counts them.', (select n.meter from tenant.meters n where n.relation = rel))
        when unless is not null and not exists (select from pg_attribute a where a.attrelid = rel and a.attname = unless and a.attnum > 0 and not a.attisdropped)
            then format('It has no column "%s".', unless) end;
    if why is not null then
        perform tenant_internal.refuse_rows(rel, why, format('select tenant.define_meter(%L, ''rows'', ''forever'');', m.meter));
    end if;
    execute format('lock table %s in share row exclusive mode', rel);
    for part in select p from tenant_internal.hierarchy(rel) p join pg_class c on c.oid = p where c.relkind in ('r', 'p') loop
        perform tenant_internal.make_row_triggers(part, m.meter, unless);
    end loop;
    update tenant.meters n set relation = rel, unless = meter_rows.unless where n.meter = m.meter returning * into m;
    -- As they are now: nobody has the table, so nobody has a part of what is counted.
    delete from tenant.usage u where u.meter = m.meter;
    insert into tenant.usage (tenant_id, meter, period_start, stripe, used, granted, hard, soft, day, at)
        select e.key, m.meter, '-infinity', 0, e.value::bigint, e.value::bigint, -1, -1, (clock_timestamp() at time zone 'UTC')::date, clock_timestamp()
        from jsonb_each_text(tenant_internal.rows_of_tenants(rel, unless, false)) e;
    perform tenant_internal.write_journal('meter_rows', rel::text, null, jsonb_strip_nulls(jsonb_build_object('meter', m.meter, 'unless', unless)));
end
$$;

comment on function tenant.meter_rows(text, regclass, name) is 'From now on the meter, which is one without a period, says how many rows each tenant has in the table, its partitions and its children: inserts over the limit are refused (TN171), deletes give back. Rows whose column "unless" is not null, or true, do not count. Counts what is there; called again it counts anew, while nobody writes. TN174 where that cannot be, TN170 no such meter.';

revoke all on function tenant.meter_rows(text, regclass, name) from public;

grant execute on function tenant.meter_rows(text, regclass, name) to tenant_admin;

create or replace function tenant.unmeter_rows(meter text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    m constant tenant.meters := tenant_internal.require_meter(meter);
    part regclass;
begin
    perform tenant_internal.require_reason(reason);
    if m.relation is null then
        perform tenant_internal.refuse_meter(format('meter "%s" counts no rows', m.meter), 'It was never given a table.',
            format('select tenant.drop_meter(%L, ''<reason>'');', m.meter));
    end if;
    if exists (select from pg_class c where c.oid = m.relation) then
        perform tenant_internal.require_countable(m.relation);
        execute format('lock table %s in share row exclusive mode', m.relation);
        for part in select tenant_internal.hierarchy(m.relation) loop
            perform tenant_internal.drop_row_triggers(part, m.meter);
        end loop;
    end if;
    delete from tenant.usage u where u.meter = m.meter;
    update tenant.meters n set relation = null, unless = null where n.meter = m.meter;
    perform tenant_internal.write_journal('unmeter_rows', m.relation::text, reason, jsonb_build_object('meter', m.meter));
end
$$;

comment on function tenant.unmeter_rows(text, text) is 'The meter no longer counts rows, and forgets what it has counted. TN029 without a reason, TN170 where it counts none, TN174 where that cannot be.';

revoke all on function tenant.unmeter_rows(text, text) from public;

grant execute on function tenant.unmeter_rows(text, text) to tenant_admin;

create or replace function tenant_internal.meter_newcomer(child regclass, parent regclass) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    m tenant.meters;
    part regclass;
    change record;
begin
    for m in select n.* from tenant.meters n where n.relation in (select parent union select tenant_internal.ancestors_of(parent)) order by n.meter loop
        for part in select p from tenant_internal.hierarchy(child) p join pg_class c on c.oid = p where c.relkind in ('r', 'p') loop
            perform tenant_internal.make_row_triggers(part, m.meter, m.unless);
        end loop;
        for change in select e.key as tenant_id, e.value::bigint as rows
                from jsonb_each_text(tenant_internal.rows_of_tenants(child, m.unless, false)) e order by 1 loop
            perform tenant_internal.count(change.tenant_id, m, change.rows, enforce => false);
        end loop;
    end loop;
end
$$;

revoke all on function tenant_internal.meter_newcomer(regclass, regclass) from public;

comment on table tenant.usage_records is 'What tenant.export_usage() has given out: a line for each tenant, meter and day, and another one, with the next version, where more has come to it since.';

grant select on tenant.usage_records to tenant_admin, tenant_system, tenant_reader;

create or replace view tenant.usage_state with (security_invoker = true) as
    select t.id as tenant_id, m.meter, m.unit, m.period, p.period_start, tenant_internal.period_end(m.period, p.period_start) as resets_at,
        trim_scale(coalesce(case m.aggregation when 'sum' then c.total when 'max' then c.greatest else c.latest end, 0)) as used,
        nullif(q.hard, 'Infinity') as hard_limit, nullif(q.soft, 'Infinity') as soft_limit
    from tenant.meters m
    cross join tenant.tenants t
    cross join lateral (select tenant_internal.period_start(m.period, now()) as period_start) p
    cross join lateral tenant_internal.quota_of(t.id, m.meter) q
    left join lateral (select sum(u.used) as total, max(u.used) as greatest, (array_agg(u.used order by u.at desc))[1] as latest
        from tenant.usage u where (u.tenant_id, u.meter, u.period_start) = (t.id, m.meter, p.period_start)) c on true
    where t.status <> 'purged';

comment on view tenant.usage_state is 'What each tenant has used of each meter in the period that it is, and its limits; null is none.';

grant select on tenant.usage_state to tenant_admin, tenant_system, tenant_reader;

create or replace view tenant.usage_by_day with (security_invoker = true) as
    select d.tenant_id, d.meter, m.unit, d.day,
        trim_scale(case when m.relation is not null then (array_agg(d.used order by d.at desc))[1]
            when m.aggregation = 'sum' then sum(d.used) when m.aggregation = 'max' then max(d.used)
            else (array_agg(d.used order by d.at desc))[1] end) as used
    from (
        select a.tenant_id, a.meter, a.day, a.used, a.at from tenant.usage_days a
        union all
        select u.tenant_id, u.meter, u.day, u.on_day, u.at from tenant.usage u join tenant.meters n on n.meter = u.meter and n.relation is null
        union all
        select u.tenant_id, u.meter, (now() at time zone 'UTC')::date, sum(u.used), now()
            from tenant.usage u join tenant.meters n on n.meter = u.meter and n.relation is not null group by 1, 2
    ) d join tenant.meters m on m.meter = d.meter
    group by d.tenant_id, d.meter, d.day, m.unit, m.relation, m.aggregation;

comment on view tenant.usage_by_day is 'What each tenant has used of each meter on each day, in UTC; of a meter that counts rows, how many there were when tenant.roll_up_usage() last ran on that day.';

grant select on tenant.usage_by_day to tenant_admin, tenant_system, tenant_reader;

create or replace view tenant.usage_by_month with (security_invoker = true) as
    select d.tenant_id, d.meter, d.unit, date_trunc('month', d.day::timestamp)::date as month,
        trim_scale(case when m.relation is not null or m.aggregation = 'last' then (array_agg(d.used order by d.day desc))[1]
            when m.aggregation = 'sum' then sum(d.used) else max(d.used) end) as used
    from tenant.usage_by_day d join tenant.meters m on m.meter = d.meter
    group by d.tenant_id, d.meter, d.unit, 4, m.relation, m.aggregation;

comment on view tenant.usage_by_month is 'What each tenant has used of each meter in each month, in UTC: the sum of its days, the greatest, or the last one.';

grant select on tenant.usage_by_month to tenant_admin, tenant_system, tenant_reader;

create or replace function tenant.own_usage() returns table (meter text, unit text, period text, period_start timestamptz, resets_at timestamptz,
    used numeric, hard_limit numeric, soft_limit numeric)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select s.meter, s.unit, s.period, nullif(s.period_start, '-infinity'), nullif(s.resets_at, 'infinity'), s.used, s.hard_limit, s.soft_limit
    from tenant.usage_state s where s.tenant_id = tenant.current_id() order by s.meter
$$;

comment on function tenant.own_usage() is 'What the transaction''s tenant has used of each meter in the period that it is, its limits, and when it resets; no row with no tenant.';

revoke all on function tenant.own_usage() from public;

grant execute on function tenant.own_usage() to tenant_user;

create or replace function tenant.own_usage_by_day(since date default null) returns table (meter text, unit text, day date, used numeric)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select d.meter, d.unit, d.day, d.used from tenant.usage_by_day d
    where d.tenant_id = tenant.current_id() and d.day >= coalesce(since, '-infinity') order by d.day, d.meter
$$;

comment on function tenant.own_usage_by_day(date) is 'What the transaction''s tenant has used on each day, in UTC; no row with no tenant.';

revoke all on function tenant.own_usage_by_day(date) from public;

grant execute on function tenant.own_usage_by_day(date) to tenant_user;

create or replace function tenant.roll_up_usage() returns table (periods bigint, days bigint) rows 1 language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    today constant date := (now() at time zone 'UTC')::date;
begin
    -- Periods that have been over for an hour, so that nobody is about to consume in them. Whose stripe is locked has
    -- one that does: later.
    with over as materialized (
        select u.* from tenant.usage u join tenant.meters m on m.meter = u.meter
            where m.relation is null and tenant_internal.period_end(m.period, u.period_start) < now() - interval '1 hour'
            for update of u skip locked
    ), gone as (
        delete from tenant.usage u using over o
            where (u.tenant_id, u.meter, u.period_start, u.stripe) = (o.tenant_id, o.meter, o.period_start, o.stripe) returning u.*
    ), kept as (
        insert into tenant.usage_days as d (tenant_id, meter, day, stripe, used, at)
            select g.tenant_id, g.meter, g.day, -1, case m.aggregation when 'sum' then sum(g.on_day) when 'max' then max(g.on_day)
                else (array_agg(g.on_day order by g.at desc))[1] end, max(g.at)
            from gone g join tenant.meters m on m.meter = g.meter group by 1, 2, 3, m.aggregation
            on conflict on constraint usage_days_pkey do update set at = greatest(d.at, excluded.at),
                used = case (select m.aggregation from tenant.meters m where m.meter = excluded.meter) when 'sum' then d.used + excluded.used
                    when 'max' then greatest(d.used, excluded.used) else case when d.at > excluded.at then d.used else excluded.used end end
    )
    select count(distinct (g.tenant_id, g.meter, g.period_start)) into periods from gone g;
    -- Days of several stripes, as one line.
    with gone as (
        delete from tenant.usage_days d where d.stripe >= 0 and d.day < today - 1 returning d.*
    ), kept as (
        insert into tenant.usage_days as d (tenant_id, meter, day, stripe, used, at)
            select g.tenant_id, g.meter, g.day, -1, case m.aggregation when 'sum' then sum(g.used) when 'max' then max(g.used)
                else (array_agg(g.used order by g.at desc))[1] end, max(g.at)
            from gone g join tenant.meters m on m.meter = g.meter group by 1, 2, 3, m.aggregation
            on conflict on constraint usage_days_pkey do update set at = greatest(d.at, excluded.at),
                used = case (select m.aggregation from tenant.meters m where m.meter = excluded.meter) when 'sum' then d.used + excluded.used
                    when 'max' then greatest(d.used, excluded.used) else case when d.at > excluded.at then d.used else excluded.used end end
    )
    select count(distinct (g.tenant_id, g.meter, g.day)) into days from gone g;
    -- How many rows there are today.
    insert into tenant.usage_days as d (tenant_id, meter, day, stripe, used, at)
        select u.tenant_id, u.meter, today, -1, sum(u.used), now() from tenant.usage u join tenant.meters m on m.meter = u.meter
            where m.relation is not null group by 1, 2
        on conflict on constraint usage_days_pkey do update set used = excluded.used, at = excluded.at;
    return next;
end
$$;

comment on function tenant.roll_up_usage() is 'Puts together what was used in periods and on days that are over, and notes how many rows are counted today; gives how many of each. To be called at least once a day.';

revoke all on function tenant.roll_up_usage() from public;

grant execute on function tenant.roll_up_usage() to tenant_admin;

create or replace function tenant.export_usage(since date, until date default null) returns setof tenant.usage_records
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- Two that export give out the same.
    perform tenant_internal.require_latest('TN174', 'what is exported');
    lock table tenant.usage_records in share row exclusive mode;
    insert into tenant.usage_records (record_id, tenant_id, meter, unit, day, version, quantity, change)
        select 'usage_' || left(encode(sha256(convert_to(concat_ws('/', d.tenant_id, d.meter, d.day, coalesce(r.version, 0) + 1), 'UTF8')), 'hex'), 40),
            d.tenant_id, d.meter, d.unit, d.day, coalesce(r.version, 0) + 1, d.used, d.used - coalesce(r.quantity, 0)
        from tenant.usage_by_day d
        left join lateral (select p.version, p.quantity from tenant.usage_records p
            where (p.tenant_id, p.meter, p.day) = (d.tenant_id, d.meter, d.day) order by p.version desc limit 1) r on true
        where d.day >= since and d.day < least(until, (now() at time zone 'UTC')::date) and d.used is distinct from coalesce(r.quantity, 0);
    return query select p.* from tenant.usage_records p where p.day >= since and p.day < coalesce(until, 'infinity') order by p.day, p.tenant_id, p.meter, p.version;
end
$$;

comment on function tenant.export_usage(date, date) is 'The usage records of the days from since to before until (null: today) that are over, in UTC: the same ones, with the same ids, whenever it is called, and further versions where more has come to a day. The id does for a billing provider''s idempotency key; change is what is added by it, quantity what the day comes to.';

revoke all on function tenant.export_usage(date, date) from public;

grant execute on function tenant.export_usage(date, date) to tenant_admin;

create or replace function tenant_internal.forget_usage() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from tenant.usage u where u.tenant_id = new.id;
    delete from tenant.usage_days d where d.tenant_id = new.id;
    delete from tenant.usage_warnings w where w.tenant_id = new.id;
    delete from tenant.usage_records r where r.tenant_id = new.id;
    delete from tenant.quotas q where q.tenant_id = new.id;
    return null;
end
$$;

revoke all on function tenant_internal.forget_usage() from public;

comment on table tenant.billing_customers is 'Which tenant a customer of a payment provider is. Only operators link them.';

grant select on tenant.billing_customers to tenant_admin, tenant_system;

comment on table tenant.billing_events is 'What payment providers have said, each event once, and what came of it.';

grant select on tenant.billing_events to tenant_admin, tenant_system;

comment on table tenant.subscriptions is 'What follows from all events of a tenant''s customers: plan, paid until, past due since, what it may do.';

grant select on tenant.subscriptions to tenant_admin, tenant_system;

comment on table tenant.billing_policies is 'How long a tenant of the plan goes on when it is past due, how long it is read-only then before it is suspended, and what is left when its subscription has ended.';

grant select on tenant.billing_policies to tenant_admin, tenant_system;

create or replace function tenant_internal.refuse_billing(code text, message text, detail text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using errcode = code, message = message, detail = detail, hint = hint;
end
$$;

revoke all on function tenant_internal.refuse_billing(text, text, text, text) from public;

create or replace function tenant_internal.billing_time(value jsonb) returns timestamptz
    language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' as $$
    select case jsonb_typeof(value) when 'number' then to_timestamp(value::double precision)
        when 'string' then (value #>> '{}')::timestamptz end
$$;

revoke all on function tenant_internal.billing_time(jsonb) from public;

create or replace function tenant_internal.billing_rank(type text, status text) returns integer
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case when type = 'subscription_ended' or status = 'ended' then 9
        when type = 'invoice_paid' then 8 when status = 'active' then 7 when status = 'trialing' then 6
        when type = 'payment_failed' then 5 when status = 'past_due' then 4 when status = 'paused' then 3 else 1 end
$$;

revoke all on function tenant_internal.billing_rank(text, text) from public;

create or replace function tenant_internal.lock_billing(alone boolean default false) returns void
    language sql volatile set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
    select case when alone then pg_advisory_xact_lock(hashtextextended('pg_tenant billing', 0))
        else pg_advisory_xact_lock_shared(hashtextextended('pg_tenant billing', 0)) end
$$;

revoke all on function tenant_internal.lock_billing(boolean) from public;

create or replace function tenant_internal.billing_facts(payload jsonb) returns jsonb
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select coalesce(jsonb_object_agg(f.key, f.value), '{}') from jsonb_each(payload) f
        where f.key in ('customer', 'subscription', 'status', 'plan', 'paid_until', 'cancel_at', 'ended_at')
$$;

revoke all on function tenant_internal.billing_facts(jsonb) from public;

create or replace function tenant_internal.billing_lets_go(id text) returns void
    language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select tenant_internal.lock_billing() from tenant.subscriptions s where s.tenant_id = id and s.held is not null;
    update tenant.subscriptions s set held = null, held_from = null where s.tenant_id = id and s.held is not null
$$;

revoke all on function tenant_internal.billing_lets_go(text) from public;

grant execute on function tenant_internal.billing_lets_go(text) to tenant_admin;

create or replace function tenant_internal.tenant_was_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.billing_lets_go(new.id);
    if new.status = 'purged' then
        perform tenant_internal.lock_billing();
        delete from tenant.billing_events e where e.tenant_id = new.id;
        delete from tenant.subscriptions s where s.tenant_id = new.id;
    end if;
    return null;
end
$$;

revoke all on function tenant_internal.tenant_was_changed() from public;

create or replace function tenant_internal.fold_billing(id text, out subscriptions jsonb, out as_of timestamptz)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    e record;
    s jsonb;
    key text;
    status text;
    since jsonb;
    because text;
    result text;
    -- A plan that is not there cannot be given: the one that was named before stays.
    missing text;
begin
    subscriptions := '{}';
    for e in select v.*, v.payload ->> 'status' as says, to_jsonb(v.occurred_at) as at from tenant.billing_events v
            where v.tenant_id = id
            order by v.occurred_at, tenant_internal.billing_rank(v.type, v.payload ->> 'status'), v.provider, v.event_id loop
        key := e.provider || '/' || coalesce(e.payload ->> 'subscription', '');
        s := coalesce(subscriptions -> key, jsonb_build_object('provider', e.provider, 'subscription', e.payload ->> 'subscription',
            'status', 'incomplete'));
        because := case
            when e.type not in ('subscription', 'subscription_ended', 'invoice_paid', 'payment_failed') then
                format('events of type %s change nothing', quote_literal(left(e.type, 80)))
            when e.payload ->> 'subscription' is null then 'it is of no subscription'
            when s ->> 'status' = 'ended' then format('the subscription ended on %s', s ->> 'ended_at')
            when e.type = 'payment_failed' and s ->> 'status' = 'incomplete' and not s ? 'plan' then
                'the subscription has not begun' end;
        missing := null;
        result := case when because is null then 'applied' else 'ignored' end;
        if because is null then
            missing := e.payload ->> 'plan';
            if exists (select from tenant.plans p where p.plan = missing) then
                missing := null;
            end if;
            as_of := e.occurred_at;
            status := case e.type when 'subscription' then e.says when 'subscription_ended' then 'ended'
                when 'invoice_paid' then 'active' when 'payment_failed' then 'past_due' end;
            -- A trial's invoice over nothing does not end the trial.
            if e.type = 'invoice_paid' and s ->> 'status' in ('trialing', 'paused') then
                status := s ->> 'status';
            end if;
            since := case when status = 'past_due' then coalesce(s -> 'past_due_since', e.at) end;
            s := s || jsonb_strip_nulls(jsonb_build_object('status', status, 'plan', case when missing is null then e.payload ->> 'plan' end,
                'ended_at', case when status = 'ended' then coalesce(to_jsonb(tenant_internal.billing_time(e.payload -> 'ended_at')), e.at) end));
            s := case when since is null then s - 'past_due_since' else jsonb_set(s, '{past_due_since}', since) end;
            if e.payload ->> 'plan' is not null then
                s := s - 'missing' || jsonb_strip_nulls(jsonb_build_object('missing', missing));
            end if;
            if e.type = 'subscription' then
                s := s - 'cancel_at' || jsonb_strip_nulls(jsonb_build_object('cancel_at', tenant_internal.billing_time(e.payload -> 'cancel_at')));
            end if;
            if status in ('active', 'trialing') and tenant_internal.billing_time(e.payload -> 'paid_until') is not null then
                s := s || jsonb_build_object('paid_until', case e.type
                    when 'subscription' then tenant_internal.billing_time(e.payload -> 'paid_until')
                    else greatest((s ->> 'paid_until')::timestamptz, tenant_internal.billing_time(e.payload -> 'paid_until')) end);
            end if;
            subscriptions := subscriptions || jsonb_build_object(key, s);
        end if;
        because := coalesce(because, format('there is no plan "%s": the tenant keeps the one before', left(missing, 80)));
        update tenant.billing_events v set outcome = result, why = because,
                applied_at = coalesce(v.applied_at, clock_timestamp())
            where (v.provider, v.event_id) = (e.provider, e.event_id)
                and (v.outcome, v.why) is distinct from (result, because);
    end loop;
end
$$;

revoke all on function tenant_internal.fold_billing(text) from public;

create or replace function tenant_internal.billing_access(s jsonb, moment timestamptz, out access text, out state text, out since timestamptz,
    out ended timestamptz, out next_at timestamptz)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    p tenant.billing_policies;
    paid_until constant timestamptz := (s ->> 'paid_until')::timestamptz;
    cancel_at constant timestamptz := (s ->> 'cancel_at')::timestamptz;
begin
    select * into p from tenant.billing_policies b where b.plan in (s ->> 'plan', '') order by b.plan desc limit 1;
    if not found then
        p.grace := interval '7 days'; p.read_only_for := interval '14 days'; p.after_end := 'suspended';
    end if;
    state := s ->> 'status';
    ended := least((s ->> 'ended_at')::timestamptz, cancel_at);
    if state = 'incomplete' then
        access := 'none';
    elsif ended <= moment then
        state := 'ended';
        access := case when p.end_plan is not null then 'full' else p.after_end end;
    elsif state = 'ended' then
        -- It was said that it ends, at a time to come.
        state := 'active';
        access := 'full';
    elsif state = 'paused' then
        access := 'read_only';
    else
        -- What was not renewed is past due, whether or not the provider has said so.
        since := least((s ->> 'past_due_since')::timestamptz, case when paid_until <= moment then paid_until end);
        if since is null then
            access := 'full';
            next_at := paid_until;
        else
            state := 'past_due';
            access := case when moment < since + p.grace then 'full' when moment < since + p.grace + p.read_only_for then 'read_only' else 'suspended' end;
            next_at := case when moment < since + p.grace then since + p.grace
                when moment < since + p.grace + p.read_only_for then since + p.grace + p.read_only_for end;
        end if;
    end if;
    if ended > moment then
        next_at := least(next_at, ended);
    else
        ended := case when state = 'ended' then ended end;
    end if;
end
$$;

revoke all on function tenant_internal.billing_access(jsonb, timestamptz) from public;

create or replace function tenant_internal.bill(id text, moment timestamptz) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    t tenant.tenants;
    s tenant.subscriptions;
    f record;
    best record;
    wanted_plan text;
    wanted text;
begin
    select * into t from tenant.tenants n where n.id = bill.id for no key update;
    if not found or t.status = 'purged' then
        update tenant.billing_events e set outcome = 'ignored', why = 'the tenant was purged', payload = '{}' where e.tenant_id = bill.id;
        return;
    end if;
    perform tenant_internal.lock_billing();
    insert into tenant.subscriptions (tenant_id, plan_before, given_plan) values (bill.id, t.plan, t.plan) on conflict do nothing;
    select * into s from tenant.subscriptions c where c.tenant_id = bill.id for update;
    select * into f from tenant_internal.fold_billing(bill.id);
    -- The one that lets it do most; of those, the one of the higher plan.
    select c.value as s, a.* into best from jsonb_each(f.subscriptions) c cross join lateral tenant_internal.billing_access(c.value, moment) a
        left join tenant.plans p on p.plan = c.value ->> 'plan'
        order by a.access = 'none', a.state = 'ended', array_position(array['full', 'read_only', 'suspended'], a.access),
            a.state = 'past_due', p.rank desc nulls last, a.ended desc nulls first, c.key limit 1;
    update tenant.subscriptions c set provider = best.s ->> 'provider', subscription_id = best.s ->> 'subscription', plan = best.s ->> 'plan',
            status = coalesce(best.state, 'none'), paid_until = (best.s ->> 'paid_until')::timestamptz, past_due_since = best.since,
            cancel_at = (best.s ->> 'cancel_at')::timestamptz, ended_at = best.ended,
            access = case when c.grace_until > moment then 'full' else replace(coalesce(best.access, 'full'), 'none', 'full') end,
            next_at = (select min(n) from (select a.next_at from jsonb_each(f.subscriptions) v cross join lateral tenant_internal.billing_access(v.value, moment) a
                union all select c.grace_until where c.grace_until > moment) m (n)),
            missing_plan = (select min(v.value ->> 'missing') from jsonb_each(f.subscriptions) v where v.value ->> 'status' <> 'ended'),
            as_of = f.as_of, problem = null, problem_at = null, changed_at = now()
        where c.tenant_id = bill.id returning * into s;
    wanted_plan := case when s.status in ('none', 'incomplete') then s.plan_before
        when s.status = 'ended' then coalesce((select b.end_plan from tenant.billing_policies b where b.plan in (s.plan, '')
            order by b.plan desc limit 1), s.plan, s.plan_before)
        -- Of what was paid before anything was said of a subscription nobody knows the plan.
        else coalesce(s.plan, s.plan_before) end;
    if wanted_plan is distinct from s.given_plan then
        perform tenant_internal.give_reason('billing: the subscription''s plan');
        update tenant.tenants n set plan = wanted_plan where n.id = bill.id and n.plan is distinct from wanted_plan;
        update tenant.subscriptions c set given_plan = wanted_plan where c.tenant_id = bill.id;
    end if;
    -- What an operator has put it in stays: only what billing holds is given back.
    wanted := case
        when t.status not in ('active', 'read_only', 'suspended') then t.status
        when s.access = 'full' then case when s.held is not null then s.held_from else t.status end
        when s.held is null and (t.status = 'suspended' or t.status = 'read_only' and s.access = 'read_only') then t.status
        when s.held_from = 'read_only' and s.access = 'read_only' then 'read_only'
        else s.access end;
    if wanted <> t.status then
        perform tenant_internal.give_reason(format('billing: %s', case when s.access = 'full' then 'paid' when s.status = 'past_due'
            then format('past due since %s', s.past_due_since) else s.status end));
        update tenant.tenants n set status = wanted where n.id = bill.id;
        -- The trigger has let go of it.
        if s.access <> 'full' and wanted <> coalesce(s.held_from, t.status) then
            update tenant.subscriptions c set held = wanted, held_from = coalesce(s.held_from, t.status) where c.tenant_id = bill.id;
        end if;
    end if;
end
$$;

revoke all on function tenant_internal.bill(text, timestamptz) from public;

create or replace function tenant_internal.check_billing_sees(message text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        perform tenant_internal.refuse_billing('TN175', message,
            'The transaction does not see what others have applied: it is not in READ COMMITTED.',
            'begin isolation level read committed;');
    end if;
end
$$;

revoke all on function tenant_internal.check_billing_sees(text) from public;

create or replace function tenant_internal.check_billing_event(provider text, event_id text, occurred_at timestamptz, type text, payload jsonb)
    returns void language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    why text;
    name text;
begin
    why := case
        when tenant.current_id() is not null then 'The transaction is inside a tenant.'
        when coalesce(provider !~ '^[a-z][a-z0-9_-]{0,62}$', true) then 'The provider''s name is not 1 to 63 characters a-z 0-9 _ - that begin with a letter.'
        when coalesce(length(event_id) not between 1 and 255, true) then 'The event''s id is not 1 to 255 characters.'
        when coalesce(not isfinite(occurred_at), true) then 'It has not occurred at any time.'
        when coalesce(length(type) not between 1 and 255, true) then 'Its type is not 1 to 255 characters.'
        when jsonb_typeof(payload) is distinct from 'object' then 'Its payload is no object.'
        when type in ('subscription', 'subscription_ended', 'invoice_paid', 'payment_failed') then case
            when coalesce(payload ->> 'customer', '') = '' then 'Its payload has no "customer".'
            when type <> 'subscription' then null
            when coalesce(payload ->> 'subscription', '') = '' then 'Its payload has no "subscription".'
            when coalesce(payload ->> 'status' not in ('incomplete', 'trialing', 'active', 'past_due', 'paused', 'ended'), true) then
                'Its "status" is none of incomplete, trialing, active, past_due, paused, ended.' end end;
    if why is null then
        foreach name in array array['paid_until', 'cancel_at', 'ended_at'] loop
            begin
                if jsonb_typeof(payload -> name) <> 'null' and not coalesce(isfinite(tenant_internal.billing_time(payload -> name)), false) then
                    why := format('Its "%s" is no time.', name);
                end if;
            exception when data_exception then
                why := format('Its "%s" is no time.', name);
            end;
        end loop;
    end if;
    if why is not null then
        perform tenant_internal.refuse_billing('TN175', 'the billing event cannot be applied', why,
            'Pass provider, id, time, type and {"customer": ..., "subscription": ..., "status": ..., "plan": ..., "paid_until": ...} in a transaction of its own.');
    end if;
end
$$;

revoke all on function tenant_internal.check_billing_event(text, text, timestamptz, text, jsonb) from public;

create or replace function tenant_internal.lock_customer(provider text, customer_id text) returns void
    language sql volatile set search_path = pg_catalog, pg_temp as $$
    select pg_advisory_xact_lock(hashtextextended('pg_tenant billing ' || provider || '/' || customer_id, 0))
$$;

revoke all on function tenant_internal.lock_customer(text, text) from public;

create or replace function tenant.apply_billing_event(provider text, event_id text, occurred_at timestamptz, type text, payload jsonb) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    customer constant text := nullif(payload ->> 'customer', '');
    whose text;
    was tenant.billing_events;
    result text;
begin
    perform tenant_internal.check_billing_sees('the billing event cannot be applied');
    perform tenant_internal.check_billing_event(provider, event_id, occurred_at, type, payload);
    if customer is not null then
        perform tenant_internal.lock_customer(provider, customer);
        select c.tenant_id into whose from tenant.billing_customers c where (c.provider, c.customer_id) = (apply_billing_event.provider, customer);
    end if;
    insert into tenant.billing_events as e (provider, event_id, occurred_at, type, customer_id, tenant_id, payload, outcome, why)
        values (apply_billing_event.provider, apply_billing_event.event_id, apply_billing_event.occurred_at, apply_billing_event.type, customer,
            whose, apply_billing_event.payload, case when customer is null then 'ignored' else 'unmatched' end,
            case when customer is null then 'it is of no customer' else 'no tenant is this customer' end)
        on conflict on constraint billing_events_pkey do nothing;
    if not found then
        select * into was from tenant.billing_events e where (e.provider, e.event_id) = (apply_billing_event.provider, apply_billing_event.event_id);
        if (was.occurred_at, was.type, was.payload - 'raw') is distinct from (occurred_at, type,
                case when was.pruned_at is null then payload - 'raw' else tenant_internal.billing_facts(payload) end) and was.payload <> '{}' then
            perform tenant_internal.refuse_billing('TN177', format('event %s of %s was another one before', quote_literal(left(event_id, 80)), provider),
                format('It came on %s, of type %s and time %s.', was.received_at, quote_literal(left(was.type, 80)), was.occurred_at),
                'A provider sends an event as it was. Give another one an id of its own.');
        end if;
        return 'duplicate';
    end if;
    if whose is not null then
        perform tenant_internal.bill(whose, clock_timestamp());
    end if;
    select e.outcome into result from tenant.billing_events e where (e.provider, e.event_id) = (apply_billing_event.provider, apply_billing_event.event_id);
    return result;
end
$$;

comment on function tenant.apply_billing_event(text, text, timestamptz, text, jsonb) is 'Keeps what a payment provider has said, once, and does what follows: plan, read-only, suspended, active again. In any order, any number of times. Gives applied, ignored, unmatched (no tenant is this customer) or duplicate. TN175 malformed, TN177 another event of this id.';

revoke all on function tenant.apply_billing_event(text, text, timestamptz, text, jsonb) from public;

grant execute on function tenant.apply_billing_event(text, text, timestamptz, text, jsonb) to tenant_billing, tenant_admin;

create or replace function tenant.link_billing_customer(id text, provider text, customer_id text) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    whose text;
    matched bigint;
begin
    perform tenant_internal.require_known(canonical), tenant_internal.check_billing_sees('the customer cannot be linked');
    if coalesce(provider !~ '^[a-z][a-z0-9_-]{0,62}$', true) or coalesce(length(customer_id) not between 1 and 255, true) then
        perform tenant_internal.refuse_billing('TN175', 'the customer cannot be linked', 'The provider''s name or the customer''s id is malformed.',
            'A provider has 1 to 63 characters a-z 0-9 _ -, an id has 1 to 255.');
    end if;
    perform tenant_internal.lock_customer(provider, customer_id);
    insert into tenant.billing_customers (provider, customer_id, tenant_id)
        values (link_billing_customer.provider, link_billing_customer.customer_id, canonical) on conflict on constraint billing_customers_pkey do nothing;
    select c.tenant_id into whose from tenant.billing_customers c
        where (c.provider, c.customer_id) = (link_billing_customer.provider, link_billing_customer.customer_id);
    if whose <> canonical then
        perform tenant_internal.refuse_billing('TN176', format('customer %s of %s is tenant "%s"', quote_literal(left(customer_id, 80)), provider, whose),
            format('It cannot be tenant "%s" as well.', canonical),
            format('If it was linked by mistake: select tenant.unlink_billing_customer(%L, %L, ''<reason>'');', provider, customer_id));
    end if;
    perform from tenant.tenants t where t.id = canonical for no key update;
    update tenant.billing_events e set tenant_id = canonical
        where (e.provider, e.customer_id) = (link_billing_customer.provider, link_billing_customer.customer_id) and e.tenant_id is null;
    get diagnostics matched = row_count;
    perform tenant_internal.bill(canonical, clock_timestamp());
    perform tenant_internal.write_journal('link_billing_customer', provider || '/' || customer_id, null, null, canonical);
    return matched;
end
$$;

comment on function tenant.link_billing_customer(text, text, text) is 'The customer of the provider is this tenant: what was said of it so far is applied; gives how many events. TN002 no such tenant, TN175 malformed, TN176 it is another tenant.';

revoke all on function tenant.link_billing_customer(text, text, text) from public;

grant execute on function tenant.link_billing_customer(text, text, text) to tenant_admin;

create or replace function tenant.link_billing_customer(id uuid, provider text, customer_id text) returns bigint language sql
    begin atomic select tenant.link_billing_customer(id::text, provider, customer_id); end;

revoke all on function tenant.link_billing_customer(uuid, text, text) from public;

grant execute on function tenant.link_billing_customer(uuid, text, text) to tenant_admin;

create or replace function tenant.link_billing_customer(id bigint, provider text, customer_id text) returns bigint language sql
    begin atomic select tenant.link_billing_customer(id::text, provider, customer_id); end;

revoke all on function tenant.link_billing_customer(bigint, text, text) from public;

grant execute on function tenant.link_billing_customer(bigint, text, text) to tenant_admin;

create or replace function tenant.unlink_billing_customer(provider text, customer_id text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    whose text;
begin
    perform tenant_internal.require_reason(reason), tenant_internal.check_billing_sees('the customer cannot be unlinked');
    perform tenant_internal.lock_customer(provider, customer_id);
    delete from tenant.billing_customers c
        where (c.provider, c.customer_id) = (unlink_billing_customer.provider, unlink_billing_customer.customer_id) returning c.tenant_id into whose;
    if whose is null then
        perform tenant_internal.refuse_billing('TN175', 'the customer is linked to no tenant', 'tenant.billing_customers has no such line.',
            'select * from tenant.billing_customers;');
    end if;
    perform from tenant.tenants t where t.id = whose for no key update;
    update tenant.billing_events e set tenant_id = null, outcome = 'unmatched', why = 'no tenant is this customer', applied_at = null
        where (e.provider, e.customer_id) = (unlink_billing_customer.provider, unlink_billing_customer.customer_id);
    perform tenant_internal.bill(whose, clock_timestamp());
    perform tenant_internal.write_journal('unlink_billing_customer', provider || '/' || customer_id, reason, null, whose);
end
$$;

comment on function tenant.unlink_billing_customer(text, text, text) is 'The customer is nobody''s again, and its events wait. The tenant goes on as if there had been none of them. TN029 without a reason, TN175 no such customer.';

revoke all on function tenant.unlink_billing_customer(text, text, text) from public;

grant execute on function tenant.unlink_billing_customer(text, text, text) to tenant_admin;

create or replace function tenant.billing_tick(batch integer default 100) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    moment constant timestamptz := clock_timestamp();
    pause constant interval := '5 min';
    one text;
    done bigint := 0;
begin
    for one in select s.tenant_id from tenant.subscriptions s join tenant.tenants t on t.id = s.tenant_id
            where (s.next_at <= moment or s.missing_plan in (select p.plan from tenant.plans p))
                and (s.problem_at is null or s.problem_at <= moment - pause)
            order by s.next_at, s.tenant_id limit greatest(batch, 1) for no key update of t skip locked loop
        -- One of which nothing can be done now keeps the others from nothing, and is tried again after the pause.
        begin
            perform tenant_internal.bill(one, clock_timestamp());
        exception when others then
            if sqlstate in ('40001', '40P01', '55P03') then
                raise;
            end if;
            raise warning using message = format('billing tenant "%s" has failed: %s', one, sqlerrm), errcode = sqlstate;
            perform tenant_internal.lock_billing();
            update tenant.subscriptions s set problem = left(sqlstate || ': ' || sqlerrm, 1000), problem_at = clock_timestamp() where s.tenant_id = one;
        end;
        done := done + 1;
    end loop;
    return done;
end
$$;

comment on function tenant.billing_tick(integer) is 'Does what follows from time alone: what was not paid in time becomes past due, then read-only, then suspended; what was cancelled ends. Gives how many tenants it has looked at; to be called until that is 0, every few minutes. Any number of sessions may.';

revoke all on function tenant.billing_tick(integer) from public;

grant execute on function tenant.billing_tick(integer) to tenant_billing, tenant_admin;

create or replace function tenant.set_billing_policy(plan text, grace interval default '7 days', read_only_for interval default '14 days',
    after_end text default 'suspended', end_plan text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    why text;
begin
    why := case when coalesce(grace < interval '0' or read_only_for < interval '0', true) then 'A time is below 0, or null.'
        when coalesce(after_end not in ('full', 'read_only', 'suspended'), true) then 'What is left after the end is none of full, read_only, suspended.'
        when set_billing_policy.plan is null then 'It is of no plan; '''' is for all that have none.'
        when set_billing_policy.plan <> '' and not exists (select from tenant.plans p where p.plan = set_billing_policy.plan) then 'There is no such plan.'
        when end_plan is not null and not exists (select from tenant.plans p where p.plan = set_billing_policy.end_plan) then 'There is no such plan to fall back to.' end;
    if why is not null then
        perform tenant_internal.refuse_billing('TN178', 'there can be no such billing policy', why, 'select tenant.set_billing_policy(''<plan>'', ''7 days'', ''14 days'');');
    end if;
    perform tenant_internal.lock_billing(alone => true);
    insert into tenant.billing_policies as p values (set_billing_policy.plan, set_billing_policy.grace, set_billing_policy.read_only_for,
            set_billing_policy.after_end, set_billing_policy.end_plan, now())
        on conflict on constraint billing_policies_pkey do update set grace = excluded.grace, read_only_for = excluded.read_only_for,
            after_end = excluded.after_end, end_plan = excluded.end_plan, changed_at = excluded.changed_at;
    -- The next tick goes through its tenants.
    update tenant.subscriptions s set next_at = now() where s.plan = set_billing_policy.plan or set_billing_policy.plan = '';
    perform tenant_internal.write_journal('set_billing_policy', set_billing_policy.plan, null,
        jsonb_build_object('grace', grace, 'read_only_for', read_only_for, 'after_end', after_end, 'end_plan', end_plan));
end
$$;

comment on function tenant.set_billing_policy(text, interval, interval, text, text) is 'What happens to tenants of the plan that do not pay: they go on for the grace, are read-only for a time, and suspended then; and after their subscription''s end, unless there is a plan they fall back to. In force with the next tenant.billing_tick(). TN178 malformed.';

revoke all on function tenant.set_billing_policy(text, interval, interval, text, text) from public;

grant execute on function tenant.set_billing_policy(text, interval, interval, text, text) to tenant_admin;

create or replace function tenant.give_billing_grace(id text, until timestamptz, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_known(canonical), tenant_internal.require_reason(reason);
    perform from tenant.tenants t where t.id = canonical for no key update;
    perform tenant_internal.lock_billing();
    insert into tenant.subscriptions as s (tenant_id, grace_until, plan_before, given_plan)
        select t.id, until, t.plan, t.plan from tenant.tenants t where t.id = canonical
        on conflict on constraint subscriptions_pkey do update set grace_until = excluded.grace_until;
    perform tenant_internal.bill(canonical, clock_timestamp());
    perform tenant_internal.write_journal('give_billing_grace', coalesce(until::text, 'none'), reason, null, canonical);
end
$$;

comment on function tenant.give_billing_grace(text, timestamptz, text) is 'The tenant goes on until then, whatever was paid; null takes that back. TN002 no such tenant, TN029 without a reason.';

revoke all on function tenant.give_billing_grace(text, timestamptz, text) from public;

grant execute on function tenant.give_billing_grace(text, timestamptz, text) to tenant_admin;

create or replace function tenant.give_billing_grace(id uuid, until timestamptz, reason text) returns void language sql
    begin atomic select tenant.give_billing_grace(id::text, until, reason); end;

revoke all on function tenant.give_billing_grace(uuid, timestamptz, text) from public;

grant execute on function tenant.give_billing_grace(uuid, timestamptz, text) to tenant_admin;

create or replace function tenant.give_billing_grace(id bigint, until timestamptz, reason text) returns void language sql
    begin atomic select tenant.give_billing_grace(id::text, until, reason); end;

revoke all on function tenant.give_billing_grace(bigint, timestamptz, text) from public;

grant execute on function tenant.give_billing_grace(bigint, timestamptz, text) to tenant_admin;

create or replace function tenant.prune_billing_events(older_than interval default '2 years', batch integer default 10000) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    pruned bigint;
begin
    if coalesce(older_than < interval '1 day', true) then
        perform tenant_internal.refuse_billing('TN178', 'billing events cannot be pruned so early',
            'Providers send again for days what was not answered, and it is compared with what came first.', 'Keep them for a day at least.');
    end if;
    update tenant.billing_events e set payload = tenant_internal.billing_facts(e.payload), pruned_at = now()
        -- An array, which is made once: a join might run the limit anew for each row.
        where e.ctid = any (array(select o.ctid from tenant.billing_events o
            where o.pruned_at is null and o.received_at < now() - older_than
            order by o.received_at limit greatest(batch, 1) for update skip locked));
    get diagnostics pruned = row_count;
    return pruned;
end
$$;

comment on function tenant.prune_billing_events(interval, integer) is 'Drops the payloads of events that came before that, but for what the state follows from; the events stay, so that none is applied twice. Gives how many; to be called until that is 0. TN178 for less than a day.';

revoke all on function tenant.prune_billing_events(interval, integer) from public;

grant execute on function tenant.prune_billing_events(interval, integer) to tenant_billing, tenant_admin;

create or replace function tenant.own_subscription() returns table (plan text, status text, paid_until timestamptz, past_due_since timestamptz,
    cancel_at timestamptz, ended_at timestamptz, access text, next_at timestamptz)
    language sql stable security definer rows 1 set search_path = pg_catalog, pg_temp as $$
    select s.plan, s.status, s.paid_until, s.past_due_since, s.cancel_at, s.ended_at, s.access, s.next_at
    from tenant.subscriptions s where s.tenant_id = tenant.current_id()
$$;

comment on function tenant.own_subscription() is 'What the transaction''s tenant has subscribed to, until when it is paid, what it may do, and when that changes with time alone; no row with no tenant.';

revoke all on function tenant.own_subscription() from public;

grant execute on function tenant.own_subscription() to tenant_user;

create or replace function tenant_internal.stat_line(context text, id text) returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_line';

create or replace function tenant_internal.stat_key(context text, id text) returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_key';

create or replace function tenant_internal.stat_steps(minutes boolean) returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_steps';

create or replace function tenant_internal.stat_samples() returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_samples';

create or replace function tenant_internal.stat_codes(context text, id text) returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_codes';

create or replace function tenant_internal.stat_reset(context text, id text) returns void
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_reset';

create or replace function tenant_internal.stat_since() returns bigint
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_since';

revoke all on function tenant_internal.stat_line(text, text), tenant_internal.stat_key(text, text), tenant_internal.stat_steps(boolean), tenant_internal.stat_samples(),
    tenant_internal.stat_codes(text, text), tenant_internal.stat_reset(text, text), tenant_internal.stat_since() from public;

grant execute on function tenant_internal.stat_line(text, text), tenant_internal.stat_key(text, text), tenant_internal.stat_steps(boolean), tenant_internal.stat_samples(),
    tenant_internal.stat_codes(text, text), tenant_internal.stat_since()
    to tenant_admin, tenant_system, tenant_reader;

create or replace view tenant_internal.stat_contexts with (security_invoker = true) as
    select t.id as tenant_id, 'tenant'::text as context from tenant.tenants t
    union all select null, c.context from (values ('system'), ('none'), ('others')) c (context);

grant select on tenant_internal.stat_contexts to tenant_admin, tenant_system, tenant_reader;

create or replace view tenant.stat_tenants with (security_invoker = true) as
    select c.tenant_id, c.context, to_timestamp(coalesce(nullif((s.c).since, 0), tenant_internal.stat_since())) as since,
        (s.c).commits + (s.c).rollbacks as transactions, (s.c).commits, (s.c).rollbacks,
        (s.c).selects, (s.c).inserts, (s.c).updates, (s.c).deletes, (s.c).other_statements, (s.c).rows_read, (s.c).rows_written,
        (s.c).shared_blocks_hit, (s.c).shared_blocks_read, (s.c).local_blocks, (s.c).temp_blocks, (s.c).wal_bytes,
        (s.c).planning_ms::double precision as planning_ms, (s.c).execution_us / 1000.0::double precision as execution_ms,
        (s.c).processor_us / 1000.0::double precision as processor_ms, (s.c).lock_waits, (s.c).lock_wait_ms::double precision as lock_wait_ms,
        (s.c).admission_waits, (s.c).admission_wait_ms::double precision as admission_wait_ms, (s.c).refusals, (s.c).jobs,
        to_timestamp(nullif((s.c).last_seen, 0)) as last_seen
    from tenant_internal.stat_contexts c
    cross join lateral (select tenant_internal.stat_line(c.context, c.tenant_id)::tenant_internal.stat_counters as c offset 0) s
    where s.c is not null;

comment on view tenant.stat_tenants is 'What each tenant has cost since when it was counted: transactions, statements by kind, rows, blocks, WAL, times in milliseconds, waits, refusals. The system context (''system''), transactions without a tenant (''none'') and tenants that have no place of their own (''others'', of all databases) have lines of their own.';

grant select on tenant.stat_tenants to tenant_admin, tenant_system, tenant_reader;

create or replace view tenant.stat_refusals with (security_invoker = true) as
    select c.tenant_id, c.context, r.key as sqlstate, r.value::bigint as count
    from tenant_internal.stat_contexts c
    cross join lateral jsonb_each_text(tenant_internal.stat_codes(c.context, c.tenant_id)::jsonb) r;

comment on view tenant.stat_refusals is 'How often each tenant''s statements were refused, by SQLSTATE, since the server started.';

grant select on tenant.stat_refusals to tenant_admin, tenant_system, tenant_reader;

create or replace view tenant_internal.stat_keys with (security_invoker = true) as
    select c.tenant_id, c.context, tenant_internal.stat_key(c.context, c.tenant_id) as key from tenant_internal.stat_contexts c
        where c.context <> 'others'
    union all select null, 'others', '0000000000000000';

grant select on tenant_internal.stat_keys to tenant_admin, tenant_system, tenant_reader;

create or replace view tenant.stat_tenants_recent with (security_invoker = true) as
    select w.tenant_id, coalesce(w.context, 'others') as context, to_timestamp(s.s) as step,
        s.t as transactions, s.n as statements, s.r as rows_read, s.w as rows_written,
        s.e / 1000.0::double precision as execution_ms, s.p / 1000.0::double precision as processor_ms
    from jsonb_to_recordset(tenant_internal.stat_steps(minutes => false)::jsonb) s (k text, s bigint, t bigint, n bigint, r bigint, w bigint, e bigint, p bigint)
    join tenant_internal.stat_keys w on w.key = s.k;

comment on view tenant.stat_tenants_recent is 'What each tenant has done in each ten seconds of the last ten minutes, where it has done anything; step is when they began. Of a step at most 512 tenants are told apart, the rest is ''others'', of all databases.';

grant select on tenant.stat_tenants_recent to tenant_admin, tenant_system, tenant_reader;

create or replace view tenant.stat_tenants_hour with (security_invoker = true) as
    select w.tenant_id, coalesce(w.context, 'others') as context, to_timestamp(s.s) as step,
        s.t as transactions, s.n as statements, s.r as rows_read, s.w as rows_written,
        s.e / 1000.0::double precision as execution_ms, s.p / 1000.0::double precision as processor_ms
    from jsonb_to_recordset(tenant_internal.stat_steps(minutes => true)::jsonb) s (k text, s bigint, t bigint, n bigint, r bigint, w bigint, e bigint, p bigint)
    join tenant_internal.stat_keys w on w.key = s.k;

comment on view tenant.stat_tenants_hour is 'As tenant.stat_tenants_recent, for each minute of the last hour.';

grant select on tenant.stat_tenants_hour to tenant_admin, tenant_system, tenant_reader;

create or replace view tenant.stat_statements with (security_invoker = true) as
    select w.tenant_id, w.context, s.q as query_id, s.c as calls, s.e / 1000.0::double precision as execution_ms
    from jsonb_to_recordset(tenant_internal.stat_samples()::jsonb) s (k text, q bigint, c bigint, e bigint)
    join tenant_internal.stat_keys w on w.key = s.k;

comment on view tenant.stat_statements is 'Which statements each tenant''s time goes into: of those that clients send, one in eight is taken and counts for eight. query_id is PostgreSQL''s (compute_query_id): pg_stat_statements and the server''s log have the text, which is not kept here.';

grant select on tenant.stat_statements to tenant_admin, tenant_system, tenant_reader;

create or replace function tenant_internal.session_contexts() returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_session_contexts';

revoke all on function tenant_internal.session_contexts() from public;

create or replace function tenant_internal.sessions() returns table (pid integer, tenant_id text, context text, actor text, role_name name,
    application_name text, state text, transaction_start timestamptz, query_start timestamptz, wait_event_type text, wait_event text)
    language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select a.pid, c.tenant_id, coalesce(c.context, 'none'), c.actor, a.usename, a.application_name, a.state, a.xact_start, a.query_start,
        a.wait_event_type, a.wait_event
    from pg_stat_activity a
    left join jsonb_to_recordset(tenant_internal.session_contexts()::jsonb) c (pid integer, context text, tenant_id text, actor text) on c.pid = a.pid
    where a.datname = current_database() and a.backend_type = 'client backend'
        and (tenant.current_id() is null or c.tenant_id = tenant.current_id())
$$;

revoke all on function tenant_internal.sessions() from public;

grant execute on function tenant_internal.sessions() to tenant_admin, tenant_system, tenant_reader;

create or replace view tenant.activity with (security_invoker = true) as select * from tenant_internal.sessions();

comment on view tenant.activity is 'The sessions of this database: what each has entered, who acts in it, since when its transaction lasts, and what it waits for; nothing of its statements. Of a tenant id and an actor the first 64 bytes.';

grant select on tenant.activity to tenant_admin, tenant_system, tenant_reader;

create or replace function tenant.own_statistics() returns table (since timestamptz, transactions bigint, commits bigint, rollbacks bigint,
    selects bigint, inserts bigint, updates bigint, deletes bigint, other_statements bigint, rows_read bigint, rows_written bigint,
    refusals bigint, execution_ms double precision, last_seen timestamptz)
    language sql volatile rows 1 security definer set search_path = pg_catalog, pg_temp as $$
    select to_timestamp((s.c).since), (s.c).commits + (s.c).rollbacks, (s.c).commits, (s.c).rollbacks, (s.c).selects, (s.c).inserts,
        (s.c).updates, (s.c).deletes, (s.c).other_statements, (s.c).rows_read, (s.c).rows_written, (s.c).refusals,
        (s.c).execution_us / 1000.0::double precision, to_timestamp(nullif((s.c).last_seen, 0))
    from (select tenant_internal.stat_line('tenant', tenant.current_id())::tenant_internal.stat_counters as c offset 0) s where s.c is not null
$$;

comment on function tenant.own_statistics() is 'What the transaction''s tenant has done since when it was counted, without what tells of the server; no row with no tenant.';

revoke all on function tenant.own_statistics() from public;

grant execute on function tenant.own_statistics() to tenant_user;

create or replace function tenant.reset_statistics() returns void
    language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select tenant_internal.stat_reset(c.context, c.tenant_id) from tenant_internal.stat_contexts c where c.context <> 'others'
$$;

comment on function tenant.reset_statistics() is 'Begins the statistics of this database''s tenants, of its system context and of transactions without a tenant anew. The last minutes stay, and so do the others, which are of all databases.';

revoke all on function tenant.reset_statistics() from public;

grant execute on function tenant.reset_statistics() to tenant_admin;

create or replace view tenant_internal.limit_names (name, unit) as values ('concurrent_transactions', 'transactions'),
    ('transactions_per_second', 'transactions'), ('statements_per_second', 'statements'), ('rows_written_per_second', 'rows'),
    ('advisory_locks', 'locks'), ('temporary_bytes', 'bytes'), ('weight', 'shares');

grant select on tenant_internal.limit_names to tenant_admin, tenant_system, tenant_reader;

create or replace function tenant_internal.limit_of(name text, hard bigint, soft bigint, burst bigint) returns jsonb
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    has_rate constant boolean := name like '%_per_second';
    most constant bigint := case name when 'temporary_bytes' then 2199023255552 when 'weight' then 10000 else 1000000000 end;
    why text;
begin
    if not exists (select from tenant_internal.limit_names n where n.name = limit_of.name) then
        why := format('There is no limit "%s".', name);
    elsif hard is null or hard < 1 then
        why := 'It is at least 1.';
    elsif hard > most then
        why := format('It is at most %s.', most);
    elsif burst is not null and (not has_rate or burst < 1 or burst > 1000000000) then
        why := 'A burst belongs to what is counted by the second, and is at least 1.';
    elsif soft is not null and (soft < 1 or soft >= hard or not (has_rate or name = 'concurrent_transactions')) then
        why := 'A soft limit belongs to transactions, statements and rows, and lies below the hard one.';
    end if;
    if why is not null then
        raise exception using
            errcode = 'TN051',
            message = format('invalid limit "%s"', name),
            detail = why,
            hint = 'There are concurrent_transactions, transactions_per_second, statements_per_second, rows_written_per_second, '
                'advisory_locks, temporary_bytes and weight.';
    end if;
    return jsonb_strip_nulls(jsonb_build_object('hard', hard, 'soft', soft, 'burst', burst));
end
$$;

revoke all on function tenant_internal.limit_of(text, bigint, bigint, bigint) from public;

grant execute on function tenant_internal.limit_of(text, bigint, bigint, bigint) to tenant_admin;

create or replace function tenant.set_limit(id text, name text, hard bigint, soft bigint default null, burst bigint default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    given constant jsonb := tenant_internal.limit_of(name, hard, soft, burst);
begin
    perform tenant_internal.require_known(canonical);
    update tenant.tenants t set rates = coalesce(t.rates, '{}') || jsonb_build_object(set_limit.name, given) where t.id = canonical;
end
$$;

comment on function tenant.set_limit(text, text, bigint, bigint, bigint) is 'Gives the tenant this limit for all its sessions together, instead of its plan''s: in force for transactions that begin from then on. Beyond hard it is refused (TN180, TN181), beyond soft it is noted; burst is how many may come at once. TN002 unknown, TN051 malformed.';

revoke all on function tenant.set_limit(text, text, bigint, bigint, bigint) from public;

grant execute on function tenant.set_limit(text, text, bigint, bigint, bigint) to tenant_admin;

create or replace function tenant.set_limit(id uuid, name text, hard bigint, soft bigint default null, burst bigint default null) returns void language sql
    begin atomic select tenant.set_limit(id::text, name, hard, soft, burst); end;

revoke all on function tenant.set_limit(uuid, text, bigint, bigint, bigint) from public;

grant execute on function tenant.set_limit(uuid, text, bigint, bigint, bigint) to tenant_admin;

create or replace function tenant.set_limit(id bigint, name text, hard bigint, soft bigint default null, burst bigint default null) returns void language sql
    begin atomic select tenant.set_limit(id::text, name, hard, soft, burst); end;

revoke all on function tenant.set_limit(bigint, text, bigint, bigint, bigint) from public;

grant execute on function tenant.set_limit(bigint, text, bigint, bigint, bigint) to tenant_admin;

create or replace function tenant.drop_limit(id text, name text) returns boolean
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_known(canonical);
    update tenant.tenants t set rates = nullif(t.rates - drop_limit.name, '{}') where t.id = canonical and t.rates ? drop_limit.name;
    return found;
end
$$;

comment on function tenant.drop_limit(text, text) is 'Takes the tenant''s own limit away: its plan''s holds, or none. Whether there was one. TN002 unknown.';

revoke all on function tenant.drop_limit(text, text) from public;

grant execute on function tenant.drop_limit(text, text) to tenant_admin;

create or replace function tenant.drop_limit(id uuid, name text) returns boolean language sql begin atomic select tenant.drop_limit(id::text, name); end;

revoke all on function tenant.drop_limit(uuid, text) from public;

grant execute on function tenant.drop_limit(uuid, text) to tenant_admin;

create or replace function tenant.drop_limit(id bigint, name text) returns boolean language sql begin atomic select tenant.drop_limit(id::text, name); end;

revoke all on function tenant.drop_limit(bigint, text) from public;

grant execute on function tenant.drop_limit(bigint, text) to tenant_admin;

create or replace function tenant.set_plan_limit(plan text, name text, hard bigint, soft bigint default null, burst bigint default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    given constant jsonb := tenant_internal.limit_of(name, hard, soft, burst);
begin
    update tenant.plans p set rates = coalesce(p.rates, '{}') || jsonb_build_object(name, given) where p.plan = set_plan_limit.plan;
    if not found then
        perform tenant_internal.refuse_plan(set_plan_limit.plan);
    end if;
    perform tenant_internal.write_journal('set_plan_limit', set_plan_limit.plan, null, jsonb_build_object(name, given));
end
$$;

comment on function tenant.set_plan_limit(text, text, bigint, bigint, bigint) is 'Gives the plan''s tenants this limit, unless a tenant has its own. TN136 no such plan, TN051 malformed.';

revoke all on function tenant.set_plan_limit(text, text, bigint, bigint, bigint) from public;

grant execute on function tenant.set_plan_limit(text, text, bigint, bigint, bigint) to tenant_admin;

create or replace function tenant.drop_plan_limit(plan text, name text) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update tenant.plans p set rates = nullif(p.rates - name, '{}') where p.plan = drop_plan_limit.plan and p.rates ? name;
    if not found then
        return false;
    end if;
    perform tenant_internal.write_journal('drop_plan_limit', drop_plan_limit.plan, null, jsonb_build_object('name', name));
    return true;
end
$$;

comment on function tenant.drop_plan_limit(text, text) is 'Takes the limit away from the plan. Whether there was one.';

revoke all on function tenant.drop_plan_limit(text, text) from public;

grant execute on function tenant.drop_plan_limit(text, text) to tenant_admin;

create or replace function tenant_internal.gate_line(id text) returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_gate_line';

revoke all on function tenant_internal.gate_line(text) from public;

grant execute on function tenant_internal.gate_line(text) to tenant_admin, tenant_system, tenant_reader;

create or replace view tenant.limit_state with (security_invoker = true) as
    select t.id as tenant_id, n.name, (l.given ->> 'hard')::bigint as hard, (l.given ->> 'soft')::bigint as soft,
        (l.given ->> 'burst')::bigint as burst, case when t.rates ? n.name then 'tenant' else 'plan' end as source,
        case when n.name = 'concurrent_transactions' then coalesce(g.counted[1], 0) end as in_use,
        coalesce(g.counted[2], 0) as refused, coalesce(g.counted[3], 0) as above_soft
    from tenant.tenants t
    left join tenant.plans p using (plan)
    cross join tenant_internal.limit_names n
    cross join lateral (select coalesce(t.rates -> n.name, p.rates -> n.name) as given) l
    left join lateral (select tenant_internal.gate_line(t.id)::bigint[] as counted offset 0) g on true
    where l.given is not null;

comment on view tenant.limit_state is 'The limits that tenants'' sessions share, their own or their plan''s, and what is taken of them. How many transactions were refused, and noted above a soft limit, is counted for all of a tenant''s limits together, while it works.';

grant select on tenant.limit_state to tenant_admin, tenant_system, tenant_reader;

create or replace function tenant_internal.reach_of(role name) returns text
    language sql immutable strict set search_path = pg_catalog, pg_temp as $$
    select case role
        when 'tenant_admin' then 'manages tenants'
        when 'tenant_support' then 'impersonates users of any tenant'
        when 'tenant_reader' then 'reads every tenant''s rows'
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

comment on function tenant_internal.reach_of(name) is 'What the members of a role reach past their tenant, or null.';

revoke all on function tenant_internal.reach_of(name) from public;

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
                else 'which ' || tenant_internal.reach_of(r.rolname) end)
            from pg_roles r
            where r.oid <> target.oid and pg_has_role(target.oid, r.oid, 'member')
                and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or tenant_internal.reach_of(r.rolname) is not null)
            order by r.rolname
            limit 1)
        end;
    -- From 16, whoever creates a role gets a membership that neither inherits nor allows SET ROLE: that one is
    -- harmless.
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
        perform tenant_internal.require_known(canonical);
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

create or replace function tenant_internal.journal_system(reason text, write boolean) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into tenant.journal (action, object, reason, detail, role, session_role)
        values ('enter_system', 'tenant_system', btrim(reason), jsonb_build_object('write', coalesce(write, false)),
            case when (select pg_has_role(session_user, r.oid, 'member') from pg_roles r where r.rolname = 'tenant_system')
                then 'tenant_system' else 'tenant_reader' end, session_user);
end
$$;

revoke all on function tenant_internal.journal_system(text, boolean) from public;

grant select on tenant.tenants to tenant_system, tenant_reader;

create or replace function tenant_internal.journal_system_as_owner(reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into tenant.journal (action, object, reason, detail, role, session_role)
        values ('enter_system', 'tenant_system', btrim(reason), '{"write": true, "as_owner": true}',
            case current_setting('role') when 'none' then session_user else current_setting('role') end, session_user);
end
$$;

revoke all on function tenant_internal.journal_system_as_owner(text) from public;

create or replace function tenant.import_readings(lines text[]) returns table (taken bigint, known bigint, elsewhere bigint, refused bigint)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    mark constant text := 'pg_tenant use {';
    line text;
    told text;
    who text;
    use jsonb;
begin
    perform pg_advisory_xact_lock(hashtext('tenant.import_readings'));
    taken := 0; known := 0; elsewhere := 0; refused := 0;
    foreach line in array coalesce(lines, '{}') loop
        continue when line is null or strpos(line, mark) = 0;
        begin
            who := null;
            told := line;
            if left(line, 1) = '{' then
                told := line::jsonb ->> 'message';
                who := line::jsonb ->> 'user';
            elsif strpos(line, mark || '""') > 0 then
                told := replace(line, '""', '"');
            end if;
            use := null;
            -- Once: a name in the line's prefix may have been chosen so as to look like it.
            told := substr(told, strpos(told, mark) + length(mark) - 1);
            if strpos(told, mark) = 0 then
                use := substr(told, 1, strpos(told, '}'))::jsonb;
            end if;
            if use is null or (use ->> 'id')::uuid is null or (use ->> 'at')::bigint is null or use ->> 'login' is null
                    or who <> use ->> 'login' then
                refused := refused + 1;
            elsif use ->> 'database' is distinct from current_database() then
                elsewhere := elsewhere + 1;
            elsif exists (select from tenant.journal j where j.object = use ->> 'id' and j.action = 'enter_system_unjournalled') then
                known := known + 1;
            else
                perform tenant_internal.require_plain('a reason', use ->> 'reason'), tenant_internal.require_plain('a login', use ->> 'login');
                perform tenant_internal.write_journal('enter_system_unjournalled', use ->> 'id', use ->> 'reason',
                    jsonb_build_object('login', use ->> 'login', 'at', to_timestamp((use ->> 'at')::bigint / 1000000.0)));
                taken := taken + 1;
            end if;
        exception when data_exception or sqlstate 'TN100' then
            refused := refused + 1;
        end;
    end loop;
    return next;
end
$$;

comment on function tenant.import_readings(text[]) is 'Brings uses of the system context that stand in a server''s log alone into the journal, each once: of lines of the log, others are passed over. Says how many were taken, known already, of other databases, and refused as not to be read.';

revoke all on function tenant.import_readings(text[]) from public;

grant execute on function tenant.import_readings(text[]) to tenant_admin;

create or replace function tenant_internal.lock_key(key text) returns bigint
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

revoke all on function tenant_internal.lock_key(text) from public;

create or replace function tenant.advisory_lock(key text) returns void
    language plpgsql volatile strict security definer
    set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    perform pg_advisory_xact_lock(tenant_internal.count_lock(tenant_internal.lock_key(key)));
end
$$;

create or replace function tenant.try_advisory_lock(key text) returns boolean
    language plpgsql volatile strict security definer
    set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    return pg_try_advisory_xact_lock(tenant_internal.count_lock(tenant_internal.lock_key(key)));
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

create or replace function tenant.notify(channel text, payload text default '') returns void
    language plpgsql volatile strict security definer
    set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    perform tenant_internal.lock_key(channel);
    perform pg_notify(tenant.channel(channel), payload);
end
$$;

create or replace function tenant_internal.protect_newcomer(child regclass, parent regclass) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
declare
    tenant_column name := (select attname from pg_attribute where attrelid = parent and attnum = tenant_internal.fence_column(parent));
    through regclass := tenant_internal.membership_through(parent);
begin
    if through is not null then
        perform tenant_internal.fence_members(child,
            through, (select attname from pg_attribute where attrelid = through and attnum = tenant_internal.membership_member(parent)),
            (select attname from pg_attribute where attrelid = parent and attnum = tenant_internal.membership_key(parent)),
            coalesce((tenant_internal.before_protection(tenant_internal.fence_policy(parent)) ->> 'tenants_add_members')::boolean, false));
        perform tenant_internal.audit_newcomer(child, parent);
        return;
    end if;
    perform tenant_internal.fence_hierarchy(child, tenant_column, refuse_foreign => false, shared_rows => tenant_internal.has_shared_rows(parent));
    perform tenant_internal.spread_permissions(parent, child);
    perform tenant_internal.audit_newcomer(child, parent), tenant_internal.meter_newcomer(child, parent);
    insert into tenant.journal (action, object, detail, role)
        values ('protect_below', child::text, jsonb_build_object('tenant_column', tenant_column, 'parent', parent::text), session_user);
end
$$;

revoke all on function tenant_internal.protect_newcomer(regclass, regclass) from public;

create or replace function tenant_internal.warn_of_newcomer(rel regclass, ignored regclass) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    class pg_class;
    found_column name;
    found_table regclass;
begin
    select * into class from pg_class where oid = rel;
    if class.relkind in ('r', 'p') and class.relpersistence <> 't' then
        select a.attname into found_column from pg_attribute a
            where a.attrelid = rel and a.attnum > 0 and not a.attisdropped
                and a.attname in ('tenant_id', (select t.tenant_column from tenant.protected_tables t
                    where t.tenant_column = a.attname limit 1))
            limit 1;
        if found then
            raise warning using
                errcode = 'TN060',
                message = format('new table %s has tenant column "%s" and no protection', rel, found_column),
                detail = 'Every tenant sees all of its rows.',
                hint = format('select tenant.protect(%L, %L); or, where it is the same for all: select tenant.share(%1$L, ''<reason>'');',
                    rel, found_column);
        end if;
    elsif class.relkind = 'v' and not coalesce('security_invoker=true' = any (class.reloptions)
            or 'security_invoker=on' = any (class.reloptions), false)
        and (select rolsuper or rolbypassrls from pg_roles where oid = class.relowner) then
        select d.refobjid into found_table from pg_rewrite r
            join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
            where r.ev_class = rel and tenant_internal.fence_policy(d.refobjid::regclass) is not null limit 1;
        if found then
            raise warning using
                errcode = 'TN060',
                message = format('view %s reads protected table %s with rights to which policies do not apply', rel, found_table),
                detail = format('Its owner is %s: inside a tenant it is refused (TN011).', class.relowner::regrole),
                hint = format('alter view %s set (security_invoker = true);', rel);
        end if;
    end if;
end
$$;

revoke all on function tenant_internal.warn_of_newcomer(regclass, regclass) from public;

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

create or replace function tenant_internal.lock_impersonation(id uuid) returns tenant.impersonations
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    found_row tenant.impersonations;
begin
    select * into found_row from tenant.impersonations i where i.id = lock_impersonation.id for update;
    if not found then
        perform tenant_internal.refuse_impersonation('there is no such impersonation', format('None has the id %s.', coalesce(id::text, 'null')),
            'select * from tenant.open_impersonations;');
    end if;
    return found_row;
end
$$;

revoke all on function tenant_internal.lock_impersonation(uuid) from public;

create or replace function tenant.approve_impersonation(id uuid) returns timestamptz
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    asked tenant.impersonations;
    approver constant name := session_user;
begin
    perform tenant_internal.require_outside('approved');
    asked := tenant_internal.lock_impersonation(id);
    if not (tenant_internal.belongs_to(approver, 'tenant_support') or tenant_internal.belongs_to(approver, 'tenant_admin')
            or (select rolsuper from pg_roles where rolname = approver)) then
        perform tenant_internal.refuse_impersonation('this login approves no impersonation',
            format('Role "%s" is a member neither of tenant_support nor of tenant_admin.', approver), 'Let somebody of support approve it.');
    end if;
    if approver = asked.login or tenant_internal.belongs_to(approver, asked.login) or tenant_internal.belongs_to(asked.login, approver) then
        perform tenant_internal.refuse_impersonation('an impersonation is approved by a second person',
            format('Role "%s" has asked for it, and role "%s" is the same or can become it.', asked.login, approver),
            'Let somebody of support approve it who has a login of their own.');
    end if;
    if asked.ended_at is not null or asked.expires_at <= clock_timestamp() or asked.requested_at < clock_timestamp() - interval '1 day' then
        raise exception using
            errcode = 'TN159',
            message = format('the impersonation in tenant "%s" has ended', asked.tenant_id),
            detail = 'It was ended, has expired, or was asked for more than a day ago.',
            hint = 'Whoever needs it asks anew: select tenant.impersonate(''<tenant>'', ''<user>'', ''<reason>'');';
    end if;
    if asked.approved_at is null then
        update tenant.impersonations i set approved_at = clock_timestamp(), approved_by = approver,
            opens_at = clock_timestamp(), expires_at = clock_timestamp() + i.lasts
            where i.id = asked.id returning * into asked;
        perform tenant_internal.tell_impersonation(asked, 'approve_impersonation', asked.reason, null, asked.impersonator);
    end if;
    return asked.expires_at;
end
$$;

comment on function tenant.approve_impersonation(uuid) is 'Opens an impersonation that another has asked for, and says until when. TN158 by the same person, TN159 ended.';

revoke all on function tenant.approve_impersonation(uuid) from public;

grant execute on function tenant.approve_impersonation(uuid) to tenant_support, tenant_admin;

create or replace function tenant.end_impersonation(id uuid, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    asked tenant.impersonations;
begin
    perform tenant_internal.require_outside('ended');
    if reason is not null then
        perform tenant_internal.require_reason(reason);
    end if;
    asked := tenant_internal.lock_impersonation(id);
    if asked.ended_at is null then
        update tenant.impersonations i set ended_at = clock_timestamp(), ended_by = session_user
            where i.id = asked.id returning * into asked;
        perform tenant_internal.tell_impersonation(asked, 'end_impersonation', btrim(reason), null, asked.impersonator);
    end if;
end
$$;

comment on function tenant.end_impersonation(uuid, text) is 'Ends an impersonation: the next statement that works by it is refused (TN159), and what it has written and not committed is undone.';

revoke all on function tenant.end_impersonation(uuid, text) from public;

grant execute on function tenant.end_impersonation(uuid, text) to tenant_support, tenant_admin;

grant execute on function tenant.version(), tenant.canonical_id(text), tenant.channel(text, text), tenant.setting(text),
    tenant.setting_json(text), tenant.feature(text), tenant.generation(), tenant_internal.setting_as_json(text) to tenant_support;

grant select on tenant.audit_log, tenant.current_members, tenant.defined_roles to tenant_support;

create or replace function tenant_internal.key_column(rel regclass) returns smallint
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(tenant_internal.fence_column(rel), (select attnum from pg_attribute
        where attrelid = rel and attname = current_setting('tenant.foreseen_column', true) and attnum > 0 and not attisdropped
            and attnotnull and not exists (select from tenant.shared where relation = rel)))
$$;

revoke all on function tenant_internal.key_column(regclass) from public;

grant execute on function tenant_internal.key_column(regclass) to tenant_admin;

create or replace function tenant_internal.name_beside(name text, suffix text) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case when octet_length(name) + octet_length(suffix) < 64 then name || suffix
        else left(name, 8) || '_' || left(md5(name), 20) || suffix end
$$;

revoke all on function tenant_internal.name_beside(text, text) from public;

grant execute on function tenant_internal.name_beside(text, text) to tenant_admin;

create or replace function tenant_internal.column_list(rel oid, columns smallint[]) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select string_agg(quote_ident(attname), ', ' order by at)
        from unnest(columns) with ordinality as key (attnum, at) join pg_attribute a on a.attrelid = rel and a.attnum = key.attnum
$$;

revoke all on function tenant_internal.column_list(oid, smallint[]) from public;

grant execute on function tenant_internal.column_list(oid, smallint[]) to tenant_admin;

create or replace function tenant_internal.without_included(definition text, index oid, tenant_column smallint) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    i pg_index;
    included smallint[];
    rest text;
begin
    select * into i from pg_index where indexrelid = index;
    included := array(select unnest((i.indkey::smallint[])[i.indnkeyatts:]));
    if not tenant_column = any (included) then
        return definition;
    end if;
    rest := tenant_internal.column_list(i.indrelid, array_remove(included, tenant_column));
    return replace(definition, format(') INCLUDE (%s)', tenant_internal.column_list(i.indrelid, included)),
        ')' || coalesce(format(' INCLUDE (%s)', rest), ''));
end
$$;

revoke all on function tenant_internal.without_included(text, oid, smallint) from public;

grant execute on function tenant_internal.without_included(text, oid, smallint) to tenant_admin;

create or replace function tenant_internal.with_equal_nulls(rest text, rel oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when tenant_internal.has_shared_rows(rel) and rest !~ 'NULLS NOT DISTINCT'
        then regexp_replace(rest, '^([^()"]|"[^"()]*")*\)( INCLUDE \(([^()"]|"[^"()]*")*\))?', '\& NULLS NOT DISTINCT') else rest end
$$;

revoke all on function tenant_internal.with_equal_nulls(text, oid) from public;

grant execute on function tenant_internal.with_equal_nulls(text, oid) to tenant_admin;

create or replace function tenant_internal.said_of_shared_key(index oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when tenant_internal.has_shared_rows(i.indrelid) is not true then null
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

revoke all on function tenant_internal.said_of_shared_key(oid) from public;

grant execute on function tenant_internal.said_of_shared_key(oid) to tenant_admin;

create or replace function tenant_internal.index_with_tenant(index oid, name text, tenant_column smallint, concurrent boolean) returns text
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
            name, i.indrelid::regclass, method, tenant_internal.column_list(i.indrelid, array[tenant_column]))
        || tenant_internal.with_equal_nulls(substr(tenant_internal.without_included(pg_get_indexdef(index), index, tenant_column), length(prefix) + 1), i.indrelid);
end
$$;

revoke all on function tenant_internal.index_with_tenant(oid, text, smallint, boolean) from public;

grant execute on function tenant_internal.index_with_tenant(oid, text, smallint, boolean) to tenant_admin;

create or replace function tenant_internal.constraint_with_tenant(con oid, tenant_column smallint) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when contype = 'u' and tenant_internal.has_shared_rows(conrelid) and old not like 'UNIQUE NULLS NOT DISTINCT (%'
                then 'UNIQUE NULLS NOT DISTINCT (' else left(old, strpos(old, '(')) end || tenant_internal.column_list(conrelid, array[tenant_column])
            || case contype when 'x' then ' WITH OPERATOR(pg_catalog.=)' else '' end || ', ' || substr(old, strpos(old, '(') + 1)
        from (select contype, conrelid, tenant_internal.without_included(pg_get_constraintdef(oid), conindid, tenant_column) as old
            from pg_constraint where oid = con) c
$$;

revoke all on function tenant_internal.constraint_with_tenant(oid, smallint) from public;

grant execute on function tenant_internal.constraint_with_tenant(oid, smallint) to tenant_admin;

create or replace function tenant_internal.reference_with_tenant(fk oid) returns text
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
    own := tenant_internal.key_column(f.conrelid);
    period := coalesce((to_jsonb(f) ->> 'conperiod')::boolean, false);
    columns := case when period then trim_array(f.conkey, 1) else f.conkey end;
    referenced := case when period then trim_array(f.confkey, 1) else f.confkey end;
    -- MATCH FULL wants all columns null, or none. It is kept only where no column can be null: the tenant column is not
    -- null, so all of them null would be refused.
    full_match := f.confmatchtype = 'f' and not exists (
        select from pg_attribute where attrelid = f.conrelid and attnum = any (f.conkey) and not attnotnull)
        and tenant_internal.has_shared_rows(f.conrelid) is not true;
    return format('foreign key (%s%s) references %s (%s%s)',
            tenant_internal.column_list(f.conrelid, own || columns),
            case when period then ', period ' || tenant_internal.column_list(f.conrelid, f.conkey[cardinality(f.conkey):]) else '' end,
            f.confrelid::regclass,
            tenant_internal.column_list(f.confrelid, tenant_internal.key_column(f.confrelid) || referenced),
            case when period then ', period ' || tenant_internal.column_list(f.confrelid, f.confkey[cardinality(f.confkey):]) else '' end)
        || case when full_match then ' match full' else '' end
        || case f.confupdtype when 'c' then ' on update cascade' when 'r' then ' on update restrict' else '' end
        || case f.confdeltype when 'c' then ' on delete cascade' when 'r' then ' on delete restrict'
            when 'n' then ' on delete set null' when 'd' then ' on delete set default' else '' end
        || case when f.confdeltype in ('n', 'd') then
            format(' (%s)', tenant_internal.column_list(f.conrelid, coalesce(f.confdelsetcols, f.conkey))) else '' end
        || case when f.condeferrable then ' deferrable' else '' end
        || case when f.condeferred then ' initially deferred' else '' end
        || case when (to_jsonb(f) ->> 'conenforced')::boolean is false then ' not enforced' else '' end;
end
$$;

revoke all on function tenant_internal.reference_with_tenant(oid) from public;

grant execute on function tenant_internal.reference_with_tenant(oid) to tenant_admin;

create or replace function tenant_internal.match_full_check(fk oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('alter table %s add constraint %I check (num_nulls(%s) in (0, %s))%s', f.conrelid::regclass,
            tenant_internal.name_beside(f.conname, '_match'), tenant_internal.column_list(f.conrelid, f.conkey), cardinality(f.conkey),
            case c.relkind when 'r' then ' no inherit' else '' end)
        from pg_constraint f join pg_class c on c.oid = f.conrelid
        where f.oid = fk and f.confmatchtype = 'f' and cardinality(f.conkey) > 1 and exists (
            select from pg_attribute where attrelid = f.conrelid and attnum = any (f.conkey) and not attnotnull)
$$;

revoke all on function tenant_internal.match_full_check(oid) from public;

grant execute on function tenant_internal.match_full_check(oid) to tenant_admin;

create or replace function tenant_internal.references_across(fk oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('select child.* from %s child join %s parent on %s where child.%s <> parent.%s',
            f.conrelid::regclass, f.confrelid::regclass,
            (select string_agg(format('parent.%s operator(%I.%s) child.%s', tenant_internal.column_list(f.confrelid, array[f.confkey[n]]),
                    nspname, oprname, tenant_internal.column_list(f.conrelid, array[f.conkey[n]])), ' and ' order by n)
                from generate_subscripts(f.conkey, 1) n
                join pg_operator o on o.oid = f.conpfeqop[n] join pg_namespace on pg_namespace.oid = oprnamespace),
            tenant_internal.column_list(f.conrelid, array[tenant_internal.key_column(f.conrelid)]),
            tenant_internal.column_list(f.confrelid, array[tenant_internal.key_column(f.confrelid)]))
        from pg_constraint f where f.oid = fk
$$;

revoke all on function tenant_internal.references_across(oid) from public;

grant execute on function tenant_internal.references_across(oid) to tenant_admin;

create or replace function tenant_internal.count_across(fk oid) returns bigint
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    query text := tenant_internal.references_across(fk);
    part regclass;
    fence name;
    found_rows bigint;
begin
    for part in
        select distinct h from pg_constraint f, lateral (
            select tenant_internal.hierarchy(f.conrelid) union select tenant_internal.hierarchy(f.confrelid)) both_sides (h)
        where f.oid = fk
    loop
        select polname into fence from pg_policy where oid = tenant_internal.fence_policy(part);
        if found then
            perform tenant_internal.run_as_owner(part, format('drop policy %I on %s', fence, part));
            perform tenant_internal.run_as_owner(part, format('alter table %s disable row level security', part));
        end if;
    end loop;
    found_rows := tenant_internal.run_as_owner((select conrelid::regclass from pg_constraint where oid = fk),
        format('select count(*) from (%s) across', query))::bigint;
    raise exception using errcode = 'TN087', message = found_rows::text;
exception
    when sqlstate 'TN087' then return sqlerrm::bigint;
    when others then return null;
end
$$;

revoke all on function tenant_internal.count_across(oid) from public;

grant execute on function tenant_internal.count_across(oid) to tenant_admin;

create or replace function tenant_internal.obstacle_of_key(index oid, tenant_column smallint) returns tenant_internal.obstacle
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
            when not pg_indexam_has_property(am.oid, 'can_multi_col') then
                row('TN086', format('%s cannot contain the tenant', c.relname),
                    format('its index method %s takes one column only.', am.amname))::tenant_internal.obstacle
            when not exists (select from pg_opclass o where o.opcmethod = am.oid and o.opcdefault
                    and o.opcintype = case a.atttypid when 'varchar'::regtype then 'text'::regtype else a.atttypid end) then
                row('TN085', format('%s cannot contain the tenant', c.relname),
                    format('index method %s has no operator class for %s.', am.amname, format_type(a.atttypid, null)))::tenant_internal.obstacle
        end
        from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am am on am.oid = c.relam
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = tenant_column
        where i.indexrelid = index
$$;

revoke all on function tenant_internal.obstacle_of_key(oid, smallint) from public;

grant execute on function tenant_internal.obstacle_of_key(oid, smallint) to tenant_admin;

create or replace function tenant_internal.obstacle_of_reference(fk oid) returns tenant_internal.obstacle
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
            when tenant_internal.has_shared_rows(f.confrelid) then null -- it stays, for what it refers to may be without one
            when f.confupdtype in ('n', 'd') then
                row('TN086', format('%s of %s cannot contain the tenant', f.conname, f.conrelid::regclass),
                    'on update set null or set default would reach the tenant column; use cascade or no action.')::tenant_internal.obstacle
            when case when child.atttypid in ('smallint'::regtype, 'integer'::regtype) then 'bigint'::regtype
                    when child.atttypid = 'varchar'::regtype then 'text'::regtype else child.atttypid end
                <> case when parent.atttypid in ('smallint'::regtype, 'integer'::regtype) then 'bigint'::regtype
                    when parent.atttypid = 'varchar'::regtype then 'text'::regtype else parent.atttypid end then
                row('TN086', format('%s of %s cannot contain the tenant', f.conname, f.conrelid::regclass),
                    format('the tenant columns differ in type: %s and %s.',
                        format_type(child.atttypid, null), format_type(parent.atttypid, null)))::tenant_internal.obstacle
        end
        from pg_constraint f
        join pg_attribute child on child.attrelid = f.conrelid and child.attnum = tenant_internal.key_column(f.conrelid)
        join pg_attribute parent on parent.attrelid = f.confrelid and parent.attnum = tenant_internal.key_column(f.confrelid)
        where f.oid = fk
$$;

revoke all on function tenant_internal.obstacle_of_reference(oid) from public;

grant execute on function tenant_internal.obstacle_of_reference(oid) to tenant_admin;

create or replace function tenant_internal.keys_without_tenant(parts oid[])
    returns table (relation oid, index oid, constraint_oid oid, name text, columns smallint[], is_reference boolean, online boolean)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select i.indrelid, i.indexrelid, con.oid, c.relname, key.columns, i.indisunique and i.indexprs is null and i.indpred is null,
        -- Otherwise the constraint can only be dropped and added again.
        t.relkind = 'r' and con.contype is distinct from 'x' and not i.indisexclusion
    from (select unnest(parts)
            union select confrelid from pg_constraint where contype = 'f' and conparentid = 0 and conrelid = any (parts)) touched (oid)
    join pg_class t on t.oid = touched.oid
    join pg_index i on i.indrelid = t.oid and (i.indisunique or i.indisexclusion) and i.indisvalid
    join pg_class c on c.oid = i.indexrelid and not c.relispartition
    left join pg_constraint con on con.conindid = i.indexrelid and con.conrelid = i.indrelid and con.contype in ('p', 'u', 'x')
    cross join lateral (select array(select unnest((i.indkey::smallint[])[0:i.indnkeyatts - 1])) as columns,
        tenant_internal.key_column(t.oid::regclass) as tenant) key
    where key.tenant is not null
        and not key.tenant = any (key.columns)
        and (t.oid = any (parts) or exists (select from pg_constraint f where f.contype = 'f' and f.conparentid = 0
            and f.conrelid = any (parts) and f.confrelid = t.oid and f.confkey <@ key.columns and f.confkey @> key.columns))
    order by t.oid::regclass::text, c.relname
$$;

revoke all on function tenant_internal.keys_without_tenant(oid[]) from public;

grant execute on function tenant_internal.keys_without_tenant(oid[]) to tenant_admin;

create or replace function tenant_internal.surrogate_kind(index oid) returns text
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

revoke all on function tenant_internal.surrogate_kind(oid) from public;

grant execute on function tenant_internal.surrogate_kind(oid) to tenant_admin;

create or replace function tenant_internal.is_referable(rel oid, columns smallint[]) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_index i where i.indrelid = rel and i.indisunique and i.indisvalid and i.indimmediate
            and i.indpred is null and i.indexprs is null and i.indnkeyatts = cardinality(columns)
            and (i.indkey::smallint[])[0:i.indnkeyatts - 1] @> columns)
$$;

revoke all on function tenant_internal.is_referable(oid, smallint[]) from public;

grant execute on function tenant_internal.is_referable(oid, smallint[]) to tenant_admin;

create or replace function tenant_internal.is_prepared(fk oid, name text) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select n.contype = 'f' and n.confrelid = f.confrelid
            and array(select format('%s=%s', here, there) from unnest(n.conkey, n.confkey) k (here, there) order by 1)
                = array(select format('%s=%s', here, there) from unnest(tenant_internal.key_column(f.conrelid) || f.conkey,
                    tenant_internal.key_column(f.confrelid) || f.confkey) k (here, there) order by 1)
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

revoke all on function tenant_internal.is_prepared(oid, text) from public;

grant execute on function tenant_internal.is_prepared(oid, text) to tenant_admin;

create or replace function tenant_internal.prepared_reference(fk oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select n.conname
        from pg_constraint f join pg_constraint n on n.conrelid = f.conrelid and n.contype = 'f' and n.conparentid = 0 and n.oid <> fk
        where f.oid = fk and tenant_internal.is_prepared(fk, n.conname) and (n.conname = tenant_internal.name_beside(f.conname, '_tenant') or not exists (
            select from pg_constraint other where other.conrelid = f.conrelid and other.contype = 'f' and other.oid <> fk
                and (other.conname < f.conname or n.conname = tenant_internal.name_beside(other.conname, '_tenant'))
                and tenant_internal.is_prepared(other.oid, n.conname)))
        order by n.conname <> tenant_internal.name_beside(f.conname, '_tenant'), not n.convalidated, n.conname limit 1
$$;

revoke all on function tenant_internal.prepared_reference(oid) from public;

grant execute on function tenant_internal.prepared_reference(oid) to tenant_admin;

create or replace function tenant_internal.prepared_key(index oid, tenant_column smallint) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select c.relname
        from pg_index key
        join pg_index i on i.indrelid = key.indrelid and i.indexrelid <> key.indexrelid and i.indisvalid
        join pg_class c on c.oid = i.indexrelid
        left join pg_constraint old on old.conindid = key.indexrelid and old.conrelid = key.indrelid and old.contype in ('p', 'u', 'x')
        left join pg_constraint new on new.conindid = i.indexrelid and new.conrelid = i.indrelid and new.contype in ('p', 'u', 'x')
        where key.indexrelid = index
            and pg_get_indexdef(i.indexrelid) = tenant_internal.index_with_tenant(index, c.relname, tenant_column, false)
            and (new.oid is null or old.contype = 'u' and new.contype = 'u'
                and (new.condeferrable, new.condeferred) = (old.condeferrable, old.condeferred))
        order by new.oid is not null, c.relname limit 1
$$;

revoke all on function tenant_internal.prepared_key(oid, smallint) from public;

grant execute on function tenant_internal.prepared_key(oid, smallint) to tenant_admin;

create or replace function tenant_internal.change_of_key(index oid, tenant_column smallint) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when i.indisexclusion or i.indexprs is not null
                then format('Conflict targets that mean %s begin with %s.', c.relname, t.name)
            else format('on conflict (%1$s) becomes on conflict (%2$s, %1$s)', k.names, t.name)
                || case when i.indisprimary then format('; group by %1$s alone (42803) becomes group by %2$s, %1$s; '
                        'a new foreign key refers to (%2$s, %1$s), not to (%1$s) (42830)', k.names, t.name) else '' end || '.' end
        from pg_index i join pg_class c on c.oid = i.indexrelid,
        lateral (select tenant_internal.column_list(i.indrelid, array[tenant_column]) as name) t,
        lateral (select tenant_internal.column_list(i.indrelid, (i.indkey::smallint[])[0:i.indnkeyatts - 1]) as names) k
        where i.indexrelid = index
$$;

revoke all on function tenant_internal.change_of_key(oid, smallint) from public;

grant execute on function tenant_internal.change_of_key(oid, smallint) to tenant_admin;

create or replace function tenant_internal.plan_key_online(plan tenant_internal.key_plan, concurrent boolean)
    returns setof tenant_internal.hardening_step
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    rel constant regclass := plan.relation;
    namespace constant oid := (select relnamespace from pg_class where oid = plan.index);
    schema_name constant text := namespace::regnamespace;
    beside text := tenant_internal.name_beside(plan.name, '_tenant'); -- what stands beside the key until it takes its place
    step tenant_internal.hardening_step;
    fk oid;
    renamed boolean;  -- it is a constraint
    reusable boolean; -- it is there already
    occupied boolean; -- the name is that of something else
begin
    step.relation := rel;
    step.foreign_keys := '{}';
    step.why := plan.why;
    step.changes := plan.changes;
    if not exists (select from pg_class where relnamespace = namespace and relname = beside) then
        beside := coalesce(tenant_internal.prepared_key(plan.index, plan.own), beside);
    end if;
    renamed := exists (select from pg_constraint where conrelid = rel and conname = beside and contype = 'u');
    reusable := coalesce((select i.indisvalid and pg_get_indexdef(i.indexrelid) = tenant_internal.index_with_tenant(plan.index, beside, plan.own, false)
            from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = rel and c.relname = beside), false)
        or plan.held and plan.is_reference and tenant_internal.is_referable(rel, plan.own || plan.columns);
    if not reusable then
        select not exists (select from pg_index i where i.indexrelid = c.oid and i.indrelid = rel and not i.indisvalid)
            into occupied from pg_class c where c.relname = beside and c.relnamespace = namespace;
        if occupied then
            return next tenant_internal.step_of_obstacle(rel, row('TN086', format('%s.%I has a name that is needed', schema_name, beside),
                'it is not the key that is to stand there; rename or drop it.'));
            return;
        end if;
        -- An attempt that was given up has left one that is not valid.
        if occupied is false then
            step.statement := format('drop index %s.%I', schema_name, beside);
            return next step;
        end if;
        step.statement := tenant_internal.index_with_tenant(plan.index, beside, plan.own, concurrent);
        return next step;
        step.statement := (select format('alter index %s.%I set tablespace %I', schema_name, beside, spcname)
            from pg_class c join pg_tablespace s on s.oid = c.reltablespace where c.oid = plan.index);
        if step.statement is not null then
            return next step;
        end if;
    end if;
    for fk in select oid from pg_constraint where oid = any (plan.waiting) order by conrelid::regclass::text, conname loop
        return query select * from tenant_internal.plan_reference_online(fk);
    end loop;
    if plan.held then
        return;
    end if;
    step.statement := coalesce(
        case when renamed then
            format('alter table %1$s drop constraint %2$I; alter table %1$s rename constraint %3$I to %2$I', rel, plan.name, beside) end,
        (select format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s using index %4$I%5$s%6$s', rel, plan.name,
                case contype when 'p' then 'primary key' else 'unique' end, beside,
                case when condeferrable then ' deferrable' else '' end, case when condeferred then ' initially deferred' else '' end)
            from pg_constraint where oid = plan.constraint_oid),
        format('drop index %1$s.%2$I; alter index %1$s.%3$I rename to %2$I', schema_name, plan.name, beside))
        || tenant_internal.restored_with_key(plan);
    return next step;
end
$$;

revoke all on function tenant_internal.plan_key_online(tenant_internal.key_plan, boolean) from public;

grant execute on function tenant_internal.plan_key_online(tenant_internal.key_plan, boolean) to tenant_admin;

create or replace function tenant_internal.plan_reference_online(fk oid) returns setof tenant_internal.hardening_step
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    f constant pg_constraint := (select c from pg_constraint c where c.oid = fk);
    child constant regclass := f.conrelid;
    beside constant text := coalesce(tenant_internal.prepared_reference(fk), tenant_internal.name_beside(f.conname, '_tenant'));
    enforced constant boolean := coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true);
    definition constant text := tenant_internal.reference_with_tenant(fk);
    match_check constant text := tenant_internal.match_full_check(fk);
    match_name constant text := tenant_internal.name_beside(f.conname, '_match');
    comment constant text := coalesce(format('; comment on constraint %I on %s is ', f.conname, child)
        || quote_literal(obj_description(fk, 'pg_constraint')), '');
    is_there boolean;    -- null where there is none, else whether it is validated
    match_there boolean; -- likewise
    step tenant_internal.hardening_step;
begin
    step.relation := child;
    step.foreign_keys := array[fk];
    step.why := format('%s of %s refers, cascades and locks across tenants.', f.conname, child);
    step.changes := 'A reference to another tenant''s row is refused (23503), whether it is there or not.';
    select convalidated into is_there from pg_constraint where conrelid = child and conname = beside;
    select convalidated into match_there from pg_constraint where conrelid = child and conname = match_name;
    if (select relkind from pg_class where oid = child) = 'p' and is_there is not true then
        step.statement := concat(format('alter table %1$s drop constraint %2$I; alter table %1$s add constraint %2$I ', child, f.conname),
            definition, '; ' || match_check, comment);
        return next step;
        return;
    end if;
    if is_there is null then
        step.statement := concat(format('alter table %s add constraint %I ', child, beside), definition,
            case when enforced then ' not valid' end, '; ' || match_check || ' not valid');
        return next step;
    elsif match_there is null and match_check is not null then
        step.statement := match_check || ' not valid';
        return next step;
    end if;
    if f.convalidated and enforced and not (is_there is true and (match_check is null or match_there is true)) then
        step.statement := format('alter table %s validate constraint %I', child, beside)
            || case when match_check is null then '' else format(', validate constraint %I', match_name) end;
        return next step;
    end if;
    step.statement := format('alter table %1$s drop constraint %2$I; alter table %1$s rename constraint %3$I to %2$I%4$s',
        child, f.conname, beside, comment);
    return next step;
end
$$;

revoke all on function tenant_internal.plan_reference_online(oid) from public;

grant execute on function tenant_internal.plan_reference_online(oid) to tenant_admin;

create or replace function tenant_internal.restored_with_key(plan tenant_internal.key_plan) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select concat(
            case when i.indisreplident then format('; alter table %s replica identity using index %I', i.indrelid::regclass, plan.name) end,
            case when i.indisclustered then format('; alter table %s cluster on %I', i.indrelid::regclass, plan.name) end,
            format('; comment on constraint %I on %s is ', plan.name, i.indrelid::regclass)
                || quote_literal(obj_description(plan.constraint_oid, 'pg_constraint')),
            format('; comment on index %s.%I is ', c.relnamespace::regnamespace, plan.name)
                || quote_literal(obj_description(plan.index, 'pg_class')))
        from pg_index i join pg_class c on c.oid = i.indexrelid where i.indexrelid = plan.index
$$;

revoke all on function tenant_internal.restored_with_key(tenant_internal.key_plan) from public;

grant execute on function tenant_internal.restored_with_key(tenant_internal.key_plan) to tenant_admin;

create or replace function tenant_internal.plan_key_at_once(plan tenant_internal.key_plan) returns setof tenant_internal.hardening_step
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    rel constant regclass := plan.relation;
    schema_name constant text := (select relnamespace::regnamespace from pg_class where oid = plan.index);
    beside constant text := tenant_internal.name_beside(plan.name, '_tenant');
    step tenant_internal.hardening_step;
    definition text;  -- of the constraint beside the key; an index with a predicate or expressions cannot be one
    reusable boolean; -- it is there already
    swap text;
begin
    step.relation := rel;
    step.foreign_keys := plan.waiting;
    step.why := plan.why;
    step.changes := plan.changes;
    definition := case when plan.constraint_oid is not null or plan.is_reference then coalesce(
        (select regexp_replace(tenant_internal.constraint_with_tenant(oid, plan.own), '^PRIMARY KEY', 'UNIQUE')
            from pg_constraint where oid = plan.constraint_oid),
        format('UNIQUE (%s)', tenant_internal.column_list(rel, plan.own || plan.columns))) end;
    reusable := case when definition is not null
        then exists (select from pg_constraint where conrelid = rel and conname = beside and pg_get_constraintdef(oid) = definition)
        else exists (select from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = rel and c.relname = beside
            and i.indisunique and i.indisvalid and i.indkey[0] = plan.own) end;
    if plan.held then
        if not (reusable or plan.is_reference and tenant_internal.is_referable(rel, plan.own || plan.columns)) then
            step.statement := coalesce(format('alter table %s add constraint %I ', rel, beside) || definition,
                tenant_internal.index_with_tenant(plan.index, beside, plan.own, false));
            return next step;
        end if;
        if plan.waiting = '{}' then
            return;
        end if;
    else
        swap := coalesce(
            (select format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s', rel, plan.name,
                tenant_internal.constraint_with_tenant(plan.constraint_oid, plan.own)) where plan.constraint_oid is not null),
            format('%1$s; drop index %2$s.%3$I; alter index %2$s.%4$I rename to %3$I',
                tenant_internal.index_with_tenant(plan.index, beside || '_', plan.own, false), schema_name, plan.name, beside || '_'))
            || tenant_internal.restored_with_key(plan);
        if reusable then
            swap := case when definition is not null then format('alter table %s drop constraint %I; ', rel, beside)
                else format('drop index %s.%I; ', schema_name, beside) end || swap;
        end if;
    end if;
    -- The foreign keys that wait, and those that refer to what stood beside the key.
    select concat_ws('; ',
            string_agg(format('alter table %s drop constraint %I', conrelid::regclass, conname), '; '
                order by conrelid::regclass::text, conname),
            swap,
            string_agg(concat(f.definition,
                format('; comment on constraint %I on %s is ', conname, conrelid::regclass) || quote_literal(said)),
                '; ' order by conrelid::regclass::text, conname))
        into step.statement
        from (select f.conrelid, f.conname, concat(coalesce(
                    (select format('alter table %s rename constraint %I to %I', f.conrelid::regclass, n.conname, f.conname)
                        from pg_constraint n
                        where n.conrelid = f.conrelid and n.conname = tenant_internal.prepared_reference(f.oid)
                            and (n.convalidated or not f.convalidated) and (plan.held or not exists (select from pg_constraint stand
                                where stand.conindid = n.conindid and stand.conname = beside and stand.contype = 'u'))),
                    format('alter table %s add constraint %I ', f.conrelid::regclass, f.conname)
                        || tenant_internal.reference_with_tenant(f.oid) || case when not f.convalidated
                        and (to_jsonb(f) ->> 'conenforced')::boolean is distinct from false then ' not valid' else '' end),
                    '; ' || tenant_internal.match_full_check(f.oid)) as definition,
                    obj_description(f.oid, 'pg_constraint') as said
                from pg_constraint f where f.oid = any (plan.waiting)
            union all
            select f.conrelid, f.conname, format('alter table %s add constraint %I ', f.conrelid::regclass, f.conname)
                    || pg_get_constraintdef(f.oid), obj_description(f.oid, 'pg_constraint')
                from pg_constraint f join pg_constraint stand on stand.conindid = f.conindid and stand.conname = beside
                    and stand.conrelid = plan.relation and stand.contype = 'u'
                where not plan.held and f.contype = 'f' and f.conparentid = 0) f;
    return next step;
end
$$;

revoke all on function tenant_internal.plan_key_at_once(tenant_internal.key_plan) from public;

grant execute on function tenant_internal.plan_key_at_once(tenant_internal.key_plan) to tenant_admin;

create or replace function tenant_internal.plan_hardening(rel regclass, concurrent boolean, form tenant.key_form, keep_old_keys boolean, foreseen name)
    returns setof tenant_internal.hardening_step
    language plpgsql stable set search_path = pg_catalog, pg_temp set tenant.foreseen_column = '' as $$
declare
    parts constant oid[] := array(select h::oid from tenant_internal.hierarchy(rel) h);
    key record;
    fk record;
    plan tenant_internal.key_plan;
    step tenant_internal.hardening_step;
    obstacle tenant_internal.obstacle;
    stays boolean;   -- a surrogate key, which all may go on using alone
    shared text;
    done oid[] := '{}'; -- foreign keys that go with a key
begin
    perform set_config('tenant.foreseen_column', coalesce(foreseen, ''), true);
    for key in select * from tenant_internal.keys_without_tenant(parts) loop
        plan := null;
        plan.relation := key.relation;
        plan.index := key.index;
        plan.constraint_oid := key.constraint_oid;
        plan.name := key.name;
        plan.columns := key.columns;
        plan.is_reference := key.is_reference;
        plan.own := tenant_internal.key_column(key.relation);
        stays := form <> 'all' and tenant_internal.surrogate_kind(key.index) is not null;
        step := null;
        step.relation := key.relation;
        step.foreign_keys := '{}';
        shared := tenant_internal.said_of_shared_key(key.index);
        if shared is not null then
            continue when stays or not key.relation = any (parts);
            step.why := format('%s of %s stays without the tenant: %s.', key.name, key.relation::regclass, shared);
            return next step;
            continue;
        end if;
        obstacle := tenant_internal.obstacle_of_key(key.index, plan.own);
        if obstacle is not null then
            continue when stays;
            return next tenant_internal.step_of_obstacle(key.relation, obstacle);
            continue;
        end if;
        select coalesce(bool_or(not usable), false), coalesce(array_agg(oid order by child, conname) filter (where usable), '{}')
            into plan.held, plan.waiting
            from (select f.oid, f.conrelid::regclass::text as child, f.conname,
                    coalesce(not tenant_internal.key_column(f.conrelid) = any (f.conkey), false) as usable
                from pg_constraint f
                where key.is_reference and f.contype = 'f' and f.conparentid = 0 and f.confrelid = key.relation
                    and f.confkey <@ key.columns and f.confkey @> key.columns and not f.oid = any (done)) f;
        for fk in select oid, conrelid, coalesce(tenant_internal.prepared_reference(oid), tenant_internal.name_beside(conname, '_tenant')) as beside,
                tenant_internal.obstacle_of_reference(oid) as obstacle
            from pg_constraint where oid = any (plan.waiting)
        loop
            obstacle := fk.obstacle;
            if obstacle is null and key.online and not tenant_internal.is_prepared(fk.oid, fk.beside) then
                obstacle := row('TN086', format('constraint %I of %s has a name that is needed', fk.beside, fk.conrelid::regclass),
                    'it is not the foreign key that is to stand there; rename or drop it.');
            end if;
            continue when obstacle is null;
            return next tenant_internal.step_of_obstacle(key.relation, obstacle);
            plan.held := true;
            plan.waiting := array_remove(plan.waiting, fk.oid);
        end loop;
        done := done || plan.waiting;

        plan.why := case when stays then format('%s of %s stays as it is; foreign keys use one with the tenant beside it.', key.name, key.relation::regclass)
            else format('%s of %s is one for all tenants: it tells that another has a value.', key.name, key.relation::regclass) end;
        plan.changes := case when stays then format('Nothing: group by %1$s, references %2$s (%1$s) and on conflict (%1$s) go on working.',
                tenant_internal.column_list(key.relation, key.columns), key.relation::regclass)
            when plan.held or keep_old_keys then 'Nothing yet: the old key stays. Later: ' || tenant_internal.change_of_key(key.index, plan.own)
            else tenant_internal.change_of_key(key.index, plan.own) end;
        -- A key that stays gets one with the tenant beside it for the foreign keys that wait for that. A primary key
        -- gets it for foreign keys that are to come, and every key where the old ones are to be kept.
        continue when (plan.held or stays and not coalesce((select contype = 'p' from pg_constraint where oid = key.constraint_oid), false))
            and not (keep_old_keys and not stays) and plan.waiting = '{}';
        plan.held := plan.held or stays or keep_old_keys;
        if key.online then
            return query select * from tenant_internal.plan_key_online(plan, concurrent);
        else
            return query select * from tenant_internal.plan_key_at_once(plan);
        end if;
    end loop;
    return query select * from tenant_internal.plan_references_left(parts, done);
end
$$;

revoke all on function tenant_internal.plan_hardening(regclass, boolean, tenant.key_form, boolean, name) from public;

grant execute on function tenant_internal.plan_hardening(regclass, boolean, tenant.key_form, boolean, name) to tenant_admin;

create or replace function tenant_internal.step_of_obstacle(rel oid, obstacle tenant_internal.obstacle) returns tenant_internal.hardening_step
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select row(rel::regclass, null, format('%s: %s: %s', obstacle.code, obstacle.problem, obstacle.reason), null, '{}'::oid[],
        obstacle, null)::tenant_internal.hardening_step
$$;

revoke all on function tenant_internal.step_of_obstacle(oid, tenant_internal.obstacle) from public;

grant execute on function tenant_internal.step_of_obstacle(oid, tenant_internal.obstacle) to tenant_admin;

create or replace function tenant_internal.plan_references_left(parts oid[], done oid[]) returns setof tenant_internal.hardening_step
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select row(f.child, null,
            format('%s of %s stays without the tenant, and so does the key of %s that it refers to: %s', f.conname, f.child, f.parent,
                case when f.shared then format('rows of %s may be every tenant''s.', f.parent)
                    when f.own is null then format('%s is not protected.', f.child)
                    else 'it refers by the tenant column already, or to a partition.' end),
            null, '{}'::oid[], null::tenant_internal.obstacle,
            case when not f.shared and f.own is null then f.child end)::tenant_internal.hardening_step
        from (
            select c.conname, c.conrelid::regclass as child, c.confrelid::regclass as parent, tenant_internal.key_column(c.conrelid) as own,
                coalesce(tenant_internal.has_shared_rows(c.confrelid), false) as shared
            from pg_constraint c
            where c.contype = 'f' and c.conparentid = 0 and (c.conrelid = any (parts) or c.confrelid = any (parts))
                and not c.oid = any (done) and tenant_internal.key_column(c.confrelid) is not null
                and tenant_internal.obstacle_of_reference(c.oid) is null
                and (tenant_internal.key_column(c.conrelid) is null or not exists (
                    select from generate_subscripts(c.conkey, 1) n
                    where c.conkey[n] = tenant_internal.key_column(c.conrelid) and c.confkey[n] = tenant_internal.key_column(c.confrelid)))
        ) f
        order by f.child::text, f.conname
$$;

revoke all on function tenant_internal.plan_references_left(oid[], oid[]) from public;

grant execute on function tenant_internal.plan_references_left(oid[], oid[]) to tenant_admin;

create or replace function tenant.hardening(rel regclass, harden tenant.key_form default 'true', keep_old_keys boolean default false,
        tenant_column name default null)
    returns table (step bigint, relation regclass, statement text, why text, changes text)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    col pg_attribute;
begin
    -- A table that is reached by membership has no tenant column.
    if tenant_internal.membership_through(rel) is not null then
        return;
    end if;
    if tenant_internal.fence_policy(rel) is null then
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
        from tenant_internal.plan_hardening(rel, true, harden, keep_old_keys, tenant_column) p where harden <> 'false';
end
$$;

comment on function tenant.hardening(regclass, tenant.key_form, boolean, name) is 'The statements that put the tenant column first in the keys of the table, in order, each to be run alone, and what applications then have to write differently. No rows where there is nothing to do; a row without a statement says what stays as it is, and why.';

revoke all on function tenant.hardening(regclass, tenant.key_form, boolean, name) from public;

grant execute on function tenant.hardening(regclass, tenant.key_form, boolean, name) to tenant_admin;

create or replace function tenant_internal.apply_hardening(rel regclass, form tenant.key_form, keep_old_keys boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    step record;
    fk oid;
    across bigint;
    done jsonb := '[]';
    messages constant text := current_setting('client_min_messages');
begin
    perform tenant_internal.require_owner(rel);
    for step in select * from tenant_internal.plan_hardening(rel, false, form, keep_old_keys, null) loop
        if step.statement is null then
            if step.obstacle is not null then
                raise exception using
                    errcode = (step.obstacle).code,
                    message = format('cannot harden %s: %s', rel, (step.obstacle).problem),
                    detail = (step.obstacle).reason,
                    hint = case (step.obstacle).code when 'TN085' then 'create extension btree_gist;'
                        else 'Change that key first, or protect without harden => true.' end;
            end if;
            raise notice using message = step.why, hint = case when step.unprotected is not null
                then 'Protect the other table with harden => true: that completes both.' else 'Nothing is to be done.' end;
            continue;
        end if;
        begin
            if messages not in ('warning', 'error') then
                perform set_config('client_min_messages', 'warning', true); -- that an index takes its name is no news
            end if;
            if step.foreign_keys = '{}' then
                perform tenant_internal.run_as_owner(step.relation, step.statement);
            else
                perform tenant_internal.run_validation(step.relation, step.statement);
            end if;
            perform set_config('client_min_messages', messages, true);
        exception when foreign_key_violation then
            foreach fk in array step.foreign_keys loop
                across := tenant_internal.count_across(fk);
                if across > 0 or array_length(step.foreign_keys, 1) = 1 then
                    raise exception using
                        errcode = 'TN087',
                        message = format('cannot harden %s: %s rows of table %s refer to rows of another tenant', rel,
                            coalesce(across::text, 'some'), (select conrelid::regclass from pg_constraint where oid = fk)),
                        detail = format('The foreign key is %I.', (select conname from pg_constraint where oid = fk)),
                        hint = format('As a superuser: %s;', tenant_internal.references_across(fk));
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

revoke all on function tenant_internal.apply_hardening(regclass, tenant.key_form, boolean) from public;

grant execute on function tenant_internal.apply_hardening(regclass, tenant.key_form, boolean) to tenant_admin;

create or replace function tenant_internal.sample_values(rel regclass, attnum smallint, seed integer) returns text[]
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

create or replace function tenant_internal.provable() returns table (relation regclass, tenant_column name, tenant_type text, kind text)
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

create or replace function tenant_internal.plant(rel regclass, tenant_column name, tenant_id text, seed integer, planted jsonb, patient boolean) returns jsonb
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

create or replace function tenant_internal.attack(as_role name, tenant_id text, statement text, sees boolean) returns text
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

create or replace function tenant_internal.prove_table(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb)
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

create or replace function tenant_internal.bypassing() returns name language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('tenant_prove_past_%s', pg_current_xact_id())::name
$$;

revoke all on function tenant_internal.bypassing() from public;

create or replace function tenant_internal.proof_schema() returns name language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('tenant_prove_%s', pg_current_xact_id())::name
$$;

revoke all on function tenant_internal.proof_schema() from public;

create or replace function tenant_internal.attack_prepared(as_role name, tenant_id text, statement text) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    got text;
    strict_mode constant text := current_setting('pg_tenant.strict');
begin
    execute 'prepare tenant_prove as ' || statement;
    -- Planned as a role to whom policies do not apply; with strict mode on it would be refused before there is a plan.
    perform set_config('pg_tenant.strict', 'off', true);
    perform tenant_internal.run_as((select oid from pg_roles where rolname = tenant_internal.bypassing()), 'explain execute tenant_prove');
    perform set_config('pg_tenant.strict', strict_mode, true);
    got := tenant_internal.attack(as_role, tenant_id, 'execute tenant_prove', true);
    execute 'deallocate tenant_prove';
    return got;
exception when others then
    if exists (select from pg_prepared_statements where name = 'tenant_prove') then
        execute 'deallocate tenant_prove';
    end if;
    return sqlstate;
end
$$;

revoke all on function tenant_internal.attack_prepared(name, text, text) from public;

create or replace function tenant_internal.attack_through(as_role name, tenant_id text, rel regclass, mine boolean, what text, rights text, statement text)
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
    execute format('alter %s %s owner to %s', what, name, case when mine then quote_ident(tenant_internal.bypassing())
        else (select relowner::regrole::text from pg_class where oid = rel) end);
    execute case what when 'view' then format('grant select on %s to %I', name, as_role) else format('grant execute on function %s() to %I', name, as_role) end;
    got := tenant_internal.attack(as_role, tenant_id, case what when 'view' then format('select n from %s', name) else format('select %s()', name) end, true);
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return got;
    when others then return sqlstate;
end
$$;

revoke all on function tenant_internal.attack_through(name, text, regclass, boolean, text, text, text) from public;

create or replace function tenant_internal.attack_copy(as_role name, tenant_id text, statement text) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    got text;
begin
    execute format('grant pg_read_server_files, pg_write_server_files to %I', as_role);
    perform set_config('pg_tenant.guards', 'off', true);
    got := tenant_internal.attack(as_role, tenant_id, statement, false);
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return got;
    when others then return sqlstate;
end
$$;

revoke all on function tenant_internal.attack_copy(name, text, text) from public;

create or replace function tenant_internal.views_over(rel regclass) returns setof regclass
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
        where c.relkind = 'v' and c.oid <> rel and c.relnamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace) order by c.oid::regclass::text
$$;

revoke all on function tenant_internal.views_over(regclass) from public;

create or replace function tenant_internal.attack_view(as_role name, tenant_id text, view regclass, root regclass, tenant_column name, other text)
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    got text;
begin
    if root is not null then
        perform set_config('session_replication_role', 'replica', true);
        perform tenant_internal.run_past_policies(root, format('delete from %s where %I::text = %L', root, tenant_column, other));
    end if;
    got := tenant_internal.attack(as_role, tenant_id, format(
        'select md5(string_agg(to_jsonb(v)::text, '','' order by to_jsonb(v)::text)) from %s v', view), true);
    raise exception using errcode = 'TN089';
exception when sqlstate 'TN089' then return got;
end
$$;

revoke all on function tenant_internal.attack_view(name, text, regclass, regclass, name, text) from public;

create or replace function tenant_internal.prove_mutation(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb, commands text[])
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    fence record;
    command text;
    noticed text;
begin
    perform set_config('pg_tenant.guards', 'off', true);
    select polname, pg_get_expr(polqual, polrelid) as condition into fence from pg_policy where oid = tenant_internal.fence_policy(rel);
    foreach command in array commands loop
        -- The fourth argument is the condition without the call that the planner cannot drop.
        perform tenant_internal.run_as_owner(rel, format(command, rel, fence.polname, fence.condition,
            regexp_replace(fence.condition, ' AND tenant\.is_current(_or_shared)?\(.*$', ')')));
    end loop;
    select string_agg(p.path || ' ' || p.got, ', ') into noticed
        from tenant_internal.prove_table(rel, as_role, a, b, mine, theirs) p where p.passed is false or p.got = 'TN012';
    raise exception using errcode = 'TN089';
exception when sqlstate 'TN089' then return noticed;
end
$$;

revoke all on function tenant_internal.prove_mutation(regclass, name, text, text, jsonb, jsonb, text[]) from public;

create or replace function tenant_internal.prove_members(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb, joined jsonb)
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
    own_rows := tenant_internal.attack(as_role, a, format('select count(*) from %s where %I::text = %L', rel, key, mine ->> key), true);
    for path, expected, got in
        values ('select with no tenant', 'refused', tenant_internal.attack(as_role, null, format('select count(*) from %s', rel), true)),
            ('truncate', 'refused', tenant_internal.attack(as_role, a, format('truncate %s cascade', rel), false)),
            ('own rows', 'seen', own_rows),
            ('select', 'nothing', tenant_internal.attack(as_role, a, format('select count(*) from %s where %s', rel, in_b), true)),
            ('count', 'its own', tenant_internal.attack(as_role, a, format('select count(*) from %s', rel), true)),
            ('select for update', 'refused', tenant_internal.attack(as_role, a, format('select count(*) from (select from %s for update) locked', rel), true)),
            ('insert', 'refused', tenant_internal.attack(as_role, a, format('insert into %1$s (%2$s) overriding system value '
                'select %2$s from jsonb_populate_record(null::%1$s, %3$L)', rel, columns, theirs), false)),
            ('update', 'refused', tenant_internal.attack(as_role, a, format('update %s set %I = %2$I', rel, key), false)),
            ('delete', 'refused', tenant_internal.attack(as_role, a, format('delete from %s', rel), false)),
            ('merge', 'refused', tenant_internal.attack(as_role, a,
                format('merge into %s t using (values (%L)) s (id) on t.%I::text = s.id when matched then delete', rel, mine ->> key, key), false)),
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
            ('copy from', 'refused', tenant_internal.attack_copy(as_role, a, format('copy %s from ''/dev/null''', rel))),
            ('a member added', 'refused', tenant_internal.attack(as_role, a, format('insert into %1$s (%2$s) overriding system value '
                'select %2$s from jsonb_populate_record(null::%1$s, %3$L)', through, added,
                (joined -> 'row') || jsonb_build_object(member, theirs -> key)), false)),
            ('a member changed', 'refused', tenant_internal.attack(as_role, a,
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

revoke all on function tenant_internal.prove_members(regclass, name, text, text, jsonb, jsonb, jsonb) from public;

create or replace function tenant_internal.prove_member_mutation(rel regclass, as_role name, a text, b text, mine jsonb, theirs jsonb, joined jsonb, commands text[])
    returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    through constant regclass := joined ->> 'through';
    fence constant name := (select polname from pg_policy where oid = tenant_internal.fence_policy(rel));
    command text;
    noticed text;
begin
    perform set_config('pg_tenant.guards', 'off', true);
    foreach command in array commands loop
        perform tenant_internal.run_as_owner(case when strpos(command, '%3$s') > 0 then through else rel end, format(command, rel, fence, through,
            (select polname from pg_policy where oid = tenant_internal.fence_policy(through))));
    end loop;
    select string_agg(p.path || ' ' || p.got, ', ') into noticed
        from tenant_internal.prove_members(rel, as_role, a, b, mine, theirs, joined) p where p.passed is false or p.got = 'TN012';
    raise exception using errcode = 'TN089';
exception when sqlstate 'TN089' then return noticed;
end
$$;

revoke all on function tenant_internal.prove_member_mutation(regclass, name, text, text, jsonb, jsonb, jsonb, text[]) from public;

create or replace function tenant_internal.scope_of_proof(tables regclass[], out named regclass[], out reached regclass[], out granted regclass[],
    out needed regclass[]) language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    named := array(select p.relation from tenant_internal.provable() p
        where tables is null or p.relation = any (tables) or pg_partition_root(p.relation) = any (tables));
    reached := array(select p.relation from tenant.protected_tables p
        where p.through is not null and p.parent is null and (tables is null or p.relation = any (tables)) order by p.relation::text);
    granted := named || array(select r from unnest(reached) r union select tenant_internal.membership_through(r) from unnest(reached) r);
    needed := array(
        with recursive need (rel) as (
            select coalesce(pg_partition_root(r), r)::oid from unnest(granted) r
            union
            select coalesce(pg_partition_root(k.confrelid), k.confrelid)::oid from need
                cross join lateral (select confrelid from pg_constraint where contype = 'f' and conrelid = need.rel offset 0) k
        )
        select rel from need);
end
$$;

revoke all on function tenant_internal.scope_of_proof(regclass[]) from public;

create or replace function tenant_internal.make_for_proof(app name) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format($functions$
        create schema %1$I;
        grant usage on schema %1$I to %2$I;
        create function %1$I.tenant_prove_counted(it anyelement) returns anyelement language plpgsql stable as $f$ begin
            perform pg_catalog.set_config('tenant_prove.calls', (pg_catalog.current_setting('tenant_prove.calls')::bigint + 1)::text, true);
            return it;
        end $f$;
        create function %1$I.tenant_prove_tick() returns boolean language plpgsql volatile cost 0.0001 as $f$ begin
            perform pg_catalog.set_config('tenant_prove.calls', (pg_catalog.current_setting('tenant_prove.calls')::bigint + 1)::text, true),
                pg_catalog.set_config('tenant_prove.is', pg_catalog.current_setting('tenant_prove.other'), true);
            return true;
        end $f$;
        create function %1$I.tenant_prove_says() returns text language plpgsql stable as
            $f$ begin return pg_catalog.current_setting('tenant_prove.is'); end $f$;
        create function %1$I.tenant_prove_slow() returns text language plpgsql stable cost 10000 as
            $f$ begin return pg_catalog.current_setting('tenant_prove.own'); end $f$;
        grant execute on all functions in schema %1$I to %2$I
        $functions$, tenant_internal.proof_schema(), app);
end
$$;

revoke all on function tenant_internal.make_for_proof(name) from public;

create or replace function tenant_internal.plant_people(a text, b text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from pg_policy p where pg_get_expr(p.polqual, p.polrelid) ~ '\mtenant\.(can|require|has_role|current_member_role)\('
        or pg_get_expr(p.polwithcheck, p.polrelid) ~ '\mtenant\.(can|require|has_role|current_member_role)\(') then
        insert into tenant.roles (role, rank, permissions)
            select 'tenant.prove', 2147483647, coalesce(array_agg(permission), '{}') from tenant.permissions;
        insert into tenant.members (tenant_id, user_id, role) values (a, 'tenant.prove', 'tenant.prove'), (b, 'tenant.prove', 'tenant.prove');
    end if;
end
$$;

revoke all on function tenant_internal.plant_people(text, text) from public;

create or replace function tenant_internal.entry_of_proof(id text) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when exists (select from tenant.members m where (m.tenant_id, m.user_id) = (entry_of_proof.id, 'tenant.prove'))
        then format('select tenant.enter(%L, ''tenant.prove''); ', id) else format('select tenant.enter(%L); ', id) end
$$;

revoke all on function tenant_internal.entry_of_proof(text) from public;

create or replace function tenant_internal.grant_for_proof(granted regclass[], app name, everything boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    past constant name := tenant_internal.bypassing();
    target record;
begin
    perform tenant_internal.make_for_proof(app);
    execute format('create role %I bypassrls', past);
    for target in select distinct c.relnamespace::regnamespace as schema from unnest(granted) r join pg_class c on c.oid = r loop
        execute format('grant usage on schema %s to %I', target.schema, past);
    end loop;
    for target in select distinct unnest(granted) as relation loop
        execute format('grant select on %s to %I', target.relation, past);
    end loop;
    if not everything then
        return;
    end if;
    for target in
        with recursive read (rel) as (
            select v::oid from unnest(granted) r, tenant_internal.views_over(r) v
            union
            select d.refobjid from read
                cross join lateral (select oid from pg_rewrite where ev_class = read.rel offset 0) w
                cross join lateral (select refobjid from pg_depend
                    where classid = 'pg_rewrite'::regclass and objid = w.oid and refclassid = 'pg_class'::regclass offset 0) d
        ), all_of (rel) as (
            select unnest(granted)::oid union select v::oid from unnest(granted) r, tenant_internal.views_over(r) v
            union select rel from read where rel in (select p.relation from tenant_internal.provable() p)
                or exists (select from pg_class where oid = rel and relkind = 'v'
                    and relnamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace))
        )
        select c.oid::regclass as relation, c.relnamespace::regnamespace as schema from all_of join pg_class c on c.oid = all_of.rel
    loop
        execute format('grant usage on schema %s to %I', target.schema, app);
        execute format('grant all on %s to %I', target.relation, app);
    end loop;
end
$$;

revoke all on function tenant_internal.grant_for_proof(regclass[], name, boolean) from public;

create or replace function tenant_internal.plant_all(needed regclass[], a text, b text, keyed_by text) returns jsonb
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    planted jsonb;
    part record;
    one jsonb;
    two jsonb;
    progress boolean;
    patient boolean := true;
    seed integer := 1000;
    replication_role constant text := current_setting('session_replication_role');
begin
    perform set_config('session_replication_role', 'replica', true);
    planted := (select jsonb_object_agg(p.relation::text, null) from tenant_internal.provable() p where p.relation = any (needed));
    -- Those who are members come first: a row of the join table that refers to one of them is a membership.
    for part in select r as relation from unnest(needed) r where tenant_internal.membership_through(r) is not null order by r::text loop
        seed := seed + 2;
        one := tenant_internal.plant(part.relation, null, a, seed, coalesce(planted, '{}'), false);
        two := tenant_internal.plant(part.relation, null, b, seed + 1, coalesce(planted, '{}'), false);
        planted := coalesce(planted, '{}') || jsonb_build_object(part.relation::text,
            case when one ? 'row' and two ? 'row' then jsonb_build_object(a, one -> 'row', b, two -> 'row')
                else jsonb_build_object('why', coalesce(one ->> 'why', two ->> 'why')) end);
    end loop;
    loop
        progress := false;
        for part in
            select p.relation, p.tenant_column, p.tenant_type from tenant_internal.provable() p
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
            one := tenant_internal.plant(part.relation, part.tenant_column, a, seed, planted, patient);
            continue when one ? 'wait';
            progress := true;
            two := tenant_internal.plant(part.relation, part.tenant_column, b, seed + 1, planted, patient);
            planted := planted || jsonb_build_object(part.relation::text,
                case when one ? 'row' and two ? 'row' then jsonb_build_object(a, one -> 'row', b, two -> 'row')
                        || case when tenant_internal.has_shared_rows(part.relation) then jsonb_build_object('nobody',
                            tenant_internal.plant(part.relation, part.tenant_column, null, seed + 2, planted, false) -> 'row') else '{}' end
                    else jsonb_build_object('why', coalesce(one ->> 'why', two ->> 'why')) end);
        end loop;
        exit when not progress and not patient;
        patient := progress;
    end loop;
    perform set_config('session_replication_role', replication_role, true);
    return planted;
end
$$;

revoke all on function tenant_internal.plant_all(regclass[], text, text, text) from public;

create or replace function tenant_internal.prove_fenced(rel regclass, tenant_column name, kind text, app name, a text, b text, planted jsonb, mutate boolean)
    returns table (path text, expected text, got text, passed boolean)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    root constant regclass := coalesce(pg_partition_root(rel), rel);
    rows_there constant jsonb := planted -> root::text;
    of_column constant jsonb := jsonb_build_object('tenant_column', tenant_column);
    mine constant jsonb := coalesce(rows_there -> a, '{}') || of_column;
    theirs constant jsonb := coalesce(rows_there -> b || '{"planted": true}', '{}') || of_column
        || case when rows_there ->> 'nobody' is not null then '{"tenant_prove_nobody": true}'::jsonb else '{}' end;
    seen_view regclass;
    with_it text;
    without_it text;
    mutation record;
    noticed text;
begin
    if kind = 'lost' then
        return query values ('fence', 'a tenant policy, as the journal says', 'none', false);
    end if;
    if kind <> 'partition' then
        return query select 'plant', 'a row of each tenant', coalesce(rows_there ->> 'why', 'a row of each tenant'),
            case when theirs ? 'planted' then true end;
    end if;
    return query select r.path, r.expected, r.got, r.passed from tenant_internal.prove_table(rel, app, a, b, mine, theirs) r
        where kind <> 'partition' or r.path not in ('own rows', 'rows of nobody');
    if not theirs ? 'planted' then
        return;
    end if;
    -- A view shows the same with the other's row and without it.
    for seen_view in select v from tenant_internal.views_over(rel) v loop
        with_it := tenant_internal.attack_view(app, a, seen_view, null, null, null);
        without_it := tenant_internal.attack_view(app, a, seen_view, root, tenant_column, b);
        return query select format('view %s', seen_view), 'the same without the other''s row',
            case when with_it !~ ' rows$' then with_it when with_it = without_it then 'the same' else 'another' end,
            case when with_it = '42501' or with_it ~ '^TN' then true when with_it ~ ' rows$' then with_it = without_it end;
    end loop;
    if not mutate or kind = 'lost' then
        return;
    end if;
    for mutation in select m.name, m.commands from tenant_internal.mutations() m
        where not m.of_shared_rows or tenant_internal.has_shared_rows(rel)
    loop
        noticed := tenant_internal.prove_mutation(rel, app, a, b, mine, theirs, mutation.commands);
        return query select format('mutation: %s', mutation.name), 'noticed', coalesce('noticed: ' || noticed, 'not noticed'), noticed is not null;
    end loop;
end
$$;

revoke all on function tenant_internal.prove_fenced(regclass, name, text, name, text, text, jsonb, boolean) from public;

create or replace function tenant_internal.mutations() returns table (name text, commands text[], of_shared_rows boolean)
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    values
        ('no row-level security', array['alter table %1$s disable row level security'], false),
        ('row-level security not forced', array['alter table %1$s no force row level security'], false),
        ('no fence', array['drop policy %2$I on %1$s'], false),
        ('no fence, wide access', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)'], false),
        ('no policy but a wide one', array['drop policy %2$I on %1$s', 'drop policy if exists tenant_access on %1$s',
            'create policy prove_wide on %1$s using (true) with check (true)'], false),
        ('permissive fence', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)',
            'create policy %2$I on %1$s using (%3$s) with check (%3$s)'], false),
        ('fence of the equality alone', array['alter policy %2$I on %1$s using (%4$s) with check (%4$s)',
            'drop policy if exists tenant_access on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)'], false),
        ('fence without check', array['alter policy %2$I on %1$s with check (true)',
            'create policy prove_wide on %1$s using (true) with check (true)'], false),
        ('fence that shows all', array['alter policy %2$I on %1$s using (true)',
            'create policy prove_wide on %1$s using (true) with check (true)'], false),
        ('fence for select only', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)',
            'create policy %2$I on %1$s as restrictive for select using (%3$s)'], false),
        ('fence for one role', array['drop policy %2$I on %1$s', 'create policy prove_wide on %1$s using (true) with check (true)',
            'create policy %2$I on %1$s as restrictive to tenant_admin using (%3$s) with check (%3$s)'], false),
        ('no policy for updates', array['drop policy if exists tenant_isolation_update on %1$s'], true),
        ('no policy for deletes', array['drop policy if exists tenant_isolation_delete on %1$s'], true)
$$;

revoke all on function tenant_internal.mutations() from public;

create or replace function tenant_internal.prove_reached(rel regclass, app name, a text, b text, planted jsonb, mutate boolean)
    returns table (path text, expected text, got text, passed boolean)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    through constant regclass := tenant_internal.membership_through(rel);
    key constant name := (select attname from pg_attribute where attrelid = rel and attnum = tenant_internal.membership_key(rel));
    member constant name := (select attname from pg_attribute where attrelid = through and attnum = tenant_internal.membership_member(rel));
    mine constant jsonb := planted -> rel::text -> a;
    theirs constant jsonb := planted -> rel::text -> b;
    joined constant jsonb := jsonb_build_object('through', through::text, 'key', key, 'member', member,
        'row', planted -> coalesce(pg_partition_root(through), through)::text -> a,
        'open', (select r.open from tenant_internal.reached_through(through) r where r.relation = rel));
    is_planted constant boolean := theirs is not null and jsonb_typeof(joined -> 'row') is not distinct from 'object';
    mutation record;
    noticed text;
begin
    return query select 'plant', 'a member of each tenant', coalesce(planted -> rel::text ->> 'why', planted -> through::text ->> 'why',
        'a member of each tenant'), case when is_planted then true end;
    if not is_planted then
        return;
    end if;
    return query select r.path, r.expected, r.got, r.passed from tenant_internal.prove_members(rel, app, a, b, mine, theirs, joined) r;
    if not mutate then
        return;
    end if;
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
        noticed := tenant_internal.prove_member_mutation(rel, app, a, b, mine, theirs, joined, mutation.commands);
        return query select format('mutation: %s', mutation.name), 'noticed', coalesce('noticed: ' || noticed, 'not noticed'), noticed is not null;
    end loop;
end
$$;

revoke all on function tenant_internal.prove_reached(regclass, name, text, text, jsonb, boolean) from public;

create or replace function tenant.prove(as_role name default null, keyed_by text default null, mutate boolean default false, tables regclass[] default null)
    returns table (relation regclass, path text, expected text, got text, passed boolean)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    -- An existing role: creating a member of tenant_user would lock that role until the transaction ends.
    app constant name := coalesce(as_role, 'tenant_user');
    a text;
    b text;
    scope record;
    planted jsonb;
    part record;
begin
    if not (select rolsuper from pg_roles where rolname = session_user) or session_user <> current_user then
        raise exception using
            errcode = 'TN088',
            message = 'a proof needs a superuser',
            detail = 'It writes rows of two tenants and becomes the application''s role.',
            hint = 'Log in as a superuser; SET ROLE is not enough.';
    end if;
    perform tenant_internal.require_proof(app);
    keyed_by := coalesce(case when keyed_by in ('integer', 'smallint') then 'bigint' else keyed_by end, tenant_internal.usual_key());
    select t.a, t.b into a, b from tenant_internal.synthetic_tenants(keyed_by) t;
    -- The rows that are returned from within the block stay; the exception at its end undoes everything else.
    begin
        perform tenant.create(a), tenant.create(b);
        perform tenant_internal.plant_people(a, b);
        select * into scope from tenant_internal.scope_of_proof(tables);
        perform tenant_internal.grant_for_proof(scope.granted, app, everything => as_role is null);
        planted := tenant_internal.plant_all(scope.needed, a, b, keyed_by);
        for part in select p.relation, p.tenant_column, p.kind from tenant_internal.provable() p
            where p.relation = any (scope.named) order by p.relation::text
        loop
            raise notice 'proving %', part.relation;
            return query select part.relation, r.path, r.expected, r.got, r.passed
                from tenant_internal.prove_fenced(part.relation, part.tenant_column, part.kind, app, a, b, planted, mutate) r;
        end loop;
        for part in select r as relation from unnest(scope.reached) r loop
            raise notice 'proving %', part.relation;
            return query select part.relation, r.path, r.expected, r.got, r.passed
                from tenant_internal.prove_reached(part.relation, app, a, b, planted, mutate) r;
        end loop;
        raise exception using errcode = 'TN089';
    exception when sqlstate 'TN089' then null;
    end;
end
$$;

comment on function tenant.prove(name, text, boolean, regclass[]) is 'Plants two tenants, tries every path from one to the other as the application, and undoes it: one row per table and path. Run it in a transaction of its own.';

revoke all on function tenant.prove(name, text, boolean, regclass[]) from public;

create or replace function tenant_internal.require_proof(app name) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
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
end
$$;

revoke all on function tenant_internal.require_proof(name) from public;

create or replace function tenant_internal.usual_key() returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select k.usual
        from (select case when p.tenant_type in ('bigint', 'integer', 'smallint') then 'bigint'
            when p.tenant_type = 'uuid' then 'uuid' else 'text' end as usual from tenant_internal.provable() p) k
        group by k.usual order by k.usual = 'text', count(*) desc limit 1
$$;

revoke all on function tenant_internal.usual_key() from public;

create or replace function tenant_internal.synthetic_tenants(keyed_by text, out a text, out b text)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select max(n)::text, min(n)::text from (
            select n from generate_series(32767, 1, -1) n where not exists (select from tenant.tenants where id = n::text) limit 2) free
        where keyed_by = 'bigint' having keyed_by = 'bigint'
    union all
    select md5('tenant.prove a' || pg_current_xact_id())::uuid::text, md5('tenant.prove b' || pg_current_xact_id())::uuid::text
        where keyed_by is distinct from 'bigint'
$$;

revoke all on function tenant_internal.synthetic_tenants(text) from public;

comment on table tenant.channels is 'Channels that tenants may NOTIFY beside their own, what is sent on them, and why.';

grant select, delete on tenant.channels to tenant_admin;

grant insert (channel, payload, reason), update (payload, reason) on tenant.channels to tenant_admin;

create or replace function tenant_internal.channel_changed() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return null;
    end if;
    if tg_op <> 'DELETE' then
        perform tenant_internal.require_reason(new.reason), tenant_internal.require_plain('the channel', new.channel);
    end if;
    insert into tenant.journal (action, object, reason, detail) values (
        case tg_op when 'DELETE' then 'disallow_channel' else 'allow_channel' end, coalesce(new.channel, old.channel),
        coalesce(nullif(current_setting('tenant.reason', true), ''), new.reason),
        case when tg_op <> 'DELETE' then jsonb_build_object('payload', new.payload) end);
    return null;
end
$$;

revoke all on function tenant_internal.channel_changed() from public;

create or replace function tenant.allow_channel(channel text, reason text, payload text default 'none') returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason);
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
    perform tenant_internal.give_reason(reason);
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

create or replace function tenant.find(by_slug text default null, by_id text default null, by_domain text default null)
    returns table (id text, slug text, plan text, status text)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    wanted text;
    named text;
begin
    if tenant.current_id() is not null then
        raise exception using
            errcode = 'TN110',
            message = 'tenants are not looked up from inside a tenant',
            detail = format('The transaction is inside tenant "%s".', tenant.current_id()),
            hint = 'Look the tenant up before entering one, in a transaction of its own.';
    end if;
    if by_id is not null then
        wanted := tenant.canonical_id(by_id);
    end if;
    if by_slug is not null then
        select t.id into named from tenant.tenants t where t.slug = by_slug;
        if not found then
            select f.tenant_id into named from tenant.former_slugs f where f.slug = by_slug;
        end if;
        wanted := case when wanted is null or wanted = named then coalesce(named, '') else '' end;
    end if;
    if by_domain is not null then
        named := null;
        select d.tenant_id into named from tenant.domains d
            where d.domain = lower(rtrim(by_domain, '.')) and d.verified_at is not null;
        wanted := case when wanted is null or wanted = named then coalesce(named, '') else '' end;
    end if;
    return query select t.id, t.slug, t.plan, t.status from tenant.tenants t where t.id = wanted;
end
$$;

comment on function tenant.find(text, text, text) is 'The tenant with this slug, id and domain, as far as they are given; no row where there is none. A slug that it had before leads to it, and the row has the present one. TN110 inside a tenant, TN004 malformed.';

revoke all on function tenant.find(text, text, text) from public;

grant execute on function tenant.find(text, text, text) to tenant_user, tenant_admin;

create or replace function tenant_internal.tell_change() returns void
    language sql volatile security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
    select pg_notify('tenant_registry', '')
$$;

revoke all on function tenant_internal.tell_change() from public;

create or replace function tenant_internal.announce_change() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_tenant.guards = off as $$
begin
    perform pg_notify('tenant_registry', '');
    return null;
end
$$;

revoke all on function tenant_internal.announce_change() from public;

comment on table tenant.lookups is 'By which columns the tenant of a row may be asked for with no tenant entered, and why.';

grant select, delete on tenant.lookups to tenant_admin;

grant insert (relation, key_column, row_column, reason), update (reason) on tenant.lookups to tenant_admin;

create or replace function tenant_internal.number_lookup() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.key_number := coalesce((select attnum from pg_attribute where attrelid = new.relation and attname = new.key_column), 0);
    new.row_number := coalesce((select attnum from pg_attribute where attrelid = new.relation and attname = new.row_column), 0);
    return new;
end
$$;

revoke all on function tenant_internal.number_lookup() from public;

create or replace function tenant_internal.lookup_row(rel regclass) returns smallint
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case cardinality(rest) when 0 then tenant_internal.fence_column(rel) when 1 then rest[1] end
    from pg_index i
    cross join lateral (select array(select k from unnest(i.indkey::smallint[]) with ordinality u (k, at)
        where at <= i.indnkeyatts and k <> tenant_internal.fence_column(rel)) as rest) r
    where i.indrelid = rel and i.indisprimary and i.indisvalid
$$;

revoke all on function tenant_internal.lookup_row(regclass) from public;

grant execute on function tenant_internal.lookup_row(regclass) to tenant_admin;

create or replace function tenant_internal.lookup_operator(rel regclass, key_column name) returns text
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

create or replace function tenant_internal.lookup_obstacle(rel regclass, key_column name) returns text
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

create or replace function tenant_internal.lookup_ended(declared tenant.lookups) returns text
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

create or replace function tenant.allow_lookup(rel regclass, key_column name, reason text) returns void
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

comment on function tenant.allow_lookup(regclass, name, text) is 'Declares that the tenant of a row may be asked for by this column, with no tenant entered, and why. TN057 where it cannot be.';

revoke all on function tenant.allow_lookup(regclass, name, text) from public;

grant execute on function tenant.allow_lookup(regclass, name, text) to tenant_admin;

create or replace function tenant.disallow_lookup(rel regclass, key_column name, reason text) returns void
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

comment on function tenant.disallow_lookup(regclass, name, text) is 'Takes back what allow_lookup has declared.';

revoke all on function tenant.disallow_lookup(regclass, name, text) from public;

grant execute on function tenant.disallow_lookup(regclass, name, text) to tenant_admin;

create or replace function tenant_internal.refuse_lookup(rel regclass, key_column name, why text) returns void
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

comment on function tenant.lookup(regclass, name, text) is 'Tenant and row of this value in a column that allow_lookup has declared, with no tenant entered. TN056 not declared, TN058 too many, TN110 inside a tenant.';

revoke all on function tenant.lookup(regclass, name, text) from public;

grant execute on function tenant.lookup(regclass, name, text) to tenant_user;

create or replace function tenant_internal.former_tables() returns table (relation regclass, tenant_column name)
    language sql stable rows 10 set search_path = pg_catalog, pg_temp as $$
    select p.polrelid::regclass, a.attname
    from pg_policy p join pg_attribute a on a.attrelid = p.polrelid and a.attnum = tenant_internal.former_column(p.oid)
    where not p.polpermissive and p.polcmd = '*' and p.polroles = '{0}'
        and not exists (select from pg_inherits i where i.inhrelid = p.polrelid and tenant_internal.fence_policy(i.inhparent::regclass) is not null)
    order by 1
$$;

revoke all on function tenant_internal.former_tables() from public;

grant execute on function tenant_internal.former_tables() to tenant_admin;

create or replace procedure tenant.upgrade_fences(stepwise boolean default true) language plpgsql as $$
declare
    relations pg_catalog.regclass[];
    columns pg_catalog.name[];
    why pg_catalog.text;
begin
    select pg_catalog.array_agg(f.relation), pg_catalog.array_agg(f.tenant_column) into relations, columns
        from tenant_internal.former_tables() f;
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

create or replace function tenant_internal.attack_planned(as_role name, a text, b text, rel regclass, statement text, sees text) returns text
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reached text;
begin
    perform set_config('client_min_messages', 'error', true);
    perform set_config('enable_' || way, 'off', true)
        from unnest(array['indexscan', 'indexonlyscan', 'bitmapscan']) way;
    perform set_config('tenant_prove.own', a, true), set_config('tenant_prove.other', b, true),
        set_config('tenant_prove.is', a, true), set_config('tenant_prove.calls', '0', true);
    perform set_config('session_replication_role', 'replica', true);
    reached := tenant_internal.run_as((select oid from pg_roles where rolname = as_role), tenant_internal.entry_of_proof(a) || statement
        || case when sees = 'calls' then '; select pg_catalog.current_setting(''tenant_prove.calls'')' else '' end);
    raise exception using errcode = 'TN089';
exception
    when sqlstate 'TN089' then return coalesce(reached, 'null') || ' rows';
    when others then return sqlstate;
end
$$;

revoke all on function tenant_internal.attack_planned(name, text, text, regclass, text, text) from public;

create or replace function tenant_internal.prove_plans(rel regclass, tenant_column name, as_role name, a text, b text)
    returns table (path text, expected text, got text)
    language sql set search_path = pg_catalog, pg_temp as $$
    -- The tenant may read rows without a tenant, where they are shared.
    select t.path, case when t.sees = 'calls' and tenant_internal.has_shared_rows(rel) then 'at most its own' else t.expected end, tenant_internal.attack_planned(as_role, a, b, rel, format(t.statement, rel, own.name, own.type, own.schema, a, b), t.sees)
    from (select quote_ident(tenant_column) as name, format_type(atttypid, atttypmod) as type, quote_ident(tenant_internal.proof_schema()) as schema
            from pg_attribute where attrelid = rel and attname = tenant_column) own,
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

revoke all on function tenant_internal.prove_plans(regclass, name, name, text, text) from public;

create or replace function tenant_internal.attack_index(as_role name, a text, b text, index regclass, tenant_column name, statement text, ways text[], gone boolean)
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

create or replace function tenant_internal.prove_indexes(rel regclass, tenant_column name, as_role name, a text, b text)
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

create or replace view tenant_internal.doctor_memberships as
    select m.member, m.roleid as role, coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)
            or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) as at_once,
        format('revoke %s from %s%s;', m.roleid::regrole, m.member::regrole,
            case when current_setting('server_version_num')::int >= 160000
                then format(' granted by %s', m.grantor::regrole) end) as revoke
    from pg_catalog.pg_auth_members m
    where m.admin_option
        or coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)
        or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true);

create or replace view tenant_internal.doctor_applications as
    with recursive application (role) as (
        select oid from pg_catalog.pg_roles where rolname in ('tenant_user', 'tenant_support')
        union
        select m.member from application a join tenant_internal.doctor_memberships m on m.role = a.role and m.at_once
    )
    select role from application;

create or replace function tenant_internal.doctor_reached_now() returns table (role oid, application text)
    language sql stable rows 20 set search_path = pg_catalog, pg_temp as $$
    with recursive reach (role, application) as (
        select role, role from tenant_internal.doctor_applications
        union
        select m.role, r.application from reach r join tenant_internal.doctor_memberships m on m.member = r.role
    )
    select role, min(application::regrole::text) from reach group by role
$$;

revoke all on function tenant_internal.doctor_reached_now() from public;

create or replace view tenant_internal.doctor_reached as select * from tenant_internal.doctor_reached_now();

create or replace view tenant_internal.doctor_grants as
    select c.oid as relation, c.relkind, g.privilege_type as privilege, g.grantee,
        case g.grantee when 0 then 'public' else g.grantee::regrole::text end as grantee_name
    from pg_catalog.pg_class c
    cross join lateral aclexplode(c.relacl) g
    where c.oid >= 16384 and g.grantee <> c.relowner
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached));

create or replace function tenant_internal.doctor_tables_now() returns table (relation oid, name text, relkind "char", owner oid, is_partition boolean,
        enabled boolean, forced boolean, relhastriggers boolean, fence oid, tenant_column smallint, tenant_column_name name,
        tenant_not_null boolean, tenant_collation oid)
    language sql stable rows 1000 set search_path = pg_catalog, pg_temp as $$
    select c.oid, c.oid::regclass::text, c.relkind, c.relowner, c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
        c.relhastriggers, p.fence, a.attnum, a.attname, a.attnotnull, a.attcollation
    from (
        select polrelid, tenant_internal.fence_policy(polrelid::regclass) as fence, tenant_internal.fence_column(polrelid::regclass) as tenant_column
        from (select distinct polrelid from pg_policy where not polpermissive) r offset 0
    ) p
    join pg_class c on c.oid = p.polrelid
    left join pg_attribute a on a.attrelid = p.polrelid and a.attnum = p.tenant_column
    where p.fence is not null
$$;

revoke all on function tenant_internal.doctor_tables_now() from public;

create or replace view tenant_internal.doctor_tables as select * from tenant_internal.doctor_tables_now();

create or replace view tenant_internal.doctor_tenant_columns as
    select a.attrelid as relation, (array_agg(a.attname order by a.attname <> 'tenant_id', a.attnum))[1] as column_name
    from pg_catalog.pg_attribute a
    where a.attrelid >= 16384 and a.attnum > 0 and not a.attisdropped
        and a.attname in (select 'tenant_id'::name union select tenant_column_name from tenant_internal.doctor_tables)
    group by a.attrelid;

create or replace view tenant_internal.doctor_user_tables as
    select c.oid as relation, c.oid::regclass::text as name, c.relkind, c.relowner as owner
    from pg_catalog.pg_class c
    where c.relkind in ('r', 'p') and c.relpersistence <> 't' and c.oid >= 16384
        and c.relnamespace <> 'tenant_internal'::regnamespace -- the journal's months
        and not exists (select from pg_catalog.pg_depend d
            where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e');

create or replace view tenant_internal.doctor_readers as
    with recursive reader (relation, reads) as (
        select relation, relation from tenant_internal.doctor_tables
        union
        select r.ev_class, reader.reads from reader
            join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = reader.relation
                and d.classid = 'pg_catalog.pg_rewrite'::regclass and d.deptype = 'n'
            join pg_catalog.pg_rewrite r on r.oid = d.objid and r.rulename = '_RETURN'
    )
    select c.oid as relation, c.oid::regclass::text as name, c.relkind, c.relowner as owner, c.reloptions,
        min(reader.reads::regclass::text) as reads
    from reader join pg_catalog.pg_class c on c.oid = reader.relation
    where c.relkind in ('v', 'm') group by c.oid;

create or replace view tenant_internal.doctor_exempt as
    select oid as role, rolname, case when rolsuper then 'a superuser' else 'BYPASSRLS' end as how
    from pg_catalog.pg_roles where rolsuper or rolbypassrls and rolname not in ('tenant_system', 'tenant_reader');

create or replace function tenant_internal.doctor_policies_now() returns table (policy oid, polname name, relation oid, name text, polcmd "char",
        polpermissive boolean, polroles oid[], using_text text, check_text text, both_texts text, protected boolean,
        reads_tenant boolean, has_tenant_column boolean, column_name name, drop_it text)
    language sql stable rows 1000 set search_path = pg_catalog, pg_temp as $$
    select p.oid, p.polname, p.polrelid, p.polrelid::regclass::text, p.polcmd, p.polpermissive, p.polroles, e.using_text, e.check_text,
        concat_ws(' ', e.using_text, e.check_text), p.protected, r.reads_tenant, k.column_name is not null,
        coalesce(k.column_name, own.column_name, 'tenant_id'), format('drop policy %I on %s;', p.polname, p.polrelid::regclass)
    from (
        select p.*, t.relation is not null as protected
        from pg_policy p left join tenant_internal.doctor_tables t on t.relation = p.polrelid
        where p.oid is distinct from t.fence and (t.relation is null or not tenant_internal.doctor_is_equality(p.oid)) offset 0
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
            and a.attname = any (array(select 'tenant_id'::name union select tenant_column_name from tenant_internal.doctor_tables))
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

revoke all on function tenant_internal.doctor_policies_now() from public;

create or replace view tenant_internal.doctor_policies as select * from tenant_internal.doctor_policies_now();

create or replace view tenant_internal.doctor_settings as
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

create or replace view tenant_internal.finding_t001 as
    select 'T001' as code,
        case when r.oid in (select role from tenant_internal.doctor_applications) then 'error' when r.oid = 10 then 'info' else 'warn' end as level,
        r.rolname::text as object,
        format('login %I is a superuser', r.rolname) as problem,
        'Policies do not apply to superusers, and they can turn every guard off.' as why,
        case when r.oid <> 10 then format('alter role %I nosuperuser;', r.rolname) end as fix
    from pg_catalog.pg_roles r where r.rolsuper and r.rolcanlogin;

comment on view tenant_internal.finding_t001 is 'A login is a superuser';

create or replace view tenant_internal.finding_t002 as
    select 'T002' as code,
        case when r.oid in (select role from tenant_internal.doctor_applications) or r.rolname in ('tenant_system', 'tenant_reader') then 'error' else 'warn' end as level,
        r.rolname::text as object,
        format('login %I has BYPASSRLS', r.rolname) as problem,
        'Policies do not apply to it. With row_security = off it reads and writes every tenant''s rows with no tenant entered.' as why,
        case when r.rolname in ('tenant_system', 'tenant_reader') then format('alter role %I nologin;', r.rolname)
            else format('alter role %I nobypassrls;', r.rolname) end as fix
    from pg_catalog.pg_roles r
    where r.rolbypassrls and not r.rolsuper and r.rolcanlogin;

comment on view tenant_internal.finding_t002 is 'A login has BYPASSRLS';

create or replace view tenant_internal.finding_t003 as
    select 'T003' as code, 'error' as level,
        format('%s in %s', m.member::regrole, m.role::regrole) as object,
        format('application role %s reaches %s, which is %s', r.application, m.role::regrole, x.how) as problem,
        'SET ROLE takes the attributes of a role: policies then no longer apply.' as why,
        m.revoke as fix
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    join tenant_internal.doctor_exempt x on x.role = m.role;

comment on view tenant_internal.finding_t003 is 'An application role can become one that bypasses policies';

create or replace view tenant_internal.finding_t004 as
    with owner as (select owner as role, min(name) as example from tenant_internal.doctor_tables group by owner)
    select 'T004' as code, 'error' as level,
        format('%s in %s', m.member::regrole, m.role::regrole) as object,
        format('application role %s reaches %s, the owner of protected table %s', r.application, m.role::regrole, o.example) as problem,
        'Whoever has the rights of an owner alters the table, its policies, its triggers and its grants.' as why,
        m.revoke as fix
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    join owner o on o.role = m.role
    union all
    select 'T004', 'error', a.role::regrole::text,
        format('application role %s owns protected table %s', a.role::regrole, o.example),
        'Whoever has the rights of an owner alters the table, its policies, its triggers and its grants.',
        null
    from tenant_internal.doctor_applications a join owner o on o.role = a.role;

comment on view tenant_internal.finding_t004 is 'An application role has the rights of a protected table''s owner';

create or replace view tenant_internal.finding_t005 as
    select 'T005' as code, 'error' as level,
        format('%s in %s', m.member::regrole, m.role::regrole) as object,
        format('application role %s reaches tenant_admin', r.application) as problem,
        'It could register and suspend tenants, set their limits, bind roles and write the journal.' as why,
        m.revoke as fix
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    where m.role = (select oid from pg_catalog.pg_roles where rolname = 'tenant_admin');

comment on view tenant_internal.finding_t005 is 'An application role manages tenants';

create or replace view tenant_internal.finding_t006 as
    select 'T006' as code, k.level,
        format('%s in %s', m.member::regrole, m.role::regrole) as object,
        format('application role %s reaches %s, which %s', r.application, k.role, k.what) as problem,
        'Predefined roles reach past tables and policies: to files, programs, other sessions and every relation.' as why,
        m.revoke as fix
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
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

comment on view tenant_internal.finding_t006 is 'An application role is a member of a predefined role that reaches further';

create or replace view tenant_internal.finding_t007 as
    select 'T007' as code, k.level,
        r.rolname || ' ' || k.attribute as object,
        format('role %I has %s and application role %s reaches it', r.rolname, k.attribute, a.application) as problem,
        'CREATEROLE grants itself roles, REPLICATION reads every tenant''s changes, CREATEDB makes databases without policies.' as why,
        format('alter role %I no%s;', r.rolname, lower(k.attribute)) as fix
    from tenant_internal.doctor_reached a
    join pg_catalog.pg_roles r on r.oid = a.role and not r.rolsuper
    cross join lateral (values ('CREATEROLE', r.rolcreaterole, 'error'), ('REPLICATION', r.rolreplication, 'error'),
        ('CREATEDB', r.rolcreatedb, 'info')) k (attribute, has, level)
    where k.has;

comment on view tenant_internal.finding_t007 is 'An application role makes roles, replicates or creates databases';

create or replace view tenant_internal.finding_t008 as
    select 'T008' as code,
        case when bool_or(g.privilege = 'TRIGGER') then 'error' else 'warn' end as level,
        format('%s to %s', t.name, g.grantee_name) as object,
        format('%s on protected table %s is granted to %s', string_agg(distinct g.privilege, ', '), t.name, g.grantee_name) as problem,
        'TRIGGER puts code into other tenants'' sessions; TRUNCATE and REFERENCES pass over policies; MAINTAIN locks and rewrites the table.' as why,
        format('revoke %s on %s from %s;', lower(string_agg(distinct g.privilege, ', ')), t.name, g.grantee_name) as fix
    from tenant_internal.doctor_tables t
    join tenant_internal.doctor_grants g on g.relation = t.relation
    where g.privilege in ('TRUNCATE', 'TRIGGER', 'REFERENCES', 'MAINTAIN')
    group by t.name, g.grantee_name;

comment on view tenant_internal.finding_t008 is 'A right on a protected table passes over its policies';

create or replace view tenant_internal.finding_t009 as
    select 'T009' as code, 'warn' as level,
        format('%I to %s', n.nspname, w.name) as object,
        format('%s may create objects in schema %I', w.name, n.nspname) as problem,
        'Functions, operators and tables that the application makes can stand in for those that others mean, and new tables have no policy.' as why,
        format('revoke create on schema %I from %s;', n.nspname, w.name) as fix
    from pg_catalog.pg_namespace n
    cross join lateral aclexplode(n.nspacl) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where g.privilege_type = 'CREATE' and g.grantee <> n.nspowner and n.nspname !~ '^pg_'
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by n.nspname, w.name;

comment on view tenant_internal.finding_t009 is 'The application may create objects in a schema';

create or replace view tenant_internal.finding_t010 as
    select 'T010' as code, 'warn' as level,
        w.name as object,
        format('%s may create schemas in this database', w.name) as problem,
        'Who creates schemas also creates trusted extensions, procedural languages among them, and tables without a policy.' as why,
        format('revoke create on database %I from %s;', d.datname, w.name) as fix
    from pg_catalog.pg_database d
    cross join lateral aclexplode(d.datacl) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where d.datname = current_database() and g.privilege_type = 'CREATE' and g.grantee <> d.datdba
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by d.datname, w.name;

comment on view tenant_internal.finding_t010 is 'The application may create schemas and trusted extensions';

create or replace view tenant_internal.finding_t011 as
    select 'T011' as code, 'info' as level,
        w.name as object,
        format('%s may create temporary objects in this database', w.name) as problem,
        'Temporary tables outlive the transaction on a pooled connection, and stand in for tables in functions without a fixed search_path.' as why,
        format('revoke temporary on database %I from %s;', d.datname, w.name) as fix
    from pg_catalog.pg_database d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where d.datname = current_database() and g.privilege_type = 'TEMPORARY' and g.grantee <> d.datdba
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by d.datname, w.name;

comment on view tenant_internal.finding_t011 is 'The application may create temporary objects';

create or replace view tenant_internal.finding_t012 as
    select 'T012' as code,
        case when bool_or(g.privilege = 'UPDATE') then 'warn' else 'info' end as level,
        format('%s to %s', s.name, g.grantee_name) as object,
        format('%s on sequence %s of a protected table is granted to %s', string_agg(distinct g.privilege, ', '), s.name, g.grantee_name) as problem,
        'A sequence is shared by all tenants: UPDATE lets one of them set it back, SELECT shows how much the others write. USAGE is enough for nextval.' as why,
        format('revoke %s on sequence %s from %s;', lower(string_agg(distinct g.privilege, ', ')), s.name, g.grantee_name) as fix
    from (
        select c.oid as relation, c.oid::regclass::text as name from tenant_internal.doctor_tables t
        join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = t.relation
            and d.classid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
        join pg_catalog.pg_class c on c.oid = d.objid and c.relkind = 'S'
        union
        select c.oid, c.oid::regclass::text from tenant_internal.doctor_tables t
        join pg_catalog.pg_attrdef a on a.adrelid = t.relation
        join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_attrdef'::regclass and d.objid = a.oid
            and d.refclassid = 'pg_catalog.pg_class'::regclass
        join pg_catalog.pg_class c on c.oid = d.refobjid and c.relkind = 'S'
    ) s
    join tenant_internal.doctor_grants g on g.relation = s.relation
    where g.privilege in ('UPDATE', 'SELECT')
    group by s.name, g.grantee_name;

comment on view tenant_internal.finding_t012 is 'A protected table''s sequence can be read or set by the application';

create or replace view tenant_internal.finding_t013 as
    select 'T013' as code,
        case when bool_or(g.privilege_type in ('TRUNCATE', 'TRIGGER', 'REFERENCES', 'MAINTAIN')) then 'warn' else 'info' end as level,
        format('%s%s to %s', d.defaclrole::regrole, ' in ' || n.nspname, w.name) as object,
        format('default privileges of %s give %s on new tables to %s', d.defaclrole::regrole,
            string_agg(distinct g.privilege_type, ', '), w.name) as problem,
        'A new table is open to the application before it is protected.' as why,
        format('alter default privileges for role %s%s revoke %s on tables from %s;', d.defaclrole::regrole,
            case when n.nspname is not null then format(' in schema %I', n.nspname) end,
            lower(string_agg(distinct g.privilege_type, ', ')), w.name) as fix
    from pg_catalog.pg_default_acl d
    left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
    cross join lateral aclexplode(d.defaclacl) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where d.defaclobjtype = 'r' and g.grantee <> d.defaclrole
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by d.defaclrole, n.nspname, w.name;

comment on view tenant_internal.finding_t013 is 'Default privileges open new tables to the application';

create or replace view tenant_internal.finding_t014 as
    select 'T014' as code, 'warn' as level,
        e.extname::text as object,
        format('the application may call functions of extension %I', e.extname) as problem,
        'They open connections of their own, in which this transaction''s tenant, its rights and its rollback do not count.' as why,
        string_agg(format('revoke execute on function %s from %s;', p.oid::regprocedure,
            case g.grantee when 0 then 'public' else g.grantee::regrole::text end), E'\n' order by p.oid::regprocedure::text) as fix
    from pg_catalog.pg_extension e
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_extension'::regclass and d.refobjid = e.oid
        and d.classid = 'pg_catalog.pg_proc'::regclass and d.deptype = 'e'
    join pg_catalog.pg_proc p on p.oid = d.objid
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    where e.extname in ('dblink', 'pg_background', 'pg_cron', 'pg_net', 'http', 'plproxy', 'adminpack', 'file_fdw')
        and g.grantee <> p.proowner and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by e.extname;

comment on view tenant_internal.finding_t014 is 'The application may open connections from within the database';

create or replace view tenant_internal.finding_t015 as
    select 'T015' as code, 'warn' as level,
        format('%s to %s', o.object, w.name) as object,
        format('%s may use %s', w.name, o.object) as problem,
        'Who uses a foreign server makes user mappings and foreign tables, which have no policies.' as why,
        format('revoke usage on %s from %s;', o.object, w.name) as fix
    from (
        select 'foreign server ' || quote_ident(srvname) as object, srvowner as owner, srvacl as acl from pg_catalog.pg_foreign_server
        union all
        select 'foreign data wrapper ' || quote_ident(fdwname), fdwowner, fdwacl from pg_catalog.pg_foreign_data_wrapper
    ) o
    cross join lateral aclexplode(o.acl) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where g.grantee <> o.owner and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by o.object, w.name;

comment on view tenant_internal.finding_t015 is 'The application may use a foreign server';

create or replace view tenant_internal.finding_t016 as
    select 'T016' as code, 'info' as level,
        format('%I to %s', l.lanname, w.name) as object,
        format('%s may write functions in language %I', w.name, l.lanname) as problem,
        'A procedural language keeps values from call to call in the session, which the next tenant on the connection finds.' as why,
        format('revoke usage on language %I from %s;', l.lanname, w.name) as fix
    from pg_catalog.pg_language l
    cross join lateral aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where l.lanpltrusted and l.lanname not in ('sql', 'plpgsql') and g.grantee <> l.lanowner
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by l.lanname, w.name;

comment on view tenant_internal.finding_t016 is 'The application may write functions in a language that keeps state';

create or replace view tenant_internal.finding_t017 as
    select 'T017' as code,
        case when p.parname ~ '^(pg_tenant\.|session_replication_role$|session_preload_libraries$|dynamic_library_path$)' then 'error' else 'warn' end as level,
        format('%s to %s', p.parname, w.name) as object,
        format('%s may set %s', w.name, p.parname) as problem,
        'With it a session chooses its own tenant, turns a guard off, loads a library, or skips triggers and foreign keys.' as why,
        format('revoke %s on parameter %s from %s;', lower(string_agg(distinct g.privilege_type, ', ')), p.parname, w.name) as fix
    from pg_catalog.pg_parameter_acl p
    cross join lateral aclexplode(p.paracl) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where g.grantee <> 10
        and (p.parname ~ '^pg_tenant\.' or g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by p.parname, w.name;

comment on view tenant_internal.finding_t017 is 'A role may set what only superusers should';

create or replace view tenant_internal.finding_t018 as
    select 'T018' as code, 'error' as level,
        s.object,
        format('%s begins every session of it in a tenant', s.object) as problem,
        'Whoever connects is in that tenant without having been bound to it; only roles that tenant.bind_role has checked should be.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s
    where s.name = 'pg_tenant.id' and s.value <> '' and s.object ~ '^pg_tenant\.id of (database|role all|role .* in database)';

comment on view tenant_internal.finding_t018 is 'A tenant is stored for a database or for all roles';

create or replace view tenant_internal.finding_t019 as
    with recursive bound as (
        select s.setrole as role from pg_catalog.pg_db_role_setting s cross join lateral unnest(s.setconfig) c (setting)
        where s.setrole <> 0 and c.setting like 'pg\_tenant.id=%'
    ), reach (bound, role) as (
        select role, role from bound
        union
        select reach.bound, m.role from reach join tenant_internal.doctor_memberships m on m.member = reach.role
    )
    select 'T019' as code, 'error' as level,
        x.bound::regrole::text as object,
        format('bound role %s %s', x.bound::regrole, min(x.way_out)) as problem,
        'A bound role is meant for users who write their own SQL, so it must have no way out of its tenant.' as why,
        format('select tenant.unbind_role(%L);', r.rolname) as fix
    from (
        select reach.bound, case
            when r.rolsuper or r.rolbypassrls then format('has the rights of %I, to which policies do not apply', r.rolname)
            when r.rolcreaterole then format('has the rights of %I, which makes roles', r.rolname)
            when r.rolreplication then format('has the rights of %I, which replicates', r.rolname)
            else format('is a member of %I, which %s', r.rolname, tenant_internal.reach_of(r.rolname)) end as way_out
        from reach join pg_catalog.pg_roles r on r.oid = reach.role
        where r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolreplication or tenant_internal.reach_of(r.rolname) is not null
        union all
        select reach.bound, format('has the rights of %s, which owns the database', reach.role::regrole)
        from reach join pg_catalog.pg_database d on d.datdba = reach.role and d.datname = current_database()
        union all
        select b.role, format('has the member %s, who may become it without its binding', m.member::regrole)
        from bound b join tenant_internal.doctor_memberships m on m.role = b.role and m.at_once
    ) x join pg_catalog.pg_roles r on r.oid = x.bound
    group by x.bound, r.rolname;

comment on view tenant_internal.finding_t019 is 'A bound role has a way out of its tenant';

create or replace view tenant_internal.finding_t020 as
    select 'T020' as code, 'warn' as level,
        format('%s in tenant_system', m.member::regrole) as object,
        format('application role %s reaches tenant_system', r.application) as problem,
        'It may enter the system context, and so read across all tenants.' as why,
        m.revoke as fix
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    where m.role = (select oid from pg_catalog.pg_roles where rolname = 'tenant_system')
    union all
    select 'T020', 'info', format('%s in tenant_system', m.member::regrole),
        format('role %s may enter the system context', m.member::regrole),
        'It may enter the system context, and so read across all tenants.', null
    from tenant_internal.doctor_memberships m
    where m.role = (select oid from pg_catalog.pg_roles where rolname = 'tenant_system')
        and m.member not in (select role from tenant_internal.doctor_reached);

comment on view tenant_internal.finding_t020 is 'A role may work across tenants';

create or replace view tenant_internal.finding_t021 as
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
    where c.relnamespace in ('tenant'::regnamespace, 'tenant_internal'::regnamespace) and c.relkind in ('r', 'p') and g.grantee <> c.relowner
        and g.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')
        and w.name <> 'tenant_admin'
        and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by c.oid, w.name
    union all
    select 'T021', 'warn', format('all of them to %s', m.member::regrole),
        format('application role %s reaches pg_write_all_data and, with no tenant entered, may write all of them', r.application),
        'The registry, the journal and the waivers are what isolation is judged by: the application must not change them.',
        m.revoke
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    where m.role = (select oid from pg_catalog.pg_roles where rolname = 'pg_write_all_data')
        -- A login that is bound is always in its tenant: T019 is its finding.
        and m.member not in (select setrole from pg_catalog.pg_db_role_setting, unnest(setconfig) c where c like 'pg\_tenant.id=%');

comment on view tenant_internal.finding_t021 is 'The application may write the extension''s own tables';

create or replace view tenant_internal.finding_t022 as
    select 'T022' as code, 'warn' as level,
        o.kind || ' ' || o.name as object,
        format('application role %s owns %s %s', o.owner::regrole, o.kind, o.name) as problem,
        'An owner replaces what others rely on, without any grant: a function that a policy calls, a view, a lookup table.' as why,
        null::text as fix
    from (
        select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
            when 'S' then 'sequence' else 'table' end as kind, c.oid::regclass::text as name, c.relowner as owner
        from pg_catalog.pg_class c where c.oid >= 16384 and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relpersistence <> 't'
            and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass
                and d.objid = c.oid and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i'))
        union all
        select 'function', p.oid::regprocedure::text, p.proowner from pg_catalog.pg_proc p where p.oid >= 16384
        union all
        select 'schema', quote_ident(n.nspname), n.nspowner from pg_catalog.pg_namespace n where n.oid >= 16384 and n.nspname !~ '^pg_'
    ) o
    where o.owner in (select role from tenant_internal.doctor_applications)
        and o.owner not in (select oid from pg_catalog.pg_roles where rolsuper);

comment on view tenant_internal.finding_t022 is 'An application role owns objects';

create or replace view tenant_internal.finding_t030 as
    select 'T030' as code, 'error' as level,
        j.object,
        format('table %s was protected and no longer is', j.object) as problem,
        'According to the journal the table is protected; it is not, so tenants can reach each other''s rows.' as why,
        case when j.detail ? 'through' then format('select tenant.protect_by_membership(%L, through => %L, member_column => %L, key_column => %L);',
                j.object, j.detail ->> 'through', j.detail ->> 'member_column', j.detail ->> 'key_column')
            else format('select tenant.protect(%L, tenant_column => %L);', j.object, coalesce(j.detail ->> 'tenant_column', 'tenant_id')) end as fix
    from (
        select distinct on (object) object, action, detail from tenant.journal
        where action in ('protect', 'unprotect') order by object, id desc
    ) j
    join pg_catalog.pg_class c on format('%I.%I', c.relnamespace::regnamespace::name, c.relname) = j.object
        and c.relkind in ('r', 'p')
    where j.action = 'protect' and c.oid not in (select relation from tenant_internal.doctor_tables);

comment on view tenant_internal.finding_t030 is 'A table was protected and no longer is';

create or replace view tenant_internal.finding_t031 as
    select 'T031' as code,
        case when exists (select from tenant_internal.doctor_grants g where g.relation = t.relation) then 'error' else 'warn' end as level,
        t.name as object,
        format('table %s has the tenant column %I and is not protected', t.name, a.column_name) as problem,
        'Every tenant reads and writes all of its rows.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', t.name, a.column_name) as fix
    from tenant_internal.doctor_user_tables t
    join tenant_internal.doctor_tenant_columns a on a.relation = t.relation
    where t.relation not in (select relation from tenant_internal.doctor_tables)
        and t.relation not in (select relation from tenant.shared)
        and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = t.relation)
        and t.relation not in (select relation from tenant_internal.doctor_policies where reads_tenant);

comment on view tenant_internal.finding_t031 is 'A table with a tenant column is not protected';

create or replace view tenant_internal.finding_t032 as
    select 'T032' as code, 'error' as level,
        t.name as object,
        format('row-level security of protected table %s is not %s', t.name,
            case when not t.enabled then 'enabled' else 'forced' end) as problem,
        'Without ENABLE PostgreSQL ignores the policies; without FORCE they do not apply to the table''s owner.' as why,
        format('alter table %s enable row level security, force row level security;', t.name) as fix
    from tenant_internal.doctor_tables t where not (t.enabled and t.forced);

comment on view tenant_internal.finding_t032 is 'A protected table has row-level security not enabled or not forced';

create or replace view tenant_internal.finding_t033 as
    with recursive family (member) as (
        select relation from tenant_internal.doctor_tables
        union
        select n.relation from family f cross join lateral (
            select inhrelid from pg_catalog.pg_inherits where inhparent = f.member
            union all
            select inhparent from pg_catalog.pg_inherits where inhrelid = f.member offset 0
        ) n (relation)
    ), uncovered as (
        -- The search ends at the nearest protected table.
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
            select relation from near where relation in (select t.relation from tenant_internal.doctor_tables t) limit 1
        ) as kin
        from family f join pg_catalog.pg_class c on c.oid = f.member
        where c.relkind in ('r', 'p', 'f') and f.member not in (select relation from tenant_internal.doctor_tables)
    )
    select 'T033' as code, 'error' as level,
        u.member::regclass::text as object,
        format('%s has no tenant policy, and %s of the same hierarchy has', u.member::regclass, u.kin::regclass) as problem,
        'PostgreSQL applies the policies of the table that a query names: rows are read around the others through this one.' as why,
        case when k.tenant_column is null
            then format('select tenant.protect_by_membership(%L, through => %L);', top.relation::regclass, tenant_internal.membership_through(u.kin::regclass))
            else format('select tenant.protect(%L, tenant_column => %L);', top.relation::regclass, k.tenant_column_name) end as fix
    from uncovered u
    join tenant_internal.doctor_tables k on k.relation = u.kin
    cross join lateral (
        with recursive up (relation, depth) as (
            select u.member, 0
            union all
            select i.inhparent, depth + 1 from up join pg_catalog.pg_inherits i on i.inhrelid = up.relation
        )
        select relation from up order by depth desc limit 1
    ) top;

comment on view tenant_internal.finding_t033 is 'A partition, child or parent of a protected table has no tenant policy';

create or replace view tenant_internal.finding_t034 as
    select 'T034' as code, 'error' as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s reads the tenant but is no tenant policy: it is for %s only', p.polname, p.name,
            case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE' else 'DELETE' end) as problem,
        'A policy for one command leaves the others open: an UPDATE that reads no column passes a SELECT policy by.' as why,
        format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) as fix
    from tenant_internal.doctor_policies p
    where p.reads_tenant and not p.protected and not p.polpermissive and p.polcmd <> '*';

comment on view tenant_internal.finding_t034 is 'A tenant policy is not FOR ALL commands';

create or replace view tenant_internal.finding_t035 as
    select 'T035' as code, 'error' as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s reads the tenant but is no tenant policy: it is not TO PUBLIC', p.polname, p.name) as problem,
        'To every other role the policy does not apply, and a role can be changed within a session.' as why,
        format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) as fix
    from tenant_internal.doctor_policies p
    where p.reads_tenant and not p.protected and not p.polpermissive and not 0 = any (p.polroles);

comment on view tenant_internal.finding_t035 is 'A tenant policy is not TO PUBLIC';

create or replace view tenant_internal.finding_t036 as
    select 'T036' as code, 'error' as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s lets in what it does not show: USING %s, WITH CHECK %s', p.polname, p.name, p.using_text, p.check_text) as problem,
        'A tenant puts rows into other tenants'' data, by INSERT or by an UPDATE that moves them.' as why,
        format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) as fix
    from tenant_internal.doctor_policies p
    where not p.protected and p.using_text <> p.check_text
        and (p.reads_tenant or p.using_text ~ 'current_setting\(' or p.check_text = 'true');

comment on view tenant_internal.finding_t036 is 'A policy''s WITH CHECK is not its USING';

create or replace view tenant_internal.finding_t037 as
    select 'T037' as code, 'error' as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s reads the tenant but is no tenant policy: it is %s', p.polname, p.name,
            case when p.polpermissive then 'permissive' else 'more than an equality of the tenant column' end) as problem,
        'Permissive policies are joined by OR, so any other opens the table; an OR within one is a way around it. Strict mode does not know the table as protected.' as why,
        format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) as fix
    from tenant_internal.doctor_policies p
    where p.reads_tenant and not p.protected
        and (p.polpermissive or p.polcmd = '*' and 0 = any (p.polroles) and p.using_text is not distinct from coalesce(p.check_text, p.using_text))
        and not (p.polpermissive and p.using_text is distinct from coalesce(p.check_text, p.using_text));

comment on view tenant_internal.finding_t037 is 'A policy reads the tenant and does not fence it';

create or replace view tenant_internal.finding_t038 as
    select 'T038' as code,
        case when 'true' in (p.using_text, p.check_text) then 'warn' else 'info' end as level,
        format('%s.%I', p.name, p.polname) as object,
        format('permissive policy %I on protected table %s is wider than the tenant: %s', p.polname, p.name, coalesce(p.using_text, p.check_text)) as problem,
        'Only the restrictive tenant policy keeps tenants apart. If it were dropped, this policy would show all rows.' as why,
        p.drop_it || case when t.tenant_column is null then '' else format(E'\nselect tenant.protect(%L, tenant_column => %L);', p.name, t.tenant_column_name) end as fix
    from tenant_internal.doctor_policies p
    join tenant_internal.doctor_tables t on t.relation = p.relation
    where p.polpermissive and not exists (
        select from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.policy
            and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = p.relation and d.refobjsubid = coalesce(t.tenant_column, tenant_internal.membership_key(t.relation::regclass)));

comment on view tenant_internal.finding_t038 is 'A permissive policy is wider than the tenant policy';

create or replace view tenant_internal.finding_t039 as
    select 'T039' as code, case when p.protected then 'info' when p.has_tenant_column then 'error' else 'warn' end as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s reads a setting: %s', p.polname, p.name, substring(p.both_texts from 'current_setting\([^)]*\)')) as problem,
        'Every session writes custom settings, in the middle of a SELECT too, and a pooled connection keeps them: an attacker chooses the tenant, or the flag that opens all.' as why,
        case when not p.protected and p.has_tenant_column then format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) end as fix
    from tenant_internal.doctor_policies p where p.both_texts ~ '\mcurrent_setting\(';

comment on view tenant_internal.finding_t039 is 'A policy reads a setting that the session writes';

create or replace view tenant_internal.finding_t040 as
    select 'T040' as code, case when p.protected then 'info' when p.has_tenant_column then 'error' else 'warn' end as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s passes where nothing is set: %s', p.polname, p.name, p.both_texts) as problem,
        'With no tenant it shows every row, or those without a tenant: it fails open.' as why,
        case when not p.protected and p.has_tenant_column then format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) end as fix
    from tenant_internal.doctor_policies p
    where (p.both_texts ~ '(current_setting|current_id|current_uuid|current_bigint)\(' and p.both_texts ~* '(is null\)? or|or \(?[^()]*(\([^()]*\))?[^()]* is null|coalesce\(|not \(.* is distinct from)')
        or p.both_texts ~* 'or \(?\w*(is_admin|is_superadmin|bypass)';

comment on view tenant_internal.finding_t040 is 'A policy fails open';

create or replace view tenant_internal.finding_t041 as
    select 'T041' as code, case when p.protected then 'info' when p.has_tenant_column then 'error' else 'warn' end as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s goes by who connected: %s', p.polname, p.name, k.word) as problem,
        'Process ids are used again, application_name is whatever the client says, and poolers share both: none of them is a tenant.' as why,
        case when not p.protected and p.has_tenant_column then format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) end as fix
    from tenant_internal.doctor_policies p
    cross join lateral (select substring(p.both_texts from '(pg_backend_pid|application_name|inet_client_addr|inet_client_port|pg_current_xact_id|txid_current|pg_stat_activity)') as word) k
    where k.word is not null;

comment on view tenant_internal.finding_t041 is 'A policy goes by process, address or application name';

create or replace view tenant_internal.finding_t042 as
    select 'T042' as code,
        case when d.refobjid in (select relation from tenant_internal.doctor_tables) then 'info' else 'error' end as level,
        format('%s.%I reads %s', p.name, p.polname, d.refobjid::regclass) as object,
        format('policy %I on %s reads %s, which %s may write', p.polname, p.name, d.refobjid::regclass, string_agg(distinct g.grantee_name, ', ')) as problem,
        'A role that can write this table can give itself the access that the policy looks up there.' as why,
        string_agg(distinct format('revoke insert, update, delete on %s from %s;', d.refobjid::regclass, g.grantee_name), E'\n') as fix
    from tenant_internal.doctor_policies p
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.policy
        and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid <> p.relation
    join tenant_internal.doctor_grants g on g.relation = d.refobjid and g.privilege in ('INSERT', 'UPDATE', 'DELETE')
    group by p.name, p.polname, d.refobjid;

comment on view tenant_internal.finding_t042 is 'A policy reads a table that the application writes';

create or replace view tenant_internal.doctor_policy_functions as
    select distinct on (f.oid) f.oid as function, f.oid::regprocedure::text as name, f.proowner as owner, f.provolatile,
        f.proconfig, f.prosqlbody is not null or l.lanname in ('c', 'internal') as bound, p.name as table_name, p.polname
    from tenant_internal.doctor_policies p
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.policy
        and d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
    left join pg_catalog.pg_operator o on d.refclassid = 'pg_catalog.pg_operator'::regclass and o.oid = d.refobjid
    join pg_catalog.pg_proc f on f.oid = coalesce(o.oprcode, d.refobjid)
    join pg_catalog.pg_language l on l.oid = f.prolang
    where f.oid >= 16384 and not exists (select from pg_catalog.pg_depend e
        where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = f.oid and e.deptype = 'e')
    order by f.oid, p.name, p.polname;

create or replace view tenant_internal.finding_t043 as
    select 'T043' as code, 'error' as level,
        f.name as object,
        format('policy %I on %s calls %s, which application role %s owns', f.polname, f.table_name, f.name, r.application) as problem,
        'The owner can change what the policy does, by replacing the function with CREATE OR REPLACE.' as why,
        format('alter function %s owner to %s;', f.name, (select c.relowner::regrole from pg_catalog.pg_class c
            where c.oid::regclass::text = f.table_name)) as fix
    from tenant_internal.doctor_policy_functions f join tenant_internal.doctor_reached r on r.role = f.owner;

comment on view tenant_internal.finding_t043 is 'A policy calls a function that the application can replace';

create or replace view tenant_internal.finding_t044 as
    select 'T044' as code, 'warn' as level,
        f.name as object,
        format('policy %I on %s calls %s, which has no search_path of its own', f.polname, f.table_name, f.name) as problem,
        'Names in its body are looked up at each call, in the caller''s schemas and first among the caller''s temporary tables.' as why,
        format('alter function %s set search_path = pg_catalog, pg_temp;', f.name) as fix
    from tenant_internal.doctor_policy_functions f
    where not f.bound and not exists (select from unnest(f.proconfig) c (setting) where c.setting like 'search\_path=%');

comment on view tenant_internal.finding_t044 is 'A policy calls a function without a fixed search_path';

create or replace view tenant_internal.finding_t045 as
    select 'T045' as code, 'error' as level,
        p.oid::regprocedure::text as object,
        format('function %s is IMMUTABLE and reads the session''s context', p.oid::regprocedure) as problem,
        'PostgreSQL computes it once and keeps the result in the plan: the next tenant on the connection gets the last one''s value.' as why,
        format('alter function %s stable;', p.oid::regprocedure) as fix
    from pg_catalog.pg_proc p
    where p.oid >= 16384 and p.provolatile = 'i' and p.pronamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace)
        and coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)
            ~* '\m(current_setting\s*\(|current_id\s*\(|current_uuid\s*\(|current_bigint\s*\(|current_actor_role\s*\(|current_user\M|session_user\M|current_role\M)'
        and not exists (select from pg_catalog.pg_depend e
            where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e');

comment on view tenant_internal.finding_t045 is 'A function that reads the context is IMMUTABLE';

create or replace view tenant_internal.finding_t100 as
    select 'T100' as code, 'error' as level,
        format('%s.%I', t.name, p.polname) as object,
        format('the tenant policy %I of table %s can be taken out of a plan', p.polname, t.name) as problem,
        'It is an equality alone, as pg_tenant 0.1.0 made it. A statement with another equality on the tenant column reads and writes every tenant''s rows.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', coalesce(r.root, t.name), t.tenant_column_name) as fix
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_policy p on p.polrelid = t.relation and not p.polpermissive and p.polcmd = '*' and p.polroles = '{0}'
    left join lateral (
        with recursive above (relation, depth) as (
            select t.relation, 0
            union all
            select i.inhparent, depth + 1 from above join pg_catalog.pg_inherits i on i.inhrelid = above.relation
        )
        select relation::regclass::text as root from above where depth > 0 order by depth desc limit 1
    ) r on true
    where tenant_internal.former_column(p.oid) = t.tenant_column;

comment on view tenant_internal.finding_t100 is 'A tenant policy of 0.1.0 can be taken out of a plan';

create or replace view tenant_internal.finding_t119 as
    select 'T119' as code, 'error' as level,
        t.name as object,
        format('table %s shows rows of no tenant to every one, and lacks %s', t.name, l.lacks) as problem,
        'Three policies stand together where rows are shared. Without all of them no statement touches the table (TN012).' as why,
        format('select tenant.protect(%L, tenant_column => %L, shared_rows => true);', t.name, t.tenant_column_name) as fix
    from tenant_internal.doctor_tables t
    cross join lateral (
        select string_agg(w.what, ' and ') as lacks
        from (values ('*', 'shared', 'the policy that shows them'), ('w', 'own', 'the one that keeps them from being updated'),
            ('d', 'own', 'the one that keeps them from being deleted')) w (command, form, what)
        where not exists (select from pg_catalog.pg_policy p where p.polrelid = t.relation and not p.polpermissive
            and p.polroles = '{0}' and p.polcmd = w.command::"char" and tenant_internal.policy_form(p.oid) = w.form)
    ) l
    where tenant_internal.has_shared_rows(t.relation::regclass) and l.lacks is not null;

comment on view tenant_internal.finding_t119 is 'A policy that keeps shared rows from being changed is missing';

create or replace view tenant_internal.finding_t046 as
    select 'T046' as code, 'error' as level,
        format('%s.%I', t.name, t.tenant_column_name) as object,
        format('tenant column %I of protected table %s can be null', t.tenant_column_name, t.name) as problem,
        'A row without a tenant is nobody''s: no tenant sees it, and unique keys that hold the column let it in twice. Where every tenant is to see it, the table is to be protected with shared_rows => true.' as why,
        format('alter table %s alter column %I set not null;', t.name, t.tenant_column_name) as fix
    from tenant_internal.doctor_tables t where not t.tenant_not_null and not tenant_internal.has_shared_rows(t.relation::regclass);

comment on view tenant_internal.finding_t046 is 'The tenant column can be null';

create or replace view tenant_internal.finding_t047 as
    select 'T047' as code, 'error' as level,
        format('%s.%I', t.name, t.tenant_column_name) as object,
        format('tenant column %I of protected table %s has the nondeterministic collation %s', t.tenant_column_name, t.name, c.oid::regcollation) as problem,
        'Under this collation different ids can be equal, and one tenant would see the rows of another.' as why,
        null::text as fix
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_collation c on c.oid = t.tenant_collation and not c.collisdeterministic;

comment on view tenant_internal.finding_t047 is 'Tenant ids that differ can be equal';

create or replace view tenant_internal.finding_t048 as
    select 'T048' as code, 'warn' as level,
        format('%s.%I', t.name, a.attname) as object,
        format('column %I of table %s is of type %s, which cannot hold a tenant', a.attname, t.name, format_type(a.atttypid, a.atttypmod)) as problem,
        'Values that are equal under the type, as 1.0 and 1.00 or ''a'' and ''A'', are not the same tenant. tenant.protect takes uuid, integers, text and varchar.' as why,
        null::text as fix
    from tenant_internal.doctor_user_tables t
    join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum > 0 and not a.attisdropped
        and a.attname in (select 'tenant_id'::name union select tenant_column_name from tenant_internal.doctor_tables)
    where t.relation not in (select relation from tenant_internal.doctor_tables)
        and t.relation not in (select relation from tenant.shared)
        and (a.atttypid not in ('uuid'::regtype, 'bigint'::regtype, 'integer'::regtype, 'smallint'::regtype, 'text'::regtype, 'varchar'::regtype)
            or exists (select from pg_catalog.pg_collation c where c.oid = a.attcollation and not c.collisdeterministic));

comment on view tenant_internal.finding_t048 is 'A tenant column has a type that cannot hold a tenant';

create or replace function tenant_internal.doctor_harden(name text, tenant_column name) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format('select tenant.protect(%L, %L, harden => true); -- on a busy table, one by one: select statement from tenant.hardening(%1$L) order by step;',
        name, tenant_column)
$$;

revoke all on function tenant_internal.doctor_harden(text, name) from public;

create or replace view tenant_internal.doctor_loose_keys as
    select t.relation, t.name, i.indexrelid as index, i.indexrelid::regclass::text as index_name,
        i.indisprimary, i.indisexclusion or coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) as excludes, k.conname,
        (select string_agg(quote_ident(a.attname), ', ' order by n.nth)
            from unnest(i.indkey::int2[]) with ordinality n (attnum, nth)
            join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum = n.attnum
            where n.nth <= i.indnkeyatts) as columns,
        coalesce(tenant_internal.surrogate_kind(i.indexrelid) = 'numbered', false) as is_numbered,
        coalesce(tenant_internal.surrogate_kind(i.indexrelid) = 'random', false) or i.indnkeyatts = 1 and exists (select from pg_catalog.pg_attribute a
            where a.attrelid = t.relation and a.attnum = i.indkey[0] and a.atttypid = 'uuid'::regtype) as is_random,
        case when tenant_internal.said_of_shared_key(i.indexrelid) is null and (am.amname = 'btree' or tenant_internal.obstacle_of_key(i.indexrelid, t.tenant_column) is null)
            and not exists (select from pg_catalog.pg_constraint f
                where f.contype = 'f' and f.conindid = i.indexrelid and f.conparentid = 0
                    and (f.conrelid not in (select relation from tenant_internal.doctor_tables) or tenant_internal.obstacle_of_reference(f.oid) is not null))
            then tenant_internal.doctor_harden(t.name, t.tenant_column_name) end as harden,
        t.tenant_column_name, i.indkey[0] as first_column
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_index i on i.indrelid = t.relation and (i.indisunique or i.indisexclusion)
    join pg_catalog.pg_class c on c.oid = i.indexrelid and not c.relispartition
    join pg_catalog.pg_am am on am.oid = c.relam
    left join pg_catalog.pg_constraint k on k.conindid = i.indexrelid and k.conrelid = t.relation and k.contype in ('p', 'u', 'x')
    where t.tenant_column <> all ((i.indkey::int2[])[0:i.indnkeyatts - 1]);

create or replace view tenant_internal.finding_t050 as
    select 'T050' as code, 'warn' as level,
        k.index_name as object,
        format('%s (%s) of protected table %s holds for all tenants at once',
            case when k.indisprimary then 'the primary key' else 'the unique key' end, k.columns, k.name) as problem,
        'A tenant learns from an error, from ON CONFLICT or from waiting that another has the value, and can take it first.' as why,
        k.harden as fix
    from tenant_internal.doctor_loose_keys k
    where not k.excludes and not k.is_random and not k.is_numbered;

comment on view tenant_internal.finding_t050 is 'A unique key holds for all tenants at once';

create or replace view tenant_internal.finding_t117 as
    select 'T117' as code, 'info' as level,
        k.index_name as object,
        format('%s may choose %s of protected table %s, which is numbered for all tenants at once%s', g.grantees, k.columns, k.name,
            case a.attidentity when 'a' then ': by OVERRIDING SYSTEM VALUE or COPY' else '' end) as problem,
        'A number that another tenant has is refused (23505) and so tells that it is there, deleted rows by their absence; one that is taken ahead of the sequence makes another''s insert fail.' as why,
        case when k.harden is not null then format('select tenant.protect(%L, %L, harden => ''all''); -- or grant INSERT and UPDATE on the other columns only',
            k.name, k.tenant_column_name) end as fix
    from tenant_internal.doctor_loose_keys k
    join pg_catalog.pg_attribute a on a.attrelid = k.relation and a.attnum = k.first_column
    cross join lateral (
        select string_agg(distinct w.name, ', ') as grantees
        from (select aclexplode(c.relacl) as r from pg_catalog.pg_class c where c.oid = k.relation
            union all select aclexplode(a.attacl)) acl
        cross join lateral (select case (acl.r).grantee when 0 then 'public' else (acl.r).grantee::regrole::text end as name) w
        where ((acl.r).privilege_type = 'INSERT' or (acl.r).privilege_type = 'UPDATE' and a.attidentity <> 'a')
            and ((acl.r).grantee = 0 or (acl.r).grantee in (select role from tenant_internal.doctor_reached))
    ) g
    where k.is_numbered and g.grantees is not null;

comment on view tenant_internal.finding_t117 is 'A tenant may choose a number that is one for all';

create or replace view tenant_internal.finding_t051 as
    select 'T051' as code, 'warn' as level,
        k.index_name as object,
        format('exclusion constraint %I of protected table %s compares rows of all tenants', k.conname, k.name) as problem,
        'A tenant''s row is refused because of another tenant''s row, and the error reveals that row.' as why,
        k.harden as fix
    from tenant_internal.doctor_loose_keys k where k.excludes;

comment on view tenant_internal.finding_t051 is 'An exclusion constraint compares rows of all tenants';

create or replace view tenant_internal.doctor_foreign_keys as
    select f.oid as con, f.conname, t.name, r.name as other, t.tenant_column_name, f.convalidated,
        coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true) as enforced, f.confdeltype, f.confupdtype,
        exists (select from unnest(f.conkey, f.confkey) k (here, there) where k.here = t.tenant_column and k.there = r.tenant_column) as by_tenant,
        r.tenant_column is null as by_membership, tenant_internal.has_shared_rows(r.relation::regclass) as to_shared
    from pg_catalog.pg_constraint f
    join tenant_internal.doctor_tables t on t.relation = f.conrelid
    join tenant_internal.doctor_tables r on r.relation = f.confrelid
    where f.contype = 'f' and f.conparentid = 0;

create or replace view tenant_internal.finding_t052 as
    select 'T052' as code, case when f.by_membership or f.to_shared then 'info' else 'warn' end as level,
        format('%s.%I', f.name, f.conname) as object,
        case when f.by_membership then format('foreign key %I of %s refers to %s, whose rows are of several tenants', f.conname, f.name, f.other)
            else format('foreign key %I of %s refers to rows of every tenant in %s%s', f.conname, f.name, f.other,
            case when f.confdeltype in ('c', 'n', 'd') or f.confupdtype in ('c', 'n', 'd') then ', and its actions reach them' end) end as problem,
        case when f.by_membership
            then 'Referential checks run outside the policies: a tenant that writes the column learns which keys there are, and may refer to them. It reads none of their rows.'
            else 'Referential checks run outside the policies: a tenant refers to another''s rows, learns that they exist, and blocks or cascades their deletion.' end as why,
        case when not f.by_membership and not f.to_shared and tenant_internal.obstacle_of_reference(f.con) is null then tenant_internal.doctor_harden(f.name, f.tenant_column_name) end as fix
    from tenant_internal.doctor_foreign_keys f where not f.by_tenant;

comment on view tenant_internal.finding_t052 is 'A foreign key reaches across tenants';

create or replace view tenant_internal.finding_t053 as
    select 'T053' as code, 'warn' as level,
        format('%s.%I', f.name, f.conname) as object,
        format('foreign key %I of %s is not %s', f.conname, f.name, case when f.enforced then 'validated' else 'enforced' end) as problem,
        'Rows that were there before, or all of them, may refer to another tenant''s rows or to none.' as why,
        case when f.enforced then format('alter table %s validate constraint %I;', f.name, f.conname)
            else format('alter table %s alter constraint %I enforced;', f.name, f.conname) end as fix
    from tenant_internal.doctor_foreign_keys f where not (f.convalidated and f.enforced);

comment on view tenant_internal.finding_t053 is 'A foreign key between protected tables is not validated or not enforced';

create or replace view tenant_internal.finding_t054 as
    select 'T054' as code, 'info' as level,
        format('%s.%I', t.name, a.attname) as object,
        format('rows of protected table %s are numbered by one sequence for all tenants', t.name) as problem,
        'The gaps in a tenant''s numbers show how much the others write, and other tenants'' numbers can be guessed.' as why,
        null::text as fix
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where not t.is_partition and (a.attidentity <> '' or pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '^nextval\(');

comment on view tenant_internal.finding_t054 is 'Rows are numbered across tenants';

create or replace view tenant_internal.finding_t055 as
    select 'T055' as code, 'info' as level,
        t.name as object,
        format('tenant column %I of protected table %s does not take the current tenant as its default', t.tenant_column_name, t.name) as problem,
        'Statements that leave the column out fail, or write what the default says and are refused.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', t.name, t.tenant_column_name) as fix
    from tenant_internal.doctor_tables t
    left join pg_catalog.pg_attrdef d on d.adrelid = t.relation and d.adnum = t.tenant_column
    where t.tenant_column is not null
        and coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') !~ '\mcurrent_(id|uuid|bigint)\(\)'
        and not tenant_internal.is_root(t.relation::regclass, t.tenant_column_name);

comment on view tenant_internal.finding_t055 is 'The tenant column has another default';

create or replace view tenant_internal.finding_t112 as
    with recursive closed as materialized (
        select relation from tenant_internal.doctor_tables
        union select relation from tenant.shared
    ), reach (relation, target, by_way) as (
        select c.conrelid, t.name, false
        from pg_catalog.pg_constraint c join tenant_internal.doctor_tables t on t.relation = c.confrelid
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
    join tenant_internal.doctor_user_tables t on t.relation = r.relation
    -- T031 tells of those with a tenant column, T033 of partitions.
    where t.relation not in (select relation from tenant_internal.doctor_tenant_columns)
        and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = t.relation)
        -- A policy of its own that asks the protected table holds it.
        and not exists (
            select from pg_catalog.pg_class c
            join pg_catalog.pg_policy p on p.polrelid = c.oid
            join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.oid
                and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid in (select relation from tenant_internal.doctor_tables)
            where c.oid = t.relation and c.relrowsecurity)
    group by t.name;

comment on view tenant_internal.finding_t112 is 'A table refers to a protected one and is open';

create or replace view tenant_internal.finding_t113 as
    select 'T113' as code, 'warn' as level,
        r.name as object,
        format('%s, to which the tenant column of protected table %s refers, is neither protected nor shared', r.name, min(t.name)) as problem,
        'It is the table of the tenants themselves: each reads and changes the others'' rows in it.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', r.name, min(a.attname)) as fix
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_constraint c on c.conrelid = t.relation and c.contype = 'f' and c.conkey = array[t.tenant_column]
    join tenant_internal.doctor_user_tables r on r.relation = c.confrelid
    join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = c.confkey[1]
    where r.relation not in (select relation from tenant_internal.doctor_tables)
        and r.relation not in (select relation from tenant.shared)
        and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = r.relation)
    group by r.name;

comment on view tenant_internal.finding_t113 is 'The table of the tenants themselves is open';

create or replace view tenant_internal.finding_t120 as
    select 'T120' as code, 'error' as level,
        format('%s.%I', t.name, f.conname) as object,
        format('foreign key %I of table %s takes the tenant from rows, which makes them every tenant''s', f.conname, t.name) as problem,
        'Its action is PostgreSQL''s own, outside of policies: where the row it refers to goes or changes, it sets the tenant column to null, and the table''s rows of no tenant are shared.' as why,
        null::text as fix
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_constraint f on f.conrelid = t.relation and f.contype = 'f' and t.tenant_column = any (f.conkey)
    where tenant_internal.has_shared_rows(t.relation::regclass) and not t.tenant_not_null
        and (f.confupdtype in ('n', 'd')
            or f.confdeltype in ('n', 'd') and t.tenant_column = any (coalesce(f.confdelsetcols, f.conkey)));

comment on view tenant_internal.finding_t120 is 'A foreign key makes rows of one tenant everybody''s';

create or replace view tenant_internal.doctor_by_membership as
    select t.relation, t.name, j.through, j.through::regclass::text as through_name,
        r.open, a.attname as member_column
    from tenant_internal.doctor_tables t
    cross join lateral (select tenant_internal.membership_through(t.relation::regclass) as through) j
    join tenant_internal.reached_through(j.through) r on r.relation = t.relation
    join pg_catalog.pg_attribute a on a.attrelid = j.through and a.attnum = r.member
    where t.tenant_column is null and not t.is_partition;

create or replace view tenant_internal.finding_t121 as
    select 'T121' as code, 'error' as level,
        m.name as object,
        format('no trigger keeps tenants from adding members to %s, through which %s is reached', k.part, m.name) as problem,
        'A tenant that refers to any row of the table in its part of the join table sees that row.' as why,
        format('select tenant.protect_by_membership(%L, through => %L, member_column => %L);', m.name, m.through_name, m.member_column) as fix
    from tenant_internal.doctor_by_membership m
    cross join lateral (select min(part::text) as part from tenant_internal.missing_member_triggers(m.through)) k
    where not m.open and k.part is not null;

comment on view tenant_internal.finding_t121 is 'Tenants can make themselves members of rows';

create or replace view tenant_internal.finding_t122 as
    select 'T122' as code, 'warn' as level,
        m.name as object,
        format('tenants may add members to %s, and so see any row of %s', m.through_name, m.name) as problem,
        'It was protected with tenants_add_members: whoever writes the join table in a tenant refers to a key of any row, and reads it.' as why,
        format('select tenant.protect_by_membership(%L, through => %L, member_column => %L);', m.name, m.through_name, m.member_column) as fix
    from tenant_internal.doctor_by_membership m where m.open;

comment on view tenant_internal.finding_t122 is 'Tenants may make themselves members of rows';

create or replace view tenant_internal.finding_t060 as
    select 'T060' as code, case when v.owner in (select role from tenant_internal.doctor_exempt) then 'error' else 'warn' end as level,
        v.name as object,
        format('view %s reads protected table %s with the rights of its owner %s', v.name, v.reads, v.owner::regrole) as problem,
        'Whoever may read the view needs no right on the table, and where the owner bypasses policies, statements through it are refused or see all tenants.' as why,
        format('alter view %s set (security_invoker = true);', v.name) as fix
    from tenant_internal.doctor_readers v
    where v.relkind = 'v' and not exists (select from unnest(v.reloptions) o (setting)
        where lower(o.setting) in ('security_invoker=true', 'security_invoker=on', 'security_invoker=yes', 'security_invoker=1'));

comment on view tenant_internal.finding_t060 is 'A view reads a protected table with its owner''s rights';

create or replace view tenant_internal.finding_t061 as
    select 'T061' as code, 'warn' as level,
        c.oid::regclass::text as object,
        format('view %s filters by context and is no security barrier', c.oid::regclass) as problem,
        'PostgreSQL may run a function of the query''s WHERE clause before the view''s filter: it then sees the rows that the view hides.' as why,
        format('alter view %s set (security_barrier = true);', c.oid::regclass) as fix
    from pg_catalog.pg_class c
    where c.relkind = 'v' and c.oid >= 16384 and c.relnamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace)
        and not exists (select from unnest(c.reloptions) o (setting)
            where lower(o.setting) in ('security_barrier=true', 'security_barrier=on', 'security_barrier=yes', 'security_barrier=1'))
        and not exists (select from pg_catalog.pg_depend e
            where e.classid = 'pg_catalog.pg_class'::regclass and e.objid = c.oid and e.deptype = 'e')
        and pg_catalog.pg_get_viewdef(c.oid) ~ 'WHERE.*\m(current_setting|current_id|current_uuid|current_bigint)\(';

comment on view tenant_internal.finding_t061 is 'A view that filters by context is no security barrier';

create or replace view tenant_internal.finding_t062 as
    select 'T062' as code, 'error' as level,
        v.name as object,
        format('materialized view %s holds rows of protected table %s', v.name, v.reads) as problem,
        'A materialized view has no policies: whoever may read it reads every tenant''s rows.' as why,
        format('drop materialized view %s;', v.name) as fix
    from tenant_internal.doctor_readers v
    where v.relkind = 'm' and v.relation not in (select relation from tenant.shared);

comment on view tenant_internal.finding_t062 is 'A materialized view holds rows of protected tables';

create or replace view tenant_internal.finding_t063 as
    select 'T063' as code,
        case when exists (select from unnest(p.proconfig) o (setting) where o.setting like 'search\_path=%') then 'warn' else 'error' end as level,
        p.oid::regprocedure::text as object,
        format('the application may call %s, which runs as %s, %s%s', p.oid::regprocedure, x.rolname, x.how,
            case when not exists (select from unnest(p.proconfig) o (setting) where o.setting like 'search\_path=%')
                then ', with the caller''s search_path' end) as problem,
        'Inside it no policy applies. Without a search_path of its own the caller decides which functions and operators it finds.' as why,
        string_agg(distinct format('revoke execute on routine %s from %s;', p.oid::regprocedure,
            case g.grantee when 0 then 'public' else g.grantee::regrole::text end), E'\n') as fix
    from pg_catalog.pg_proc p
    join tenant_internal.doctor_exempt x on x.role = p.proowner
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    where p.prosecdef and p.oid >= 16384
        and g.grantee <> p.proowner and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
        and not exists (select from pg_catalog.pg_depend e
            where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')
    group by p.oid, x.rolname, x.how;

comment on view tenant_internal.finding_t063 is 'The application calls functions that bypass policies';

create or replace view tenant_internal.finding_t064 as
    select 'T064' as code, case when c.relowner in (select role from tenant_internal.doctor_exempt) then 'error' else 'warn' end as level,
        format('%s.%I', r.ev_class::regclass, r.rulename) as object,
        format('rule %I on %s acts on protected table %s', r.rulename, r.ev_class::regclass, min(t.name)) as problem,
        'The actions of a rule run with the rights of the owner of its table, not of who wrote the statement.' as why,
        format('drop rule %I on %s;', r.rulename, r.ev_class::regclass) as fix
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_class c on c.oid = r.ev_class
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
        and d.refclassid = 'pg_catalog.pg_class'::regclass
    join tenant_internal.doctor_tables t on t.relation = d.refobjid
    where r.rulename <> '_RETURN'
    group by r.ev_class, r.rulename, c.relowner;

comment on view tenant_internal.finding_t064 is 'A rule acts on a protected table';

create or replace view tenant_internal.doctor_triggers as
    select t.name, t.owner as table_owner, g.tgname, g.tgtype, g.tgenabled, p.oid as function, p.oid::regprocedure::text as function_name,
        p.prosecdef, p.proowner, p.proconfig
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_trigger g on g.tgrelid = t.relation and not g.tgisinternal and g.tgparentid = 0
    join pg_catalog.pg_proc p on p.oid = g.tgfoid
    where t.relhastriggers;

create or replace view tenant_internal.finding_t065 as
    select 'T065' as code, case when g.proowner in (select role from tenant_internal.doctor_exempt) then 'error' else 'warn' end as level,
        format('%s.%I', g.name, g.tgname) as object,
        format('trigger %I on protected table %s runs %s with the rights of %s', g.tgname, g.name, g.function_name, g.proowner::regrole) as problem,
        'It writes where the tenant may not, tables that are not protected among them; where its owner bypasses policies, into other tenants'' rows.' as why,
        format('alter function %s security invoker;', g.function_name) as fix
    from tenant_internal.doctor_triggers g where g.prosecdef;

comment on view tenant_internal.finding_t065 is 'A trigger on a protected table runs with other rights';

create or replace view tenant_internal.finding_t066 as
    select 'T066' as code, 'error' as level,
        format('%s.%I', g.name, g.tgname) as object,
        format('trigger %I on protected table %s runs %s, which application role %s can replace', g.tgname, g.name, g.function_name, r.application) as problem,
        'Code that the application puts into the function runs in the sessions of every tenant.' as why,
        format('alter function %s owner to %s;', g.function_name, g.table_owner::regrole) as fix
    from tenant_internal.doctor_triggers g join tenant_internal.doctor_reached r on r.role = g.proowner;

comment on view tenant_internal.finding_t066 is 'A trigger runs a function that the application can replace';

create or replace view tenant_internal.finding_t108 as
    select 'T108' as code, 'warn' as level,
        format('%s.%I', g.name, g.tgname) as object,
        format('trigger %I on protected table %s runs %s, which %s', g.tgname, g.name, g.function_name,
            case p.prosrc when 'lo_manage' then 'removes large objects' else 'notifies on a channel that all tenants share' end) as problem,
        'It is written in C, so the guards on functions do not see it at work in a tenant''s transaction.' as why,
        format('drop trigger %I on %s;', g.tgname, g.name) as fix
    from tenant_internal.doctor_triggers g
    join pg_catalog.pg_proc p on p.oid = g.function
    join pg_catalog.pg_language l on l.oid = p.prolang and l.lanname = 'c'
    where p.prosrc in ('triggered_change_notification', 'lo_manage');

comment on view tenant_internal.finding_t108 is 'A trigger in C does what a tenant may not';

create or replace view tenant_internal.finding_t068 as
    select 'T068' as code, case when e.extname is null then 'error' else 'info' end as level,
        p.oid::regprocedure::text as object,
        format('function %s is declared LEAKPROOF%s', p.oid::regprocedure, ' by extension ' || e.extname) as problem,
        'PostgreSQL runs it before the policy, on rows of every tenant: an error, a message or a side effect of it tells of them.' as why,
        format('alter function %s not leakproof;', p.oid::regprocedure) as fix
    from pg_catalog.pg_proc p
    left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
    left join pg_catalog.pg_extension e on e.oid = d.refobjid
    where p.proleakproof and p.oid >= 16384 and coalesce(e.extname, '') <> 'pg_tenant';

comment on view tenant_internal.finding_t068 is 'A function is declared leakproof';

create or replace view tenant_internal.finding_t069 as
    select 'T069' as code, 'error' as level,
        t.evtname::text as object,
        format('event trigger %I runs %s, which %s can replace, in the sessions of others', t.evtname, p.oid::regprocedure, p.proowner::regrole) as problem,
        'It runs with the rights of whoever issues the command or logs in, superusers among them.' as why,
        format('alter function %s owner to %s;', p.oid::regprocedure, t.evtowner::regrole) as fix
    from pg_catalog.pg_event_trigger t
    join pg_catalog.pg_proc p on p.oid = t.evtfoid
    join pg_catalog.pg_roles r on r.oid = p.proowner
    where t.evtenabled <> 'D' and not r.rolsuper;

comment on view tenant_internal.finding_t069 is 'An event trigger runs a function that an ordinary role can replace';

create or replace view tenant_internal.finding_t110 as
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
        -- An id never changes, and no row is deleted: what is left is the slug, and a registry whose own triggers are
        -- off.
        and (f.confupdtype in ('c', 'n', 'd') or f.confdeltype in ('c', 'n', 'd'))
    order by g.oid, f.conname;

comment on view tenant_internal.finding_t110 is 'A trigger runs when the registry changes';

create or replace view tenant_internal.finding_t118 as
    select 'T118' as code, 'info' as level,
        format('%s.%I', l.relation, l.key_column) as object,
        case when e.why is not null
            then format('the lookup of tenants by column %I of %s has ended, and can be taken back: %s', l.key_column, l.relation, e.why)
            else format('tenants are looked up by column %I of %s with no tenant entered: %s', l.key_column, l.relation, l.reason) end as problem,
        'Whoever may enter tenants learns whether a value that it guesses is there, in which tenant, and in which row.' as why,
        case when e.why is not null then format('select tenant.disallow_lookup(%L, %L, %L);', l.relation, l.key_column, 'it has ended') end as fix
    from tenant.lookups l
    cross join lateral (select tenant_internal.lookup_ended(l) as why) e
    where exists (select from pg_catalog.pg_class c where c.oid = l.relation);

comment on view tenant_internal.finding_t118 is 'Tenants are looked up by a key';

create or replace view tenant_internal.finding_t070 as
    select 'T070' as code,
        case when g.relation in (select relation from tenant_internal.doctor_tenant_columns) then 'error' else 'warn' end as level,
        format('%s to %s', g.relation::regclass, g.grantee_name) as object,
        format('%s may use foreign table %s', g.grantee_name, g.relation::regclass) as problem,
        'A foreign table has no policies on this server, and on the other server all tenants are one role.' as why,
        format('revoke all on %s from %s;', g.relation::regclass, g.grantee_name) as fix
    from tenant_internal.doctor_grants g where g.relkind = 'f'
    group by g.relation, g.grantee_name;

comment on view tenant_internal.finding_t070 is 'The application uses a foreign table';

create or replace view tenant_internal.finding_t071 as
    select 'T071' as code, 'warn' as level,
        p.pubname::text as object,
        format('publication %I ships protected tables: %s', p.pubname, case when p.puballtables then 'all' else string_agg(x.name, ', ' order by x.name) end) as problem,
        'Subscribers get every tenant''s rows, whatever the policies say, but for a row filter of the publication.' as why,
        null::text as fix
    from pg_catalog.pg_publication p
    join (
        select p.oid as publication, t.name from pg_catalog.pg_publication p cross join lateral
            (select min(name) as name from tenant_internal.doctor_tables) t where p.puballtables and t.name is not null
        union
        select r.prpubid, t.name from pg_catalog.pg_publication_rel r join tenant_internal.doctor_tables t on t.relation = r.prrelid
        union
        select n.pnpubid, t.name from pg_catalog.pg_publication_namespace n
            join pg_catalog.pg_class c on c.relnamespace = n.pnnspid join tenant_internal.doctor_tables t on t.relation = c.oid
    ) x on x.publication = p.oid
    group by p.oid, p.pubname, p.puballtables;

comment on view tenant_internal.finding_t071 is 'A publication ships protected tables';

create or replace view tenant_internal.finding_t072 as
    select 'T072' as code, case when r.rolsuper or r.rolbypassrls then 'info' else 'warn' end as level,
        s.subname::text as object,
        format('subscription %I writes as %I', s.subname, r.rolname) as problem,
        'Changes are applied for all tenants at once: with an owner that bypasses policies, unchecked; with another, they stop at the first protected table.' as why,
        null::text as fix
    from pg_catalog.pg_subscription s
    join pg_catalog.pg_roles r on r.oid = s.subowner
    where s.subdbid = (select oid from pg_catalog.pg_database where datname = current_database());

comment on view tenant_internal.finding_t072 is 'A subscription writes into this database';

create or replace view tenant_internal.finding_t073 as
    select 'T073' as code, 'warn' as level,
        w.name as object,
        format('%s has %s large object%s', w.name, count(*), case when count(*) > 1 then 's' end) as problem,
        'Large objects have no policies and no tenant: every tenant of the role reads, changes and removes them.' as why,
        null::text as fix
    from pg_catalog.pg_largeobject_metadata l
    cross join lateral (
        select l.lomowner as role union select g.grantee from aclexplode(l.lomacl) g
    ) g
    cross join lateral (select case g.role when 0 then 'public' else g.role::regrole::text end as name) w
    where g.role = 0 or g.role in (select role from tenant_internal.doctor_reached)
    group by w.name;

comment on view tenant_internal.finding_t073 is 'The application keeps large objects';

create or replace view tenant_internal.finding_t114 as
    select 'T114' as code, 'error' as level,
        s.subname::text as object,
        format('subscription %I applies a TRUNCATE of protected tables: %s', s.subname, string_agg(t.name, ', ' order by t.name)) as problem,
        'A TRUNCATE that comes from the other server removes every tenant''s rows: no policy and no guard is asked where it is applied.' as why,
        string_agg(format('create trigger refuse_truncate before truncate on %1$s for each statement execute function tenant.refuse_truncate();'
            || E'\nalter table %1$s enable always trigger refuse_truncate;', t.name), E'\n' order by t.name) as fix
    from pg_catalog.pg_subscription s
    join pg_catalog.pg_roles r on r.oid = s.subowner
    join pg_catalog.pg_subscription_rel l on l.srsubid = s.oid
    join tenant_internal.doctor_tables t on t.relation = l.srrelid
    -- Also one that applies as the tables' owner: it stops at the first row, but a TRUNCATE is checked as its own.
    where (r.rolsuper or r.rolbypassrls)
        and not exists (select from pg_catalog.pg_trigger g
            where g.tgrelid = t.relation and g.tgfoid = 'tenant.refuse_truncate()'::regprocedure and g.tgenabled = 'A'
                and g.tgtype & 32 <> 0)
    group by s.oid, s.subname;

comment on view tenant_internal.finding_t114 is 'A subscription can truncate protected tables';

create or replace view tenant_internal.finding_t115 as
    select 'T115' as code, 'error' as level,
        f.object,
        format('publication %s sends TRUNCATE of protected tables', f.object) as problem,
        'Where it is applied to a table that other tenants are in as well, it removes their rows too; a row filter does not hold it back.' as why,
        format('alter publication %I set (publish = %L);', p.pubname, concat_ws(', ', case when p.pubinsert then 'insert' end,
            case when p.pubupdate then 'update' end, case when p.pubdelete then 'delete' end)) as fix
    from tenant_internal.finding_t071 f join pg_catalog.pg_publication p on p.pubname::text = f.object
    where p.pubtruncate;

comment on view tenant_internal.finding_t115 is 'A publication sends TRUNCATE of protected tables';

create or replace view tenant_internal.finding_t095 as
    select 'T095' as code, 'warn' as level,
        t.name as object,
        format('no index of protected table %s leads with %I', t.name, t.tenant_column_name) as problem,
        'Every statement of a tenant reads all tenants'' rows, and takes as long as there are of them.' as why,
        format('create index on %s (%I);', t.name, t.tenant_column_name) as fix
    from tenant_internal.doctor_tables t
    where t.tenant_column is not null and not exists (select from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
        join pg_catalog.pg_am am on am.oid = c.relam
        where i.indrelid = t.relation and i.indisvalid and i.indpred is null and am.amname = 'btree' and i.indkey[0] = t.tenant_column);

comment on view tenant_internal.finding_t095 is 'No index leads with the tenant column';

create or replace view tenant_internal.doctor_other_indexes as
    select t.relation, t.name, t.tenant_column, t.tenant_column_name, i.indexrelid as index, i.indexrelid::regclass::text as index_name,
        am.amname, i.indisunique or i.indisexclusion as is_key, i.indkey::int2[] as columns, i.indnkeyatts,
        i.indpred is null and i.indexprs is null as plain,
        l.leakproof,
        (select string_agg(quote_ident(a.attname), ', ' order by n.nth)
            from unnest(i.indkey::int2[]) with ordinality n (attnum, nth)
            join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum = n.attnum
            where n.nth <= i.indnkeyatts) as column_names
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_index i on i.indrelid = t.relation and i.indisvalid
    join pg_catalog.pg_class c on c.oid = i.indexrelid and not c.relispartition
    join pg_catalog.pg_am am on am.oid = c.relam
    cross join lateral (
        select coalesce(bool_and(exists (
            select from pg_catalog.pg_amop o join pg_catalog.pg_operator op on op.oid = o.amopopr
            join pg_catalog.pg_proc p on p.oid = op.oprcode
            where o.amopfamily = oc.opcfamily and o.amoplefttype = oc.opcintype and o.amoppurpose = 's' and p.proleakproof)), false) as leakproof
        from unnest(i.indclass::oid[]) k (class) join pg_catalog.pg_opclass oc on oc.oid = k.class
    ) l
    where i.indkey[0] <> t.tenant_column;

create or replace view tenant_internal.finding_t096 as
    select 'T096' as code, 'info' as level,
        x.index_name as object,
        format('%s index %s of protected table %s cannot be used under the policy', x.amname, x.index_name, x.name) as problem,
        'PostgreSQL runs only leakproof operators before a policy, and those of this index are not: it reads the tenant''s rows and filters them instead.' as why,
        null::text as fix
    from tenant_internal.doctor_other_indexes x
    where not x.leakproof and not x.is_key and x.amname not in ('bm25', 'hnsw', 'ivfflat', 'diskann', 'vchordrq', 'vchordg', 'rum', 'pgroonga', 'zombodb');

comment on view tenant_internal.finding_t096 is 'An index is of no use under the policy';

create or replace view tenant_internal.finding_t097 as
    select 'T097' as code, 'info' as level,
        x.index_name as object,
        format('index %s of protected table %s holds all tenants'' rows by (%s)', x.index_name, x.name, x.column_names) as problem,
        'A look-up finds other tenants'' entries before the policy drops them: it takes longer the more of them there are, which can be measured.' as why,
        format(E'create index on %s (%I, %s);\ndrop index %s;', x.name, x.tenant_column_name, x.column_names, x.index_name) as fix
    from tenant_internal.doctor_other_indexes x
    where x.amname = 'btree' and x.leakproof and x.plain and not x.is_key and x.tenant_column <> all (x.columns);

comment on view tenant_internal.finding_t097 is 'An index does not lead with the tenant column';

create or replace view tenant_internal.finding_t098 as
    select 'T098' as code, 'warn' as level,
        x.index_name as object,
        format('%s index %s of protected table %s ranks over the rows of all tenants', x.amname, x.index_name, x.name) as problem,
        'Scores rest on word counts or neighbours of every tenant: they tell of the others'' rows, and a tenant gets fewer results than it has.' as why,
        null::text as fix
    from tenant_internal.doctor_other_indexes x
    where x.amname in ('bm25', 'hnsw', 'ivfflat', 'diskann', 'vchordrq', 'vchordg', 'rum', 'pgroonga', 'zombodb');

comment on view tenant_internal.finding_t098 is 'A search index ranks over all tenants';

create or replace view tenant_internal.finding_t123 as
    select 'T123' as code, 'warn' as level,
        m.tenant_id as object,
        format('tenant "%s" has members, and no owner among them', m.tenant_id) as problem,
        'Nobody in it may do what only owners may, nor give that to anybody: it takes an operator.' as why,
        null::text as fix
    from (
        select distinct tenant_id from tenant.members
        except
        select tenant_id from tenant.members where status = 'active' and role = any (tenant_internal.owner_roles())
    ) m
    join tenant.tenants t on t.id = m.tenant_id and t.status <> 'purged';

comment on view tenant_internal.finding_t123 is 'A tenant has members and no owner';

create or replace view tenant_internal.finding_t124 as
    select 'T124' as code, 'warn' as level,
        m.role as object,
        format('%s members have the role "%s", which does not exist', m.members, m.role) as problem,
        'They may nothing, and where members only enter they do not. Whoever defines a role of this name later gives it to all of them.' as why,
        null::text as fix
    from (select role, count(*) as members from tenant.members group by role) m
    where not exists (select from tenant.roles r where r.role = m.role);

comment on view tenant_internal.finding_t124 is 'Members have a role that does not exist';

create or replace view tenant_internal.finding_t125 as
    select 'T125' as code, 'info' as level,
        i.tenant_id as object,
        format('%s invitations to tenant "%s" have expired more than 30 days ago, and nobody took them', count(*), i.tenant_id) as problem,
        'They keep addresses of people who have nothing to do with the tenant.' as why,
        format('select tenant.revoke_invitation(tenant_id, id, ''expired'') from tenant.invitations where tenant_id = %L and accepted_at is null and revoked_at is null and expires_at < now() - interval ''30 days'';',
            i.tenant_id) as fix
    from tenant.invitations i
    where i.accepted_at is null and i.revoked_at is null and i.expires_at < now() - interval '30 days'
    group by i.tenant_id;

comment on view tenant_internal.finding_t125 is 'Invitations have expired long ago';

create or replace view tenant_internal.finding_t126 as
    select 'T126' as code, 'warn' as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s asks for the permission "%s", which no role has', p.polname, p.name, q.permission) as problem,
        'Nobody is let through by it.' as why,
        null::text as fix
    from tenant_internal.doctor_policies p
    cross join lateral (select distinct m.part[1] as permission
        from regexp_matches(p.both_texts, 'tenant\.(?:can|require)\(''([^'']*)''::text\)', 'g') m (part)) q
    where not exists (select from tenant.roles r where q.permission = any (r.permissions));

comment on view tenant_internal.finding_t126 is 'A policy asks for a permission that no role has';

create or replace view tenant_internal.finding_t127 as
    select 'T127' as code, 'warn' as level,
        i.inhrelid::regclass::text as object,
        format('%s lacks what its parent %s requires: the permission %s', i.inhrelid::regclass, i.inhparent::regclass,
            string_agg(distinct q.permission, ', ')) as problem,
        'PostgreSQL applies the policies of the table that a query names: who may name this one does without the permission.' as why,
        string_agg(distinct format('select tenant.require_permission(%L, %L, %L);', coalesce(pg_catalog.pg_partition_root(i.inhparent), i.inhparent)::regclass,
            case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' else 'delete' end, q.permission), E'\n') as fix
    from pg_catalog.pg_policy p
    join pg_catalog.pg_inherits i on i.inhparent = p.polrelid
    join pg_catalog.pg_class c on c.oid = i.inhrelid and c.relkind <> 'f'
    cross join lateral (select tenant_internal.permission_of(p.oid) as permission offset 0) q
    where q.permission is not null and not exists (select from pg_catalog.pg_policy own
        where own.polrelid = i.inhrelid and own.polcmd = p.polcmd and tenant_internal.permission_of(own.oid) = q.permission)
    group by i.inhrelid, i.inhparent;

comment on view tenant_internal.finding_t127 is 'A partition lacks the permission that its parent requires';

create or replace view tenant_internal.finding_t080 as
    select 'T080' as code, case when s.value = 'all' then 'warn' else 'info' end as level,
        s.object,
        format('%s: the server logs statements (%s)', s.object, s.value) as problem,
        'Statements hold tenants'' values as literals; whoever reads the log reads them, without any policy.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s where s.name = 'log_statement' and s.value <> 'none';

comment on view tenant_internal.finding_t080 is 'The server logs statements';

create or replace view tenant_internal.finding_t081 as
    select 'T081' as code, 'warn' as level,
        s.object,
        format('%s: statements are logged with their parameters', s.object) as problem,
        'Applications pass values and tokens as parameters: logging them shows those of every tenant to whoever reads the log.' as why,
        E'alter system set log_parameter_max_length = 0;\nselect pg_reload_conf();' as fix
    from tenant_internal.doctor_settings s
    where (s.name = 'log_statement' and s.value = 'all'
            or s.name in ('log_min_duration_statement', 'log_min_duration_sample') and s.value <> '-1'
            or s.name = 'log_transaction_sample_rate' and s.value::float8 > 0)
        and current_setting('log_parameter_max_length') <> '0';

comment on view tenant_internal.finding_t081 is 'The server logs parameters';

create or replace view tenant_internal.finding_t082 as
    select 'T082' as code, 'warn' as level,
        s.object,
        format('%s: errors are logged with parameters', s.object) as problem,
        'A refused entry or a violated constraint puts the token or the values into the log.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s where s.name = 'log_parameter_max_length_on_error' and s.value <> '0';

comment on view tenant_internal.finding_t082 is 'The server logs the parameters of failed statements';

create or replace view tenant_internal.finding_t083 as
    select 'T083' as code, 'warn' as level,
        s.object,
        format('%s: auto_explain writes plans into the log', s.object) as problem,
        'Plans hold literals and, with them, parameters of every tenant; with log_level they reach the client as well.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s where s.name = 'auto_explain.log_min_duration' and s.value <> '-1';

comment on view tenant_internal.finding_t083 is 'auto_explain logs statements';

create or replace view tenant_internal.finding_t084 as
    select 'T084' as code, 'warn' as level,
        format('%s to %s', o.object, w.name) as object,
        format('%s may read %s', w.name, o.object) as problem,
        'All tenants of an application share its role, and a role sees the texts of all its own statements.' as why,
        format('revoke all on %s from %s;', o.object, w.name) as fix
    from pg_catalog.pg_extension e
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
    cross join lateral (
        select c.oid::regclass::text as object, c.relacl as acl, c.relowner as owner from pg_catalog.pg_class c
        where d.classid = 'pg_catalog.pg_class'::regclass and c.oid = d.objid
        union all
        select 'function ' || p.oid::regprocedure, coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner
        from pg_catalog.pg_proc p where d.classid = 'pg_catalog.pg_proc'::regclass and p.oid = d.objid
    ) o
    cross join lateral aclexplode(o.acl) g
    cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name) w
    where e.extname in ('pg_stat_statements', 'pg_stat_monitor', 'pg_qualstats', 'pg_buffercache', 'pageinspect', 'pg_walinspect')
        and o.object !~ '_info' and g.grantee <> o.owner and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
    group by o.object, w.name;

comment on view tenant_internal.finding_t084 is 'The application reads other sessions'' statements';

create or replace view tenant_internal.finding_t085 as
    select 'T085' as code, 'warn' as level,
        'shared_preload_libraries' as object,
        format('pg_tenant is not the last of shared_preload_libraries (%s)', s.reset_val) as problem,
        'Hooks of the library that is loaded last are called first. They may run a statement without calling the hooks of pg_tenant.' as why,
        format('alter system set shared_preload_libraries = %s; -- and restart the server', (
            select string_agg(quote_literal(l.library), ', ' order by l.library ~ '(^|/)pg_tenant(\.so)?$', l.nth)
            from unnest(p.libraries) with ordinality l (library, nth))) as fix
    from pg_catalog.pg_settings s
    cross join lateral (select array_agg(btrim(library, ' "') order by nth) as libraries
        from regexp_split_to_table(s.reset_val, ',') with ordinality x (library, nth)) p
    where s.name = 'shared_preload_libraries' and p.libraries[cardinality(p.libraries)] !~ '(^|/)pg_tenant(\.so)?$';

comment on view tenant_internal.finding_t085 is 'Another library is loaded after pg_tenant';

create or replace view tenant_internal.finding_t086 as
    select 'T086' as code, 'info' as level,
        s.object,
        format('%s: %s is loaded into sessions, after pg_tenant', s.object, s.value) as problem,
        'Hooks of the library that is loaded last are called first. They may run a statement without calling the hooks of pg_tenant.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s
    where s.name in ('session_preload_libraries', 'local_preload_libraries') and s.value <> '';

comment on view tenant_internal.finding_t086 is 'Libraries are loaded into each session';

create or replace view tenant_internal.finding_t087 as
    select 'T087' as code, case when c.answered then 'info' else 'warn' end as level,
        c.cve as object,
        format('PostgreSQL %s has %s: %s%s', current_setting('server_version'), c.cve, c.what,
            case when c.answered then '; on protected tables pg_tenant asks the policy first' end) as problem,
        'This minor version of PostgreSQL does not apply policies in the case that the release notes of the version named describe.' as why,
        null::text as fix
    from tenant.row_security_cves c
    where c.major = current_setting('server_version_num')::int / 10000
        and c.fixed_in > current_setting('server_version_num')::int % 10000;

comment on view tenant_internal.finding_t087 is 'The minor version has a known weakness of row-level security';

create or replace view tenant_internal.finding_t088 as
    select 'T088' as code, 'error' as level,
        v.oid::regclass::text as object,
        format('view %s still has CVE-2024-4317', v.oid::regclass) as problem,
        'Everybody can read sampled values of expressions of every table. The minor version fixes the views in new clusters only.' as why,
        null::text as fix
    from pg_catalog.pg_class v
    where v.oid = 'pg_catalog.pg_stats_ext_exprs'::regclass and pg_catalog.pg_get_viewdef(v.oid) !~ 'pg_has_role';

comment on view tenant_internal.finding_t088 is 'Statistics views are those of before CVE-2024-4317';

create or replace view tenant_internal.finding_t089 as
    select 'T089' as code, 'error' as level,
        s.object,
        format('%s is %s', s.object, s.value) as problem,
        'Triggers and foreign keys are skipped, catalogs can be written, or large objects lose their permissions, in every session that begins so.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s
    where s.name = 'session_replication_role' and s.value <> 'origin'
        or s.name in ('allow_system_table_mods', 'lo_compat_privileges') and lower(s.value) in ('on', 'true', 'yes', '1');

comment on view tenant_internal.finding_t089 is 'Sessions begin with a setting that takes guarantees away';

create or replace view tenant_internal.finding_t090 as
    select 'T090' as code,
        case when s.name = 'pg_tenant.require_registered' or lower(s.value) = 'log' then 'warn' else 'error' end as level,
        s.object,
        format('%s is %s', s.object, s.value) as problem,
        'Off, strict lets statements run with no tenant, guards let protection be weakened, and require_registered lets unknown tenants be entered.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s
    where s.name in ('pg_tenant.strict', 'pg_tenant.guards', 'pg_tenant.require_registered')
        and lower(s.value) not in ('on', 'true', 'yes', '1');

comment on view tenant_internal.finding_t090 is 'A setting of pg_tenant is not on';

create or replace view tenant_internal.finding_t091 as
    select 'T091' as code, 'warn' as level,
        'pg_tenant' as object,
        format('the library is of version %s, the schema of version %s', tenant.version(), e.extversion) as problem,
        'The guards of one version do not fit the functions and tables of another.' as why,
        null::text as fix
    from pg_catalog.pg_extension e where e.extname = 'pg_tenant' and e.extversion <> tenant.version();

comment on view tenant_internal.finding_t091 is 'Library and schema are of different versions';

create or replace view tenant_internal.finding_t092 as
    select 'T092' as code, 'warn' as level,
        s.object,
        format('%s is on, and no token can be verified: %s', s.object, k.missing) as problem,
        'The role can enter no tenant. Turning require_signed off to get it working lets it enter every tenant without a token.' as why,
        null::text as fix
    from tenant_internal.doctor_settings s
    cross join (select tenant_internal.doctor_keys_missing() as missing) k
    where s.name = 'pg_tenant.require_signed' and lower(s.value) in ('on', 'true', 'yes', '1') and k.missing is not null;

comment on view tenant_internal.finding_t092 is 'A role must sign and no token can be verified';

create or replace view tenant_internal.finding_t093 as
    select 'T093' as code, case when k.missing is null then 'error' else 'warn' end as level,
        'pg_tenant.jwks_file' as object,
        format('the key file is not as it should be: %s', coalesce(k.missing, k.replaceable)) as problem,
        'Whoever can put keys in it, or read a secret in it, makes tokens for every tenant; and a file that cannot be used lets nobody in.' as why,
        null::text as fix
    from (select tenant_internal.doctor_keys_missing() as missing, tenant_internal.doctor_keys_replaceable() as replaceable) k
    where current_setting('pg_tenant.jwks_file') <> '' and coalesce(k.missing, k.replaceable) is not null;

comment on view tenant_internal.finding_t093 is 'The key file cannot be used, or others can reach it';

create or replace view tenant_internal.finding_t102 as
    select 'T102' as code, 'warn' as level,
        s.object,
        format('%s is %s', s.object, s.value) as problem,
        'Every session of the role begins with this setting, whichever tenant it enters: it changes which objects names refer to, how literals are read, or which rights the session has.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s
    where s.role is not null and (s.role = 0 or s.role in (select role from tenant_internal.doctor_applications))
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
                        select from tenant_internal.doctor_applications a where has_schema_privilege(a.role, n.oid, 'create'))));

comment on view tenant_internal.finding_t102 is 'A stored setting steers what the application''s sessions run';

create or replace view tenant_internal.finding_t103 as
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
        from tenant_internal.doctor_applications a
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
        and r.oid not in (select role from tenant_internal.doctor_applications);

comment on view tenant_internal.finding_t103 is 'Somebody else may store settings for the application''s roles';

create or replace view tenant_internal.finding_t116 as
    select 'T116' as code, 'error' as level,
        s.object,
        format('%s is %s', s.object, s.value) as problem,
        'A tenant entered in a savepoint ends with the savepoint, so one transaction can enter several tenants; and owners may TRUNCATE protected tables.' as why,
        s.reset as fix
    from tenant_internal.doctor_settings s
    where s.name = 'pg_tenant.test_mode' and lower(s.value) in ('on', 'true', 'yes', '1');

comment on view tenant_internal.finding_t116 is 'The server or the database is in test mode';

create or replace view tenant_internal.finding_t139 as
    with recursive reach (login, role, first_step) as (
        select m.member, m.role, m.revoke
            from tenant_internal.doctor_memberships m join pg_catalog.pg_roles r on r.oid = m.member and r.rolcanlogin and not r.rolsuper
        union
        select h.login, m.role, h.first_step from reach h join tenant_internal.doctor_memberships m on m.member = h.role
    )
    select 'T139' as code, 'error' as level,
        format('%s in %s', h.login::regrole, h.role::regrole) as object,
        format('login %s impersonates, and needs no grant for it: it reaches %s', h.login::regrole, standing.rolname) as problem,
        'Support enters tenants by grants, each with a reason, for a time and seen by the tenant. What it can reach otherwise it reaches unseen.' as why,
        min(h.first_step) as fix
    from reach h
    join pg_catalog.pg_roles standing on standing.oid = h.role
        and (standing.rolname in ('tenant_user', 'tenant_admin', 'tenant_system') or standing.rolbypassrls or standing.rolsuper)
    where exists (select from reach s join pg_catalog.pg_roles support on support.oid = s.role and support.rolname = 'tenant_support'
        where s.login = h.login)
    group by h.login, h.role, standing.rolname
    union all
    select 'T139', 'error', format('%I', r.rolname), format('login %I impersonates, and needs no grant for it: it has BYPASSRLS', r.rolname),
        'Support enters tenants by grants, each with a reason, for a time and seen by the tenant. What it can reach otherwise it reaches unseen.',
        format('alter role %I nobypassrls;', r.rolname)
    from pg_catalog.pg_roles r
    where r.rolbypassrls and r.rolcanlogin and not r.rolsuper
        and exists (select from reach s join pg_catalog.pg_roles support on support.oid = s.role and support.rolname = 'tenant_support'
            where s.login = r.oid);

comment on view tenant_internal.finding_t139 is 'A login of support has standing access';

create or replace view tenant_internal.finding_t140 as
    select 'T140' as code, 'warn' as level, i.id::text as object,
        format('impersonation of %s in tenant %s is open for longer than is allowed, until %s', i.impersonator, i.tenant_id, i.expires_at) as problem,
        'Each use of it is refused by pg_tenant.max_impersonation where that is in force; where the setting is another, it opens the tenant.' as why,
        format('select tenant.end_impersonation(%L, ''too long'');', i.id) as fix
    from tenant.impersonations i
    where i.ended_at is null and i.expires_at > now()
        and i.expires_at - i.opens_at > current_setting('pg_tenant.max_impersonation')::interval
    union all
    select 'T140', 'info', i.id::text,
        format('impersonation of %s in tenant %s waits for approval since %s', i.impersonator, i.tenant_id, i.requested_at),
        'Nobody has approved it within a day, so nobody can any more.',
        format('select tenant.end_impersonation(%L, ''nobody approved it'');', i.id)
    from tenant.impersonations i
    where i.ended_at is null and i.opens_at is null and i.requested_at < now() - interval '1 day';

comment on view tenant_internal.finding_t140 is 'An impersonation is open for too long, or was never decided about';

create or replace view tenant_internal.finding_t142 as
    select 'T142' as code, 'warn' as level,
        format('%s in tenant_reader', m.member::regrole) as object,
        format('application role %s reaches tenant_reader', r.application) as problem,
        'Reports read across tenants with a login of their own: the application''s login, which answers requests, would read them all.' as why,
        m.revoke as fix
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    where m.role = (select oid from pg_catalog.pg_roles where rolname = 'tenant_reader');

comment on view tenant_internal.finding_t142 is 'The application may read across tenants';

create or replace function tenant_internal.doctor_body(function oid) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select lower(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)) from pg_proc p where p.oid = function
$$;

revoke all on function tenant_internal.doctor_body(oid) from public;

create or replace function tenant_internal.doctor_words(function oid) returns setof text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select distinct word from regexp_split_to_table(tenant_internal.doctor_body(function), '[^[:alnum:]_]+') w (word)
$$;

revoke all on function tenant_internal.doctor_words(oid) from public;

create or replace view tenant_internal.doctor_computed as
    select d.classid, d.objid, d.objsubid, coalesce(p.oprcode::oid, d.refobjid) as function
    from pg_catalog.pg_depend d
    left join pg_catalog.pg_operator p on d.refclassid = 'pg_catalog.pg_operator'::regclass and p.oid = d.refobjid
    where d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
        and d.classid in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_attrdef'::regclass, 'pg_catalog.pg_constraint'::regclass,
            'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_statistic_ext'::regclass, 'pg_catalog.pg_type'::regclass);

create or replace function tenant_internal.doctor_folded_now(used boolean) returns table (function oid, name text, immutable boolean, reads_context boolean, how text)
    language sql stable rows 20 set search_path = pg_catalog, pg_temp set enable_mergejoin = off as $$
    with recursive source as materialized (
        select p.oid, lower(p.proname) as name, p.provolatile = 'i' as immutable
        from pg_proc p
        where p.oid >= 16384 and p.prolang not in (12, 13) and p.pronamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace)
            and not exists (select from pg_depend e
                where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')
    ), asked (function) as (
        select oid from source
        where case when used then oid in (select function from tenant_internal.doctor_computed) else immutable end
        union
        select s.oid from asked a
        cross join lateral tenant_internal.doctor_words(a.function) w (word)
        join source s on s.name = w.word
    ), known (word, kind, relation) as (
        select name, 'function', oid from source
        union all
        select lower(c.relname), 'table', t.relation from tenant_internal.doctor_tables t join pg_class c on c.oid = t.relation
        union all
        select lower(c.relname), 'table', r.relation from tenant_internal.doctor_readers r join pg_class c on c.oid = r.relation
        union all
        select word, 'context', null from unnest(array['current_setting', 'current_id', 'current_uuid', 'current_bigint', 'is_current',
            'current_actor', 'current_actor_role', 'current_user', 'session_user', 'current_role']) w (word)
    ), said as materialized (
        select distinct a.function, k.word, k.kind, k.relation, regexp_replace(tenant_internal.doctor_body(a.function), '--[^\n]*', '', 'g') as body
        from asked a
        cross join lateral tenant_internal.doctor_words(a.function) w (word)
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

revoke all on function tenant_internal.doctor_folded_now(boolean) from public;

create or replace view tenant_internal.finding_t104 as
    select 'T104' as code, 'warn' as level,
        f.name as object,
        format('function %s is IMMUTABLE and %s', f.name, f.how) as problem,
        'PostgreSQL computes it once and keeps the result: statements that call it are planned anew in every transaction, so that no tenant gets another''s value.' as why,
        format('alter function %s stable;', f.name) as fix
    from tenant_internal.doctor_folded_now(false) f where f.immutable and (not f.reads_context or f.how like 'reads protected table %');

comment on view tenant_internal.finding_t104 is 'An IMMUTABLE function reaches tenants'' rows';

create or replace view tenant_internal.finding_t105 as
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
    from tenant_internal.doctor_computed d
    join tenant_internal.doctor_folded_now(true) f on f.function = d.function
    left join pg_catalog.pg_class c on d.classid = 'pg_catalog.pg_class'::regclass and c.oid = d.objid
    left join pg_catalog.pg_attrdef e on d.classid = 'pg_catalog.pg_attrdef'::regclass and e.oid = d.objid
    left join pg_catalog.pg_attribute a on a.attrelid = e.adrelid and a.attnum = e.adnum
    cross join lateral (select c.oid is not null or a.attgenerated <> '' and a.attgenerated is not null
        or d.classid = 'pg_catalog.pg_statistic_ext'::regclass as stored) u
    cross join lateral pg_catalog.pg_identify_object(d.classid, d.objid, 0) o
    where f.immutable or u.stored
    group by o.type, o.identity, c.relkind, c.oid, a.attgenerated, a.attrelid, a.attname, u.stored;

comment on view tenant_internal.finding_t105 is 'Something is computed with an IMMUTABLE function that depends on the tenant';

create or replace view tenant_internal.finding_t132 as
    select 'T132' as code, 'warn' as level,
        s.tenant_id || '/' || s.step as object,
        format('step "%s" of tenant "%s" %s%s', s.step, s.tenant_id,
            case s.status when 'failed' then format('has failed after %s attempts', s.tries)
                when 'running' then format('was claimed by %s, who has not been heard of since %s', s.claimed_by, s.claim_expires)
                else format('could be claimed since %s, and nobody does', s.not_before) end,
            ': ' || left(regexp_replace(s.last_error, '[[:cntrl:]]+', ' ', 'g'), 200)) as problem,
        'The tenant is not set up, or not undone, until the step is; whoever signed up for it waits.' as why,
        case s.status when 'failed' then format('select tenant.retry_onboarding(%L, ''<reason>'');', s.tenant_id) end as fix
    from tenant.onboarding s
    where s.status = 'failed'
        or s.status in ('waiting', 'running')
            and (case s.status when 'waiting' then s.not_before when 'running' then s.claim_expires end) < now() - interval '15 min';

comment on view tenant_internal.finding_t132 is 'A step of an onboarding is stuck';

create or replace view tenant_internal.finding_t133 as
    select 'T133' as code, 'warn' as level,
        t.id as object,
        format('tenant "%s" is being set up%s, and has no steps', t.id, ' since ' || t.status_since) as problem,
        'Nothing will make it active, and members of tenant_admin alone enter it.' as why,
        null::text as fix
    from tenant.tenants t
    where t.status = 'provisioning' and coalesce(t.status_since, t.changed_at) < now() - interval '1 day'
        and not exists (select from tenant.onboarding s where s.tenant_id = t.id);

comment on view tenant_internal.finding_t133 is 'A tenant is being set up by nobody';

create or replace view tenant_internal.finding_t134 as
    select 'T134' as code, 'warn' as level,
        p.pool as object,
        format('pool "%s" has %s of %s tenants ready or on the way, and nobody tops it up', p.pool, h.have, p.target) as problem,
        'Where no tenant is ready, who signs up waits until one is set up, or is turned away.' as why,
        'select tenant.top_up_ready_tenants();' as fix
    from tenant.ready_pools p
    cross join lateral (select count(*) as have from tenant.onboardings o
        where o.pool = p.pool and o.claimed_at is null and o.abandoned_at is null) h
    where h.have < p.target and greatest(p.topped_up_at, p.changed_at) < now() - interval '15 min';

comment on view tenant_internal.finding_t134 is 'A pool of ready tenants is not topped up';

create or replace view tenant_internal.finding_t143 as
    select 'T143' as code, 'warn' as level,
        'jobs/' || coalesce(j.worker, '') as object,
        format('%s jobs were claimed by worker "%s", whose lease was over at %s, and nobody has taken them since', count(*),
            coalesce(j.worker, ''), min(j.lease_until)) as problem,
        'Every claim gives such jobs to others, so nobody claims: the work stands still.' as why,
        'select tenant.reap_jobs();' as fix
    from tenant.jobs j where j.state = 'running' and j.lease_until < now() - interval '15 min'
    group by j.worker;

comment on view tenant_internal.finding_t143 is 'Jobs of a worker that is gone are taken by nobody';

create or replace view tenant_internal.finding_t144 as
    select 'T144' as code, 'warn' as level,
        'jobs/' || j.kind as object,
        format('%s jobs of kind "%s" are dead, the first since %s', count(*), j.kind, min(j.finished_at)) as problem,
        'They have failed as often as they may, and are not tried again.' as why,
        null::text as fix
    from tenant.jobs j where j.state = 'dead' group by j.kind;

comment on view tenant_internal.finding_t144 is 'Jobs are dead';

create or replace view tenant_internal.finding_t145 as
    select 'T145' as code, 'warn' as level,
        'jobs/' || j.lane || '/' || j.kind as object,
        format('%s jobs of kind "%s" in lane "%s" can be done since %s, and nobody does them', count(*), j.kind, j.lane, min(j.run_at)) as problem,
        'No worker serves this lane and kind, or too few do.' as why,
        null::text as fix
    from tenant.jobs j left join tenant.tenants t on t.id = j.tenant_id
    where (j.state = 'ready' or j.state in ('scheduled', 'failed')) and j.run_at < now() - interval '1 h'
        and (j.tenant_id is null or t.status = 'active')
    group by j.lane, j.kind;

comment on view tenant_internal.finding_t145 is 'Jobs wait for a worker';

create or replace view tenant_internal.finding_t146 as
    select 'T146' as code, 'warn' as level,
        'tenant.schedules' as object,
        format('%s schedules are enabled, and no scheduler has the lead', count(*)) as problem,
        'Nothing is queued when they are due.' as why,
        null::text as fix
    from tenant.schedules s
    where s.enabled and s.changed_at < now() - interval '15 min'
        and not exists (select from pg_locks l where l.locktype = 'advisory' and l.granted and l.objsubid = 2
            and l.database = (select d.oid from pg_database d where d.datname = current_database())
            and l.classid::bigint = hashtext('tenant.schedules')::bigint & 4294967295 and l.objid = 0)
    having count(*) > 0;

comment on view tenant_internal.finding_t146 is 'Schedules have no scheduler';

create or replace view tenant_internal.finding_t147 as
    select 'T147' as code, 'warn' as level,
        'schedules/' || s.name as object,
        format('schedule "%s" has queued jobs for a part of the tenants, those up to "%s", for the time %s', s.name, s.fired_after, s.firing) as problem,
        'The others'' jobs are not queued, and no later time is, until somebody goes on.' as why,
        format('select * from tenant.fire_schedule(%L, %L, %L);', s.name, s.firing, s.last_due) as fix
    from tenant.schedules s where s.enabled and s.firing < now() - interval '15 min';

comment on view tenant_internal.finding_t147 is 'A schedule was fired for a part of the tenants';

create or replace view tenant_internal.finding_t155 as
    select 'T155' as code, 'warn' as level,
        format('%s.%I', c.conrelid::regclass, a.attname) as object,
        format('column %I of %s was declared sealed, and rows from before were not looked at', a.attname, c.conrelid::regclass) as problem,
        'What was written in plain text before stays so.' as why,
        format('alter table %s validate constraint %I;', c.conrelid::regclass, c.conname) as fix
    from pg_constraint c
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    join pg_depend d on d.classid = 'pg_constraint'::regclass and d.objid = c.oid and d.refclassid = 'pg_proc'::regclass
        and d.refobjid = 'tenant.is_sealed(bytea)'::regprocedure
    where c.contype = 'c' and not c.convalidated;

comment on view tenant_internal.finding_t155 is 'A sealed column has rows that were not looked at';

create or replace view tenant_internal.finding_t156 as
    select 'T156' as code, 'info' as level,
        i.indexrelid::regclass::text as object,
        format('index %s is on sealed column %I of %s', i.indexrelid::regclass, a.attname, i.indrelid::regclass) as problem,
        'The same value is sealed differently each time, so the index finds nothing and costs each write.' as why,
        format('drop index %s;', i.indexrelid::regclass) as fix
    from pg_constraint c
    join pg_depend d on d.classid = 'pg_constraint'::regclass and d.objid = c.oid and d.refclassid = 'pg_proc'::regclass
        and d.refobjid = 'tenant.is_sealed(bytea)'::regprocedure
    join pg_index i on i.indrelid = c.conrelid and c.conkey[1] = any (i.indkey)
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'c';

comment on view tenant_internal.finding_t156 is 'An index is on a sealed column';

create or replace view tenant_internal.finding_t148 as
    select 'T148' as code, 'info' as level,
        m.meter as object,
        format('meter "%s" has no limit, of its own, of a plan or of a tenant', m.meter) as problem,
        'Whatever a tenant uses is counted, and nothing is refused.' as why,
        null::text as fix
    from tenant.meters m
    where m.hard_limit is null and m.soft_limit is null
        and not exists (select from tenant.plans p where p.quotas ? m.meter and jsonb_typeof(p.quotas -> m.meter) <> 'null')
        and not exists (select from tenant.quotas q where q.meter = m.meter);

comment on view tenant_internal.finding_t148 is 'A meter has no limit';

create or replace view tenant_internal.finding_t149 as
    select 'T149' as code, 'error' as level,
        coalesce(p.part::text, m.meter) as object,
        case when p.part is null then format('meter "%s" counts the rows of a table that is not there', m.meter)
            else format('rows of %s are not counted, though meter "%s" counts those of %s', p.part, m.meter, m.relation) end as problem,
        'Rows come and go without being counted: tenants pass their limits, or are refused below them.' as why,
        case when p.part is null then format('select tenant.unmeter_rows(%L, ''<reason>'');', m.meter)
            else format('select tenant.meter_rows(%L, %L%s);', m.meter, m.relation, ', ' || quote_literal(m.unless)) end as fix
    from tenant.meters m
    left join lateral (select h as part from tenant_internal.hierarchy(m.relation) h join pg_class c on c.oid = h where c.relkind in ('r', 'p')) p on true
    where m.relation is not null and (p.part is null or (select count(*) from pg_trigger t
        where t.tgrelid = p.part and t.tgfoid = 'tenant_internal.count_rows()'::regprocedure and t.tgenabled = 'A'
            and convert_from(substr(t.tgargs, 1, length(m.meter)), 'UTF8') = m.meter) < 4);

comment on view tenant_internal.finding_t149 is 'A metered table''s triggers are gone or disabled';

create or replace view tenant_internal.finding_t150 as
    select 'T150' as code, 'warn' as level,
        s.tenant_id || '/' || s.meter as object,
        format('tenant "%s" has used %s of meter "%s", and its limit is %s', s.tenant_id, s.used, s.meter, s.hard_limit) as problem,
        'The limit was lowered since, or rows were there before they were counted: what is more is refused until it is less.' as why,
        null::text as fix
    from tenant.usage_state s where s.used > s.hard_limit;

comment on view tenant_internal.finding_t150 is 'A tenant has used more than its limit';

create or replace view tenant_internal.finding_t151 as
    select 'T151' as code, 'warn' as level,
        m.meter as object,
        format('usage of meter "%s" since %s is not rolled up', m.meter, to_char(o.since, 'YYYY-MM-DD')) as problem,
        'Each period keeps 16 rows for each tenant, and reports add them up; of meters that count rows, days are missing.' as why,
        'select tenant.roll_up_usage();' as fix
    from tenant.meters m
    cross join lateral (select min(b.at) as since from (
        select u.period_start from tenant.usage u where u.meter = m.meter and m.relation is null
            and tenant_internal.period_end(m.period, u.period_start) < now() - interval '2 days'
        union all
        select d.day from tenant.usage_days d where d.meter = m.meter and d.stripe >= 0 and d.day < (now() - interval '4 days')::date
        union all
        select (select max(d.at) from tenant.usage_days d where d.meter = m.meter) where m.relation is not null
            and coalesce((select max(d.at) from tenant.usage_days d where d.meter = m.meter), m.changed_at) < now() - interval '2 days') b (at)) o
    where o.since is not null;

comment on view tenant_internal.finding_t151 is 'Usage is not rolled up';

create or replace view tenant_internal.finding_t152 as
    select 'T152' as code, 'warn' as level,
        e.provider || '/' || e.customer_id as object,
        format('%s billing events of customer %s are nobody''s, the first since %s', count(*), quote_literal(left(e.customer_id, 80)), min(e.received_at)) as problem,
        'Whoever pays as this customer is given nothing for it, and who does not pay goes on.' as why,
        null::text as fix
    from tenant.billing_events e where e.outcome = 'unmatched'
    group by e.provider, e.customer_id having min(e.received_at) < now() - interval '1 day';

comment on view tenant_internal.finding_t152 is 'Billing events are nobody''s';

create or replace view tenant_internal.finding_t153 as
    select 'T153' as code, 'warn' as level,
        s.tenant_id as object,
        case when s.problem is null then format('tenant "%s" should have been looked at on %s, and tenant.billing_tick() has not', s.tenant_id, s.next_at)
            else format('tenant.billing_tick() has failed for tenant "%s" on %s: %s', s.tenant_id, s.problem_at, s.problem) end as problem,
        'What it has not paid for goes on, or what it has is still withheld.' as why,
        'select tenant.billing_tick(10000);' as fix
    from tenant.subscriptions s join tenant.tenants t on t.id = s.tenant_id
    where s.next_at < now() - interval '15 min' or s.problem is not null;

comment on view tenant_internal.finding_t153 is 'A billing policy was not carried out';

create or replace view tenant_internal.finding_t154 as
    select 'T154' as code, 'info' as level,
        t.id as object,
        format('tenant "%s" has plan "%s", which is billed, and no subscription', t.id, t.plan) as problem,
        'Nobody pays for it, and no event of a provider will change that.' as why,
        null::text as fix
    from tenant.tenants t join tenant.billing_policies p on p.plan = t.plan
    left join tenant.subscriptions s on s.tenant_id = t.id
    where t.status in ('active', 'read_only') and coalesce(s.status, 'none') in ('none', 'ended');

comment on view tenant_internal.finding_t154 is 'A tenant has a plan that is billed, and no subscription';

create or replace view tenant_internal.finding_t157 as
    select 'T157' as code, 'warn' as level,
        s.missing_plan as object,
        format('payment providers name plan "%s" for %s tenants, as for "%s", and there is no such plan', s.missing_plan, count(*), min(s.tenant_id)) as problem,
        'They have paid for it and keep the plan that they had.' as why,
        format('select tenant.define_plan(%L); select tenant.billing_tick(10000);', s.missing_plan) as fix
    from tenant.subscriptions s
    where not exists (select from tenant.plans p where p.plan = s.missing_plan)
    group by s.missing_plan having s.missing_plan is not null;

comment on view tenant_internal.finding_t157 is 'A provider names a plan that is not there';

create or replace view tenant_internal.finding_t128 as
    select 'T128' as code, 'warn' as level,
        'tenant.journal' as object,
        'lines of the journal have waited for their seal for more than a day' as problem,
        'A line that was not sealed can be changed or removed by a superuser, and nothing shows it.' as why,
        'select * from tenant.seal_journal();' as fix
    where tenant_internal.has_unsealed(now() - interval '1 day');

comment on view tenant_internal.finding_t128 is 'The journal was not sealed for a day';

create or replace view tenant_internal.finding_t129 as
    select 'T129' as code, 'error' as level,
        p.part::text as object,
        format('changes of %s are not journalled, though %s is audited', p.part, a.relation) as problem,
        'A trigger that writes the journal is gone or disabled: what statements change there leaves no line.' as why,
        format('select tenant.audit(%L, columns => %L, secret => %L);', a.relation, a.columns, a.secret) as fix
    from tenant.audited a
    join pg_catalog.pg_class root on root.oid = a.relation
    cross join lateral tenant_internal.hierarchy(a.relation) p (part)
    join pg_catalog.pg_class c on c.oid = p.part and c.relkind in ('r', 'p')
    where (select count(*) from pg_catalog.pg_trigger t
        where t.tgrelid = p.part and t.tgfoid = 'tenant_internal.audit_change()'::regprocedure and t.tgenabled in ('O', 'A')) < 4;

comment on view tenant_internal.finding_t129 is 'An audited table''s triggers are gone or disabled';

create or replace view tenant_internal.finding_t130 as
    select 'T130' as code, 'warn' as level,
        'tenant.journal' as object,
        format('the journal has no part for %s', to_char(m.month, 'YYYY-MM')) as problem,
        'Lines of months without a part stand together in one, from which they are removed row by row; and while it is written, parts cannot be made.' as why,
        'select * from tenant.maintain_journal();' as fix
    from (select (tenant_internal.month_of(now()) + interval '1 month')::date) m (month)
    where tenant_internal.journal_part(m.month) is null;

comment on view tenant_internal.finding_t130 is 'The journal''s next month has no part';

create or replace view tenant_internal.doctor_setting_values as
    select 'tenant' as kind, t.id as holder, e.key as name, e.value, null::boolean as as_feature
    from tenant.tenants t cross join lateral jsonb_each(t.settings) e where t.settings <> '{}'
    union all
    select 'plan', p.plan, e.key, e.value, true from tenant.plans p cross join lateral jsonb_each(p.features) e
    union all
    select 'plan', p.plan, e.key, e.value, false from tenant.plans p cross join lateral jsonb_each(p.settings) e
    union all
    select 'default', '', d.name, d.default_value, null from tenant.setting_definitions d where d.default_value is not null;

create or replace view tenant_internal.finding_t135 as
    select 'T135' as code, 'warn' as level,
        format('plan %s', t.plan) as object,
        format('%s %s the plan "%s", which is not in tenant.plans', count(*), case count(*) when 1 then 'tenant has' else 'tenants have' end, t.plan) as problem,
        'They have the limits of no plan: none, unless each has its own. Features and settings have their defaults.' as why,
        format('select tenant.define_plan(%L);', t.plan) as fix
    from tenant.tenants t
    where t.plan is not null and exists (select from tenant.plans) and not exists (select from tenant.plans p where p.plan = t.plan)
    group by t.plan;

comment on view tenant_internal.finding_t135 is 'Tenants have a plan that is not there';

create or replace view tenant_internal.finding_t136 as
    select 'T136' as code, 'error' as level,
        format('setting %s', v.name) as object,
        format('%s of setting "%s" looks like a secret, and the setting is not declared secret',
            min(case v.kind when 'default' then 'the default' else format('the value that %s "%s" has', v.kind, v.holder) end), v.name)
            || case when count(*) > 1 then format('; so do %s more', count(*) - 1) else '' end as problem,
        'The registry is in every dump and on every standby, and a tenant''s statements read what it has.' as why,
        null::text as fix
    from tenant_internal.doctor_setting_values v
    where exists (select from jsonb_path_query(v.value, 'strict $.**') leaf
            where jsonb_typeof(leaf) = 'string' and tenant_internal.looks_secret(leaf #>> '{}'))
        and not exists (select from tenant.setting_definitions d where d.name = v.name and d.secret)
    group by v.name;

comment on view tenant_internal.finding_t136 is 'A setting has a value that looks like a secret';

create or replace view tenant_internal.finding_t137 as
    select 'T137' as code, 'info' as level,
        format('setting %s', v.name) as object,
        format('%s has a value of setting "%s", which is not declared', min(format('%s "%s"', v.kind, v.holder)), v.name)
            || case when count(*) > 1 then format('; so have %s more', count(*) - 1) else '' end as problem,
        'Nothing reads it: tenant.setting() refuses the name. A declaration of this name is refused where the value does not fit it.' as why,
        null::text as fix
    from tenant_internal.doctor_setting_values v
    where not exists (select from tenant.setting_definitions d where d.name = v.name)
    group by v.name;

comment on view tenant_internal.finding_t137 is 'A setting that is not declared has a value';

create or replace view tenant_internal.finding_t138 as
    select 'T138' as code, 'warn' as level,
        format('setting %s', v.name) as object,
        format('%s of setting "%s" does not fit its declaration',
            min(case v.kind when 'default' then 'the default' else format('the value that %s "%s" has', v.kind, v.holder) end), v.name)
            || case when count(*) > 1 then format('; nor do %s more', count(*) - 1) else '' end as problem,
        'The application reads what it was promised not to get: a value of another type, beyond its bounds, or a secret in place of a reference to one.' as why,
        null::text as fix
    from tenant_internal.doctor_setting_values v
    join tenant.setting_definitions d on d.name = v.name
    cross join lateral tenant_internal.setting_problem(d, v.value) p (problem)
    where v.as_feature <> (d.kind = 'feature') or p.problem[1] = 'TN151' or p.problem[1] = 'TN152' and d.secret
    group by v.name;

comment on view tenant_internal.finding_t138 is 'A setting has a value that does not fit its declaration';

do $$
begin
    execute 'create or replace view tenant_internal.doctor_findings as ' || (
        select string_agg(format('select * from tenant_internal.%I', relname), ' union all ' order by relname)
        from pg_catalog.pg_class
        where relnamespace = 'tenant_internal'::regnamespace and relkind = 'v' and relname ~ '^finding_t[0-9]{3}$');
end
$$;

comment on view tenant_internal.doctor_findings is 'Every finding, waived or not.';

create or replace function tenant_internal.doctor_pastes(fix text) returns boolean
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select fix !~ '[\x01-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]' and (fix !~ '\n' or not exists (
        select from regexp_matches(fix, '([eE]''(?:[^''\\]|\\.|'''')*''|''(?:[^'']|'''')*''|"(?:[^"]|"")*")', 'g') quoted (part)
        where part[1] ~ '\n'))
$$;

revoke all on function tenant_internal.doctor_pastes(text) from public;

create or replace function tenant_internal.doctor_in_line(name text) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select regexp_replace(replace(replace(name, E'\n', '\n'), E'\r', '\r'), '[\x01-\x1f\x7f-\x9f\u2028\u2029]', '?', 'g')
$$;

revoke all on function tenant_internal.doctor_in_line(text) from public;

grant execute on function tenant_internal.doctor_in_line(text) to tenant_admin;

create or replace function tenant.doctor(with_waived boolean default false, every_object boolean default false)
    returns table (code text, level text, object text, problem text, why text, fix text, waived_until timestamptz, objects bigint)
    language sql stable security definer set search_path = pg_catalog, pg_temp set jit = off as $$
    with finding as (
        select f.*, w.until, row_number() over alike as nth,
            -- More than 20 findings of one code and level become one line.
            case when not every_object and count(*) over (partition by f.code, f.level, w.until is null) > 20
                then count(*) over (partition by f.code, f.level, w.until is null) end as many
        from tenant_internal.doctor_findings f
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
            when tenant_internal.doctor_pastes(f.fix) then f.fix end,
        f.until, coalesce(f.many, 1)
    from finding f
    where f.many is null or f.nth = 1
    order by array_position(array['error', 'warn', 'info'], f.level), f.code, f.object
$$;

comment on function tenant.doctor(boolean, boolean) is 'What is wrong with the isolation of this database, why it matters, and the SQL that fixes it. A finding on more than 20 objects is one line, unless every_object is true.';

revoke all on function tenant.doctor(boolean, boolean) from public;

grant execute on function tenant.doctor(boolean, boolean) to tenant_admin;

create or replace function tenant.waive(code text, object text, reason text, until timestamptz) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason);
    if to_regclass(format('tenant_internal.%I', 'finding_' || lower(code))) is null then
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

create or replace function tenant.unwaive(code text, object text, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason);
    delete from tenant.waivers w where w.code = upper(unwaive.code) and w.object = unwaive.object;
    if not found then
        raise exception using
            errcode = 'TN083',
            message = format('finding %s is not waived on %s', code, object),
            detail = 'tenant.waivers has no such line.',
            hint = 'select * from tenant.waivers; lists what is.';
    end if;
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
            format('%s %s: %s', d.code, tenant_internal.doctor_in_line(d.object), tenant_internal.doctor_in_line(d.problem)), E'\n')
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

create or replace function tenant_internal.check_change() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return coalesce(new, old);
    end if;
    case tg_table_name
        when 'tenants' then
            perform tenant_internal.require_plain('the tenant''s name', new.name), tenant_internal.require_plain('the tenant''s plan', new.plan);
        when 'shared', 'lookups' then
            perform tenant_internal.require_owner(coalesce(new.relation, old.relation));
            if tg_op <> 'DELETE' then
                perform tenant_internal.require_reason(new.reason);
            end if;
        when 'waivers' then
            perform tenant_internal.require_reason(new.reason), tenant_internal.require_plain('the object', new.object);
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

revoke all on function tenant_internal.check_change() from public;

create or replace function tenant_internal.journal_change() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reason constant text := nullif(current_setting('tenant.reason', true), '');
    subject text;
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return null;
    end if;
    if tg_table_name = 'lookups' then
        -- No line about a table that has been dropped; likewise below.
        if exists (select from pg_class where oid = coalesce(new.relation, old.relation)) then
            insert into tenant.journal (action, object, reason, detail) values (
                case tg_op when 'DELETE' then 'disallow_lookup' else 'allow_lookup' end,
                coalesce(new.relation, old.relation)::text, coalesce(reason, new.reason),
                jsonb_build_object('column', coalesce(new.key_column, old.key_column), 'row', coalesce(new.row_column, old.row_column)));
        end if;
    elsif tg_table_name = 'shared' then
        subject := coalesce(new.relation, old.relation)::text;
        -- No line about a table that has been dropped.
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

revoke all on function tenant_internal.journal_change() from public;

create or replace function tenant_internal.journal_tenants() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    reason constant text := nullif(current_setting('tenant.reason', true), '');
    silent constant text[] := array['changed_at', 'status_since', 'status_detail'];
    limits constant text[] := array['statement_timeout_ms', 'lock_timeout_ms', 'idle_in_transaction_session_timeout_ms', 'work_mem_kb', 'read_only', 'rates'];
    told constant text[] := limits || array['status', 'purge_after', 'settings'];
    acting constant name := tenant_internal.caller();
begin
    if tenant_internal.is_restoring() then
        return null;
    end if;
    case tg_op
        when 'DELETE' then insert into tenant.journal (action, object, reason, role) select 'delete', id, reason, acting from was_there;
        else
            insert into tenant.journal (action, object, reason, detail, role)
            select line.action, n.id, reason, line.detail, acting
            from now_there n join was_there w using (id)
            cross join lateral (select to_jsonb(w) as was, to_jsonb(n) as is_now) j
            cross join lateral (select array(select e.key from jsonb_each(j.is_now) e
                where e.value is distinct from j.was -> e.key and e.key <> all (silent)) as keys) changed
            cross join lateral (
                select 1, coalesce((select t.made_by from tenant.status_transitions t
                        where (t.from_status, t.to_status) = (w.status, n.status)), 'offboard'),
                    case when n.status = 'offboarding' then jsonb_build_object('purge_after', n.purge_after) end
                    where changed.keys && array['status', 'purge_after']
                union all
                select 2, 'set_limits', (select jsonb_object_agg(e.key, e.value) from jsonb_each(jsonb_strip_nulls(j.is_now)) e
                    where e.key = any (limits)) where changed.keys && limits
                union all
                select 3, 'set_setting', jsonb_build_object('name', s.name)
                        || case when w.settings ? s.name then jsonb_build_object('was', w.settings -> s.name) else '{}' end
                        || case when n.settings ? s.name then jsonb_build_object('value', n.settings -> s.name) else '{}' end
                    from jsonb_object_keys(w.settings || n.settings) s (name)
                    where w.settings -> s.name is distinct from n.settings -> s.name and n.status <> 'purged'
                union all
                select 4, 'change', jsonb_build_object('columns', rest.keys)
                    from (select array(select unnest(changed.keys) except select unnest(told) order by 1) as keys) rest
                    where rest.keys <> '{}') line (nth, action, detail)
            order by n.id, line.nth, line.detail ->> 'name';
    end case;
    return null;
end
$$;

revoke all on function tenant_internal.journal_tenants() from public;

-- The triggers, now that their functions are there.
create trigger keep_tenant before delete on tenant.tenants for each row execute function tenant_internal.keep_tenant();
create trigger keep_id before update on tenant.tenants for each row when (old.id is distinct from new.id)
    execute function tenant_internal.keep_tenant();
create trigger keep_tenants before truncate on tenant.tenants for each statement execute function tenant_internal.keep_tenant();
alter table tenant.tenants enable always trigger keep_tenant;
alter table tenant.tenants enable always trigger keep_id;
alter table tenant.tenants enable always trigger keep_tenants;
create trigger journal_create after insert on tenant.tenants
    for each row execute function tenant_internal.journal_creation();
create trigger journal_update after update on tenant.tenants referencing old table as was_there new table as now_there
    for each statement execute function tenant_internal.journal_tenants();
create trigger journal_delete after delete on tenant.tenants referencing old table as was_there
    for each statement execute function tenant_internal.journal_tenants();
create trigger channel_changed after insert or update or delete on tenant.channels
    for each row execute function tenant_internal.channel_changed();

-- What views asked until they were made anew.
drop function tenant.key_obstacle(oid, smallint);
drop function tenant.reference_obstacle(oid);
create trigger number before insert or update on tenant.lookups for each row execute function tenant_internal.number_lookup();
alter table tenant.lookups enable always trigger number;
create trigger check_change before insert or update or delete on tenant.lookups
    for each row execute function tenant_internal.check_change();
create trigger journal_change after insert or update or delete on tenant.lookups
    for each row execute function tenant_internal.journal_change();
create trigger check_status before update on tenant.tenants for each row when (old.status is distinct from new.status)
    execute function tenant_internal.check_status();
create trigger check_first_status before insert on tenant.tenants for each row
    when (new.status not in ('provisioning', 'active')) execute function tenant_internal.check_first_status();
create trigger plans_changed after insert or update or delete or truncate on tenant.plans
    for each statement execute function tenant_internal.registry_changed();
alter table tenant.plans enable always trigger plans_changed;
create trigger check_slug before insert on tenant.tenants for each row when (new.slug is not null)
    execute function tenant_internal.check_slug();
create trigger check_new_slug before update on tenant.tenants for each row
    when (new.slug is not null and new.slug is distinct from old.slug) execute function tenant_internal.check_slug();
create trigger keep_slug after update on tenant.tenants for each row
    when (old.slug is distinct from new.slug or new.status = 'purged' and old.status <> 'purged')
    execute function tenant_internal.keep_slug();
create trigger definitions_changed after insert or update or delete or truncate on tenant.setting_definitions
    for each statement execute function tenant_internal.registry_changed();
alter table tenant.setting_definitions enable always trigger definitions_changed;
create trigger announce_plans after insert or update or delete or truncate on tenant.plans
    for each statement execute function tenant_internal.announce_change();
create trigger check_onboarded before update on tenant.tenants for each row
    when (old.status = 'provisioning' and new.status in ('active', 'purged')) execute function tenant_internal.check_onboarded();
create trigger forget_onboarding after update on tenant.tenants for each row
    when (new.status = 'purged' and old.status <> 'purged') execute function tenant_internal.forget_onboarding();
create trigger roles_changed after insert or update or delete or truncate on tenant.roles
    for each statement execute function tenant_internal.registry_changed();
alter table tenant.roles enable always trigger roles_changed;
create trigger permissions_changed after insert or update or delete or truncate on tenant.permissions
    for each statement execute function tenant_internal.registry_changed();
alter table tenant.permissions enable always trigger permissions_changed;
create trigger members_changed after insert or update or delete on tenant.members
    for each row execute function tenant_internal.registry_changed();
create trigger members_truncated after truncate on tenant.members
    for each statement execute function tenant_internal.registry_changed();
alter table tenant.members enable always trigger members_changed;
alter table tenant.members enable always trigger members_truncated;
create trigger forget_people after update on tenant.tenants for each row
    when (new.status = 'purged' and old.status <> 'purged') execute function tenant_internal.forget_people();

-- The journal's triggers, its months and its lines, which nobody has sealed: they are as of this transaction.
create trigger keep_line before update or delete on tenant.journal for each row execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant.journal for each statement execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant_internal.journal_protection
    for each statement execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant_internal.journal_lines
    for each statement execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant_internal.journal_rest
    for each statement execute function tenant_internal.keep_line();

create trigger keep_line before update or delete on tenant.journal_sealings for each row execute function tenant_internal.keep_line();
create trigger keep_line before update or delete on tenant.journal_seals for each row execute function tenant_internal.keep_line();
create trigger keep_line before update or delete on tenant.journal_removals for each row execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant.journal_sealings for each statement execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant.journal_seals for each statement execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant.journal_removals for each statement execute function tenant_internal.keep_line();

-- This month and the two after it. Not under pg_restore, whose dump brings the months that there were.
do $$
declare
    month date;
begin
    if current_setting('row_security') = 'off' then
        return;
    end if;
    for ahead in 0..2 loop
        month := (tenant_internal.month_of(now()) + make_interval(months => ahead))::date;
        perform tenant_internal.make_journal_part(month);
        execute format('alter extension pg_tenant drop table %s', tenant_internal.journal_part(month));
    end loop;
end
$$;
insert into tenant.journal (id, at, action, object, reason, detail, role, session_role) overriding system value
    select id, at, action, object, reason, detail, role, session_role from tenant.journal_of_0_1_0 order by id;
select pg_catalog.setval('tenant.journal_id_seq', last_value, is_called) from tenant.journal_of_0_1_0_id_seq;
drop table tenant.journal_of_0_1_0;
-- What is declared of settings holds for every statement.
create trigger stamp_definitions after insert or update or delete or truncate on tenant.setting_definitions
    for each statement execute function tenant_internal.stamp_definitions();
alter table tenant.setting_definitions enable always trigger stamp_definitions;
create trigger stamp_change before update on tenant.plans for each row execute function tenant_internal.stamp_change();
create trigger announce_definitions after insert or update or delete or truncate on tenant.setting_definitions
    for each statement execute function tenant_internal.announce_change();
create trigger check_settings before insert on tenant.tenants for each row
    when (new.settings <> '{}') execute function tenant_internal.check_settings();
create trigger check_new_settings before update on tenant.tenants for each row
    when (new.settings is distinct from old.settings) execute function tenant_internal.check_settings();
create trigger check_settings before insert or update on tenant.plans for each row
    execute function tenant_internal.check_settings();
create trigger check_definition before insert or update or delete on tenant.setting_definitions for each row
    execute function tenant_internal.check_definition();
create trigger hold_plan before insert on tenant.tenants for each row
    when (new.plan is not null) execute function tenant_internal.hold_new_plan();
create trigger hold_new_plan before update on tenant.tenants for each row
    when (new.plan is not null and new.plan is distinct from old.plan) execute function tenant_internal.hold_new_plan();
create trigger keep_plan before delete on tenant.plans for each row execute function tenant_internal.keep_plan();
create trigger keep_name before update on tenant.plans for each row when (new.plan <> old.plan)
    execute function tenant_internal.keep_plan();

-- Impersonation.
create trigger impersonations_changed after insert or update or delete on tenant.impersonations
    for each row execute function tenant_internal.registry_changed();
create trigger impersonations_truncated after truncate on tenant.impersonations
    for each statement execute function tenant_internal.registry_changed();
alter table tenant.impersonations enable always trigger impersonations_changed;
alter table tenant.impersonations enable always trigger impersonations_truncated;

-- Jobs.
create trigger tenant_has_jobs after update on tenant.tenants for each row
    when (new.status <> old.status and new.status in ('active', 'purged')) execute function tenant_internal.tenant_has_jobs();
-- Usage and quotas.
create trigger stamp_change before update on tenant.meters for each row execute function tenant_internal.stamp_change();
create trigger check_quotas before insert or update on tenant.plans for each row
    when (new.quotas <> '{}') execute function tenant_internal.check_quotas();
create trigger forget_usage after update on tenant.tenants for each row
    when (new.status = 'purged' and old.status <> 'purged') execute function tenant_internal.forget_usage();

-- Data keys.
create trigger tenant_has_keys after update on tenant.tenants for each row
    when (new.status = 'purged' and old.status <> 'purged') execute function tenant_internal.tenant_has_keys();
-- Billing.
create trigger billing_lets_go after update on tenant.tenants for each row
    when (new.status <> old.status) execute function tenant_internal.tenant_was_changed();
