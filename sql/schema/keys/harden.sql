-- tenant.hardening() shows the steps of hardening, and apply_hardening takes them.

create function tenant.hardening(rel regclass, harden tenant.key_form default 'true', keep_old_keys boolean default false,
        tenant_column name default null)
    returns table (step bigint, relation regclass, statement text, why text, changes text)
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    col pg_attribute;
begin
    -- A table that is reached by membership has no tenant column.
    if tenant_internal.membership_through(rel) is not null then
        return;
    end if;
    if tenant_internal.fence_policy(rel) is null then
        if tenant_column is null then
            raise exception using
                errcode = 'TN028',
                message = format('table %s is not protected', rel),
                detail = 'Its keys can contain the tenant once it says which column that is.',
                hint = format('First: select tenant.protect(%L); or, before that: select * from tenant.hardening(%1$L, tenant_column => ''...'');', rel);
        end if;
        select * into col from pg_attribute a where a.attrelid = rel and a.attname = tenant_column and a.attnum > 0 and not a.attisdropped;
        if not found then
            raise exception using
                errcode = 'TN021',
                message = format('table %s has no column "%s"', rel, tenant_column),
                detail = 'Keys get the column that says which tenant a row belongs to.',
                hint = 'Name the column that does.';
        elsif not col.attnotnull then
            raise exception using
                errcode = 'TN024',
                message = format('column "%s" of table %s may be null', tenant_column, rel),
                detail = 'A foreign key does not look at a row whose tenant is null.',
                hint = format('First: alter table %s alter column %I set not null;', rel, tenant_column);
        end if;
    end if;
    return query select row_number() over (), p.relation, p.statement, p.why, p.changes
        from tenant_internal.plan_hardening(rel, true, harden, keep_old_keys, tenant_column) p where harden <> 'false';
end
$$;
comment on function tenant.hardening is 'The statements that put the tenant column first in the keys of the table, in order, each to be run alone, and what applications then have to write differently. No rows where there is nothing to do; a row without a statement says what stays as it is, and why.';
revoke all on function tenant.hardening(regclass, tenant.key_form, boolean, name) from public;
grant execute on function tenant.hardening(regclass, tenant.key_form, boolean, name) to tenant_admin;

-- Called by tenant.protect, which has turned the guards off.
create function tenant_internal.apply_hardening(rel regclass, form tenant.key_form, keep_old_keys boolean) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    step record;
    fk oid;
    across bigint;
    done jsonb := '[]';
    messages constant text := current_setting('client_min_messages');
begin
    perform tenant_internal.require_owner(rel);
    for step in select * from tenant_internal.plan_hardening(rel, false, form, keep_old_keys, null) loop
        if step.statement is null then
            if step.obstacle is not null then
                raise exception using
                    errcode = (step.obstacle).code,
                    message = format('cannot harden %s: %s', rel, (step.obstacle).problem),
                    detail = (step.obstacle).reason,
                    hint = case (step.obstacle).code when 'TN085' then 'create extension btree_gist;'
                        else 'Change that key first, or protect without harden => true.' end;
            end if;
            raise notice using message = step.why, hint = case when step.unprotected is not null
                then 'Protect the other table with harden => true: that completes both.' else 'Nothing is to be done.' end;
            continue;
        end if;
        begin
            if messages not in ('warning', 'error') then
                perform set_config('client_min_messages', 'warning', true); -- that an index takes its name is no news
            end if;
            if step.foreign_keys = '{}' then
                perform tenant_internal.run_as_owner(step.relation, step.statement);
            else
                perform tenant_internal.run_validation(step.relation, step.statement);
            end if;
            perform set_config('client_min_messages', messages, true);
        exception when foreign_key_violation then
            foreach fk in array step.foreign_keys loop
                across := tenant_internal.count_across(fk);
                if across > 0 or array_length(step.foreign_keys, 1) = 1 then
                    raise exception using
                        errcode = 'TN087',
                        message = format('cannot harden %s: %s rows of table %s refer to rows of another tenant', rel,
                            coalesce(across::text, 'some'), (select conrelid::regclass from pg_constraint where oid = fk)),
                        detail = format('The foreign key is %I.', (select conname from pg_constraint where oid = fk)),
                        hint = format('As a superuser: %s;', tenant_internal.references_across(fk));
                end if;
            end loop;
            raise;
        end;
        done := done || to_jsonb(step.statement);
    end loop;
    if done <> '[]' then
        insert into tenant.journal (action, object, detail) values ('harden', rel::text, jsonb_build_object('statements', done));
    end if;
end
$$;
revoke all on function tenant_internal.apply_hardening(regclass, tenant.key_form, boolean) from public;
grant execute on function tenant_internal.apply_hardening(regclass, tenant.key_form, boolean) to tenant_admin;
