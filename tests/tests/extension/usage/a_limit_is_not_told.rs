//! Whoever meets a limit is told which, how much is used, when it resets and what plan has more; a soft limit warns
//! once, and is journalled once.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::A;

use super::fixture::{consume, metered};

#[tokio::test]
async fn to_who_is_refused() {
    let (_db, admin, app) = metered("usage_told").await;
    admin
        .run(&format!(
            "select tenant.define_plan('basic', 1, quotas => '{{\"api_calls\": 5}}'),
        tenant.define_plan('pro', 2, quotas => '{{\"api_calls\": {{\"hard\": 50, \"soft\": 40}}}}'),
        tenant.define_plan('max', 3, quotas => '{{\"api_calls\": null}}'), tenant.set_plan('{A}', 'basic')"
        ))
        .await;
    app.inside(A, &consume(3)).await;
    let refused = app.refused_inside("TN171", A, &consume(3)).await;
    let detail = refused.detail().expect("a detail");
    assert!(
        detail.starts_with("The limit is 5 calls per month; 3 used, and 3 more asked for. It resets in "),
        "{detail}"
    );
    assert!(detail.contains(" s, at 20") && detail.ends_with("-01T00:00:00Z. Plan \"pro\" has 50."), "{detail}");
    assert!(refused.hint().is_some_and(|hint| hint.contains("tenant.set_quota")), "{refused:?}");
    let refused = app.refused_inside("TN171", A, &consume(60)).await;
    assert!(refused.detail().is_some_and(|detail| detail.ends_with("Plan \"max\" has no limit.")), "{refused:?}");
    admin
        .run("select tenant.drop_plan('max', 'sold out'), tenant.define_meter('seats', 'seats', 'forever', 'max', 4)")
        .await;
    let refused = app.refused_inside("TN171", A, "select tenant.consume('seats', 5)").await;
    let expected = "The limit is 4 seats; 0 used, and 5 more asked for. It does not reset. No plan has more.";
    assert_eq!(refused.detail(), Some(expected));
    // What is left, and when it is reset, is told with each consumption.
    let told = "select used || ' ' || \"limit\" || ' ' || remaining || ' ' || (resets_at > now()) from tenant.consume('api_calls', 1.5)";
    assert_eq!(app.inside_value(A, told).await.as_deref(), Some("4.5 5 0.5 true"));
    let own = "select meter || ' ' || used || ' ' || hard_limit from tenant.own_usage() order by 1 limit 1";
    assert_eq!(app.inside_value(A, own).await.as_deref(), Some("api_calls 4.5 5"));
    admin.run(&format!("select tenant.set_plan('{A}', 'pro')")).await;
    app.inside(A, &consume(30)).await;
}

fn warned(session: &Session) -> usize {
    session.notices().iter().filter(|notice| notice.code().code() == "TN173").count()
}

#[tokio::test]
async fn softly_more_than_once() {
    let (db, admin, app) = metered("usage_soft").await;
    admin.run(&format!("select tenant.set_quota('{A}', 'api_calls', 100, 50, 'agreed')")).await;
    app.notices();
    app.inside(A, &consume(50)).await;
    assert_eq!(warned(&app), 0);
    app.run(&format!("begin; select tenant.enter('{A}'); {}; rollback", consume(1))).await;
    assert_eq!(warned(&app), 1, "what was rolled back has not passed it");
    for _ in 0..10 {
        app.inside(A, &consume(1)).await;
    }
    assert_eq!(warned(&app), 1);
    let lines = "select detail ->> 'used' from tenant.journal where action = 'soft_limit'";
    assert_eq!(admin.rows(lines).await, [[Some("51".to_owned())]]);
    let own = "select count(*) from tenant.audit_log where action = 'soft_limit'";
    assert_eq!(app.inside_value(A, own).await.as_deref(), Some("1"));
    // The next period begins with nothing used.
    db.superuser()
        .await
        .run(
            "update tenant.usage set period_start = period_start - interval '1 month';
        update tenant.usage_warnings set period_start = period_start - interval '1 month'",
        )
        .await;
    assert_eq!(app.inside_value(A, &consume(51)).await.as_deref(), Some("51"));
    assert_eq!((warned(&app), admin.rows(lines).await.len()), (1, 2));
}

/// The greatest, or the last, is compared with the limit by itself.
#[tokio::test]
async fn where_nothing_sums_up() {
    let (_db, admin, app) = metered("usage_greatest").await;
    admin.run("select tenant.define_meter('peak', 'users', 'day', 'max', 10), tenant.define_meter('disk', 'MB', 'month', 'last', 10)").await;
    for (amount, peak, disk) in [("4", "4", "4"), ("9", "9", "9"), ("2", "9", "2")] {
        for (meter, expected) in [("peak", peak), ("disk", disk)] {
            let consume = format!("select used from tenant.consume('{meter}', {amount})");
            assert_eq!(app.inside_value(A, &consume).await.as_deref(), Some(expected), "{meter} {amount}");
            app.refused_inside("TN171", A, &format!("select tenant.consume('{meter}', 11)")).await;
        }
    }
}
