//! Constraints, referential actions, the corner cases of writing.

use pg_tenant_tests::attack::Step::{self, Connect, Read, Run, Tells};
use pg_tenant_tests::attack::Who::{App, Dba, Owner};

use crate::row::Play::{Steps, Unrun};
use crate::row::Stock::{F, S, V};
use crate::row::{Row, row};

const UNIQUE: Step = Run(Owner, "alter table orders add unique (id)");
const LINES: Step = Run(
    Owner,
    "create table lines (id bigint, tenant_id uuid not null, of bigint references orders (id) on delete cascade);
     grant select, insert, update, delete on lines to {app}",
);
const PROTECT_LINES: Step = Run(Owner, "{protect lines}");
const HARDEN: Step = Run(Owner, "{harden orders}");
const HARDEN_LINES: Step = Run(Owner, "{harden lines}");
const A: Step = Run(App, "begin; select {enter a}");

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("D01", "T1", "PR", V, "a unique key for all tenants says that a value exists", Steps(&[
        UNIQUE,
        A,
        Tells(App, "23505", "insert into orders values (1, '{a}', 0, 'mine')"),
    ])).finds(&["T050"]),
    row("D01", "T1", "P", V, "the same with hardened keys", Steps(&[
        UNIQUE,
        HARDEN,
        A,
        Tells(App, "23505", "insert into orders values (1, '{a}', 0, 'mine')"),
    ])),
    row("D01c", "T1", "PR", V, "ON CONFLICT DO NOTHING says so without an error", Steps(&[
        UNIQUE,
        A,
        Read(App, "with mine as (insert into orders values (1, '{a}', 0, 'mine') on conflict do nothing returning 1)
            select '{b}' as tenant_id where not exists (select from mine)"),
    ])).finds(&["T050"]),
    row("D01c", "T1", "P", V, "the same with hardened keys", Steps(&[
        UNIQUE,
        HARDEN,
        A,
        Read(App, "with mine as (insert into orders values (1, '{a}', 0, 'mine') on conflict do nothing returning 1)
            select '{b}' as tenant_id where not exists (select from mine)"),
    ])),
    row("D01d", "T1", "PR", V, "ON CONFLICT DO UPDATE of a hidden row is refused, which says so", Steps(&[
        UNIQUE,
        A,
        Tells(App, "42501", "insert into orders values (1, '{a}', 0, 'mine') on conflict (id) do update set total = 1"),
    ])).finds(&["T050"]),
    row("D01d", "T1", "P", V, "the same with hardened keys", Steps(&[
        UNIQUE,
        HARDEN,
        A,
        Tells(App, "42501", "insert into orders values (1, '{a}', 0, 'mine')
            on conflict on constraint orders_id_key do update set total = 1"),
    ])),
    row("D01b", "T1", "-", F, "the DETAIL of a unique violation shows the key of a hidden row", Steps(&[
        UNIQUE,
        Run(App, "create table scratch.detail (text text)"),
        Run(App, "begin; select {enter a};
            do $$ declare d text; begin insert into orders values (1, '{a}', 0, 'mine');
            exception when unique_violation then get stacked diagnostics d = pg_exception_detail;
                insert into scratch.detail values (d); end $$; commit"),
        Read(App, "select '{b}' as tenant_id from scratch.detail where text <> ''"),
    ])),
    row("D02", "T1", "PR", V, "a foreign key takes another tenant's row for an answer", Steps(&[
        UNIQUE,
        LINES,
        PROTECT_LINES,
        A,
        Read(App, "with mine as (insert into lines values (1, '{a}', 1) returning 1) select '{b}' as tenant_id from mine"),
    ])).finds(&["T052"]),
    row("D02", "T1", "P", V, "the same with hardened keys", Steps(&[
        UNIQUE,
        LINES,
        PROTECT_LINES,
        HARDEN,
        HARDEN_LINES,
        A,
        Read(App, "with mine as (insert into lines values (1, '{a}', 1) returning 1) select '{b}' as tenant_id from mine"),
    ])).refuses(&["23503"]),
    row("D02", "T0", "PR", V, "ON DELETE CASCADE deletes another tenant's rows", Steps(&[
        UNIQUE,
        LINES,
        Run(Dba, "insert into lines values (1, '{b}', 0)"),
        PROTECT_LINES,
        Run(App, "begin; select {enter a}; delete from orders where id = 0; commit"),
        Read(Dba, "select '{b}' as tenant_id where not exists (select from lines)"),
    ])).finds(&["T052"]),
    row("D02", "T0", "P", V, "the same with hardened keys", Steps(&[
        UNIQUE,
        LINES,
        PROTECT_LINES,
        HARDEN,
        HARDEN_LINES,
        Run(App, "create table scratch.sent (id int)"),
        Run(App, "begin; select {enter b}; insert into lines values (1, '{b}', 0); insert into scratch.sent values (1); commit"),
        Run(App, "begin; select {enter a}; delete from orders where id = 0; commit"),
        Read(Dba, "select '{b}' as tenant_id from scratch.sent where not exists (select from lines)"),
    ])).refuses(&["23503"]),
    row("D02d", "T1", "-", F, "the DETAIL of a foreign key violation shows a hidden row", Steps(&[
        UNIQUE,
        LINES,
        PROTECT_LINES,
        Run(App, "create table scratch.detail (text text)"),
        Run(App, "begin; select {enter a};
            do $$ declare d text; begin insert into lines values (1, '{a}', -1);
            exception when foreign_key_violation then get stacked diagnostics d = pg_exception_detail;
                insert into scratch.detail values (d); end $$; commit"),
        Read(App, "select '{b}' as tenant_id from scratch.detail where text like '%{b}%'"),
    ])),
    row("D03", "T1", "PR", V, "a row that another tenant refers to cannot be deleted, which says so", Steps(&[
        UNIQUE,
        Run(Owner, "create table lines (id bigint, tenant_id uuid not null, of bigint references orders (id))"),
        Run(Dba, "insert into lines values (1, '{b}', 0)"),
        PROTECT_LINES,
        A,
        Tells(App, "23503", "delete from orders where id = 0"),
    ])).finds(&["T052"]),
    row("D03", "T1", "P", V, "the same with hardened keys", Steps(&[
        UNIQUE,
        Run(Owner, "create table lines (id bigint, tenant_id uuid not null, of bigint references orders (id));
            grant insert on lines to {app}"),
        PROTECT_LINES,
        HARDEN,
        HARDEN_LINES,
        Run(App, "begin; select {enter b}; insert into lines values (1, '{b}', 0); commit"),
        A,
        Tells(App, "23503", "delete from orders where id = 0"),
    ])).refuses(&["23503"]),
    row("D04a", "T1", "-", F, "the DETAIL of a check violation shows the row", Steps(&[
        Run(Owner, "alter table orders add constraint positive check (total >= 0)"),
        Run(App, "create table scratch.detail (text text)"),
        Run(App, "begin; select {enter a};
            do $$ declare d text; begin update orders set total = -1 where id = 0;
            exception when check_violation then get stacked diagnostics d = pg_exception_detail;
                insert into scratch.detail values (d); end $$; commit"),
        Read(App, "select '{b}' as tenant_id from scratch.detail where text <> ''"),
    ])),
    row("D04b", "T1", "PR", V, "an exclusion constraint says what overlaps", Steps(&[
        Run(Owner, "create table bookings (tenant_id uuid not null, during int4range, exclude using gist (during with &&));
            grant select, insert on bookings to {app}"),
        Run(Dba, "insert into bookings values ('{b}', '[10,20)')"),
        Run(Owner, "{protect bookings}"),
        A,
        Tells(App, "23P01", "insert into bookings values ('{a}', '[15,16)')"),
    ])).finds(&["T051"]),
    row("D04b", "T1", "P", V, "the same with hardened keys", Steps(&[
        Run(Dba, "create extension if not exists btree_gist"),
        Run(Owner, "create table bookings (tenant_id uuid not null, during int4range, exclude using gist (during with &&));
            grant select, insert on bookings to {app}"),
        Run(Dba, "insert into bookings values ('{b}', '[10,20)')"),
        Run(Owner, "{protect bookings}"),
        Run(Owner, "{harden bookings}"),
        A,
        Tells(App, "23P01", "insert into bookings values ('{a}', '[15,16)')"),
    ])).needs("btree_gist"),
    row("D06", "T1", "PR", V, "an INSERT waits for another tenant's open transaction with the same key", Steps(&[
        UNIQUE,
        Run(App, "begin; select {enter b}; insert into orders values (1000, '{b}', 0, 'open')"),
        Connect(App, ""),
        Run(App, "begin; select {enter a}; set local lock_timeout = '300ms'"),
        Tells(App, "55P03", "insert into orders values (1000, '{a}', 0, 'mine')"),
    ])).finds(&["T050"]),
    row("D06", "T1", "P", V, "the same with hardened keys", Steps(&[
        UNIQUE,
        HARDEN,
        Run(App, "begin; select {enter b}; insert into orders values (1000, '{b}', 0, 'open')"),
        Connect(App, ""),
        Run(App, "begin; select {enter a}; set local lock_timeout = '300ms'"),
        Tells(App, "55P03", "insert into orders values (1000, '{a}', 0, 'mine')"),
    ])),
    row("D08", "T1", "P", F, "keys that begin with the tenant: the same value in two tenants, a reference to a hidden row",
        Steps(&[
            Run(Owner, "create table lines (id bigint, tenant_id uuid not null, of bigint,
                foreign key (tenant_id, of) references orders (tenant_id, id));
                grant select, insert on lines to {app}"),
            PROTECT_LINES,
            A,
            Tells(App, "23505", "insert into orders values (1, '{a}', 0, 'mine')"),
            Read(App, "with mine as (insert into lines values (1, '{a}', 4) returning 1) select '{b}' as tenant_id from mine"),
        ])).refuses(&["23503"]),
    row("D09", "T2", "R", F, "MERGE changes a row that only SELECT may see", Steps(&[
        Run(Owner, "create policy s on orders for select using (true); create policy i on orders for insert with check (true)"),
        Run(App, "begin; select {enter a}"),
        Run(App, "merge into orders o using (values (1)) v (id) on o.id = v.id when matched then update set total = -5; commit"),
    ])).finds(&["T087"]),
    row("D10", "T2", "PR", V, "an INSERT without RETURNING passes where one with it would fail", Steps(&[
        Run(Owner, "create policy i on orders for insert with check (true)"),
        Run(App, "begin; select {enter a}; insert into orders values (-1, '{b}', 0, 'planted'); commit"),
    ])).finds(&["T038"]),
    row("D11", "T2", "P", V, "a tenant by DEFAULT is overridden", Steps(&[
        Run(Owner, "create table drafts (id bigint, tenant_id uuid not null default {tenant});
            grant select, insert on drafts to {app}"),
        Run(App, "begin; select {enter a}; insert into drafts values (1, '{b}'); commit"),
        Read(App, "select tenant_id from drafts"),
    ])).finds(&["T031"]),
    row("D12", "T2", "PR", V, "a trigger is all that checks the tenant, and session_replication_role turns it off", Steps(&[
        Run(Dba, "create table drafts (id bigint, tenant_id uuid);
            create function check_tenant() returns trigger language plpgsql as $$ begin
                if new.tenant_id is distinct from {tenant} then raise 'not yours'; end if; return new; end $$;
            create trigger check_tenant before insert on drafts for each row execute function check_tenant();
            grant select, insert on drafts to {app};
            lock table pg_parameter_acl in share row exclusive mode; grant set on parameter session_replication_role to {app}"),
        Run(App, "set session_replication_role = replica"),
        Run(App, "begin; select {enter a}; insert into drafts values (1, '{b}'); commit"),
        Read(App, "select tenant_id from drafts"),
    ])).finds(&["T017", "T031"]),
    row("D15", "T1", "R", S, "RETURNING old and new values", Steps(&[
        A,
        Read(App, "update orders set total = 1 returning old.tenant_id as tenant_id"),
    ])).finds(&["T053"]).since(18),
    row("D16", "T1", "R", S, "column rights and row-level security together showed values in old minor versions",
        Unrun("mended in every version that still gets releases")).finds(&["T087"]),
];
