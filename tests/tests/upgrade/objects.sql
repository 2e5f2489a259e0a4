with members as (
    select classid, objid from pg_depend
    where refclassid = 'pg_extension'::regclass and deptype = 'e'
        and refobjid = (select oid from pg_extension where extname = 'pg_tenant')
),
rights (classid, objid, acl) as (
    select 'pg_proc'::regclass, oid, proacl from pg_proc
    union all select 'pg_class'::regclass, oid, relacl from pg_class
    union all select 'pg_type'::regclass, oid, typacl from pg_type
    union all select 'pg_namespace'::regclass, oid, nspacl from pg_namespace
)
select format('%s: rights %s', pg_describe_object(m.classid, m.objid, 0),
        (select string_agg(a::text, ' ' order by a::text) from unnest(r.acl) a))
    from members m left join rights r on r.classid = m.classid and r.objid = m.objid
union all
select format('%s: comment %s', pg_describe_object(classid, objid, 0), obj_description(objid, classid::regclass::name)) from members
union all
select format('%s: %s', p.oid::regprocedure, case p.prokind when 'a' then 'aggregate' else pg_get_functiondef(p.oid) end)
    from pg_proc p join members m on m.objid = p.oid and m.classid = 'pg_proc'::regclass
union all
select format('%s: view %s %s', c.oid::regclass, c.reloptions, pg_get_viewdef(c.oid))
    from pg_class c join members m on m.objid = c.oid and m.classid = 'pg_class'::regclass where c.relkind = 'v'
union all
select format('%s: kind %s persistence %s security %s %s options %s', c.oid::regclass, c.relkind, c.relpersistence, c.relrowsecurity,
        c.relforcerowsecurity, c.reloptions)
    from pg_class c join members m on m.objid = c.oid and m.classid = 'pg_class'::regclass
union all
select format('%s: column %s %s %s %s %s not null %s collation %s default %s rights %s', a.attrelid::regclass,
        row_number() over (partition by a.attrelid order by a.attnum), a.attname, format_type(a.atttypid, a.atttypmod),
        a.attgenerated, a.attidentity, a.attnotnull, a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid),
        (select string_agg(r::text, ' ' order by r::text) from unnest(a.attacl) r))
    from pg_attribute a join members m on m.objid = a.attrelid and m.classid = 'pg_class'::regclass
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped
union all
select format('%s: constraint %s %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
    from pg_constraint k join members m on m.objid = k.conrelid and m.classid = 'pg_class'::regclass
union all
select format('%s: index %s', i.indrelid::regclass, pg_get_indexdef(i.indexrelid))
    from pg_index i join members m on m.objid = i.indrelid and m.classid = 'pg_class'::regclass
union all
select format('%s: trigger %s enabled %s', t.tgrelid::regclass, pg_get_triggerdef(t.oid), t.tgenabled)
    from pg_trigger t join members m on m.objid = t.tgrelid and m.classid = 'pg_class'::regclass where not t.tgisinternal
union all
select format('%s: policy %s %s %s %s using %s check %s', p.polrelid::regclass, p.polname, p.polcmd, p.polpermissive, p.polroles,
        pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    from pg_policy p join members m on m.objid = p.polrelid and m.classid = 'pg_class'::regclass
union all
select format('dumped: %s where %s', c::regclass, w) from pg_extension, unnest(extconfig, extcondition) e (c, w) where extname = 'pg_tenant'
union all
select format('sequence %s: %s %s %s %s', seqrelid::regclass, seqtypid::regtype, seqstart, seqincrement, seqcycle)
    from pg_sequence s join members m on m.objid = s.seqrelid
