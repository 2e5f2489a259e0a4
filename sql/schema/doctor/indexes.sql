-- Findings on indexes of protected tables: missing, of no use under the policy, or scoring over all tenants.

create view tenant_internal.finding_t095 as
    select 'T095' as code, 'warn' as level,
        t.name as object,
        format('no index of protected table %s leads with %I', t.name, t.tenant_column_name) as problem,
        'Every statement of a tenant reads all tenants'' rows, and takes as long as there are of them.' as why,
        format('create index on %s (%I);', t.name, t.tenant_column_name) as fix
    from tenant_internal.doctor_tables t
    where t.tenant_column is not null and not exists (select from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
        join pg_catalog.pg_am am on am.oid = c.relam
        where i.indrelid = t.relation and i.indisvalid and i.indpred is null and am.amname = 'btree' and i.indkey[0] = t.tenant_column);
comment on view tenant_internal.finding_t095 is 'No index leads with the tenant column';

-- Indexes of protected tables that do not lead with the tenant column: the method, and which key columns have an
-- operator that may run before the policy.
create view tenant_internal.doctor_other_indexes as
    select t.relation, t.name, t.tenant_column, t.tenant_column_name, i.indexrelid as index, i.indexrelid::regclass::text as index_name,
        am.amname, i.indisunique or i.indisexclusion as is_key, i.indkey::int2[] as columns, i.indnkeyatts,
        i.indpred is null and i.indexprs is null as plain,
        l.leakproof,
        (select string_agg(quote_ident(a.attname), ', ' order by n.nth)
            from unnest(i.indkey::int2[]) with ordinality n (attnum, nth)
            join pg_catalog.pg_attribute a on a.attrelid = t.relation and a.attnum = n.attnum
            where n.nth <= i.indnkeyatts) as column_names
    from tenant_internal.doctor_tables t
    join pg_catalog.pg_index i on i.indrelid = t.relation and i.indisvalid
    join pg_catalog.pg_class c on c.oid = i.indexrelid and not c.relispartition
    join pg_catalog.pg_am am on am.oid = c.relam
    cross join lateral (
        select coalesce(bool_and(exists (
            select from pg_catalog.pg_amop o join pg_catalog.pg_operator op on op.oid = o.amopopr
            join pg_catalog.pg_proc p on p.oid = op.oprcode
            where o.amopfamily = oc.opcfamily and o.amoplefttype = oc.opcintype and o.amoppurpose = 's' and p.proleakproof)), false) as leakproof
        from unnest(i.indclass::oid[]) k (class) join pg_catalog.pg_opclass oc on oc.oid = k.class
    ) l
    where i.indkey[0] <> t.tenant_column;

create view tenant_internal.finding_t096 as
    select 'T096' as code, 'info' as level,
        x.index_name as object,
        format('%s index %s of protected table %s cannot be used under the policy', x.amname, x.index_name, x.name) as problem,
        'PostgreSQL runs only leakproof operators before a policy, and those of this index are not: it reads the tenant''s rows and filters them instead.' as why,
        null::text as fix
    from tenant_internal.doctor_other_indexes x
    where not x.leakproof and not x.is_key and x.amname not in ('bm25', 'hnsw', 'ivfflat', 'diskann', 'vchordrq', 'vchordg', 'rum', 'pgroonga', 'zombodb');
comment on view tenant_internal.finding_t096 is 'An index is of no use under the policy';

create view tenant_internal.finding_t097 as
    select 'T097' as code, 'info' as level,
        x.index_name as object,
        format('index %s of protected table %s holds all tenants'' rows by (%s)', x.index_name, x.name, x.column_names) as problem,
        'A look-up finds other tenants'' entries before the policy drops them: it takes longer the more of them there are, which can be measured.' as why,
        format(E'create index on %s (%I, %s);\ndrop index %s;', x.name, x.tenant_column_name, x.column_names, x.index_name) as fix
    from tenant_internal.doctor_other_indexes x
    where x.amname = 'btree' and x.leakproof and x.plain and not x.is_key and x.tenant_column <> all (x.columns);
comment on view tenant_internal.finding_t097 is 'An index does not lead with the tenant column';

create view tenant_internal.finding_t098 as
    select 'T098' as code, 'warn' as level,
        x.index_name as object,
        format('%s index %s of protected table %s ranks over the rows of all tenants', x.amname, x.index_name, x.name) as problem,
        'Scores rest on word counts or neighbours of every tenant: they tell of the others'' rows, and a tenant gets fewer results than it has.' as why,
        null::text as fix
    from tenant_internal.doctor_other_indexes x
    where x.amname in ('bm25', 'hnsw', 'ivfflat', 'diskann', 'vchordrq', 'vchordg', 'rum', 'pgroonga', 'zombodb');
comment on view tenant_internal.finding_t098 is 'A search index ranks over all tenants';
