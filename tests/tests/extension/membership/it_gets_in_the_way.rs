//! Membership does not get in the way: listings are as fast as the tenant is small, plans keep their indexes, a
//! superuser and a backup see all.

use super::fixture::{SEEN, stage, text};

#[tokio::test]
async fn of_a_small_tenant_among_many() {
    let (db, owner) = stage("members_many").await;
    let boss = db.superuser().await;
    boss.run("insert into users (id, email) select n, 'u' || n from generate_series(100, 20100) n; analyze users; analyze members").await;
    boss.run(&format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app)).await;
    let app = db.app().await;
    for (sql, expected) in [
        ("select * from users", "using users_pkey"),
        ("select count(*) from users", "using users_pkey"),
        ("select * from users where id = 3", "using users_pkey"),
        ("select * from users where email = 'both'", "using users_email_key"),
        ("select * from posts p join users u on u.id = p.author", "users_pkey"),
    ] {
        let plan = app.inside("1", &format!("explain (costs off) {sql}")).await;
        let plan = plan.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n");
        assert!(plan.contains(expected) && !plan.contains("Seq Scan on users"), "{sql}\n{plan}");
        assert!(plan.contains("is_member"), "{sql}\n{plan}");
        assert!(plan.contains("hashed SubPlan"), "{sql}\n{plan}");
    }
    // A scan of the whole does not go through the array for each row.
    let plan = app.inside("1", "set local enable_indexscan = off; set local enable_indexonlyscan = off; set local enable_bitmapscan = off; explain (costs off) select * from users").await;
    let plan = plan.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n");
    assert!(plan.contains("Seq Scan on users") && !plan.contains("AND"), "{plan}");
    assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some("a@1 both"));
    let findings = "select string_agg(code || ' ' || object || ' ' || problem, e'\n') from tenant.doctor() where level in ('error', 'warn') and object ~ '^public'";
    assert_eq!(text(&owner, findings).await, "null");
    let backup = db.backup().await;
    backup.run("set row_security = off").await;
    assert_eq!(text(&backup, "select count(*) from users").await, "20005");
}

#[tokio::test]
async fn of_who_may_not_read_the_join_table() {
    let (db, owner) = stage("members_unread").await;
    owner.run(&format!("revoke all on members from {}", db.roles.app)).await;
    let app = db.app().await;
    app.refused_inside("42501", "1", "select * from users").await;
    owner.run(&format!("grant select (user_id) on members to {}", db.roles.app)).await;
    assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some("a@1 both"));
}
