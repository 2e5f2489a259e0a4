//! What one tenant leaves behind, or makes ready before it enters.

use pg_tenant_tests::attack::Step::{Connect, Read, Run};
use pg_tenant_tests::attack::Who::{App, Dba, Owner};

use crate::row::Play::{Steps, Test};
use crate::row::Stock::{S, V};
use crate::row::{Row, row};

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("I01", "T3", "B", V, "a function that was run before the tenant is entered calls what tells of others after it", Steps(&[
        Run(App, "create function scratch.size() returns bigint language plpgsql as
            'begin return pg_relation_size(''orders''); end'"),
        Run(App, "begin; select scratch.size(); select {enter a}"),
        Read(App, "select '{b}' as tenant_id where scratch.size() > 0"),
    ])).because("hidden: the size is null as soon as the tenant is entered"),
    row("I01", "T3", "B", V, "the last step of an aggregate calls it", Steps(&[
        Run(App, "create function scratch.pick(regclass, regclass) returns regclass language sql immutable as 'select $2';
            create aggregate scratch.size(regclass) (sfunc = scratch.pick, stype = regclass, finalfunc = pg_relation_size)"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select '{b}' as tenant_id where (select scratch.size('orders')) > 0"),
    ])),
    row("I01", "T3", "B", V, "a prepared statement calls it", Steps(&[
        Run(App, "prepare sizes as select '{b}' as tenant_id where pg_relation_size('orders') > 0; execute sizes"),
        Run(App, "begin; select {enter a}"),
        Read(App, "execute sizes"),
    ])).because("hidden: the plan that is kept asks when it runs"),
    row("I02", "T3", "B", V, "a temporary domain keeps a tenant's words for the next borrower", Steps(&[
        Run(App, "begin; select {enter b}; do $$ begin execute 'create domain ' || current_database()
            || '.pg_temp.kept as text default ''words of b'''; end $$; commit"),
        Run(App, "rollback"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select '{b}' as tenant_id from pg_type where typname = 'kept' and typdefault ~ 'of b'"),
    ])),
    row("I02", "T3", "B", V, "a temporary object of any kind, in any words",
        Test("extension/guards/stands_in_front.rs", "made_by_a_tenant_in_any_words"))
    .because("TN036, in that test"),
    row("I02", "T3", "B", V, "a temporary object stands in front of others' names when the next tenant enters",
        Test("extension/guards/stands_in_front.rs", "found_when_the_next_tenant_enters"))
    .because("TN066, in that test"),
    row("I02", "T0", "B", V, "a temporary table with every tenant's rows stays after a job across tenants",
        Test("extension/system/it_outlives_the_transaction.rs", "as_a_temporary_table"))
    .because("TN036, in that test"),
    row("I03", "T0", "D", V, "DateStyle of the last borrower decides how a date is read", Steps(&[
        Run(App, "begin; select {enter b}; set datestyle = 'SQL, DMY'; commit"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select '{b}' as tenant_id where '01/02/2026'::date = '2026-02-01'"),
    ])).admitted("`DateStyle`, `IntervalStyle` and `TimeZone`"),
    row("I04", "T0", "BR", V, "a domain's CHECK keeps what a function that says IMMUTABLE read for the last tenant", Steps(&[
        Run(Owner, "create function whose() returns uuid language sql immutable as 'select min(tenant_id::text)::uuid from orders';
            create domain theirs as uuid check (value = whose())"),
        Run(App, "begin; select {enter b}; select '{b}'::theirs; commit"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select '{b}'::theirs::uuid as tenant_id"),
    ])).finds(&["T105"]).refuses(&["23514"]).because("PostgreSQL's own 23514: it is computed anew in the next transaction"),
    row("I05", "T2", "B", V, "the password of the role that tenants share is changed", Steps(&[
        Run(App, "begin; select {enter a}; alter role {app} password 'mine'; commit"),
        Run(App, "rollback"),
        Read(Dba, "select '{b}' as tenant_id from pg_authid where rolname = '{app}' and rolpassword is not null"),
        Run(Dba, "alter role {app} password null"),
    ])),
    row("I05", "T2", "BR", V, "a setting for all its sessions, by a bound login", Steps(&[
        Run(Dba, "{bind a}"),
        Connect(App, ""),
        Run(App, "alter role {app} set work_mem = '4GB'"),
        Read(Dba, "select '{b}' as tenant_id from pg_db_role_setting where setrole = '{app}'::regrole and setconfig::text ~ '4GB'"),
    ])).finds(&["T102"]),
    row("I06", "T2", "B", V, "default privileges open what is made later", Steps(&[
        Run(App, "begin; select {enter a}; alter default privileges for role {app} in schema scratch grant all on tables to public; commit"),
        Run(App, "rollback"),
        Read(Dba, "select '{b}' as tenant_id from pg_default_acl where defaclrole = '{app}'::regrole"),
    ])),
    row("I07", "T3", "B", V, "a tenant fills the server's lock table, which is everybody's",
        Test("extension/guards/lock_table_full.rs", "in_a_loop")).because("TN055, in that test"),
    row("I07", "T3", "B", V, "memory that is limited is taken under another setting's name",
        Test("extension/registry/a_limit_is_exceeded.rs", "by_another_name")).because("TN009, in that test"),
    row("I08", "T3", "B", V, "a message is written into everybody's decoded stream", Steps(&[
        Run(App, "begin; select {enter a}"),
        Read(App, "select '{b}' as tenant_id from pg_logical_emit_message(true, 'outbox', 'forged')"),
    ])),
    row("I09", "T4", "P", S, "proving a table runs what its owner wrote as the superuser who proves it",
        Test("extension/prove/an_owners_code_runs.rs", "as_the_superuser_who_proves")).because("it runs as the owner, and as the application"),
    row("I10", "T2", "P", S, "a name with a line break in a finding's fix becomes a second command",
        Test("doctor/it_says_too_much.rs", "a_name_is_quoted_in_another_way")).because("names are quoted, or there is no fix"),
];
