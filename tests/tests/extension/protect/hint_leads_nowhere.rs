//! A HINT that names a command names one that works: run as it stands, or with its blanks filled in.

use super::fixture::{A, has_icu, stage, table};
use pg_tenant_tests::Session;

/// The HINT of a refused call.
async fn hint(session: &Session, sqlstate: &str, sql: &str) -> String {
    session.expect_error(sqlstate, sql).await.hint().expect("a hint").to_owned()
}

/// The HINT from its first `select` or `alter` on.
fn command(hint: &str) -> String {
    let at = ["select ", "alter ", "update ", "create "].iter().filter_map(|verb| hint.find(verb)).min();
    hint[at.unwrap_or_else(|| panic!("no command in {hint:?}"))..]
        .replace("<reason>", "said by a hint")
        .trim_end_matches('.')
        .to_owned()
}

const PROTECT: &str = "select tenant.protect('orders')";

#[tokio::test]
async fn a_hint_of_protect_helps() {
    let (db, owner) = stage("hints").await;
    // TN021: share it, or name the column.
    owner.run("create table orders (id int, firm uuid)").await;
    let said = hint(&owner, "TN021", PROTECT).await;
    let (protect, share) =
        (&said[said.find("tenant.protect").expect("protect")..], &said[said.find("tenant.share").expect("share")..]);
    let filled =
        |call: &str, word: &str| format!("select {};", call[..=call.find(')').expect("a call")].replace("...", word));
    owner.run(&filled(share, "the same for everyone")).await;
    owner.run(&filled(protect, "firm")).await;
    // TN025: unprotect first.
    owner.run("alter table orders add tenant_id uuid not null").await;
    owner.run(&command(&hint(&owner, "TN025", PROTECT).await)).await;
    owner.run(PROTECT).await;
    owner.run("drop table orders").await;
    // TN024: give each row its tenant, or share those without.
    for take in [0, 1] {
        owner.run(&(table("orders") + "update orders set tenant_id = null where id = 1")).await;
        let said = hint(&owner, "TN024", PROTECT).await;
        let remedy = said.split("; or, where these rows are every tenant's to read: ").nth(take).expect("two remedies");
        owner.run(&command(remedy).replace("...", &format!("'{A}'"))).await;
        owner.run(&(PROTECT.to_owned() + "; drop table orders")).await;
    }
    // TN026: rename or drop the policy.
    for take in [0, 1] {
        owner.run(&(table("orders") + "create policy tenant_isolation on orders using (true)")).await;
        let said = hint(&owner, "TN026", PROTECT).await;
        let remedy = said.split("; or ").nth(take).expect("two remedies").replace("...", "theirs");
        owner.run(&(remedy + ";" + PROTECT + "; drop table orders")).await;
    }
    // TN027: share the materialized view.
    owner.run(&(table("orders") + "create materialized view m as select count(*) from orders")).await;
    owner.run(&command(&hint(&owner, "TN027", PROTECT).await)).await;
    owner.run(&(PROTECT.to_owned() + "; drop table orders cascade")).await;
    // TN020: protect the whole.
    owner.run("create table orders (tenant_id uuid, id int) partition by list (id)").await;
    owner.run("create table orders_0 partition of orders default").await;
    owner.run(&command(&hint(&owner, "TN020", "select tenant.protect('orders_0')").await)).await;
    // TN030: unprotect the whole.
    owner.run(&command(&hint(&owner, "TN030", "select tenant.unprotect('orders_0', 'x')").await)).await;
    owner.run("drop table orders").await;
    // TN023: another collation.
    let boss = db.superuser().await;
    if has_icu(&boss).await {
        boss.run(
            "create collation public.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        )
        .await;
        owner.run("create table orders (tenant_id text collate any_case)").await;
        owner.run(&command(&hint(&owner, "TN023", PROTECT).await)).await;
        owner.run(PROTECT).await;
    }
}

#[tokio::test]
async fn a_hint_breaks_on_a_name_that_needs_quotes() {
    let (_db, owner) = stage("quoted_hints").await;
    let odd = r#""Or'ders; --""#;
    owner.run(&table(odd)).await;
    owner.run(&format!("update {odd} set tenant_id = null where id = 1")).await;
    let protect = "select tenant.protect('\"Or''ders; --\"')";
    let said = hint(&owner, "TN024", protect).await;
    let remedy = said.split("; or").next().expect("a remedy");
    owner.run(&command(remedy).replace("...", &format!("'{A}'"))).await;
    owner.run(protect).await;
    owner
        .run(
            &command(&hint(&owner, "TN030", &format!("alter table {odd} disable row level security")).await)
                .replace(" removes the protection and records who did", ""),
        )
        .await;
    owner.run(&format!("select * from {odd}; alter table {odd} disable row level security")).await;
}

#[tokio::test]
async fn a_hint_of_a_statement_helps() {
    let (db, owner) = stage("statement_hints").await;
    owner.run(&(table("orders") + PROTECT)).await;
    let app = db.app().await;
    let said = hint(&app, "TN001", "select * from orders").await;
    let enter = command(&said).replace("<tenant id>", A);
    app.run(&format!("begin; {enter} select * from orders; commit")).await;
    let register = command(&hint(&app, "TN002", "select tenant.enter('nobody')").await);
    db.admin().await.run(&register).await;
    app.run("select tenant.enter('nobody')").await;
    db.admin().await.run("select tenant.suspend('nobody')").await;
    let resume = command(&hint(&app, "TN003", "select tenant.enter('nobody')").await);
    db.admin().await.run(&resume).await;
    app.run("select tenant.enter('nobody')").await;
}
