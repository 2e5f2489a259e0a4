-- tenant_admin may also change the registry, the shared tables and the waivers by plain statements. These triggers
-- apply the same rules as the functions, and write the same lines into the journal. pg_restore is exempt: it restores
-- the journal as well.

create function tenant_internal.check_change() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return coalesce(new, old);
    end if;
    case tg_table_name
        when 'tenants' then
            perform tenant_internal.require_plain('the tenant''s name', new.name), tenant_internal.require_plain('the tenant''s plan', new.plan);
        when 'shared', 'lookups' then
            perform tenant_internal.require_owner(coalesce(new.relation, old.relation));
            if tg_op <> 'DELETE' then
                perform tenant_internal.require_reason(new.reason);
            end if;
        when 'waivers' then
            perform tenant_internal.require_reason(new.reason), tenant_internal.require_plain('the object', new.object);
            if new.until is null or new.until <= now() or new.until = 'infinity' then
                raise exception using
                    errcode = 'TN082',
                    message = format('a waiver cannot run until %s', coalesce(new.until::text, 'null')),
                    detail = 'It is for a time that ends in the future; then the finding is back.',
                    hint = format('select tenant.waive(%L, %L, %L, now() + interval ''90 days'');', new.code, new.object, new.reason);
            end if;
    end case;
    return coalesce(new, old);
end
$$;
revoke all on function tenant_internal.check_change() from public;

create function tenant_internal.journal_change() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reason constant text := nullif(current_setting('tenant.reason', true), '');
    subject text;
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return null;
    end if;
    if tg_table_name = 'lookups' then
        -- No line about a table that has been dropped; likewise below.
        if exists (select from pg_class where oid = coalesce(new.relation, old.relation)) then
            insert into tenant.journal (action, object, reason, detail) values (
                case tg_op when 'DELETE' then 'disallow_lookup' else 'allow_lookup' end,
                coalesce(new.relation, old.relation)::text, coalesce(reason, new.reason),
                jsonb_build_object('column', coalesce(new.key_column, old.key_column), 'row', coalesce(new.row_column, old.row_column)));
        end if;
    elsif tg_table_name = 'shared' then
        subject := coalesce(new.relation, old.relation)::text;
        -- No line about a table that has been dropped.
        if exists (select from pg_class where oid = coalesce(new.relation, old.relation)) then
            insert into tenant.journal (action, object, reason) values (
                case tg_op when 'DELETE' then 'unshare' else 'share' end, subject, coalesce(reason, new.reason));
        end if;
    else
        subject := coalesce(new.code, old.code) || ' ' || coalesce(new.object, old.object);
        insert into tenant.journal (action, object, reason, detail) values (
            case tg_op when 'DELETE' then 'unwaive' else 'waive' end, subject, coalesce(reason, new.reason),
            case when tg_op <> 'DELETE' then jsonb_build_object('until', new.until) end);
    end if;
    return null;
end
$$;
revoke all on function tenant_internal.journal_change() from public;

-- Writes the journal of updates and deletes of tenants: once for each statement, with a line for each tenant and kind
-- of change, and for each setting. SECURITY DEFINER, so that the line says who acts where a function runs as its owner.
create function tenant_internal.journal_tenants() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    reason constant text := nullif(current_setting('tenant.reason', true), '');
    silent constant text[] := array['changed_at', 'status_since', 'status_detail'];
    limits constant text[] := array['statement_timeout_ms', 'lock_timeout_ms', 'idle_in_transaction_session_timeout_ms', 'work_mem_kb', 'read_only', 'rates'];
    told constant text[] := limits || array['status', 'purge_after', 'settings'];
    acting constant name := tenant_internal.caller();
begin
    if tenant_internal.is_restoring() then
        return null;
    end if;
    case tg_op
        when 'DELETE' then insert into tenant.journal (action, object, reason, role) select 'delete', id, reason, acting from was_there;
        else
            insert into tenant.journal (action, object, reason, detail, role)
            select line.action, n.id, reason, line.detail, acting
            from now_there n join was_there w using (id)
            cross join lateral (select to_jsonb(w) as was, to_jsonb(n) as is_now) j
            cross join lateral (select array(select e.key from jsonb_each(j.is_now) e
                where e.value is distinct from j.was -> e.key and e.key <> all (silent)) as keys) changed
            cross join lateral (
                select 1, coalesce((select t.made_by from tenant.status_transitions t
                        where (t.from_status, t.to_status) = (w.status, n.status)), 'offboard'),
                    case when n.status = 'offboarding' then jsonb_build_object('purge_after', n.purge_after) end
                    where changed.keys && array['status', 'purge_after']
                union all
                select 2, 'set_limits', (select jsonb_object_agg(e.key, e.value) from jsonb_each(jsonb_strip_nulls(j.is_now)) e
                    where e.key = any (limits)) where changed.keys && limits
                union all
                select 3, 'set_setting', jsonb_build_object('name', s.name)
                        || case when w.settings ? s.name then jsonb_build_object('was', w.settings -> s.name) else '{}' end
                        || case when n.settings ? s.name then jsonb_build_object('value', n.settings -> s.name) else '{}' end
                    from jsonb_object_keys(w.settings || n.settings) s (name)
                    where w.settings -> s.name is distinct from n.settings -> s.name and n.status <> 'purged'
                union all
                select 4, 'change', jsonb_build_object('columns', rest.keys)
                    from (select array(select unnest(changed.keys) except select unnest(told) order by 1) as keys) rest
                    where rest.keys <> '{}') line (nth, action, detail)
            order by n.id, line.nth, line.detail ->> 'name';
    end case;
    return null;
end
$$;
revoke all on function tenant_internal.journal_tenants() from public;

create trigger check_change before insert or update on tenant.tenants
    for each row when (new.name is not null or new.plan is not null) execute function tenant_internal.check_change();
create trigger check_change before insert or update or delete on tenant.shared
    for each row execute function tenant_internal.check_change();
create trigger check_change before insert or update or delete on tenant.lookups
    for each row execute function tenant_internal.check_change();
create trigger check_change before insert or update on tenant.waivers
    for each row execute function tenant_internal.check_change();
create trigger journal_create after insert on tenant.tenants
    for each row execute function tenant_internal.journal_creation();
create trigger journal_update after update on tenant.tenants referencing old table as was_there new table as now_there
    for each statement execute function tenant_internal.journal_tenants();
create trigger journal_delete after delete on tenant.tenants referencing old table as was_there
    for each statement execute function tenant_internal.journal_tenants();
create trigger journal_change after insert or update or delete on tenant.shared
    for each row execute function tenant_internal.journal_change();
create trigger journal_change after insert or update or delete on tenant.lookups
    for each row execute function tenant_internal.journal_change();
create trigger journal_change after insert or update or delete on tenant.waivers
    for each row execute function tenant_internal.journal_change();
