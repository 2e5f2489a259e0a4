//! Members are managed by operators, and inside the tenant by members who may: nobody gives, takes or changes a role
//! above the own one, and nobody reaches another tenant's members.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{as_actor, refused, staged, standing};

#[tokio::test]
async fn by_its_own_hand() {
    let (_db, admin, app) = staged("people_rises").await;
    for actor in ["viewer", "editor", "mallory"] {
        for call in [
            "tenant.add_member('{a}', 'friend', 'viewer')",
            "tenant.set_member_role('{a}', 'viewer', 'owner')",
            "tenant.deactivate_member('{a}', 'owner')",
            "tenant.reactivate_member('{a}', 'owner')",
            "tenant.remove_member('{a}', 'owner')",
            "tenant.transfer_ownership('{a}', 'owner', 'viewer')",
            "tenant.invite('{a}', 'friend@example.com', 'viewer')",
            "tenant.revoke_invitation('{a}', gen_random_uuid())",
            "tenant.scim_create_user('{a}', 'friend', 'viewer')",
            "tenant.scim_list_users('{a}')",
            "tenant.scim_deactivate_user('{a}', 'owner')",
        ] {
            refused(&app, "TN142", A, actor, &format!("select {}", call.replace("{a}", A))).await;
        }
    }
    // Who may, up to the own role, in the own tenant.
    for (code, call) in [
        ("TN143", "tenant.add_member('{a}', 'friend', 'owner')"),
        ("TN143", "tenant.set_member_role('{a}', 'admin', 'owner')"),
        ("TN143", "tenant.set_member_role('{a}', 'owner', 'viewer')"),
        ("TN143", "tenant.deactivate_member('{a}', 'owner')"),
        ("TN143", "tenant.remove_member('{a}', 'owner')"),
        ("TN143", "tenant.transfer_ownership('{a}', 'owner', 'admin')"),
        ("TN143", "tenant.invite('{a}', 'friend@example.com', 'owner')"),
        ("TN143", "tenant.scim_create_user('{a}', 'friend', 'owner')"),
        ("TN143", "tenant.scim_deactivate_user('{a}', 'owner')"),
        ("TN142", "tenant.add_member('{b}', 'friend', 'viewer')"),
        ("TN142", "tenant.remove_member('{b}', 'boss')"),
        ("TN142", "tenant.add_member('nobody', 'friend', 'viewer')"),
        ("TN142", "tenant.scim_list_users('{b}')"),
        ("TN146", "tenant.add_member('{a}', 'friend', 'nothing')"),
        ("TN147", "tenant.add_member('{a}', 'viewer', 'viewer')"),
        ("TN147", "tenant.set_member_role('{a}', 'nobody', 'viewer')"),
        ("TN147", "tenant.remove_member('{a}', 'boss')"),
        ("TN141", "tenant.add_member('{a}', '', 'viewer')"),
        ("TN141", "tenant.add_member('{a}', null, 'viewer')"),
        ("TN100", "tenant.add_member('{a}', e'a\\nb', 'viewer')"),
        ("TN100", "tenant.add_member('{a}', 'friend', 'viewer', display_name => e'a\\nb')"),
        ("TN100", "tenant.remove_member('{a}', 'viewer', e'a\\nb')"),
    ] {
        refused(&app, code, A, "admin", &format!("select {}", call.replace("{a}", A).replace("{b}", B))).await;
    }
    let call = format!(
        "select tenant.add_member('{A}', 'friend', 'admin', 'friend@example.com', 'A Friend', 'asked for it'),
            tenant.set_member_role('{A}', 'viewer', 'editor'), tenant.deactivate_member('{A}', 'editor'),
            tenant.reactivate_member('{A}', 'editor'), tenant.remove_member('{A}', 'editor')"
    );
    app.run(&format!("begin; select tenant.enter('{A}', 'admin'); {call}; commit")).await;
    assert_eq!(standing(&app, A, "viewer").await, "editor read write");
    assert_eq!(standing(&app, A, "friend").await, "admin read write");
    assert_eq!(standing(&app, A, "editor").await, "-");
    let told =
        "select string_agg(concat_ws(' ', action, detail ->> 'user', detail ->> 'role', reason), ', ' order by id)
        from tenant.journal where object = '{a}' and action ~ 'member' and session_role ~ 'app$'";
    let told = admin.value(&told.replace("{a}", A)).await.expect("lines");
    assert_eq!(
        told,
        "add_member friend admin asked for it, set_member_role viewer editor, deactivate_member editor, \
         reactivate_member editor, remove_member editor"
    );
    let added_by =
        as_actor(&app, A, "friend", "select added_by from tenant.current_members where user_id = 'friend'").await;
    assert_eq!(added_by.as_deref(), Some("admin"));
}

/// Inside the tenant for nobody, outside it, and in the system context: then it is an operator who manages, or nobody.
#[tokio::test]
async fn with_no_actor_named() {
    let (db, admin, app) = staged("people_operators").await;
    let add = format!("select tenant.add_member('{A}', 'friend', 'owner')");
    for session in [&app, &db.owner().await, &db.bystander().await] {
        let refused = session.batch_execute(&add).await.expect_err("refused");
        let code = refused.code().expect("a code").code();
        assert!(["TN142", "42501"].contains(&code), "{refused:?}");
    }
    app.refused_inside("TN142", A, &add).await;
    // Rights that a function lends are not the caller's.
    let lent = format!(
        "create function lent() returns void language sql security definer as $$ {add} $$; grant execute on function lent() to public"
    );
    db.superuser().await.run(&lent).await;
    app.expect_error("TN142", "select lent()").await;
    admin.run(&add).await;
    admin.expect_error("TN002", "select tenant.add_member('nobody', 'friend', 'owner')").await;
    admin.expect_error("42501", "insert into tenant.members (tenant_id, user_id, role) values ('x', 'y', 'z')").await;
    admin.expect_error("42501", "update tenant.roles set rank = 0").await;
    for call in ["define_role('mine', 99)", "drop_role('viewer', 'gone')"] {
        app.expect_error("42501", &format!("select tenant.{call}")).await;
    }
}
