-- Verifying the journal by its seals, and exporting both.

-- The months that were removed as tenant.retain_journal() has said.
create function tenant_internal.removed_before() returns date
    language sql stable set search_path = pg_catalog, pg_temp as $$ select max(before) from tenant.journal_removals $$;
revoke all on function tenant_internal.removed_before() from public;

-- What is wrong; wanted is null for all tenants and the operators' lines.
create function tenant_internal.journal_faults(wanted text) returns table (tenant_id text, seal bigint, sealing bigint, problem text, detail text)
    language sql stable set search_path = pg_catalog, pg_temp set jit = off as $$
    with run as (
        select s as row, s.number, s.origin, s.upto, s.upto_id, s.digest, s.previous, s.seals,
            coalesce(lag(s.upto) over by_origin, '0') as after, coalesce(lag(s.upto_id) over by_origin, 0) as after_id,
            coalesce(lag(s.number) over by_number, 0) as number_before,
            coalesce(lag(s.digest) over by_number, decode(repeat('00', 32), 'hex')) as digest_before
        from tenant.journal_sealings s
        window by_origin as (partition by s.origin order by s.number), by_number as (order by s.number)
    ),
    chain as (
        select s as row, s.tenant_id, s.number, s.sealing, s.month, s.lines, s.digest, s.previous,
            coalesce(lag(s.number) over by_tenant, 0) as number_before,
            coalesce(lag(s.digest) over by_tenant, decode(repeat('00', 32), 'hex')) as digest_before
        from tenant.journal_seals s where wanted is null or s.tenant_id = wanted
        window by_tenant as (partition by s.tenant_id order by s.number)
    ),
    found as (
        select r.number as sealing, d.tenant_id, d.month, count(*) as lines, string_agg(d.digest, '' order by d.xid8, d.id) as digests
        from run r cross join lateral tenant_internal.journal_digests(r.origin, r.after, r.after_id, r.upto, r.upto_id) d
        where wanted is null or d.tenant_id = wanted
        group by r.number, d.tenant_id, d.month
    ),
    compared as (
        select coalesce(c.tenant_id, f.tenant_id) as tenant_id, c.number, coalesce(c.sealing, f.sealing) as sealing, c.row, c.lines,
            c.digest, f.lines as there, f.digests, coalesce(c.month < tenant_internal.removed_before(), false) as removed
        from (select * from chain where sealing in (select number from run)) c full join found f on f.sealing = c.sealing
            and coalesce(f.tenant_id, '') = coalesce(c.tenant_id, '') and coalesce(f.month, '-infinity') = coalesce(c.month, '-infinity')
    )
    select c.tenant_id, c.number, c.sealing, p.problem, p.detail
    from compared c cross join lateral (
        select case
                when c.number is null then 'inserted'
                when c.removed then case when c.there is not null then 'inserted' end
                when coalesce(c.there, 0) < c.lines then 'removed'
                when c.there > c.lines then 'inserted'
                when tenant_internal.seal_digest(c.row, c.digests) <> c.digest then 'changed' end,
            case when c.number is null then format('%s lines stand where a sealing has been, and no seal covers them.', c.there)
                when c.removed then format('%s lines stand in a month that was removed.', c.there)
                else format('%s lines were sealed, %s are there.', c.lines, coalesce(c.there, 0)) end
    ) p (problem, detail)
    where p.problem is not null
    union all
    select c.tenant_id, c.number, c.sealing, 'seal missing',
        case when c.number > c.number_before + 1 then format('Before it stands seal %s.', c.number_before)
            else 'The seal before it is another than the one it was chained to.' end
    from chain c where c.number <> c.number_before + 1 or c.previous <> c.digest_before
    union all
    select null, null, r.number, 'sealing missing',
        case when r.number > r.number_before + 1 then format('Before it stands sealing %s.', r.number_before)
            else 'The sealing before it is another than the one it was chained to.' end
    from run r where r.number <> r.number_before + 1 or r.previous <> r.digest_before
    union all
    select null, null, r.number, case when s.seals < r.seals then 'seal missing' else 'seal changed' end,
        format('%s seals were made, %s are there.', r.seals, s.seals)
    from run r cross join lateral (
        select count(*) as seals, coalesce(string_agg(s.digest, '' order by s.tenant_id collate "C" nulls first, s.number), '') as digests
        from tenant.journal_seals s where s.sealing = r.number) s
    where wanted is null and tenant_internal.sealing_digest(r.row, s.digests) <> r.digest
    union all
    select s.tenant_id, s.number, s.sealing, 'sealing missing', 'No sealing has this number.'
    from tenant.journal_seals s
    where (wanted is null or s.tenant_id = wanted) and not exists (select from tenant.journal_sealings r where r.number = s.sealing)
    order by 3, 1 nulls first, 2
$$;
revoke all on function tenant_internal.journal_faults(text) from public;

create function tenant.verify_journal() returns table (tenant_id text, seal bigint, sealing bigint, problem text, detail text)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$ select * from tenant_internal.journal_faults(null) $$;
comment on function tenant.verify_journal() is 'What in the journal is not as it was sealed: lines that were changed, removed or inserted, seals that are missing. No line: all is as it was sealed.';
revoke all on function tenant.verify_journal() from public;
grant execute on function tenant.verify_journal() to tenant_admin;

create function tenant.verify_journal(tenant text) returns table (tenant_id text, seal bigint, sealing bigint, problem text, detail text)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$ select * from tenant_internal.journal_faults(tenant.canonical_id(tenant)) $$;
comment on function tenant.verify_journal(text) is 'The same of one tenant''s lines and seals.';
revoke all on function tenant.verify_journal(text) from public;
grant execute on function tenant.verify_journal(text) to tenant_admin;
create function tenant.verify_journal(tenant uuid) returns table (tenant_id text, seal bigint, sealing bigint, problem text, detail text)
    language sql stable begin atomic select * from tenant.verify_journal(tenant::text); end;
revoke all on function tenant.verify_journal(uuid) from public;
grant execute on function tenant.verify_journal(uuid) to tenant_admin;
create function tenant.verify_journal(tenant bigint) returns table (tenant_id text, seal bigint, sealing bigint, problem text, detail text)
    language sql stable begin atomic select * from tenant.verify_journal(tenant::text); end;
revoke all on function tenant.verify_journal(bigint) from public;
grant execute on function tenant.verify_journal(bigint) to tenant_admin;

-- Numbers of 64 bits are texts, since readers of JSON round them; times are microseconds since 2000-01-01 00:00 UTC, as
-- they are hashed; detail is the text that is hashed.
create function tenant_internal.microseconds(at timestamptz) returns text
    language sql immutable strict set search_path = pg_catalog, pg_temp as $$
    select ((extract(epoch from at) * 1000000)::bigint - 946684800000000)::text
$$;
revoke all on function tenant_internal.microseconds(timestamptz) from public;

create function tenant.export_seals(tenant text default null) returns setof jsonb
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select jsonb_build_object('seal', s.number::text, 'tenant_id', s.tenant_id, 'sealing', s.sealing::text, 'month', to_char(s.month, 'YYYY-MM'),
        'upto', s.upto::text, 'upto_id', s.upto_id::text, 'lines', s.lines::text, 'sealed_at', tenant_internal.microseconds(s.sealed_at),
        'previous', encode(s.previous, 'hex'), 'digest', encode(s.digest, 'hex'),
        'removed', coalesce(s.month < tenant_internal.removed_before(), false))
    from tenant.journal_seals s where tenant is null or s.tenant_id = tenant.canonical_id(tenant)
    union all
    select jsonb_build_object('sealing', r.number::text, 'origin', r.origin::text, 'upto', r.upto::text, 'upto_id', r.upto_id::text,
        'lines', r.lines::text, 'seals', r.seals::text, 'sealed_at', tenant_internal.microseconds(r.sealed_at), 'sealed_by', r.sealed_by,
        'previous', encode(r.previous, 'hex'), 'digest', encode(r.digest, 'hex'))
    from tenant.journal_sealings r
$$;
comment on function tenant.export_seals is 'The seals and the sealings, each as JSON, to be kept elsewhere. Of one tenant: its seals, and all sealings.';
revoke all on function tenant.export_seals(text) from public;
grant execute on function tenant.export_seals(text) to tenant_admin;

create function tenant.export_journal(tenant text default null) returns setof jsonb
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select jsonb_build_object('id', j.id::text, 'at', tenant_internal.microseconds(j.at), 'action', j.action, 'object', j.object,
        'reason', j.reason, 'detail', j.detail::text, 'role', j.role, 'session_role', j.session_role, 'tenant_id', j.tenant_id,
        'actor', j.actor, 'impersonator', j.impersonator, 'request_id', j.request_id, 'xid8', j.xid8::text, 'origin', j.origin::text)
    from tenant.journal j where tenant is null or j.tenant_id = tenant.canonical_id(tenant)
    order by j.origin, j.xid8, j.id
$$;
comment on function tenant.export_journal is 'The journal''s lines, of one tenant or all, each as JSON with what seals are made of.';
revoke all on function tenant.export_journal(text) from public;
grant execute on function tenant.export_journal(text) to tenant_admin;
