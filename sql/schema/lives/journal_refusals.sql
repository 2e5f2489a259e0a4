-- Refusals by the guards: how many there were, and lines of the journal on them, which survive the transactions that
-- were refused.

create function tenant_internal.refusal_counts() returns text
    language c volatile as 'MODULE_PATHNAME', 'pg_tenant_refusal_counts';
revoke all on function tenant_internal.refusal_counts() from public;
grant execute on function tenant_internal.refusal_counts() to tenant_admin;
create function tenant_internal.take_refusals() returns text
    language c volatile as 'MODULE_PATHNAME', 'pg_tenant_take_refusals';
revoke all on function tenant_internal.take_refusals() from public;

create view tenant.refusals as
    select r.sqlstate, r.condition, r.refused
    from jsonb_to_recordset(tenant_internal.refusal_counts()::jsonb) r (sqlstate text, condition text, refused bigint);
comment on view tenant.refusals is 'How often the library has refused since the server was started, in all its databases, by SQLSTATE.';
grant select on tenant.refusals to tenant_admin;

create function tenant.journal_refusals() returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if current_setting('transaction_read_only') = 'on' then
        return 0;
    end if;
    insert into tenant.journal (action, object, detail, tenant_id, role, session_role)
    select 'refused', r.sqlstate, jsonb_build_object('condition', r.condition, 'refused', r.refused,
        'since', to_timestamp(r.since), 'until', to_timestamp(r.until)), r.tenant_id, coalesce(who.rolname, r.role::text), coalesce(who.rolname, r.role::text)
    from jsonb_to_recordset(tenant_internal.take_refusals()::jsonb) r
        (sqlstate text, condition text, role oid, tenant_id text, refused bigint, since bigint, until bigint)
    left join pg_roles who on who.oid = r.role;
    get diagnostics written = row_count;
    return written;
end
$$;
comment on function tenant.journal_refusals is 'Writes into the journal what the library has refused since, of each SQLSTATE, login and tenant at most a line a minute, with the number. tenant.seal_journal() and tenant.maintain_journal() do it too.';
revoke all on function tenant.journal_refusals() from public;
grant execute on function tenant.journal_refusals() to tenant_admin;
