-- A schema at once: what became of each table, what is protected and how, and back.
\set SHOW_CONTEXT never
create schema shop;
create table shop.orders (company uuid not null, id int, primary key (company, id));
create table shop.items (company uuid default gen_random_uuid(), id int);
create table shop.events (company uuid, at date) partition by range (at);
create table shop.events_2025 partition of shop.events for values from ('2025-01-01') to ('2026-01-01');
create table shop.countries (code text primary key);
create table shop.settings (name text primary key);
select tenant.share('shop.countries', 'lookup table, same for everyone');

select relation, result from tenant.protect_schema('shop', tenant_column => 'company');
select relation, result from tenant.protect_schema('shop', tenant_column => 'company');
select relation, kind, parent, tenant_column, tenant_type, policy, enforced, index from tenant.protected_tables
    order by relation::text;
select relation, reason from tenant.shared;
\d shop.items

create table shop.events_2026 partition of shop.events for values from ('2026-01-01') to ('2027-01-01');

-- What is in the way.
create view shop.look as select * from shop.orders;
select tenant.protect('shop.look');
select tenant.protect('shop.settings');
select tenant.protect('shop.settings', tenant_column => 'name');
select tenant.protect('shop.events_2026', tenant_column => 'company');
select tenant.unprotect('shop.items', '');
select tenant.unprotect('shop.items', 'moved to another database');
select action, object, reason from tenant.journal where action in ('unprotect', 'share') order by id;
