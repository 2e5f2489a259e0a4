-- Lines of the journal by functions that run as the extension's owner.

create function tenant_internal.write_journal(action text, object text, reason text, detail jsonb default null) returns void
    language sql volatile set search_path = pg_catalog, pg_temp as $$
    insert into tenant.journal (action, object, reason, detail, role, session_role) values (action, object, reason, detail,
        case current_setting('role') when 'none' then session_user else current_setting('role') end, session_user)
$$;
revoke all on function tenant_internal.write_journal(text, text, text, jsonb) from public;
