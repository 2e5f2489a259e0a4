//! A tenant changes the settings that were declared to be its own to change, of itself alone and within what was
//! declared; operators' settings it does not.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

async fn staged(name: &str) -> (Database<'static>, Session, Session) {
    let db = shop(name).await;
    let (admin, app) = (db.admin().await, db.app().await);
    admin
        .run(
            r#"select tenant.declare_setting('theme', 'text', '"light"', '{"one_of": ["light", "dark"]}', changed_by => 'tenant');
               select tenant.declare_setting('page', 'json', changed_by => 'tenant');
               select tenant.declare_setting('key', secret => true, changed_by => 'tenant');
               select tenant.declare_setting('seats', 'integer', '5'), tenant.declare_feature('export')"#,
        )
        .await;
    (db, admin, app)
}

#[tokio::test]
async fn and_nobody_elses() {
    let (db, admin, app) = staged("own_settings").await;
    let theme = "select tenant.setting('theme')";
    let dark = r#"select tenant.set_own_setting('theme', '"dark"', 'easier on the eyes')"#;
    assert_eq!(app.inside_value(A, theme).await.as_deref(), Some("light"));
    // The transaction reads it at once; undone, it is as before.
    let rows = app.inside(A, &format!("{dark}; {theme}; savepoint s; select tenant.set_own_setting('theme', null); {theme}; rollback to s; {theme}")).await;
    let read: Vec<_> = rows.iter().filter_map(|row| row[0].as_deref()).filter(|text| !text.is_empty()).collect();
    assert_eq!(read, ["dark", "light", "dark"]);
    for session in [&app, &db.app().await] {
        assert_eq!(session.inside_value(A, theme).await.as_deref(), Some("dark"));
        assert_eq!(session.inside_value(B, theme).await.as_deref(), Some("light"));
    }
    let line = "select concat_ws(' ', action, object, reason, detail, role, session_role) from tenant.journal order by id desc limit 1";
    let app_role = &db.roles.app;
    let expected =
        format!(r#"set_setting {A} easier on the eyes {{"name": "theme", "value": "dark"}} {app_role} {app_role}"#);
    assert_eq!(admin.value(line).await, Some(expected));
}

#[tokio::test]
async fn within_what_was_declared() {
    let (db, admin, app) = staged("own_settings_refused").await;
    for (code, call) in [
        ("TN137", "'seats', '500'"),
        ("TN137", "'seats', null"),
        ("TN137", "'export', 'true'"),
        ("TN150", "'colour', '1'"),
        ("TN150", "null, '1'"),
        ("TN151", r#"'theme', '"pink"'"#),
        ("TN151", "'page', to_jsonb(repeat('x', 9000))"),
        ("TN152", r#"'key', '"hunter2"'"#),
        ("TN152", r#"'page', '{"smtp": "smtp://a:b@c"}'"#),
        ("TN029", r#"'theme', '"dark"', ' '"#),
    ] {
        let refused = app.refused_inside(code, A, &format!("select tenant.set_own_setting({call})")).await;
        assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
    }
    app.expect_error("TN001", r#"select tenant.set_own_setting('theme', '"dark"')"#).await;
    app.refused_inside("25006", A, r#"set transaction read only; select tenant.set_own_setting('theme', '"dark"')"#)
        .await;
    admin.run(&format!("select tenant.set_read_only('{A}')")).await;
    app.refused_inside("25006", A, r#"select tenant.set_own_setting('theme', '"dark"')"#).await;
    db.bystander().await.expect_error("42501", r#"select tenant.set_own_setting('theme', '"dark"')"#).await;
    app.refused_inside("42501", B, "update tenant.tenants set settings = '{}'").await;
    // A tenant that no registry knows has none of its own.
    let boss = db.superuser().await;
    boss.run(&format!("alter database {} set pg_tenant.require_registered = off", db.name)).await;
    db.app().await.refused_inside("TN002", "stranger", r#"select tenant.set_own_setting('theme', '"dark"')"#).await;
}

/// Where there are people, by those who may.
#[tokio::test]
async fn by_who_may() {
    let (_db, admin, app) = staged("own_settings_people").await;
    let dark = r#"select tenant.set_own_setting('theme', '"dark"')"#;
    admin.run(&format!("select tenant.define_role('clerk', 1); select tenant.add_member('{A}', 'ann', 'clerk')")).await;
    app.refused_inside("TN145", A, dark).await;
    admin.run(&format!("select tenant.define_role('owner', 9, array['settings.manage']); select tenant.add_member('{A}', 'bob', 'owner')")).await;
    app.refused_inside("TN142", A, dark).await;
    for (code, actor) in [("TN142", "ann"), ("TN142", "somebody")] {
        app.expect_error(code, &format!("begin; select tenant.enter('{A}', '{actor}'); {dark}")).await;
        app.run("rollback").await;
    }
    app.run(&format!("begin; select tenant.enter('{A}', 'bob'); {dark}; commit")).await;
    assert_eq!(app.inside_value(A, "select tenant.setting('theme')").await.as_deref(), Some("dark"));
    app.expect_error("TN142", &format!("begin; select tenant.enter('{B}', 'bob'); {dark}")).await;
    app.run("rollback").await;
}

/// What is resolved is what was declared secret.
#[tokio::test]
async fn references_to_secrets() {
    let (_db, _, app) = staged("own_settings_secret").await;
    let read = "select tenant.secret_reference('key')";
    assert_eq!(app.inside_value(A, read).await, None);
    app.inside(A, r#"select tenant.set_own_setting('key', '"file:smtp"'), tenant.set_own_setting('theme', '"dark"')"#)
        .await;
    assert_eq!(app.inside_value(A, read).await.as_deref(), Some("file:smtp"));
    for (code, name) in [("TN152", "theme"), ("TN150", "colour")] {
        let refused = app.refused_inside(code, A, &format!("select tenant.secret_reference('{name}')")).await;
        assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
    }
    app.expect_error("TN001", read).await;
}

/// What a tenant brings along decides nothing within the function.
#[tokio::test]
async fn by_the_functions_own_means() {
    let (_db, _, app) = staged("own_settings_path").await;
    app.inside(
        A,
        r#"create temp table setting_definitions (name text, kind text, changed_by text) on commit drop;
           set local search_path = pg_temp, public; select tenant.set_own_setting('theme', '"dark"')"#,
    )
    .await;
    assert_eq!(app.inside_value(A, "select tenant.setting('theme')").await.as_deref(), Some("dark"));
}
