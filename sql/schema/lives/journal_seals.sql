-- Seals of the journal: digests of its lines, chained, by which a change, a removal or an insertion shows. The encoding
-- is told byte by byte in pg_tenant/journal-seals.md, so that exports can be verified without a database.
--
-- A sealing takes all settled lines that no earlier one has taken, in the order of (xid8, id): those of transactions
-- before the oldest one that runs. So no line can come between them any more, and no writer is waited for. Transactions
-- are numbered in the life of a database (origin): lines that a dump has brought from another one are sealed apart.

create table tenant.journal_sealings (
    number bigint primary key,
    origin bigint not null,
    upto xid8 not null,
    upto_id bigint not null,
    lines bigint not null,
    seals bigint not null,
    digest bytea not null,
    previous bytea not null,
    sealed_at timestamptz not null,
    sealed_by name not null default session_user
);
comment on table tenant.journal_sealings is 'Each sealing of the journal: up to which line of which database, and a digest over its seals.';
create index on tenant.journal_sealings (origin, upto, upto_id);
grant select on tenant.journal_sealings to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.journal_sealings', '');

create table tenant.journal_seals (
    -- Null: the operators' lines.
    tenant_id text collate "C",
    number bigint not null,
    sealing bigint not null,
    -- Null: lines on protection, which are kept for good.
    month date,
    upto xid8 not null,
    upto_id bigint not null,
    lines bigint not null,
    digest bytea not null,
    previous bytea not null,
    sealed_at timestamptz not null,
    unique nulls not distinct (tenant_id, number)
);
comment on table tenant.journal_seals is 'The seals of the journal: for each tenant, month and sealing a digest over the lines, chained to the tenant''s seal before.';
create index on tenant.journal_seals (sealing);
grant select on tenant.journal_seals to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.journal_seals', '');

create table tenant.journal_removals (
    before date not null,
    lines bigint not null,
    removed_at timestamptz not null default now(),
    removed_by name not null default session_user
);
comment on table tenant.journal_removals is 'Which months of the journal were removed, as tenant.retain_journal() has said.';
grant select on tenant.journal_removals to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.journal_removals', '');

create trigger keep_line before update or delete on tenant.journal_sealings for each row execute function tenant_internal.keep_line();
create trigger keep_line before update or delete on tenant.journal_seals for each row execute function tenant_internal.keep_line();
create trigger keep_line before update or delete on tenant.journal_removals for each row execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant.journal_sealings for each statement execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant.journal_seals for each statement execute function tenant_internal.keep_line();
create trigger keep_lines before truncate on tenant.journal_removals for each statement execute function tenant_internal.keep_line();

-- Which clusters have written its lines: one probe of the indexes for each.
create function tenant_internal.journal_origins() returns setof bigint
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive c (origin) as (
        select min(j.origin) from tenant.journal j
        union all
        select (select min(j.origin) from tenant.journal j where j.origin > c.origin) from c where c.origin is not null
    )
    select origin from c where origin is not null
$$;
revoke all on function tenant_internal.journal_origins() from public;

create function tenant_internal.text_bytes(value text) returns bytea
    language sql stable parallel safe as $$
    select coalesce('\x01'::bytea || int4send(octet_length(convert_to(value, 'UTF8'))) || convert_to(value, 'UTF8'), '\x00'::bytea)
$$;
revoke all on function tenant_internal.text_bytes(text) from public;

-- The lines of one origin between two others, the second with them: whose they are, in which month, and their digests.
create function tenant_internal.journal_digests(origin bigint, after xid8, after_id bigint, upto xid8, upto_id bigint)
    returns table (tenant_id text, month date, xid8 xid8, id bigint, digest bytea)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select j.tenant_id, case when j.action not in ('protect', 'unprotect') then tenant_internal.month_of(j.at) end, j.xid8, j.id,
        sha256(int8send(j.id) || timestamptz_send(j.at) || tenant_internal.text_bytes(j.action)
            || tenant_internal.text_bytes(j.object) || tenant_internal.text_bytes(j.reason)
            || tenant_internal.text_bytes(j.detail::text) || tenant_internal.text_bytes(j.role::text)
            || tenant_internal.text_bytes(j.session_role::text) || tenant_internal.text_bytes(j.tenant_id)
            || tenant_internal.text_bytes(j.actor) || tenant_internal.text_bytes(j.impersonator)
            || tenant_internal.text_bytes(j.request_id) || xid8send(j.xid8) || int8send(j.origin))
    from tenant.journal j
    where j.origin = journal_digests.origin
        and (j.xid8, j.id) > (journal_digests.after, after_id) and (j.xid8, j.id) <= (journal_digests.upto, journal_digests.upto_id)
$$;
revoke all on function tenant_internal.journal_digests(bigint, xid8, bigint, xid8, bigint) from public;

create function tenant_internal.seal_digest(seal tenant.journal_seals, digests bytea) returns bytea
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select sha256(convert_to('pg_tenant seal 1', 'UTF8') || tenant_internal.text_bytes(seal.tenant_id) || int8send(seal.number)
        || int8send(seal.sealing) || tenant_internal.text_bytes(to_char(seal.month, 'YYYY-MM')) || xid8send(seal.upto)
        || int8send(seal.upto_id) || int8send(seal.lines) || timestamptz_send(seal.sealed_at) || seal.previous || digests)
$$;
revoke all on function tenant_internal.seal_digest(tenant.journal_seals, bytea) from public;

create function tenant_internal.sealing_digest(sealing tenant.journal_sealings, digests bytea) returns bytea
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select sha256(convert_to('pg_tenant sealing 1', 'UTF8') || int8send(sealing.number) || int8send(sealing.origin)
        || xid8send(sealing.upto) || int8send(sealing.upto_id) || int8send(sealing.lines) || int8send(sealing.seals)
        || timestamptz_send(sealing.sealed_at) || tenant_internal.text_bytes(sealing.sealed_by::text) || sealing.previous || digests)
$$;
revoke all on function tenant_internal.sealing_digest(tenant.journal_sealings, bytea) from public;

-- Makes a sealing of what stands between two lines of one origin.
create function tenant_internal.seal_lines(origin bigint, after xid8, after_id bigint, upto xid8, upto_id bigint)
    returns tenant.journal_sealings
    language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    nothing constant bytea := decode(repeat('00', 32), 'hex');
    made tenant.journal_sealings;
    seal tenant.journal_seals;
    stretch record;
begin
    select s.number, s.digest into made.number, made.previous from tenant.journal_sealings s order by s.number desc limit 1;
    made.number := coalesce(made.number, 0) + 1;
    made.previous := coalesce(made.previous, nothing);
    made.origin := origin;
    made.upto := upto;
    made.upto_id := upto_id;
    made.lines := 0;
    made.seals := 0;
    made.sealed_at := clock_timestamp();
    made.sealed_by := session_user;
    made.digest := '';
    for stretch in
        select d.tenant_id, d.month, count(*) as lines, string_agg(d.digest, '' order by d.xid8, d.id) as digests,
            (array_agg(d.xid8 order by d.xid8 desc, d.id desc))[1] as xid8, (array_agg(d.id order by d.xid8 desc, d.id desc))[1] as id
        from tenant_internal.journal_digests(origin, after, after_id, upto, upto_id) d
        group by d.tenant_id, d.month order by d.tenant_id collate "C" nulls first, d.month nulls first
    loop
        if made.seals = 0 or stretch.tenant_id is distinct from seal.tenant_id then
            if stretch.tenant_id is null then
                select s.number, s.digest into seal.number, seal.digest from tenant.journal_seals s
                    where s.tenant_id is null order by s.number desc limit 1;
            else
                select s.number, s.digest into seal.number, seal.digest from tenant.journal_seals s
                    where s.tenant_id = stretch.tenant_id order by s.number desc limit 1;
            end if;
        end if;
        seal.previous := coalesce(seal.digest, nothing);
        seal.number := coalesce(seal.number, 0) + 1;
        seal.tenant_id := stretch.tenant_id;
        seal.sealing := made.number;
        seal.month := stretch.month;
        seal.upto := stretch.xid8;
        seal.upto_id := stretch.id;
        seal.lines := stretch.lines;
        seal.sealed_at := made.sealed_at;
        seal.digest := tenant_internal.seal_digest(seal, stretch.digests);
        insert into tenant.journal_seals select seal.*;
        made.lines := made.lines + seal.lines;
        made.seals := made.seals + 1;
    end loop;
    made.digest := tenant_internal.sealing_digest(made, (select string_agg(s.digest, '' order by s.tenant_id collate "C" nulls first, s.number)
        from tenant.journal_seals s where s.sealing = made.number));
    insert into tenant.journal_sealings select made.*;
    return made;
end
$$;
revoke all on function tenant_internal.seal_lines(bigint, xid8, bigint, xid8, bigint) from public;

create function tenant.seal_journal() returns table (sealing bigint, seals bigint, lines bigint)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    -- Of one sealing: what is held in memory are 32 bytes a line.
    most constant integer := 1000000;
    of_origin bigint;
    settled xid8;
    sealed record;
    last record;
    made tenant.journal_sealings;
begin
    perform tenant.journal_refusals();
    -- One sealer at a time; nobody else writes these tables.
    lock table tenant.journal_sealings in share row exclusive mode;
    for of_origin in select * from tenant_internal.journal_origins() loop
        -- What came from another database is complete.
        settled := case when of_origin = tenant_internal.journal_origin() then pg_snapshot_xmin(pg_current_snapshot())
            else '18446744073709551615' end;
        loop
            select s.upto, s.upto_id into sealed from tenant.journal_sealings s
                where s.origin = of_origin order by s.upto desc, s.upto_id desc limit 1;
            select l.xid8, l.id into last from (
                select j.xid8, j.id from tenant.journal j
                where j.origin = of_origin and (j.xid8, j.id) > (coalesce(sealed.upto, '0'), coalesce(sealed.upto_id, 0)) and j.xid8 < settled
                order by j.xid8, j.id limit most) l order by l.xid8 desc, l.id desc limit 1;
            exit when not found;
            made := tenant_internal.seal_lines(of_origin, coalesce(sealed.upto, '0'), coalesce(sealed.upto_id, 0), last.xid8, last.id);
            return query select made.number, made.seals, made.lines;
        end loop;
    end loop;
end
$$;
comment on function tenant.seal_journal is 'Seals the journal''s settled lines, and waits for no writer: those of transactions that ended before the oldest one that runs. A line for each sealing; none where nothing is to be sealed.';
revoke all on function tenant.seal_journal() from public;
grant execute on function tenant.seal_journal() to tenant_admin;
