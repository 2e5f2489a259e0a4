//! The exit status of `pgtenant doctor` tells whether there are findings.

use super::pgtenant;

const COUNTED: &str =
    "select count(*) filter (where level = 'error'), count(*) filter (where level in ('error', 'warn')),
    count(*) from tenant.doctor()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_its_level() {
    let db = pg_tenant_tests::database("cli_doctor").await;
    db.owner().await.run("create table orders (tenant_id text not null, total int)").await;
    let url = db.url(&db.roles.admin);
    let admin = db.admin().await;
    for _ in 0..2 {
        let mut compared = false;
        for _ in 0..20 {
            let before = admin.rows(COUNTED).await.remove(0);
            let said = ["error", "warn", "info"].map(|level| (level, pgtenant(&["doctor", &url, "--level", level])));
            // The cluster's roles are everybody's: a test beside this one may have made some meanwhile.
            if before != admin.rows(COUNTED).await.remove(0) {
                continue;
            }
            let found: Vec<usize> =
                before.into_iter().map(|n| n.and_then(|n| n.parse().ok()).expect("a count")).collect();
            for ((level, (status, said)), grave) in said.into_iter().zip(&found) {
                assert_eq!(status, Some(i32::from(*grave > 0)), "{level}: {said}");
                let sum = format!("{} findings, {grave} of level {level} or graver", found[2]);
                assert!(said.contains(&sum), "no {sum:?} in {said}");
            }
            compared = true;
            break;
        }
        assert!(compared, "the roles never stood still");
        // A defect more: no policy holds for the application.
        db.superuser().await.run("select tenant.protect('orders')").await;
        db.superuser().await.run(&format!("alter role {} bypassrls", db.roles.app)).await;
    }
    let (status, said) = pgtenant(&["doctor", &url]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains(&db.roles.app), "{said}");
    let (status, said) = pgtenant(&["doctor", &db.url(&db.roles.bystander)]);
    assert_eq!(status, Some(2), "{said}");
}
