//! Statistics, plans, catalogs, timing.

use pg_tenant_tests::attack::Step::{self, Connect, Read, Run};
use pg_tenant_tests::attack::Who::{App, Dba, Owner};

use crate::row::Play::{Steps, Unrun};
use crate::row::Stock::{F, S, V};
use crate::row::{Row, row};

/// Many rows of another tenant's, with values of its own.
const DIAGNOSES: Step = Run(
    Dba,
    "create table diagnoses (tenant_id uuid not null, name text);
     insert into diagnoses select '{b}', case when n % 4 = 0 then 'rare' else 'flu' end from generate_series(1, 4000) n;
     insert into diagnoses select '{a}', 'cold' from generate_series(1, 100);
     alter table diagnoses owner to {owner}; grant select on diagnoses to {app}",
);
const PROTECT: Step = Run(Owner, "{protect diagnoses}");
const ANALYZE: Step = Run(Dba, "analyze diagnoses");
const PLAN: Step = Run(
    App,
    "create function scratch.plan(query text) returns setof text language plpgsql
        as $$ begin return query execute 'explain ' || query; end $$",
);
/// Another tenant's session, in the middle of a transaction; and one of ours beside it.
const BUSY: Step = Run(App, "begin; select {enter b}; savepoint s; update orders set total = total");
const ANOTHER: Step = Connect(App, "");
const A: Step = Run(App, "begin; select {enter a}");

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("E06", "T3", "B", V, "EXPLAIN ANALYZE counts the rows that the policy removed", Steps(&[
        Run(Owner, "create index on orders (note)"),
        PLAN,
        Run(App, "begin; select {enter a}; set local enable_seqscan = off"),
        Read(App, "select '{b}' as tenant_id
            from scratch.plan($$ (analyze, costs off, timing off, summary off) select from orders where note = 'note 1' $$) line
            where line like '%Removed by Filter: 1'"),
    ])),
    row("E02", "T3", "B", V, "EXPLAIN estimates from every tenant's statistics", Steps(&[
        DIAGNOSES,
        PROTECT,
        ANALYZE,
        PLAN,
        A,
        Read(App, "select '{b}' as tenant_id where
            (select substring(line from ' rows=\\d+') from scratch.plan('select from diagnoses where name = ''rare''') line limit 1)
            <> (select substring(line from ' rows=\\d+') from scratch.plan('select from diagnoses where name = ''none''') line limit 1)"),
    ])),
    row("E04", "T3", "BD", V, "the size of a table tells how many rows the others have", Steps(&[
        DIAGNOSES,
        PROTECT,
        A,
        Read(App, "select '{b}' as tenant_id where pg_relation_size('diagnoses') > 65536"),
    ])).because("hidden: the size is null").admitted("sizes of relations"),
    row("E04", "T3", "BD", V, "pg_class tells it as well", Steps(&[
        DIAGNOSES,
        PROTECT,
        ANALYZE,
        A,
        Read(App, "select '{b}' as tenant_id from pg_class where oid = 'diagnoses'::regclass and reltuples > 100"),
    ])).because("every planner reads pg_class: admitted").admitted("`reltuples` and"),
    row("E05", "T3", "BR", F, "pg_stats and pg_stats_ext show values of hidden rows", Steps(&[
        DIAGNOSES,
        Run(Owner, "create statistics together on tenant_id, name from diagnoses"),
        PROTECT,
        ANALYZE,
        A,
        Read(App, "select '{b}' as tenant_id from pg_stats where tablename = 'diagnoses'
            union all select '{b}' from pg_stats_ext where tablename = 'diagnoses'"),
    ])).finds(&["T087", "T088"]).because("PostgreSQL shows no statistics of a table under row-level security"),
    row("E05", "T3", "B", V, "pg_stats shows values of an index on an expression to the table's owner", Steps(&[
        DIAGNOSES,
        Run(Owner, "create index on diagnoses (upper(name))"),
        PROTECT,
        ANALYZE,
        Run(Dba, "grant {owner} to {app}"),
        A,
        Read(App, "select '{b}' as tenant_id from pg_stats where tablename = 'diagnoses_upper_idx'
            and most_common_vals::text ~ 'FLU'"),
    ])).finds(&["T004"]).because("the scan of the statistics leaves these rows out"),
    row("E05", "T3", "BR", V, "pg_statistic is read by a role that reads everything", Steps(&[
        DIAGNOSES,
        PROTECT,
        ANALYZE,
        Run(Dba, "grant pg_read_all_data to {app}"),
        A,
        Read(App, "select '{b}' as tenant_id from pg_statistic
            where starelid = 'diagnoses'::regclass and staattnum = 2 and stavalues1::text ~ 'flu'"),
    ])).finds(&["T006"]),
    row("E12", "T3", "B", V, "pg_roles shows other logins' settings, and so their tenants", Steps(&[
        Run(Dba, "set pg_tenant.guards = off; alter role {backup} set application_name = '{b}'"),
        A,
        Read(App, "select '{b}' as tenant_id from pg_roles where rolname = '{backup}' and rolconfig::text ~ '{b}'"),
    ])).because("the scan of the settings leaves these rows out"),
    row("E07", "T3", "-", F, "FOR UPDATE SKIP LOCKED reaches hidden rows", Steps(&[
        A,
        Read(App, "select tenant_id from orders for update skip locked"),
    ])),
    row("E11", "T3", "PD", V, "an index probe takes longer for a hidden row than for none",
        Unrun("no test asserts a time; D08 is the remedy")).admitted("timing"),
    row("E12", "T3", "D", V, "the catalog names every role, schema and policy", Steps(&[
        A,
        Read(App, "select '{b}' as tenant_id from pg_roles where rolname = '{backup}'"),
    ])).admitted("names in the catalog"),
    row("E13", "T3", "R", S, "search statistics are made of every tenant's words", Steps(&[
        A,
        Read(App, "select '{b}' as tenant_id from ts_stat('select to_tsvector(''simple'', note) from orders') where word = '1'"),
    ])).finds(&["T098"]),
    row("E14", "T3", "D", S, "pg_locks shows what other sessions hold", Steps(&[
        Run(App, "begin; select {enter b}; update orders set total = total"),
        Connect(App, ""),
        A,
        Read(App, "select '{b}' as tenant_id from pg_locks where relation = 'orders'::regclass and pid <> pg_backend_pid()
            and database = (select oid from pg_database where datname = current_database()) and mode = 'RowExclusiveLock'"),
    ])).admitted("sessions, their statements and locks"),
    row("E16", "T3", "B", V, "pg_stat_get_activity shows what other sessions run", Steps(&[
        BUSY, ANOTHER, A,
        Read(App, "select '{b}' as tenant_id from pg_stat_get_activity(null) where pid <> pg_backend_pid() and query ~ 'total = total'"),
    ])).because("hidden: the session's own row alone"),
    row("E16", "T3", "-", F, "pg_stat_get_activity leaves the session's own row out", Steps(&[
        BUSY, ANOTHER, A,
        Read(App, "select '{b}' as tenant_id where 1 <> (select count(*) from pg_stat_get_activity(null)
            where pid = pg_backend_pid() and query ~ 'pg_stat_get_activity')"),
    ])),
    row("E16", "T3", "B", V, "pg_stat_get_backend_idset and _activity show what other sessions run", Steps(&[
        BUSY, ANOTHER, A,
        Read(App, "select '{b}' as tenant_id from pg_stat_get_backend_idset() n
            where pg_stat_get_backend_pid(n) <> pg_backend_pid() and pg_stat_get_backend_activity(n) ~ 'total = total'"),
    ])).because("hidden: no rows"),
    row("E16", "T3", "B", V, "pg_stat_get_backend_activity by a number that was guessed shows it as well", Steps(&[
        BUSY, ANOTHER, A,
        Read(App, "select '{b}' as tenant_id from generate_series(1, 200) n
            where pg_stat_get_backend_pid(n) <> pg_backend_pid() and pg_stat_get_backend_activity(n) ~ 'total = total'"),
    ])).because("hidden: null"),
    row("E16", "T3", "B", V, "pg_stat_get_backend_pid, _userid, _start, _xact_start, _client_addr tell who else is there", Steps(&[
        BUSY, ANOTHER, A,
        Read(App, "select '{b}' as tenant_id from generate_series(1, 200) n where pg_stat_get_backend_pid(n) <> pg_backend_pid()
            and num_nonnulls(pg_stat_get_backend_userid(n), pg_stat_get_backend_dbid(n), pg_stat_get_backend_start(n),
                pg_stat_get_backend_xact_start(n), pg_stat_get_backend_activity_start(n), pg_stat_get_backend_client_addr(n),
                pg_stat_get_backend_wait_event_type(n), pg_stat_get_backend_wait_event(n)) > 0 limit 1"),
    ])).because("hidden: null"),
    row("E16", "T3", "B", V, "pg_stat_get_backend_subxact tells how many savepoints others have", Steps(&[
        BUSY, ANOTHER, A,
        Read(App, "select '{b}' as tenant_id from generate_series(1, 200) n, pg_stat_get_backend_subxact(n) s
            where pg_stat_get_backend_pid(n) <> pg_backend_pid() and s.subxact_count is not null limit 1"),
    ])).because("hidden: no rows").since(16),
    row("E16", "T3", "B", V, "pg_stat_get_backend_io and _wal tell what others write", Steps(&[
        BUSY, ANOTHER, A,
        Read(App, "select '{b}' as tenant_id from generate_series(1, 200) n, pg_stat_get_backend_io(pg_stat_get_backend_pid(n)) i,
            pg_stat_get_backend_wal(pg_stat_get_backend_pid(n)) w where pg_stat_get_backend_pid(n) <> pg_backend_pid() limit 1"),
    ])).because("hidden: no rows").since(18),
    row("E15", "T3", "R", S, "the MAINTAIN privilege makes statistics anew", Steps(&[
        Run(Dba, "grant maintain on orders to {app}"),
        Run(App, "begin; select {enter a}; analyze orders; commit"),
    ])).finds(&["T008"]).since(17),
];
