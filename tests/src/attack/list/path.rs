//! The rows are reached as somebody else, or where no policy stands.

use crate::attack::Step::{Read, Run};
use crate::attack::Who::{App, Dba, Owner};
use crate::attack::{Attack, Stock::Leaks};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "a view that a superuser owns",
        stock: Leaks,
        steps: &[
            Run(Dba, "create view everything as select * from orders; grant select on everything to {app}"),
            Run(App, "begin; select {enter a}"),
            Read(App, "select tenant_id from everything"),
        ],
    },
    Attack {
        name: "a SECURITY DEFINER function of a superuser",
        stock: Leaks,
        steps: &[
            Run(
                Dba,
                "create function search(text) returns setof orders language sql stable security definer
                    as 'select * from orders where note like $1'",
            ),
            Run(App, "begin; select {enter a}"),
            Read(App, "select tenant_id from search('%')"),
        ],
    },
    Attack {
        name: "a materialized view",
        stock: Leaks,
        steps: &[
            Run(Dba, "create materialized view totals as select * from orders; grant select on totals to {app}"),
            Run(App, "begin; select {enter a}"),
            Read(App, "select tenant_id from totals"),
        ],
    },
    Attack {
        name: "a RULE, which runs as the table's owner",
        stock: Leaks,
        steps: &[
            Run(
                Dba,
                "create table inbox (note text); create table outbox (like orders);
                 create rule copy as on insert to inbox do also insert into outbox select * from orders;
                 grant insert on inbox to {app}; grant select on outbox to {app}",
            ),
            Run(App, "begin; select {enter a}; insert into inbox values ('hello'); commit"),
            Read(App, "select tenant_id from outbox"),
        ],
    },
    Attack {
        name: "a partition, read directly",
        stock: Leaks,
        steps: &[
            Run(
                Owner,
                "create table events (id bigint, tenant_id uuid not null, at date) partition by range (id);
                 create table events_1 partition of events default",
            ),
            Run(Dba, "insert into events select id, tenant_id, current_date from hidden.pristine"),
            Run(Owner, "{protect events}; grant select on events, events_1 to {app}"),
            Run(App, "begin; select {enter a}"),
            Read(App, "select tenant_id from events_1"),
        ],
    },
    Attack {
        name: "a partition added later, read directly",
        stock: Leaks,
        steps: &[
            Run(Owner, "create table events (id bigint, tenant_id uuid not null, at date) partition by range (id)"),
            Run(Owner, "{protect events}"),
            Run(Owner, "create table events_2 partition of events default; grant select on events_2 to {app}"),
            Run(Dba, "insert into events_2 select id, tenant_id, current_date from hidden.pristine"),
            Run(App, "begin; select {enter a}"),
            Read(App, "select tenant_id from events_2"),
        ],
    },
    Attack {
        name: "an inheritance child, read directly",
        stock: Leaks,
        steps: &[
            Run(Owner, "create table orders_2025 () inherits (orders); grant select on orders_2025 to {app}"),
            Run(Dba, "insert into orders_2025 select id, tenant_id, total, note from hidden.pristine"),
            Run(App, "begin; select {enter a}"),
            Read(App, "select tenant_id from orders_2025"),
        ],
    },
    Attack {
        name: "CREATE TABLE AS, read by the next tenant",
        stock: Leaks,
        steps: &[
            Run(App, "begin; select {enter b}; create table scratch.report as select * from orders; commit"),
            Run(App, "begin; select {enter a}"),
            Read(App, "select tenant_id from scratch.report"),
        ],
    },
];
