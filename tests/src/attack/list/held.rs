//! What stock PostgreSQL stops by itself, and pg_tenant too: listed so that the comparison is honest.

use crate::attack::Step::{Connect, Read, Run};
use crate::attack::Who::App;
use crate::attack::{Attack, Stock::Holds};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "SET row_security = off",
        stock: Holds,
        steps: &[
            Run(App, "begin; select {enter a}; set local row_security = off"),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "ALTER ROLE self SET, without a grant",
        stock: Holds,
        steps: &[
            Run(App, "alter role {app} set {setting} = '{b}'"),
            Connect(App, ""),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "function SET clause, without a grant",
        stock: Holds,
        steps: &[
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
