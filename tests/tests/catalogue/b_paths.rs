//! Something reads or writes as somebody else.

use pg_tenant_tests::attack::Step::{Read, Run, Tells};
use pg_tenant_tests::attack::Who::{App, Dba, Owner};

use crate::row::Play::{Listed, Steps, Test};
use crate::row::Stock::{F, S, V};
use crate::row::{Row, row};

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("B01", "T0", "BPR", V, "a view reads with the rights of an owner that policies do not bind", Steps(&[
        Run(Dba, "create view everything as select * from orders; alter view everything owner to {backup};
        grant select on everything to {app}"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from everything"),
    ]))
    .finds(&["T060"]),
    row("B01b", "T0", "BPR", V, "such a view is written through", Steps(&[
        Run(Dba, "create view everything as select * from orders; grant select, delete on everything to {app}"),
        Run(App, "begin; select {enter a}; delete from everything; commit"),
    ]))
    .finds(&["T060"]),
    row("B01d", "T0", "BPR", V, "a superuser's view over a table that is forced",
        Listed("a view that a superuser owns"))
    .finds(&["T060"]),
    row("B03", "T0", "BR", V, "a materialized view holds every tenant's rows", Listed("a materialized view"))
        .finds(&["T062"]),
    row("B03", "T0", "BR", V, "one that was made behind the guards is read", Steps(&[
        Run(Dba, "set pg_tenant.guards = off; create materialized view totals as select * from orders;
        grant select on totals to {app}"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from totals"),
    ]))
    .finds(&["T062"]),
    row("B04", "T1", "BR", V, "a SECURITY DEFINER function runs with its owner's exemption",
        Listed("a SECURITY DEFINER function of a superuser"))
    .finds(&["T063"]),
    row("B06", "T2", "PR", V, "a function that a policy calls resolves names in the caller's search_path", Steps(&[
        Run(Dba, "create function context() returns text language sql stable
            as $$ select current_setting('app.tenant', true) $$;
        create function mine(id uuid) returns boolean language plpgsql stable
            as $$ begin return id::text = context(); end $$"),
        Run(Owner, "create policy by_function on orders using (mine(tenant_id))"),
        Run(App, "create function scratch.context() returns text language sql as $$ select '{b}' $$"),
        Run(App, "begin; select {enter a}; set local search_path = scratch, public"),
        Read(App, "select tenant_id from orders"),
    ]))
    .finds(&["T044"]),
    row("B08", "T0", "BR", V, "a rule acts with the rights of the relation's owner",
        Listed("a RULE, which runs as the table's owner"))
    .finds(&["T064"]),
    row("B10", "T0", "BR", V, "a foreign table has no policies, and reads as whom the user mapping names", Steps(&[
        Run(Dba, "create extension postgres_fdw;
        do $$ begin execute format('create server loop foreign data wrapper postgres_fdw
            options (host %L, port %L, dbname %L)', current_setting('unix_socket_directories'),
            current_setting('port'), current_database()); end $$;
        create user mapping for {app} server loop options (user 'postgres', password_required 'false');
        create foreign table far (tenant_id uuid) server loop options (schema_name 'public', table_name 'orders');
        grant select on far to {app}"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from far"),
    ]))
    .finds(&["T070"]).needs("postgres_fdw"),
    row("B10", "T3", "B", V, "ANALYZE of a foreign table keeps values of its rows in pg_stats", Steps(&[
        Run(Dba, "create extension postgres_fdw;
        do $$ begin execute format('create server loop foreign data wrapper postgres_fdw
            options (host %L, port %L, dbname %L)', current_setting('unix_socket_directories'),
            current_setting('port'), current_database()); end $$;
        create user mapping for {app} server loop options (user 'postgres', password_required 'false');
        create foreign table far (tenant_id uuid) server loop options (schema_name 'public', table_name 'orders');
        alter table far owner to {app}"),
        Run(App, "begin; select {enter a}; analyze far"),
        Read(App, "select unnest(most_common_vals::text::text[]) as tenant_id from pg_stats where tablename = 'far'"),
    ])).needs("postgres_fdw"),
    row("B21", "T3", "BR", V, "TOAST holds every tenant's long values, and a role that reads everything reads it", Steps(&[
        Run(Dba, "create table docs (tenant_id uuid not null, body text); alter table docs alter body set storage external;
            insert into docs values ('{b}', repeat('secret ', 900)); alter table docs owner to {owner};
            grant select on docs to {app}; grant pg_read_all_data to {app}"),
        Run(Owner, "{protect docs}"),
        Run(App, "create function scratch.toast() returns setof bytea language plpgsql as $$ begin return query execute
            (select 'select chunk_data from ' || reltoastrelid::regclass from pg_class where oid = 'docs'::regclass); end $$"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select '{b}' as tenant_id from scratch.toast() t where convert_from(t, 'utf8') ~ 'secret'"),
    ])).finds(&["T006"]),
    row("B21", "T3", "B", V, "a role that was bound becomes REPLICATION and streams everything",
        Test("extension/sessions/it_replicates.rs", "though_it_is_bound")).finds(&["T019"]).because("the login is refused with TN071, before there is a session"),
    row("B11", "T1", "BR", V, "dblink opens a session of its own, which chooses a tenant of its own", Steps(&[
        Run(Dba, "create extension dblink;
        create function remote(query text) returns setof text language sql security definer
            as $$ select * from dblink(format('host=%s port=%s user={app} dbname=%s',
                current_setting('unix_socket_directories'), current_setting('port'), current_database()), query)
                as t (x text) $$"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from remote($$ with s as materialized (select {session b})
        select tenant_id::text from s, orders $$) as r (tenant_id)"),
    ]))
    .finds(&["T014"]).needs("dblink"),
    row("B13", "T2", "R", V, "a policy asks a table that the application writes", Steps(&[
        Run(Owner, "create table member (login text, of uuid); grant select, insert on member to {app};
        create policy members on orders using (tenant_id in (select of from member where login = current_user))"),
        Run(App, "insert into member values ('{app}', '{b}')"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from orders"),
    ]))
    .finds(&["T042"]),
    row("B13b", "T2", "BP", V, "the same, where people belong to tenants by a join table: a tenant adds itself", Steps(&[
        Run(Owner, "create table login (id int primary key, tenant_id uuid); create table member (tenant_id uuid not null, login int);
        insert into login values (1, '{a}'), (2, '{b}'); insert into member values ('{a}', 1), ('{b}', 2);
        grant select, insert, update, delete on login, member to {app}"),
        Run(Owner, "{protect member}"),
        Run(Owner, "{join login by member}"),
        Run(App, "begin; select {enter a}; insert into member (tenant_id, login) values ('{a}', 2); commit"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from login"),
    ])),
    row("B13c", "T2", "BP", V, "a row that several tenants see by a join table is changed by one of them",
        Test("extension/membership/a_row_of_several_is_written.rs", "by_a_tenant")).because("refused with TN074"),
    row("B15", "T1", "R", V, "a view filters by tenant and is no security barrier: a cheap function sees the rest", Steps(&[
        Run(Dba, "create view mine as select * from hidden.pristine where tenant_id = {tenant};
        grant select on mine to {app}"),
        Run(App, "create table scratch.loot (tenant_id uuid);
        create function scratch.peek(id uuid) returns boolean language plpgsql cost 0.0000001
            as $$ begin insert into scratch.loot values (id); return true; end $$"),
        Run(App, "begin; select {enter a}; select from mine where scratch.peek(tenant_id); commit"),
        Read(App, "select tenant_id from scratch.loot"),
    ]))
    .finds(&["T061"]),
    row("B16", "T1", "RB", V, "a function is declared LEAKPROOF and is not: it runs before the policy", Steps(&[
        Run(Dba, "create function inverse(n bigint) returns bigint language plpgsql immutable leakproof cost 0.0000001
            as $$ begin return 100 / (n - 1); end $$"),
        Run(App, "begin; select {enter a}"),
        Tells(App, "22012", "select from orders where inverse(id) is not null"),
    ]))
    .finds(&["T068"])
    .because("only a superuser declares it: reported"),
    row("B20", "T1", "B", F, "a query that only exists within a function's argument", Steps(&[
        Run(App, "create function scratch.run(query text) returns setof uuid language plpgsql
            as $$ begin return query execute query; end $$"),
        Read(App, "select tenant_id from scratch.run('select tenant_id from orders') r (tenant_id)"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from scratch.run('select tenant_id from orders') r (tenant_id)"),
    ])),
    row("B21", "T2", "R", S, "a predefined role runs the server's programs", Steps(&[
        Run(Dba, "grant pg_execute_server_program to {app}"),
        Run(App, "create table scratch.lines (tenant_id text)"),
        Run(App, "begin; select {enter a}; copy scratch.lines from program 'echo {b}'; commit"),
        Read(App, "select tenant_id from scratch.lines"),
    ]))
    .finds(&["T006"]),
    row("B22", "T2", "B", S, "validating a constraint reads every row, and says whether one fails", Steps(&[
        Run(Owner, "begin; select {enter a}"),
        Tells(Owner, "23514", "alter table orders add constraint hidden check (id <> 1)"),
    ])),
    row("B23", "T0", "PR", S, "a trigger with the rights of its function's owner writes to other tenants", Steps(&[
        Run(Dba, "create function level() returns trigger language plpgsql security definer
            as $$ begin update orders set total = 0; return null; end $$;
        create trigger level after update on orders for each row when (pg_trigger_depth() = 0)
            execute function level()"),
        Run(App, "begin; select {enter a}; update orders set note = 'new' where id = 0; commit"),
    ]))
    .finds(&["T065"]),
    row("C31", "T0", "B", S, "a worker in the background has no session that enters a tenant",
        Test("extension/strict/a_worker_runs_it.rs", "with_the_rights_of_a_superuser"))
    .because("TN001 and TN011, in that test"),
    row("B24", "T4", "BR", V, "a foreign key's action from the registry runs its owner's trigger as a superuser",
        Test("extension/registry/a_tenant_is_removed.rs", "by_a_superuser"))
    .finds(&["T110"])
    .because("TN052 and TN037, in that test"),
    row("B25", "T4", "P", V, "protecting a table runs what its owner wrote as the superuser who protects it",
        Test("extension/protect/an_owners_code_runs.rs", "as_the_superuser_who_protects"))
    .because("it runs as the owner"),
];
