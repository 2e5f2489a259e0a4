//! An impersonation that the tenant, the operators, or a line of the journal do not tell of.

use std::time::{Duration, Instant};

use pg_tenant_tests::shop::{A, B};
use tokio::time::sleep;

use super::fixture::{ann, asked, bob, by, enter, login, roll_back, support_shop};

#[tokio::test]
async fn who_acts_and_in_whose_place() {
    let db = support_shop("imp_who").await;
    let ann = ann(&db).await;
    let who = "select concat_ws(' for ', tenant.current_impersonator(), tenant.current_actor())";
    let ann_login = login(&db, "ann");
    let id = asked(&ann, A, "'owner'", "").await;
    assert_eq!(by(&ann, &id, who).await, Some(format!("{ann_login} for owner")));
    let id = asked(&ann, A, "null", "").await;
    assert_eq!(by(&ann, &id, who).await, Some(ann_login.clone()));
    // One login of several people says which.
    let id = asked(&ann, A, "'owner'", ", actor => 'ann@support'").await;
    assert_eq!(by(&ann, &id, who).await, Some(format!("{ann_login}:ann@support for owner")));
    let app = db.app().await;
    assert_eq!(app.inside_value(A, "select tenant.current_impersonator()").await, None);
    for (code, sql) in [
        ("TN029", format!("select tenant.impersonate('{A}', null, ' ')")),
        ("TN029", format!("select tenant.impersonate('{A}', null, null)")),
        ("TN100", format!("select tenant.impersonate('{A}', null, E'a\\nb')")),
        ("TN141", format!("select tenant.impersonate('{A}', '', 'x')")),
        ("TN158", format!("select tenant.impersonate('{A}', null, 'x', actor => repeat('a', 129))")),
    ] {
        ann.expect_error(code, &sql).await;
    }
    // Workers of a parallel query know it.
    if pg_tenant_tests::Install::current().major >= 16 {
        ann.run(&format!("begin; {}; set local debug_parallel_query = on", enter(&id))).await;
        assert_eq!(ann.value(who).await, Some(format!("{ann_login}:ann@support for owner")));
        roll_back(&ann).await;
    }
}

#[tokio::test]
async fn in_the_journal() {
    let db = support_shop("imp_journal").await;
    let (ann, bob, app) = (ann(&db).await, bob(&db).await, db.app().await);
    let (ann_login, bob_login) = (login(&db, "ann"), login(&db, "bob"));
    let id = asked(&ann, A, "'owner'", ", write => true").await;
    for _ in 0..2 {
        ann.run(&format!("begin; {}; update orders set note = 'x'; commit", enter(&id))).await;
    }
    bob.run(&format!("select tenant.end_impersonation('{id}', 'done')")).await;
    let lines = format!(
        "select action, reason, actor, impersonator, detail ->> 'as_user', detail ->> 'write'
         from tenant.audit_log where object = '{id}' order by id"
    );
    let text = |values: [Option<&str>; 6]| values.map(|value| value.map(str::to_owned)).to_vec();
    let support = Some(ann_login.as_str());
    // The use of a session is told once; its two transactions are two lines of the server's log.
    let expected = [
        text([Some("impersonate"), Some("ticket 7"), None, support, Some("owner"), Some("true")]),
        text([Some("enter_as"), Some("ticket 7"), Some("owner"), support, Some("owner"), Some("true")]),
        text([Some("end_impersonation"), Some("done"), None, support, Some("owner"), Some("true")]),
    ];
    assert_eq!(app.inside(A, &lines).await, expected);
    assert_eq!(app.inside(B, &lines).await, Vec::<Vec<Option<String>>>::new(), "another tenant's lines");
    let ended = db
        .admin()
        .await
        .value(&format!(
            "select session_role from tenant.journal where action = 'end_impersonation' and object = '{id}'"
        ))
        .await;
    assert_eq!(ended, Some(bob_login));
    let entered = format!("enters tenant \"{A}\" in the place of \"owner\" for writing, by impersonation {id}");
    assert_eq!(db.cluster().log().matches(&entered).count(), 2);
    // A line that is undone is written by the next transaction.
    let id = asked(&ann, A, "null", "").await;
    ann.run(&format!("begin; {}; rollback; begin; savepoint s; {0}; rollback to s; commit", enter(&id))).await;
    let used = format!("select count(*) from tenant.journal where action = 'enter_as' and object = '{id}'");
    let admin = db.admin().await;
    assert_eq!(admin.value(&used).await.as_deref(), Some("0"));
    ann.run(&format!("begin; {}; commit", enter(&id))).await;
    assert_eq!(admin.value(&used).await.as_deref(), Some("1"));
    // What is journalled in its transactions has both.
    let id = asked(&ann, A, "'owner'", ", write => true").await;
    db.superuser()
        .await
        .run(
            "create function notes() returns void language sql security definer as
                $$ select tenant_internal.write_journal('noted', 'orders', 'a test') $$",
        )
        .await;
    ann.run(&format!("begin; {}; select notes(); commit", enter(&id))).await;
    let noted = admin.rows("select tenant_id, actor, impersonator from tenant.journal where action = 'noted'").await;
    assert_eq!(noted, [[Some(A.to_owned()), Some("owner".to_owned()), Some(ann_login)]]);
}

/// The tenant listens on its own channel.
#[tokio::test]
async fn on_the_tenants_channel() {
    let db = support_shop("imp_notify").await;
    let (ann, app) = (ann(&db).await, db.app().await);
    let channel = app.inside_value(A, "select tenant.channel('impersonation')").await.expect("a channel");
    let listener = db.app().await;
    listener.run(&format!("listen {channel}")).await;
    let id = asked(&ann, A, "'owner'", "").await;
    asked(&ann, B, "'owner'", "").await;
    ann.run(&format!("begin; {}; commit; select tenant.end_impersonation('{id}')", enter(&id))).await;
    let (mut heard, since) = (Vec::new(), Instant::now());
    while heard.len() < 3 {
        assert!(since.elapsed() < Duration::from_secs(60), "{heard:?}");
        listener.run("select 1").await;
        heard.extend(listener.notifications().into_iter().map(|it| it.payload().to_owned()));
        sleep(Duration::from_millis(10)).await;
    }
    for (payload, event) in heard.iter().zip(["impersonate", "enter_as", "end_impersonation"]) {
        assert!(payload.contains(&format!("\"event\": \"{event}\"")) && payload.contains(&id), "{payload}");
        assert!(payload.contains(&login(&db, "ann")) && !payload.contains("ticket"), "{payload}");
    }
}

/// Who of support sees which of them, outside a tenant and in one.
#[tokio::test]
async fn those_that_are_open_are_seen() {
    let db = support_shop("imp_open").await;
    let (ann, bob) = (ann(&db).await, bob(&db).await);
    let id = asked(&ann, A, "null", "").await;
    asked(&bob, B, "null", "").await;
    let seen = "select string_agg(tenant_id, ' ' order by tenant_id) from tenant.open_impersonations";
    assert_eq!(bob.value(seen).await, Some(format!("{A} {B}")));
    assert_eq!(by(&ann, &id, seen).await, Some(A.to_owned()));
    assert_eq!(db.admin().await.value("select count(*) from tenant.impersonations").await.as_deref(), Some("2"));
    db.app().await.expect_error("42501", seen).await;
    ann.expect_error("42501", "select from tenant.impersonations").await;
    // A tenant is told by its lines of the journal alone.
    db.app().await.refused_inside("42501", A, "select from tenant.impersonations").await;
}
