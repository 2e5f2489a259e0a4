-- Members: who belongs to which tenant, in which role.
--
-- Closed to tenants: a tenant reads its own members by tenant.current_members, and changes them by the functions, which
-- operators call for any tenant.

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

-- What backends remember of the tenant's members is void.
create trigger members_changed after insert or update or delete on tenant.members
    for each row execute function tenant_internal.registry_changed();
create trigger members_truncated after truncate on tenant.members
    for each statement execute function tenant_internal.registry_changed();
alter table tenant.members enable always trigger members_changed;
alter table tenant.members enable always trigger members_truncated;

-- The fence's function beside the equality, which PostgreSQL may take out of a plan.
create view tenant.current_members with (security_barrier) as
    select m.user_id, m.role, m.status, m.added_at, m.added_by, m.changed_at, m.email, m.display_name, m.user_name, m.external_id
    from tenant.members m where m.tenant_id = tenant.current_id() and tenant.is_current(m.tenant_id);
comment on view tenant.current_members is 'The members of the tenant that the transaction has entered.';
grant select on tenant.current_members to tenant_user;

create function tenant_internal.caller() returns name
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select case current_setting('role') when 'none' then session_user else current_setting('role')::name end
$$;
revoke all on function tenant_internal.caller() from public;

-- Who changes a tenant's members: an operator, or inside the tenant a member of it who may. Gives the id, and the
-- highest rank that may be given, taken or changed; null is any.
create function tenant_internal.manager_of(id text, out canonical text, out most integer)
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

-- The role, of no higher rank than this; it stays until the transaction ends.
create function tenant_internal.require_role(role text, most integer) returns void
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

create function tenant_internal.require_rank(role text, ranked integer, most integer) returns void
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

-- The roles of owners: those of the highest rank.
create function tenant_internal.owner_roles() returns text[]
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(r.role), '{}') from tenant.roles r where r.rank = (select max(o.rank) from tenant.roles o)
$$;
revoke all on function tenant_internal.owner_roles() from public;

create function tenant_internal.refuse_member(id text, user_id text, why text) returns void
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

-- Locks the member and, before it, the tenant's owners, always in the same order: of two owners who leave at once the
-- second waits, and then sees that the first is gone; under REPEATABLE READ it fails with 40001.
create function tenant_internal.lock_member(id text, user_id text, most integer) returns tenant.members
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

-- Refuses that an owner leaves, or is none any more, where there is no other one. The owners are locked.
create function tenant_internal.keep_owner(leaving tenant.members) returns void
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

create function tenant_internal.require_user(user_id text) returns void
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

-- Lines of the journal on members: what is told of a person is the user id alone.
create function tenant_internal.journal_member(action text, id text, reason text, detail jsonb) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_plain('the reason', reason);
    perform tenant_internal.write_journal(action, id, nullif(btrim(reason), ''), detail, id);
end
$$;
revoke all on function tenant_internal.journal_member(text, text, text, jsonb) from public;

create function tenant_internal.insert_member(id text, user_id text, role text, email text, display_name text, user_name text,
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

-- A tenant that was purged keeps its id and its times: nobody's name.
create function tenant_internal.forget_people() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from tenant.members m where m.tenant_id = new.id;
    delete from tenant.invitations i where i.tenant_id = new.id;
    return null;
end
$$;
revoke all on function tenant_internal.forget_people() from public;
create trigger forget_people after update on tenant.tenants for each row
    when (new.status = 'purged' and old.status <> 'purged') execute function tenant_internal.forget_people();
