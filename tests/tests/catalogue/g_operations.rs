//! Dumps, replication, operations.

use pg_tenant_tests::attack::Step::{Read, Run};
use pg_tenant_tests::attack::Who::{App, Dba};

use crate::row::Play::{Steps, Test, Unrun};
use crate::row::Stock::{S, V};
use crate::row::{Row, row};

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("G01", "T5", "D", V, "a dump holds every tenant's rows, or silently a part of them",
        Test("servers/dump_loses_rows.rs", "a_role_without_the_right_dumps_a_part"))
    .admitted("dumps"),
    row("G02", "T0", "BR", V, "a table comes back from a dump, or from a copy, without its policies", Steps(&[
        Run(Dba, "alter table orders rename to kept; create table orders (like kept including all);
        alter table only orders force row level security; insert into orders select * from kept;
        grant select on orders to {app}"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from orders"),
    ]))
    .finds(&["T030"]),
    row("G02", "T0", "BR", V, "a table that was made anew gets the name of a protected one", Steps(&[
        Run(Dba, "create table again as select * from orders; drop table orders; alter table again rename to orders;
        grant select on orders to {app}"),
        Run(App, "begin; select {enter a}"),
        Read(App, "select tenant_id from orders"),
    ]))
    .finds(&["T030"]),
    row("G03", "T5", "DR", S, "a replica, a base backup and the WAL know no policies",
        Test("servers/standby_is_open.rs", "a_standby_serves_nobody_or_everybody"))
    .admitted("replicas")
    .finds(&["T007"]),
    row("G04", "T5", "R", S, "logical replication ships every tenant's rows",
        Test("servers/replication_stops.rs", "a_subscription_writes_around_the_fence_or_not_at_all"))
    .finds(&["T071", "T072"]),
    row("G04b", "T0", "R", V, "a TRUNCATE that is replicated removes every tenant's rows",
        Test("servers/a_truncate_is_replicated.rs", "before_and_after_it_was_protected"))
    .finds(&["T114", "T115"]),
    row("G05", "T5", "BR", S, "another library hooks in after pg_tenant, or pg_tenant is not preloaded",
        Test("servers/not_preloaded.rs", "the_extension_is_installed_without_its_hooks"))
    .finds(&["T085", "T086"])
    .because("TN010, in that test"),
    row("G06", "T5", "R", S, "the minor version has a weakness that is known",
        Unrun("mended by an update of PostgreSQL"))
    .finds(&["T087"]),
];
