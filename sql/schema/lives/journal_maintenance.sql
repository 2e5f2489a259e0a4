-- Keeping the journal: its months are made ahead, and removed when they are older than was said.

create table tenant.journal_retention (
    -- There is one line or none.
    one boolean primary key default true check (one),
    keep interval not null,
    reason text not null,
    set_at timestamptz not null default now(),
    set_by name not null default session_user
);
comment on table tenant.journal_retention is 'For how long lines of the journal are kept; no line: for good.';
grant select on tenant.journal_retention to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.journal_retention', '');

create function tenant.retain_journal(keep interval, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform tenant_internal.require_reason(reason);
    if keep < interval '1 month' or keep > interval '1000 years' then
        raise exception using
            errcode = 'TN156',
            message = format('lines of the journal cannot be kept for %s', keep),
            detail = 'A month is the shortest time.',
            hint = 'select tenant.retain_journal(''10 years'', ''<reason>''); null keeps them for good.';
    end if;
    delete from tenant.journal_retention;
    insert into tenant.journal_retention (keep, reason) select retain_journal.keep, retain_journal.reason where retain_journal.keep is not null;
    perform tenant_internal.write_journal('retain_journal', 'tenant.journal', reason, jsonb_build_object('keep', keep));
end
$$;
comment on function tenant.retain_journal is 'For how long lines of the journal are kept: tenant.maintain_journal() removes months that are older, but for what is said of protection. Null: for good. TN029 no reason, TN156 less than a month.';
revoke all on function tenant.retain_journal(interval, text) from public;
grant execute on function tenant.retain_journal(interval, text) to tenant_admin;

-- Whether lines of before this time were not sealed, where sealing is in use.
create function tenant_internal.has_unsealed(before timestamptz) returns boolean
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (select from tenant.journal_sealings) and exists (
        select from tenant_internal.journal_origins() c (origin)
        left join lateral (select upto, upto_id from tenant.journal_sealings s
            where s.origin = c.origin order by s.upto desc, s.upto_id desc limit 1) s on true
        cross join lateral (select from tenant.journal j
            where j.origin = c.origin and (j.xid8, j.id) > (coalesce(s.upto, '0'), coalesce(s.upto_id, 0)) and j.at < before limit 1) unsealed)
$$;
revoke all on function tenant_internal.has_unsealed(timestamptz) from public;

-- Removes the months before this one, if nobody reads them at this moment. session_replication_role = replica passes
-- the triggers that keep lines.
create function tenant_internal.remove_journal(before date) returns bigint
    language plpgsql set search_path = pg_catalog, pg_temp set session_replication_role = replica as $$
declare
    parts constant regclass[] := array(select i.inhrelid from pg_inherits i
        where i.inhparent = 'tenant_internal.journal_lines'::regclass and i.inhrelid <> 'tenant_internal.journal_rest'::regclass
            and i.inhrelid::regclass::text < format('tenant_internal.%s', to_char(before, '"journal_"YYYY_MM')));
    part regclass;
    removed bigint := 0;
    more bigint;
begin
    foreach part in array parts loop
        execute format('lock table %s in access exclusive mode nowait', part);
    end loop;
    foreach part in array parts loop
        execute format('select count(*) from %s', part) into more;
        removed := removed + more;
        execute format('truncate %s', part);
    end loop;
    delete from tenant_internal.journal_rest where at < before::timestamp at time zone 'UTC';
    get diagnostics more = row_count;
    removed := removed + more;
    -- An empty part stays where this would have somebody wait.
    begin
        if cardinality(parts) > 0 then
            lock table only tenant_internal.journal_lines in access exclusive mode nowait;
            lock table tenant_internal.journal_rest in access exclusive mode nowait;
        end if;
        foreach part in array parts loop
            execute format('drop table %s', part);
        end loop;
    exception when lock_not_available then null;
    end;
    return removed;
end
$$;
revoke all on function tenant_internal.remove_journal(date) from public;

create function tenant.maintain_journal(ahead integer default 2) returns table (month date, done text)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    this constant date := tenant_internal.month_of(now());
    before constant date := tenant_internal.month_of(now() - (select keep from tenant.journal_retention));
    wanted date;
    removed bigint;
begin
    if ahead is null or ahead not between 0 and 120 then
        raise exception using
            errcode = 'TN156',
            message = format('%s months ahead are not made', coalesce(ahead::text, 'null')),
            detail = 'From 0 to 120 are.',
            hint = 'select * from tenant.maintain_journal(); makes two.';
    end if;
    perform tenant.journal_refusals();
    for wanted in select (this + make_interval(months => n))::date from generate_series(0, ahead) n loop
        if tenant_internal.journal_part(wanted) is null then
            return query select wanted, case when tenant_internal.make_journal_part(wanted) then 'made' else 'waits' end;
        end if;
    end loop;
    if before is null or not exists (select from tenant_internal.journal_lines where at < before::timestamp at time zone 'UTC') then
        return;
    elsif tenant_internal.has_unsealed(before::timestamp at time zone 'UTC') then
        return query select before, 'waits to be sealed';
        return;
    end if;
    begin
        removed := tenant_internal.remove_journal(before);
    exception when lock_not_available then
        return query select before, 'waits';
        return;
    end;
    insert into tenant.journal_removals (before, lines) select before, removed;
    perform tenant_internal.write_journal('remove_journal', 'tenant.journal', (select reason from tenant.journal_retention),
        jsonb_build_object('before', before, 'lines', removed));
    return query select before, format('removed %s lines of before', removed);
end
$$;
comment on function tenant.maintain_journal is 'Makes the journal''s parts for this month and those ahead, and removes what is older than tenant.retain_journal() has said. Waits for nobody, and nobody for it: what cannot be done now waits for the next call.';
revoke all on function tenant.maintain_journal(integer) from public;
grant execute on function tenant.maintain_journal(integer) to tenant_admin;
