-- Tables of one shape in every kind, with an index of each access method, and functions as an attacker would write them.
create table vaults (
    tenant_id text, id int, note text, kind text, email text, amount int, rank int, tags text[], area polygon,
    primary key (tenant_id, id, rank));
create index on vaults (rank);
create index on vaults (note);
create index on vaults using hash (email);
create index on vaults using brin (amount) with (pages_per_range = 1);
create index on vaults using gin (tags);
create index on vaults using gist (area);
create table chests (like vaults including all); -- those who are watched have nothing in it
create table safes (like vaults including all);
alter table safes alter tenant_id type uuid using null, alter note type uuid using null, alter kind type uuid using null;
create table tills (like vaults including all);
alter table tills alter tenant_id type bigint using null, alter note type bigint using null, alter kind type bigint using null;
create table ranged (like vaults including all) partition by range (rank);
create table ranged_low partition of ranged for values from (minvalue) to (20);
create table ranged_rest partition of ranged default;
create table hashed (like vaults including all) partition by hash (tenant_id);
create table hashed_0 partition of hashed for values with (modulus 2, remainder 0);
create table hashed_1 partition of hashed for values with (modulus 2, remainder 1);
create table heirs (like vaults including all);
create table late_heirs (primary key (tenant_id, id, rank)) inherits (heirs);
create table coffers (like vaults); -- some rows of which are everybody's, the same in both worlds
alter table coffers alter tenant_id drop not null, add unique (tenant_id, id, rank);
create index on coffers (rank);
create index on coffers (tenant_id, note);
create index on coffers (note);
create index on coffers using hash (email);
create index on coffers using gin (tags);
-- Reached by membership: whose a row is, its first column says.
create table folk (like vaults including all, key text generated always as (tenant_id || '/' || id) stored unique);
create table belongs (tenant_id text, key text, primary key (tenant_id, key));
create view shown with (security_barrier = true) as select * from vaults;
create view lent with (security_invoker = true) as select * from vaults;

-- What is said is said of one tenant; a call counts itself in a setting, which the tenant reads afterwards.
create function counts() returns boolean language plpgsql cost 0.0001 as
    $$ begin perform set_config('evil.n', (current_setting('evil.n')::int + 1)::text, true); return true; end $$;
create function tick() returns boolean language plpgsql cost 0.0001 as 'begin return counts(); end';
create function tock() returns boolean language plpgsql cost 2 as 'begin return counts(); end';
create function toll() returns boolean language plpgsql cost 10000 as 'begin return counts(); end';
create function slow(value text) returns text language plpgsql stable parallel safe cost 10000 as 'begin return value; end';
-- The planner may ask what is said to be stable, if it knows what is asked: then the calls are counted apart.
create function mail(value text, counter text) returns text language plpgsql stable as
    $$ begin perform set_config(counter, (current_setting(counter)::int + 1)::text, true); return value; end $$;
create function num(value int, counter text) returns int language plpgsql stable as
    'begin perform mail(null, counter); return value; end';
create function spot(value int, counter text) returns point language plpgsql stable as
    'begin perform mail(null, counter); return point(value, value); end';
create function place(value tid, counter text) returns tid language plpgsql stable as
    'begin perform mail(null, counter); return value; end';
-- Tells the truth so many times.
create function lie(honest text, other text, times int) returns text language plpgsql stable as $$ begin
    perform set_config('evil.l', (current_setting('evil.l')::int + 1)::text, true);
    return case when current_setting('evil.l')::int > times then other else honest end;
end $$;
create function caught(whose text, value text) returns boolean language plpgsql parallel safe cost 0.0001 as $$ begin
    if whose <> coalesce(tenant.current_id(), '') then raise notice '% has %', whose, value; end if;
    return true;
end $$;
create operator == (function = texteq, leftarg = text, rightarg = text);
create function of_tenant(t text) returns setof vaults language sql stable as 'select * from vaults where tenant_id = t';
