-- The roles in which people are members of tenants, and what each may do: the application's migrations define them.

create function tenant.enter(id uuid, actor text) returns text language sql volatile parallel unsafe
    begin atomic select tenant.enter(id::text, actor); end;
revoke all on function tenant.enter(uuid, text) from public;
grant execute on function tenant.enter(uuid, text) to tenant_user;

create function tenant.enter(id bigint, actor text) returns text language sql volatile parallel unsafe
    begin atomic select tenant.enter(id::text, actor); end;
revoke all on function tenant.enter(bigint, text) from public;
grant execute on function tenant.enter(bigint, text) to tenant_user;

-- pg_tenant/src/pg/people_rows.rs knows the numbers of the columns of these tables and of tenant.members.
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

create view tenant.defined_roles with (security_barrier) as select role, rank, permissions from tenant.roles;
comment on view tenant.defined_roles is 'The roles of the application, for those who enter tenants.';
grant select on tenant.defined_roles to tenant_user, tenant_admin;

-- A role is in what backends remember of each of its members, so all of that is void.
create trigger roles_changed after insert or update or delete or truncate on tenant.roles
    for each statement execute function tenant_internal.registry_changed();
alter table tenant.roles enable always trigger roles_changed;
create trigger permissions_changed after insert or update or delete or truncate on tenant.permissions
    for each statement execute function tenant_internal.registry_changed();
alter table tenant.permissions enable always trigger permissions_changed;

create function tenant_internal.refuse_role(role text) returns void
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

create function tenant_internal.refuse_definition(role text, why text, hint text) returns void
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

create function tenant.define_role(role text, rank integer, permissions text[] default '{}') returns void
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
comment on function tenant.define_role is 'Defines a role, or changes it to this: in force for its members from their next transactions on. TN149 malformed.';
revoke all on function tenant.define_role(text, integer, text[]) from public;
grant execute on function tenant.define_role(text, integer, text[]) to tenant_admin;

create function tenant.drop_role(role text, reason text) returns void
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
comment on function tenant.drop_role is 'Removes a role that nobody has. TN149 where a member or an open invitation has it, TN146 where there is none, TN029 without a reason.';
revoke all on function tenant.drop_role(text, text) from public;
grant execute on function tenant.drop_role(text, text) to tenant_admin;
