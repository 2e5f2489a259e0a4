-- What the example works on. Run it once, as the role that shall own the tables; it needs tenant_admin.
create table members (
    tenant_id text not null,
    email text not null,
    role text not null default 'member' check (role in ('member', 'owner')),
    key_hash bytea not null, -- SHA-256 of an API key: keys are random and long, so this is enough
    primary key (email)
);
create table projects (
    tenant_id text not null,
    id bigint generated always as identity primary key,
    name text not null unique
);
create table tasks (
    tenant_id text not null,
    id bigint generated always as identity primary key,
    project bigint not null references projects on delete cascade,
    title text not null,
    done boolean not null default false
);
create index on tasks (project);
-- What is to be sent, written in the transaction that is the reason for it: the worker sends it after the commit.
create table mails (
    tenant_id text not null,
    id bigint generated always as identity primary key,
    recipient text not null,
    subject text not null,
    sent_at timestamptz
);
create index on mails (tenant_id, id) where sent_at is null;

-- The tenant becomes the first column of every key: two tenants may have a project of the same name and a member of the
-- same address, and no task is in another tenant's project.
select tenant.protect(t, harden => true) from unnest('{members,projects,tasks,mails}'::regclass[]) t;

-- The application's role is a member of tenant_user, the operators' one of tenant_user and tenant_system, and that which sets
-- tenants up one of tenant_user and tenant_admin: nobody else enters a tenant before it is set up.
grant select, insert on members to tenant_user;
grant delete on members, mails to tenant_admin;
grant select, insert, update, delete on projects, tasks to tenant_user;
grant select, insert, update on mails to tenant_user;
grant select on members, projects, mails to tenant_system;
grant select, delete on tasks to tenant_system;
