-- Changing who is a member, and as what.

create function tenant.add_member(id text, user_id text, role text, email text default null, display_name text default null, reason text default null) returns void
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

create function tenant.add_member(id uuid, user_id text, role text, email text default null, display_name text default null, reason text default null) returns void language sql
    begin atomic select tenant.add_member(id::text, user_id, role, email, display_name, reason); end;
revoke all on function tenant.add_member(uuid, text, text, text, text, text) from public;
grant execute on function tenant.add_member(uuid, text, text, text, text, text) to tenant_user, tenant_admin;

create function tenant.add_member(id bigint, user_id text, role text, email text default null, display_name text default null, reason text default null) returns void language sql
    begin atomic select tenant.add_member(id::text, user_id, role, email, display_name, reason); end;
revoke all on function tenant.add_member(bigint, text, text, text, text, text) from public;
grant execute on function tenant.add_member(bigint, text, text, text, text, text) to tenant_user, tenant_admin;

create function tenant.set_member_role(id text, user_id text, role text, reason text default null) returns void
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

create function tenant.set_member_role(id uuid, user_id text, role text, reason text default null) returns void language sql
    begin atomic select tenant.set_member_role(id::text, user_id, role, reason); end;
revoke all on function tenant.set_member_role(uuid, text, text, text) from public;
grant execute on function tenant.set_member_role(uuid, text, text, text) to tenant_user, tenant_admin;

create function tenant.set_member_role(id bigint, user_id text, role text, reason text default null) returns void language sql
    begin atomic select tenant.set_member_role(id::text, user_id, role, reason); end;
revoke all on function tenant.set_member_role(bigint, text, text, text) from public;
grant execute on function tenant.set_member_role(bigint, text, text, text) to tenant_user, tenant_admin;

create function tenant.deactivate_member(id text, user_id text, reason text default null) returns void
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

create function tenant.deactivate_member(id uuid, user_id text, reason text default null) returns void language sql
    begin atomic select tenant.deactivate_member(id::text, user_id, reason); end;
revoke all on function tenant.deactivate_member(uuid, text, text) from public;
grant execute on function tenant.deactivate_member(uuid, text, text) to tenant_user, tenant_admin;

create function tenant.deactivate_member(id bigint, user_id text, reason text default null) returns void language sql
    begin atomic select tenant.deactivate_member(id::text, user_id, reason); end;
revoke all on function tenant.deactivate_member(bigint, text, text) from public;
grant execute on function tenant.deactivate_member(bigint, text, text) to tenant_user, tenant_admin;

create function tenant.reactivate_member(id text, user_id text, reason text default null) returns void
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

create function tenant.reactivate_member(id uuid, user_id text, reason text default null) returns void language sql
    begin atomic select tenant.reactivate_member(id::text, user_id, reason); end;
revoke all on function tenant.reactivate_member(uuid, text, text) from public;
grant execute on function tenant.reactivate_member(uuid, text, text) to tenant_user, tenant_admin;

create function tenant.reactivate_member(id bigint, user_id text, reason text default null) returns void language sql
    begin atomic select tenant.reactivate_member(id::text, user_id, reason); end;
revoke all on function tenant.reactivate_member(bigint, text, text) from public;
grant execute on function tenant.reactivate_member(bigint, text, text) to tenant_user, tenant_admin;

create function tenant.remove_member(id text, user_id text, reason text default null) returns void
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

create function tenant.remove_member(id uuid, user_id text, reason text default null) returns void language sql
    begin atomic select tenant.remove_member(id::text, user_id, reason); end;
revoke all on function tenant.remove_member(uuid, text, text) from public;
grant execute on function tenant.remove_member(uuid, text, text) to tenant_user, tenant_admin;

create function tenant.remove_member(id bigint, user_id text, reason text default null) returns void language sql
    begin atomic select tenant.remove_member(id::text, user_id, reason); end;
revoke all on function tenant.remove_member(bigint, text, text) from public;
grant execute on function tenant.remove_member(bigint, text, text) to tenant_user, tenant_admin;

create function tenant.transfer_ownership(id text, from_user text, to_user text, reason text default null) returns void
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

create function tenant.transfer_ownership(id uuid, from_user text, to_user text, reason text default null) returns void language sql
    begin atomic select tenant.transfer_ownership(id::text, from_user, to_user, reason); end;
revoke all on function tenant.transfer_ownership(uuid, text, text, text) from public;
grant execute on function tenant.transfer_ownership(uuid, text, text, text) to tenant_user, tenant_admin;

create function tenant.transfer_ownership(id bigint, from_user text, to_user text, reason text default null) returns void language sql
    begin atomic select tenant.transfer_ownership(id::text, from_user, to_user, reason); end;
revoke all on function tenant.transfer_ownership(bigint, text, text, text) from public;
grant execute on function tenant.transfer_ownership(bigint, text, text, text) to tenant_user, tenant_admin;

-- For signing in: a user's tenants. Counted as a lookup (tenant.lookup), which limits guesses of user ids.
create function tenant.tenants_of(user_id text) returns table (tenant_id text, role text, slug text, name text, status text)
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
