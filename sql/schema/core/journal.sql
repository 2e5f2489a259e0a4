-- The journal: who changed protection, shared tables, tenants and bound roles, and who entered the system context. Lines are
-- only added; nobody but a superuser can change one.

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
comment on table tenant.journal is 'What was protected, unprotected, shared, created, suspended, bound, who entered the system context, and why.';
grant select on tenant.journal to tenant_admin;
grant insert (action, object, reason, detail) on tenant.journal to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.journal', '');
select pg_catalog.pg_extension_config_dump('tenant.journal_id_seq', '');
create index on tenant.journal (object, action);
