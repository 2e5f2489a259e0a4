//! Columns, keys and indexes that hold for all tenants at once.

use crate::case::{Case, by_hand, fixed, prove};

pub const CASES: &[Case] = &[
    fixed("T046", "public.t46.tenant_id", "set pg_tenant.guards = off; create table t46 (tenant_id text); select tenant.protect('t46'); alter table t46 alter column tenant_id drop not null"),
    by_hand(
        "T047",
        "public.t47.tenant_id",
        "create table t47 (tenant_id text); select tenant.protect('t47')
         do $$ begin create collation loose (provider = icu, locale = 'und', deterministic = false); exception when others then create collation loose from \"C\"; update pg_collation set collisdeterministic = false where collname = 'loose'; end $$
         update pg_attribute set attcollation = 'loose'::regcollation where attrelid = 't47'::regclass and attname = 'tenant_id'",
        "update pg_attribute set attcollation = '\"C\"'::regcollation where attrelid = 't47'::regclass and attname = 'tenant_id'",
    ),
    by_hand("T048", "public.t48.tenant_id", "create table t48 (tenant_id numeric)", "alter table t48 alter tenant_id type bigint"),
    by_hand(
        "T112",
        "public.t112",
        "create table t112 (tenant_of text, id bigint, foreign key (tenant_of, id) references orders)",
        "select tenant.share('t112', 'a lookup')",
    ),
    by_hand(
        "T112",
        "public.t112c",
        "create table t112b (id int primary key, whose text, n bigint, foreign key (whose, n) references orders)
         create table t112c (b int references t112b, self int unique references t112c (self))",
        "create policy own on t112c using (exists (select from orders)); alter table t112c enable row level security",
    ),
    fixed(
        "T113",
        "public.t113",
        "create table t113 (id text primary key default gen_random_uuid()::text, name text)
         create table t113b (tenant_id text references t113, id int)
         select tenant.protect('t113b')",
    ),
    fixed("T050", "public.t50_code_key", "create table t50 (tenant_id text, code text unique); select tenant.protect('t50')"),
    fixed("T050", "public.t50b_pkey", "create table t50b (tenant_id text, id bigint generated always as identity primary key); select tenant.protect('t50b')"),
    fixed("T050", "public.bare", "create table t50c (tenant_id text, code text); select tenant.protect('t50c'); create unique index bare on t50c (code)"),
    fixed(
        "T050",
        "public.t50e_id_key",
        "create table t50e (tenant_id text, id int unique); create table t50f (tenant_id text, t50e_id int references t50e (id))
         select tenant.protect('t50e'), tenant.protect('t50f')",
    ),
    by_hand(
        "T050",
        "public.t50g_pkey",
        "create table t50g (tenant_id text, id int primary key); select tenant.protect('t50g'); create table t50h (id int references t50g)",
        "drop table t50h; alter table t50g drop constraint t50g_pkey",
    ),
    by_hand(
        "T051",
        "public.t51_during_excl",
        "create table t51 (tenant_id text, during int4range, exclude using gist (during with &&)); select tenant.protect('t51')",
        "alter table t51 drop constraint t51_during_excl",
    ),
    fixed(
        "T051",
        "public.t51b_during_excl",
        "create extension btree_gist; create table t51b (tenant_id text, during int4range, exclude using gist (during with &&)); select tenant.protect('t51b')",
    ),
    fixed(
        "T052",
        "public.t52.t52_order_id_fkey",
        "create table t52_orders (tenant_id text, id int primary key); select tenant.protect('t52_orders')
         create table t52 (tenant_id text, order_id int references t52_orders on delete set null); select tenant.protect('t52')",
    ),
    by_hand(
        "T052",
        "public.t52b.t52b_id_fkey",
        "create table t52_b (tenant_id text, id int primary key); select tenant.protect('t52_b')
         create table t52b (tenant_id text, id int references t52_b on update set null); select tenant.protect('t52b')",
        "alter table t52b drop constraint t52b_id_fkey",
    ),
    fixed(
        "T053",
        "public.t53.later",
        "create table t53 (tenant_id text, id bigint); select tenant.protect('t53')
         alter table t53 add constraint later foreign key (tenant_id, id) references orders (tenant_id, id) not valid",
    ),
    by_hand(
        "T054",
        "public.t54.id",
        "create table t54 (tenant_id text, id bigserial); select tenant.protect('t54')",
        "alter table t54 alter id drop default",
    ),
    fixed("T055", "public.t55", "create table t55 (tenant_id text); select tenant.protect('t55'); alter table t55 alter tenant_id set default 'acme'"),
    fixed("T095", "public.t95", "create table t95 (tenant_id text, id int); select tenant.protect('t95'); drop index t95_tenant_id_idx"),
    by_hand("T096", "public.words", "create index words on orders using gin (to_tsvector('simple', note))", "drop index words"),
    fixed("T097", "public.by_note", "create index by_note on orders (note)"),
    by_hand(
        "T098",
        "public.ranked",
        "create access method bm25 type index handler hashhandler
         create operator class ranked_ops default for type text using bm25 as operator 1 =, function 1 hashtext(text)
         create index ranked on orders using bm25 (note)",
        "drop index ranked",
    ),
];

#[tokio::test]
async fn a_key_or_an_index() {
    prove("keys", CASES).await;
}
