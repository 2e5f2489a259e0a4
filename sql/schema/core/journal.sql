-- The journal: who changed protection, shared tables, tenants and bound roles, who entered the system context, and what
-- was done in tenants. Lines are only added; nobody but a superuser can change one.
--
-- Partitioned by month. What is said of protection is kept for good, in a part of its own: guards and doctor go by it.
-- The months are no members of the extension, or a dump would leave them out: it takes a member's rows and not its
-- definition, and CREATE EXTENSION does not make the months of another year. As tables of their own they are dumped,
-- and so are their indexes; hence no index stands on a partitioned table, where ATTACH would make it before the dump
-- does. DROP EXTENSION drops them with the journal, since a partition goes with what it is part of.

-- Which database this is: another than the one that it is a dump of, since a dump does not have it. Transactions are
-- numbered in the life of a database; a server that is copied with its files, or upgraded, goes on with both.
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

-- A function that runs as the extension's owner could change lines for whoever calls it. Retention is exempt: it runs
-- with session_replication_role = replica, which only superusers can set.
create function tenant_internal.keep_line() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
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
create trigger keep_line before update or delete on tenant.journal for each row execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant.journal for each statement execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant_internal.journal_protection
    for each statement execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant_internal.journal_lines
    for each statement execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant_internal.journal_rest
    for each statement execute function tenant_internal.keep_line();

-- The lines of the current tenant. It runs as the extension's owner, since nobody in a tenant reads the journal itself;
-- its condition is that of a fence. Whose database roles were at work, and which transactions, is the operators'
-- business.
create view tenant.audit_log with (security_barrier = true) as
    select id, at, tenant_id, actor, impersonator, action, object, reason, detail, request_id
    from tenant.journal
    where tenant_id = tenant.current_id() and tenant.is_current(tenant_id);
comment on view tenant.audit_log is 'The journal''s lines of the current tenant; none where there is none.';
grant select on tenant.audit_log to tenant_user;
