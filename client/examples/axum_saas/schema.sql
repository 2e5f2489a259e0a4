-- What the example works on. Run it once, as the role that shall own the tables; it needs tenant_admin.
-- Who is a member of which tenant, in which role, is pg_tenant's to know (tenant.members); the address is its user id.
create table keys (
    tenant_id text not null,
    email text not null,
    key_hash bytea not null, -- SHA-256 of an API key: keys are random and long, so this is enough
    primary key (email)
);
create table projects (
    tenant_id text not null,
    id bigint generated always as identity primary key,
    name text not null unique,
    contact bytea -- whom to write to, sealed
);
create table tasks (
    tenant_id text not null,
    id bigint generated always as identity primary key,
    project bigint not null references projects on delete cascade,
    title text not null,
    done boolean not null default false
);
create index on tasks (project);
-- What each tenant had at the end of a day: the nightly roll-up writes it.
create table daily_usage (
    tenant_id text not null,
    day date not null,
    projects bigint not null,
    tasks bigint not null,
    primary key (tenant_id, day)
);

-- The tenant becomes the first column of every key: two tenants may have a project of the same name and a member of the
-- same address, and no task is in another tenant's project.
select tenant.protect(t, harden => true) from unnest('{keys,projects,tasks,daily_usage}'::regclass[]) t;

-- Nothing but sealed values is kept there.
select tenant.declare_sealed('projects', 'contact');

-- What members may: whoever removes a project is told 403 by the program, and by the table where the program forgets to ask.
select tenant.define_role('owner', 100, '{members.manage,projects.delete}'), tenant.define_role('member', 10);
select tenant.require_permission('projects', 'delete', 'projects.delete');

-- How many searches a tenant may make in a day, unless its plan or its own quota says otherwise.
select tenant.define_meter('searches', 'searches', 'day', hard_limit => 1000);

-- The application's role is a member of tenant_user, the operators' one of tenant_user and tenant_system, that which sets
-- tenants up one of tenant_user and tenant_admin (nobody else enters a tenant before it is set up), that which does jobs one of
-- tenant_user and tenant_worker, that of reports one of tenant_reader alone, and that of the payment provider's webhook one of
-- tenant_billing alone.
grant select, insert on keys to tenant_user;
grant delete on keys to tenant_admin;
grant select on daily_usage to tenant_user;
grant select, insert, update, delete on projects, tasks to tenant_user;
grant select on projects to tenant_system;
grant select, delete on tasks to tenant_system;
grant select, insert on daily_usage to tenant_system;
grant select on projects, tasks to tenant_reader;
