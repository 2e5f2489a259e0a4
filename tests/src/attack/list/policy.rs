//! The policy does not apply, or lets through more than it says.

use crate::attack::Step::{Read, Run};
use crate::attack::Who::{App, Dba, Owner};
use crate::attack::{Attack, Stock::Leaks};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "fail open: `setting is null or …` and no tenant",
        stock: Leaks,
        steps: &[
            Run(
                Owner,
                "alter policy tenant_isolation on orders
                    using (current_setting('{setting}', true) is null
                        or tenant_id::text = current_setting('{setting}', true))",
            ),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "one more permissive policy, for support",
        stock: Leaks,
        steps: &[
            Run(Owner, "create policy support on orders for select using (true)"),
            Run(App, "begin; select {enter a}"),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "the owner reads, without FORCE",
        stock: Leaks,
        steps: &[
            Run(Owner, "alter table orders no force row level security"),
            Run(Owner, "begin; select {enter a}"),
            Read(Owner, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "a member of the owner disables row security",
        stock: Leaks,
        steps: &[
            Run(Dba, "grant {owner} to {app}"),
            Run(App, "alter table orders disable row level security"),
            Run(App, "begin; select {enter a}"),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "SET ROLE to a member role with BYPASSRLS",
        stock: Leaks,
        steps: &[
            Run(Dba, "grant {backup} to {app}"),
            Run(App, "begin; select {enter a}; set local role {backup}"),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "the policy's helper function is replaced",
        stock: Leaks,
        steps: &[
            Run(
                Dba,
                "create function helper() returns uuid language sql stable
                    as $$ select nullif(current_setting('{setting}', true), '')::uuid $$;
                 alter function helper() owner to {app}; grant create on schema public to {app};
                 alter policy tenant_isolation on orders using (tenant_id = helper())",
            ),
            Run(
                App,
                "create or replace function helper() returns uuid language sql stable as $$ select '{b}'::uuid $$",
            ),
            Run(App, "begin; select {enter a}"),
            Read(App, "select tenant_id from orders"),
        ],
    },
    Attack {
        name: "blind UPDATE moves rows to another tenant",
        stock: Leaks,
        steps: &[
            Run(Owner, "alter policy tenant_isolation on orders with check (true)"),
            Run(App, "begin; select {enter a}; update orders set tenant_id = '{b}'; commit"),
        ],
    },
    Attack {
        name: "INSERT of a row for another tenant",
        stock: Leaks,
        steps: &[
            Run(Owner, "alter policy tenant_isolation on orders with check (true)"),
            Run(App, "begin; select {enter a}; insert into orders values (-1, '{b}', 0, 'planted'); commit"),
        ],
    },
    Attack {
        name: "TRUNCATE, which no policy sees",
        stock: Leaks,
        steps: &[
            Run(Owner, "grant truncate on orders to {app}"),
            Run(App, "begin; select {enter a}; truncate orders; commit"),
        ],
    },
];
