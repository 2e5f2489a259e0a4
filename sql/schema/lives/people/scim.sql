-- For a directory that drives members by SCIM 2.0 (RFC 7643, 7644): users and lists in its JSON.

create function tenant_internal.scim_user(m tenant.members) returns jsonb
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

create function tenant.scim_create_user(id text, user_name text, role text, user_id text default null, external_id text default null, display_name text default null, email text default null, active boolean default true) returns jsonb
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

create function tenant.scim_create_user(id uuid, user_name text, role text, user_id text default null, external_id text default null, display_name text default null, email text default null, active boolean default true) returns jsonb language sql
    begin atomic select tenant.scim_create_user(id::text, user_name, role, user_id, external_id, display_name, email, active); end;
revoke all on function tenant.scim_create_user(uuid, text, text, text, text, text, text, boolean) from public;
grant execute on function tenant.scim_create_user(uuid, text, text, text, text, text, text, boolean) to tenant_user, tenant_admin;

create function tenant.scim_create_user(id bigint, user_name text, role text, user_id text default null, external_id text default null, display_name text default null, email text default null, active boolean default true) returns jsonb language sql
    begin atomic select tenant.scim_create_user(id::text, user_name, role, user_id, external_id, display_name, email, active); end;
revoke all on function tenant.scim_create_user(bigint, text, text, text, text, text, text, boolean) from public;
grant execute on function tenant.scim_create_user(bigint, text, text, text, text, text, text, boolean) to tenant_user, tenant_admin;

create function tenant.scim_list_users(id text, user_name text default null, start_index integer default 1, count integer default 100) returns jsonb
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

create function tenant.scim_list_users(id uuid, user_name text default null, start_index integer default 1, count integer default 100) returns jsonb language sql
    begin atomic select tenant.scim_list_users(id::text, user_name, start_index, count); end;
revoke all on function tenant.scim_list_users(uuid, text, integer, integer) from public;
grant execute on function tenant.scim_list_users(uuid, text, integer, integer) to tenant_user, tenant_admin;

create function tenant.scim_list_users(id bigint, user_name text default null, start_index integer default 1, count integer default 100) returns jsonb language sql
    begin atomic select tenant.scim_list_users(id::text, user_name, start_index, count); end;
revoke all on function tenant.scim_list_users(bigint, text, integer, integer) from public;
grant execute on function tenant.scim_list_users(bigint, text, integer, integer) to tenant_user, tenant_admin;

create function tenant.scim_deactivate_user(id text, user_id text) returns jsonb
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

create function tenant.scim_deactivate_user(id uuid, user_id text) returns jsonb language sql
    begin atomic select tenant.scim_deactivate_user(id::text, user_id); end;
revoke all on function tenant.scim_deactivate_user(uuid, text) from public;
grant execute on function tenant.scim_deactivate_user(uuid, text) to tenant_user, tenant_admin;

create function tenant.scim_deactivate_user(id bigint, user_id text) returns jsonb language sql
    begin atomic select tenant.scim_deactivate_user(id::text, user_id); end;
revoke all on function tenant.scim_deactivate_user(bigint, text) from public;
grant execute on function tenant.scim_deactivate_user(bigint, text) to tenant_user, tenant_admin;
