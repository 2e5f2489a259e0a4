-- Invitations: somebody without an account is asked to become a member, by a token that is told once and works once.

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

create view tenant.current_invitations with (security_barrier) as
    select i.id, i.email, i.role, i.invited_by, i.invited_at, i.expires_at, i.accepted_at, i.accepted_by, i.revoked_at
    from tenant.invitations i where i.tenant_id = tenant.current_id() and tenant.is_current(i.tenant_id);
comment on view tenant.current_invitations is 'The invitations of the tenant that the transaction has entered; not their tokens.';
grant select on tenant.current_invitations to tenant_user;

-- Whether it can be accepted still. Not now(), which stands still in a transaction.
create function tenant_internal.is_open(i tenant.invitations) returns boolean
    language sql volatile set search_path = pg_catalog, pg_temp as $$
    select i.accepted_at is null and i.revoked_at is null and i.expires_at > clock_timestamp()
$$;
revoke all on function tenant_internal.is_open(tenant.invitations) from public;

create function tenant_internal.refuse_invitation(message text, why text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using errcode = 'TN148', message = refuse_invitation.message, detail = why, hint = refuse_invitation.hint;
end
$$;
revoke all on function tenant_internal.refuse_invitation(text, text, text) from public;

create function tenant.invite(id text, email text, role text, expires_in interval default '7 days', reason text default null) returns text
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

create function tenant.invite(id uuid, email text, role text, expires_in interval default '7 days', reason text default null) returns text language sql
    begin atomic select tenant.invite(id::text, email, role, expires_in, reason); end;
revoke all on function tenant.invite(uuid, text, text, interval, text) from public;
grant execute on function tenant.invite(uuid, text, text, interval, text) to tenant_user, tenant_admin;

create function tenant.invite(id bigint, email text, role text, expires_in interval default '7 days', reason text default null) returns text language sql
    begin atomic select tenant.invite(id::text, email, role, expires_in, reason); end;
revoke all on function tenant.invite(bigint, text, text, interval, text) from public;
grant execute on function tenant.invite(bigint, text, text, interval, text) to tenant_user, tenant_admin;

create function tenant.revoke_invitation(id text, invitation uuid, reason text default null) returns void
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

create function tenant.revoke_invitation(id uuid, invitation uuid, reason text default null) returns void language sql
    begin atomic select tenant.revoke_invitation(id::text, invitation, reason); end;
revoke all on function tenant.revoke_invitation(uuid, uuid, text) from public;
grant execute on function tenant.revoke_invitation(uuid, uuid, text) to tenant_user, tenant_admin;

create function tenant.revoke_invitation(id bigint, invitation uuid, reason text default null) returns void language sql
    begin atomic select tenant.revoke_invitation(id::text, invitation, reason); end;
revoke all on function tenant.revoke_invitation(bigint, uuid, text) from public;
grant execute on function tenant.revoke_invitation(bigint, uuid, text) to tenant_user, tenant_admin;

-- Called with no tenant entered, or inside the invitation's: who accepts is no member yet.
create function tenant.accept_invitation(token text, user_id text, display_name text default null) returns text
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
comment on function tenant.accept_invitation is 'Makes the user a member of the tenant to which the token invites, and gives its id. Pass the token as a parameter. TN141 malformed user id, TN147 is a member already, TN148 cannot be accepted.';
revoke all on function tenant.accept_invitation(text, text, text) from public;
grant execute on function tenant.accept_invitation(text, text, text) to tenant_user, tenant_admin;
