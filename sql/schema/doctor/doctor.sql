-- tenant.doctor() and tenant.assert_healthy(), and waivers of findings.

-- A finding is a view finding_tNNN: whichever are there make up the doctor, in the order of their codes.
do $$
begin
    execute 'create or replace view tenant_internal.doctor_findings as ' || (
        select string_agg(format('select * from tenant_internal.%I', relname), ' union all ' order by relname)
        from pg_catalog.pg_class
        where relnamespace = 'tenant_internal'::regnamespace and relkind = 'v' and relname ~ '^finding_t[0-9]{3}$');
end
$$;
comment on view tenant_internal.doctor_findings is 'Every finding, waived or not.';

-- Whether a fix can be pasted into psql, or run line by line: no line break within quotes, and no control characters
-- that a terminal would act on.
create function tenant_internal.doctor_pastes(fix text) returns boolean
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select fix !~ '[\x01-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]' and (fix !~ '\n' or not exists (
        select from regexp_matches(fix, '([eE]''(?:[^''\\]|\\.|'''')*''|''(?:[^'']|'''')*''|"(?:[^"]|"")*")', 'g') quoted (part)
        where part[1] ~ '\n'))
$$;
revoke all on function tenant_internal.doctor_pastes(text) from public;

-- A name without line breaks and control characters, for messages.
create function tenant_internal.doctor_in_line(name text) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select regexp_replace(replace(replace(name, E'\n', '\n'), E'\r', '\r'), '[\x01-\x1f\x7f-\x9f\u2028\u2029]', '?', 'g')
$$;
revoke all on function tenant_internal.doctor_in_line(text) from public;
grant execute on function tenant_internal.doctor_in_line(text) to tenant_admin;

create function tenant.doctor(with_waived boolean default false, every_object boolean default false)
    returns table (code text, level text, object text, problem text, why text, fix text, waived_until timestamptz, objects bigint)
    language sql stable security definer set search_path = pg_catalog, pg_temp set jit = off as $$
    with finding as (
        select f.*, w.until, row_number() over alike as nth,
            -- More than 20 findings of one code and level become one line.
            case when not every_object and count(*) over (partition by f.code, f.level, w.until is null) > 20
                then count(*) over (partition by f.code, f.level, w.until is null) end as many
        from tenant_internal.doctor_findings f
        left join tenant.waivers w on w.code = f.code and w.object = f.object and w.until > now()
        where with_waived or w.until is null
        window alike as (partition by f.code, f.level, w.until is null order by f.object)
    )
    select f.code, f.level,
        coalesce(f.many || ' objects', f.object),
        concat(f.problem, '; the same on ' || f.many - 1 || ' more'),
        f.why,
        case when f.many is not null then format('select object, problem, fix from tenant.doctor(%severy_object => true) where code = %L and level = %L;',
                case when with_waived then 'with_waived => true, ' end, f.code, f.level)
            when tenant_internal.doctor_pastes(f.fix) then f.fix end,
        f.until, coalesce(f.many, 1)
    from finding f
    where f.many is null or f.nth = 1
    order by array_position(array['error', 'warn', 'info'], f.level), f.code, f.object
$$;
comment on function tenant.doctor is 'What is wrong with the isolation of this database, why it matters, and the SQL that fixes it. A finding on more than 20 objects is one line, unless every_object is true.';
revoke all on function tenant.doctor(boolean, boolean) from public;
grant execute on function tenant.doctor(boolean, boolean) to tenant_admin;

create function tenant.waive(code text, object text, reason text, until timestamptz) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason);
    if to_regclass(format('tenant_internal.%I', 'finding_' || lower(code))) is null then
        raise exception using
            errcode = 'TN081',
            message = format('there is no finding "%s"', code),
            detail = 'Findings are numbered T001 and up.',
            hint = 'select code, object from tenant.doctor(); lists those of this database.';
    end if;
    if object ~ '^\d+ objects$' then
        raise exception using
            errcode = 'TN081',
            message = format('finding %s is waived on one object at a time', code),
            detail = format('"%s" is a line that stands for as many.', object),
            hint = format('select tenant.waive(code, object, ''<reason>'', ''<until>'') from tenant.doctor(every_object => true) where code = %L;', upper(code));
    end if;
    insert into tenant.waivers as w (code, object, reason, until)
        values (upper(waive.code), waive.object, waive.reason, waive.until)
        on conflict on constraint waivers_pkey do update
        set reason = excluded.reason, until = excluded.until, waived_at = now(), waived_by = current_user;
end
$$;
comment on function tenant.waive is 'Accepts a finding on one object until then; it is left out of the doctor''s report for as long.';
revoke all on function tenant.waive(text, text, text, timestamptz) from public;
grant execute on function tenant.waive(text, text, text, timestamptz) to tenant_admin;

create function tenant.unwaive(code text, object text, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason);
    delete from tenant.waivers w where w.code = upper(unwaive.code) and w.object = unwaive.object;
    if not found then
        raise exception using
            errcode = 'TN083',
            message = format('finding %s is not waived on %s', code, object),
            detail = 'tenant.waivers has no such line.',
            hint = 'select * from tenant.waivers; lists what is.';
    end if;
end
$$;
comment on function tenant.unwaive is 'Takes a waiver back.';
revoke all on function tenant.unwaive(text, text, text) from public;
grant execute on function tenant.unwaive(text, text, text) to tenant_admin;

create function tenant.assert_healthy(level text default 'error') returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    rank integer := array_position(array['error', 'warn', 'info'], level);
    found_count bigint;
    first_ones text;
begin
    if rank is null then
        raise exception using
            errcode = 'TN084',
            message = format('"%s" is no level', level),
            detail = 'The levels are error, warn and info.',
            hint = 'select tenant.assert_healthy(''warn'');';
    end if;
    select coalesce(sum(d.objects), 0), string_agg(
            format('%s %s: %s', d.code, tenant_internal.doctor_in_line(d.object), tenant_internal.doctor_in_line(d.problem)), E'\n')
            filter (where d.nth <= 10)
        into found_count, first_ones
        from (select *, row_number() over () as nth from tenant.doctor()) d
        where array_position(array['error', 'warn', 'info'], d.level) <= rank;
    if found_count > 0 then
        raise exception using
            errcode = 'TN080',
            message = format('the doctor has %s finding%s of level %s or worse', found_count, case when found_count > 1 then 's' end, level),
            detail = first_ones,
            hint = 'select * from tenant.doctor(); says why each matters and how to mend it; tenant.waive() accepts one for a time.';
    end if;
end
$$;
comment on function tenant.assert_healthy is 'Fails (TN080) where the doctor has findings of this level or worse: a gate for CI and deployments.';
revoke all on function tenant.assert_healthy(text) from public;
grant execute on function tenant.assert_healthy(text) to tenant_admin;
