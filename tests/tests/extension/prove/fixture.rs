//! A shop: references, checks, generated columns, partitions, inheritance, views; and what its proof says.

use pg_tenant_tests::{Database, Session, database};

pub const SHOP: &str = "create table countries (code char(2) primary key);
    create type state as enum ('new', 'paid');
    create domain mail as text check (value like '%@%');
    create table customers (tenant_id uuid, id int generated always as identity primary key, email mail not null unique,
        country char(2) not null references countries, referred_by int references customers on delete set null,
        born date not null check (born > '1900-01-01'), lower_mail text generated always as (lower(email)) stored);
    create table orders (tenant_id uuid, id bigserial primary key, customer int not null references customers on delete cascade,
        state state not null, total numeric(8,2) not null check (total > 10), tags text[] not null, note jsonb not null);
    create table lines (tenant_id uuid, \"order\" bigint references orders, no smallint, qty int not null check (qty between 5 and 6),
        primary key (\"order\", no), period int4range not null);
    create table events (tenant_id uuid, at timestamptz not null, kind varchar(3) not null check (kind in ('in', 'out')), id uuid,
        primary key (id, at)) partition by range (at);
    create table events_24 partition of events for values from ('2024-01-01') to ('2025-01-01');
    create table events_25 partition of events for values from ('2025-01-01') to ('2026-01-01');
    create table people (tenant_id text not null, name text not null);
    create table staff (badge int not null) inherits (people);
    create view open_orders with (security_invoker) as select id, total from orders where total > 0;
    create view totals as select count(*) as n from orders;";

/// A database with [`SHOP`], protected, with a tenant that has rows.
pub async fn shop(name: &str, harden: bool) -> (Database<'static>, Session) {
    let db = database(name).await;
    db.admin().await.run("select tenant.create('cccccccc-0000-4000-8000-00000000000c')").await;
    let owner = db.protector().await;
    owner.run(SHOP).await;
    owner
        .run(&format!(
            "insert into countries values ('de');
             insert into customers (tenant_id, email, country, born) values ('cccccccc-0000-4000-8000-00000000000c', 'c@c', 'de', '2000-01-01');
             select tenant.protect_schema('public', harden => {harden})"
        ))
        .await;
    let boss = db.superuser().await;
    (db, boss)
}

/// Relation, path, what came out, of the rows that this condition holds for.
pub async fn proof(boss: &Session, call: &str, condition: &str) -> Vec<String> {
    let sql = format!("select format('%s: %s: %s', relation, path, got) from tenant.prove({call}) where {condition}");
    boss.rows(&sql).await.into_iter().flatten().flatten().collect()
}
