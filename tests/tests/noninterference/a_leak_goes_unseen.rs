//! The comparison does not see what is there to be seen: each plant opens one way between tenants.

use crate::lane::LANES;
use crate::run::run;
use crate::vocabulary::Family;
use crate::world::Worlds;

/// A name, and what a superuser does in both worlds to the protected tables.
const PLANTS: &[(&str, &str)] = &[
    (
        "a_policy_too_wide",
        "select tenant.unprotect('orders', 'planted');
         alter table orders enable row level security, force row level security;
         create policy wide on orders using (tenant_id = tenant.current_id() or total % 40 = 0)
            with check (tenant_id = tenant.current_id())",
    ),
    (
        "more_than_rows_of_nobody",
        "select tenant.unprotect('predefined', 'planted');
         alter table predefined enable row level security, force row level security;
         create policy wide on predefined using (tenant_id is null or tenant_id = tenant.current_id() or rank % 40 = 0)
            with check (tenant_id = tenant.current_id())",
    ),
    (
        "a_view_for_a_policy",
        "select tenant.unprotect('facts', 'planted');
         alter table facts disable row level security; alter table facts rename to all_facts;
         create function mine() returns text language sql stable as 'select tenant.current_id()';
         alter table all_facts alter tenant_id set default mine();
         create view facts as select * from all_facts where tenant_id || '' = tenant.current_id();
         grant all on facts to public; grant select on all_facts to public",
    ),
    (
        "an_internal_error",
        "create function crowded() returns boolean language plpgsql as $$ begin
            if (select reltuples > 1000 from pg_class where relname = 'orders') then raise 'crowded' using errcode = 'XX000'; end if;
            return false;
         end $$;
         create or replace view cheap with (security_barrier = true) as
            select id, total, note from orders where total < 500 and not crowded()",
    ),
    (
        "a_member_too_many",
        "select tenant.unprotect('people', 'planted');
         alter table people enable row level security, force row level security;
         create policy wide on people using (age % 40 = 1 or exists (select from belonging b where b.id = people.id))",
    ),
    ("a_key_that_all_share", "create unique index on customers (email) where id > 40"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_these() {
    for (name, plant) in PLANTS {
        let lanes = &LANES[..1];
        let worlds = Worlds::new(name, lanes, plant).await;
        let outcome = run(&worlds, lanes, &[], 1, 4000).await.swap_remove(0);
        let Err(difference) = outcome else { panic!("{name}: {outcome:?}") };
        eprintln!("{name}: after {} statements", difference.after);
    }
}

/// A policy as one writes it by hand: its equality alone, which the planner may lose, and which nobody puts first.
const BY_HAND: &str = "
    create function mine() returns text language sql stable leakproof as 'select tenant.current_id()';
    do $$ declare t text; begin
        foreach t in array array['vaults', 'chests'] loop
            perform tenant.unprotect(t, 'planted');
            execute format('alter table %I enable row level security, force row level security', t);
            execute format('alter table %I alter tenant_id set default mine()', t);
            execute format('create policy by_hand on %I using (tenant_id = mine()) with check (tenant_id = mine())', t);
        end loop;
    end $$";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_policy_by_hand() {
    let lanes = &LANES[..1];
    let worlds = Worlds::new("by_hand", lanes, BY_HAND).await;
    for family in ["classes", "order", "blind", "rechecks"] {
        let outcome = run(&worlds, lanes, Family::named(family), 1, 20_000).await.swap_remove(0);
        let Err(difference) = outcome else { panic!("{family}: {outcome:?}") };
        eprintln!("{family}: after {} statements", difference.after);
    }
}
