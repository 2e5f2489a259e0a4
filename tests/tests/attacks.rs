//! Every attack of the list does what the list says on a stock policy, and none gets through on pg_tenant.

use std::fmt::Write as _;

use pg_tenant_tests::Cluster;
use pg_tenant_tests::attack::{Stage, Stock, all, rows_for_test};

/// A refusal of ours, or of PostgreSQL's rights: never an attack that fails because it is written wrongly.
fn is_a_defence(code: &str) -> bool {
    code.starts_with("TN") || code == "42501"
}

#[tokio::test]
async fn what_leaks_on_a_stock_policy_does_not_get_through() {
    let (rows, a, b) = rows_for_test();
    let stage = Stage::new(Cluster::shared(), &rows, &a, &b).await;
    let (mut leaks, mut wrong) = (0, String::new());
    for attack in all() {
        let (stock, ours) = stage.run(attack).await;
        leaks += usize::from(attack.stock == Stock::Leaks);
        if stock.leaked() != (attack.stock == Stock::Leaks) {
            let _ = writeln!(wrong, "{}: the list says {:?}; stock: {stock} {stock:?}", attack.name, attack.stock);
        }
        if ours.leaked() || ours.code().is_some_and(|code| !is_a_defence(code)) {
            let _ = writeln!(wrong, "{}: pg_tenant: {ours} {ours:?}", attack.name);
        }
        eprintln!("{:<50} {:<28} {ours}", attack.name, stock.to_string());
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(leaks >= 15, "only {leaks} attacks leak on a stock policy");
}
