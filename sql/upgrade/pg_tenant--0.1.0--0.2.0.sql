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

-- Functions whose arguments or results changed: made anew below.
drop function tenant.doctor(boolean);
drop function tenant.prove(name, text, boolean);
drop function tenant.plan_hardening(regclass, boolean);
-- The registry: a row tells of itself, its journal is written once for each statement.
create table tenant.registry_epoch ();
comment on table tenant.registry_epoch is 'Stands for the rows of tenant.tenants where caches are invalidated; it has none.';
drop trigger announce_change on tenant.tenants;
drop trigger check_change on tenant.tenants;
create trigger check_change before insert or update on tenant.tenants
    for each row when (new.name is not null or new.plan is not null) execute function tenant.check_change();
drop trigger journal_change on tenant.tenants;
-- The same for tenants, of all that one statement changes at once.
create function tenant.journal_tenants() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reason constant text := nullif(current_setting('tenant.reason', true), '');
    limits constant text[] := array['statement_timeout_ms', 'lock_timeout_ms', 'idle_in_transaction_session_timeout_ms', 'work_mem_kb', 'read_only'];
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return null;
    end if;
    case tg_op
        when 'INSERT' then insert into tenant.journal (action, object, reason) select 'create', id, reason from now_there;
        when 'DELETE' then insert into tenant.journal (action, object, reason) select 'delete', id, reason from was_there;
        else
            insert into tenant.journal (action, object, reason, detail)
            select line.action, n.id, reason, line.detail
            from now_there n join was_there w using (id)
            cross join lateral (select to_jsonb(w) as was, to_jsonb(n) as is_now) j
            cross join lateral (select array(select e.key from jsonb_each(j.is_now) e
                where e.value is distinct from j.was -> e.key and e.key <> 'changed_at') as keys) changed
            cross join lateral (
                select 1, case n.status when 'suspended' then 'suspend' else 'resume' end, null::jsonb where 'status' = any (changed.keys)
                union all
                select 2, 'set_limits', (select jsonb_object_agg(e.key, e.value) from jsonb_each(jsonb_strip_nulls(j.is_now)) e
                    where e.key = any (limits)) where changed.keys && limits
                union all
                select 3, 'change', jsonb_build_object('columns', rest.keys)
                    from (select array(select unnest(changed.keys) except select unnest(limits || 'status'::text) order by 1) as keys) rest
                    where rest.keys <> '{}') line (nth, action, detail)
            order by n.id, line.nth;
    end case;
    return null;
end
$$;
revoke all on function tenant.journal_tenants() from public;
create trigger journal_create after insert on tenant.tenants referencing new table as now_there
    for each statement execute function tenant.journal_tenants();
create trigger journal_update after update on tenant.tenants referencing old table as was_there new table as now_there
    for each statement execute function tenant.journal_tenants();
create trigger journal_delete after delete on tenant.tenants referencing old table as was_there
    for each statement execute function tenant.journal_tenants();
