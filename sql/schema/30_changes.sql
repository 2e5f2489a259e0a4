-- The registry, the shared tables and the waivers are tables that tenant_admin writes. Whichever statement does it keeps to
-- the rules of the functions, and leaves a line in the journal. Not pg_restore: it brings the journal along.

create function tenant.check_change() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return coalesce(new, old);
    end if;
    case tg_table_name
        when 'tenants' then
            perform tenant.require_plain('the tenant''s name', new.name), tenant.require_plain('the tenant''s plan', new.plan);
        when 'shared' then
            perform tenant.require_owner(coalesce(new.relation, old.relation));
            if tg_op <> 'DELETE' then
                perform tenant.require_reason(new.reason);
            end if;
        when 'waivers' then
            perform tenant.require_reason(new.reason), tenant.require_plain('the object', new.object);
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
revoke all on function tenant.check_change() from public;

create function tenant.journal_change() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reason constant text := nullif(current_setting('tenant.reason', true), '');
    was constant jsonb := case when tg_op = 'INSERT' then '{}' else to_jsonb(old) end;
    is_now constant jsonb := case when tg_op = 'DELETE' then '{}' else to_jsonb(new) end;
    subject text;
    changed text[];
    limits constant text[] := array['statement_timeout_ms', 'lock_timeout_ms', 'idle_in_transaction_session_timeout_ms', 'work_mem_kb', 'read_only'];
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return null;
    end if;
    if tg_table_name = 'shared' then
        subject := coalesce(new.relation, old.relation)::text;
        -- A line of a table that is gone says nothing.
        if exists (select from pg_class where oid = coalesce(new.relation, old.relation)) then
            insert into tenant.journal (action, object, reason) values (
                case tg_op when 'DELETE' then 'unshare' else 'share' end, subject, coalesce(reason, new.reason));
        end if;
    elsif tg_table_name = 'waivers' then
        subject := coalesce(new.code, old.code) || ' ' || coalesce(new.object, old.object);
        insert into tenant.journal (action, object, reason, detail) values (
            case tg_op when 'DELETE' then 'unwaive' else 'waive' end, subject, coalesce(reason, new.reason),
            case when tg_op <> 'DELETE' then jsonb_build_object('until', new.until) end);
    elsif tg_op <> 'UPDATE' then
        insert into tenant.journal (action, object, reason)
            values (case tg_op when 'INSERT' then 'create' else 'delete' end, coalesce(new.id, old.id), reason);
    else
        changed := array(select n.key from jsonb_each(is_now) n where n.value is distinct from was -> n.key and n.key <> 'changed_at');
        if 'status' = any (changed) then
            insert into tenant.journal (action, object, reason)
                values (case new.status when 'suspended' then 'suspend' else 'resume' end, new.id, reason);
        end if;
        if changed && limits then
            insert into tenant.journal (action, object, reason, detail) values ('set_limits', new.id, reason,
                (select jsonb_object_agg(n.key, n.value) from jsonb_each(jsonb_strip_nulls(is_now)) n where n.key = any (limits)));
        end if;
        changed := array(select unnest(changed) except select unnest(limits || 'status'::text) order by 1);
        if changed <> '{}' then
            insert into tenant.journal (action, object, reason, detail)
                values ('change', new.id, reason, jsonb_build_object('columns', changed));
        end if;
    end if;
    return null;
end
$$;
revoke all on function tenant.journal_change() from public;

create trigger check_change before insert or update on tenant.tenants
    for each row execute function tenant.check_change();
create trigger check_change before insert or update or delete on tenant.shared
    for each row execute function tenant.check_change();
create trigger check_change before insert or update on tenant.waivers
    for each row execute function tenant.check_change();
create trigger journal_change after insert or update or delete on tenant.tenants
    for each row execute function tenant.journal_change();
create trigger journal_change after insert or update or delete on tenant.shared
    for each row execute function tenant.journal_change();
create trigger journal_change after insert or update or delete on tenant.waivers
    for each row execute function tenant.journal_change();
