//! `pgtenant impersonate` asks, lists, approves and ends; what is refused is said, and the exit status tells.

use super::pgtenant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_a_time() {
    let db = pg_tenant_tests::database("cli_support").await;
    let superuser = db.superuser().await;
    let [ann, bea] = ["ann", "bea"].map(|name| format!("regress_{}_{name}", db.name));
    superuser
        .run(&format!(
            "select tenant.create('acme'); create role {ann} login in role tenant_support;
             create role {bea} login in role tenant_support; alter role {ann} set standard_conforming_strings = off"
        ))
        .await;
    let (as_ann, as_bea) = (db.url(&ann), db.url(&bea));
    let ask = ["impersonate", "ask", &as_ann, "acme", "--reason", r"ticket 7 \' it is slow", "--for", "5 minutes"];
    let (status, said) = pgtenant(&ask);
    assert_eq!(status, Some(0), "{said}");
    let id = said.split_whitespace().next().expect("an id").to_owned();
    assert!(said.contains(&format!("{ann} in tenant acme as nobody, reads, until ")), "{said}");
    let reason =
        superuser.value("select reason from tenant.impersonations where expires_at - opens_at = '5 min'").await;
    assert_eq!(reason.as_deref(), Some(r"ticket 7 \' it is slow"));
    // What it prints works.
    let enter = said.lines().find_map(|line| line.strip_prefix("enter it:  ")).expect("how to enter");
    let support = db.connect(&ann).await;
    support.run(enter).await;
    assert_eq!(support.value("select tenant.current_id()").await.as_deref(), Some("acme"));

    let (status, said) = pgtenant(&["impersonate", "list", &as_bea]);
    assert!(status == Some(0) && said.contains(&id) && said.ends_with("1 impersonations\n"), "{said}");
    let (status, said) = pgtenant(&["impersonate", "approve", &as_ann, &id]);
    assert!(status == Some(1) && said.contains("TN158"), "{said}");
    let (status, said) = pgtenant(&["impersonate", "end", &as_bea, &id, "--reason", "solved"]);
    assert_eq!((status, said.as_str()), (Some(0), "ended\n"));
    support.expect_error("TN159", "select 1").await;
    let (status, said) = pgtenant(&["impersonate", "list", &as_bea]);
    assert_eq!((status, said.as_str()), (Some(0), "0 impersonations\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_if_it_may() {
    let db = pg_tenant_tests::database("cli_support_refused").await;
    db.superuser().await.run("select tenant.create('acme')").await;
    let ask = |url: &str| pgtenant(&["impersonate", "ask", url, "acme", "--as", "user-1", "--reason", "ticket 8"]);
    let (status, said) = ask(&db.url(&db.roles.app));
    assert!(status == Some(1) && said.contains("refused: "), "{said}");
    let (status, said) = ask("host=127.0.0.1 port=1 user=nobody dbname=nothing");
    assert!(status == Some(2) && said.contains("could not ask: "), "{said}");
}
