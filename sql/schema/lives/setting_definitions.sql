-- Which settings and features tenants have.

create table tenant.setting_definitions (
    name text collate "C" primary key check (length(name) <= 128 and name ~ '^[a-z0-9_]+(\.[a-z0-9_]+)*$'),
    kind text not null check (kind in ('text', 'boolean', 'integer', 'number', 'json', 'feature')),
    default_value jsonb,
    rule jsonb not null default '{}' check (jsonb_typeof(rule) = 'object'),
    changed_by text not null default 'operator' check (changed_by in ('operator', 'tenant')),
    secret boolean not null default false,
    rollout numeric check (rollout between 0 and 100),
    description text
);
comment on table tenant.setting_definitions is 'Which settings and features tenants have: kind, default, rule, who changes them, and of a feature to how many per cent of the tenants it is rolled out.';
grant select on tenant.setting_definitions to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.setting_definitions', '');

-- A default is in what is remembered of every tenant.
create trigger definitions_changed after insert or update or delete or truncate on tenant.setting_definitions
    for each statement execute function tenant_internal.registry_changed();
alter table tenant.setting_definitions enable always trigger definitions_changed;

-- One row, another one after every change of the definitions: so that what was and is again has another generation.
create table tenant_internal.definitions_stamp (stamp uuid not null);
comment on table tenant_internal.definitions_stamp is 'A number that changes with tenant.setting_definitions.';
insert into tenant_internal.definitions_stamp values (gen_random_uuid());
create function tenant_internal.stamp_definitions() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update tenant_internal.definitions_stamp set stamp = gen_random_uuid();
    return null;
end
$$;
revoke all on function tenant_internal.stamp_definitions() from public;
create trigger stamp_definitions after insert or update or delete or truncate on tenant.setting_definitions
    for each statement execute function tenant_internal.stamp_definitions();
alter table tenant.setting_definitions enable always trigger stamp_definitions;

-- What begins like a key of a well-known service, holds a private key or a token, or is a URL with a password.
create function tenant_internal.looks_secret(value text) returns boolean
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select value ~ any (array[
        '-----BEGIN [A-Z ]*PRIVATE KEY',
        '\m(AKIA|ASIA)[0-9A-Z]{16}\M',
        '\m(sk|rk|pk)_(live|test)_[0-9A-Za-z]{8}',
        '\m(sk-|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|SG\.)[0-9A-Za-z_-]{16}',
        '\meyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.',
        '^[a-z][a-z0-9+.-]*://[^/@[:space:]]*:[^/@[:space:]]+@'])
$$;
revoke all on function tenant_internal.looks_secret(text) from public;
grant execute on function tenant_internal.looks_secret(text) to tenant_admin;

create function tenant_internal.is_secret_reference(value text) returns boolean
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select value ~ '^(vault|env|file):[^[:space:]]+$'
$$;
revoke all on function tenant_internal.is_secret_reference(text) from public;
grant execute on function tenant_internal.is_secret_reference(text) to tenant_admin;

-- What is wrong with a value: its SQLSTATE and a sentence; null where it may stand.
create function tenant_internal.setting_problem(d tenant.setting_definitions, value jsonb) returns text[]
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    found constant text := jsonb_typeof(value);
    plain constant text := value #>> '{}';
    expected constant text := case d.kind when 'feature' then 'boolean' when 'text' then 'string' when 'integer' then 'number'
        else d.kind end;
begin
    if d.kind <> 'json' and found <> expected or d.kind = 'integer' and plain !~ '^-?[0-9]+$' then
        return array['TN151', format('It is of type %s, and the setting of kind %s.', found, d.kind)];
    elsif d.secret then
        if d.kind <> 'text' or not tenant_internal.is_secret_reference(plain) then
            return array['TN152', 'The setting is declared secret, and the value is no reference (vault:..., env:..., file:...).'];
        end if;
    elsif exists (select from jsonb_path_query(value, 'strict $.**') leaf
            where jsonb_typeof(leaf) = 'string' and tenant_internal.looks_secret(leaf #>> '{}')) then
        return array['TN152', 'The value looks like a secret, and the setting is not declared secret.'];
    end if;
    if value < d.rule -> 'min' or value > d.rule -> 'max' then
        return array['TN151', format('It is not between %s and %s.', coalesce(d.rule ->> 'min', 'any'), coalesce(d.rule ->> 'max', 'any'))];
    elsif d.rule ? 'one_of' and not d.rule -> 'one_of' @> jsonb_build_array(value) then
        return array['TN151', format('It is none of %s.', d.rule -> 'one_of')];
    elsif d.rule ? 'matches' and plain !~ (d.rule ->> 'matches') then
        return array['TN151', format('It does not match %s.', d.rule ->> 'matches')];
    end if;
    return null;
end
$$;
revoke all on function tenant_internal.setting_problem(tenant.setting_definitions, jsonb) from public;
grant execute on function tenant_internal.setting_problem(tenant.setting_definitions, jsonb) to tenant_admin;

create function tenant_internal.require_setting(d tenant.setting_definitions, value jsonb) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    problem constant text[] := tenant_internal.setting_problem(d, value);
begin
    if problem is not null then
        raise exception using
            errcode = problem[1],
            message = format('setting "%s" cannot have this value', d.name),
            detail = problem[2],
            hint = case problem[1]
                when 'TN152' then 'Keep the secret where secrets are kept, and set a reference to it: "vault:path/of/it".'
                else format('select * from tenant.setting_definitions where name = %L; says what it takes.', d.name) end;
    end if;
end
$$;
revoke all on function tenant_internal.require_setting(tenant.setting_definitions, jsonb) from public;
grant execute on function tenant_internal.require_setting(tenant.setting_definitions, jsonb) to tenant_admin;

create function tenant_internal.refuse_setting(name text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN150',
        message = format('there is no setting %s', coalesce(quote_literal(left(name, 128)), 'without a name')),
        detail = 'It is not in tenant.setting_definitions.',
        hint = 'Declare it: select tenant.declare_setting(''<name>'', ''<kind>''); or tenant.declare_feature(''<name>'');';
end
$$;
revoke all on function tenant_internal.refuse_setting(text) from public;
grant execute on function tenant_internal.refuse_setting(text) to tenant_admin;

create function tenant.declare_setting(name text, kind text default 'text', default_value jsonb default null,
    rule jsonb default '{}', changed_by text default 'operator', secret boolean default false,
    description text default null, rollout numeric default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    d tenant.setting_definitions := row(name, kind, nullif(default_value, 'null'), coalesce(rule, '{}'), changed_by,
        coalesce(secret, false), rollout, description);
    why text := case
        when length(name) > 128 or name !~ '^[a-z0-9_]+(\.[a-z0-9_]+)*$' then 'A name has letters a-z, digits and _, with dots between.'
        when kind not in ('text', 'boolean', 'integer', 'number', 'json', 'feature') then
            'A setting is of kind text, boolean, integer, number, json or feature.'
        when changed_by not in ('operator', 'tenant') then 'It is changed by operator or tenant.'
        when rollout is not null and kind <> 'feature' or rollout not between 0 and 100 then
            'A roll-out is of a feature, and between 0 and 100 per cent.'
        when jsonb_typeof(rule) <> 'object' then 'A rule is an object with min, max, one_of or matches.'
        when exists (select from jsonb_object_keys(rule) key where key not in ('min', 'max', 'one_of', 'matches')) then
            'A rule has min, max, one_of and matches, and nothing else.'
        end;
begin
    if name is null or kind is null or changed_by is null or why is not null then
        raise exception using
            errcode = 'TN151',
            message = format('cannot declare setting %s', coalesce(quote_literal(left(name, 128)), 'without a name')),
            detail = coalesce(why, 'A setting has a name, a kind, and somebody who changes it.'),
            hint = 'select tenant.declare_setting(''billing.currency'', ''text'', ''"EUR"'', rule => ''{"one_of": ["EUR", "USD"]}'');';
    end if;
    if d.default_value is not null then
        perform tenant_internal.require_setting(d, d.default_value);
    end if;
    insert into tenant.setting_definitions as s select d.*
        on conflict on constraint setting_definitions_pkey do update set kind = excluded.kind,
            default_value = excluded.default_value, rule = excluded.rule, changed_by = excluded.changed_by,
            secret = excluded.secret, rollout = excluded.rollout, description = excluded.description;
    perform tenant_internal.write_journal('declare_setting', d.name, null, jsonb_strip_nulls(to_jsonb(d) - 'name'));
end
$$;
comment on function tenant.declare_setting is 'Declares a setting of tenants, or changes what was declared. TN151 malformed, or a value that is set does not fit; TN152 a default that looks like a secret.';
revoke all on function tenant.declare_setting(text, text, jsonb, jsonb, text, boolean, text, numeric) from public;
grant execute on function tenant.declare_setting(text, text, jsonb, jsonb, text, boolean, text, numeric) to tenant_admin;

create function tenant.declare_feature(name text, default_value boolean default false, rollout numeric default null,
    changed_by text default 'operator', description text default null) returns void
    language sql begin atomic
    select tenant.declare_setting(name, 'feature', to_jsonb(default_value), '{}', changed_by, false, description, rollout);
end;
comment on function tenant.declare_feature is 'Declares a feature that tenants have or have not; a roll-out turns it on for so many per cent of them, always the same ones. TN151 malformed.';
revoke all on function tenant.declare_feature(text, boolean, numeric, text, text) from public;
grant execute on function tenant.declare_feature(text, boolean, numeric, text, text) to tenant_admin;

create function tenant.drop_setting(name text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_reason(reason);
    delete from tenant.setting_definitions d where d.name = drop_setting.name;
    if not found then
        perform tenant_internal.refuse_setting(drop_setting.name);
    end if;
    perform tenant_internal.write_journal('drop_setting', drop_setting.name, reason);
end
$$;
comment on function tenant.drop_setting is 'Takes a setting or feature back that nobody has a value of. TN151 where a tenant or a plan has one, TN150 where there is none, TN029 without a reason.';
revoke all on function tenant.drop_setting(text, text) from public;
grant execute on function tenant.drop_setting(text, text) to tenant_admin;
