-- Keeping the journal: its months are made ahead, and removed when they are older than was said.

create function tenant.maintain_journal(ahead integer default 2) returns table (month date, done text)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    this constant date := tenant_internal.month_of(now());
    wanted date;
begin
    if ahead is null or ahead not between 0 and 120 then
        raise exception using
            errcode = 'TN156',
            message = format('%s months ahead are not made', coalesce(ahead::text, 'null')),
            detail = 'From 0 to 120 are.',
            hint = 'select * from tenant.maintain_journal(); makes two.';
    end if;
    for wanted in select (this + make_interval(months => n))::date from generate_series(0, ahead) n loop
        if tenant_internal.journal_part(wanted) is null then
            return query select wanted, case when tenant_internal.make_journal_part(wanted) then 'made' else 'waits' end;
        end if;
    end loop;
end
$$;
comment on function tenant.maintain_journal is 'Makes the journal''s parts for this month and those ahead. Waits for nobody, and nobody for it: where a part cannot be made now, it says that it waits.';
revoke all on function tenant.maintain_journal(integer) from public;
grant execute on function tenant.maintain_journal(integer) to tenant_admin;
