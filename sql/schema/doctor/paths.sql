-- Findings on what reads and writes as somebody else: views, functions, rules, triggers.

create view tenant_internal.finding_t060 as
    select 'T060' as code, case when v.owner in (select role from tenant_internal.doctor_exempt) then 'error' else 'warn' end as level,
        v.name as object,
        format('view %s reads protected table %s with the rights of its owner %s', v.name, v.reads, v.owner::regrole) as problem,
        'Whoever may read the view needs no right on the table, and where the owner bypasses policies, statements through it are refused or see all tenants.' as why,
        format('alter view %s set (security_invoker = true);', v.name) as fix
    from tenant_internal.doctor_readers v
    where v.relkind = 'v' and not exists (select from unnest(v.reloptions) o (setting)
        where lower(o.setting) in ('security_invoker=true', 'security_invoker=on', 'security_invoker=yes', 'security_invoker=1'));
comment on view tenant_internal.finding_t060 is 'A view reads a protected table with its owner''s rights';

create view tenant_internal.finding_t061 as
    select 'T061' as code, 'warn' as level,
        c.oid::regclass::text as object,
        format('view %s filters by context and is no security barrier', c.oid::regclass) as problem,
        'PostgreSQL may run a function of the query''s WHERE clause before the view''s filter: it then sees the rows that the view hides.' as why,
        format('alter view %s set (security_barrier = true);', c.oid::regclass) as fix
    from pg_catalog.pg_class c
    where c.relkind = 'v' and c.oid >= 16384 and c.relnamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace)
        and not exists (select from unnest(c.reloptions) o (setting)
            where lower(o.setting) in ('security_barrier=true', 'security_barrier=on', 'security_barrier=yes', 'security_barrier=1'))
        and not exists (select from pg_catalog.pg_depend e
            where e.classid = 'pg_catalog.pg_class'::regclass and e.objid = c.oid and e.deptype = 'e')
        and pg_catalog.pg_get_viewdef(c.oid) ~ 'WHERE.*\m(current_setting|current_id|current_uuid|current_bigint)\(';
comment on view tenant_internal.finding_t061 is 'A view that filters by context is no security barrier';

create view tenant_internal.finding_t062 as
    select 'T062' as code, 'error' as level,
        v.name as object,
        format('materialized view %s holds rows of protected table %s', v.name, v.reads) as problem,
        'A materialized view has no policies: whoever may read it reads every tenant''s rows.' as why,
        format('drop materialized view %s;', v.name) as fix
    from tenant_internal.doctor_readers v
    where v.relkind = 'm' and v.relation not in (select relation from tenant.shared);
comment on view tenant_internal.finding_t062 is 'A materialized view holds rows of protected tables';

create view tenant_internal.finding_t063 as
    select 'T063' as code,
        case when exists (select from unnest(p.proconfig) o (setting) where o.setting like 'search\_path=%') then 'warn' else 'error' end as level,
        p.oid::regprocedure::text as object,
        format('the application may call %s, which runs as %s, %s%s', p.oid::regprocedure, x.rolname, x.how,
            case when not exists (select from unnest(p.proconfig) o (setting) where o.setting like 'search\_path=%')
                then ', with the caller''s search_path' end) as problem,
        'Inside it no policy applies. Without a search_path of its own the caller decides which functions and operators it finds.' as why,
        string_agg(distinct format('revoke execute on routine %s from %s;', p.oid::regprocedure,
            case g.grantee when 0 then 'public' else g.grantee::regrole::text end), E'\n') as fix
    from pg_catalog.pg_proc p
    join tenant_internal.doctor_exempt x on x.role = p.proowner
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    where p.prosecdef and p.oid >= 16384
        and g.grantee <> p.proowner and (g.grantee = 0 or g.grantee in (select role from tenant_internal.doctor_reached))
        and not exists (select from pg_catalog.pg_depend e
            where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')
    group by p.oid, x.rolname, x.how;
comment on view tenant_internal.finding_t063 is 'The application calls functions that bypass policies';

create view tenant_internal.finding_t064 as
    select 'T064' as code, case when c.relowner in (select role from tenant_internal.doctor_exempt) then 'error' else 'warn' end as level,
        format('%s.%I', r.ev_class::regclass, r.rulename) as object,
        format('rule %I on %s acts on protected table %s', r.rulename, r.ev_class::regclass, min(t.name)) as problem,
        'The actions of a rule run with the rights of the owner of its table, not of who wrote the statement.' as why,
        format('drop rule %I on %s;', r.rulename, r.ev_class::regclass) as fix
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_class c on c.oid = r.ev_class
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
        and d.refclassid = 'pg_catalog.pg_class'::regclass
    join tenant_internal.doctor_tables t on t.relation = d.refobjid
    where r.rulename <> '_RETURN'
    group by r.ev_class, r.rulename, c.relowner;
comment on view tenant_internal.finding_t064 is 'A rule acts on a protected table';

-- Triggers of users on protected tables, and their functions.
create view tenant_internal.doctor_triggers as
    select t.name, t.owner as table_owner, g.tgname, g.tgtype, g.tgenabled, p.oid as function, p.oid::regprocedure::text as function_name,
        p.prosecdef, p.proowner, p.proconfig
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_trigger g on g.tgrelid = t.relation and not g.tgisinternal and g.tgparentid = 0
    join pg_catalog.pg_proc p on p.oid = g.tgfoid
    where t.relhastriggers;

create view tenant_internal.finding_t065 as
    select 'T065' as code, case when g.proowner in (select role from tenant_internal.doctor_exempt) then 'error' else 'warn' end as level,
        format('%s.%I', g.name, g.tgname) as object,
        format('trigger %I on protected table %s runs %s with the rights of %s', g.tgname, g.name, g.function_name, g.proowner::regrole) as problem,
        'It writes where the tenant may not, tables that are not protected among them; where its owner bypasses policies, into other tenants'' rows.' as why,
        format('alter function %s security invoker;', g.function_name) as fix
    from tenant_internal.doctor_triggers g where g.prosecdef;
comment on view tenant_internal.finding_t065 is 'A trigger on a protected table runs with other rights';

create view tenant_internal.finding_t066 as
    select 'T066' as code, 'error' as level,
        format('%s.%I', g.name, g.tgname) as object,
        format('trigger %I on protected table %s runs %s, which application role %s can replace', g.tgname, g.name, g.function_name, r.application) as problem,
        'Code that the application puts into the function runs in the sessions of every tenant.' as why,
        format('alter function %s owner to %s;', g.function_name, g.table_owner::regrole) as fix
    from tenant_internal.doctor_triggers g join tenant_internal.doctor_reached r on r.role = g.proowner;
comment on view tenant_internal.finding_t066 is 'A trigger runs a function that the application can replace';

create view tenant_internal.finding_t108 as
    select 'T108' as code, 'warn' as level,
        format('%s.%I', g.name, g.tgname) as object,
        format('trigger %I on protected table %s runs %s, which %s', g.tgname, g.name, g.function_name,
            case p.prosrc when 'lo_manage' then 'removes large objects' else 'notifies on a channel that all tenants share' end) as problem,
        'It is written in C, so the guards on functions do not see it at work in a tenant''s transaction.' as why,
        format('drop trigger %I on %s;', g.tgname, g.name) as fix
    from tenant_internal.doctor_triggers g
    join pg_catalog.pg_proc p on p.oid = g.function
    join pg_catalog.pg_language l on l.oid = p.prolang and l.lanname = 'c'
    where p.prosrc in ('triggered_change_notification', 'lo_manage');
comment on view tenant_internal.finding_t108 is 'A trigger in C does what a tenant may not';

create view tenant_internal.finding_t068 as
    select 'T068' as code, case when e.extname is null then 'error' else 'info' end as level,
        p.oid::regprocedure::text as object,
        format('function %s is declared LEAKPROOF%s', p.oid::regprocedure, ' by extension ' || e.extname) as problem,
        'PostgreSQL runs it before the policy, on rows of every tenant: an error, a message or a side effect of it tells of them.' as why,
        format('alter function %s not leakproof;', p.oid::regprocedure) as fix
    from pg_catalog.pg_proc p
    left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
    left join pg_catalog.pg_extension e on e.oid = d.refobjid
    where p.proleakproof and p.oid >= 16384 and coalesce(e.extname, '') <> 'pg_tenant';
comment on view tenant_internal.finding_t068 is 'A function is declared leakproof';

create view tenant_internal.finding_t069 as
    select 'T069' as code, 'error' as level,
        t.evtname::text as object,
        format('event trigger %I runs %s, which %s can replace, in the sessions of others', t.evtname, p.oid::regprocedure, p.proowner::regrole) as problem,
        'It runs with the rights of whoever issues the command or logs in, superusers among them.' as why,
        format('alter function %s owner to %s;', p.oid::regprocedure, t.evtowner::regrole) as fix
    from pg_catalog.pg_event_trigger t
    join pg_catalog.pg_proc p on p.oid = t.evtfoid
    join pg_catalog.pg_roles r on r.oid = p.proowner
    where t.evtenabled <> 'D' and not r.rolsuper;
comment on view tenant_internal.finding_t069 is 'An event trigger runs a function that an ordinary role can replace';

create view tenant_internal.finding_t110 as
    select distinct on (g.oid) 'T110' as code, 'warn' as level,
        format('%s.%I', g.tgrelid::regclass, g.tgname) as object,
        format('trigger %I on %s runs when the registry changes: foreign key %I follows tenant.tenants', g.tgname, g.tgrelid::regclass, f.conname) as problem,
        'It runs with the rights of whoever changes the registry, a superuser among them, and its owner decides what it does.' as why,
        format('alter table %s drop constraint %I;', f.conrelid::regclass, f.conname) as fix
    from pg_catalog.pg_constraint f
    join pg_catalog.pg_trigger g on g.tgrelid = f.conrelid and not g.tgisinternal
    join pg_catalog.pg_class c on c.oid = f.conrelid
    join pg_catalog.pg_roles r on r.oid = c.relowner
    where f.contype = 'f' and f.confrelid = 'tenant.tenants'::regclass and f.conparentid = 0 and not r.rolsuper
        -- An id never changes, and no row is deleted: what is left is the slug, and a registry whose own triggers are
        -- off.
        and (f.confupdtype in ('c', 'n', 'd') or f.confdeltype in ('c', 'n', 'd'))
    order by g.oid, f.conname;
comment on view tenant_internal.finding_t110 is 'A trigger runs when the registry changes';

create view tenant_internal.finding_t118 as
    select 'T118' as code, 'info' as level,
        format('%s.%I', l.relation, l.key_column) as object,
        case when e.why is not null
            then format('the lookup of tenants by column %I of %s has ended, and can be taken back: %s', l.key_column, l.relation, e.why)
            else format('tenants are looked up by column %I of %s with no tenant entered: %s', l.key_column, l.relation, l.reason) end as problem,
        'Whoever may enter tenants learns whether a value that it guesses is there, in which tenant, and in which row.' as why,
        case when e.why is not null then format('select tenant.disallow_lookup(%L, %L, %L);', l.relation, l.key_column, 'it has ended') end as fix
    from tenant.lookups l
    cross join lateral (select tenant_internal.lookup_ended(l) as why) e
    where exists (select from pg_catalog.pg_class c where c.oid = l.relation);
comment on view tenant_internal.finding_t118 is 'Tenants are looked up by a key';
