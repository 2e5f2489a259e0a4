-- Findings on jobs and schedules. They tell whose and which kind, not what the jobs say.

create view tenant_internal.finding_t143 as
    select 'T143' as code, 'warn' as level,
        'jobs/' || coalesce(j.worker, '') as object,
        format('%s jobs were claimed by worker "%s", whose lease was over at %s, and nobody has taken them since', count(*),
            coalesce(j.worker, ''), min(j.lease_until)) as problem,
        'Every claim gives such jobs to others, so nobody claims: the work stands still.' as why,
        'select tenant.reap_jobs();' as fix
    from tenant.jobs j where j.state = 'running' and j.lease_until < now() - interval '15 min'
    group by j.worker;
comment on view tenant_internal.finding_t143 is 'Jobs of a worker that is gone are taken by nobody';

create view tenant_internal.finding_t144 as
    select 'T144' as code, 'warn' as level,
        'jobs/' || j.kind as object,
        format('%s jobs of kind "%s" are dead, the first since %s', count(*), j.kind, min(j.finished_at)) as problem,
        'They have failed as often as they may, and are not tried again.' as why,
        null::text as fix
    from tenant.jobs j where j.state = 'dead' group by j.kind;
comment on view tenant_internal.finding_t144 is 'Jobs are dead';

create view tenant_internal.finding_t145 as
    select 'T145' as code, 'warn' as level,
        'jobs/' || j.lane || '/' || j.kind as object,
        format('%s jobs of kind "%s" in lane "%s" can be done since %s, and nobody does them', count(*), j.kind, j.lane, min(j.run_at)) as problem,
        'No worker serves this lane and kind, or too few do.' as why,
        null::text as fix
    from tenant.jobs j left join tenant.tenants t on t.id = j.tenant_id
    where (j.state = 'ready' or j.state in ('scheduled', 'failed')) and j.run_at < now() - interval '1 h'
        and (j.tenant_id is null or t.status = 'active')
    group by j.lane, j.kind;
comment on view tenant_internal.finding_t145 is 'Jobs wait for a worker';

create view tenant_internal.finding_t146 as
    select 'T146' as code, 'warn' as level,
        'tenant.schedules' as object,
        format('%s schedules are enabled, and no scheduler has the lead', count(*)) as problem,
        'Nothing is queued when they are due.' as why,
        null::text as fix
    from tenant.schedules s
    where s.enabled and s.changed_at < now() - interval '15 min'
        and not exists (select from pg_locks l where l.locktype = 'advisory' and l.granted and l.objsubid = 2
            and l.database = (select d.oid from pg_database d where d.datname = current_database())
            and l.classid::bigint = hashtext('tenant.schedules')::bigint & 4294967295 and l.objid = 0)
    having count(*) > 0;
comment on view tenant_internal.finding_t146 is 'Schedules have no scheduler';

create view tenant_internal.finding_t147 as
    select 'T147' as code, 'warn' as level,
        'schedules/' || s.name as object,
        format('schedule "%s" has queued jobs for a part of the tenants, those up to "%s", for the time %s', s.name, s.fired_after, s.firing) as problem,
        'The others'' jobs are not queued, and no later time is, until somebody goes on.' as why,
        format('select * from tenant.fire_schedule(%L, %L, %L);', s.name, s.firing, s.last_due) as fix
    from tenant.schedules s where s.enabled and s.firing < now() - interval '15 min';
comment on view tenant_internal.finding_t147 is 'A schedule was fired for a part of the tenants';
