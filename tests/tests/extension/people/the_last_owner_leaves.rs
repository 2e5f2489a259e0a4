//! A tenant that has an owner, an active member in a role of the highest rank, keeps one: also of two who leave at
//! once.

use pg_tenant_tests::shop::A;

use super::fixture::{refused, staged, standing};

#[tokio::test]
async fn by_whichever_way() {
    let (_db, admin, app) = staged("people_last_owner").await;
    for call in [
        "tenant.remove_member('{a}', 'owner')",
        "tenant.deactivate_member('{a}', 'owner')",
        "tenant.set_member_role('{a}', 'owner', 'admin')",
        "tenant.scim_deactivate_user('{a}', 'owner')",
    ] {
        let call = format!("select {}", call.replace("{a}", A));
        let told = admin.expect_error("TN144", &call).await;
        assert!(told.detail().is_some() && told.hint().is_some(), "{told:?}");
        refused(&app, "TN144", A, "owner", &call).await;
    }
    // One that is deactivated is no other owner.
    admin
        .run(&format!("select tenant.add_member('{A}', 'second', 'owner'), tenant.deactivate_member('{A}', 'second')"))
        .await;
    admin.expect_error("TN144", &format!("select tenant.remove_member('{A}', 'owner')")).await;
    admin.run(&format!("select tenant.remove_member('{A}', 'second')")).await;
    for call in ["'admin', 'viewer'", "'owner', 'owner'", "'owner', 'nobody'"] {
        admin.expect_error("TN147", &format!("select tenant.transfer_ownership('{A}', {call})")).await;
    }
    refused(&app, "TN143", A, "admin", &format!("select tenant.transfer_ownership('{A}', 'owner', 'admin')")).await;
    let hand_over = format!("select tenant.transfer_ownership('{A}', 'owner', 'viewer', 'sold')");
    app.run(&format!("begin; select tenant.enter('{A}', 'owner'); {hand_over}; commit")).await;
    assert_eq!(standing(&app, A, "viewer").await, "owner read write purge");
    assert_eq!(standing(&app, A, "owner").await, "viewer read");
    admin.run(&format!("select tenant.remove_member('{A}', 'owner')")).await;
}

/// Two owners, two sessions: each takes the role of one, before either commits.
#[tokio::test]
async fn of_two_at_once() {
    let (db, admin, _) = staged("people_two_owners").await;
    let other = db.admin().await;
    let owners =
        format!("select count(*) from tenant.members where (tenant_id, role, status) = ('{A}', 'owner', 'active')");
    let leave = [
        ("select tenant.remove_member('{a}', '{u}')", "TN144", "40001"),
        ("select tenant.deactivate_member('{a}', '{u}')", "TN144", "40001"),
        ("select tenant.set_member_role('{a}', '{u}', 'viewer')", "TN144", "40001"),
    ];
    for (level, serialized) in [("read committed", false), ("repeatable read", true), ("serializable", true)] {
        for (first, ..) in leave {
            for (second, refusal, failure) in leave {
                db.superuser()
                    .await
                    .run(&format!(
                        "delete from tenant.members where tenant_id = '{A}';
                         insert into tenant.members (tenant_id, user_id, role) select '{A}', u, 'owner' from unnest('{{one,two}}'::text[]) u"
                    ))
                    .await;
                let begin = format!("begin isolation level {level}; select count(*) from tenant.members");
                admin.run(&begin).await;
                other.run(&begin).await;
                admin.run(&first.replace("{a}", A).replace("{u}", "two")).await;
                let waiting = second.replace("{a}", A).replace("{u}", "one");
                let (answer, ()) = tokio::join!(other.batch_execute(&waiting), async {
                    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
                    admin.run("commit").await;
                });
                let code = answer.expect_err("both have left").code().expect("a code").code().to_owned();
                assert_eq!(code, if serialized { failure } else { refusal }, "{level}: {first}, then {second}");
                other.run("rollback").await;
                assert_eq!(admin.value(&owners).await.as_deref(), Some("1"), "{level}: {first}, then {second}");
            }
        }
    }
}
