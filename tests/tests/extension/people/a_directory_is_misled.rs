//! A directory drives members by SCIM: it gets what RFC 7643 and 7644 say, for the one tenant.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{as_actor, staged, standing};

#[tokio::test]
async fn about_who_is_there() {
    let (_db, admin, app) = staged("people_scim").await;
    let create = format!(
        "select tenant.scim_create_user('{A}', 'Zoe@example.com', 'editor', user_id => 'u-zoe', external_id => '00u1',
            display_name => 'Zoe', email => 'zoe@example.com') - 'meta'"
    );
    let user = as_actor(&app, A, "admin", &create).await.expect("a user");
    assert_eq!(
        user,
        r#"{"id": "u-zoe", "roles": [{"value": "editor"}], "active": true, "emails": [{"value": "zoe@example.com", "primary": true}], "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Zoe@example.com", "externalId": "00u1", "displayName": "Zoe"}"#
    );
    assert_eq!(standing(&app, A, "u-zoe").await, "editor read write");
    admin.expect_error("TN147", &format!("select tenant.scim_create_user('{A}', 'zoe@EXAMPLE.com', 'viewer')")).await;
    admin
        .expect_error("TN147", &format!("select tenant.scim_create_user('{A}', 'other', 'viewer', user_id => 'u-zoe')"))
        .await;
    admin.run(&format!("select tenant.scim_create_user('{B}', 'zoe@example.com', 'viewer', active => false)")).await;
    assert_eq!(standing(&app, B, "zoe@example.com").await, "-", "created inactive");

    let found =
        format!("select tenant.scim_list_users('{A}', user_name => 'ZOE@example.com') #>> '{{Resources,0,id}}'");
    assert_eq!(admin.value(&found).await.as_deref(), Some("u-zoe"));
    let page = "select concat_ws(' ', l -> 'totalResults', l -> 'startIndex', l -> 'itemsPerPage',
        (select string_agg(r ->> 'id', ',') from jsonb_array_elements(l -> 'Resources') r)) from tenant.scim_list_users('{a}', {p}) l";
    for (arguments, expected) in [
        ("start_index => 1", "5 1 5 admin,editor,owner,u-zoe,viewer"),
        ("start_index => 3, count => 2", "5 3 2 owner,u-zoe"),
        ("start_index => 6", "5 6 0"),
        ("start_index => -1, count => 1", "5 1 1 admin"),
        ("count => 0", "5 1 0"),
        ("user_name => 'nobody'", "0 1 0"),
        ("user_name => 'VIEWER'", "1 1 1 viewer"),
    ] {
        let page = page.replace("{a}", A).replace("{p}", arguments);
        assert_eq!(admin.value(&page).await.as_deref(), Some(expected), "{arguments}");
    }
    let off = format!("select tenant.scim_deactivate_user('{A}', 'u-zoe') ->> 'active'");
    for _ in 0..2 {
        assert_eq!(admin.value(&off).await.as_deref(), Some("false"));
    }
    assert_eq!(standing(&app, A, "u-zoe").await, "-");
    admin.expect_error("TN147", &format!("select tenant.scim_deactivate_user('{A}', 'nobody')")).await;
}
