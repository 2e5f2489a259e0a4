//! The proof finds what is open, and calls nothing open that is closed.

use super::fixture::{proof, shop};

#[tokio::test]
async fn what_is_closed_is_called_open() {
    for harden in [false, true] {
        let (db, boss) = shop(&format!("closed_{harden}"), harden).await;
        for call in ["".into(), format!("as_role => '{}'", db.roles.app)] {
            assert_eq!(proof(&boss, &call, "passed is false").await, [""; 0], "{call}");
            // Partitioned tables have no way to say in SQL whether a row was inserted or updated.
            let untold =
                proof(&boss, &call, "passed is null and not (path = 'on conflict' and got in ('0A000', '23505'))")
                    .await;
            assert_eq!(untold, [""; 0], "{call}");
            assert!(proof(&boss, &call, "passed").await.len() > 100);
        }
    }
}

/// Plants the hole with the guards off, as a DBA could by mistake; the proof must say where it is.
async fn finds(name: &str, hole: &str, said: &[&str]) {
    let (_db, boss) = shop(name, true).await;
    assert_eq!(proof(&boss, "", "passed is false").await, [""; 0]);
    boss.run(&format!("set pg_tenant.guards = off; {hole}; reset pg_tenant.guards")).await;
    let found = proof(&boss, "", "passed is false").await;
    for said in said {
        assert!(found.iter().any(|row| row == said), "{said} is not in {found:#?}");
    }
}

#[tokio::test]
async fn a_policy_was_weakened() {
    let hole = "drop policy tenant_isolation on orders; alter policy tenant_access on orders using (true)";
    let said = [
        "orders: fence: none",
        "orders: select with no tenant: 2 rows",
        "orders: select by key: 1 rows",
        "orders: prepared: 1 rows",
        "orders: function with the caller's rights: 1 rows",
        "orders: function with the owner's rights: 1 rows",
        "orders: view with the owner's rights: 1 rows",
        "orders: copy: 1 rows",
        "orders: copy of the table: 2 rows",
    ];
    finds("weakened", hole, &said).await;
}

#[tokio::test]
async fn policies_of_their_own_took_the_place_of_ours() {
    finds(
        "replaced",
        "drop policy tenant_isolation on orders; drop policy tenant_access on orders;
         create policy reads on orders for select using (tenant_id = tenant.current_uuid());
         create policy writes on orders for insert with check (true);
         create policy changes on orders for update using (true);
         create policy goes on orders for delete using (true)",
        &[
            "orders: fence: none",
            "orders: insert for the other: 23505",
            "orders: blind update: 2 rows",
            "orders: blind delete: 2 rows",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_view_shows_it() {
    let hole = "drop policy tenant_isolation on orders; drop policy tenant_access on orders; create policy wide on orders using (true)";
    finds("views", hole, &["orders: view public.totals: another", "orders: view public.open_orders: another"]).await;
}

#[tokio::test]
async fn copy_writes_and_reads_past_policies() {
    let hole = "drop policy tenant_isolation on orders; drop policy tenant_access on orders; alter table orders disable row level security";
    // By itself that is refused at run time (TN012), but not where somebody says that the table is everybody's.
    finds("no_rls", hole, &["orders: fence: none"]).await;
    let hole = format!("{hole}; select tenant.share('orders', 'by mistake')");
    finds("no_rls_shared", &hole, &["orders: copy from: 0 rows", "orders: copy of the table: 2 rows"]).await;
}

#[tokio::test]
async fn strict_mode_is_off() {
    finds("not_strict", "set pg_tenant.strict = off", &["orders: select with no tenant: 0 rows"]).await;
}

/// A superuser's view is refused by strict mode, whatever it reads.
#[tokio::test]
async fn a_view_with_the_rights_of_an_exempt_role() {
    let (_db, boss) = shop("exempt_view", true).await;
    boss.run("create view all_orders as select id, total from orders").await;
    let views = proof(&boss, "", "path like 'view %' and passed").await;
    assert!(views.contains(&"orders: view public.all_orders: TN011".to_owned()), "{views:?}");
    assert!(views.contains(&"orders: view public.totals: the same".to_owned()), "{views:?}");
}
