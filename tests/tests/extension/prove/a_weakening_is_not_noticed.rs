//! The proof notices each weakening of a policy that it makes itself.

use super::fixture::{proof, shop};

#[tokio::test]
async fn one_of_them() {
    let (_db, boss) = shop("mutations", true).await;
    let missed = proof(&boss, "mutate => true", "path like 'mutation: %' and passed is not true").await;
    assert_eq!(missed, [""; 0]);
    let noticed = proof(&boss, "mutate => true", "path like 'mutation: %' and passed").await;
    // Eleven for each table, partition and child.
    assert_eq!(noticed.len(), 88, "{noticed:#?}");
    let says = |table: &str, mutation: &str, what: &str| {
        let row =
            noticed.iter().find(|row| row.starts_with(&format!("{table}: mutation: {mutation}: "))).expect("a row");
        assert!(row.contains(what), "{row}");
    };
    says("orders", "fence that shows all", "select by key 1 rows");
    says("orders", "fence of the equality alone", "select by a setting that changes 1 rows");
    says("orders", "fence without check", "insert for the other 23505");
    says("orders", "fence for select only", "blind delete 2 rows");
    says("orders", "row-level security not forced", "TN012");
    // The policy of the second line is left, and denies: only strict mode is gone.
    says("orders", "no fence", "noticed: select with no tenant 0 rows");
}

/// Without the proof's own attacks a mutation would pass: the rows that it undoes are the ones that tell.
#[tokio::test]
async fn the_next_proof_still_sees_it() {
    let (_db, boss) = shop("undone", true).await;
    boss.run("select * from tenant.prove(mutate => true)").await;
    assert_eq!(proof(&boss, "", "passed is false").await, [""; 0]);
    boss.expect_error("TN030", "alter table orders disable row level security").await;
    assert_eq!(
        boss.value("select count(*) from tenant.protected_tables where not enforced").await.as_deref(),
        Some("0")
    );
}
