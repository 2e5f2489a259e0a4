-- Findings on sealed columns.

create view tenant_internal.finding_t155 as
    select 'T155' as code, 'warn' as level,
        format('%s.%I', c.conrelid::regclass, a.attname) as object,
        format('column %I of %s was declared sealed, and rows from before were not looked at', a.attname, c.conrelid::regclass) as problem,
        'What was written in plain text before stays so.' as why,
        format('alter table %s validate constraint %I;', c.conrelid::regclass, c.conname) as fix
    from pg_constraint c
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    join pg_depend d on d.classid = 'pg_constraint'::regclass and d.objid = c.oid and d.refclassid = 'pg_proc'::regclass
        and d.refobjid = 'tenant.is_sealed(bytea)'::regprocedure
    where c.contype = 'c' and not c.convalidated;
comment on view tenant_internal.finding_t155 is 'A sealed column has rows that were not looked at';

create view tenant_internal.finding_t156 as
    select 'T156' as code, 'info' as level,
        i.indexrelid::regclass::text as object,
        format('index %s is on sealed column %I of %s', i.indexrelid::regclass, a.attname, i.indrelid::regclass) as problem,
        'The same value is sealed differently each time, so the index finds nothing and costs each write.' as why,
        format('drop index %s;', i.indexrelid::regclass) as fix
    from pg_constraint c
    join pg_depend d on d.classid = 'pg_constraint'::regclass and d.objid = c.oid and d.refclassid = 'pg_proc'::regclass
        and d.refobjid = 'tenant.is_sealed(bytea)'::regprocedure
    join pg_index i on i.indrelid = c.conrelid and c.conkey[1] = any (i.indkey)
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'c';
comment on view tenant_internal.finding_t156 is 'An index is on a sealed column';
