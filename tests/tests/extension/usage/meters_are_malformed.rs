//! A meter, a quota or an amount that cannot be is refused, by whoever may make one; nobody else may.

use pg_tenant_tests::shop::{A, B};

use super::fixture::metered;

#[tokio::test]
async fn and_declared_all_the_same() {
    let (_db, admin, app) = metered("meters_wrong").await;
    for (code, call) in [
        ("TN170", "define_meter('Api', 'calls')"),
        ("TN170", "define_meter(null, 'calls')"),
        ("TN170", "define_meter('calls', '')"),
        ("TN170", "define_meter('calls', 'calls', 'week')"),
        ("TN170", "define_meter('calls', 'calls', 'day', 'mean')"),
        ("TN170", "define_meter('calls', 'calls', hard_limit => -1)"),
        ("TN170", "define_meter('calls', 'calls', hard_limit => 'NaN')"),
        ("TN170", "define_meter('calls', 'calls', hard_limit => 1, soft_limit => 2)"),
        ("TN100", "define_meter('calls', E'c\\nforged')"),
        ("TN170", "drop_meter('nothing', 'gone')"),
        ("TN029", "drop_meter('api_calls', '')"),
        ("TN170", "set_quota('acme', 'nothing', 1)"),
        ("TN002", "set_quota('nobody', 'api_calls', 1)"),
        ("TN002", "clear_quota('nobody', 'api_calls')"),
        ("TN002", "consume_for('nobody', 'api_calls')"),
        ("TN136", "define_plan('bad', quotas => '{\"api_calls\": \"many\"}')"),
        ("TN136", "define_plan('bad', quotas => '{\"api_calls\": {\"most\": 1}}')"),
        ("TN136", "define_plan('bad', quotas => '{\"api_calls\": -1}')"),
    ] {
        admin.run("begin; insert into tenant.tenants (id) values ('acme') on conflict do nothing; commit").await;
        admin.expect_error(code, &format!("select tenant.{call}")).await;
    }
    for (code, amount) in [("TN172", "-1"), ("TN172", "null"), ("TN172", "'NaN'"), ("TN172", "'Infinity'")] {
        app.refused_inside(code, A, &format!("select tenant.consume('api_calls', {amount})")).await;
    }
    app.refused_inside("TN170", A, "select tenant.consume('nothing')").await;
    app.expect_error("TN001", "select tenant.consume('api_calls')").await;
    admin.expect_error("TN170", &format!("select tenant.set_quota('{A}', 'api_calls', 1, 2)")).await;
    // A quota that was there first must be one.
    admin.run("select tenant.define_plan('early', quotas => '{\"storage\": \"much\"}')").await;
    admin.expect_error("TN170", "select tenant.define_meter('storage', 'MB')").await;
    app.inside(A, "select tenant.consume('api_calls')").await;
    admin.expect_error("TN170", "select tenant.define_meter('api_calls', 'calls', 'day')").await;
    admin.run("select tenant.define_meter('api_calls', 'requests', hard_limit => 7)").await;
    admin.run("select tenant.drop_meter('api_calls', 'over')").await;
    app.refused_inside("TN170", A, "select tenant.consume('api_calls')").await;
    let _ = B;
}
