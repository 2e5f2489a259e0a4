//! Rows and words of other tenants in what is no table of theirs.

use pg_tenant_tests::attack::Step::{self, Read, Run};
use pg_tenant_tests::attack::Who::{App, Dba, Owner};

use crate::row::Play::{Steps, Test};
use crate::row::Stock::{F, S, V};
use crate::row::{Row, row};

const DIAGNOSES: Step = Run(
    Dba,
    "create table diagnoses (tenant_id uuid not null, name text, kind text);
     insert into diagnoses select '{b}', 'flu', 'acute' from generate_series(1, 400);
     create statistics together (mcv) on name, kind from diagnoses;
     create statistics upper on (upper(name)), (upper(kind)) from diagnoses;
     alter table diagnoses owner to {owner}; alter statistics together owner to {owner}; alter statistics upper owner to {owner};
     grant select on diagnoses to {app}",
);
const PROTECT: Step = Run(Owner, "{protect diagnoses}");
/// Sign-in by e-mail: `tenant.lookup`, and on stock PostgreSQL what people write in its place.
const USERS: Step = Run(
    Dba,
    "create table users (tenant_id uuid not null, id int, email text, secret text, primary key (tenant_id, id));
     create index on users (email);
     insert into users values ('{a}', 1, 'a@x', 'words of a'), ('{b}', 2, 'b@x', 'words of b');
     alter table users owner to {owner}; grant select on users to {app};
     do $$ begin
        if to_regnamespace('tenant') is null then
            create schema tenant;
            grant usage on schema tenant to public;
            create function tenant.lookup(rel regclass, key_column name, value text) returns table (tenant_id text, row_id text)
                language plpgsql security definer as 'begin return query execute
                    format(''select tenant_id::text, id::text from %s where %I::text = $1'', rel, key_column) using value; end';
        end if; end $$",
);
const ALLOW: Step = Run(
    Owner,
    "{protect users}; do $$ begin
        if exists (select from pg_proc where proname = 'allow_lookup') then perform tenant.allow_lookup('users', 'email', 'sign-in'); end if;
     end $$",
);
const A: Step = Run(App, "begin; select {enter a}");

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("J01", "T3", "BR", V, "pg_statistic_ext_data is read by a role that reads everything", Steps(&[
        DIAGNOSES, PROTECT,
        Run(Dba, "analyze diagnoses; grant pg_read_all_data to {app}"),
        A,
        Read(App, "select distinct '{b}' as tenant_id from pg_statistic_ext_data, pg_mcv_list_items(stxdmcv) m where 'flu' = any (m.values)"),
    ])).finds(&["T006"]),
    row("J01", "T3", "-", F, "pg_stats_ext_exprs shows values of statistics on an expression", Steps(&[
        DIAGNOSES, PROTECT,
        Run(Dba, "analyze diagnoses; grant {owner} to {app}"),
        A,
        Read(App, "select '{b}' as tenant_id from pg_stats_ext_exprs where tablename = 'diagnoses' and most_common_vals::text ~ 'FLU'"),
    ])),
    row("J02", "T3", "BR", V, "pg_largeobject is read by a role that reads everything", Steps(&[
        Run(Dba, "select lo_from_bytea(0, 'words of b'); grant pg_read_all_data to {app}"),
        A,
        Read(App, "select '{b}' as tenant_id from pg_largeobject where convert_from(data, 'utf8') ~ 'of b'"),
    ])).finds(&["T006"]),
    row("J02", "T3", "B", V, "pg_largeobject_metadata tells how many large objects the others have", Steps(&[
        Run(Dba, "select lo_from_bytea(0, 'words of b')"),
        A,
        Read(App, "select '{b}' as tenant_id from pg_largeobject_metadata"),
    ])).because("the scan leaves them out"),
    row("J02", "T2", "B", V, "a large object of everybody's is described, granted or given away",
        Test("extension/guards/maintenance_reaches_all.rs", "a_large_object_is_described")).because("TN064, in that test"),
    row("J03", "T3", "B", V, "pg_db_role_setting tells which tenant each login is bound to", Steps(&[
        Run(Dba, "set pg_tenant.guards = off; alter role {backup} set application_name = '{b}'"),
        A,
        Read(App, "select '{b}' as tenant_id from pg_db_role_setting where setrole = '{backup}'::regrole and setconfig::text ~ '{b}'"),
    ])).because("the scan of the settings leaves these rows out"),
    row("J04", "T3", "B", V, "replication slots and multixacts tell of others",
        Test("extension/guards/catalog_tells.rs", "what_others_do_in_functions")).because("TN062, in that test"),
    row("J05", "T3", "B", S, "tables of the extension's own are read or written by a role that reads everything",
        Test("extension/guards/held_for_all.rs", "by_a_right_on_everything")).because("TN070, in that test"),
    row("J06", "T0", "R", V, "the table of the tenants themselves shows each tenant the others", Steps(&[
        Run(Dba, "create table companies (id uuid primary key, name text); insert into companies select distinct tenant_id, 'name' from hidden.pristine;
            alter table companies owner to {owner}; grant select on companies to {app}"),
        Run(Owner, "alter table orders add foreign key (tenant_id) references companies"),
        A,
        Read(App, "select id as tenant_id from companies"),
    ])).finds(&["T113"]),
    row("J07", "T0", "B", V, "tables are made like a protected one, from it, or renamed into its place",
        Test("extension/guards/table_comes_back_open.rs", "where_new_tables_are_refused")).because("TN060, in that test"),
    row("J08", "T3", "RD", V, "with no tenant, tenant.lookup by a declared column tells in which tenant a guessed key is", Steps(&[
        USERS, ALLOW,
        Read(App, "select tenant_id from tenant.lookup('users', 'email', 'b@x')"),
    ])).finds(&["T118"]).admitted("whether a value that it guesses is there"),
    row("J08", "T3", "B", V, "tenant.lookup by a column that nobody declared", Steps(&[
        USERS, ALLOW,
        Read(App, "select tenant_id from tenant.lookup('users', 'secret', 'words of b')"),
    ])),
    row("J08", "T3", "-", F, "tenant.lookup lists keys, by a value that is SQL, a pattern or null", Steps(&[
        USERS, ALLOW,
        Read(App, "select l.tenant_id from (values ('b@x'' or true --'), ('%'), (null), ('B@x'), ('')) v (value),
            tenant.lookup('users', 'email', v.value) l"),
    ])),
    row("J08", "T3", "B", V, "a tenant asks tenant.lookup for another's key", Steps(&[
        USERS, ALLOW,
        A,
        Read(App, "select tenant_id from tenant.lookup('users', 'email', 'b@x')"),
    ])),
    row("J08", "T3", "B", V, "a tenant has it asked by a cursor that was opened before", Steps(&[
        USERS, ALLOW,
        Run(App, "begin; declare c cursor for select tenant_id from tenant.lookup('users', 'email', 'b@x')"),
        Run(App, "select {enter a}"),
        Read(App, "fetch c"),
    ])),
    row("J08", "T3", "B", V, "a bound login asks tenant.lookup", Steps(&[
        USERS, ALLOW,
        Run(Dba, "{bind a}"),
        Read(App, "select tenant_id from tenant.lookup('users', 'email', 'b@x')"),
    ])),
    row("J08", "T3", "B", V, "tenant.lookup is asked for one guess after another", Steps(&[
        USERS, ALLOW,
        Run(Dba, "alter role {app} set pg_tenant.max_lookups_per_minute = 0"),
        Read(App, "select tenant_id from tenant.lookup('users', 'email', 'b@x')"),
    ])),
    row("J08", "T3", "B", V, "a security definer function finds the rows of every tenant by a key", Steps(&[
        USERS, ALLOW,
        Run(Dba, "create function of_email(text) returns setof users language sql security definer as 'select * from users where email = $1'"),
        Read(App, "select tenant_id from of_email('b@x')"),
    ])),
    row("J09", "T3", "B", V, "the members of every tenant are read from the one table that has them", Steps(&[
        Run(Dba, "do $$ begin
                if to_regnamespace('tenant') is null then
                    create schema tenant;
                    grant usage on schema tenant to public;
                    create table tenant.members (tenant_id text, user_id text, role text);
                end if;
            end $$;
            insert into tenant.members (tenant_id, user_id, role) values ('{b}', 'boss', 'owner');
            grant select on tenant.members to {app}"),
        A,
        Read(App, "select tenant_id from tenant.members"),
    ])),
];
