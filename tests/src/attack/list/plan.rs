//! The planner takes the policy's equality out of the plan: a condition of the statement implies it, and is no longer
//! true when the rows are read.

use crate::attack::Step::{Connect, Read, Run};
use crate::attack::Who::{App, Dba};
use crate::attack::{Attack, Stock::Leaks};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "the policy is implied by a condition that changes",
        stock: Leaks,
        steps: &[
            Run(Dba, "{bind a}"),
            Connect(App, "-c enable_indexscan=off -c enable_bitmapscan=off -c evil.t={a}"),
            Read(
                App,
                "select tenant_id from orders
                    where tenant_id = current_setting('evil.t')::uuid and set_config('evil.t', '{b}', false) is not null",
            ),
        ],
    },
    Attack {
        name: "DELETE by a condition that changes",
        stock: Leaks,
        steps: &[
            Run(Dba, "{bind a}"),
            Connect(App, "-c enable_indexscan=off -c enable_bitmapscan=off -c evil.t={a}"),
            Run(
                App,
                "delete from orders
                    where tenant_id = current_setting('evil.t')::uuid and set_config('evil.t', '{b}', false) is not null",
            ),
        ],
    },
    Attack {
        name: "a condition that changes, in one injected SELECT",
        stock: Leaks,
        steps: &[
            Run(App, "begin; select {enter a}"),
            // A sample is scanned, whatever indexes there are.
            Read(
                App,
                "select null::uuid as tenant_id where set_config('evil.t', '{a}', true) is null
                 union all
                 select tenant_id from orders tablesample system (100)
                    where tenant_id = current_setting('evil.t', true)::uuid and set_config('evil.t', '{b}', true) is not null",
            ),
        ],
    },
];
