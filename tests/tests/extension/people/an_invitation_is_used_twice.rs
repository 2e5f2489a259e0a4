//! An invitation makes one member, once, until it expires or is revoked; its token is told once and is nowhere kept.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{as_actor, refused, staged, standing};

#[tokio::test]
async fn or_after_its_time() {
    let (db, admin, app) = staged("people_invited").await;
    let invite = format!("select tenant.invite('{A}', 'friend@example.com', 'editor')");
    let token = as_actor(&app, A, "admin", &invite).await.expect("a token");
    assert_eq!(token.len(), 64);
    let boss = db.superuser().await;
    let kept = format!(
        "select count(*) from tenant.invitations i where i::text ~ '{token}'
        or encode(token_hash, 'hex') <> encode(sha256('{token}'), 'hex')"
    );
    assert_eq!(boss.value(&kept).await.as_deref(), Some("0"));
    let journalled = format!("select count(*) from tenant.journal j where j::text ~ '{token}'");
    assert_eq!(boss.value(&journalled).await.as_deref(), Some("0"));
    admin.expect_error("42501", "select token_hash from tenant.invitations").await;
    app.refused_inside("42501", A, "select token_hash from tenant.invitations").await;

    let accept = |token: &str, user: &str| format!("select tenant.accept_invitation('{token}', '{user}')");
    app.refused_inside("TN148", B, &accept(&token, "friend")).await;
    app.expect_error("TN147", &accept(&token, "viewer")).await;
    app.expect_error("TN141", &accept(&token, "")).await;
    assert_eq!(app.value(&accept(&token, "friend")).await.as_deref(), Some(A));
    assert_eq!(standing(&app, A, "friend").await, "editor read write");
    for again in [accept(&token, "friend"), accept(&token, "another"), accept(&token[1..], "another")] {
        let told = app.expect_error("TN148", &again).await;
        assert!(told.detail().is_some() && told.hint().is_some());
    }
    let seen =
        "select concat_ws(' ', email, role, invited_by, accepted_by, revoked_at) from tenant.current_invitations";
    assert_eq!(as_actor(&app, A, "viewer", seen).await.as_deref(), Some("friend@example.com editor admin friend"));

    // Revoked, expired, of a tenant that takes nobody, in a role that is gone.
    let token = admin.value(&invite).await.expect("a token");
    let id = admin.value("select id from tenant.invitations where accepted_at is null").await.expect("an id");
    refused(&app, "TN148", B, "boss", &format!("select tenant.revoke_invitation('{B}', '{id}')")).await;
    admin.run(&format!("select tenant.revoke_invitation('{A}', '{id}', 'a mistake')")).await;
    admin.expect_error("TN148", &format!("select tenant.revoke_invitation('{A}', '{id}')")).await;
    app.expect_error("TN148", &accept(&token, "late")).await;
    let token = admin.value(&invite).await.expect("a token");
    boss.run("update tenant.invitations set expires_at = clock_timestamp() where accepted_at is null").await;
    app.expect_error("TN148", &accept(&token, "late")).await;
    let token = admin.value(&invite).await.expect("a token");
    admin.run(&format!("select tenant.suspend('{A}')")).await;
    app.expect_error("TN148", &accept(&token, "late")).await;
    admin.run(&format!("select tenant.resume('{A}')")).await;
    app.run(&accept(&token, "late")).await;

    for (code, arguments) in [
        ("TN148", "'nobody', 'viewer'"),
        ("TN148", "null, 'viewer'"),
        ("TN148", "'a@b', 'viewer', expires_in => '0'"),
        ("TN148", "'a@b', 'viewer', expires_in => '2 years'"),
        ("TN146", "'a@b', 'nothing'"),
        ("TN148", "e'a\\n@b', 'viewer'"),
    ] {
        admin.expect_error(code, &format!("select tenant.invite('{A}', {arguments})")).await;
    }
}

/// Two who have the same token at the same time.
#[tokio::test]
async fn by_two_at_once() {
    let (db, admin, app) = staged("people_invited_two").await;
    let other = db.app().await;
    for level in ["read committed", "repeatable read"] {
        let token =
            admin.value(&format!("select tenant.invite('{A}', 'a@example.com', 'viewer')")).await.expect("a token");
        let begin = format!("begin isolation level {level}; select 1");
        app.run(&begin).await;
        other.run(&begin).await;
        let user = |who: &str| format!("select tenant.accept_invitation('{token}', '{who} {level}')");
        app.run(&user("one")).await;
        let second = user("two");
        let (answer, ()) = tokio::join!(other.batch_execute(&second), async {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            app.run("commit").await;
        });
        let code = answer.expect_err("both were taken").code().expect("a code").code().to_owned();
        assert!(["TN148", "40001"].contains(&code.as_str()), "{level}: {code}");
        other.run("rollback").await;
        let joined = format!("select count(*) from tenant.members where user_id ~ '{level}$'");
        assert_eq!(admin.value(&joined).await.as_deref(), Some("1"));
    }
}
