-- Types that functions take and give.

-- What hardening does with keys that do not contain the tenant column. 'false': nothing. 'true': they get it, but
-- surrogate keys stay, with a key that has it beside them. 'all': all get it. 0.1.0 took a boolean, which still works.
create type tenant.key_form as enum ('false', 'true', 'all');
create function tenant.key_form(harden boolean) returns tenant.key_form
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select case when harden then 'true'::tenant.key_form else 'false'::tenant.key_form end
$$;
revoke all on function tenant.key_form(boolean) from public;
grant execute on function tenant.key_form(boolean) to tenant_admin;
create cast (boolean as tenant.key_form) with function tenant.key_form(boolean) as implicit;
