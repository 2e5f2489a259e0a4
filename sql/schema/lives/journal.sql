-- Lines of the journal by functions that run as the extension's owner, and the months it is kept in.

-- tenant_id: whose line it is; where it is null, the current tenant's.
create function tenant_internal.write_journal(action text, object text, reason text, detail jsonb default null,
    tenant_id text default null) returns void
    language sql volatile set search_path = pg_catalog, pg_temp as $$
    insert into tenant.journal (action, object, reason, detail, tenant_id, role, session_role)
        values (action, object, reason, detail, coalesce(tenant_id, tenant.current_id()),
        case current_setting('role') when 'none' then session_user else current_setting('role') end, session_user)
$$;
revoke all on function tenant_internal.write_journal(text, text, text, jsonb, text) from public;

create function tenant_internal.month_of(at timestamptz) returns date
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select date_trunc('month', at at time zone 'UTC')::date
$$;
revoke all on function tenant_internal.month_of(timestamptz) from public;

create function tenant_internal.journal_part(month date) returns regclass
    language sql stable strict set search_path = pg_catalog, pg_temp as $$
    select to_regclass(format('tenant_internal.%I', to_char(month, '"journal_"YYYY_MM')))
$$;
revoke all on function tenant_internal.journal_part(date) from public;

-- Makes the part of a month that has none, if it can do so without anybody waiting: attaching it locks journal_rest,
-- which nobody writes to once there are parts ahead. False where that is locked, or has lines of the month already.
create function tenant_internal.make_journal_part(month date) returns boolean
    language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
    part constant name := to_char(month, '"journal_"YYYY_MM');
    begins constant timestamptz := month::timestamp at time zone 'UTC';
    ends constant timestamptz := (month + interval '1 month') at time zone 'UTC';
    grantee name;
begin
    begin
        lock table only tenant_internal.journal_lines in share update exclusive mode nowait;
        lock table tenant_internal.journal_rest in access exclusive mode nowait;
    exception when lock_not_available then
        return false;
    end;
    if exists (select from tenant_internal.journal_rest where at >= begins and at < ends) then
        return false;
    end if;
    execute format('create table tenant_internal.%I (like tenant_internal.journal_rest including defaults including constraints
        including indexes including storage including compression)', part);
    -- What ALTER DEFAULT PRIVILEGES gives on new tables.
    for grantee in select coalesce(r.rolname, 'public') from pg_class c cross join aclexplode(c.relacl) a
            left join pg_roles r on r.oid = a.grantee
            where c.oid = tenant_internal.journal_part(month) and a.grantee <> c.relowner loop
        execute format('revoke all on tenant_internal.%I from %s', part, case grantee when 'public' then 'public' else quote_ident(grantee) end);
    end loop;
    execute format('create trigger keep_lines before truncate on tenant_internal.%I
        for each statement execute function tenant_internal.keep_line()', part);
    execute format('alter table tenant_internal.journal_lines attach partition tenant_internal.%I for values from (%L) to (%L)',
        part, begins, ends);
    return true;
end
$$;
revoke all on function tenant_internal.make_journal_part(date) from public;

-- This month and the two after it. Not under pg_restore, whose dump brings the months that there were.
do $$
declare
    month date;
begin
    if current_setting('row_security') = 'off' then
        return;
    end if;
    for ahead in 0..2 loop
        month := (tenant_internal.month_of(now()) + make_interval(months => ahead))::date;
        perform tenant_internal.make_journal_part(month);
        execute format('alter extension pg_tenant drop table %s', tenant_internal.journal_part(month));
    end loop;
end
$$;
