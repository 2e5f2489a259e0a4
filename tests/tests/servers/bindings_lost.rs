//! The binding of a role to a tenant belongs to the cluster: `pg_dumpall` carries it, and a restore gives it back.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Cluster, run};

#[tokio::test]
async fn a_dump_of_the_roles_forgets_the_tenant() {
    let db = shop("bound").await;
    let (bound, boss) = (format!("regress_{}_bi", db.name), db.superuser().await);
    boss.run(&format!("create role {bound} login in role tenant_user; grant select on orders to {bound}")).await;
    db.admin().await.run(&format!("select tenant.bind_role('{bound}', '{A}')")).await;
    assert_eq!(db.connect(&bound).await.value("select count(*) from orders").await.as_deref(), Some("3"));

    let roles = run(Cluster::shared().program("pg_dumpall").arg("--roles-only"), "").expect("pg_dumpall");
    let lines = roles.lines().filter(|line| line.contains(&bound) && line.contains("ALTER ROLE")).collect::<Vec<_>>();
    assert!(lines.iter().any(|line| line.contains("pg_tenant.id") && line.contains(A)), "{lines:?}");

    db.admin().await.run(&format!("select tenant.unbind_role('{bound}')")).await;
    db.connect(&bound).await.expect_error("TN001", "select count(*) from orders").await;
    db.psql("postgres", &lines.join("\n")).expect("psql");
    let session = db.connect(&bound).await;
    assert_eq!(session.value("select count(*) from orders").await.as_deref(), Some("3"));
    session.expect_error("TN006", &format!("select tenant.enter('{B}')")).await; // TN006
}
