-- Findings on people: tenants that nobody owns, members that may nothing, invitations that nobody took, permissions
-- that nobody has.

create view tenant_internal.finding_t123 as
    select 'T123' as code, 'warn' as level,
        m.tenant_id as object,
        format('tenant "%s" has members, and no owner among them', m.tenant_id) as problem,
        'Nobody in it may do what only owners may, nor give that to anybody: it takes an operator.' as why,
        null::text as fix
    from (
        select distinct tenant_id from tenant.members
        except
        select tenant_id from tenant.members where status = 'active' and role = any (tenant_internal.owner_roles())
    ) m
    join tenant.tenants t on t.id = m.tenant_id and t.status <> 'purged';
comment on view tenant_internal.finding_t123 is 'A tenant has members and no owner';

create view tenant_internal.finding_t124 as
    select 'T124' as code, 'warn' as level,
        m.role as object,
        format('%s members have the role "%s", which does not exist', m.members, m.role) as problem,
        'They may nothing, and where members only enter they do not. Whoever defines a role of this name later gives it to all of them.' as why,
        null::text as fix
    from (select role, count(*) as members from tenant.members group by role) m
    where not exists (select from tenant.roles r where r.role = m.role);
comment on view tenant_internal.finding_t124 is 'Members have a role that does not exist';

create view tenant_internal.finding_t125 as
    select 'T125' as code, 'info' as level,
        i.tenant_id as object,
        format('%s invitations to tenant "%s" have expired more than 30 days ago, and nobody took them', count(*), i.tenant_id) as problem,
        'They keep addresses of people who have nothing to do with the tenant.' as why,
        format('select tenant.revoke_invitation(tenant_id, id, ''expired'') from tenant.invitations where tenant_id = %L and accepted_at is null and revoked_at is null and expires_at < now() - interval ''30 days'';',
            i.tenant_id) as fix
    from tenant.invitations i
    where i.accepted_at is null and i.revoked_at is null and i.expires_at < now() - interval '30 days'
    group by i.tenant_id;
comment on view tenant_internal.finding_t125 is 'Invitations have expired long ago';

create view tenant_internal.finding_t126 as
    select 'T126' as code, 'warn' as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s asks for the permission "%s", which no role has', p.polname, p.name, q.permission) as problem,
        'Nobody is let through by it.' as why,
        null::text as fix
    from tenant_internal.doctor_policies p
    cross join lateral (select distinct m.part[1] as permission
        from regexp_matches(p.both_texts, 'tenant\.(?:can|require)\(''([^'']*)''::text\)', 'g') m (part)) q
    where not exists (select from tenant.roles r where q.permission = any (r.permissions));
comment on view tenant_internal.finding_t126 is 'A policy asks for a permission that no role has';

create view tenant_internal.finding_t127 as
    select 'T127' as code, 'warn' as level,
        i.inhrelid::regclass::text as object,
        format('%s lacks what its parent %s requires: the permission %s', i.inhrelid::regclass, i.inhparent::regclass,
            string_agg(distinct q.permission, ', ')) as problem,
        'PostgreSQL applies the policies of the table that a query names: who may name this one does without the permission.' as why,
        string_agg(distinct format('select tenant.require_permission(%L, %L, %L);', coalesce(pg_catalog.pg_partition_root(i.inhparent), i.inhparent)::regclass,
            case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' else 'delete' end, q.permission), E'\n') as fix
    from pg_catalog.pg_policy p
    join pg_catalog.pg_inherits i on i.inhparent = p.polrelid
    join pg_catalog.pg_class c on c.oid = i.inhrelid and c.relkind <> 'f'
    cross join lateral (select tenant_internal.permission_of(p.oid) as permission offset 0) q
    where q.permission is not null and not exists (select from pg_catalog.pg_policy own
        where own.polrelid = i.inhrelid and own.polcmd = p.polcmd and tenant_internal.permission_of(own.oid) = q.permission)
    group by i.inhrelid, i.inhparent;
comment on view tenant_internal.finding_t127 is 'A partition lacks the permission that its parent requires';
