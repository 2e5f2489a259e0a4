-- What each tenant costs, as the server has counted it in shared memory.

create type tenant_internal.stat_counters as (
    commits bigint, selects bigint, inserts bigint, updates bigint, deletes bigint, other_statements bigint,
    rows_read bigint, rows_written bigint, shared_blocks_hit bigint, shared_blocks_read bigint, wal_bytes bigint,
    execution_us bigint, processor_us bigint, rollbacks bigint, local_blocks bigint, temp_blocks bigint, planning_ms bigint,
    lock_waits bigint, lock_wait_ms bigint, admission_waits bigint, admission_wait_ms bigint, refusals bigint, jobs bigint,
    last_seen bigint, since bigint
);

create function tenant_internal.stat_line(context text, id text) returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_line';
create function tenant_internal.stat_key(context text, id text) returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_key';
create function tenant_internal.stat_steps(minutes boolean) returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_steps';
create function tenant_internal.stat_samples() returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_samples';
create function tenant_internal.stat_codes(context text, id text) returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_codes';
create function tenant_internal.stat_reset(context text, id text) returns void
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_reset';
create function tenant_internal.stat_since() returns bigint
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_stat_since';
revoke all on function tenant_internal.stat_line(text, text), tenant_internal.stat_key(text, text), tenant_internal.stat_steps(boolean), tenant_internal.stat_samples(),
    tenant_internal.stat_codes(text, text), tenant_internal.stat_reset(text, text), tenant_internal.stat_since() from public;
grant execute on function tenant_internal.stat_line(text, text), tenant_internal.stat_key(text, text), tenant_internal.stat_steps(boolean), tenant_internal.stat_samples(),
    tenant_internal.stat_codes(text, text), tenant_internal.stat_since()
    to tenant_admin, tenant_system, tenant_reader;

-- Who there is to count.
create view tenant_internal.stat_contexts with (security_invoker = true) as
    select t.id as tenant_id, 'tenant'::text as context from tenant.tenants t
    union all select null, c.context from (values ('system'), ('none'), ('others')) c (context);
grant select on tenant_internal.stat_contexts to tenant_admin, tenant_system, tenant_reader;

create view tenant.stat_tenants with (security_invoker = true) as
    select c.tenant_id, c.context, to_timestamp(coalesce(nullif((s.c).since, 0), tenant_internal.stat_since())) as since,
        (s.c).commits + (s.c).rollbacks as transactions, (s.c).commits, (s.c).rollbacks,
        (s.c).selects, (s.c).inserts, (s.c).updates, (s.c).deletes, (s.c).other_statements, (s.c).rows_read, (s.c).rows_written,
        (s.c).shared_blocks_hit, (s.c).shared_blocks_read, (s.c).local_blocks, (s.c).temp_blocks, (s.c).wal_bytes,
        (s.c).planning_ms::double precision as planning_ms, (s.c).execution_us / 1000.0::double precision as execution_ms,
        (s.c).processor_us / 1000.0::double precision as processor_ms, (s.c).lock_waits, (s.c).lock_wait_ms::double precision as lock_wait_ms,
        (s.c).admission_waits, (s.c).admission_wait_ms::double precision as admission_wait_ms, (s.c).refusals, (s.c).jobs,
        to_timestamp(nullif((s.c).last_seen, 0)) as last_seen
    from tenant_internal.stat_contexts c
    cross join lateral (select tenant_internal.stat_line(c.context, c.tenant_id)::tenant_internal.stat_counters as c offset 0) s
    where s.c is not null;
comment on view tenant.stat_tenants is 'What each tenant has cost since when it was counted: transactions, statements by kind, rows, blocks, WAL, times in milliseconds, waits, refusals. The system context (''system''), transactions without a tenant (''none'') and tenants that have no place of their own (''others'', of all databases) have lines of their own.';
grant select on tenant.stat_tenants to tenant_admin, tenant_system, tenant_reader;

create view tenant.stat_refusals with (security_invoker = true) as
    select c.tenant_id, c.context, r.key as sqlstate, r.value::bigint as count
    from tenant_internal.stat_contexts c
    cross join lateral jsonb_each_text(tenant_internal.stat_codes(c.context, c.tenant_id)::jsonb) r;
comment on view tenant.stat_refusals is 'How often each tenant''s statements were refused, by SQLSTATE, since the server started.';
grant select on tenant.stat_refusals to tenant_admin, tenant_system, tenant_reader;

-- By what stat_steps() calls each.
create view tenant_internal.stat_keys with (security_invoker = true) as
    select c.tenant_id, c.context, tenant_internal.stat_key(c.context, c.tenant_id) as key from tenant_internal.stat_contexts c
        where c.context <> 'others'
    union all select null, 'others', '0000000000000000';
grant select on tenant_internal.stat_keys to tenant_admin, tenant_system, tenant_reader;

create view tenant.stat_tenants_recent with (security_invoker = true) as
    select w.tenant_id, coalesce(w.context, 'others') as context, to_timestamp(s.s) as step,
        s.t as transactions, s.n as statements, s.r as rows_read, s.w as rows_written,
        s.e / 1000.0::double precision as execution_ms, s.p / 1000.0::double precision as processor_ms
    from jsonb_to_recordset(tenant_internal.stat_steps(minutes => false)::jsonb) s (k text, s bigint, t bigint, n bigint, r bigint, w bigint, e bigint, p bigint)
    join tenant_internal.stat_keys w on w.key = s.k;
comment on view tenant.stat_tenants_recent is 'What each tenant has done in each ten seconds of the last ten minutes, where it has done anything; step is when they began. Of a step at most 512 tenants are told apart, the rest is ''others'', of all databases.';
grant select on tenant.stat_tenants_recent to tenant_admin, tenant_system, tenant_reader;

create view tenant.stat_tenants_hour with (security_invoker = true) as
    select w.tenant_id, coalesce(w.context, 'others') as context, to_timestamp(s.s) as step,
        s.t as transactions, s.n as statements, s.r as rows_read, s.w as rows_written,
        s.e / 1000.0::double precision as execution_ms, s.p / 1000.0::double precision as processor_ms
    from jsonb_to_recordset(tenant_internal.stat_steps(minutes => true)::jsonb) s (k text, s bigint, t bigint, n bigint, r bigint, w bigint, e bigint, p bigint)
    join tenant_internal.stat_keys w on w.key = s.k;
comment on view tenant.stat_tenants_hour is 'As tenant.stat_tenants_recent, for each minute of the last hour.';
grant select on tenant.stat_tenants_hour to tenant_admin, tenant_system, tenant_reader;

create view tenant.stat_statements with (security_invoker = true) as
    select w.tenant_id, w.context, s.q as query_id, s.c as calls, s.e / 1000.0::double precision as execution_ms
    from jsonb_to_recordset(tenant_internal.stat_samples()::jsonb) s (k text, q bigint, c bigint, e bigint)
    join tenant_internal.stat_keys w on w.key = s.k;
comment on view tenant.stat_statements is 'Which statements each tenant''s time goes into: of those that clients send, one in eight is taken and counts for eight. query_id is PostgreSQL''s (compute_query_id): pg_stat_statements and the server''s log have the text, which is not kept here.';
grant select on tenant.stat_statements to tenant_admin, tenant_system, tenant_reader;

create function tenant_internal.session_contexts() returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_session_contexts';
revoke all on function tenant_internal.session_contexts() from public;

-- pg_stat_activity shows what others do to members of pg_read_all_stats alone: this shows nothing of their statements.
create function tenant_internal.sessions() returns table (pid integer, tenant_id text, context text, actor text, role_name name,
    application_name text, state text, transaction_start timestamptz, query_start timestamptz, wait_event_type text, wait_event text)
    language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select a.pid, c.tenant_id, coalesce(c.context, 'none'), c.actor, a.usename, a.application_name, a.state, a.xact_start, a.query_start,
        a.wait_event_type, a.wait_event
    from pg_stat_activity a
    left join jsonb_to_recordset(tenant_internal.session_contexts()::jsonb) c (pid integer, context text, tenant_id text, actor text) on c.pid = a.pid
    where a.datname = current_database() and a.backend_type = 'client backend'
        and (tenant.current_id() is null or c.tenant_id = tenant.current_id())
$$;
revoke all on function tenant_internal.sessions() from public;
grant execute on function tenant_internal.sessions() to tenant_admin, tenant_system, tenant_reader;

create view tenant.activity with (security_invoker = true) as select * from tenant_internal.sessions();
comment on view tenant.activity is 'The sessions of this database: what each has entered, who acts in it, since when its transaction lasts, and what it waits for; nothing of its statements. Of a tenant id and an actor the first 64 bytes.';
grant select on tenant.activity to tenant_admin, tenant_system, tenant_reader;

-- The tenant is that of the transaction, never a parameter.
create function tenant.own_statistics() returns table (since timestamptz, transactions bigint, commits bigint, rollbacks bigint,
    selects bigint, inserts bigint, updates bigint, deletes bigint, other_statements bigint, rows_read bigint, rows_written bigint,
    refusals bigint, execution_ms double precision, last_seen timestamptz)
    language sql volatile rows 1 security definer set search_path = pg_catalog, pg_temp as $$
    select to_timestamp((s.c).since), (s.c).commits + (s.c).rollbacks, (s.c).commits, (s.c).rollbacks, (s.c).selects, (s.c).inserts,
        (s.c).updates, (s.c).deletes, (s.c).other_statements, (s.c).rows_read, (s.c).rows_written, (s.c).refusals,
        (s.c).execution_us / 1000.0::double precision, to_timestamp(nullif((s.c).last_seen, 0))
    from (select tenant_internal.stat_line('tenant', tenant.current_id())::tenant_internal.stat_counters as c offset 0) s where s.c is not null
$$;
comment on function tenant.own_statistics is 'What the transaction''s tenant has done since when it was counted, without what tells of the server; no row with no tenant.';
revoke all on function tenant.own_statistics() from public;
grant execute on function tenant.own_statistics() to tenant_user;

create function tenant.reset_statistics() returns void
    language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select tenant_internal.stat_reset(c.context, c.tenant_id) from tenant_internal.stat_contexts c where c.context <> 'others'
$$;
comment on function tenant.reset_statistics is 'Begins the statistics of this database''s tenants, of its system context and of transactions without a tenant anew. The last minutes stay, and so do the others, which are of all databases.';
revoke all on function tenant.reset_statistics() from public;
grant execute on function tenant.reset_statistics() to tenant_admin;
