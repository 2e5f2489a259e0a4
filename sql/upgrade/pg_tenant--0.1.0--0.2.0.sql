-- From 0.1.0 to 0.2.0. An upgraded database equals a fresh one, object by object: tests/tests/upgrade/.
\echo Use "alter extension pg_tenant update" to load this file. \quit

-- The registry: tenants stay, and keep their ids; the functions are made here, since the triggers need them.
revoke references on tenant.tenants from tenant_admin;
grant references (id, uuid_id, bigint_id) on tenant.tenants to tenant_admin;
create function tenant.keep_tenant() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN052',
        message = case tg_op when 'DELETE' then format('cannot delete tenant "%s"', old.id)
            when 'UPDATE' then format('cannot change the id of tenant "%s"', old.id)
            else 'cannot truncate tenant.tenants' end,
        detail = 'Tables refer to tenants: their triggers would run with the rights of whoever removes or renames one.',
        hint = case when tg_op = 'TRUNCATE' then 'select tenant.suspend(id) from tenant.tenants; closes all of them.'
            else format('select tenant.suspend(%L); closes it.', old.id) end;
end
$$;
revoke all on function tenant.keep_tenant() from public;
create trigger keep_tenant before delete on tenant.tenants for each row execute function tenant.keep_tenant();
create trigger keep_id before update on tenant.tenants for each row when (old.id is distinct from new.id)
    execute function tenant.keep_tenant();
create trigger keep_tenants before truncate on tenant.tenants for each statement execute function tenant.keep_tenant();
alter table tenant.tenants enable always trigger keep_tenant;
alter table tenant.tenants enable always trigger keep_id;
alter table tenant.tenants enable always trigger keep_tenants;
grant usage on schema tenant to public;

-- Functions whose arguments or results changed: made anew below.
drop function tenant.doctor(boolean);
drop function tenant.prove(name, text, boolean);
drop function tenant.plan_hardening(regclass, boolean);
