-- The system context: across tenants, read-only unless asked otherwise, and never without a reason.
--
-- enter_system runs with the caller's rights: it is a SET LOCAL ROLE to tenant_system, which PostgreSQL allows to
-- members of that role. A SECURITY DEFINER function could not be one.

-- Entering a tenant from here is refused (TN014) by the function itself, which says why.
grant execute on function tenant.enter(text), tenant.enter(uuid), tenant.enter(bigint), tenant.enter_pristine(text)
    to tenant_system;

-- Called by the entries above and by nobody else. SECURITY DEFINER, so that no line can be written but by entering.
create function tenant_internal.journal_system(reason text, write boolean) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into tenant.journal (action, object, reason, detail, role, session_role)
        values ('enter_system', 'tenant_system', btrim(reason), jsonb_build_object('write', coalesce(write, false)),
            case when (select pg_has_role(session_user, r.oid, 'member') from pg_roles r where r.rolname = 'tenant_system')
                then 'tenant_system' else 'tenant_reader' end, session_user);
end
$$;
revoke all on function tenant_internal.journal_system(text, boolean) from public;

-- The system context can list the tenants that it works on.
grant select on tenant.tenants to tenant_system, tenant_reader;

-- As journal_system.
create function tenant_internal.journal_system_as_owner(reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into tenant.journal (action, object, reason, detail, role, session_role)
        values ('enter_system', 'tenant_system', btrim(reason), '{"write": true, "as_owner": true}',
            case current_setting('role') when 'none' then session_user else current_setting('role') end, session_user);
end
$$;
revoke all on function tenant_internal.journal_system_as_owner(text) from public;

-- Uses of the system context that no journal could keep: of a standby, or in a transaction that was begun read-only.
-- The server's log has a line of each (pg_tenant/src/entry/unjournalled.rs), in stderr's form, csvlog's or jsonlog's.
create function tenant.import_readings(lines text[]) returns table (taken bigint, known bigint, elsewhere bigint, refused bigint)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    mark constant text := 'pg_tenant use {';
    line text;
    told text;
    who text;
    use jsonb;
begin
    perform pg_advisory_xact_lock(hashtext('tenant.import_readings'));
    taken := 0; known := 0; elsewhere := 0; refused := 0;
    foreach line in array coalesce(lines, '{}') loop
        continue when line is null or strpos(line, mark) = 0;
        begin
            who := null;
            told := line;
            if left(line, 1) = '{' then
                told := line::jsonb ->> 'message';
                who := line::jsonb ->> 'user';
            elsif strpos(line, mark || '""') > 0 then
                told := replace(line, '""', '"');
            end if;
            use := null;
            -- Once: a name in the line's prefix may have been chosen so as to look like it.
            told := substr(told, strpos(told, mark) + length(mark) - 1);
            if strpos(told, mark) = 0 then
                use := substr(told, 1, strpos(told, '}'))::jsonb;
            end if;
            if use is null or (use ->> 'id')::uuid is null or (use ->> 'at')::bigint is null or use ->> 'login' is null
                    or who <> use ->> 'login' then
                refused := refused + 1;
            elsif use ->> 'database' is distinct from current_database() then
                elsewhere := elsewhere + 1;
            elsif exists (select from tenant.journal j where j.object = use ->> 'id' and j.action = 'enter_system_unjournalled') then
                known := known + 1;
            else
                perform tenant_internal.require_plain('a reason', use ->> 'reason'), tenant_internal.require_plain('a login', use ->> 'login');
                perform tenant_internal.write_journal('enter_system_unjournalled', use ->> 'id', use ->> 'reason',
                    jsonb_build_object('login', use ->> 'login', 'at', to_timestamp((use ->> 'at')::bigint / 1000000.0)));
                taken := taken + 1;
            end if;
        exception when data_exception or sqlstate 'TN100' then
            refused := refused + 1;
        end;
    end loop;
    return next;
end
$$;
comment on function tenant.import_readings is 'Brings uses of the system context that stand in a server''s log alone into the journal, each once: of lines of the log, others are passed over. Says how many were taken, known already, of other databases, and refused as not to be read.';
revoke all on function tenant.import_readings(text[]) from public;
grant execute on function tenant.import_readings(text[]) to tenant_admin;
