//! `tenant.prove` tries the paths to a row of another tenant's member, and says so where one is open.

use super::fixture::{stage, text};

const PROOF: &str = "select string_agg(path || ': ' || got, e'\\n') from tenant.prove(keyed_by => 'bigint'{}) where relation = 'users'::regclass";

#[tokio::test]
async fn and_notices() {
    let (db, owner) = stage("members_proved").await;
    let boss = db.superuser().await;
    let proof = |arguments: &str, condition: &str| format!("{} and {condition}", PROOF.replace("{}", arguments));
    assert_eq!(text(&boss, &proof("", "passed is not true")).await, "null");
    let paths = format!(
        "select count(*) from ({}) p",
        proof("", "passed").replace("string_agg(path || ': ' || got, e'\\n')", "path")
    );
    assert_eq!(text(&boss, &paths).await, "23");
    assert_eq!(text(&boss, &proof("", "path = 'own rows'")).await, "own rows: 1 rows");
    assert_eq!(
        text(&boss, &proof(", tables => array['users'::regclass]", "path = 'plant'")).await,
        "plant: a member of each tenant"
    );
    let mutations = proof(", mutate => true", "path ~ '^mutation'");
    let noticed = text(&boss, &mutations).await;
    assert_eq!(noticed.lines().count(), 6, "{noticed}");
    assert!(noticed.lines().all(|line| line.contains(": noticed: ")), "{noticed}");
    // Nothing is left of it.
    assert_eq!(text(&boss, "select count(*) from users").await, "4");
    boss.run("alter table members disable trigger \"~tenant_members\"").await;
    assert_eq!(text(&boss, &proof("", "passed is false")).await, "a member added: 1 rows");
    owner.run("select tenant.protect_by_membership('users', 'members', tenants_add_members => true)").await;
    assert_eq!(text(&boss, &proof("", "passed is not true or path ~ '^a member'")).await, "null");
}
