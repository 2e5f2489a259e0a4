-- Findings on the journal.

create view tenant_internal.finding_t128 as
    select 'T128' as code, 'warn' as level,
        'tenant.journal' as object,
        'lines of the journal have waited for their seal for more than a day' as problem,
        'A line that was not sealed can be changed or removed by a superuser, and nothing shows it.' as why,
        'select * from tenant.seal_journal();' as fix
    where tenant_internal.has_unsealed(now() - interval '1 day');
comment on view tenant_internal.finding_t128 is 'The journal was not sealed for a day';

create view tenant_internal.finding_t129 as
    select 'T129' as code, 'error' as level,
        p.part::text as object,
        format('changes of %s are not journalled, though %s is audited', p.part, a.relation) as problem,
        'A trigger that writes the journal is gone or disabled: what statements change there leaves no line.' as why,
        format('select tenant.audit(%L, columns => %L, secret => %L);', a.relation, a.columns, a.secret) as fix
    from tenant.audited a
    join pg_catalog.pg_class root on root.oid = a.relation
    cross join lateral tenant_internal.hierarchy(a.relation) p (part)
    join pg_catalog.pg_class c on c.oid = p.part and c.relkind in ('r', 'p')
    where (select count(*) from pg_catalog.pg_trigger t
        where t.tgrelid = p.part and t.tgfoid = 'tenant_internal.audit_change()'::regprocedure and t.tgenabled in ('O', 'A')) < 4;
comment on view tenant_internal.finding_t129 is 'An audited table''s triggers are gone or disabled';

create view tenant_internal.finding_t130 as
    select 'T130' as code, 'warn' as level,
        'tenant.journal' as object,
        format('the journal has no part for %s', to_char(m.month, 'YYYY-MM')) as problem,
        'Lines of months without a part stand together in one, from which they are removed row by row; and while it is written, parts cannot be made.' as why,
        'select * from tenant.maintain_journal();' as fix
    from (select (tenant_internal.month_of(now()) + interval '1 month')::date) m (month)
    where tenant_internal.journal_part(m.month) is null;
comment on view tenant_internal.finding_t130 is 'The journal''s next month has no part';
