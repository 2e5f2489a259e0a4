//! The policy does not apply, or applies too weakly.

use pg_tenant_tests::attack::Step::{Copy, Read, Run};
use pg_tenant_tests::attack::Who::{App, Dba, Owner};

use crate::row::Play::{Listed, Steps, Test};
use crate::row::Stock::{F, S, V};
use crate::row::{Row, row};

const FENCE: &str = "closed by construction: the restrictive policy holds whatever is added";

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("A01", "T0", "PBR", V, "a table has a policy, and row-level security was never enabled", Steps(&[
        Run(Owner, "create table bills (id bigint, tenant_id uuid not null);
        create policy mine on bills using (tenant_id = {tenant}); grant select on bills to {app}"),
        Run(Dba, "insert into bills select id, tenant_id from hidden.pristine"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from bills"),
    ]))
    .finds(&["T037"])
    .because("nobody protected the table: reported, not refused"),
    row("A01", "T0", "PBR", V, "row-level security is disabled behind the guards", Steps(&[
        Run(Dba, "set pg_tenant.guards = off; alter table orders disable row level security"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from orders"),
    ]))
    .finds(&["T032"]),
    row("A02", "T0", "PR", V, "the owner reads a table that is not forced", Listed("the owner reads, without FORCE"))
        .finds(&["T032"]),
    row(
        "A03",
        "T0",
        "BR",
        V,
        "a superuser does a tenant's work",
        Steps(&[Run(Dba, "begin; select {enter a}"), Read(Dba, "select tenant_id from orders")]),
    )
    .finds(&["T001"]),
    row("A03", "T3", "BR", V, "a login has BYPASSRLS", Steps(&[
        Run(Dba, "alter role {app} bypassrls"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from orders"),
    ]))
    .finds(&["T002"]),
    row("A04", "T2", "RB", V, "SET ROLE takes the attributes of a role that bypasses policies",
        Listed("SET ROLE to a member role with BYPASSRLS"))
    .finds(&["T003"]),
    row("A05", "T2", "BR", V, "a member of the owner takes FORCE away, and is the owner", Steps(&[
        Run(Dba, "grant {owner} to {app}"),
        Run(App, "alter table orders no force row level security"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from orders"),
    ]))
    .finds(&["T004"]),
    row("A05b", "T2", "BR", V, "a member of the owner disables row-level security",
        Listed("a member of the owner disables row security"))
    .finds(&["T004"]),
    row("A05c", "T2", "BR", V, "a member of the owner adds a policy that is always true", Steps(&[
        Run(Dba, "grant {owner} to {app}"),
        Run(App, "create policy all_rows on orders using (true)"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from orders"),
    ]))
    .finds(&["T004", "T038"])
    .because(FENCE),
    row("A06", "T2", "-", F, "row_security is turned off in the session", Listed("SET row_security = off")),
    row("A07", "T0", "BPR", V, "TRUNCATE is no row operation, and no policy sees it",
        Listed("TRUNCATE, which no policy sees"))
    .finds(&["T008"]),
    row("A07", "T0", "BPR", V, "TRUNCATE of another table reaches it by CASCADE", Steps(&[
        Run(Owner, "create table regions (id int primary key); alter table orders add region int references regions;
        grant truncate on regions, orders to {app}"),
        Run(App, "begin; select {enter a}; truncate regions cascade; commit"),
    ]))
    .finds(&["T008"]),
    row("A09", "T3", "BPR", V, "a trigger planted with the TRIGGER privilege runs in other tenants' sessions", Steps(&[
        Run(Dba, "grant trigger on orders to {app}"),
        Run(App, "create table scratch.loot (tenant_id uuid);
        create function scratch.spy() returns trigger language plpgsql
            as $$ begin insert into scratch.loot values (new.tenant_id); return null; end $$;
        create trigger spy after update on orders for each row execute function scratch.spy()"),
        Run(App, "begin; select {enter b}; update orders set total = total; commit"),
        Read(App, "select tenant_id from scratch.loot"),
    ]))
    .finds(&["T008"]),
    row("A10", "T0", "PR", V, "permissive policies are joined by OR: one more opens the table",
        Listed("one more permissive policy, for support"))
    .finds(&["T038"]),
    row("A11", "T2", "PR", V, "a weak WITH CHECK lets rows in for another tenant",
        Listed("INSERT of a row for another tenant"))
    .finds(&["T036"]),
    row("A11", "T2", "PR", V, "a weak WITH CHECK lets a blind UPDATE move rows to another tenant",
        Listed("blind UPDATE moves rows to another tenant"))
    .finds(&["T036"]),
    row("A12", "T2", "PR", V, "an UPDATE or DELETE that reads no column passes the policy for SELECT by", Steps(&[
        Run(Owner, "create policy u on orders for update using (true) with check (true);
        create policy d on orders for delete using (true)"),
        Run(App, "begin; select {enter a}; update orders set total = 0; delete from orders; commit"),
    ]))
    .finds(&["T034", "T038"]),
    row("A13", "T0", "BPR", V, "a policy is open where no tenant is set",
        Listed("fail open: `setting is null or …` and no tenant"))
    .finds(&["T040"]),
    row("A13b", "T0", "BPR", V, "IS NOT DISTINCT FROM shows rows without a tenant to sessions without one", Steps(&[
        Run(Owner, "alter table orders drop constraint orders_pkey, alter column tenant_id drop not null;
        alter policy tenant_isolation on orders
            using (tenant_id is not distinct from nullif(current_setting('{setting}', true), '')::uuid)"),
        Run(Dba, "insert into orders values (-1, null, 0, 'orphan')"),
        Read(App, "select tenant_id from orders"),
    ]))
    .finds(&["T040"]),
    row("A13c", "T1", "BP", V, "rows of nobody, everybody's to read, are anybody's to change, delete or lock",
        Test("extension/strict/a_shared_row_is_written.rs", "by_any_scan")).because("closed by construction: they are not found, or 42501"),
    row("A13d", "T0", "BPR", V, "of the policies that keep rows of nobody from being changed one is lost",
        Test("extension/guards/one_of_three_is_taken.rs", "behind_the_guards")).finds(&["T119"]).because("TN012: the table is closed"),
    row("A13e", "T0", "BPR", V, "a foreign key's action takes the tenant from a row, which is everybody's then",
        Test("extension/guards/one_of_three_is_taken.rs", "by_a_foreign_key")).finds(&["T120"]).because("TN073: such a key is refused"),
    row("A14", "T0", "BPR", V, "CREATE TABLE AS copies rows, and no policy with them",
        Listed("CREATE TABLE AS, read by the next tenant")).finds(&["T031"]),
    row("A14", "T0", "BPR", V, "CREATE TABLE (LIKE … INCLUDING ALL) copies everything but policies", Steps(&[
        Run(Owner, "create table archive (like orders including all); grant select on archive to {app}"),
        Run(Dba, "insert into archive select * from orders"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from archive"),
    ]))
    .finds(&["T031"])
    .because("nobody protected the table: reported, not refused"),
    row("A22", "T0", "BPR", V, "default privileges open a new table from its birth", Steps(&[
        Run(Owner, "alter default privileges in schema public grant select on tables to {app};
        create table feature (id bigint, tenant_id uuid)"),
        Run(Dba, "insert into feature select id, tenant_id from hidden.pristine"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from feature"),
    ]))
    .finds(&["T013", "T031"])
    .because("nobody protected the table: reported, not refused"),
    row("A24", "T0", "R", V, "a table that refers to the protected one, without a tenant column, is read by every tenant", Steps(&[
        Run(Owner, "alter table orders add constraint orders_id unique (id);
        create table tagged (order_id bigint references orders (id), tenant_tag uuid); grant select on tagged to {app}"),
        Run(Dba, "insert into tagged select id, tenant_id from hidden.pristine"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_tag as tenant_id from tagged"),
    ]))
    .finds(&["T112"]),
    row("A15", "T3", "BPR", V, "a partition is read by its own name", Listed("a partition, read directly"))
        .finds(&["T033"])
        .because("closed by construction: every partition has the policy"),
    row("A15", "T3", "BPR", V, "a partition added later is read by its own name",
        Listed("a partition added later, read directly"))
    .finds(&["T033"])
    .because("closed by construction: a new partition is protected as it is made"),
    row("A15", "T3", "BPR", V, "a protected child is read through a parent that is not", Steps(&[
        Run(Owner, "create table everything (id bigint, tenant_id uuid not null, total numeric, note text);
        grant select on everything to {app}"),
        Run(Owner, "alter table orders inherit everything"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from everything"),
    ]))
    .finds(&["T033"]),
    row("A16", "T3", "BPR", V, "an inheritance child is read by its own name",
        Listed("an inheritance child, read directly"))
    .finds(&["T033"])
    .because("closed by construction: a new child is protected as it is made"),
    row("A18", "T3", "-", F, "somebody else makes a child of the table", Steps(&[
        Run(App, "create table scratch.child () inherits (orders)"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from orders"),
    ])),
    row("A19", "T0", "PR", V, "tenant ids that differ are equal: a type that ignores case", Steps(&[
        Run(Dba, "create extension citext; create table papers (tenant_id citext not null);
            insert into papers values ('{a}'), (upper('{a}')); alter table papers owner to {owner}"),
        Run(Owner, "{protect papers as citext}"),
        Run(Owner, "grant select on papers to {app}"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select case when tenant_id::text = '{a}' then '{a}' else '{b}' end as tenant_id from papers"),
    ])).finds(&["T031", "T048"]).needs("citext"),
    row("A21", "T0", "B", V, "COPY … TO by a login that policies do not bind", Steps(&[
        Run(Dba, "alter role {app} bypassrls"),
        Run(App, "begin; select {enter a}"),
        Copy(App, "copy orders (tenant_id) to stdout"),
    ])),
    row("A23", "T2", "PR", V, "the application replaces a function that the policy calls",
        Listed("the policy's helper function is replaced"))
    .finds(&["T043"]),
    row("A25", "T0", "BR", S, "a partition that is detached keeps its grants and loses its parent's policy", Steps(&[
        Run(Owner, "create table events (id bigint, tenant_id uuid not null) partition by range (id);
        create table events_1 partition of events default"),
        Run(Dba, "insert into events select id, tenant_id from hidden.pristine"),
        Run(Owner, "{protect events}; grant select on events, events_1 to {app}"),
        Run(Owner, "alter table events detach partition events_1"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from events_1"),
    ]))
    .finds(&["T033"])
    .because("closed by construction: the partition has a policy of its own"),
    row("A26", "T0", "PR", S, "a partition manager makes partitions, with grants and without policies", Steps(&[
        Run(Owner, "create table events (id bigint, tenant_id uuid not null) partition by range (id)"),
        Run(Owner, "{protect events}"),
        Run(Dba, "set pg_tenant.new_tables = allow; create table events_1 partition of events default;
        grant select on events_1 to {app}; insert into events_1 select id, tenant_id from hidden.pristine"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from events_1"),
    ]))
    .finds(&["T033"]),
    row("H01", "T0", "P", F, "the shape that protect makes, under four hostile policies", Steps(&[
        Run(Owner, "drop policy if exists none on orders"),
        Run(Owner, "{fence orders}"),
        Run(Owner, "create policy evil_1 on orders for select using (true);
        create policy evil_2 on orders for update using (true) with check (true);
        create policy evil_3 on orders for delete using (true);
        create policy evil_4 on orders for insert with check (true)"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from orders"),
        Run(App, "update orders set note = note; commit"),
        Run(App, "begin; select {enter a}; update orders set tenant_id = '{b}'; commit"),
        Run(App, "rollback"),
        Run(App, "begin; select {enter a}; insert into orders values (-1, '{b}', 0, 'planted'); commit"),
        Run(App, "rollback"),
        Run(App, "begin; select {enter a};
        insert into orders values (1, '{b}', 0, 'x') on conflict (tenant_id, id) do update set total = 0; commit"),
        Run(App, "rollback"),
        Run(App, "begin; select {enter a}; delete from orders; commit"),
    ])),
];
