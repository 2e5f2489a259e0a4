//! What is declared of a setting holds for each statement that gives a value, of a tenant or of a plan, and a
//! declaration that would leave values which do not fit is refused; a plan that a tenant is being given is not dropped
//! meanwhile.

use std::time::Duration;

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

async fn staged(name: &str) -> (Database<'static>, Session, Session) {
    let db = shop(name).await;
    let (admin, boss) = (db.admin().await, db.superuser().await);
    admin
        .run(
            r#"select tenant.declare_setting('seats', 'integer', rule => '{"min": 1, "max": 500}');
               select tenant.declare_setting('theme', 'json'), tenant.declare_setting('key', secret => true);
               select tenant.declare_feature('export'), tenant.define_plan('gold', settings => '{"seats": 50}')"#,
        )
        .await;
    (db, admin, boss)
}

#[tokio::test]
async fn however_a_value_is_given() {
    let (_db, admin, boss) = staged("declared_raw").await;
    for (code, value) in [
        ("TN150", r#"{"chairs": 1}"#),
        ("TN151", r#"{"seats": 501}"#),
        ("TN151", r#"{"seats": null}"#),
        ("TN151", r#"{"theme": {}, "seats": "7"}"#),
        ("TN151", r#"{"export": 1}"#),
        ("TN152", r#"{"theme": "sk_live_0123456789abcdef"}"#),
        ("TN152", r#"{"key": "hunter2"}"#),
    ] {
        for sql in [
            format!("update tenant.tenants set settings = '{value}' where id = '{A}'"),
            format!("update tenant.tenants set settings = settings || '{value}', name = 'x'"),
            format!("insert into tenant.tenants (id, settings) values ('new', '{value}')"),
            format!("select tenant.create('new', settings => '{value}')"),
        ] {
            let refused = admin.expect_error(code, &sql).await;
            assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
            boss.expect_error(code, &sql).await;
        }
    }
    for (code, columns) in [
        ("TN150", r#"settings => '{"chairs": 1}'"#),
        ("TN150", r#"features => '{"fly": true}'"#),
        ("TN151", r#"settings => '{"seats": 0}'"#),
        ("TN151", r#"settings => '{"export": true}'"#),
        ("TN151", r#"features => '{"seats": 7}'"#),
        ("TN151", r#"features => '{"export": "yes"}'"#),
        ("TN152", r#"settings => '{"key": "hunter2"}'"#),
    ] {
        for plan in ["gold", "new"] {
            let refused = admin.expect_error(code, &format!("select tenant.define_plan('{plan}', {columns})")).await;
            assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
        }
        let (column, value) = columns.split_once(" => ").expect("two parts");
        boss.expect_error(code, &format!("update tenant.plans set {column} = {value}")).await;
        boss.expect_error(code, &format!("insert into tenant.plans (plan, {column}) values ('new', {value})")).await;
    }
    // Not by a session that says of itself that it restores.
    let gold = r#"select tenant.define_plan('gold', settings => '{"seats": 0}')"#;
    admin.expect_error("TN151", &format!("set row_security = off; {gold}")).await;
    admin
        .expect_error(
            "TN150",
            &format!(
                "set row_security = off; update tenant.tenants set settings = '{{\"chairs\": 1}}' where id = '{A}'"
            ),
        )
        .await;
    // What fits is not in the way.
    admin
        .run(&format!(
            r#"reset row_security; update tenant.tenants set settings = '{{"seats": 7, "key": "vault:a/b"}}' where id = '{A}';
               select tenant.create('fits', settings => '{{"export": true}}', plan => 'a label of the application')"#
        ))
        .await;
}

/// Values that stood before, and that nothing declares: they do not keep others from being changed.
#[tokio::test]
async fn what_was_restored_is_no_obstacle() {
    let (_db, admin, boss) = staged("declared_restored").await;
    boss.run(&format!(
        r#"begin; set local row_security = off;
           update tenant.tenants set settings = '{{"old": 1, "seats": 900}}' where id = '{A}';
           update tenant.plans set settings = '{{"old": 1}}'; commit"#
    ))
    .await;
    admin.run(&format!("update tenant.tenants set name = 'A' where id = '{A}'")).await;
    admin
        .run(&format!("select tenant.set_setting('{A}', 'theme', '{{}}'), tenant.set_setting('{A}', 'seats', '5')"))
        .await;
    admin.expect_error("TN151", "select tenant.declare_setting('old', 'text')").await;
    admin.run("select tenant.declare_setting('old', 'integer')").await;
    admin.run(&format!("update tenant.tenants set settings = settings - 'old' where id = '{A}'")).await;
}

#[tokio::test]
async fn a_declaration_fits_what_is_set() {
    let (_db, admin, boss) = staged("declared_narrowed").await;
    admin
        .run(&format!(
            "select tenant.set_setting('{A}', 'seats', '400'), tenant.set_setting('{B}', 'seats', '3'),
                tenant.set_setting('{A}', 'export', 'true')"
        ))
        .await;
    for call in [
        r#"tenant.declare_setting('seats', 'integer', rule => '{"max": 100}')"#,
        r#"tenant.declare_setting('seats', 'text')"#,
        r#"tenant.declare_setting('seats', 'feature')"#,
        r#"tenant.declare_setting('export', 'text')"#,
    ] {
        let refused = admin.expect_error("TN151", &format!("select {call}")).await;
        let detail = refused.detail().unwrap_or_default().to_owned();
        assert!(detail.contains(&format!("tenant \"{A}\"")) && refused.hint().is_some(), "{refused:?}");
    }
    let refused = admin.expect_error("TN151", "select tenant.drop_setting('seats', 'not sold by the seat')").await;
    assert!(refused.detail().is_some_and(|detail| detail.contains("plan \"gold\"")), "{refused:?}");
    boss.expect_error("TN151", "delete from tenant.setting_definitions where name = 'seats'").await;
    boss.expect_error("TN151", "update tenant.setting_definitions set name = 'chairs' where name = 'seats'").await;
    boss.expect_error("TN151", r#"update tenant.setting_definitions set default_value = '"x"' where name = 'seats'"#)
        .await;
    let latest = "begin isolation level repeatable read; select tenant.drop_setting('theme', 'all are dark')";
    let refused = admin.expect_error("TN151", latest).await;
    assert!(refused.detail().is_some() && refused.hint().is_some());
    // What leaves all values as they are goes through, and so does what nobody has.
    admin
        .run(
            r#"rollback; select tenant.declare_setting('seats', 'number', '4', '{"max": 400}'), tenant.drop_setting('theme', 'all are dark');
               select tenant.declare_feature('export', rollout => 5, changed_by => 'tenant')"#,
        )
        .await;
}

/// Each waits for the other, whichever comes first, and sees what it has done.
#[tokio::test]
async fn at_the_same_time() {
    let (db, admin, boss) = staged("declared_race").await;
    let other = db.admin().await;
    let give_plan = format!("select tenant.set_plan('{A}', 'gold')");
    let drop_plan = "select tenant.drop_plan('gold', 'not sold any more')";
    let give_raw = format!("update tenant.tenants set plan = 'gold' where id = '{A}'");
    let give_value = format!("select tenant.set_setting('{A}', 'seats', '400')");
    let narrow = r#"select tenant.declare_setting('seats', 'integer', rule => '{"max": 100}')"#;
    let drop_setting = "select tenant.drop_setting('theme', 'all are dark')";
    let give_theme = format!("select tenant.set_setting('{A}', 'theme', '{{}}')");
    for (first, second, refused) in [
        (&*give_plan, drop_plan, "TN136"),
        (&*give_raw, drop_plan, "TN136"),
        (drop_plan, &*give_plan, "TN136"),
        (&*give_value, narrow, "TN151"),
        (narrow, &*give_value, "TN151"),
        (&*give_theme, drop_setting, "TN151"),
        (drop_setting, &*give_theme, "TN150"),
    ] {
        admin.run(&format!("begin; {first}")).await;
        let late = async {
            let refused = other.expect_error(refused, second).await;
            assert!(refused.detail().is_some(), "{refused:?}");
        };
        let early = async {
            let waits =
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
            while boss.value(waits).await.as_deref() != Some("1") {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            admin.run("commit").await;
        };
        tokio::join!(late, early);
        // As it was.
        boss.run(
            r#"update tenant.tenants set plan = null, settings = '{}';
               delete from tenant.plans; delete from tenant.setting_definitions;
               select tenant.declare_setting('seats', 'integer', rule => '{"min": 1, "max": 500}'), tenant.declare_setting('theme', 'json');
               select tenant.define_plan('gold', settings => '{"seats": 50}')"#,
        )
        .await;
    }
    let late = "begin isolation level repeatable read; select tenant.drop_plan('gold', 'not sold any more')";
    admin.expect_error("TN136", late).await;
}

/// One line for each setting, with who has changed it and what it was.
#[tokio::test]
async fn a_change_is_written_down_once() {
    let (db, admin, boss) = staged("declared_journal").await;
    boss.run("delete from tenant.journal").await;
    admin
        .run(&format!(
            r#"select tenant.set_setting('{A}', 'seats', '5', 'asked for it'), tenant.set_setting('{A}', 'seats', '5');
               select tenant.set_setting('{A}', 'seats', null);
               update tenant.tenants set settings = '{{"export": true, "seats": 9}}', name = 'A' where id = '{A}'"#
        ))
        .await;
    let lines = "select concat_ws(' ', action, coalesce(reason, '-'), detail, role) from tenant.journal order by id";
    let lines: Vec<String> = boss.rows(lines).await.into_iter().flatten().flatten().collect();
    let by = &db.roles.admin;
    assert_eq!(
        lines,
        [
            format!(r#"set_setting asked for it {{"name": "seats", "value": 5}} {by}"#),
            format!(r#"set_setting - {{"was": 5, "name": "seats"}} {by}"#),
            format!(r#"set_setting - {{"name": "export", "value": true}} {by}"#),
            format!(r#"set_setting - {{"name": "seats", "value": 9}} {by}"#),
            format!(r#"change - {{"columns": ["name"]}} {by}"#),
        ]
    );
}
