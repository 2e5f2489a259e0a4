-- Impersonation: a login of support works in a tenant for a time, in the place of a user or without one. It needs no
-- right to enter tenants: it enters those that a grant of its own opens.

-- pg_tenant/src/pg/impersonation_row.rs knows the numbers of the columns.
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

-- Transactions that work by one of them look again: the end takes effect at their next statement.
create trigger impersonations_changed after insert or update or delete on tenant.impersonations
    for each row execute function tenant_internal.registry_changed();
create trigger impersonations_truncated after truncate on tenant.impersonations
    for each statement execute function tenant_internal.registry_changed();
alter table tenant.impersonations enable always trigger impersonations_changed;
alter table tenant.impersonations enable always trigger impersonations_truncated;

-- For support, who approves and ends them: inside a tenant, those of that tenant alone.
create view tenant.open_impersonations with (security_barrier) as
    select i.id, i.tenant_id, i.as_user, i.login, i.impersonator, i.reason, i.write, i.lasts, i.requested_at, i.approved_at,
        i.approved_by, i.expires_at, i.opens_at is null as waits
    from tenant.impersonations i
    where i.ended_at is null and (i.expires_at is null or i.expires_at > clock_timestamp())
        and (tenant.current_id() is null or i.tenant_id = tenant.current_id() and tenant.is_current(i.tenant_id));
comment on view tenant.open_impersonations is 'The impersonations that are open, or wait for approval; inside a tenant, those of that tenant.';
grant select on tenant.open_impersonations to tenant_support, tenant_admin;

-- Whether the role is a member of that one at any distance, other than by being a superuser.
create function tenant_internal.belongs_to(member name, role name) returns boolean
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

create function tenant_internal.refuse_impersonation(message text, why text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using errcode = 'TN158', message = refuse_impersonation.message, detail = why, hint = refuse_impersonation.hint;
end
$$;
revoke all on function tenant_internal.refuse_impersonation(text, text, text) from public;

-- Impersonations are asked for, approved and ended outside of tenants, by the login and not by what SET ROLE makes of
-- it.
create function tenant_internal.require_outside(what text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if tenant.current_id() is not null then
        perform tenant_internal.refuse_impersonation(format('impersonation is not %s inside a tenant', what),
            format('The transaction is inside tenant "%s".', tenant.current_id()), 'Do it in a transaction that has entered no tenant.');
    end if;
end
$$;
revoke all on function tenant_internal.require_outside(text) from public;

-- The tenant sees it: a line of its journal, and a notification on its channel.
create function tenant_internal.tell_impersonation(grant_row tenant.impersonations, action text, reason text, actor text, impersonator text)
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

-- Called by tenant.enter_as and by nobody else.
create function tenant_internal.journal_enter_as(id uuid) returns void
    language sql security definer set search_path = pg_catalog, pg_temp as $$
    select tenant_internal.tell_impersonation(i, 'enter_as', i.reason, i.as_user, i.impersonator)
        from tenant.impersonations i where i.id = journal_enter_as.id
$$;
revoke all on function tenant_internal.journal_enter_as(uuid) from public;

create function tenant.impersonate(tenant_id text, as_user text, reason text, lasts interval default '15 minutes',
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
comment on function tenant.impersonate is 'Asks to work in the tenant for a time, in the place of the user or without one, and gives the id to enter with. Read-only unless write is said. TN158 not allowed, TN029 no reason.';
revoke all on function tenant.impersonate(text, text, text, interval, boolean, text) from public;
grant execute on function tenant.impersonate(text, text, text, interval, boolean, text) to tenant_support;

create function tenant.impersonate(tenant_id uuid, as_user text, reason text, lasts interval default '15 minutes',
    write boolean default false, actor text default null) returns uuid language sql
    begin atomic select tenant.impersonate(tenant_id::text, as_user, reason, lasts, write, actor); end;
revoke all on function tenant.impersonate(uuid, text, text, interval, boolean, text) from public;
grant execute on function tenant.impersonate(uuid, text, text, interval, boolean, text) to tenant_support;

create function tenant.impersonate(tenant_id bigint, as_user text, reason text, lasts interval default '15 minutes',
    write boolean default false, actor text default null) returns uuid language sql
    begin atomic select tenant.impersonate(tenant_id::text, as_user, reason, lasts, write, actor); end;
revoke all on function tenant.impersonate(bigint, text, text, interval, boolean, text) from public;
grant execute on function tenant.impersonate(bigint, text, text, interval, boolean, text) to tenant_support;
