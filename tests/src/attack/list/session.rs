//! What one request leaves on a connection, the next one on it finds.

use crate::attack::Step::{Lend, LendRead, Read, Run};
use crate::attack::Tenant::{A, B};
use crate::attack::Who::{App, Owner};
use crate::attack::{Attack, Stock::Leaks};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "the next borrower forgets to set the tenant",
        stock: Leaks,
        steps: &[Run(App, "begin; select {session b}; commit"), Read(App, "select tenant_id from orders")],
    },
    Attack {
        name: "ROLLBACK restores the tenant before",
        stock: Leaks,
        steps: &[
            Run(App, "begin; select {session b}; commit"),
            Run(App, "begin; select {session a}; rollback"),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "SET LOCAL outside a transaction does nothing",
        stock: Leaks,
        steps: &[
            Run(App, "begin; select {session b}; commit"),
            Run(App, "select {enter a}"),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "a cursor WITH HOLD, fetched by the next borrower",
        stock: Leaks,
        steps: &[
            Lend(B, "declare kept cursor with hold for select tenant_id::text from orders"),
            LendRead(A, "fetch all from kept"),
        ],
    },
    Attack {
        name: "a temporary table, found by the next borrower",
        stock: Leaks,
        steps: &[
            Lend(B, "create temporary table if not exists report as select * from orders"),
            LendRead(
                A,
                "create temporary table if not exists report as select * from orders; select tenant_id::text from report",
            ),
        ],
    },
    Attack {
        name: "a temporary table shadows the real one",
        stock: Leaks,
        steps: &[
            Lend(B, "create temporary table orders as select * from public.orders"),
            LendRead(A, "select tenant_id::text from orders"),
        ],
    },
    Attack {
        name: "COMMIT PREPARED of another tenant's transaction",
        stock: Leaks,
        steps: &[
            Run(App, "begin; select {enter b}; update orders set total = 0; prepare transaction 'payment'"),
            Run(App, "rollback"),
            Run(App, "select {session a}"),
            Run(App, "commit prepared 'payment'"),
        ],
    },
    Attack {
        name: "an IMMUTABLE helper, folded into a cached plan",
        stock: Leaks,
        steps: &[
            Run(
                Owner,
                "create function helper() returns uuid language plpgsql immutable
                    as $$ begin return nullif(current_setting('{setting}', true), '')::uuid; end $$;
                 alter policy tenant_isolation on orders using (tenant_id = helper())",
            ),
            Run(App, "set plan_cache_mode = force_generic_plan; prepare mine as select tenant_id from orders"),
            Run(App, "begin; select {enter b}; execute mine; commit"),
            Run(App, "begin; select {enter a}"),
            Read(App, "execute mine"),
        ],
    },
];
