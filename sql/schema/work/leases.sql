-- What steps of onboardings and jobs have in common: they are claimed by a worker, for a time.

create function tenant_internal.check_lease(code text, of_what text, lease interval) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if lease is null or lease not between interval '1 s' and interval '1 day' then
        raise exception using
            errcode = code,
            message = format('%s cannot be claimed for %s', of_what, coalesce(lease::text, 'null')),
            detail = 'When that is over, others may claim what this worker has.',
            hint = 'A lease stands between 1 second and 1 day.';
    end if;
end
$$;
revoke all on function tenant_internal.check_lease(text, text, interval) from public;

create function tenant_internal.check_worker(code text, worker text) returns void
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(btrim(worker), '') = '' or length(worker) > 200 then
        raise exception using
            errcode = code,
            message = 'a worker has a name',
            detail = 'It stands beside what the worker has claimed.',
            hint = 'Name host and process, as in worker-3:4711; up to 200 characters.';
    end if;
    perform tenant_internal.require_plain('the worker''s name', worker);
end
$$;
revoke all on function tenant_internal.check_worker(text, text) from public;
