-- What a tenant sees of its jobs, and how it takes one back.

create view tenant.my_jobs with (security_barrier) as
    select j.id, j.kind, j.lane, j.priority, j.state, j.attempt, j.max_attempts, j.run_at, j.created_at, j.finished_at, j.key, j.payload,
        j.result, j.last_error
    from tenant.jobs j where coalesce(j.tenant_id, '') = tenant.current_id() and tenant.is_current(j.tenant_id);
comment on view tenant.my_jobs is 'The jobs of the tenant that the transaction has entered.';
grant select on tenant.my_jobs to tenant_user, tenant_support;

create function tenant.cancel_job(id bigint) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    here constant text := tenant_internal.require_tenant_for_jobs();
begin
    delete from tenant.jobs j where j.id = cancel_job.id and j.tenant_id = here and j.state in ('ready', 'scheduled', 'failed', 'dead');
    return found;
end
$$;
comment on function tenant.cancel_job is 'Takes a job of the transaction''s tenant back, unless it runs or is done: false. TN001 without a tenant.';
revoke all on function tenant.cancel_job(bigint) from public;
grant execute on function tenant.cancel_job(bigint) to tenant_user, tenant_support;
