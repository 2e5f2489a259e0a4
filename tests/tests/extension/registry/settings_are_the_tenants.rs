//! Settings and features: each tenant reads its own, its plan's, a roll-out's or the default; a change is in force with
//! the next transaction of every session; nothing is read from tables for each row.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

async fn staged(name: &str) -> (Database<'static>, Session, Session) {
    let db = shop(name).await;
    let (admin, app) = (db.admin().await, db.app().await);
    admin
        .run(
            r#"select tenant.declare_setting('billing.currency', 'text', '"EUR"', '{"one_of": ["EUR", "USD"]}');
               select tenant.declare_setting('seats', 'integer', rule => '{"min": 1, "max": 500}');
               select tenant.declare_setting('theme', 'json', '{"dark": true}');
               select tenant.declare_setting('smtp.password', 'text', secret => true);
               select tenant.declare_feature('export');
               select tenant.define_plan('gold', features => '{"export": true}', settings => '{"seats": 50}')"#,
        )
        .await;
    (db, admin, app)
}

const SHOWN: &str = "select concat_ws(' ', tenant.setting('billing.currency'), coalesce(tenant.setting('seats'), '-'),
    tenant.feature('export'))";

#[tokio::test]
async fn its_own_before_its_plans_before_the_default() {
    let (_db, admin, app) = staged("settings_order").await;
    assert_eq!(app.inside_value(A, SHOWN).await.as_deref(), Some("EUR - f"));
    admin.run(&format!("select tenant.set_plan('{A}', 'gold')")).await;
    assert_eq!(app.inside_value(A, SHOWN).await.as_deref(), Some("EUR 50 t"));
    admin
        .run(&format!(
            r#"select tenant.set_setting('{A}', 'seats', '7', 'asked for fewer'), tenant.set_setting('{A}', 'export', 'false'),
                tenant.set_setting('{A}', 'billing.currency', '"USD"')"#
        ))
        .await;
    assert_eq!(app.inside_value(A, SHOWN).await.as_deref(), Some("USD 7 f"));
    assert_eq!(app.inside_value(B, SHOWN).await.as_deref(), Some("EUR - f"), "another tenant's is its own");
    admin.run(&format!("select tenant.set_setting('{A}', 'seats', null)")).await;
    assert_eq!(app.inside_value(A, SHOWN).await.as_deref(), Some("USD 50 f"));
    let json = "select tenant.setting_json('theme') ->> 'dark', tenant.setting('theme'), tenant.setting('smtp.password') is null";
    let row = app.inside(A, json).await.swap_remove(0).into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(row, ["true", r#"{"dark":true}"#, "t"]);
}

#[tokio::test]
async fn what_is_not_declared_or_does_not_fit_is_refused() {
    let (db, admin, app) = staged("settings_refused").await;
    for (code, name, value) in [
        ("TN150", "billing.curency", r#""EUR""#),
        ("TN151", "billing.currency", r#""DM""#),
        ("TN151", "billing.currency", "1"),
        ("TN151", "seats", "0"),
        ("TN151", "seats", "501"),
        ("TN151", "seats", "1.5"),
        ("TN151", "seats", r#""7""#),
        ("TN151", "export", r#""yes""#),
        ("TN152", "smtp.password", r#""hunter2""#),
        ("TN152", "theme", r#"{"key": ["sk_live_0123456789abcdef"]}"#),
        ("TN152", "theme", r#""postgres://app:secret@db.example/shop""#),
        ("TN152", "theme", r#""-----BEGIN PRIVATE KEY-----""#),
    ] {
        let refused = admin.expect_error(code, &format!("select tenant.set_setting('{A}', '{name}', '{value}')")).await;
        assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
        assert!(!refused.message().contains("sk_live") && !refused.detail().is_some_and(|d| d.contains("hunter2")));
    }
    for reference in ["vault:shop/smtp#password", "env:SMTP_PASSWORD", "file:/run/secrets/smtp"] {
        admin.run(&format!(r#"select tenant.set_setting('{A}', 'smtp.password', '"{reference}"')"#)).await;
    }
    for (code, call) in [
        ("TN151", "tenant.declare_setting('Bad Name')"),
        ("TN151", "tenant.declare_setting(null)"),
        ("TN151", "tenant.declare_setting('x', 'date')"),
        ("TN151", "tenant.declare_setting('x', changed_by => 'anybody')"),
        ("TN151", "tenant.declare_setting('x', rule => '{\"least\": 1}')"),
        ("TN151", "tenant.declare_setting('x', rule => '[]')"),
        ("TN151", "tenant.declare_setting('x', rollout => 5)"),
        ("TN151", "tenant.declare_feature('x', rollout => 101)"),
        ("TN151", "tenant.declare_setting('x', 'integer', '\"1\"')"),
        ("TN152", "tenant.declare_setting('x', default_value => '\"AKIA0123456789ABCDEF\"')"),
        ("TN150", "tenant.drop_setting('x', 'gone')"),
        ("TN029", "tenant.drop_setting('seats', '')"),
    ] {
        let refused = admin.expect_error(code, &format!("select {call}")).await;
        assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
    }
    app.refused_inside("TN150", A, "select tenant.setting('nothing')").await;
    app.refused_inside("TN151", A, "select tenant.feature('theme')").await;
    app.expect_error("TN001", "select tenant.setting('seats')").await;
    app.expect_error("42501", &format!("select tenant.set_setting('{A}', 'seats', '9')")).await;
    app.expect_error("42501", "table tenant.setting_definitions").await;
    admin.expect_error("42501", "delete from tenant.setting_definitions").await;
    let _ = db;
}

/// On for so many per cent of the tenants, always the same ones, and for more when it is raised.
#[tokio::test]
async fn a_feature_is_rolled_out() {
    let (db, admin, app) = staged("settings_rollout").await;
    admin.run("insert into tenant.tenants (id) select 't' || n from generate_series(1, 400) n").await;
    let boss = db.superuser().await;
    let on = async || {
        let ids = "select string_agg(t.id, ' ' order by t.id) from tenant.tenants t
            where tenant_internal.settings_of(t.id)::jsonb ->> 'beta' = 'true'";
        let ids = boss.value(ids).await.unwrap_or_default();
        ids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut before = Vec::new();
    for percent in [0, 25, 60, 100] {
        admin.run(&format!("select tenant.declare_feature('beta', rollout => {percent})")).await;
        let now = on().await;
        assert!(before.iter().all(|id| now.contains(id)), "{percent}");
        assert!(now.len().abs_diff(402 * percent / 100) < 40, "{percent} per cent: {} of 402", now.len());
        before = now;
    }
    admin.run("select tenant.set_setting('t1', 'beta', 'false')").await;
    assert_eq!(app.inside_value("t1", "select tenant.feature('beta')").await.as_deref(), Some("f"));
    assert_eq!(app.inside_value("t2", "select tenant.feature('beta')").await.as_deref(), Some("t"));
    // The number is documented: another program computes it as well.
    let number = boss.value("select tenant_internal.rollout_number('acme', 'beta')").await;
    assert_eq!(number.as_deref(), Some("6843"));
}

#[tokio::test]
async fn a_change_is_in_force_with_the_next_transaction() {
    let (db, admin, app) = staged("settings_change").await;
    let other = db.app().await;
    let shown = "select tenant.setting('seats')";
    let set = |value: &str| format!("select tenant.set_setting('{A}', 'seats', {value})");
    assert_eq!(app.inside_value(A, shown).await, None);
    for (change, expected) in [
        (set("'5'"), Some("5")),
        (format!("begin; {}; rollback", set("'6'")), Some("5")),
        (format!("begin; savepoint s; {}; rollback to s; commit", set("'6'")), Some("5")),
        (set("null"), None),
        ("select tenant.declare_setting('seats', 'integer', '3')".to_owned(), Some("3")),
        (format!("select tenant.set_plan('{A}', 'gold')"), Some("50")),
        ("select tenant.define_plan('gold', settings => '{\"seats\": 60}')".to_owned(), Some("60")),
    ] {
        other.inside(A, shown).await;
        admin.run(&change).await;
        for session in [&app, &other, &db.app().await] {
            assert_eq!(session.inside_value(A, shown).await.as_deref(), expected, "{change}");
        }
    }
    // What a transaction with an old snapshot has read is not what others read, nor what it reads the next time.
    app.run("begin isolation level repeatable read; select 1").await;
    admin.run(&set("'9'")).await;
    app.run(&format!("select tenant.enter('{A}'); select tenant.setting('seats')")).await;
    app.run("commit").await;
    assert_eq!(app.inside_value(A, shown).await.as_deref(), Some("9"));
}

/// One look at the tables for a tenant and a session, however many rows and transactions, in those that write as well.
#[tokio::test]
async fn nothing_is_read_for_each_row() {
    let (db, admin, _) = staged("settings_rows").await;
    let boss = db.superuser().await;
    boss.run(&format!("alter role {} set track_functions = 'all'", db.roles.app)).await;
    let calls = async || {
        let sql = "select coalesce(sum(calls), 0) from pg_stat_user_functions where funcname = 'settings_of'";
        boss.value(sql).await.expect("a number")
    };
    let app = db.app().await;
    let many = "select count(*) from generate_series(1, 10000) n where n::text <> tenant.setting('billing.currency')";
    app.inside(A, many).await;
    app.inside(A, many).await;
    app.inside(A, &format!("insert into orders (tenant_id, id) values ('{A}', 99); {many}; {many}")).await;
    drop(app);
    for _ in 0..50 {
        if calls().await != "0" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(calls().await, "1");
    let _ = admin;
}

/// A session that knows the registry of an extension that was dropped, and finds its tenant in shared memory, hears of
/// changes of the new one.
#[tokio::test]
async fn of_an_extension_that_was_made_anew() {
    let (db, _, app) = staged("settings_anew").await;
    app.inside(A, SHOWN).await;
    let boss = db.superuser().await;
    boss.run("drop extension pg_tenant cascade; create extension pg_tenant").await;
    boss.run(&format!(
        "select tenant.create('{A}', plan => 'gold'), tenant.declare_setting('seats', 'integer', '1'),
            tenant.define_plan('gold', settings => '{{\"seats\": 2}}')"
    ))
    .await;
    let seats = "select tenant.setting('seats')";
    for session in [&db.app().await, &app] {
        assert_eq!(session.inside_value(A, seats).await.as_deref(), Some("2"));
    }
    boss.run("select tenant.define_plan('gold', settings => '{\"seats\": 3}')").await;
    assert_eq!(app.inside_value(A, seats).await.as_deref(), Some("3"));
}
