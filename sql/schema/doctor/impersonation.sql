-- Findings on impersonation: support that needs no grant, and grants that are open for too long or that nobody decides
-- about.

create view tenant_internal.finding_t139 as
    with recursive reach (login, role, first_step) as (
        select m.member, m.role, m.revoke
            from tenant_internal.doctor_memberships m join pg_catalog.pg_roles r on r.oid = m.member and r.rolcanlogin and not r.rolsuper
        union
        select h.login, m.role, h.first_step from reach h join tenant_internal.doctor_memberships m on m.member = h.role
    )
    select 'T139' as code, 'error' as level,
        format('%s in %s', h.login::regrole, h.role::regrole) as object,
        format('login %s impersonates, and needs no grant for it: it reaches %s', h.login::regrole, standing.rolname) as problem,
        'Support enters tenants by grants, each with a reason, for a time and seen by the tenant. What it can reach otherwise it reaches unseen.' as why,
        min(h.first_step) as fix
    from reach h
    join pg_catalog.pg_roles standing on standing.oid = h.role
        and (standing.rolname in ('tenant_user', 'tenant_admin', 'tenant_system') or standing.rolbypassrls or standing.rolsuper)
    where exists (select from reach s join pg_catalog.pg_roles support on support.oid = s.role and support.rolname = 'tenant_support'
        where s.login = h.login)
    group by h.login, h.role, standing.rolname
    union all
    select 'T139', 'error', format('%I', r.rolname), format('login %I impersonates, and needs no grant for it: it has BYPASSRLS', r.rolname),
        'Support enters tenants by grants, each with a reason, for a time and seen by the tenant. What it can reach otherwise it reaches unseen.',
        format('alter role %I nobypassrls;', r.rolname)
    from pg_catalog.pg_roles r
    where r.rolbypassrls and r.rolcanlogin and not r.rolsuper
        and exists (select from reach s join pg_catalog.pg_roles support on support.oid = s.role and support.rolname = 'tenant_support'
            where s.login = r.oid);
comment on view tenant_internal.finding_t139 is 'A login of support has standing access';

create view tenant_internal.finding_t140 as
    select 'T140' as code, 'warn' as level, i.id::text as object,
        format('impersonation of %s in tenant %s is open for longer than is allowed, until %s', i.impersonator, i.tenant_id, i.expires_at) as problem,
        'Each use of it is refused by pg_tenant.max_impersonation where that is in force; where the setting is another, it opens the tenant.' as why,
        format('select tenant.end_impersonation(%L, ''too long'');', i.id) as fix
    from tenant.impersonations i
    where i.ended_at is null and i.expires_at > now()
        and i.expires_at - i.opens_at > current_setting('pg_tenant.max_impersonation')::interval
    union all
    select 'T140', 'info', i.id::text,
        format('impersonation of %s in tenant %s waits for approval since %s', i.impersonator, i.tenant_id, i.requested_at),
        'Nobody has approved it within a day, so nobody can any more.',
        format('select tenant.end_impersonation(%L, ''nobody approved it'');', i.id)
    from tenant.impersonations i
    where i.ended_at is null and i.opens_at is null and i.requested_at < now() - interval '1 day';
comment on view tenant_internal.finding_t140 is 'An impersonation is open for too long, or was never decided about';

create view tenant_internal.finding_t142 as
    select 'T142' as code, 'warn' as level,
        format('%s in tenant_reader', m.member::regrole) as object,
        format('application role %s reaches tenant_reader', r.application) as problem,
        'Reports read across tenants with a login of their own: the application''s login, which answers requests, would read them all.' as why,
        m.revoke as fix
    from tenant_internal.doctor_memberships m
    join tenant_internal.doctor_reached r on r.role = m.member
    where m.role = (select oid from pg_catalog.pg_roles where rolname = 'tenant_reader');
comment on view tenant_internal.finding_t142 is 'The application may read across tenants';
