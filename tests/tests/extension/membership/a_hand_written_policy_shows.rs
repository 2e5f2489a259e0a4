//! What a hand-written policy of this kind shows to whom, and that each of these holes is closed here.

use super::fixture::{SEEN, stage, unfenced};

const BY_HAND: &str = "alter table users enable row level security, force row level security;
    create policy via_members on users using (exists (select from members m where m.user_id = users.id));";

#[tokio::test]
async fn a_stranger() {
    let (db, owner) = unfenced("by_hand").await;
    let app = db.app().await;
    // With none at all everybody sees everybody.
    assert_eq!(app.value("select count(*) from users").await.as_deref(), Some("4"), "the hole");
    owner.run(BY_HAND).await;
    assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some("a@1 both"));
    // A row of one's own in the join table shows whom one likes.
    let adds = format!("insert into members values (1, 2); {SEEN}");
    assert_eq!(app.inside("1", &adds).await[0][0].as_deref(), Some("a@1 b@2 both"), "the hole");
    // What one tenant writes into the row of both the other reads.
    app.inside("1", "delete from members where user_id = 2; update users set secret = 'of 1' where email = 'both'")
        .await;
    let told = "select secret from users where email = 'both'";
    assert_eq!(app.inside_value("2", told).await.as_deref(), Some("of 1"), "the hole");
    // A condition without columns comes before it: it tells that there is a row of this value.
    let search = "select count(*) from users where id >= 2 and id <= 2 and email < 'c' and set_config('o.hit', 'x', true) is not null";
    app.run(&format!("begin; select tenant.enter('1'); {search}")).await;
    assert_eq!(app.value("select current_setting('o.hit', true)").await.as_deref(), Some("x"), "the hole");
    app.run("rollback").await;

    owner
        .run("drop policy via_members on users; select tenant.protect_by_membership('users', through => 'members')")
        .await;
    app.refused_inside("TN072", "1", "insert into members values (1, 2)").await;
    app.refused_inside("TN074", "1", "update users set secret = 'of 1' where email = 'both'").await;
    app.run(&format!("begin; select tenant.enter('1'); {search}")).await;
    let hit = app.value("select coalesce(nullif(current_setting('o.hit', true), ''), 'none')").await;
    assert_eq!(hit.as_deref(), Some("none"));
    app.run("rollback").await;
}

#[tokio::test]
async fn without_a_tenant() {
    let (db, owner) = stage("members_tenantless").await;
    for session in [&db.app().await, &owner, &db.admin().await] {
        let refused = session.batch_execute("select * from users").await.expect_err("refused");
        let code = refused.code().map(|code| code.code().to_owned()).unwrap_or_default();
        assert!(["TN001", "42501"].contains(&&*code), "{refused:?}");
    }
    db.app().await.expect_error("TN001", "select * from users").await;
    let boss = db.superuser().await;
    assert_eq!(boss.value("select count(*) from users").await.as_deref(), Some("4"), "at work");
    // A tenant that nobody belongs to, and every one that somebody does.
    db.admin().await.run("select tenant.create('3')").await;
    let app = db.app().await;
    assert_eq!(app.inside_value("3", "select count(*) from users").await.as_deref(), Some("0"));
    assert_eq!(app.inside_value("2", SEEN).await.as_deref(), Some("b@2 both"));
    // Strict or not, a tenant's part is a tenant's.
    boss.run(&format!("alter role {} set pg_tenant.strict = off", db.roles.app)).await;
    let loose = db.app().await;
    assert_eq!(loose.value("select count(*) from users").await.as_deref(), Some("0"));
    assert_eq!(loose.inside_value("1", SEEN).await.as_deref(), Some("a@1 both"));
    loose.run("begin; declare c cursor for select email from users order by id; select tenant.enter('1')").await;
    loose.run("fetch all from c; rollback").await;
}
