-- The settings and features that a tenant has: its own, its plan's, a roll-out's, the default.

create function tenant.set_setting(id text, name text, value jsonb, reason text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
declare
    canonical constant text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_known(canonical);
    if reason is not null then
        perform tenant_internal.give_reason(reason);
    end if;
    if set_setting.name is null or not exists (select from tenant.setting_definitions d where d.name = set_setting.name) then
        perform tenant_internal.refuse_setting(set_setting.name);
    end if;
    update tenant.tenants t set settings = case when value is null then t.settings - set_setting.name
            else t.settings || jsonb_build_object(set_setting.name, value) end
        where t.id = canonical and t.settings -> set_setting.name is distinct from value;
end
$$;
comment on function tenant.set_setting(text, text, jsonb, text) is 'The tenant''s own value of a setting or feature; with null, its plan''s or the default again. In force from its next transaction on. TN150 not declared, TN151 a value that does not fit, TN152 a secret.';
revoke all on function tenant.set_setting(text, text, jsonb, text) from public;
grant execute on function tenant.set_setting(text, text, jsonb, text) to tenant_admin;

create function tenant.set_setting(id uuid, name text, value jsonb, reason text default null) returns void language sql
    begin atomic select tenant.set_setting(id::text, name, value, reason); end;
revoke all on function tenant.set_setting(uuid, text, jsonb, text) from public;
grant execute on function tenant.set_setting(uuid, text, jsonb, text) to tenant_admin;

create function tenant.set_setting(id bigint, name text, value jsonb, reason text default null) returns void language sql
    begin atomic select tenant.set_setting(id::text, name, value, reason); end;
revoke all on function tenant.set_setting(bigint, text, jsonb, text) from public;
grant execute on function tenant.set_setting(bigint, text, jsonb, text) to tenant_admin;

-- Where a tenant stands in the roll-out of a feature, 0 to 9999: below a hundred times its per cent it is in. Of
-- SHA-256, which no version of PostgreSQL computes otherwise.
create function tenant_internal.rollout_number(id text, name text) returns integer
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select (('x' || left(encode(sha256(convert_to(name || '/' || id, 'UTF8')), 'hex'), 8))::bit(32)::bigint % 10000)::integer
$$;
revoke all on function tenant_internal.rollout_number(text, text) from public;

-- All that the tenant has, by name: its own, its plan's, the roll-out's, the default. Stable, so that it sees what the
-- library lets it see: what is committed now, since the answer is kept.
create function tenant_internal.settings_of(id text) returns text
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return (select coalesce(jsonb_object_agg(d.name, coalesce(t.settings -> d.name,
            case d.kind when 'feature' then p.features else p.settings end -> d.name,
            case when tenant_internal.rollout_number(settings_of.id, d.name) < d.rollout * 100 then jsonb 'true' end,
            d.default_value)), '{}')
        from tenant.setting_definitions d
        left join tenant.tenants t on t.id = settings_of.id
        left join tenant.plans p on p.plan = t.plan);
end
$$;
revoke all on function tenant_internal.settings_of(text) from public;

create function tenant.setting(name text) returns text
    language c stable strict parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_setting';
comment on function tenant.setting(text) is 'The value of a setting for the transaction''s tenant, as text; null where it has none. TN001 with no tenant, TN150 not declared.';
revoke all on function tenant.setting(text) from public;
grant execute on function tenant.setting(text) to tenant_user;

create function tenant_internal.setting_as_json(name text) returns text
    language c stable strict parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_setting_as_json';
revoke all on function tenant_internal.setting_as_json(text) from public;
grant execute on function tenant_internal.setting_as_json(text) to tenant_user;

create function tenant.setting_json(name text) returns jsonb language sql stable strict parallel restricted
    begin atomic select tenant_internal.setting_as_json(name)::jsonb; end;
comment on function tenant.setting_json(text) is 'As tenant.setting(), as JSON.';
revoke all on function tenant.setting_json(text) from public;
grant execute on function tenant.setting_json(text) to tenant_user;

create function tenant.feature(name text) returns boolean
    language c stable strict parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_feature';
comment on function tenant.feature(text) is 'Whether the transaction''s tenant has the feature. TN001 with no tenant, TN150 not declared, TN151 a setting that is no feature.';
revoke all on function tenant.feature(text) from public;
grant execute on function tenant.feature(text) to tenant_user;

-- Not for parallel queries, whose workers do not know the registry.
create function tenant.generation() returns bigint
    language c stable parallel unsafe as 'MODULE_PATHNAME', 'pg_tenant_generation';
comment on function tenant.generation() is 'A number for all that the transaction''s tenant is given: equal as long as neither its row, its plan, its settings nor any declaration has changed, and another one afterwards. Compare it for equality only: it does not grow. Null with no tenant.';
revoke all on function tenant.generation() from public;
grant execute on function tenant.generation() to tenant_user;

create function tenant.secret_reference(name text) returns text
    language plpgsql stable strict parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from tenant.setting_definitions d where d.name = secret_reference.name and not d.secret) then
        raise exception using
            errcode = 'TN152',
            message = format('setting %s is not declared secret', quote_literal(left(name, 128))),
            detail = 'Its values are no references, and whoever sets one does not expect that it is resolved.',
            hint = format('Read it with tenant.setting(%L), or declare it secret.', left(name, 128));
    end if;
    return tenant.setting(name);
end
$$;
comment on function tenant.secret_reference(text) is 'The reference to a secret that the transaction''s tenant has in a setting declared secret; null where it has none. TN001 with no tenant, TN150 not declared, TN152 not declared secret.';
revoke all on function tenant.secret_reference(text) from public;
grant execute on function tenant.secret_reference(text) to tenant_user;
