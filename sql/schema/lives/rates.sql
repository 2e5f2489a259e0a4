-- Limits that all sessions of a tenant share: how many transactions at once, how many a second, what they may take.

-- pg_tenant/core/src/gates/given.rs has the same names.
create view tenant_internal.limit_names (name, unit) as values ('concurrent_transactions', 'transactions'),
    ('transactions_per_second', 'transactions'), ('statements_per_second', 'statements'), ('rows_written_per_second', 'rows'),
    ('advisory_locks', 'locks'), ('temporary_bytes', 'bytes'), ('weight', 'shares');
grant select on tenant_internal.limit_names to tenant_admin, tenant_system, tenant_reader;

create function tenant_internal.limit_of(name text, hard bigint, soft bigint, burst bigint) returns jsonb
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    has_rate constant boolean := name like '%_per_second';
    most constant bigint := case name when 'temporary_bytes' then 2199023255552 when 'weight' then 10000 else 1000000000 end;
    why text;
begin
    if not exists (select from tenant_internal.limit_names n where n.name = limit_of.name) then
        why := format('There is no limit "%s".', name);
    elsif hard is null or hard < 1 then
        why := 'It is at least 1.';
    elsif hard > most then
        why := format('It is at most %s.', most);
    elsif burst is not null and (not has_rate or burst < 1 or burst > 1000000000) then
        why := 'A burst belongs to what is counted by the second, and is at least 1.';
    elsif soft is not null and (soft < 1 or soft >= hard or not (has_rate or name = 'concurrent_transactions')) then
        why := 'A soft limit belongs to transactions, statements and rows, and lies below the hard one.';
    end if;
    if why is not null then
        raise exception using
            errcode = 'TN051',
            message = format('invalid limit "%s"', name),
            detail = why,
            hint = 'There are concurrent_transactions, transactions_per_second, statements_per_second, rows_written_per_second, '
                'advisory_locks, temporary_bytes and weight.';
    end if;
    return jsonb_strip_nulls(jsonb_build_object('hard', hard, 'soft', soft, 'burst', burst));
end
$$;
revoke all on function tenant_internal.limit_of(text, bigint, bigint, bigint) from public;
grant execute on function tenant_internal.limit_of(text, bigint, bigint, bigint) to tenant_admin;

create function tenant.set_limit(id text, name text, hard bigint, soft bigint default null, burst bigint default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    given constant jsonb := tenant_internal.limit_of(name, hard, soft, burst);
begin
    perform tenant_internal.require_known(canonical);
    update tenant.tenants t set rates = coalesce(t.rates, '{}') || jsonb_build_object(set_limit.name, given) where t.id = canonical;
end
$$;
comment on function tenant.set_limit(text, text, bigint, bigint, bigint) is 'Gives the tenant this limit for all its sessions together, instead of its plan''s: in force for transactions that begin from then on. Beyond hard it is refused (TN180, TN181), beyond soft it is noted; burst is how many may come at once. TN002 unknown, TN051 malformed.';
revoke all on function tenant.set_limit(text, text, bigint, bigint, bigint) from public;
grant execute on function tenant.set_limit(text, text, bigint, bigint, bigint) to tenant_admin;

create function tenant.set_limit(id uuid, name text, hard bigint, soft bigint default null, burst bigint default null) returns void language sql
    begin atomic select tenant.set_limit(id::text, name, hard, soft, burst); end;
revoke all on function tenant.set_limit(uuid, text, bigint, bigint, bigint) from public;
grant execute on function tenant.set_limit(uuid, text, bigint, bigint, bigint) to tenant_admin;

create function tenant.set_limit(id bigint, name text, hard bigint, soft bigint default null, burst bigint default null) returns void language sql
    begin atomic select tenant.set_limit(id::text, name, hard, soft, burst); end;
revoke all on function tenant.set_limit(bigint, text, bigint, bigint, bigint) from public;
grant execute on function tenant.set_limit(bigint, text, bigint, bigint, bigint) to tenant_admin;

create function tenant.drop_limit(id text, name text) returns boolean
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
begin
    perform tenant_internal.require_known(canonical);
    update tenant.tenants t set rates = nullif(t.rates - drop_limit.name, '{}') where t.id = canonical and t.rates ? drop_limit.name;
    return found;
end
$$;
comment on function tenant.drop_limit(text, text) is 'Takes the tenant''s own limit away: its plan''s holds, or none. Whether there was one. TN002 unknown.';
revoke all on function tenant.drop_limit(text, text) from public;
grant execute on function tenant.drop_limit(text, text) to tenant_admin;

create function tenant.drop_limit(id uuid, name text) returns boolean language sql begin atomic select tenant.drop_limit(id::text, name); end;
revoke all on function tenant.drop_limit(uuid, text) from public;
grant execute on function tenant.drop_limit(uuid, text) to tenant_admin;

create function tenant.drop_limit(id bigint, name text) returns boolean language sql begin atomic select tenant.drop_limit(id::text, name); end;
revoke all on function tenant.drop_limit(bigint, text) from public;
grant execute on function tenant.drop_limit(bigint, text) to tenant_admin;

create function tenant.set_plan_limit(plan text, name text, hard bigint, soft bigint default null, burst bigint default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    given constant jsonb := tenant_internal.limit_of(name, hard, soft, burst);
begin
    update tenant.plans p set rates = coalesce(p.rates, '{}') || jsonb_build_object(name, given) where p.plan = set_plan_limit.plan;
    if not found then
        perform tenant_internal.refuse_plan(set_plan_limit.plan);
    end if;
    perform tenant_internal.write_journal('set_plan_limit', set_plan_limit.plan, null, jsonb_build_object(name, given));
end
$$;
comment on function tenant.set_plan_limit is 'Gives the plan''s tenants this limit, unless a tenant has its own. TN136 no such plan, TN051 malformed.';
revoke all on function tenant.set_plan_limit(text, text, bigint, bigint, bigint) from public;
grant execute on function tenant.set_plan_limit(text, text, bigint, bigint, bigint) to tenant_admin;

create function tenant.drop_plan_limit(plan text, name text) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update tenant.plans p set rates = nullif(p.rates - name, '{}') where p.plan = drop_plan_limit.plan and p.rates ? name;
    if not found then
        return false;
    end if;
    perform tenant_internal.write_journal('drop_plan_limit', drop_plan_limit.plan, null, jsonb_build_object('name', name));
    return true;
end
$$;
comment on function tenant.drop_plan_limit is 'Takes the limit away from the plan. Whether there was one.';
revoke all on function tenant.drop_plan_limit(text, text) from public;
grant execute on function tenant.drop_plan_limit(text, text) to tenant_admin;

create function tenant_internal.gate_line(id text) returns text
    language c volatile parallel restricted as 'MODULE_PATHNAME', 'pg_tenant_gate_line';
revoke all on function tenant_internal.gate_line(text) from public;
grant execute on function tenant_internal.gate_line(text) to tenant_admin, tenant_system, tenant_reader;

create view tenant.limit_state with (security_invoker = true) as
    select t.id as tenant_id, n.name, (l.given ->> 'hard')::bigint as hard, (l.given ->> 'soft')::bigint as soft,
        (l.given ->> 'burst')::bigint as burst, case when t.rates ? n.name then 'tenant' else 'plan' end as source,
        case when n.name = 'concurrent_transactions' then coalesce(g.counted[1], 0) end as in_use,
        coalesce(g.counted[2], 0) as refused, coalesce(g.counted[3], 0) as above_soft
    from tenant.tenants t
    left join tenant.plans p using (plan)
    cross join tenant_internal.limit_names n
    cross join lateral (select coalesce(t.rates -> n.name, p.rates -> n.name) as given) l
    left join lateral (select tenant_internal.gate_line(t.id)::bigint[] as counted offset 0) g on true
    where l.given is not null;
comment on view tenant.limit_state is 'The limits that tenants'' sessions share, their own or their plan''s, and what is taken of them. How many transactions were refused, and noted above a soft limit, is counted for all of a tenant''s limits together, while it works.';
grant select on tenant.limit_state to tenant_admin, tenant_system, tenant_reader;
