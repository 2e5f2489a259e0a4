//! A tenant's session reads its own tenant's members and invitations by the views, and no table; who signs in is told
//! its own tenants by its user id, and not how many there are.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{as_actor, staged};

#[tokio::test]
async fn in_a_list() {
    let (db, admin, app) = staged("people_lists").await;
    admin
        .run(&format!(
            "select tenant.invite('{A}', 'a@example.com', 'viewer'), tenant.invite('{B}', 'b@example.com', 'viewer')"
        ))
        .await;
    for (tenant, people, invited) in
        [(A, "admin,editor,owner,viewer", "a@example.com"), (B, "boss,editor", "b@example.com")]
    {
        for (read, expected) in [
            ("select string_agg(user_id, ',' order by user_id) from tenant.current_members", people),
            ("select string_agg(email, ',') from tenant.current_invitations", invited),
        ] {
            for lie in [
                "",
                " where user_id is not null",
                // The equality with a value that changes: PostgreSQL may drop the view's own equality for it.
                " where current_setting('app.lie', true) is null or true",
            ] {
                let read = format!("{read}{}", if read.contains("email") { "" } else { lie });
                assert_eq!(as_actor(&app, tenant, "editor", &read).await.as_deref(), Some(expected), "{read}");
                assert_eq!(app.inside_value(tenant, &read).await.as_deref(), Some(expected), "{read}");
            }
        }
    }
    for view in ["tenant.current_members", "tenant.current_invitations"] {
        assert_eq!(app.value(&format!("select count(*) from {view}")).await.as_deref(), Some("0"), "with no tenant");
        for change in ["delete from {v}", "update {v} set role = 'owner'", "insert into {v} (role) values ('owner')"] {
            app.refused_inside("42501", A, &change.replace("{v}", view)).await;
        }
    }
    for table in ["tenant.members", "tenant.invitations", "tenant.roles", "tenant.permissions"] {
        for session in [&app, &db.bystander().await] {
            session.expect_error("42501", &format!("table {table}")).await;
        }
        for change in ["delete from {t}", "update {t} set role = 'owner'", "insert into {t} default values"] {
            if !(table.ends_with("permissions") && change.starts_with("update")) {
                admin.expect_error("42501", &change.replace("{t}", table)).await;
            }
        }
        // Whatever was granted.
        db.superuser().await.run(&format!("grant all on {table} to {}", db.roles.app)).await;
        app.refused_inside("TN070", A, &format!("table {table}")).await;
        app.refused_inside("TN070", A, &format!("delete from {table}")).await;
    }
}

#[tokio::test]
async fn when_somebody_signs_in() {
    let (db, admin, app) = staged("people_sign_in").await;
    let tenants = |user: &str| {
        format!(
            "select string_agg(role || ' ' || slug || ' ' || status, ', ' order by slug) from tenant.tenants_of('{user}')"
        )
    };
    assert_eq!(app.value(&tenants("editor")).await.as_deref(), Some("editor a active, viewer b active"));
    assert_eq!(app.value(&tenants("owner")).await.as_deref(), Some("owner a active"));
    assert_eq!(app.value(&tenants("mallory")).await, None);
    admin.run(&format!("select tenant.deactivate_member('{A}', 'editor')")).await;
    assert_eq!(app.value(&tenants("editor")).await.as_deref(), Some("viewer b active"));
    app.refused_inside("TN110", A, "select * from tenant.tenants_of('editor')").await;
    db.bystander().await.expect_error("42501", "select * from tenant.tenants_of('editor')").await;
    // Guesses are counted, as those of keys are.
    let boss = db.superuser().await;
    boss.run(&format!("alter role {} set pg_tenant.max_lookups_per_minute = 3", db.roles.app)).await;
    let guessing = db.app().await;
    let mut refused = 0;
    for n in 0..8 {
        let answer = guessing.batch_execute(&format!("select * from tenant.tenants_of('user{n}')")).await;
        refused += usize::from(answer.is_err_and(|e| e.code().is_some_and(|c| c.code() == "TN058")));
    }
    assert!(refused >= 4, "{refused} of 8 were refused");
    boss.run(&format!("alter role {} set pg_tenant.require_signed = on", db.roles.app)).await;
    db.app().await.expect_error("TN090", "select * from tenant.tenants_of('editor')").await;
}

/// Nothing of people is left of a tenant that was purged.
#[tokio::test]
async fn after_their_tenant_is_gone() {
    let (_db, admin, _) = staged("people_purged").await;
    admin.run(&format!("select tenant.invite('{A}', 'a@example.com', 'viewer')")).await;
    admin
        .run(&format!(
            "select tenant.offboard('{A}', 'they left', now()); select tenant.mark_purged('{A}', 'they left')"
        ))
        .await;
    let left = format!(
        "select (select count(*) from tenant.members where tenant_id = '{A}') + (select count(*) from tenant.invitations where tenant_id = '{A}')"
    );
    assert_eq!(admin.value(&left).await.as_deref(), Some("0"));
    assert_eq!(admin.value("select count(*) from tenant.members").await.as_deref(), Some("2"), "the others stay");
}
