-- Domains of a tenant's own, which lead to it once somebody has proved that they are the tenant's.

create table tenant.domains (
    domain text collate "C" check (length(domain) <= 253
        and domain ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$'),
    tenant_id text collate "C" not null,
    token text not null,
    added_at timestamptz not null default now(),
    verified_at timestamptz,
    primary key (domain, tenant_id)
);
comment on table tenant.domains is 'Domains that tenants say are theirs; the one whose proof was seen has it.';
-- Many may ask for a domain, and one has it.
create unique index domains_verified on tenant.domains (domain) where verified_at is not null;
create index on tenant.domains (tenant_id);
grant select on tenant.domains to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.domains', '');

create function tenant_internal.refuse_domain(id text, domain text, why text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'TN135',
        message = format('tenant "%s" cannot have the domain %s', id, quote_literal(left(domain, 80))),
        detail = why,
        hint = refuse_domain.hint;
end
$$;
revoke all on function tenant_internal.refuse_domain(text, text, text, text) from public;

create function tenant.add_domain(id text, domain text) returns text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    asked constant text := lower(rtrim(domain, '.'));
    made text;
begin
    perform tenant_internal.require_known(canonical);
    if length(asked) > 253 or asked !~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$' then
        perform tenant_internal.refuse_domain(canonical, domain, 'It is no domain name.',
            'Give the full name as DNS has it: labels of a-z 0-9 - with dots between, other letters as xn--...');
    elsif exists (select from tenant.domains d where d.domain = asked and d.tenant_id <> canonical and d.verified_at is not null) then
        perform tenant_internal.refuse_domain(canonical, asked, 'Another tenant has proved that it has it.',
            'Remove it there first: select tenant.remove_domain(...);');
    end if;
    select d.token into made from tenant.domains d where (d.domain, d.tenant_id) = (asked, canonical);
    if made is null then
        insert into tenant.domains as d (domain, tenant_id, token)
            values (asked, canonical, replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''))
            on conflict on constraint domains_pkey do update set token = d.token returning d.token into made;
        perform tenant_internal.write_journal('add_domain', canonical, null, jsonb_build_object('domain', asked));
    end if;
    return made;
end
$$;
comment on function tenant.add_domain(text, text) is 'Gives the token that proves the domain to be the tenant''s: publish it in the domain''s DNS, then call verify_domain. TN135 malformed, or another tenant''s.';
revoke all on function tenant.add_domain(text, text) from public;
grant execute on function tenant.add_domain(text, text) to tenant_admin;

create function tenant.add_domain(id uuid, domain text) returns text language sql
    begin atomic select tenant.add_domain(id::text, domain); end;
revoke all on function tenant.add_domain(uuid, text) from public;
grant execute on function tenant.add_domain(uuid, text) to tenant_admin;

create function tenant.add_domain(id bigint, domain text) returns text language sql
    begin atomic select tenant.add_domain(id::text, domain); end;
revoke all on function tenant.add_domain(bigint, text) from public;
grant execute on function tenant.add_domain(bigint, text) to tenant_admin;

create function tenant.verify_domain(id text, domain text, proof text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    asked constant text := lower(rtrim(domain, '.'));
    here tenant.domains;
begin
    select * into here from tenant.domains d where (d.domain, d.tenant_id) = (asked, canonical) for update;
    if not found then
        perform tenant_internal.refuse_domain(canonical, domain, 'It was not added.', 'select tenant.add_domain(...) gives the token.');
    elsif proof is distinct from here.token then
        perform tenant_internal.refuse_domain(canonical, asked, 'The proof is not the token that add_domain gave.',
            'Read the token from the domain''s DNS anew; records take a while to be seen everywhere.');
    elsif here.verified_at is null then
        begin
            update tenant.domains d set verified_at = now() where (d.domain, d.tenant_id) = (asked, canonical);
        exception when unique_violation then
            perform tenant_internal.refuse_domain(canonical, asked, 'Another tenant has proved that it has it.',
                'Remove it there first: select tenant.remove_domain(...);');
        end;
        perform tenant_internal.write_journal('verify_domain', canonical, null, jsonb_build_object('domain', asked));
        perform tenant_internal.tell_change();
    end if;
end
$$;
comment on function tenant.verify_domain(text, text, text) is 'The domain leads to the tenant from now on, if the proof is the token that add_domain gave. TN135 if it is not, or another tenant has the domain.';
revoke all on function tenant.verify_domain(text, text, text) from public;
grant execute on function tenant.verify_domain(text, text, text) to tenant_admin;

create function tenant.verify_domain(id uuid, domain text, proof text) returns void language sql
    begin atomic select tenant.verify_domain(id::text, domain, proof); end;
revoke all on function tenant.verify_domain(uuid, text, text) from public;
grant execute on function tenant.verify_domain(uuid, text, text) to tenant_admin;

create function tenant.verify_domain(id bigint, domain text, proof text) returns void language sql
    begin atomic select tenant.verify_domain(id::text, domain, proof); end;
revoke all on function tenant.verify_domain(bigint, text, text) from public;
grant execute on function tenant.verify_domain(bigint, text, text) to tenant_admin;

create function tenant.remove_domain(id text, domain text, reason text default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    canonical constant text := tenant.canonical_id(id);
    asked constant text := lower(rtrim(domain, '.'));
begin
    delete from tenant.domains d where (d.domain, d.tenant_id) = (asked, canonical);
    if not found then
        perform tenant_internal.refuse_domain(canonical, domain, 'It has not got it.', 'select * from tenant.domains; lists them.');
    end if;
    perform tenant_internal.write_journal('remove_domain', canonical, reason, jsonb_build_object('domain', asked)),
        tenant_internal.tell_change();
end
$$;
comment on function tenant.remove_domain(text, text, text) is 'The domain does not lead to the tenant any more. TN135 where the tenant has not got it.';
revoke all on function tenant.remove_domain(text, text, text) from public;
grant execute on function tenant.remove_domain(text, text, text) to tenant_admin;

create function tenant.remove_domain(id uuid, domain text, reason text default null) returns void language sql
    begin atomic select tenant.remove_domain(id::text, domain, reason); end;
revoke all on function tenant.remove_domain(uuid, text, text) from public;
grant execute on function tenant.remove_domain(uuid, text, text) to tenant_admin;

create function tenant.remove_domain(id bigint, domain text, reason text default null) returns void language sql
    begin atomic select tenant.remove_domain(id::text, domain, reason); end;
revoke all on function tenant.remove_domain(bigint, text, text) from public;
grant execute on function tenant.remove_domain(bigint, text, text) to tenant_admin;
