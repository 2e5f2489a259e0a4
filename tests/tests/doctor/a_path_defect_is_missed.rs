//! What reads and writes as somebody else, and what leaves for another server.

use crate::case::{Case, by_hand, fixed, prove};

pub const CASES: &[Case] = &[
    fixed("T060", "public.v60", "create view v60 as select * from orders"),
    fixed(
        "T060",
        "public.v60b",
        "create view v60a with (security_invoker = true) as select * from orders; create view v60b as select * from v60a",
    ),
    fixed(
        "T061",
        "public.v61",
        "create table t61 (company text); create view v61 as select * from t61 where company = current_setting('app.t', true)",
    ),
    fixed("T062", "public.m62", "set pg_tenant.guards = off; create materialized view m62 as select * from orders with no data"),
    fixed(
        "T063",
        "public.f63()",
        "create function f63() returns bigint language sql security definer as 'select 1::bigint'",
    ),
    fixed(
        "T063",
        "public.p63()",
        "create procedure p63() language sql security definer set search_path = pg_catalog as 'select 1'",
    ),
    fixed(
        "T064",
        "public.t64.copy",
        "create table t64 (id int); create rule copy as on insert to t64 do also insert into orders (id) values (new.id)",
    ),
    fixed("T064", "public.orders.nothing", "create rule nothing as on delete to orders do instead nothing"),
    fixed(
        "T065",
        "public.orders.audit",
        "create function f65() returns trigger language plpgsql security definer as 'begin return new; end'
         create trigger audit before insert on orders for each row execute function f65()",
    ),
    fixed(
        "T066",
        "public.orders.trojan",
        "create function f66() returns trigger language plpgsql as 'begin return new; end'; alter function f66 owner to {app}
         create trigger trojan before insert on orders for each row execute function f66()",
    ),
    fixed(
        "T108",
        "public.orders.tells",
        "create extension if not exists tcn
         create trigger tells after insert on orders for each row execute function triggered_change_notification()",
    ),
    by_hand(
        "T118",
        "public.k118.mail",
        "create table k118 (tenant_id text, id int, mail text, primary key (tenant_id, id)); create index on k118 (mail)
         select tenant.protect('k118'); select tenant.allow_lookup('k118', 'mail', 'sign-in')",
        "select tenant.disallow_lookup('k118', 'mail', 'no sign-in')",
    ),
    fixed(
        "T118",
        "public.l118.mail",
        "create table l118 (tenant_id text, id int, mail text, primary key (tenant_id, id)); create index on l118 (mail)
         select tenant.protect('l118'); select tenant.allow_lookup('l118', 'mail', 'sign-in')
         alter table l118 drop column mail",
    ),
    fixed("T068", "public.f68(text)", "create function f68(text) returns boolean language plpgsql leakproof as 'begin return true; end'"),
    fixed(
        "T069",
        "e69",
        "create function f69() returns event_trigger language plpgsql as 'begin end'
         create event trigger e69 on ddl_command_end execute function f69(); alter event trigger e69 disable
         alter function f69() owner to {owner}
         alter event trigger e69 enable",
    ),
    fixed(
        "T070",
        "public.t70 to {app}",
        "create extension if not exists postgres_fdw; create server t70 foreign data wrapper postgres_fdw
         create foreign table t70 (tenant_id text) server t70; grant select on t70 to {app}",
    ),
    by_hand("T071", "p71", "create publication p71 for table orders", "drop publication p71"),
    by_hand("T071", "p71_all", "create publication p71_all for all tables", "drop publication p71_all"),
    by_hand("T071", "p71_schema", "create publication p71_schema for tables in schema public", "drop publication p71_schema"),
    by_hand(
        "T072",
        "s72",
        "create subscription s72 connection '' publication p with (connect = false, slot_name = none)",
        "drop subscription s72",
    ),
    fixed(
        "T114",
        "s114",
        "create subscription s114 connection '' publication p with (connect = false, slot_name = none)
         insert into pg_subscription_rel (srsubid, srrelid, srsubstate) select oid, 'orders'::regclass, 'r' from pg_subscription where subname = 's114'",
    ),
    fixed("T115", "p115", "create publication p115 for table orders where (tenant_id = 'acme')"),
    by_hand(
        "T073",
        "{app}",
        "select lo_create(73); alter large object 73 owner to {app}",
        "select lo_unlink(73)",
    ),
    fixed(
        "T110",
        "public.t110.t110",
        "create table t110 (tenant_id text references tenant.tenants on delete cascade, other text)
         create function f110() returns trigger language plpgsql as 'begin return null; end'
         create trigger t110 after delete on t110 for each row execute function f110()
         alter table t110 owner to {owner}",
    ),
    fixed(
        "T110",
        "public.t110b.t110",
        "set pg_tenant.guards = off; create table t110b (slug text references tenant.tenants (slug) on update cascade)
         create function f110b() returns trigger language plpgsql as 'begin return null; end'
         create trigger t110 after update on t110b for each statement execute function f110b()
         alter table t110b owner to {owner}",
    ),
];

#[tokio::test]
async fn a_path() {
    prove("paths", CASES).await;
}
