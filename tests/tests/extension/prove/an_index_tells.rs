//! The proof notices a scan that evaluates the condition or the distance of an index once more for a hidden row.

use super::fixture::proof;
use pg_tenant_tests::{Install, database};

/// An index of each kind that asks again: hash and BRIN always, GiST for polygons, also by distance; a B-tree never.
const PEOPLE: &str = "
    create table people (tenant_id uuid, id int primary key, email text, amount int, area polygon, note text);
    create index people_hash on people using hash (email);
    create index people_brin on people using brin (amount);
    create index people_gist on people using gist (area);
    create index people_lower on people (lower(email));
    create index people_part on people using hash (note) where id > 0;";

#[tokio::test]
async fn by_the_number_of_calls() {
    let db = database("an_index").await;
    let (owner, boss) = (db.protector().await, db.superuser().await);
    owner.run(PEOPLE).await;
    owner.run("select tenant.protect('people')").await;
    assert_eq!(proof(&boss, "", "passed is not true and path <> 'plant'").await, [""; 0]);
    let tried = proof(&boss, "", "path like 'index %'").await;
    for form in [
        "index public.people_hash: condition on email",
        "index public.people_hash: bitmap on email",
        "index public.people_hash: inner scan on email",
        "index public.people_brin: bitmap on amount",
        "index public.people_brin: bitmap of many on amount",
        "index public.people_gist: condition on area",
        "index public.people_gist: order on area",
        "index public.people_lower: condition on lower(email)",
        "index public.people_part: condition on note",
    ] {
        assert!(tried.contains(&format!("people: {form}: as many")), "{form}: {tried:#?}");
    }

    // The hole: a policy as people write it holds, and stands behind what an index asks again.
    boss.run(
        "set pg_tenant.guards = off; drop policy tenant_access on people;
         create policy wide on people using (true) with check (true);
         alter policy tenant_isolation on people using (tenant_id::text = tenant.current_id()) with check (tenant_id::text = tenant.current_id());
         reset pg_tenant.guards",
    )
    .await;
    let found = proof(&boss, "", "path like 'index %' and passed is false").await;
    let mut forms =
        vec!["hash: condition on email", "hash: bitmap on email", "brin: bitmap on amount", "gist: order on area"];
    // 15 keeps a call with another table's value behind the policy.
    if Install::current().major > 15 {
        forms.push("hash: inner scan on email");
    }
    for form in forms {
        let said = found.iter().any(|row| row.starts_with(&format!("people: index public.people_{form}: ")));
        assert!(said, "{form}: {found:#?}");
    }
    assert!(!found.iter().any(|row| row.contains("people_lower")), "{found:#?}");
}
