//! A statement that a function starts in a parallel worker.

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::{A, shop};

#[tokio::test]
async fn with_the_rights_of_a_superuser() {
    let db = shop("worker_definer").await;
    db.superuser()
        .await
        .run(
            "create function all_orders(int) returns bigint language plpgsql parallel safe security definer as $$
                begin return (select count(*) from public.orders); end $$;
             create function all_stock(int) returns bigint language plpgsql parallel safe security definer as $$
                begin return (select count(*) from public.stock_orders); end $$",
        )
        .await;
    let app = db.app().await;
    let force = if Install::current().major == 15 { "force_parallel_mode" } else { "debug_parallel_query" };
    app.run(&format!("set {force} = on; set app.tenant = '{A}'")).await;
    let in_worker = |function: &str| format!("select {function}(relpages) from pg_class where relname = 'orders'");
    assert_eq!(app.value(&in_worker("all_stock")).await.as_deref(), Some("5"), "the hole");
    app.expect_error("TN001", &in_worker("all_orders")).await;
    app.refused_inside("TN011", A, &in_worker("all_orders")).await;
}

#[tokio::test]
async fn for_a_bound_role_whose_tenant_is_suspended_or_that_must_sign() {
    let db = shop("worker_bound").await;
    let (admin, login) = (db.admin().await, &db.roles.app);
    admin.run(&format!("select tenant.bind_role('{login}', '{A}')")).await;
    db.superuser()
        .await
        .run(
            "create function own_orders(int) returns bigint language plpgsql parallel safe as $$
                begin return (select count(*) from public.orders); end $$",
        )
        .await;
    let force = if Install::current().major == 15 { "force_parallel_mode" } else { "debug_parallel_query" };
    let force = format!("set {force} = on");
    let in_worker = "select own_orders(relpages) from pg_class where relname = 'orders'";
    let bound = db.app().await;
    bound.run(&force).await;
    assert_eq!(bound.value(in_worker).await.as_deref(), Some("3"));
    admin.run(&format!("select tenant.suspend('{A}')")).await;
    bound.expect_error("TN003", in_worker).await;
    admin.run(&format!("select tenant.resume('{A}')")).await;
    db.superuser().await.run(&format!("alter role {login} set pg_tenant.require_signed = on")).await;
    let signs = db.app().await;
    signs.run(&force).await;
    signs.expect_error("TN090", in_worker).await;
}
