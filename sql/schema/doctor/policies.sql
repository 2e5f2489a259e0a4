-- Findings on policies: missing, weakened, wider than they look, resting on what the application can change.

create view tenant_internal.finding_t030 as
    select 'T030' as code, 'error' as level,
        j.object,
        format('table %s was protected and no longer is', j.object) as problem,
        'According to the journal the table is protected; it is not, so tenants can reach each other''s rows.' as why,
        case when j.detail ? 'through' then format('select tenant.protect_by_membership(%L, through => %L, member_column => %L, key_column => %L);',
                j.object, j.detail ->> 'through', j.detail ->> 'member_column', j.detail ->> 'key_column')
            else format('select tenant.protect(%L, tenant_column => %L);', j.object, coalesce(j.detail ->> 'tenant_column', 'tenant_id')) end as fix
    from (
        select distinct on (object) object, action, detail from tenant.journal
        where action in ('protect', 'unprotect') order by object, id desc
    ) j
    join pg_catalog.pg_class c on format('%I.%I', c.relnamespace::regnamespace::name, c.relname) = j.object
        and c.relkind in ('r', 'p')
    where j.action = 'protect' and c.oid not in (select relation from tenant_internal.doctor_tables);
comment on view tenant_internal.finding_t030 is 'A table was protected and no longer is';

create view tenant_internal.finding_t031 as
    select 'T031' as code,
        case when exists (select from tenant_internal.doctor_grants g where g.relation = t.relation) then 'error' else 'warn' end as level,
        t.name as object,
        format('table %s has the tenant column %I and is not protected', t.name, a.column_name) as problem,
        'Every tenant reads and writes all of its rows.' as why,
        format('select tenant.protect(%L, tenant_column => %L);', t.name, a.column_name) as fix
    from tenant_internal.doctor_user_tables t
    join tenant_internal.doctor_tenant_columns a on a.relation = t.relation
    where t.relation not in (select relation from tenant_internal.doctor_tables)
        and t.relation not in (select relation from tenant.shared)
        and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = t.relation)
        and t.relation not in (select relation from tenant_internal.doctor_policies where reads_tenant);
comment on view tenant_internal.finding_t031 is 'A table with a tenant column is not protected';

create view tenant_internal.finding_t032 as
    select 'T032' as code, 'error' as level,
        t.name as object,
        format('row-level security of protected table %s is not %s', t.name,
            case when not t.enabled then 'enabled' else 'forced' end) as problem,
        'Without ENABLE PostgreSQL ignores the policies; without FORCE they do not apply to the table''s owner.' as why,
        format('alter table %s enable row level security, force row level security;', t.name) as fix
    from tenant_internal.doctor_tables t where not (t.enabled and t.forced);
comment on view tenant_internal.finding_t032 is 'A protected table has row-level security not enabled or not forced';

create view tenant_internal.finding_t033 as
    with recursive family (member) as (
        select relation from tenant_internal.doctor_tables
        union
        select n.relation from family f cross join lateral (
            select inhrelid from pg_catalog.pg_inherits where inhparent = f.member
            union all
            select inhparent from pg_catalog.pg_inherits where inhrelid = f.member offset 0
        ) n (relation)
    ), uncovered as (
        -- The search ends at the nearest protected table.
        select f.member, (
            with recursive near (relation) as (
                select f.member
                union
                select n.relation from near cross join lateral (
                    select inhrelid from pg_catalog.pg_inherits where inhparent = near.relation
                    union all
                    select inhparent from pg_catalog.pg_inherits where inhrelid = near.relation offset 0
                ) n (relation)
            )
            select relation from near where relation in (select t.relation from tenant_internal.doctor_tables t) limit 1
        ) as kin
        from family f join pg_catalog.pg_class c on c.oid = f.member
        where c.relkind in ('r', 'p', 'f') and f.member not in (select relation from tenant_internal.doctor_tables)
    )
    select 'T033' as code, 'error' as level,
        u.member::regclass::text as object,
        format('%s has no tenant policy, and %s of the same hierarchy has', u.member::regclass, u.kin::regclass) as problem,
        'PostgreSQL applies the policies of the table that a query names: rows are read around the others through this one.' as why,
        case when k.tenant_column is null
            then format('select tenant.protect_by_membership(%L, through => %L);', top.relation::regclass, tenant_internal.membership_through(u.kin::regclass))
            else format('select tenant.protect(%L, tenant_column => %L);', top.relation::regclass, k.tenant_column_name) end as fix
    from uncovered u
    join tenant_internal.doctor_tables k on k.relation = u.kin
    cross join lateral (
        with recursive up (relation, depth) as (
            select u.member, 0
            union all
            select i.inhparent, depth + 1 from up join pg_catalog.pg_inherits i on i.inhrelid = up.relation
        )
        select relation from up order by depth desc limit 1
    ) top;
comment on view tenant_internal.finding_t033 is 'A partition, child or parent of a protected table has no tenant policy';

create view tenant_internal.finding_t034 as
    select 'T034' as code, 'error' as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s reads the tenant but is no tenant policy: it is for %s only', p.polname, p.name,
            case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE' else 'DELETE' end) as problem,
        'A policy for one command leaves the others open: an UPDATE that reads no column passes a SELECT policy by.' as why,
        format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) as fix
    from tenant_internal.doctor_policies p
    where p.reads_tenant and not p.protected and not p.polpermissive and p.polcmd <> '*';
comment on view tenant_internal.finding_t034 is 'A tenant policy is not FOR ALL commands';

create view tenant_internal.finding_t035 as
    select 'T035' as code, 'error' as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s reads the tenant but is no tenant policy: it is not TO PUBLIC', p.polname, p.name) as problem,
        'To every other role the policy does not apply, and a role can be changed within a session.' as why,
        format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) as fix
    from tenant_internal.doctor_policies p
    where p.reads_tenant and not p.protected and not p.polpermissive and not 0 = any (p.polroles);
comment on view tenant_internal.finding_t035 is 'A tenant policy is not TO PUBLIC';

create view tenant_internal.finding_t036 as
    select 'T036' as code, 'error' as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s lets in what it does not show: USING %s, WITH CHECK %s', p.polname, p.name, p.using_text, p.check_text) as problem,
        'A tenant puts rows into other tenants'' data, by INSERT or by an UPDATE that moves them.' as why,
        format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) as fix
    from tenant_internal.doctor_policies p
    where not p.protected and p.using_text <> p.check_text
        and (p.reads_tenant or p.using_text ~ 'current_setting\(' or p.check_text = 'true');
comment on view tenant_internal.finding_t036 is 'A policy''s WITH CHECK is not its USING';

create view tenant_internal.finding_t037 as
    select 'T037' as code, 'error' as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s reads the tenant but is no tenant policy: it is %s', p.polname, p.name,
            case when p.polpermissive then 'permissive' else 'more than an equality of the tenant column' end) as problem,
        'Permissive policies are joined by OR, so any other opens the table; an OR within one is a way around it. Strict mode does not know the table as protected.' as why,
        format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) as fix
    from tenant_internal.doctor_policies p
    where p.reads_tenant and not p.protected
        and (p.polpermissive or p.polcmd = '*' and 0 = any (p.polroles) and p.using_text is not distinct from coalesce(p.check_text, p.using_text))
        and not (p.polpermissive and p.using_text is distinct from coalesce(p.check_text, p.using_text));
comment on view tenant_internal.finding_t037 is 'A policy reads the tenant and does not fence it';

create view tenant_internal.finding_t038 as
    select 'T038' as code,
        case when 'true' in (p.using_text, p.check_text) then 'warn' else 'info' end as level,
        format('%s.%I', p.name, p.polname) as object,
        format('permissive policy %I on protected table %s is wider than the tenant: %s', p.polname, p.name, coalesce(p.using_text, p.check_text)) as problem,
        'Only the restrictive tenant policy keeps tenants apart. If it were dropped, this policy would show all rows.' as why,
        p.drop_it || case when t.tenant_column is null then '' else format(E'\nselect tenant.protect(%L, tenant_column => %L);', p.name, t.tenant_column_name) end as fix
    from tenant_internal.doctor_policies p
    join tenant_internal.doctor_tables t on t.relation = p.relation
    where p.polpermissive and not exists (
        select from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.policy
            and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = p.relation and d.refobjsubid = coalesce(t.tenant_column, tenant_internal.membership_key(t.relation::regclass)));
comment on view tenant_internal.finding_t038 is 'A permissive policy is wider than the tenant policy';

create view tenant_internal.finding_t039 as
    select 'T039' as code, case when p.protected then 'info' when p.has_tenant_column then 'error' else 'warn' end as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s reads a setting: %s', p.polname, p.name, substring(p.both_texts from 'current_setting\([^)]*\)')) as problem,
        'Every session writes custom settings, in the middle of a SELECT too, and a pooled connection keeps them: an attacker chooses the tenant, or the flag that opens all.' as why,
        case when not p.protected and p.has_tenant_column then format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) end as fix
    from tenant_internal.doctor_policies p where p.both_texts ~ '\mcurrent_setting\(';
comment on view tenant_internal.finding_t039 is 'A policy reads a setting that the session writes';

create view tenant_internal.finding_t040 as
    select 'T040' as code, case when p.protected then 'info' when p.has_tenant_column then 'error' else 'warn' end as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s passes where nothing is set: %s', p.polname, p.name, p.both_texts) as problem,
        'With no tenant it shows every row, or those without a tenant: it fails open.' as why,
        case when not p.protected and p.has_tenant_column then format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) end as fix
    from tenant_internal.doctor_policies p
    where (p.both_texts ~ '(current_setting|current_id|current_uuid|current_bigint)\(' and p.both_texts ~* '(is null\)? or|or \(?[^()]*(\([^()]*\))?[^()]* is null|coalesce\(|not \(.* is distinct from)')
        or p.both_texts ~* 'or \(?\w*(is_admin|is_superadmin|bypass)';
comment on view tenant_internal.finding_t040 is 'A policy fails open';

create view tenant_internal.finding_t041 as
    select 'T041' as code, case when p.protected then 'info' when p.has_tenant_column then 'error' else 'warn' end as level,
        format('%s.%I', p.name, p.polname) as object,
        format('policy %I on %s goes by who connected: %s', p.polname, p.name, k.word) as problem,
        'Process ids are used again, application_name is whatever the client says, and poolers share both: none of them is a tenant.' as why,
        case when not p.protected and p.has_tenant_column then format(E'%s\nselect tenant.protect(%L, tenant_column => %L);', p.drop_it, p.name, p.column_name) end as fix
    from tenant_internal.doctor_policies p
    cross join lateral (select substring(p.both_texts from '(pg_backend_pid|application_name|inet_client_addr|inet_client_port|pg_current_xact_id|txid_current|pg_stat_activity)') as word) k
    where k.word is not null;
comment on view tenant_internal.finding_t041 is 'A policy goes by process, address or application name';

create view tenant_internal.finding_t042 as
    select 'T042' as code,
        case when d.refobjid in (select relation from tenant_internal.doctor_tables) then 'info' else 'error' end as level,
        format('%s.%I reads %s', p.name, p.polname, d.refobjid::regclass) as object,
        format('policy %I on %s reads %s, which %s may write', p.polname, p.name, d.refobjid::regclass, string_agg(distinct g.grantee_name, ', ')) as problem,
        'A role that can write this table can give itself the access that the policy looks up there.' as why,
        string_agg(distinct format('revoke insert, update, delete on %s from %s;', d.refobjid::regclass, g.grantee_name), E'\n') as fix
    from tenant_internal.doctor_policies p
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.policy
        and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid <> p.relation
    join tenant_internal.doctor_grants g on g.relation = d.refobjid and g.privilege in ('INSERT', 'UPDATE', 'DELETE')
    group by p.name, p.polname, d.refobjid;
comment on view tenant_internal.finding_t042 is 'A policy reads a table that the application writes';
