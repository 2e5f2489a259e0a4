-- A row of each tenant in every table.

-- By table, the row of each tenant, {"<tenant id>": {...}}, and of nobody, {"nobody": {...}}; or why there is none,
-- {"why": "..."}. Null where the table is none of them. A table waits for those that it refers to: they are gone
-- through again and again while a row was planted, then once more without waiting.
create function tenant_internal.plant_all(needed regclass[], a text, b text, keyed_by text) returns jsonb
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    planted jsonb;
    part record;
    one jsonb;
    two jsonb;
    progress boolean;
    patient boolean := true;
    seed integer := 1000;
    replication_role constant text := current_setting('session_replication_role');
begin
    perform set_config('session_replication_role', 'replica', true);
    planted := (select jsonb_object_agg(p.relation::text, null) from tenant_internal.provable() p where p.relation = any (needed));
    -- Those who are members come first: a row of the join table that refers to one of them is a membership.
    for part in select r as relation from unnest(needed) r where tenant_internal.membership_through(r) is not null order by r::text loop
        seed := seed + 2;
        one := tenant_internal.plant(part.relation, null, a, seed, coalesce(planted, '{}'), false);
        two := tenant_internal.plant(part.relation, null, b, seed + 1, coalesce(planted, '{}'), false);
        planted := coalesce(planted, '{}') || jsonb_build_object(part.relation::text,
            case when one ? 'row' and two ? 'row' then jsonb_build_object(a, one -> 'row', b, two -> 'row')
                else jsonb_build_object('why', coalesce(one ->> 'why', two ->> 'why')) end);
    end loop;
    loop
        progress := false;
        for part in
            select p.relation, p.tenant_column, p.tenant_type from tenant_internal.provable() p
            where p.kind <> 'partition' and planted -> p.relation::text = 'null' order by p.relation::text
        loop
            if part.tenant_type <> 'text' and not part.tenant_type like 'character varying%'
                and (part.tenant_type = 'uuid') <> (keyed_by = 'uuid') then
                planted := planted || jsonb_build_object(part.relation::text, jsonb_build_object('why', format(
                    'keyed by %s: select * from tenant.prove(keyed_by => %L)', part.tenant_type, part.tenant_type)));
                progress := true;
                continue;
            end if;
            seed := seed + 3;
            one := tenant_internal.plant(part.relation, part.tenant_column, a, seed, planted, patient);
            continue when one ? 'wait';
            progress := true;
            two := tenant_internal.plant(part.relation, part.tenant_column, b, seed + 1, planted, patient);
            planted := planted || jsonb_build_object(part.relation::text,
                case when one ? 'row' and two ? 'row' then jsonb_build_object(a, one -> 'row', b, two -> 'row')
                        || case when tenant_internal.has_shared_rows(part.relation) then jsonb_build_object('nobody',
                            tenant_internal.plant(part.relation, part.tenant_column, null, seed + 2, planted, false) -> 'row') else '{}' end
                    else jsonb_build_object('why', coalesce(one ->> 'why', two ->> 'why')) end);
        end loop;
        exit when not progress and not patient;
        patient := progress;
    end loop;
    perform set_config('session_replication_role', replication_role, true);
    return planted;
end
$$;
revoke all on function tenant_internal.plant_all(regclass[], text, text, text) from public;
