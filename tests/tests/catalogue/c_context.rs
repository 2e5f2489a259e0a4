//! Context, session state, plan cache, poolers.

use pg_tenant_tests::attack::Step::{Connect, Lend, LendRead, Read, Run};
use pg_tenant_tests::attack::Tenant::{A, B};
use pg_tenant_tests::attack::Who::{App, Dba, Owner};

use crate::row::Play::{Listed, Steps, Test, Unrun};
use crate::row::Stock::{F, S, V};
use crate::row::{Row, row};

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("C01", "T1", "B", V, "the tenant stands in a setting: set_config() within one SELECT writes it",
        Listed("set_config() in a subquery of one SELECT")),
    row("C02a", "T2", "B", V, "SET in a stacked statement", Listed("SET LOCAL in a stacked statement")),
    row("C02b", "T2", "B", V, "set_config() in a DO block", Listed("set_config() in a DO block")),
    row("C02c", "T2", "B", F, "a function's SET clause, of a setting that nobody registered",
        Listed("function SET clause, without a grant")),
    row("C02d", "T2", "B", V, "a function's SET clause, of a registered setting", Steps(&[
        Run(Owner, "{by registered}"),
        Run(App, "create function scratch.peek() returns setof orders language sql set {registered} = '{b}'
            as 'select * from orders'"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from scratch.peek()"),
    ])),
    row("C02d", "T2", "B", V, "the same after GRANT SET ON PARAMETER",
        Listed("GRANT SET ON PARAMETER, function SET clause")),
    row("C02e", "T2", "B", V, "ALTER ROLE of oneself SET, of a registered setting", Steps(&[
        Run(Owner, "{by registered}"),
        Run(App, "alter role {app} set {registered} = '{b}'"),
        Connect(App, ""),
        Read(App, "select tenant_id from orders"),
    ])),
    row("C02e", "T2", "B", V, "the same after GRANT SET ON PARAMETER",
        Listed("GRANT SET ON PARAMETER, ALTER ROLE self SET")),
    row("C02f", "T2", "B", F, "ALTER ROLE of oneself SET, of a setting that nobody registered",
        Listed("ALTER ROLE self SET, without a grant")),
    row("C02g", "T2", "BR", V, "a tenant in the startup options", Listed("a tenant in the startup options"))
        .finds(&["T018"]),
    row("C02h", "T2", "BR", V, "RESET ALL goes back to the startup options",
        Listed("RESET ALL returns to the startup options")).finds(&["T018"]),
    row("C02i", "T2", "BR", V, "DISCARD ALL goes back to the startup options",
        Listed("DISCARD ALL returns to the startup options")).finds(&["T018"]),
    row("C02j", "T2", "B", V, "UPDATE pg_settings calls set_config()", Steps(&[
        Run(Owner, "{by registered}"),
        Run(App, "begin; select {enter a}"),
        Run(App, "update pg_settings set setting = '{b}' where name = '{registered}'"),
        Read(App, "select tenant_id from orders"),
    ])),
    row("C03", "T0", "BR", V, "a setting is null before its first use and empty after it, and a policy takes one for the other",
        Steps(&[
            Run(Owner, "alter policy tenant_isolation on orders
                using (current_setting('{setting}', true) = '' or tenant_id::text = current_setting('{setting}', true))"),
            Run(App, "begin; select {enter a}; commit"),
            Read(App, "select tenant_id from orders"),
        ])).finds(&["T039"]),
    row("C04", "T0", "B", V, "SET LOCAL outside a transaction warns, and does nothing", Steps(&[
        Run(App, "begin; select {session b}; commit"),
        Run(App, "set local {setting} = '{a}'"),
        Read(App, "select tenant_id from orders"),
    ])),
    row("C04b", "T0", "B", V, "set_config(…, true) outside a transaction ends with its own statement",
        Listed("SET LOCAL outside a transaction does nothing")),
    row("C05", "T0", "B", V, "a tenant of the session outlives COMMIT", Listed("the next borrower forgets to set the tenant")),
    row("C05b", "T0", "B", V, "ROLLBACK restores the tenant before", Listed("ROLLBACK restores the tenant before")),
    row("C06a", "T0", "B", V, "ROLLBACK TO takes the switch back", Listed("ROLLBACK TO undoes the switch to A")),
    row("C06b", "T0", "B", V, "an EXCEPTION block takes the switch back", Listed("an EXCEPTION block undoes the switch to A")),
    row("C06a", "T1", "B", V, "the switch is made a second time", Listed("a second tenant in one transaction")),
    row("C08", "T0", "PR", V, "a function said to be IMMUTABLE is folded into a plan that outlives the tenant",
        Listed("an IMMUTABLE helper, folded into a cached plan")).finds(&["T045"]),
    row("C08", "T0", "BR", V, "a function said to be IMMUTABLE reads rows, and a plan keeps what it gave", Steps(&[
        Run(Owner, "create function whose() returns uuid language sql immutable as 'select min(tenant_id::text)::uuid from orders'"),
        Run(App, "prepare mine as select whose() as tenant_id"),
        Run(App, "begin; select {enter b}; execute mine; commit"),
        Run(App, "begin; select {enter a}"),
        Read(App, "execute mine"),
    ])).finds(&["T104"]).because("it is computed anew in the next transaction"),
    row("C08", "T0", "BR", V, "the same in a column's DEFAULT, which stores it", Steps(&[
        Run(Owner, "create function whose() returns uuid language sql immutable as 'select min(tenant_id::text)::uuid from orders';
            create table bills (tenant_id uuid default {tenant}, of uuid default whose()); {protect bills};
            create function bill() returns void language plpgsql as 'begin insert into bills default values; end';
            grant select, insert on bills to {app}"),
        Run(App, "begin; select {enter b}; select bill(); commit"),
        Run(App, "begin; select {enter a}; select bill()"),
        Read(App, "select of as tenant_id from bills"),
    ])).finds(&["T105"]).because("it is computed anew in the next transaction"),
    row("C10", "T0", "BR", V, "a temporary table is there for the next borrower",
        Listed("a temporary table, found by the next borrower")).finds(&["T011"]),
    row("C10", "T3", "BR", V, "prepared statements tell the next borrower their literals", Steps(&[
        Lend(B, "prepare mine as select from orders where note = 'of b'"),
        LendRead(A, "select '{b}' from pg_prepared_statements where name = 'mine'"),
    ])).finds(&["T011"]),
    row("C11", "T3", "BPR", V, "lastval() gives the last borrower's number", Steps(&[
        Run(Dba, "create sequence numbers; grant usage on sequence numbers to {app}"),
        Lend(B, "select nextval('numbers')"),
        LendRead(A, "select '{b}' where lastval() = 1"),
    ])).finds(&["T012"]).refuses(&["55000"]).because("PostgreSQL's own 55000: the sequence cache is forgotten at entry"),
    row("C11", "T3", "BPR", V, "a sequence's counter tells how much the others write", Steps(&[
        Run(Owner, "create sequence numbers owned by orders.id; grant usage, select on sequence numbers to {app}"),
        Run(App, "begin; select {enter b}; select nextval('numbers'); commit"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select '{b}' as tenant_id from numbers where is_called"),
    ])).finds(&["T012"]),
    row("C11", "T3", "BPR", V, "setval() interferes with the others' numbers", Steps(&[
        Run(Owner, "create sequence numbers owned by orders.id; grant usage, update on sequence numbers to {app}"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select '{b}' as tenant_id from setval('numbers', 1)"),
    ])).finds(&["T012"]),
    row("C13", "T3", "BD", V, "NOTIFY under a name that every tenant listens to", Steps(&[
        Run(App, "begin; select {enter a}"),
        Read(App, "select '{b}' as tenant_id from pg_notify('orders', 'payload')"),
    ])).admitted("raw advisory locks, NOTIFY"),
    row("C15", "T3", "B", V, "a prepared transaction is ended by any session of the same role",
        Listed("COMMIT PREPARED of another tenant's transaction")),
    row("C17", "T2", "BR", V, "the tenant hangs on a role, and SET ROLE takes another", Steps(&[
        Run(Dba, "grant {owner} to {app}"),
        Run(Owner, "create policy of_role on orders to {owner} using (tenant_id = '{b}')"),
        Run(App, "begin; select {enter a}; set local role {owner}"),
        Read(App, "select tenant_id from orders"),
    ])).finds(&["T004"]).because("closed by construction: the tenant depends on no role"),
    row("C19", "T0", "B", F, "a parallel worker knows nothing of its leader's memory", Steps(&[
        Run(App, "begin; select {enter a}; set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0;
            set local min_parallel_table_scan_size = 0; set local parallel_leader_participation = off"),
        Read(App, "select tenant_id from orders"),
    ])).because("own rows and no others, in every worker"),
    row("C20", "T0", "B", F, "WHERE CURRENT OF a cursor of the tenant before", Steps(&[
        Run(App, "begin; select {enter b}; declare c cursor for select * from orders for update; fetch 1 from c"),
        Run(App, "select {enter a}; update orders set note = 'hit' where current of c; commit"),
    ])),
    row("C21", "T0", "P", F, "a generic plan is made under one tenant and run under another", Steps(&[
        Run(App, "set plan_cache_mode = force_generic_plan; prepare mine as select tenant_id from orders"),
        Run(App, "begin; select {enter b}; execute mine; commit"),
        Run(App, "begin; select {enter a}"),
        Read(App, "execute mine"),
    ])),
    row("C22", "T0", "PR", F, "a plan of a role that bypasses policies is run after RESET ROLE", Steps(&[
        Run(Dba, "grant {backup} to {app}"),
        Run(App, "set plan_cache_mode = force_generic_plan; prepare mine as select tenant_id from orders"),
        Run(App, "begin; select {enter a}; set local role {backup}; execute mine; commit"),
        Run(App, "rollback"),
        Run(App, "begin; select {enter a}"),
        Read(App, "execute mine"),
    ])).finds(&["T003", "T087"]),
    row("C23", "T0", "PR", F, "the same through a function that is inlined", Steps(&[
        Run(Dba, "grant {backup} to {app};
            create function every_order() returns setof orders language sql stable as 'select * from orders'"),
        Run(App, "set plan_cache_mode = force_generic_plan; prepare mine as select tenant_id from every_order()"),
        Run(App, "begin; select {enter a}; set local role {backup}; execute mine; commit"),
        Run(App, "rollback"),
        Run(App, "begin; select {enter a}"),
        Read(App, "execute mine"),
    ])).finds(&["T003", "T087"]),
    row("C26", "T1", "PR", V, "a policy has a flag for administrators, in a setting", Steps(&[
        Run(Owner, "create policy admins on orders using (current_setting('app.is_admin', true) = 'true')"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from (select set_config('app.is_admin', 'true', true) offset 0) flag,
            lateral (select * from orders where flag.set_config is not null offset 0) o"),
    ])).finds(&["T039"]),
    row("C29", "T3", "BR", V, "pg_stat_activity shows the literals of other sessions of the same role", Steps(&[
        Run(App, "select 'secret of b'"),
        Connect(App, ""),
        Run(App, "begin; select {enter a}"),
        Read(App, "select '{b}' as tenant_id from pg_stat_activity
            where query like '%secret ' || 'of b%' and pid <> pg_backend_pid()"),
    ])).because("hidden: the view shows the session itself").finds(&["T084"]),
    row("C30", "T0", "B", S, "a suspended portal goes on under another tenant",
        Test("extension/guards/next_on_the_connection.rs", "finds_a_cursor_half_read")).because("34000: portals end with the transaction, and a transaction has one tenant"),
    row("C32", "T2", "R", S, "a policy goes by application_name", Steps(&[
        Run(Owner, "create policy by_name on orders using (tenant_id::text = current_setting('application_name'))"),
        Connect(App, "-c application_name={b}"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from orders"),
    ])).finds(&["T039"]),
    row("C33", "T2", "BR", V, "a setting stored for the role that tenants share is in force in its next login", Steps(&[
        Run(App, "create table scratch.loot (tenant_id text);
            create function scratch.lower(text) returns text language plpgsql as $$ begin
                insert into scratch.loot select o.tenant_id::text from public.orders o; return $1; end $$"),
        Run(App, "begin; select {enter a}; alter role {app} set search_path = scratch, pg_catalog, public; commit"),
        Connect(App, ""),
        Run(App, "begin; select {enter b}; select lower('X'); commit"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from scratch.loot"),
    ])).finds(&["T102"]),
    row("C34", "T2", "B", V, "a temporary type of another spelling stands in front of PostgreSQL's own", Steps(&[
        Run(App, "create table scratch.loot (tenant_id text);
            create function scratch.grab(pg_catalog.date) returns boolean language plpgsql as $$ begin
                insert into scratch.loot select o.tenant_id::text from public.orders o; return true; end $$"),
        Run(App, "begin; select {enter a}; do $$ begin execute 'create domain ' || current_database() || '.pg_temp.date
            as pg_catalog.date check (scratch.grab(value))'; end $$; commit"),
        Run(App, "rollback"),
        Run(App, "begin; select {enter b}; select '2026-01-01'::date; commit"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from scratch.loot"),
    ])),
    row("C35", "T3", "B", V, "a cursor is opened before the tenant is entered, and calls what tells of others after it", Steps(&[
        Run(App, "begin; declare c cursor for select '{b}' as tenant_id from pg_locks limit 1; select {enter a}"),
        Read(App, "fetch 1 from c"),
    ])),
    row("C36", "T3", "B", V, "prepared statements, where the borrower only enters", Steps(&[
        Run(App, "begin; select {enter b}; prepare mine as select from orders where note = 'of b'; commit"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select '{b}' as tenant_id from pg_prepared_statements where name = 'mine'"),
    ])).because("hidden: the view is empty where another tenant has used the session"),
    row("P01", "T0", "B", V, "a pooler in transaction mode hands the session's tenant on",
        Listed("the next borrower forgets to set the tenant")),
    row("P02", "T0", "-", F, "SET LOCAL in every transaction, through a pool", Steps(&[
        Lend(B, "select 1"),
        LendRead(A, "select tenant_id::text from orders"),
    ])),
    row("P03", "T3", "BR", V, "a temporary table shadows the real one for the next borrower",
        Listed("a temporary table shadows the real one")).finds(&["T011"]),
    row("P04", "T3", "BD", V, "a session's advisory lock is still held, and seen, by the next borrower", Steps(&[
        Lend(B, "select pg_advisory_lock(42)"),
        LendRead(A, "select '{b}' from pg_locks where locktype = 'advisory' and objid = 42 and pid = pg_backend_pid()"),
    ])).admitted("raw advisory locks, NOTIFY"),
    row("P05", "T0", "D", F, "a pooler passes startup options on", Unrun("PgBouncer refuses them unless told not to"))
        .admitted("a startup option"),
    row("P06", "T0", "D", F, "DISCARD ALL between sessions, with nothing in the startup options", Steps(&[
        Run(App, "select {session b}"),
        Run(App, "discard all"),
        Read(App, "select tenant_id from orders"),
    ])).admitted("what the last transaction left in the session"),
    row("P07", "T0", "B", V, "a pooler in transaction mode hands on what ROLLBACK restores",
        Listed("ROLLBACK restores the tenant before")),
    row("P08", "T0", "B", V, "a cursor WITH HOLD is read by the next borrower",
        Listed("a cursor WITH HOLD, fetched by the next borrower")),
    row("P08", "T0", "B", V, "a cursor runs under the tenant that is current at FETCH", Steps(&[
        Run(App, "begin; select {enter a}; declare c cursor for select tenant_id from orders"),
        Run(App, "select {enter b}"),
        Read(App, "fetch all from c"),
    ])),
    row("P09", "T3", "BD", V, "LISTEN stays on the connection for the next borrower", Steps(&[
        Lend(B, "listen orders"),
        LendRead(A, "select '{b}' from pg_listening_channels()"),
    ])).admitted("LISTEN"),
    row("P10", "T0", "B", V, "an open transaction is lent to the next request, which begins its own", Steps(&[
        Run(App, "begin; select {enter b}"),
        Run(App, "begin"),
        Read(App, "select tenant_id from orders"),
    ])),
];
