-- Findings on rows that leave the tables: to other servers, and to where there are no policies.

create view tenant_internal.finding_t070 as
    select 'T070' as code,
        case when g.relation in (select relation from tenant_internal.doctor_tenant_columns) then 'error' else 'warn' end as level,
        format('%s to %s', g.relation::regclass, g.grantee_name) as object,
        format('%s may use foreign table %s', g.grantee_name, g.relation::regclass) as problem,
        'A foreign table has no policies on this server, and on the other server all tenants are one role.' as why,
        format('revoke all on %s from %s;', g.relation::regclass, g.grantee_name) as fix
    from tenant_internal.doctor_grants g where g.relkind = 'f'
    group by g.relation, g.grantee_name;
comment on view tenant_internal.finding_t070 is 'The application uses a foreign table';

create view tenant_internal.finding_t071 as
    select 'T071' as code, 'warn' as level,
        p.pubname::text as object,
        format('publication %I ships protected tables: %s', p.pubname, case when p.puballtables then 'all' else string_agg(x.name, ', ' order by x.name) end) as problem,
        'Subscribers get every tenant''s rows, whatever the policies say, but for a row filter of the publication.' as why,
        null::text as fix
    from pg_catalog.pg_publication p
    join (
        select p.oid as publication, t.name from pg_catalog.pg_publication p cross join lateral
            (select min(name) as name from tenant_internal.doctor_tables) t where p.puballtables and t.name is not null
        union
        select r.prpubid, t.name from pg_catalog.pg_publication_rel r join tenant_internal.doctor_tables t on t.relation = r.prrelid
        union
        select n.pnpubid, t.name from pg_catalog.pg_publication_namespace n
            join pg_catalog.pg_class c on c.relnamespace = n.pnnspid join tenant_internal.doctor_tables t on t.relation = c.oid
    ) x on x.publication = p.oid
    group by p.oid, p.pubname, p.puballtables;
comment on view tenant_internal.finding_t071 is 'A publication ships protected tables';

create view tenant_internal.finding_t072 as
    select 'T072' as code, case when r.rolsuper or r.rolbypassrls then 'info' else 'warn' end as level,
        s.subname::text as object,
        format('subscription %I writes as %I', s.subname, r.rolname) as problem,
        'Changes are applied for all tenants at once: with an owner that bypasses policies, unchecked; with another, they stop at the first protected table.' as why,
        null::text as fix
    from pg_catalog.pg_subscription s
    join pg_catalog.pg_roles r on r.oid = s.subowner
    where s.subdbid = (select oid from pg_catalog.pg_database where datname = current_database());
comment on view tenant_internal.finding_t072 is 'A subscription writes into this database';

create view tenant_internal.finding_t073 as
    select 'T073' as code, 'warn' as level,
        w.name as object,
        format('%s has %s large object%s', w.name, count(*), case when count(*) > 1 then 's' end) as problem,
        'Large objects have no policies and no tenant: every tenant of the role reads, changes and removes them.' as why,
        null::text as fix
    from pg_catalog.pg_largeobject_metadata l
    cross join lateral (
        select l.lomowner as role union select g.grantee from aclexplode(l.lomacl) g
    ) g
    cross join lateral (select case g.role when 0 then 'public' else g.role::regrole::text end as name) w
    where g.role = 0 or g.role in (select role from tenant_internal.doctor_reached)
    group by w.name;
comment on view tenant_internal.finding_t073 is 'The application keeps large objects';

create view tenant_internal.finding_t114 as
    select 'T114' as code, 'error' as level,
        s.subname::text as object,
        format('subscription %I applies a TRUNCATE of protected tables: %s', s.subname, string_agg(t.name, ', ' order by t.name)) as problem,
        'A TRUNCATE that comes from the other server removes every tenant''s rows: no policy and no guard is asked where it is applied.' as why,
        string_agg(format('create trigger refuse_truncate before truncate on %1$s for each statement execute function tenant.refuse_truncate();'
            || E'\nalter table %1$s enable always trigger refuse_truncate;', t.name), E'\n' order by t.name) as fix
    from pg_catalog.pg_subscription s
    join pg_catalog.pg_roles r on r.oid = s.subowner
    join pg_catalog.pg_subscription_rel l on l.srsubid = s.oid
    join tenant_internal.doctor_tables t on t.relation = l.srrelid
    -- Also one that applies as the tables' owner: it stops at the first row, but a TRUNCATE is checked as its own.
    where (r.rolsuper or r.rolbypassrls)
        and not exists (select from pg_catalog.pg_trigger g
            where g.tgrelid = t.relation and g.tgfoid = 'tenant.refuse_truncate()'::regprocedure and g.tgenabled = 'A'
                and g.tgtype & 32 <> 0)
    group by s.oid, s.subname;
comment on view tenant_internal.finding_t114 is 'A subscription can truncate protected tables';

create view tenant_internal.finding_t115 as
    select 'T115' as code, 'error' as level,
        f.object,
        format('publication %s sends TRUNCATE of protected tables', f.object) as problem,
        'Where it is applied to a table that other tenants are in as well, it removes their rows too; a row filter does not hold it back.' as why,
        format('alter publication %I set (publish = %L);', p.pubname, concat_ws(', ', case when p.pubinsert then 'insert' end,
            case when p.pubupdate then 'update' end, case when p.pubdelete then 'delete' end)) as fix
    from tenant_internal.finding_t071 f join pg_catalog.pg_publication p on p.pubname::text = f.object
    where p.pubtruncate;
comment on view tenant_internal.finding_t115 is 'A publication sends TRUNCATE of protected tables';
