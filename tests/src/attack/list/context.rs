//! The tenant stands in a setting, and whoever runs SQL writes it.

use crate::attack::Step::{Connect, Read, Run};
use crate::attack::Who::{App, Dba};
use crate::attack::{Attack, Stock::Leaks};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "set_config() in a subquery of one SELECT",
        stock: Leaks,
        steps: &[
            Run(App, "begin; select {enter a}"),
            Read(
                App,
                "select tenant_id from (select set_config('{setting}', '{b}', true) offset 0) injected,
                    lateral (select * from orders where injected.set_config is not null offset 0) o",
            ),
        ],
    },
    Attack {
        name: "SET LOCAL in a stacked statement",
        stock: Leaks,
        steps: &[
            Run(App, "begin; select {enter a}"),
            Read(App, "select 1; set local {setting} = '{b}'; select tenant_id from orders"),
        ],
    },
    Attack {
        name: "set_config() in a DO block",
        stock: Leaks,
        steps: &[
            Run(App, "begin; select {enter a}"),
            Run(App, "do $$ begin perform set_config('{setting}', '{b}', true); end $$"),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "a second tenant in one transaction",
        stock: Leaks,
        steps: &[
            Run(App, "begin; select {enter a}"),
            Run(App, "select {enter b}"),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "ROLLBACK TO undoes the switch to A",
        stock: Leaks,
        steps: &[Read(
            App,
            "begin; select {enter b}; savepoint s; select {enter a}; rollback to s; select tenant_id from orders",
        )],
    },
    Attack {
        name: "an EXCEPTION block undoes the switch to A",
        stock: Leaks,
        steps: &[Read(
            App,
            "begin; select {enter b};
             do $$ begin perform {enter a}; perform 1 / 0; exception when division_by_zero then null; end $$;
             select tenant_id from orders",
        )],
    },
    Attack {
        name: "a tenant in the startup options",
        stock: Leaks,
        steps: &[Connect(App, "-c {setting}={b}"), Read(App, "select tenant_id from orders")],
    },
    Attack {
        name: "RESET ALL returns to the startup options",
        stock: Leaks,
        steps: &[
            Connect(App, "-c {setting}={b}"),
            Run(App, "select {session a}"),
            Run(App, "reset all"),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "DISCARD ALL returns to the startup options",
        stock: Leaks,
        steps: &[
            Connect(App, "-c {setting}={b}"),
            Run(App, "select {session a}"),
            Run(App, "discard all"),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "GRANT SET ON PARAMETER, ALTER ROLE self SET",
        stock: Leaks,
        steps: &[
            Run(
                Dba,
                "lock table pg_parameter_acl in share row exclusive mode; grant set on parameter {setting} to {app}",
            ),
            Run(App, "alter role {app} set {setting} = '{b}'"),
            Connect(App, ""),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "GRANT SET ON PARAMETER, function SET clause",
        stock: Leaks,
        steps: &[
            Run(
                Dba,
                "lock table pg_parameter_acl in share row exclusive mode; grant set on parameter {setting} to {app}",
            ),
            Run(
                App,
                "create function scratch.peek() returns setof orders language sql set {setting} = '{b}'
                    as 'select * from orders'",
            ),
            Run(App, "begin; select {enter a}"),
            Read(App, "select tenant_id from scratch.peek()"),
        ],
    },
];
